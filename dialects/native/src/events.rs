//! What happened: the feed of a space and the history of a customer.

mod delivery;
mod stream;

use std::collections::HashSet;
use std::time::Duration;

use patron_app::{
    Cx, Id, customers,
    documents::{self, CUSTOMER, Document},
    journal::{self, Entry, WAIT_SECONDS_MAX},
    rights,
    webhooks::{EventType, telling},
};
use patron_gateway::{Faults, Reply, Request, decode::Params};
use patron_model::{
    Failure, Noun, Permission, Timestamp, Why, customer::Customer, webhook::TYPES_MAX,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, value::RawValue};

use crate::customers::{PAGE_MAX, show::CustomerOut};

/// One entry of the journal.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Event")]
pub struct EventOut {
    /// Its id, the same in the bodies of webhooks.
    id: String,
    /// Position in the space's journal: 1, 2, 3, … without gaps, in commit order.
    seq: i64,
    /// What happened: `customer.updated`, `comment.created`, `subscriber.activated`, …
    #[serde(rename = "type")]
    kind: String,
    /// Number of the record that changed.
    number: i64,
    /// Number of the customer it belongs to.
    customer: i64,
    /// Number of the record it hangs on, in whose history it is; its own when it hangs on none.
    subject: i64,
    /// Numbers of other records in whose history it is: of the customer that was taken over, say.
    related: Vec<i64>,
    /// Revision of the record after the change.
    revision: i64,
    /// Names of the changed fields; empty for a new record.
    #[schemars(with = "Vec<String>")]
    changed: Box<RawValue>,
    /// When.
    #[schemars(extend("format" = "date-time"))]
    at: String,
    /// Who: `key:<number>` or `operator`.
    actor: String,
    /// Request that caused it.
    request_id: String,
    /// The customer after the change, with `expand=record`; who may not see the past sees it only
    /// where the customer is so now.
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<Value>,
}

/// A page of events.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Events")]
pub struct EventsOut {
    /// The events, oldest first in the feed, newest first in a history.
    data: Vec<EventOut>,
    /// Where to continue: send it as `after` (feed) or `before` (history).
    next: i64,
    /// Whether the page is full, so that others may follow at once.
    has_more: bool,
}

impl EventOut {
    fn of(cx: &Cx, entry: Entry, with_record: bool) -> Result<EventOut, Failure> {
        let record = match with_record && entry.kind == CUSTOMER.name {
            true => Some(record(cx, &entry)?),
            false => None,
        };
        Ok(EventOut {
            id: telling::id_of(&entry),
            seq: entry.seq,
            kind: format!("{}.{}", documents::word(&entry), entry.action),
            number: entry.number,
            customer: entry.subject,
            subject: entry.subject,
            related: entry.related,
            revision: entry.revision,
            changed: RawValue::from_string(entry.changed).map_err(Failure::internal)?,
            at: Timestamp::from_micros(entry.at).rfc3339_micros(),
            actor: entry.actor,
            request_id: entry.request,
            record,
        })
    }
}

fn record(cx: &Cx, entry: &Entry) -> Result<Value, Failure> {
    let customer = journal::shown::<Customer>(cx, entry)?;
    let out = CustomerOut::of(&customer, Timestamp::from_micros(entry.at));
    serde_json::to_value(&out).map_err(Failure::internal)
}

fn with_record(params: &Params, faults: &mut Faults) -> bool {
    let mut is_wanted = false;
    for word in params.all("expand").flat_map(|words| words.split(',')) {
        match word {
            "" => {}
            "record" => is_wanted = true,
            _ => faults.misread("expand", Why::not_one_of(word, "record")),
        }
    }
    is_wanted
}

/// Which entries of the feed are asked for.
#[derive(Debug, Clone, Default)]
struct Wanted {
    /// Of these types; none: all.
    types: Vec<EventType>,
    /// Hanging on this record.
    subject: Option<i64>,
}

impl Wanted {
    fn read(params: &Params, faults: &mut Faults) -> Wanted {
        let mut types = Vec::new();
        for word in params.all("types").flat_map(|words| words.split(',')) {
            types.extend(faults.understood("types", EventType::of_feed(word.trim())));
        }
        if types.len() > TYPES_MAX {
            faults.misread("types", Why::TooMany { max: TYPES_MAX });
        }
        let subject = params.get("subject").map(|_| 1);
        let subject = subject.map(|one| faults.int(params, "subject", one, 1, i64::MAX));
        Wanted { types, subject }
    }

    fn has(&self, entry: &Entry) -> bool {
        let noun = documents::word(entry);
        let is_of_type = |one: &EventType| one.has(&noun, &entry.action);
        (self.types.is_empty() || self.types.iter().any(is_of_type))
            && self.subject.is_none_or(|subject| entry.subject == subject)
    }
}

