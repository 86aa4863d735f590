//! What is stored: how a noun maps to its table, and the registry of all kinds. Each noun's own
//! part stands beside its use cases.

use std::borrow::Cow;
use std::sync::LazyLock;

use patron_model::{
    Event, Failure, Noun, Permission,
    audit::AuditEntry,
    card::Found,
    comment::Comment,
    country::Country,
    customer::Customer,
    payment_method::PaymentMethod,
    provider::Provider,
    resource::Resource,
    role::{Assignment, OwnRole},
    space::{Account, Key, Space},
    user::User,
    webhook::Endpoint,
};
use patron_store::{Entry, Implied, Kind, Record, Row, Value, with_face};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

pub use crate::{
    assignments::ASSIGNMENT,
    audit::AUDIT,
    comments::COMMENT,
    customers::{CUSTOMER, MERGE, Merge},
    keys::{KEY, KEY_USE, handle_column},
    mails::MAIL,
    payment_methods::PAYMENT_METHOD,
    providers::PROVIDER,
    resources::RESOURCE,
    roles::ROLE,
    sign_in::{
        by_provider::IDENTITY, challenges::ANSWERED, flows::FLOW, guard::GUARD, logins::LOGIN,
        passkeys::PASSKEY, sessions::SESSION,
    },
    sinks::{SINK, SINK_POSITION},
    spaces::{ACCOUNT, SPACE},
    users::USER,
    webhooks::{CURSOR, DELIVERY, ENDPOINT, REPLAY, ROLL, SIGNER, work::NODE},
};
use crate::{
    commit::record_of,
    keyring::Keyring,
    mails::Mail,
    sign_in::{
        by_provider::Identity, challenges::Answered, flows::Flow, guard::Guard, logins::Login,
        passkeys::Passkey, sessions::Session,
    },
    sinks::{Position, Sink},
    statistics::Statistic,
    vault::Kept,
    webhooks::{Cursor, Delivery, Replay, Roll, Signer, work::Node},
};

/// Tenant of records that belong to the deployment.
pub const DEPLOYMENT: i64 = 0;

/// A noun that is stored: how it maps to a row.
pub trait Document: Serialize + DeserializeOwned + Clone + Send + Sync {
    /// Its kind.
    const KIND: &'static Kind;
    /// Its noun.
    const NOUN: Noun;
    /// What can happen to it.
    type Event: Event;
    /// Whether it belongs to the deployment, not to a space.
    const IN_DEPLOYMENT: bool;
    /// Whether its changes are journalled. Secrets are not: the journal keeps everything.
    const JOURNALED: bool = true;
    /// Whether reading it is reading a person's data, which spaces may want written down.
    const IS_PERSON: bool = false;
    /// What lets a caller see it in the journal; without one nobody does.
    const SEEN_BY: Option<Permission> = None;

    /// Number and UUID.
    fn identity(&self) -> (i64, Uuid);
    /// Space; 0 for records of the deployment.
    fn tenant(&self) -> i64;
    /// Values of the declared columns, in order.
    fn columns(&self) -> Vec<Value>;
    /// Searches everything a caller can have written for card data. This is what is stored, so
    /// nothing gets past it, however it came in.
    fn search_cards(&self, found: &mut Found);

