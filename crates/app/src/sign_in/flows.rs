//! What is begun by a link that was mailed: an invitation, another password, another address. The
//! link holds random-looking letters that are computed from the record under a key of the
//! deployment, so that asking again mails the same one; the record has their hash alone. A person
//! has one of each purpose at a time. It is taken once, together with what it does; any change of
//! the ways to sign in ends all of them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use patron_model::{Failure, Timestamp, Why, card::Found, event::UntoldEvent};
use patron_store::{Column, Index, Kind, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::sessions::random_token;
use crate::{
    Cx,
    commit::Draft,
    documents::{DEPLOYMENT, Document, named},
    failure,
    ids::new_uuid,
    mails::Transport,
    record::{self, Loaded, page},
    search::{Field, Filter, Query},
    secrets::{same, sha256_hex},
};

/// What was begun by links.
pub static FLOW: Kind = Kind {
    name: "flow",
    columns: &[
        Column::text("lookup", Index::UniqueEverywhere),
        Column::text("about", Index::UniqueEverywhere),
        Column::int("user", Index::Ordered),
        Column::int("expires_at", Index::Ordered),
    ],
    terms: false,
};

/// Seconds after a mail before the same link is mailed again.
pub const MAILED_EVERY_SECONDS: i64 = 600;
/// Letters of what a link holds, at most; it has 43.
const TOKEN_CHARS_MAX: usize = 128;
/// What the letters of a link are computed for.
const LINK: &str = "mailed link";
/// Flows of a person: one of each purpose, and room for those that race.
const OF_USER_MAX: u32 = 20;

/// What a link is for. One for another purpose is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Purpose {
    /// A person is invited.
    Invitation,
    /// A password was forgotten.
    PasswordReset,
    /// A person wants to sign in by another address.
    NewAddress,
    /// A person wants to sign in with another browser, while no passwords from such are looked at.
    Approval,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Purpose::Invitation => "invitation",
            Purpose::PasswordReset => "password_reset",
            Purpose::NewAddress => "new_address",
            Purpose::Approval => "approval",
        }
    }

    /// Seconds for which a link is good.
    const fn seconds(self) -> i64 {
        match self {
            Purpose::Invitation => 7 * 24 * 3_600,
            Purpose::PasswordReset | Purpose::Approval => 3_600,
            Purpose::NewAddress => 24 * 3_600,
        }
    }
}

/// What was begun by a link.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Flow {
    number: i64,
    uuid: Uuid,
    /// Hash of purpose and letters.
    lookup: String,
    purpose: Purpose,
    /// Number of the person.
    pub(super) user: i64,
    /// What makes the letters others than those of the link before.
    nonce: String,
    /// Hash of what the browser has that opened it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    browser: Option<String>,
    mailed_at: Timestamp,
    /// Until when the link is good.
    pub(super) expires_at: Timestamp,
}

impl Document for Flow {
    named!(FLOW, User, UntoldEvent, in_deployment);
    const JOURNALED: bool = false;

    fn columns(&self) -> Vec<Value> {
        vec![
            self.lookup.as_str().into(),
            about(self.user, self.purpose).into(),
            self.user.into(),
            self.expires_at.micros().into(),
        ]
    }

    fn search_cards(&self, _: &mut Found) {
        // Made by the server itself.
    }
}

fn about(user: i64, purpose: Purpose) -> String {
    format!("{user}:{}", purpose.as_str())
}

fn lookup(purpose: Purpose, token: &str) -> String {
    sha256_hex(&format!("{}:{token}", purpose.as_str()))
}

/// A link.
pub(super) struct Link {
    /// What it holds.
    pub(super) token: String,
    /// Until when it is good.
    pub(super) until: Timestamp,
}

impl Flow {
    /// What its link holds; none where it cannot be computed any more.
    fn token(&self, cx: &Cx) -> Option<String> {
        let parts = [self.purpose.as_str().as_bytes(), self.nonce.as_bytes()];
        let code = hex::decode(cx.app.secrets.answer_fingerprint(LINK, &parts)).ok()?;
        let token = BASE64URL.encode(code);
        same(lookup(self.purpose, &token).as_bytes(), self.lookup.as_bytes()).then_some(token)
    }

    /// Its link, while it is good.
    fn link(&self, cx: &Cx) -> Option<Link> {
        let is_good = cx.now < self.expires_at;
        let token = self.token(cx).filter(|_| is_good)?;
        Some(Link { token, until: self.expires_at })
    }

