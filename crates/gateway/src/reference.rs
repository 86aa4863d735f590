//! The readable reference at `/docs`: one page per dialect, made from the same description as the
//! machines read, without anything from the internet.

use std::fmt::Write as _;

use serde_json::Value;

/// A page about one dialect; `others` are the names and titles to switch between, `appendix` is HTML
/// of the dialect's own for the end of the page.
pub fn page(document: &Value, current: &str, others: &[(&str, &str)], appendix: &str) -> String {
    let title = document["info"]["title"].as_str().unwrap_or_default();
    let mut html = String::with_capacity(64 * 1024);
    let _ = write!(
        html,
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport \
         content='width=device-width,initial-scale=1'><title>{0} · Patron reference</title>\
         <style>{STYLE}</style><header><a class=home href=/>Patron</a><nav aria-label=APIs>",
        escape(title)
    );
    for (name, title) in others {
        let mark = if *name == current { " aria-current=page" } else { "" };
        let _ = write!(html, "<a href='/docs/{}'{mark}>{}</a>", escape(name), escape(title));
    }
    let _ = write!(
        html,
        "</nav></header><main><h1>{}</h1><p>The description for machines: \
         <a href='/openapi/{1}.json'>/openapi/{1}.json</a></p>",
        escape(title),
        escape(current)
    );
    operations(document, &mut html);
    schemas(document, &mut html);
    html.push_str(appendix);
    html.push_str("</main></html>");
    html
}

fn operations(document: &Value, html: &mut String) {
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
    for (tag, operations) in groups {
        let _ = write!(html, "<h2>{}</h2>{operations}", escape(tag));
    }
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
    html.push_str("<h2>Types</h2>");
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
        let html = page(&document, "x", &[], "");
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
            "info": {"title": bad}, "paths": {bad: {bad: operation}},
            "components": {"schemas": {bad: schema}},
        });
        let html = page(&document, bad, &[(bad, bad)], "");
        assert!(html.contains("&lt;img src=x onerror=&#39;a(&quot;b&quot;)&#39;&gt;&amp;"));
        for raw in ["<img", "'a(", "\"b\"", "&<"] {
            assert!(!html.contains(raw), "{raw} in {html}");
        }
    }
}
