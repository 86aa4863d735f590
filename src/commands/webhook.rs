//! `patron webhook`: webhook endpoints of any space, for the operator.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use patron_app::{
    App, Cx, Expect, Id,
    search::{Order, Query},
    spaces,
    webhooks::{
        self, EndpointPatch, EventType, ResumeFrom,
        deliveries::{self, Asked, DeliveryState},
        replays::{self, Begin, NewReplay},
        secrets::OVERLAP_SECONDS,
        signers, trial, work,
    },
};
use patron_delivery::Guarded;
use patron_model::{Failure, Noun, Timestamp, space::Space};
use patron_native::{AttemptOut, DeliveryOut, EndpointOut, ReplayOut};

use super::{explain, line};
use crate::{Deployment, dialects::DIALECTS, open, settings::Settings};

/// List, try out, pause and resume webhook endpoints, and tell them once more what has happened.
#[derive(Debug, Subcommand)]
pub enum WebhookCommand {
    /// List endpoints.
    List {
        /// Number of a space; otherwise all.
        #[arg(long, value_name = "NUMBER")]
        space: Option<i64>,
        /// Print JSON, one endpoint a line.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Show an endpoint and how it fares.
    Show(OneArgs),
    /// Send a made-up customer to an endpoint, and show what came of it.
    Test(OneArgs),
    /// Tell an endpoint nothing for now; it goes on where it stopped.
    Pause(OneArgs),
    /// Go on.
    Resume {
        /// Where to go on: kept, now, or behind a position of the feed.
        #[arg(long, value_name = "WHERE", value_parser = resume_from)]
        from: Option<ResumeFrom>,
        #[command(flatten)]
        one: OneArgs,
    },
    /// Tell an endpoint once more what has happened.
    Replay(ReplayArgs),
    /// List what did not arrive at once, newest first, one JSON document a line.
    Deliveries {
        /// In this state.
        #[arg(long, value_parser = state)]
        state: Option<DeliveryState>,
        /// At most so many.
        #[arg(long, value_name = "NUMBER", default_value = "50")]
        limit: u32,
        #[command(flatten)]
        one: OneArgs,
    },
    /// Make a new key that signs the webhooks of a space by v1a.
    KeyRotate {
        /// Number of the space.
        #[arg(long, value_name = "NUMBER")]
        space: i64,
        /// Seconds that the keys before sign beside it, at most 7 days.
        #[arg(long, value_name = "NUMBER", default_value_t = OVERLAP_SECONDS)]
        overlap_seconds: i64,
        #[command(flatten)]
        deployment: Deployment,
    },
}

/// Which endpoint.
#[derive(Debug, Args)]
pub struct OneArgs {
    /// Number of the endpoint.
    number: i64,
    #[command(flatten)]
    deployment: Deployment,
}

/// What is told once more.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// From this position of the feed on.
    #[arg(long, value_name = "SEQ", required_unless_present = "since")]
    from_seq: Option<i64>,
    /// From this moment on (RFC 3339).
    #[arg(long, value_name = "TIME", conflicts_with = "from_seq", value_parser = moment)]
    since: Option<Timestamp>,
    /// Up to this moment (RFC 3339); up to now otherwise.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Timestamp>,
    /// Only these types.
    #[arg(long, value_name = "TYPES", value_delimiter = ',', value_parser = kind)]
    types: Vec<EventType>,
    /// Only what could not be delivered.
    #[arg(long)]
    only_failed: bool,
    #[command(flatten)]
    one: OneArgs,
}

fn moment(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).map_err(|why| why.to_string())
}

fn kind(text: &str) -> Result<EventType, String> {
    EventType::parse(text).map_err(|why| why.to_string())
}

fn state(word: &str) -> Result<DeliveryState, String> {
    DeliveryState::parse(word).ok_or_else(|| format!("one of {}", DeliveryState::WORDS))
}

fn resume_from(text: &str) -> Result<ResumeFrom, String> {
    match (text, text.parse()) {
        ("kept", _) => Ok(ResumeFrom::Kept),
        ("now", _) => Ok(ResumeFrom::Now),
        (_, Ok(seq)) if seq >= 0 => Ok(ResumeFrom::After(seq)),
        (_, Ok(_) | Err(_)) => Err("kept, now, or a position of the feed".to_owned()),
    }
}

/// Runs the command.
///
/// # Errors
/// When there is no such endpoint, or it cannot be done.
pub async fn run(command: WebhookCommand) -> Result<()> {
    let deployment = match &command {
        WebhookCommand::List { deployment, .. } | WebhookCommand::KeyRotate { deployment, .. } => {
            deployment
        }
        WebhookCommand::Show(one) | WebhookCommand::Test(one) | WebhookCommand::Pause(one) => {
            &one.deployment
        }
        WebhookCommand::Resume { one, .. } | WebhookCommand::Deliveries { one, .. } => {
            &one.deployment
        }
        WebhookCommand::Replay(args) => &args.one.deployment,
    };
    let settings = deployment.settings()?;
    let app = open::existing_app(&settings).await?;
    app.notified_by(DIALECTS.iter().filter_map(|dialect| dialect.webhooks));
    let done = done(&app, command, &settings).await;
    app.store.clone().close().await;
    done
}

