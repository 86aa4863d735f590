//! Our server as a process of its own, and what the system says of it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::connection::Connection;

/// Longest wait for a server to be ready.
const START_SECONDS_MAX: u64 = 120;
/// Pause between two looks whether it is.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Bytes of the unit in which the system counts memory.
const KIB: u64 = 1024;

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

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    /// Starts Patron on a folder and waits until it says that it is ready.
    ///
    /// # Errors
    /// When it ends or does not get ready.
    pub async fn serve(data: &Path, environment: &[(&str, &str)]) -> Result<Program> {
        let (address, operations) = (free_address()?, free_address()?);
        let mut command = this_program()?;
        command.args(["serve", "--listen", &address, "--data"]).arg(data);
        command.env("PATRON__LOG__LEVEL", "error").env("PATRON__ADMIN__LISTEN", &operations);
        command.envs(environment.iter().copied());
        command.stdout(Stdio::null()).stderr(Stdio::inherit());
        let mut program = Program::start(command, address, "/readyz").await?;
        program.operations = operations;
        Ok(program)
    }

    /// Starts a server and waits until a path is answered well.
    ///
    /// # Errors
    /// When it ends or does not get ready.
    pub async fn start(mut command: Command, address: String, path: &str) -> Result<Program> {
        let started = Instant::now();
        let child = command.spawn().context("a server cannot be started")?;
        let mut program =
            Program { child, address, operations: String::new(), ready_after: Duration::ZERO };
        let ask = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
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

    /// Files and connections it has open.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn open_files(&self) -> Result<usize> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count())
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

/// This program, to be called once more.
///
/// # Errors
/// When the system does not say where it is.
pub fn this_program() -> Result<Command> {
    Ok(Command::new(std::env::current_exe().context("this program's own path")?))
}

/// A port that was free a moment ago.
///
/// # Errors
/// When there is none.
pub fn free_address() -> Result<String> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// Bytes of a file; 0 where there is none.
pub fn file_bytes(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}
