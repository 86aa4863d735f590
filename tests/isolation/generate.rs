//! Random calls made from the tables of operations: every path, parameter, header and body of every
//! API, filled with values of the caller's own space and of another one. A new operation takes part
//! without being named anywhere.

use patron_gateway::{Access, Dialect, openapi, operation::Shape};
use serde_json::{Map, Value, json};

use super::pool::{Pool, Random, encoded, form};

/// Deepest nesting of a generated body.
const DEPTH_MAX: usize = 6;

/// Whose values a call is made of.
pub struct Sources<'a> {
    /// The caller's own, of this API.
    pub own: &'a Pool,
    /// Of another space.
    pub foreign: &'a Pool,
    /// Of another space, only to be searched with: what the caller stores may be shown to it.
    pub searched: &'a [String],
    /// Times of a hundred that a value is foreign.
    pub foreign_percent: u64,
}

/// Where something is made: the caller must say, whatever the description says.
const PLACES: [&str; 3] = ["scope", "account", "primaryAccount"];
/// What no space has.
const JUNK: [&str; 6] = ["0", "-1", "undefined", "9223372036854775807", "%27%20or%201=1", "null"];

impl Sources<'_> {
    fn value(&self, name: &str, random: &mut Random) -> Value {
        let is_foreign = random.percent(self.foreign_percent);
        let pool = if is_foreign { self.foreign } else { self.own };
        match pool.value(name, random) {
            Some(value) if !random.percent(3) => value,
            _ => json!(random.pick(&JUNK).unwrap()),
        }
    }

    fn text(&self, name: &str, random: &mut Random) -> String {
        match self.value(name, random) {
            Value::String(text) => text,
            other => other.to_string(),
        }
    }
}

/// An operation as its API describes it.
pub struct Described {
    pub dialect: &'static Dialect,
    pub id: String,
    pub method: String,
    pub path: String,
    pub is_public: bool,
    /// Whether what it shows is the same for everybody, so that nothing of it is anybody's.
    pub tells_of_nobody: bool,
    /// Whether it makes a record that is a table.
    pub makes_of_table: bool,
    parameters: Vec<Value>,
    content: Map<String, Value>,
}

/// A call to be made.
#[derive(Debug, Clone)]
pub struct Call {
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Every operation of an API, with the schemas its bodies refer to.
pub fn operations(dialect: &'static Dialect) -> (Vec<Described>, Value) {
    let document = openapi::document(dialect, "test");
    let mut all = Vec::new();
    let lines = (dialect.operations)();
    let for_anybody = |id: &str| lines.iter().any(|o| o.id == id && o.access == Access::AnyKey);
    let of_table = |id: &str| {
        let line = lines.iter().find(|line| line.id == id);
        line.is_some_and(|line| matches!(line.body, Some(Shape::Table(..))))
    };
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, described) in methods.as_object().unwrap() {
            let id = described["operationId"].as_str().unwrap();
            if lines.iter().any(|o| o.id == id && o.access == Access::Own) {
                // A person's own: no key gets anywhere there.
                continue;
            }
            all.push(Described {
                dialect,
                id: described["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase(),
                path: path.clone(),
                is_public: described["security"] == json!([]),
                makes_of_table: method == "post"
                    && of_table(described["operationId"].as_str().unwrap()),
                tells_of_nobody: for_anybody(described["operationId"].as_str().unwrap()),
                parameters: described["parameters"].as_array().cloned().unwrap_or_default(),
                content: described["requestBody"]["content"]
                    .as_object()
                    .cloned()
                    .unwrap_or_default(),
            });
        }
    }
    (all, document)
}

impl Described {
    /// A random call of this operation.
    pub fn call(&self, document: &Value, sources: &Sources<'_>, random: &mut Random) -> Call {
        let mut headers = Vec::new();
        let mut query = Vec::new();
        for parameter in &self.parameters {
            let name = parameter["name"].as_str().unwrap();
            let is_wanted = parameter["required"] == true || random.percent(12);
            match parameter["in"].as_str().unwrap() {
                "query" if is_wanted => query.push(self.query(name, sources, random)),
                "header" if is_wanted && !name.eq_ignore_ascii_case("space") => {
                    headers.push((name.to_lowercase(), header(name, sources, random)));
                }
                _ => {}
            }
        }
        if random.percent(20) {
            query.extend(searches(self.dialect.name, sources, random));
        }
        let mut target = self.path(sources, random);
        for (n, pair) in query.iter().enumerate() {
            target.push(if n == 0 { '?' } else { '&' });
            target.push_str(pair);
        }
        let (media, body) = self.body(document, sources, random);
        if !body.is_empty() {
            headers.push(("content-type".into(), media));
        }
        Call { target, headers, body }
    }

