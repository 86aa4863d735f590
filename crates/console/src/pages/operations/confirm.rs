//! What is final: a page that says what goes, and asks for a word that is typed.

use askama::Template;
use patron_gateway::{Reply, decode::Params};
use patron_model::Failure;

use crate::{
    frame::Frame,
    page::{self, Page},
};

/// A final deed.
pub struct Final<'a> {
    /// The word by which its sentences are found: `final-<word>`, `final-<word>-what`.
    pub word: &'static str,
    /// Whom or what it is done to.
    pub name: &'a str,
    /// The page above it: `/s/1/people/7`.
    pub back: &'a str,
    /// What is called by that name.
    pub above: &'a str,
    /// The version that is known.
    pub tag: &'a str,
}

#[derive(Template)]
#[template(path = "operations/confirm.html")]
struct Confirm<'a> {
    f: Frame,
    of: &'a Final<'a>,
    path: String,
    wanted: String,
    is_wrong: bool,
}

/// The page.
///
/// # Errors
/// `Internal` when the template fails.
pub fn shown(page: &Page, of: &Final<'_>, is_wrong: bool) -> Result<Reply, Failure> {
    let words = page.words();
    let f = Frame::of(page, words.t(&format!("final-{}", of.word)));
    let wanted = words.t("final-word");
    let path = page::own_target(&page.request);
    let path = path.split('?').next().unwrap_or_default().to_owned();
    let status = if is_wrong { 422 } else { 200 };
    page::html(status, &Confirm { f, of, path, wanted, is_wrong })
}

/// Whether the word was typed.
pub fn is_typed(page: &Page, form: &Params) -> bool {
    let wanted = page.words().t("final-word");
    let typed = form.get("word").unwrap_or_default();
    typed.trim().to_lowercase() == wanted.to_lowercase()
}
