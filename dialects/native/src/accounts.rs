//! Accounts: `/v1/accounts`. A key for a whole account sees those where its user may.

use patron_app::{
    Actor, Loaded, places,
    search::{Filter, Query, fields},
    spaces::{self, AccountPatch},
};
use patron_gateway::{Fields, Member, Reading, Reply, Request};
use patron_model::{
    Failure, Noun, Patch, Permission, Timestamp, Why,
    space::{Account, SecondFactor},
    text::Name,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    conditions,
    customers::{PAGE_MAX, read, show::ListOut},
    words,
};

/// An account.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Account")]
pub struct AccountOut<'a> {
    /// UUID.
    id: uuid::Uuid,
    /// Number; names the account in paths.
    number: i64,
    /// Counts the changes, from 1.
    version: i64,
    /// What people call it.
    name: &'a str,
    /// The account whose admins made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<i64>,
    /// How many living accounts it may have directly below it; any when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    subaccount_limit: Option<i64>,
    /// Whom it asks for a second factor before roles held in it count: nobody, who holds a role
    /// that demands one, or everybody. The strictest word of it and of those above it counts.
    #[schemars(with = "words::SecondFactor")]
    second_factor: &'static str,
    /// Number of the user who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<i64>,
    /// When it was created.
    #[schemars(extend("format" = "date-time"))]
    created_at: String,
    /// When it was last changed.
    #[schemars(extend("format" = "date-time"))]
    updated_at: String,
    /// When it was archived.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    archived_at: Option<String>,
}

impl<'a> AccountOut<'a> {
    /// An account as it is shown.
    pub fn of(account: &'a Account) -> Self {
        AccountOut {
            id: account.uuid,
            number: account.number,
            version: account.version,
            name: account.name.as_str(),
            parent: account.parent,
            subaccount_limit: account.subaccount_limit,
            second_factor: account.second_factor.as_str(),
            created_by: account.created_by,
            created_at: account.created_at.rfc3339_micros(),
            updated_at: account.updated_at.rfc3339_micros(),
            archived_at: account.archived_at.map(Timestamp::rfc3339_micros),
        }
    }
}

/// An account as it is written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "AccountInput")]
pub struct AccountIn {
    /// What people call it.
    name: Member<String>,
    /// Whether it is archived: its keys open nothing any more.
    archived: Member<bool>,
    /// Number of the account above it, the key's own when absent; creation only. At most eight
    /// accounts are above one another.
    parent: Member<i64>,
    /// How many living accounts it may have directly below it, up to 10000; `null`: any.
    subaccount_limit: Member<i64>,
    /// Whom it asks for a second factor before roles held in it count; `null`: who holds a role
    /// that demands one. The strictest word of it and of those above it counts; who says it needs
    /// `access:grant`.
    #[schemars(with = "Option<words::SecondFactor>")]
    second_factor: Member<String>,
}

/// The account of the caller, when its key is for the whole account.
pub fn own_account(request: &Request) -> Result<i64, Failure> {
    match &request.cx.actor {
        Actor::Caller(caller) if caller.key.account_wide => Ok(caller.key.account),
        Actor::Caller(_) | Actor::Operator | Actor::Person(_) | Actor::Anonymous => {
            Err(Failure::Forbidden)
        }
    }
}

/// Numbers of the accounts where the caller may do this, when its key is for the whole account.
pub async fn reached(request: &Request, permission: Permission) -> Result<Vec<i64>, Failure> {
    own_account(request)?;
    Ok(places::reach(&request.cx, permission).await?.accounts)
}

/// A living account where the caller may do this, when its key is for a whole account.
pub async fn visible(
    request: &Request,
    number: i64,
    permission: Permission,
) -> Result<Loaded<Account>, Failure> {
    own_account(request)?;
    spaces::account_for(&request.cx, number, permission).await
}

fn number(request: &Request) -> Result<i64, Failure> {
    request.param("account").parse().map_err(|_| Failure::NotFound { noun: Noun::Account })
}

/// The name in a body, when it has one.
pub fn name(fields: &mut Fields, member: Member<String>) -> Option<Name> {
    // A name cannot be taken away: `null` says nothing.
    match fields.text("name", member, Name::parse) {
        Patch::Set(name) => Some(name),
        Patch::Keep | Patch::Clear => None,
    }
}

