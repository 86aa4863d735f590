//! Notices: persons are told when somebody changed how they sign in, whoever it was, and those who
//! can mend it when a webhook endpoint is told nothing any more. Each is written in the batch of
//! what it tells.

use patron_model::{
    Failure, Permission,
    space::Space,
    user::User,
    webhook::{Endpoint, EndpointReason},
};

use super::{Message, To, Transport, queue};
use crate::{
    Cx, assignments,
    commit::Draft,
    documents::{DEPLOYMENT, SPACE},
    failure, places,
    record::decode,
    rights::Place,
};

pub use super::texts::Change;

/// Persons who are told of one endpoint, at most.
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
