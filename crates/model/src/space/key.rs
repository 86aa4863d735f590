//! Keys: credentials for one API, how long they open something, and from where.

use std::net::IpAddr;

use uuid::Uuid;

use crate::{
    Timestamp,
    network::Network,
    permission::{Permissions, Role},
};

/// What the public half of a key may do alone, in an API whose keys are pairs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum PublicRights {
    /// Nothing.
    None,
    /// Create customers and read those it created.
    #[default]
    Create,
    /// What the key may do.
    Full,
}

impl PublicRights {
    /// The words, for messages.
    pub const WORDS: &'static str = "none, create, full";

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            PublicRights::None => "none",
            PublicRights::Create => "create",
            PublicRights::Full => "full",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<PublicRights> {
        let all = [PublicRights::None, PublicRights::Create, PublicRights::Full];
        all.into_iter().find(|rights| rights.as_str() == word)
    }
}

/// Whether a key opens anything, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It does.
    Active,
    /// It does for a while: it was replaced, or ends within [`EXPIRING_SECONDS`].
    Expiring,
    /// Its time is over.
    Expired,
    /// Somebody ended it.
    Revoked,
}

/// Seconds before its end in which a key counts as expiring: 14 days.
pub const EXPIRING_SECONDS: i64 = 14 * 24 * 3600;
/// Most seconds from its making, or its change, to the end of a key that ends: two years.
pub const EXPIRY_SECONDS_MAX: i64 = 2 * 366 * 24 * 3600;
/// Most networks a key may be used from.
pub const NETWORKS_MAX: usize = 20;

impl KeyState {
    /// The words, for messages.
    pub const WORDS: &'static str = "active, expiring, expired, revoked";

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            KeyState::Active => "active",
            KeyState::Expiring => "expiring",
            KeyState::Expired => "expired",
            KeyState::Revoked => "revoked",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<KeyState> {
        let all = [KeyState::Active, KeyState::Expiring, KeyState::Expired, KeyState::Revoked];
        all.into_iter().find(|state| state.as_str() == word)
    }
}

/// A credential for one API, for one space or a whole account.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Key {
    /// Number, unique in the deployment.
    pub number: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Number of the user whose it is: what the key may do is what he may. 0 in what was written
    /// before keys had users.
    #[serde(default)]
    pub user: i64,
    /// Account it belongs to.
    pub account: i64,
    /// The space it opens unless a request names another.
    pub space: i64,
    /// Whether it opens every space of the account.
    #[serde(default)]
    pub account_wide: bool,
    /// The API it is for.
    pub dialect: String,
    /// What people call it.
    pub name: String,
    /// What it might do before keys had users.
    #[serde(default, rename = "role", skip_serializing_if = "Option::is_none")]
    pub role_before: Option<Role>,
    /// Cuts what its user may do: what is not in it, the key may not do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<Permissions>,
    /// Networks it may be used from; any when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Network>,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Number of the key it was made to replace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<i64>,
    /// Number of the key that was made to replace it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<i64>,
    /// Earlier keys of the same user whose secrets may still be good, the latest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<EarlierKey>,
    /// What its public half may do alone.
    #[serde(default)]
    pub public_rights: PublicRights,
    /// Public half, unique within the dialect: a user id, a public key, or the hash of a bearer token.
    /// The secret half is kept apart: this document is journalled.
    pub handle: String,
    /// Whether another key of the same user is found by the handle now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub handle_moved: bool,
    /// The last characters of the secret, so that people know which one it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// What was told of its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<EndTold>,
}

/// What was told of the end of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EndTold {
    /// The end: of another one it is told anew.
    pub end: Timestamp,
    /// Days before it, one of [`TOLD_DAYS_BEFORE`].
    pub days: i64,
}

/// Days before its end at which those who may change a key are told, the earliest first.
pub const TOLD_DAYS_BEFORE: [i64; 2] = [14, 3];

/// A key whose user was handed on to a newer key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EarlierKey {
    /// Its number.
    pub number: i64,
    /// When it ends at the latest.
    pub until: Timestamp,
}

impl Key {
    /// A key that is nobody's, opens nothing and never ends: what all are made from.
    pub fn new(number: i64, uuid: Uuid, created_at: Timestamp) -> Key {
        Key {
            number,
            uuid,
            user: 0,
            account: 0,
            space: 0,
            account_wide: false,
            dialect: String::new(),
            name: String::new(),
            role_before: None,
            cap: None,
            addresses: Vec::new(),
            expires_at: None,
            replaces: None,
            replaced_by: None,
            earlier: Vec::new(),
            public_rights: PublicRights::default(),
            handle: String::new(),
            handle_moved: false,
            hint: String::new(),
            created_at,
            revoked_at: None,
            told: None,
        }
    }

