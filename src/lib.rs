//! `patron`: the server and the commands of its operator. As a library it is what measures the
//! program from outside and has to fill a database first: the APIs, settings, an open deployment.

mod commands;
pub mod console;
pub mod dialects;
mod files;
mod lock;
mod master_key;
pub mod open;
mod operator;
mod pages;
mod reference;
mod sandbox;
mod serve;
pub mod settings;
mod telemetry;
mod tls;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::settings::Settings;

/// One customer record, every payment API.
#[derive(Debug, Parser)]
#[command(name = "patron", version, about, long_about = LONG_ABOUT, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const LONG_ABOUT: &str = "\
Patron keeps the customers of a business and answers in the wire formats of several payment \
providers as well as in its own REST API, over one and the same record.";

const EXAMPLES: &str = "\
Examples:
  patron sandbox                              try it: sample customers, well-known keys, curl lines
  patron space create \"My shop\" --data ./data --json   a space with a key for every API
  patron serve --data ./data                  the real thing
  patron import customers.csv --space 1 --data ./data
  patron backup patron.backup --data ./data";

/// Which deployment a command is for.
#[derive(Debug, Clone, Args)]
pub struct Deployment {
    /// Settings file; patron.toml in this folder when there is one.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of the embedded database; wins over the settings.
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "database")]
    data: Option<PathBuf>,
    /// URL of a PostgreSQL database; wins over the settings.
    #[arg(long, global = true, value_name = "URL")]
    database: Option<String>,
}

impl Deployment {
    /// The settings of the deployment.
    ///
    /// # Errors
    /// When they are not understood.
    pub fn settings(&self) -> Result<Settings> {
        let environment: Vec<(String, String)> = std::env::vars().collect();
        let mut settings = Settings::load(self.config.as_deref(), &environment)?;
        if let Some(data) = &self.data {
            settings.store.url = format!("sqlite:{}", data.display());
        }
        if let Some(url) = &self.database {
            settings.store.url = url.clone();
        }
        settings.location()?;
        Ok(settings)
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a server to try things out: well-known keys and sample customers on an embedded file.
    Sandbox(sandbox::SandboxArgs),
    /// Start the server.
    Serve(serve::ServeArgs),
    /// Make, list and archive spaces, and delete them for good.
    #[command(subcommand)]
    Space(commands::space::SpaceCommand),
    /// Make, list and revoke single keys.
    #[command(subcommand)]
    Key(commands::key::KeyCommand),
    /// Make, list, change, archive and delete accounts.
    #[command(subcommand)]
    Account(commands::account::AccountCommand),
    /// Make, list and stop people who work here, and applications, and say which roles they hold.
    #[command(subcommand)]
    User(commands::user::UserCommand),
    /// Make, list, change and delete roles of accounts.
    #[command(subcommand)]
    Role(commands::role::RoleCommand),
    /// List the permissions there are to give, or what a user may do and where.
    Permissions(commands::permissions::PermissionsArgs),
    /// Import customers from a CSV, XLSX or NDJSON file, and bring those that are there up to date.
    Import(commands::import::ImportArgs),
    /// Export customers to an NDJSON or CSV file.
    Export(commands::export::ExportArgs),
    /// Write everything, or what changed since an earlier backup, as of one moment, to a file; the
    /// server may go on.
    Backup(commands::backup::BackupArgs),
    /// Read a backup and its increments into an empty database, of either engine, up to a moment,
    /// and verify it.
    Restore(commands::restore::RestoreArgs),
    /// Show, follow or export the audit trail.
    Audit(commands::audit::AuditArgs),
    /// List, try out, pause and resume webhook endpoints, and have them told once more.
    #[command(subcommand)]
    Webhook(commands::webhook::WebhookCommand),
    /// Show what happens in a space, or what has happened.
    Events(commands::events::EventsArgs),
    /// List sinks of events, and let them go on after a restore.
    #[command(subcommand)]
    Sink(commands::sink::SinkCommand),
    /// Bring events to a program on this machine as signed webhooks, as they happen.
    Listen(commands::listen::ListenArgs),
    /// Let go of what deleted records left in the data file, so that no byte of them remains.
    Compact(commands::backup::CompactArgs),
    /// Look for damage: the file itself, documents, the journal, search terms.
    Check(commands::backup::CheckArgs),
    /// Bring the tables to this version's shape (the server does so at every start).
    Migrate(commands::backup::MigrateArgs),
    /// Make anew what customers are found by and shown as; the server may go on.
    Reindex(commands::reindex::ReindexArgs),
    /// Show or check the settings.
    #[command(subcommand)]
    Config(commands::config::ConfigCommand),
    /// Look at what the deployment stands on, from settings to backups, and say what to do.
    Doctor(commands::doctor::DoctorArgs),
    /// Print the headers that sign a request, for use with curl.
    Sign(commands::sign::SignArgs),
    /// Print what a shell needs to complete command lines.
    Completions(commands::manual::CompletionsArgs),
    /// Print the manual page, or write one for every command to a folder.
    Manual(commands::manual::ManualArgs),
}

/// Does what the command line says, and says in one line what kept it from being done.
pub async fn run() -> ExitCode {
    files::keep_others_out();
    match done(Cli::parse().command).await {
        Ok(code) => code,
        Err(error) => {
            // One line, whatever it is made of.
            let said = format!("{error:#}");
            let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
            eprintln!("Error: {}", lines.collect::<Vec<_>>().join(" "));
            ExitCode::FAILURE
        }
    }
}

async fn done(command: Command) -> Result<ExitCode> {
    let done = match command {
        Command::Sandbox(args) => sandbox::run(args).await,
        Command::Serve(args) => serve::run(args).await,
        Command::Space(command) => commands::space::run(command).await,
        Command::Key(command) => commands::key::run(command).await,
        Command::Account(command) => commands::account::run(command).await,
        Command::User(command) => commands::user::run(command).await,
        Command::Role(command) => commands::role::run(command).await,
        Command::Permissions(args) => commands::permissions::run(args).await,
        Command::Import(args) => commands::import::run(args).await,
        Command::Export(args) => commands::export::run(args).await,
        Command::Backup(args) => commands::backup::backup(args).await,
        Command::Restore(args) => commands::restore::run(args).await,
        Command::Audit(args) => commands::audit::run(args).await,
        Command::Webhook(command) => commands::webhook::run(command).await,
        Command::Sink(command) => commands::sink::run(command).await,
        Command::Events(args) => commands::events::run(args).await,
        Command::Listen(args) => commands::listen::run(args).await,
        Command::Compact(args) => commands::backup::compact(args).await,
        Command::Check(args) => commands::backup::check(args).await,
        Command::Migrate(args) => commands::backup::migrate(args).await,
        Command::Reindex(args) => commands::reindex::run(args).await,
        Command::Config(command) => commands::config::run(&command).await,
        Command::Doctor(args) => return commands::doctor::run(args).await,
        Command::Sign(args) => commands::sign::run(&args),
        Command::Completions(args) => commands::manual::completions(&args, Cli::command()),
        Command::Manual(args) => commands::manual::manual(&args, Cli::command()),
    };
    done.map(|()| ExitCode::SUCCESS)
}
