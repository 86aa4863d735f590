//! What is in the reference, by words: operations and types of every API, parts of the documents.

use serde_json::Value;

use super::{first_line, prose::Section};

/// Characters of a question at most.
pub const QUERY_CHARS_MAX: usize = 200;
/// Words of a question that are looked at.
const WORDS_MAX: usize = 8;
/// What is shown at most.
const HITS_MAX: usize = 40;

/// Something in the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is called.
    pub title: String,
    /// What it is.
    pub about: String,
    /// Where it is.
    pub href: String,
    /// What it is found by, in lower case; the title comes first.
    text: String,
}

impl Entry {
    fn new(title: String, about: String, href: String, more: &str) -> Entry {
        let text = format!("{title}\n{about} {more}").to_lowercase();
        Entry { title, about, href, text }
    }
}

/// What was found.
#[derive(Debug)]
pub struct Hits<'a> {
    /// The first ones.
    pub shown: Vec<&'a Entry>,
    /// How many there are in all.
    pub count: usize,
}

/// Operations and types of an API's description.
pub fn of_api(name: &str, document: &Value) -> Vec<Entry> {
    let api = document["info"]["title"].as_str().unwrap_or_default();
    let mut entries = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let id = operation["operationId"].as_str().unwrap_or_default();
            let summary = operation["summary"].as_str().unwrap_or_default();
            let title = format!("{} {path}", method.to_uppercase());
            let (about, href) = (format!("{summary} · {api}"), format!("/docs/{name}#{id}"));
            let words = format!("{id} {}", id.replace('_', " "));
            entries.push(Entry::new(title, about, href, &words));
        }
    }
    for (kind, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        let members = schema["properties"].as_object().into_iter().flatten();
        let members: Vec<&str> = members.map(|(member, _)| member.as_str()).collect();
        let about = match first_line(schema) {
            "" => format!("type · {api}"),
            line => format!("{line} · {api}"),
        };
        let href = format!("/docs/{name}#type-{kind}");
        entries.push(Entry::new(kind.clone(), about, href, &members.join(" ")));
    }
    entries
}

/// The parts of a document that is answered at a path.
pub fn of_document(title: &str, path: &str, sections: Vec<Section>) -> Vec<Entry> {
    let entry = |Section { title: heading, id, text }| {
        Entry::new(heading, title.to_owned(), format!("{path}#{id}"), &text)
    };
    sections.into_iter().map(entry).collect()
}

/// What has every word of the question, those first whose titles have them all.
pub fn find<'a>(entries: &'a [Entry], question: &str) -> Hits<'a> {
    let question: String = question.chars().take(QUERY_CHARS_MAX).collect();
    let question = question.to_lowercase();
    let words: Vec<&str> = question.split_whitespace().take(WORDS_MAX).collect();
    if words.is_empty() {
        return Hits { shown: Vec::new(), count: 0 };
    }
    let has_all = |text: &str| words.iter().all(|word| text.contains(word));
    let is_titled = |entry: &&Entry| has_all(entry.text.split('\n').next().unwrap_or_default());
    let found = entries.iter().filter(|entry| has_all(&entry.text));
    let (titled, others): (Vec<&Entry>, Vec<&Entry>) = found.partition(is_titled);
    let count = titled.len() + others.len();
    Hits { shown: titled.into_iter().chain(others).take(HITS_MAX).collect(), count }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entries() -> Vec<Entry> {
        let document = json!({"info": {"title": "Api"},
            "paths": {"/a/{id}": {"get": {"operationId": "get_a", "summary": "Get an A"}}},
            "components": {"schemas": {"Thing": {"description": "A thing.\nMore.",
                "properties": {"colour": {}}}}}});
        let section = Section { title: "Colours".into(), id: "colours".into(), text: "Red".into() };
        let mut entries = of_api("x", &document);
        entries.extend(of_document("Style", "/docs/style", vec![section]));
        entries
    }

    #[test]
    fn every_word_must_be_there_and_titles_come_first() {
        let entries = entries();
        let found = |question| -> Vec<&str> {
            find(&entries, question).shown.iter().map(|entry| entry.href.as_str()).collect()
        };
        assert_eq!(found("GET a/"), ["/docs/x#get_a"]);
        assert_eq!(found("colour"), ["/docs/style#colours", "/docs/x#type-Thing"]);
        assert_eq!(found("colour red"), ["/docs/style#colours"]);
        assert_eq!(found("thing api"), ["/docs/x#type-Thing"]);
        assert!(found("nowhere").is_empty() && found("  ").is_empty());
    }

    #[test]
    fn questions_and_answers_are_bounded() {
        let many: Vec<Entry> = (0..100)
            .map(|n| Entry::new(format!("t{n}"), String::new(), String::new(), ""))
            .collect();
        let hits = find(&many, "t");
        assert_eq!((hits.shown.len(), hits.count), (HITS_MAX, 100));
        let long = format!("t{}", " ".repeat(QUERY_CHARS_MAX)) + "nowhere";
        assert_eq!(find(&many, &long).count, 100, "what is beyond the bound is not looked at");
    }
}
