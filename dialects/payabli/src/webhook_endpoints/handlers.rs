//! Adding, reading, changing and deleting notifications (dossier §5.6).

use std::collections::BTreeMap;

use patron_app::{
    Cx, Expect, Id, Loaded,
    record::{self as room, Look},
    webhooks::{self, EndpointPatch, NewEndpoint, ResumeFrom},
};
use patron_gateway::{Fields, Member, Reading, Reply, Request, own_headers};
use patron_model::{Failure, Noun, Patch, Why, text::check, webhook::Endpoint};
use serde_json::Value;

use super::{
    NOTIFIER,
    wire::{
        ContentBody, METHOD_WORDS, METHODS, NotificationBody, NotificationRecord, Own, PAYPOINT,
        Pair, Report, TEXT_CHARS_MAX, event_name, internal,
    },
};
use crate::{NAME, envelopes, spaces};

/// Hours of a time zone.
const HOURS_MAX: i64 = 12;

/// A body that was understood; what it does not say is none.
struct Said {
    method: Option<&'static str>,
    frequency: Option<String>,
    target: Option<String>,
    active: Option<bool>,
    owner_type: Option<i64>,
    owner: Option<i64>,
    event_type: Option<String>,
    report: Report,
    headers: Option<Vec<(String, String)>>,
    internal: Option<BTreeMap<String, String>>,
}

fn set<T>(patch: Patch<T>) -> Option<T> {
    match patch {
        Patch::Set(value) => Some(value),
        Patch::Keep | Patch::Clear => None,
    }
}

fn one_of(allowed: &'static str) -> impl Fn(&str) -> Result<String, Why> {
    move |word| match allowed.split(", ").any(|known| known == word) {
        true => Ok(word.to_owned()),
        false => Err(Why::not_one_of(word, allowed)),
    }
}

fn bounded(text: &str) -> Result<String, Why> {
    check(text, 1, TEXT_CHARS_MAX, false).map(|()| text.to_owned())
}

/// A number, also as a text: that is how it is shown.
fn number(value: Value) -> Result<i64, Why> {
    let read = match &value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    read.ok_or(Why::WrongType { expected: "a whole number" })
}

fn headers(pairs: Vec<Pair>) -> Result<Vec<(String, String)>, Why> {
    let pairs = pairs.into_iter().map(Pair::halves).collect::<Result<Vec<_>, _>>()?;
    own_headers::read(pairs)
}

/// What a request says. Faults are noted.
fn read(request: &Request) -> Result<(Said, Fields), Failure> {
    if !request.is_json() {
        return Err(Failure::UnsupportedMediaType { supported: "application/json" });
    }
    let (body, mut fields) = request.read::<NotificationBody>(Reading::NullKeeps)?;
    let f = &mut fields;
    let method = |word: &str| {
        let known = METHODS.iter().find(|(known, _)| *known == word);
        known.map(|(known, _)| *known).ok_or_else(|| Why::not_one_of(word, METHOD_WORDS))
    };
    let status = |status: i64| match status {
        0 | 1 => Ok(status == 1),
        _ => Err(Why::OutOfRange { min: 0, max: 1 }),
    };
    let owner_type = |of: i64| match of {
        0 => Err(Why::Mismatch { with: "2: make a notification for each paypoint of the org" }),
        PAYPOINT => Ok(PAYPOINT),
        _ => Err(Why::NotOneOf { allowed: "2" }),
    };
    let content = match body.content {
        Member::Value(content) => content,
        Member::Absent | Member::Null => ContentBody::default(),
    };
    let mut said = Said {
        method: set(f.text("method", body.method, method)),
        frequency: set(f.text("frequency", body.frequency, |text| Ok(text.to_owned()))),
        target: set(f.text("target", body.target, bounded)),
        active: set(f.parse("status", body.status, status)),
        owner_type: set(f.parse("ownerType", body.owner_type, owner_type)),
        owner: set(f.parse("ownerId", body.owner_id, number)),
        event_type: None,
        report: Report::default(),
        headers: None,
        internal: None,
    };
    f.within("content", Reading::NullKeeps, |f| {
        let hours = |hours: i64| match (-HOURS_MAX..=HOURS_MAX).contains(&hours) {
            true => Ok(hours),
            false => Err(Why::OutOfRange { min: -HOURS_MAX, max: HOURS_MAX }),
        };
        let reports = one_of("Transaction, Settlement, Boarding, Returned");
        said.event_type = set(f.text("eventType", content.event_type, event_name));
        said.report = Report {
            file_format: set(f.text("fileFormat", content.file_format, one_of("json, csv, xlsx"))),
            report_name: set(f.text("reportName", content.report_name, reports)),
            time_zone: set(f.parse("timeZone", content.time_zone, hours)),
            transaction_id: set(f.text("transactionId", content.transaction_id, bounded)),
        };
        let pairs = content.web_header_parameters;
        said.headers = set(f.parse("webHeaderParameters", pairs, headers));
        said.internal = set(f.parse("internalData", content.internal_data, internal));
    });
    Ok((said, fields))
}

