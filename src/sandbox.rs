//! `patron sandbox`: a server to try things out, with well-known keys and sample customers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use clap::Args;
use patron_app::{
    App, Caller, Expect, Id,
    assignments::{self, Where},
    comments, customers, sign_in,
    users::{self, UserPatch},
};
use patron_gateway::{
    Dialect, Guest, SignRequest,
    dialect::Example,
    provision::{self, KeySource, NewSpace},
};
use patron_model::{
    Failure, Patch, Timestamp, email::Email, permission::Role, space::Space, text::Content,
    user::UserKind,
};
use patron_store::Location;
use serde_json::{Value, json};
use uuid::{Uuid, uuid};

use crate::{
    dialects::DIALECTS,
    files, lock, open, pages, serve,
    settings::{DATABASE_FILE, MailSettings, Settings, TlsSettings, WebhookSettings},
};

/// UUID of the sandbox's space.
const SPACE_UUID: Uuid = uuid!("0192f0c1-5a3d-7c3e-8b5e-5a4db0000001");
/// Address of the sandbox's person, who owns the account.
const PERSON_EMAIL: &str = "owner@sandbox.example";
/// Password of that person.
const PERSON_PASSWORD: &str = "patron sandbox owner";
/// Whom anybody may be in a sandbox.
pub const GUEST: Guest = Guest { email: PERSON_EMAIL, password: PERSON_PASSWORD };
/// Number of the sandbox's space: the first one of its database.
const SPACE_NUMBER: i64 = 1;

/// Start a server to try things out.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// Address and port to listen at.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: String,
    /// Folder of the embedded database.
    #[arg(long, value_name = "DIR", default_value = "patron-sandbox")]
    data: PathBuf,
    /// Print the keys as JSON and exit.
    #[arg(long)]
    print: bool,
    /// Let webhooks go to the public internet too, not only to this machine.
    #[arg(long)]
    allow_outbound: bool,
}

/// Prints the keys, or runs the sandbox until it is told to stop.
///
/// # Errors
/// When it cannot start.
pub async fn run(args: SandboxArgs) -> Result<()> {
    let environment: Vec<(String, String)> = std::env::vars().collect();
    let mut settings = Settings::load(None, &environment)?;
    settings.listen = args.listen;
    settings.base_url = String::new();
    // Everything at one door, in the clear: its lines work as they are printed.
    settings.admin.listen = String::new();
    settings.tls = TlsSettings::default();
    settings.webhooks = WebhookSettings::of_sandbox(args.allow_outbound);
    settings.mail = MailSettings::of_sandbox();
    settings.sinks.clear();
    settings.store.url = format!("sqlite:{}", args.data.display());
    if args.print {
        println!("{}", serde_json::to_string_pretty(&printed(&settings.base_url()))?);
        return Ok(());
    }
    serve::start_log(&settings)?;
    let stop = serve::stop_asked()?;
    let public = serve::listen(&settings).await?;
    settings.listen = public.local_addr()?.to_string();
    let _folder = lock::take(&args.data)?;
    let base_url = settings.base_url();
    let database = args.data.join(DATABASE_FILE);
    if !database.exists() {
        prepare(&settings, &database).await.context("the sandbox cannot be set up")?;
    }
    let app = open::app_to_serve(&settings).await?;
    open::note_base_url(&settings, &app)?;
    app.excuses_owners(true);
    provision(&app, &base_url).await?;
    serve::announce(&settings, app.store.engine());
    let credentials = printed(&base_url);
    let lines = curl_lines(&credentials, &base_url);
    println!("{}", welcome(&credentials, &lines));
    let page = pages::SandboxPage { credentials, lines };
    let doors = serve::Doors { public, tls: None, operations: None };
    serve::serve(&settings, app, doors, Some(page), stop).await
}

/// The credentials of the sandbox, without a look at any database: they are well known.
pub fn credentials(base_url: &str) -> Value {
    provision::well_known(DIALECTS, base_url, SPACE_NUMBER, SPACE_UUID)
}

