//! A second factor beside a password: codes of an app (RFC 6238: SHA-1, six digits, thirty seconds,
//! which is what all apps know), and recovery codes for when it is lost. Secret and hashes are
//! sealed in the vault; that there are any is in the login. Who has one holds no role before it is
//! proven.

use async_recursion::async_recursion;
use patron_model::{
    Failure, Timestamp, Why, card::contains_number, email::Email, event::UntoldEvent, user::User,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use totp_rs::{Algorithm, Builder, Totp};

use super::{
    Method, Standing,
    guard::{self, Attempts},
    held,
    logins::{self, Login, Second},
    passkeys, passwords, plain,
    sessions::{self, Opened},
    told,
};
use crate::{
    App, Caller, Cx,
    commit::Draft,
    keys::NewSecret,
    mails::notices::{self, Change},
    record::Loaded,
    secrets::{same, sha256_hex},
    vault,
};

/// Seconds of a step.
const STEP_SECONDS: u64 = 30;
/// Steps before and after this one whose codes are taken, for clocks that differ.
const STEPS_BESIDE: u16 = 1;
/// Digits of a code.
const DIGITS: u8 = 6;
/// Random bytes of a secret: 160 bits (RFC 4226 §4).
const SECRET_BYTES: usize = 20;
/// Seconds within which a new secret is confirmed.
pub const CONFIRM_SECONDS: i64 = 600;
/// Recovery codes made at a time.
pub const RECOVERY_CODES: u32 = 10;
/// Random bytes of a recovery code: 120 bits.
const RECOVERY_BYTES: usize = 15;
/// Signs of a group of a recovery code, as it is shown.
const GROUP: usize = 5;
/// Bytes of a code, as it is typed, at most.
const TYPED_BYTES_MAX: usize = 100;
/// Bytes of a name in an app at most: some show nothing of a longer one.
const NAME_BYTES_MAX: usize = 128;
/// What people are told the codes are for.
const PRODUCT: &str = "Patron";

const WRONG: Failure = Failure::Unauthenticated { reason: "a wrong code" };
const NONE: Failure = Failure::WrongState {
    is: "a person without a second factor",
    needs: "one: POST /v1/me/totp, and confirm it",
};

/// A code that a person types.
pub enum Typed {
    /// What the app shows.
    Code(String),
    /// A recovery code.
    Recovery(String),
}

impl std::fmt::Debug for Typed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Typed(…)")
    }
}

/// What an app is told once.
pub struct Begun {
    /// The secret, in base32.
    pub secret: String,
    /// The same as an app reads it from a picture (`otpauth://`).
    pub url: String,
    /// Until when it can be confirmed.
    pub until: Timestamp,
}

impl std::fmt::Debug for Begun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Begun(…)")
    }
}

/// A secret that is not yet in force: good in one session, while nothing else changes.
#[derive(Serialize, Deserialize)]
struct Pending {
    secret: Vec<u8>,
    session: i64,
    epoch: i64,
    until: Timestamp,
}

fn secret_place(user: i64) -> String {
    format!("person:{user}:totp")
}

fn pending_place(user: i64) -> String {
    format!("person:{user}:totp-begun")
}

fn recovery_place(user: i64) -> String {
    format!("person:{user}:recovery")
}

/// The generator of a secret; the name is what apps show.
fn generator(secret: &[u8], name: &str) -> Result<Totp, Failure> {
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(DIGITS)
        .with_skew(STEPS_BESIDE)
        .with_step_duration(STEP_SECONDS)
        .with_secret(secret.to_vec())
        .with_issuer(Some(PRODUCT))
        .with_account_name(name)
        .build()
        .map_err(|_| Failure::internal("no generator of codes can be made"))
}

/// What apps show for a person. A colon would end the issuer.
fn name(user: &User) -> String {
    let mut name = user.email.as_ref().map_or("", Email::as_str).replace(':', "");
    while name.len() > NAME_BYTES_MAX {
        name.pop();
    }
    if name.is_empty() { user.number.to_string() } else { name }
}

