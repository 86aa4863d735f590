//! A provider as a fresh proof: who is signed in is sent there, has to sign in there anew, and
//! comes back to the same session.

use patron_model::{Failure, Noun, provider::Provider};
use patron_signin::oidc::Claims;

use super::{
    Method,
    by_provider::{self, Back, Begun, OfSession, WRONG, Why},
    challenges, held,
    linked::of_user,
    logins,
    passkeys::Person,
    plain,
    sessions::{self, Opened},
};
use crate::{
    Actor, Cx,
    record::{Id, Loaded},
};

/// Where the browser of a person is sent to, to prove once more who they are, and what its cookie
/// holds until it comes back: to the same place as those who sign in, in the same session, and
/// while the ways to sign in stay as they are. The provider is told to ask anew.
///
/// # Errors
/// `NotFound` for a provider that does not bring the person; `Unavailable` when it cannot be asked.
pub async fn begin(cx: &Cx, person: Person<'_>, id: Id) -> Result<(String, String), Failure> {
    let cx = &plain(cx);
    let provider = by_provider::in_use_provider(cx, id).await?;
    let known = of_user(cx, person.user.number).await?;
    if known.iter().all(|known| known.provider != provider.number) {
        return Err(Failure::NotFound { noun: Noun::Provider });
    }
    let login = logins::load(cx, person.user.number).await?.ok_or(WRONG)?;
    let (session, epoch) = (person.standing.session, login.epoch);
    by_provider::begin_for(cx, &provider, Some(OfSession { session, epoch, why: Why::Prove })).await
}

/// Takes what the provider says as a proof of the person whose session the browser still shows.
/// Where the provider has made sure by two factors, the session is of level 2.
///
/// # Errors
/// `Unauthenticated` for whatever does not fit, also for somebody else; `StepUp` while a second
/// factor is awaited that the provider did not prove.
pub(super) async fn finish(
    cx: &Cx,
    provider: &Loaded<Provider>,
    (begun, of): (&Begun, &OfSession),
    back: Back<'_>,
    claims: &Claims,
) -> Result<Opened, Failure> {
    let (session, user) = by_provider::sent(cx, of, &back).await?;
    let has_two = by_provider::proves_two(provider, claims);
    let cx = &Cx { actor: Actor::Person(user.number), ..cx.clone() };
    cx.write(|mut draft| async {
        challenges::answer(cx, &mut draft, &begun.state, begun.expires_at).await?;
        draft.assert(provider);
        let lookup = by_provider::lookup(provider, claims);
        let identity = by_provider::by_lookup(&cx.app, &lookup).await?;
        draft.assert(&identity.filter(|identity| identity.user == user.number).ok_or(WRONG)?);
        let login = logins::load(cx, user.number).await?;
        let login = login.filter(|login| login.epoch == of.epoch).ok_or(WRONG)?;
        draft.assert(&login);
        let awaited = login.awaited(if has_two { 2 } else { session.level });
        if !awaited.is_empty() {
            return Err(Failure::StepUp { methods: awaited });
        }
        let second = has_two.then_some(Method::Provider);
        let renewed = sessions::renew(cx, &mut draft, &user, session.number, second).await?;
        Ok((draft, held(cx, &login, renewed)))
    })
    .await
}
