//! TLS to a real server, with certificates of a made-up authority: every mode that libpq names
//! against servers that are right, expired, for another host, of an unknown authority, without TLS,
//! or that want to know who calls.

use std::path::Path;

use patron_testkit::postgres::{Server, execute};
use tempfile::TempDir;

use super::patron_on;
use crate::pki::{Authority, Signed, write};
use crate::program::{Running, succeed};

/// Who may come over TCP: database `open` without TLS only, `known` with a certificate of the user,
/// `bound` with a password, all others with TLS.
const ACCESS: &str = "
hostnossl open all 127.0.0.1/32 trust
hostssl open all 127.0.0.1/32 reject
hostssl known all 127.0.0.1/32 trust clientcert=verify-full
hostssl bound all 127.0.0.1/32 scram-sha-256
hostssl all all 127.0.0.1/32 trust";
/// The user of all tests.
const USER: &str = "postgres";

/// A server with TLS, and a folder with its authority's certificate.
struct Stand {
    server: Server,
    authority: Authority,
    folder: TempDir,
}

impl Stand {
    async fn start() -> Option<Stand> {
        let mut server = super::is_wanted().then(Server::start)??;
        let authority = Authority::new();
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "ca.pem", &authority.pem);
        show(&mut server, &authority, &authority.sign(&["localhost"]));
        for database in ["others", "open", "known", "bound"] {
            execute(&server.url("postgres"), &format!("CREATE DATABASE {database}")).await;
        }
        Some(Stand { server, authority, folder })
    }

    fn file(&self, name: &str, text: &str) -> String {
        write(self.folder.path(), name, text).display().to_string()
    }

    fn url(&self, host: &str, database: &str, query: &str) -> String {
        let (port, folder) = (self.server.port(), self.folder.path().display());
        let query = query.replace("{ca}", &format!("{folder}/ca.pem"));
        format!("postgres://{USER}@{host}:{port}/{database}?{query}")
    }

    /// What the program says when it connects; `Err` when it does not get in.
    fn connect(&self, database: &str, query: &str) -> Result<(), String> {
        said(&self.url("localhost", database, query))
    }

    #[track_caller]
    fn assert_refused(&self, database: &str, query: &str, why: &str) {
        let said = self.connect(database, query).expect_err(query);
        assert!(said.contains(why), "{query}: {said}");
    }
}

/// From now on the server shows this certificate, and knows callers by the authority.
fn show(server: &mut Server, authority: &Authority, shown: &Signed) {
    let files = [
        ("shown.pem", shown.certificate.as_str()),
        ("shown.key", shown.key.as_str()),
        ("ca.pem", authority.pem.as_str()),
    ];
    let settings =
        ["ssl=on", "ssl_cert_file='shown.pem'", "ssl_key_file='shown.key'", "ssl_ca_file='ca.pem'"];
    server.listen(ACCESS, &files, &settings);
}

