//! How spaces and keys change.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Deletion, EXPIRY_SECONDS_MAX, EarlierKey, Key, NETWORKS_MAX, PublicRights, REQUEST_LIMIT_MAX,
    Space, TECHNICAL_CONTACTS_MAX,
};
use crate::{
    Failure, Identity, Patch, Permissions, Problems, Timestamp, Why,
    address::PostalPatch,
    country::Country,
    currency::Currency,
    customer::{Changes, differing},
    email::Email,
    network::Network,
    text::Name,
    time_zone::TimeZone,
};

/// Most secrets of one user that are good at once.
pub const SECRETS_MAX: usize = 10;
/// The end of a key that has none: the last moment of the year 9999, in microseconds.
const NEVER_MICROS: i64 = 253_402_300_799_999_999;
/// What a deleted space is called.
const NAME_OF_DELETED: &str = "deleted";

/// What shall become of a space.
#[derive(Debug, Clone, Default)]
pub struct SpacePatch {
    /// Its name.
    pub name: Option<Name>,
    /// Whether a change without precondition is refused.
    pub require_precondition: Option<bool>,
    /// Whether the audit trail says who read which customer.
    pub audit_reads: Option<bool>,
    /// Where its customers are at home.
    pub default_country: Patch<Country>,
    /// The time zone of the business.
    pub time_zone: Patch<TimeZone>,
    /// The currency it mostly works in.
    pub currency: Patch<Currency>,
    /// Requests in two minutes that are answered, 1 or more.
    pub request_limit: Patch<i64>,
    /// Who is written to when something about it is out of order.
    pub technical_contacts: Option<Vec<Email>>,
    /// Where the business is.
    pub address: PostalPatch,
    /// Switches of single dialects; each named dialect's switches are replaced.
    pub dialects: Option<BTreeMap<String, Value>>,
    /// Whether it is archived.
    pub archived: Option<bool>,
}

pub(super) fn archived(
    before: Option<Timestamp>,
    wanted: Option<bool>,
    now: Timestamp,
) -> Option<Timestamp> {
    match wanted {
        Some(true) => before.or(Some(now)),
        Some(false) => None,
        None => before,
    }
}

/// People tell accounts and spaces apart by their names.
pub(super) fn check_name(name: &Name, problems: &mut Problems) {
    if name.as_str().trim().is_empty() {
        problems.add("name", Why::TooShort { min: 1 });
    }
}

pub(super) fn check_range(
    name: &'static str,
    value: Option<i64>,
    (min, max): (i64, i64),
    problems: &mut Problems,
) {
    if value.is_some_and(|value| !(min..=max).contains(&value)) {
        problems.add(name, Why::OutOfRange { min, max });
    }
}

impl Space {
    /// The space after a change, and what differs.
    ///
    /// # Errors
    /// Every problem.
    pub fn apply(&self, patch: SpacePatch, now: Timestamp) -> Result<(Space, Changes), Problems> {
        let SpacePatch {
            name,
            require_precondition,
            audit_reads,
            default_country,
            time_zone,
            currency,
            request_limit,
            technical_contacts,
            address,
            dialects,
            archived: wanted,
        } = patch;
        let mut next = self.clone();
        next.name = name.unwrap_or(next.name);
        next.require_precondition = require_precondition.unwrap_or(next.require_precondition);
        next.audit_reads = audit_reads.unwrap_or(next.audit_reads);
        default_country.change(&mut next.default_country);
        time_zone.change(&mut next.time_zone);
        currency.change(&mut next.currency);
        request_limit.change(&mut next.request_limit);
        next.technical_contacts = technical_contacts.unwrap_or(next.technical_contacts);
        next.address = next.address.changed(address);
        next.dialects.extend(dialects.unwrap_or_default());
        next.dialects.retain(|_, switches| !switches.is_null());
        next.archived_at = archived(next.archived_at, wanted, now);
        next.check()?;
        if next == *self {
            return Ok((next, Changes::new()));
        }
        Ok((next.changed(now), vec!["settings"]))
    }

