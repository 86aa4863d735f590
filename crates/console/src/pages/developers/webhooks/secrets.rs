//! Secrets of an endpoint, and the keys of a space that sign by `v1a`.

use askama::Template;
use patron_gateway::Reply;
use patron_model::Failure;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    frame::Frame,
    page::{self, Listed, Page},
    words::Moment,
};

#[derive(Template)]
#[template(path = "developers/webhook_secret.html")]
struct Made {
    f: Frame,
    number: String,
    base: String,
    /// Nothing where it is too late to show it.
    secret: Option<String>,
    is_new: bool,
}

#[derive(Deserialize)]
struct Answered {
    secret: Option<String>,
}

/// The answer to the form that made a secret.
pub fn made(
    page: &Page,
    number: &str,
    secret: Option<String>,
    is_new: bool,
) -> Result<Reply, Failure> {
    let mut f = page.frame("nav-webhooks");
    f.title = f.say("webhook-title", "number", number);
    let base = format!("{}/webhooks/{number}", page.space());
    page::html(200, &Made { f, number: number.to_owned(), base, secret, is_new })
}

fn overlap(sent: Option<&str>) -> Value {
    let mut body = Map::new();
    if let Some(seconds) = sent.filter(|sent| !sent.is_empty()) {
        let seconds = seconds.parse::<i64>().map_or_else(|_| seconds.into(), Value::from);
        body.insert("overlap_seconds".to_owned(), seconds);
    }
    Value::Object(body)
}

/// Makes a new secret and shows it; those before sign beside it for the overlap.
pub async fn rotate(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let number = page.request.param("endpoint");
    let call = page.call("rotate_webhook_secret").at("id", number);
    let call = call.body(overlap(form.get("overlap_seconds"))).once(&form);
    let answered: Answered = call.ask().await?.read()?;
    made(&page, number, answered.secret, false)
}

/// Ends a secret at once.
pub async fn end(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let number = page.request.param("endpoint");
    let call = page.call("end_webhook_secret").at("id", number).at("n", page.request.param("n"));
    call.once(&form).ask().await?;
    Ok(page.see(&format!("{}/webhooks/{number}?done=secret-ended", page.space())))
}

#[derive(Deserialize)]
struct KeyNote {
    number: i64,
    public_key: String,
    created_at: String,
    expires_at: Option<String>,
}

struct Key {
    number: i64,
    public_key: String,
    created: Moment,
    ends: Option<Moment>,
}

#[derive(Template)]
#[template(path = "developers/webhook_keys.html")]
struct Keys {
    f: Frame,
    keys: Vec<Key>,
}

/// The keys that sign for every endpoint of the space.
pub async fn keys(page: Page) -> Result<Reply, Failure> {
    let f = page.frame("signers-title");
    let listed: Listed<KeyNote> = page.call("list_webhook_keys").ask().await?.read()?;
    let key = |note: KeyNote| Key {
        number: note.number,
        public_key: note.public_key,
        created: f.moment(&note.created_at),
        ends: note.expires_at.as_ref().map(|at| f.moment(at)),
    };
    let keys = listed.data.into_iter().map(key).collect();
    page::html(200, &Keys { f, keys })
}

/// Makes a new one.
pub async fn rotate_key(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let call = page.call("rotate_webhook_key").body(overlap(form.get("overlap_seconds")));
    call.once(&form).ask().await?;
    Ok(page.see(&format!("{}/webhooks/keys?done=signer-made", page.space())))
}
