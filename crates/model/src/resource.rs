//! Records that are tables: plain members, which their API's schema describes, and the life that
//! all of them have. What tells one family from the next is data: a [`Family`].

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    Failure, Identity, Noun, Permission, Permissions, Problems, Timestamp, Why, customer::Changes,
    event::ResourceEvent,
};

/// Most records that one record refers to; as many as an entry of the journal is related to.
pub const REFERENCES_MAX: usize = 16;
/// Most bytes of a record's members, names and values, as JSON.
pub const MEMBERS_BYTES_MAX: usize = 64 * 1024;
/// Most characters of the value that makes a record the one it is: it stands in an index.
pub const CLAIM_CHARS_MAX: usize = 500;
/// Member under which a state is asked for, and refused.
pub const STATE: &str = "state";

/// A family of records.
#[derive(Debug)]
pub struct Family {
    /// Its word: `subscriber`. It stands in the record, so it is never changed.
    pub word: &'static str,
    /// What lets a caller see its records, in the journal too.
    pub read: Permission,
    /// What lets a caller create, change and delete them.
    pub write: Permission,
    /// The member whose value makes one of them: who creates with a value that is there already is
    /// answered the record that has it, and nothing is executed.
    pub claim: Option<&'static str>,
    /// The states its records pass, if any.
    pub states: Option<&'static States>,
}

/// States and the ways between them.
#[derive(Debug)]
pub struct States {
    /// Those a record may begin in; the first one where its maker says none.
    pub first: &'static [&'static str],
    /// Every way from one to another.
    pub moves: &'static [Move],
    /// The one that a deleted record is in. Nobody asks for it by name.
    pub gone: &'static str,
}

/// A way from one state to another.
#[derive(Debug)]
pub struct Move {
    /// The state before.
    pub from: &'static str,
    /// The state after.
    pub to: &'static str,
    /// What the journal calls it.
    pub event: ResourceEvent,
}

/// A record of a family.
#[derive(Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Resource {
    /// Number, unique in the deployment.
    pub number: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Space.
    pub space: i64,
    /// Word of its family.
    pub family: String,
    /// What lets a caller see it.
    pub seen_by: Permissions,
    /// Counts the changes, from 1.
    pub version: i64,
    /// Its state, where its family has states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The value that makes it the one it is, where its family has such a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// Its members, as its API's schema has them.
    pub members: Map<String, Value>,
    /// Numbers of the records that members refer to, by the member.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refers: BTreeMap<String, Vec<i64>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// What is to become of one member.
#[derive(Clone)]
pub struct Change {
    /// Its name.
    pub name: &'static str,
    /// Its value from now on; none: it goes.
    pub value: Option<Value>,
    /// Numbers of the records that the value refers to.
    pub refers: Vec<i64>,
}

/// A change of a record: of members, and of its state.
#[derive(Debug, Clone, Default)]
pub struct Changed {
    /// Members; those that are not named stay.
    pub members: Vec<Change>,
    /// The state that is asked for.
    pub state: Option<String>,
}

// What members hold may be a person's, so it is not written to logs.
impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({}, version {})", self.family, self.number, self.version)
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(…)", self.name)
    }
}

impl States {
    fn begin(&self, asked: Option<&str>) -> Result<&'static str, Problems> {
        let Some(asked) = asked else { return Ok(self.first[0]) };
        let known = self.first.iter().find(|state| **state == asked);
        known.copied().ok_or_else(|| Problems::one(STATE, BEGINS))
    }

    fn way(&self, from: &str, to: &str) -> Option<&'static Move> {
        self.moves.iter().find(|way| way.from == from && way.to == to)
    }
}

const BEGINS: Why = Why::Malformed { expected: "a state that a record may begin in" };
const FOLLOWS: Why = Why::Malformed { expected: "a state that may follow the present one" };

impl Resource {
    /// A new record.
    ///
    /// # Errors
    /// Every fault: a state none begins in, more than a record may hold or refer to.
    pub fn create(
        id: Identity,
        (space, family): (i64, &Family),
        changed: &Changed,
        now: Timestamp,
    ) -> Result<Resource, Problems> {
        let mut record = Resource {
            number: id.number,
            uuid: id.uuid,
            space,
            family: family.word.to_owned(),
            seen_by: Permissions::of(&[family.read]),
            version: 1,
            state: None,
            claim: None,
            members: Map::new(),
            refers: BTreeMap::new(),
            created_at: now,
            updated_at: now,
            deleted_at: None,
        };
        let mut problems = Problems::new();
        record.put(&changed.members);
        record.bounded(&mut problems);
        record.claim = changed.claim(family).map(str::to_owned);
        if let (Some(name), Some(claim)) = (family.claim, &record.claim)
            && claim.chars().count() > CLAIM_CHARS_MAX
        {
            problems.add(name, Why::TooLong { max: CLAIM_CHARS_MAX });
        }
        if let Some(states) = family.states {
            let begun = states.begin(changed.state.as_deref());
            match begun {
                Ok(state) => record.state = Some(state.to_owned()),
                Err(fault) => problems.append(fault),
            }
        }
        problems.into_result().map(|()| record)
    }

