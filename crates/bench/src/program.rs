//! Servers as processes of their own, and what the system says of them: the program that is
//! measured, and whatever it is compared with.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;

use patron_testkit::ports::free_address;

use crate::connection::Connection;

/// Longest wait for a server to be ready.
const START_SECONDS_MAX: u64 = 120;
/// Pause between two looks whether it is.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Bytes of the unit in which the system counts memory.
const KIB: u64 = 1024;
/// Added to each flush of the slow disk, in microseconds.
const SLOW_FLUSH_US: u32 = 1000;

/// The program that is measured.
#[derive(Debug, Clone, Args)]
pub struct Patron {
    /// The program to measure; otherwise the one beside this.
    #[arg(long, value_name = "FILE", global = true)]
    program: Option<PathBuf>,
}

/// How commits are flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// As it should be.
    Disk,
    /// Not at all, to see what flushing costs.
    Off,
    /// Each flush takes a millisecond longer, as on a disk without a cache that survives.
    Slow,
}

/// A server that is about to be started.
pub struct Launch {
    command: Command,
    address: String,
    operations: String,
    ready: &'static str,
}

/// A server process; killed when dropped.
pub struct Program {
    child: Child,
    /// Where it listens.
    pub address: String,
    /// Where it says to operators how it is.
    pub operations: String,
    /// From the start of the process to the first answer that says ready.
    pub ready_after: Duration,
}

/// Memory of a process in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// What is resident.
    pub resident: u64,
    /// Of it: its own, which nothing else can hold.
    pub own: u64,
    /// Of it: pages of files (the program, the data file), which the system takes back at need.
    pub file: u64,
}

impl Patron {
    /// The program's file.
    ///
    /// # Errors
    /// When it is not there.
    pub fn file(&self) -> Result<PathBuf> {
        let this = std::env::current_exe().context("this program's own path")?;
        let file = self.program.clone().unwrap_or_else(|| this.with_file_name("patron"));
        ensure!(
            file.exists(),
            "{} is not there: build the program (cargo build --profile dist), and name it with \
             --program where it is not beside this one",
            file.display()
        );
        Ok(file)
    }

    /// A command of the program.
    ///
    /// # Errors
    /// As [`Patron::file`].
    pub fn command(&self) -> Result<Command> {
        Ok(Command::new(self.file()?))
    }

    /// Its server on a folder.
    ///
    /// # Errors
    /// When there is no program or no free port.
    pub fn on_folder(&self, data: &Path) -> Result<Launch> {
        let mut launch = Launch::served_by(self.command()?)?;
        launch.command.arg("--data").arg(data);
        Ok(launch)
    }

    /// Its server on a PostgreSQL database.
    ///
    /// # Errors
    /// When there is no program or no free port.
    pub fn on_postgres(&self, url: &str, master_key: &str) -> Result<Launch> {
        let mut launch = Launch::served_by(self.command()?)?;
        launch.command.args(["--database", url]).env("PATRON__SECRETS__MASTER_KEY", master_key);
        Ok(launch)
    }

    /// Its server on a folder, on one thread under callgrind, which leaves its counts in a file.
    ///
    /// # Errors
    /// When there is no program or no free port.
    pub fn counted(&self, data: &Path, counts: &Path) -> Result<Launch> {
        let mut command = Command::new("valgrind");
        command.args(["--quiet", "--tool=callgrind", "--instr-atstart=no"]);
        command.arg(format!("--callgrind-out-file={}", counts.display())).arg(self.file()?);
        let mut launch = Launch::served_by(command)?;
        launch.command.arg("--data").arg(data).env("TOKIO_WORKER_THREADS", "1");
        // Under callgrind a short read takes longer than one on the runtime may, and would be
        // counted twice: once until it is given up, once on a thread for long reads.
        launch.command.env("PATRON__STORE__SQLITE_INLINE_MS_MAX", "1000");
        Ok(launch)
    }
}

impl Launch {
    /// A server of whatever kind, ready when a path is answered well.
    pub fn of(command: Command, address: String, ready: &'static str) -> Launch {
        Launch { command, address, operations: String::new(), ready }
    }

    fn served_by(mut command: Command) -> Result<Launch> {
        let (address, operations) = (free_address().to_string(), free_address().to_string());
        command.args(["serve", "--listen", &address]);
        command.env("PATRON__LOG__LEVEL", "error").env("PATRON__ADMIN__LISTEN", &operations);
        Ok(Launch { command, address, operations, ready: "/readyz" })
    }

