//! Roles, and who holds which for an account or a space (dossier §9.1). The built-in ones belong to
//! no account and cannot be changed.

use std::collections::BTreeMap;

use patron_app::{
    Id,
    assignments::{self, Where},
    places,
    rights::Place,
    roles::{self, RolePatch},
    search::{After, Order, Query, fields},
};
use patron_gateway::{Fields, Member, Reading, Reply, Request};
use patron_model::{
    Failure, Noun, Permission, Permissions, Why,
    language::Language,
    permission::Role as BuiltIn,
    role::{Assignment, OwnRole},
    space::Account,
    text::Name,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::{
    catalogues::expand,
    families::CATALOGUES,
    filters::{Kind, Value},
    input::{expected, required},
    lists::{ListParams, ListResponse, SearchParams},
    transport::number,
    users::{self, Family},
};

/// The language of a name that is in none.
const LANGUAGE: &str = "en-US";
/// Own roles that are read with one question.
const ROLES_AT_ONCE: u32 = 200;
/// Own roles that a caller sees at most.
const ROLES_SHOWN_MAX: usize = 10_000;
/// Languages that a name is in at most.
const LANGUAGES_MAX: usize = 20;

/// What refers to something shown elsewhere.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Reference {
    /// Number of it.
    id: i64,
}

/// A role as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Role {
    /// Number of the role.
    id: i64,
    /// Version a change must name.
    version: i64,
    /// `ACTIVE` or `DELETED`.
    state: &'static str,
    /// Name by language.
    name: BTreeMap<String, String>,
    /// What it may do.
    permissions: Vec<Json>,
    /// The account it belongs to; built-in ones belong to none.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<Reference>,
    /// Whether a second factor is asked of who holds it.
    two_factor_required: bool,
}

/// Permissions as ids, or whole where wanted.
fn permissions(request: &Request, permissions: Permissions) -> Vec<Json> {
    let wanted = expand(request);
    let catalogue = CATALOGUES.of("Permission");
    let shown = |permission: Permission| {
        let id = i64::from(permission.number());
        let row = catalogue.and_then(|catalogue| catalogue.get(&id.to_string()));
        match (wanted.at("permissions"), row) {
            (Some(wanted), Some(row)) => CATALOGUES.show("Permission", row, wanted),
            _ => json!({"id": id}),
        }
    };
    permissions.iter().map(shown).collect()
}

impl Role {
    fn built_in(request: &Request, role: BuiltIn) -> Role {
        let name = role.as_str().replace('_', " ");
        Role {
            id: role.number(),
            version: 1,
            state: "ACTIVE",
            name: BTreeMap::from([(LANGUAGE.to_owned(), name)]),
            permissions: permissions(request, role.permissions()),
            account: None,
            two_factor_required: role.demands_second_factor(),
        }
    }

    fn own(request: &Request, role: &OwnRole) -> Role {
        let mut name: BTreeMap<String, String> =
            role.names.iter().map(|(tag, name)| (tag.clone(), name.as_str().to_owned())).collect();
        if name.is_empty() {
            name.insert(LANGUAGE.to_owned(), role.name.as_str().to_owned());
        }
        Role {
            id: role.number,
            version: role.version,
            state: if role.deleted_at.is_some() { "DELETED" } else { "ACTIVE" },
            name,
            permissions: permissions(request, role.permissions),
            account: Some(Reference { id: role.account }),
            two_factor_required: role.second_factor,
        }
    }
}

/// A permission that a body names.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PermissionIn {
    /// Its number.
    id: Option<i64>,
}

/// A role as a body says it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct RoleIn {
    /// Version the change builds on; required for changes.
    version: Member<i32>,
    /// The account it belongs to; creation only.
    account: Member<i64>,
    /// Name by language.
    name: Member<BTreeMap<String, String>>,
    /// What it may do.
    permissions: Member<Vec<PermissionIn>>,
    /// Whether a second factor is asked for: nobody signs in with one yet.
    two_factor_required: Member<bool>,
}

