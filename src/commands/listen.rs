//! `patron listen`: brings what webhook endpoints are told to a program on a developer's machine.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue};
use patron_app::Clock;
use patron_outbound::{Client, Target};
use serde::Deserialize;
use serde_json::Value;

use super::{
    events,
    remote::{Remote, RemoteArgs, client},
    sse::Event,
};

/// How long a request to the program may take.
const WITHIN: Duration = Duration::from_secs(30);

/// Bring events to a program on this machine as signed webhooks, as they happen.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  patron listen --forward-to http://localhost:3000/webhooks")]
pub struct ListenArgs {
    /// Where requests are posted to.
    #[arg(long, value_name = "URL")]
    forward_to: String,
    /// What to bring, like customer.updated or customer.*; may be a list.
    #[arg(long, value_name = "TYPES")]
    types: Option<String>,
    /// The API whose webhooks they are.
    #[arg(long, value_name = "API", default_value = "native")]
    dialect: String,
    /// Begin behind this position of the feed, or with what happens from now on.
    #[arg(long, value_name = "now|SEQ", value_parser = events::from, default_value = "now")]
    from: String,
    /// Print the bodies too.
    #[arg(long)]
    print: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// A request as the server wants it posted.
#[derive(Deserialize)]
struct Posted {
    id: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// Runs the command.
///
/// # Errors
/// When the URL is none, or the server refuses it.
pub async fn run(args: ListenArgs) -> Result<()> {
    let to = client(&args.forward_to).context("--forward-to")?;
    let target =
        to.check(&args.forward_to).with_context(|| format!("--forward-to: {}", args.forward_to))?;
    let is_word = args.dialect.bytes().all(|byte| byte.is_ascii_alphanumeric());
    anyhow::ensure!(is_word, "--dialect: the name of an API");
    let types = events::types(args.types.as_deref())?;
    let query = format!("/v1/events?as=delivery&dialect={}&{}{types}", args.dialect, args.from);
    let remote = Remote::new(&args.remote)?;
    let mut is_said = false;
    remote
        .follow(&query, async |event| {
            if event.name != "hello" {
                return pass_on(&to, &target, event, args.print).await.map(|()| true);
            }
            // Each time the stream is opened; it stays the same.
            if !std::mem::replace(&mut is_said, true) {
                let hello: Value = serde_json::from_str(&event.data)?;
                println!("Events of space {} go to {}", hello["space"], target.as_str());
                match (hello["secret"].as_str(), hello["key"].as_str()) {
                    (Some(secret), _) => println!("Signed with {secret}"),
                    (None, Some(key)) => println!("Signed with the key {key} of the space"),
                    (None, None) => println!("Not signed: that API does not"),
                }
                std::io::stdout().flush()?;
            }
            Ok(true)
        })
        .await
}

/// Posts one, once, whatever comes of it.
async fn pass_on(to: &Client, target: &Target, event: &Event, prints: bool) -> Result<()> {
    let posted: Posted = serde_json::from_str(&event.data)?;
    let mut headers = HeaderMap::new();
    for (name, value) in &posted.headers {
        headers.insert(name.parse::<HeaderName>()?, HeaderValue::from_str(value)?);
    }
    let started = Instant::now();
    let body = Bytes::from(posted.body.clone());
    let outcome = match to.post(target, &headers, body, WITHIN).await {
        Ok(answer) => answer.status.to_string(),
        Err(fault) => fault.as_str().to_owned(),
    };
    let (at, ms) = (Clock::System.now().rfc3339_seconds(), started.elapsed().as_millis());
    println!("{at} {:<24} {} → {outcome} in {ms} ms", event.name, posted.id);
    if prints {
        println!("{}", posted.body);
    }
    Ok(std::io::stdout().flush()?)
}
