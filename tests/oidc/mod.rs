//! A certified provider of OpenID Connect, npm's `oidc-provider`, signs somebody in, honestly and
//! not. Needs Node.js and the package in a folder above (`PATRON_SDK_NODE_MODULES`).

mod sign_in;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, Method};
use patron_outbound::{Allowed, Client, Guard, NewClient, names::Names};
use patron_signin::oidc::{Answered, Asked, Claims, Fault, Provider, RelyingParty, is_same};

const CALLBACK: &str = "https://patron.example/callback";
const SECRET: &str = "a secret+with%signs";

/// The provider, and somebody's browser.
struct There {
    child: Child,
    issuer: String,
    client: Client,
    party: RelyingParty,
    _folder: tempfile::TempDir,
}

impl Drop for There {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn client() -> Client {
    let allow = vec![Allowed::parse("127.0.0.0/8").unwrap()];
    let guard = Guard { allow, only_allowed: true, ..Guard::default() };
    let names = Names::of_system();
    Client::new(NewClient { guard, names, ca: None, user_agent: "Test/1" }).unwrap()
}

impl There {
    fn start() -> There {
        There::back_to(CALLBACK)
    }

    /// One that sends browsers back there.
    fn back_to(callback: &str) -> There {
        let folder = tempfile::tempdir().unwrap();
        let modules = std::env::var("PATRON_SDK_NODE_MODULES").expect("PATRON_SDK_NODE_MODULES");
        std::os::unix::fs::symlink(modules, folder.path().join("node_modules")).unwrap();
        let script = folder.path().join("provider.mjs");
        let source = format!("{}/tests/oidc/provider.mjs", env!("CARGO_MANIFEST_DIR"));
        std::fs::copy(source, &script).unwrap();
        // It ends with its input, also when this process is killed.
        let mut node = Command::new("node");
        let node = node.arg(&script).arg(callback).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = node.stderr(Stdio::null()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let issuer = format!("http://127.0.0.1:{}", port.trim());
        let (client, party) = (client(), RelyingParty::new(client()));
        There { child, issuer, client, party, _folder: folder }
    }

    async fn ask(&self, path: &str, name: &str, value: &str) -> String {
        let query = form(&[(name, value)]);
        let target = self.client.check(&format!("{}{path}?{query}", self.issuer)).unwrap();
        let bounds = (64 * 1024, Duration::from_secs(60));
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        let answer = self.client.ask(Method::GET, &target, headers, body, bounds);
        String::from_utf8(answer.await.unwrap().body).unwrap()
    }

    fn provider<'a>(&'a self, client_id: &'a str, scopes: &'a [String]) -> Provider<'a> {
        let secret = (!client_id.ends_with("none")).then_some(SECRET);
        Provider { issuer: &self.issuer, client_id, secret, scopes, acr: None }
    }

    /// Signs ada in; the code and who gave it.
    async fn browse(&self, provider: Provider<'_>, asked: Asked<'_>) -> [String; 2] {
        let url = self.party.begin(provider, asked, now()).await.unwrap();
        let back = self.ask("/_browse", "url", &url).await;
        let query = back.strip_prefix(CALLBACK).and_then(|rest| rest.strip_prefix('?'));
        let query = query.unwrap_or_else(|| panic!("{back}"));
        let has = |name: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let found =
                pairs.filter(|(known, _)| *known == name).map(|(_, value)| value.to_owned());
            found.collect::<Vec<_>>().join("&").replace("%3A", ":").replace("%2F", "/")
        };
        assert!(is_same(asked.state, &has("state")) && !is_same(asked.state, "another"));
        [has("code"), has("iss")]
    }

    async fn sign_in(&self, client_id: &str) -> Result<Claims, Fault> {
        let scopes = ["email", "profile"].map(str::to_owned);
        let provider = self.provider(client_id, &scopes);
        let [code, issuer] = self.browse(provider, ASKED).await;
        let answered = Answered { code: &code, issuer: Some(&issuer) };
        self.party.finish(provider, ASKED, answered, now()).await
    }
}

fn form(pairs: &[(&str, &str)]) -> String {
    let escape =
        |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02X}")).collect() };
    let pairs: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    pairs.join("&")
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

const ASKED: Asked<'static> = Asked {
    state: "af0ifjsldkj",
    nonce: "n-0S6_WzA2Mj",
    verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    redirect_uri: CALLBACK,
    fresh_since: None,
};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node.js with the package; see the top of this file"]
async fn a_certified_provider_signs_somebody_in_with_each_algorithm() {
    let there = There::start();
    for client_id in [
        "RS256-client_secret_basic",
        "PS256-client_secret_basic",
        "ES256-client_secret_basic",
        "EdDSA-client_secret_basic",
        "ES256-none",
    ] {
        let claims = there.sign_in(client_id).await.unwrap();
        assert_eq!(claims.sub, "ada", "{client_id}");
        assert_eq!(claims.email.as_deref(), Some("ada@example.com"), "{client_id}");
        assert!(claims.has_verified_email(), "{client_id}");
        assert_eq!(claims.given_name.as_deref(), Some("Ada"), "{client_id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node.js with the package; see the top of this file"]
async fn a_provider_that_lies_signs_nobody_in() {
    let there = There::start();
    for client_id in ["RS256-client_secret_basic", "EdDSA-client_secret_basic"] {
        for (about, fault) in [
            ("iss", Fault::Issuer),
            ("aud", Fault::Audience),
            ("audiences", Fault::Audience),
            ("azp", Fault::AuthorizedParty),
            ("nonce", Fault::Nonce),
            ("exp", Fault::Expired),
            ("none", Fault::Algorithm),
            ("HS256", Fault::Algorithm),
            ("key", Fault::Signature),
            ("claims", Fault::Signature),
        ] {
            there.ask("/_lie", "about", about).await;
            assert_eq!(there.sign_in(client_id).await.err(), Some(fault), "{client_id}: {about}");
        }
        there.ask("/_lie", "about", "").await;
        assert!(there.sign_in(client_id).await.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node.js with the package; see the top of this file"]
async fn a_code_is_good_once_for_whoever_asked() {
    let there = There::start();
    let scopes = [];
    let provider = there.provider("ES256-none", &scopes);
    let [code, issuer] = there.browse(provider, ASKED).await;
    let answered = Answered { code: &code, issuer: Some(&issuer) };
    let finish = async |provider, asked, answered| {
        there.party.finish(provider, asked, answered, now()).await.err()
    };
    // Another verifier: whoever stole the code.
    let thief = Asked { verifier: "a-verifier-of-somebody-else-with-enough-letters", ..ASKED };
    assert_eq!(finish(provider, thief, answered).await, Some(Fault::Exchange));
    let [code, _] = there.browse(provider, ASKED).await;
    let answered = Answered { code: &code, issuer: Some(&issuer) };
    let mixed = Answered { issuer: Some("https://evil.example"), ..answered };
    assert_eq!(finish(provider, ASKED, mixed).await, Some(Fault::Mixed));
    let silent = Answered { issuer: None, ..answered };
    assert_eq!(finish(provider, ASKED, silent).await, Some(Fault::Mixed));
    assert_eq!(finish(provider, ASKED, answered).await, None);
    assert_eq!(finish(provider, ASKED, answered).await, Some(Fault::Exchange));
    let wrong =
        Provider { secret: Some("wrong"), ..there.provider("ES256-client_secret_basic", &[]) };
    let [code, _] = there.browse(wrong, ASKED).await;
    let answered = Answered { code: &code, ..answered };
    assert_eq!(finish(wrong, ASKED, answered).await, Some(Fault::Exchange));
}
