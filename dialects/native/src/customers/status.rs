//! Verbs that change the status of a customer: each says why.

use patron_app::customers;
use patron_gateway::{Fields, Member, Reading, Reply, Request};
use patron_model::{Failure, Patch, Timestamp, Why, customer::StatusVerb, text::Note};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    handlers::{id, saved},
    read,
};
use crate::conditions;

/// Why a customer gets a status, and until when.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "StatusInput", extend("required" = ["reason"]))]
pub struct StatusIn {
    /// Why; shown as `status_reason`.
    reason: Member<String>,
    /// A moment to come, at which the customer is active again; until further notice when absent.
    #[schemars(extend("format" = "date-time"))]
    until: Member<String>,
}

/// Why a customer is active again.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "StatusEndInput", extend("required" = ["reason"]))]
pub struct StatusEndIn {
    /// Why; shown as `status_reason`.
    reason: Member<String>,
}

/// The reason of a body. Faults are noted.
fn reason(member: Member<String>, fields: &mut Fields) -> Option<Note> {
    let has_words = |text: &str| match text.trim().is_empty() {
        true => Err(Why::Required),
        false => Note::parse(text),
    };
    match member {
        Member::Value(text) => match fields.text("reason", Member::Value(text), has_words) {
            Patch::Set(reason) => Some(reason),
            Patch::Keep | Patch::Clear => None,
        },
        Member::Absent | Member::Null => {
            fields.refuse("reason", Why::Required);
            None
        }
    }
}

/// Until when, where a body says so. Faults are noted.
fn term(member: Member<String>, now: Timestamp, fields: &mut Fields) -> Option<Timestamp> {
    let to_come = |text: &str| match Timestamp::parse(text)? {
        until if until > now => Ok(until),
        _ => Err(Why::Malformed { expected: "a moment to come" }),
    };
    match fields.text("until", member, to_come) {
        Patch::Set(until) => Some(until),
        Patch::Keep | Patch::Clear => None,
    }
}

/// Changes the status of a customer by a verb.
pub async fn set_status(verb: StatusVerb, request: Request) -> Result<Reply, Failure> {
    let expect = conditions::of_change(&request)?.expect();
    let (reason, until) = match verb.takes_a_term() {
        true => {
            let (body, mut fields) = read::body::<StatusIn>(&request, Reading::NullKeeps)?;
            let reason = reason(body.reason, &mut fields);
            let until = term(body.until, request.cx.now, &mut fields);
            fields.finish()?;
            (reason, until)
        }
        false => {
            let (body, mut fields) = read::body::<StatusEndIn>(&request, Reading::NullKeeps)?;
            let reason = reason(body.reason, &mut fields);
            fields.finish()?;
            (reason, None)
        }
    };
    let reason = reason.ok_or_else(|| Failure::invalid("reason", Why::Required))?;
    let (cx, id) = (&request.cx, id(&request)?);
    let set = customers::set_status(cx, id, expect, verb, reason, until).await?;
    saved(&request, 200, &set).await
}
