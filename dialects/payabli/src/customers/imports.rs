//! `POST /Import/customersForm/{entry}` (dossier §4.9): customers from a CSV file, row by row, each
//! as if it had been added by itself. The header names the members of the customer body; custom
//! fields stand under `additional-xxx`.

use std::collections::BTreeMap;
use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use patron_gateway::{
    Exchange, Faults, Fields, Member, Reading, Reply, Request, cards, spreadsheet,
};
use patron_model::{Failure, Problems, Why, card};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    customers::{Adding, Outcome, read::CustomerBody, submit},
    envelopes::{self, Verdict},
    errors,
    query::Parameters,
};

/// Most rows of a file.
const ROWS_MAX: usize = 10_000;
/// Most rows with a password: each is hashed, which is slow on purpose.
const PASSWORDS_MAX: usize = 200;
/// Most faults that are told.
const ERRORS_MAX: usize = 1_000;
/// Prefix of the columns of custom fields.
const CUSTOM: &str = "additional-";
/// Columns and whether they hold texts, whole numbers, decimals or lists.
const COLUMNS: [(&str, Kind); 26] = [
    ("customerNumber", Kind::Text),
    ("customerUsername", Kind::Text),
    ("customerPsw", Kind::Text),
    ("customerStatus", Kind::Number),
    ("company", Kind::Text),
    ("firstname", Kind::Text),
    ("lastname", Kind::Text),
    ("phone", Kind::Text),
    ("email", Kind::Text),
    ("address", Kind::Text),
    ("address1", Kind::Text),
    ("city", Kind::Text),
    ("state", Kind::Text),
    ("zip", Kind::Text),
    ("country", Kind::Text),
    ("shippingAddress", Kind::Text),
    ("shippingAddress1", Kind::Text),
    ("shippingCity", Kind::Text),
    ("shippingState", Kind::Text),
    ("shippingZip", Kind::Text),
    ("shippingCountry", Kind::Text),
    ("balance", Kind::Number),
    ("timeZone", Kind::Number),
    ("identifierFields", Kind::List),
    ("additionalFields", Kind::Pairs),
    ("createdAt", Kind::Text),
];

/// The form, for the description.
#[derive(Deserialize, JsonSchema)]
pub struct Form {
    /// The CSV file.
    #[expect(dead_code, reason = "for the description only")]
    file: String,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    List,
    Pairs,
}

