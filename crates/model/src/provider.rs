//! Providers of OpenID Connect: who says for an account who its people are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Patch, Problems, Timestamp, Why, customer::Changes, text::Name};

/// Most living providers of an account.
pub const PROVIDERS_MAX: usize = 20;
/// Characters of an issuer's URL.
pub const ISSUER_CHARS_MAX: usize = 2_000;
/// Characters of what a provider knows this server as, and of what proves it.
pub const CLIENT_CHARS_MAX: usize = 512;
/// Scopes asked for beside `openid`.
pub const SCOPES_MAX: usize = 20;
/// Characters of a scope, and of a word for how somebody has to be made sure of.
pub const WORD_CHARS_MAX: usize = 200;
/// Domains whose addresses a provider speaks for.
pub const DOMAINS_MAX: usize = 50;
/// Words of a claim that stand for roles.
pub const CLAIM_ROLES_MAX: usize = 50;
/// Characters of a domain (RFC 1035).
pub const DOMAIN_CHARS_MAX: usize = 253;

/// A provider of an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provider {
    /// Number.
    pub number: i64,
    /// UUID.
    pub uuid: Uuid,
    /// The account whose people it speaks for.
    pub account: i64,
    /// Counts the changes, from 1.
    pub version: i64,
    /// What people call it.
    pub name: Name,
    /// Its issuer, exactly as it names itself.
    pub issuer: String,
    /// What it knows this server as.
    pub client_id: String,
    /// Whether a secret is kept that proves that (RFC 6749, section 2.1).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub confidential: bool,
    /// What it is asked for beside `openid`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Domains whose e-mail addresses it speaks for, in lower case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
    /// Whether who it brings for the first time becomes a user.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub create_users: bool,
    /// Whether who it brings may be a user who has the same e-mail address.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub link_by_email: bool,
    /// The role that new users hold in the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_role: Option<i64>,
    /// Its claim that says which roles somebody holds in the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_claim: Option<String>,
    /// The roles that words of that claim stand for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub claim_roles: BTreeMap<String, i64>,
    /// How it has to make sure who somebody is, to count as two factors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// Whether anybody signs in by it.
    pub active: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// What shall become of a provider.
#[derive(Debug, Clone, Default)]
pub struct ProviderPatch {
    /// What people call it.
    pub name: Option<Name>,
    /// Its issuer.
    pub issuer: Option<String>,
    /// What it knows this server as.
    pub client_id: Option<String>,
    /// Whether a secret is kept that proves that (RFC 6749, section 2.1).
    pub confidential: Option<bool>,
    /// What it is asked for beside `openid`.
    pub scopes: Option<Vec<String>>,
    /// Domains whose e-mail addresses it speaks for.
    pub domains: Option<Vec<String>>,
    /// Whether who it brings for the first time becomes a user.
    pub create_users: Option<bool>,
    /// Whether who it brings may be a user who has the same e-mail address.
    pub link_by_email: Option<bool>,
    /// The role that new users hold.
    pub default_role: Patch<i64>,
    /// Its claim that says which roles somebody holds.
    pub role_claim: Patch<String>,
    /// The roles that words of that claim stand for.
    pub claim_roles: Option<BTreeMap<String, i64>>,
    /// How it has to make sure who somebody is.
    pub acr: Patch<String>,
    /// Whether anybody signs in by it.
    pub active: Option<bool>,
}

