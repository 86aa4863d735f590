//! Opening the deployment that the settings name: store, master key, app.

use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use patron_app::{
    App, Clock,
    documents::KINDS,
    keyring::{self, Locked, Master},
    sign_in,
};
use patron_store::{Location, Store};

use crate::{
    commands::explain,
    dialects, files,
    master_key::{self, Source},
    operator,
    settings::Settings,
};

/// File that says where the server of a folder answers, for commands beside it.
const BASE_URL_FILE: &str = "base_url";

/// Notes where the server of this folder answers, for signing in and for commands beside it.
///
/// # Errors
/// When the folder cannot be written.
pub fn note_base_url(settings: &Settings, app: &App) -> Result<()> {
    app.signs_in_by(sign_in::Options { base_url: settings.base_url() });
    app.mails_go(settings.mail.transport());
    match settings.folder() {
        Some(folder) => Ok(files::write(&folder.join(BASE_URL_FILE), &settings.base_url())?),
        None => Ok(()),
    }
}

/// Where the server of a deployment answers: as the settings say, else as it noted itself.
pub fn base_url(settings: &Settings) -> String {
    let noted = settings.folder().map(|folder| folder.join(BASE_URL_FILE));
    let noted = noted.and_then(|file| std::fs::read_to_string(file).ok());
    // A crash may have left it empty.
    let noted = noted.filter(|noted| !noted.is_empty());
    match noted {
        Some(noted) if settings.base_url.is_empty() => noted,
        _ => settings.base_url(),
    }
}

/// Opens store and secrets; makes the deployment where there is none.
///
/// # Errors
/// When the store cannot be opened or the master key is missing, weak, or not the one of this data.
pub async fn app(settings: &Settings) -> Result<Arc<App>> {
    app_at(settings, &settings.location()?).await
}

/// The same with the records at a place of the caller's choice.
///
/// # Errors
/// As [`app`].
pub async fn app_at(settings: &Settings, location: &Location) -> Result<Arc<App>> {
    let source = Source::of(settings)?;
    if let Some(folder) = settings.folder() {
        files::make_folder(&folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    let app = app_on(opened(location, settings).await?, source).await?;
    settings.auth.tell(&app)?;
    Ok(app)
}

/// The same for a server, which brings what an earlier version kept to the form of this one.
///
/// # Errors
/// As [`app`].
pub async fn app_to_serve(settings: &Settings) -> Result<Arc<App>> {
    let app = app(settings).await?;
    dialects::renew(&app).await.map_err(|failure| explain(&failure))?;
    Ok(app)
}

/// Opens store and secrets of a deployment that is there; makes none.
///
/// # Errors
/// As [`app`], and when there is none.
pub async fn existing_app(settings: &Settings) -> Result<Arc<App>> {
    let source = Source::of(settings)?;
    let app = app_on(store(settings).await?, source).await?;
    settings.auth.tell(&app)?;
    Ok(app)
}

/// Opens the store alone of a deployment that is there; makes none.
///
/// # Errors
/// When there is none or it cannot be opened.
pub async fn store(settings: &Settings) -> Result<Store> {
    let location = settings.location()?;
    let there = Store::exists(&location, &settings.options()).await;
    if !there.with_context(|| format!("the store at {location} cannot be opened"))? {
        bail!(
            "there is no deployment at {location}. Nothing was made: name the right one with \
             --data or --database, or make a new one with patron space create"
        );
    }
    opened(&location, settings).await
}

async fn opened(location: &Location, settings: &Settings) -> Result<Store> {
    Store::open(location, KINDS, settings.options())
        .await
        .with_context(|| format!("the store at {location} cannot be opened"))
}

/// The secrets of an open store.
///
/// # Errors
/// As [`app`].
pub async fn app_on(store: Store, source: Source) -> Result<Arc<App>> {
    if let (Source::Kept(path), true) = (&source, source.is_missing()) {
        let needed = keyring::needs_master_key(&store).await;
        if needed.map_err(|failure| explain(&failure))? {
            bail!(
                "{} is missing, and the data beside it was sealed with the key in it. Put that \
                 file back, or set secrets.master_key to its content. A new key would open \
                 nothing; if the old one is lost for good: patron key rotate-master --lost",
                path.display()
            );
        }
        master_key::make(path)?;
    }
    let key = source.read().await?;
    let name = source.name();
    master_key::refuse_weak(&key, &name)?;
    unlock(store, source.master(key), &name).await
}

/// Opens the secrets of a store with a master key.
///
/// # Errors
/// When it is not the one of this data.
pub async fn unlock(store: Store, master: Master, name: &str) -> Result<Arc<App>> {
    let location = store.engine().location.clone();
    let opened = App::open(store, Clock::System, master).await;
    let app = opened.map_err(|locked| match locked {
        Locked::WrongMasterKey => anyhow!(
            "the master key in {name} is not the one that the data at {location} was sealed with. \
             Set the right one; nothing was changed"
        ),
        Locked::Failed(failure) => explain(&failure),
    })?;
    app.operated_by(operator::login());
    Ok(app)
}
