//! Application users with their keys, and human users (dossier §9.1). Their handlers know which
//! kind a path is of; a user of the other kind is not found there.

use patron_app::{
    Loaded,
    keys::{self, Holder, NewKey},
    places,
    search::{Field, Query, fields::user as fields},
    spaces,
    users::{self, UserPatch},
};
use patron_gateway::{Fields, Member, Reading, Reply, Request};
use patron_model::{
    Failure, Noun, Patch, Permission, Why,
    email::Email,
    language::Language,
    permission::Role,
    phone::Phone,
    space::{Key, Space},
    text::Name,
    time_zone::TimeZone,
    user::{User, UserKind, UserState},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    NAME, credentials,
    filters::{Check, Kind},
    input::{expected, required},
    lists::{ListParams, SearchParams},
    transport::{id, number},
};

/// The word of a state.
fn state(state: UserState) -> &'static str {
    match state {
        UserState::Invited => "CREATE",
        UserState::Active => "ACTIVE",
        UserState::Inactive => "INACTIVE",
        UserState::Deleted => "DELETED",
    }
}

/// An application user as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationUser<'a> {
    /// Number of the user.
    id: i64,
    /// Version a change must name.
    version: i64,
    /// Whether it may do anything.
    state: &'static str,
    /// `APPLICATION_USER`.
    user_type: &'static str,
    /// What people call it.
    name: &'a str,
    /// The account it is managed in.
    primary_account: i64,
    /// The secret of its first key, in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    mac_key: Option<String>,
}

impl<'a> ApplicationUser<'a> {
    fn of(user: &'a User) -> ApplicationUser<'a> {
        ApplicationUser {
            id: user.number,
            version: user.version,
            state: state(user.state),
            user_type: "APPLICATION_USER",
            name: &user.name,
            primary_account: user.account,
            mac_key: None,
        }
    }
}

/// A human user as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HumanUser<'a> {
    /// Number of the user.
    id: i64,
    /// Version a change must name.
    version: i64,
    /// Whether it may do anything.
    state: &'static str,
    /// `HUMAN_USER`.
    user_type: &'static str,
    /// The account it is managed in.
    primary_account: i64,
    /// E-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    email_address: Option<&'a str>,
    /// Given name.
    #[serde(skip_serializing_if = "Option::is_none")]
    firstname: Option<&'a str>,
    /// Family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    lastname: Option<&'a str>,
    /// Phone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    mobile_phone_number: Option<&'a str>,
    /// Language.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    /// Time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<&'a str>,
}

impl<'a> HumanUser<'a> {
    fn of(user: &'a User) -> HumanUser<'a> {
        HumanUser {
            id: user.number,
            version: user.version,
            state: state(user.state),
            user_type: "HUMAN_USER",
            primary_account: user.account,
            email_address: user.email.as_ref().map(Email::as_str),
            firstname: user.given_name.as_ref().map(Name::as_str),
            lastname: user.family_name.as_ref().map(Name::as_str),
            mobile_phone_number: user.phone.as_ref().map(Phone::raw),
            language: user.language.as_ref().map(Language::as_str),
            time_zone: user.time_zone.as_ref().map(TimeZone::as_str),
        }
    }
}

/// A user as a body says it: what both kinds have, and what one has.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct UserIn {
    /// Version the change builds on; required for changes.
    version: Member<i32>,
    /// Account it is managed in; creation only.
    primary_account: Member<i64>,
    /// `ACTIVE` or `INACTIVE`.
    state: Member<String>,
    /// What people call an application.
    name: Member<String>,
    /// Requests in two minutes: limits are the server's, none can be set here.
    request_limit: Member<i64>,
    /// E-mail address of a person.
    email_address: Member<String>,
    /// Given name of a person.
    firstname: Member<String>,
    /// Family name of a person.
    lastname: Member<String>,
    /// Phone number of a person.
    mobile_phone_number: Member<String>,
    /// Whether a second factor is asked for: nobody signs in with one yet.
    two_factor_enabled: Member<bool>,
    /// Language of a person.
    language: Member<String>,
    /// Time zone of a person.
    time_zone: Member<String>,
}

/// A text as a patch; an empty one clears, for the SDK cannot send `null`.
fn text<T>(
    fields: &mut Fields,
    name: &str,
    member: Member<String>,
    parse: impl FnOnce(&str) -> Result<T, Why>,
) -> Patch<T> {
    match member.value() {
        None => Patch::Keep,
        Some(sent) if sent.is_empty() => Patch::Clear,
        Some(sent) => fields.text(name, Member::Value(sent), parse),
    }
}