    /// Lets one key ask as often as it likes.
    pub fn unlimited(mut self) -> Launch {
        self.command.env("PATRON__LIMITS__REQUESTS_PER_MINUTE", "0");
        self
    }

    /// Sets a variable of its environment.
    pub fn set(mut self, name: &str, value: &str) -> Launch {
        self.command.env(name, value);
        self
    }

    /// Flushes the commits on this folder in another way than usual.
    ///
    /// # Errors
    /// When the slow disk cannot be made.
    pub fn flushing(mut self, how: Flush, data: &Path) -> Result<Launch> {
        match how {
            Flush::Disk => {}
            Flush::Off => {
                self.command.env("PATRON__STORE__SYNCHRONOUS", "off");
            }
            Flush::Slow => {
                self.command.env("LD_PRELOAD", slow_disk()?);
                self.command.env("DISK_FOLDER", std::path::absolute(data)?);
                self.command.env("DISK_SYNC_DELAY_US", SLOW_FLUSH_US.to_string());
            }
        }
        Ok(self)
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// When it ends or does not get ready.
    pub async fn start(mut self) -> Result<Program> {
        let started = Instant::now();
        self.command.stdout(Stdio::null()).stderr(Stdio::inherit());
        let child = self.command.spawn().context("a server cannot be started")?;
        let Launch { address, operations, ready, .. } = self;
        let mut program = Program { child, address, operations, ready_after: Duration::ZERO };
        let ask = format!("GET {ready} HTTP/1.1\r\nhost: x\r\n\r\n");
        while started.elapsed().as_secs() < START_SECONDS_MAX {
            if let Ok(mut connection) = Connection::open(&program.address).await
                && let Ok(answer) = connection.ask(ask.as_bytes()).await
                && answer.status < 400
            {
                program.ready_after = started.elapsed();
                return Ok(program);
            }
            if let Some(status) = program.child.try_wait()? {
                bail!("the server ended at once: {status}");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        bail!("the server does not get ready")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    /// Its memory.
    ///
    /// # Errors
    /// When the system does not say; only Linux does.
    pub fn memory(&self) -> Result<Memory> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .context("the memory of a process is read from /proc, which only Linux has")?;
        let of = |name: &str| -> u64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next());
            number.and_then(|number| number.parse::<u64>().ok()).unwrap_or(0) * KIB
        };
        Ok(Memory { resident: of("VmRSS:"), own: of("RssAnon:"), file: of("RssFile:") })
    }

    /// The most memory it takes while something is done.
    ///
    /// # Errors
    /// When the system does not say, or what is done fails.
    pub async fn watched<T>(
        &self,
        most: &mut Memory,
        done: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        /// Pause between two looks.
        const LOOK_EVERY: Duration = Duration::from_millis(100);
        tokio::pin!(done);
        loop {
            tokio::select! {
                outcome = &mut done => return outcome,
                () = tokio::time::sleep(LOOK_EVERY) => {
                    let now = self.memory()?;
                    *most = Memory {
                        resident: most.resident.max(now.resident),
                        own: most.own.max(now.own),
                        file: most.file.max(now.file),
                    };
                }
            }
        }
    }

    /// Files and connections it has open.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn open_files(&self) -> Result<usize> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count())
    }

    /// Starts or stops counting the instructions of a server under callgrind.
    ///
    /// # Errors
    /// When callgrind does not obey.
    pub fn count(&self, is_on: bool) -> Result<()> {
        let how = if is_on { "on" } else { "off" };
        let mut command = Command::new("callgrind_control");
        let said = command.args(["-i", how, &self.child.id().to_string()]).output()?;
        ensure!(said.status.success(), "callgrind_control ended with {}", said.status);
        Ok(())
    }

    /// Asks it to end and waits for that.
    ///
    /// # Errors
    /// When it does not end well.
    pub fn stop(mut self) -> Result<()> {
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status()?;
        ensure!(asked.success(), "the server cannot be asked to end");
        let status = self.child.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

/// The disk of the fault tests (docs/faults.md), which can slow flushes down; made with `cc`.
fn slow_disk() -> Result<PathBuf> {
    let folder = std::env::temp_dir();
    let (source, library) = (folder.join("patron-disk.c"), folder.join("patron-disk.so"));
    std::fs::write(&source, include_str!("../../../tests/faults/disk.c"))?;
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O2", "-o"]).arg(&library).arg(&source).arg("-ldl");
    let status = compiler.status().context("the slow disk needs a C compiler")?;
    ensure!(status.success(), "the slow disk does not compile");
    Ok(library)
}

/// Bytes of a file; 0 where there is none.
pub fn file_bytes(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}
