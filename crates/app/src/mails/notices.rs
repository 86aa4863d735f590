//! Notices: persons are told when somebody changed how they sign in, whoever it was, when an
//! unknown browser signed in as them, and which roles they were given or lost; those who can mend
//! it when a webhook endpoint is told nothing any more, or a key ends soon. Each is written in the
//! batch of what it tells.

use patron_model::{
    Failure, Permission,
    audit::kept_agent,
    role::Assignment,
    space::{Account, Key, Space},
    user::{User, UserKind},
    webhook::{Endpoint, EndpointReason},
};

use super::{Message, To, Transport, queue};
use crate::{
    Cx, assignments,
    audit::Origin,
    commit::Draft,
    documents::{ACCOUNT, DEPLOYMENT, SPACE},
    failure, places,
    record::decode,
    rights::Place,
    sign_in::guard,
};

pub use super::texts::Change;

/// Persons who are told of one endpoint or key, at most.
const TOLD_MAX: usize = 20;

/// Notes that a person is told of a change in how they sign in, at the address of before.
///
/// # Errors
/// Whatever the store says.
pub(crate) async fn changed(
    cx: &Cx,
    draft: &mut Draft<'_>,
    before: &User,
    what: Change,
) -> Result<(), Failure> {
    if before.email.is_none() {
        return Ok(());
    }
    queue(cx, draft, To::person(before), Message::Changed { what, at: cx.now }).await
}

/// Notes that a person is told who signed in with a browser that was not known.
///
/// # Errors
/// Whatever the store says.
pub(crate) async fn new_browser(
    cx: &Cx,
    draft: &mut Draft<'_>,
    user: &User,
) -> Result<(), Failure> {
    if user.email.is_none() {
        return Ok(());
    }
    let origin = cx.origin.as_deref();
    let message = Message::NewBrowser {
        agent: origin.and_then(Origin::agent).and_then(kept_agent),
        address: origin.and_then(Origin::address).map(|address| address.to_string()),
        at: cx.now,
    };
    queue(cx, draft, To::person(user), message).await
}

/// Notes that a person is told of roles that were given (`true`) or taken,
/// [`guard::NOTICES_HOUR_MAX`] of them an hour at most. Who does not sign in yet is told nothing.
/// Once in a batch: it counts in a record of the person's.
///
/// # Errors
/// Whatever the store says.
pub(crate) async fn roles(
    cx: &Cx,
    draft: &mut Draft<'_>,
    user: &User,
    changed: &[(Assignment, bool)],
) -> Result<(), Failure> {
    let is_told = user.kind == UserKind::Human && user.is_active() && user.email.is_some();
    if changed.is_empty() || !is_told || cx.app.mail_transport() == Transport::Nowhere {
        return Ok(());
    }
    let may = guard::may_tell(cx, draft, user.number, changed.len()).await?;
    for (held, is_given) in &changed[..may] {
        let role = cx.app.role(held.role).await?.name;
        let place = place_of(cx, held).await?.unwrap_or_default();
        let message = Message::Role { role, place, is_given: *is_given };
        queue(cx, draft, To::person(user), message).await?;
    }
    Ok(())
}

/// What people call the place where a role holds.
async fn place_of(cx: &Cx, held: &Assignment) -> Result<Option<String>, Failure> {
    if let Some(space) = held.space {
        return name_of_space(cx, space).await;
    }
    let row = cx.app.store.get(&ACCOUNT, DEPLOYMENT, held.account).await.map_err(failure)?;
    let account = row.as_ref().map(decode::<Account>).transpose()?;
    Ok(account.map(|account| account.name.as_str().to_owned()))
}

async fn name_of_space(cx: &Cx, number: i64) -> Result<Option<String>, Failure> {
    let row = cx.app.store.get(&SPACE, DEPLOYMENT, number).await.map_err(failure)?;
    let space = row.as_ref().map(decode::<Space>).transpose()?;
    Ok(space.map(|space| space.name.as_str().to_owned()))
}

/// Notes that those are told who may change a key that ends soon.
///
/// # Errors
/// Whatever the store says.
pub(crate) async fn key_ends(cx: &Cx, draft: &mut Draft<'_>, key: &Key) -> Result<(), Failure> {
    let (Some(at), true) = (key.expires_at, cx.app.mail_transport() != Transport::Nowhere) else {
        return Ok(());
    };
    let path = places::path(&cx.app, key.account).await?;
    let place = Place { space: (!key.account_wide).then_some(key.space), path };
    let may = Permission::KeyWrite;
    let space = name_of_space(cx, key.space).await?.unwrap_or_default();
    for user in assignments::persons_with(cx, may, &place, TOLD_MAX).await? {
        let Some(email) = &user.email else { continue };
        let to = To { account: key.account, user: user.number, address: email.as_str() };
        let (name, space) = (key.name.clone(), space.clone());
        queue(cx, draft, to, Message::KeyEnds { key: key.number, name, space, at }).await?;
    }
    Ok(())
}

/// Notes that those are told who may change an endpoint that nobody stopped.
///
/// # Errors
/// Whatever the store says.
pub(crate) async fn endpoint_stopped(
    cx: &Cx,
    draft: &mut Draft<'_>,
    endpoint: &Endpoint,
    reason: EndpointReason,
) -> Result<(), Failure> {
    let is_gone = match reason {
        EndpointReason::Gone => true,
        EndpointReason::Failing => false,
        EndpointReason::User | EndpointReason::Restored => return Ok(()),
    };
    if cx.app.mail_transport() == Transport::Nowhere {
        return Ok(());
    }
    let row = cx.app.store.get(&SPACE, DEPLOYMENT, endpoint.space).await.map_err(failure)?;
    let Some(space) = row.as_ref().map(decode::<Space>).transpose()? else { return Ok(()) };
    let path = places::path(&cx.app, space.account).await?;
    let place = Place { space: Some(space.number), path };
    let may = Permission::WebhookWrite;
    for user in assignments::persons_with(cx, may, &place, TOLD_MAX).await? {
        let Some(email) = &user.email else { continue };
        let to = To { account: space.account, user: user.number, address: email.as_str() };
        let message = Message::EndpointStopped {
            space: space.name.as_str().to_owned(),
            endpoint: endpoint.number,
            host: host(&endpoint.url).to_owned(),
            is_gone,
        };
        queue(cx, draft, to, message).await?;
    }
    Ok(())
}

/// Host and port of a URL: what stands behind them may be a secret.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_url_the_host_is_told_alone() {
        assert_eq!(host("https://hooks.example.com:8443/secret?x"), "hooks.example.com:8443");
        assert_eq!(host("https://hooks.example.com?secret"), "hooks.example.com");
    }
}
