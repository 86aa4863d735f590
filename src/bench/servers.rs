//! The servers of the benchmark: the limit and the product, each a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use axum::{Router, routing::get};
use tokio::net::{TcpListener, TcpStream};

/// Bytes of the limit's reply.
const STATIC_BYTES: usize = 900;
/// Longest wait for a server to answer.
const START_SECONDS_MAX: u64 = 30;

/// Added to each flush of the slow disk, in microseconds.
const SLOW_FLUSH_US: u32 = 1000;

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

/// A server process; killed when dropped.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// The limit: a static reply.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn limit() -> Result<Server> {
        let address = free_address()?;
        let mut command = this_program()?;
        command.args(["bench-static", "--listen", &address]);
        Server::start(command, address).await
    }

    /// Patron on the benchmark's data.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn patron(data: &Path, flush: Flush) -> Result<Server> {
        let address = free_address()?;
        let mut command = this_program()?;
        serve(&mut command, data, &address);
        match flush {
            Flush::Disk => {}
            Flush::Off => {
                command.env("PATRON__STORE__SYNCHRONOUS", "off");
            }
            Flush::Slow => {
                command.env("LD_PRELOAD", slow_disk()?);
                command.env("DISK_FOLDER", std::path::absolute(data)?);
                command.env("DISK_SYNC_DELAY_US", SLOW_FLUSH_US.to_string());
            }
        }
        Server::start(command, address).await
    }

    /// Patron on one thread under callgrind, which leaves its counts in a file.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn counted(data: &Path, counts: &Path) -> Result<Server> {
        let address = free_address()?;
        let mut command = Command::new("valgrind");
        let out = format!("--callgrind-out-file={}", counts.display());
        command
            .args(["--tool=callgrind", "--instr-atstart=no", &out])
            .arg(std::env::current_exe()?);
        serve(&mut command, data, &address);
        command.env("TOKIO_WORKER_THREADS", "1");
        // Under callgrind a short read takes longer than one on the runtime may, and would be
        // counted twice: once until it is given up, once on a thread for long reads.
        command.env("PATRON__STORE__SQLITE_INLINE_MS_MAX", "1000");
        Server::start(command, address).await.context("is valgrind installed?")
    }

    /// Starts or stops counting the instructions of a counted server.
    ///
    /// # Errors
    /// When callgrind does not obey.
    pub fn count(&self, on: bool) -> Result<()> {
        let pid = self.child.id().to_string();
        let how = if on { "on" } else { "off" };
        let mut command = Command::new("callgrind_control");
        let said = command.args(["-i", how, &pid]).output()?;
        anyhow::ensure!(said.status.success(), "callgrind_control ended with {}", said.status);
        Ok(())
    }

    /// Asks it to stop and waits until it has.
    ///
    /// # Errors
    /// When it does not end well.
    pub async fn stop(mut self) -> Result<()> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        let status = self.child.wait()?;
        anyhow::ensure!(status.success(), "a server of the benchmark ended with {status}");
        Ok(())
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Patron on a PostgreSQL database.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn patron_on(url: &str, master_key: &str) -> Result<Server> {
        let address = free_address()?;
        let mut command = this_program()?;
        command.args(["serve", "--listen", &address, "--database", url]);
        command.env("PATRON__SECRETS__MASTER_KEY", master_key);
        command.env("PATRON__LOG__LEVEL", "error").env("PATRON__ADMIN__LISTEN", "");
        command.env("PATRON__LIMITS__REQUESTS_PER_MINUTE", "0");
        Server::start(command, address).await
    }

    async fn start(mut command: Command, address: String) -> Result<Server> {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut server = Server { child, address };
        for _ in 0..START_SECONDS_MAX * 100 {
            if TcpStream::connect(&server.address).await.is_ok() {
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait()? {
                bail!("a server of the benchmark ended at once: {status}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!("a server of the benchmark does not answer")
    }
}

fn serve(command: &mut Command, data: &Path, address: &str) {
    command.args(["serve", "--listen", address, "--data"]).arg(data);
    command.env("PATRON__LOG__LEVEL", "error").env("PATRON__ADMIN__LISTEN", "");
    command.env("PATRON__LIMITS__REQUESTS_PER_MINUTE", "0");
}

/// The disk of the fault tests (docs/faults.md), which can slow flushes down; made with `cc`.
fn slow_disk() -> Result<PathBuf> {
    let folder = std::env::temp_dir();
    let (source, library) = (folder.join("patron-disk.c"), folder.join("patron-disk.so"));
    std::fs::write(&source, include_str!("../../tests/faults/disk.c"))?;
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O2", "-o"]).arg(&library).arg(&source).arg("-ldl");
    let status = compiler.status().context("the slow disk needs a C compiler")?;
    anyhow::ensure!(status.success(), "the slow disk does not compile");
    Ok(library)
}

fn this_program() -> Result<Command> {
    Ok(Command::new(std::env::current_exe().context("this program's own path")?))
}

fn free_address() -> Result<String> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// Serves the limit's reply with the same libraries as the product.
///
/// # Errors
/// When it cannot listen.
pub async fn serve_static(listen: &str) -> Result<()> {
    let body: &'static str = Box::leak("x".repeat(STATIC_BYTES).into_boxed_str());
    let router = Router::new().route("/", get(move || async move { body }));
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let router = router.clone();
        tokio::spawn(async move {
            use hyper_util::{rt::TokioIo, service::TowerToHyperService};
            let service = TowerToHyperService::new(router);
            let http = hyper::server::conn::http1::Builder::new();
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
