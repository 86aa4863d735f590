//! `patron space`: spaces with a key for every API, which there are, whether their keys work.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use clap::{Args, Subcommand};
use patron_app::{
    App, Cx, Expect,
    audit::{self, Act},
    customers,
    documents::{ACCOUNT, KEY, SPACE},
    keys, offboarding,
    record::Loaded,
    search::{After, Field, Filter, Query, customer as fields},
    spaces::{self, SpacePatch},
    users, vault,
};
use patron_gateway::provision::{self, KeySource, NewSpace};
use patron_model::{Failure, Patch, country::Country, space::Space};
use patron_native::{audit_log::ReceiptOut, spaces::SpaceOut};
use patron_store::Part;
use serde_json::{Value, json};

use super::{backup, explain};
use crate::{Deployment, dialects::DIALECTS, open};

/// Spaces read at a time.
const PAGE_SPACES: u32 = 200;

/// Make, list, change and archive spaces, and delete them for good.
#[derive(Debug, Subcommand)]
pub enum SpaceCommand {
    /// Make a space with a key for every API, and show the keys this once.
    Create {
        /// Name of the space (and of the account, when one is made).
        name: String,
        /// Number of an existing account; otherwise a new account is made.
        #[arg(long, value_name = "NUMBER")]
        account: Option<i64>,
        /// Where its customers are at home: national phone numbers are read there (ISO 3166-1).
        #[arg(long, value_name = "COUNTRY")]
        default_country: Option<String>,
        /// Where clients reach the server; otherwise as the settings say.
        #[arg(long, value_name = "URL")]
        base_url: Option<String>,
        /// Print JSON only.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Change a space.
    Update(UpdateArgs),
    /// List spaces.
    List {
        /// Number of an account; otherwise all.
        #[arg(long, value_name = "NUMBER")]
        account: Option<i64>,
        /// Print JSON, one space a line.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Show a space, and how many customers it has.
    Show {
        /// Number of the space.
        number: i64,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Make a space inactive: running servers refuse its keys within half a second, its data stays.
    Archive {
        /// Number of the space.
        number: i64,
        /// Make it active again.
        #[arg(long)]
        undo: bool,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Delete a space for good, with everything in it: export first, receipt in the end.
    Delete(DeleteArgs),
}

/// Change a space.
#[derive(Debug, Args)]
pub struct UpdateArgs {
    /// Number of the space.
    number: i64,
    /// Where its customers are at home: national phone numbers are read there (ISO 3166-1); `none`
    /// leaves them as typed. For customers that are there already: patron reindex.
    #[arg(long, value_name = "COUNTRY")]
    default_country: String,
    #[command(flatten)]
    deployment: Deployment,
}

/// Delete a space for good.
#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// Number of the space.
    number: i64,
    /// File for everything in the space, which `patron restore` reads into an empty database; it
    /// must not exist.
    #[arg(long, value_name = "FILE", required_unless_present_any = ["without_export", "dry_run"])]
    export: Option<PathBuf>,
    /// Keep nothing of it.
    #[arg(long, conflicts_with = "export")]
    without_export: bool,
    /// Say what would go, and delete nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do it.
    #[arg(long, required_unless_present = "dry_run")]
    yes: bool,
    #[command(flatten)]
    deployment: Deployment,
}

/// Runs the command.
///
/// # Errors
/// When the space cannot be made.
pub async fn run(command: SpaceCommand) -> Result<()> {
    let (name, account, country, base_url, json, deployment) = match command {
        SpaceCommand::Create { name, account, default_country, base_url, json, deployment } => {
            let country = default_country.as_deref().map(country).transpose()?;
            (name, account, country, base_url, json, deployment)
        }
        SpaceCommand::Update(args) => return update(args).await,
        SpaceCommand::List { account, json, deployment } => {
            return list(account, json, &deployment).await;
        }
        SpaceCommand::Show { number, deployment } => {
            let app = open::existing_app(&deployment.settings()?).await?;
            let shown = show(&app.operator(0, "space show"), number).await;
            return finish(app, shown).await;
        }
        SpaceCommand::Archive { number, undo, deployment } => {
            let app = open::existing_app(&deployment.settings()?).await?;
            let shown = archive(&app.operator(0, "space archive"), number, !undo).await;
            return finish(app, shown).await;
        }
        SpaceCommand::Delete(args) => return delete(args).await,
    };
    let settings = deployment.settings()?;
    let app = open::app(&settings).await?;
    let base_url = base_url.unwrap_or_else(|| open::base_url(&settings));
    let new = NewSpace {
        name: &name,
        account,
        uuid: None,
        keys: KeySource::Random,
        default_country: country,
        base_url: base_url.trim_end_matches('/'),
    };
    let made = provision::space(&app, DIALECTS, &new).await.map_err(|failure| explain(&failure));
    app.store.clone().close().await;
    let made = made?;
    let number = made.number;
    let shown = serde_json::to_string_pretty(&made.credentials)?;
    if json {
        println!("{shown}");
    } else {
        println!("These secrets are shown once: keep them now.\n{shown}");
        println!("Its number, for import, export and key create: {}", number);
    }
    Ok(())
}

fn country(code: &str) -> Result<Country> {
    Country::parse(code).map_err(|why| anyhow!("--default-country {code}: {why}"))
}

/// Changes a space, and says what it is now.
async fn update(args: UpdateArgs) -> Result<()> {
    let default_country = match args.default_country.as_str() {
        "none" => Patch::Clear,
        code => Patch::Set(country(code)?),
    };
    let app = open::existing_app(&args.deployment.settings()?).await?;
    let patch = SpacePatch { default_country, ..SpacePatch::default() };
    let cx = app.operator(0, "space update");
    let changed = spaces::update_space(&cx, args.number, Expect::Any, patch).await;
    app.store.clone().close().await;
    let space = changed.map_err(|failure| explain(&failure))?;
    match &space.default_country {
        Some(country) => println!("Space {} is at home in {}.", space.number, country.code()),
        None => println!("Space {} is at home nowhere in particular.", space.number),
    }
    if space.event.is_some() {
        println!("Customers that are there already keep how they were read until: patron reindex");
    }
    Ok(())
}

/// Closes the store and prints what is to be shown.
async fn finish(app: Arc<App>, shown: Result<Value>) -> Result<()> {
    app.store.clone().close().await;
    println!("{}", serde_json::to_string_pretty(&shown?)?);
    Ok(())
}

async fn list(account: Option<i64>, json: bool, deployment: &Deployment) -> Result<()> {
    let app = open::existing_app(&deployment.settings()?).await?;
    let listed = all(&app.operator(0, "space list"), account).await;
    app.store.clone().close().await;
    for space in listed? {
        if json {
            println!("{}", described(&space)?);
        } else {
            let (number, made) = (space.number, space.created_at.rfc3339_seconds());
            let (account, state, name) = (space.account, state(&space), space.name.as_str());
            println!("{number:>6}  {state:<8} account {account:<6} made {made}  {name}");
        }
    }
    Ok(())
}

/// All spaces that are not being deleted, or those of an account, by number.
async fn all(cx: &Cx, account: Option<i64>) -> Result<Vec<Loaded<Space>>> {
    let predicate =
        account.map_or(Filter::All, |account| Filter::equal(Field::Column("account"), account));
    let mut query = Query { predicate, limit: PAGE_SPACES, ..Query::of(0) };
    let mut all = Vec::new();
    loop {
        let page = spaces::list::<Space>(cx, query.clone()).await;
        let page = page.map_err(|failure| explain(&failure))?;
        all.extend(page.items);
        query.after = all.last().map(|last| After { keys: Vec::new(), number: last.number });
        if !page.more {
            return Ok(all);
        }
    }
}

/// Whether keys open it.
fn state(space: &Space) -> &'static str {
    if space.archived_at.is_some() { "inactive" } else { "active" }
}

fn described(space: &Space) -> Result<Value> {
    let mut shown = serde_json::to_value(SpaceOut::of(space))?;
    shown["state"] = state(space).into();
    Ok(shown)
}

async fn show(cx: &Cx, number: i64) -> Result<Value> {
    let space = spaces::get::<Space>(cx, number).await.map_err(|failure| explain(&failure))?;
    let customers = customers::count(cx, &[number], &fields::living()).await;
    let mut shown = described(&space)?;
    shown["customers"] = customers.map_err(|failure| explain(&failure))?.into();
    Ok(shown)
}

async fn archive(cx: &Cx, number: i64, archived: bool) -> Result<Value> {
    let patch = SpacePatch { archived: Some(archived), ..SpacePatch::default() };
    let saved = spaces::update_space(cx, number, Expect::Any, patch).await;
    described(&saved.map_err(|failure| explain(&failure))?.record)
}

/// Deletes a space, and prints the receipt.
async fn delete(args: DeleteArgs) -> Result<()> {
    let app = open::existing_app(&args.deployment.settings()?).await?;
    let done = deleted(&app, &args).await;
    app.store.clone().close().await;
    let shown = done?;
    println!("{}", serde_json::to_string_pretty(&shown)?);
    Ok(())
}

async fn deleted(app: &Arc<App>, args: &DeleteArgs) -> Result<Value> {
    let cx = app.operator(0, "space delete");
    let number = args.number;
    let failed = |failure: Failure| explain(&failure);
    if args.dry_run {
        let leaving = offboarding::look(&cx, number).await.map_err(failed)?;
        return Ok(json!({"space": number, "counts": leaving.counts, "keys": leaving.keys}));
    }
    let sha256 = match &args.export {
        Some(file) => Some(export(app, &cx, number, file).await?),
        None => None,
    };
    match offboarding::begin(&cx, number, Expect::Any, sha256).await {
        // One that was interrupted goes on; any other does not exist.
        Ok(_) | Err(Failure::NotFound { .. }) => {}
        Err(failure) => return Err(failed(failure)),
    }
    let receipt = offboarding::finish(&cx, number).await.map_err(failed)?;
    let mut shown = serde_json::to_value(ReceiptOut::of(&receipt))?;
    shown["space"] = number.into();
    Ok(shown)
}

/// Closes the space, so that nothing is written to it any more, and writes everything in it to a
/// file: with its account and its keys, so that it works when it is restored.
async fn export(app: &Arc<App>, cx: &Cx, number: i64, file: &Path) -> Result<String> {
    let failed = |failure: Failure| explain(&failure);
    anyhow::ensure!(!file.exists(), "{} exists already; nothing is overwritten", file.display());
    let space = spaces::get::<Space>(cx, number).await.map_err(failed)?;
    let patch = SpacePatch { archived: Some(true), ..SpacePatch::default() };
    spaces::update_space(cx, number, Expect::Any, patch).await.map_err(failed)?;
    // Servers remember whom they let in for half of this.
    tokio::time::sleep(keys::REMEMBERED * 2).await;
    let doc = serde_json::to_string(&space.record)?;
    let mut with = vec![(ACCOUNT.name, space.account, None), (SPACE.name, number, Some(doc))];
    let all = keys::list(cx, Some(space.account)).await.map_err(failed)?;
    let of_space: Vec<_> = all.iter().filter(|key| key.space == number).collect();
    let keys: Vec<i64> = of_space.iter().map(|key| key.number).collect();
    let mut holders: Vec<i64> = of_space.iter().map(|key| key.user).collect();
    holders.sort_unstable();
    holders.dedup();
    let holders = users::records_of(app, &holders, &space).await.map_err(failed)?;
    with.extend(holders.into_iter().map(|(kind, number)| (kind, number, None)));
    with.extend(keys.iter().map(|key| (KEY.name, *key, None)));
    let secrets = vault::records_of(app, &keys).await.map_err(failed)?;
    with.extend(secrets.into_iter().map(|(kind, number)| (kind, number, None)));
    let act = Act {
        action: "space.exported".to_owned(),
        account: Some(space.account),
        space: Some(number),
        ..Act::default()
    };
    audit::note(cx, act).await.map_err(failed)?;
    let part = Part { tenant: number, with };
    let dump = async |out: &mut backup::Out| Ok(app.store.dump_part(&part, &mut **out).await?);
    let summary = backup::write(file, backup::Compression::of(file), dump);
    Ok(summary.await.context("nothing was deleted")?.sha256)
}
