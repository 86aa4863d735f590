//! A server as commands talk to it: by its URL and a key, as any client does.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use bytes::Bytes;
use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use patron_app::Clock;
use patron_gateway::SignRequest;
use patron_outbound::{Allowed, Client, Guard, NewClient, Pieces, names::Names};
use serde_json::Value;

use super::sse::{Event, Parser};
use crate::sandbox;

/// What these commands call themselves.
const USER_AGENT: &str = "Patron-Command/1";
/// Pauses before a stream that broke off is opened anew; the last one for all that follow.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(10),
    Duration::from_secs(30),
];
/// How long nothing may come: the server says something every 15 seconds.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of a refusal that are shown.
const REFUSAL_BYTES_MAX: usize = 4 * 1024;

/// Which server, and who asks.
#[derive(Debug, Clone, Args)]
pub struct RemoteArgs {
    /// Where the server answers.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Credentials as `patron space create --json` printed them; the sandbox's otherwise.
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// Number of a space, for keys that open several.
    #[arg(long, value_name = "NUMBER")]
    space: Option<i64>,
}

/// A server.
pub struct Remote {
    client: Client,
    base_url: String,
    credentials: Value,
    space: Option<i64>,
}

impl Remote {
    /// The server that was named.
    ///
    /// # Errors
    /// When the credentials cannot be read.
    pub fn new(args: &RemoteArgs) -> Result<Remote> {
        let base_url = args.url.trim_end_matches('/').to_owned();
        let credentials = match &args.credentials {
            Some(file) => {
                let text = std::fs::read_to_string(file);
                let text = text.with_context(|| format!("{} cannot be read", file.display()))?;
                serde_json::from_str(&text)
                    .with_context(|| format!("{}: no credentials", file.display()))?
            }
            None => sandbox::credentials(&base_url),
        };
        let client = client(&base_url)?;
        Ok(Remote { client, base_url, credentials, space: args.space })
    }

    async fn open(&self, target: &str, more: &[(&str, &str)]) -> Result<Opened> {
        let request = SignRequest {
            credentials: &self.credentials["native"],
            method: Method::GET.as_str(),
            target,
            body: "",
            now: Clock::System.now(),
        };
        let signed = (patron_native::DIALECT.credentials.sign)(&request);
        let signed = signed
            .map_err(|failure| anyhow!("these credentials cannot sign: {}", failure.name()))?;
        let mut headers = HeaderMap::new();
        let mut add = |name: &str, value: &str| -> Result<()> {
            headers.insert(name.parse::<HeaderName>()?, HeaderValue::from_str(value)?);
            Ok(())
        };
        for (name, value) in &signed {
            add(name, value)?;
        }
        for (name, value) in more {
            add(name, value)?;
        }
        if let Some(space) = self.space {
            add("patron-space", &space.to_string())?;
        }
        let url = format!("{}{target}", self.base_url);
        let url = self.client.check(&url).with_context(|| format!("--url: {url}"))?;
        let opened = self.client.open(Method::GET, &url, headers, Bytes::new()).await;
        match opened {
            Err(fault) => Ok(Opened::Later(fault.as_str().to_owned())),
            Ok((StatusCode::OK, pieces)) => Ok(Opened::Stream(pieces)),
            Ok((status, mut pieces)) => {
                let text = read(&mut pieces, REFUSAL_BYTES_MAX).await;
                let problem: Value = serde_json::from_slice(&text).unwrap_or_default();
                let said = format!("{status}: {}", said(&problem));
                let is_for_now = status.is_server_error() || status.as_u16() == 429;
                if is_for_now { Ok(Opened::Later(said)) } else { bail!("the server says {said}") }
            }
        }
    }

    /// Reads a JSON document.
    ///
    /// # Errors
    /// When the server is not there, or refuses it.
    pub async fn get(&self, target: &str) -> Result<Value> {
        match self.open(target, &[]).await? {
            Opened::Stream(mut pieces) => {
                Ok(serde_json::from_slice(&read(&mut pieces, ANSWER_BYTES_MAX).await)?)
            }
            Opened::Later(why) => bail!("{} does not answer: {why}", self.base_url),
        }
    }

    /// Reads a stream, opened anew whenever it breaks off, until what takes the events says that
    /// it has enough.
    ///
    /// # Errors
    /// When the server refuses it, or what takes the events fails.
    pub async fn follow(
        &self,
        target: &str,
        mut take: impl AsyncFnMut(&Event) -> Result<bool>,
    ) -> Result<()> {
        let (mut after, mut failed) = (None, 0);
        loop {
            let mut headers = vec![("accept", "text/event-stream")];
            headers.extend(after.as_deref().map(|after| ("last-event-id", after)));
            let why = match self.open(target, &headers).await? {
                Opened::Later(why) => why,
                Opened::Stream(mut pieces) => {
                    let mut parser = Parser::default();
                    loop {
                        let piece = match tokio::time::timeout(SILENCE_MAX, pieces.next()).await {
                            Ok(Some(Ok(piece))) => piece,
                            // It is closed now and then.
                            Ok(None) => break "closed".to_owned(),
                            Ok(Some(Err(fault))) => break fault.as_str().to_owned(),
                            Err(_) => break "silent".to_owned(),
                        };
                        failed = 0;
                        for event in parser.take(&piece)? {
                            if event.has_data() && !take(&event).await? {
                                return Ok(());
                            }
                            after = event.id.or(after);
                        }
                    }
                }
            };
            let pause = PAUSES[failed.min(PAUSES.len() - 1)];
            if failed > 0 {
                eprintln!("{} ({why}); again in {} s", self.base_url, pause.as_secs());
            }
            failed += 1;
            tokio::time::sleep(pause).await;
        }
    }
}

/// What a problem document says, in a line.
fn said(problem: &Value) -> String {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let errors = problem["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let faults: Vec<String> = errors
        .iter()
        .map(|fault| {
            let place = ["pointer", "parameter", "header"].map(|name| text(&fault[name]));
            let place = place.into_iter().flatten().next().unwrap_or_default();
            format!("{place}: {}", text(&fault["detail"]).unwrap_or_default())
        })
        .collect();
    match faults.is_empty() {
        false => faults.join("; "),
        true => text(&problem["detail"]).or(text(&problem["title"])).unwrap_or_default(),
    }
}

/// So many bytes of an answer, or all there are.
async fn read(pieces: &mut Pieces, most: usize) -> Vec<u8> {
    let mut text = Vec::new();
    while text.len() < most
        && let Some(Ok(piece)) = pieces.next().await
    {
        text.extend_from_slice(&piece);
    }
    text
}

/// What came of opening a stream.
enum Opened {
    Stream(Pieces),
    /// Not now, and why.
    Later(String),
}

/// A client for a URL that was typed: whoever types it may reach what he names.
///
/// # Errors
/// When it is no URL.
pub fn client(url: &str) -> Result<Client> {
    let uri: Uri = url.parse().with_context(|| format!("{url} is no URL"))?;
    let host = uri.host().with_context(|| format!("{url} names no host"))?;
    let everywhere = ["0.0.0.0/0", "::/0", host.trim_matches(['[', ']'])];
    let guard = Guard {
        allow: everywhere.into_iter().filter_map(Allowed::parse).collect(),
        http: true,
        ..Guard::default()
    };
    let new = NewClient { guard, names: Names::of_system(), ca: None, user_agent: USER_AGENT };
    Client::new(new).map_err(|why| anyhow!("{why}"))
}
