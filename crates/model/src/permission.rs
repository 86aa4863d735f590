//! Permissions and roles: what a key may do. A permission is a noun and a verb, `customer:read`; it
//! opens the operations that name it and implies nothing else. Rights only add up: a role is a set
//! of permissions, and there is no order among roles.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Every permission: variant, noun × 100 + verb, its words, and what it opens.
macro_rules! permissions {
    ($($name:ident $number:literal $words:literal $about:literal,)+) => {
        /// One permission. Its number, noun × 100 + verb, is never used again for another one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Permission {
            $(#[doc = $about] $name,)+
        }

        impl Permission {
            /// Every permission, in the order of their numbers.
            pub const ALL: &'static [Permission] = &[$(Permission::$name),+];

            /// Its number: noun × 100 + verb.
            pub const fn number(self) -> u16 {
                match self { $(Permission::$name => $number,)+ }
            }

            /// Its words: `noun:verb`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Permission::$name => $words,)+ }
            }

            /// What it opens, in a sentence.
            pub const fn about(self) -> &'static str {
                match self { $(Permission::$name => $about,)+ }
            }
        }
    };
}

permissions! {
    CustomerRead 101 "customer:read" "See customers as they are, with their addresses.",
    CustomerWrite 102 "customer:write" "Create, change, delete and restore customers.",
    CustomerPast 103 "customer:past" "See deleted customers, histories and past states.",
    CustomerExport 104 "customer:export" "Take customers away as a file.",
    CustomerImport 105 "customer:import" "Bring customers in as a file.",
    CustomerMerge 106 "customer:merge" "Let a customer take another one over.",
    CommentRead 201 "comment:read" "See comments.",
    CommentWrite 202 "comment:write" "Write, change, pin and delete comments.",
    PaymentMethodRead 301 "payment_method:read" "See saved payment methods.",
    PaymentMethodWrite 302 "payment_method:write" "Save, change and delete payment methods.",
    EventRead 401 "event:read" "Read the feed of what happened.",
    WebhookRead 501 "webhook:read" "See webhook endpoints and what became of deliveries.",
    WebhookWrite 502 "webhook:write" "Create, change, test and delete webhook endpoints.",
    WebhookRedeliver 512 "webhook:redeliver" "Deliver to a webhook endpoint once more.",
    KeyRead 601 "key:read" "See keys, without their secrets.",
    KeyWrite 602 "key:write" "Make, change, rotate and revoke keys.",
    ApplicationRead 701 "application:read" "See applications: users that programs are.",
    ApplicationWrite 702 "application:write" "Make, change and delete applications.",
    PersonRead 801 "person:read" "See people who work here.",
    PersonWrite 802 "person:write" "Invite, change and delete people who work here.",
    PersonEnd 813 "person:end" "End the sessions of people.",
    RoleRead 901 "role:read" "See roles and what they may do.",
    RoleWrite 902 "role:write" "Make, change and delete roles.",
    AccessRead 1001 "access:read" "See who holds which role where.",
    AccessGrant 1010 "access:grant" "Assign roles to users, and withdraw them.",
    AccessOwn 1011 "access:own" "Own an account: one such person stays.",
    AccountRead 1101 "account:read" "See accounts.",
    AccountWrite 1102 "account:write" "Create, change and archive accounts.",
    AccountDelete 1109 "account:delete" "Delete an account for good.",
    SpaceRead 1201 "space:read" "See spaces.",
    SpaceWrite 1202 "space:write" "Create, change and archive spaces.",
    SpaceDelete 1209 "space:delete" "Delete a space for good.",
    ProviderRead 1301 "provider:read" "See providers that people sign in by.",
    ProviderWrite 1302 "provider:write" "Set up, change and delete such providers.",
    AuditRead 1401 "audit:read" "Read the audit log.",
    AuditExport 1404 "audit:export" "Take the audit log away as a file.",
    SubscriberRead 1601 "subscriber:read" "See subscribers.",
    SubscriberWrite 1602 "subscriber:write" "Create, change and delete subscribers.",
    MetricRead 1701 "metric:read" "See what usage is metered by.",
    MetricWrite 1702 "metric:write" "Create, change and delete what usage is metered by.",
    SubscriptionRead 3201 "subscription:read" "See subscriptions and who brings them.",
    SubscriptionWrite 3202 "subscription:write" "Change who brings subscriptions.",
}

