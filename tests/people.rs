//! How people are found and shown alike, whichever API they came in through: national phone
//! numbers, and what is made anew of customers that are there already.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use patron_app::{App, documents::implied, reindex::reindex};
use patron_testkit::TestServer;
use serde_json::{Value, json};

use crate::{
    api::{ALL, call, create, person, pointer, read},
    program::{KEY, Running, patron, succeed},
};

/// The number of the issue, as it is typed and as it is dialled from anywhere.
const TYPED: &str = "044 603 08 24";
const E164: &str = "+41446030824";
/// All forms in which it is searched for.
const FORMS: [&str; 5] = [TYPED, "0446030824", E164, "+41 44 603 08 24", "0041 44 603 08 24"];
/// The APIs that have a phone number.
const WITH_PHONE: [&str; 5] = ["native", "verifone", "monri", "payabli", "notchpay"];

/// A text in a query string.
fn encoded(text: &str) -> String {
    text.replace('+', "%2B").replace(' ', "%20")
}

/// How many customers an API finds by a phone number.
async fn found(server: &TestServer, keys: &Value, api: &str, number: &str) -> usize {
    let number = encoded(number);
    let (path, list) = match api {
        "native" => (format!("/v1/customers?phone={number}"), "/data"),
        "verifone" => (format!("/v2/customer?search=phone_number=='{number}'"), "/customers"),
        "payabli" => {
            let entry = keys["payabli"]["entry"].as_str().unwrap();
            (format!("/api/Query/customers/{entry}?phone(eq)={number}"), "/Records")
        }
        _ => (format!("/customers?search={number}"), "/items"),
    };
    let answer = call(server, keys, api, "GET", &path, None).await;
    assert_eq!(answer.status, 200, "{api} {path}: {}", answer.text());
    let listed = answer.json();
    let listed = listed.pointer(list).or_else(|| listed.as_array().is_some().then_some(&listed));
    listed.unwrap_or_else(|| panic!("{api} lists otherwise")).as_array().unwrap().len()
}

async fn clean(app: &Arc<App>) {
    let report = app.store.check(&|kind, row| implied(kind, row)).await.unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
}

#[tokio::test]
async fn a_national_phone_number_is_read_and_found_alike_in_every_api() {
    let server = TestServer::start(&ALL).await;
    for (n, from) in WITH_PHONE.into_iter().enumerate() {
        let keys = server.new_space(None).await;
        let made = create(&server, &keys, from, &person(n, TYPED, "CH")).await;
        assert!(made.status < 300, "{from}: {}", made.text());
        let listed = call(&server, &keys, "native", "GET", "/v1/customers", None).await.json();
        let native = &listed["data"][0];
        assert_eq!((&native["phone"], &native["phone_e164"]), (&json!(TYPED), &json!(E164)));
        for to in WITH_PHONE {
            let shown = read(&server, &keys, to, native).await;
            let have = shown.pointer(&pointer(to, "phone")).unwrap();
            // These two show numbers internationally, the others as typed.
            let want = if ["payabli", "notchpay"].contains(&to) { E164 } else { TYPED };
            assert_eq!(have, want, "{from} to {to}");
        }
        for api in ["native", "verifone", "payabli", "notchpay"] {
            for form in FORMS {
                assert_eq!(found(&server, &keys, api, form).await, 1, "{from}: {api} by {form}");
            }
            assert_eq!(found(&server, &keys, api, "044 603 08 25").await, 0, "{api}");
        }
    }
    clean(&server.app).await;
}

