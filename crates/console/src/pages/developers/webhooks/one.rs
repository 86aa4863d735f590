//! One endpoint: how it fares, what it is told, its secrets and replays.

use askama::Template;
use patron_gateway::Reply;
use patron_model::{Failure, Permission};
use serde::Deserialize;

use super::{Attempt, Endpoint, base, list, loaded};
use crate::{
    form::{Faults, Input, Kind},
    frame::Frame,
    page::{self, Listed, Page},
    pages::developers::{Api, api, attempts, notifier},
    words::Moment,
};

/// Replays that are shown.
const REPLAYS: u32 = 5;

#[derive(Deserialize)]
struct SecretNote {
    n: i64,
    hint: String,
    created_at: String,
    expires_at: Option<String>,
}

/// A secret as it is shown: never itself.
struct Secret {
    n: i64,
    hint: String,
    created: Moment,
    ends: Option<Moment>,
}

#[derive(Deserialize)]
struct ReplayNote {
    number: i64,
    state: String,
    from_seq: i64,
    to_seq: i64,
    position: i64,
    deliveries: i64,
    created_at: String,
}

struct Replay {
    note: ReplayNote,
    state: String,
    said: String,
    at: Moment,
}

/// What was just tried with it, or refused.
#[derive(Default)]
pub struct Beside {
    /// The attempt that tested it.
    pub tested: Option<Attempt>,
    /// Faults of a form of the page.
    pub faults: Faults,
    /// What was typed: since when, up to when, and `all` or `failed`.
    pub typed: (String, String, String),
    /// Why it cannot be as things are.
    pub state: bool,
}

#[derive(Template)]
#[template(path = "developers/webhook.html")]
struct One {
    f: Frame,
    endpoint: Endpoint,
    base: String,
    api: Option<Api>,
    state: String,
    reason: String,
    types: String,
    created: Moment,
    success: Option<Moment>,
    failure: Option<Moment>,
    probing: Option<Moment>,
    behind: String,
    failures: String,
    secrets: Vec<Secret>,
    replays: Vec<Replay>,
    replay_inputs: Vec<Input>,
    /// Whether its form is changed here and not in its own API.
    is_ours: bool,
    tested: Option<attempts::Shown>,
    is_refused: bool,
    summary: Vec<(String, String, String)>,
}

fn replay_inputs(f: &Frame, beside: &Beside) -> Vec<Input> {
    let (since, until, only) = &beside.typed;
    let input = |name, label: &str, kind, value: &str| {
        Input::new(name, f.words.t(label), kind, value, &beside.faults)
    };
    let words = [("failed", f.t("replay-only-failed")), ("all", f.t("replay-only-all"))];
    let words = words.map(|(word, label)| (word.to_owned(), label));
    vec![
        input("since", "replay-since", Kind::Code, since).hinted(f.t("replay-since-hint")),
        input("until", "replay-until", Kind::Code, until).hinted(f.t("replay-until-hint")),
        input("only", "replay-only", Kind::Line, only).among(words.into()),
    ]
}

async fn secrets(page: &Page, f: &Frame, number: i64) -> Result<Vec<Secret>, Failure> {
    let call = page.call("list_webhook_secrets").at("id", number);
    let notes = call.ask().await?.read::<Listed<SecretNote>>()?.data;
    let secret = |note: SecretNote| Secret {
        n: note.n,
        hint: note.hint,
        created: f.moment(&note.created_at),
        ends: note.expires_at.as_ref().map(|at| f.moment(at)),
    };
    Ok(notes.into_iter().map(secret).collect())
}

async fn replays(page: &Page, f: &Frame, number: i64) -> Result<Vec<Replay>, Failure> {
    let call = page.call("list_webhook_replays").at("id", number).query("limit", REPLAYS);
    let notes = call.ask().await?.read::<Listed<ReplayNote>>()?.data;
    let replay = |note: ReplayNote| {
        let number = |value: i64| f.words.number(u64::try_from(value).unwrap_or(0));
        let (position, to) = (number(note.position), number(note.to_seq));
        let (from, told) = (number(note.from_seq), number(note.deliveries));
        let with = [
            ("from", from.as_str()),
            ("to", to.as_str()),
            ("position", position.as_str()),
            ("told", told.as_str()),
        ];
        Replay {
            state: f.of_word("replay-state-", &note.state, ""),
            said: f.words.say("replay-said", &with),
            at: f.moment(&note.created_at),
            note,
        }
    };
    Ok(notes.into_iter().map(replay).collect())
}

/// The page, with what was just tried.
pub async fn shown(page: &Page, status: u16, beside: Beside) -> Result<Reply, Failure> {
    let (endpoint, _) = loaded(page).await?;
    let mut f = page.frame("nav-webhooks");
    f.title = f.say("webhook-title", "number", &endpoint.number.to_string());
    let health = endpoint.health.as_ref();
    let moment = |at: Option<&String>| at.map(|at| f.moment(at));
    let count = |value: Option<i64>| f.words.number(value.unwrap_or(0).unsigned_abs());
    let inputs = replay_inputs(&f, &beside);
    let reason = endpoint.state_reason.as_deref().unwrap_or("user");
    let one = One {
        base: base(page, endpoint.number),
        api: api(page, &endpoint.dialect),
        state: list::state(&f, &endpoint),
        reason: f.of_word("endpoint-reason-", reason, ""),
        types: list::types(&f, &endpoint),
        created: f.moment(&endpoint.created_at),
        success: moment(health.and_then(|health| health.last_success_at.as_ref())),
        failure: moment(health.and_then(|health| health.last_failure_at.as_ref())),
        probing: moment(health.and_then(|health| health.probing_until.as_ref())),
        behind: count(health.map(|health| health.behind)),
        failures: count(health.map(|health| health.failures)),
        secrets: secrets(page, &f, endpoint.number).await?,
        replays: replays(page, &f, endpoint.number).await?,
        is_ours: notifier(page, &endpoint.dialect).is_some_and(|known| !known.offers.is_empty()),
        tested: beside.tested.as_ref().map(|attempt| attempt.shown(&f)),
        is_refused: beside.state,
        summary: beside.faults.summary(&inputs),
        replay_inputs: inputs,
        endpoint,
        f,
    };
    page::html(status, &one)
}

impl One {
    /// Where resuming has to be told where to go on.
    fn is_far_behind(&self) -> bool {
        self.endpoint.health.as_ref().is_some_and(|health| health.behind > 0)
    }

    /// Whether what has happened can be told once more.
    fn may_replay(&self) -> bool {
        self.endpoint.state == "active" && self.f.may(Permission::WebhookRedeliver.as_str())
    }
}

/// The page.
pub async fn endpoint(page: Page) -> Result<Reply, Failure> {
    let typed = (String::new(), String::new(), "failed".to_owned());
    shown(&page, 200, Beside { typed, ..Beside::default() }).await
}