fn names(sent: BTreeMap<String, String>) -> Result<BTreeMap<String, Name>, Why> {
    if sent.is_empty() {
        return Err(Why::TooShort { min: 1 });
    }
    if sent.len() > LANGUAGES_MAX {
        return Err(Why::TooMany { max: LANGUAGES_MAX });
    }
    let one = |(tag, name): (String, String)| {
        Language::parse(&tag)?;
        Ok((tag, Name::parse(&name)?))
    };
    sent.into_iter().map(one).collect()
}

fn known(sent: Vec<PermissionIn>) -> Result<Permissions, Why> {
    let one = |permission: PermissionIn| {
        let known = permission.id.and_then(Permission::numbered);
        known.ok_or(Why::Unknown { what: "permission" })
    };
    sent.into_iter().map(one).collect()
}

/// What a body says of a role. Faults are noted.
fn patch(body: RoleIn, fields: &mut Fields) -> RolePatch {
    let names = fields.parse("name", body.name, names).apply(None);
    let first = names.as_ref().and_then(|names| names.get(LANGUAGE).or(names.values().next()));
    RolePatch {
        name: first.cloned(),
        names,
        description: None,
        permissions: fields.parse("permissions", body.permissions, known).apply(None),
        second_factor: fields.parse("twoFactorRequired", body.two_factor_required, Ok).apply(None),
    }
}

// ---- roles ----------------------------------------------------------------------------------

/// Every role that the caller may see, the built-in ones first.
async fn visible(request: &Request) -> Result<Vec<Role>, Failure> {
    let built_in = BuiltIn::ALL.into_iter().map(|role| Role::built_in(request, role));
    let mut all: Vec<Role> = built_in.collect();
    let reach = places::reach(&request.cx, Permission::RoleRead).await?;
    let mut query = Query {
        predicate: reach.in_accounts(fields::role::account()),
        order: Order::by_number(),
        limit: ROLES_AT_ONCE,
        ..Query::of(0)
    };
    loop {
        let found = roles::list(&request.cx, query.clone()).await?;
        all.extend(found.items.iter().map(|role| Role::own(request, role)));
        let last = found.items.last().filter(|_| found.more && all.len() < ROLES_SHOWN_MAX);
        let Some(last) = last else { return Ok(all) };
        query.after = Some(After { keys: Vec::new(), number: last.number });
    }
}

/// `GET /roles`
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let params = ListParams::read(&request)?;
    Reply::json(200, &params.page_of(visible(&request).await?, |role| role.id))
}

/// Members that roles are searched by.
#[derive(Debug, Clone)]
enum Searched {
    Id,
    Version,
    State,
    Account,
    Name(String),
}

fn resolve(name: &str) -> Option<(Searched, Kind)> {
    Some(match name {
        "id" => (Searched::Id, Kind::Whole),
        "version" => (Searched::Version, Kind::Whole),
        "state" => (Searched::State, Kind::Text),
        "account" | "account.id" => (Searched::Account, Kind::Whole),
        "name" => (Searched::Name(LANGUAGE.to_owned()), Kind::Text),
        name => (Searched::Name(name.strip_prefix("name.")?.to_owned()), Kind::Text),
    })
}

/// `GET /roles/search`
pub async fn search(request: Request) -> Result<Reply, Failure> {
    let params = SearchParams::read(&request, &resolve)?;
    let value = |role: &Role, field: &Searched| match field {
        Searched::Id => Some(Value::Whole(role.id)),
        Searched::Version => Some(Value::Whole(role.version)),
        Searched::State => Some(Value::Text(role.state.to_owned())),
        Searched::Account => role.account.as_ref().map(|account| Value::Whole(account.id)),
        Searched::Name(language) => role.name.get(language).cloned().map(Value::Text),
    };
    Reply::json(200, &params.page_of(visible(&request).await?, value))
}

