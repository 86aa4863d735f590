//! Accounts (dossier §9.1). The one that the deployment began with is the master account; those
//! made through an API lie below another one.

use patron_app::{
    Cx, Expect, Loaded, places,
    search::{Filter, fields::account as fields},
    spaces::{self, AccountPatch},
};
use patron_gateway::{Fields, Member, Reading, Reply, Request, catalogue::Expand};
use patron_model::{Failure, Patch, Permission, Why, space::Account as Record, text::Name};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    catalogues::expand,
    filters::Kind,
    input::{expected, required},
    lists::{ListParams, SearchParams, Searched, States},
    transport::number,
};

/// The scope that all accounts are in: the deployment.
pub const SCOPE: i64 = 1;
/// The account that a deployment begins with.
const MASTER: i64 = 1;
/// Characters of a name at least; a shorter one, which another API allowed, is left out.
pub const NAME_MIN: usize = 3;
/// Characters of a name at most.
pub const NAME_MAX: usize = 200;
/// What an account is called that is made without a name.
const NAMELESS: &str = "Account";

/// A name as the SDK reads it.
pub fn shown_name(name: &Name) -> Option<&str> {
    (NAME_MIN..=NAME_MAX).contains(&name.as_str().chars().count()).then(|| name.as_str())
}

/// Reads a name of an account or a space.
///
/// # Errors
/// `TooShort`, `TooLong`, and whatever no name may have.
pub fn name(typed: &str) -> Result<Name, Why> {
    match typed.chars().count() {
        count if count < NAME_MIN => Err(Why::TooShort { min: NAME_MIN }),
        count if count > NAME_MAX => Err(Why::TooLong { max: NAME_MAX }),
        _ => Name::parse(typed),
    }
}

/// The scope of an account.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scope {
    /// Number of it.
    id: i64,
    /// What it is called, where the whole is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'static str>,
    /// Its name for machines, where the whole is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    machine_name: Option<&'static str>,
    /// `ACTIVE`, where the whole is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
}

/// An account as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Number of the account.
    id: i64,
    /// Version a change must name.
    version: i64,
    /// When it was made.
    created_on: String,
    /// The user who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<i64>,
    /// When it was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_on: Option<String>,
    /// The user who deleted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_by: Option<i64>,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The account above it.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_account: Option<AccountReference>,
    /// `MASTER`, `REGULAR` or `SUBACCOUNT`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The scope it is in.
    scope: Scope,
    /// `ACTIVE`, `INACTIVE` or `DELETED`.
    state: &'static str,
    /// Whether its users may do anything.
    active: bool,
    /// No account is active in part.
    restricted_active: bool,
    /// Whether its users may do anything.
    active_or_restricted_active: bool,
    /// How many accounts it may have below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    subaccount_limit: Option<i64>,
}

/// A reference to an account: its id, or all of it when the caller expands it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum AccountReference {
    /// The id alone.
    Id {
        /// Number of the account.
        id: i64,
    },
    /// The account.
    Whole(Box<Account>),
}

/// The states of an account.
const STATES: States = States {
    living: &["ACTIVE", "INACTIVE"],
    gone: &["DELETED"],
    filter: in_state,
    sorted: fields::archived_at,
};

fn state(record: &Record) -> &'static str {
    match (record.deleted_at, record.archived_at) {
        (Some(_), _) => "DELETED",
        (None, Some(_)) => "INACTIVE",
        (None, None) => "ACTIVE",
    }
}

impl Account {
    /// An account, those above it shown as far as they are wanted and the caller may see them.
    pub async fn of(cx: &Cx, record: &Record, wanted: &Expand) -> Result<Account, Failure> {
        let parent_account = match record.parent {
            Some(parent) => {
                Some(AccountReference::to(cx, parent, wanted.at("parentAccount")).await?)
            }
            None => None,
        };
        let is_whole = wanted.at("scope").is_some();
        let whole = |word: &'static str| is_whole.then_some(word);
        Ok(Account {
            id: record.number,
            version: record.version,
            created_on: record.created_at.rfc3339_millis(),
            created_by: record.created_by,
            deleted_on: record.deleted_at.map(|at| at.rfc3339_millis()),
            deleted_by: record.deleted_by,
            name: shown_name(&record.name).map(str::to_owned),
            parent_account,
            kind: match (record.number, record.parent) {
                (MASTER, _) => "MASTER",
                (_, None) => "REGULAR",
                (_, Some(_)) => "SUBACCOUNT",
            },
            scope: Scope {
                id: SCOPE,
                name: whole("Patron"),
                machine_name: whole("Patron"),
                state: whole("ACTIVE"),
            },
            state: state(record),
            active: record.is_open(),
            restricted_active: false,
            active_or_restricted_active: record.is_open(),
            subaccount_limit: record.subaccount_limit,
        })
    }
}