impl Permission {
    /// Whether it opens nothing that changes anything: its verb is read, past or export.
    pub const fn only_reads(self) -> bool {
        matches!(self.number() % 100, 1 | 3 | 4)
    }

    /// The permission with a number.
    pub fn numbered(number: i64) -> Option<Permission> {
        let has_it = |one: &Permission| i64::from(one.number()) == number;
        Permission::ALL.iter().copied().find(has_it)
    }

    /// Reads `noun:verb`.
    pub fn parse(words: &str) -> Option<Permission> {
        Permission::ALL.iter().copied().find(|permission| permission.as_str() == words)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of permissions.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
// Not a u128: one would align everything that holds it, down to the future of each request, to 16
// bytes, which costs the allocator three times as much.
pub struct Permissions([u64; 2]);

impl Permissions {
    /// No permission.
    pub const NONE: Permissions = Permissions([0; 2]);
    /// Every permission there is.
    pub const ALL: Permissions = Permissions::of(Permission::ALL);

    /// A set of these.
    pub const fn of(permissions: &[Permission]) -> Permissions {
        let mut bits = 0;
        let mut at = 0;
        while at < permissions.len() {
            bits |= 1 << permissions[at] as u8;
            at += 1;
        }
        Permissions::from_bits(bits)
    }

    const fn from_bits(bits: u128) -> Permissions {
        Permissions([bits as u64, (bits >> 64) as u64])
    }

    const fn bits(self) -> u128 {
        self.0[0] as u128 | (self.0[1] as u128) << 64
    }

    /// Whether the permission is in the set.
    pub const fn has(self, permission: Permission) -> bool {
        self.bits() & (1 << permission as u8) != 0
    }

    /// Whether every permission of the other set is in this one.
    pub const fn covers(self, other: Permissions) -> bool {
        other.bits() & !self.bits() == 0
    }

    /// What is in both sets.
    #[must_use]
    pub const fn and(self, other: Permissions) -> Permissions {
        Permissions::from_bits(self.bits() & other.bits())
    }

    /// What is in either set.
    #[must_use]
    pub const fn or(self, other: Permissions) -> Permissions {
        Permissions::from_bits(self.bits() | other.bits())
    }

    /// What is in this set and not in the other.
    #[must_use]
    pub const fn without(self, other: Permissions) -> Permissions {
        Permissions::from_bits(self.bits() & !other.bits())
    }

    /// Whether there is none in it.
    pub const fn is_empty(self) -> bool {
        self.bits() == 0
    }

    /// The permissions in it, in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |permission| self.has(*permission))
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Permissions {
        permissions.into_iter().fold(Permissions::NONE, |set, one| set.or(Permissions::of(&[one])))
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Permission::as_str)).finish()
    }
}

impl Serialize for Permissions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Permission::as_str))
    }
}

impl<'de> Deserialize<'de> for Permissions {
    /// A word that this version does not know gives nothing: sets of rights only get smaller.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Permissions, D::Error> {
        let words = Vec::<String>::deserialize(deserializer)?;
        Ok(words.iter().filter_map(|word| Permission::parse(word)).collect())
    }
}

/// A built-in role. Their words before were `read`, `write` and `admin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Owner,
    /// Everything but what cannot be taken back for a whole space or account.
    #[serde(alias = "admin")]
    Administrator,
    /// People who help customers: also the past, no files, no merges undone.
    Support,
    /// What an integration does, and keys and settings to build one.
    Developer,
    /// See what is there now; nothing deleted, nothing past.
    #[serde(alias = "read")]
    ReadOnly,
    /// What one key of a provider may do.
    #[serde(alias = "write")]
    Integration,
}

impl Role {
    /// Every built-in role, in the order of their numbers.
    pub const ALL: [Role; 6] = [
        Role::Owner,
        Role::Administrator,
        Role::Support,
        Role::Developer,
        Role::ReadOnly,
        Role::Integration,
    ];