fn second_factor(word: String) -> Result<SecondFactor, Why> {
    SecondFactor::parse(&word).ok_or_else(|| Why::not_one_of(&word, SecondFactor::WORDS))
}

/// What a body says of an account. Faults are noted.
fn patch(fields: &mut Fields, body: AccountIn) -> AccountPatch {
    AccountPatch {
        name: name(fields, body.name),
        subaccount_limit: fields.parse("subaccount_limit", body.subaccount_limit, Ok),
        second_factor: match fields.parse("second_factor", body.second_factor, second_factor) {
            Patch::Keep => None,
            Patch::Clear => Some(SecondFactor::default()),
            Patch::Set(whom) => Some(whom),
        },
        archived: body.archived.value(),
    }
}

/// The accounts that the caller may see.
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let accounts = reached(&request, Permission::AccountRead).await?;
    let predicate =
        Filter::OneOf(fields::account::number(), accounts.into_iter().map(Into::into).collect());
    let limit = u32::try_from(PAGE_MAX).unwrap_or(200);
    let query = Query { predicate, limit, ..Query::of(0) };
    let page = spaces::list::<Account>(&request.cx, query).await?;
    let data: Vec<AccountOut<'_>> = page.items.iter().map(|a| AccountOut::of(a)).collect();
    Reply::json(200, &ListOut { data, has_more: page.more, next_cursor: None, total: None })
}

/// One account.
pub async fn get(request: Request) -> Result<Reply, Failure> {
    let account = visible(&request, number(&request)?, Permission::AccountRead).await?;
    let reply = Reply::json(200, &AccountOut::of(&account))?;
    Ok(conditions::unless_matched(&request, &conditions::tag(account.version), reply))
}

/// A new account.
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let own = own_account(&request)?;
    let (body, mut fields) = read::body::<AccountIn>(&request, Reading::NullClears)?;
    let parent = body.parent.as_ref().copied().unwrap_or(own);
    if visible(&request, parent, Permission::AccountWrite).await.is_err() {
        fields.refuse("parent", Why::Unknown { what: "account" });
    }
    if body.name.as_ref().is_none() {
        fields.refuse("name", Why::Required);
    }
    let patch = patch(&mut fields, body);
    fields.finish()?;
    let account = spaces::create_account(&request.cx, Some(parent), patch).await?;
    Ok(Reply::json(201, &AccountOut::of(&account))?
        .with("etag", conditions::tag(account.version))
        .with("location", format!("/v1/accounts/{}", account.number)))
}

/// A changed or archived account.
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let condition = conditions::if_match(&request)?;
    let number = number(&request)?;
    let number = visible(&request, number, Permission::AccountWrite).await?.number;
    let (body, mut fields) = read::body::<AccountIn>(&request, Reading::NullClears)?;
    if body.parent.as_ref().is_some() {
        fields.refuse("parent", Why::ReadOnly);
    }
    let patch = patch(&mut fields, body);
    fields.finish()?;
    if patch.archived == Some(true) {
        not_own(&request, number)?;
    }
    let expect = condition.expect();
    let account = spaces::update_account(&request.cx, number, expect, patch).await?;
    Ok(Reply::json(200, &AccountOut::of(&account))?.with("etag", conditions::tag(account.version)))
}

/// Nobody saws off the branch he sits on.
fn not_own(request: &Request, number: i64) -> Result<(), Failure> {
    match number == own_account(request)? {
        true => Err(Failure::WrongState { is: "the account of this key", needs: "another" }),
        false => Ok(()),
    }
}

/// Deletes an account that is empty.
pub async fn delete(request: Request) -> Result<Reply, Failure> {
    let condition = conditions::if_match(&request)?;
    let number = match request.cx.repeats::<Account>() {
        Some(number) => number,
        None => {
            let number = number(&request)?;
            visible(&request, number, Permission::AccountDelete).await?.number
        }
    };
    not_own(&request, number)?;
    spaces::delete_account(&request.cx, number, condition.expect()).await?;
    Ok(Reply::empty(204))
}
