//! The readable reference at `/docs`: a page for each API, made from the same description as the
//! machines read; our documents ([`prose`]); a search over all of it ([`search`]). Without anything
//! from the internet.

use std::fmt::Write as _;

use serde_json::Value;

pub mod prose;
pub mod search;

/// The script of the search.
pub const SEARCH_SCRIPT: &str = include_str!("reference/search.js");

/// What stands around every page of the reference.
pub struct Frame<'a> {
    /// What the page is about.
    pub title: &'a str,
    /// Paths and names of all pages to switch between.
    pub pages: &'a [(String, &'a str)],
    /// Path of this page.
    pub path: &'a str,
    /// The question of the search, where this is its answer.
    pub question: &'a str,
}

impl Frame<'_> {
    /// The page with this between its header and its end.
    pub fn around(&self, main: &str) -> String {
        let Frame { title, pages, path, question } = *self;
        let mut html = String::with_capacity(main.len() + 16 * 1024);
        let _ = write!(
            html,
            "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport \
             content='width=device-width,initial-scale=1'><title>{} · Patron reference</title>\
             <style>{STYLE}</style><script src=/docs/search.js defer></script>\
             <header><a class=home href=/>Patron</a><nav aria-label=Reference>",
            escape(title)
        );
        for (to, name) in pages {
            let mark = if to == path { " aria-current=page" } else { "" };
            let _ = write!(html, "<a href='{}'{mark}>{}</a>", escape(to), escape(name));
        }
        let _ = write!(
            html,
            "</nav><form class=search action=/docs/search role=search><input type=search name=q \
             maxlength={} placeholder=Search aria-label='Search the reference' autocomplete=off \
             value='{}'></form></header><div id=hits role=status></div><main>{main}</main></html>",
            search::QUERY_CHARS_MAX,
            escape(question)
        );
        html
    }
}

/// The programs that sign a request in, each under the name of its language.
pub fn programs(programs: &[(&str, String)]) -> String {
    let mut html = String::new();
    for (language, program) in programs {
        let program = escape(program.trim_end());
        let _ = write!(html, "<h3>{}</h3><pre>{program}</pre>", escape(language));
    }
    html
}

/// What is to be said of one API. `sign_in` is HTML that shows how, `appendix` is HTML of the API's
/// own for the end.
pub fn api(document: &Value, name: &str, sign_in: &str, appendix: &str) -> String {
    let text = |member: &str| escape(document["info"][member].as_str().unwrap_or_default());
    let groups = operations(document);
    let mut html = format!(
        "<h1>{}</h1><p>{}</p><p class=contents><a href='#sign-in'>Sign-in</a>",
        text("title"),
        text("description")
    );
    for (tag, _) in &groups {
        let _ = write!(html, " <a href='#{}'>{}</a>", anchor(tag), escape(tag));
    }
    let _ = write!(
        html,
        " <a href='#types'>Types</a> <a href='/openapi/{}.json'>Description for machines</a></p>\
         <h2 id=sign-in>Sign-in</h2>{sign_in}",
        escape(name)
    );
    for (tag, operations) in &groups {
        let _ = write!(html, "<h2 id='{}'>{}</h2>{operations}", anchor(tag), escape(tag));
    }
    schemas(document, &mut html);
    html.push_str(appendix);
    html
}

/// The answer to a question, as `search.js` looks for it too.
pub fn found(question: &str, hits: &search::Hits<'_>) -> String {
    let mut html = String::from("<h1>Search</h1><div id=found>");
    match (question.trim(), hits.shown.len(), hits.count) {
        ("", _, _) => html.push_str("<p>Type words above: a path, a field, a failure.</p>"),
        (_, 0, _) => html.push_str("<p>Nothing has all of these words.</p>"),
        (_, shown, count) if shown < count => {
            let _ =
                write!(html, "<p>The first {shown} of {count}; another word makes it fewer.</p>");
        }
        (_, _, _) => {}
    }
    html.push_str("<ul>");
    for search::Entry { title, about, href, .. } in &hits.shown {
        let _ = write!(
            html,
            "<li><a href='{}'>{}</a> <span class=about>{}</span>",
            escape(href),
            escape(title),
            escape(about)
        );
    }
    html.push_str("</ul></div>");
    html
}