/// The same with the person's sign-in, as they are printed.
fn printed(base_url: &str) -> Value {
    let mut printed = credentials(base_url);
    printed["person"] = json!({"email": PERSON_EMAIL, "password": PERSON_PASSWORD});
    printed
}

/// Whether a well-known key or person opens this deployment: anybody could.
///
/// # Errors
/// When the store cannot be asked.
pub async fn has_well_known_key(app: &Arc<App>) -> Result<bool> {
    use patron_app::{keys::NewSecret, secrets::same};
    for (number, dialect) in (1..).zip(DIALECTS) {
        let minted = (dialect.credentials.sandbox)();
        let handle = minted.handle.unwrap_or_else(|| i64::to_string(&number));
        let callers = match app.callers(dialect.name, &handle).await {
            Ok(callers) => callers,
            Err(Failure::Unauthenticated { .. }) => continue,
            Err(failure) => anyhow::bail!("the keys cannot be read: {failure:?}"),
        };
        let is_known = |caller: &Caller| match &minted.secret {
            NewSecret::Bearer(secret) => Ok(caller.has_secret(secret)),
            // Sealed with a master key that is not this one: nobody can sign with it.
            NewSecret::Signing(secret) => {
                Ok(caller.signing_secret().is_ok_and(|known| same(known, secret)))
            }
        };
        let opener = callers.who(app, is_known);
        if opener.is_ok_and(|opener| opener.is_some()) {
            return Ok(true);
        }
    }
    let known = sign_in::passwords::is_of(app, PERSON_EMAIL, PERSON_PASSWORD).await;
    known.map_err(|failure| anyhow!("the persons cannot be read: {failure:?}"))
}

/// Sets a new sandbox up under another name, so that a crash leaves it whole or not there at all.
async fn prepare(settings: &Settings, database: &Path) -> Result<()> {
    let unfinished = database.with_extension(format!("db.{}", std::process::id()));
    let location = Location::Sqlite(unfinished.clone());
    let app = open::app_at(settings, &location).await?;
    provision(&app, &settings.base_url()).await?;
    owner(&app).await.map_err(|failure| anyhow!("the sandbox's person: {failure:?}"))?;
    samples(&app).await.map_err(|failure| anyhow!("sample customers: {failure:?}"))?;
    let app = Arc::into_inner(app).context("somebody still uses the store")?;
    app.store.close().await;
    let beside = |end: &str| {
        let mut name = unfinished.clone().into_os_string();
        name.push(end);
        name
    };
    // Closing moved everything into the file; otherwise the file alone would not be whole.
    let left = std::fs::metadata(beside("-wal")).map_or(0, |log| log.len());
    anyhow::ensure!(left == 0, "{} could not be written", unfinished.display());
    // SQLite leaves them where the last connection was one for reading.
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(beside(end));
    }
    Ok(files::finish(&unfinished, database)?)
}

/// Makes account, space and keys where they are not there yet.
async fn provision(app: &Arc<App>, base_url: &str) -> Result<()> {
    let cx = app.operator(0, "sandbox");
    match patron_app::spaces::get::<Space>(&cx, SPACE_NUMBER).await {
        Ok(space) if space.uuid == SPACE_UUID => return Ok(()),
        Ok(_) => anyhow::bail!("this folder holds a real deployment: choose another with --data"),
        Err(Failure::NotFound { .. }) => {}
        Err(failure) => anyhow::bail!("the database cannot be read: {failure:?}"),
    }
    let new = NewSpace {
        name: "Sandbox",
        account: None,
        uuid: Some(SPACE_UUID),
        keys: KeySource::WellKnown,
        default_country: None,
        base_url,
    };
    let made = provision::space(app, DIALECTS, &new).await;
    let made = made.map_err(|failure| anyhow!("the sandbox cannot be set up: {failure:?}"))?;
    anyhow::ensure!(
        made.credentials == credentials(base_url),
        "the sandbox's keys came out otherwise"
    );
    Ok(())
}

