//! Seeded choices, and what was seen of a space: values by the names of their members, places of
//! things, whole objects.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Seeded random numbers (SplitMix64): the same seed makes the same choices everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % count.max(1) as u64).unwrap()
    }

    /// True so many times of a hundred.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        if of.is_empty() { None } else { Some(&of[self.below(of.len())]) }
    }
}

/// Values seen in answers, by the names of their members.
#[derive(Default)]
pub struct Pool {
    by_name: BTreeMap<String, Vec<Value>>,
    all: Vec<Value>,
    /// Paths of things that are there, by the form of the path.
    pub places: BTreeMap<String, Vec<String>>,
    /// Objects as they were answered.
    pub documents: Vec<Value>,
}

/// Values kept of each name.
const KEPT_MAX: usize = 60;
/// What ids are called in one API or another.
const IDS: [&str; 5] = ["id", "number", "uuid", "customerid", "reference"];
/// Least members of an object that is worth being sent back.
const DOCUMENT_MEMBERS_MIN: usize = 4;

/// Keeps the latest values, each once.
fn keep<T: PartialEq>(kept: &mut Vec<T>, value: T) {
    if !kept.contains(&value) {
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        kept.push(value);
    }
}

/// What an object is called by in a path: by its id where it has one.
fn ids(members: &Map<String, Value>) -> Vec<String> {
    let called = |name: &str| match members.get(name) {
        Some(Value::String(text)) => Some(encoded(text)),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let own: Vec<String> = ["id", "number"].into_iter().filter_map(called).collect();
    match own.is_empty() {
        true => ["uuid", "customerId"].into_iter().filter_map(called).collect(),
        false => own,
    }
}

/// A name as it is written in any API: `customerId` is `customer_id`.
fn plain(name: &str) -> String {
    name.replace('_', "").to_lowercase()
}

/// The form of a path: without the names of its parameters.
pub fn form(path: &str) -> String {
    let plain = |segment: &str| if segment.starts_with('{') { "{}" } else { segment }.to_owned();
    path.split('/').map(plain).collect::<Vec<_>>().join("/")
}

impl Pool {
    /// Learns every text and number of a document that is wanted.
    pub fn learn(&mut self, document: &Value, wanted: &dyn Fn(&Value) -> bool) {
        match document {
            Value::Object(members) => {
                for (name, value) in members {
                    self.learn_named(name, value, wanted);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.learn(item, wanted)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn learn_named(&mut self, name: &str, value: &Value, wanted: &dyn Fn(&Value) -> bool) {
        match value {
            Value::Object(_) => self.learn(value, wanted),
            Value::Array(items) => {
                items.iter().for_each(|item| self.learn_named(name, item, wanted));
            }
            Value::Null | Value::Bool(_) => {}
            Value::Number(_) | Value::String(_) if wanted(value) => self.add(name, value.clone()),
            Value::Number(_) | Value::String(_) => {}
        }
    }

    /// Learns where things are from what a path answered: itself, and what stands below it.
    pub fn learn_places(&mut self, path: &str, target: &str, document: &Value) {
        let here = target.split('?').next().unwrap_or_default();
        self.place(form(path), here.to_owned());
        self.learn_below(&form(path), here, document);
    }

    fn learn_below(&mut self, form: &str, here: &str, document: &Value) {
        match document {
            Value::Array(items) => items.iter().for_each(|i| self.learn_below(form, here, i)),
            Value::Object(members) => {
                if members.len() >= DOCUMENT_MEMBERS_MIN {
                    keep(&mut self.documents, document.clone());
                }
                let ids = ids(members);
                for id in &ids {
                    self.place(format!("{form}/{{}}"), format!("{here}/{id}"));
                }
                // What has an id of its own says nothing of what stands here.
                for inner in members.values().filter(|v| ids.is_empty() && !v.is_string()) {
                    self.learn_below(form, here, inner);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn place(&mut self, form: String, path: String) {
        keep(self.places.entry(form).or_default(), path);
    }

    /// Adds one value by hand.
    pub fn add(&mut self, name: &str, value: Value) {
        keep(self.by_name.entry(plain(name)).or_default(), value.clone());
        keep(&mut self.all, value);
    }

    /// A value of that name; with a look at what ids are called elsewhere; else any.
    pub fn value(&self, name: &str, random: &mut Random) -> Option<Value> {
        let named = |name: &str| self.by_name.get(&plain(name)).map(Vec::as_slice);
        let is_exact = random.percent(92);
        let id = *random.pick(&IDS)?;
        let found = named(name).filter(|_| is_exact).or_else(|| named(id).filter(|_| is_exact));
        random.pick(found.unwrap_or(&self.all)).cloned()
    }
}

/// Percent-encoding of everything that is not plain.
pub fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
