//! What a customer was: two states beside each other, and back to one of them.

use std::collections::BTreeSet;

use patron_app::{
    Loaded,
    customers::{self, Moment},
};
use patron_gateway::{Faults, Fields, Member, Reading, Reply, Request, decode::Params};
use patron_model::{
    Failure, Timestamp, Why,
    customer::{Customer, REVERTIBLE},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    handlers::{id, saved},
    read::{self, PatchOperation},
    show::{AddressOut, CustomerOut},
};
use crate::conditions;

/// Members that count changes and are none.
const COUNTERS: [&str; 2] = ["version", "updated_at"];

/// The state that `as_of` or `version` asks for.
pub(super) fn asked(params: &Params, faults: &mut Faults) -> Option<Moment> {
    let (as_of, version) = (params.get("as_of"), params.get("version"));
    if as_of.is_some() && version.is_some() {
        faults.misread("as_of", Why::Mismatch { with: "nothing when version is given" });
    }
    let number =
        |text: &str| text.parse::<i64>().map_err(|_| Why::WrongType { expected: "a whole number" });
    let version = version.and_then(|text| faults.understood("version", number(text)));
    let at = as_of.and_then(|text| faults.understood("as_of", Timestamp::parse(text)));
    at.map(Moment::At).or(version.map(Moment::Version))
}

fn moment(text: &str) -> Result<Moment, Why> {
    if text == "now" {
        return Ok(Moment::Now);
    }
    let version = text.parse().map(Moment::Version);
    version
        .or_else(|_| Timestamp::parse(text).map(Moment::At))
        .map_err(|_| Why::Malformed { expected: "a version, a moment (RFC 3339) or \"now\"" })
}

/// How two states of a customer differ.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CustomerDiff")]
pub struct DiffOut {
    /// The state that is compared.
    from: StateOut,
    /// The state it is compared with.
    to: StateOut,
    /// What differs, field by field.
    changes: Vec<DifferenceOut>,
    /// JSON Patch (RFC 6902) that makes the one of the other, addresses included.
    #[schemars(with = "Vec<PatchOperation>")]
    patch: json_patch::Patch,
}

/// A state of a customer.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CustomerState")]
pub struct StateOut {
    /// Version.
    version: i64,
    /// Entity tag, addresses included.
    etag: String,
    /// When one of the own fields was last changed then.
    #[schemars(extend("format" = "date-time"))]
    updated_at: String,
}

/// A field that differs.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "CustomerDifference")]
pub struct DifferenceOut {
    /// Its name; members of others with a dot before them, addresses with their number.
    field: String,
    /// The value here; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Value>,
    /// The value there.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Value>,
}

/// A state as it is shown, with its addresses.
fn shown(customer: &Loaded<Customer>, now: Timestamp) -> Result<Value, Failure> {
    let mut out = CustomerOut::of(customer, now);
    out.addresses = Some(customer.addresses().into_iter().map(AddressOut::of).collect());
    serde_json::to_value(out).map_err(Failure::internal)
}

fn state(customer: &Loaded<Customer>) -> StateOut {
    StateOut {
        version: customer.version,
        etag: conditions::tag_with_revision(customer.version, customer.revision),
        updated_at: customer.updated_at.rfc3339_micros(),
    }
}

/// Notes what differs below a field.
fn compare(field: &str, from: Option<&Value>, to: Option<&Value>, found: &mut Vec<DifferenceOut>) {
    let below = |name: &str| match field {
        "" => name.to_owned(),
        field => format!("{field}.{name}"),
    };
    match (from, to) {
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            let counted = field.is_empty() || field.starts_with("addresses.");
            let names = names.into_iter().filter(|n| !counted || !COUNTERS.contains(&n.as_str()));
            for name in names {
                compare(&below(name), one.get(name), other.get(name), found);
            }
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) if field == "addresses" => {
            let number = |address: &Value| address["number"].as_i64();
            let with = |all: &[Value], number: Option<i64>| -> Option<Value> {
                all.iter().find(|address| address["number"].as_i64() == number).cloned()
            };
            let numbers: BTreeSet<Option<i64>> = one.iter().chain(other).map(number).collect();
            for number in numbers {
                let name = below(&number.unwrap_or_default().to_string());
                let (from, to) = (with(one, number), with(other, number));
                compare(&name, from.as_ref(), to.as_ref(), found);
            }
        }
        (from, to) if from == to => {}
        (from, to) => {
            let (from, to) = (from.cloned(), to.cloned());
            found.push(DifferenceOut { field: field.to_owned(), from, to });
        }
    }
}

/// How a customer differs from what it was.
pub async fn diff(request: Request) -> Result<Reply, Failure> {
    let (params, mut faults) = (request.query(), request.query_faults());
    let from = match params.get("from") {
        Some(text) => faults.understood("from", moment(text)),
        None => {
            faults.misread("from", Why::Required);
            None
        }
    };
    let to = faults.understood("to", params.get("to").map_or(Ok(Moment::Now), moment));
    faults.finish()?;
    let (cx, id) = (&request.cx, id(&request)?);
    let from = customers::state(cx, id, from.unwrap_or(Moment::Now)).await?;
    let to = customers::state(cx, id, to.unwrap_or(Moment::Now)).await?;
    let (one, other) = (shown(&from, cx.now)?, shown(&to, cx.now)?);
    let mut changes = Vec::new();
    compare("", Some(&one), Some(&other), &mut changes);
    let patch = json_patch::diff(&one, &other);
    Reply::json(200, &DiffOut { from: state(&from), to: state(&to), changes, patch })
}

/// What a customer becomes again.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "RevertInput", extend("required" = ["version"]))]
pub struct RevertIn {
    /// The version to go back to.
    version: Member<i64>,
    /// Fields that come back: `name` (all forms of it), `addresses`, `extras` or those of the
    /// customer. Without it all do but `status`, `balance` and `portal`.
    fields: Member<Vec<String>>,
}

fn fields_of(names: Vec<String>, fields: &mut Fields) -> Vec<&'static str> {
    let known = |name: &String| REVERTIBLE.split(", ").find(|known| known == name);
    let mut all = Vec::with_capacity(names.len());
    for (at, name) in names.iter().enumerate() {
        match known(name) {
            Some(known) => all.push(known),
            None => {
                fields.refuse(&format!("fields.{at}"), Why::not_one_of(name, REVERTIBLE));
            }
        }
    }
    all
}

/// A customer becomes again what it was in a version, as a new one.
pub async fn revert(request: Request) -> Result<Reply, Failure> {
    let expect = conditions::of_change(&request)?.expect();
    let (body, mut fields) = read::body::<RevertIn>(&request, Reading::NullKeeps)?;
    let version = body.version.value();
    if version.is_none() {
        fields.refuse("version", Why::Required);
    }
    let names = body.fields.value().map(|names| fields_of(names, &mut fields));
    fields.finish()?;
    let (id, version) = (id(&request)?, version.unwrap_or_default());
    let reverted = customers::revert(&request.cx, id, expect, version, names.as_deref()).await?;
    saved(&request, 200, &reverted).await
}