/// A person who signs in with a well-known password and owns the account.
async fn owner(app: &Arc<App>) -> Result<(), Failure> {
    let cx = app.operator(0, "sandbox");
    let space = patron_app::spaces::get::<Space>(&cx, SPACE_NUMBER).await?;
    let email = Email::parse(PERSON_EMAIL).map_err(|why| Failure::invalid("email", why))?;
    let patch = UserPatch { email: Patch::Set(email), ..UserPatch::default() };
    let made = users::create(&cx, UserKind::Human, space.account, patch).await?;
    let id = Id::Number(made.number);
    let active = UserPatch { active: Some(true), ..UserPatch::default() };
    let person = users::update(&cx, id, Expect::Any, &active).await?;
    let everywhere = Where::Account { number: space.account, subaccounts: true };
    assignments::grant(&cx, id, Role::Owner.number(), everywhere).await?;
    sign_in::passwords::set(&cx, &person, PERSON_PASSWORD).await
}

/// A handful of customers to look at.
async fn samples(app: &Arc<App>) -> Result<(), Failure> {
    let cx = app.operator(SPACE_NUMBER, "samples");
    let rows = [
        json!({"reference": "shop-1001", "given_name": "Anna", "family_name": "Muster",
            "email": "anna.muster@example.com", "phone": "+41 44 668 18 00", "language": "de-CH",
            "currency": "CHF", "metadata": {"source": "shop", "tier": "gold"},
            "addresses": [{"purpose": "both", "default": true, "given_name": "Anna",
                "family_name": "Muster", "line1": "Bahnhofstrasse 1", "postal_code": "8400",
                "city": "Winterthur", "country": "CH"}]}),
        json!({"reference": "shop-1002", "company_name": "Acme GmbH", "full_name": "Jane Doe",
            "company_registration_number": "HRB 12345", "tax_number": "123456789",
            "email": "jane.doe@acme.example", "phone": "+49 30 901820", "language": "de",
            "currency": "EUR", "title": "Dr",
            "addresses": [
                {"purpose": "billing", "default": true, "line1": "Hauptstr. 1", "postal_code": "10115",
                    "city": "Berlin", "country": "DE"},
                {"purpose": "shipping", "line1": "Lagerweg 7", "postal_code": "14467",
                    "city": "Potsdam", "country": "DE"}]}),
        json!({"reference": "shop-1003", "given_name": "Noor", "family_name": "Haddad",
            "email": "noor@example.org", "phone": "+14235550117", "time_zone": "-05:00",
            "balance": "12.50", "currency": "USD",
            "addresses": [{"purpose": "billing", "line1": "9 Mill St", "city": "Erwin",
                "state": "TN", "postal_code": "37650", "country": "US"}]}),
        json!({"reference": "shop-1004", "full_name": "Awa Ndiaye", "email": "awa@example.org",
            "phone": "+237670000000", "language": "fr", "currency": "XAF",
            "addresses": [{"purpose": "other", "line1": "12 Rue Joss", "city": "Douala",
                "country": "CM"}]}),
        json!({"reference": "shop-1005", "full_name": "Čedomir Žižek", "email": "cedo@example.ba",
            "phone": "+387 36 123 456", "description": "Prefers to be called",
            "status": "inactive", "status_reason": "moved away",
            "addresses": [{"purpose": "billing", "line1": "Braće Fejića 2", "city": "Mostar",
                "postal_code": "88000", "country": "BA"}]}),
    ];
    for row in rows {
        let patch = patron_native::rows::into_patch(row)?;
        let customer = customers::create(&cx, patch).await?;
        if customer.given_name.as_ref().is_some_and(|name| name.as_str() == "Anna") {
            let text = Content::parse("Called back, all good.")
                .map_err(|why| Failure::invalid("content", why))?;
            comments::create(&cx, Id::Number(customer.number), Some(text), true).await?;
        }
    }
    Ok(())
}

