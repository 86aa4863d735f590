//! TLS of the server itself, with certificates of a made-up authority.

use std::io::{Read as _, Write as _};
use std::net::TcpStream as Plain;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion, version};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::pki::{Authority, Signed, write};
use crate::program::{Running, patron, succeed};

const HOST: &str = "localhost";
const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];

/// Files of a server, and the server.
struct Stand {
    folder: TempDir,
    authority: Authority,
}

impl Stand {
    fn new() -> Stand {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        let stand = Stand { folder, authority };
        stand.show(&stand.authority.sign(&[HOST, "127.0.0.1"]));
        write(stand.folder.path(), "ca.pem", &stand.authority.pem);
        stand
    }

    fn show(&self, signed: &Signed) {
        write(self.folder.path(), "server.pem", &signed.certificate);
        write(self.folder.path(), "server.key", &signed.key);
    }

    fn command(&self, settings: &[(&str, &str)]) -> Command {
        let folder = self.folder.path();
        let mut command = patron();
        command.arg("serve").arg("--data").arg(folder.join("data"));
        command.env("PATRON__TLS__CERTIFICATE", folder.join("server.pem"));
        command.env("PATRON__TLS__KEY", folder.join("server.key"));
        command.envs(settings.iter().copied());
        command
    }

    async fn serve(&self, settings: &[(&str, &str)]) -> Running {
        Running::serve_on(&mut self.command(settings)).await
    }

    fn client(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        self.client_as(versions, None)
    }

    fn client_as(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        caller: Option<&Signed>,
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(self.authority.pem.as_bytes()).unwrap();
        roots.add(ca).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match caller {
            None => builder.with_no_client_auth(),
            Some(Signed { certificate, key }) => {
                let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }
}

fn address(running: &Running) -> &str {
    running.base_url.strip_prefix("http://").unwrap()
}

async fn connect(running: &Running, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address(running)).await?;
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(ServerName::try_from(HOST).unwrap(), stream).await
}

/// Asks whether the server lives and reads the answer's head.
async fn ask(stream: &mut TlsStream<TcpStream>) -> std::io::Result<String> {
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await?;
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer[..read]).into_owned())
}

