//! Signing in by a provider of OpenID Connect. What goes to the provider and what comes back is
//! checked by `patron_signin`; here is who it is here.
//!
//! Who somebody is to a provider is written down once, as an identity: provider and subject. The
//! first time it is a new person, or one who has the e-mail address already, and only where the
//! provider may say so: it owns the domain, has made sure of the address, and the person has no way
//! to sign in yet. Otherwise whoever runs the provider would be anybody.
//!
//! What a browser has to bring back is sealed in its cookie, so strangers who only begin leave
//! nothing behind.

use std::{collections::BTreeSet, sync::OnceLock};

use async_recursion::async_recursion;
use patron_model::{
    Failure, Noun, Patch, Permission, Timestamp,
    card::Found,
    email::Email,
    event::{UntoldEvent, UserEvent},
    provider::Provider,
    role::{ASSIGNMENTS_MAX, Assignment},
    text::Name,
    user::{PERSON_NAME_CHARS_MAX, User, UserKind, UserPatch, UserState},
};
pub use patron_signin::oidc::RelyingParty;
use patron_signin::oidc::{self, Answered, Asked, Claims};
use patron_store::{Column, Index, Kind, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Method, Proof, challenges,
    guard::{self, Attempts},
    in_use, linked, logins, open, plain, provider_proofs,
    sessions::{self, Opened, Session, random_token},
};
use crate::{
    Actor, App, Cx,
    assignments::{self, Where},
    commit::Draft,
    documents::{DEPLOYMENT, Document, named},
    failure,
    ids::new_uuid,
    keys,
    mails::notices,
    places, providers,
    record::{self, Id, Loaded, Look, decode},
    roles,
    secrets::sha256_hex,
    users,
};

/// Who somebody is to a provider.
pub static IDENTITY: Kind = Kind {
    name: "identity",
    columns: &[
        Column::text("lookup", Index::UniqueEverywhere),
        Column::int("user", Index::Ordered),
    ],
    terms: false,
};

/// Identities of one person: as many as an account has providers, twice.
pub(super) const IDENTITIES_MAX: u32 = 100;
/// What a browser's cookie is sealed for.
const COOKIE: &str = "sign in by a provider";
/// The word for several factors (RFC 8176).
const SEVERAL_FACTORS: &str = "mfa";

/// Who somebody is to a provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Identity {
    pub(super) number: i64,
    pub(super) uuid: Uuid,
    /// Hash of provider and subject.
    pub(super) lookup: String,
    /// Number of the person.
    pub(super) user: i64,
    /// Number of the provider.
    pub(super) provider: i64,
    pub(super) created_at: Timestamp,
}

impl Document for Identity {
    named!(IDENTITY, User, UntoldEvent, in_deployment);
    const JOURNALED: bool = false;

    fn columns(&self) -> Vec<Value> {
        vec![self.lookup.as_str().into(), self.user.into()]
    }

    fn search_cards(&self, _: &mut Found) {
        // A hash.
    }
}

/// What a browser has to bring back.
#[derive(Serialize, Deserialize)]
pub(super) struct Begun {
    provider: i64,
    version: i64,
    pub(super) state: String,
    nonce: String,
    verifier: String,
    pub(super) expires_at: Timestamp,
    /// Who is signed in already and asked for it; nobody: somebody signs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    of: Option<OfSession>,
}

/// A session whose person was sent to a provider, and how often the ways to sign in had changed.
#[derive(Serialize, Deserialize)]
pub(super) struct OfSession {
    pub(super) session: i64,
    pub(super) epoch: i64,
    pub(super) why: Why,
}

/// Why somebody who is signed in was sent to a provider.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Why {
    /// It shall bring the person from now on.
    Link,
    /// The person proves once more who they are.
    Prove,
}

/// What a browser brings back.
#[derive(Clone, Copy)]
pub struct Back<'a> {
    /// The code of the provider; none when it let nobody in.
    pub code: Option<&'a str>,
    /// What was sent there.
    pub state: &'a str,
    /// Who the provider says it is (RFC 9207).
    pub issuer: Option<&'a str>,
    /// What the browser's cookie holds.
    pub cookie: &'a str,
    /// The device cookie of the browser.
    pub device: Option<&'a str>,
    /// Its session cookie, which says who links a provider.
    pub session: Option<&'a str>,
}

impl std::fmt::Debug for Back<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Back(…)")
    }
}

/// Who asks providers; set by whoever runs the use cases.
#[derive(Default)]
pub(crate) struct Asking(OnceLock<RelyingParty>);

impl App {
    /// Says who asks providers. Only the first word counts.
    pub fn asks_providers_by(&self, party: RelyingParty) {
        let _ = self.sign_in.asking.0.set(party);
    }

