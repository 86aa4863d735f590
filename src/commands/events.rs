//! `patron events`: what happens in a space, line by line.

use std::io::Write as _;

use anyhow::Result;
use clap::Args;

use super::remote::{Remote, RemoteArgs};

/// Show what happens in a space, one JSON document a line.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  patron events --follow --types customer.* --from 0 | jq .type")]
pub struct EventsArgs {
    /// Go on with what happens from now on, until it is stopped.
    #[arg(long)]
    follow: bool,
    /// What to show, like customer.updated or customer.*; may be a list.
    #[arg(long, value_name = "TYPES")]
    types: Option<String>,
    /// Number of the record that events hang on.
    #[arg(long, value_name = "NUMBER")]
    subject: Option<i64>,
    /// Begin behind this position of the feed, or with what happens from now on.
    #[arg(long, value_name = "now|SEQ", value_parser = from, default_value = "0")]
    from: String,
    /// Show customers as they were after each change.
    #[arg(long)]
    records: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Where a stream begins, as a part of its query.
pub fn from(text: &str) -> Result<String, String> {
    match text.parse::<i64>() {
        Ok(seq) if seq >= 0 => Ok(format!("after={seq}")),
        _ if text == "now" => Ok("from=now".to_owned()),
        Ok(_) | Err(_) => Err("now, or a position of the feed".to_owned()),
    }
}

/// Types as a part of a query: nothing in them has a meaning there.
pub fn types(types: Option<&str>) -> Result<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._*,".contains(&byte);
    match types {
        None => Ok(String::new()),
        Some(types) if types.bytes().all(is_plain) => Ok(format!("&types={types}")),
        Some(_) => anyhow::bail!("--types: like customer.updated,comment.*"),
    }
}

/// Runs the command.
///
/// # Errors
/// When the server refuses it.
pub async fn run(args: EventsArgs) -> Result<()> {
    let mut rest = types(args.types.as_deref())?;
    if let Some(subject) = args.subject {
        rest.push_str(&format!("&subject={subject}"));
    }
    if args.records {
        rest.push_str("&expand=record");
    }
    let remote = Remote::new(&args.remote)?;
    if !args.follow {
        return pages(&remote, &args.from, &rest).await;
    }
    let target = format!("/v1/events?{}{rest}", args.from);
    let mut out = std::io::stdout();
    remote
        .follow(&target, async |event| {
            // Whoever reads it may have gone.
            Ok(writeln!(out, "{}", event.data).and_then(|()| out.flush()).is_ok())
        })
        .await
}

/// What has happened so far.
async fn pages(remote: &Remote, from: &str, rest: &str) -> Result<()> {
    let mut from = from.to_owned();
    loop {
        let page = remote.get(&format!("/v1/events?{from}{rest}")).await?;
        for event in page["data"].as_array().map(Vec::as_slice).unwrap_or_default() {
            println!("{event}");
        }
        if page["has_more"] != true {
            return Ok(());
        }
        from = format!("after={}", page["next"]);
    }
}