/// `GET /roles/{id}`
pub async fn retrieve(request: Request) -> Result<Reply, Failure> {
    let id = number(&request, "id")?;
    if let Some(role) = BuiltIn::numbered(id) {
        return Reply::json(200, &Role::built_in(&request, role));
    }
    let role = roles::get_ever(&request.cx, Id::Number(id)).await?;
    Reply::json(200, &Role::own(&request, &role))
}

/// `POST /roles`
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let (body, mut fields) = request.read::<RoleIn>(Reading::NullKeeps)?;
    let account = required(&mut fields, "account", body.account.clone());
    if body.name.as_ref().is_none() {
        fields.refuse("name", Why::Required);
    }
    let patch = patch(body, &mut fields);
    fields.finish()?;
    let account = account.ok_or_else(|| Failure::internal("no fault was noted"))?;
    let made = roles::create(&request.cx, account, patch).await?;
    Reply::json(201, &Role::own(&request, &made))
}

/// The number of a role that is no built-in one.
fn own(request: &Request) -> Result<Id, Failure> {
    let id = number(request, "id")?;
    match BuiltIn::numbered(id) {
        Some(_) => Err(Failure::WrongState { is: "a built-in role", needs: "one of an account" }),
        None => Ok(Id::Number(id)),
    }
}

/// `PATCH /roles/{id}`
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let (body, mut fields) = request.read::<RoleIn>(Reading::NullKeeps)?;
    let expect = expected(&mut fields, body.version.clone());
    let patch = patch(body, &mut fields);
    fields.finish()?;
    let saved = roles::update(&request.cx, own(&request)?, expect, &patch).await?;
    Reply::json(200, &Role::own(&request, &saved))
}

/// `DELETE /roles/{id}`
pub async fn delete(request: Request) -> Result<Reply, Failure> {
    roles::delete(&request.cx, own(&request)?, patron_app::Expect::Any).await?;
    Ok(Reply::empty(204))
}

// ---- who holds them -------------------------------------------------------------------------

/// A role that a user holds for an account.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserAccountRole {
    /// Number of the assignment.
    id: i64,
    /// Counts its changes.
    version: i64,
    /// Number of the user.
    user: i64,
    /// Number of the role.
    role: i64,
    /// Number of the account.
    account: i64,
    /// Whether it holds in the accounts below, too.
    applies_on_sub_account: bool,
}

/// A role that a user holds for a space.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserSpaceRole {
    /// Number of the assignment.
    id: i64,
    /// Counts its changes.
    version: i64,
    /// Number of the user.
    user: i64,
    /// Number of the role.
    role: i64,
    /// Number of the space.
    space: i64,
}

fn shown(held: &Assignment) -> Json {
    let of_account = |_| {
        let Assignment { number: id, version, user, role, account, subaccounts, .. } = *held;
        let applies_on_sub_account = subaccounts;
        serde_json::to_value(UserAccountRole {
            id,
            version,
            user,
            role,
            account,
            applies_on_sub_account,
        })
    };
    let of_space = |space| {
        let Assignment { number: id, version, user, role, .. } = *held;
        serde_json::to_value(UserSpaceRole { id, version, user, role, space })
    };
    held.space.map_or_else(|| of_account(()), of_space).unwrap_or_default()
}

/// The place that the header names: the space, or the account of `Account`.
async fn place(request: &Request, is_of_space: bool) -> Result<Place, Failure> {
    if is_of_space {
        let space = request.cx.space;
        let record = request.cx.space_record().ok_or(Failure::Forbidden)?;
        let path = places::path(&request.cx.app, record.account).await?;
        return Ok(Place { space: Some(space), path });
    }
    let sent = request.text_header("account")?.map(str::trim).unwrap_or_default();
    if sent.is_empty() {
        return Err(Failure::malformed("account", Why::Required));
    }
    let number: i64 = sent.parse().map_err(|_| {
        Failure::malformed("account", Why::WrongType { expected: "a whole number" })
    })?;
    match patron_app::spaces::get::<Account>(&request.cx, number).await {
        Err(Failure::NotFound { .. }) => return Err(Failure::Forbidden),
        account => account?,
    };
    let place = places::account(&request.cx.app, number).await?;
    // An account where he may do nothing is as good as none (dossier §2).
    match request.cx.rights_at(&place).is_empty() {
        true => Err(Failure::Forbidden),
        false => Ok(place),
    }
}