    /// Who asks providers.
    ///
    /// # Errors
    /// `Internal` where this process asks none.
    pub fn asking(&self) -> Result<&RelyingParty, Failure> {
        self.sign_in.asking.0.get().ok_or_else(|| Failure::internal("no provider can be asked"))
    }
}

pub(super) const WRONG: Failure =
    Failure::Unauthenticated { reason: "a provider that brings nobody" };

fn callback(app: &App, provider: i64) -> String {
    format!("{}/v1/sign-in/oidc/{provider}/callback", app.sign_in_options().base_url)
}

/// A provider that people sign in by.
pub(super) async fn in_use_provider(cx: &Cx, id: Id) -> Result<Loaded<Provider>, Failure> {
    let provider = record::load::<Provider>(cx, Look::at(id)).await?;
    let line = places::open_line(&cx.app, provider.account).await?;
    match line.is_some() && provider.is_in_use() {
        true => Ok(provider),
        false => Err(Failure::NotFound { noun: Noun::Provider }),
    }
}

/// The session that was sent to a provider, where the browser shows it still, and its person.
///
/// # Errors
/// `Unauthenticated` otherwise, and for somebody who may not sign in any more.
pub(super) async fn sent(
    cx: &Cx,
    of: &OfSession,
    back: &Back<'_>,
) -> Result<(Loaded<Session>, User), Failure> {
    let session = sessions::of_token(&cx.app, back.session.unwrap_or_default()).await?;
    let session = session.filter(|session| session.number == of.session).ok_or(WRONG)?;
    let (user, _) = in_use(&cx.app, session.user).await?.ok_or(WRONG)?;
    Ok((session, user))
}

/// A fault of the provider, or of what came back.
fn refused(provider: &Provider, fault: oidc::Fault) -> Failure {
    let (number, fault_word) = (provider.number, fault.as_str());
    tracing::warn!(provider = number, fault = fault_word, "provider {number} brings nobody");
    match fault {
        oidc::Fault::Unreachable(_) => Failure::Unavailable { retry_after_seconds: 30 },
        _ => WRONG,
    }
}

/// Where a browser is sent to, and what its cookie holds until it comes back.
///
/// # Errors
/// `NotFound`; `Unavailable` when the provider cannot be asked.
#[async_recursion]
pub async fn begin(cx: &Cx, id: Id) -> Result<(String, String), Failure> {
    let cx = &plain(cx);
    let provider = in_use_provider(cx, id).await?;
    begin_for(cx, &provider, None).await
}

/// The same for who signs in, or for a session whose person links the provider or proves something.
pub(super) async fn begin_for(
    cx: &Cx,
    provider: &Provider,
    of: Option<OfSession>,
) -> Result<(String, String), Failure> {
    let begun = Begun {
        provider: provider.number,
        version: provider.version,
        state: random_token(),
        nonce: random_token(),
        verifier: random_token(),
        expires_at: cx.now.plus_seconds(challenges::GOOD_SECONDS),
        of,
    };
    let redirect_uri = callback(&cx.app, provider.number);
    let asked = asked(&begun, &redirect_uri);
    let known = known(provider, None);
    let url = cx.app.asking()?.begin(known, asked, cx.now.seconds()).await;
    let url = url.map_err(|fault| refused(provider, fault))?;
    let text = serde_json::to_vec(&begun).map_err(Failure::internal)?;
    Ok((url, cx.app.secrets.seal(COOKIE, &text)?))
}

fn asked<'a>(begun: &'a Begun, redirect_uri: &'a str) -> Asked<'a> {
    let Begun { state, nonce, verifier, of, expires_at, .. } = begun;
    let begun_at = expires_at.plus_seconds(-challenges::GOOD_SECONDS).seconds();
    let proves = of.as_ref().is_some_and(|of| of.why == Why::Prove);
    Asked { state, nonce, verifier, redirect_uri, fresh_since: proves.then_some(begun_at) }
}

fn known<'a>(provider: &'a Provider, secret: Option<&'a str>) -> oidc::Provider<'a> {
    oidc::Provider {
        issuer: &provider.issuer,
        client_id: &provider.client_id,
        secret,
        scopes: &provider.scopes,
        acr: provider.acr.as_deref(),
    }
}