impl AccountReference {
    /// An account, as a whole where that is wanted and the caller may see it.
    pub async fn to(
        cx: &Cx,
        number: i64,
        wanted: Option<&Expand>,
    ) -> Result<AccountReference, Failure> {
        let Some(wanted) = wanted else { return Ok(AccountReference::Id { id: number }) };
        match spaces::account_ever_for(cx, number, Permission::AccountRead).await {
            // The account above it refers to one itself.
            Ok(record) => {
                let whole = Box::pin(Account::of(cx, &record, wanted)).await?;
                Ok(AccountReference::Whole(Box::new(whole)))
            }
            Err(Failure::NotFound { .. }) => Ok(AccountReference::Id { id: number }),
            Err(failure) => Err(failure),
        }
    }
}

/// An account as a body says it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct AccountIn {
    /// Version the change builds on; required for changes.
    version: Member<i32>,
    /// The scope, 1; creation only, and required then.
    scope: Member<i64>,
    /// What people call it, 3 to 200 characters.
    name: Member<String>,
    /// The account above it, that of the caller when absent; creation only.
    parent_account: Member<i64>,
    /// How many accounts it may have below it.
    subaccount_limit: Member<i64>,
}

/// What a body says of an account. Faults are noted.
fn patch(body: AccountIn, fields: &mut Fields) -> AccountPatch {
    AccountPatch {
        name: fields.text("name", body.name, name).apply(None),
        subaccount_limit: body.subaccount_limit.value().map_or(Patch::Keep, Patch::Set),
        ..AccountPatch::default()
    }
}

// ---- reading --------------------------------------------------------------------------------

fn resolve(name: &str) -> Option<(Searched, Kind)> {
    let field = |field, kind| Some((Searched::Field(field), kind));
    match name {
        "id" => field(fields::number(), Kind::Whole),
        "version" => field(fields::version(), Kind::Whole),
        "name" => field(fields::name(), Kind::Text),
        "parentAccount" | "parentAccount.id" => field(fields::parent(), Kind::Whole),
        "subaccountLimit" => field(fields::subaccount_limit(), Kind::Whole),
        "createdOn" => field(fields::created_at(), Kind::Moment),
        "createdBy" => field(fields::created_by(), Kind::Whole),
        "state" => Some((Searched::State, Kind::Text)),
        _ => None,
    }
}

fn in_state(word: &str) -> Filter {
    let deleted = Filter::Missing(fields::deleted_at());
    let archived = Filter::Missing(fields::archived_at());
    let not = |filter| Filter::Not(Box::new(filter));
    match word {
        "ACTIVE" => deleted.and(archived),
        "INACTIVE" => deleted.and(not(archived)),
        _ => not(deleted),
    }
}

async fn shown(request: &Request, records: &[Record]) -> Result<Vec<Account>, Failure> {
    let wanted = expand(request);
    let mut shown = Vec::with_capacity(records.len());
    for record in records {
        shown.push(Account::of(&request.cx, record, &wanted).await?);
    }
    Ok(shown)
}

/// Accounts that the caller may see.
async fn visible(request: &Request) -> Result<Filter, Failure> {
    let reach = places::reach(&request.cx, Permission::AccountRead).await?;
    Ok(reach.in_accounts(fields::number()))
}

/// `GET /accounts`
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let params = ListParams::read(&request)?;
    let mut query = params.query(0);
    query.predicate = visible(&request).await?.and(query.predicate);
    let found = spaces::list::<Record>(&request.cx, query).await?;
    let records: Vec<Record> = found.items.into_iter().map(|one| one.record).collect();
    Reply::json(200, &params.page(shown(&request, &records).await?, found.more))
}