/// The id of a group of operations.
fn anchor(tag: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    format!("operations-{}", tag.chars().map(plain).collect::<String>())
}

/// The operations by what they are grouped under.
fn operations(document: &Value) -> Vec<(&str, String)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let mut groups: Vec<(&str, String)> = Vec::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let tag = operation["tags"][0].as_str().unwrap_or("Operations");
            let at = groups.iter().position(|(known, _)| *known == tag).unwrap_or(groups.len());
            if at == groups.len() {
                groups.push((tag, String::new()));
            }
            one_operation(path, method, operation, &mut groups[at].1);
        }
    }
    groups
}

fn one_operation(path: &str, method: &str, operation: &Value, html: &mut String) {
    let id = operation["operationId"].as_str().unwrap_or_default();
    let summary = operation["summary"].as_str().unwrap_or_default();
    let _ = write!(
        html,
        "<details id='{0}'><summary><span class='method {1}'>{2}</span> <code>{3}</code> \
         <span class=about>{4}</span></summary>",
        escape(id),
        escape(method),
        escape(&method.to_uppercase()),
        escape(path),
        escape(summary)
    );
    parameters(operation, html);
    bodies(operation, html);
    html.push_str("</details>");
}

fn parameters(operation: &Value, html: &mut String) {
    let Some(parameters) = operation["parameters"].as_array().filter(|p| !p.is_empty()) else {
        return;
    };
    html.push_str("<h3>Parameters</h3><table><thead><tr><th>Name<th>In<th>Type<th>About<tbody>");
    for parameter in parameters {
        let text = |name: &str| escape(parameter[name].as_str().unwrap_or_default());
        let required = if parameter["required"] == true { " <b>required</b>" } else { "" };
        let _ = write!(
            html,
            "<tr><td><code>{}</code>{required}<td>{}<td>{}<td>{}",
            text("name"),
            text("in"),
            escape(parameter["schema"]["type"].as_str().unwrap_or_default()),
            text("description")
        );
    }
    html.push_str("</table>");
}

fn bodies(operation: &Value, html: &mut String) {
    if let Some(content) = operation["requestBody"]["content"].as_object() {
        html.push_str("<h3>Body</h3><ul>");
        for (media, described) in content {
            let _ = write!(
                html,
                "<li><code>{}</code>: {}",
                escape(media),
                type_name(&described["schema"])
            );
        }
        html.push_str("</ul>");
    }
    html.push_str("<h3>Answers</h3><ul>");
    let replies = operation["responses"].as_object();
    for (status, reply) in replies.into_iter().flatten() {
        // The same in every media type.
        let content = reply["content"].as_object().and_then(|content| content.values().next());
        let body = content.map_or("empty".to_owned(), |content| type_name(&content["schema"]));
        let status = if status == "default" { "failure" } else { status };
        let _ = write!(html, "<li><code>{}</code>: {body}", escape(status));
    }
    html.push_str("</ul>");
}

fn schemas(document: &Value, html: &mut String) {
    let Some(schemas) = document["components"]["schemas"].as_object() else { return };
    html.push_str("<h2 id=types>Types</h2>");
    for (name, schema) in schemas {
        let _ = write!(
            html,
            "<details id='type-{0}'><summary><code>{0}</code> <span class=about>{1}</span></summary>",
            escape(name),
            escape(first_line(schema))
        );
        if let Some(properties) = schema["properties"].as_object() {
            html.push_str("<table><thead><tr><th>Member<th>Type<th>About<tbody>");
            for (member, described) in properties {
                let _ = write!(
                    html,
                    "<tr><td><code>{}</code><td>{}<td>{}",
                    escape(member),
                    type_name(described),
                    escape(first_line(described))
                );
            }
            html.push_str("</table>");
        } else {
            let _ = write!(html, "<p>{}</p>", type_name(schema));
        }
        html.push_str("</details>");
    }
}