    /// The record after a change, what happened, and which members differ. Where nothing does,
    /// version and time stay.
    ///
    /// # Errors
    /// `WrongState` of a deleted record; `Invalid` with every fault: a state that does not follow
    /// the present one, another value of the member that makes the record the one it is, more than
    /// a record may hold or refer to.
    pub fn apply(
        &self,
        family: &Family,
        changed: &Changed,
        now: Timestamp,
    ) -> Result<(Resource, ResourceEvent, Changes), Failure> {
        if self.deleted_at.is_some() {
            return Err(Failure::WrongState { is: "deleted", needs: "there" });
        }
        let mut next = self.clone();
        let mut problems = Problems::new();
        let mut changes = next.put(&changed.members);
        next.bounded(&mut problems);
        if let Some(name) = family.claim.filter(|name| changes.contains(name)) {
            problems.add(name, Why::ReadOnly);
        }
        let mut event = ResourceEvent::Updated;
        let asked = changed.state.as_deref().filter(|asked| self.state.as_deref() != Some(*asked));
        if let (Some(states), Some(asked)) = (family.states, asked) {
            let way = states.way(self.state.as_deref().unwrap_or_default(), asked);
            match way.filter(|way| way.to != states.gone) {
                Some(way) => {
                    next.state = Some(way.to.to_owned());
                    event = way.event;
                    changes.push(STATE);
                }
                None => problems.add(STATE, FOLLOWS),
            }
        }
        problems.into_result()?;
        let next = if changes.is_empty() { next } else { next.changed(now) };
        Ok((next, event, changes))
    }

    /// The record once it is deleted.
    ///
    /// # Errors
    /// `WrongState` when none is deleted from its present state.
    pub fn deleted(&self, family: &Family, now: Timestamp) -> Result<Resource, Failure> {
        let mut next = Resource { deleted_at: Some(now), ..self.clone() };
        if let Some(states) = family.states {
            let from = self.state.as_deref().unwrap_or_default();
            if states.way(from, states.gone).is_none() {
                let known = states.first.iter().find(|state| **state == from);
                let is = known.copied().unwrap_or("in another state");
                return Err(Failure::WrongState { is, needs: "in one that it is deleted from" });
            }
            next.state = Some(states.gone.to_owned());
        }
        Ok(next.changed(now))
    }

