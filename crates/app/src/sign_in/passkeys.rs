//! Passkeys of persons: made by who is signed in, used to sign in. What a browser's answer proves
//! is checked by `patron_signin`; here is whose it is and what it opens.

use async_recursion::async_recursion;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use patron_model::{
    Failure, Noun, Timestamp, Why, card::Found, event::UntoldEvent, text::Name, user::User,
};
pub use patron_signin::passkey::{Authentication, CreationOptions, Registration, RequestOptions};
use patron_signin::passkey::{Fault, Known, Owner, RelyingParty, answered_challenge, answered_id};
use patron_store::{Column, Index, Kind, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Method, Proof, Standing,
    challenges::{self, Purpose},
    guard::{self, Attempts},
    held, in_use, linked, logins, open, plain, second,
    sessions::{self, Opened, random_token},
};
use crate::{
    Actor, App, Cx,
    audit::{Act, target},
    commit::Draft,
    documents::{DEPLOYMENT, Document, named},
    failure,
    ids::new_uuid,
    mails::notices::{self, Change},
    record::{self, Id, Loaded, Look, decode, page},
    search::{Field, Filter, Query},
    secrets::sha256_hex,
};

/// Passkeys.
pub static PASSKEY: Kind = Kind {
    name: "passkey",
    columns: &[
        Column::text("credential", Index::UniqueEverywhere).guarding("credential"),
        Column::int("user", Index::Ordered),
    ],
    terms: false,
};

/// Passkeys of one person.
pub const PASSKEYS_MAX: usize = 20;
/// What people are told they sign in to.
const PRODUCT: &str = "Patron";

/// A passkey of a person.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Passkey {
    /// Number.
    pub number: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Number of the person.
    pub user: i64,
    /// Counts the changes of what people call it, from 1.
    pub version: i64,
    /// Id of the credential, base64url.
    credential: String,
    /// Its public key as COSE writes it, base64url.
    public_key: String,
    /// Number of its algorithm in the registry of COSE.
    pub algorithm: i64,
    /// How far it has counted; many do not count.
    counter: u32,
    /// Whether it may be on several devices.
    pub is_eligible: bool,
    /// Whether it is.
    pub is_backed_up: bool,
    /// What the person calls it.
    pub name: Name,
    /// When it was made.
    pub created_at: Timestamp,
    /// When somebody last signed in by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
}

impl Document for Passkey {
    named!(PASSKEY, Passkey, UntoldEvent, in_deployment);
    const JOURNALED: bool = false;

    fn columns(&self) -> Vec<Value> {
        // Ids have up to 1023 bytes, which are too many for an index.
        vec![sha256_hex(&self.credential).as_str().into(), self.user.into()]
    }

    fn search_cards(&self, found: &mut Found) {
        found.text("name", self.name.as_str());
    }
}

/// A person who is signed in.
#[derive(Clone, Copy)]
pub struct Person<'a> {
    /// Who.
    pub user: &'a User,
    /// How.
    pub standing: &'a Standing,
}

const WRONG: Failure = Failure::Unauthenticated { reason: "a passkey that proves nobody" };
const NOT_FOUND: Failure = Failure::NotFound { noun: Noun::Passkey };

/// Who asks for passkeys here.
fn party(app: &App) -> Result<RelyingParty, Failure> {
    let none = Failure::WrongState {
        is: "a server without a name of its own and https",
        needs: "base_url with https and a name: browsers know passkeys of nothing else",
    };
    RelyingParty::of(&app.sign_in_options().base_url).ok_or(none)
}

/// What only this session has, and only while the person's ways to sign in stay as they are.
fn bound(standing: &Standing, epoch: i64) -> String {
    format!("session {} {epoch}", standing.session)
}

async fn epoch(cx: &Cx, user: i64) -> Result<i64, Failure> {
    Ok(logins::load(cx, user).await?.map_or(0, |login| login.epoch))
}

/// Passkeys of a person, the oldest first.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn list(cx: &Cx, user: i64) -> Result<Vec<Loaded<Passkey>>, Failure> {
    let cx = &cx.in_space(DEPLOYMENT);
    let predicate = Filter::equal(Field::Column("user"), user);
    // Two that are made side by side may each have seen room for one.
    let limit = 2 * PASSKEYS_MAX as u32;
    Ok(page(cx, &Query { predicate, limit, ..Query::of(DEPLOYMENT) }).await?.items)
}

/// One passkey of a person.
///
/// # Errors
/// `NotFound`.
#[async_recursion]
pub async fn get(cx: &Cx, user: i64, id: Id) -> Result<Loaded<Passkey>, Failure> {
    let passkey = record::load::<Passkey>(&cx.in_space(DEPLOYMENT), Look::at(id)).await?;
    if passkey.user == user { Ok(passkey) } else { Err(NOT_FOUND) }
}

