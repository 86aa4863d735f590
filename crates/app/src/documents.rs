//! How each noun maps to its table: kind, declared columns, free-text terms.

use patron_model::{
    Failure, Noun, Timestamp,
    audit::AuditEntry,
    card::Found,
    comment::Comment,
    customer::Customer,
    email::Email,
    payment_method::PaymentMethod,
    phone::Phone,
    space::{Account, Key, Space},
};
use patron_store::{Column, Index, Kind, Row, Shape, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    commit::Document,
    keyring::{KEYRING, Keyring},
    search, shown,
    vault::{Kept, SECRET},
};

const fn int(name: &'static str, index: Index) -> Column {
    Column { name, shape: Shape::Int, index }
}

const fn text(name: &'static str, index: Index) -> Column {
    Column { name, shape: Shape::Text, index }
}

/// Customers.
pub static CUSTOMER: Kind = Kind {
    name: "customer",
    columns: &[
        text("reference", Index::Unique),
        text("email_key", Index::Ordered),
        text("phone_key", Index::Ordered),
        text("name_key", Index::Ordered),
        int("created_at", Index::Ordered),
        int("deleted_at", Index::None),
    ],
    terms: true,
};

/// Comments on customers.
pub static COMMENT: Kind = Kind {
    name: "comment",
    columns: &[int("customer", Index::Ordered), int("deleted_at", Index::None)],
    terms: false,
};

/// Saved payment methods.
pub static PAYMENT_METHOD: Kind = Kind {
    name: "payment_method",
    columns: &[
        int("customer", Index::Ordered),
        text("fingerprint", Index::Ordered),
        text("token", Index::UniqueEverywhere),
        int("deleted_at", Index::None),
    ],
    terms: false,
};

/// Merges, so that they can be looked at and undone.
pub static MERGE: Kind = Kind {
    name: "merge",
    columns: &[int("survivor", Index::Ordered), int("absorbed", Index::Ordered)],
    terms: false,
};

/// Accounts.
pub static ACCOUNT: Kind =
    Kind { name: "account", columns: &[int("parent", Index::Ordered)], terms: false };

/// Spaces.
pub static SPACE: Kind = Kind {
    name: "space",
    columns: &[int("account", Index::Ordered), int("deleted_at", Index::Ordered)],
    terms: false,
};

/// Keys.
pub static KEY: Kind = Kind {
    name: "key",
    columns: &[text("handle", Index::UniqueEverywhere), int("account", Index::Ordered)],
    terms: false,
};

/// Entries of the audit trail.
pub static AUDIT: Kind = Kind {
    name: "audit",
    columns: &[
        int("account", Index::Ordered),
        int("at", Index::Ordered),
        int("space", Index::None),
        text("actor", Index::None),
        text("action", Index::None),
        text("outcome", Index::None),
        text("address", Index::None),
    ],
    terms: false,
};

/// When and from where each key was used last, under the key's number; not in the journal.
pub static KEY_USE: Kind = Kind { name: "key_use", columns: &[], terms: false };

/// Every kind, for opening the store.
pub static KINDS: &[&Kind] = &[
    &CUSTOMER,
    &COMMENT,
    &PAYMENT_METHOD,
    &MERGE,
    &ACCOUNT,
    &SPACE,
    &KEY,
    &AUDIT,
    &KEY_USE,
    &SECRET,
    &KEYRING,
];

/// Tenant of records that belong to the deployment.
pub const DEPLOYMENT: i64 = 0;

/// The parts of [`Document`] that read the same for every noun of a space, or of the deployment.
macro_rules! named {
    ($kind:ident, $noun:ident, in_space) => {
        named!($kind, $noun);

        fn tenant(&self) -> i64 {
            self.space
        }
    };
    ($kind:ident, $noun:ident, in_deployment) => {
        named!($kind, $noun);

        fn tenant(&self) -> i64 {
            DEPLOYMENT
        }
    };
    ($kind:ident, $noun:ident) => {
        const KIND: &'static Kind = &$kind;
        const NOUN: Noun = Noun::$noun;

        fn identity(&self) -> (i64, Uuid) {
            (self.number, self.uuid)
        }
    };
}

impl Document for Customer {
    named!(CUSTOMER, Customer, in_space);

    fn columns(&self) -> Vec<Value> {
        // A deleted customer's reference is free again.
        let reference = self.reference.as_ref().filter(|_| !self.is_deleted());
        vec![
            reference.map(|r| r.as_str()).into(),
            self.email.as_ref().map(|email| email.key()).into(),
            self.phone.as_ref().map(|phone| phone.key()).into(),
            search::name_key(self).into(),
            self.created_at.micros().into(),
            self.deleted_at.map(Timestamp::micros).into(),
        ]
    }

    fn document(&self) -> Result<String, Failure> {
        shown::document(self)
    }

    fn from_document(document: &str) -> serde_json::Result<Customer> {
        serde_json::from_str(&shown::record(document))
    }

    fn terms(&self) -> Vec<String> {
        if self.is_deleted() { Vec::new() } else { search::terms(self) }
    }

