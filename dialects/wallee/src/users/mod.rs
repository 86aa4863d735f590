//! Application users with their keys, human users, and single sign-on users (dossier §9.1). Their
//! handlers know which family a path is of; a user of another one is not found there.

pub mod show;

use patron_app::{
    Expect, Id, Loaded,
    keys::{self, Holder, NewKey},
    places, providers,
    search::{Field, Filter, Query, fields::user as fields},
    sign_in::invitations,
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
    user::{User, UserKind},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::show::{ApplicationUser, Shown, SingleSignOnUser};
use crate::{
    NAME, credentials,
    filters::{Check, Kind},
    input::{clearing, expected, request_limit, required},
    lists::{ListParams, SearchParams},
    transport::{id, number},
};

/// A family of users, each under a path of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Programs.
    Application,
    /// People who sign in here.
    Human,
    /// People whom a provider brings.
    SingleSignOn,
}

impl Family {
    fn of(user: &User) -> Family {
        match (user.kind, user.provider) {
            (UserKind::Application, _) => Family::Application,
            (UserKind::Human, None) => Family::Human,
            (UserKind::Human, Some(_)) => Family::SingleSignOn,
        }
    }

    fn kind(self) -> UserKind {
        match self {
            Family::Application => UserKind::Application,
            Family::Human | Family::SingleSignOn => UserKind::Human,
        }
    }