/// What the browser of a person is asked for to make a passkey.
///
/// # Errors
/// `WrongState` where browsers know no passkeys, or the person has [`PASSKEYS_MAX`].
pub async fn creation(cx: &Cx, person: Person<'_>) -> Result<CreationOptions, Failure> {
    let cx = &plain(cx);
    let party = party(&cx.app)?;
    let known = list(cx, person.user.number).await?;
    has_room(known.len())?;
    let ids: Vec<Vec<u8>> =
        known.iter().filter_map(|known| BASE64URL.decode(&known.credential).ok()).collect();
    let ids: Vec<&[u8]> = ids.iter().map(Vec::as_slice).collect();
    let email = person.user.email.as_ref().map(|email| email.as_str()).unwrap_or_default();
    let names = [&person.user.given_name, &person.user.family_name];
    let name: Vec<&str> = names.into_iter().flatten().map(|name| name.as_str()).collect();
    let name = name.join(" ");
    let owner = Owner {
        handle: person.user.uuid.as_bytes(),
        name: email,
        display_name: if name.is_empty() { email } else { &name },
    };
    let bound = bound(person.standing, epoch(cx, person.user.number).await?);
    let challenge = challenges::make(cx, Purpose::Make, &bound);
    Ok(party.creation(challenge.as_bytes(), owner, PRODUCT, &ids))
}

fn has_room(count: usize) -> Result<(), Failure> {
    let (is, needs) = ("a person with 20 passkeys", "one of them to go");
    if count < PASSKEYS_MAX { Ok(()) } else { Err(Failure::WrongState { is, needs }) }
}

/// Adds a passkey that a browser has made. The other sessions of the person end.
///
/// # Errors
/// `Invalid` when it proves nothing, or is known already; as [`creation`].
pub async fn add(
    cx: &Cx,
    person: Person<'_>,
    name: &Name,
    made: &Registration,
) -> Result<Passkey, Failure> {
    let cx = &plain(cx);
    let party = party(&cx.app)?;
    let user = person.user;
    let refused =
        |fault: Fault| Failure::invalid("credential", Why::Malformed { expected: expected(fault) });
    let challenge = answered_challenge(&made.response.client_data).map_err(refused)?;
    let registered = party.register(challenge.as_bytes(), made).map_err(refused)?;
    cx.write(|mut draft| async {
        let bound = bound(person.standing, epoch(cx, user.number).await?);
        let until = challenges::good_until(cx, Purpose::Make, &challenge, &bound);
        let until = until.ok_or_else(|| refused(Fault::Challenge))?;
        match challenges::answer(cx, &mut draft, &challenge, until).await {
            Err(Failure::Unauthenticated { .. }) => return Err(refused(Fault::Challenge)),
            answered => answered?,
        }
        has_room(list(cx, user.number).await?.len())?;
        let credential = BASE64URL.encode(&registered.id);
        if by_credential(&cx.app, &credential).await?.is_some() {
            return Err(Failure::invalid("credential", Why::Taken));
        }
        let passkey = Passkey {
            number: cx.app.store.reserve(PASSKEY.name, 1).await.map_err(failure)?.start,
            uuid: new_uuid(),
            user: user.number,
            version: 1,
            credential,
            public_key: BASE64URL.encode(&registered.public_key),
            algorithm: registered.algorithm.number(),
            counter: registered.counter,
            is_eligible: registered.is_eligible,
            is_backed_up: registered.is_backed_up,
            name: name.clone(),
            created_at: cx.now,
            used_at: None,
        };
        draft.insert(&passkey)?;
        let keep = Some(person.standing.session);
        logins::change(cx, &mut draft, user, keep, |login| login.passkeys += 1).await?;
        notices::changed(cx, &mut draft, user, Change::PasskeyAdded).await?;
        draft.tell(told("passkey.added", user, &passkey));
        Ok((draft, passkey))
    })
    .await
}

/// A request that may be tried out, and whose answer is not kept.
pub(super) fn unremembered(cx: &Cx) -> Cx {
    Cx { idempotency: None, ..cx.in_space(DEPLOYMENT) }
}

/// Calls a passkey something else.
///
/// # Errors
/// `NotFound`.
#[async_recursion]
pub async fn rename(cx: &Cx, user: &User, id: Id, name: &Name) -> Result<Passkey, Failure> {
    let cx = &unremembered(cx);
    cx.write(|mut draft| async {
        let before = get(cx, user.number, id).await?;
        if before.name == *name {
            return Ok((draft, before.record));
        }
        let version = before.version + 1;
        let after = Passkey { name: name.clone(), version, ..before.record.clone() };
        draft.replace(&before, &after, UntoldEvent::Updated, &[])?;
        draft.tell(told("passkey.changed", user, &after));
        Ok((draft, after))
    })
    .await
}

