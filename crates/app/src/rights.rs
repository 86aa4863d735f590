//! The one evaluator of rights. What a request may do at a place is what the roles of its user that
//! cover the place say, cut by the key's own list and by what its token was asked for; nothing else
//! gives or takes anything.
//!
//! The gateway asks for the permission in the operation's line. Use cases ask for what depends on
//! the question itself: another place, the past, another noun's part of an answer.

use patron_model::{Failure, Permission, Permissions, space::Key};
use patron_store::Entry;

use crate::{Actor, Cx};

/// Where something is done: a space, or an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The space; none: the account itself.
    pub space: Option<i64>,
    /// The account, the one it is below, and so on up.
    pub path: Vec<i64>,
}

impl Place {
    /// An account.
    pub fn account(path: Vec<i64>) -> Place {
        Place { space: None, path }
    }
}

/// What a role gives, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The account where it holds, or whose space it is.
    pub account: i64,
    /// The space where it holds; the whole account when there is none.
    pub space: Option<i64>,
    /// Whether it holds in the accounts below, too.
    pub subaccounts: bool,
    /// What it gives.
    pub permissions: Permissions,
    /// Whether it counts for a person only who has proven a second factor.
    pub second_factor: bool,
}

impl Grant {
    /// Whether it holds at a place.
    pub(crate) fn covers(&self, place: &Place) -> bool {
        let own = place.path.first() == Some(&self.account);
        match self.space {
            Some(space) => place.space == Some(space) && own,
            None => own || (self.subaccounts && place.path.contains(&self.account)),
        }
    }

    /// Whether it holds wherever another one does, whose account has this path.
    pub(crate) fn encloses(&self, other: &Grant, path: &[i64]) -> bool {
        let place = Place { space: other.space, path: path.to_vec() };
        let reaches_down = self.subaccounts || !other.subaccounts;
        self.covers(&place) && (other.space.is_some() || reaches_down)
    }
}

/// What somebody may do, and where.
#[derive(Debug, Clone, Default)]
pub struct Principal(Vec<Grant>);

impl Principal {
    /// Somebody with these grants.
    pub fn new(grants: Vec<Grant>) -> Principal {
        Principal(grants)
    }

    /// The same through a key, whose account has this path: never outside the key's space, unless
    /// it is for the whole account, and nothing that the key's own list leaves out.
    #[must_use]
    pub fn through(self, key: &Key, path: &[i64]) -> Principal {
        if key.account_wide {
            return self.cut(key.cut());
        }
        let place = Place { space: Some(key.space), path: path.to_vec() };
        let permissions = self.at(&place).and(key.cut());
        let Place { space, .. } = place;
        let (account, second_factor) = (key.account, false);
        Principal(vec![Grant { account, space, subaccounts: false, permissions, second_factor }])
    }

    /// The same with no more than these permissions anywhere.
    #[must_use]
    pub fn cut(mut self, to: Permissions) -> Principal {
        for grant in &mut self.0 {
            grant.permissions = grant.permissions.and(to);
        }
        self
    }

    /// What of it counts for a person whose session is of a level, and what is withheld until a
    /// second factor is proven (level 2). Nobody asks applications for one.
    #[must_use]
    pub fn at_level(self, level: u8) -> (Principal, Principal) {
        let (counts, withheld) =
            self.0.into_iter().partition(|grant| level >= 2 || !grant.second_factor);
        (Principal(counts), Principal(withheld))
    }

    /// What it may do at a place.
    pub fn at(&self, place: &Place) -> Permissions {
        all_of(self.0.iter().filter(|grant| grant.covers(place)))
    }

    /// What it may do at some place or other.
    pub fn anywhere(&self) -> Permissions {
        all_of(self.0.iter())
    }

    /// What it holds wherever a grant does, whose account has this path.
    fn throughout(&self, given: &Grant, path: &[i64]) -> Permissions {
        all_of(self.0.iter().filter(|grant| grant.encloses(given, path)))
    }

    /// What it was given.
    pub fn grants(&self) -> &[Grant] {
        &self.0
    }
}

fn all_of<'a>(grants: impl Iterator<Item = &'a Grant>) -> Permissions {
    grants.fold(Permissions::NONE, |all, grant| all.or(grant.permissions))
}

/// The only yes: whether somebody may do this at a place.
///
/// # Errors
/// `Forbidden`.
pub fn may(principal: &Principal, permission: Permission, place: &Place) -> Result<(), Failure> {
    allows(principal.at(place), permission)
}

