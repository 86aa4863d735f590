//! Mails to people. Each is written in the batch that causes it, so none is sent for what did not
//! happen and none is lost; what it says is sealed apart. A node takes one by replacing its record,
//! whose revision is the fence: nobody else sends it meanwhile, and who lost it writes nothing. It
//! goes when it was sent or is given up.
//!
//! In a sandbox nothing is sent: the mails stay where they are, the tray, and can be read.

pub mod notices;
pub mod texts;

use std::sync::Arc;

use async_recursion::async_recursion;
use patron_model::{
    Failure, Noun, Timestamp, card::Found, email::Email, event::UntoldEvent, user::User,
};
use patron_store::{Column, Index, Kind, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::texts::Message;
use crate::{
    App, Cx,
    audit::{Act, target},
    commit::Draft,
    documents::{DEPLOYMENT, Document, named},
    failure,
    ids::new_uuid,
    keys::NewSecret,
    record::{self, Id, Loaded, Look, decode, page},
    search::{Compare, Field, Filter, Order, Query},
    vault::{self, Opened},
};

/// Mails that wait to be sent, or lie in the tray.
pub static MAIL: Kind = Kind {
    name: "mail",
    columns: &[
        Column::int("due", Index::Ordered),
        Column::int("account", Index::Ordered),
        Column::int("user", Index::Ordered),
    ],
    terms: false,
};

/// Seconds after each attempt before the next; after the last attempt a mail is given up.
const PAUSES: [i64; 4] = [60, 300, 1_800, 7_200];
/// Attempts at most.
pub const TRIES_MAX: u32 = 1 + PAUSES.len() as u32;
/// Seconds for which a mail is one node's that sends it; longer than any attempt takes.
pub const TAKEN_SECONDS: i64 = 300;
/// Seconds after which a mail that nobody could send is of no use.
pub const GOOD_SECONDS: i64 = 24 * 3_600;
/// Mails that the tray holds; a further one takes the place of the oldest.
pub const TRAY_MAX: u64 = 200;
/// Mails of a full tray that go at a time.
const TRAY_SPARE: u32 = 10;
/// Mails of a person who is deleted that are removed.
const OF_USER_MAX: u32 = 200;

/// What becomes of mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// None are written.
    #[default]
    Nowhere,
    /// They are sent.
    Smtp,
    /// They are kept and can be read: for sandboxes.
    Tray,
}

impl App {
    /// Says what becomes of mails. Only the first word counts.
    pub fn mails_go(&self, transport: Transport) {
        let _ = self.mails.set(transport);
    }

    /// What becomes of mails.
    pub fn mail_transport(&self) -> Transport {
        self.mails.get().copied().unwrap_or_default()
    }
}

/// A mail, without what it says and to whom.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mail {
    /// Number.
    pub number: i64,
    /// UUID; also the id that its receiver sees.
    pub uuid: Uuid,
    /// The account it is about.
    pub account: i64,
    /// Number of the person it is for.
    pub user: i64,
    /// When it was written.
    pub made_at: Timestamp,
    /// After that it is of no use.
    pub good_until: Timestamp,
    /// When it is tried next.
    pub due: Timestamp,
    /// How often it was tried.
    pub tries: u32,
}

impl Mail {
    /// Whether it is tried no more.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.tries >= TRIES_MAX || now >= self.good_until
    }
}

impl Document for Mail {
    named!(MAIL, Mail, UntoldEvent, in_deployment);
    const JOURNALED: bool = false;

    fn columns(&self) -> Vec<Value> {
        vec![self.due.micros().into(), self.account.into(), self.user.into()]
    }

    fn search_cards(&self, _: &mut Found) {
        // Made by the server itself.
    }
}

/// To whom a mail goes.
#[derive(Clone, Copy)]
pub struct To<'a> {
    /// The account it is about.
    pub account: i64,
    /// Number of the person.
    pub user: i64,
    /// E-mail address.
    pub address: &'a str,
}