    /// The path: of a thing that is there where one is known, the rest filled by name.
    fn path(&self, sources: &Sources<'_>, random: &mut Random) -> String {
        let is_foreign = random.percent(sources.foreign_percent);
        let pool = if is_foreign { sources.foreign } else { sources.own };
        let segments: Vec<&str> = self.path.split('/').collect();
        let mut path = String::new();
        let mut from = 1;
        let longest = (2..=segments.len()).rev();
        let known = |n: &usize| pool.places.get(&form(&segments[..*n].join("/")));
        let params = |n: &usize| segments[..*n].iter().any(|s| s.starts_with('{'));
        if let Some(n) = longest.filter(params).find(|n| known(n).is_some())
            && random.percent(80)
        {
            path = known(&n).and_then(|places| random.pick(places)).cloned().unwrap_or_default();
            from = n;
        }
        for segment in &segments[from..] {
            path.push('/');
            match segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
                Some(name) => match word(name, random) {
                    Some(word) => path.push_str(word),
                    None => path.push_str(&encoded(&sources.text(name, random))),
                },
                None => path.push_str(segment),
            }
        }
        path
    }

    fn query(&self, name: &str, sources: &Sources<'_>, random: &mut Random) -> String {
        let value = match name {
            // Nobody waits for an event here.
            "wait" => "0".to_owned(),
            "limit" | "page_size" | "perpage" | "limitRecord" => "50".to_owned(),
            "offset" | "page" | "page_number" | "fromRecord" => random.below(3).to_string(),
            "after" if random.percent(60) => "0".to_owned(),
            "expand" => {
                (*random.pick(&["addresses,comments", "record", "customer"]).unwrap()).into()
            }
            "deleted" | "total" => "true".into(),
            "order" | "order_by" | "sort" | "sortBy" if random.percent(70) => {
                let words =
                    ["ASC", "DESC", "-created_at", "given_name", "asc(lastname)", "id:DESC"];
                (*random.pick(&words).unwrap()).into()
            }
            "q" | "search" | "query" if random.percent(70) => {
                let found = searches(self.dialect.name, sources, random);
                return found.unwrap_or_else(|| format!("{name}=x"));
            }
            _ if random.percent(20) => random.pick(sources.searched).cloned().unwrap_or_default(),
            _ => sources.text(name, random),
        };
        format!("{}={}", encoded(name), encoded(&value))
    }

    fn body(
        &self,
        document: &Value,
        sources: &Sources<'_>,
        random: &mut Random,
    ) -> (String, Vec<u8>) {
        let media: Vec<&String> = self.content.keys().collect();
        let Some(media) = random.pick(&media) else { return (String::new(), Vec::new()) };
        let schema = &self.content[media.as_str()]["schema"];
        let value = match random.pick(&sources.own.documents) {
            Some(known) if random.percent(50) && !self.is_public => {
                sent_back(known, &members(document, schema), sources, random)
            }
            _ => Schema { document, sources }.value("", schema, random, 0),
        };
        match media.as_str() {
            "multipart/form-data" => multipart(sources, random),
            "application/x-www-form-urlencoded" => {
                let members = value.as_object().cloned().unwrap_or_default();
                let pairs = members.iter().filter(|(_, value)| !value.is_object()).map(|(n, v)| {
                    let text = v.as_str().map_or_else(|| v.to_string(), str::to_owned);
                    format!("{}={}", encoded(n), encoded(&text))
                });
                ((*media).clone(), pairs.collect::<Vec<_>>().join("&").into_bytes())
            }
            "application/json-patch+json" => {
                let operations = ["add", "test", "copy"].map(|op| {
                    let value = sources.value("reference", random);
                    json!({"op": op, "path": "/description", "from": "/email", "value": value})
                });
                ((*media).clone(), json!(operations).to_string().into_bytes())
            }
            _ => ((*media).clone(), value.to_string().into_bytes()),
        }
    }
}

/// Names of the members that a schema takes.
fn members(document: &Value, schema: &Value) -> Vec<String> {
    match schema["$ref"].as_str() {
        Some(place) => match document.pointer(place.trim_start_matches('#')) {
            Some(found) => members(document, found),
            None => Vec::new(),
        },
        None => schema["properties"].as_object().into_iter().flat_map(Map::keys).cloned().collect(),
    }
}

/// A document as it was answered, some of its members left out, some changed.
fn sent_back(known: &Value, taken: &[String], sources: &Sources<'_>, random: &mut Random) -> Value {
    let mut document = known.clone();
    let Some(members) = document.as_object_mut() else { return document };
    let is_all = random.percent(40);
    members.retain(|name, _| taken.contains(name) && (is_all || random.percent(60)));
    for (name, value) in members.iter_mut() {
        if (value.is_string() || value.is_number()) && random.percent(5) {
            *value = sources.value(name, random);
        }
    }
    document
}

/// Path parameters that are words, not values of a space.
fn word(name: &str, random: &mut Random) -> Option<&'static str> {
    let words: &[&str] = match name {
        "format" => &["csv", "xlsx"],
        "mode" => &["ytd", "mtd"],
        "freq" => &["d", "w", "m"],
        "code" => &["CM", "XAF", "CH"],
        _ => return None,
    };
    random.pick(words).copied()
}

