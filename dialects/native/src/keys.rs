//! Keys: `/v1/keys`. A key for a whole account sees and makes keys of its account and of accounts
//! made by it; any other only those of its own space. Nobody makes, changes or rotates a key with
//! more rights than its own.

use std::collections::HashMap;
use std::net::IpAddr;

use patron_app::{
    Actor, Caller, Id, Loaded,
    keys::{self, Issued, KeyPatch, KeyUse, NewHalves, NewKey, OVERLAP_SECONDS},
    search::{Compare, Filter, Order, Query, fields::key as fields},
    spaces,
};
use patron_gateway::{
    Dialect, Faults, Fields, Member, Minted, Reading, Reply, Request, decode::Params,
    dialect::Shown,
};
use patron_model::{
    Failure, Noun, Patch, Permission, Permissions, Timestamp, Why,
    network::Network,
    space::{EXPIRING_SECONDS, Key, KeyState, NETWORKS_MAX, PublicRights, Role, Space},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    accounts, conditions,
    customers::{PAGE_MAX, read, show::ListOut},
    lists::{self, Place},
    words,
};

/// Keys of a page when nothing is said.
const PAGE_DEFAULT: i64 = 50;

/// A key.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Key")]
pub(crate) struct KeyOut<'a> {
    /// UUID.
    id: uuid::Uuid,
    /// Number.
    number: i64,
    /// Number of its account.
    account: i64,
    /// Number of the space it opens unless a request names another.
    space: i64,
    /// Whether it opens every space of the account.
    account_wide: bool,
    /// The API it is for.
    dialect: &'a str,
    /// What people call it.
    name: &'a str,
    /// Number of its role.
    role: i64,
    /// What it may do: its role, cut by its own list.
    permissions: Vec<&'static str>,
    /// The end of its secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// `active`, `expiring` (replaced, or ends within two weeks), `expired`, `revoked`.
    #[schemars(with = "words::KeyState")]
    state: &'static str,
    /// Networks it may be used from; empty: any.
    addresses: Vec<String>,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    expires_at: Option<String>,
    /// Number of the key it replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<i64>,
    /// Number of the key that replaced it.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced_by: Option<i64>,
    /// What its public half may do alone, where keys are pairs: `none`, `create`, `full`.
    public_rights: &'static str,
    /// Counts the changes, from 1.
    version: i64,
    /// When it was made.
    #[schemars(extend("format" = "date-time"))]
    created_at: String,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    revoked_at: Option<String>,
    /// The minute it was used last, a few minutes late where several nodes serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    last_used_at: Option<String>,
    /// From where.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_from: Option<IpAddr>,
    /// What its holder needs, shown when it is made and on repeats of that request for a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials: Option<Value>,
}

impl<'a> KeyOut<'a> {
    fn of(key: &'a Key, version: i64, last: Option<&KeyUse>, now: Timestamp) -> KeyOut<'a> {
        KeyOut {
            id: key.uuid,
            number: key.number,
            account: key.account,
            space: key.space,
            account_wide: key.account_wide,
            dialect: &key.dialect,
            name: &key.name,
            role: key.role.number(),
            permissions: key.permissions().iter().map(Permission::as_str).collect(),
            hint: (!key.hint.is_empty()).then(|| format!("…{}", key.hint)),
            state: key.state(now).as_str(),
            addresses: key.addresses.iter().map(ToString::to_string).collect(),
            expires_at: key.expires_at.map(Timestamp::rfc3339_micros),
            replaces: key.replaces,
            replaced_by: key.replaced_by,
            public_rights: key.public_rights.as_str(),
            version,
            created_at: key.created_at.rfc3339_micros(),
            revoked_at: key.revoked_at.map(Timestamp::rfc3339_micros),
            last_used_at: last.map(|last| last.minute.rfc3339_micros()),
            last_used_from: last.and_then(|last| last.address),
            credentials: None,
        }
    }
}

/// A key as it is written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "KeyInput")]
pub(crate) struct KeyIn {
    /// The API it is for; creation only.
    dialect: Member<String>,
    /// What people call it.
    name: Member<String>,
    /// Number of the space it opens; creation only, the space of the request when absent.
    space: Member<i64>,
    /// Whether it opens every space of the account; creation only.
    account_wide: Member<bool>,
    /// Number of its role.
    role: Member<i64>,
    /// What it may do at most, in words like `customer:read`; `null`: all that its role may do.
    permissions: Member<Vec<String>>,
    /// Networks it may be used from, like `192.0.2.0/24`, at most 20; empty: any.
    addresses: Member<Vec<String>>,
    /// When it ends by itself, at most two years away; `null`: never.
    #[schemars(extend("format" = "date-time"))]
    expires_at: Member<String>,
    /// What its public half may do alone, where keys are pairs: `none`, `create`, `full`.
    public_rights: Member<String>,
}

/// How a key is rotated.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "KeyRotation")]
pub(crate) struct RotateIn {
    /// Seconds that the old key goes on, at most 30 days; a day when absent.
    overlap_seconds: Member<i64>,
    /// When the new key ends by itself, at most two years away; null: never; as the one before when
    /// absent.
    expires_at: Member<String>,
}

// ---- which keys -----------------------------------------------------------------------------

fn not_found() -> Failure {
    Failure::NotFound { noun: Noun::Key }
}

/// Keys that a caller sees.
enum Reach {
    /// Those of its account and of accounts made by it.
    Accounts(Vec<i64>),
    /// Those of one space that open no other.
    Space(i64),
}

async fn reach(request: &Request) -> Result<Reach, Failure> {
    let caller = caller(request)?;
    if caller.key.account_wide {
        return Ok(Reach::Accounts(accounts::own_and_made(request).await?));
    }
    Ok(Reach::Space(caller.key.space))
}

fn caller(request: &Request) -> Result<&Caller, Failure> {
    match &request.cx.actor {
        Actor::Caller(caller) => Ok(caller),
        Actor::Operator | Actor::Anonymous => Err(Failure::Forbidden),
    }
}

impl Reach {
    fn has(&self, key: &Key) -> bool {
        match self {
            Reach::Accounts(accounts) => accounts.contains(&key.account),
            Reach::Space(space) => key.space == *space && !key.account_wide,
        }
    }