    /// The same with a new link.
    fn renewed(mut self, cx: &Cx) -> Result<(Flow, Link), Failure> {
        self.nonce = random_token();
        (self.browser, self.mailed_at) = (None, cx.now);
        self.expires_at = cx.now.plus_seconds(self.purpose.seconds());
        let parts = [self.purpose.as_str().as_bytes(), self.nonce.as_bytes()];
        let code = cx.app.secrets.answer_fingerprint(LINK, &parts);
        let code = hex::decode(code).map_err(Failure::internal)?;
        let token = BASE64URL.encode(code);
        self.lookup = lookup(self.purpose, &token);
        let until = self.expires_at;
        Ok((self, Link { token, until }))
    }
}

async fn of(cx: &Cx, user: i64, purpose: Purpose) -> Result<Option<Loaded<Flow>>, Failure> {
    record::find_by(cx, "about", &about(user, purpose)).await
}

/// The link of a person for a purpose, while there is a good one.
pub(super) async fn known(cx: &Cx, user: i64, purpose: Purpose) -> Result<Option<Link>, Failure> {
    Ok(of(cx, user, purpose).await?.and_then(|flow| flow.link(cx)))
}

/// Notes that a link is to be mailed: the one there is, or a new one where there is none or `anew`
/// is asked for.
///
/// # Errors
/// `TooMany` when one was mailed a moment ago.
pub(super) async fn begin(
    cx: &Cx,
    draft: &mut Draft<'_>,
    (user, purpose): (i64, Purpose),
    anew: bool,
) -> Result<Link, Failure> {
    let Some(before) = of(cx, user, purpose).await? else {
        let number = cx.app.store.reserve(FLOW.name, 1).await.map_err(failure)?.start;
        let (lookup, nonce) = (String::new(), String::new());
        let (uuid, browser) = (new_uuid(), None);
        let (mailed_at, expires_at) = (cx.now, cx.now);
        let flow =
            Flow { number, uuid, lookup, purpose, user, nonce, browser, mailed_at, expires_at };
        let (flow, link) = flow.renewed(cx)?;
        draft.taken_is_raced();
        draft.insert(&flow)?;
        return Ok(link);
    };
    let again = before.mailed_at.plus_seconds(MAILED_EVERY_SECONDS);
    let is_mailed = cx.app.mail_transport() != Transport::Nowhere;
    if is_mailed && cx.now < again {
        let left = (again.seconds() - cx.now.seconds()).max(1);
        return Err(Failure::TooMany { retry_after_seconds: u64::try_from(left).unwrap_or(1) });
    }
    let (after, link) = match before.link(cx).filter(|_| !anew) {
        // Whoever opened it in another browser may have lost that.
        Some(link) => {
            let same = before.record.clone();
            (Flow { browser: None, mailed_at: cx.now, ..same }, link)
        }
        None => before.record.clone().renewed(cx)?,
    };
    draft.replace(&before, &after, UntoldEvent::Updated, &[])?;
    Ok(link)
}

/// What was begun by a link, where it is good, and in this browser.
///
/// # Errors
/// `Invalid`, always the same.
pub(super) async fn live(
    cx: &Cx,
    purpose: Purpose,
    token: &str,
    browser: Option<&str>,
) -> Result<Loaded<Flow>, Failure> {
    let is_one = token.len() <= TOKEN_CHARS_MAX;
    let flow: Option<Loaded<Flow>> = match is_one {
        true => record::find_by(cx, "lookup", &lookup(purpose, token)).await?,
        false => None,
    };
    let sent = sha256_hex(browser.unwrap_or_default());
    let is_here = |flow: &Loaded<Flow>| match &flow.browser {
        Some(opener) => same(opener.as_bytes(), sent.as_bytes()),
        None => true,
    };
    let is_good =
        |flow: &Loaded<Flow>| flow.purpose == purpose && cx.now < flow.expires_at && is_here(flow);
    flow.filter(is_good).ok_or_else(not_good)
}

/// What is answered for a link that is not good, whatever the reason.
pub(super) fn not_good() -> Failure {
    let expected = "what a link holds that is good: not used, not too old, opened in this browser";
    Failure::invalid("token", Why::Malformed { expected })
}

/// Notes that a link serves this browser alone from now on.
pub(super) fn bind(
    draft: &mut Draft<'_>,
    flow: &Loaded<Flow>,
    browser: &str,
) -> Result<(), Failure> {
    let after = Flow { browser: Some(sha256_hex(browser)), ..flow.record.clone() };
    draft.replace(flow, &after, UntoldEvent::Updated, &[])
}

/// Notes that all links of a person end.
pub(super) async fn end_all(cx: &Cx, draft: &mut Draft<'_>, user: i64) -> Result<(), Failure> {
    let predicate = Filter::equal(Field::Column("user"), user);
    let query = Query { predicate, limit: OF_USER_MAX, ..Query::of(DEPLOYMENT) };
    page::<Flow>(cx, &query).await?.items.iter().for_each(|flow| draft.remove(flow));
    Ok(())
}
