//! Roles: `/v1/roles`. The built-in ones, and those that accounts make for themselves.

use patron_app::{
    Id, Loaded, places,
    roles::{self, RolePatch},
    search::{After, Query, fields::role as fields},
};
use patron_gateway::{Fields, Member, Reading, Reply, Request};
use patron_model::{
    Failure, Noun, Patch, Permission, Permissions, Why, permission::Role, role::OwnRole,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    accounts, conditions,
    customers::{PAGE_MAX, read, show::ListOut},
    lists::{self, Place},
};

/// A role.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Role")]
pub struct RoleOut {
    /// UUID; built-in roles have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<uuid::Uuid>,
    /// Number; names the role in paths.
    number: i64,
    /// Whether it came along and cannot be changed.
    built_in: bool,
    /// Number of the account it belongs to; built-in roles belong to none.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<i64>,
    /// What people call it.
    name: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// What it may do.
    permissions: Vec<&'static str>,
    /// Whether it counts for a person only who has proven a second factor.
    second_factor: bool,
    /// Counts the changes, from 1.
    version: i64,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    created_at: Option<String>,
    /// When it was last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    updated_at: Option<String>,
}

fn words(permissions: Permissions) -> Vec<&'static str> {
    permissions.iter().map(Permission::as_str).collect()
}

impl From<Role> for RoleOut {
    fn from(role: Role) -> RoleOut {
        RoleOut {
            id: None,
            number: role.number(),
            built_in: true,
            account: None,
            name: role.as_str().to_owned(),
            description: Some(role.about().to_owned()),
            permissions: words(role.permissions()),
            second_factor: role.demands_second_factor(),
            version: 1,
            created_at: None,
            updated_at: None,
        }
    }
}

impl From<&OwnRole> for RoleOut {
    fn from(role: &OwnRole) -> RoleOut {
        RoleOut {
            id: Some(role.uuid),
            number: role.number,
            built_in: false,
            account: Some(role.account),
            name: role.name.as_str().to_owned(),
            description: (!role.description.is_empty()).then(|| role.description.clone()),
            permissions: words(role.permissions),
            second_factor: role.second_factor,
            version: role.version,
            created_at: Some(role.created_at.rfc3339_micros()),
            updated_at: Some(role.updated_at.rfc3339_micros()),
        }
    }
}

/// A role as it is written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "RoleInput")]
pub struct RoleIn {
    /// Number of the account it belongs to, the key's own when absent; creation only.
    account: Member<i64>,
    /// What people call it.
    name: Member<String>,
    /// What it is for.
    description: Member<String>,
    /// What it may do, in words like `customer:read`.
    permissions: Member<Vec<String>>,
    /// Whether it counts for a person only who has proven a second factor.
    second_factor: Member<bool>,
}

/// Words as permissions.
pub fn permissions(words: Vec<String>) -> Result<Permissions, Why> {
    let all = || Permission::ALL.iter().map(|permission| permission.as_str());
    let known = |word: &String| {
        Permission::parse(word).ok_or_else(|| Why::unknown("permission", word, all()))
    };
    words.iter().map(known).collect()
}

/// What a body says of a role. Faults are noted.
fn patch(body: RoleIn, fields: &mut Fields) -> RolePatch {
    let set = |patch: Patch<Permissions>| match patch {
        Patch::Set(value) => Some(value),
        Patch::Keep | Patch::Clear => None,
    };
    RolePatch {
        name: accounts::name(fields, body.name),
        names: None,
        description: match fields.parse("description", body.description, Ok) {
            Patch::Keep => None,
            Patch::Clear => Some(String::new()),
            Patch::Set(text) => Some(text),
        },
        permissions: set(fields.parse("permissions", body.permissions, permissions)),
        second_factor: match fields.parse("second_factor", body.second_factor, Ok) {
            Patch::Keep => None,
            Patch::Clear => Some(false),
            Patch::Set(is_demanded) => Some(is_demanded),
        },
    }
}

fn shown(status: u16, role: &OwnRole) -> Result<Reply, Failure> {
    Ok(Reply::json(status, &RoleOut::from(role))?.with("etag", conditions::tag(role.version)))
}