/// Removes a passkey. The other sessions of the person end.
///
/// # Errors
/// `NotFound`; `WrongState` when the person would have no way to sign in any more.
pub async fn remove(cx: &Cx, person: Person<'_>, id: Id) -> Result<(), Failure> {
    let cx = &unremembered(cx);
    let user = person.user;
    cx.write(|mut draft| async {
        let passkey = get(cx, user.number, id).await?;
        draft.remove(&passkey);
        let keep = Some(person.standing.session);
        let fewer = |login: &mut logins::Login| login.passkeys = login.passkeys.saturating_sub(1);
        let after = logins::change(cx, &mut draft, user, keep, fewer).await?;
        linked::keeps_a_way(cx, &after, None).await?;
        second::keeps_demanded(cx, &after).await?;
        notices::changed(cx, &mut draft, user, Change::PasskeyRemoved).await?;
        draft.tell(told("passkey.removed", user, &passkey));
        Ok((draft, ()))
    })
    .await
}

/// Notes that all passkeys of a person go.
pub(super) async fn forget(cx: &Cx, draft: &mut Draft<'_>, user: i64) -> Result<(), Failure> {
    list(cx, user).await?.iter().for_each(|passkey| draft.remove(passkey));
    Ok(())
}

/// Something that only the browser has that it is made for.
pub fn new_browser() -> String {
    random_token()
}

/// What any browser is asked for to sign somebody in; `browser` is what only it has.
///
/// # Errors
/// `WrongState` where browsers know no passkeys.
pub fn request(cx: &Cx, browser: &str) -> Result<RequestOptions, Failure> {
    let challenge = challenges::make(cx, Purpose::SignIn, &sha256_hex(browser));
    Ok(party(&cx.app)?.request(challenge.as_bytes(), &[]))
}

/// Signs a person in by a passkey: both factors at once. Nothing is counted: there is nothing to
/// guess.
///
/// # Errors
/// `Unauthenticated` for whatever does not fit, always the same.
#[async_recursion]
pub async fn sign_in(
    cx: &Cx,
    browser: &str,
    device: Option<&str>,
    used: &Authentication,
) -> Result<Opened, Failure> {
    let cx = &plain(cx);
    let party = party(&cx.app)?;
    let browser = sha256_hex(browser);
    let challenge = answered_challenge(&used.response.client_data).map_err(|_| WRONG)?;
    let until = challenges::good_until(cx, Purpose::SignIn, &challenge, &browser);
    let until = until.ok_or(WRONG)?;
    let credential = BASE64URL.encode(answered_id(used).map_err(|_| WRONG)?);
    cx.write(|mut draft| async {
        let before = by_credential(&cx.app, &credential).await?.ok_or(WRONG)?;
        let (user, _) = in_use(&cx.app, before.user).await?.ok_or(WRONG)?;
        let login = logins::load(cx, user.number).await?.ok_or(WRONG)?;
        let proven = proven(&party, &challenge, &before, &user, used).ok_or(WRONG)?;
        let cx = &Cx { actor: Actor::Person(user.number), ..cx.clone() };
        challenges::answer(cx, &mut draft, &challenge, until).await?;
        let after = Passkey { used_at: Some(cx.now), ..proven };
        draft.replace(&before, &after, UntoldEvent::Updated, &[])?;
        let device = device.and_then(|sent| guard::known(cx, &login, sent));
        let counted = Attempts::of(login.number, device);
        let proof = Proof { methods: vec![Method::Passkey], level: 2 };
        let opened = open(cx, &mut draft, &login, &user, &proof, &counted).await?;
        Ok((draft, opened))
    })
    .await
}

/// What the browser of a person who is signed in is asked for, to prove once more who they are, or
/// by a second factor.
///
/// # Errors
/// `WrongState` where browsers know no passkeys, or the person has none.
pub async fn request_again(cx: &Cx, person: Person<'_>) -> Result<RequestOptions, Failure> {
    let cx = &plain(cx);
    let party = party(&cx.app)?;
    let known = list(cx, person.user.number).await?;
    if known.is_empty() {
        let (is, needs) = ("a person without passkeys", "one: POST /v1/me/passkeys/options");
        return Err(Failure::WrongState { is, needs });
    }
    let ids: Vec<Vec<u8>> =
        known.iter().filter_map(|known| BASE64URL.decode(&known.credential).ok()).collect();
    let ids: Vec<&[u8]> = ids.iter().map(Vec::as_slice).collect();
    let bound = bound(person.standing, epoch(cx, person.user.number).await?);
    let challenge = challenges::make(cx, Purpose::Prove, &bound);
    Ok(party.request(challenge.as_bytes(), &ids))
}

