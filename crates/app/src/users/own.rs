//! What people change of their own records: what they are called, and how pages are shown to them.

use async_recursion::async_recursion;
use patron_model::{
    Failure, Patch,
    event::UserEvent,
    language::Language,
    text::Name,
    time_zone::TimeZone,
    user::{Theme, User, UserPatch},
};

use crate::{
    Cx,
    commit::{Expect, Saved},
    documents::DEPLOYMENT,
    record::{self, Id, Loaded, Look},
};

/// What a person changes of their own record: nothing that decides what they may do, or how they
/// sign in.
#[derive(Debug, Clone, Default)]
pub struct OwnPatch {
    /// Given name.
    pub given_name: Patch<Name>,
    /// Family name.
    pub family_name: Patch<Name>,
    /// Language they are spoken to in.
    pub language: Patch<Language>,
    /// Time zone in which they are shown moments.
    pub time_zone: Patch<TimeZone>,
    /// In which colours they are shown pages.
    pub theme: Option<Theme>,
    /// Whether single letters do nothing.
    pub without_letters: Option<bool>,
}

/// The changed record of the person who asks.
///
/// # Errors
/// `Forbidden` where no person asks; `Stale`, `Invalid`.
#[async_recursion]
pub async fn update_own(cx: &Cx, expect: Expect, patch: &OwnPatch) -> Result<Saved<User>, Failure> {
    let cx = &cx.in_space(DEPLOYMENT);
    let own = Id::Number(cx.user().ok_or(Failure::Forbidden)?);
    cx.settle(|draft| async {
        let before: Loaded<User> = record::load(cx, Look::at(own)).await?;
        expect.check(before.version, before.revision)?;
        let OwnPatch { given_name, family_name, language, time_zone, theme, without_letters } =
            patch.clone();
        let patch = UserPatch {
            given_name,
            family_name,
            language,
            time_zone,
            theme,
            without_letters,
            ..UserPatch::default()
        };
        let (after, changes) = before.apply(patch, cx.now)?;
        draft.change(&before, after, UserEvent::Updated, &changes)
    })
    .await
}
