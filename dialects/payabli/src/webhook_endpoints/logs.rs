//! The log of what was sent (dossier §5.6): every delivery, whether it arrived or not.

use patron_app::{
    Cx,
    webhooks::{
        Attempt, Delivery, DeliveryState, deliveries,
        logs::{self, Asked},
    },
};
use patron_gateway::{Faults, Member, Reading, Reply, Request, decode};
use patron_model::{Failure, Noun, Patch, Timestamp, Why, webhook::Endpoint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::wire::{Pair, event_of, types_of};
use crate::{NAME, customers::show::moment, spaces, spaces::Paypoint};

/// Rows of a page when none are asked for.
const ROWS: i64 = 20;
/// Rows of a page, at most: each shows a body, which is made anew.
const ROWS_MAX: i64 = 100;
/// Pages, at most.
const PAGE_MAX: i64 = 1_000;
/// Logs that can be retried at once.
const RETRIED_MAX: usize = 50;
/// Days between the ends of a search, at most. The provider's own example ends at the last second
/// of the day, so parts of a day do not count.
const DAYS_MAX: i64 = 30;
const SECONDS_PER_DAY: i64 = 24 * 3_600;
/// `notificationType` of what is sent by a request.
const BY_REQUEST: i64 = 3;
/// What is shown of the value of a header.
const MASK: &str = "•••";
const RETRYING: &str = "The notification is being sent again.";

/// What is looked for. `null` counts as absent.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct LogSearch {
    /// From this moment on.
    pub start_date: Member<String>,
    /// Until this moment, at most 30 days later.
    pub end_date: Member<String>,
    /// Of this event, in any case.
    pub notification_event: Member<String>,
    /// Only what arrived, or only what did not.
    pub succeeded: Member<bool>,
    /// Of this organization: this or a paypoint must be given.
    pub org_id: Member<i64>,
    /// Of this paypoint.
    pub paypoint_id: Member<i64>,
}

/// What every view of a log says.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Log {
    id: Uuid,
    /// What the server calls the delivery elsewhere.
    request_id: String,
    org_id: i64,
    organization_name: String,
    paypoint_id: i64,
    paypoint_name: String,
    /// The event, in lower case.
    notification_event: String,
    target: String,
    /// The status of the last answer; 0 when there was none.
    response_status_code: u16,
    /// `OK`, `Dropped`, `No response received from server.`, or `Pending` before the first attempt.
    response_status: &'static str,
    success: bool,
    /// The body as it would be sent now; null where the caller may not see what is in it.
    job_data: Option<String>,
    created_date: String,
    success_date: Option<String>,
    last_failed_date: Option<String>,
    /// Whether it is tried again.
    is_in_progress: bool,
}

/// A log as a search shows it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogRecord {
    #[serde(flatten)]
    log: Log,
    organization_logo: &'static str,
    organization_fav_icon: &'static str,
    paypoint_logo: &'static str,
    /// 3: by a request.
    notification_type: i64,
}

/// A log by itself.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogDetail {
    #[serde(flatten)]
    log: Log,
    /// Headers of the notification's own; values are never shown.
    web_headers: Vec<Pair>,
    /// Null: of an answer the status is kept only.
    response_headers: Option<Vec<KeyValues>>,
    /// Empty: of an answer the status is kept only.
    response_content: &'static str,
}

/// A header with its values.
#[derive(Serialize, JsonSchema)]
struct KeyValues {
    key: String,
    value: Vec<String>,
}

/// What came of a retry.
#[derive(Serialize, JsonSchema)]
pub struct Retried {
    message: &'static str,
}

