//! `patron key rotate-master`: another master key, everything sealed anew, while servers go on.
//! Killed at any moment it goes on where it stopped when it is run again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use clap::Args;
use patron_app::{
    App,
    audit::{self, Act},
    keyring::{self, Master},
    secrets::MasterKey,
};
use patron_store::Store;

use super::explain;
use crate::{
    Deployment, files,
    master_key::{self, Source},
    open,
    settings::{DATABASE_FILE, Settings},
};

/// Data files up to this size are written anew at once, so that nothing is left of what the old key
/// opened; others' writes wait meanwhile, which they should not notice.
const SCRUB_BYTES_MAX: u64 = 64 << 20;

/// Change the master key.
#[derive(Debug, Args)]
pub struct RotateArgs {
    /// File with the new key (32 random bytes in base64), where the settings name the key. Not
    /// needed with master.key beside the data: then the new key is made.
    #[arg(long, value_name = "FILE")]
    new_key_file: Option<PathBuf>,
    /// The old key is lost for good: give up what it sealed. Keys that sign must be made anew,
    /// saved cards are no longer recognised, access tokens end. Stop the servers first.
    #[arg(long)]
    lost: bool,
    #[command(flatten)]
    deployment: Deployment,
}

/// Changes the master key.
///
/// # Errors
/// When the present key does not open the data, or the new one is weak or unreadable.
pub async fn run(args: RotateArgs) -> Result<()> {
    let settings = args.deployment.settings()?;
    let source = Source::of(&settings)?;
    let store = open::store(&settings).await?;
    if args.lost {
        return start_over(store, source).await;
    }
    // A weak one too: this is the way to leave it.
    let current = source.read().await?;
    let app = open::unlock(store, Master::fixed(current.clone()), &source.name()).await?;
    let done = rotate(&app, &settings, &source, &current, args.new_key_file.as_deref()).await;
    app.store.clone().close().await;
    done
}

async fn rotate(
    app: &Arc<App>,
    settings: &Settings,
    source: &Source,
    current: &MasterKey,
    new_key_file: Option<&Path>,
) -> Result<()> {
    let data = settings.folder().map(|folder| folder.join(DATABASE_FILE));
    let bytes = data.and_then(|file| std::fs::metadata(file).ok()).map_or(0, |file| file.len());
    let names = app.master_keys().await.map_err(|failure| explain(&failure))?;
    if names.len() > 1 && names.last() == Some(&current.id()) {
        end(app, current, bytes).await?;
        println!("The change to this master key is finished: the old one opens nothing any more.");
        return Ok(());
    }
    let (new, kept) = match (source, new_key_file) {
        (Source::Kept(path), None) => {
            let next = master_key::next_of(path);
            if !next.exists() {
                ensure!(
                    names.len() == 1,
                    "a change to another master key is under way, but {} is missing: put it back",
                    next.display()
                );
                master_key::make(&next)?;
            }
            (master_key::from_file(&next)?, Some((next, path)))
        }
        (Source::Kept(_), Some(_)) => {
            bail!("with master.key beside the data the new key is made: leave --new-key-file out")
        }
        (_, Some(file)) => (master_key::from_file(file)?, None),
        (_, None) if names.len() > 1 => bail!(
            "a change to another master key is under way: set that one in {}, or go on with \
             --new-key-file",
            source.name()
        ),
        (_, None) => {
            println!(
                "This master key alone opens the data. To change it give the new one with \
                 --new-key-file."
            );
            return Ok(());
        }
    };
    ensure!(new.id() != current.id(), "the new master key is the present one");
    if let [_, under_way] = names.as_slice() {
        ensure!(*under_way == new.id(), "a change to yet another master key is under way");
    }
    tell(app, "master_key.rotating").await?;
    app.begin_rotation(&new).await.map_err(|failure| explain(&failure))?;
    let count = app.reseal().await.map_err(|failure| explain(&failure))?;
    match kept {
        Some((next, path)) => {
            files::replace(&next, path)?;
            end(app, &new, bytes).await?;
            println!("{count} secrets are sealed anew. The old master key opens nothing any more.");
            println!("Keep a copy of the new {} outside this folder.", path.display());
        }
        None => println!(
            "{count} secrets are sealed anew, and both master keys open them. Now put the new key \
             into {} on every node, and start those anew that have it in a setting. Then run this \
             command once more with the new key set: it ends the old one.",
            source.name()
        ),
    }
    Ok(())
}

/// Tells the audit trail.
async fn tell(app: &Arc<App>, action: &str) -> Result<()> {
    let act = Act { action: action.to_owned(), ..Act::default() };
    let told = audit::note(&app.operator(0, "key rotate-master"), act).await;
    told.map_err(|failure| explain(&failure))
}

async fn end(app: &Arc<App>, new: &MasterKey, bytes: u64) -> Result<()> {
    app.end_rotation(new).await.map_err(|failure| explain(&failure))?;
    tell(app, "master_key.rotated").await?;
    if bytes <= SCRUB_BYTES_MAX {
        app.store.compact().await?;
    } else {
        println!(
            "Parts of the data file that are free may hold what the old key opened until they are \
             used again."
        );
    }
    Ok(())
}

/// New data keys under a new master key, without those of before.
async fn start_over(store: Store, source: Source) -> Result<()> {
    if let (Source::Kept(path), true) = (&source, source.is_missing()) {
        master_key::make(path)?;
    }
    let key = source.read().await?;
    master_key::refuse_weak(&key, &source.name())?;
    let given_up = keyring::start_over(&store, &key).await.map_err(|failure| explain(&failure))?;
    let name = source.name();
    let app = open::unlock(store, source.master(key), &name).await?;
    let told = tell(&app, "master_key.given_up").await;
    app.store.clone().close().await;
    told?;
    println!("{given_up} secrets are given up: make those keys anew (patron key list).");
    Ok(())
}