    /// What no type checks.
    fn check(&self) -> Result<(), Problems> {
        let mut problems = Problems::new();
        check_name(&self.name, &mut problems);
        check_range("request_limit", self.request_limit, (1, REQUEST_LIMIT_MAX), &mut problems);
        if self.technical_contacts.len() > TECHNICAL_CONTACTS_MAX {
            problems.add("technical_contacts", Why::TooMany { max: TECHNICAL_CONTACTS_MAX });
        }
        problems.into_result()
    }

    /// The space once it is deleted for good: its number, its account, and what went with it.
    ///
    /// # Errors
    /// `Internal` only when the name it gets then is none.
    pub fn deleted(&self, deletion: Deletion, now: Timestamp) -> Result<Space, Failure> {
        let name = Name::parse(NAME_OF_DELETED).map_err(Failure::internal)?;
        let gone = Space::new(self.number, self.uuid, self.account, name, self.created_at);
        let next = Space {
            version: self.version,
            updated_at: self.updated_at,
            created_by: self.created_by,
            deletion: Some(deletion),
            ..gone
        };
        Ok(next.changed(now))
    }

    fn changed(self, now: Timestamp) -> Space {
        Space { version: self.version + 1, updated_at: now.max(self.updated_at), ..self }
    }
}

/// What shall become of a key.
#[derive(Debug, Clone, Default)]
pub struct KeyPatch {
    /// What people call it.
    pub name: Option<String>,
    /// What cuts what its user may do; `Some(None)` lifts the cut.
    pub cap: Option<Option<Permissions>>,
    /// Networks it may be used from.
    pub addresses: Option<Vec<Network>>,
    /// When it ends by itself; `Some(None)`: never.
    pub expires_at: Option<Option<Timestamp>>,
    /// What its public half may do alone.
    pub public_rights: Option<PublicRights>,
}

/// What is new in the key that takes another one's place.
#[derive(Debug, Clone)]
pub struct NewHalf {
    /// Number and UUID.
    pub id: Identity,
    /// Public half; `None`: the user stays, and this is a further secret of it.
    pub handle: Option<String>,
    /// The last characters of its secret.
    pub hint: String,
    /// When it ends by itself; `Some(None)`: never; `None`: as the one before.
    pub expires_at: Option<Option<Timestamp>>,
}

fn ended() -> Failure {
    Failure::WrongState { is: "a key that has ended", needs: "a key in use" }
}

fn replaced() -> Failure {
    Failure::WrongState { is: "a replaced key", needs: "the key that replaced it" }
}

impl Key {
    /// The key after a change, and which members differ. Whether it may change so:
    /// [`Key::may_become`].
    pub fn apply(&self, patch: KeyPatch) -> (Key, Changes) {
        let KeyPatch { name, cap, addresses, expires_at, public_rights } = patch;
        let next = Key {
            name: name.unwrap_or_else(|| self.name.clone()),
            cap: cap.unwrap_or(self.cap),
            addresses: addresses.unwrap_or_else(|| self.addresses.clone()),
            expires_at: expires_at.unwrap_or(self.expires_at),
            public_rights: public_rights.unwrap_or(self.public_rights),
            ..self.clone()
        };
        let changes = differing([
            ("name", self.name != next.name),
            ("permissions", self.cap != next.cap),
            ("addresses", self.addresses != next.addresses),
            ("expires_at", self.expires_at != next.expires_at),
            ("public_rights", self.public_rights != next.public_rights),
        ]);
        (next, changes)
    }