    fn filter(self) -> Filter {
        let of_kind = Filter::equal(fields::kind(), self.kind().as_str());
        let is_brought = || Filter::Not(Box::new(Filter::Missing(fields::provider())));
        match self {
            Family::Application => of_kind,
            Family::Human => of_kind.and(Filter::Missing(fields::provider())),
            Family::SingleSignOn => of_kind.and(is_brought()),
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
    /// Provider who brings a person of single sign-on; creation only, and required then.
    provider: Member<i64>,
    /// `ACTIVE` or `INACTIVE`.
    state: Member<String>,
    /// What people call an application.
    name: Member<String>,
    /// Requests of an application in two minutes that are answered; 0: any number.
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

/// What a body says of a user. Faults are noted.
fn patch(body: UserIn, fields: &mut Fields) -> UserPatch {
    if body.two_factor_enabled.value() == Some(true) {
        let why = Why::Mismatch { with: "false: a person adds the second factor, nobody else" };
        fields.refuse("twoFactorEnabled", why);
    }
    let active = fields.text("state", body.state, |word| match word {
        "ACTIVE" => Ok(true),
        "INACTIVE" => Ok(false),
        _ => Err(Why::not_one_of(word, "ACTIVE, INACTIVE")),
    });
    UserPatch {
        name: body.name.value(),
        given_name: clearing(fields, "firstname", body.firstname, Name::parse),
        family_name: clearing(fields, "lastname", body.lastname, Name::parse),
        email: clearing(fields, "emailAddress", body.email_address, Email::parse),
        phone: clearing(fields, "mobilePhoneNumber", body.mobile_phone_number, |typed| {
            Phone::parse(typed, None)
        }),
        language: clearing(fields, "language", body.language, Language::parse),
        time_zone: clearing(fields, "timeZone", body.time_zone, TimeZone::parse),
        request_limit: request_limit(body.request_limit),
        active: match active {
            Patch::Set(active) => Some(active),
            Patch::Keep | Patch::Clear => None,
        },
        ..UserPatch::default()
    }
}

/// The user of the path, deleted or not, if it is of the family.
pub async fn found(request: &Request, family: Family, name: &str) -> Result<Loaded<User>, Failure> {
    let user = users::get_ever(&request.cx, id(request, name)?).await?;
    match Family::of(&user) == family {
        true => Ok(user),
        false => Err(Failure::NotFound { noun: Noun::User }),
    }
}

// ---- reading --------------------------------------------------------------------------------

/// The field of a user that a word of a search means.
pub fn resolve(name: &str) -> Option<(Field, Kind)> {
    Some(match name {
        "id" => (fields::number(), Kind::Whole),
        "version" => (fields::version(), Kind::Whole),
        "primaryAccount" => (fields::account(), Kind::Whole),
        "provider" => (fields::provider(), Kind::Whole),
        "name" => (fields::name(), Kind::Text),
        "emailAddress" => (fields::email(), Kind::Text),
        "firstname" => (fields::given_name(), Kind::Text),
        "lastname" => (fields::family_name(), Kind::Text),
        _ => return None,
    })
}

/// The users of a family that a question finds where the caller may see them.
pub async fn page(
    request: &Request,
    family: Family,
    query: Query,
) -> Result<(Vec<User>, bool), Failure> {
    let reach = places::reach(&request.cx, users::seen_with(family.kind())).await?;
    let visible = reach.in_accounts(fields::account()).and(family.filter());
    let predicate = visible.and(query.predicate);
    let found = users::list(&request.cx, Query { predicate, ..query }).await?;
    Ok((found.items.into_iter().map(|user| user.record).collect(), found.more))
}

/// `GET /application-users`, `GET /human-users`, `GET /single-sign-on-users`
pub async fn list(family: Family, request: Request) -> Result<Reply, Failure> {
    let params = ListParams::read(&request)?;
    let (users, more) = page(&request, family, params.query(0)).await?;
    Reply::json(200, &params.page(users.iter().map(Shown::of).collect(), more))
}

/// `GET …/search` of each family.
pub async fn search(family: Family, request: Request) -> Result<Reply, Failure> {
    let params = SearchParams::read(&request, &resolve)?;
    let compile = |field: &Field, check: &Check| check.filter(field.clone());
    let (users, more) = page(&request, family, params.query(0, compile, Clone::clone)).await?;
    Reply::json(200, &params.page(users.iter().map(Shown::of).collect(), more))
}

/// `GET …/{id}` of each family.
pub async fn retrieve(family: Family, request: Request) -> Result<Reply, Failure> {
    Reply::json(200, &Shown::of(&found(&request, family, "id").await?.record))
}

// ---- writing --------------------------------------------------------------------------------

/// `POST /human-users`: without an account in that of the caller.
pub async fn create_human(request: Request) -> Result<Reply, Failure> {
    let (body, mut fields) = request.read::<UserIn>(Reading::NullKeeps)?;
    let account = match body.primary_account.as_ref() {
        Some(account) => *account,
        None => request.cx.caller()?.key.account,
    };
    let patch = patch(body, &mut fields);
    fields.finish()?;
    let made = invitations::create(&request.cx, account, patch).await?;
    Reply::json(201, &Shown::of(&made.record))
}

/// `POST /single-sign-on-users`: in the account of the provider. The first sign-in through it finds
/// the person by the e-mail address, which this API has no member for: `PATCH /v1/users/{id}` sets
/// it.
pub async fn create_single_sign_on(request: Request) -> Result<Reply, Failure> {
    let (body, mut fields) = request.read::<UserIn>(Reading::NullKeeps)?;
    let provider = required(&mut fields, "provider", body.provider.clone());
    let account = body.primary_account.as_ref().copied();
    let patch = patch(body, &mut fields);
    fields.finish()?;
    let provider = provider.ok_or_else(|| Failure::internal("no fault was noted"))?;
    let found = providers::get(&request.cx, Id::Number(provider)).await;
    let provider = found.map_err(|failure| match failure {
        Failure::NotFound { .. } => Failure::invalid("provider", Why::Unknown { what: "provider" }),
        other => other,
    })?;
    if account.is_some_and(|account| account != provider.account) {
        let with = "the account of the provider";
        return Err(Failure::invalid("account", Why::Mismatch { with }));
    }
    let made = users::create_brought(&request.cx, &provider, patch).await?;
    Reply::json(201, &SingleSignOnUser::of(&made))
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
    // Seen first, as the key is made with the user.
    let now = request.cx.now;
    User::application(0, uuid::Uuid::nil(), account, &name, now).apply(patch.clone(), now)?;
    let (issued, secret) = issue(&request, account, Holder::Unassigned, name).await?;
    let id = Id::Number(issued.user);
    let user = match patch.request_limit.is_keep() {
        true => users::get(&request.cx, id).await?.record,
        false => users::update(&request.cx, id, Expect::Any, &patch).await?.record,
    };
    let mut shown = ApplicationUser::of(&user);
    shown.mac_key = Some(secret);
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

/// `PATCH …/{id}` of each family.
pub async fn update(family: Family, request: Request) -> Result<Reply, Failure> {
    let user = found(&request, family, "id").await?;
    let (body, mut fields) = request.read::<UserIn>(Reading::NullKeeps)?;
    let expect = expected(&mut fields, body.version.clone());
    let patch = patch(body, &mut fields);
    fields.finish()?;
    let saved = users::update(&request.cx, Id::Number(user.number), expect, &patch);
    Reply::json(200, &Shown::of(&saved.await?.record))
}

/// `DELETE …/{id}` of each family.
pub async fn delete(family: Family, request: Request) -> Result<Reply, Failure> {
    let user = found(&request, family, "id").await?;
    let id = Id::Number(user.number);
    users::delete(&request.cx, id, Expect::Any).await?;
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