    /// Every record that members refer to, each once.
    pub fn related(&self) -> Vec<i64> {
        let mut all: Vec<i64> = self.refers.values().flatten().copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    fn put(&mut self, members: &[Change]) -> Changes {
        let mut changes = Changes::new();
        for Change { name, value, refers } in members {
            if self.members.get(*name) == value.as_ref() {
                continue;
            }
            match value {
                Some(value) => self.members.insert((*name).to_owned(), value.clone()),
                None => self.members.remove(*name),
            };
            match refers.is_empty() {
                true => self.refers.remove(*name),
                false => self.refers.insert((*name).to_owned(), refers.clone()),
            };
            changes.push(name);
        }
        changes
    }

    fn bounded(&self, problems: &mut Problems) {
        let bytes: usize = self.members.iter().map(|(n, v)| n.len() + v.to_string().len()).sum();
        if bytes > MEMBERS_BYTES_MAX {
            problems.add("", Why::TooLarge { max_bytes: MEMBERS_BYTES_MAX });
        }
        if self.related().len() > REFERENCES_MAX {
            problems.add("", Why::TooMany { max: REFERENCES_MAX });
        }
    }

    fn changed(self, now: Timestamp) -> Resource {
        Resource { version: self.version + 1, updated_at: now.max(self.updated_at), ..self }
    }
}

impl Changed {
    /// The value of the member that makes a record of the family the one it is.
    pub fn claim(&self, family: &Family) -> Option<&str> {
        let change = self.members.iter().find(|change| Some(change.name) == family.claim)?;
        change.value.as_ref()?.as_str()
    }
}

impl Family {
    /// There is no such record.
    pub fn not_found(&self) -> Failure {
        Failure::NotFound { noun: Noun::Resource(self.word) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    static STATES: States = States {
        first: &["ON", "NEW"],
        moves: &[
            Move { from: "NEW", to: "ON", event: ResourceEvent::Activated },
            Move { from: "ON", to: "OFF", event: ResourceEvent::Deactivated },
            Move { from: "OFF", to: "GONE", event: ResourceEvent::Deleted },
        ],
        gone: "GONE",
    };
    static FAMILY: Family = Family {
        word: "lamp",
        read: Permission::CustomerRead,
        write: Permission::CustomerWrite,
        claim: Some("code"),
        states: Some(&STATES),
    };

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn set(name: &'static str, value: Value) -> Change {
        Change { name, value: Some(value), refers: Vec::new() }
    }

    fn members(members: Vec<Change>) -> Changed {
        Changed { members, state: None }
    }

    fn state(word: &str) -> Changed {
        Changed { members: Vec::new(), state: Some(word.into()) }
    }

    fn made(changed: &Changed) -> Result<Resource, Problems> {
        let id = Identity { number: 3, uuid: Uuid::nil() };
        Resource::create(id, (1, &FAMILY), changed, at(10))
    }

    fn faults(failure: Failure) -> Vec<String> {
        match failure {
            Failure::Invalid(problems) => problems.into_iter().map(|p| p.field).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_record_begins_in_a_first_state_and_goes_the_ways_there_are() {
        assert_eq!(made(&Changed::default()).unwrap().state.as_deref(), Some("ON"));
        let new = made(&state("NEW")).unwrap();
        assert_eq!(faults(made(&state("OFF")).unwrap_err().into()), ["state"]);
        assert!(matches!(new.deleted(&FAMILY, at(20)), Err(Failure::WrongState { is: "NEW", .. })));
        let (on, event, changes) = new.apply(&FAMILY, &state("ON"), at(20)).unwrap();
        assert_eq!((event, changes, on.version), (ResourceEvent::Activated, vec!["state"], 2));
        for word in ["NEW", "GONE", "nothing"] {
            assert_eq!(faults(on.apply(&FAMILY, &state(word), at(30)).unwrap_err()), ["state"]);
        }
        let (same, _, changes) = on.apply(&FAMILY, &state("ON"), at(30)).unwrap();
        assert_eq!((same, changes), (on.clone(), Changes::new()));
        let (off, ..) = on.apply(&FAMILY, &state("OFF"), at(30)).unwrap();
        // What is asked for by name is no deletion.
        assert_eq!(faults(off.apply(&FAMILY, &state("GONE"), at(40)).unwrap_err()), ["state"]);
        let gone = off.deleted(&FAMILY, at(15)).unwrap();
        assert_eq!((gone.state.as_deref(), gone.version), (Some("GONE"), 4));
        assert_eq!((gone.deleted_at, gone.updated_at), (Some(at(15)), at(30)));
        let late = gone.apply(&FAMILY, &state("ON"), at(50));
        assert!(matches!(late, Err(Failure::WrongState { is: "deleted", .. })));
    }

    #[test]
    fn members_are_set_cleared_and_kept_and_the_claim_stays() {
        let changed = members(vec![set("code", json!("a")), set("watts", json!(5))]);
        let lamp = made(&changed).unwrap();
        assert_eq!(lamp.claim.as_deref(), Some("a"));
        let clear = Change { name: "watts", value: None, refers: Vec::new() };
        let change = members(vec![clear, set("code", json!("a")), set("base", json!("E27"))]);
        let (next, event, changes) = lamp.apply(&FAMILY, &change, at(20)).unwrap();
        assert_eq!((event, changes), (ResourceEvent::Updated, vec!["watts", "base"]));
        assert_eq!(Value::Object(next.members.clone()), json!({"code": "a", "base": "E27"}));
        let long = members(vec![set("code", json!("x".repeat(CLAIM_CHARS_MAX + 1)))]);
        assert_eq!(faults(made(&long).unwrap_err().into()), ["code"]);
        let other = members(vec![set("code", json!("b"))]);
        assert_eq!(faults(next.apply(&FAMILY, &other, at(30)).unwrap_err()), ["code"]);
    }

    #[test]
    fn what_a_record_holds_and_refers_to_is_bounded() {
        let large = members(vec![set("text", json!("x".repeat(MEMBERS_BYTES_MAX)))]);
        assert_eq!(made(&large).unwrap_err().into_iter().count(), 1);
        let refers = |count: i64| Change {
            name: "owners",
            value: Some(json!((1..=count).collect::<Vec<i64>>())),
            refers: (1..=count).chain(1..=count).collect(),
        };
        let most = i64::try_from(REFERENCES_MAX).unwrap();
        let lamp = made(&members(vec![refers(most)])).unwrap();
        assert_eq!(lamp.related().len(), REFERENCES_MAX, "each once");
        assert!(made(&members(vec![refers(most + 1)])).is_err());
        let none = Change { name: "owners", value: None, refers: Vec::new() };
        let (free, ..) = lamp.apply(&FAMILY, &members(vec![none]), at(20)).unwrap();
        assert!(free.related().is_empty());
    }
}