impl Log {
    async fn of(
        cx: &Cx,
        delivery: &Delivery,
        endpoint: &Endpoint,
        paypoint: &Paypoint,
    ) -> Result<Log, Failure> {
        let is_good = |one: &&Attempt| matches!(one.status, Some(200..=299));
        let newest = || delivery.attempts.iter().rev();
        let (good, bad) = (newest().find(is_good), newest().find(|one| !is_good(one)));
        let success = delivery.state == DeliveryState::Delivered;
        let status = newest().next().map(|one| one.status);
        let response_status = match status {
            None => "Pending",
            _ if success => "OK",
            Some(None) => "No response received from server.",
            Some(Some(_)) => "Dropped",
        };
        let body = logs::bodies(cx, endpoint, delivery).await?.into_iter().next();
        let job_data = body.map(String::from_utf8).transpose().map_err(Failure::internal)?;
        let is_open = matches!(delivery.state, DeliveryState::Retrying | DeliveryState::Held);
        let event = event_of(&delivery.kind).unwrap_or(&delivery.kind);
        Ok(Log {
            id: delivery.uuid,
            request_id: deliveries::id_of(delivery.endpoint, delivery.seq),
            org_id: paypoint.organization_id,
            organization_name: paypoint.organization_name.clone(),
            paypoint_id: paypoint.id,
            paypoint_name: paypoint.dba_name.clone(),
            notification_event: event.to_ascii_lowercase(),
            target: endpoint.url.clone(),
            response_status_code: status.flatten().unwrap_or(0),
            response_status,
            success,
            job_data,
            created_date: moment(delivery.created_at),
            success_date: good.map(|one| moment(one.at)),
            last_failed_date: bad.map(|one| moment(one.at)),
            is_in_progress: is_open || delivery.due.is_some(),
        })
    }
}

/// What a search asks for, but for its endpoints.
fn read(request: &Request) -> Result<Asked, Failure> {
    if !request.is_json() {
        return Err(Failure::UnsupportedMediaType { supported: "application/json" });
    }
    let (body, mut fields) = request.read::<LogSearch>(Reading::NullKeeps)?;
    let f = &mut fields;
    let mut moment_of = |name: &str, member: Member<String>| {
        if member.as_ref().is_none() {
            f.refuse(name, Why::Required);
        }
        match f.text(name, member, Timestamp::parse) {
            Patch::Set(at) => Some(at),
            Patch::Keep | Patch::Clear => None,
        }
    };
    let ends = (moment_of("startDate", body.start_date), moment_of("endDate", body.end_date));
    let (from, until) = (ends.0.unwrap_or(request.cx.now), ends.1.unwrap_or(request.cx.now));
    let last = from.plus_seconds((DAYS_MAX + 1) * SECONDS_PER_DAY);
    if matches!(ends, (Some(_), Some(_))) && (until < from || until >= last) {
        let expected = "at most 30 days after startDate, and not before it";
        fields.refuse("endDate", Why::Malformed { expected });
    }
    let caller = spaces::caller(&request.cx)?;
    let (organization, paypoint) = (body.org_id.value(), body.paypoint_id.value());
    if organization.is_none() && paypoint.is_none() {
        fields.refuse("paypointId", Why::RequiredWithout { others: "orgId" });
    }
    if organization.is_some_and(|number| number != caller.account.number) {
        fields.refuse("orgId", Why::Unknown { what: "organization" });
    }
    let mut spaces: Vec<i64> = caller.spaces.iter().map(|space| space.number).collect();
    if let Some(paypoint) = paypoint {
        spaces.retain(|space| *space == paypoint);
        if spaces.is_empty() {
            fields.refuse("paypointId", Why::Unknown { what: "paypoint" });
        }
    }
    let params = request.query();
    let rows = fields.faults.int(&params, "PageSize", ROWS, 1, ROWS_MAX);
    let page = fields.faults.int(&params, "Page", 1, 1, PAGE_MAX);
    fields.finish()?;
    let event = body.notification_event.value().filter(|event| !event.is_empty());
    Ok(Asked {
        spaces,
        endpoints: Vec::new(),
        from,
        until,
        kinds: event.map(|event| types_of(&event)),
        is_delivered: body.succeeded.value(),
        offset: (rows * (page - 1)).unsigned_abs(),
        limit: u32::try_from(rows).unwrap_or(1),
    })
}