    /// Its number, from 1.
    pub const fn number(self) -> i64 {
        match self {
            Role::Owner => 1,
            Role::Administrator => 2,
            Role::Support => 3,
            Role::Developer => 4,
            Role::ReadOnly => 5,
            Role::Integration => 6,
        }
    }

    /// The role with a number.
    pub fn numbered(number: i64) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.number() == number)
    }

    /// The word for the role, as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Owner => "owner",
            Role::Administrator => "administrator",
            Role::Support => "support",
            Role::Developer => "developer",
            Role::ReadOnly => "read_only",
            Role::Integration => "integration",
        }
    }

    /// Reads the word, with `-` for `_` too; also the words of before: `admin`, `read`, `write`.
    pub fn parse(word: &str) -> Option<Role> {
        match word {
            "admin" => Some(Role::Administrator),
            "read" => Some(Role::ReadOnly),
            "write" => Some(Role::Integration),
            _ => {
                let word = word.replace('-', "_");
                Role::ALL.into_iter().find(|role| role.as_str() == word)
            }
        }
    }

    /// What it is for, in a sentence.
    pub const fn about(self) -> &'static str {
        match self {
            Role::Owner => "Everything.",
            Role::Administrator => {
                "Everything but owning an account and deleting what cannot come back."
            }
            Role::Support => "Helps customers: also with the past; no files.",
            Role::Developer => "Builds integrations: what these may do, and keys and applications.",
            Role::ReadOnly => "Sees what is there now; nothing deleted, nothing past.",
            Role::Integration => "What one key of a provider may do.",
        }
    }

    /// Whether it counts for a person only who has proven a second factor.
    pub const fn demands_second_factor(self) -> bool {
        match self {
            Role::Owner | Role::Administrator => true,
            Role::Support | Role::Developer | Role::ReadOnly | Role::Integration => false,
        }
    }

    /// What it may do.
    pub const fn permissions(self) -> Permissions {
        match self {
            Role::Owner => Permissions::ALL,
            Role::Administrator => Permissions::ALL.without(Permissions::of(&[
                Permission::AccountDelete,
                Permission::SpaceDelete,
                Permission::AccessOwn,
            ])),
            Role::Support => SUPPORT,
            Role::Developer => INTEGRATION.or(DEVELOPER_BESIDE),
            Role::ReadOnly => READ_ONLY,
            Role::Integration => INTEGRATION,
        }
    }
}

const SUPPORT: Permissions = Permissions::of(&[
    Permission::CustomerRead,
    Permission::CustomerWrite,
    Permission::CustomerPast,
    Permission::CustomerMerge,
    Permission::CommentRead,
    Permission::CommentWrite,
    Permission::PaymentMethodRead,
    Permission::PaymentMethodWrite,
    Permission::EventRead,
    Permission::SubscriptionRead,
]);

const INTEGRATION: Permissions = SUPPORT.or(Permissions::of(&[
    Permission::WebhookRead,
    Permission::WebhookWrite,
    Permission::WebhookRedeliver,
    Permission::CustomerExport,
    Permission::CustomerImport,
    Permission::SubscriberRead,
    Permission::SubscriberWrite,
    Permission::MetricRead,
    Permission::MetricWrite,
    Permission::SubscriptionWrite,
]));

const DEVELOPER_BESIDE: Permissions = Permissions::of(&[
    Permission::KeyRead,
    Permission::KeyWrite,
    Permission::ApplicationRead,
    Permission::ApplicationWrite,
    Permission::PersonRead,
    Permission::RoleRead,
    Permission::AccessRead,
    Permission::AccountRead,
    Permission::SpaceRead,
    Permission::ProviderRead,
    Permission::AuditRead,
]);