impl<'a> To<'a> {
    /// A person, at the address of the record.
    pub(crate) fn person(user: &'a User) -> To<'a> {
        let address = user.email.as_ref().map(Email::as_str).unwrap_or_default();
        To { account: user.account, user: user.number, address }
    }
}

impl std::fmt::Debug for To<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "To({}, …)", self.user)
    }
}

/// What a mail says and to whom.
#[derive(Clone, Serialize, Deserialize)]
pub struct Letter {
    /// E-mail address.
    pub to: String,
    /// What it says.
    pub message: Message,
}

impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Letter({}, …)", self.message.word())
    }
}

/// Where it is kept what a mail says.
fn place(number: i64) -> String {
    format!("mail:{number}")
}

/// Notes a mail, where mails go anywhere.
///
/// # Errors
/// Whatever the store says.
pub(crate) async fn queue(
    cx: &Cx,
    draft: &mut Draft<'_>,
    to: To<'_>,
    message: Message,
) -> Result<(), Failure> {
    match cx.app.mail_transport() {
        Transport::Nowhere => return Ok(()),
        Transport::Smtp => {}
        Transport::Tray => make_room(cx, draft).await?,
    }
    let number = cx.app.store.reserve(MAIL.name, 1).await.map_err(failure)?.start;
    let latest = cx.now.plus_seconds(GOOD_SECONDS);
    let good_until = message.good_until().map_or(latest, |until| until.min(latest));
    let letter = Letter { to: to.address.to_owned(), message };
    let letter = serde_json::to_vec(&letter).map_err(Failure::internal)?;
    vault::put(cx, draft, place(number), &NewSecret::Signing(letter)).await?;
    draft.insert(&Mail {
        number,
        uuid: new_uuid(),
        account: to.account,
        user: to.user,
        made_at: cx.now,
        good_until,
        due: cx.now,
        tries: 0,
    })
}

/// Notes that a mail goes, and what it says.
async fn remove(cx: &Cx, draft: &mut Draft<'_>, mail: &Loaded<Mail>) -> Result<(), Failure> {
    vault::forget(cx, draft, &place(mail.number)).await?;
    draft.remove(mail);
    Ok(())
}

/// Notes that the oldest mails go where the tray is full.
async fn make_room(cx: &Cx, draft: &mut Draft<'_>) -> Result<(), Failure> {
    let count = cx.app.store.count(&MAIL, &[DEPLOYMENT], &Filter::All).await.map_err(failure)?;
    if count >= TRAY_MAX {
        let query = Query { limit: TRAY_SPARE, ..Query::of(DEPLOYMENT) };
        for mail in page::<Mail>(cx, &query).await?.items {
            remove(cx, draft, &mail).await?;
        }
    }
    Ok(())
}

/// Notes that the mails to a person go who is no more.
pub(crate) async fn forget(cx: &Cx, draft: &mut Draft<'_>, user: i64) -> Result<(), Failure> {
    let predicate = Filter::equal(Field::Column("user"), user);
    let query = Query { predicate, limit: OF_USER_MAX, ..Query::of(DEPLOYMENT) };
    for mail in page::<Mail>(cx, &query).await?.items {
        remove(cx, draft, &mail).await?;
    }
    Ok(())
}

// ---- sending ----------------------------------------------------------------------------------

/// A mail that is to be sent by whoever holds it.
#[derive(Debug)]
pub struct Taken {
    /// The mail as it was taken.
    pub mail: Loaded<Mail>,
    /// What it says and to whom.
    pub letter: Letter,
}

/// Mails that are due, the longest first.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn due(app: &App, limit: u32) -> Result<Vec<Loaded<Mail>>, Failure> {
    let now = app.clock.now().micros();
    let predicate = Filter::Compare(Field::Column("due"), Compare::AtMost, now.into());
    let order = Order::by(Field::Column("due"), false);
    let query = Query { predicate, order, limit, ..Query::of(DEPLOYMENT) };
    let found = app.store.find(&MAIL, &query).await.map_err(failure)?;
    found.rows.iter().map(decode).collect()
}