/// Proves by a passkey who the person of a session is: the session is of level 2 from now on, and
/// the browser holds something new. Nothing is counted, as at [`sign_in`].
///
/// # Errors
/// `Unauthenticated` for whatever does not fit, always the same.
pub async fn prove(
    cx: &Cx,
    person: Person<'_>,
    device: Option<&str>,
    used: &Authentication,
) -> Result<Opened, Failure> {
    let cx = &plain(cx);
    let (party, user) = (party(&cx.app)?, person.user);
    let challenge = answered_challenge(&used.response.client_data).map_err(|_| WRONG)?;
    let credential = BASE64URL.encode(answered_id(used).map_err(|_| WRONG)?);
    cx.write(|mut draft| async {
        let login = logins::load(cx, user.number).await?.ok_or(WRONG)?;
        let bound = bound(person.standing, login.epoch);
        let until = challenges::good_until(cx, Purpose::Prove, &challenge, &bound);
        let until = until.ok_or(WRONG)?;
        let before = by_credential(&cx.app, &credential).await?;
        let before = before.filter(|passkey| passkey.user == user.number).ok_or(WRONG)?;
        let proven = proven(&party, &challenge, &before, user, used).ok_or(WRONG)?;
        challenges::answer(cx, &mut draft, &challenge, until).await?;
        let after = Passkey { used_at: Some(cx.now), ..proven };
        draft.replace(&before, &after, UntoldEvent::Updated, &[])?;
        draft.assert(&login);
        let device = device.and_then(|sent| guard::known(cx, &login, sent));
        let is_told = Attempts::of(login.number, device).succeed(cx, &mut draft).await?;
        if is_told && person.standing.level < 2 {
            notices::new_browser(cx, &mut draft, user).await?;
        }
        let (session, by) = (person.standing.session, Some(Method::Passkey));
        let renewed = sessions::renew(cx, &mut draft, user, session, by).await?;
        Ok((draft, held(cx, &login, renewed)))
    })
    .await
}

/// The passkey as it is after it was used; none when the answer proves nothing.
fn proven(
    party: &RelyingParty,
    challenge: &str,
    passkey: &Passkey,
    user: &User,
    used: &Authentication,
) -> Option<Passkey> {
    let (id, public_key) =
        (BASE64URL.decode(&passkey.credential).ok()?, BASE64URL.decode(&passkey.public_key).ok()?);
    let known = Known {
        id: &id,
        public_key: &public_key,
        counter: passkey.counter,
        is_eligible: passkey.is_eligible,
        handle: user.uuid.as_bytes(),
    };
    match party.authenticate(challenge.as_bytes(), known, used) {
        Ok(used) => Some(Passkey {
            counter: used.counter,
            is_backed_up: used.is_backed_up,
            ..passkey.clone()
        }),
        Err(fault) => {
            let (passkey, fault) = (passkey.number, fault.as_str());
            tracing::info!(passkey, fault, "an answer for passkey {passkey} proves nothing");
            None
        }
    }
}

async fn by_credential(app: &App, credential: &str) -> Result<Option<Loaded<Passkey>>, Failure> {
    let lookup = sha256_hex(credential);
    let row = app.store.get_by(&PASSKEY, DEPLOYMENT, "credential", &lookup).await;
    row.map_err(failure)?.as_ref().map(decode).transpose()
}

fn told(action: &str, user: &User, passkey: &Passkey) -> Act {
    Act {
        action: action.to_owned(),
        account: Some(user.account),
        target: Some(target("passkey", &[passkey.number])),
        ..Act::default()
    }
}

/// What an answer to [`creation`] would have to be.
const fn expected(fault: Fault) -> &'static str {
    match fault {
        Fault::Challenge => "an answer to options asked for within ten minutes, in this session",
        Fault::Origin | Fault::CrossOrigin => "an answer from a page of this server",
        Fault::NotPresent | Fault::NotVerified => "an authenticator that made sure who used it",
        Fault::Algorithm => "a key of an algorithm that was offered",
        Fault::Attestation => "no attestation",
        Fault::Malformed
        | Fault::Ceremony
        | Fault::RelyingParty
        | Fault::Backup
        | Fault::Credential
        | Fault::User
        | Fault::Signature
        | Fault::Counter => "what the browser answered, as its toJSON() writes it",
    }
}