#[tokio::test]
async fn a_number_is_read_in_the_country_of_the_address_then_of_the_space_then_as_typed() {
    let server = TestServer::start(&ALL).await;
    let keys = server.new_space(None).await;
    let native = |method: &'static str, path: String, body: Option<Value>| {
        let (server, keys) = (&server, &keys);
        async move { call(server, keys, "native", method, &path, body).await }
    };
    let space = keys["wallee"]["space_id"].as_i64().unwrap();
    let space = format!("/v1/spaces/{space}");
    let made = |body: Value| {
        let native = &native;
        async move { native("POST", "/v1/customers".into(), Some(body)).await.expect(201).json() }
    };
    let home = |country: Value| {
        let (native, space) = (&native, space.clone());
        async move {
            let body = Some(json!({"default_country": country}));
            let set = native("PATCH", space, body).await.expect(200).json();
            // Callers and their spaces are remembered for half a second.
            tokio::time::sleep(Duration::from_millis(600)).await;
            set
        }
    };
    let nowhere = made(json!({"phone": TYPED})).await;
    assert_eq!((&nowhere["phone"], &nowhere["phone_e164"]), (&json!(TYPED), &Value::Null));
    assert_eq!(found(&server, &keys, "native", "0446030824").await, 1);
    assert_eq!(home(json!("ch")).await["default_country"], "CH");
    let refused = native("PATCH", space.clone(), Some(json!({"default_country": "XX"}))).await;
    assert_eq!(refused.expect(422).json()["errors"][0]["pointer"], "/default_country");
    let at_home = made(json!({"phone": TYPED, "work_phone": "044 603 08 25"})).await;
    assert_eq!(at_home["phone_e164"], E164);
    let work = native("GET", "/v1/customers?work_phone=%2B41446030825".into(), None).await;
    assert_eq!(work.expect(200).json()["data"][0]["id"], at_home["id"]);
    // What was typed internationally is found by what is typed at home.
    let international = made(json!({"phone": "+41 44 603 08 26"})).await;
    let listed = native("GET", "/v1/customers?phone=044%20603%2008%2026".into(), None).await;
    assert_eq!(listed.expect(200).json()["data"][0]["id"], international["id"]);
    let abroad = json!([{"purpose": "shipping", "country": "CH"}]);
    let abroad = made(json!({"phone": "04 46 03 08 24", "addresses": abroad})).await;
    assert_eq!(abroad["phone_e164"], E164);
    // The billing address comes first, whenever it comes.
    let addresses = format!("/v1/customers/{}/addresses", abroad["number"]);
    let billing = json!({"purpose": "billing", "country": "FR"});
    let billing = native("POST", addresses.clone(), Some(billing)).await.expect(201).json();
    let one = format!("/v1/customers/{}", abroad["number"]);
    let moved = native("GET", one.clone(), None).await.expect(200).json();
    assert_eq!(moved["phone_e164"], "+33446030824");
    let at = format!("{addresses}/{}", billing["id"].as_str().unwrap());
    native("DELETE", at, None).await.expect(204);
    let back = native("GET", one.clone(), None).await.expect(200).json();
    assert_eq!(back["phone_e164"], E164);
    // The number as it is, sent again, is no change.
    let patched = native("PATCH", one, Some(json!({"phone": "04 46 03 08 24"}))).await.expect(200);
    assert_eq!(patched.json()["version"], back["version"]);
    assert_eq!(home(Value::Null).await.get("default_country"), None);
    clean(&server.app).await;
}

#[tokio::test]
async fn customers_that_are_there_are_read_anew_without_a_new_version() {
    let server = TestServer::start(&ALL).await;
    let keys = server.new_space(None).await;
    let space = keys["wallee"]["space_id"].as_i64().unwrap();
    let post = async |body: Value| {
        let made = call(&server, &keys, "native", "POST", "/v1/customers", Some(body)).await;
        made.expect(201).json()
    };
    let one = post(json!({"phone": TYPED, "reference": "a"})).await;
    let gone = post(json!({"phone": TYPED, "reference": "b"})).await;
    let gone = format!("/v1/customers/{}", gone["number"]);
    call(&server, &keys, "native", "DELETE", &gone, None).await.expect(204);
    let path = format!("/v1/customers/{}", one["number"]);
    let before = call(&server, &keys, "native", "GET", &path, None).await.expect(200);
    let body = Some(json!({"default_country": "CH"}));
    let at = format!("/v1/spaces/{space}");
    call(&server, &keys, "native", "PATCH", &at, body).await.expect(200);
    tokio::time::sleep(Duration::from_millis(600)).await;
    let app = &server.app;
    let head = app.store.head(space).await.unwrap();
    let done = reindex(app, |_| {}).await.unwrap();
    assert_eq!((done.read, done.renewed), (2, 2));
    let again = reindex(app, |_| {}).await.unwrap();
    assert_eq!((again.read, again.renewed), (2, 0), "what is right is only read");
    assert_eq!(app.store.head(space).await.unwrap(), head, "no journal entry");
    let after = call(&server, &keys, "native", "GET", &path, None).await.expect(200);
    assert_eq!(after.header("etag"), before.header("etag"));
    let (mut shown, was) = (after.json(), before.json());
    assert_eq!(shown["phone_e164"], E164);
    shown.as_object_mut().unwrap().remove("phone_e164");
    assert_eq!(shown, was);
    for api in ["native", "verifone", "payabli", "notchpay"] {
        for form in FORMS {
            assert_eq!(found(&server, &keys, api, form).await, 1, "{api} by {form}");
        }
    }
    clean(app).await;
    // What was derived goes with the customer.
    call(&server, &keys, "native", "PATCH", &path, Some(json!({"phone": null}))).await.expect(200);
    assert_eq!(found(&server, &keys, "native", TYPED).await, 0);
    clean(app).await;
}