/// Mails that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// How many.
    pub count: u64,
    /// When the oldest of them was written.
    pub since: Option<Timestamp>,
}

/// How many mails wait, and for how long.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn waiting(app: &App) -> Result<Waiting, Failure> {
    let count = app.store.count(&MAIL, &[DEPLOYMENT], &Filter::All).await.map_err(failure)?;
    // Numbers grow with time.
    let oldest = Query { limit: 1, ..Query::of(DEPLOYMENT) };
    let found = app.store.find(&MAIL, &oldest).await.map_err(failure)?;
    let oldest = found.rows.first().map(decode::<Mail>).transpose()?;
    Ok(Waiting { count, since: oldest.map(|mail| mail.made_at) })
}

fn cx(app: &Arc<App>) -> Cx {
    app.operator(DEPLOYMENT, "mails")
}

/// Takes a mail, so that nobody else sends it for a while. None when somebody else did, or it is
/// given up.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn take(app: &Arc<App>, due: &Loaded<Mail>) -> Result<Option<Taken>, Failure> {
    let cx = &cx(app);
    if due.is_over(cx.now) {
        give_up(app, due).await?;
        return Ok(None);
    }
    let taken = replace(cx, due, |mail| {
        mail.tries += 1;
        mail.due = cx.now.plus_seconds(TAKEN_SECONDS);
    });
    let Some(mail) = taken.await? else { return Ok(None) };
    match letter(app, mail.number).await? {
        Some(letter) => Ok(Some(Taken { mail, letter })),
        None => {
            tracing::error!(mail = mail.number, "mail {} cannot be opened", mail.number);
            give_up(app, &mail).await?;
            Ok(None)
        }
    }
}

async fn letter(app: &App, number: i64) -> Result<Option<Letter>, Failure> {
    match vault::open(app, &place(number)).await? {
        Opened::Signing(text) => serde_json::from_slice(&text).map(Some).map_err(Failure::internal),
        Opened::Gone | Opened::Hash(_) | Opened::Broken => Ok(None),
    }
}

/// The mail after a change; none when it is not as it was read any more.
async fn replace(
    cx: &Cx,
    read: &Loaded<Mail>,
    change: impl Fn(&mut Mail),
) -> Result<Option<Loaded<Mail>>, Failure> {
    cx.write(|mut draft| async {
        if !is_as_read(cx, read).await? {
            return Ok((draft, None));
        }
        let mut after = read.record.clone();
        change(&mut after);
        draft.replace(read, &after, UntoldEvent::Updated, &[])?;
        Ok((draft, Some(Loaded { record: after, revision: read.revision + 1 })))
    })
    .await
}

async fn is_as_read(cx: &Cx, read: &Loaded<Mail>) -> Result<bool, Failure> {
    let row = cx.app.store.get(&MAIL, DEPLOYMENT, read.number).await.map_err(failure)?;
    Ok(row.is_some_and(|row| row.revision == read.revision))
}

/// A mail was sent: it goes.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn sent(app: &Arc<App>, taken: &Loaded<Mail>) -> Result<(), Failure> {
    let cx = &cx(app);
    cx.write(|mut draft| async {
        if is_as_read(cx, taken).await? {
            remove(cx, &mut draft, taken).await?;
        }
        Ok((draft, ()))
    })
    .await
}

/// A mail could not be sent: it is tried again later, unless that is of no use. Says whether it is.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn failed(app: &Arc<App>, taken: &Loaded<Mail>, is_final: bool) -> Result<bool, Failure> {
    let cx = &cx(app);
    let tries = usize::try_from(taken.tries).unwrap_or(usize::MAX);
    let pause = PAUSES.get(tries.saturating_sub(1)).filter(|_| !is_final);
    let due = pause.map(|pause| cx.now.plus_seconds(*pause));
    match due.filter(|due| *due < taken.good_until) {
        Some(due) => replace(cx, taken, |mail| mail.due = due).await.map(|_| true),
        None => give_up(app, taken).await.map(|()| false),
    }
}

