//! The calls.

use std::collections::HashMap;

use patron_app::{
    Id, Loaded,
    keys::{self, Holder, Issued, KeyPatch, KeyUse, NewHalves, NewKey, OVERLAP_SECONDS},
    places::{self, Reach},
    search::{Compare, Filter, Order, Query, fields::key as fields},
    spaces,
    users::Held,
};
use patron_gateway::{
    Dialect, Faults, Fields, Minted, Reading, Reply, Request, decode::Params, dialect::Shown,
};
use patron_model::{
    Failure, Noun, Patch, Permission, Timestamp, Why,
    network::Network,
    role::BUILT_IN_ROLES_MAX,
    space::{EXPIRING_SECONDS, Key, KeyState, NETWORKS_MAX, PublicRights, Role, Space},
};

use super::wire::{KeyIn, KeyOut, RotateIn};
use crate::{
    conditions,
    customers::{PAGE_MAX, read, show::ListOut},
    lists::{self, Place},
    roles,
};

/// Keys of a page when nothing is said.
const PAGE_DEFAULT: i64 = 50;

// ---- which keys -----------------------------------------------------------------------------

fn not_found() -> Failure {
    Failure::NotFound { noun: Noun::Key }
}

fn has(reach: &Reach, key: &Key) -> bool {
    let in_space = reach.spaces.contains(&key.space) && !key.account_wide;
    in_space || reach.accounts.contains(&key.account)
}

/// A key with which the caller may do this.
async fn visible(request: &Request, permission: Permission) -> Result<Loaded<Key>, Failure> {
    let id = Id::parse(request.param("key"), Noun::Key)?;
    let key = keys::get(&request.cx, id).await?;
    let reach = places::reach(&request.cx, permission).await?;
    if has(&reach, &key) { Ok(key) } else { Err(not_found()) }
}

/// Keys of these places.
fn within(reach: &Reach) -> Filter {
    let spaces = reach.spaces.iter().map(|number| (*number).into()).collect();
    let single =
        Filter::OneOf(fields::space(), spaces).and(Filter::equal(fields::account_wide(), "false"));
    Filter::Or(vec![reach.in_accounts(fields::account()), single])
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
    if params.get("user").is_some() {
        let user = faults.int(params, "user", 0, 1, i64::MAX);
        filter = filter.and(Filter::equal(fields::user(), user));
    }
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
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let (params, mut faults) = (request.query(), request.query_faults());
    let limit = faults.int(&params, "limit", PAGE_DEFAULT, 1, PAGE_MAX);
    let limit = u32::try_from(limit).unwrap_or(50);
    let asked =
        ["dialect", "space", "state", "user"].map(|name| params.get(name).unwrap_or_default());
    let question = lists::question(&[&["keys"][..], &asked].concat());
    let after = faults.keep(lists::after(&params, &question))?.flatten();
    let filter = filter(&request, &params, &mut faults);
    faults.finish()?;
    let reach = places::reach(&request.cx, Permission::KeyRead).await?;
    let predicate = within(&reach).and(filter);
    let order = Order::newest_first();
    let page = keys::find(&request.cx, Query { predicate, order, after, limit, ..Query::of(0) });
    let page = page.await?;
    let numbers: Vec<i64> = page.items.iter().map(|key| key.number).collect();
    let last = request.cx.app.key_uses(&numbers).await?;
    let users: Vec<i64> = page.items.iter().map(|key| key.user).collect();
    let held = request.cx.app.held_by(&users).await?;
    let shown = |key| shown_in(key, &held, &last, request.cx.now);
    let data: Vec<KeyOut<'_>> = page.items.iter().map(shown).collect();
    let next = page.items.last().filter(|_| page.more).map(|key| key.number);
    let next = next.map(|number| lists::write(&question, Place::List { key: None, number }));
    let next_cursor = next.transpose()?;
    Reply::json(200, &ListOut { data, has_more: page.more, next_cursor, total: None })
}

fn shown_in<'a>(
    key: &'a Loaded<Key>,
    held: &Held,
    last: &HashMap<i64, KeyUse>,
    now: Timestamp,
) -> KeyOut<'a> {
    KeyOut::of(key, key.revision, held, last.get(&key.number), now)
}

/// One key.
pub async fn get(request: Request) -> Result<Reply, Failure> {
    let key = visible(&request, Permission::KeyRead).await?;
    let last = request.cx.app.key_uses(&[key.number]).await?;
    let held = request.cx.app.held_by(&[key.user]).await?;
    let reply = Reply::json(200, &shown_in(&key, &held, &last, request.cx.now))?;
    Ok(conditions::unless_matched(&request, &conditions::tag(key.revision), reply))
}

// ---- making ---------------------------------------------------------------------------------