/// The step of a code that is good now and was not taken before.
fn step(secret: &[u8], last: u64, code: &str, now: Timestamp) -> Result<Option<u64>, Failure> {
    let now = u64::try_from(now.seconds()).unwrap_or_default();
    let code: String = code.chars().filter(|sign| !sign.is_whitespace()).collect();
    let step = generator(secret, "")?.check(&code, now);
    Ok(step.filter(|step| *step > last))
}

async fn open<T: DeserializeOwned>(app: &App, place: &str) -> Result<Option<T>, Failure> {
    match vault::open(app, place).await? {
        vault::Opened::Signing(text) => {
            serde_json::from_slice(&text).map(Some).map_err(Failure::internal)
        }
        vault::Opened::Gone => Ok(None),
        vault::Opened::Hash(_) | vault::Opened::Broken => {
            Err(Failure::internal("the second factor of a person cannot be opened"))
        }
    }
}

async fn keep<T: Serialize>(
    cx: &Cx,
    draft: &mut Draft<'_>,
    place: String,
    value: &T,
) -> Result<(), Failure> {
    let text = serde_json::to_vec(value).map_err(Failure::internal)?;
    vault::set(cx, draft, place, &NewSecret::Signing(text)).await
}

fn standing(caller: &Caller) -> Result<&Standing, Failure> {
    caller.person.as_ref().ok_or(Failure::Forbidden)
}

async fn login(cx: &Cx, user: i64) -> Result<Loaded<Login>, Failure> {
    logins::load(cx, user).await?.ok_or(WRONG)
}

/// A new secret for the app of the person who asks. It is in force once [`confirm`] saw a code of
/// it, in the same session and while the ways to sign in stay as they are.
///
/// # Errors
/// `Forbidden` for keys.
#[async_recursion]
pub async fn begin(cx: &Cx, caller: &Caller) -> Result<Begun, Failure> {
    let cx = &plain(cx);
    let session = standing(caller)?.session;
    let user = &caller.user;
    let secret = rand::random::<[u8; SECRET_BYTES]>().to_vec();
    let until = cx.now.plus_seconds(CONFIRM_SECONDS);
    let generator = generator(&secret, &name(user))?;
    let url = generator.to_url().map_err(|_| Failure::internal("no URL for an app"))?;
    let shown = generator.secret().to_base32();
    cx.write(|mut draft| async {
        let login = login(cx, user.number).await?;
        let pending = Pending { secret: secret.clone(), session, epoch: login.epoch, until };
        keep(cx, &mut draft, pending_place(user.number), &pending).await?;
        Ok((draft, ()))
    })
    .await?;
    Ok(Begun { secret: shown, url, until })
}