/// The feed: events after a position, with a long wait for the first one where asked; or a stream
/// of them.
pub async fn list(request: Request) -> Result<Reply, Failure> {
    if stream::is_wanted(&request)? {
        return stream::open(request).await;
    }
    let (params, mut faults) = (request.query(), request.query_faults());
    for name in ["from", "as", "dialect"] {
        if params.get(name).is_some() {
            faults.misread(name, Why::Malformed { expected: "left out but of a stream" });
        }
    }
    let wanted = Wanted::read(&params, &mut faults);
    let after = faults.int(&params, "after", 0, 0, i64::MAX);
    let limit = faults.int(&params, "limit", 100, 1, PAGE_MAX);
    let longest = i64::try_from(WAIT_SECONDS_MAX).unwrap_or(60);
    let wait = faults.int(&params, "wait", 0, 0, longest);
    let with_record = with_record(&params, &mut faults);
    faults.finish()?;
    let wait = Duration::from_secs(u64::try_from(wait).unwrap_or(0));
    let limit = u32::try_from(limit).unwrap_or(100);
    let entries = journal::events(&request.cx, after, limit, wait).await?;
    let asked = Asked { from: after, limit, with_record, wanted };
    answer(&request, entries, asked).await
}

/// Everything that happened to a customer, to what hangs on it and to what is related to it, newest
/// first.
pub async fn history(request: Request) -> Result<Reply, Failure> {
    let asked = page(&request)?;
    let customer =
        customers::get_any(&request.cx, Id::parse(request.param("id"), Noun::Customer)?).await?;
    let (before, limit) = (Some(asked.from), asked.limit);
    let entries = journal::history(&request.cx, customer.number, before, limit).await?;
    answer(&request, entries, asked).await
}

/// Everything that happened to a record that hangs on a customer, newest first. `name` is the path
/// parameter it is named by.
pub async fn history_of<T: Document>(request: Request, name: &str) -> Result<Reply, Failure> {
    let customer = Id::parse(request.param("id"), Noun::Customer)?;
    let id = Id::parse(request.param(name), T::NOUN)?;
    let asked = page(&request)?;
    let (before, limit) = (Some(asked.from), asked.limit);
    let entries = journal::history_of::<T>(&request.cx, customer, id, before, limit).await?;
    answer(&request, entries, asked).await
}

/// What is wanted of the feed or of a history.
struct Asked {
    /// Position after or before which is read.
    from: i64,
    /// Most entries.
    limit: u32,
    /// Whether records are shown with their entries.
    with_record: bool,
    /// Which of the entries.
    wanted: Wanted,
}

/// What is wanted of a history.
fn page(request: &Request) -> Result<Asked, Failure> {
    let (params, mut faults) = (request.query(), request.query_faults());
    let from = faults.int(&params, "before", i64::MAX, 1, i64::MAX);
    let limit = faults.int(&params, "limit", 100, 1, PAGE_MAX);
    let with_record = with_record(&params, &mut faults);
    faults.finish()?;
    let (limit, wanted) = (u32::try_from(limit).unwrap_or(100), Wanted::default());
    Ok(Asked { from, limit, with_record, wanted })
}

async fn answer(request: &Request, entries: Vec<Entry>, asked: Asked) -> Result<Reply, Failure> {
    let Asked { from, limit, with_record, wanted } = asked;
    let next = entries.last().map_or(from, |entry| entry.seq);
    let has_more = entries.len() == limit as usize;
    let data = seen(&request.cx, entries, &wanted, with_record).await?;
    Reply::json(200, &EventsOut { data, next, has_more })
}

/// Those of the entries that were asked for and may be seen.
async fn seen(
    cx: &Cx,
    entries: Vec<Entry>,
    wanted: &Wanted,
    with_record: bool,
) -> Result<Vec<EventOut>, Failure> {
    let shown = shown(cx, &entries, with_record).await?;
    let is_seen = |entry: &Entry| wanted.has(entry) && rights::sees(cx, entry);
    let seen = entries.into_iter().filter(is_seen);
    seen.map(|entry| {
        let with_record = shown.has(&entry);
        EventOut::of(cx, entry, with_record)
    })
    .collect()
}

/// Entries whose record is shown.
enum ShownRecords {
    None,
    All,
    /// Those at these positions.
    Some(HashSet<i64>),
}

impl ShownRecords {
    fn has(&self, entry: &Entry) -> bool {
        match self {
            ShownRecords::None => false,
            ShownRecords::All => true,
            ShownRecords::Some(positions) => positions.contains(&entry.seq),
        }
    }
}

async fn shown(cx: &Cx, entries: &[Entry], is_wanted: bool) -> Result<ShownRecords, Failure> {
    if !is_wanted {
        return Ok(ShownRecords::None);
    }
    cx.may(Permission::CustomerRead)?;
    match cx.has(Permission::CustomerPast) {
        true => Ok(ShownRecords::All),
        false => Ok(ShownRecords::Some(journal::present(cx, entries).await?)),
    }
}
