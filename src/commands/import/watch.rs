//! How far an import is, for people who watch: rows a second and the time left.

use std::fs::File;
use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressBarIter, ProgressDrawTarget, ProgressStyle};

/// What people see: how much of the file is read, what came of it, how fast, how long it will take.
const TEMPLATE: &str = "{bar:30} {bytes}/{total_bytes} {msg}, {eta} left";

/// A bar for people; nothing where nobody watches.
pub struct Watch {
    bar: ProgressBar,
    began: Instant,
    rows: AtomicU64,
}

impl Watch {
    /// Watches a file of so many bytes being read.
    pub fn new(bytes: u64) -> Watch {
        let is_watched = std::io::stderr().is_terminal();
        let target = ProgressDrawTarget::stderr();
        Watch::on(if is_watched { target } else { ProgressDrawTarget::hidden() }, bytes)
    }

    fn on(target: ProgressDrawTarget, bytes: u64) -> Watch {
        let style = ProgressStyle::with_template(TEMPLATE);
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(Some(bytes), target).with_style(style);
        Watch { bar, began: Instant::now(), rows: AtomicU64::new(0) }
    }

    /// The file, watched.
    pub fn wrap(&self, file: File) -> ProgressBarIter<File> {
        self.bar.wrap_read(file)
    }

    /// So many rows more are done.
    pub fn went_on(&self, rows: u64, told: impl FnOnce() -> String) {
        let rows = self.rows.fetch_add(rows, Ordering::Relaxed) + rows;
        if self.bar.is_hidden() {
            return;
        }
        let rate = rows as f64 / self.began.elapsed().as_secs_f64().max(0.001);
        self.bar.set_message(format!("{}, {rate:.0} rows/s", told()));
    }

    /// Takes the bar away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