/// A mail is given up: it goes, and the audit trail says so.
async fn give_up(app: &Arc<App>, mail: &Loaded<Mail>) -> Result<(), Failure> {
    let cx = &cx(app);
    cx.write(|mut draft| async {
        if is_as_read(cx, mail).await? {
            remove(cx, &mut draft, mail).await?;
            draft.tell(Act {
                action: "mail.given_up".to_owned(),
                account: Some(mail.account),
                target: Some(target("user", &[mail.user])),
                ..Act::default()
            });
        }
        Ok((draft, ()))
    })
    .await
}

/// Removes every mail: a copy of the data must not send what the original sends. Answers how many
/// there were.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn forget_all(app: &Arc<App>) -> Result<usize, Failure> {
    let cx = &cx(app);
    let mut forgotten = 0;
    loop {
        let some = empty_once(cx, Filter::All).await?;
        forgotten += some;
        if some == 0 {
            return Ok(forgotten);
        }
    }
}

async fn empty_once(cx: &Cx, predicate: Filter) -> Result<usize, Failure> {
    let query = Query { predicate, limit: OF_USER_MAX, ..Query::of(DEPLOYMENT) };
    cx.write(|mut draft| async {
        let some = page::<Mail>(cx, &query).await?.items;
        for mail in &some {
            remove(cx, &mut draft, mail).await?;
        }
        Ok((draft, some.len()))
    })
    .await
}

// ---- the tray ---------------------------------------------------------------------------------

/// A mail in the tray.
#[derive(Debug)]
pub struct Shown {
    /// The mail.
    pub mail: Mail,
    /// What it says and to whom.
    pub letter: Letter,
}

fn no_mail() -> Failure {
    Failure::NotFound { noun: Noun::Mail }
}

/// Whether there is a tray.
///
/// # Errors
/// `NotFound` where mails go elsewhere.
fn in_tray(app: &App) -> Result<(), Failure> {
    if app.mail_transport() == Transport::Tray { Ok(()) } else { Err(no_mail()) }
}

/// Mails in the tray, the newest first.
///
/// # Errors
/// `NotFound` where there is no tray.
#[async_recursion]
pub async fn list(cx: &Cx, predicate: Filter, limit: u32) -> Result<Vec<Shown>, Failure> {
    in_tray(&cx.app)?;
    let order = Order::newest_first();
    let query = Query { predicate, order, limit, ..Query::of(DEPLOYMENT) };
    let mut shown = Vec::new();
    for mail in page::<Mail>(cx, &query).await?.items {
        // One that went meanwhile is not shown.
        let letter = letter(&cx.app, mail.number).await?;
        shown.extend(letter.map(|letter| Shown { mail: mail.record, letter }));
    }
    Ok(shown)
}

/// A mail in the tray.
///
/// # Errors
/// `NotFound`.
#[async_recursion]
pub async fn get(cx: &Cx, id: Id) -> Result<Shown, Failure> {
    in_tray(&cx.app)?;
    let mail: Loaded<Mail> = record::load(cx, Look::at(id)).await?;
    let letter = letter(&cx.app, mail.number).await?.ok_or_else(no_mail)?;
    Ok(Shown { mail: mail.record, letter })
}

/// Empties the tray.
///
/// # Errors
/// `NotFound` where there is none.
#[async_recursion]
pub async fn empty(cx: &Cx, predicate: Filter) -> Result<(), Failure> {
    in_tray(&cx.app)?;
    let cx = &Cx { idempotency: None, ..cx.in_space(DEPLOYMENT) };
    // The tray is bounded: so few steps reach the end.
    for _ in 0..=TRAY_MAX / u64::from(OF_USER_MAX) {
        if cx.dry_run || empty_once(cx, predicate.clone()).await? == 0 {
            break;
        }
    }
    Ok(())
}