    /// What lets a caller see an entry of the journal with this document, where that depends on it.
    fn seen_by(_doc: &str) -> Option<Permission> {
        Self::SEEN_BY
    }
    /// What an entry of the journal with this document calls its record.
    fn word(_doc: &str) -> Cow<'static, str> {
        Cow::Borrowed(Self::KIND.name)
    }
    /// Record it hangs on; its own number when it hangs on none.
    fn subject(&self) -> i64 {
        self.identity().0
    }
    /// Other records whose history shows what happens to it; [`patron_store::RELATED_MAX`] at most.
    fn related(&self) -> Vec<i64> {
        Vec::new()
    }
    /// The record that took it over.
    fn successor(&self) -> Option<i64> {
        None
    }
    /// Whether it is only kept to say that it is gone.
    fn is_gone(&self) -> bool {
        false
    }
    /// Where records of its noun are that a request in this space means.
    fn home(space: i64) -> i64 {
        if Self::IN_DEPLOYMENT { DEPLOYMENT } else { space }
    }
    /// What is shown of it most often, as JSON, where it is kept with the document.
    ///
    /// # Errors
    /// `Internal` when it cannot be written as JSON.
    fn face(&self) -> Result<Option<String>, Failure> {
        Ok(None)
    }
    /// The document as it is stored.
    ///
    /// # Errors
    /// `Internal` when it cannot be written as JSON.
    fn document(&self) -> Result<String, Failure> {
        let record = serde_json::to_string(self).map_err(Failure::internal)?;
        Ok(match self.face()? {
            Some(face) => with_face(&record, &face),
            None => record,
        })
    }
    /// The noun from its document.
    ///
    /// # Errors
    /// When the document is not one of this kind.
    fn from_document(document: &str) -> serde_json::Result<Self> {
        serde_json::from_str(document)
    }
    /// Account and space that a change of it belongs to in the audit trail, where it is a record of
    /// the deployment. Without an account only the operator sees it there.
    fn audit_place(&self) -> (Option<i64>, Option<i64>) {
        (None, None)
    }
    /// The noun with what it is read as in the country of its space, where that differs from what
    /// it was read as before.
    fn reread(&self, _home: Option<&Country>) -> Option<Self> {
        None
    }
    /// The noun as it is read in the country of its space.
    #[must_use]
    fn read_in(self, home: Option<&Country>) -> Self {
        self.reread(home).unwrap_or(self)
    }
    /// The document without what depends on how the noun is read, where something does.
    fn own(&self) -> Option<String> {
        None
    }
    /// Free-text terms, sorted and distinct.
    fn terms(&self) -> Vec<String> {
        Vec::new()
    }
    /// Terms of a state of this noun, given those of another one.
    fn terms_beside(&self, other: &Self, terms: &[String]) -> Vec<String> {
        let _ = (other, terms);
        self.terms()
    }
}

/// The parts of [`Document`] that read the same for every noun of a space, or of the deployment.
macro_rules! named {
    ($kind:ident, $noun:ident, $event:ty, in_space) => {
        crate::documents::named!(@both $kind, $noun, $event);
        const IN_DEPLOYMENT: bool = false;

        fn tenant(&self) -> i64 {
            self.space
        }
    };
    ($kind:ident, $noun:ident, $event:ty, in_deployment) => {
        crate::documents::named!(@both $kind, $noun, $event);
        const IN_DEPLOYMENT: bool = true;

        fn tenant(&self) -> i64 {
            crate::documents::DEPLOYMENT
        }
    };
    (@both $kind:ident, $noun:ident, $event:ty) => {
        const KIND: &'static patron_store::Kind = &$kind;
        const NOUN: patron_model::Noun = patron_model::Noun::$noun;
        type Event = $event;

        fn identity(&self) -> (i64, uuid::Uuid) {
            (self.number, self.uuid)
        }
    };
}
pub(crate) use named;

/// A kind as the registry knows it, whatever its noun.
pub(crate) struct Registered {
    kind: &'static Kind,
    noun: Noun,
    seen_by: fn(&str) -> Option<Permission>,
    word: fn(&str) -> Cow<'static, str>,
    /// Whether the journal has its changes.
    is_journaled: bool,
    implied: fn(&Row) -> Option<Implied>,
    related: fn(&str) -> Vec<i64>,
    /// The record from what an entry of the journal says of it.
    record: fn(&Entry) -> Option<Record>,
}

impl Registered {
    const fn of<T: Document>() -> Registered {
        Registered {
            kind: T::KIND,
            noun: T::NOUN,
            seen_by: T::seen_by,
            word: T::word,
            implied: |row| {
                let noun = T::from_document(&row.doc.json().ok()?).ok()?;
                Some(Implied { columns: noun.columns(), face: noun.face().ok()?, own: noun.own() })
            },
            related: |doc| T::from_document(doc).map_or_else(|_| Vec::new(), |noun| noun.related()),
            is_journaled: T::JOURNALED,
            record: |entry| {
                let noun = T::from_document(&entry.doc).ok()?;
                let record = record_of(&noun, entry.revision).ok()?;
                // What it says of itself stays byte for byte what the journal has.
                let doc = match record.doc.face() {
                    Some(face) => with_face(&entry.doc, face),
                    None => entry.doc.clone(),
                };
                Some(Record { doc: doc.into(), ..record })
            },
        }
    }

    /// A kind without a noun of its own: what is noted beside one.
    const fn beside<T: Document>(kind: &'static Kind) -> Registered {
        let implied = |_: &Row| Some(Implied { columns: Vec::new(), face: None, own: None });
        Registered {
            kind,
            noun: T::NOUN,
            seen_by: |_| None,
            word: T::word,
            is_journaled: false,
            implied,
            related: |_| Vec::new(),
            record: |_| None,
        }
    }
}

