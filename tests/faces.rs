//! Rendered answers that are kept in memory: never wrong, whoever changes what at which node, and
//! never more than they may take.

use std::cell::Cell;
use std::time::Duration;

use patron_app::{Expect, Id, customers, keys, record::Look, spaces};
use patron_gateway::limits::Limits;
use patron_model::{Patch, customer::CustomerPatch, text::Note};
use patron_notchpay::ids;
use patron_testkit::TestServer;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};

use crate::api::{ALL, call, create, person};

/// Changes of one run.
const CHANGES: usize = 120;
/// Customers they are made to.
const CUSTOMERS: usize = 4;
/// The phone number of theirs.
const PHONE: &str = "+41446030824";

/// Where each API answers one customer, by what the native API says of it.
fn path(api: &str, native: &Value) -> String {
    let (number, id) = (&native["number"], native["id"].as_str().unwrap());
    match api {
        "native" => format!("/v1/customers/{id}"),
        "wallee" => format!("/api/v2.0/customers/{number}"),
        "verifone" => format!("/v2/customer/{id}"),
        "monri" => format!("/v2/customers/{id}"),
        "payabli" => format!("/api/Customer/{number}"),
        "notchpay" => format!("/customers/{}", ids::text("cus", id.parse().unwrap(), true)),
        other => panic!("no API is called {other}"),
    }
}

/// What an API answers: status and body. Refusals, which are never kept, name the request.
async fn answered(server: &TestServer, api: &str, native: &Value) -> (u16, String) {
    let keys = server.all_credentials();
    let answer = call(server, keys, api, "GET", &path(api, native), None).await;
    let body = if answer.status < 300 { answer.text() } else { String::new() };
    (answer.status, body)
}

/// A change through some API; it may be refused, as one of a customer that is gone.
async fn change(server: &TestServer, random: &mut StdRng, native: &Value, n: usize) {
    let keys = server.all_credentials();
    let one = format!("/v1/customers/{}", native["number"]);
    let own = |api: &'static str| path(api, native);
    let text = format!("value {n}");
    let entity = keys["verifone"]["entity_id"].clone();
    let (api, method, path, body) = match random.random_range(0..14) {
        0 => ("native", "PATCH", one, json!({"description": text, "full_name": null})),
        1 => ("native", "PATCH", one, json!({"time_zone": "Europe/Zurich"})),
        2 => {
            let until = json!({"status": "blocked", "status_until": "2999-01-01T00:00:00Z"});
            ("native", "PATCH", one, until)
        }
        3 => ("native", "PATCH", one, json!({"status": null, "status_until": null})),
        4 => {
            let address = json!({"purpose": "billing", "default": true, "line1": text});
            ("native", "POST", format!("{one}/addresses"), address)
        }
        5 | 6 => {
            let (month, year) = (n % 12 + 1, 2030 + n % 40);
            let card = json!({"number": "4111111111111111", "expiry_month": month,
                "expiry_year": year});
            let body = json!({"type": "card", "card": card});
            ("native", "POST", format!("{one}/payment-methods"), body)
        }
        7 => ("native", "DELETE", one, Value::Null),
        8 | 9 => ("native", "POST", format!("{one}/restore"), Value::Null),
        10 => {
            let body = json!({"entity_id": entity, "company_name": text});
            ("verifone", "POST", own("verifone"), body)
        }
        11 => ("monri", "POST", own("monri"), json!({"city": text})),
        12 => ("payabli", "PUT", own("payabli"), json!({"lastname": text})),
        _ => ("notchpay", "PUT", own("notchpay"), json!({"name": text})),
    };
    let body = Some(body).filter(|body| !body.is_null());
    let answer = call(server, keys, api, method, &path, body).await;
    assert!(answer.status < 500, "{api} {method} {path}: {}", answer.text());
}