    fn filter(&self) -> Filter {
        match self {
            Reach::Accounts(accounts) => {
                let numbers = accounts.iter().map(|number| (*number).into()).collect();
                Filter::OneOf(fields::account(), numbers)
            }
            Reach::Space(space) => Filter::equal(fields::space(), *space)
                .and(Filter::equal(fields::account_wide(), "false")),
        }
    }
}

async fn visible(request: &Request) -> Result<Loaded<Key>, Failure> {
    let id = Id::parse(request.param("key"), Noun::Key)?;
    let key = keys::get(&request.cx, id).await?;
    if reach(request).await?.has(&key) { Ok(key) } else { Err(not_found()) }
}

// ---- reading --------------------------------------------------------------------------------

/// Keys in a state at a moment.
fn in_state(state: KeyState, now: Timestamp) -> Filter {
    let revoked = Filter::Not(Box::new(Filter::Missing(fields::revoked_at())));
    let by =
        |at: Timestamp| Filter::Compare(fields::expires_at(), Compare::AtMost, at.micros().into());
    let not = |filter: Filter| Filter::Not(Box::new(filter));
    let replaced = not(Filter::Missing(fields::replaced_by()));
    let ends_soon = Filter::Or(vec![by(now.plus_seconds(EXPIRING_SECONDS)), replaced]);
    match state {
        KeyState::Revoked => revoked,
        KeyState::Expired => by(now).and(not(revoked)),
        KeyState::Expiring => ends_soon.and(not(by(now))).and(not(revoked)),
        KeyState::Active => not(ends_soon).and(not(revoked)),
    }
}

fn filter(request: &Request, params: &Params, faults: &mut Faults) -> Filter {
    let mut filter = Filter::All;
    if let Some(dialect) = params.get("dialect") {
        filter = filter.and(Filter::equal(fields::dialect(), dialect));
    }
    if params.get("space").is_some() {
        let space = faults.int(params, "space", 0, 1, i64::MAX);
        filter = filter.and(Filter::equal(fields::space(), space));
    }
    if let Some(word) = params.get("state") {
        let state = KeyState::parse(word).ok_or_else(|| Why::not_one_of(word, KeyState::WORDS));
        if let Some(state) = faults.understood("state", state) {
            filter = filter.and(in_state(state, request.cx.now));
        }
    }
    filter
}

/// A page of keys, newest first.
pub(crate) async fn list(request: Request) -> Result<Reply, Failure> {
    let (params, mut faults) = (request.query(), request.query_faults());
    let limit = faults.int(&params, "limit", PAGE_DEFAULT, 1, PAGE_MAX);
    let limit = u32::try_from(limit).unwrap_or(50);
    let asked = ["dialect", "space", "state"].map(|name| params.get(name).unwrap_or_default());
    let question = lists::question(&[&["keys"][..], &asked].concat());
    let after = faults.keep(lists::after(&params, &question))?.flatten();
    let filter = filter(&request, &params, &mut faults);
    faults.finish()?;
    let predicate = reach(&request).await?.filter().and(filter);
    let order = Order::newest_first();
    let page = keys::find(&request.cx, Query { predicate, order, after, limit, ..Query::of(0) });
    let page = page.await?;
    let numbers: Vec<i64> = page.items.iter().map(|key| key.number).collect();
    let last = request.cx.app.key_uses(&numbers).await?;
    let shown = |key| shown_in(key, &last, request.cx.now);
    let data: Vec<KeyOut<'_>> = page.items.iter().map(shown).collect();
    let next = page.items.last().filter(|_| page.more).map(|key| key.number);
    let next = next.map(|number| lists::write(&question, Place::List { key: None, number }));
    let next_cursor = next.transpose()?;
    Reply::json(200, &ListOut { data, has_more: page.more, next_cursor, total: None })
}

fn shown_in<'a>(key: &'a Loaded<Key>, last: &HashMap<i64, KeyUse>, now: Timestamp) -> KeyOut<'a> {
    KeyOut::of(key, key.revision, last.get(&key.number), now)
}

