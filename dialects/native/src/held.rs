//! What is shown beside a user when it is asked for: the roles it holds, and how it signs in.

use std::collections::HashMap;

use patron_app::{
    places,
    sign_in::ways::{self, Ways},
    users::Held,
};
use patron_gateway::{Faults, Request, decode::Params};
use patron_model::{Failure, Permission, Timestamp, Why, role::Assignment};
use schemars::JsonSchema;
use serde::Serialize;

/// A role that a user holds, by its name.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "HeldRole")]
pub struct HeldOut {
    /// Number of the assignment.
    assignment: i64,
    /// Number of the role.
    role: i64,
    /// What people call the role.
    name: String,
    /// Number of the account where it holds, or whose space it is.
    account: i64,
    /// Number of the space where it holds; the whole account when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    space: Option<i64>,
    /// Whether it holds in the accounts below, too.
    subaccounts: bool,
}

/// How a person signs in.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "WaysToSignIn")]
pub struct WaysOut {
    /// By what: `password`, `passkey`, `provider`, `totp`, `recovery_code`.
    methods: Vec<&'static str>,
    /// Whether there is any second factor.
    second_factor: bool,
    /// How many sessions are open.
    sessions: usize,
    /// When one of them was last used, within a minute; absent where none is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    seen_at: Option<String>,
}

impl From<Ways> for WaysOut {
    fn from(ways: Ways) -> WaysOut {
        WaysOut {
            methods: ways.methods,
            second_factor: ways.has_second,
            sessions: ways.sessions,
            seen_at: ways.seen_at.map(Timestamp::rfc3339_micros),
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Default)]
pub struct Expand {
    roles: bool,
    sign_in: bool,
}

/// What was found of it, by the numbers of the users.
pub struct Expanded {
    asked: Expand,
    roles: HashMap<i64, Vec<HeldOut>>,
    ways: HashMap<i64, Ways>,
}

impl Expand {
    /// Reads the parameter. Faults are noted.
    pub fn read(params: &Params, faults: &mut Faults) -> Expand {
        let mut asked = Expand::default();
        for word in params.all("expand").flat_map(|words| words.split(',')) {
            match word {
                "roles" => asked.roles = true,
                "sign_in" => asked.sign_in = true,
                "" => {}
                _ => faults.misread("expand", Why::not_one_of(word, "roles, sign_in")),
            }
        }
        asked
    }

    /// Whether nothing is.
    pub fn is_nothing(self) -> bool {
        !self.roles && !self.sign_in
    }

    /// Finds it for users whom the caller may see.
    ///
    /// # Errors
    /// Whatever the store says.
    pub async fn of(self, request: &Request, users: &[i64]) -> Result<Expanded, Failure> {
        let cx = &request.cx;
        let roles = if self.roles { roles_of(request, users).await? } else { HashMap::new() };
        let ways = if self.sign_in { ways::of(cx, users).await? } else { HashMap::new() };
        Ok(Expanded { asked: self, roles, ways })
    }
}

impl Expanded {
    /// What is shown of a user.
    pub fn take(&mut self, user: i64) -> (Option<Vec<HeldOut>>, Option<WaysOut>) {
        let roles = self.asked.roles.then(|| self.roles.remove(&user).unwrap_or_default());
        let ways = self.asked.sign_in.then(|| self.ways.remove(&user).unwrap_or_default().into());
        (roles, ways)
    }
}

/// The roles of users, at places where the caller may see who holds which.
async fn roles_of(request: &Request, users: &[i64]) -> Result<HashMap<i64, Vec<HeldOut>>, Failure> {
    let reach = places::reach(&request.cx, Permission::AccessRead).await?;
    let held = request.cx.app.held_by(users).await?;
    let is_seen = |one: &&Assignment| {
        let is_single = one.space.is_some_and(|space| reach.spaces.contains(&space));
        is_single || reach.accounts.contains(&one.account)
    };
    let of =
        |user: i64| held.of(user).iter().filter(is_seen).map(|one| shown(&held, one)).collect();
    Ok(users.iter().map(|user| (*user, of(*user))).collect())
}

fn shown(held: &Held, one: &Assignment) -> HeldOut {
    HeldOut {
        assignment: one.number,
        role: one.role,
        name: held.role(one.role).0.to_owned(),
        account: one.account,
        space: one.space,
        subaccounts: one.subaccounts,
    }
}
