//! The program as its users start it: sandbox contract, restart, spaces, keys, backup, import.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};

use patron_testkit::{Answer, client::Client};
use serde_json::{Value, json};

/// The program under test.
pub fn patron() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_patron"));
    command.env_remove("PATRON_TEST_ENGINE");
    // Many run at a time.
    command.env("PATRON__ADMIN__LISTEN", "127.0.0.1:0");
    command
}

/// Where a server may listen.
pub fn free_address() -> String {
    patron_testkit::ports::free_address().to_string()
}

/// A running program; killed when dropped.
pub struct Running {
    pub child: Child,
    pub base_url: String,
    /// Where operators ask; in a sandbox everybody may.
    pub operations_url: String,
    pub client: Client,
    pub log: Log,
}

/// What a server writes to standard error.
#[derive(Clone, Default)]
pub struct Log(Arc<(Mutex<String>, Condvar)>);

impl Log {
    fn add(&self, line: &str) {
        let mut said = self.0.0.lock().unwrap();
        said.push_str(line);
        said.push('\n');
        drop(said);
        self.0.1.notify_all();
    }

    /// What the server has said so far, line by line.
    pub fn text(&self) -> String {
        self.0.0.lock().unwrap().clone()
    }

    /// Waits until the server has said something.
    pub fn until(&self, word: &str) {
        let said = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(said, |said| !said.contains(word)).unwrap());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// Starts a sandbox on a folder and waits until it says that it is ready.
    pub fn sandbox(data: &Path) -> (Running, String) {
        let address = free_address();
        let mut child = patron()
            .args(["sandbox", "--listen", &address, "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let out = child.stdout.take().unwrap();
        let base_url = format!("http://{address}");
        let operations_url = base_url.clone();
        let (client, log) = (Client::new(), Log::default());
        let running = Running { child, base_url, operations_url, client, log };
        let (is_ready, said) = running.until_ready(out);
        assert!(is_ready, "ended early: {said}");
        (running, said)
    }

    /// Reads what a sandbox prints, until it is ready or has ended.
    pub fn until_ready(&self, out: ChildStdout) -> (bool, String) {
        let mut out = BufReader::new(out);
        let mut said = String::new();
        while !said.contains("A page to look at") {
            if out.read_line(&mut said).unwrap() == 0 {
                return (false, said);
            }
        }
        (true, said)
    }

    /// Starts the real server and waits until it answers.
    pub async fn serve(data: &Path) -> Running {
        Running::serve_on(patron().args(["serve", "--data"]).arg(data)).await
    }

    /// The same where the command's options say.
    pub async fn serve_on(command: &mut Command) -> Running {
        let address = free_address();
        let child = command.args(["--listen", &address]).stderr(Stdio::piped()).spawn().unwrap();
        let (base_url, operations_url) = (format!("http://{address}"), String::new());
        let (client, log) = (Client::new(), Log::default());
        let mut running = Running { child, base_url, operations_url, client, log };
        let mut err = BufReader::new(running.child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("answers at") {
            assert_ne!(err.read_line(&mut said).unwrap(), 0, "ended early: {said}");
        }
        let operations = said.rsplit_once("operations").unwrap().1.split('"').nth(1).unwrap();
        running.operations_url = format!("http://{operations}");
        // It must be drained, or the program would block on a full pipe.
        let log = running.log.clone();
        std::thread::spawn(move || {
            err.lines().map_while(Result::ok).for_each(|line| log.add(&line));
        });
        running
    }

    pub async fn native(&self, key: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut headers = vec![("authorization".to_owned(), format!("Bearer {key}"))];
        if body.is_some() {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        self.client.send(&self.base_url, method, path, &headers, body.as_bytes()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.client.send(&self.base_url, "GET", path, &[], b"").await
    }

    pub async fn get_as_operator(&self, path: &str) -> Answer {
        self.client.send(&self.operations_url, "GET", path, &[], b"").await
    }
}

/// Runs a command that must succeed; answers what it printed.
pub fn succeed(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}\n{out}\n{err}");
    out.into_owned()
}

fn in_data(command: &mut Command, data: &Path) -> String {
    succeed(command.arg("--data").arg(data))
}

/// The native key of every sandbox.
pub const KEY: &str = "patron_sandbox_0123456789abcdef0123456789abcdef";

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_keeps_its_contract() {
    let folder = tempfile::tempdir().unwrap();
    let (running, said) = Running::sandbox(folder.path());
    let address = running.base_url.strip_prefix("http://").unwrap();
    let printed = patron()
        .args(["sandbox", "--print", "--listen", address, "--data"])
        .arg(folder.path())
        .output()
        .unwrap();
    let keys: Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert!(said.contains(&serde_json::to_string_pretty(&keys).unwrap()));
    assert_eq!(keys["base_url"], running.base_url);
    for (api, members) in [
        ("native", &["api_key"][..]),
        ("wallee", &["host", "space_id", "user_id", "authentication_key"]),
        ("verifone", &["base_url", "user_id", "api_key", "entity_id"]),
        ("monri", &["base_url", "authenticity_token", "merchant_key"]),
        ("payabli", &["base_url", "request_token", "entry"]),
        ("notchpay", &["base_url", "public_key", "private_key"]),
    ] {
        for member in members {
            assert!(!keys[api][member].is_null(), "{api}.{member}");
        }
    }
    assert_eq!((&keys["wallee"]["space_id"], &keys["wallee"]["user_id"]), (&json!(1), &json!(1)));
    let host = format!("{}/api/v2.0", running.base_url);
    assert_eq!(keys["wallee"]["host"], host);
    let listed = running.native(KEY, "GET", "/v1/customers", None).await.expect(200).json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 5);
    running.get("/livez").await.expect(200);
    running.get("/readyz").await.expect(200);
    assert!(running.get("/metrics").await.expect(200).text().contains("patron_requests_total"));
    assert!(running.get("/").await.expect(200).text().contains("Try it"));
    for api in ["native", "wallee", "verifone", "monri", "payabli", "notchpay"] {
        let described = running.get(&format!("/openapi/{api}.json")).await.expect(200).json();
        assert_eq!(described["openapi"], "3.1.0");
        running.get(&format!("/docs/{api}")).await.expect(200);
    }
    running.get("/nothing").await.expect(404);
    let problem = running.native(KEY, "GET", "/v1/customers/0", None).await.expect(404).json();
    let (page, anchor) = problem["type"].as_str().unwrap().split_once('#').unwrap();
    assert!(running.get(page).await.text().contains(&format!("id='{anchor}'")));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_printed_curl_line_works_when_pasted_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (running, said) = Running::sandbox(folder.path());
    let printed: Vec<&str> = said.lines().filter(|line| line.contains("curl -sS")).collect();
    assert!(printed.len() == 6 && printed[0].contains("/v1/customers"), "{said}");
    let mut page = running.get("/").await.expect(200).text();
    for (written, meant) in
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
    {
        page = page.replace(written, meant);
    }
    let blocks = page.split("<pre>").skip(1).filter_map(|rest| rest.split("</pre>").next());
    let lines: Vec<&str> = blocks.filter(|block| block.contains("curl -sS")).collect();
    assert!(lines.len() >= 15 && printed.iter().all(|line| lines.contains(line)), "{page}");
    for line in lines.iter().chain(&lines) {
        let line = line.replace("curl -sS", "curl -sS -o /dev/null -w '%{http_code}'");
        let status = succeed(Command::new("bash").args(["-c", &line]));
        assert!(status.starts_with('2'), "{status}: {line}");
    }
    drop(running);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_there_after_kill_and_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (mut running, _) = Running::sandbox(folder.path());
    let body = json!({"title": "kept"});
    let made = running.native(KEY, "POST", "/v1/customers", Some(body)).await.expect(201).json();
    running.child.kill().unwrap();
    running.child.wait().unwrap();
    let (running, _) = Running::sandbox(folder.path());
    let path = format!("/v1/customers/{}", made["number"]);
    assert_eq!(running.native(KEY, "GET", &path, None).await.expect(200).json(), made);
    let next = running.native(KEY, "POST", "/v1/customers", Some(json!({}))).await.expect(201);
    assert!(next.json()["number"].as_i64() > made["number"].as_i64());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminated_server_finishes_and_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let (mut running, _) = Running::sandbox(folder.path());
    let pid = running.child.id().to_string();
    succeed(Command::new("kill").args(["-TERM", &pid]));
    assert!(running.child.wait().unwrap().success());
    let said = in_data(patron().arg("check"), folder.path());
    assert!(said.contains("Everything agrees."), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn spaces_and_keys_are_made_listed_and_revoked_beside_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let made = in_data(patron().args(["space", "create", "First", "--json"]), folder.path());
    let first: Value = serde_json::from_str(&made).unwrap();
    let running = Running::serve(folder.path()).await;
    let key = first["native"]["api_key"].as_str().unwrap();
    running.native(key, "POST", "/v1/customers", Some(json!({}))).await.expect(201);
    running.native(KEY, "GET", "/v1/customers", None).await.expect(401);
    let made = in_data(patron().args(["space", "create", "Second", "--json"]), folder.path());
    let second: Value = serde_json::from_str(&made).unwrap();
    assert_eq!(second["base_url"], running.base_url, "the running server says where it answers");
    let other = second["native"]["api_key"].as_str().unwrap();
    let theirs = running.native(other, "GET", "/v1/customers", None).await.expect(200).json();
    assert_eq!(theirs["data"], json!([]));
    let create = ["key", "create", "--space", "1", "--role", "read"];
    let made: Value = serde_json::from_str(&in_data(patron().args(create), folder.path())).unwrap();
    let reader = made["native"]["api_key"].as_str().unwrap();
    running.native(reader, "GET", "/v1/customers", None).await.expect(200);
    running.native(reader, "POST", "/v1/customers", Some(json!({}))).await.expect(403);
    let listed = in_data(patron().args(["key", "list", "--json"]), folder.path());
    assert!(!listed.contains(reader), "secrets are shown once");
    let number = made["number"].to_string();
    let rotate = ["key", "rotate", &number, "--overlap", "1h"];
    let made: Value = serde_json::from_str(&in_data(patron().args(rotate), folder.path())).unwrap();
    let newer = made["native"]["api_key"].as_str().unwrap();
    for token in [reader, newer] {
        running.native(token, "GET", "/v1/customers", None).await.expect(200);
    }
    let shown = in_data(patron().args(["key", "show", &number]), folder.path());
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["state"], &shown["replaced_by"]), (&json!("expiring"), &made["number"]));
    in_data(patron().args(["key", "revoke", &number]), folder.path());
    // Callers are remembered for half a second: asking goes on until the answer turns.
    let mut status = 200;
    for _ in 0..200 {
        status = running.native(reader, "GET", "/v1/customers", None).await.status;
        if status == 401 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_with_limits_and_says_when_it_was_used() {
    let folder = tempfile::tempdir().unwrap();
    in_data(patron().args(["space", "create", "First"]), folder.path());
    let create = |more: &[&str]| {
        let mut command = patron();
        command.args(["key", "create", "--space", "1"]).args(more);
        serde_json::from_str::<Value>(&in_data(&mut command, folder.path())).unwrap()
    };
    let plain = create(&[]);
    let here = create(&["--role", "read-only", "--expires", "90d", "--address", "127.0.0.1"]);
    let elsewhere = create(&["--address", "192.0.2.0/24", "--address", "2001:db8::/32"]);
    let listed = ["--permissions", "customer:read,event:read"];
    let narrow = create(&listed);
    for refused in [
        ["--expires", "3y"],
        ["--expires", "2020-01-01"],
        ["--address", "192.0.2.1/24"],
        ["--role", "root"],
        ["--permissions", "customer:fly"],
    ] {
        let mut command = patron();
        command.args(["key", "create", "--space", "1"]).args(refused).arg("--data");
        assert!(!command.arg(folder.path()).output().unwrap().status.success(), "{refused:?}");
    }
    let mut running = Running::serve(folder.path()).await;
    let ask = async |key: &Value, method: &str, target: &str, status: u16| {
        let token = key["native"]["api_key"].as_str().unwrap();
        running.native(token, method, target, Some(json!({}))).await.expect(status);
    };
    ask(&plain, "POST", "/v1/customers", 403).await;
    ask(&here, "GET", "/v1/customers", 200).await;
    ask(&elsewhere, "GET", "/v1/customers", 401).await;
    ask(&narrow, "GET", "/v1/events", 200).await;
    ask(&narrow, "POST", "/v1/customers", 403).await;
    let pid = running.child.id().to_string();
    succeed(Command::new("kill").args(["-TERM", &pid]));
    assert!(running.child.wait().unwrap().success());
    let show = |key: &Value| {
        let number = key["number"].to_string();
        let shown = in_data(patron().args(["key", "show", &number]), folder.path());
        serde_json::from_str::<Value>(&shown).unwrap()
    };
    assert_eq!(show(&here)["last_used_from"], "127.0.0.1", "written when the server ends");
    assert!(show(&elsewhere)["last_used_at"].is_null(), "who was refused did not use it");
    assert_eq!(show(&here)["addresses"], json!(["127.0.0.1/32"]));
    assert_eq!(show(&narrow)["permissions"], json!(["customer:read", "event:read"]));
    let said = in_data(patron().arg("check"), folder.path());
    assert!(said.contains("Everything agrees."), "{said}");
    let said = in_data(patron().args(["key", "list"]), folder.path());
    assert!(said.contains("read_only") && said.contains("active"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_restores_to_the_same_records() {
    let folder = tempfile::tempdir().unwrap();
    let (running, _) = Running::sandbox(&folder.path().join("a"));
    let file = folder.path().join("patron.backup");
    in_data(patron().arg("backup").arg(&file), &folder.path().join("a"));
    let before = running.native(KEY, "GET", "/v1/customers?expand=addresses", None).await.json();
    drop(running);
    let said = in_data(patron().arg("restore").arg(&file), &folder.path().join("b"));
    assert!(said.contains("Everything agrees."), "{said}");
    std::fs::copy(folder.path().join("a/master.key"), folder.path().join("b/master.key")).unwrap();
    let (running, _) = Running::sandbox(&folder.path().join("b"));
    let after = running.native(KEY, "GET", "/v1/customers?expand=addresses", None).await.json();
    assert_eq!(after, before);
    let mut damaged = std::fs::read_to_string(&file).unwrap();
    damaged = damaged.replacen("Muster", "Mister", 1);
    std::fs::write(&file, damaged).unwrap();
    let refused = patron()
        .arg("restore")
        .arg(&file)
        .arg("--data")
        .arg(folder.path().join("c"))
        .output()
        .unwrap();
    assert!(!refused.status.success(), "a damaged backup must be refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_give_a_verdict_for_each_row_and_can_be_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let keys = in_data(patron().args(["space", "create", "Shop", "--json"]), &data);
    let keys: Value = serde_json::from_str(&keys).unwrap();
    let file = folder.path().join("people.csv");
    let mut csv = std::fs::File::create(&file).unwrap();
    writeln!(csv, "reference,given_name,family_name,email,metadata,billing.city,billing.country")
        .unwrap();
    for n in 0..1_500 {
        let row = format!("r-{n},Given{n},Family,p{n}@example.com,\"{{\"\"n\"\":{n}}}\",Bern,CH");
        writeln!(csv, "{row}").unwrap();
    }
    writeln!(csv, "bad-1,Anna,,nope,,,").unwrap();
    writeln!(csv, "bad-2,Anna,4111 1111 1111 1111,,,,").unwrap();
    writeln!(csv, "r-7,Twice,,,,,").unwrap();
    writeln!(csv, "too,few").unwrap();
    drop(csv);
    let import = || in_data(patron().args(["import", "--space", "1"]).arg(&file), &data);
    let said = import();
    assert!(said.contains("1500 imported, 0 imported by an earlier run, 4 refused."), "{said}");
    let refused_file = folder.path().join("people.csv.refused.ndjson");
    let refused = std::fs::read_to_string(&refused_file).unwrap();
    assert_eq!(refused.lines().count(), 4);
    assert!(refused.contains("card_number") && !refused.contains("4111"), "{refused}");
    let said = import();
    assert!(said.contains("0 imported, 1500 imported by an earlier run, 4 refused."), "{said}");
    let exported = folder.path().join("out.ndjson");
    in_data(patron().args(["export", "--space", "1"]).arg(&exported), &data);
    let mut text = String::new();
    std::fs::File::open(&exported).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text.lines().count(), 1_500);
    let running = Running::serve(&data).await;
    let key = keys["native"]["api_key"].as_str().unwrap();
    let found =
        running.native(key, "GET", "/v1/customers/by-reference/r-42?expand=addresses", None);
    let found = found.await.expect(200).json();
    assert_eq!(found["metadata"], json!({"n": 42}));
    assert_eq!(found["addresses"][0]["city"], "Bern");
    drop(running);
    // What was exported can be imported elsewhere, as NDJSON and as CSV.
    let csv_out = folder.path().join("out.csv");
    in_data(patron().args(["export", "--space", "1"]).arg(&csv_out), &data);
    for (name, source) in [("b", &exported), ("c", &csv_out)] {
        let other = folder.path().join(name);
        in_data(patron().args(["space", "create", "Other", "--json"]), &other);
        let said = in_data(patron().args(["import", "--space", "1"]).arg(source), &other);
        assert!(said.contains("1500 imported, 0 imported by an earlier run, 0 refused."), "{said}");
    }
}

#[test]
fn settings_are_shown_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let shown = succeed(patron().args(["config", "print", "--default"]));
    let file = folder.path().join("patron.toml");
    std::fs::write(&file, &shown).unwrap();
    succeed(patron().args(["config", "check", "--config"]).arg(&file));
    std::fs::write(&file, "nope = 1").unwrap();
    let refused = patron().args(["config", "check", "--config"]).arg(&file).output().unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("nope"));
    let help = succeed(patron().arg("--help"));
    for command in ["sandbox", "serve", "space", "key", "import", "export", "backup", "restore"] {
        assert!(help.contains(command), "{command}");
    }
}
