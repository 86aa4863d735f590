//! A deployment of its own with spaces and webhook endpoints.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use clap::Args;
use serde_json::{Value, json};

use super::receiver::{Manner, Receiver};
use crate::{
    connection::Connection,
    program::{Launch, Patron, Program},
    signer::Signer,
};

/// The master key of databases on PostgreSQL, which are thrown away: 32 bytes in base64.
const MASTER_KEY: &str = "qr6wSgSCJQkL9REOj2tuaMqvdwVrh6KuiSVIPlx0rs8=";

/// Where the records are.
#[derive(Debug, Clone, Args)]
pub struct PlaceArgs {
    /// Folder of the database; it must be new.
    #[arg(long, value_name = "DIR", default_value = "target/webhooks-data")]
    data: PathBuf,
    /// URL of an empty PostgreSQL database, instead.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

/// A deployment.
pub struct Place {
    patron: Patron,
    args: PlaceArgs,
    /// Who calls, a space each.
    pub callers: Vec<Signer>,
}

impl Place {
    /// A new one with so many spaces.
    ///
    /// # Errors
    /// When the folder is not new, or a space cannot be made.
    pub fn new(patron: &Patron, args: &PlaceArgs, spaces: usize) -> Result<Place> {
        let is_new = args.database.is_some() || !args.data.join("patron.db").exists();
        ensure!(is_new, "{} is not empty: name another --data", args.data.display());
        let mut place = Place { patron: patron.clone(), args: args.clone(), callers: Vec::new() };
        for n in 0..spaces {
            let made = place.command(&["space", "create", &format!("Space {n}"), "--json"])?;
            let made: Value = serde_json::from_str(&made)?;
            place.callers.push(Signer::new("native", &made)?);
        }
        Ok(place)
    }

    /// What a command of the program on it prints.
    ///
    /// # Errors
    /// When it fails.
    pub fn command(&self, args: &[&str]) -> Result<String> {
        let mut command = self.patron.command()?;
        command.args(args);
        match &self.args.database {
            Some(url) => {
                command.args(["--database", url]).env("PATRON__SECRETS__MASTER_KEY", MASTER_KEY);
            }
            None => {
                command.arg("--data").arg(&self.args.data);
            }
        }
        let done = command.output()?;
        ensure!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    }

    /// A server on it; its webhooks may go to this machine.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn serve(&self) -> Result<Program> {
        let launch: Launch = match &self.args.database {
            Some(url) => self.patron.on_postgres(url, MASTER_KEY)?,
            None => self.patron.on_folder(&self.args.data)?,
        };
        launch.unlimited().set("PATRON__WEBHOOKS__ALLOW", r#"["127.0.0.0/8"]"#).start().await
    }

    /// Makes an endpoint of a space at a receiver; answers its number.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn endpoint(
        &self,
        program: &Program,
        space: usize,
        (receiver, manner): (&Receiver, Manner),
        mut body: Value,
    ) -> Result<i64> {
        let (n, url) = receiver.door(manner);
        body["url"] = json!(url);
        body["types"] = json!(["customer.created"]);
        let made = self.ask(program, space, "POST", "/v1/webhook-endpoints", Some(body)).await?;
        let secret = made["secret"].as_str().context("a secret")?;
        let secret = secret.strip_prefix("whsec_").context("a secret of Standard Webhooks")?;
        receiver.knows(n, BASE64.decode(secret)?);
        made["number"].as_i64().context("a number")
    }

    /// Asks the server as the caller of a space; what it answers well.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ask(
        &self,
        program: &Program,
        space: usize,
        method: &str,
        target: &str,
        body: Option<Value>,
    ) -> Result<Value> {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = self.callers[space].request(method, target, &[], &body);
        let answer = Connection::open(&program.address).await?.ask(&request).await?;
        let json = answer.json();
        ensure!(answer.status < 300, "{method} {target}: {} {json}", answer.status);
        Ok(json)
    }
}
