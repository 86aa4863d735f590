//! A customer as every API shows it, read by the operations that answer requests, and compared with
//! the record: the same, written differently, cut, only there, or kept and not shown.

use askama::Template;
use patron_gateway::{Dialect, Reply};
use patron_model::{Failure, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use super::{list::called, timeline::labelled};
use crate::{
    frame::Frame,
    page::{self, Page, Seen},
    wire::Wire,
};

/// What is derived from other fields of the record.
const DERIVED: [&str; 4] = ["addresses", "phone_e164", "email_warnings", "comments"];
/// A name in any form is the name.
const NAMES: [&str; 3] = ["given_name", "family_name", "full_name"];
/// Either says which customer it is.
const IDS: [&str; 2] = ["id", "number"];
/// Two moments are the same where they differ by less: some APIs write whole seconds.
const SAME_MICROS: i64 = 1_000_000;

/// How a line of an answer stands to the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// A bracket, or the record itself.
    None,
    Same,
    Form,
    Cut,
    Own,
}

impl Mark {
    /// Its class and the word of its sentence.
    fn word(self) -> &'static str {
        match self {
            Mark::None => "",
            Mark::Same => "same",
            Mark::Form => "form",
            Mark::Cut => "cut",
            Mark::Own => "own",
        }
    }
}

struct Line {
    depth: usize,
    mark: Mark,
    key: String,
    value: String,
    is_text: bool,
    tail: &'static str,
}

