//! Users: people and applications. What a user may do is the sum of the roles that are assigned to
//! him ([`crate::role`]).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Patch, Problems, Timestamp, Why,
    customer::{Changes, differing},
    email::Email,
    language::Language,
    phone::Phone,
    space::REQUEST_LIMIT_MAX,
    text::Name,
    time_zone::TimeZone,
};

/// Characters of a person's given name, and of the family name.
pub const PERSON_NAME_CHARS_MAX: usize = 100;
/// Characters of a person's e-mail address.
pub const PERSON_EMAIL_CHARS_MAX: usize = 128;
/// Characters of a person's phone number.
pub const PERSON_PHONE_CHARS_MAX: usize = 30;

/// What sort of user it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserKind {
    /// A person.
    Human,
    /// A program; keys are its own.
    Application,
}

impl UserKind {
    /// The words, for messages.
    pub const WORDS: &'static str = "human, application";

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            UserKind::Human => "human",
            UserKind::Application => "application",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<UserKind> {
        [UserKind::Human, UserKind::Application].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Whether a user may do anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserState {
    /// A person who has not signed in yet.
    Invited,
    /// He may do what his roles say.
    Active,
    /// For now he may do nothing; his keys are refused.
    Inactive,
    /// He is no more.
    Deleted,
}

impl UserState {
    /// The words of living users, for messages.
    pub const WORDS: &'static str = "invited, active, inactive";

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            UserState::Invited => "invited",
            UserState::Active => "active",
            UserState::Inactive => "inactive",
            UserState::Deleted => "deleted",
        }
    }

    /// Reads the word of a living user's state.
    pub fn parse(word: &str) -> Option<UserState> {
        let living = [UserState::Invited, UserState::Active, UserState::Inactive];
        living.into_iter().find(|state| state.as_str() == word)
    }
}

/// In which colours a person is shown pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    /// As the person's system is set.
    #[default]
    System,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// The words, for messages.
    pub const WORDS: &'static str = "light, dark, system";

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Theme::System => "system",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Theme> {
        [Theme::System, Theme::Light, Theme::Dark].into_iter().find(|one| one.as_str() == word)
    }

    fn is_system(&self) -> bool {
        *self == Theme::System
    }
}

/// A person or an application.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// Number, unique in the deployment. Users and keys share their numbers: the user made with a
    /// key has the key's.
    pub number: i64,
    /// UUID.
    pub uuid: Uuid,
    /// The account it was made in and is managed in.
    pub account: i64,
    /// Counts the changes, from 1.
    pub version: i64,
    /// Person or application.
    pub kind: UserKind,
    /// Whether it may do anything.
    pub state: UserState,
    /// What people call an application.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Given name of a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_name: Option<Name>,
    /// Family name of a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family_name: Option<Name>,
    /// E-mail address of a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// When the person showed to read what is sent to that address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_verified_at: Option<Timestamp>,
    /// Phone number of a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
    /// Language that a person is spoken to in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// Time zone of a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<TimeZone>,
    /// In which colours a person is shown pages.
    #[serde(default, skip_serializing_if = "Theme::is_system")]
    pub theme: Theme,
    /// Whether a person wants single letters to do nothing (WCAG 2.1.4).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_letters: bool,
    /// The provider who brings a person: who made the record at the first sign-in, or is to. Until
    /// then an address may be missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<i64>,
    /// Requests in two minutes that are answered, with whatever key; further ones are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_limit: Option<i64>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// What shall become of a user.
#[derive(Debug, Clone, Default)]
pub struct UserPatch {
    /// Name of an application.
    pub name: Option<String>,
    /// Given name of a person.
    pub given_name: Patch<Name>,
    /// Family name of a person.
    pub family_name: Patch<Name>,
    /// E-mail address of a person.
    pub email: Patch<Email>,
    /// Phone number of a person.
    pub phone: Patch<Phone>,
    /// Language of a person.
    pub language: Patch<Language>,
    /// Time zone of a person.
    pub time_zone: Patch<TimeZone>,
    /// In which colours a person is shown pages.
    pub theme: Option<Theme>,
    /// Whether a person wants single letters to do nothing.
    pub without_letters: Option<bool>,
    /// Requests in two minutes that are answered, 1 or more.
    pub request_limit: Patch<i64>,
    /// Whether it may do anything: active or inactive.
    pub active: Option<bool>,
}

