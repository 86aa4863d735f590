//! Passwords: kept as Argon2id hashes that are sealed as well, so that a stolen file cannot be
//! guessed at. Few are hashed at a time, because each takes 19 MiB for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_recursion::async_recursion;
use patron_model::{Failure, Why, email::Email, text::Name, user::User};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    guard,
    logins::{self, Login},
    plain, refused, told,
};
use crate::{
    App, Caller, Cx,
    commit::Draft,
    keys::NewSecret,
    mails::notices::{self, Change},
    secrets,
    vault::{self, Opened},
};

/// Bytes of a password at most.
pub const BYTES_MAX: usize = 1_024;
/// Characters of a password at least, where it is the only factor (NIST SP 800-63B-4 §3.1.1.2).
pub const CHARS_MIN: usize = 15;
/// The same where codes of an app are asked for after it.
pub const CHARS_MIN_BESIDE_CODES: usize = 8;
/// Characters that are left at least without words of the person and of this product.
const BESIDE_CHARS_MIN: usize = 8;
/// Different characters among them at least.
const DISTINCT_CHARS_MIN: usize = 4;
/// Characters of a word from which on it is taken out.
const WORD_CHARS_MIN: usize = 3;
/// What this product is called.
const PRODUCT: &str = "patron";
/// Passwords hashed at a time.
const TURNS_MAX: usize = 2;
/// Passwords that wait for a turn; further ones are answered 503.
const WAITING_MAX: usize = 64;
/// What the password of nobody is compared with: made with the same costs as all others.
const OF_NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$\
                         AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Turns at hashing.
pub(crate) struct Turns {
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Default for Turns {
    fn default() -> Turns {
        Turns { turns: Arc::new(Semaphore::new(TURNS_MAX)), waiting: AtomicUsize::new(0) }
    }
}

/// One that is held.
pub(crate) struct Turn(OwnedSemaphorePermit);

/// One that waits; no more once this is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Turns {
    /// Waits for one.
    ///
    /// # Errors
    /// `Unavailable` when too many wait.
    pub(super) async fn take(&self) -> Result<Turn, Failure> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= WAITING_MAX {
            return Err(Failure::Unavailable { retry_after_seconds: 1 });
        }
        Arc::clone(&self.turns).acquire_owned().await.map(Turn).map_err(Failure::internal)
    }
}

/// Hashes away from the threads that answer.
async fn in_turn<T: Send + 'static>(
    turn: Turn,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(move || {
        let done = work();
        // Held to the end even where nobody waits for it any more.
        drop(turn.0);
        done
    });
    done.await.map_err(|_| Failure::internal("hashing a password failed"))
}

/// Where the password of a person is kept.
fn place(user: i64) -> String {
    format!("person:{user}:password")
}

/// Refuses a text that is longer than any password.
///
/// # Errors
/// `Invalid`.
pub fn bounded(field: &str, typed: &str) -> Result<(), Failure> {
    let is_bounded = typed.len() <= BYTES_MAX;
    let why = || Why::TooLarge { max_bytes: BYTES_MAX };
    if is_bounded { Ok(()) } else { Err(Failure::invalid(field, why())) }
}

/// The hash that is kept of a person's password.
pub(super) async fn kept(app: &App, user: i64) -> Result<Option<String>, Failure> {
    match vault::open(app, &place(user)).await? {
        Opened::Signing(hash) => Ok(String::from_utf8(hash).ok()),
        Opened::Gone => Ok(None),
        Opened::Hash(_) | Opened::Broken => {
            Err(Failure::internal("the password of a person cannot be opened"))
        }
    }
}

/// Whether a password is the one whose hash is kept. Costs the same when there is none.
pub(super) async fn fits(turn: Turn, kept: Option<String>, typed: &str) -> Result<bool, Failure> {
    let typed = typed.to_owned();
    in_turn(turn, move || {
        let is_somebodys = kept.is_some();
        let fits = secrets::is_password(kept.as_deref().unwrap_or(OF_NOBODY), &typed);
        fits & is_somebodys
    })
    .await
}

/// Sets the password of a person, whatever it is: for those that everybody shall know.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn set(cx: &Cx, user: &User, password: &str) -> Result<(), Failure> {
    let cx = &plain(cx);
    let hashed = hashed(&cx.app, password).await?;
    cx.write(|mut draft| async {
        replace(cx, &mut draft, user, &hashed, None).await?;
        Ok((draft, ()))
    })
    .await
}