fn said(url: &str) -> Result<(), String> {
    let output = patron_on(url).args(["space", "create", "Shop"]).output().unwrap();
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_certificate_is_good_for_every_mode() {
    let Some(stand) = Stand::start().await else { return };
    for query in [
        "sslmode=verify-full&sslrootcert={ca}",
        "sslmode=verify-ca&sslrootcert={ca}",
        "sslmode=require&sslrootcert={ca}",
        "sslmode=require",
        "sslmode=prefer",
        "sslmode=allow",
        "ssl=true",
        "",
    ] {
        assert_eq!(stand.connect("others", query), Ok(()), "{query}");
    }
    stand.assert_refused("others", "sslmode=disable", "pg_hba.conf");
    // One that takes nobody with TLS is reached where that may be, with `prefer` at the second try.
    for query in ["sslmode=disable", "sslmode=allow", "sslmode=prefer"] {
        assert_eq!(stand.connect("open", query), Ok(()), "{query}");
    }
    stand.assert_refused("open", "sslmode=require", "28000");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_are_not_right_are_refused() {
    let Some(mut stand) = Stand::start().await else { return };
    let full = "sslmode=verify-full&sslrootcert={ca}";
    show(&mut stand.server, &stand.authority, &stand.authority.sign_expired(&["localhost"]));
    for query in [full, "sslmode=verify-ca&sslrootcert={ca}", "sslmode=require&sslrootcert={ca}"] {
        stand.assert_refused("others", query, "has expired: renew it");
    }
    show(&mut stand.server, &stand.authority, &stand.authority.itself());
    stand.assert_refused("others", full, "CA:FALSE, signed by that CA");
    show(&mut stand.server, &stand.authority, &stand.authority.sign(&["db.example.com"]));
    stand.assert_refused("others", full, "for other names");
    stand.assert_refused("others", full, "db.example.com");
    assert_eq!(stand.connect("others", "sslmode=verify-ca&sslrootcert={ca}"), Ok(()));
    // The name of the host is not its address, unless the certificate says so.
    let by_address = stand.url("127.0.0.1", "others", full);
    assert!(said(&by_address).unwrap_err().contains("for other names"));
    show(&mut stand.server, &stand.authority, &stand.authority.sign(&["127.0.0.1"]));
    assert_eq!(said(&stand.url("127.0.0.1", "others", full)), Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn authorities_that_nobody_named_are_refused() {
    let Some(mut stand) = Stand::start().await else { return };
    show(&mut stand.server, &stand.authority, &Authority::new().sign(&["localhost"]));
    for mode in ["require", "verify-ca", "verify-full"] {
        let query = format!("sslmode={mode}&sslrootcert={{ca}}");
        stand.assert_refused("others", &query, "nobody in sslrootcert has signed");
    }
    // Nobody in the world knows this authority either.
    let said = stand.connect("others", "sslrootcert=system").unwrap_err();
    assert!(said.contains("sslrootcert"), "{said}");
    assert_eq!(stand.connect("others", "sslmode=require"), Ok(()), "nothing is verified there");
    for (query, why) in [
        ("sslmode=verify-full&sslrootcert=/nowhere/ca.pem", "/nowhere/ca.pem cannot be used"),
        ("sslmode=verify-full", "sslrootcert=FILE"),
        ("sslmode=verify_full", "verify-full"),
        ("sslmode=require&sslcrl=x", "sslcrl"),
    ] {
        stand.assert_refused("others", query, why);
    }
    let nothing = stand.file("empty.pem", "");
    let query = format!("sslmode=verify-ca&sslrootcert={nothing}");
    stand.assert_refused("others", &query, "no certificate in PEM");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_refused_where_tls_is_asked_for() {
    let Some(mut stand) = Stand::start().await else { return };
    stand.server.listen("host all all 127.0.0.1/32 trust", &[], &["ssl=off"]);
    for query in [
        "sslmode=require",
        "sslmode=verify-ca&sslrootcert={ca}",
        "sslmode=verify-full&sslrootcert={ca}",
        "sslrootcert=system",
    ] {
        stand.assert_refused("others", query, "offers no TLS");
    }
    for query in ["sslmode=disable", "sslmode=allow", "sslmode=prefer", "sslrootcert={ca}"] {
        assert_eq!(stand.connect("others", query), Ok(()), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_asks_who_calls_is_told() {
    let Some(stand) = Stand::start().await else { return };
    let full = "sslmode=verify-full&sslrootcert={ca}";
    stand.assert_refused("known", full, "sslcert and sslkey");
    let with = |signed: &Signed| {
        let certificate = stand.file("caller.pem", &signed.certificate);
        let key = stand.file("caller.key", &signed.key);
        format!("{full}&sslcert={certificate}&sslkey={key}")
    };
    let known = stand.authority.sign_caller(USER);
    assert_eq!(stand.connect("known", &with(&known)), Ok(()));
    stand.assert_refused("known", &with(&stand.authority.sign_caller("somebody")), "28000");
    let stranger = Authority::new().sign_caller(USER);
    stand.assert_refused("known", &with(&stranger), "refuses the certificate of sslcert");
    let mixed = Signed { certificate: known.certificate, key: stranger.key };
    stand.assert_refused("known", &with(&mixed), "do not go together");
    open_to_all(&stand.folder.path().join("caller.key"));
    let query = format!("{full}&sslcert=a&sslkey={}/caller.key", stand.folder.path().display());
    stand.assert_refused("known", &query.replace("=a&", "={ca}&"), "chmod 600");
}

fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_bound_to_the_connection() {
    let Some(stand) = Stand::start().await else { return };
    let sql = "CREATE ROLE guarded SUPERUSER LOGIN PASSWORD 'a password'";
    execute(&stand.server.url("postgres"), sql).await;
    let query = "sslmode=verify-full&sslrootcert={ca}&channel_binding=require";
    let url =
        stand.url("localhost", "bound", query).replace("//postgres@", "//guarded:a%20password@");
    assert_eq!(said(&url), Ok(()));
    let wrong = url.replace("a%20password", "another");
    let why = said(&wrong).unwrap_err();
    assert!(why.contains("28P01") && !why.contains("another"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_change_need_no_restart() {
    let Some(mut stand) = Stand::start().await else { return };
    let url = stand.url("localhost", "others", "sslmode=verify-full&sslrootcert={ca}");
    succeed(patron_on(&url).args(["space", "create", "Shop"]));
    let running = Running::serve_on(patron_on(&url).arg("serve")).await;
    running.get("/readyz").await.expect(200);
    let next = Authority::new();
    show(&mut stand.server, &next, &next.sign(&["localhost"]));
    // Until the new authority is in the file nothing connects: its server is another's.
    until(&running, 503).await;
    stand.file("ca.pem", &next.pem);
    until(&running, 200).await;
}

/// Looks at readiness until it is as it must become.
async fn until(running: &Running, status: u16) {
    for _ in 0..LOOKS_MAX {
        if running.get("/readyz").await.status == status {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    panic!("/readyz never answers {status}");
}

/// Looks at readiness, and the pause between two: it is asked of the store once a second.
const LOOKS_MAX: u32 = 600;
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(50);
