//! Where the master key comes from: exactly one setting, or the file beside the SQLite data.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use patron_app::{keyring::Master, secrets::MasterKey};
use tokio::io::AsyncReadExt as _;

use crate::{files, settings::Settings};

/// File of the master key beside the SQLite file.
const KEPT_FILE: &str = "master.key";
/// The same while a new key takes over.
const NEXT_SUFFIX: &str = ".next";
/// Longest file or answer that is read for a key (bytes).
const TEXT_BYTES_MAX: u64 = 4096;
/// Seconds a command may take to print the key.
const COMMAND_SECONDS_MAX: u64 = 30;
/// Others may not even read the file beside the data, nobody outside the group that of the
/// settings: files handed in by orchestrators are readable by a group.
const KEPT_REFUSED: u32 = files::OTHERS;
const HANDED_IN_REFUSED: u32 = 0o027;

/// Where the master key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The setting itself, in the file of settings or in the environment.
    Setting(String),
    /// A file that a setting names.
    File(PathBuf),
    /// A program that prints it, such as the client of a key management service.
    Command(Vec<String>),
    /// The file beside the SQLite data, made at the first start.
    Kept(PathBuf),
}

impl Source {
    /// The source the settings name.
    ///
    /// # Errors
    /// When they name several, or none and there is no folder.
    pub fn of(settings: &Settings) -> Result<Source> {
        let secrets = &settings.secrets;
        let setting = secrets.master_key.trim();
        let mut sources = Vec::new();
        if !setting.is_empty() {
            sources.push(Source::Setting(setting.to_owned()));
        }
        if !secrets.master_key_file.is_empty() {
            sources.push(Source::File(PathBuf::from(&secrets.master_key_file)));
        }
        if !secrets.master_key_command.is_empty() {
            sources.push(Source::Command(secrets.master_key_command.clone()));
        }
        match (sources.pop(), settings.folder()) {
            (Some(source), _) if sources.is_empty() => Ok(source),
            (Some(_), _) => bail!(
                "the master key has several sources: give only one of secrets.master_key, \
                 secrets.master_key_file and secrets.master_key_command"
            ),
            (None, Some(folder)) => Ok(Source::Kept(folder.join(KEPT_FILE))),
            (None, None) => bail!(
                "PostgreSQL needs a master key, the same on every node: set secrets.master_key, \
                 secrets.master_key_file or secrets.master_key_command. Make one with: \
                 head -c 32 /dev/urandom | base64"
            ),
        }
    }

    /// What people must look at when the key is wrong.
    pub fn name(&self) -> String {
        match self {
            Source::Setting(_) => "secrets.master_key".to_owned(),
            Source::File(path) => format!("{} (secrets.master_key_file)", path.display()),
            Source::Command(command) => {
                let program = command.first().map(String::as_str).unwrap_or_default();
                format!("what {program} prints (secrets.master_key_command)")
            }
            Source::Kept(path) => path.display().to_string(),
        }
    }

    /// Whether there is nothing to be read yet.
    pub fn is_missing(&self) -> bool {
        matches!(self, Source::Kept(path) if !path.exists())
    }

    /// Reads the key.
    ///
    /// # Errors
    /// When it is not there, others may read it, or it is not 32 bytes in base64.
    pub async fn read(&self) -> Result<MasterKey> {
        let text = match self {
            Source::Setting(text) => text.clone(),
            Source::File(path) => text_of(path, HANDED_IN_REFUSED)?,
            Source::Kept(path) => text_of(path, KEPT_REFUSED)?,
            Source::Command(command) => printed(command).await.with_context(|| self.name())?,
        };
        parse(&text).with_context(|| self.name())
    }

    /// The key of this source, which running servers read again when it was changed.
    pub fn master(self, key: MasterKey) -> Master {
        match self {
            Source::Setting(_) => Master::fixed(key),
            Source::File(_) | Source::Command(_) | Source::Kept(_) => {
                let source = Arc::new(self);
                let again = move || {
                    let source = Arc::clone(&source);
                    let read = async move {
                        let read = source.read().await;
                        read.inspect_err(|error| tracing::error!("{error:#}")).ok()
                    };
                    Box::pin(read) as _
                };
                Master::read_again(key, Box::new(again))
            }
        }
    }
}

/// The key in a file that an option names.
///
/// # Errors
/// As [`Source::read`], and for a weak key.
pub fn from_file(path: &Path) -> Result<MasterKey> {
    let key = parse(&text_of(path, KEPT_REFUSED)?).with_context(|| path.display().to_string())?;
    refuse_weak(&key, &path.display().to_string())?;
    Ok(key)
}

/// Refuses a key that is easily guessed.
///
/// # Errors
/// With what is wrong with it.
pub fn refuse_weak(key: &MasterKey, name: &str) -> Result<()> {
    match key.weakness() {
        None => Ok(()),
        Some(why) => bail!(
            "the master key in {name} is too weak: {why}. Take a random one (head -c 32 \
             /dev/urandom | base64); data that was sealed with it moves to another by patron key \
             rotate-master"
        ),
    }
}

/// Makes the file of a key. It is whole and durable under its name or not there at all: whatever is
/// sealed with a key that is lost is lost too.
///
/// # Errors
/// When it cannot be made.
pub fn make(path: &Path) -> Result<()> {
    files::make_whole(path, &MasterKey::random().to_text())
        .with_context(|| format!("{} cannot be made", path.display()))
}

/// Where a new key waits to take over from the file beside the data.
pub fn next_of(kept: &Path) -> PathBuf {
    let mut name = kept.as_os_str().to_owned();
    name.push(NEXT_SUFFIX);
    PathBuf::from(name)
}

fn parse(text: &str) -> Result<MasterKey> {
    MasterKey::parse(text).context("a master key must be 32 bytes in base64")
}

fn text_of(path: &Path, refused: u32) -> Result<String> {
    use std::io::Read as _;
    let unreadable = || format!("{} cannot be read", path.display());
    files::refuse_readable(path, refused).with_context(unreadable)?;
    let mut text = String::new();
    let file = std::fs::File::open(path).with_context(unreadable)?;
    file.take(TEXT_BYTES_MAX).read_to_string(&mut text).with_context(unreadable)?;
    Ok(text)
}

/// What a command prints; it is given no input, and what it complains of is ours to show.
async fn printed(command: &[String]) -> Result<String> {
    let (program, arguments) = command.split_first().context("no command")?;
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("it cannot be started")?;
    let out = child.stdout.take().context("its answer cannot be read")?;
    let answer = async {
        let mut text = String::new();
        out.take(TEXT_BYTES_MAX + 1).read_to_string(&mut text).await?;
        anyhow::ensure!(text.len() as u64 <= TEXT_BYTES_MAX, "it printed too much for a key");
        let status = child.wait().await?;
        anyhow::ensure!(status.success(), "it ended with {status}");
        Ok(text)
    };
    let longest = Duration::from_secs(COMMAND_SECONDS_MAX);
    let timed = tokio::time::timeout(longest, answer).await;
    timed.with_context(|| format!("it took longer than {COMMAND_SECONDS_MAX} s"))?
}
