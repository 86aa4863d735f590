//! PgBouncer between Patron and its database, in transaction mode as Debian's version has it: each
//! transaction may have another session, none has prepared statements or settings of ours.

use std::fmt::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use patron_testkit::ports::free_address;
use patron_testkit::postgres::Server;
use serde_json::json;
use tempfile::TempDir;

use crate::program::Running;

use super::{assert_agreed, database, load, new_space, patron_on, tour};

/// Sessions that all clients share: fewer than the connections of one node.
const SESSIONS: usize = 3;
/// Writers at a time.
const WRITERS: usize = 8;
const PAUSE: Duration = Duration::from_millis(20);

/// PgBouncer; killed when dropped.
struct Bouncer {
    child: Child,
    address: String,
    _folder: TempDir,
}

impl Bouncer {
    /// In front of a server, with lines of settings of the test's own.
    async fn before(server: &Server, settings: &str) -> Bouncer {
        let folder = TempDir::with_prefix("patron-bouncer-").unwrap();
        let address = free_address();
        let mut text = format!("[databases]\n* = host={} port=5432", server.folder().display());
        write!(
            text,
            " user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {}\n\
             unix_socket_dir =\nauth_type = any\npool_mode = transaction\nmax_client_conn = 500\n\
             default_pool_size = {SESSIONS}\n{settings}\n",
            address.port()
        )
        .unwrap();
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(&file, text).unwrap();
        let mut command = match Command::new("id").arg("-u").output().unwrap().stdout.as_slice() {
            b"0\n" => {
                // It refuses to run as root.
                let open = ["-R", "postgres"];
                Command::new("chown").args(open).arg(folder.path()).status().unwrap();
                let mut command = Command::new("setpriv");
                command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
                command.arg("pgbouncer");
                command
            }
            _ => Command::new("pgbouncer"),
        };
        command.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap()));
        let child = command.arg("-q").arg(&file).stderr(Stdio::null()).spawn();
        let child = child.expect("these tests need PgBouncer (apt-get install pgbouncer)");
        while tokio::net::TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(PAUSE).await;
        }
        Bouncer { child, address: address.to_string(), _folder: folder }
    }

    fn url(&self, database: &str, words: &str) -> String {
        format!("postgres://postgres@{}/{database}{words}", self.address)
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_in_transaction_mode_is_found_out_and_everything_works() {
    let Some((server, name, url)) = database().await else { return };
    let bouncer = Bouncer::before(&server, "").await;
    tour::go(&bouncer.url(&name, "")).await;
    assert_agreed(&url);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_share_fewer_sessions_than_they_have_connections() {
    let Some((server, name, url)) = database().await else { return };
    // What it lets pass is no sign of a pooler any more: it is said in the URL.
    let bouncer = Bouncer::before(&server, "ignore_startup_parameters = options").await;
    let pooled = bouncer.url(&name, "?pgbouncer=true");
    let key = new_space(&pooled);
    let nodes = [
        Running::serve_on(patron_on(&pooled).arg("serve")).await,
        Running::serve_on(patron_on(&pooled).arg("serve")).await,
    ];
    let addresses = nodes.iter().map(|node| node.base_url.clone()).collect();
    let load = load::Load::new(addresses, key.clone());
    let writers = load.start(WRITERS);
    load.answers(300).await;
    let known = load.finish(writers).await;
    load::verify(&nodes[0].base_url, &key, &known).await;
    let one = format!("/v1/customers/{}", known[0].number);
    // Reads and writes of many callers at once.
    let calls = (0..120).map(|n| {
        let node = &nodes[n % 2];
        let search = "/v1/customers?q=a&total=true";
        let (method, path, body) = match n % 3 {
            0 => ("POST", "/v1/customers", Some(json!({}))),
            1 => ("GET", one.as_str(), None),
            _ => ("GET", search, None),
        };
        node.native(&key, method, path, body)
    });
    for answer in futures_util::future::join_all(calls).await {
        assert!(answer.status < 300, "{}", answer.text());
    }
    assert_agreed(&url);
}