impl Provider {
    /// The provider after a change, and what differs.
    ///
    /// # Errors
    /// Every problem.
    pub fn apply(
        &self,
        patch: ProviderPatch,
        now: Timestamp,
    ) -> Result<(Provider, Changes), Problems> {
        let ProviderPatch {
            name,
            issuer,
            client_id,
            confidential,
            scopes,
            domains,
            create_users,
            link_by_email,
            default_role,
            role_claim,
            claim_roles,
            acr,
            active,
        } = patch;
        let mut next = self.clone();
        next.name = name.unwrap_or(next.name);
        next.issuer = issuer.unwrap_or(next.issuer);
        next.client_id = client_id.unwrap_or(next.client_id);
        next.confidential = confidential.unwrap_or(next.confidential);
        next.scopes = scopes.unwrap_or(next.scopes);
        next.domains = domains.unwrap_or(next.domains);
        next.create_users = create_users.unwrap_or(next.create_users);
        next.link_by_email = link_by_email.unwrap_or(next.link_by_email);
        default_role.change(&mut next.default_role);
        role_claim.change(&mut next.role_claim);
        next.claim_roles = claim_roles.unwrap_or(next.claim_roles);
        acr.change(&mut next.acr);
        next.active = active.unwrap_or(next.active);
        next.check()?;
        let members = [
            ("name", self.name != next.name),
            ("issuer", self.issuer != next.issuer),
            ("client_id", self.client_id != next.client_id),
            ("client_secret", self.confidential != next.confidential),
            ("scopes", self.scopes != next.scopes),
            ("domains", self.domains != next.domains),
            ("create_users", self.create_users != next.create_users),
            ("link_by_email", self.link_by_email != next.link_by_email),
            ("default_role", self.default_role != next.default_role),
            ("role_claim", self.role_claim != next.role_claim),
            ("claim_roles", self.claim_roles != next.claim_roles),
            ("acr", self.acr != next.acr),
            ("active", self.active != next.active),
        ];
        let changes = members.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name);
        let changes: Changes = changes.collect();
        if !changes.is_empty() {
            next.version += 1;
            next.updated_at = now.max(next.updated_at);
        }
        Ok((next, changes))
    }

    /// What no type checks. Whether the issuer may be asked at all is the guarded client's to say.
    ///
    /// # Errors
    /// Every problem.
    pub fn check(&self) -> Result<(), Problems> {
        let mut problems = Problems::new();
        let mut say = |name: &str, checked: Result<(), Why>| {
            if let Err(why) = checked {
                problems.add(name, why);
            }
        };
        say("name", crate::text::check(self.name.as_str().trim(), 1, usize::MAX, false));
        say("issuer", word(&self.issuer, ISSUER_CHARS_MAX));
        say("client_id", crate::text::check(&self.client_id, 1, CLIENT_CHARS_MAX, false));
        say("acr", self.acr.as_deref().map_or(Ok(()), |acr| word(acr, WORD_CHARS_MAX)));
        let claim = self.role_claim.as_deref();
        say("role_claim", claim.map_or(Ok(()), |claim| word(claim, WORD_CHARS_MAX)));
        let said: Vec<String> = self.claim_roles.keys().cloned().collect();
        let is_word = |word: &str| crate::text::check(word, 1, WORD_CHARS_MAX, false);
        say("claim_roles", all(&said, CLAIM_ROLES_MAX, is_word));
        // The one means nothing without the other.
        match (claim.is_some(), said.is_empty()) {
            (true, true) => say("claim_roles", Err(Why::Required)),
            (false, false) => say("role_claim", Err(Why::Required)),
            (true, false) | (false, true) => {}
        }
        say("scopes", all(&self.scopes, SCOPES_MAX, |scope| word(scope, WORD_CHARS_MAX)));
        say("domains", all(&self.domains, DOMAINS_MAX, domain));
        // Whoever controls one mailbox anywhere would otherwise be whoever has that address here.
        if self.link_by_email && self.domains.is_empty() {
            say("domains", Err(Why::Required));
        }
        problems.into_result()
    }

    /// Whether it speaks for an e-mail address.
    pub fn owns(&self, address: &str) -> bool {
        let domain = address.rsplit_once('@').map(|(_, domain)| domain.to_ascii_lowercase());
        domain.is_some_and(|domain| self.domains.contains(&domain))
    }

    /// Whether anybody signs in by it.
    pub fn is_in_use(&self) -> bool {
        self.active && self.deleted_at.is_none()
    }

    /// The provider once it is deleted: nobody signs in by it any more.
    #[must_use]
    pub fn deleted(&self, now: Timestamp) -> Provider {
        Provider {
            version: self.version + 1,
            active: false,
            confidential: false,
            updated_at: now.max(self.updated_at),
            deleted_at: Some(now),
            ..self.clone()
        }
    }
}