/// The same where it is known what he may do at the place.
///
/// # Errors
/// `Forbidden`.
pub fn allows(rights: Permissions, permission: Permission) -> Result<(), Failure> {
    if rights.has(permission) { Ok(()) } else { Err(Failure::Forbidden) }
}

impl Cx {
    /// Whether the request may do this: for parts of an answer that are left out without the right.
    pub fn has(&self, permission: Permission) -> bool {
        allows(self.rights, permission).is_ok()
    }

    /// Refuses the request without the right.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn may(&self, permission: Permission) -> Result<(), Failure> {
        allows(self.rights, permission)
    }

    /// What the request may do at a place.
    pub fn rights_at(&self, place: &Place) -> Permissions {
        match &self.actor {
            Actor::Caller(caller) => caller.principal.at(place).and(self.cut),
            Actor::Operator | Actor::Person(_) | Actor::Anonymous => self.rights,
        }
    }

    /// Refuses the request without the right at a place.
    ///
    /// # Errors
    /// `Forbidden`; `StepUp` where a second factor would change that.
    pub fn may_at(&self, permission: Permission, place: &Place) -> Result<(), Failure> {
        let refused = match allows(self.rights_at(place), permission) {
            Ok(()) => return Ok(()),
            Err(refused) => refused,
        };
        let Actor::Caller(caller) = &self.actor else { return Err(refused) };
        let is_withheld = caller.withheld_at(place).and(self.cut).has(permission);
        Err(caller.unless_withheld(refused, is_withheld))
    }

    /// Nobody gives what he lacks: refuses a request that would hand out more than it may do, at
    /// every place where it will hold. `path` is that of the grant's account.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn may_give(&self, given: &Grant, path: &[i64]) -> Result<(), Failure> {
        let held = match &self.actor {
            Actor::Caller(caller) => caller.principal.throughout(given, path).and(self.cut),
            Actor::Operator | Actor::Person(_) | Actor::Anonymous => self.rights,
        };
        if held.covers(given.permissions) { Ok(()) } else { Err(Failure::Forbidden) }
    }
}

