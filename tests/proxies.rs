//! Patron behind the reverse proxies whose settings come along: signatures stay whole, the client's
//! address and the host's name arrive, and Patron is the one that refuses.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use patron_app::Clock;
use patron_gateway::limits::Limits;
use patron_testkit::ports::free_address;
use patron_testkit::{Answer, TestServer};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::api::{ALL, create, read};
use crate::isolation::planted;
use crate::program::{Running, patron, succeed};

const PAUSE: Duration = Duration::from_millis(20);
/// Where the examples expect Patron.
const UPSTREAM: &str = "127.0.0.1:8080";
/// More than nginx takes unless it is told, and less than Patron does.
const LARGE_BYTES: usize = 3 << 20;
/// Targets with every spelling that something on the way might think it knows better.
const TARGETS: [(&str, &str); 6] = [
    ("wallee", "/api/v2.0/customers?limit=1&before=%37&expand=a%2fb%7e%C3%bc+%20;x=y&&z"),
    ("wallee", "/api/v2.0/customers/1%2F2"),
    ("monri", "/v2/customers/a%2fb"),
    ("monri", "/v2/customers?offset=0&limit=%31"),
    ("verifone", "/v2/customer/%7e.%2E"),
    ("native", "/v1/customers?reference=a%2Fb//c"),
];

/// A proxy; killed when dropped.
struct Front {
    child: Child,
    base_url: String,
    _folder: TempDir,
}

impl Drop for Front {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn example(name: &str, changes: &[(&str, &str)]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = std::fs::read_to_string(root.join("packaging").join(name)).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{name} has no {from}");
        text = text.replace(from, to);
    }
    text
}

impl Front {
    /// nginx as the example has it, but for addresses and TLS.
    async fn nginx(upstream: &str) -> Front {
        let (folder, address) = (TempDir::with_prefix("patron-nginx-").unwrap(), free_address());
        let listen = format!("listen {address};");
        let text = example("nginx.conf", &[("listen 443 ssl;", &listen), (UPSTREAM, upstream)]);
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("ssl_certificate"));
        let text: Vec<&str> = lines.collect();
        let at = folder.path().display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {at}/{kind};\n"))
            .concat();
        let whole = format!(
            "daemon off;\nmaster_process off;\npid {at}/pid;\nevents {{}}\n\
             http {{\naccess_log off;\n{temporary}{}\n}}\n",
            text.join("\n")
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, whole).unwrap();
        let mut command = Command::new("nginx");
        command.args(["-e", "stderr", "-c"]).arg(&file).arg("-p").arg(folder.path());
        Front::start(command, address.to_string(), folder).await
    }

    /// Caddy as the example has it, but for addresses and TLS.
    async fn caddy(upstream: &str) -> Front {
        let (folder, address) = (TempDir::with_prefix("patron-caddy-").unwrap(), free_address());
        let site =
            format!("{{\n\tadmin off\n\tauto_https off\n}}\n\nhttp://:{} {{", address.port());
        let changes = [("pay.example.com {", site.as_str()), (UPSTREAM, upstream)];
        let file = folder.path().join("Caddyfile");
        std::fs::write(&file, example("Caddyfile", &changes)).unwrap();
        let mut command = Command::new("caddy");
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&file);
        command
            .env("HOME", folder.path())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_DATA_HOME");
        Front::start(command, address.to_string(), folder).await
    }

    async fn start(mut command: Command, address: String, folder: TempDir) -> Front {
        command.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap()));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut child = child.expect("these tests need nginx and Caddy (apt-get install)");
        while tokio::net::TcpStream::connect(&address).await.is_err() {
            assert!(child.try_wait().unwrap().is_none(), "{command:?} has ended");
            tokio::time::sleep(PAUSE).await;
        }
        Front { child, base_url: format!("http://{address}"), _folder: folder }
    }

    /// Both, before the same server.
    async fn both(base_url: &str) -> [Front; 2] {
        let upstream = base_url.strip_prefix("http://").unwrap();
        [Front::nginx(upstream).await, Front::caddy(upstream).await]
    }
}

async fn server() -> TestServer {
    let limits = Limits { client_address_header: "X-Forwarded-For".into(), ..Limits::default() };
    TestServer::start_with(&ALL, Clock::System, limits).await
}