/// So many, each right and none twice.
fn all(list: &[String], max: usize, check: impl Fn(&str) -> Result<(), Why>) -> Result<(), Why> {
    if list.len() > max {
        return Err(Why::TooMany { max });
    }
    let is_twice = |(at, one): (usize, &String)| list[..at].contains(one);
    if list.iter().enumerate().any(is_twice) {
        return Err(Why::Duplicate);
    }
    list.iter().try_for_each(|one| check(one))
}

/// Letters that stand in a list with blanks between (RFC 6749, appendix A.4).
fn word(text: &str, max: usize) -> Result<(), Why> {
    let fits = |c: char| c.is_ascii_graphic() && !['"', '\\'].contains(&c);
    match text.chars().count() {
        0 => Err(Why::TooShort { min: 1 }),
        count if count > max => Err(Why::TooLong { max }),
        _ if !text.chars().all(fits) => {
            Err(Why::Characters { allowed: "visible ASCII without quotes and backslashes" })
        }
        _ => Ok(()),
    }
}

/// A domain in lower case, as addresses have it.
fn domain(text: &str) -> Result<(), Why> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_label = |label: &str| !label.is_empty() && label.len() <= 63 && label.chars().all(fits);
    let is_domain =
        text.len() <= DOMAIN_CHARS_MAX && text.contains('.') && text.split('.').all(is_label);
    let expected = "a domain in lower case like example.com";
    if is_domain { Ok(()) } else { Err(Why::Malformed { expected }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(1_767_323_045_000_000).plus_seconds(seconds)
    }

    fn provider() -> Provider {
        Provider {
            number: 3,
            uuid: Uuid::nil(),
            account: 1,
            version: 1,
            name: Name::parse("Staff").expect("a name"),
            issuer: "https://id.example".to_owned(),
            client_id: "patron".to_owned(),
            confidential: true,
            scopes: vec!["email".to_owned()],
            domains: vec!["example.com".to_owned()],
            create_users: false,
            link_by_email: true,
            default_role: None,
            role_claim: None,
            claim_roles: BTreeMap::new(),
            acr: None,
            active: true,
            created_at: at(0),
            updated_at: at(0),
            deleted_at: None,
        }
    }

    #[test]
    fn a_change_names_what_differs() {
        let patch = ProviderPatch {
            scopes: Some(vec!["email".to_owned()]),
            acr: Patch::Set("mfa".to_owned()),
            active: Some(false),
            ..ProviderPatch::default()
        };
        let (next, changes) = provider().apply(patch, at(1)).expect("a change");
        assert_eq!((next.version, changes), (2, vec!["acr", "active"]));
        let same = provider().apply(ProviderPatch::default(), at(1)).expect("no change");
        assert_eq!(same, (provider(), Changes::new()));
    }

    #[test]
    fn members_have_limits() {
        type Spoil = fn(&mut Provider);
        let spoils: [(&str, Spoil); 9] = [
            ("issuer", |p| p.issuer = String::new()),
            ("issuer", |p| p.issuer = "https://id.example/ä".to_owned()),
            ("client_id", |p| p.client_id = String::new()),
            ("acr", |p| p.acr = Some("two words".to_owned())),
            ("scopes", |p| p.scopes = vec!["email".to_owned(); 2]),
            ("scopes", |p| p.scopes = (0..21).map(|n| n.to_string()).collect()),
            ("domains", |p| p.domains = vec!["Example.com".to_owned()]),
            ("domains", |p| p.domains = vec!["com".to_owned()]),
            ("domains", |p| p.domains.clear()),
        ];
        for (name, spoil) in spoils {
            let mut provider = provider();
            spoil(&mut provider);
            let problems = provider.check().expect_err(name);
            assert_eq!(problems.iter().map(|p| p.field.as_str()).collect::<Vec<_>>(), [name]);
        }
        assert!(provider().check().is_ok());
    }

    #[test]
    fn it_speaks_for_its_domains_alone() {
        let provider = provider();
        assert!(provider.owns("ada@example.com") && provider.owns("ada@EXAMPLE.com"));
        for other in ["ada@sub.example.com", "ada@example.com.evil.example", "example.com", ""] {
            assert!(!provider.owns(other), "{other}");
        }
        assert!(provider.is_in_use() && !provider.deleted(at(1)).is_in_use());
    }
}