fn first_line(schema: &Value) -> &str {
    schema["description"].as_str().unwrap_or_default().lines().next().unwrap_or_default()
}

fn type_name(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return format!("<a href='#type-{0}'>{0}</a>", escape(name));
    }
    for several in ["anyOf", "oneOf"] {
        if let Some(options) = schema[several].as_array() {
            return options.iter().map(type_name).collect::<Vec<_>>().join(" or ");
        }
    }
    if let Some(values) = schema["enum"].as_array() {
        let values = values.iter().map(|v| format!("<code>{}</code>", escape(&v.to_string())));
        return values.collect::<Vec<_>>().join(" | ");
    }
    if let Some(value) = schema.get("const") {
        return format!("<code>{}</code>", escape(&value.to_string()));
    }
    match &schema["type"] {
        Value::String(kind) if kind == "array" => {
            format!("list of {}", type_name(&schema["items"]))
        }
        Value::String(kind) => escape(kind),
        Value::Array(kinds) => {
            let kinds = kinds.iter().filter_map(Value::as_str).map(escape);
            kinds.collect::<Vec<_>>().join(" or ")
        }
        _ => "any".to_owned(),
    }
}

/// Escapes text for HTML, attribute values in either quotes included.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The style of all pages: light and dark, readable from a phone to a wide screen.
pub const STYLE: &str = include_str!("style.css");

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn failures_show_their_shape_whatever_their_media_type() {
        let failure = json!({"$ref": "#/components/schemas/Problem"});
        let content = json!({"application/problem+json": {"schema": failure}});
        let responses = json!({"default": {"content": content}, "204": {"description": "Gone"}});
        let document = json!({"info": {"title": "x"},
            "paths": {"/x": {"delete": {"operationId": "x", "responses": responses}}}});
        let html = api(&document, "x", "", "");
        assert!(
            html.contains("<code>failure</code>: <a href='#type-Problem'>Problem</a>"),
            "{html}"
        );
        assert!(html.contains("<code>204</code>: empty"), "{html}");
    }

    #[test]
    fn everything_shown_is_escaped() {
        let bad = "<img src=x onerror='a(\"b\")'>&";
        let schema = json!({"type": "object", "description": bad, "enum": [bad],
            "properties": {bad: {"type": bad, "description": bad}}, "required": [bad]});
        let content = json!({bad: {"schema": schema}});
        let operation = json!({
            "operationId": bad, "summary": bad, "tags": [bad],
            "parameters": [{"name": bad, "in": bad, "description": bad,
                "schema": {"type": bad}}],
            "requestBody": {"content": content},
            "responses": {bad: {"description": bad, "content": content}},
        });
        let document = json!({
            "info": {"title": bad, "description": bad}, "paths": {bad: {bad: operation}},
            "components": {"schemas": {bad: schema}},
        });
        let frame = Frame { title: bad, pages: &[(bad.into(), bad)], path: bad, question: bad };
        let entries = search::of_api(bad, &document);
        let hits = search::find(&entries, "img");
        assert_eq!(hits.count, 2);
        let main = api(&document, bad, &programs(&[(bad, bad.into())]), "") + &found(bad, &hits);
        let html = frame.around(&main);
        assert!(html.contains("&lt;img src=x onerror=&#39;a(&quot;b&quot;)&#39;&gt;&amp;"));
        for raw in ["<img", "'a(", "\"b\"", "&<"] {
            assert!(!html.contains(raw), "{raw} in {html}");
        }
    }
}