    fn terms_beside(&self, other: &Customer, terms: &[String]) -> Vec<String> {
        if search::same_terms(self, other) { terms.to_vec() } else { self.terms() }
    }

    fn search_cards(&self, found: &mut Found) {
        Customer::search_cards(self, found);
    }
}

impl Document for Comment {
    named!(COMMENT, Comment, in_space);

    fn root(&self) -> i64 {
        self.customer
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.customer.into(), self.deleted_at.map(Timestamp::micros).into()]
    }

    fn search_cards(&self, found: &mut Found) {
        found.maybe("content", self.content.as_ref());
    }
}

impl Document for PaymentMethod {
    named!(PAYMENT_METHOD, PaymentMethod, in_space);

    fn root(&self) -> i64 {
        self.customer
    }

    fn columns(&self) -> Vec<Value> {
        vec![
            self.customer.into(),
            self.fingerprint.clone().into(),
            self.token.as_str().into(),
            self.deleted_at.map(Timestamp::micros).into(),
        ]
    }

    fn search_cards(&self, found: &mut Found) {
        found.maybe("provider_token", self.provider_token.as_ref());
        found.maybe("provider", self.provider.as_ref());
        found.maybe("channel", self.channel.as_ref());
        found.maybe("holder_name", self.holder_name.as_ref());
        found.maybe("email", self.email.as_ref().map(Email::as_str).as_ref());
        found.maybe("phone", self.phone.as_ref().map(Phone::raw).as_ref());
        found.maybe("issuer", self.issuer.as_ref());
    }
}

/// A merge of two customers: enough to look at it and to undo it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Merge {
    /// Number, unique in the deployment.
    pub number: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Space.
    pub space: i64,
    /// The customer that stayed.
    pub survivor: i64,
    /// Its revision before.
    pub survivor_revision: i64,
    /// The customer that went.
    pub absorbed: i64,
    /// Its revision before.
    pub absorbed_revision: i64,
    /// Records that moved: kind and number.
    pub moved: Vec<(String, i64)>,
    /// When.
    pub at: Timestamp,
}

impl Document for Merge {
    named!(MERGE, Customer, in_space);

    fn root(&self) -> i64 {
        self.survivor
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.survivor.into(), self.absorbed.into()]
    }

    fn search_cards(&self, _: &mut Found) {
        // Numbers and times of our own.
    }
}

impl Document for Account {
    named!(ACCOUNT, Account, in_deployment);

    fn columns(&self) -> Vec<Value> {
        vec![self.parent.into()]
    }

    fn audit_place(&self) -> (Option<i64>, Option<i64>) {
        (Some(self.number), None)
    }

    fn search_cards(&self, found: &mut Found) {
        found.text("name", self.name.as_str());
    }
}

impl Document for Space {
    named!(SPACE, Space, in_deployment);

    fn columns(&self) -> Vec<Value> {
        let deleted_at = self.deletion.as_ref().map(|deletion| deletion.at.micros());
        vec![self.account.into(), deleted_at.into()]
    }

    fn audit_place(&self) -> (Option<i64>, Option<i64>) {
        (Some(self.account), Some(self.number))
    }

    fn is_gone(&self) -> bool {
        self.deletion.is_some()
    }

    fn search_cards(&self, found: &mut Found) {
        found.text("name", self.name.as_str());
        for (dialect, switches) in &self.dialects {
            found.member("dialects", dialect, switches);
        }
    }
}

impl Document for Key {
    named!(KEY, Key, in_deployment);

    fn columns(&self) -> Vec<Value> {
        // A handle leads to the latest key of its user.
        let handle = (!self.handle_moved).then(|| handle_column(&self.dialect, &self.handle));
        vec![handle.into(), self.account.into()]
    }

    fn audit_place(&self) -> (Option<i64>, Option<i64>) {
        (Some(self.account), Some(self.space))
    }

    fn search_cards(&self, found: &mut Found) {
        found.text("name", &self.name);
    }
}

/// Handles are unique within a dialect.
pub fn handle_column(dialect: &str, handle: &str) -> String {
    format!("{dialect}:{handle}")
}

/// The declared columns that a row should have, from its document: how `check` finds damage.
pub fn expected_columns(kind: &Kind, row: &Row) -> Option<Vec<Value>> {
    fn of<T: Document>(row: &Row) -> Option<Vec<Value>> {
        T::from_document(&row.doc).ok().map(|noun| noun.columns())
    }
    match kind.name {
        "customer" => of::<Customer>(row),
        "comment" => of::<Comment>(row),
        "payment_method" => of::<PaymentMethod>(row),
        "merge" => of::<Merge>(row),
        "account" => of::<Account>(row),
        "space" => of::<Space>(row),
        "key" => of::<Key>(row),
        "audit" => of::<AuditEntry>(row),
        "key_use" => Some(Vec::new()),
        "secret" => of::<Kept>(row),
        "keyring" => of::<Keyring>(row),
        _ => None,
    }
}
