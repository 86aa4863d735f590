//! Accounts: `/v1/accounts`. A key for a whole account sees those where its user may.

use patron_app::{
    Actor, Loaded, places,
    search::{Filter, Query, fields},
    spaces::{self, AccountPatch},
};
use patron_gateway::{Fields, Member, Reading, Reply, Request};
use patron_model::{Failure, Noun, Patch, Permission, Timestamp, Why, space::Account, text::Name};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    conditions,
    customers::{PAGE_MAX, read, show::ListOut},
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
    fn of(account: &'a Account) -> Self {
        AccountOut {
            id: account.uuid,
            number: account.number,
            version: account.version,
            name: account.name.as_str(),
            parent: account.parent,
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
}

/// The account of the caller, when its key is for the whole account.
pub fn own_account(request: &Request) -> Result<i64, Failure> {
    match &request.cx.actor {
        Actor::Caller(caller) if caller.key.account_wide => Ok(caller.key.account),
        Actor::Caller(_) | Actor::Operator | Actor::Anonymous => Err(Failure::Forbidden),
    }
}

/// Numbers of the accounts where the caller may do this, when its key is for the whole account.
pub async fn reached(request: &Request, permission: Permission) -> Result<Vec<i64>, Failure> {
    own_account(request)?;
    Ok(places::reach(&request.cx, permission).await?.accounts)
}

/// An account where the caller may do this. One that he may not even see is none.
pub async fn visible(
    request: &Request,
    number: i64,
    permission: Permission,
) -> Result<Loaded<Account>, Failure> {
    own_account(request)?;
    let account = spaces::get::<Account>(&request.cx, number).await?;
    let place = places::account(&request.cx.app, number).await?;
    let seen = request.cx.may_at(Permission::AccountRead, &place);
    match request.cx.may_at(permission, &place) {
        Ok(()) => Ok(account),
        Err(refused) if seen.is_ok() => Err(refused),
        Err(_) => Err(Failure::NotFound { noun: Noun::Account }),
    }
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

/// The name of what is made, when nothing is wrong with the body.
pub fn new_name(mut fields: Fields, member: Member<String>) -> Result<Name, Failure> {
    let name = name(&mut fields, member.clone());
    if member.value().is_none() {
        fields.refuse("name", Why::Required);
    }
    fields.finish()?;
    name.ok_or_else(|| Failure::invalid("name", Why::Required))
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
    let (body, mut fields) = read::body::<AccountIn>(&request, Reading::NullKeeps)?;
    let parent = body.parent.value().unwrap_or(own);
    if visible(&request, parent, Permission::AccountWrite).await.is_err() {
        fields.refuse("parent", Why::Unknown { what: "account" });
    }
    let name = new_name(fields, body.name)?;
    let account = spaces::create_account(&request.cx, Some(parent), name).await?;
    Ok(Reply::json(201, &AccountOut::of(&account))?
        .with("etag", conditions::tag(account.version))
        .with("location", format!("/v1/accounts/{}", account.number)))
}

/// A changed or archived account.
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let condition = conditions::if_match(&request)?;
    let number = number(&request)?;
    let number = visible(&request, number, Permission::AccountWrite).await?.number;
    let (body, mut fields) = read::body::<AccountIn>(&request, Reading::NullKeeps)?;
    if body.parent.as_ref().is_some() {
        fields.refuse("parent", Why::ReadOnly);
    }
    let patch =
        AccountPatch { name: name(&mut fields, body.name), archived: body.archived.value() };
    fields.finish()?;
    if patch.archived == Some(true) && number == own_account(&request)? {
        let (is, needs) = ("the account of this key", "another");
        return Err(Failure::WrongState { is, needs });
    }
    let expect = condition.expect();
    let account = spaces::update_account(&request.cx, number, expect, patch).await?;
    Ok(Reply::json(200, &AccountOut::of(&account))?.with("etag", conditions::tag(account.version)))
}
