//! A receiver that is not ours takes mails: PyPI's `aiosmtpd`
//! (`PATRON_SDK_PYTHON=venv/bin/python`), in the clear, with `STARTTLS` and with TLS from the first
//! byte, after a sign-in; Python's own parser reads them.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use patron_mails::{NewSmtp, Safety, Smtp, round};
use patron_native::DIALECT;
use patron_testkit::TestServer;
use serde_json::{Value, json};

use crate::pki::{Authority, write};

/// The receiver; it ends with its input, also when this process is killed.
struct There {
    child: Child,
    said: BufReader<ChildStdout>,
    port: u16,
    ca: Vec<u8>,
    _folder: tempfile::TempDir,
}

impl Drop for There {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl There {
    fn start(safety: &str) -> There {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        let signed = authority.sign(&["localhost"]);
        let certificate = write(folder.path(), "certificate.pem", &signed.certificate);
        let key = write(folder.path(), "key.pem", &signed.key);
        let python = std::env::var("PATRON_SDK_PYTHON").expect("PATRON_SDK_PYTHON");
        let script = format!("{}/tests/mails/receive.py", env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(python);
        let child = child.arg(script).arg(safety).arg(certificate).arg(key);
        let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut port = String::new();
        said.read_line(&mut port).unwrap();
        let port = port.trim().parse().unwrap();
        There { child, said, port, ca: authority.pem.into_bytes(), _folder: folder }
    }

    fn smtp(&self, safety: Safety, password: &str) -> Smtp {
        let credentials = (safety != Safety::Plain).then(|| ("shop".into(), password.into()));
        let new = NewSmtp {
            host: "localhost".to_owned(),
            port: self.port,
            safety,
            credentials,
            from: "Päträn <no-reply@example.com>".to_owned(),
            ca: Some(self.ca.clone()),
            timeout: Duration::from_secs(20),
        };
        Smtp::new(new).unwrap()
    }

    /// The next mail that it took.
    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

async fn invite(server: &TestServer, email: &str) {
    let body = json!({"kind": "human", "email": email});
    let keys = server.credentials("native");
    server.call(&DIALECT, &keys, "POST", "/v1/users", Some(body)).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Python with the package; see the top of this file"]
async fn aiosmtpd_takes_what_is_sent() {
    let server = TestServer::start(&[&DIALECT]).await;
    for (word, safety) in
        [("plain", Safety::Plain), ("starttls", Safety::StartTls), ("tls", Safety::Tls)]
    {
        let mut there = There::start(word);
        for name in ["ada", "j\u{f6}rg"] {
            let email = format!("{name}.{word}@example.com");
            invite(&server, &email).await;
            let smtp = there.smtp(safety, "hush");
            assert_eq!(round(&server.app, &smtp).await.unwrap(), 1, "{word}");
            let mail = there.next();
            assert_eq!(mail["to"], email, "{mail}");
            assert_eq!(mail["envelope"], json!({"from": "no-reply@example.com", "to": [email]}));
            assert_eq!(mail["from"], "Päträn <no-reply@example.com>");
            assert_eq!(mail["subject"], "You are invited to Patron");
            assert_eq!(mail["encrypted"], safety != Safety::Plain, "{word}");
            assert_eq!(mail["signed_in"], safety != Safety::Plain, "{word}");
            assert_eq!(mail["defects"], json!([]));
            let text = mail["text"].as_str().unwrap();
            assert!(text.contains(&format!("{}/console/invite#", server.base_url)), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Python with the package; see the top of this file"]
async fn nothing_goes_to_who_is_not_who_the_settings_name() {
    let server = TestServer::start(&[&DIALECT]).await;
    let other = Authority::new().pem.into_bytes();
    for (word, safety) in [("starttls", Safety::StartTls), ("tls", Safety::Tls)] {
        let mut there = There::start(word);
        let known = std::mem::replace(&mut there.ca, other.clone());
        invite(&server, &format!("{word}@example.com")).await;
        assert_eq!(round(&server.app, &there.smtp(safety, "hush")).await.unwrap(), 1);
        there.ca = known;
        invite(&server, &format!("{word}.next@example.com")).await;
        assert_eq!(round(&server.app, &there.smtp(safety, "wrong")).await.unwrap(), 1);
        invite(&server, &format!("{word}.last@example.com")).await;
        assert_eq!(round(&server.app, &there.smtp(safety, "hush")).await.unwrap(), 1);
        assert_eq!(there.next()["to"], format!("{word}.last@example.com"));
    }
    // A server that knows no STARTTLS gets nothing in the clear.
    let mut there = There::start("plain");
    invite(&server, "clear@example.com").await;
    assert_eq!(round(&server.app, &there.smtp(Safety::StartTls, "hush")).await.unwrap(), 1);
    invite(&server, "here@example.com").await;
    assert_eq!(round(&server.app, &there.smtp(Safety::Plain, "")).await.unwrap(), 1);
    assert_eq!(there.next()["to"], "here@example.com");
}
