//! Reading what a backup wrote, line by line.

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

use crate::dump::{FORMAT, Frame, Line, Tally};
use crate::{DumpSummary, Position, StoreError};

/// Longest line that is accepted (bytes).
const LINE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What a file is refused with that is none.
pub(crate) const NO_HEADER: &str = "it does not begin with the header of a backup";

/// A file that a backup wrote.
pub struct BackupFile {
    /// What it is called in messages.
    pub name: String,
    /// Its lines.
    pub reader: Box<dyn AsyncBufRead + Unpin + Send>,
}

impl BackupFile {
    pub(crate) fn bad(&self, why: impl std::fmt::Display) -> StoreError {
        let name = &self.name;
        StoreError::Engine(format!("{name} cannot be restored, nothing is kept: {why}"))
    }
}

/// Reads where a backup stands: the first line is enough.
///
/// # Errors
/// When it is none, or does not say.
pub async fn position_of(mut file: BackupFile) -> Result<Position, StoreError> {
    let mut line = Vec::new();
    next_line(&mut file, &mut line).await?;
    match serde_json::from_slice(&line) {
        Ok(Frame::Header { position: Some(position), .. } | Frame::Increment { position, .. }) => {
            Ok(position)
        }
        Ok(Frame::Header { position: None, .. }) => Err(StoreError::Engine(format!(
            "{} does not say where it stands: an earlier version wrote it, or it is the export of \
             a space. Take a full backup",
            file.name
        ))),
        Ok(Frame::End(_)) | Err(_) => {
            Err(StoreError::Engine(format!("{} is no backup", file.name)))
        }
    }
}

/// The time of an entry (microseconds since the epoch), where a file holds it.
///
/// # Errors
/// When the file cannot be read.
pub async fn entry_time(
    mut file: BackupFile,
    tenant: i64,
    seq: i64,
) -> Result<Option<i64>, StoreError> {
    let mut line = Vec::new();
    loop {
        next_line(&mut file, &mut line).await?;
        if line.is_empty() {
            return Ok(None);
        }
        // Others need not be understood here.
        if !line.starts_with(b"{\"entry\":") {
            continue;
        }
        match serde_json::from_slice(&line) {
            Ok(Line::Entry(entry)) if (entry.tenant, entry.seq) == (tenant, seq) => {
                return Ok(Some(entry.at));
            }
            Ok(_) => {}
            Err(error) => return Err(file.bad(error)),
        }
    }
}

/// The header, of a format that is known.
pub(crate) async fn first_line(
    file: &mut BackupFile,
    tally: &mut Tally,
) -> Result<Frame, StoreError> {
    let mut line = Vec::new();
    next_line(file, &mut line).await?;
    tally.read(&line);
    let frame = serde_json::from_slice(&line).map_err(|_| file.bad(NO_HEADER))?;
    match &frame {
        Frame::Header { format, .. } | Frame::Increment { format, .. }
            if !(1..=FORMAT).contains(format) =>
        {
            Err(file.bad("a newer version of Patron wrote it"))
        }
        Frame::Header { .. } | Frame::Increment { .. } | Frame::End(_) => Ok(frame),
    }
}

/// The lines of a file behind its header.
pub(crate) struct Lines {
    pub(crate) file: BackupFile,
    tally: Tally,
    line: Vec<u8>,
}

impl Lines {
    pub(crate) fn of(file: BackupFile, tally: Tally) -> Lines {
        Lines { file, tally, line: Vec::new() }
    }

    /// The next one; none at the end, which is to be looked at with [`Lines::end`].
    pub(crate) async fn next(&mut self) -> Result<Option<Line>, StoreError> {
        next_line(&mut self.file, &mut self.line).await?;
        if self.line.is_empty() {
            return Err(self.file.bad("it ends too early: fetch it again from where it is kept"));
        }
        if self.line.starts_with(b"{\"end\":") {
            return Ok(None);
        }
        self.tally.read(&self.line);
        let line: Line = serde_json::from_slice(&self.line).map_err(|e| self.file.bad(e))?;
        self.tally.count(&line);
        Ok(Some(line))
    }

    /// Name and contents, when counts and hash agree.
    pub(crate) fn end(self) -> Result<(String, DumpSummary), StoreError> {
        let Ok(Frame::End(promised)) = serde_json::from_slice(&self.line) else {
            return Err(self.file.bad("its last line cannot be read"));
        };
        let summary = self.tally.finish();
        if summary != promised {
            return Err(self.file.bad(
                "its counts or its hash do not agree with its last line: fetch it again from \
                 where it is kept",
            ));
        }
        Ok((self.file.name, summary))
    }
}

async fn next_line(file: &mut BackupFile, line: &mut Vec<u8>) -> Result<(), StoreError> {
    line.clear();
    let read = (&mut *file.reader).take(LINE_BYTES_MAX).read_until(b'\n', line).await;
    read.map_err(|error| file.bad(format!("it cannot be read: {error}")))?;
    Ok(())
}
