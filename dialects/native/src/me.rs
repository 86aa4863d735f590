//! Who asks: `/v1/me`, what they may do where, and what people set for themselves.

use patron_app::{
    rights::Principal,
    users::{self, OwnPatch},
};
use patron_gateway::{Member, Reading, Reply, Request};
use patron_model::{
    Failure, Patch, Timestamp, Why, language::Language, text::Name, time_zone::TimeZone,
    user::Theme,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    conditions,
    customers::read,
    sessions,
    users::{UserOut, shown_own},
    words,
};

/// Where a user may do what.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "GrantedPermissions")]
pub struct GrantOut {
    /// Number of the account.
    account: i64,
    /// Number of the space; the whole account when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    space: Option<i64>,
    /// Whether in the accounts below, too.
    subaccounts: bool,
    /// What may be done there.
    permissions: Vec<&'static str>,
}

/// How a person who asks has signed in.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OwnSession")]
pub struct OwnSessionOut {
    /// Number of the session.
    number: i64,
    /// 2: by two factors; 1: by one.
    level: u8,
    /// What every request of the session carries in `Patron-CSRF`.
    csrf: String,
    /// By what a second factor has to be proven before anything may be done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    second_factor: Vec<&'static str>,
    /// Until when what asks for a fresh proof of who one is needs no other; none: it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    step_up_until: Option<String>,
}

/// Who asks.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Me")]
pub struct MeOut<'a> {
    /// The user.
    user: UserOut<'a>,
    /// Number of the key; none where a person asks by a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<i64>,
    /// The session, where one asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<OwnSessionOut>,
    /// What may be done, and where.
    permissions: Vec<GrantOut>,
    /// What may be done besides once a second factor is proven: `POST /v1/sign-in/second-factor`,
    /// or `POST /v1/me/totp` where there is none yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    withheld: Vec<GrantOut>,
}

fn granted(principal: &Principal) -> Vec<GrantOut> {
    let granted = principal.grants().iter().map(|grant| GrantOut {
        account: grant.account,
        space: grant.space,
        subaccounts: grant.subaccounts,
        permissions: grant.permissions.iter().map(|one| one.as_str()).collect(),
    });
    granted.collect()
}

/// Who asks, and what he may do where.
pub async fn get(request: Request) -> Result<Reply, Failure> {
    let caller = request.cx.caller()?;
    let permissions = granted(&caller.principal);
    let withheld = caller.person.as_ref().map(|person| granted(&person.withheld));
    let withheld = withheld.unwrap_or_default();
    let user = UserOut::own(&caller.user);
    let session = caller.person.as_ref().map(|standing| OwnSessionOut {
        number: standing.session,
        level: standing.level,
        csrf: standing.csrf.clone(),
        second_factor: standing.second_factor.clone(),
        step_up_until: Some(standing.proven_until)
            .filter(|until| *until > request.now)
            .map(Timestamp::rfc3339_micros),
    });
    let key = caller.person.is_none().then_some(caller.key.number);
    let tag = conditions::tag(caller.user.version);
    Ok(Reply::json(200, &MeOut { user, key, session, permissions, withheld })?.with("etag", tag))
}

/// What a person sets for themselves.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "OwnSettings")]
pub struct OwnIn {
    /// Given name, at most 100 characters.
    given_name: Member<String>,
    /// Family name, at most 100 characters.
    family_name: Member<String>,
    /// Language to be spoken to in, as a tag of BCP 47; the console speaks English, German and
    /// French.
    language: Member<String>,
    /// Time zone in which moments are shown, by its IANA name.
    time_zone: Member<String>,
    /// In which colours pages are shown: `light`, `dark`, `system`.
    #[schemars(with = "Option<words::Theme>")]
    theme: Member<String>,
    /// Whether single letters act on pages of the console.
    shortcuts: Member<bool>,
}

/// Changes what the person who asks sets for themselves (JSON Merge Patch).
pub async fn update(request: Request) -> Result<Reply, Failure> {
    sessions::standing(&request)?;
    let condition = conditions::if_match(&request)?;
    let (body, mut fields) = read::body::<OwnIn>(&request, Reading::NullClears)?;
    let theme = fields.text("theme", body.theme, |word| {
        Theme::parse(word).ok_or_else(|| Why::not_one_of(word, Theme::WORDS))
    });
    let shortcuts = fields.parse("shortcuts", body.shortcuts, Ok);
    let patch = OwnPatch {
        given_name: fields.text("given_name", body.given_name, Name::parse),
        family_name: fields.text("family_name", body.family_name, Name::parse),
        language: fields.text("language", body.language, Language::parse),
        time_zone: fields.text("time_zone", body.time_zone, TimeZone::parse),
        // Cleared, they are what they were at first.
        theme: match theme {
            Patch::Keep => None,
            Patch::Clear => Some(Theme::System),
            Patch::Set(theme) => Some(theme),
        },
        without_letters: match shortcuts {
            Patch::Keep => None,
            Patch::Clear => Some(false),
            Patch::Set(act) => Some(!act),
        },
    };
    fields.finish()?;
    let saved = users::update_own(&request.cx, condition.expect(), &patch).await?;
    shown_own(&saved)
}