const READ_ONLY: Permissions = Permissions::of(&[
    Permission::CustomerRead,
    Permission::CommentRead,
    Permission::PaymentMethodRead,
    Permission::EventRead,
    Permission::WebhookRead,
    Permission::AccountRead,
    Permission::SpaceRead,
    Permission::SubscriberRead,
    Permission::MetricRead,
    Permission::SubscriptionRead,
]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_noun_and_verb_and_words_lead_back() {
        let verbs = [
            (1, "read"),
            (2, "write"),
            (3, "past"),
            (4, "export"),
            (5, "import"),
            (6, "merge"),
            (9, "delete"),
            (10, "grant"),
            (11, "own"),
            (12, "redeliver"),
            (13, "end"),
        ];
        let mut before = 0;
        for permission in Permission::ALL {
            let (noun, verb) = permission.as_str().split_once(':').unwrap();
            let number = permission.number();
            assert!(number > before, "{permission} is in its place");
            before = number;
            let known = verbs.iter().find(|(n, _)| *n == number % 100).unwrap();
            assert_eq!(known.1, verb);
            let same_noun = |other: &&Permission| other.as_str().starts_with(&format!("{noun}:"));
            let nouns = Permission::ALL.iter().filter(same_noun).map(|p| p.number() / 100);
            assert!(nouns.into_iter().all(|n| n == number / 100), "{permission}");
            assert_eq!(Permission::parse(permission.as_str()), Some(*permission));
            assert_eq!(Permission::numbered(number.into()), Some(*permission));
        }
        assert!(Permission::ALL.len() <= 128);
        for bad in ["", "customer", "customer:", "customer:READ", "Customer:read", "customer:erase"]
        {
            assert_eq!(Permission::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn sets_add_up_and_cut() {
        let read = Permissions::of(&[Permission::CustomerRead]);
        let both = read.or(Permissions::of(&[Permission::AuditExport]));
        assert!(both.has(Permission::CustomerRead) && both.has(Permission::AuditExport));
        assert!(!both.has(Permission::CustomerWrite));
        assert!(both.covers(read) && !read.covers(both) && read.covers(Permissions::NONE));
        assert_eq!(both.and(read), read);
        assert_eq!(both.without(read).iter().collect::<Vec<_>>(), [Permission::AuditExport]);
        assert!(Permissions::NONE.is_empty() && !read.is_empty());
        assert_eq!(serde_json::to_string(&both).unwrap(), r#"["customer:read","audit:export"]"#);
        let again = serde_json::from_str::<Permissions>(r#"["audit:export","customer:read"]"#);
        assert_eq!(again.unwrap(), both);
        let unknown = serde_json::from_str::<Permissions>(r#"["customer:read","moon:walk"]"#);
        assert_eq!(unknown.unwrap(), read, "what is unknown gives nothing");
    }

    #[test]
    fn roles_are_what_the_page_of_rights_says() {
        let all = |role: Role| role.permissions();
        for role in Role::ALL {
            assert!(all(Role::Owner).covers(all(role)), "{role:?}");
            assert_eq!(Role::numbered(role.number()), Some(role));
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        assert!(!all(Role::Administrator).has(Permission::SpaceDelete));
        assert!(!all(Role::Administrator).has(Permission::AccountDelete));
        assert!(!all(Role::Administrator).has(Permission::AccessOwn));
        assert!(all(Role::Support).has(Permission::CustomerPast));
        assert!(!all(Role::Support).has(Permission::CustomerExport));
        assert!(!all(Role::ReadOnly).has(Permission::CustomerPast));
        let only_read = |p: Permission| p.as_str().ends_with(":read");
        assert!(all(Role::ReadOnly).iter().all(only_read));
        assert!(all(Role::Developer).covers(all(Role::Integration)));
        assert!(!all(Role::Integration).has(Permission::KeyRead));
        assert_eq!(Role::numbered(0), None);
        assert_eq!(Role::parse("read-only"), Some(Role::ReadOnly));
        assert_eq!(Role::parse("root"), None);
    }

    #[test]
    fn the_words_of_before_are_still_read() {
        for (old, role) in
            [("read", Role::ReadOnly), ("write", Role::Integration), ("admin", Role::Administrator)]
        {
            let stored = serde_json::from_str::<Role>(&format!("{old:?}")).unwrap();
            assert_eq!((stored, Role::parse(old)), (role, Some(role)));
            let written = serde_json::to_string(&role).unwrap();
            assert_eq!(serde_json::from_str::<Role>(&written).unwrap(), role);
        }
    }
}