/// Signs in whom the provider brings, links it to the person who asked for that, or takes it as a
/// fresh proof.
///
/// # Errors
/// `Unauthenticated` for whatever does not fit; `Unavailable` when the provider cannot be asked.
pub async fn finish(cx: &Cx, id: Id, back: Back<'_>) -> Result<Opened, Failure> {
    let cx = &plain(cx);
    let provider = in_use_provider(cx, id).await?;
    let begun = begun(cx, back).filter(|begun| {
        let is_same = begun.provider == provider.number && begun.version == provider.version;
        is_same && cx.now < begun.expires_at && oidc::is_same(&begun.state, back.state)
    });
    let (begun, code) = begun.zip(back.code).ok_or(WRONG)?;
    let redirect_uri = callback(&cx.app, provider.number);
    let secret = providers::secret(&cx.app, &provider).await?;
    let known = known(&provider, secret.as_deref());
    let answered = Answered { code, issuer: back.issuer };
    let claims =
        cx.app.asking()?.finish(known, asked(&begun, &redirect_uri), answered, cx.now.seconds());
    let claims = claims.await.map_err(|fault| refused(&provider, fault))?;
    if let Some(of) = &begun.of {
        return match of.why {
            Why::Link => linked::finish(cx, &provider, (&begun, of), back, &claims).await,
            Why::Prove => provider_proofs::finish(cx, &provider, (&begun, of), back, &claims).await,
        };
    }
    let user = person(cx, &provider, &claims).await?;
    let cx = &Cx { actor: Actor::Person(user.number), ..cx.clone() };
    let level = if proves_two(&provider, &claims) { 2 } else { 1 };
    let proof = Proof { methods: vec![Method::Provider], level };
    cx.write(|mut draft| async {
        challenges::answer(cx, &mut draft, &begun.state, begun.expires_at).await?;
        draft.assert(&provider);
        let login = logins::load(cx, user.number).await?.ok_or(WRONG)?;
        let device = back.device.and_then(|sent| guard::known(cx, &login, sent));
        let counted = Attempts::of(login.number, device);
        let opened = open(cx, &mut draft, &login, &user, &proof, &counted).await?;
        Ok((draft, opened))
    })
    .await
}