/// Every kind.
static REGISTRY: [Registered; 34] = [
    Registered::of::<Customer>(),
    Registered::of::<Comment>(),
    Registered::of::<PaymentMethod>(),
    Registered::of::<Resource>(),
    Registered::of::<Merge>(),
    Registered::of::<Account>(),
    Registered::of::<Space>(),
    Registered::of::<Key>(),
    Registered::of::<User>(),
    Registered::of::<OwnRole>(),
    Registered::of::<Assignment>(),
    Registered::of::<Provider>(),
    Registered::of::<AuditEntry>(),
    Registered::beside::<Key>(&KEY_USE),
    Registered::of::<Kept>(),
    Registered::of::<Keyring>(),
    Registered::of::<Endpoint>(),
    Registered::of::<Cursor>(),
    Registered::of::<Delivery>(),
    Registered::of::<Replay>(),
    Registered::of::<Roll>(),
    Registered::of::<Signer>(),
    Registered::of::<Node>(),
    Registered::of::<Login>(),
    Registered::of::<Session>(),
    Registered::of::<Passkey>(),
    Registered::of::<Identity>(),
    Registered::of::<Answered>(),
    Registered::of::<Guard>(),
    Registered::of::<Mail>(),
    Registered::of::<Flow>(),
    Registered::of::<Sink>(),
    Registered::of::<Position>(),
    Registered::of::<Statistic>(),
];

/// Every kind, for opening the store.
pub static KINDS: &[&Kind] = &{
    let mut kinds = [REGISTRY[0].kind; REGISTRY.len()];
    let mut at = 0;
    while at < REGISTRY.len() {
        kinds[at] = REGISTRY[at].kind;
        at += 1;
    }
    kinds
};

/// Kinds that the journal does not carry: increments hold all their records.
pub static UNJOURNALED: LazyLock<Vec<&Kind>> = LazyLock::new(|| {
    let unjournaled = REGISTRY.iter().filter(|known| !known.is_journaled);
    unjournaled.map(|known| known.kind).collect()
});

fn registered(kind: &str) -> Option<&'static Registered> {
    REGISTRY.iter().find(|known| known.kind.name == kind)
}

/// A kind by its name.
pub(crate) fn kind_named(name: &str) -> Option<&'static Kind> {
    registered(name).map(|known| known.kind)
}

/// What a row should hold beside its document, from that: how `check` finds damage.
pub fn implied(kind: &Kind, row: &Row) -> Option<Implied> {
    (registered(kind.name)?.implied)(row)
}

/// What a journal entry is related to that was written before entries said so.
pub fn related_of(entry: &Entry) -> Vec<i64> {
    registered(&entry.kind).map_or_else(Vec::new, |known| (known.related)(&entry.doc))
}

/// A record from an entry of its journal: how a restore goes on from a backup.
pub fn record_from(kind: &Kind, entry: &Entry) -> Option<Record> {
    (registered(kind.name)?.record)(entry)
}

/// What lets a caller see a record of a kind in the journal, by its document where that tells;
/// nobody sees those without.
pub(crate) fn seen_by(kind: &str, doc: &str) -> Option<Permission> {
    (registered(kind)?.seen_by)(doc)
}

/// What an entry of the journal calls its record: the kind, or the family of a record that is a
/// table.
pub fn word(entry: &Entry) -> Cow<'_, str> {
    registered(&entry.kind).map_or(Cow::Borrowed(&*entry.kind), |known| (known.word)(&entry.doc))
}

/// What it means that a value of a unique column is taken, where a caller chose it.
pub(crate) fn taken(kind: &str, column: &str) -> Option<Failure> {
    let known = registered(kind)?;
    let column = known.kind.columns.iter().find(|declared| declared.name == column)?;
    Some(Failure::Exists { noun: known.noun, field: column.guards?, holder: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_named_by_the_declaration() {
        let said = |kind: &Kind, column| {
            taken(kind.name, column).map(|failure| match failure {
                Failure::Exists { noun, field, holder: _ } => (noun, field),
                other => panic!("{other:?}"),
            })
        };
        assert_eq!(said(&CUSTOMER, "reference"), Some((Noun::Customer, "reference")));
        assert_eq!(said(&KEY, "handle"), Some((Noun::Key, "handle")));
        // Nobody chooses a token: two that are equal are a fault of ours.
        assert_eq!(said(&PAYMENT_METHOD, "token"), None);
        assert_eq!(said(&CUSTOMER, "uuid"), None);
    }

    #[test]
    fn every_kind_is_opened_and_none_twice() {
        assert_eq!(KINDS.len(), REGISTRY.len());
        for kind in KINDS {
            assert_eq!(KINDS.iter().filter(|other| other.name == kind.name).count(), 1);
        }
    }
}