/// Puts the secret of [`begin`] in force by a code of it. All other sessions end; the one that asks
/// is of level 2 from now on.
///
/// # Errors
/// `WrongState` when none was begun within ten minutes in this session; `Invalid` for a wrong code;
/// `Forbidden` for keys.
#[async_recursion]
pub async fn confirm(cx: &Cx, caller: &Caller, code: &str) -> Result<Opened, Failure> {
    let cx = &plain(cx);
    let session = standing(caller)?.session;
    let user = &caller.user;
    let (is, needs) = ("no secret that waits for a code", "POST /v1/me/totp in this session");
    bounded("code", code)?;
    // Guesses at whose code this is are counted like all others.
    let is_looked_at = Attempts::of(user.number, None).charge(cx).await?;
    cx.write(|mut draft| async {
        let place = pending_place(user.number);
        let before = login(cx, user.number).await?;
        let pending = open::<Pending>(&cx.app, &place).await?.filter(|pending| {
            cx.now < pending.until && (pending.session, pending.epoch) == (session, before.epoch)
        });
        let pending = pending.ok_or(Failure::WrongState { is, needs })?;
        let step = step(&pending.secret, 0, code, cx.now)?.filter(|_| is_looked_at);
        let Some(step) = step else {
            let why = Why::Malformed { expected: "the code that the app shows now" };
            return Err(Failure::invalid("code", why));
        };
        vault::forget(cx, &mut draft, &place).await?;
        keep(cx, &mut draft, secret_place(user.number), &pending.secret).await?;
        let is_first = before.second.is_none();
        let login = logins::change(cx, &mut draft, user, Some(session), |login| {
            let recovery_codes = login.second.map_or(0, |second| second.recovery_codes);
            login.second = Some(Second { since: cx.now, step, recovery_codes });
        })
        .await?;
        notices::changed(cx, &mut draft, user, Change::CodesSet).await?;
        draft.tell(told(if is_first { "totp.added" } else { "totp.changed" }, user));
        Attempts::of(user.number, None).succeed(cx, &mut draft).await?;
        let second = Some(Method::Totp);
        let renewed = sessions::renew(cx, &mut draft, user, session, second).await?;
        Ok((draft, held(cx, &login, renewed)))
    })
    .await
}

/// Proves the second factor, after a password or once more: the session is of level 2 from now on,
/// and the browser holds something new. Guesses are counted with those at the password.
///
/// # Errors
/// `Unauthenticated` for a code that is wrong, was taken before, or is not looked at any more;
/// `TooMany` for a network that guessed too much; `WrongState` for who has none; `Forbidden` for
/// keys.
#[async_recursion]
pub async fn prove(
    cx: &Cx,
    caller: &Caller,
    typed: &Typed,
    device: Option<&str>,
) -> Result<Opened, Failure> {
    let cx = &plain(cx);
    let Standing { session, level, .. } = *standing(caller)?;
    let user = &caller.user;
    let (Typed::Code(text) | Typed::Recovery(text)) = typed;
    bounded(if matches!(typed, Typed::Code(_)) { "code" } else { "recovery_code" }, text)?;
    let known = login(cx, user.number).await?;
    if known.second.is_none() {
        return Err(NONE);
    }
    let device = device.and_then(|sent| guard::known(cx, &known, sent));
    if device.is_none() {
        cx.app.sign_in.networks.check(cx)?;
    }
    let counted = Attempts::of(user.number, device);
    let is_looked_at = counted.charge(cx).await?;
    let proven = cx.write(|mut draft| async {
        let before = login(cx, user.number).await?;
        let second = before.second.filter(|_| is_looked_at && before.epoch == known.epoch);
        let taken = match second {
            Some(second) => take(cx, &mut draft, user, second, typed).await?,
            None => None,
        };
        let (second, method) = taken.ok_or(WRONG)?;
        let mut after = before.record.clone();
        after.second = Some(second);
        draft.replace(&before, &after, UntoldEvent::Updated, &[])?;
        let is_told = counted.succeed(cx, &mut draft).await?;
        // A session of level 1 awaited it; a fresh proof is no sign-in.
        if is_told && level < 2 {
            notices::new_browser(cx, &mut draft, user).await?;
        }
        let renewed = sessions::renew(cx, &mut draft, user, session, Some(method)).await?;
        Ok((draft, held(cx, &after, renewed)))
    });
    let proven = proven.await;
    if let Err(Failure::Unauthenticated { .. }) = proven {
        cx.app.sign_in.networks.note_wrong(cx);
    }
    proven
}