/// Where the cells of a column go.
enum Column {
    Member(&'static str, Kind),
    Custom(String),
}

/// Imports customers.
///
/// # Errors
/// `Malformed` when there is no file, it is no CSV, or a column is not known: nothing is imported.
pub async fn customers(request: Request) -> Result<Reply, Failure> {
    let query = Parameters::of(&request);
    let replacing = query.flag("replaceExisting")?;
    let adding = Adding { forced: false, replacing, among_many: true };
    let file = file(&request).await?;
    let (columns, rows) = parse(&file)?;
    let mut verdict = Verdict::default();
    let mut passwords = 0;
    for (at, row) in rows.iter().enumerate() {
        // The header is row 1.
        let place = at + 2;
        match add(&request, &columns, row, adding, &mut passwords).await {
            Ok(()) => verdict.added += 1,
            Err(failure) => {
                verdict.rejected += 1;
                let reason = reason(failure)?;
                if verdict.errors.len() < ERRORS_MAX {
                    verdict.errors.push(format!("row {place}: {reason}"));
                }
            }
        }
    }
    envelopes::imported(verdict)
}

async fn add(
    request: &Request,
    columns: &[Column],
    row: &csv::StringRecord,
    adding: Adding,
    passwords: &mut usize,
) -> Result<(), Failure> {
    let (body, mut fields) = body(columns, row)?;
    if !matches!(body.customer_psw, Member::Absent) {
        *passwords += 1;
        if *passwords > PASSWORDS_MAX {
            fields.refuse("customerPsw", Why::TooMany { max: PASSWORDS_MAX });
        }
    }
    match submit(&request.cx, &body, fields, adding).await? {
        Outcome::Created(_) | Outcome::Replaced(_) => Ok(()),
        Outcome::Kept(_) => Err(Failure::invalid("customer", Why::Taken)),
    }
}

/// Why a row was rejected. A fault of the server is none of the row's: it ends the import.
fn reason(failure: Failure) -> Result<String, Failure> {
    match &failure {
        Failure::Internal(_) | Failure::Unavailable { .. } | Failure::TimedOut => Err(failure),
        _ => Ok(errors::text(&failure)),
    }
}

/// The part `file` of a multipart form.
async fn file(exchange: &Exchange) -> Result<Bytes, Failure> {
    let media = exchange.text_header("content-type")?.unwrap_or_default();
    let boundary = multer::parse_boundary(media)
        .map_err(|_| Failure::UnsupportedMediaType { supported: "multipart/form-data" })?;
    let broken =
        |_| Failure::malformed("file", Why::Malformed { expected: "a complete multipart form" });
    let body = exchange.body.clone();
    let source = stream::once(async move { Ok::<Bytes, Infallible>(body) });
    let mut form = multer::Multipart::new(source, boundary);
    while let Some(part) = form.next_field().await.map_err(broken)? {
        if part.name() == Some("file") {
            return part.bytes().await.map_err(broken);
        }
    }
    Err(Failure::malformed("file", Why::Required))
}

fn parse(file: &[u8]) -> Result<(Vec<Column>, Vec<csv::StringRecord>), Failure> {
    let broken = |_| Failure::malformed("file", Why::Malformed { expected: "a CSV file in UTF-8" });
    let text = file.strip_prefix("\u{feff}".as_bytes()).unwrap_or(file);
    let mut reader = csv::ReaderBuilder::new().from_reader(text);
    let mut columns = Vec::new();
    let mut problems = Problems::new();
    for (at, name) in reader.headers().map_err(broken)?.iter().enumerate() {
        match column(name.trim()) {
            Ok(column) => columns.push(column),
            Err(why) => problems.add(format!("file.column {}", at + 1), why),
        }
    }
    problems.into_result().map_err(Failure::Malformed)?;
    let mut rows = Vec::new();
    for row in reader.records() {
        if rows.len() == ROWS_MAX {
            return Err(Failure::malformed("file", Why::TooMany { max: ROWS_MAX }));
        }
        rows.push(row.map_err(broken)?);
    }
    Ok((columns, rows))
}

fn column(name: &str) -> Result<Column, Why> {
    let known = COLUMNS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    if let Some((name, kind)) = known {
        return Ok(Column::Member(name, *kind));
    }
    let head = name.get(..CUSTOM.len()).unwrap_or_default();
    if !head.eq_ignore_ascii_case(CUSTOM) || name.len() == CUSTOM.len() {
        return Err(Why::UnknownField);
    }
    let key = &name[CUSTOM.len()..];
    check_key(key)?;
    Ok(Column::Custom(key.to_owned()))
}

fn check_key(key: &str) -> Result<(), Why> {
    if card::is_security_code_name(key) {
        Err(Why::SecurityCode)
    } else if card::contains_number(key) {
        Err(Why::CardNumber)
    } else {
        Ok(())
    }
}

/// One row as a customer body. An empty cell says nothing. The gateway does not look into forms
/// with files, so card numbers are refused here.
fn body(columns: &[Column], row: &csv::StringRecord) -> Result<(CustomerBody, Fields), Failure> {
    let mut members: Map<String, Value> = Map::new();
    let mut custom: BTreeMap<String, Value> = BTreeMap::new();
    let mut faults = Faults::default();
    for (column, cell) in columns.iter().zip(row.iter()).filter(|(_, cell)| !cell.is_empty()) {
        let name = match column {
            Column::Member(name, _) => *name,
            Column::Custom(_) => "additionalFields",
        };
        if card::contains_number(cell) {
            faults.refuse(name, Why::CardNumber);
            continue;
        }
        match column {
            Column::Custom(key) => {
                custom.insert(key.clone(), spreadsheet::text(cell).as_ref().into());
            }
            Column::Member(name, kind) => match value(*kind, cell) {
                Ok(Value::Object(pairs)) => custom.extend(pairs),
                Ok(value) => {
                    members.insert((*name).to_owned(), value);
                }
                Err(why) => faults.refuse(*name, why),
            },
        }
    }
    if !custom.is_empty() {
        members.insert("additionalFields".into(), Value::Object(custom.into_iter().collect()));
    }
    let members = serde_json::to_vec(&members).map_err(Failure::internal)?;
    Fields::read_on(&members, Reading::NullClears, faults)
}

fn value(kind: Kind, cell: &str) -> Result<Value, Why> {
    match kind {
        Kind::Text => Ok(spreadsheet::text(cell).as_ref().into()),
        Kind::Number => match serde_json::from_str(cell.trim()) {
            Ok(number @ Value::Number(_)) => Ok(number),
            _ => Err(Why::WrongType { expected: "a number" }),
        },
        Kind::List => {
            let cell = spreadsheet::text(cell);
            let names = cell.split([',', '|']).map(str::trim).filter(|name| !name.is_empty());
            Ok(Value::Array(names.map(Value::from).collect()))
        }
        Kind::Pairs => match serde_json::from_str(cell) {
            Ok(Value::Object(pairs)) => {
                // Searched once it is decoded: an escape can stand for a digit.
                let pairs = Value::Object(pairs);
                match cards::found_in(&pairs).into_iter().next() {
                    Some(problem) => Err(problem.why),
                    None => Ok(pairs),
                }
            }
            _ => Err(Why::WrongType { expected: "a JSON object" }),
        },
    }
}
