//! Sessions of persons: `/v1/me/sessions`, and ending those of others.

use patron_app::{
    Actor, Caller, Id, places,
    sign_in::{Standing, sessions, sessions::Session},
    users,
};
use patron_gateway::{Reply, Request};
use patron_model::{
    Failure, Noun, Permission,
    user::{User, UserKind},
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{customers::show::ListOut, users::id as user_id};

/// A session of a person.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Session")]
pub struct SessionOut {
    /// UUID.
    id: uuid::Uuid,
    /// Number.
    number: i64,
    /// Whether it is the one that asks.
    current: bool,
    /// 2: by two factors; 1: by one.
    level: u8,
    /// By what the person signed in.
    methods: Vec<&'static str>,
    /// Address of the browser when it was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// What the browser calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    /// When it was opened.
    #[schemars(extend("format" = "date-time"))]
    opened_at: String,
    /// When it was used last, within a minute.
    #[schemars(extend("format" = "date-time"))]
    seen_at: String,
    /// When it is over at the latest.
    #[schemars(extend("format" = "date-time"))]
    ends_at: String,
}

/// How many sessions were ended.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EndedSessions")]
pub struct EndedOut {
    /// How many.
    ended: usize,
}

fn shown(session: Session, current: i64) -> SessionOut {
    SessionOut {
        id: session.uuid,
        number: session.number,
        current: session.number == current,
        level: session.level,
        methods: session.methods.iter().map(|method| method.as_str()).collect(),
        opened_at: session.opened_at.rfc3339_micros(),
        seen_at: session.seen_at.rfc3339_micros(),
        ends_at: session.ends_at.rfc3339_micros(),
        address: session.address,
        agent: session.agent,
    }
}

/// The person who asks, and how they signed in.
///
/// # Errors
/// `Forbidden` where a key asks.
pub fn standing(request: &Request) -> Result<(&Caller, &Standing), Failure> {
    let Actor::Caller(caller) = &request.cx.actor else { return Err(Failure::Forbidden) };
    let standing = caller.person.as_ref().ok_or(Failure::Forbidden)?;
    Ok((caller, standing))
}

/// The sessions of the person who asks, the latest first.
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let (caller, standing) = standing(&request)?;
    let good = sessions::list(&request.cx, caller.user.number).await?;
    let data = good.into_iter().map(|session| shown(session, standing.session)).collect();
    let list = ListOut::<SessionOut> { data, has_more: false, next_cursor: None, total: None };
    Reply::json(200, &list)
}

/// Ends one session of the person who asks; by half a proof no other than that one.
pub async fn end(request: Request) -> Result<Reply, Failure> {
    let (caller, standing) = standing(&request)?;
    let id = Id::parse(request.param("session"), Noun::Session)?;
    if !standing.second_factor.is_empty() && !standing.is_session(id) {
        return Err(Failure::StepUp { methods: standing.methods.clone() });
    }
    sessions::end(&request.cx, &caller.user, id).await?;
    Ok(Reply::empty(204))
}

/// Ends all sessions of the person who asks but the one that asks.
pub async fn end_others(request: Request) -> Result<Reply, Failure> {
    let (caller, standing) = standing(&request)?;
    let keep = Some(standing.session);
    let ended = sessions::end_others(&request.cx, &caller.user, keep).await?;
    Reply::json(200, &EndedOut { ended })
}

/// Ends all sessions of another person.
pub async fn end_of_user(request: Request) -> Result<Reply, Failure> {
    let cx = &request.cx;
    let user = users::get(cx, user_id(&request)?).await?;
    cx.may_at(Permission::PersonEnd, &places::account(&cx.app, user.account).await?)?;
    let User { kind: UserKind::Human, .. } = user.record else {
        return Err(Failure::NotFound { noun: Noun::User });
    };
    let ended = match cx.dry_run {
        true => sessions::list(cx, user.number).await?.len(),
        false => sessions::end_others(cx, &user, None).await?,
    };
    Reply::json(200, &EndedOut { ended })
}
