//! A session as who asks. Rights come from the same evaluator as those of keys; they are read with
//! every request, so what changes holds at once on every node.

use std::sync::Arc;

use patron_model::{Failure, Timestamp, space::Space};

use uuid::Uuid;

use super::{in_use, logins, plain, sessions};
use crate::{
    App, Caller,
    documents::{DEPLOYMENT, SPACE},
    failure,
    keys::OfPerson,
    places,
    record::{Id, decode},
    rights::{Place, Principal},
};

/// How a person who asks has signed in.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Number of the session.
    pub session: i64,
    uuid: Uuid,
    /// 2: by two factors; 1: by one.
    pub level: u8,
    /// What requests carry beside the cookie.
    pub csrf: String,
    /// Until when the person counts as having just proven who they are.
    pub proven_until: Timestamp,
    /// By what that can be proven again.
    pub methods: Vec<&'static str>,
    /// By what a second factor has to be proven before anything may be done; empty: it need not.
    pub second_factor: Vec<&'static str>,
    /// By what the person can prove a second factor, asked or not.
    pub factors: Vec<&'static str>,
    /// What the roles would allow besides, once a second factor is proven.
    pub withheld: Principal,
}

impl Standing {
    /// Whether an id is that of the session that asks.
    pub fn is_session(&self, id: Id) -> bool {
        match id {
            Id::Number(number) => number == self.session,
            Id::Uuid(uuid) => uuid == self.uuid,
        }
    }
}

/// What a browser sends with a request.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    /// What the session cookie holds.
    pub token: &'a str,
    /// What the page sent beside it; nothing where the page itself is asked for.
    pub csrf: Option<&'a str>,
    /// The space that the request names.
    pub space: Option<i64>,
}

impl std::fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shown(…)")
    }
}

/// Why a session is refused that comes without what other sites cannot know.
pub const NO_TOKEN: &str = "a session without its token";
/// Why one is refused that has ended.
pub const OVER: &str = "a session that is over";

fn refused(reason: &'static str) -> Failure {
    Failure::Unauthenticated { reason }
}

impl App {
    /// The person whose session a browser shows.
    ///
    /// # Errors
    /// `Unauthenticated` when the session is over, or what must come with it is missing or wrong,
    /// or the person may not sign in any more; `Forbidden` for a space where nothing may be done.
    pub async fn person(self: &Arc<Self>, shown: Shown<'_>) -> Result<Arc<Caller>, Failure> {
        let session = sessions::of_token(self, shown.token).await?;
        let session = session.ok_or(refused(OVER))?;
        if let Some(sent) = shown.csrf
            && !sessions::is_csrf(self, &session, sent)
        {
            return Err(refused(NO_TOKEN));
        }
        let known = in_use(self, session.user).await?;
        let (user, account) = known.ok_or(refused("a session of nobody in use"))?;
        let cx = plain(&self.operator(DEPLOYMENT, "session"));
        sessions::note_seen(&cx, &session).await?;
        let login = logins::load(&cx, user.number).await?;
        let login = login.ok_or(refused("a session of nobody who signs in"))?;
        let second_factor = login.awaited(session.level);
        let is_whole = second_factor.is_empty();
        let held = self.held_by_person(user.number).await?;
        let all = held.principal(user.number);
        // Half a proof holds no role.
        let (principal, withheld) = match is_whole {
            true => all.at_level(session.level),
            false => (Principal::default(), all),
        };
        let roles = held.of(user.number).iter().map(|one| held.role(one.role).0.to_owned());
        let roles = roles.collect();
        let (space, path) = match shown.space {
            None => (None, vec![account.number]),
            Some(number) => self.open_space(number).await?.ok_or(Failure::Forbidden)?,
        };
        if let Some(space) = &space {
            let place = Place { space: Some(space.number), path: path.clone() };
            if principal.at(&place).is_empty() && withheld.at(&place).is_empty() {
                return Err(Failure::Forbidden);
            }
        }
        let standing = Standing {
            session: session.number,
            uuid: session.uuid,
            level: session.level,
            csrf: sessions::csrf(self, &session),
            proven_until: if is_whole { session.proven_until() } else { session.opened_at },
            methods: if is_whole { login.proofs() } else { second_factor.clone() },
            second_factor,
            factors: login.second_methods(),
            withheld,
        };
        let person = OfPerson { user, account, roles, principal, space, path, standing };
        Ok(Arc::new(self.caller_of(person)))
    }

    /// A space that is open, as are the accounts above it, whose numbers come with it.
    async fn open_space(&self, number: i64) -> Result<Option<(Option<Space>, Vec<i64>)>, Failure> {
        let row = self.store.get(&SPACE, DEPLOYMENT, number).await.map_err(failure)?;
        let space = row.as_ref().map(decode::<Space>).transpose()?.map(|space| space.record);
        let Some(space) = space.filter(Space::is_open) else { return Ok(None) };
        let line = places::open_line(self, space.account).await?;
        let path = line.map(|line| line.iter().map(|account| account.number).collect());
        Ok(path.map(|path| (Some(space), path)))
    }
}
