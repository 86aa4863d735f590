//! What the server takes of the machine, over time, and whether that grew.

use std::path::Path;

use anyhow::Result;
use patron::settings::DATABASE_FILE;

use crate::{
    figures::median,
    program::{Memory, Program, file_bytes},
};

/// Part of the run that warms up and is not judged.
const WARM_UP: f64 = 0.34;
/// Growth of memory that is no growth: so many times, and so many bytes.
const MEMORY_TIMES: f64 = 1.10;
const MEMORY_BYTES: f64 = 8.0 * MB;
/// Growth of the write-ahead log that is none.
const WAL_TIMES: f64 = 1.5;
const WAL_BYTES: f64 = 8.0 * MB;
/// Files and connections more than before that are no growth.
const OPEN_FILES: f64 = 8.0;
/// Bytes of the unit of the report.
const MB: f64 = 1e6;

/// One look.
#[derive(Debug, Clone, Copy, Default)]
pub struct Look {
    /// Memory.
    pub memory: Memory,
    /// Bytes of the data file.
    pub file: u64,
    /// Bytes of the write-ahead log.
    pub wal: u64,
    /// Open files and connections.
    pub open_files: usize,
    /// Journal entries since the server started.
    pub entries: u64,
}

impl Look {
    /// Looks at a server and its folder.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn at(program: &Program, data: &Path, entries: u64) -> Result<Look> {
        let file = data.join(DATABASE_FILE);
        let wal = data.join(format!("{DATABASE_FILE}-wal"));
        Ok(Look {
            memory: program.memory()?,
            file: file_bytes(&file),
            wal: file_bytes(&wal),
            open_files: program.open_files()?,
            entries,
        })
    }

    /// One line for people.
    pub fn shown(&self) -> String {
        let mb = |bytes: u64| bytes as f64 / MB;
        format!(
            "memory {:.1} MB (own {:.1}, files {:.1}), data file {:.1} MB, WAL {:.1} MB, \
             {} files open, {} journal entries",
            mb(self.memory.resident),
            mb(self.memory.own),
            mb(self.memory.file),
            mb(self.file),
            mb(self.wal),
            self.open_files,
            self.entries
        )
    }
}

/// What grew and what did not, a sentence each.
pub fn judge(looks: &[Look]) -> Vec<String> {
    let own = |look: &Look| look.memory.own as f64;
    let wal = |look: &Look| look.wal as f64;
    let open = |look: &Look| look.open_files as f64;
    let mut said = Vec::new();
    let (before, after) = halves(looks, own);
    said.push(verdict(
        "memory of its own",
        (before / MB, after / MB, "MB"),
        after <= (before * MEMORY_TIMES).max(before + MEMORY_BYTES),
    ));
    let (before, after) = halves(looks, wal);
    let largest = looks.iter().map(wal).fold(0.0, f64::max);
    let is_steady = after <= (before * WAL_TIMES).max(before + WAL_BYTES);
    said.push(verdict("WAL", (before / MB, after / MB, "MB"), is_steady));
    said.push(format!("WAL: {:.1} MB at most", largest / MB));
    let (before, after) = halves(looks, open);
    said.push(verdict("open files", (before, after, ""), after <= before + OPEN_FILES));
    said.push(file(looks));
    said
}

fn verdict(what: &str, (before, after, unit): (f64, f64, &str), is_steady: bool) -> String {
    let word = if is_steady { "did not grow" } else { "GREW" };
    format!("{what}: {before:.1} {unit} after the warm-up, {after:.1} {unit} at the end: {word}")
}

/// Medians of the two halves behind the warm-up.
fn halves(looks: &[Look], of: impl Fn(&Look) -> f64) -> (f64, f64) {
    let (first, second) = behind_warm_up(looks);
    let median = |part: &[Look]| median(&part.iter().map(&of).collect::<Vec<_>>());
    (median(first), median(second))
}

fn behind_warm_up(looks: &[Look]) -> (&[Look], &[Look]) {
    let from = (looks.len() as f64 * WARM_UP) as usize;
    let judged = &looks[from.min(looks.len())..];
    judged.split_at(judged.len() / 2)
}

/// The file grows by what is written: whether each entry costs the same as before.
fn file(looks: &[Look]) -> String {
    let (Some(first), Some(last)) = (looks.first(), looks.last()) else { return String::new() };
    let (early, late) = behind_warm_up(looks);
    let each = |part: &[Look]| match (part.first(), part.last()) {
        (Some(from), Some(to)) if to.entries > from.entries => {
            to.file.saturating_sub(from.file) as f64 / (to.entries - from.entries) as f64
        }
        _ => 0.0,
    };
    let entries = last.entries.saturating_sub(first.entries);
    format!(
        "data file: {:.1} MB to {:.1} MB, {entries} journal entries were written: {:.0} bytes each \
         ({:.0} in the first half behind the warm-up, {:.0} in the second)",
        first.file as f64 / MB,
        last.file as f64 / MB,
        each(looks),
        each(early),
        each(late)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(own: impl Fn(u64) -> u64) -> Vec<Look> {
        let look = |n| Look {
            memory: Memory { own: own(n), ..Memory::default() },
            file: n * 1_000,
            entries: n * 2,
            ..Look::default()
        };
        (0..30).map(look).collect()
    }

    #[test]
    fn growth_is_told_from_noise() {
        let steady = judge(&looks(|n| 50_000_000 + (n % 3) * 1_000_000));
        assert!(steady[0].ends_with("did not grow"), "{}", steady[0]);
        let leaking = judge(&looks(|n| 50_000_000 + n * 3_000_000));
        assert!(leaking[0].ends_with("GREW"), "{}", leaking[0]);
        let warm_up = judge(&looks(|n| if n < 10 { n * 10_000_000 } else { 100_000_000 }));
        assert!(warm_up[0].ends_with("did not grow"), "{}", warm_up[0]);
        assert!(steady[4].contains(": 500 bytes each (500 in the first half"), "{}", steady[4]);
    }
}