/// One key.
pub(crate) async fn get(request: Request) -> Result<Reply, Failure> {
    let key = visible(&request).await?;
    let last = request.cx.app.key_uses(&[key.number]).await?;
    let reply = Reply::json(200, &shown_in(&key, &last, request.cx.now))?;
    Ok(conditions::unless_matched(&request, &conditions::tag(key.revision), reply))
}

// ---- making ---------------------------------------------------------------------------------

/// A new key; its credentials are shown this once.
pub(crate) async fn create(request: Request) -> Result<Reply, Failure> {
    let (body, mut fields) = read::body::<KeyIn>(&request, Reading::NullClears)?;
    let dialect = fields.faults.keep(dialect(&request, body.dialect.as_ref()))?;
    let space = fields.faults.keep(place(&request, &body).await)?;
    let account_wide = body.account_wide.as_ref().copied().unwrap_or(false);
    let patch = patch(body, &mut fields);
    fields.finish()?;
    let KeyPatch { name, role, cap, addresses, expires_at, public_rights } = patch;
    let (dialect, space) = dialect.zip(space).ok_or_else(|| Failure::internal("no fault"))?;
    let cap = cap.flatten();
    // A list of permissions alone says it all; it cuts the role that has every one.
    let role = role.unwrap_or(match cap {
        Some(_) => Role::Owner,
        None => dialect.credentials.roles.later,
    });
    let minted = (dialect.credentials.mint)();
    let Minted { handle, secret, shown } = minted;
    let plain = NewKey::of_space(&space, dialect.name, role, handle, secret);
    let new = NewKey {
        account_wide,
        name: name.unwrap_or_default(),
        cap,
        addresses: addresses.unwrap_or_default(),
        expires_at: expires_at.flatten(),
        public_rights: public_rights.unwrap_or_default(),
        ..plain
    };
    let issued = keys::issue(&request.cx, new, &shown).await?;
    answer(&request, dialect, &space, &issued)
}

fn dialect(request: &Request, name: Option<&String>) -> Result<&'static Dialect, Failure> {
    let name = name.ok_or(Failure::invalid("dialect", Why::Required))?;
    let known = request.site.dialects.iter().find(|known| known.name == name);
    known.copied().ok_or_else(|| {
        let known = request.site.dialects.iter().map(|known| known.name);
        Failure::invalid("dialect", Why::unknown("API", name, known))
    })
}

/// The space a key is to open: one the caller manages.
async fn place(request: &Request, body: &KeyIn) -> Result<Space, Failure> {
    let number = body.space.as_ref().copied().unwrap_or(request.cx.space);
    let wants_account = body.account_wide.as_ref().copied().unwrap_or(false);
    let unknown = || Failure::invalid("space", Why::Unknown { what: "space" });
    let space = match spaces::get::<Space>(&request.cx, number).await {
        Err(Failure::NotFound { .. }) => return Err(unknown()),
        space => space?.record,
    };
    match reach(request).await? {
        Reach::Accounts(accounts) if accounts.contains(&space.account) => Ok(space),
        Reach::Space(own) if own == number && wants_account => Err(Failure::Forbidden),
        Reach::Space(own) if own == number => Ok(space),
        Reach::Accounts(_) | Reach::Space(_) => Err(unknown()),
    }
}

/// What a body says of a key's rights and limits, as a merge patch. Faults are noted.
fn patch(body: KeyIn, fields: &mut Fields) -> KeyPatch {
    let whole = |patch: Patch<String>| match patch {
        Patch::Keep => None,
        Patch::Clear => Some(String::new()),
        Patch::Set(name) => Some(name),
    };
    KeyPatch {
        name: whole(fields.parse("name", body.name, Ok)),
        role: set(fields.parse("role", body.role, |number| {
            Role::numbered(number).ok_or(Why::OutOfRange { min: 1, max: 6 })
        })),
        cap: changed(fields.parse("permissions", body.permissions, permissions)),
        addresses: changed(fields.parse("addresses", body.addresses, networks))
            .map(Option::unwrap_or_default),
        expires_at: changed(fields.text("expires_at", body.expires_at, Timestamp::parse)),
        public_rights: set(fields.text("public_rights", body.public_rights, |word| {
            PublicRights::parse(word).ok_or_else(|| Why::not_one_of(word, PublicRights::WORDS))
        })),
    }
}