struct Panel {
    id: usize,
    title: &'static str,
    target: String,
    status: u16,
    is_record: bool,
    lines: Vec<Line>,
    lost: Vec<String>,
    programs: [(&'static str, String); 3],
}

impl Panel {
    fn count(&self, mark: Mark) -> usize {
        self.lines.iter().filter(|line| line.mark == mark).count()
    }

    /// Marks with how many lines have them, where any has.
    fn sums(&self) -> Vec<(&'static str, &'static str, usize)> {
        let all = [(Mark::Same, "="), (Mark::Form, "≈"), (Mark::Cut, "…"), (Mark::Own, "+")];
        let all = all.map(|(mark, sign)| (mark.word(), sign, self.count(mark)));
        all.into_iter().filter(|(_, _, count)| *count > 0).collect()
    }
}

#[derive(Template)]
#[template(path = "customers/seen.html")]
struct SeenPage {
    f: Frame,
    number: i64,
    base: String,
    name: String,
    panels: Vec<Panel>,
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The values of one of our fields; of a field of addresses, those of all of them.
fn values(record: &Value, field: &str, below: &str) -> Vec<String> {
    match field.split_once('.') {
        Some((_, member)) => {
            let all = record["addresses"].as_array().into_iter().flatten();
            all.filter_map(|address| address.get(member)).map(word).collect()
        }
        None => record.pointer(&format!("/{field}{below}")).map(word).into_iter().collect(),
    }
}

/// How a value stands to those that the record has for its field.
fn mark(shown: &str, own: &[String]) -> Mark {
    let micros = |text: &str| Timestamp::parse(text).ok().map(|moment| moment.micros());
    let is_same = |own: &String| {
        own == shown
            || micros(own)
                .zip(micros(shown))
                .is_some_and(|(one, other)| one.abs_diff(other) < SAME_MICROS.unsigned_abs())
    };
    match own {
        own if own.iter().any(is_same) => Mark::Same,
        own if !shown.is_empty() && own.iter().any(|own| own.starts_with(shown)) => Mark::Cut,
        [] => Mark::Own,
        _ => Mark::Form,
    }
}

/// Writes the lines of an answer.
struct Writer<'a> {
    record: &'a Value,
    dialect: &'static Dialect,
    is_compared: bool,
    lines: Vec<Line>,
}

impl Writer<'_> {
    fn mark(&self, pointer: &str, value: &Value) -> Mark {
        let shape = &self.dialect.customer;
        if !self.is_compared {
            return Mark::None;
        }
        let place = pointer.strip_prefix(shape.root).unwrap_or_default();
        let found = shape.fields.iter().find_map(|(field, at)| {
            let below = place.strip_prefix(at)?;
            (below.is_empty() || below.starts_with('/')).then_some((*field, below))
        });
        let Some((field, below)) = found else { return Mark::Own };
        match value.is_null() {
            // Nothing is there, and nothing is shown.
            true if values(self.record, field, below).is_empty() => Mark::Same,
            true => Mark::Form,
            false => mark(&word(value), &values(self.record, field, below)),
        }
    }

    fn line(&mut self, depth: usize, mark: Mark, (key, value): (&str, &str), is_text: bool) {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.lines.push(Line { depth, mark, key, value, is_text, tail: "" });
    }

    fn write(&mut self, depth: usize, pointer: &str, key: &str, wire: &Wire) {
        match wire {
            Wire::Leaf(leaf) => {
                let mark = self.mark(pointer, leaf);
                self.line(depth, mark, (key, &leaf.to_string()), leaf.is_string());
            }
            Wire::Members(members) => {
                self.line(depth, Mark::None, (key, "{"), false);
                for (at, (name, member)) in members.iter().enumerate() {
                    self.write(depth + 1, &format!("{pointer}/{name}"), name, member);
                    self.comma(at + 1 < members.len());
                }
                self.line(depth, Mark::None, ("", "}"), false);
            }
            Wire::All(all) => {
                self.line(depth, Mark::None, (key, "["), false);
                for (at, one) in all.iter().enumerate() {
                    self.write(depth + 1, &format!("{pointer}/{at}"), "", one);
                    self.comma(at + 1 < all.len());
                }
                self.line(depth, Mark::None, ("", "]"), false);
            }
        }
    }

    fn comma(&mut self, is_wanted: bool) {
        if let Some(line) = self.lines.last_mut().filter(|_| is_wanted) {
            line.tail = ",";
        }
    }
}

/// What the record has and the API does not show.
fn lost(f: &Frame, record: &Value, dialect: &Dialect) -> Vec<String> {
    let shape = &dialect.customer;
    let shows_one_of = |group: &[&str]| group.iter().any(|field| shape.pointer(field).is_some());
    let is_lost = |field: &&String| {
        let field = field.as_str();
        let group = [&NAMES[..], &IDS[..]].into_iter().find(|group| group.contains(&field));
        let is_empty = record[field].as_object().is_some_and(serde_json::Map::is_empty);
        !DERIVED.contains(&field) && !is_empty && !shows_one_of(group.unwrap_or(&[field]))
    };
    let fields = record.as_object().into_iter().flatten().map(|(name, _)| name);
    let mut all: Vec<String> = fields.filter(is_lost).map(|field| labelled(f, field)).collect();
    let has_addresses = record["addresses"].as_array().is_some_and(|all| !all.is_empty());
    if has_addresses && !shape.fields.iter().any(|(field, _)| field.contains('.')) {
        all.push(labelled(f, "addresses"));
    }
    all
}

fn panel(f: &Frame, base_url: &str, own: &str, record: &Value, (id, seen): (usize, Seen)) -> Panel {
    let Seen { dialect, target, reply } = seen;
    let body: Wire = serde_json::from_slice(&reply.body).unwrap_or(Wire::Leaf(Value::Null));
    let is_record = dialect.name == own;
    // A refusal is shown as it is.
    let is_compared = !is_record && reply.status.is_success();
    let mut writer = Writer { record, dialect, is_compared, lines: Vec::new() };
    writer.write(0, "", "", &body);
    Panel {
        id,
        title: dialect.title,
        status: reply.status.as_u16(),
        is_record,
        lines: writer.lines,
        lost: if is_record { Vec::new() } else { lost(f, record, dialect) },
        programs: dialect.credentials.sign_in.programs(base_url, Some(&target), None),
        target,
    }
}

/// The page.
pub async fn seen(page: Page) -> Result<Reply, Failure> {
    let id = page.request.param("id");
    let call = page.call("get_customer").at("id", id).query("expand", "addresses");
    let record: Value = call.ask().await?.read()?;
    let number = record["number"].as_i64().unwrap_or_default();
    let uuid: Uuid = word(&record["id"]).parse().map_err(Failure::internal)?;
    let mut f = page.frame("seen-by");
    f.title = f.say("seen-title", "number", &number.to_string());
    let mut all = page.seen_by_all(number, uuid).await;
    // The record itself comes first.
    let own = page.own();
    all.sort_by_key(|seen| seen.dialect.name != own);
    let base_url = page.request.site.base_url.clone();
    let panels = all.into_iter().enumerate();
    let panels = panels.map(|one| panel(&f, &base_url, own, &record, one)).collect();
    let base = format!("{}/customers/{number}", page.space());
    page::html(200, &SeenPage { name: called(&record), number, base, panels, f })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_the_same_or_it_is_said_how_it_is_not() {
        let own = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>();
        for (shown, values, expected) in [
            ("Anna", &["Anna"][..], Mark::Same),
            ("Zug", &["Bern", "Zug"], Mark::Same),
            ("2026-11-21T14:44:58Z", &["2026-11-21T14:44:58.000001Z"], Mark::Same),
            ("2026-11-21T14:44:58Z", &["2026-11-21T14:45:58Z"], Mark::Form),
            ("Ann", &["Anna"], Mark::Cut),
            ("+41446681800", &["044 668 18 00"], Mark::Form),
            ("", &["Anna"], Mark::Form),
            ("1", &[], Mark::Own),
        ] {
            assert_eq!(mark(shown, &own(values)), expected, "{shown} of {values:?}");
        }
    }
}