/// What a body says of a user. Faults are noted.
fn patch(body: UserIn, fields: &mut Fields) -> UserPatch {
    if body.request_limit.as_ref().is_some() {
        fields.refuse("requestLimit", Why::Mismatch { with: "nothing: limits are the server's" });
    }
    if body.two_factor_enabled.value() == Some(true) {
        let why = Why::Mismatch { with: "false: nobody signs in by a second factor" };
        fields.refuse("twoFactorEnabled", why);
    }
    let active = fields.text("state", body.state, |word| match word {
        "ACTIVE" => Ok(true),
        "INACTIVE" => Ok(false),
        _ => Err(Why::not_one_of(word, "ACTIVE, INACTIVE")),
    });
    UserPatch {
        name: body.name.value(),
        given_name: text(fields, "firstname", body.firstname, Name::parse),
        family_name: text(fields, "lastname", body.lastname, Name::parse),
        email: text(fields, "emailAddress", body.email_address, Email::parse),
        phone: text(fields, "mobilePhoneNumber", body.mobile_phone_number, |typed| {
            Phone::parse(typed, None)
        }),
        language: text(fields, "language", body.language, Language::parse),
        time_zone: text(fields, "timeZone", body.time_zone, TimeZone::parse),
        active: match active {
            Patch::Set(active) => Some(active),
            Patch::Keep | Patch::Clear => None,
        },
    }
}

fn answer(kind: UserKind, status: u16, user: &User) -> Result<Reply, Failure> {
    match kind {
        UserKind::Application => Reply::json(status, &ApplicationUser::of(user)),
        UserKind::Human => Reply::json(status, &HumanUser::of(user)),
    }
}

/// The user of the path, deleted or not, if it is of the kind.
pub async fn found(request: &Request, kind: UserKind, name: &str) -> Result<Loaded<User>, Failure> {
    let user = users::get_ever(&request.cx, id(request, name)?).await?;
    match user.kind == kind {
        true => Ok(user),
        false => Err(Failure::NotFound { noun: Noun::User }),
    }
}

// ---- reading --------------------------------------------------------------------------------

fn resolve(name: &str) -> Option<(Field, Kind)> {
    Some(match name {
        "id" => (fields::number(), Kind::Whole),
        "version" => (fields::version(), Kind::Whole),
        "primaryAccount" => (fields::account(), Kind::Whole),
        "name" => (fields::name(), Kind::Text),
        "emailAddress" => (fields::email(), Kind::Text),
        "firstname" => (fields::given_name(), Kind::Text),
        "lastname" => (fields::family_name(), Kind::Text),
        _ => return None,
    })
}

/// The users of a kind that a question finds where the caller may see them.
async fn page(
    request: &Request,
    kind: UserKind,
    query: Query,
) -> Result<(Vec<User>, bool), Failure> {
    let reach = places::reach(&request.cx, users::seen_with(kind)).await?;
    let of_kind = patron_app::search::Filter::equal(fields::kind(), kind.as_str());
    let visible = reach.in_accounts(fields::account()).and(of_kind);
    let predicate = visible.and(query.predicate);
    let found = users::list(&request.cx, Query { predicate, ..query }).await?;
    Ok((found.items.into_iter().map(|user| user.record).collect(), found.more))
}

/// `GET /application-users`, `GET /human-users`
pub async fn list(kind: UserKind, request: Request) -> Result<Reply, Failure> {
    let params = ListParams::read(&request)?;
    let (users, more) = page(&request, kind, params.query(0)).await?;
    match kind {
        UserKind::Application => {
            let shown = users.iter().map(ApplicationUser::of).collect();
            Reply::json(200, &params.page(shown, more))
        }
        UserKind::Human => {
            Reply::json(200, &params.page(users.iter().map(HumanUser::of).collect(), more))
        }
    }
}

/// `GET /application-users/search`, `GET /human-users/search`
pub async fn search(kind: UserKind, request: Request) -> Result<Reply, Failure> {
    let params = SearchParams::read(&request, &resolve)?;
    let compile = |field: &Field, check: &Check| check.filter(field.clone());
    let (users, more) = page(&request, kind, params.query(0, compile, Clone::clone)).await?;
    match kind {
        UserKind::Application => {
            let shown = users.iter().map(ApplicationUser::of).collect();
            Reply::json(200, &params.page(shown, more))
        }
        UserKind::Human => {
            Reply::json(200, &params.page(users.iter().map(HumanUser::of).collect(), more))
        }
    }
}

/// `GET /application-users/{id}`, `GET /human-users/{id}`
pub async fn retrieve(kind: UserKind, request: Request) -> Result<Reply, Failure> {
    answer(kind, 200, &found(&request, kind, "id").await?.record)
}

// ---- writing --------------------------------------------------------------------------------

/// `POST /human-users`: without an account in that of the caller.
pub async fn create_human(request: Request) -> Result<Reply, Failure> {
    let (body, mut fields) = request.read::<UserIn>(Reading::NullKeeps)?;
    let account = match body.primary_account.as_ref() {
        Some(account) => *account,
        None => caller(&request)?.key.account,
    };
    let patch = patch(body, &mut fields);
    fields.finish()?;
    let made = users::create(&request.cx, UserKind::Human, account, patch).await?;
    answer(UserKind::Human, 201, &made.record)
}

fn caller(request: &Request) -> Result<&patron_app::Caller, Failure> {
    match &request.cx.actor {
        patron_app::Actor::Caller(caller) => Ok(caller),
        patron_app::Actor::Operator | patron_app::Actor::Anonymous => Err(Failure::Forbidden),
    }
}

