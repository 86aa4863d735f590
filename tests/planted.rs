//! Planted card numbers and planted personal data are searched for in every file, log line and
//! metric: what must not come to rest is nowhere, what is personal is in the data file only.

use std::path::Path;
use std::process::Stdio;

use patron_app::{
    App, Clock,
    documents::KINDS,
    keys::{self, NewKey, NewSecret},
    spaces,
};
use patron_model::space::{Role, Space};
use patron_store::{Location, Options, Store};
use serde_json::json;

use crate::program::{KEY, Running, free_address, patron, succeed};

const CARD: &str = "4111 1111 1111 1111";
const PERSON: &str = "plantedperson";

/// Whether any file of a folder holds the text.
fn holds(folder: &Path, text: &str) -> bool {
    let mut files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.any(|file| {
        let bytes = std::fs::read(&file).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

/// Documents stand as text in the file, which is searched.
#[tokio::test(flavor = "multi_thread")]
async fn card_numbers_rest_nowhere_and_persons_only_in_the_data_file() {
    card_numbers_rest_nowhere(false).await;
}

/// Documents are packed: what they hold is searched in the backup, which holds all of them as text.
#[tokio::test(flavor = "multi_thread")]
async fn card_numbers_rest_nowhere_in_packed_documents_either() {
    card_numbers_rest_nowhere(true).await;
}

async fn card_numbers_rest_nowhere(packed: bool) {
    let folder = tempfile::tempdir().unwrap();
    let (data, logs) = (folder.path().join("data"), folder.path().join("logs"));
    std::fs::create_dir(&logs).unwrap();
    let (made, _) = Running::sandbox(&data);
    drop(made);
    let (address, operations) = (free_address(), free_address());
    let child = patron()
        .args(["serve", "--allow-sandbox-keys", "--listen", &address, "--data"])
        .arg(&data)
        .env("PATRON__LOG__LEVEL", "trace")
        .env("PATRON__LOG__REQUESTS", "all")
        .env("PATRON__STORE__PACK_DOCUMENTS", packed.to_string())
        .env("PATRON__ADMIN__LISTEN", &operations)
        .stderr(Stdio::from(std::fs::File::create(logs.join("log")).unwrap()))
        .spawn()
        .unwrap();
    let client = patron_testkit::client::Client::new();
    let (base_url, operations_url) = (format!("http://{address}"), format!("http://{operations}"));
    let log = crate::program::Log::default();
    let running = Running { child, base_url, operations_url, client, log };
    while std::net::TcpStream::connect(&address).is_err() {
        tokio::task::yield_now().await;
    }
    let email = format!("{PERSON}@example.com");
    let body = json!({"given_name": PERSON, "email": email, "metadata": {"note": PERSON}});
    let customer =
        running.native(KEY, "POST", "/v1/customers", Some(body)).await.expect(201).json();
    let one = format!("/v1/customers/{}", customer["number"]);
    for field in ["description", "title", "given_name", "reference"] {
        let body = Some(json!({ field: CARD }));
        running.native(KEY, "PATCH", &one, body).await.expect(422);
    }
    let comments = format!("{one}/comments");
    running.native(KEY, "POST", &comments, Some(json!({"content": CARD}))).await.expect(422);
    let card = json!({"card": {"number": CARD, "expiry_month": 12, "expiry_year": 2035}});
    let methods = format!("{one}/payment-methods");
    running.native(KEY, "POST", &methods, Some(card)).await.expect(201);
    running.native(KEY, "GET", &format!("/v1/customers?email={email}"), None).await.expect(200);
    running.native(KEY, "GET", &format!("/v1/customers?email={email}&x=1"), None).await.expect(400);
    let metrics = running.get_as_operator("/metrics").await.expect(200).text();
    assert!(!metrics.contains(PERSON));
    succeed(patron().arg("backup").arg(folder.path().join("backup")).arg("--data").arg(&data));
    drop(running);
    for number in [CARD.to_owned(), CARD.replace(' ', ""), CARD.replace(' ', "-")] {
        assert!(!holds(&data, &number), "a card number is in the data file or its log");
        assert!(!holds(&logs, &number), "a card number is in the program's log");
        let backup = std::fs::read_to_string(folder.path().join("backup")).unwrap();
        assert!(!backup.contains(&number), "a card number is in the backup");
    }
    assert!(holds(&data, PERSON), "the search would find it");
    // Only the journal says so.
    assert_eq!(holds(&data, &format!(r#""given_name":"{PERSON}","email""#)), !packed);
    assert!(!holds(&logs, PERSON), "personal data is in the program's log");
    assert!(!holds(&logs, KEY), "a key is in the program's log");
}

/// A public key in clear, as versions before kept it, leaves the data file when a server starts.
#[tokio::test(flavor = "multi_thread")]
async fn public_keys_kept_in_clear_leave_the_data_file() {
    const CLEAR: &str = "pk.0123456789abcdef0123456789abcdef";
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    succeed(patron().args(["space", "create", "Shop", "--data"]).arg(data));
    let location = Location::Sqlite(data.join("patron.db"));
    // As versions before kept it: as text.
    let options = Options { pack_documents: false, ..Options::default() };
    let store = Store::open(&location, KINDS, options).await.unwrap();
    let app = App::without_secrets(store, Clock::System);
    let cx = app.operator(0, "test");
    let space = spaces::get::<Space>(&cx, 1).await.unwrap().record;
    let api = patron_notchpay::NAME;
    let secret = NewSecret::Bearer("sk.private".into());
    let new = NewKey::of_space(&space, api, Role::Integration, Some(CLEAR.into()), secret);
    keys::create(&cx, new).await.unwrap();
    app.store.clone().close().await;
    drop((cx, app));
    assert!(holds(data, CLEAR), "the search would find it");
    let mut serve = patron();
    serve.args(["serve", "--data"]).arg(data).env("PATRON__STORE__PACK_DOCUMENTS", "false");
    let mut running = Running::serve_on(&mut serve).await;
    let headers = [("authorization", CLEAR), ("x-grant", "sk.private")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let answer = running.client.send(&running.base_url, "GET", "/customers", &headers, b"").await;
    answer.expect(200);
    let mut stop = std::process::Command::new("kill");
    succeed(stop.arg("-TERM").arg(running.child.id().to_string()));
    assert!(running.child.wait().unwrap().success());
    assert!(!holds(data, CLEAR), "a public key is in the data file or its log");
    let said = succeed(patron().args(["check", "--data"]).arg(data));
    assert!(said.contains("Everything agrees."), "{said}");
}