/// Switches of the space, which are shown by some APIs and say how long texts may be in others.
async fn switch(server: &TestServer, n: usize) {
    let user = server.credentials("verifone")["user_id"].as_str().unwrap().to_owned();
    let space = server.app.caller("verifone", &user).await.unwrap().key.space;
    let names = json!({"legalName": format!("Legal {n}")});
    let validation = if n.is_multiple_of(2) { "strict" } else { "compatible" };
    let dialects =
        [("payabli".to_owned(), names), ("verifone".to_owned(), json!({"validation": validation}))];
    let patch =
        spaces::SpacePatch { dialects: Some(dialects.into()), ..spaces::SpacePatch::default() };
    let cx = server.app.operator(0, "test");
    spaces::update_space(&cx, space, Expect::Any, patch).await.unwrap();
    // Other nodes know the space of a key for so long.
    tokio::time::sleep(keys::REMEMBERED + Duration::from_millis(50)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_what_a_fresh_process_would_answer() {
    let one = TestServer::start(&ALL).await;
    let other = one.beside(Limits::default()).await;
    let bare = one.beside(Limits { faces_bytes_max: 0, ..Limits::default() }).await;
    let keys = one.all_credentials();
    let mut natives = Vec::new();
    for (n, dialect) in ALL.iter().cycle().take(CUSTOMERS).enumerate() {
        let made = create(&one, keys, dialect.name, &person(n, PHONE, "CH")).await;
        assert!(made.status < 300, "{}", made.text());
    }
    let listed = call(&one, keys, "native", "GET", "/v1/customers", None).await.expect(200).json();
    natives.extend(listed["data"].as_array().unwrap().iter().cloned());
    assert_eq!(natives.len(), CUSTOMERS);
    let mut random = StdRng::seed_from_u64(9);
    let (mut compared, mut living) = (0, 0);
    for n in 0..CHANGES {
        let native = &natives[random.random_range(0..CUSTOMERS)];
        match n % 40 {
            39 => switch(&one, n).await,
            _ => {
                let node = [&one, &other, &bare][random.random_range(0..3)];
                change(node, &mut random, native, n).await;
            }
        }
        if n == CHANGES / 2 {
            let body = json!({"absorb": natives[0]["id"]});
            let into = format!("/v1/customers/{}/merge", natives[1]["number"]);
            call(&one, keys, "native", "POST", &into, Some(body)).await;
        }
        for native in &natives {
            let dialect = ALL[random.random_range(0..ALL.len())];
            let fresh = answered(&bare, dialect.name, native).await;
            for node in [&one, &other] {
                let kept = answered(node, dialect.name, native).await;
                assert_eq!(kept, fresh, "{} after change {n}", dialect.name);
            }
            compared += 1;
            living += u32::from(fresh.0 < 300);
        }
    }
    assert!(living * 3 > compared, "{living} of {compared} were answered");
    assert!(one.app.faces.bytes() > 0 && other.app.faces.bytes() > 0, "some are kept");
    assert_eq!(bare.app.faces.bytes(), 0);
}

#[tokio::test]
async fn a_face_is_rendered_once_for_each_state_and_forgotten_with_a_change() {
    let server = TestServer::start(&ALL).await;
    let keys = server.all_credentials();
    let made = create(&server, keys, "native", &person(1, PHONE, "CH")).await.expect(201).json();
    let space = server.app.caller("native", &native_handle(keys)).await.unwrap().key.space;
    let cx = server.app.operator(space, "test");
    let id = Id::Number(made["number"].as_i64().unwrap());
    let rendered = Cell::new(0);
    let ask = async |api: &'static str, beside: &str| {
        let seen = customers::see(&cx, Look::at(id)).await.unwrap();
        let answer = seen.answer(&cx, api, beside, |customer| {
            rendered.set(rendered.get() + 1);
            let text = customer.description.as_ref().map(Note::as_str);
            Ok(text.unwrap_or_default().as_bytes().to_vec())
        });
        answer.unwrap()
    };
    let first = ask("a", "").await;
    assert_eq!((ask("a", "").await, rendered.get()), (first.clone(), 1));
    ask("b", "").await;
    assert_eq!((ask("a", "").await, rendered.get()), (first.clone(), 2));
    let held = server.app.faces.bytes();
    let patch = CustomerPatch {
        description: Patch::Set(Note::parse("another").unwrap()),
        ..CustomerPatch::default()
    };
    customers::update(&cx, id, Expect::Any, patch).await.unwrap();
    assert!(server.app.faces.bytes() < held, "what it looked like is let go of at once");
    let second = ask("a", "").await;
    assert_ne!(second, first);
    ask("a", "else").await;
    assert_eq!(rendered.get(), 4);
}

fn native_handle(keys: &Value) -> String {
    patron_app::secrets::sha256_hex(keys["native"]["api_key"].as_str().unwrap())
}

#[tokio::test]
async fn faces_take_no_more_memory_than_they_may() {
    const BYTES_MAX: usize = 1024 * 1024;
    let one = TestServer::start(&ALL).await;
    let server = one.beside(Limits { faces_bytes_max: BYTES_MAX, ..Limits::default() }).await;
    let keys = server.all_credentials();
    let about = "a note on a customer that is not short ".repeat(60);
    for n in 0..400 {
        let body = json!({"email": format!("a{n}@example.com"), "description": about});
        let made = call(&server, keys, "native", "POST", "/v1/customers", Some(body)).await;
        let made = made.expect(201).json();
        for dialect in ALL {
            let (status, _) = answered(&server, dialect.name, &made).await;
            assert!(status < 300, "{}", dialect.name);
            assert!(server.app.faces.bytes() <= BYTES_MAX);
        }
    }
    assert!(server.app.faces.bytes() > BYTES_MAX / 2, "{}", server.app.faces.bytes());
}
