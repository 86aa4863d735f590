//! Users as they are shown, each family in a form of its own (dossier §9.1).

use patron_model::{
    email::Email,
    language::Language,
    phone::Phone,
    text::Name,
    time_zone::TimeZone,
    user::{User, UserState},
};
use schemars::JsonSchema;
use serde::Serialize;

use super::Family;
use crate::accounts::SCOPE;

/// The word of a state.
fn state(state: UserState) -> &'static str {
    match state {
        UserState::Invited => "CREATE",
        UserState::Active => "ACTIVE",
        UserState::Inactive => "INACTIVE",
        UserState::Deleted => "DELETED",
    }
}

/// An application user as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationUser<'a> {
    /// Number of the user.
    id: i64,
    /// Version a change must name.
    version: i64,
    /// Whether it may do anything.
    state: &'static str,
    /// `APPLICATION_USER`.
    user_type: &'static str,
    /// What people call it.
    name: &'a str,
    /// The account it is managed in.
    primary_account: i64,
    /// Requests in two minutes that are answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_limit: Option<i64>,
    /// The secret of its first key, in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac_key: Option<String>,
}

impl<'a> ApplicationUser<'a> {
    /// An application as this API shows one.
    pub fn of(user: &'a User) -> ApplicationUser<'a> {
        ApplicationUser {
            id: user.number,
            version: user.version,
            state: state(user.state),
            user_type: "APPLICATION_USER",
            name: &user.name,
            primary_account: user.account,
            request_limit: user.request_limit,
            mac_key: None,
        }
    }
}

/// A human user as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HumanUser<'a> {
    /// Number of the user.
    id: i64,
    /// Version a change must name.
    version: i64,
    /// Whether it may do anything.
    state: &'static str,
    /// `HUMAN_USER`.
    user_type: &'static str,
    /// The account it is managed in.
    primary_account: i64,
    /// E-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    email_address: Option<&'a str>,
    /// Given name.
    #[serde(skip_serializing_if = "Option::is_none")]
    firstname: Option<&'a str>,
    /// Family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    lastname: Option<&'a str>,
    /// Phone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    mobile_phone_number: Option<&'a str>,
    /// Language.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    /// Time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<&'a str>,
}

impl<'a> HumanUser<'a> {
    /// A person as this API shows one.
    pub fn of(user: &'a User) -> HumanUser<'a> {
        HumanUser {
            id: user.number,
            version: user.version,
            state: state(user.state),
            user_type: "HUMAN_USER",
            primary_account: user.account,
            email_address: user.email.as_ref().map(Email::as_str),
            firstname: user.given_name.as_ref().map(Name::as_str),
            lastname: user.family_name.as_ref().map(Name::as_str),
            mobile_phone_number: user.phone.as_ref().map(Phone::raw),
            language: user.language.as_ref().map(Language::as_str),
            time_zone: user.time_zone.as_ref().map(TimeZone::as_str),
        }
    }
}

/// A single sign-on user as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SingleSignOnUser<'a> {
    /// Number of the user.
    id: i64,
    /// Version a change must name.
    version: i64,
    /// Whether it may do anything.
    state: &'static str,
    /// `SINGLE_SIGN_ON_USER`.
    user_type: &'static str,
    /// The account it is managed in.
    primary_account: i64,
    /// The provider who brings the person.
    provider: Option<i64>,
    /// The scope, 1.
    scope: i64,
    /// Given name.
    #[serde(skip_serializing_if = "Option::is_none")]
    firstname: Option<&'a str>,
    /// Family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    lastname: Option<&'a str>,
    /// Language.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    /// Time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<&'a str>,
}

impl<'a> SingleSignOnUser<'a> {
    /// A person as this API shows one.
    pub fn of(user: &'a User) -> SingleSignOnUser<'a> {
        SingleSignOnUser {
            id: user.number,
            version: user.version,
            state: state(user.state),
            user_type: "SINGLE_SIGN_ON_USER",
            primary_account: user.account,
            provider: user.provider,
            scope: SCOPE,
            firstname: user.given_name.as_ref().map(Name::as_str),
            lastname: user.family_name.as_ref().map(Name::as_str),
            language: user.language.as_ref().map(Language::as_str),
            time_zone: user.time_zone.as_ref().map(TimeZone::as_str),
        }
    }
}

/// A user as its family is shown.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Shown<'a> {
    /// A program.
    Application(ApplicationUser<'a>),
    /// A person who signs in here.
    Human(HumanUser<'a>),
    /// A person whom a provider brings.
    SingleSignOn(SingleSignOnUser<'a>),
}

impl<'a> Shown<'a> {
    /// A user as its family shows one.
    pub fn of(user: &'a User) -> Shown<'a> {
        match Family::of(user) {
            Family::Application => Shown::Application(ApplicationUser::of(user)),
            Family::Human => Shown::Human(HumanUser::of(user)),
            Family::SingleSignOn => Shown::SingleSignOn(SingleSignOnUser::of(user)),
        }
    }
}