/// `POST /v2/notificationlogs`
///
/// # Errors
/// `Malformed`, `Invalid`.
pub async fn search(request: Request) -> Result<Reply, Failure> {
    let mut asked = read(&request)?;
    let cx = &request.cx;
    let caller = spaces::caller(cx)?;
    let endpoints = logs::endpoints(cx, &asked.spaces, NAME).await?;
    asked.endpoints = endpoints.iter().map(|endpoint| endpoint.number).collect();
    let mut records = Vec::new();
    for delivery in logs::search(cx, &asked).await? {
        let endpoint = endpoints.iter().find(|endpoint| endpoint.number == delivery.endpoint);
        let space = caller.spaces.iter().find(|space| space.number == delivery.space);
        let (Some(endpoint), Some(space)) = (endpoint, space) else { continue };
        let log = Log::of(cx, &delivery, endpoint, &Paypoint::of(space, caller)).await?;
        records.push(LogRecord {
            log,
            organization_logo: "",
            organization_fav_icon: "",
            paypoint_logo: "",
            notification_type: BY_REQUEST,
        });
    }
    Reply::json(200, &records)
}

/// The delivery with an id and its endpoint, in whichever space of the caller's they are.
async fn named(cx: &Cx, id: &str) -> Result<(Delivery, Endpoint), Failure> {
    let uuid: Uuid = id.parse().map_err(|_| Failure::NotFound { noun: Noun::Delivery })?;
    let open: Vec<i64> = spaces::caller(cx)?.spaces.iter().map(|space| space.number).collect();
    let (delivery, endpoint) = logs::one(cx, &open, NAME, uuid).await?;
    Ok((delivery.record, endpoint.record))
}

/// `GET /v2/notificationlogs/{uuid}`
///
/// # Errors
/// `NotFound`.
pub async fn get(request: Request) -> Result<Reply, Failure> {
    let (delivery, endpoint) = named(&request.cx, request.param("uuid")).await?;
    let cx = request.cx.in_space(delivery.space);
    let log = Log::of(&cx, &delivery, &endpoint, &spaces::here(&cx)?).await?;
    let masked = |key: String| Pair { key: Some(key), value: Some(MASK.to_owned()) };
    let detail = LogDetail {
        log,
        web_headers: endpoint.header_names.into_iter().map(masked).collect(),
        response_headers: None,
        response_content: "",
    };
    Reply::json(200, &detail)
}

async fn again(cx: &Cx, delivery: &Delivery) -> Result<(), Failure> {
    let id = deliveries::id_of(delivery.endpoint, delivery.seq);
    deliveries::redeliver(&cx.in_space(delivery.space), &id).await.map(drop)
}

/// `GET /v2/notificationlogs/{uuid}/retry`
///
/// # Errors
/// `NotFound`; `WrongState` where the notification is not sent any more, or it is not its turn.
pub async fn retry(request: Request) -> Result<Reply, Failure> {
    let (delivery, _) = named(&request.cx, request.param("uuid")).await?;
    again(&request.cx, &delivery).await?;
    Reply::json(200, &Retried { message: RETRYING })
}

/// `POST /v2/notificationlogs/retry`: all of them, or none where one cannot be sent.
///
/// # Errors
/// `Malformed`, `Invalid`; `WrongState`, as for one.
pub async fn retry_many(request: Request) -> Result<Reply, Failure> {
    if !request.is_json() {
        return Err(Failure::UnsupportedMediaType { supported: "application/json" });
    }
    let mut ids = decode::below("ids", request.json::<Vec<String>>())?;
    ids.sort_unstable();
    ids.dedup();
    let mut faults = Faults::default();
    if ids.is_empty() {
        faults.refuse("ids", Why::Required);
    }
    if ids.len() > RETRIED_MAX {
        faults.refuse("ids", Why::TooMany { max: RETRIED_MAX });
    }
    faults.finish()?;
    let mut all = Vec::with_capacity(ids.len());
    for id in &ids {
        let (delivery, endpoint) = named(&request.cx, id).await?;
        if !endpoint.is_told() || delivery.state == DeliveryState::Held {
            let needs = "sent, and its turn";
            return Err(Failure::WrongState { is: delivery.state.as_str(), needs });
        }
        all.push(delivery);
    }
    for delivery in &all {
        again(&request.cx, delivery).await?;
    }
    Reply::json(201, &"The notifications are being sent again.")
}
