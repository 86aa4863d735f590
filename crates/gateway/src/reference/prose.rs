//! Our Markdown as HTML. Nothing in it is HTML of its own, and nothing leads elsewhere: a link to
//! what the reference does not have is shown as its text.

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// A heading with what stands below it, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The heading.
    pub title: String,
    /// Its id on the page.
    pub id: String,
    /// What stands below it, up to the next heading.
    pub text: String,
}

/// A document as HTML, its headings with ids. `pages` are file names that it may point to and the
/// paths where these are answered.
pub fn html(markdown: &str, pages: &[(&str, &str)]) -> String {
    let events: Vec<Event> = parser(markdown).collect();
    let mut shown = Vec::with_capacity(events.len());
    for (at, event) in events.iter().enumerate() {
        let event = match event.clone() {
            Event::Start(Tag::Heading { level, .. }) => {
                let id = id_of(&heading(&events[at + 1..]));
                Event::Html(format!("<{level} id='{id}'>").into())
            }
            Event::End(TagEnd::Heading(level)) => Event::Html(format!("</{level}>").into()),
            Event::Start(Tag::Table(columns)) => {
                shown.push(Event::Html("<div class=wide>".into()));
                Event::Start(Tag::Table(columns))
            }
            Event::End(TagEnd::Table) => {
                shown.push(Event::End(TagEnd::Table));
                Event::Html("</div>".into())
            }
            Event::Start(Tag::Link { dest_url, .. }) => match here(&dest_url, pages) {
                Some(path) => Event::Html(format!("<a href='{}'>", super::escape(&path)).into()),
                None => Event::Html("<span>".into()),
            },
            Event::End(TagEnd::Link) => match leads_here(&events[..at], pages) {
                true => Event::Html("</a>".into()),
                false => Event::Html("</span>".into()),
            },
            Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
            Event::Start(Tag::Image { .. } | Tag::HtmlBlock)
            | Event::End(TagEnd::Image | TagEnd::HtmlBlock) => continue,
            other => other,
        };
        shown.push(event);
    }
    let mut page = String::with_capacity(markdown.len() * 2);
    html::push_html(&mut page, shown.into_iter());
    page
}

/// The sections of a document, for the search.
pub fn sections(markdown: &str) -> Vec<Section> {
    let events: Vec<Event> = parser(markdown).collect();
    let mut sections: Vec<Section> = Vec::new();
    let mut is_heading = false;
    for (at, event) in events.iter().enumerate() {
        let piece = match event {
            Event::Start(Tag::Heading { .. }) => {
                let title = heading(&events[at + 1..]);
                let id = id_of(&title);
                sections.push(Section { title, id, text: String::new() });
                is_heading = true;
                continue;
            }
            Event::End(TagEnd::Heading(_)) => {
                is_heading = false;
                continue;
            }
            Event::Text(text) | Event::Code(text) => text.as_ref(),
            Event::SoftBreak
            | Event::HardBreak
            | Event::End(TagEnd::Paragraph | TagEnd::Item | TagEnd::TableCell) => " ",
            _ => continue,
        };
        if let Some(section) = sections.last_mut().filter(|_| !is_heading) {
            section.text.push_str(piece);
        }
    }
    sections
}

/// The title of a document: its first heading of the first level.
pub fn title(markdown: &str) -> String {
    let mut events = parser(markdown);
    let is_title =
        |event: &Event| matches!(event, Event::Start(Tag::Heading { level: HeadingLevel::H1, .. }));
    match events.any(|event| is_title(&event)) {
        true => heading(&events.collect::<Vec<_>>()),
        false => String::new(),
    }
}

fn parser(markdown: &str) -> Parser<'_> {
    Parser::new_ext(markdown, Options::ENABLE_TABLES)
}

/// The text of the heading that has just begun.
fn heading(events: &[Event]) -> String {
    let inside = events.iter().take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
    let words = inside.filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
        _ => None,
    });
    words.collect()
}

/// The id of a heading, as links in our documents name it.
fn id_of(title: &str) -> String {
    let lower = title.to_lowercase();
    let kept = lower.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Where a link leads within the reference.
fn here(link: &CowStr, pages: &[(&str, &str)]) -> Option<String> {
    let (file, anchor) = match link.split_once('#') {
        Some((file, anchor)) => (file, format!("#{anchor}")),
        None => (link.as_ref(), String::new()),
    };
    if file.is_empty() {
        return Some(anchor);
    }
    let known = pages.iter().find(|(name, _)| *name == file);
    known.map(|(_, path)| format!("{path}{anchor}"))
}

/// Whether the link that ends now is one: links do not nest.
fn leads_here(before: &[Event], pages: &[(&str, &str)]) -> bool {
    let begun = before.iter().rev().find_map(|event| match event {
        Event::Start(Tag::Link { dest_url, .. }) => Some(here(dest_url, pages).is_some()),
        _ => None,
    });
    begun.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Big `one`\n\nSee [b](b.md#x-y), [top](#big-one), \
                        [away](https://a.example/) and [c](c.md).\n\n## Part <b>2</b>\n\n\
                        <script>alert(1)</script>\n\n\
                        ![p](https://a.example/p.png)\n\n\
                        | a | b |\n|---|---|\n| `1` | <i>2</i> |\n";

    #[test]
    fn links_stay_within_the_reference_and_html_is_text() {
        let page = html(TEXT, &[("b.md", "/docs/b")]);
        assert!(page.contains("<h1 id='big-one'>Big <code>one</code></h1>"), "{page}");
        assert!(page.contains("<a href='/docs/b#x-y'>b</a>"), "{page}");
        assert!(page.contains("<a href='#big-one'>top</a>"), "{page}");
        assert!(page.contains("<span>away</span>") && page.contains("<span>c</span>"), "{page}");
        assert!(page.contains("<div class=wide><table>") && page.contains("</table>"), "{page}");
        for raw in ["<script", "<b>", "<i>", "<img", "a.example"] {
            assert!(!page.contains(raw), "{raw} in {page}");
        }
    }

    #[test]
    fn sections_are_headings_with_their_text() {
        assert_eq!(title(TEXT), "Big one");
        let sections = sections(TEXT);
        assert_eq!(sections.len(), 2);
        assert_eq!(sections[0].id, "big-one");
        assert!(sections[0].text.contains("See b, top, away"), "{sections:?}");
        assert!(sections[1].text.contains('1'), "{sections:?}");
    }
}