async fn done(app: &Arc<App>, command: WebhookCommand, settings: &Settings) -> Result<()> {
    let done = match command {
        WebhookCommand::List { space, json, .. } => list(app, space, json).await,
        WebhookCommand::Show(one) => show(&of(app, one.number).await?, one.number).await,
        WebhookCommand::Test(one) => {
            let client = settings.webhooks.client(Vec::new(), &settings.base_url())?;
            app.carried_by(Box::new(Guarded(client)));
            let cx = of(app, one.number).await?;
            let tried = trial::send(&cx, Id::Number(one.number)).await;
            tried.and_then(|attempt| line(&AttemptOut::of(&attempt)))
        }
        WebhookCommand::KeyRotate { space, overlap_seconds, .. } => {
            key_rotate(app, space, overlap_seconds).await
        }
        WebhookCommand::Pause(one) => enable(app, one.number, false, None).await,
        WebhookCommand::Resume { from, one } => enable(app, one.number, true, from).await,
        WebhookCommand::Replay(args) => replay(&of(app, args.one.number).await?, args).await,
        WebhookCommand::Deliveries { state, limit, one } => {
            let cx = of(app, one.number).await?;
            let asked = Asked { endpoint: Some(one.number), state, ..Asked::default() };
            let query = Query { order: Order::newest_first(), limit, ..Query::of(cx.space) };
            let page = deliveries::list(&cx, &asked, query).await;
            page.and_then(|page| page.items.iter().try_for_each(|one| line(&DeliveryOut::of(one))))
        }
    };
    done.map_err(|failure| explain(&failure))
}

/// The context for an endpoint: it is in one space, whichever that is.
async fn of(app: &Arc<App>, number: i64) -> Result<Cx> {
    let found = work::anywhere(app, number).await.map_err(|failure| explain(&failure))?;
    let endpoint = found.with_context(|| format!("there is no webhook endpoint {number}"))?;
    Ok(app.operator(endpoint.space, "webhook"))
}

async fn list(app: &Arc<App>, space: Option<i64>, json: bool) -> Result<(), Failure> {
    for endpoint in work::all(app).await? {
        if endpoint.is_gone() || space.is_some_and(|space| space != endpoint.space) {
            continue;
        }
        let cx = app.operator(endpoint.space, "webhook");
        let shown = EndpointOut::of(&cx, &endpoint).with_health(&cx).await?;
        if json {
            line(&shown)?;
            continue;
        }
        let behind = shown.health.map_or(0, |health| health.behind);
        let (number, state, space) = (shown.number, shown.state, endpoint.space);
        let types = shown.types.join(",");
        println!("{number:>6} {state:<7} space {space} {} {types}, {behind} behind", shown.url);
    }
    Ok(())
}

async fn show(cx: &Cx, number: i64) -> Result<(), Failure> {
    let endpoint = webhooks::get(cx, Id::Number(number)).await?;
    let shown = EndpointOut::of(cx, &endpoint).with_health(cx).await?;
    super::show(&shown)
}

async fn enable(
    app: &Arc<App>,
    number: i64,
    enabled: bool,
    from: Option<ResumeFrom>,
) -> Result<(), Failure> {
    let endpoint =
        work::anywhere(app, number).await?.ok_or(Failure::NotFound { noun: Noun::Endpoint })?;
    let cx = app.operator(endpoint.space, "webhook");
    let patch = EndpointPatch { enabled: Some(enabled), ..EndpointPatch::default() };
    let saved = webhooks::update(&cx, Id::Number(number), Expect::Any, &patch, from).await?;
    println!("Webhook endpoint {number} is {}.", saved.state.as_str());
    Ok(())
}

async fn key_rotate(app: &Arc<App>, space: i64, overlap_seconds: i64) -> Result<(), Failure> {
    let cx = app.operator(space, "webhook");
    spaces::get::<Space>(&cx, space).await?;
    let key = signers::rotate(&cx, overlap_seconds).await?;
    println!("Webhooks of space {space} are signed by {}.", key.shown());
    Ok(())
}

async fn replay(cx: &Cx, args: ReplayArgs) -> Result<(), Failure> {
    let begin = match (args.since, args.from_seq) {
        (Some(since), _) => Begin::Since(since),
        (None, seq) => Begin::At(seq.unwrap_or(1).max(1)),
    };
    let ReplayArgs { until, types, only_failed, one, .. } = args;
    let new = NewReplay { begin, until, types, only_failed };
    let begun = replays::begin(cx, Id::Number(one.number), &new).await?;
    line(&ReplayOut::of(&begun))
}
