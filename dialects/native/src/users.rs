//! Users: `/v1/users`, people and applications. Persons are seen and changed with `person:…`,
//! applications with `application:…`.

use patron_app::{
    Id, Loaded, places,
    search::{Filter, Order, Query, fields::user as fields},
    sign_in::invitations,
    users::{self, UserPatch},
};
use patron_gateway::{Faults, Fields, Member, Reading, Reply, Request, decode::Params};
use patron_model::{
    Failure, Noun, Patch, Why,
    email::Email,
    language::Language,
    phone::Phone,
    text::Name,
    time_zone::TimeZone,
    user::{User, UserKind, UserState},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    accounts, conditions,
    customers::{PAGE_MAX, read, show::ListOut},
    held::{Expand, HeldOut, WaysOut},
    lists::{self, Place},
    words,
};

/// A person or an application.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "User")]
pub struct UserOut<'a> {
    /// UUID.
    id: uuid::Uuid,
    /// Number.
    number: i64,
    /// `human` or `application`.
    #[schemars(with = "words::UserKind")]
    kind: &'static str,
    /// Number of the account it is managed in.
    account: i64,
    /// `invited` (a person who has not signed in yet), `active`, `inactive`.
    #[schemars(with = "words::UserState")]
    state: &'static str,
    /// What people call an application.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    /// Given name of a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    given_name: Option<&'a str>,
    /// Family name of a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    family_name: Option<&'a str>,
    /// E-mail address of a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    /// Whether the person showed to read what is sent there.
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
    /// Phone number of a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<&'a str>,
    /// Language of a person, as a tag of BCP 47.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    /// Time zone of a person, by its IANA name.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<&'a str>,
    /// In which colours a person is shown pages; at `/v1/me` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<words::Theme>")]
    theme: Option<&'static str>,
    /// Whether single letters act on pages of the console; at `/v1/me` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    shortcuts: Option<bool>,
    /// Number of the provider who brings a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<i64>,
    /// Requests in two minutes that are answered, with whatever key; further ones are answered 429.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_limit: Option<i64>,
    /// Where the invitation is accepted, where no mails are sent; on creation only.
    #[serde(skip_serializing_if = "Option::is_none")]
    invitation_url: Option<String>,
    /// The roles it holds, where the caller may see them; only when asked for (`expand`).
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<HeldOut>>,
    /// How a person signs in; only when asked for (`expand`).
    #[serde(skip_serializing_if = "Option::is_none")]
    sign_in: Option<WaysOut>,
    /// Counts the changes, from 1.
    version: i64,
    /// When it was made.
    #[schemars(extend("format" = "date-time"))]
    created_at: String,
    /// When it was last changed.
    #[schemars(extend("format" = "date-time"))]
    updated_at: String,
}

impl<'a> From<&'a User> for UserOut<'a> {
    fn from(user: &'a User) -> UserOut<'a> {
        UserOut {
            id: user.uuid,
            number: user.number,
            kind: user.kind.as_str(),
            account: user.account,
            state: user.state.as_str(),
            name: (user.kind == UserKind::Application).then_some(&user.name),
            given_name: user.given_name.as_ref().map(Name::as_str),
            family_name: user.family_name.as_ref().map(Name::as_str),
            email: user.email.as_ref().map(Email::as_str),
            email_verified: user.email.as_ref().map(|_| user.email_verified_at.is_some()),
            phone: user.phone.as_ref().map(Phone::raw),
            language: user.language.as_ref().map(Language::as_str),
            time_zone: user.time_zone.as_ref().map(TimeZone::as_str),
            theme: None,
            shortcuts: None,
            provider: user.provider,
            request_limit: user.request_limit,
            invitation_url: None,
            roles: None,
            sign_in: None,
            version: user.version,
            created_at: user.created_at.rfc3339_micros(),
            updated_at: user.updated_at.rfc3339_micros(),
        }
    }
}

