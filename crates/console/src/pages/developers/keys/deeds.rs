//! Replacing and revoking a key.

use askama::Template;
use patron_gateway::{Reply, decode::Params};
use patron_model::Failure;
use serde_json::{Map, Value};

use super::{Key, loaded, made};
use crate::{
    form::{Faults, Input, Kind},
    frame::Frame,
    page::{self, Page},
    pages::doors::status,
};

/// How long an old key may go on, in seconds: at once, an hour, a day, a week, 30 days.
const OVERLAPS: [i64; 5] = [0, 3_600, 86_400, 7 * 86_400, 30 * 86_400];
/// What is taken unless one says otherwise: a day.
const OVERLAP: &str = "86400";

#[derive(Template)]
#[template(path = "developers/key_rotate.html")]
struct Rotation {
    f: Frame,
    key: Key,
    name: String,
    base: String,
    inputs: Vec<Input>,
    once: String,
    summary: Vec<(String, String, String)>,
}

fn asked(page: &Page, key: Key, sent: Option<&Params>, faults: &Faults) -> Rotation {
    let f = page.frame("key-rotate");
    let value = |name: &str, else_is: &'static str| {
        sent.and_then(|form| form.get(name)).unwrap_or(else_is).to_owned()
    };
    let overlaps = OVERLAPS.iter().map(|seconds| {
        let word = seconds.to_string();
        let label = f.of_word("overlap-", &word, "");
        (word, label)
    });
    let overlap = value("overlap_seconds", OVERLAP);
    let overlap = Input::new("overlap_seconds", f.t("key-overlap"), Kind::Line, &overlap, faults);
    let ends = value("expires_at", "");
    let ends = Input::new("expires_at", f.t("key-ends"), Kind::Day, &ends, faults);
    let inputs = vec![
        overlap.among(overlaps.collect()).hinted(f.t("key-overlap-hint")),
        ends.hinted(f.t("key-rotate-ends-hint")),
    ];
    let once = sent.and_then(|form| form.get(page::ONCE)).map(str::to_owned);
    Rotation {
        name: key.called(&f),
        base: format!("{}/keys/{}", page.space(), key.number),
        once: once.unwrap_or_else(|| f.once()),
        summary: faults.summary(&inputs),
        inputs,
        key,
        f,
    }
}

/// What is asked before a key is replaced.
pub async fn rotation(page: Page) -> Result<Reply, Failure> {
    let (key, _) = loaded(&page).await?;
    page::html(200, &asked(&page, key, None, &Faults::default()))
}

/// A day of a form as the API takes it: its first moment.
pub fn day(sent: &str) -> Value {
    let is_day = sent.len() == "2026-11-21".len();
    Value::String(if is_day { format!("{sent}T00:00:00Z") } else { sent.to_owned() })
}

/// Replaces a key, and shows the secret of the new one.
pub async fn rotate(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let mut body = Map::new();
    if let Some(seconds) = form.get("overlap_seconds").filter(|sent| !sent.is_empty()) {
        let seconds = seconds.parse::<i64>().map_or_else(|_| seconds.into(), Value::from);
        body.insert("overlap_seconds".to_owned(), seconds);
    }
    if let Some(ends) = form.get("expires_at").filter(|sent| !sent.is_empty()) {
        body.insert("expires_at".to_owned(), day(ends));
    }
    let call = page.call("rotate_key").at("key", page.request.param("key"));
    match call.body(Value::Object(body)).once(&form).ask().await {
        Ok(answer) => made(&page, &answer),
        Err(failure) => {
            let faults = Faults::of_failure(&failure, &page.words())?;
            let (key, _) = loaded(&page).await?;
            page::html(status(&failure), &asked(&page, key, Some(&form), &faults))
        }
    }
}

#[derive(Template)]
#[template(path = "developers/key_revoke.html")]
struct End {
    f: Frame,
    key: Key,
    /// What is to be typed: its name, else its number.
    word: String,
    base: String,
    input: Input,
    once: String,
    summary: Vec<(String, String, String)>,
}

/// What is to be typed before a key ends: its name, else its number.
fn word(key: &Key) -> String {
    if key.name.is_empty() { key.number.to_string() } else { key.name.clone() }
}

fn ending(page: &Page, key: Key, typed: &str, faults: &Faults) -> End {
    let f = page.frame("key-revoke");
    let word = word(&key);
    let label = f.say("key-revoke-type", "word", &word);
    let input = Input::new("word", label, Kind::Line, typed, faults);
    End {
        base: format!("{}/keys/{}", page.space(), key.number),
        once: f.once(),
        summary: faults.summary(std::slice::from_ref(&input)),
        input,
        word,
        key,
        f,
    }
}

/// What is asked before a key is revoked.
pub async fn end(page: Page) -> Result<Reply, Failure> {
    let (key, _) = loaded(&page).await?;
    page::html(200, &ending(&page, key, "", &Faults::default()))
}

/// Revokes a key, for who typed its name.
pub async fn revoke(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let (key, _) = loaded(&page).await?;
    let typed = form.get("word").unwrap_or_default().trim();
    if typed != word(&key).trim() {
        let why = page.words().t("typed-otherwise");
        return page::html(422, &ending(&page, key, typed, &Faults::one("word", why)));
    }
    page.call("revoke_key").at("key", key.number).once(&form).ask().await?;
    Ok(page.see(&format!("{}/keys/{}?done=key-revoked", page.space(), key.number)))
}