/// A new key; its credentials are shown this once.
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let (body, mut fields) = read::body::<KeyIn>(&request, Reading::NullClears)?;
    let dialect = fields.faults.keep(dialect(&request, body.dialect.as_ref()))?;
    let space = fields.faults.keep(place(&request, &body).await)?;
    let account_wide = body.account_wide.as_ref().copied().unwrap_or(false);
    let user = body.user.as_ref().copied();
    let role = role(&body, &mut fields);
    if user.is_some() && role.is_some() {
        let why = Why::Mismatch { with: "nothing where a user is named, whose roles count" };
        fields.refuse("role", why);
    }
    let patch = patch(body, &mut fields);
    fields.finish()?;
    let KeyPatch { name, cap, addresses, expires_at, public_rights } = patch;
    let (dialect, space) = dialect.zip(space).ok_or_else(|| Failure::internal("no fault"))?;
    let cap = cap.flatten();
    // A list of permissions alone says it all; it cuts the role that has every one.
    let least = match cap {
        Some(_) => Role::Owner,
        None => dialect.credentials.roles.later,
    };
    let role = user.is_none().then(|| role.unwrap_or(least.number()));
    let minted = (dialect.credentials.mint)();
    let Minted { handle, secret, shown } = minted;
    let plain = NewKey::of_space(&space, dialect.name, least, handle, secret);
    let own = role.map_or(plain.holder, |role| Holder::New { role });
    let new = NewKey {
        holder: user.map_or(own, Holder::User),
        account_wide,
        name: name.unwrap_or_default(),
        cap,
        addresses: addresses.unwrap_or_default(),
        expires_at: expires_at.flatten(),
        public_rights: public_rights.unwrap_or_default(),
        ..plain
    };
    let issued = keys::issue(&request.cx, new, &shown).await?;
    answer(&request, dialect, &space, &issued, role).await
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
    let reach = places::reach(&request.cx, Permission::KeyWrite).await?;
    if reach.accounts.contains(&space.account) {
        return Ok(space);
    }
    match reach.spaces.contains(&number) {
        true if wants_account => Err(Failure::Forbidden),
        true => Ok(space),
        false => Err(unknown()),
    }
}

/// The role that a body names.
fn role(body: &KeyIn, fields: &mut Fields) -> Option<i64> {
    let known = |number: i64| match Role::numbered(number) {
        None if number <= BUILT_IN_ROLES_MAX => Err(Why::Unknown { what: "role" }),
        None | Some(_) => Ok(number),
    };
    set(fields.parse("role", body.role.clone(), known))
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
        cap: changed(fields.parse("permissions", body.permissions, roles::permissions)),
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

fn networks(texts: Vec<String>) -> Result<Vec<Network>, Why> {
    // Not parsed beyond the limit, which is told by the use case.
    if texts.len() > NETWORKS_MAX {
        return Err(Why::TooMany { max: NETWORKS_MAX });
    }
    texts.iter().map(|text| Network::parse(text)).collect()
}

/// A key that was made, with its credentials while they may be shown.
async fn answer(
    request: &Request,
    dialect: &Dialect,
    space: &Space,
    issued: &Issued,
    role: Option<i64>,
) -> Result<Reply, Failure> {
    let key = &issued.key;
    let mut held = request.cx.app.held_by(&[key.user]).await?;
    if let Some(role) = role.filter(|_| request.cx.dry_run) {
        held.foresee(key, role, request.cx.app.role(role).await?);
    }
    let mut out = KeyOut::of(key, key.revision, &held, None, request.cx.now);
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
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let condition = conditions::if_match(&request)?;
    let number = visible(&request, Permission::KeyWrite).await?.number;
    let (body, mut fields) = read::body::<KeyIn>(&request, Reading::NullClears)?;
    let fixed = [
        ("dialect", body.dialect.is_absent()),
        ("space", body.space.is_absent()),
        ("account_wide", body.account_wide.is_absent()),
        ("user", body.user.is_absent()),
    ];
    for (name, _) in fixed.into_iter().filter(|(_, is_absent)| !is_absent) {
        fields.refuse(name, Why::ReadOnly);
    }
    let role = role(&body, &mut fields);
    let patch = patch(body, &mut fields);
    fields.finish()?;
    let id = Id::Number(number);
    let saved = keys::update(&request.cx, id, condition.expect(), &patch, role).await?;
    let last = request.cx.app.key_uses(&[number]).await?;
    let held = request.cx.app.held_by(&[saved.user]).await?;
    let out = KeyOut::of(&saved, saved.revision, &held, last.get(&number), request.cx.now);
    Ok(Reply::json(200, &out)?.with("etag", conditions::tag(saved.revision)))
}

/// Revokes a key. It stays in the list.
pub async fn revoke(request: Request) -> Result<Reply, Failure> {
    let number = visible(&request, Permission::KeyWrite).await?.number;
    keys::revoke(&request.cx, number).await?;
    Ok(Reply::empty(204))
}

/// A new key with the same rights; the old one ends after the overlap.
pub async fn rotate(request: Request) -> Result<Reply, Failure> {
    let key = visible(&request, Permission::KeyWrite).await?;
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
    answer(&request, dialect, &space, &issued, None).await
}