impl<'a> UserOut<'a> {
    /// As it is shown to itself: with what people set for themselves.
    pub fn own(user: &'a User) -> UserOut<'a> {
        let is_person = user.kind == UserKind::Human;
        UserOut {
            theme: is_person.then_some(user.theme.as_str()),
            shortcuts: is_person.then_some(!user.without_letters),
            ..UserOut::from(user)
        }
    }
}

/// A user as it is written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "UserInput")]
pub struct UserIn {
    /// `human` or `application`; creation only.
    #[schemars(with = "Option<words::UserKind>")]
    kind: Member<String>,
    /// Number of the account it is managed in, the key's own when absent; creation only.
    account: Member<i64>,
    /// What people call an application.
    name: Member<String>,
    /// Given name of a person, at most 100 characters.
    given_name: Member<String>,
    /// Family name of a person, at most 100 characters.
    family_name: Member<String>,
    /// E-mail address of a person, at most 128 characters; of one living person of an account.
    email: Member<String>,
    /// Phone number of a person, at most 30 characters.
    phone: Member<String>,
    /// Language of a person, as a tag of BCP 47.
    language: Member<String>,
    /// Time zone of a person, by its IANA name.
    time_zone: Member<String>,
    /// Requests in two minutes that are answered, with whatever key, from 1 on; further ones are
    /// answered 429.
    request_limit: Member<i64>,
    /// `active` or `inactive`: keys of an inactive application are refused; change only.
    #[schemars(with = "Option<words::SettableUserState>")]
    state: Member<String>,
}

/// What a body says of a user. Faults are noted.
fn patch(body: UserIn, fields: &mut Fields) -> UserPatch {
    let state = fields.text("state", body.state, |word| match word {
        "active" => Ok(true),
        "inactive" => Ok(false),
        _ => Err(Why::not_one_of(word, "active, inactive")),
    });
    UserPatch {
        name: match fields.parse("name", body.name, Ok) {
            Patch::Keep => None,
            Patch::Clear => Some(String::new()),
            Patch::Set(name) => Some(name),
        },
        given_name: fields.text("given_name", body.given_name, Name::parse),
        family_name: fields.text("family_name", body.family_name, Name::parse),
        email: fields.text("email", body.email, Email::parse),
        phone: fields.text("phone", body.phone, |typed| Phone::parse(typed, None)),
        language: fields.text("language", body.language, Language::parse),
        time_zone: fields.text("time_zone", body.time_zone, TimeZone::parse),
        request_limit: fields.parse("request_limit", body.request_limit, Ok),
        active: match state {
            Patch::Set(active) => Some(active),
            Patch::Keep | Patch::Clear => None,
        },
        ..UserPatch::default()
    }
}

fn shown(status: u16, user: &User) -> Result<Reply, Failure> {
    Ok(Reply::json(status, &UserOut::from(user))?.with("etag", conditions::tag(user.version)))
}

/// A person as they are shown to themselves.
///
/// # Errors
/// `Internal` when it cannot be written.
pub fn shown_own(user: &User) -> Result<Reply, Failure> {
    Ok(Reply::json(200, &UserOut::own(user))?.with("etag", conditions::tag(user.version)))
}

/// The user that a path names.
pub fn id(request: &Request) -> Result<Id, Failure> {
    Id::parse(request.param("user"), Noun::User)
}

/// Users of the kinds and accounts that the caller may see.
async fn within(request: &Request) -> Result<Filter, Failure> {
    let mut kinds = Vec::new();
    for kind in [UserKind::Human, UserKind::Application] {
        let reach = places::reach(&request.cx, users::seen_with(kind)).await?;
        let of_kind = Filter::equal(fields::kind(), kind.as_str());
        kinds.push(reach.in_accounts(fields::account()).and(of_kind));
    }
    Ok(Filter::Or(kinds))
}

fn filter(params: &Params, faults: &mut Faults) -> Filter {
    let mut filter = Filter::All;
    if let Some(word) = params.get("kind") {
        let kind = UserKind::parse(word).ok_or_else(|| Why::not_one_of(word, UserKind::WORDS));
        if let Some(kind) = faults.understood("kind", kind) {
            filter = filter.and(Filter::equal(fields::kind(), kind.as_str()));
        }
    }
    if let Some(word) = params.get("state") {
        let state = UserState::parse(word).ok_or_else(|| Why::not_one_of(word, UserState::WORDS));
        if let Some(state) = faults.understood("state", state) {
            filter = filter.and(Filter::equal(fields::state(), state.as_str()));
        }
    }
    if params.get("account").is_some() {
        let account = faults.int(params, "account", 0, 1, i64::MAX);
        filter = filter.and(Filter::equal(fields::account(), account));
    }
    if let Some(email) = params.get("email") {
        filter = filter.and(Filter::EqualFolded(fields::email(), email.to_owned()));
    }
    filter
}

/// A page of users, newest first.
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let (params, mut faults) = (request.query(), request.query_faults());
    let limit = faults.int(&params, "limit", 50, 1, PAGE_MAX);
    let limit = u32::try_from(limit).unwrap_or(50);
    let asked =
        ["kind", "state", "account", "email"].map(|name| params.get(name).unwrap_or_default());
    let question = lists::question(&[&["users"][..], &asked].concat());
    let after = faults.keep(lists::after(&params, &question))?.flatten();
    let expand = Expand::read(&params, &mut faults);
    let filter = filter(&params, &mut faults);
    faults.finish()?;
    let predicate = within(&request).await?.and(filter);
    let order = Order::newest_first();
    let query = Query { predicate, order, after, limit, ..Query::of(0) };
    let page = users::list(&request.cx, query).await?;
    let next = page.items.last().filter(|_| page.more).map(|user| user.number);
    let next = next.map(|number| lists::write(&question, Place::List { key: None, number }));
    let next_cursor = next.transpose()?;
    let mut data: Vec<UserOut<'_>> = page.items.iter().map(|user| (&user.record).into()).collect();
    let numbers: Vec<i64> = data.iter().map(|user| user.number).collect();
    let mut expanded = expand.of(&request, &numbers).await?;
    for user in &mut data {
        (user.roles, user.sign_in) = expanded.take(user.number);
    }
    Reply::json(200, &ListOut { data, has_more: page.more, next_cursor, total: None })
}

