//! Providers that bring a person: linked by the person who is signed in, and unlinked again.

use async_recursion::async_recursion;
use patron_model::{Failure, Noun, Timestamp, provider::Provider, user::User};
use patron_signin::oidc::Claims;

use super::{
    by_provider::{self, Back, Begun, IDENTITIES_MAX, Identity, OfSession, WRONG, Why},
    challenges, held,
    logins::{self, Login},
    passkeys::{Person, unremembered},
    plain,
    sessions::{self, Opened},
    told,
};
use crate::{
    Actor, Cx,
    commit::Draft,
    documents::DEPLOYMENT,
    failure,
    ids::new_uuid,
    mails::notices::{self, Change},
    record::{self, Id, Loaded, Look, page},
    search::{Field, Filter, Query},
};

const NOT_FOUND: Failure = Failure::NotFound { noun: Noun::Provider };

/// A provider that brings a person.
#[derive(Debug)]
pub struct Linked {
    /// The provider, whatever became of it.
    pub provider: Provider,
    /// Since when it brings the person.
    pub since: Timestamp,
}

/// Identities of a person, the oldest first.
pub(super) async fn of_user(cx: &Cx, user: i64) -> Result<Vec<Loaded<Identity>>, Failure> {
    let predicate = Filter::equal(Field::Column("user"), user);
    let query = Query { predicate, limit: IDENTITIES_MAX, ..Query::of(DEPLOYMENT) };
    Ok(page::<Identity>(cx, &query).await?.items)
}

/// The providers that bring a person, the oldest link first.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn list(cx: &Cx, user: i64) -> Result<Vec<Linked>, Failure> {
    let cx = &cx.in_space(DEPLOYMENT);
    let mut all = Vec::new();
    for identity in of_user(cx, user).await? {
        let look = Look::at(Id::Number(identity.provider)).or_deleted();
        let provider = record::load::<Provider>(cx, look).await?.record;
        all.push(Linked { provider, since: identity.created_at });
    }
    Ok(all)
}

/// Where the browser of a person is sent to, to link a provider, and what its cookie holds until it
/// comes back: to the same place as those who sign in, in the same session, and while the ways to
/// sign in stay as they are.
///
/// # Errors
/// `NotFound` for a provider of another account; `WrongState` where it brings the person already;
/// `Unavailable` when it cannot be asked.
pub async fn begin(cx: &Cx, person: Person<'_>, id: Id) -> Result<(String, String), Failure> {
    let cx = &plain(cx);
    let provider = by_provider::in_use_provider(cx, id).await?;
    if provider.account != person.user.account {
        return Err(NOT_FOUND);
    }
    is_new(cx, person.user, &provider).await?;
    let login = logins::load(cx, person.user.number).await?.ok_or(WRONG)?;
    let (session, epoch) = (person.standing.session, login.epoch);
    by_provider::begin_for(cx, &provider, Some(OfSession { session, epoch, why: Why::Link })).await
}

/// A provider brings a person as one of its own, not as two.
async fn is_new(cx: &Cx, user: &User, provider: &Provider) -> Result<(), Failure> {
    let known = of_user(cx, user.number).await?;
    if known.iter().all(|known| known.provider != provider.number) {
        return Ok(());
    }
    let (is, needs) = ("a person whom this provider brings already", "to be unlinked first");
    Err(Failure::WrongState { is, needs })
}

/// Links the provider to the person whose session the browser still shows.
///
/// # Errors
/// `Unauthenticated` for whatever does not fit, also for somebody whom it brings as another person.
pub(super) async fn finish(
    cx: &Cx,
    provider: &Loaded<Provider>,
    (begun, of): (&Begun, &OfSession),
    back: Back<'_>,
    claims: &Claims,
) -> Result<Opened, Failure> {
    let (session, user) = by_provider::sent(cx, of, &back).await?;
    if user.account != provider.account {
        return Err(WRONG);
    }
    let cx = &Cx { actor: Actor::Person(user.number), ..cx.clone() };
    cx.write(|mut draft| async {
        challenges::answer(cx, &mut draft, &begun.state, begun.expires_at).await?;
        draft.assert(provider);
        let before = logins::load(cx, user.number).await?;
        before.filter(|before| before.epoch == of.epoch).ok_or(WRONG)?;
        let lookup = by_provider::lookup(provider, claims);
        if by_provider::by_lookup(&cx.app, &lookup).await?.is_some() {
            return Err(WRONG);
        }
        is_new(cx, &user, provider).await?;
        let keep = Some(session.number);
        let login = note(cx, &mut draft, provider, &user, lookup, keep).await?;
        notices::changed(cx, &mut draft, &user, Change::ProviderLinked).await?;
        let renewed = sessions::renew(cx, &mut draft, &user, session.number, None).await?;
        Ok((draft, held(cx, &login, renewed)))
    })
    .await
}

/// Notes that a provider brings a person from now on; sessions end, but the one that is named.
pub(super) async fn note(
    cx: &Cx,
    draft: &mut Draft<'_>,
    provider: &Provider,
    user: &User,
    lookup: String,
    keep: Option<i64>,
) -> Result<Login, Failure> {
    let identity = Identity {
        number: cx.app.store.reserve(by_provider::IDENTITY.name, 1).await.map_err(failure)?.start,
        uuid: new_uuid(),
        lookup,
        user: user.number,
        provider: provider.number,
        created_at: cx.now,
    };
    draft.taken_is_raced();
    draft.insert(&identity)?;
    let login = logins::change(cx, draft, user, keep, |login| login.providers += 1).await?;
    draft.tell(told("provider.linked", user));
    Ok(login)
}

/// Ends that a provider brings the person who asks. The other sessions end.
///
/// # Errors
/// `NotFound` where it does not; `WrongState` when the person would have no way to sign in any
/// more.
pub async fn unlink(cx: &Cx, person: Person<'_>, id: Id) -> Result<(), Failure> {
    let cx = &unremembered(cx);
    let user = person.user;
    cx.write(|mut draft| async {
        let provider = record::load::<Provider>(cx, Look::at(id).or_deleted()).await?;
        let known = of_user(cx, user.number).await?;
        let identity = known.iter().find(|known| known.provider == provider.number);
        let identity = identity.ok_or(NOT_FOUND)?;
        draft.remove(identity);
        let keep = Some(person.standing.session);
        let fewer = |login: &mut Login| login.providers = login.providers.saturating_sub(1);
        let after = logins::change(cx, &mut draft, user, keep, fewer).await?;
        keeps_a_way(cx, &after, Some(identity.number)).await?;
        notices::changed(cx, &mut draft, user, Change::ProviderUnlinked).await?;
        draft.tell(told("provider.unlinked", user));
        Ok((draft, ()))
    })
    .await
}

/// The only way to sign in cannot go. A provider is one while it is in use.
pub(super) async fn keeps_a_way(cx: &Cx, login: &Login, gone: Option<i64>) -> Result<(), Failure> {
    if login.password_at.is_some() || login.passkeys > 0 {
        return Ok(());
    }
    for identity in of_user(cx, login.number).await? {
        let is_left = Some(identity.number) != gone;
        let id = Id::Number(identity.provider);
        if is_left && by_provider::in_use_provider(cx, id).await.is_ok() {
            return Ok(());
        }
    }
    let (is, needs) = ("the only way to sign in", "another one, a password or a passkey");
    Err(Failure::WrongState { is, needs })
}