fn presented(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_see_the_certificate_in_both_versions() {
    let stand = Stand::new();
    let running = stand.serve(&[]).await;
    for (versions, spoken) in
        [([BOTH[0]], ProtocolVersion::TLSv1_3), ([BOTH[1]], ProtocolVersion::TLSv1_2)]
    {
        let mut stream = connect(&running, stand.client(&versions)).await.unwrap();
        let session = stream.get_ref().1;
        assert_eq!(session.protocol_version(), Some(spoken));
        assert_eq!(session.alpn_protocol(), Some(b"http/1.1".as_slice()));
        assert!(ask(&mut stream).await.unwrap().starts_with("HTTP/1.1 200 "));
    }
    let url = format!("https://{}/livez", address(&running));
    let ca = stand.folder.path().join("ca.pem");
    let said = succeed(Command::new("curl").args(["-sS", "--cacert"]).arg(&ca).arg(&url));
    assert!(said.contains("ok"), "{said}");
    let unknown = Command::new("curl").args(["-sS", &url]).output().unwrap();
    assert!(!unknown.status.success(), "a stranger's authority is not trusted");
    let mut unwilling = stand.client(BOTH);
    unwilling.alpn_protocols = vec![b"h2".to_vec()];
    assert!(connect(&running, unwilling).await.is_err(), "only HTTP/1.1 is spoken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_taken_and_connections_go_on() {
    let stand = Stand::new();
    let folder = stand.folder.path();
    let mut command = stand.command(&[]);
    let running = Running::serve_on(&mut command).await;
    let mut old = connect(&running, stand.client(BOTH)).await.unwrap();
    let first = presented(&old);
    stand.show(&stand.authority.sign(&[HOST]));
    let hang_up = || succeed(Command::new("kill").args(["-HUP", &running.child.id().to_string()]));
    hang_up();
    let mut now = first.clone();
    while now == first {
        now = presented(&connect(&running, stand.client(BOTH)).await.unwrap());
    }
    assert!(ask(&mut old).await.unwrap().starts_with("HTTP/1.1 200 "), "it was not cut");
    // What is no certificate changes nothing, and the next good one is taken.
    let log = &running.log;
    write(folder, "server.pem", "no certificate");
    hang_up();
    log.until("is kept as it was");
    assert_eq!(presented(&connect(&running, stand.client(BOTH)).await.unwrap()), now);
    write(folder, "server.pem", &Authority::new().sign(&[HOST]).certificate);
    hang_up();
    log.until("do not go together");
    assert_eq!(presented(&connect(&running, stand.client(BOTH)).await.unwrap()), now);
    stand.show(&stand.authority.sign(&[HOST]));
    hang_up();
    let mut last = now.clone();
    while last == now {
        last = presented(&connect(&running, stand.client(BOTH)).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_that_stall_are_cut_and_keep_no_place() {
    let stand = Stand::new();
    let settings =
        [("PATRON__LIMITS__HANDSHAKE_SECONDS_MAX", "1"), ("PATRON__LIMITS__CONNECTIONS_MAX", "1")];
    let running = stand.serve(&settings).await;
    // Nothing at all, the beginning of a handshake, HTTP without TLS: there is one place, and after
    // each of them it is free.
    let http = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n".as_slice();
    for sent in [b"".as_slice(), b"\x16\x03\x01\x02\x00\x01", http] {
        let mut stream = Plain::connect(address(&running)).unwrap();
        stream.write_all(sent).unwrap();
        let mut said = Vec::new();
        // Ends when the server closes.
        let _ = stream.read_to_end(&mut said);
        assert!(!said.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&said));
        let mut stream = connect_once_free(&running, &stand).await;
        assert!(ask(&mut stream).await.unwrap().starts_with("HTTP/1.1 200 "));
    }
}

/// Pause between two tries to get a place, and tries.
const PATIENCE_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);
const PATIENCE_ROUNDS: usize = 200;

/// The only place is free a moment after the client before has seen its connection end; until then
/// others are turned away.
async fn connect_once_free(running: &Running, stand: &Stand) -> TlsStream<TcpStream> {
    for _ in 0..PATIENCE_ROUNDS {
        if let Ok(stream) = connect(running, stand.client(BOTH)).await {
            return stream;
        }
        tokio::time::sleep(PATIENCE_PAUSE).await;
    }
    panic!("the place is not free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_show_a_certificate_where_that_is_asked_for() {
    let stand = Stand::new();
    let ca = stand.folder.path().join("ca.pem");
    let running = stand.serve(&[("PATRON__TLS__CLIENT_CA", ca.to_str().unwrap())]).await;
    for versions in [&BOTH[..1], &BOTH[1..]] {
        let known = stand.authority.sign_caller("shop");
        let known = stand.client_as(versions, Some(&known));
        let mut stream = connect(&running, known).await.unwrap();
        assert!(ask(&mut stream).await.unwrap().starts_with("HTTP/1.1 200 "));
        let stranger = Authority::new().sign_caller("shop");
        for config in [stand.client(versions), stand.client_as(versions, Some(&stranger))] {
            // With TLS 1.3 a client learns of it with the first answer.
            let answered = match connect(&running, config).await {
                Ok(mut stream) => ask(&mut stream).await,
                Err(error) => Err(error),
            };
            assert!(answered.is_err(), "{answered:?}");
        }
    }
}

#[test]
fn files_that_cannot_be_used_are_named_at_the_start() {
    let stand = Stand::new();
    let folder = stand.folder.path();
    let refused = |why: &str| {
        let mut command = stand.command(&[]);
        let output = command.args(["--listen", "127.0.0.1:0"]).stdin(Stdio::null()).output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(why), "{why}: {said}");
    };
    open_to_all(&folder.join("server.key"));
    refused("server.key can be read by others: chmod 600");
    write(folder, "server.key", &Authority::new().sign(&[HOST]).key);
    refused("do not go together");
    write(folder, "server.key", "nothing");
    refused("server.key is no private key in PEM");
    std::fs::remove_file(folder.join("server.key")).unwrap();
    refused("server.key cannot be read");
    stand.show(&stand.authority.sign(&[HOST]));
    write(folder, "server.pem", "nothing");
    refused("server.pem holds no certificate in PEM");
}

fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
}
