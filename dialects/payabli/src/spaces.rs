//! A space as Payabli calls it: a paypoint of an organization (dossier §2.2).

use patron_app::{Actor, Caller, Cx};
use patron_model::{Failure, Noun, space::Space};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::{NAME, auth, settings};

/// What a record says of the paypoint it belongs to. The names can be set by switches of the space
/// (`legalName`, `dbaName`, `externalPaypointId`); otherwise they are the space's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Paypoint {
    /// Number of the space.
    pub id: i64,
    /// Entry point.
    pub entry: String,
    /// Legal name.
    pub legal_name: String,
    /// Name it does business under.
    pub dba_name: String,
    /// Number of the account.
    pub organization_id: i64,
    /// Name of the account.
    pub organization_name: String,
    /// Id in another system.
    pub external_id: Option<String>,
}

impl Paypoint {
    /// Of one space.
    pub fn of(space: &Space, caller: &Caller) -> Paypoint {
        let own = space.name.as_str();
        let switch = |name| space.switch(NAME, name);
        Paypoint {
            id: space.number,
            entry: auth::entry_of(space),
            legal_name: switch(settings::LEGAL_NAME).unwrap_or(own).to_owned(),
            dba_name: switch(settings::DBA_NAME).unwrap_or(own).to_owned(),
            organization_id: caller.account.number,
            organization_name: caller.account.name.as_str().to_owned(),
            external_id: switch(settings::EXTERNAL_ID).map(str::to_owned),
        }
    }
}

/// The caller of an operation that needs one.
///
/// # Errors
/// `Internal` on operations that are open to everybody.
pub fn caller(cx: &Cx) -> Result<&Arc<Caller>, Failure> {
    match &cx.actor {
        Actor::Caller(caller) => Ok(caller),
        Actor::Operator | Actor::Person(_) | Actor::Anonymous => {
            Err(Failure::internal("the operation has no caller"))
        }
    }
}

/// The space of a context.
///
/// # Errors
/// `NotFound` when the caller's key does not open it.
pub fn space(cx: &Cx) -> Result<&Arc<Space>, Failure> {
    cx.space_record().ok_or(Failure::NotFound { noun: Noun::Space })
}

/// The paypoint of a context.
///
/// # Errors
/// As [`space`].
pub fn here(cx: &Cx) -> Result<Paypoint, Failure> {
    Ok(Paypoint::of(space(cx)?, caller(cx)?))
}

/// The spaces of an organization that the caller's key opens.
///
/// # Errors
/// `NotFound` for every organization but the caller's own.
pub fn of_organization<'a>(cx: &'a Cx, id: &str) -> Result<&'a [Arc<Space>], Failure> {
    let caller = caller(cx)?;
    if id.parse() == Ok(caller.account.number) {
        Ok(&caller.spaces)
    } else {
        Err(Failure::NotFound { noun: Noun::Account })
    }
}