    /// What is to be told of its end by now and was not, where it ends by itself and nothing has
    /// taken its place.
    pub fn end_to_tell(&self, now: Timestamp) -> Option<EndTold> {
        const DAY_SECONDS: i64 = 24 * 3_600;
        let is_in_use = self.revoked_at.is_none() && self.replaced_by.is_none();
        let end = self.expires_at.filter(|end| is_in_use && now < *end)?;
        let has_come = |days: &i64| now >= end.plus_seconds(-days * DAY_SECONDS);
        let days = TOLD_DAYS_BEFORE.into_iter().filter(has_come).min()?;
        let is_told = self.told.is_some_and(|told| told.end == end && told.days <= days);
        (!is_told).then_some(EndTold { end, days })
    }

    /// Whether it opens anything at a moment, and for how long.
    pub fn state(&self, now: Timestamp) -> KeyState {
        if self.revoked_at.is_some() {
            return KeyState::Revoked;
        }
        match self.expires_at {
            Some(end) if end <= now => KeyState::Expired,
            Some(_) if self.replaced_by.is_some() => KeyState::Expiring,
            Some(end) if end <= now.plus_seconds(EXPIRING_SECONDS) => KeyState::Expiring,
            Some(_) | None => KeyState::Active,
        }
    }

    /// Whether it opens anything at a moment.
    pub fn is_good(&self, now: Timestamp) -> bool {
        matches!(self.state(now), KeyState::Active | KeyState::Expiring)
    }

    /// Whether it may be used from an address. From an unknown one, only a key that may be used
    /// from anywhere.
    pub fn admits(&self, address: Option<IpAddr>) -> bool {
        self.addresses.is_empty()
            || address.is_some_and(|address| self.addresses.iter().any(|n| n.contains(address)))
    }

    /// What it may do of what its user may.
    pub fn cut(&self) -> Permissions {
        self.cap.unwrap_or(Permissions::ALL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key as it was written before there were permissions.
    fn stored(role: &str) -> String {
        format!(
            r#"{{"number":7,"uuid":"0192f0c1-5a3d-7c3e-8b5e-5a4db0000001","account":1,"space":1,
            "account_wide":false,"dialect":"native","name":"shop","role":"{role}","handle":"ab",
            "secret":{{"hashed":"ab"}},"created_at":1767323045000000}}"#
        )
    }

    #[test]
    fn keys_of_before_are_read_with_the_role_that_fits() {
        for (old, role) in
            [("read", Role::ReadOnly), ("write", Role::Integration), ("admin", Role::Administrator)]
        {
            let key: Key = serde_json::from_str(&stored(old)).unwrap();
            assert_eq!((key.role_before, key.user), (Some(role), 0), "{old}");
        }
    }

    #[test]
    fn a_key_ends_when_it_says() {
        let mut key: Key = serde_json::from_str(&stored("read")).unwrap();
        let at = Timestamp::from_micros;
        assert_eq!(key.state(at(i64::MAX)), KeyState::Active);
        let end = at(2_000_000_000_000_000);
        key.expires_at = Some(end);
        let before = |seconds: i64| end.plus_seconds(-seconds);
        assert_eq!(key.state(before(EXPIRING_SECONDS + 1)), KeyState::Active);
        assert_eq!(key.state(before(EXPIRING_SECONDS)), KeyState::Expiring);
        assert!(key.is_good(at(end.micros() - 1)));
        assert_eq!(key.state(end), KeyState::Expired);
        assert!(!key.is_good(end));
        key.replaced_by = Some(8);
        assert_eq!(key.state(before(EXPIRING_SECONDS + 1)), KeyState::Expiring);
        key.revoked_at = Some(end);
        assert_eq!(key.state(before(1)), KeyState::Revoked);
    }

    #[test]
    fn a_key_says_where_it_may_be_used() {
        let mut key: Key = serde_json::from_str(&stored("read")).unwrap();
        assert!(key.admits(None) && key.admits(Some("192.0.2.1".parse().unwrap())));
        key.addresses = vec![Network::parse("192.0.2.0/24").unwrap()];
        assert!(key.admits(Some("192.0.2.1".parse().unwrap())));
        assert!(!key.admits(Some("198.51.100.1".parse().unwrap())));
        assert!(!key.admits(None), "who does not know the address lets nobody in");
        let stored = serde_json::to_string(&key).unwrap();
        assert_eq!(serde_json::from_str::<Key>(&stored).unwrap(), key);
    }
}