/// Whether the request may see what the record of an entry of the journal is now: other entries are
/// left out. Those of kinds that nobody reads through the journal are seen by nobody.
pub fn sees(cx: &Cx, entry: &Entry) -> bool {
    crate::documents::seen_by(&entry.kind, &entry.doc).is_some_and(|needed| cx.has(needed))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A forest of accounts, each below one of a lower number or below none, two spaces each:
    /// those of account n are 2n and 2n + 1.
    fn forest() -> impl Strategy<Value = Vec<Option<usize>>> {
        prop::collection::vec(any::<prop::sample::Index>(), 1..10).prop_map(|picks| {
            let above = |(n, pick): (usize, &prop::sample::Index)| {
                Some(pick.index(n + 1)).filter(|above| *above < n)
            };
            picks.iter().enumerate().map(above).collect()
        })
    }

    fn path(forest: &[Option<usize>], account: usize) -> Vec<i64> {
        let up = std::iter::successors(Some(account), |account| forest[*account]);
        up.map(|account| account as i64).collect()
    }

    fn places(forest: &[Option<usize>]) -> Vec<Place> {
        let of = |account: usize| {
            let spaces = [None, Some(2 * account as i64), Some(2 * account as i64 + 1)];
            spaces.map(|space| Place { space, path: path(forest, account) })
        };
        (0..forest.len()).flat_map(of).collect()
    }

    type Drawn = (prop::sample::Index, Option<bool>, bool, u8);

    fn grant(forest: &[Option<usize>], drawn: &Drawn) -> Grant {
        let (account, space, subaccounts, bits) = drawn;
        let account = account.index(forest.len()) as i64;
        Grant {
            account,
            space: space.map(|second| 2 * account + i64::from(second)),
            subaccounts: *subaccounts && space.is_none(),
            permissions: set(*bits),
            second_factor: bits & 0x41 == 0x41,
        }
    }

    fn set(bits: u8) -> Permissions {
        let all = Permission::ALL.iter().take(8).enumerate();
        all.filter(|(at, _)| bits & (1 << at) != 0).map(|(_, permission)| *permission).collect()
    }

    fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
        let one = (any::<prop::sample::Index>(), any::<Option<bool>>(), any::<bool>(), any::<u8>());
        prop::collection::vec(one, 0..6)
    }

    /// The same asked in the slowest way: every grant, every permission, every step up the tree.
    fn naive(
        forest: &[Option<usize>],
        grants: &[Grant],
        place: &Place,
        permission: Permission,
    ) -> bool {
        for grant in grants.iter().filter(|grant| grant.permissions.has(permission)) {
            if grant.space.is_some() {
                if place.space == grant.space {
                    return true;
                }
                continue;
            }
            let mut account = place.path[0] as usize;
            let mut is_below = false;
            loop {
                if account as i64 == grant.account && (grant.subaccounts || !is_below) {
                    return true;
                }
                let Some(above) = forest[account] else { break };
                (account, is_below) = (above, true);
            }
        }
        false
    }

    fn key(space: i64, account_wide: bool, cap: Option<Permissions>) -> Key {
        let doc = r#"{"number":7,"uuid":"0192f0c1-5a3d-7c3e-8b5e-5a4db0000001","account":0,
            "space":0,"dialect":"native","name":"shop","handle":"ab",
            "created_at":1767323045000000}"#;
        let key: Key = serde_json::from_str(doc).expect("a key");
        Key { account: space / 2, space, account_wide, cap, ..key }
    }

    proptest! {
        #[test]
        fn what_is_allowed_is_what_a_naive_evaluator_allows(
            forest in forest(), drawn in drawn(), cap in any::<Option<u8>>(),
            picked in any::<prop::sample::Index>(), account_wide in any::<bool>(),
        ) {
            let grants: Vec<Grant> = drawn.iter().map(|one| grant(&forest, one)).collect();
            let user = Principal::new(grants.clone());
            let space = picked.index(2 * forest.len()) as i64;
            let key = key(space, account_wide, cap.map(set));
            let keyed = user.clone().through(&key, &path(&forest, key.account as usize));
            for place in places(&forest) {
                for permission in Permission::ALL.iter().take(9) {
                    let wanted = naive(&forest, &grants, &place, *permission);
                    prop_assert_eq!(may(&user, *permission, &place).is_ok(), wanted);
                    let is_reached = account_wide || place.space == Some(space);
                    let is_listed = cap.is_none_or(|cap| set(cap).has(*permission));
                    let wanted = wanted && is_reached && is_listed;
                    prop_assert_eq!(may(&keyed, *permission, &place).is_ok(), wanted);
                    prop_assert!(!wanted || keyed.anywhere().has(*permission));
                }
            }
        }

        #[test]
        fn what_demands_a_second_factor_counts_once_it_is_proven(
            forest in forest(), drawn in drawn(),
        ) {
            let grants: Vec<Grant> = drawn.iter().map(|one| grant(&forest, one)).collect();
            let plain: Vec<Grant> =
                grants.iter().copied().filter(|grant| !grant.second_factor).collect();
            let user = Principal::new(grants.clone());
            let (half, withheld) = user.clone().at_level(1);
            let (whole, rest) = user.at_level(2);
            prop_assert!(rest.grants().is_empty());
            for place in places(&forest) {
                for permission in Permission::ALL.iter().take(9) {
                    let at_one = naive(&forest, &plain, &place, *permission);
                    let at_two = naive(&forest, &grants, &place, *permission);
                    prop_assert_eq!(may(&half, *permission, &place).is_ok(), at_one);
                    prop_assert_eq!(may(&whole, *permission, &place).is_ok(), at_two);
                    let is_told = may(&withheld, *permission, &place).is_ok();
                    prop_assert_eq!(at_one || is_told, at_two);
                }
            }
        }

        #[test]
        fn one_grant_more_never_takes_anything(forest in forest(), drawn in drawn()) {
            let grants: Vec<Grant> = drawn.iter().map(|one| grant(&forest, one)).collect();
            let some = Principal::new(grants[..grants.len() / 2].to_vec());
            let all = Principal::new(grants);
            for place in places(&forest) {
                prop_assert!(all.at(&place).covers(some.at(&place)));
            }
        }

        #[test]
        fn nobody_can_give_what_he_lacks_anywhere(
            forest in forest(), held in drawn(), given in drawn(),
        ) {
            let giver = Principal::new(held.iter().map(|one| grant(&forest, one)).collect());
            for given in given.iter().map(|one| grant(&forest, one)) {
                let path = path(&forest, given.account as usize);
                let may_give = giver.throughout(&given, &path).covers(given.permissions);
                let got = Principal::new(vec![given]);
                let mut places = places(&forest).into_iter();
                let has_it_all = places.all(|place| giver.at(&place).covers(got.at(&place)));
                prop_assert!(has_it_all || !may_give, "{given:?}");
            }
        }
    }
}