/// Sets the password of a person who may choose it.
///
/// # Errors
/// `Invalid` for one that is refused.
#[async_recursion]
pub async fn choose(cx: &Cx, user: &User, password: &str) -> Result<(), Failure> {
    let least = chars_min(&plain(cx), user.number).await?;
    check(&cx.app, password, &personal(user), least).await?;
    set(cx, user, password).await
}

/// Characters that a password of a person has at least: few do where it does not sign in alone.
pub(super) async fn chars_min(cx: &Cx, user: i64) -> Result<usize, Failure> {
    let login = logins::load(cx, user).await?;
    let has_codes = login.is_some_and(|login| login.second.is_some());
    Ok(if has_codes { CHARS_MIN_BESIDE_CODES } else { CHARS_MIN })
}

/// Sets the password of the person who asks. Every other session ends, and every browser is unknown
/// again but this one, whose new device cookie is answered.
///
/// # Errors
/// `Invalid` for one that is refused; `Forbidden` for keys.
#[async_recursion]
pub async fn change_own(cx: &Cx, caller: &Caller, password: &str) -> Result<String, Failure> {
    let cx = &plain(cx);
    let standing = caller.person.as_ref().ok_or(Failure::Forbidden)?;
    let least = chars_min(cx, caller.user.number).await?;
    check(&cx.app, password, &personal(&caller.user), least).await?;
    let hashed = hashed(&cx.app, password).await?;
    cx.write(|mut draft| async {
        let keep = Some(standing.session);
        let login = replace(cx, &mut draft, &caller.user, &hashed, keep).await?;
        Ok((draft, guard::device(cx, &login)))
    })
    .await
}

/// What of a person does not make a password better.
pub(super) fn personal(user: &User) -> Vec<&str> {
    let names = [&user.given_name, &user.family_name].into_iter().flatten().map(Name::as_str);
    names.chain(user.email.as_ref().map(Email::as_str)).collect()
}

/// Whether a password may be chosen: of so many characters, long enough also without the words of
/// the person and of this product, and none that many take or that was breached. What it is made of
/// is nobody's business (NIST SP 800-63B-4 §3.1.1.2).
///
/// # Errors
/// `Invalid`; `Internal` when the list of breached ones cannot be read.
#[async_recursion]
pub async fn check(
    app: &App,
    password: &str,
    personal: &[&str],
    chars_min: usize,
) -> Result<(), Failure> {
    is_long(password, personal, chars_min)?;
    refused::check(app, "password", password).await
}

/// The part of it that asks nothing of anybody.
fn is_long(password: &str, personal: &[&str], chars_min: usize) -> Result<(), Failure> {
    bounded("password", password)?;
    let refuse = |why| Err(Failure::invalid("password", why));
    if password.chars().count() < chars_min {
        return refuse(Why::TooShort { min: chars_min });
    }
    let mut left = password.to_lowercase();
    let words = personal.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
    let mut words: Vec<String> = words.chain([PRODUCT]).map(str::to_lowercase).collect();
    words.retain(|word| word.chars().count() >= WORD_CHARS_MIN);
    // The longest first: a shorter one may be a part of it.
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    for word in &words {
        left = left.replace(word.as_str(), "");
    }
    let distinct: std::collections::BTreeSet<char> = left.chars().collect();
    if left.chars().count() < BESIDE_CHARS_MIN || distinct.len() < DISTINCT_CHARS_MIN {
        return refuse(Why::Malformed { expected: "harder to guess: more than names and repeats" });
    }
    Ok(())
}

/// Whether a person with an address has this password: for those that everybody knows. Nothing
/// counts it.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn is_of(app: &Arc<App>, address: &str, password: &str) -> Result<bool, Failure> {
    let cx = plain(&app.operator(0, "passwords"));
    let Some(login) = logins::by_address(&cx, address, None).await? else { return Ok(false) };
    let kept = kept(app, login.number).await?;
    fits(app.sign_in.hashing.take().await?, kept, password).await
}

/// A new password as it is kept.
pub(super) struct Hashed {
    secret: NewSecret,
    /// Whether it has fewer than [`CHARS_MIN`] characters.
    is_short: bool,
}

