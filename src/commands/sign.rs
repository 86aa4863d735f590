//! `patron sign`: the headers that sign a request, for `curl -H @-`.

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};
use clap::Args;
use patron_app::Clock;
use patron_gateway::SignRequest;
use serde_json::Value;

use crate::{dialects::DIALECTS, sandbox};

/// Print the headers that sign a request.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  patron sign native GET /v1/customers | curl -H @- http://127.0.0.1:8080/v1/customers"
)]
pub struct SignArgs {
    /// The API.
    dialect: String,
    /// Method of the request.
    method: String,
    /// Path and query exactly as they will be sent.
    target: String,
    /// Body exactly as it will be sent.
    #[arg(long, default_value = "")]
    body: String,
    /// Credentials as `patron space create --json` printed them; the sandbox's otherwise.
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// Where the server answers.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    base_url: String,
}

/// Prints the headers, one a line.
///
/// # Errors
/// When the API is unknown or the credentials do not fit.
pub fn run(args: &SignArgs) -> Result<()> {
    let dialect = DIALECTS
        .iter()
        .find(|known| known.name == args.dialect)
        .with_context(|| format!("no API is called {}", args.dialect))?;
    let credentials: Value = match &args.credentials {
        Some(file) => serde_json::from_str(
            &std::fs::read_to_string(file)
                .with_context(|| format!("{} cannot be read", file.display()))?,
        )?,
        None => sandbox::credentials(&args.base_url),
    };
    let request = SignRequest {
        credentials: &credentials[dialect.name],
        method: &args.method.to_ascii_uppercase(),
        target: &args.target,
        body: &args.body,
        now: Clock::System.now(),
    };
    let headers = (dialect.credentials.sign)(&request)
        .map_err(|failure| anyhow!("these credentials cannot sign: {}", failure.name()))?;
    for (name, value) in headers {
        println!("{name}: {value}");
    }
    Ok(())
}
