//! A PostgreSQL server of the benchmark's own: default settings, so every commit is flushed, in a
//! folder that goes away with it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use patron_testkit::ports::free_address;

/// Where Debian's packages put the server, a folder for each version.
const INSTALLED: &str = "/usr/lib/postgresql";

/// A running server; stopped and removed when dropped.
pub struct Cluster {
    bin: PathBuf,
    folder: PathBuf,
    /// URL of its database.
    pub url: String,
}

impl Cluster {
    /// Makes and starts one.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start.
    pub fn start() -> Result<Cluster> {
        let bin = server_programs()?;
        let folder = std::env::temp_dir().join(format!("patron-bench-{}", std::process::id()));
        std::fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
        let port = free_address().port();
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        // From here on the folder is removed whatever happens.
        let cluster = Cluster { bin, folder, url };
        if is_root()? {
            run(Command::new("chown").arg("postgres").arg(&cluster.folder))?;
        }
        run(cluster
            .server_program("initdb")?
            .args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-D"])
            .arg(cluster.data()))?;
        let listen = format!(
            "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={}",
            cluster.folder.display()
        );
        run(cluster
            .server_program("pg_ctl")?
            .args(["start", "-w", "-o", &listen, "-l"])
            .arg(cluster.folder.join("log"))
            .arg("-D")
            .arg(cluster.data()))?;
        Ok(cluster)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// PostgreSQL refuses to run as root.
    fn server_program(&self, name: &str) -> Result<Command> {
        let program = self.bin.join(name);
        let mut command = if is_root()? {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir("/");
        Ok(command)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Ok(mut stop) = self.server_program("pg_ctl") {
            let _ = run(stop.args(["stop", "-m", "immediate", "-D"]).arg(self.data()));
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn is_root() -> Result<bool> {
    let id = Command::new("id").arg("-u").output()?;
    Ok(id.stdout.starts_with(b"0\n"))
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    let status = status.with_context(|| format!("{command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}

/// The folder of the newest installed server's programs.
fn server_programs() -> Result<PathBuf> {
    let versions = std::fs::read_dir(INSTALLED).map(|found| {
        found.flatten().filter_map(|version| {
            let number: u32 = version.file_name().to_str()?.parse().ok()?;
            let bin = version.path().join("bin");
            bin.join("initdb").exists().then_some((number, bin))
        })
    });
    match versions.ok().and_then(Iterator::max) {
        Some((_, bin)) => Ok(bin),
        None => bail!("no PostgreSQL server in {INSTALLED}: install one, or name a --url"),
    }
}

/// A program of the newest installed server (`pgbench`, `psql`), else the one on the path.
pub fn program(name: &str) -> PathBuf {
    let installed = server_programs().map(|bin| bin.join(name));
    installed.ok().filter(|file| file.exists()).unwrap_or_else(|| Path::new(name).into())
}
