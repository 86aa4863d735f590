//! Accounts, spaces and keys: who owns records, where they live, and who may touch them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;
use uuid::Uuid;

use crate::{
    Timestamp, address::Postal, country::Country, currency::Currency, email::Email,
    network::Network, permission::Permissions, text::Name, time_zone::TimeZone,
};

mod account;
mod changes;

pub use self::account::{AccountPatch, SecondFactor};
pub use self::changes::{KeyPatch, NewHalf, SECRETS_MAX, SpacePatch};
pub use crate::permission::Role;

/// Accounts that one account may be limited to have directly below it, at most: a caller reaches no
/// more.
pub const SUBACCOUNTS_MAX: i64 = 10_000;
/// Requests in [`REQUEST_LIMIT_SECONDS`] that a space or a user may be limited to, at most: more is
/// no limit.
pub const REQUEST_LIMIT_MAX: i64 = 1_000_000_000;
/// The seconds in which the requests of a space or a user are counted.
pub const REQUEST_LIMIT_SECONDS: u64 = 120;
/// Addresses that are written to when something about a space is out of order.
pub const TECHNICAL_CONTACTS_MAX: usize = 10;

/// A business with one or more spaces.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Account {
    /// Number, unique in the deployment.
    pub number: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Counts the changes, from 1.
    pub version: i64,
    /// The account whose admins made it and may manage it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<i64>,
    /// What people call it.
    pub name: Name,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was archived: its keys open nothing any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived_at: Option<Timestamp>,
    /// How many living accounts it may have directly below it; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subaccount_limit: Option<i64>,
    /// Whom it asks for a second factor.
    #[serde(default, skip_serializing_if = "SecondFactor::is_default")]
    pub second_factor: SecondFactor,
    /// Number of the user who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<i64>,
    /// When it was deleted: it is no more, and had neither spaces nor accounts below it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// Number of the user who deleted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_by: Option<i64>,
}

/// A tenant: the records of one space are invisible to every other.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Space {
    /// Number, unique in the deployment.
    pub number: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Number of the account that owns it.
    pub account: i64,
    /// Counts the changes, from 1.
    pub version: i64,
    /// What people call it.
    pub name: Name,
    /// Whether a change without precondition is refused (428).
    #[serde(default)]
    pub require_precondition: bool,
    /// Where its customers are at home: national phone numbers of those without an address that
    /// says otherwise are read there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_country: Option<Country>,
    /// Switches of single dialects, by dialect name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dialects: BTreeMap<String, Value>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was archived: it answers nothing any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived_at: Option<Timestamp>,
    /// Whether the audit trail says who read which customer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub audit_reads: bool,
    /// The time zone of the business.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<TimeZone>,
    /// The currency it mostly works in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Requests in [`REQUEST_LIMIT_SECONDS`] seconds that are answered; further ones are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_limit: Option<i64>,
    /// Who is written to when something about it is out of order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub technical_contacts: Vec<Email>,
    /// Where the business is.
    #[serde(default, skip_serializing_if = "Postal::is_empty")]
    pub address: Postal,
    /// Number of the user who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<i64>,
    /// Its deletion for good, once asked for: it is no more, and its records are on their way out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<Deletion>,
}

/// The deletion of a space for good. What is left of the space is this.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Deletion {
    /// When it began.
    pub at: Timestamp,
    /// Number of the user who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<i64>,
    /// Rows by kind, counted then.
    pub counts: BTreeMap<String, u64>,
    /// Keys that opened this space only, counted then.
    pub keys: u64,
    /// SHA-256 of the export that was taken before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export_sha256: Option<String>,
    /// When nothing was left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_at: Option<Timestamp>,
}

impl Account {
    /// A new account.
    pub fn new(number: i64, uuid: Uuid, name: Name, now: Timestamp) -> Account {
        Account {
            number,
            uuid,
            version: 1,
            parent: None,
            name,
            created_at: now,
            updated_at: now,
            archived_at: None,
            subaccount_limit: None,
            second_factor: SecondFactor::default(),
            created_by: None,
            deleted_at: None,
            deleted_by: None,
        }
    }

    /// Whether its keys open anything: neither archived nor deleted.
    pub fn is_open(&self) -> bool {
        self.archived_at.is_none() && self.deleted_at.is_none()
    }
}

impl Space {
    /// A new space of an account.
    pub fn new(number: i64, uuid: Uuid, account: i64, name: Name, now: Timestamp) -> Space {
        Space {
            number,
            uuid,
            account,
            version: 1,
            name,
            require_precondition: false,
            default_country: None,
            dialects: BTreeMap::new(),
            created_at: now,
            updated_at: now,
            archived_at: None,
            audit_reads: false,
            time_zone: None,
            currency: None,
            request_limit: None,
            technical_contacts: Vec::new(),
            address: Postal::default(),
            created_by: None,
            deletion: None,
        }
    }

    /// Whether it answers: neither archived nor deleted.
    pub fn is_open(&self) -> bool {
        self.archived_at.is_none() && self.deletion.is_none()
    }

    /// A switch of one dialect, when it is a text.
    pub fn switch(&self, dialect: &str, name: &str) -> Option<&str> {
        self.dialects.get(dialect)?.get(name)?.as_str()
    }
}

/// How a key's secret is kept.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    /// SHA-256 of a random secret, in hexadecimal: enough to recognise it.
    Hashed(String),
    /// Encrypted with a data key of the deployment: signatures need the secret itself.
    Sealed(String),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret(…)")
    }
}

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
