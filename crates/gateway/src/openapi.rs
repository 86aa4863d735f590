//! OpenAPI 3.1 from the operation lines and the wire types' schemas. Bodies are described as they
//! are read, answers as they are written: a member that is left out when empty is only optional
//! there.

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::{
    dialect::{Dialect, Example},
    operation::{Access, Operation},
};

/// The description of one dialect.
pub fn document(dialect: &Dialect, version: &str) -> Value {
    let mut types = Types::new();
    let mut paths: Map<String, Value> = Map::new();
    let examples = (dialect.credentials.examples)(&Value::Null);
    for operation in (dialect.operations)().into_iter().filter(|operation| operation.is_served) {
        let item = paths.entry(operation.path.to_owned()).or_insert_with(|| json!({}));
        let mut described = describe(dialect, &operation, &mut types);
        if let Some(body) = example(&operation, &examples) {
            for content in described["requestBody"]["content"].as_object_mut().into_iter().flatten()
            {
                content.1["example"] = body.clone();
            }
        }
        item[operation.method.as_str().to_ascii_lowercase()] = described;
    }
    let security = (dialect.security)();
    let schemes: Vec<&String> =
        security.as_object().map(|s| s.keys().collect()).unwrap_or_default();
    let any_scheme: Vec<Value> = schemes.iter().map(|name| json!({ name.as_str(): [] })).collect();
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {"title": dialect.title, "description": dialect.about, "version": version},
        "servers": [{"url": "/"}],
        "security": any_scheme,
        "paths": paths,
        "components": {"schemas": types.schemas(), "securitySchemes": security},
    });
    plain(&mut document["paths"]);
    plain(&mut document["components"]["schemas"]);
    document
}

/// The body of the call that shows an operation at work, where there is one.
fn example(operation: &Operation, examples: &[Example]) -> Option<Value> {
    let is_of = |example: &&Example| {
        let path = example.target.split('?').next().unwrap_or_default();
        example.method == operation.method.as_str() && matches(operation.path, path)
    };
    let body = examples.iter().find(is_of)?.body.as_deref()?;
    let mut body: Value = serde_json::from_str(body).ok()?;
    for (name, member) in body.as_object_mut().into_iter().flatten() {
        // What stands in the credentials of whoever calls.
        if member.is_null() {
            *member = format!("your {name}").into();
        }
    }
    Some(body)
}

/// Whether a path is one of a template's.
fn matches(template: &str, path: &str) -> bool {
    let (mut template, mut path) = (template.split('/'), path.split('/'));
    loop {
        match (template.next(), path.next()) {
            (None, None) => return true,
            (Some(name), Some(_)) if name.starts_with('{') => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

/// Writes schemas in the words that every generator of clients knows: `{}` where the standard also
/// allows `true`, and lists that say of what they are.
fn plain(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if members.get("type").is_some_and(|kind| kind == "array") {
                members.entry("items").or_insert_with(|| json!({}));
            }
            for (name, member) in members.iter_mut() {
                match (name.as_str(), member) {
                    ("items", member @ Value::Bool(true)) => *member = json!({}),
                    ("properties", Value::Object(properties)) => {
                        for (_, property) in properties.iter_mut() {
                            if *property == Value::Bool(true) {
                                *property = json!({});
                            }
                            plain(property);
                        }
                    }
                    (_, member) => plain(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(plain),
        _ => {}
    }
}

/// The wire types that were named, by direction.
struct Types {
    read: SchemaGenerator,
    written: SchemaGenerator,
}

impl Types {
    fn new() -> Types {
        let mut settings = SchemaSettings::draft2020_12();
        settings.definitions_path = "/components/schemas".into();
        let written = settings.clone().for_serialize().into_generator();
        Types { read: settings.into_generator(), written }
    }

    /// All of them by name. A type that goes both ways is shown as it is read, which demands less.
    fn schemas(&mut self) -> Map<String, Value> {
        let mut schemas = self.written.take_definitions(true);
        schemas.extend(self.read.take_definitions(true));
        schemas
    }
}

fn describe(dialect: &Dialect, operation: &Operation, types: &mut Types) -> Value {
    let mut parameters: Vec<Value> = path_parameters(operation.path);
    parameters.extend(operation.parameters.iter().map(|p| {
        json!({
            "name": p.name, "in": p.place, "required": p.required, "description": p.about,
            "schema": kind(p.kind),
        })
    }));
    let mut replies = Map::new();
    for (status, schema) in &operation.replies {
        let mut reply = json!({"description": reason(*status)});
        if let Some(schema) = schema {
            let schema = schema.describe(&mut types.written).to_value();
            let media = operation.reply_media.iter();
            let content = media.map(|media| ((*media).to_owned(), json!({"schema": schema})));
            reply["content"] = content.collect::<Map<_, _>>().into();
        }
        replies.insert(status.to_string(), reply);
    }
    let failure = operation.failure.unwrap_or(dialect.error_schema);
    let mut content = Map::new();
    content.insert(
        dialect.error_media.to_owned(),
        json!({"schema": failure(&mut types.written).to_value()}),
    );
    replies.insert("default".into(), json!({"description": "A failure.", "content": content}));
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.title,
        "parameters": parameters,
        "responses": replies,
    });
    if !operation.tag.is_empty() {
        described["tags"] = json!([operation.tag]);
    }
    if operation.access == Access::Public {
        described["security"] = json!([]);
    }
    if let Some(body) = operation.body {
        let schema = body.describe(&mut types.read).to_value();
        let mut content: Map<String, Value> = operation
            .media
            .iter()
            .map(|media| ((*media).to_owned(), json!({"schema": schema})))
            .collect();
        for (media, shape) in &operation.other_bodies {
            let schema = shape.describe(&mut types.read).to_value();
            content.insert((*media).to_owned(), json!({"schema": schema}));
        }
        described["requestBody"] = json!({"required": true, "content": content});
    }
    described
}

fn kind(name: &str) -> Value {
    match name {
        "date-time" => json!({"type": "string", "format": "date-time"}),
        name => json!({"type": name}),
    }
}

fn path_parameters(path: &str) -> Vec<Value> {
    path.split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}})
        })
        .collect()
}

fn reason(status: u16) -> &'static str {
    http::StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason()).unwrap_or("Answer")
}
