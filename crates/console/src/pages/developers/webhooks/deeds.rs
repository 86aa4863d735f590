//! What is done with an endpoint: pause, resume, test, replay, delete.

use askama::Template;
use patron_gateway::Reply;
use patron_model::Failure;
use serde_json::{Map, Value};

use super::{
    Endpoint, base, loaded,
    one::{self, Beside},
};
use crate::{
    form::{Faults, Input, Kind},
    frame::Frame,
    page::{self, Page},
    pages::doors::status,
};

fn back(page: &Page, done: &str) -> Reply {
    let number = page.request.param("endpoint");
    page.see(&format!("{}/webhooks/{number}?done={done}", page.space()))
}

/// The page again, with why it was refused.
async fn refused(page: &Page, failure: Failure, beside: Beside) -> Result<Reply, Failure> {
    let beside = match &failure {
        Failure::WrongState { .. } => Beside { state: true, ..beside },
        other => Beside { faults: Faults::of_failure(other, &page.words())?, ..beside },
    };
    one::shown(page, status(&failure), beside).await
}

/// Pauses or resumes it.
pub async fn switch(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let is_on = form.get("enabled") == Some("true");
    let mut body = Map::from_iter([("enabled".to_owned(), is_on.into())]);
    if let Some(from) = form.get("resume_from").filter(|from| is_on && !from.is_empty()) {
        body.insert("resume_from".to_owned(), from.into());
    }
    let call = page.call("update_webhook_endpoint").at("id", page.request.param("endpoint"));
    match call.body(Value::Object(body)).once(&form).ask().await {
        Ok(_) => Ok(back(&page, if is_on { "webhook-resumed" } else { "webhook-paused" })),
        Err(failure) => refused(&page, failure, Beside::default()).await,
    }
}

/// Sends a made-up customer, and shows what was answered.
pub async fn test(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let call = page.call("test_webhook_endpoint").at("id", page.request.param("endpoint"));
    match call.once(&form).ask().await {
        Ok(answer) => {
            let typed = (String::new(), String::new(), "failed".to_owned());
            let tested = Some(answer.read()?);
            one::shown(&page, 200, Beside { tested, typed, ..Beside::default() }).await
        }
        Err(failure) => refused(&page, failure, Beside::default()).await,
    }
}

/// A moment of a form as the API takes it: `2026-11-21 14:30` is of UTC.
fn moment(sent: &str) -> String {
    match sent.len() {
        10 => format!("{sent}T00:00:00Z"),
        16 => format!("{}:00Z", sent.replace(' ', "T")),
        _ => sent.to_owned(),
    }
}

/// Tells once more what has happened.
pub async fn replay(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let one = |name: &str| form.get(name).unwrap_or_default().trim().to_owned();
    let typed = (one("since"), one("until"), one("only"));
    let mut body = Map::new();
    let (since, until, only) = &typed;
    body.insert("since".to_owned(), moment(since).into());
    if !until.is_empty() {
        body.insert("until".to_owned(), moment(until).into());
    }
    if !only.is_empty() {
        body.insert("only".to_owned(), only.as_str().into());
    }
    let call = page.call("replay_webhook_endpoint").at("id", page.request.param("endpoint"));
    match call.body(Value::Object(body)).once(&form).ask().await {
        Ok(_) => Ok(back(&page, "replay-begun")),
        Err(failure) => refused(&page, failure, Beside { typed, ..Beside::default() }).await,
    }
}

/// Ends a replay.
pub async fn cancel(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let request = &page.request;
    let call = page.call("cancel_webhook_replay").at("id", request.param("endpoint"));
    call.at("replay", request.param("replay")).once(&form).ask().await?;
    Ok(back(&page, "replay-cancelled"))
}

#[derive(Template)]
#[template(path = "developers/webhook_delete.html")]
struct End {
    f: Frame,
    endpoint: Endpoint,
    base: String,
    input: Input,
    summary: Vec<(String, String, String)>,
}

fn ending(page: &Page, endpoint: Endpoint, typed: &str, faults: &Faults) -> End {
    let f = page.frame("webhook-delete");
    let label = f.say("webhook-delete-type", "word", endpoint.host());
    let input = Input::new("word", label, Kind::Code, typed, faults);
    let summary = faults.summary(std::slice::from_ref(&input));
    End { base: base(page, endpoint.number), input, summary, endpoint, f }
}

/// What is asked before an endpoint is deleted.
pub async fn end(page: Page) -> Result<Reply, Failure> {
    let (endpoint, _) = loaded(&page).await?;
    page::html(200, &ending(&page, endpoint, "", &Faults::default()))
}

/// Deletes an endpoint, for who typed its host.
pub async fn delete(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let (endpoint, _) = loaded(&page).await?;
    let typed = form.get("word").unwrap_or_default().trim();
    if typed != endpoint.host() {
        let why = page.words().t("typed-otherwise");
        return page::html(422, &ending(&page, endpoint, typed, &Faults::one("word", why)));
    }
    let call = page.call("delete_webhook_endpoint").at("id", endpoint.number);
    call.once(&form).ask().await?;
    Ok(page.see(&format!("{}/webhooks?done=webhook-deleted", page.space())))
}