/// What the cookie of a browser holds, if it is one of ours.
fn begun(cx: &Cx, back: Back<'_>) -> Option<Begun> {
    let text = cx.app.secrets.open(COOKIE, back.cookie).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Whether the provider has made sure of somebody by two factors.
pub(super) fn proves_two(provider: &Provider, claims: &Claims) -> bool {
    let as_asked = provider.acr.is_some() && provider.acr == claims.acr;
    as_asked || claims.amr.iter().any(|method| method == SEVERAL_FACTORS)
}

/// What is kept of who somebody is to a provider.
pub(super) fn lookup(provider: &Provider, claims: &Claims) -> String {
    sha256_hex(&format!("{}:{}", provider.number, claims.sub))
}

/// The person whom the provider brings: known as such, or known by address and linked now, or new.
///
/// # Errors
/// `Unauthenticated` for one that the provider cannot bring.
async fn person(cx: &Cx, provider: &Loaded<Provider>, claims: &Claims) -> Result<User, Failure> {
    let lookup = lookup(provider, claims);
    cx.write(|mut draft| async {
        draft.assert(provider);
        if let Some(identity) = by_lookup(&cx.app, &lookup).await? {
            let (user, _) = in_use(&cx.app, identity.user).await?.ok_or(WRONG)?;
            let changed = roles_as_claimed(cx, &mut draft, provider, &user, claims).await?;
            notices::roles(cx, &mut draft, &user, &changed).await?;
            return Ok((draft, user));
        }
        let email = claims.email.as_deref().filter(|_| claims.has_verified_email());
        let email = email.filter(|email| provider.owns(email)).ok_or(WRONG)?;
        let email = Email::parse(email).map_err(|_| WRONG)?;
        let known = by_address(cx, provider.account, &email).await?;
        let is_new = known.is_none();
        let user = match known {
            Some(known) => by_email(cx, &mut draft, provider, known).await?,
            None => made(cx, &mut draft, provider, claims, email).await?,
        };
        let changed = roles_as_claimed(cx, &mut draft, provider, &user, claims).await?;
        // Who begins with a role is not told that it came.
        let told = if is_new { &[] } else { &changed[..] };
        notices::roles(cx, &mut draft, &user, told).await?;
        linked::note(cx, &mut draft, provider, &user, lookup.clone(), None).await?;
        Ok((draft, user))
    })
    .await
}

/// A person who has the address already, and no way to sign in yet: an invitation is accepted so.
async fn by_email(
    cx: &Cx,
    draft: &mut Draft<'_>,
    provider: &Provider,
    known: Loaded<User>,
) -> Result<User, Failure> {
    let login = logins::load(cx, known.number).await?;
    let has_none = login.is_none_or(|login| !login.is_usable());
    let is_expected = known.provider == Some(provider.number);
    let may_link = provider.link_by_email || is_expected;
    if !may_link || !has_none || known.kind != UserKind::Human {
        return Err(WRONG);
    }
    match known.state {
        UserState::Active => {
            draft.assert(&known);
            Ok(known.record)
        }
        UserState::Invited => {
            let patch = UserPatch { active: Some(true), ..UserPatch::default() };
            let (after, changes) = known.apply(patch, cx.now)?;
            draft.replace(&known, &after, UserEvent::Activated, &changes)?;
            Ok(after)
        }
        UserState::Inactive | UserState::Deleted => Err(WRONG),
    }
}

/// A new person, with the role that new ones hold.
async fn made(
    cx: &Cx,
    draft: &mut Draft<'_>,
    provider: &Provider,
    claims: &Claims,
    email: Email,
) -> Result<User, Failure> {
    if !provider.create_users {
        return Err(WRONG);
    }
    // A name that cannot be one here is no reason to let nobody in.
    let name = |name: &Option<String>| {
        let name = name.as_deref().and_then(|name| Name::parse(name).ok());
        let short = name.filter(|name| name.as_str().chars().count() <= PERSON_NAME_CHARS_MAX);
        short.map_or(Patch::Keep, Patch::Set)
    };
    let number = keys::next_number(cx).await?;
    let blank = User {
        kind: UserKind::Human,
        provider: Some(provider.number),
        ..User::application(number, new_uuid(), provider.account, "", cx.now)
    };
    let patch = UserPatch {
        given_name: name(&claims.given_name),
        family_name: name(&claims.family_name),
        email: Patch::Set(email),
        ..UserPatch::default()
    };
    let (user, _) = blank.apply(patch, cx.now).map_err(|_| WRONG)?;
    let user = User { version: 1, ..user };
    draft.insert(&user)?;
    if let Some(role) = provider.default_role {
        let path = places::path(&cx.app, provider.account).await?;
        // One that is no more gives nothing.
        if let Ok(found) = roles::assignable(cx, role, &path).await {
            found.assert(draft);
            let at = Where::Account { number: provider.account, subaccounts: false };
            draft.insert(&assignments::new(cx, number, role, at, provider.account).await?)?;
        }
    }
    Ok(user)
}

async fn by_address(cx: &Cx, account: i64, email: &Email) -> Result<Option<Loaded<User>>, Failure> {
    let login = format!("{account}:{}", email.key());
    let row = cx.app.store.get_by(&users::USER, DEPLOYMENT, "login", &login).await;
    row.map_err(failure)?.as_ref().map(decode).transpose()
}

pub(super) async fn by_lookup(
    app: &App,
    lookup: &str,
) -> Result<Option<Loaded<Identity>>, Failure> {
    let row = app.store.get_by(&IDENTITY, DEPLOYMENT, "lookup", lookup).await;
    row.map_err(failure)?.as_ref().map(decode).transpose()
}

/// Gives a person the roles in the account that the provider's claim names, and takes those that it
/// does not name any more; of the roles that the provider is set up with, and of no others. Says
/// which were given (`true`) and which taken.
async fn roles_as_claimed(
    cx: &Cx,
    draft: &mut Draft<'_>,
    provider: &Provider,
    user: &User,
    claims: &Claims,
) -> Result<Vec<(Assignment, bool)>, Failure> {
    let mut changed = Vec::new();
    let Some(claim) = &provider.role_claim else { return Ok(changed) };
    let said = claims.words(claim);
    let named = |(word, role): (&String, &i64)| said.contains(&word.as_str()).then_some(*role);
    let wanted: BTreeSet<i64> = provider.claim_roles.iter().filter_map(named).collect();
    let held = assignments::of_user(cx, user.number).await?;
    let is_here = |one: &Assignment| one.account == provider.account && one.space.is_none();
    let path = places::path(&cx.app, provider.account).await?;
    for one in held.iter().filter(|one| is_here(one)) {
        let is_said = provider.claim_roles.values().any(|role| *role == one.role);
        // A role that came to own accounts since is for owners to take away.
        if is_said && !wanted.contains(&one.role) && !owns(cx, one.role).await? {
            assignments::end(draft, one, cx.now)?;
            changed.push((one.record.clone(), false));
        }
    }
    let mut room = ASSIGNMENTS_MAX.saturating_sub(held.len());
    for role in wanted {
        let has_it = held.iter().any(|one| is_here(one) && one.role == role);
        // One that is no more gives nothing.
        let Ok(found) = roles::assignable(cx, role, &path).await else { continue };
        if has_it || room == 0 || owns(cx, role).await? {
            continue;
        }
        room -= 1;
        found.assert(draft);
        let at = Where::Account { number: provider.account, subaccounts: false };
        let new = assignments::new(cx, user.number, role, at, provider.account).await?;
        draft.insert(&new)?;
        changed.push((new, true));
    }
    Ok(changed)
}

async fn owns(cx: &Cx, role: i64) -> Result<bool, Failure> {
    Ok(cx.app.role(role).await?.permissions.has(Permission::AccessOwn))
}

/// Notes that nobody brings a person any more.
pub(super) async fn forget(cx: &Cx, draft: &mut Draft<'_>, user: i64) -> Result<(), Failure> {
    linked::of_user(cx, user).await?.iter().for_each(|known| draft.remove(known));
    Ok(())
}