/// `POST /application-users`: the user and its first key, whose secret is shown this once.
pub async fn create_application(request: Request) -> Result<Reply, Failure> {
    let (body, mut fields) = request.read::<UserIn>(Reading::NullKeeps)?;
    let account = required(&mut fields, "primaryAccount", body.primary_account.clone());
    let name = body.name.clone().value().unwrap_or_default();
    let patch = patch(body, &mut fields);
    if patch.active == Some(false) {
        fields.refuse("state", Why::Mismatch { with: "ACTIVE: deactivate it afterwards" });
    }
    fields.finish()?;
    let account = account.ok_or_else(|| Failure::internal("no fault was noted"))?;
    users::may_make(&request.cx, UserKind::Application, account).await?;
    let (issued, secret) = issue(&request, account, Holder::Unassigned, name).await?;
    let user = users::get(&request.cx, patron_app::Id::Number(issued.user)).await?;
    let shown = ApplicationUser { mac_key: Some(secret), ..ApplicationUser::of(&user) };
    Reply::json(201, &shown)
}

/// A key of this API for a whole account.
async fn issue(
    request: &Request,
    account: i64,
    holder: Holder,
    name: String,
) -> Result<(Key, String), Failure> {
    let minted = credentials::mint();
    let space: Space = spaces::first_of(&request.cx, account).await?;
    let plain = NewKey::of_space(&space, NAME, Role::ReadOnly, minted.handle, minted.secret);
    let new = NewKey { holder, account_wide: true, name, ..plain };
    let issued = keys::issue(&request.cx, new, &minted.shown).await?;
    Ok((issued.key.record, minted.shown))
}

/// `PATCH /application-users/{id}`, `PATCH /human-users/{id}`
pub async fn update(kind: UserKind, request: Request) -> Result<Reply, Failure> {
    let user = found(&request, kind, "id").await?;
    let (body, mut fields) = request.read::<UserIn>(Reading::NullKeeps)?;
    let expect = expected(&mut fields, body.version.clone());
    let patch = patch(body, &mut fields);
    fields.finish()?;
    let saved = users::update(&request.cx, patron_app::Id::Number(user.number), expect, &patch);
    answer(kind, 200, &saved.await?.record)
}

/// `DELETE /application-users/{id}`, `DELETE /human-users/{id}`
pub async fn delete(kind: UserKind, request: Request) -> Result<Reply, Failure> {
    let user = found(&request, kind, "id").await?;
    let id = patron_app::Id::Number(user.number);
    users::delete(&request.cx, id, patron_app::Expect::Any).await?;
    Ok(Reply::empty(204))
}

// ---- keys -----------------------------------------------------------------------------------

/// A key as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestApplicationUserMacKey {
    /// Number of the key.
    id: i64,
    /// When it was made.
    creation_time: String,
    /// `ACTIVE` or `INACTIVE`.
    state: &'static str,
    /// Its secret, in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl RestApplicationUserMacKey {
    fn of(request: &Request, key: &Key) -> RestApplicationUserMacKey {
        RestApplicationUserMacKey {
            id: key.number,
            creation_time: key.created_at.rfc3339_millis(),
            state: if key.is_good(request.cx.now) { "ACTIVE" } else { "INACTIVE" },
            key: None,
        }
    }
}

/// The user whose keys a path is of, where the caller may do this with keys.
async fn holder(request: &Request, permission: Permission) -> Result<Loaded<User>, Failure> {
    let user = users::get(&request.cx, id(request, "userId")?).await?;
    if user.kind != UserKind::Application {
        return Err(Failure::NotFound { noun: Noun::User });
    }
    let place = places::account(&request.cx.app, user.account).await?;
    request.cx.may_at(permission, &place)?;
    Ok(user)
}

/// `GET /application-users/{userId}/keys`
pub async fn list_keys(request: Request) -> Result<Reply, Failure> {
    let user = holder(&request, Permission::KeyRead).await?;
    let keys = keys::of_user(&request.cx, user.number, NAME).await?;
    let shown: Vec<RestApplicationUserMacKey> =
        keys.iter().map(|key| RestApplicationUserMacKey::of(&request, key)).collect();
    Reply::json(200, &shown)
}

/// `POST /application-users/{userId}/keys`
pub async fn create_key(request: Request) -> Result<Reply, Failure> {
    let user = holder(&request, Permission::KeyWrite).await?;
    let holder = Holder::User(user.number);
    let (key, secret) = issue(&request, user.account, holder, user.name.clone()).await?;
    let shown = RestApplicationUserMacKey::of(&request, &key);
    Reply::json(201, &RestApplicationUserMacKey { key: Some(secret), ..shown })
}

/// `DELETE /application-users/{userId}/keys/{id}`
pub async fn delete_key(request: Request) -> Result<Reply, Failure> {
    let user = holder(&request, Permission::KeyWrite).await?;
    let wanted = number(&request, "id")?;
    let keys = keys::of_user(&request.cx, user.number, NAME).await?;
    let known = keys.iter().find(|key| key.number == wanted);
    let key = known.ok_or(Failure::NotFound { noun: Noun::Key })?;
    keys::revoke(&request.cx, key.number).await?;
    Ok(Reply::empty(204))
}