impl User {
    /// An application that is in use.
    pub fn application(number: i64, uuid: Uuid, account: i64, name: &str, now: Timestamp) -> User {
        User {
            number,
            uuid,
            account,
            version: 1,
            kind: UserKind::Application,
            state: UserState::Active,
            name: name.to_owned(),
            given_name: None,
            family_name: None,
            email: None,
            email_verified_at: None,
            phone: None,
            language: None,
            time_zone: None,
            theme: Theme::System,
            without_letters: false,
            provider: None,
            request_limit: None,
            created_at: now,
            updated_at: now,
            deleted_at: None,
        }
    }

    /// Whether it may do what its roles say.
    pub fn is_active(&self) -> bool {
        self.state == UserState::Active
    }

    /// The user after a change, and what differs.
    ///
    /// # Errors
    /// Every problem.
    pub fn apply(&self, patch: UserPatch, now: Timestamp) -> Result<(User, Changes), Problems> {
        let mut next = self.clone();
        let UserPatch {
            name,
            given_name,
            family_name,
            email,
            phone,
            language,
            time_zone,
            theme,
            without_letters,
            request_limit,
            active,
        } = patch;
        next.name = name.unwrap_or(next.name);
        given_name.change(&mut next.given_name);
        family_name.change(&mut next.family_name);
        email.change(&mut next.email);
        phone.change(&mut next.phone);
        language.change(&mut next.language);
        time_zone.change(&mut next.time_zone);
        next.theme = theme.unwrap_or(next.theme);
        next.without_letters = without_letters.unwrap_or(next.without_letters);
        request_limit.change(&mut next.request_limit);
        next.state = match active {
            Some(true) => UserState::Active,
            Some(false) => UserState::Inactive,
            None => next.state,
        };
        if self.email != next.email {
            next.email_verified_at = None;
        }
        next.check()?;
        let changes = differing([
            ("name", self.name != next.name),
            ("given_name", self.given_name != next.given_name),
            ("family_name", self.family_name != next.family_name),
            ("email", self.email != next.email),
            ("phone", self.phone != next.phone),
            ("language", self.language != next.language),
            ("time_zone", self.time_zone != next.time_zone),
            ("theme", self.theme != next.theme),
            ("shortcuts", self.without_letters != next.without_letters),
            ("request_limit", self.request_limit != next.request_limit),
            ("state", self.state != next.state),
        ]);
        if !changes.is_empty() {
            next.version += 1;
            next.updated_at = now.max(next.updated_at);
        }
        Ok((next, changes))
    }

    /// The user in a state, once it showed to read what is sent to its address.
    #[must_use]
    pub fn verified(&self, state: UserState, now: Timestamp) -> User {
        User {
            state,
            version: self.version + 1,
            email_verified_at: Some(now),
            updated_at: now.max(self.updated_at),
            ..self.clone()
        }
    }

    /// What no type checks: which members a person and an application have, and their lengths.
    ///
    /// # Errors
    /// Every problem.
    pub fn check(&self) -> Result<(), Problems> {
        let mut problems = Problems::new();
        if self.request_limit.is_some_and(|limit| !(1..=REQUEST_LIMIT_MAX).contains(&limit)) {
            problems.add("request_limit", Why::OutOfRange { min: 1, max: REQUEST_LIMIT_MAX });
        }
        let only_for = |what| Why::Mismatch { with: what };
        match self.kind {
            UserKind::Application => {
                if let Err(why) = Name::parse(&self.name) {
                    problems.add("name", why);
                }
                let persons = [
                    ("given_name", self.given_name.is_some()),
                    ("family_name", self.family_name.is_some()),
                    ("email", self.email.is_some()),
                    ("phone", self.phone.is_some()),
                    ("language", self.language.is_some()),
                    ("time_zone", self.time_zone.is_some()),
                    ("theme", !self.theme.is_system()),
                    ("shortcuts", self.without_letters),
                    ("provider", self.provider.is_some()),
                ];
                for (name, _) in persons.into_iter().filter(|(_, is_said)| *is_said) {
                    problems.add(name, only_for("a person, and this is an application"));
                }
            }
            UserKind::Human => {
                if !self.name.is_empty() {
                    problems.add("name", only_for("an application, and this is a person"));
                }
                if self.email.is_none() && self.provider.is_none() {
                    problems.add("email", Why::Required);
                }
                let lengths = [
                    (
                        "given_name",
                        self.given_name.as_ref().map(Name::as_str),
                        PERSON_NAME_CHARS_MAX,
                    ),
                    (
                        "family_name",
                        self.family_name.as_ref().map(Name::as_str),
                        PERSON_NAME_CHARS_MAX,
                    ),
                    ("email", self.email.as_ref().map(Email::as_str), PERSON_EMAIL_CHARS_MAX),
                    ("phone", self.phone.as_ref().map(Phone::raw), PERSON_PHONE_CHARS_MAX),
                ];
                for (name, text, max) in lengths {
                    if text.is_some_and(|text| text.chars().count() > max) {
                        problems.add(name, Why::TooLong { max });
                    }
                }
            }
        }
        problems.into_result()
    }

