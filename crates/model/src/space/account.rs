//! How accounts change, and what they demand of people.

use super::{
    Account, SUBACCOUNTS_MAX,
    changes::{archived, check_name, check_range},
};
use crate::{Patch, Problems, Timestamp, customer::Changes, text::Name};

/// Whom an account asks for a second factor, before the roles that are held there count.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Default,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum SecondFactor {
    /// Nobody, whatever the roles say.
    None,
    /// Who holds a role that demands one.
    #[default]
    Roles,
    /// Everybody.
    All,
}

impl SecondFactor {
    /// The words, for messages.
    pub const WORDS: &'static str = "none, roles, all";

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            SecondFactor::None => "none",
            SecondFactor::Roles => "roles",
            SecondFactor::All => "all",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<SecondFactor> {
        let all = [SecondFactor::None, SecondFactor::Roles, SecondFactor::All];
        all.into_iter().find(|whom| whom.as_str() == word)
    }

    /// Whether who holds a role is asked for one, where the role itself demands one or not.
    pub const fn demands(self, by_role: bool) -> bool {
        match self {
            SecondFactor::None => false,
            SecondFactor::Roles => by_role,
            SecondFactor::All => true,
        }
    }

    /// Whether it is what an account says that says nothing.
    pub(super) fn is_default(&self) -> bool {
        *self == SecondFactor::default()
    }
}

/// What shall become of an account.
#[derive(Debug, Clone, Default)]
pub struct AccountPatch {
    /// Its name.
    pub name: Option<Name>,
    /// How many living accounts it may have directly below it.
    pub subaccount_limit: Patch<i64>,
    /// Whom it asks for a second factor.
    pub second_factor: Option<SecondFactor>,
    /// Whether it is archived.
    pub archived: Option<bool>,
}

impl Account {
    /// The account after a change, and what differs.
    ///
    /// # Errors
    /// Every problem.
    pub fn apply(
        &self,
        patch: AccountPatch,
        now: Timestamp,
    ) -> Result<(Account, Changes), Problems> {
        let AccountPatch { name, subaccount_limit, second_factor, archived: wanted } = patch;
        let mut next = self.clone();
        next.name = name.unwrap_or(next.name);
        subaccount_limit.change(&mut next.subaccount_limit);
        next.second_factor = second_factor.unwrap_or(next.second_factor);
        next.archived_at = archived(next.archived_at, wanted, now);
        let mut problems = Problems::new();
        check_name(&next.name, &mut problems);
        let limits = (0, SUBACCOUNTS_MAX);
        check_range("subaccount_limit", next.subaccount_limit, limits, &mut problems);
        problems.into_result()?;
        if next == *self {
            return Ok((next, Changes::new()));
        }
        Ok((next.changed(now), vec!["settings"]))
    }

    /// The account once it is deleted. What is left is its number and its name, for whom it was
    /// known to.
    #[must_use]
    pub fn deleted(&self, by: Option<i64>, now: Timestamp) -> Account {
        Account { deleted_at: Some(now), deleted_by: by, ..self.clone() }.changed(now)
    }

    fn changed(self, now: Timestamp) -> Account {
        Account { version: self.version + 1, updated_at: now.max(self.updated_at), ..self }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(1_767_323_045_000_000).plus_seconds(seconds)
    }

    #[test]
    fn what_changes_nothing_does_not_count() {
        let name = Name::parse("Shop").expect("a name");
        let account = Account::new(1, Uuid::nil(), name.clone(), at(0));
        let same =
            AccountPatch { name: Some(name), archived: Some(false), ..AccountPatch::default() };
        assert_eq!(account.apply(same, at(1)), Ok((account.clone(), Changes::new())));
        let archive = AccountPatch { archived: Some(true), ..AccountPatch::default() };
        let (next, changes) = account.apply(archive.clone(), at(1)).expect("allowed");
        assert_eq!((next.version, next.archived_at, changes), (2, Some(at(1)), vec!["settings"]));
        let (again, _) = next.apply(archive, at(2)).expect("allowed");
        assert_eq!(again.archived_at, Some(at(1)), "the first time counts");
        for wrong in [-1, SUBACCOUNTS_MAX + 1] {
            let patch =
                AccountPatch { subaccount_limit: Patch::Set(wrong), ..AccountPatch::default() };
            assert!(account.apply(patch, at(1)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_strictest_word_is_the_greatest() {
        let all = [SecondFactor::None, SecondFactor::Roles, SecondFactor::All];
        assert!(all.is_sorted());
        assert_eq!(all.map(|whom| SecondFactor::parse(whom.as_str())), all.map(Some));
        assert_eq!(all.map(|whom| whom.demands(true)), [false, true, true]);
        assert_eq!(all.map(|whom| whom.demands(false)), [false, false, true]);
    }
}