async fn ask(patron: &TestServer, api: &str, target: &str, more: &[(&str, &str)]) -> Answer {
    let dialect = ALL.iter().find(|dialect| dialect.name == api).unwrap();
    let keys = patron.credentials(api);
    let space = keys["space_id"].to_string();
    let mut headers = more.to_vec();
    if api == "wallee" {
        headers.push(("space", &space));
    }
    patron.call_with(dialect, &keys, "GET", target, &headers, None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_api_works_through_every_proxy() {
    let mut patron = server().await;
    let keys = patron.all_credentials().clone();
    let direct = patron.base_url.clone();
    let mut n = 0;
    for front in Front::both(&direct).await {
        for api in ALL {
            n += 1;
            patron.base_url = front.base_url.clone();
            let made = create(&patron, &keys, api.name, &planted("front", n)).await;
            assert!(made.status < 300, "{}: {}", api.name, made.text());
            let listed = patron.call(
                ALL[0],
                &keys["native"],
                "GET",
                "/v1/customers?sort=-number&limit=1",
                None,
            );
            let native = listed.await.expect(200).json()["data"][0].clone();
            read(&patron, &keys, api.name, &native).await;
        }
        for (api, target) in TARGETS {
            patron.base_url = front.base_url.clone();
            let through = ask(&patron, api, target, &[]).await;
            patron.base_url = direct.clone();
            let straight = ask(&patron, api, target, &[]).await;
            assert!(![401, 403].contains(&straight.status), "{target}: {}", straight.text());
            assert_eq!(through.status, straight.status, "{api} {target}: {}", through.text());
        }
        patron.base_url = front.base_url.clone();
        let body = json!({"description": "a".repeat(LARGE_BYTES)});
        let refused =
            patron.call(ALL[0], &keys["native"], "POST", "/v1/customers", Some(body)).await;
        assert_eq!(refused.header("content-type"), "application/problem+json");
        patron.base_url = direct.clone();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_cannot_choose_its_address() {
    let mut patron = server().await;
    let admin = patron.credentials("native");
    let key = async |patron: &TestServer, network: &str| {
        let body = json!({"dialect": "native", "role": 6, "addresses": [network]});
        let made = patron.call(ALL[0], &admin, "POST", "/v1/keys", Some(body)).await;
        made.expect(201).json()["credentials"].clone()
    };
    let here = key(&patron, "127.0.0.0/8").await;
    let elsewhere = key(&patron, "203.0.113.0/24").await;
    for front in Front::both(&patron.base_url.clone()).await {
        patron.base_url = front.base_url.clone();
        let forged = [("x-forwarded-for", "203.0.113.9")];
        for (keys, status) in [(&here, 200), (&elsewhere, 401)] {
            let target = "/v1/customers";
            let answer = patron.call_with(ALL[0], keys, "GET", target, &forged, None).await;
            assert_eq!(answer.status, status, "{}: {}", front.base_url, answer.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn host_names_arrive_and_the_base_url_is_the_clients() {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("patron.toml");
    let text = "base_url = 'https://pay.example.com'\n[hosts]\n'pay.example.com' = 'native'\n";
    std::fs::write(&settings, text).unwrap();
    let data = folder.path().join("data");
    let told = |command: &mut Command| {
        command.arg("--config").arg(&settings).arg("--data").arg(&data);
    };
    let mut create = patron();
    create.args(["space", "create", "Shop", "--json"]);
    told(&mut create);
    let made: Value = serde_json::from_str(&succeed(&mut create)).unwrap();
    assert!(made.to_string().contains("https://pay.example.com"), "{made}");
    let mut serve = patron();
    serve.arg("serve");
    told(&mut serve);
    let running = Running::serve_on(&mut serve).await;
    for front in Front::both(&running.base_url).await {
        // Without the name, the path is Notch Pay's.
        for (host, is_native) in [("pay.example.com", true), ("other.example.com", false)] {
            let headers = [("host".to_owned(), host.to_owned())];
            let answer =
                running.client.send(&front.base_url, "GET", "/customers", &headers, b"").await;
            let kind = answer.header("content-type");
            assert_eq!(kind == "application/problem+json", is_native, "{host}: {}", answer.text());
        }
    }
}