/// The hash of a new password.
pub(super) async fn hashed(app: &App, password: &str) -> Result<Hashed, Failure> {
    let is_short = password.chars().count() < CHARS_MIN;
    let password = password.to_owned();
    let turn = app.sign_in.hashing.take().await?;
    let hash = in_turn(turn, move || secrets::hash_password(&password)).await??;
    Ok(Hashed { secret: NewSecret::Signing(hash.into_bytes()), is_short })
}

/// Notes another password for a person; sessions end, but the one that is named.
pub(super) async fn replace(
    cx: &Cx,
    draft: &mut Draft<'_>,
    user: &User,
    hashed: &Hashed,
    keep: Option<i64>,
) -> Result<Login, Failure> {
    vault::set(cx, draft, place(user.number), &hashed.secret).await?;
    let mut is_first = true;
    let login = logins::change(cx, draft, user, keep, |login| {
        is_first = login.password_at.is_none();
        login.password_at = Some(cx.now);
        login.is_password_short = hashed.is_short;
    })
    .await?;
    // The codes that made few characters enough went meanwhile.
    if login.is_password_short && login.second.is_none() {
        return Err(Failure::invalid("password", Why::TooShort { min: CHARS_MIN }));
    }
    if !is_first {
        notices::changed(cx, draft, user, Change::Password).await?;
    }
    draft.tell(told(if is_first { "password.added" } else { "password.changed" }, user));
    Ok(login)
}

/// Notes that the password of a person goes.
pub(super) async fn forget(cx: &Cx, draft: &mut Draft<'_>, user: i64) -> Result<(), Failure> {
    vault::forget(cx, draft, &place(user)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_a_hash_of_the_same_cost() {
        let real = secrets::hash_password("correct horse battery staple").expect("hashed");
        let costs = |hash: &str| hash.split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(costs(OF_NOBODY), costs(&real));
        assert_eq!(OF_NOBODY.len(), real.len());
        assert!(secrets::is_password(&real, "correct horse battery staple"));
        assert!(!secrets::is_password(&real, "correct horse battery stapl"));
        assert!(!secrets::is_password(OF_NOBODY, ""));
    }

    #[test]
    fn long_ones_that_are_more_than_names_may_be_chosen() {
        let personal = ["Ada", "Lovelace", "ada.lovelace@example.com"];
        for (password, is_good) in [
            ("correct horse battery staple", true),
            ("ünïcödé pässwörd", true),
            ("               ", false),
            ("only 14 signs.", false),
            ("aaaaaaaaaaaaaaaaaaaa", false),
            ("ababababababababab", false),
            ("Ada.Lovelace@example.com", false),
            ("adalovelacepatron1", false),
            ("LovelacePatronAda one two", true),
        ] {
            assert_eq!(is_long(password, &personal, CHARS_MIN).is_ok(), is_good, "{password}");
        }
        assert!(is_long(&"long enough ".repeat(86), &[], CHARS_MIN).is_err(), "too long");
        for (password, is_good) in
            [("mf8 kd2q", true), ("mf8kd2q", false), ("Ada mf8kd2", false), ("aaaaaaaa", false)]
        {
            let is_long = is_long(password, &personal, CHARS_MIN_BESIDE_CODES);
            assert_eq!(is_long.is_ok(), is_good, "{password}");
        }
    }

    #[tokio::test]
    async fn so_many_wait_and_no_more() {
        let turns = Arc::new(Turns::default());
        let held = [turns.take().await.expect("a turn"), turns.take().await.expect("a turn")];
        let wait = |_| {
            tokio::spawn({
                let turns = Arc::clone(&turns);
                async move { turns.take().await.map(drop).is_ok() }
            })
        };
        let waiting: Vec<_> = (0..WAITING_MAX).map(wait).collect();
        while turns.waiting.load(Ordering::Relaxed) < WAITING_MAX {
            tokio::task::yield_now().await;
        }
        assert!(matches!(turns.take().await, Err(Failure::Unavailable { .. })));
        drop(held);
        for one in waiting {
            assert!(one.await.expect("joined"));
        }
        assert_eq!(turns.waiting.load(Ordering::Relaxed), 0);
    }
}