/// One user.
pub async fn get(request: Request) -> Result<Reply, Failure> {
    let mut faults = Faults::default();
    let expand = Expand::read(&request.query(), &mut faults);
    faults.finish()?;
    let user: Loaded<User> = users::get(&request.cx, id(&request)?).await?;
    if !expand.is_nothing() {
        // The answer depends on more than the user's document: a tag for changes, none for caches.
        let mut out = UserOut::from(&user.record);
        (out.roles, out.sign_in) = expand.of(&request, &[user.number]).await?.take(user.number);
        return Ok(Reply::json(200, &out)?.with("etag", conditions::tag(user.version)));
    }
    let reply = Reply::json(200, &UserOut::from(&user.record))?;
    Ok(conditions::unless_matched(&request, &conditions::tag(user.version), reply))
}

/// A new user.
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let (body, mut fields) = read::body::<UserIn>(&request, Reading::NullClears)?;
    let kind = match body.kind.as_ref() {
        None => Err(Failure::invalid("kind", Why::Required)),
        Some(word) => UserKind::parse(word)
            .ok_or_else(|| Failure::invalid("kind", Why::not_one_of(word, UserKind::WORDS))),
    };
    let kind = fields.faults.keep(kind)?;
    let account = body.account.as_ref().copied();
    if !body.state.is_absent() {
        let why = Why::Mismatch { with: "nothing on creation; change the user afterwards" };
        fields.refuse("state", why);
    }
    let patch = patch(UserIn { state: Member::default(), ..body }, &mut fields);
    fields.finish()?;
    let kind = kind.ok_or_else(|| Failure::internal("no fault was noted"))?;
    let account = match account {
        Some(account) => account,
        None => accounts::own_account(&request)?,
    };
    let made = match kind {
        UserKind::Human => invitations::create(&request.cx, account, patch).await?,
        UserKind::Application => users::create(&request.cx, kind, account, patch).await?,
    };
    let invitation_url = invitations::handed_over(&request.cx, &made).await?;
    let out = UserOut { invitation_url, ..UserOut::from(&made.record) };
    let reply = Reply::json(201, &out)?.with("etag", conditions::tag(made.version));
    Ok(reply.with("location", format!("/v1/users/{}", made.uuid)))
}

/// A changed user (JSON Merge Patch).
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let condition = conditions::if_match(&request)?;
    let (body, mut fields) = read::body::<UserIn>(&request, Reading::NullClears)?;
    let fixed = [("kind", body.kind.is_absent()), ("account", body.account.is_absent())];
    for (name, _) in fixed.into_iter().filter(|(_, is_absent)| !is_absent) {
        fields.refuse(name, Why::ReadOnly);
    }
    let patch = patch(body, &mut fields);
    fields.finish()?;
    let saved = users::update(&request.cx, id(&request)?, condition.expect(), &patch).await?;
    shown(200, &saved)
}

/// Deletes a user: its keys end, it holds no role any more.
pub async fn delete(request: Request) -> Result<Reply, Failure> {
    let condition = conditions::if_match(&request)?;
    users::delete(&request.cx, id(&request)?, condition.expect()).await?;
    Ok(Reply::empty(204))
}