fn header(name: &str, sources: &Sources<'_>, random: &mut Random) -> String {
    match name.to_lowercase().as_str() {
        "prefer" => "dry-run".into(),
        "if-match" | "if-none-match" => {
            if random.percent(50) {
                return "*".into();
            }
            format!("\"{}\"", sources.text("version", random))
        }
        "idempotency-key" | "idempotencykey" => sources.text("idempotency-key", random),
        name => sources.text(name, random),
    }
}

/// A search in the grammar of each API; any other way to ask is tried everywhere.
fn searches(api: &str, sources: &Sources<'_>, random: &mut Random) -> Option<String> {
    let forms: &[&str] = match api {
        "native" => &[
            "q={}",
            "email={}",
            "email[prefix]={}",
            "reference[contains]={}",
            "metadata[tier]={}",
            "given_name[gte]={}",
            "billing.city={}",
            "number[gte]={}",
            "number[lte]={}",
        ],
        "wallee" => &["query=emailAddress%3A~{}", "query=id%3A{}", "query=givenName%3A%3E{}"],
        "verifone" => &[
            "search=email_address=={}",
            "search=created_at=ge=2020-01-01",
            "search=id=={}",
            "search=billing.first_name=regex=.*{}.*",
        ],
        "payabli" => &["email(ct)={}", "customerId(eq)={}", "firstname(ct)={}", "customerId(gt)=1"],
        _ => &["search={}", "merchant_customer_id={}"],
    };
    let form = random.pick(forms)?;
    let words = random.pick(sources.searched).cloned();
    let value = match words {
        Some(words) if random.percent(60) => words,
        _ => sources.text("id", random),
    };
    Some(form.replace("{}", &encoded(&value)))
}

fn multipart(sources: &Sources<'_>, random: &mut Random) -> (String, Vec<u8>) {
    let reference = sources.text("reference", random).replace(['"', ',', '\n'], "");
    let body = format!(
        "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\
         Content-Type: text/csv\r\n\r\ncustomerNumber,firstname,lastname\r\n{reference},Imp,Ort\r\n\
         \r\n--edge--\r\n"
    );
    ("multipart/form-data; boundary=edge".into(), body.into_bytes())
}

/// What random words never are, and calls would all be refused without.
fn fitting(name: &str) -> Option<Value> {
    Some(match name {
        // With a small one the rest of the calls would be refused.
        "request_limit" | "requestLimit" => json!(1_000_000),
        "url" | "target" => json!("http://127.0.0.1:1024/hook"),
        "events" => json!(["customer.created"]),
        "entity" => json!(1_700_000_000_001_i64),
        _ => return None,
    })
}

/// Makes values that fit a schema.
struct Schema<'a> {
    document: &'a Value,
    sources: &'a Sources<'a>,
}

impl Schema<'_> {
    fn value(&self, name: &str, schema: &Value, random: &mut Random, depth: usize) -> Value {
        if depth > DEPTH_MAX {
            return Value::Null;
        }
        if let Some(value) = fitting(name) {
            return value;
        }
        if let Some(place) = schema["$ref"].as_str() {
            let found = self.document.pointer(place.trim_start_matches('#'));
            return self.value(name, found.unwrap_or(&Value::Null), random, depth + 1);
        }
        for choice in ["anyOf", "oneOf", "allOf"] {
            if let Some(choices) = schema[choice].as_array() {
                let real: Vec<&Value> = choices.iter().filter(|c| c["type"] != "null").collect();
                let chosen = random.pick(&real).copied().unwrap_or(&Value::Null);
                return self.value(name, chosen, random, depth + 1);
            }
        }
        if let Some(words) = schema["enum"].as_array() {
            return random.pick(words).cloned().unwrap_or_default();
        }
        if let Some(word) = schema.get("const") {
            return word.clone();
        }
        let kinds: Vec<&str> = match &schema["type"] {
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            kind => kind.as_str().into_iter().collect(),
        };
        let real: Vec<&str> = kinds.into_iter().filter(|kind| *kind != "null").collect();
        match random.pick(&real).copied() {
            Some("object") => self.object(schema, random, depth),
            Some("array") => {
                let count = 1 + random.below(2);
                let items =
                    (0..count).map(|_| self.value(name, &schema["items"], random, depth + 1));
                items.collect()
            }
            Some("boolean") => json!(random.percent(50)),
            Some("integer" | "number") => match self.sources.value(name, random) {
                Value::String(text) => json!(text.parse::<i64>().unwrap_or(1)),
                number => number,
            },
            Some("string") => json!(self.sources.text(name, random)),
            _ => self.sources.value(name, random),
        }
    }

    fn object(&self, schema: &Value, random: &mut Random, depth: usize) -> Value {
        let mut object = Map::new();
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        // Few members at a time: a record with one fault of many is refused as a whole.
        let part = *random.pick(&[10, 40, 100]).unwrap();
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            let is_required = required.iter().any(|known| known == name.as_str())
                || PLACES.contains(&name.as_str());
            if is_required || random.percent(part) {
                object.insert(name.clone(), self.value(name, inner, random, depth + 1));
            }
        }
        Value::Object(object)
    }
}