/// A member that cannot be taken away.
fn set<T>(patch: Patch<T>) -> Option<T> {
    match patch {
        Patch::Set(value) => Some(value),
        Patch::Keep | Patch::Clear => None,
    }
}

/// A member that can: outside whether it is named, inside what it shall be.
fn changed<T>(patch: Patch<T>) -> Option<Option<T>> {
    match patch {
        Patch::Keep => None,
        Patch::Clear => Some(None),
        Patch::Set(value) => Some(Some(value)),
    }
}

fn permissions(words: Vec<String>) -> Result<Permissions, Why> {
    let all = || Permission::ALL.iter().map(|permission| permission.as_str());
    let known = |word: &String| {
        Permission::parse(word).ok_or_else(|| Why::unknown("permission", word, all()))
    };
    words.iter().map(known).collect()
}

fn networks(texts: Vec<String>) -> Result<Vec<Network>, Why> {
    // Not parsed beyond the limit, which is told by the use case.
    if texts.len() > NETWORKS_MAX {
        return Err(Why::TooMany { max: NETWORKS_MAX });
    }
    texts.iter().map(|text| Network::parse(text)).collect()
}

/// A key that was made, with its credentials while they may be shown.
fn answer(
    request: &Request,
    dialect: &Dialect,
    space: &Space,
    issued: &Issued,
) -> Result<Reply, Failure> {
    let key = &issued.key;
    let mut out = KeyOut::of(key, key.revision, None, request.cx.now);
    out.credentials = issued.shown.as_ref().map(|secret| {
        let base_url = &request.site.base_url;
        (dialect.credentials.show)(&Shown { base_url, space, key, secret })
    });
    Ok(Reply::json(201, &out)?
        .with("etag", conditions::tag(key.revision))
        .with("location", format!("/v1/keys/{}", key.uuid)))
}

// ---- changing -------------------------------------------------------------------------------

/// A changed key (JSON Merge Patch).
pub(crate) async fn update(request: Request) -> Result<Reply, Failure> {
    let condition = conditions::if_match(&request)?;
    let number = visible(&request).await?.number;
    let (body, mut fields) = read::body::<KeyIn>(&request, Reading::NullClears)?;
    let fixed = [
        ("dialect", body.dialect.is_absent()),
        ("space", body.space.is_absent()),
        ("account_wide", body.account_wide.is_absent()),
    ];
    for (name, _) in fixed.into_iter().filter(|(_, is_absent)| !is_absent) {
        fields.refuse(name, Why::ReadOnly);
    }
    let patch = patch(body, &mut fields);
    fields.finish()?;
    let id = Id::Number(number);
    let saved = keys::update(&request.cx, id, condition.expect(), &patch).await?;
    let last = request.cx.app.key_uses(&[number]).await?;
    let out = KeyOut::of(&saved, saved.revision, last.get(&number), request.cx.now);
    Ok(Reply::json(200, &out)?.with("etag", conditions::tag(saved.revision)))
}

/// Revokes a key. It stays in the list.
pub(crate) async fn revoke(request: Request) -> Result<Reply, Failure> {
    let number = visible(&request).await?.number;
    keys::revoke(&request.cx, number).await?;
    Ok(Reply::empty(204))
}

/// A new key with the same rights; the old one ends after the overlap.
pub(crate) async fn rotate(request: Request) -> Result<Reply, Failure> {
    let key = visible(&request).await?;
    let (body, mut fields) = match request.body.is_empty() {
        true => (RotateIn::default(), Fields::new(Reading::NullClears)),
        false => read::body(&request, Reading::NullClears)?,
    };
    let overlap = body.overlap_seconds.value().unwrap_or(OVERLAP_SECONDS);
    let ends = fields.text("expires_at", body.expires_at, Timestamp::parse);
    fields.finish()?;
    let expires_at = match ends {
        Patch::Keep => None,
        Patch::Clear => Some(None),
        Patch::Set(at) => Some(Some(at)),
    };
    let dialect = dialect(&request, Some(&key.dialect))?;
    let space = spaces::get::<Space>(&request.cx, key.space).await?.record;
    let Minted { handle, secret, shown } = (dialect.credentials.mint)();
    let handle = handle.filter(|_| !dialect.credentials.keeps_user);
    let halves = NewHalves { handle, secret, shown, expires_at };
    let issued = keys::rotate(&request.cx, Id::Number(key.number), overlap, &halves).await?;
    answer(&request, dialect, &space, &issued)
}