/// `GET /accounts/search`: those that were deleted are found where their state is asked for.
pub async fn search(request: Request) -> Result<Reply, Failure> {
    let params = SearchParams::read(&request, &resolve)?;
    let visible = visible(&request).await?;
    let found = params.find::<Record>(&request.cx, &STATES, visible).await?;
    let records: Vec<Record> = found.items.into_iter().map(|one| one.record).collect();
    Reply::json(200, &params.page(shown(&request, &records).await?, found.more))
}

/// `GET /accounts/{id}`: also one that was deleted.
pub async fn retrieve(request: Request) -> Result<Reply, Failure> {
    let number = number(&request, "id")?;
    let record = spaces::account_ever_for(&request.cx, number, Permission::AccountRead).await?;
    Reply::json(200, &Account::of(&request.cx, &record, &expand(&request)).await?)
}

// ---- writing --------------------------------------------------------------------------------

/// `POST /accounts`
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let (body, mut fields) = request.read::<AccountIn>(Reading::NullKeeps)?;
    let scope = required(&mut fields, "scope", body.scope.clone());
    if scope.is_some_and(|scope| scope != SCOPE) {
        fields.refuse("scope", Why::Unknown { what: "scope" });
    }
    let parent = match body.parent_account.as_ref() {
        Some(parent) => *parent,
        None => request.cx.caller()?.key.account,
    };
    let patch = patch(body, &mut fields);
    fields.finish()?;
    let (member, may) = ("parentAccount", Permission::AccountWrite);
    let parent = spaces::account_named(&request.cx, member, parent, may).await?;
    let nameless = || Name::parse(NAMELESS).map_err(Failure::internal);
    let name = patch.name.map_or_else(nameless, Ok)?;
    let patch = AccountPatch { name: Some(name), ..patch };
    let made = spaces::create_account(&request.cx, Some(parent.number), patch).await;
    let made = made.map_err(|failure| match failure {
        // The one above it has as many as it may, or lies too deep.
        Failure::WrongState { needs, .. } => {
            Failure::invalid("parentAccount", Why::Mismatch { with: needs })
        }
        other => other,
    })?;
    Reply::json(201, &Account::of(&request.cx, &made, &expand(&request)).await?)
}

/// The living account of the path, where the caller may do this.
async fn living(request: &Request, permission: Permission) -> Result<Loaded<Record>, Failure> {
    spaces::account_for(&request.cx, number(request, "id")?, permission).await
}

/// `PATCH /accounts/{id}`
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let account = living(&request, Permission::AccountWrite).await?;
    let (body, mut fields) = request.read::<AccountIn>(Reading::NullKeeps)?;
    let expect = expected(&mut fields, body.version.clone());
    let patch = patch(body, &mut fields);
    fields.finish()?;
    let saved = spaces::update_account(&request.cx, account.number, expect, patch).await?;
    Reply::json(200, &Account::of(&request.cx, &saved, &expand(&request)).await?)
}

/// Nobody saws off the branch he sits on.
fn not_own(request: &Request, number: i64) -> Result<(), Failure> {
    match number == request.cx.caller()?.key.account {
        true => Err(Failure::WrongState { is: "the account of this user", needs: "another" }),
        false => Ok(()),
    }
}

/// `POST /accounts/{id}/activate`, `POST /accounts/{id}/deactivate`: 204 also where nothing
/// changes.
pub async fn activate(archived: bool, request: Request) -> Result<Reply, Failure> {
    let account = living(&request, Permission::AccountWrite).await?;
    if archived {
        not_own(&request, account.number)?;
    }
    let patch = AccountPatch { archived: Some(archived), ..AccountPatch::default() };
    spaces::update_account(&request.cx, account.number, Expect::Any, patch).await?;
    Ok(Reply::empty(204))
}

/// `DELETE /accounts/{id}`
pub async fn delete(request: Request) -> Result<Reply, Failure> {
    let account = living(&request, Permission::AccountDelete).await?;
    not_own(&request, account.number)?;
    spaces::delete_account(&request.cx, account.number, Expect::Any).await?;
    Ok(Reply::empty(204))
}