/// Notes that a code was taken; what is left of the second factor. None for a wrong one.
async fn take(
    cx: &Cx,
    draft: &mut Draft<'_>,
    user: &User,
    second: Second,
    typed: &Typed,
) -> Result<Option<(Second, Method)>, Failure> {
    match typed {
        Typed::Code(code) => {
            let secret: Option<Vec<u8>> = open(&cx.app, &secret_place(user.number)).await?;
            let Some(secret) = secret else { return Ok(None) };
            let step = step(&secret, second.step, code, cx.now)?;
            Ok(step.map(|step| (Second { step, ..second }, Method::Totp)))
        }
        Typed::Recovery(code) => {
            let place = recovery_place(user.number);
            let mut left: Vec<String> = open(&cx.app, &place).await?.unwrap_or_default();
            let hash = hash(code);
            let before = left.len();
            left.retain(|one| !same(one.as_bytes(), hash.as_bytes()));
            if left.len() == before {
                return Ok(None);
            }
            keep(cx, draft, place, &left).await?;
            draft.tell(told("recovery.used", user));
            let recovery_codes = second.recovery_codes.saturating_sub(1);
            Ok(Some((Second { recovery_codes, ..second }, Method::RecoveryCode)))
        }
    }
}

/// What is kept of a recovery code, however it is typed. It is random, so a plain hash does.
fn hash(code: &str) -> String {
    let signs = code.chars().filter(char::is_ascii_alphanumeric);
    sha256_hex(&signs.map(|sign| sign.to_ascii_lowercase()).collect::<String>())
}

/// A code that the door does not take for a card number, typed with hyphens or without.
fn recovery_code() -> String {
    loop {
        let signs = hex::encode(rand::random::<[u8; RECOVERY_BYTES]>());
        let groups: Vec<&str> =
            (0..signs.len()).step_by(GROUP).map(|at| &signs[at..at + GROUP]).collect();
        let code = groups.join("-");
        if !contains_number(&signs) && !contains_number(&code) {
            return code;
        }
    }
}

/// New recovery codes of the person who asks, and a device cookie. Those of before are good no
/// more, and all other sessions end.
///
/// # Errors
/// `WrongState` for who has no second factor that they could stand for; `Forbidden` for keys.
#[async_recursion]
pub async fn recover_by(cx: &Cx, caller: &Caller) -> Result<(Vec<String>, String), Failure> {
    let cx = &plain(cx);
    let session = standing(caller)?.session;
    let user = &caller.user;
    let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| recovery_code()).collect();
    let hashes: Vec<String> = codes.iter().map(|code| hash(code)).collect();
    let device = cx.write(|mut draft| async {
        let second = login(cx, user.number).await?.second.ok_or(NONE)?;
        keep(cx, &mut draft, recovery_place(user.number), &hashes).await?;
        let login = logins::change(cx, &mut draft, user, Some(session), |login| {
            login.second = Some(Second { recovery_codes: RECOVERY_CODES, ..second });
        })
        .await?;
        let is_first = second.recovery_codes == 0;
        notices::changed(cx, &mut draft, user, Change::RecoveryCodes).await?;
        draft.tell(told(if is_first { "recovery.added" } else { "recovery.changed" }, user));
        Ok((draft, guard::device(cx, &login)))
    });
    Ok((codes, device.await?))
}

/// Removes the second factor of the person who asks, recovery codes included; a device cookie. All
/// other sessions end.
///
/// # Errors
/// `WrongState` for who has none, or whose password is too short to be the only factor; `Forbidden`
/// for keys.
#[async_recursion]
pub async fn remove(cx: &Cx, caller: &Caller) -> Result<String, Failure> {
    let cx = &passkeys::unremembered(cx);
    let session = standing(caller)?.session;
    let user = &caller.user;
    cx.write(|mut draft| async {
        login(cx, user.number).await?.second.ok_or(NONE)?;
        forget(cx, &mut draft, user.number).await?;
        let change = |login: &mut Login| login.second = None;
        let login = logins::change(cx, &mut draft, user, Some(session), change).await?;
        if login.is_password_short {
            let is = "the second factor beside a short password";
            return Err(Failure::WrongState { is, needs: "a password of 15 characters first" });
        }
        keeps_demanded(cx, &login).await?;
        notices::changed(cx, &mut draft, user, Change::CodesRemoved).await?;
        draft.tell(told("totp.removed", user));
        Ok((draft, guard::device(cx, &login)))
    })
    .await
}

