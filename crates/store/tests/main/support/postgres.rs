//! A throw-away PostgreSQL: the server behind `PATRON_TEST_POSTGRES_URL` when that is set (a superuser's
//! URL), otherwise a cluster of our own in a temporary directory, reached over a Unix socket and
//! stopped when the last test lets go of it. Without either the tests fail.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tempfile::TempDir;
use tokio_postgres::{Config, NoTls};

/// The cluster in use, if any test holds it.
static RUNNING: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
static NEXT: AtomicU32 = AtomicU32::new(1);

struct Cluster {
    dir: TempDir,
    bin: PathBuf,
}

impl Cluster {
    fn shared() -> Arc<Cluster> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cluster) = running.upgrade() {
            return cluster;
        }
        let cluster = Arc::new(Cluster::start());
        *running = Arc::downgrade(&cluster);
        cluster
    }

    fn start() -> Cluster {
        let bin = find_bin();
        let dir = TempDir::with_prefix("patron-pg-").unwrap();
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(dir.path()));
        }
        let data = dir.path().join("data");
        run(as_server(&bin.join("initdb"))
            .args(["--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-D"])
            .arg(&data));
        let settings = format!(
            "-c listen_addresses= -c unix_socket_directories={} -c max_connections=300 -c fsync=off",
            dir.path().display()
        );
        run(as_server(&bin.join("pg_ctl"))
            .args(["start", "-w", "-o", &settings, "-l"])
            .arg(dir.path().join("log"))
            .arg("-D")
            .arg(&data));
        Cluster { dir, bin }
    }

    fn url(&self) -> String {
        format!("host={} user=postgres dbname=postgres", self.dir.path().display())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let data = self.dir.path().join("data");
        run(as_server(&self.bin.join("pg_ctl")).args(["stop", "-m", "immediate", "-D"]).arg(data));
    }
}

fn find_bin() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .expect(
            "these tests need PostgreSQL (apt-get install postgresql) or PATRON_TEST_POSTGRES_URL",
        )
        .map(|version| version.unwrap().path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().expect("PostgreSQL is installed without its server programs")
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.starts_with(b"0\n")
}

/// PostgreSQL refuses to run as root.
fn as_server(program: &Path) -> Command {
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

fn run(command: &mut Command) {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success(), "{command:?} failed");
}

/// A fresh database, dropped with this value.
pub struct Database {
    base: String,
    name: String,
    _cluster: Option<Arc<Cluster>>,
}

impl Database {
    pub async fn create() -> Database {
        let (base, cluster) = match std::env::var("PATRON_TEST_POSTGRES_URL") {
            Ok(url) => (url, None),
            Err(_) => {
                let cluster = tokio::task::spawn_blocking(Cluster::shared).await.unwrap();
                (cluster.url(), Some(cluster))
            }
        };
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("patron_test_{}_{number}", std::process::id());
        execute(&base, &format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")).await;
        Database { base, name, _cluster: cluster }
    }

    pub fn url(&self) -> String {
        if self._cluster.is_some() {
            return self.base.replace("dbname=postgres", &format!("dbname={}", self.name));
        }
        let (server, _) = self.base.rsplit_once('/').expect("a URL with a database");
        format!("{server}/{}", self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self._cluster.is_some() {
            return; // It goes with the cluster.
        }
        let (base, name) = (self.base.clone(), self.name.clone());
        let drop_it =
            async move { execute(&base, &format!("DROP DATABASE {name} WITH (FORCE)")).await };
        let runtime =
            || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        std::thread::spawn(move || runtime().block_on(drop_it)).join().unwrap();
    }
}

/// Runs SQL beside the store.
pub async fn execute(url: &str, sql: &str) {
    let config: Config = url.parse().unwrap();
    let (client, connection) = config.connect(NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
}