/// Built-in roles, then those of the accounts where the caller may see them, by their numbers.
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let (params, mut faults) = (request.query(), request.query_faults());
    let limit = faults.int(&params, "limit", 50, 1, PAGE_MAX);
    let limit = usize::try_from(limit).unwrap_or(50);
    let question = lists::question(&["roles"]);
    let after = faults.keep(lists::after(&params, &question))?.flatten();
    faults.finish()?;
    let after = after.map_or(0, |after| after.number);
    let built_in = Role::ALL.into_iter().filter(|role| role.number() > after);
    let mut data: Vec<RoleOut> = built_in.map(RoleOut::from).take(limit).collect();
    let mut has_more = data.last().is_some_and(|last| last.number < Role::ALL.len() as i64);
    let room = limit - data.len();
    if !has_more {
        let reach = places::reach(&request.cx, Permission::RoleRead).await?;
        let after = Some(After { keys: Vec::new(), number: after });
        // One more than there is room for says whether others follow, where there is none left.
        let limit = u32::try_from(room.max(1)).unwrap_or(1);
        let query =
            Query { predicate: reach.in_accounts(fields::account()), after, limit, ..Query::of(0) };
        let page = roles::list(&request.cx, query).await?;
        has_more = page.more || room < page.items.len();
        data.extend(page.items.iter().take(room).map(|role| RoleOut::from(&role.record)));
    }
    let last = data.last().filter(|_| has_more).map(|role| role.number);
    let next = last.map(|number| lists::write(&question, Place::List { key: None, number }));
    let next_cursor = next.transpose()?;
    Reply::json(200, &ListOut { data, has_more, next_cursor, total: None })
}

fn id(request: &Request) -> Result<Id, Failure> {
    Id::parse(request.param("role"), Noun::Role)
}

/// A role that is no built-in one.
fn own(request: &Request) -> Result<Id, Failure> {
    let id = id(request)?;
    match id {
        Id::Number(number) if Role::numbered(number).is_some() => {
            Err(Failure::WrongState { is: "a built-in role", needs: "one of an account" })
        }
        Id::Number(_) | Id::Uuid(_) => Ok(id),
    }
}

/// One role.
pub async fn get(request: Request) -> Result<Reply, Failure> {
    let id = id(&request)?;
    if let Id::Number(number) = id
        && let Some(role) = Role::numbered(number)
    {
        let reply = Reply::json(200, &RoleOut::from(role))?;
        return Ok(conditions::unless_matched(&request, &conditions::tag(1), reply));
    }
    let role: Loaded<OwnRole> = roles::get(&request.cx, id).await?;
    let reply = Reply::json(200, &RoleOut::from(&role.record))?;
    Ok(conditions::unless_matched(&request, &conditions::tag(role.version), reply))
}

/// A new role of an account.
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let (body, mut fields) = read::body::<RoleIn>(&request, Reading::NullClears)?;
    let account = body.account.as_ref().copied();
    let needed = [
        ("name", body.name.as_ref().is_some()),
        ("permissions", body.permissions.as_ref().is_some()),
    ];
    for (member, _) in needed.into_iter().filter(|(_, is_said)| !is_said) {
        fields.refuse(member, Why::Required);
    }
    let patch = patch(body, &mut fields);
    fields.finish()?;
    let account = match account {
        Some(account) => account,
        None => accounts::own_account(&request)?,
    };
    let made = roles::create(&request.cx, account, patch).await?;
    Ok(shown(201, &made)?.with("location", format!("/v1/roles/{}", made.number)))
}

/// A changed role, for all who hold it (JSON Merge Patch).
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let condition = conditions::if_match(&request)?;
    let (body, mut fields) = read::body::<RoleIn>(&request, Reading::NullClears)?;
    if !body.account.is_absent() {
        fields.refuse("account", Why::ReadOnly);
    }
    let patch = patch(body, &mut fields);
    fields.finish()?;
    let saved = roles::update(&request.cx, own(&request)?, condition.expect(), &patch).await?;
    shown(200, &saved)
}

/// Deletes a role that nobody holds.
pub async fn delete(request: Request) -> Result<Reply, Failure> {
    let condition = conditions::if_match(&request)?;
    roles::delete(&request.cx, own(&request)?, condition.expect()).await?;
    Ok(Reply::empty(204))
}