/// The last second factor cannot go where a role or an account demands one.
pub(super) async fn keeps_demanded(cx: &Cx, login: &Login) -> Result<(), Failure> {
    let held = cx.app.held_by_person(login.number).await?.principal(login.number);
    if login.has_second() || !held.grants().iter().any(|grant| grant.second_factor) {
        return Ok(());
    }
    let (is, needs) =
        ("the last second factor of who holds a role where one is demanded", "another one");
    Err(Failure::WrongState { is, needs })
}

/// Removes the second factor of a person who lost it, recovery codes and passkeys included. All
/// sessions end; the password stays, unless it is too short to be the only factor: then the person
/// is to be invited once more.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn remove_all(cx: &Cx, user: &User) -> Result<(), Failure> {
    let cx = &passkeys::unremembered(cx);
    cx.write(|mut draft| async {
        forget(cx, &mut draft, user.number).await?;
        passkeys::forget(cx, &mut draft, user.number).await?;
        let mut was_short = false;
        logins::change(cx, &mut draft, user, None, |login| {
            (login.second, login.passkeys) = (None, 0);
            was_short = std::mem::take(&mut login.is_password_short);
            login.password_at = login.password_at.filter(|_| !was_short);
        })
        .await?;
        if was_short {
            passwords::forget(cx, &mut draft, user.number).await?;
        }
        notices::changed(cx, &mut draft, user, Change::FactorsRemoved).await?;
        draft.tell(told("factors.removed", user));
        Ok((draft, ()))
    })
    .await
}

/// Notes that the second factor of a person goes.
pub(super) async fn forget(cx: &Cx, draft: &mut Draft<'_>, user: i64) -> Result<(), Failure> {
    for place in [secret_place(user), pending_place(user), recovery_place(user)] {
        vault::forget(cx, draft, &place).await?;
    }
    Ok(())
}

fn bounded(field: &str, typed: &str) -> Result<(), Failure> {
    let why = || Why::TooLarge { max_bytes: TYPED_BYTES_MAX };
    if typed.len() <= TYPED_BYTES_MAX { Ok(()) } else { Err(Failure::invalid(field, why())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_rfc_and_good_once_within_a_step() {
        // RFC 6238, appendix B, SHA-1: the last six of the eight digits.
        let secret = b"12345678901234567890";
        for (seconds, code) in [
            (1_111_111_111_i64, "050471"),
            (1_111_111_109, "081804"),
            (1_234_567_890, "005924"),
            (20_000_000_000, "353130"),
        ] {
            let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
            let now = u64::try_from(seconds).expect("after 1970") / STEP_SECONDS;
            let taken = |last, beside| step(secret, last, code, at(seconds + beside)).expect("one");
            assert_eq!(taken(0, 0), Some(now), "{code}");
            assert_eq!((taken(now - 1, 30), taken(0, -30)), (Some(now), Some(now)));
            assert_eq!((taken(0, 60), taken(0, -60)), (None, None), "{code}");
            assert_eq!(taken(now, 0), None, "twice");
        }
        for bad in ["", "28708", "2870822", "+87082", "94287082"] {
            let now = Timestamp::from_micros(59_000_000);
            assert_eq!(step(secret, 0, bad, now).expect("none"), None, "{bad}");
        }
    }

    #[test]
    fn recovery_codes_are_long_and_read_however_they_are_typed() {
        let code = recovery_code();
        assert_eq!((code.len(), hash(&code)), (35, hash(&code.to_uppercase().replace('-', " "))));
        assert_ne!(hash(&code), hash(&recovery_code()));
        for _ in 0..20_000 {
            assert!(!contains_number(&recovery_code()), "the door would refuse it");
        }
    }
}
