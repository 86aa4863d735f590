//! A PostgreSQL server of a test's own, which may be killed and started again. It is reached over a
//! Unix socket: while it is down nothing else can take its place, as it could on a port. For tests
//! of TLS it listens on a port as well. `PATRON_TEST_POSTGRES_BIN` names the folder of the programs
//! of another version than the newest one that Debian has installed.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tempfile::TempDir;

use crate::ports::free_address;

/// How often a start is tried: after a kill the server's children take a moment to go.
const START_ATTEMPTS_MAX: u32 = 100;
/// Pause between two starts (milliseconds).
const START_PAUSE_MS: u64 = 100;

/// A server; stopped and removed when dropped.
pub struct Server {
    bin: PathBuf,
    dir: TempDir,
    port: u16,
}

/// Port of servers that only have a socket.
const PORT: u16 = 5432;

impl Server {
    /// A fresh server with durable commits. `None`, with a word on standard error, when PostgreSQL
    /// is not installed.
    pub fn start() -> Option<Server> {
        let Some(bin) = find_bin() else {
            eprintln!("SKIPPED: no PostgreSQL server is installed (apt-get install postgresql)");
            return None;
        };
        let dir = TempDir::with_prefix("patron-pg-").unwrap();
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(dir.path()));
        }
        let server = Server { bin, dir, port: PORT };
        run(server
            .program("initdb")
            .args(["--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-D"])
            .arg(server.data()));
        server.restart();
        Some(server)
    }

    /// Restarts it so that it also listens on loopback. `access` are the lines of pg_hba.conf for
    /// it (the socket stays open to all), `files` are written beside its data, readable by the
    /// server only, and `settings` as in `ssl=on` may name them.
    pub fn listen(&mut self, access: &str, files: &[(&str, &str)], settings: &[&str]) {
        if self.port == PORT {
            self.port = free_address().port();
        }
        self.stop_at_once();
        for (name, text) in files {
            let path = self.data().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            if is_root() {
                run(Command::new("chown").arg("postgres").arg(&path));
            }
        }
        let access = format!("local all all trust\n{access}\n");
        std::fs::write(self.data().join("pg_hba.conf"), access).unwrap();
        let own = [format!("port={}", self.port), "listen_addresses='127.0.0.1'".to_owned()];
        let settings = settings.iter().map(|&setting| setting.to_owned()).chain(own);
        let settings: Vec<String> = settings.collect();
        std::fs::write(self.data().join("postgresql.auto.conf"), settings.join("\n")).unwrap();
        self.restart();
    }

    /// Where it listens on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A server for tests that do not kill it; gone with the last of them.
    pub fn shared() -> Option<Arc<Server>> {
        static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return Some(server);
        }
        let server = Arc::new(Server::start()?);
        *shared = Arc::downgrade(&server);
        Some(server)
    }

    /// Starts the server again, recovering what was committed, and waits until it answers.
    pub fn restart(&self) {
        let nowhere = if self.port == PORT { "-c listen_addresses=" } else { "" };
        let settings = format!(
            "{nowhere} -c unix_socket_directories={} -c max_connections=200",
            self.dir.path().display()
        );
        for _ in 0..START_ATTEMPTS_MAX {
            let mut start = self.program("pg_ctl");
            start.args(["start", "-w", "-o", &settings, "-l"]).arg(self.dir.path().join("log"));
            if succeeds(start.arg("-D").arg(self.data())) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(START_PAUSE_MS));
        }
        let log = std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
        panic!("PostgreSQL does not start:\n{log}");
    }

    /// SIGKILL to the server; its children notice and end by themselves.
    pub fn kill(&self) {
        let pids = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let pid = pids.lines().next().unwrap();
        run(Command::new("kill").args(["-9", pid]));
    }

    /// A standby that follows it, and without which it acknowledges no commit from now on.
    pub async fn standby(&self) -> Server {
        let dir = TempDir::with_prefix("patron-pg-").unwrap();
        run(self.program("pg_ctl").args(["stop", "-w", "-m", "fast", "-D"]).arg(self.data()));
        let standby = Server { bin: self.bin.clone(), dir, port: self.port };
        run(Command::new("cp").arg("-a").arg(self.data()).arg(standby.data()));
        let from = format!("host={} port={} user=postgres", self.dir.path().display(), self.port);
        let settings = format!("primary_conninfo = '{from}'\n");
        std::fs::write(standby.data().join("postgresql.auto.conf"), settings).unwrap();
        std::fs::write(standby.data().join("standby.signal"), "").unwrap();
        if is_root() {
            run(Command::new("chown").args(["-R", "postgres"]).arg(standby.dir.path()));
        }
        self.restart();
        standby.restart();
        execute(&self.url("postgres"), "ALTER SYSTEM SET synchronous_standby_names = '*'").await;
        execute(&self.url("postgres"), "SELECT pg_reload_conf()").await;
        standby
    }

    /// Makes the primary of a standby, and waits until it takes writes.
    pub fn promote(&self) {
        run(self.program("pg_ctl").args(["promote", "-w", "-D"]).arg(self.data()));
    }

    /// What it has written to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    /// Where its sockets are.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// Immediate shutdown: every connection ends, nothing is flushed, the next start recovers.
    pub fn stop_at_once(&self) {
        run(self.program("pg_ctl").args(["stop", "-m", "immediate", "-D"]).arg(self.data()));
    }

    /// The server's socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join(format!(".s.PGSQL.{}", self.port))
    }

    /// Makes a database; answers its name.
    pub async fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("patron_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        execute(&self.url("postgres"), &format!("CREATE DATABASE {name}")).await;
        name
    }

    /// URL of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@{}/{database}", self.host())
    }

    /// Its place in a URL.
    pub fn host(&self) -> String {
        let folder = self.dir.path().display().to_string().replace('/', "%2F");
        format!("{folder}:{}", self.port)
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// PostgreSQL refuses to run as root.
    fn program(&self, name: &str) -> Command {
        let program = self.bin.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir("/");
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut stop = self.program("pg_ctl");
        succeeds(stop.args(["stop", "-m", "immediate", "-D"]).arg(self.data()));
    }
}

fn find_bin() -> Option<PathBuf> {
    if let Some(bin) = std::env::var_os("PATRON_TEST_POSTGRES_BIN") {
        let bin = PathBuf::from(bin);
        assert!(bin.join("initdb").exists(), "no initdb in {}", bin.display());
        return Some(bin);
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let has_server = |bin: &PathBuf| bin.join("initdb").exists();
    let bins = versions.flatten().map(|version| version.path().join("bin")).filter(has_server);
    bins.max_by_key(|bin| {
        let version = bin.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        version.and_then(|version| version.parse::<u32>().ok())
    })
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().unwrap().stdout.starts_with(b"0\n")
}

fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
}

fn run(command: &mut Command) {
    assert!(succeeds(command), "{command:?} failed");
}

/// Runs SQL beside the program under test.
pub async fn execute(url: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
}