    /// Whether it may become another.
    ///
    /// # Errors
    /// `WrongState` when it has ended, or when a replaced key shall last longer; `Invalid`.
    pub fn may_become(&self, next: &Key, now: Timestamp) -> Result<(), Failure> {
        if !self.is_good(now) {
            return Err(ended());
        }
        // The newer key of the same user knows until when this one may be good.
        let lasts_longer = match (self.expires_at, next.expires_at) {
            (Some(was), Some(is)) => is > was,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if self.replaced_by.is_some() && lasts_longer {
            return Err(replaced());
        }
        next.check(now, self.expires_at != next.expires_at).map_err(Failure::Invalid)
    }

    /// What no type checks: name, number of networks, and the end where it is new.
    ///
    /// # Errors
    /// Every problem.
    pub fn check(&self, now: Timestamp, is_end_new: bool) -> Result<(), Problems> {
        let mut problems = Problems::new();
        if let Err(why) = Name::parse(&self.name) {
            problems.add("name", why);
        }
        if self.addresses.len() > NETWORKS_MAX {
            problems.add("addresses", Why::TooMany { max: NETWORKS_MAX });
        }
        let latest = now.plus_seconds(EXPIRY_SECONDS_MAX);
        if let Some(end) = self.expires_at.filter(|_| is_end_new)
            && (end <= now || end > latest)
        {
            let expected = "a moment in the future, at most two years away";
            problems.add("expires_at", Why::Malformed { expected });
        }
        problems.into_result()
    }

    /// The key as it goes on for a while, and the one that takes its place with the same rights.
    ///
    /// # Errors
    /// `WrongState` when it has ended, was replaced already, or its user has [`SECRETS_MAX`] good
    /// secrets; `Invalid` for an end that is over or too far away.
    pub fn rotated(
        &self,
        new: NewHalf,
        overlap_seconds: i64,
        now: Timestamp,
    ) -> Result<(Key, Key), Failure> {
        if !self.is_good(now) {
            return Err(ended());
        }
        if self.replaced_by.is_some() || self.handle_moved {
            return Err(replaced());
        }
        let NewHalf { id, handle, hint, expires_at } = new;
        let end = now.plus_seconds(overlap_seconds);
        let until = self.expires_at.map_or(end, |own| own.min(end));
        let keeps_user = handle.is_none();
        let mut earlier = Vec::new();
        if keeps_user {
            let still = self.earlier.iter().filter(|key| key.until > now);
            earlier.push(EarlierKey { number: self.number, until });
            earlier.extend(still);
            if earlier.len() >= SECRETS_MAX {
                let is = "a user with ten good secrets";
                return Err(Failure::WrongState { is, needs: "one of them to end" });
            }
        }
        let old = Key {
            replaced_by: Some(id.number),
            expires_at: Some(until),
            handle_moved: keeps_user,
            ..self.clone()
        };
        let new = Key {
            expires_at: expires_at.unwrap_or(self.expires_at),
            number: id.number,
            uuid: id.uuid,
            handle: handle.unwrap_or_else(|| self.handle.clone()),
            replaces: Some(self.number),
            earlier,
            hint,
            created_at: now,
            ..self.clone()
        };
        new.check(now, expires_at.is_some())?;
        Ok((old, new))
    }

    /// The key as it stays beside a further one of the same user, and that one, which the user is
    /// found by from now on. `good` are the keys of the user that are good, this one maybe among
    /// them.
    ///
    /// # Errors
    /// `WrongState` when it is not the one that the user is found by.
    pub fn beside(&self, new: Key, good: &[Key]) -> Result<(Key, Key), Failure> {
        if self.handle_moved {
            return Err(replaced());
        }
        let mut good: Vec<&Key> = good.iter().collect();
        good.sort_unstable_by_key(|key| std::cmp::Reverse(key.number));
        let until = |key: &Key| key.expires_at.unwrap_or(Timestamp::from_micros(NEVER_MICROS));
        let earlier = good.iter().map(|key| EarlierKey { number: key.number, until: until(key) });
        let new = Key { handle: self.handle.clone(), earlier: earlier.collect(), ..new };
        Ok((Key { handle_moved: true, ..self.clone() }, new))
    }

    /// The key once somebody has ended it.
    #[must_use]
    pub fn revoked(&self, now: Timestamp) -> Key {
        Key { revoked_at: Some(now), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(1_767_323_045_000_000).plus_seconds(seconds)
    }

    fn key() -> Key {
        let doc = r#"{"number":7,"uuid":"0192f0c1-5a3d-7c3e-8b5e-5a4db0000001","account":1,
            "space":1,"dialect":"native","name":"shop","role":"read_only","handle":"ab",
            "created_at":1767323045000000}"#;
        serde_json::from_str(doc).expect("a key")
    }

    fn half(number: i64, handle: Option<&str>) -> NewHalf {
        let id = Identity { number, uuid: Uuid::nil() };
        NewHalf { id, handle: handle.map(str::to_owned), hint: "wxyz".to_owned(), expires_at: None }
    }

    #[test]
    fn a_change_of_a_key_names_what_differs() {
        let same = KeyPatch { name: Some("shop".to_owned()), ..KeyPatch::default() };
        assert_eq!(key().apply(same), (key(), Changes::new()));
        let patch = KeyPatch {
            name: Some("other".to_owned()),
            expires_at: Some(Some(at(60))),
            ..KeyPatch::default()
        };
        let (next, changes) = key().apply(patch);
        assert_eq!(changes, ["name", "expires_at"]);
        key().may_become(&next, at(59)).expect("allowed");
        assert!(matches!(key().may_become(&next, at(60)), Err(Failure::Invalid(_))));
        assert!(matches!(next.may_become(&next, at(60)), Err(Failure::WrongState { .. })));
    }

    #[test]
    fn a_replaced_key_never_lasts_longer() {
        let (old, new) = key().rotated(half(8, None), 100, at(0)).expect("allowed");
        assert_eq!(
            (old.replaced_by, old.expires_at, old.handle_moved),
            (Some(8), Some(at(100)), true)
        );
        assert_eq!((new.replaces, new.handle.as_str(), new.expires_at), (Some(7), "ab", None));
        assert_eq!(new.earlier, [EarlierKey { number: 7, until: at(100) }]);
        for longer in [None, Some(at(101))] {
            let patch = KeyPatch { expires_at: Some(longer), ..KeyPatch::default() };
            let next = old.apply(patch).0;
            assert!(matches!(old.may_become(&next, at(1)), Err(Failure::WrongState { .. })));
        }
        assert!(matches!(old.rotated(half(9, None), 1, at(1)), Err(Failure::WrongState { .. })));
        let (_, other) = key().rotated(half(8, Some("cd")), 100, at(0)).expect("allowed");
        assert_eq!((other.handle.as_str(), other.earlier), ("cd", Vec::new()));
    }

    #[test]
    fn a_further_key_of_a_user_leaves_the_others_as_they_are() {
        let new = Key { number: 8, handle: "other".to_owned(), ..key() };
        let (first, second) = key().beside(new.clone(), &[key()]).expect("allowed");
        assert!(first.handle_moved && first.is_good(at(1)) && first.expires_at.is_none());
        assert_eq!((second.handle.as_str(), second.earlier.len()), ("ab", 1));
        assert!(second.earlier[0].until > at(EXPIRY_SECONDS_MAX));
        assert!(first.beside(new, &[]).is_err(), "only the one the user is found by");
        assert!(first.rotated(half(9, None), 1, at(1)).is_err());
    }

    #[test]
    fn a_new_key_may_end_at_another_time_than_the_one_before() {
        let ending = Key { expires_at: Some(at(60)), ..key() };
        for (wanted, ends) in
            [(None, Some(at(60))), (Some(None), None), (Some(Some(at(9_000))), Some(at(9_000)))]
        {
            let half = NewHalf { expires_at: wanted, ..half(8, None) };
            let (old, new) = ending.rotated(half, 100, at(0)).expect("allowed");
            assert_eq!((old.expires_at, new.expires_at), (Some(at(60)), ends));
        }
        for wrong in [at(0), at(EXPIRY_SECONDS_MAX + 1)] {
            let half = NewHalf { expires_at: Some(Some(wrong)), ..half(8, None) };
            assert!(matches!(ending.rotated(half, 100, at(0)), Err(Failure::Invalid(_))));
        }
    }

    #[test]
    fn switches_of_a_dialect_are_replaced_as_a_whole_and_null_takes_them_away() {
        let doc = r#"{"number":1,"uuid":"0192f0c1-5a3d-7c3e-8b5e-5a4db0000001","account":1,
            "version":1,"name":"Shop","dialects":{"a":{"x":1,"y":2},"b":{"z":3}},
            "created_at":1767323045000000,"updated_at":1767323045000000}"#;
        let space: Space = serde_json::from_str(doc).expect("a space");
        let dialects = serde_json::json!({"a": {"x": 5}, "b": null});
        let dialects = serde_json::from_value(dialects).expect("switches");
        let patch = SpacePatch { dialects: Some(dialects), ..SpacePatch::default() };
        let (next, changes) = space.apply(patch, at(1)).expect("allowed");
        let wanted = serde_json::json!({"a": {"x": 5}});
        assert_eq!(serde_json::to_value(&next.dialects).expect("JSON"), wanted);
        assert_eq!((next.version, changes), (2, vec!["settings"]));
    }
}