/// Refuses a frequency that a method does not have.
fn check_frequency(own: &Own, fields: &mut Fields) {
    let known = METHODS.iter().find(|(method, _)| *method == own.method);
    let allowed = known.map_or("", |(_, allowed)| *allowed);
    if !own.frequency.is_empty() && !allowed.split(", ").any(|one| one == own.frequency) {
        fields.refuse("frequency", Why::not_one_of(&own.frequency, allowed));
    }
}

/// The space of a new notification: the paypoint that is named, or the key's only one.
fn owner(cx: &Cx, said: &Said, fields: &mut Fields) -> Result<i64, Failure> {
    let open = &spaces::caller(cx)?.spaces;
    let found = match (said.owner, open.as_slice()) {
        (Some(owner), _) => open.iter().find(|space| space.number == owner),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    if found.is_none() {
        let unknown = Why::Unknown { what: "paypoint" };
        fields.refuse("ownerId", said.owner.map_or(Why::Required, |_| unknown));
    }
    Ok(found.map_or(0, |space| space.number))
}

/// `POST /Notification`
///
/// # Errors
/// `Malformed`, `Invalid`.
pub async fn add(request: Request) -> Result<Reply, Failure> {
    let (said, mut fields) = read(&request)?;
    // What does not fit is told first: it may be what seems to be missing.
    let fits = fields.faults.is_empty();
    if fits {
        for (name, is_missing) in [
            ("method", said.method.is_none()),
            ("frequency", said.frequency.is_none()),
            ("target", said.target.is_none()),
            ("ownerType", said.owner_type.is_none()),
        ] {
            if is_missing {
                fields.refuse(name, Why::Required);
            }
        }
    }
    let space = owner(&request.cx, &said, &mut fields)?;
    let is_report = said.method.is_some_and(|method| method.starts_with("report"));
    let event_type = match said.event_type {
        Some(event) => event,
        None if is_report => "Report".to_owned(),
        None => {
            if fits {
                fields.refuse("content.eventType", Why::Required);
            }
            String::new()
        }
    };
    fields.faults.clone().finish()?;
    let cx = request.cx.in_space(space);
    let own = Own {
        method: said.method.unwrap_or_default().to_owned(),
        frequency: said.frequency.unwrap_or_default(),
        target: String::new(),
        event_type,
        internal: said.internal.unwrap_or_default(),
        report: said.report,
        paypoint: spaces::here(&cx)?,
    };
    check_frequency(&own, &mut fields);
    fields.finish()?;
    let types = own.types()?;
    let (own, url) = placed(own, said.target);
    let patch = EndpointPatch {
        url,
        types: Some(types),
        headers: said.headers,
        timeout_seconds: Some(NOTIFIER.timeout_seconds),
        enabled: said.active,
        own: Some(own.kept()?),
        ..EndpointPatch::default()
    };
    let made = webhooks::create(&cx, &NewEndpoint::of(NAME, patch, None)).await?;
    envelopes::numbered(made.endpoint.number)
}

/// Where a notification goes: only those that are sent have a URL.
fn placed(own: Own, target: Option<String>) -> (Own, Option<String>) {
    if own.is_web() {
        return (own, target);
    }
    let target = target.unwrap_or_else(|| own.target.clone());
    (Own { target, ..own }, None)
}

/// The living notification a request names, in whichever space of the caller's it is.
async fn named(request: &Request) -> Result<Loaded<Endpoint>, Failure> {
    let missing = || Failure::NotFound { noun: Noun::Endpoint };
    let number = request.param("nId").parse().ok().filter(|number: &i64| *number > 0);
    let open = &spaces::caller(&request.cx)?.spaces;
    let open: Vec<i64> = open.iter().map(|space| space.number).collect();
    let look = Look::at(Id::Number(number.ok_or_else(missing)?));
    let found: Loaded<Endpoint> = room::load(&request.cx, look.within(&open)).await?;
    if found.dialect == NAME { Ok(found) } else { Err(missing()) }
}

/// `GET /Notification/{nId}`
///
/// # Errors
/// `NotFound`.
pub async fn get(request: Request) -> Result<Reply, Failure> {
    let found = named(&request).await?;
    let paypoint = spaces::here(&request.cx.in_space(found.space))?;
    Reply::json(200, &NotificationRecord::of(&found, &paypoint)?)
}

/// `PUT /Notification/{nId}`: what the body does not say stays.
///
/// # Errors
/// `NotFound`, `Malformed`, `Invalid`.
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let before = named(&request).await?;
    let cx = request.cx.in_space(before.space);
    let (said, mut fields) = read(&request)?;
    let was = Own::of(&before)?;
    let is_web = |method: &str| method == "web";
    if said.method.is_some_and(|method| is_web(method) != was.is_web()) {
        let with = "what it was: web stays web, and the others cannot become it";
        fields.refuse("method", Why::Mismatch { with });
    }
    if said.owner.is_some_and(|owner| owner != before.space) {
        fields.refuse("ownerId", Why::Mismatch { with: "what it was" });
    }
    let asks_anew = said.event_type.as_ref().is_some_and(|event| *event != was.event_type);
    let report = Report {
        file_format: said.report.file_format.or(was.report.file_format),
        report_name: said.report.report_name.or(was.report.report_name),
        time_zone: said.report.time_zone.or(was.report.time_zone),
        transaction_id: said.report.transaction_id.or(was.report.transaction_id),
    };
    let own = Own {
        method: said.method.map_or(was.method, str::to_owned),
        frequency: said.frequency.unwrap_or(was.frequency),
        target: was.target,
        event_type: said.event_type.unwrap_or(was.event_type),
        internal: said.internal.unwrap_or(was.internal),
        report,
        paypoint: spaces::here(&cx)?,
    };
    check_frequency(&own, &mut fields);
    fields.finish()?;
    let types = if asks_anew { Some(own.types()?) } else { None };
    let (own, url) = placed(own, said.target);
    let patch = EndpointPatch {
        url,
        types,
        headers: said.headers,
        enabled: said.active,
        own: Some(own.kept()?),
        ..EndpointPatch::default()
    };
    let (id, expect) = (Id::Number(before.number), Expect::Version(before.version));
    let saved = webhooks::update(&cx, id, expect, &patch, Some(ResumeFrom::Now)).await?;
    envelopes::numbered(saved.number)
}

/// `DELETE /Notification/{nId}`
///
/// # Errors
/// `NotFound`.
pub async fn delete(request: Request) -> Result<Reply, Failure> {
    let before = named(&request).await?;
    let cx = request.cx.in_space(before.space);
    webhooks::delete(&cx, Id::Number(before.number), Expect::Any).await?;
    envelopes::numbered(before.number)
}

/// `GET /Export/notificationReport/{id}`: reports are kept as notifications and never made, so
/// there is none of any id.
///
/// # Errors
/// `Malformed` for what is no id, else `Invalid`.
pub async fn report(request: Request) -> Result<Reply, Failure> {
    let expected = "a whole number";
    let id: Result<u64, _> = request.param("id").parse();
    id.map_err(|_| Failure::malformed("id", Why::WrongType { expected }))?;
    Err(Failure::invalid("id", Why::Unknown { what: "report" }))
}