#[tokio::test]
async fn people_are_found_as_their_names_are_typed_elsewhere() {
    let server = TestServer::start(&ALL).await;
    let keys = server.new_space(None).await;
    let native = async |method: &str, path: &str, body: Option<Value>| {
        call(&server, &keys, "native", method, path, body).await
    };
    let names =
        ["Jürg Müller", "Slavoj Žižek", "Großmann & Söhne", "Siobhan O'Neil", "Иван Петров"];
    for name in names {
        let body = Some(json!({"full_name": name}));
        native("POST", "/v1/customers", body).await.expect(201);
    }
    let found = async |q: &str| {
        let listed = native("GET", &format!("/v1/customers?q={}", encoded(q)), None).await;
        let listed = listed.expect(200).json();
        let data = listed["data"].as_array().unwrap().iter();
        data.map(|one| one["full_name"].as_str().unwrap_or("-").to_owned()).collect::<Vec<_>>()
    };
    for (q, name) in [
        ("muller", names[0]),
        ("mueller", names[0]),
        ("juerg muel", names[0]),
        ("m%C3%BCller", names[0]),
        ("mu%CC%88ller", names[0]),
        ("zizek", names[1]),
        ("grossmann", names[2]),
        ("soehne", names[2]),
        ("oneil", names[3]),
        ("o'neil", names[3]),
        ("ivan petrov", names[4]),
        ("%D0%BF%D0%B5%D1%82%D1%80", names[4]),
    ] {
        assert_eq!(found(q).await, [name], "{q}");
    }
    for q in ["muller", "mueller", "zizek", "grossmann", "oneil"] {
        let path = format!("/customers?search={q}");
        let listed = call(&server, &keys, "notchpay", "GET", &path, None).await.expect(200).json();
        assert_eq!(listed["totals"], 1, "{q}: {listed}");
    }
    // An absorbed customer's e-mail address finds the one that took it over.
    let post = async |body: Value| {
        let made = native("POST", "/v1/customers", Some(body)).await.expect(201).json();
        made["number"].as_i64().unwrap()
    };
    let stays = post(json!({"full_name": "Stays", "email": "stays@example.com"})).await;
    let goes = post(json!({"full_name": "Goes", "email": "goes@example.com"})).await;
    let body = Some(json!({"absorb": goes}));
    native("POST", &format!("/v1/customers/{stays}/merge"), body).await.expect(200);
    for email in ["stays@example.com", "goes@example.com"] {
        assert_eq!(found(email).await, ["Stays"], "{email}");
        let path = format!("/customers?search={email}");
        let listed = call(&server, &keys, "notchpay", "GET", &path, None).await.expect(200).json();
        assert_eq!(listed["items"][0]["email"], "stays@example.com", "{email}: {listed}");
    }
    clean(&server.app).await;
}