/// What a path of roles is about: the family of the user, and whether the header names a space.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// The family of the user.
    pub family: Family,
    /// Whether roles for a space are meant, else for an account.
    pub is_of_space: bool,
}

async fn held(request: &Request, about: About) -> Result<Vec<Assignment>, Failure> {
    let place = place(request, about.is_of_space).await?;
    let user = users::found(request, about.family, "userId").await?.number;
    request.cx.may_at(Permission::AccessRead, &place)?;
    living(request, user, &place).await
}

/// Roles that a user holds exactly there.
async fn living(request: &Request, user: i64, place: &Place) -> Result<Vec<Assignment>, Failure> {
    let held = request.cx.app.held_by(&[user]).await?;
    let is_there = |one: &&Assignment| {
        one.space == place.space
            && (one.space.is_some() || place.path.first() == Some(&one.account))
    };
    let mut there: Vec<Assignment> = held.of(user).iter().filter(is_there).cloned().collect();
    there.sort_unstable_by_key(|one| one.number);
    Ok(there)
}

/// `GET …/{userId}/account-roles`, `GET …/{userId}/space-roles`
pub async fn list_held(about: About, request: Request) -> Result<Reply, Failure> {
    let data: Vec<Json> = held(&request, about).await?.iter().map(shown).collect();
    let limit = u32::try_from(data.len()).map_err(Failure::internal)?;
    Reply::json(200, &ListResponse { data, has_more: false, limit })
}

fn role_id(request: &Request) -> Result<i64, Failure> {
    let (query, mut faults) = (request.query(), request.query_faults());
    if query.get("roleId").is_none_or(str::is_empty) {
        faults.misread("roleId", Why::Required);
    }
    let role = faults.int(&query, "roleId", 0, 1, i64::MAX);
    faults.finish()?;
    Ok(role)
}

/// `POST …/{userId}/account-roles`, `POST …/{userId}/space-roles`
pub async fn grant(about: About, request: Request) -> Result<Reply, Failure> {
    let place = place(&request, about.is_of_space).await?;
    let role = role_id(&request)?;
    let subaccounts = match request.query().get("appliesOnSubAccount") {
        None | Some("" | "false") => false,
        Some("true") => true,
        Some(word) => {
            let why = Why::not_one_of(word, "true, false");
            return Err(Failure::malformed("appliesOnSubAccount", why));
        }
    };
    let user = users::found(&request, about.family, "userId").await?.number;
    let at = match place.space {
        Some(space) => Where::Space(space),
        None => Where::Account { number: place.path[0], subaccounts },
    };
    let made = assignments::grant(&request.cx, Id::Number(user), role, at).await;
    let made = made.map_err(|failure| match failure {
        Failure::Exists { .. } => Failure::invalid("roleId", Why::Taken),
        other => other,
    })?;
    Reply::json(200, &shown(&made))
}

/// `DELETE …/{userId}/account-roles`, `DELETE …/{userId}/space-roles`
pub async fn withdraw(about: About, request: Request) -> Result<Reply, Failure> {
    let place = place(&request, about.is_of_space).await?;
    let role = role_id(&request)?;
    let user = users::found(&request, about.family, "userId").await?.number;
    let held = living(&request, user, &place).await?;
    let known = held.iter().find(|one| one.role == role);
    let held = known.ok_or(Failure::NotFound { noun: Noun::Assignment })?;
    assignments::withdraw(&request.cx, Id::Number(user), Id::Number(held.number)).await?;
    Ok(Reply::empty(204))
}
