//! Opening the deployment that the settings name: store, master key, app.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use patron_app::{
    App, Clock,
    documents::KINDS,
    secrets::{MASTER_KEY_BYTES, Secrets},
};
use patron_store::{Location, Store};

use crate::{operator, settings::Settings};

/// File of the master key beside the SQLite file.
const MASTER_KEY_FILE: &str = "master.key";

/// File that says where the server of a folder answers, for commands beside it.
const BASE_URL_FILE: &str = "base_url";

/// Notes where the server of this folder answers.
///
/// # Errors
/// When the folder cannot be written.
pub fn note_base_url(settings: &Settings) -> Result<()> {
    match settings.folder() {
        Some(folder) => Ok(std::fs::write(folder.join(BASE_URL_FILE), settings.base_url())?),
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

/// Opens store and secrets.
///
/// # Errors
/// When the store cannot be opened or the master key is missing or malformed.
pub async fn app(settings: &Settings) -> Result<Arc<App>> {
    app_at(settings, &settings.location()?).await
}

/// The same with the records at a place of the caller's choice.
///
/// # Errors
/// As [`app`].
pub async fn app_at(settings: &Settings, location: &Location) -> Result<Arc<App>> {
    if let Some(folder) = settings.folder() {
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    let secrets = Secrets::new(&master_key(settings)?);
    let store = store(location, settings).await?;
    let app = App::new(store, Clock::System, secrets);
    app.operated_by(operator::login());
    Ok(app)
}

/// Opens the store alone.
///
/// # Errors
/// When it cannot be opened.
pub async fn store(location: &Location, settings: &Settings) -> Result<Store> {
    Store::open(location, KINDS, settings.options())
        .await
        .with_context(|| format!("the store at {location} cannot be opened"))
}

fn master_key(settings: &Settings) -> Result<[u8; MASTER_KEY_BYTES]> {
    let given = settings.secrets.master_key.trim();
    if !given.is_empty() {
        return decode(given).context("secrets.master_key");
    }
    match settings.folder() {
        Some(folder) => kept(&folder.join(MASTER_KEY_FILE)),
        None => bail!(
            "secrets.master_key is needed with PostgreSQL, the same on every node. \
             Make one with: head -c 32 /dev/urandom | base64"
        ),
    }
}

fn decode(text: &str) -> Result<[u8; MASTER_KEY_BYTES]> {
    let bytes = BASE64.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.context("must be 32 bytes in base64")
}

/// The key in the file, made at the first start; readable by its owner only.
fn kept(path: &Path) -> Result<[u8; MASTER_KEY_BYTES]> {
    if !path.exists() {
        make_key(path).with_context(|| format!("{} cannot be made", path.display()))?;
    }
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{} cannot be read", path.display()))?;
    decode(text.trim()).with_context(|| path.display().to_string())
}

/// Makes the file of the key. It is whole and durable under its name or not there at all: whatever
/// is sealed with a key that is lost is lost too.
fn make_key(path: &Path) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let unfinished = path.with_extension(format!("key.{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&unfinished)?;
    let key: [u8; MASTER_KEY_BYTES] = rand::random();
    file.write_all(BASE64.encode(key).as_bytes())?;
    file.sync_all()?;
    finish(&unfinished, path)
}

/// Gives a finished file its name, durably, unless another process made one of this name meanwhile.
///
/// # Errors
/// When it cannot be named.
pub fn finish(unfinished: &Path, path: &Path) -> std::io::Result<()> {
    // Unlike a rename a link never replaces anything. Not every file system has links.
    match std::fs::hard_link(unfinished, path) {
        Ok(()) => std::fs::remove_file(unfinished)?,
        Err(_) if path.exists() => std::fs::remove_file(unfinished)?,
        Err(_) => std::fs::rename(unfinished, path)?,
    }
    sync_names(path)
}

/// Makes the names in a file's folder durable.
///
/// # Errors
/// When the folder cannot be flushed.
pub fn sync_names(file: &Path) -> std::io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
