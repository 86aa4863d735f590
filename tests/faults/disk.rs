//! The disk of `disk.c` seen from a test: how a program is started on it, its panel, its log.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use patron_testkit::client::Client;

use crate::program::{Log, Running, free_address, patron};

/// Kinds of calls, in the order of `disk.c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Open = 1,
    Read,
    Write,
    Sync,
    Truncate,
    Unlink,
    Map,
}

impl Kind {
    pub const ALL: [Kind; 7] =
        [Kind::Open, Kind::Read, Kind::Write, Kind::Sync, Kind::Truncate, Kind::Unlink, Kind::Map];
}

/// An input/output error.
pub const EIO: i64 = 5;
/// No space left on the device.
pub const ENOSPC: i64 = 28;
/// The file system is read-only.
pub const EROFS: i64 = 30;

/// Numbers of the panel by their place in `struct panel`.
const KIND: u64 = 0;
const AT: u64 = 1;
const ERROR: u64 = 2;
const LASTING: u64 = 3;
const FAILED: u64 = 4;
const CLOCK_SHIFT_US: u64 = 5;
const SYNC_DELAY_US: u64 = 6;
const NO_MAPS: u64 = 7;
/// Bytes of the panel.
const PANEL_BYTES: u64 = 8 * 8;

/// `disk.c` as a library, compiled once per run.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/disk.c");
        let library = folder.join("disk.so");
        let unfinished = folder.join(format!("disk-{}.so", std::process::id()));
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(&unfinished)
            .args([source, "-ldl"])
            .status()
            .expect("a C compiler, called cc");
        assert!(compiled.success());
        std::fs::rename(&unfinished, &library).unwrap();
        library
    })
}

/// A folder on a disk of its own.
pub struct Disk {
    scratch: tempfile::TempDir,
    panel: File,
    log: Option<File>,
}

impl Disk {
    /// One that can be broken.
    pub fn new() -> Disk {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::create_dir(scratch.path().join("data")).unwrap();
        let panel = scratch.path().join("panel");
        let panel = OpenOptions::new().read(true).write(true).create_new(true).open(panel).unwrap();
        panel.set_len(PANEL_BYTES).unwrap();
        Disk { scratch, panel, log: None }
    }

    /// One that also writes down every change.
    pub fn recording() -> Disk {
        let mut disk = Disk::new();
        let log = disk.scratch.path().join("log");
        disk.log = Some(OpenOptions::new().append(true).create_new(true).open(log).unwrap());
        disk
    }

    /// The folder.
    pub fn data(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    /// Lets a program run on this disk.
    pub fn under<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command
            .env("LD_PRELOAD", library())
            .env("DISK_FOLDER", self.data())
            .env("DISK_PANEL", self.scratch.path().join("panel"));
        if self.log.is_some() {
            command.env("DISK_LOG", self.scratch.path().join("log"));
        }
        command
    }

    /// Starts the sandbox on it. `None` when it ends before it is ready.
    pub fn sandbox(&self, settings: &[(&str, &str)]) -> Option<Running> {
        let address = free_address();
        let mut command = patron();
        command.args(["sandbox", "--listen", &address, "--data"]).arg(self.data());
        let said = OpenOptions::new().append(true).create(true).open(self.said_file()).unwrap();
        self.under(&mut command).envs(settings.iter().copied()).stderr(said);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let out = child.stdout.take().unwrap();
        let (base_url, operations_url) = (format!("http://{address}"), String::new());
        let (client, log) = (Client::new(), Log::default());
        let running = Running { child, base_url, operations_url, client, log };
        running.until_ready(out).0.then_some(running)
    }

    fn said_file(&self) -> PathBuf {
        self.scratch.path().join("stderr")
    }

    /// What programs on this disk wrote to standard error.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.said_file()).unwrap()
    }

    /// The `at`-th call of a kind from now on fails, and with `lasting` all after it.
    pub fn fail(&self, kind: Kind, at: i64, error: i64, lasting: bool) {
        self.heal();
        self.set(AT, at);
        self.set(ERROR, error);
        self.set(LASTING, i64::from(lasting));
        self.set(FAILED, 0);
        self.set(KIND, kind as i64);
    }

    /// Nothing fails any more.
    pub fn heal(&self) {
        self.set(KIND, 0);
    }

    /// Calls that failed since [`Disk::fail`].
    pub fn failed(&self) -> i64 {
        self.get(FAILED)
    }

    /// Moves the programs' wall clock.
    pub fn shift_clock(&self, seconds: i64) {
        self.set(CLOCK_SHIFT_US, seconds * 1_000_000);
    }

    /// Slows flushes down.
    pub fn delay_syncs(&self, microseconds: i64) {
        self.set(SYNC_DELAY_US, microseconds);
    }

    /// From the next start on every read is a call, not a look into mapped memory.
    pub fn refuse_maps(&self) {
        self.set(NO_MAPS, 1);
    }

    fn set(&self, place: u64, value: i64) {
        self.panel.write_all_at(&value.to_ne_bytes(), place * 8).unwrap();
    }

    fn get(&self, place: u64) -> i64 {
        let mut bytes = [0; 8];
        self.panel.read_exact_at(&mut bytes, place * 8).unwrap();
        i64::from_ne_bytes(bytes)
    }

    /// Adds a remark of the test's own to the log.
    pub fn remark(&self, text: &str) {
        let mut log = self.log.as_ref().expect("a recording disk");
        log.write_all(format!("remark {text}\n").as_bytes()).unwrap();
    }

    /// Everything that happened, in order.
    pub fn changes(&self) -> Vec<Change> {
        let log = std::fs::read(self.scratch.path().join("log")).unwrap();
        let mut changes = Vec::new();
        let mut rest = &log[..];
        while !rest.is_empty() {
            changes.push(change(&mut rest));
        }
        changes
    }
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Create { inode: u64, name: String },
    Write { inode: u64, offset: usize, data: Vec<u8> },
    Truncate { inode: u64, size: usize },
    Sync { inode: u64 },
    Failed { inode: u64 },
    Folder,
    Unlink { name: String },
    Rename { from: String, to: String },
    Link { from: String, to: String },
    Remark(String),
}

fn change(rest: &mut &[u8]) -> Change {
    let end = rest.iter().position(|byte| *byte == b'\n').expect("a whole line");
    let line = std::str::from_utf8(&rest[..end]).unwrap().to_owned();
    *rest = &rest[end + 1..];
    let (word, words) = line.split_once(' ').unwrap_or((&line, ""));
    let parts: Vec<&str> = words.split(' ').collect();
    let number = |at: usize| parts[at].parse::<u64>().unwrap();
    let size = |at: usize| usize::try_from(number(at)).unwrap();
    match word {
        "create" => Change::Create { inode: number(0), name: parts[1].to_owned() },
        "write" => {
            let (data, behind) = rest.split_at(size(2));
            *rest = &behind[1..];
            Change::Write { inode: number(0), offset: size(1), data: data.to_vec() }
        }
        "truncate" => Change::Truncate { inode: number(0), size: size(1) },
        "sync" => Change::Sync { inode: number(0) },
        "failed" => Change::Failed { inode: number(0) },
        "folder" => Change::Folder,
        "unlink" => Change::Unlink { name: parts[0].to_owned() },
        "rename" => Change::Rename { from: parts[0].to_owned(), to: parts[1].to_owned() },
        "link" => Change::Link { from: parts[0].to_owned(), to: parts[1].to_owned() },
        "remark" => Change::Remark(words.to_owned()),
        other => panic!("the log holds {other}"),
    }
}