/// Lines to paste, by dialect: title and command.
#[derive(Debug, Clone)]
pub struct CurlLine {
    /// Name of the dialect.
    pub dialect: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// The command.
    pub command: String,
}

/// Commands that work when pasted while the sandbox runs, those of our own API first.
pub fn curl_lines(credentials: &Value, base_url: &str) -> Vec<CurlLine> {
    let mut lines = Vec::new();
    let (native, others): (Vec<&Dialect>, Vec<&Dialect>) =
        DIALECTS.iter().partition(|dialect| dialect.name == patron_native::DIALECT.name);
    for dialect in native.into_iter().chain(others) {
        let own = &credentials[dialect.name];
        for example in (dialect.credentials.examples)(own) {
            let command = command(dialect, own, base_url, &example).unwrap_or_default();
            lines.push(CurlLine { dialect: dialect.name, title: example.title, command });
        }
    }
    lines
}

fn command(
    dialect: &Dialect,
    credentials: &Value,
    base_url: &str,
    example: &Example,
) -> Result<String> {
    let mut curl = String::from("curl -sS");
    if example.method != "GET" {
        curl.push_str(&format!(" -X {}", example.method));
    }
    let mut sign = String::new();
    if example.signed {
        let program = program();
        let body = example.body.as_ref();
        let body = body.map(|body| format!(" --body {}", quote(body))).unwrap_or_default();
        sign = format!(
            "{program} sign {} {} {}{body} --base-url {base_url} | ",
            dialect.name,
            example.method,
            quote(&example.target)
        );
        curl.push_str(" -H @-");
    } else {
        let request = SignRequest {
            credentials,
            method: example.method,
            target: &example.target,
            body: example.body.as_deref().unwrap_or_default(),
            now: Timestamp::from_micros(0),
        };
        let headers = (dialect.credentials.sign)(&request).map_err(|f| anyhow!("{f:?}"))?;
        for (name, value) in headers {
            curl.push_str(&format!(" -H {}", quote(&format!("{name}: {value}"))));
        }
    }
    if let Some(body) = &example.body {
        curl.push_str(&format!(
            " -H 'Content-Type: application/json' --data-binary {}",
            quote(body)
        ));
    }
    curl.push_str(&format!(" {}", quote(&format!("{base_url}{}", example.target))));
    Ok(format!("{sign}{curl}"))
}

/// This program as it can be called from here.
fn program() -> String {
    let path = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("patron"));
    let here = std::env::current_dir().unwrap_or_default();
    let short = path.strip_prefix(&here).map(|relative| format!("./{}", relative.display()));
    quote(&short.unwrap_or_else(|_| path.display().to_string()))
}

/// A word for the shell: bare where it is plain, else in single quotes.
fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// What is printed: the keys, and one line to paste for each API; the page has the others.
fn welcome(credentials: &Value, lines: &[CurlLine]) -> String {
    let keys = serde_json::to_string_pretty(credentials).unwrap_or_default();
    let mut text = format!(
        "The sandbox is ready. Its keys (also: patron sandbox --print):\n{keys}\n\n\
         One line to paste for each API:\n"
    );
    let mut shown: Vec<&str> = Vec::new();
    for line in lines {
        if !shown.contains(&line.dialect) {
            shown.push(line.dialect);
            text.push_str(&format!("\n# {}: {}\n{}\n", line.dialect, line.title, line.command));
        }
    }
    text.push_str(&format!(
        "\nA person to sign in as: {PERSON_EMAIL}, password: {PERSON_PASSWORD}\n"
    ));
    let base = credentials["base_url"].as_str().unwrap_or_default();
    text.push_str(&format!("\nA page to look at: {base}/  The reference: {base}/docs"));
    text
}
