//! One server at a time on a folder. Commands may work beside it; a second server would announce
//! the same address file, wait for events twice and, above all, is never what was meant.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::files;

/// File that a server holds while it serves the folder.
const LOCK_FILE: &str = "server.lock";
/// Bytes of it that are looked at: the number of a process.
const SAID_BYTES_MAX: u64 = 32;

/// The folder is ours until this is dropped or the process ends, however it does.
#[derive(Debug)]
pub struct FolderLock(#[expect(dead_code, reason = "held, not read")] File);

/// Takes a folder for this server.
///
/// # Errors
/// When another process serves it, with its number.
pub fn take(folder: &Path) -> Result<FolderLock> {
    files::make_folder(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let path = folder.join(LOCK_FILE);
    let unusable = || format!("{} cannot be opened", path.display());
    let mut file = files::open_shared(&path).with_context(unusable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut said = String::new();
            file.take(SAID_BYTES_MAX).read_to_string(&mut said).with_context(unusable)?;
            bail!(
                "another server (process {}) serves {} already. Stop that one first, or name \
                 another folder with --data; several servers side by side need PostgreSQL \
                 (--database)",
                said.trim(),
                folder.display()
            );
        }
        Err(TryLockError::Error(error)) => return Err(error).with_context(unusable),
    }
    file.set_len(0).with_context(unusable)?;
    file.rewind().with_context(unusable)?;
    writeln!(file, "{}", std::process::id()).with_context(unusable)?;
    Ok(FolderLock(file))
}
