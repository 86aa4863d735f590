//! Replays of webhook endpoints: `/v1/webhook-endpoints/{id}/replays`.

use patron_app::{
    Id,
    search::Query,
    webhooks::{
        EventType,
        replays::{self, Begin, NewReplay, Replay},
    },
};
use patron_gateway::{Fields, Member, Reading, Reply, Request};
use patron_model::{Failure, Noun, Patch, Timestamp, Why, webhook::TYPES_MAX};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    customers::{PAGE_MAX, read, show::ListOut},
    lists::{self, Place},
    words,
};

/// What is to be told once more.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "WebhookReplayInput")]
pub struct ReplayIn {
    /// From this position of the feed on; this or `since`.
    pub from_seq: Member<i64>,
    /// From this moment on (RFC 3339); this or `from_seq`.
    pub since: Member<String>,
    /// Up to this moment (RFC 3339); up to now when absent.
    pub until: Member<String>,
    /// Of what the endpoint asks for only these types, at most 50.
    pub types: Member<Vec<String>>,
    /// `all`, or `failed`: only what could not be delivered.
    pub only: Member<String>,
}

/// Telling an endpoint once more what has happened.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookReplay")]
pub struct ReplayOut {
    /// UUID.
    id: uuid::Uuid,
    /// Number.
    number: i64,
    /// Number of the endpoint.
    endpoint: i64,
    /// `running`, `done`: everything is on its way, `cancelled`.
    #[schemars(with = "words::ReplayState")]
    state: &'static str,
    /// Position of the first entry.
    from_seq: i64,
    /// Position of the last one.
    to_seq: i64,
    /// Everything up to here was looked at.
    position: i64,
    /// Deliveries it has made so far.
    deliveries: i64,
    /// Only these types; none: all that the endpoint asks for.
    types: Vec<String>,
    /// `all` or `failed`.
    #[schemars(with = "words::ReplayOnly")]
    only: &'static str,
    /// When it was asked for.
    #[schemars(extend("format" = "date-time"))]
    created_at: String,
    /// When it made its last step.
    #[schemars(extend("format" = "date-time"))]
    updated_at: String,
}

impl ReplayOut {
    /// A replay.
    pub fn of(replay: &Replay) -> ReplayOut {
        ReplayOut {
            id: replay.uuid,
            number: replay.number,
            endpoint: replay.endpoint,
            state: replay.state.as_str(),
            from_seq: replay.from,
            to_seq: replay.to,
            position: replay.position,
            deliveries: replay.told,
            types: replay.types.iter().map(|one| one.as_str().to_owned()).collect(),
            only: if replay.only_failed { "failed" } else { "all" },
            created_at: replay.created_at.rfc3339_micros(),
            updated_at: replay.updated_at.rfc3339_micros(),
        }
    }
}

fn set<T>(patch: Patch<T>) -> Option<T> {
    match patch {
        Patch::Set(value) => Some(value),
        Patch::Keep | Patch::Clear => None,
    }
}

fn new(body: ReplayIn, fields: &mut Fields) -> NewReplay {
    let seq = |seq: i64| match seq {
        1.. => Ok(seq),
        _ => Err(Why::OutOfRange { min: 1, max: i64::MAX }),
    };
    let types = |words: Vec<String>| -> Result<Vec<EventType>, Why> {
        match words.len() > TYPES_MAX {
            true => Err(Why::TooMany { max: TYPES_MAX }),
            false => words.iter().map(|word| EventType::parse(word)).collect(),
        }
    };
    let only = |word: &str| match word {
        "all" => Ok(false),
        "failed" => Ok(true),
        _ => Err(Why::not_one_of(word, "all, failed")),
    };
    let has_either = !body.from_seq.is_absent() || !body.since.is_absent();
    let from_seq = set(fields.parse("from_seq", body.from_seq, seq));
    let since = set(fields.text("since", body.since, Timestamp::parse));
    if from_seq.is_some() && since.is_some() {
        fields.refuse("since", Why::Malformed { expected: "left out beside from_seq" });
    }
    if !has_either {
        fields.refuse("from_seq", Why::Required);
    }
    let begin = since.map_or(Begin::At(from_seq.unwrap_or(1)), Begin::Since);
    NewReplay {
        begin,
        until: set(fields.text("until", body.until, Timestamp::parse)),
        types: set(fields.parse("types", body.types, types)).unwrap_or_default(),
        only_failed: set(fields.text("only", body.only, only)).unwrap_or_default(),
    }
}

fn endpoint_id(request: &Request) -> Result<Id, Failure> {
    Id::parse(request.param("id"), Noun::Endpoint)
}

fn number(request: &Request) -> Result<i64, Failure> {
    request.param("replay").parse().map_err(|_| Failure::NotFound { noun: Noun::Replay })
}

/// Begins one.
pub async fn begin(request: Request) -> Result<Reply, Failure> {
    let id = endpoint_id(&request)?;
    let (body, mut fields) = read::body::<ReplayIn>(&request, Reading::NullClears)?;
    let new = new(body, &mut fields);
    fields.finish()?;
    let replay = replays::begin(&request.cx, id, &new).await?;
    Reply::json(202, &ReplayOut::of(&replay))
}

/// Those of an endpoint, the latest first.
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let (params, mut faults) = (request.query(), request.query_faults());
    let limit = faults.int(&params, "limit", 50, 1, PAGE_MAX);
    let question = lists::question(&["webhook_replays", request.param("id")]);
    let after = faults.keep(lists::after(&params, &question))?.flatten();
    faults.finish()?;
    let limit = u32::try_from(limit).unwrap_or(50);
    let query = Query { after, limit, ..Query::of(request.cx.space) };
    let page = replays::list(&request.cx, endpoint_id(&request)?, query).await?;
    let last = page.items.last().filter(|_| page.more).map(|replay| replay.number);
    let next = last.map(|number| lists::write(&question, Place::List { key: None, number }));
    let data: Vec<_> = page.items.iter().map(|replay| ReplayOut::of(replay)).collect();
    let next_cursor = next.transpose()?;
    Reply::json(200, &ListOut { data, has_more: page.more, next_cursor, total: None })
}

/// One of them.
pub async fn get(request: Request) -> Result<Reply, Failure> {
    let replay = replays::one(&request.cx, endpoint_id(&request)?, number(&request)?).await?;
    Reply::json(200, &ReplayOut::of(&replay))
}

/// Ends one.
pub async fn cancel(request: Request) -> Result<Reply, Failure> {
    replays::cancel(&request.cx, endpoint_id(&request)?, number(&request)?).await?;
    Ok(Reply::empty(204))
}
