//! Files and folders the program makes: readable by their owner only, whatever the umask. They hold
//! records, secrets, or where to find them.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{Error, Result, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// Mode of a file.
const FILE: u32 = 0o600;
/// Mode of a folder.
const FOLDER: u32 = 0o700;
/// Bits that let others in.
pub const OTHERS: u32 = 0o077;

/// Keeps others out of whatever this process makes without saying how: what a library writes, the
/// neighbours of the data file, what is added later.
pub fn keep_others_out() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(OTHERS));
}

/// Opens a file to be written from its beginning. One that is there already becomes private too.
///
/// # Errors
/// When it cannot be opened.
pub fn create(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(FILE).open(path)?;
    let held = file.metadata()?;
    if held.is_file() && held.permissions().mode() & OTHERS != 0 {
        file.set_permissions(Permissions::from_mode(FILE))?;
    }
    Ok(file)
}

/// Opens a file that several processes look at, and makes it where it is not there yet.
///
/// # Errors
/// When it cannot be opened.
pub fn open_shared(path: &Path) -> Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(FILE).open(path)
}

/// Writes a small file.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, text: &str) -> Result<()> {
    create(path)?.write_all(text.as_bytes())
}

/// Makes a folder, and those above it, where they are not there yet.
///
/// # Errors
/// When it cannot be made.
pub fn make_folder(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER).create(path)
}

/// Makes a file that is whole and durable under its name or not there at all, and replaces none.
///
/// # Errors
/// When it cannot be made.
pub fn make_whole(path: &Path, text: &str) -> Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    let unfinished = Path::new(&name);
    let mut file = create(unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    finish(unfinished, path)
}

/// Gives a finished file its name, durably, unless another process made one of this name meanwhile.
///
/// # Errors
/// When it cannot be named.
pub fn finish(unfinished: &Path, path: &Path) -> Result<()> {
    // Unlike a rename a link never replaces anything. Not every file system has links.
    match std::fs::hard_link(unfinished, path) {
        Ok(()) => std::fs::remove_file(unfinished)?,
        Err(_) if path.exists() => std::fs::remove_file(unfinished)?,
        Err(_) => std::fs::rename(unfinished, path)?,
    }
    sync_names(path)
}

/// Puts a file in place of another, durably: at every moment one of the two is there.
///
/// # Errors
/// When it cannot be named.
pub fn replace(with: &Path, path: &Path) -> Result<()> {
    std::fs::rename(with, path)?;
    sync_names(path)
}

/// Makes the names in a file's folder durable.
///
/// # Errors
/// When the folder cannot be flushed.
pub fn sync_names(file: &Path) -> Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Refuses a file that somebody else than `allowed` may read, saying what mends it.
///
/// # Errors
/// `PermissionDenied` with the command.
pub fn refuse_readable(path: &Path, refused: u32) -> Result<()> {
    let mode = std::fs::metadata(path)?.permissions().mode();
    if mode & refused == 0 {
        return Ok(());
    }
    let path = path.display();
    Err(Error::new(
        std::io::ErrorKind::PermissionDenied,
        format!(
            "{path} can be read or written by others (mode {:o}). Only its owner may: \
             chmod 600 {path}",
            mode & 0o777
        ),
    ))
}