    /// The user once it is deleted. Nothing of a person stays but the number.
    #[must_use]
    pub fn deleted(&self, now: Timestamp) -> User {
        let gone = User::application(self.number, self.uuid, self.account, "", self.created_at);
        User {
            version: self.version + 1,
            kind: self.kind,
            provider: self.provider,
            state: UserState::Deleted,
            updated_at: now.max(self.updated_at),
            deleted_at: Some(now),
            ..gone
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(1_767_323_045_000_000).plus_seconds(seconds)
    }

    fn person() -> User {
        User {
            kind: UserKind::Human,
            state: UserState::Invited,
            name: String::new(),
            given_name: Name::parse("Ada").ok(),
            email: Email::parse("ada@example.com").ok(),
            ..User::application(7, Uuid::nil(), 1, "", at(0))
        }
    }

    #[test]
    fn a_change_names_what_differs() {
        let shop = User::application(7, Uuid::nil(), 1, "shop", at(0));
        let same = UserPatch { name: Some("shop".to_owned()), ..UserPatch::default() };
        assert_eq!(shop.apply(same, at(1)).unwrap(), (shop.clone(), Changes::new()));
        let off = UserPatch { active: Some(false), ..UserPatch::default() };
        let (next, changes) = shop.apply(off, at(1)).unwrap();
        assert_eq!((next.version, next.is_active(), changes), (2, false, vec!["state"]));
    }

    #[test]
    fn persons_and_applications_have_members_of_their_own() {
        let shop = User::application(7, Uuid::nil(), 1, "shop", at(0));
        let patch = UserPatch {
            email: Patch::Set(Email::parse("ada@example.com").unwrap()),
            ..UserPatch::default()
        };
        assert_eq!(shop.apply(patch, at(1)).unwrap_err().iter().count(), 1);
        let named = UserPatch { name: Some("x".to_owned()), ..UserPatch::default() };
        assert!(person().apply(named, at(1)).is_err());
        let nobody = UserPatch { email: Patch::Clear, ..UserPatch::default() };
        assert!(person().apply(nobody.clone(), at(1)).is_err(), "a person has an address");
        let brought = User { provider: Some(3), ..person() };
        assert!(brought.apply(nobody, at(1)).is_ok(), "a provider knows the person");
        assert!(User { provider: Some(3), ..shop }.check().is_err(), "applications bring nobody");
        let long = UserPatch {
            given_name: Patch::Set(Name::parse(&"x".repeat(101)).unwrap()),
            ..UserPatch::default()
        };
        assert!(person().apply(long, at(1)).is_err());
    }

    #[test]
    fn a_person_chooses_how_pages_are_shown() {
        let dark = UserPatch {
            theme: Theme::parse("dark"),
            without_letters: Some(true),
            ..UserPatch::default()
        };
        let (chosen, changes) = person().apply(dark.clone(), at(1)).unwrap();
        assert_eq!(changes, vec!["theme", "shortcuts"]);
        assert_eq!((chosen.theme, chosen.without_letters), (Theme::Dark, true));
        let stored = serde_json::to_value(person()).unwrap();
        assert!(stored.get("theme").is_none() && stored.get("without_letters").is_none());
        let shop = User::application(7, Uuid::nil(), 1, "shop", at(0));
        assert!(shop.apply(dark, at(1)).is_err(), "applications look at nothing");
    }

    #[test]
    fn nothing_of_a_person_stays() {
        let gone = person().deleted(at(9));
        let stored = serde_json::to_string(&gone).unwrap();
        assert!(!stored.contains("Ada") && !stored.contains("example"), "{stored}");
        assert_eq!((gone.version, gone.state), (2, UserState::Deleted));
    }
}