/// A folder with so many customers whose numbers were typed while their space had no country.
fn unread(folder: &Path, customers: usize) {
    let file = folder.join("customers.ndjson");
    let rows = (0..customers)
        .map(|n| json!({"reference": format!("r-{n}"), "phone": format!("044 603 {n:04}")}));
    let text: String = rows.map(|row| format!("{row}\n")).collect();
    std::fs::write(&file, text).unwrap();
    let data = folder.join("data");
    let made = succeed(patron().args(["space", "create", "Shop", "--json", "--data"]).arg(&data));
    assert!(made.contains("api_key"));
    let import = ["import", "--space", "1", "--data"];
    succeed(patron().args(import).arg(&data).arg(&file));
    let set = ["space", "update", "1", "--default-country", "CH", "--data"];
    assert!(succeed(patron().args(set).arg(&data)).contains("Space 1 is at home in CH."));
}

fn renewed(said: &str) -> usize {
    let (_, renewed) = said.rsplit_once("read, ").unwrap();
    renewed.split_once(' ').unwrap().0.parse().unwrap()
}

#[test]
fn a_reindex_that_was_killed_is_begun_again() {
    const CUSTOMERS: usize = 3_000;
    let folder = tempfile::tempdir().unwrap();
    unread(folder.path(), CUSTOMERS);
    let data = folder.path().join("data");
    let reindex = || {
        let mut command = patron();
        command.args(["reindex", "--data"]).arg(&data);
        command
    };
    let mut killed = 0;
    let last = loop {
        let mut child = reindex().stdout(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(1_000 + 40 * killed));
        let pid = child.id().to_string();
        if child.try_wait().unwrap().is_some() {
            let said = child.wait_with_output().unwrap();
            assert!(said.status.success());
            break renewed(&String::from_utf8_lossy(&said.stdout));
        }
        succeed(Command::new("kill").args(["-9", &pid]));
        child.wait().unwrap();
        killed += 1;
    };
    assert!(killed > 0 && last < CUSTOMERS, "{killed} kills, then {last} were left");
    assert_eq!(renewed(&succeed(&mut reindex())), 0);
    assert!(succeed(patron().args(["check", "--data"]).arg(&data)).contains("Everything agrees"));
    let file = folder.path().join("out.ndjson");
    let export = ["export", "--space", "1", "--data"];
    succeed(patron().args(export).arg(&data).arg(&file));
    let exported = std::fs::read_to_string(&file).unwrap();
    assert_eq!(exported.matches("\"phone_e164\":\"+4144603").count(), CUSTOMERS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reindex_works_beside_a_server_that_writes() {
    let folder = tempfile::tempdir().unwrap();
    let (running, _) = Running::sandbox(folder.path());
    for n in 0..300 {
        let body = json!({"reference": format!("n-{n}"), "phone": format!("044 603 {n:04}")});
        running.native(KEY, "POST", "/v1/customers", Some(body)).await.expect(201);
    }
    let set = ["space", "update", "1", "--default-country", "CH", "--data"];
    succeed(patron().args(set).arg(folder.path()));
    let mut child = patron().args(["reindex", "--data"]).arg(folder.path()).spawn().unwrap();
    let mut n = 0;
    let ended = loop {
        let reference = format!("/v1/customers/by-reference/n-{}", n % 300);
        let body = match n % 3 {
            0 => json!({"phone": format!("044 604 {:04}", n % 300)}),
            1 => json!({"given_name": format!("Anna {n}")}),
            _ => json!({"phone": null}),
        };
        running.native(KEY, "PUT", &reference, Some(body)).await.expect(200);
        n += 1;
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
    };
    assert!(ended.success());
    for n in 0..300 {
        let at = format!("/v1/customers/by-reference/n-{n}");
        let shown = running.native(KEY, "GET", &at, None).await.expect(200).json();
        let read =
            shown["phone"].as_str().map(|typed| typed.replace(' ', "").replacen('0', "+41", 1));
        assert_eq!(shown["phone_e164"].as_str(), read.as_deref(), "{shown}");
        let Some(e164) = read else { continue };
        let by = format!("/v1/customers?phone={}", encoded(&e164));
        let by = running.native(KEY, "GET", &by, None).await.expect(200).json();
        assert!(by["data"].as_array().unwrap().iter().any(|one| one["id"] == shown["id"]));
    }
    drop(running);
    succeed(patron().args(["check", "--data"]).arg(folder.path()));
}
