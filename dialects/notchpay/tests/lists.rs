//! Lists: pages, search, dates.

use patron_app::Clock;
use patron_model::Timestamp;
use patron_notchpay::{DIALECT, NAME};
use patron_testkit::TestServer;
use serde_json::{Value, json};

use crate::place::{Place, refused};

fn emails(answer: &Value) -> Vec<&str> {
    let items = answer["items"].as_array().expect("items");
    items.iter().filter_map(|customer| customer["email"].as_str()).collect()
}

#[tokio::test]
async fn pages_are_counted_and_cut() {
    let place = Place::new().await;
    let empty = place.get("/customers").await.expect(200).json();
    let want = json!({"code": 200, "status": "OK", "message": "Customers retrieved", "totals": 0,
        "last_page": 1, "current_page": 1, "selected": 0, "items": [], "data": []});
    assert_eq!(empty, want);
    for n in 0..41 {
        place.customer(json!({"email": format!("c{n}@example.org")})).await;
    }
    let page =
        async |query: &str| place.get(&format!("/customers{query}")).await.expect(200).json();
    let first = page("").await;
    assert_eq!((&first["totals"], &first["last_page"]), (&json!(41), &json!(2)));
    assert_eq!((&first["current_page"], &first["selected"]), (&json!(1), &json!(30)));
    assert_eq!(first["items"], first["data"]);
    assert_eq!(emails(&first)[0], "c40@example.org", "newest first");
    let second = page("?page=2").await;
    assert_eq!((&second["current_page"], &second["selected"]), (&json!(2), &json!(11)));
    assert_eq!(emails(&second)[10], "c0@example.org");
    for (query, selected, last) in [
        ("?limit=5&page=9", 1, 9),
        ("?perpage=5&page=10", 0, 9),
        ("?limit=100", 41, 1),
        ("?limit=101", 41, 1),
        ("?limit=99999999999999999999999", 41, 1),
        ("?limit=1&page=99999999999999999999999", 0, 41),
        ("?limit=&page=", 30, 2),
        ("?limit=41", 41, 1),
        ("?limit=40", 40, 2),
    ] {
        let page = page(query).await;
        assert_eq!(page["selected"], selected, "{query}");
        assert_eq!(page["last_page"], last, "{query}");
        assert_eq!(page["totals"], 41, "{query}");
    }
}

#[tokio::test]
async fn bad_parameters_are_named() {
    let place = Place::new().await;
    let answer = place.get("/customers?limit=x&page=0&date_start=soon&date_end=2026-13-01").await;
    let errors = json!({
        "limit": ["The limit field must be an integer."],
        "page": ["The page field must be at least 1."],
        "date_start": ["The date start field must be a valid date."],
        "date_end": ["The date end field must be a valid date."],
    });
    refused(answer, errors);
    let text = "The search field format is invalid.";
    refused(place.get("/customers?search=a%00b").await, json!({"search": [text]}));
    let target = place.path_of("awa@example.org").await;
    let text = "The limit field must be an integer.";
    let answer = place.get(&format!("{target}/payments?limit=-1")).await;
    refused(answer, json!({"limit": [text]}));
}

#[tokio::test]
async fn search_finds_parts_of_names_addresses_and_numbers() {
    let place = Place::new().await;
    for (name, email, phone) in [
        ("Awa Ndiaye", "awa@example.org", "+237670000000"),
        ("Élodie 100%", "ELODIE_X@Example.com", "237600000000"),
        ("Paul Biya", "paul@example.org", "0412 345 678"),
    ] {
        place.customer(json!({"name": name, "email": email, "phone": phone})).await;
    }
    for (search, want) in [
        ("awa", vec!["awa@example.org"]),
        ("A NDI", vec!["awa@example.org"]),
        ("élodie", vec!["ELODIE_X@Example.com"]),
        ("100%25", vec!["ELODIE_X@Example.com"]),
        ("elodie_x", vec!["ELODIE_X@Example.com"]),
        ("_", vec!["ELODIE_X@Example.com"]),
        ("EXAMPLE.ORG", vec!["paul@example.org", "awa@example.org"]),
        ("%2B237+670", vec!["awa@example.org"]),
        ("%2B237600000000", vec!["ELODIE_X@Example.com"]),
        ("0412345", vec!["paul@example.org"]),
        ("0412+345", vec!["paul@example.org"]),
        ("nobody", vec![]),
        ("%25", vec!["ELODIE_X@Example.com"]),
        ("'%3B--", vec![]),
    ] {
        let search = search.replace('é', "%C3%A9").replace(' ', "%20");
        let answer = place.get(&format!("/customers?search={search}")).await.expect(200).json();
        assert_eq!(emails(&answer), want, "{search}");
        assert_eq!(answer["totals"], want.len(), "{search}");
    }
}

#[tokio::test]
async fn days_are_included_at_both_ends() {
    let start = Timestamp::parse("2026-01-10T23:59:59.999999Z").expect("a time");
    let clock = Clock::fixed(start);
    let limits = patron_gateway::limits::Limits::default();
    let server = TestServer::start_with(&[&DIALECT], clock.clone(), limits).await;
    let keys = server.credentials(NAME);
    let place = Place { server, keys };
    place.customer(json!({"email": "first@example.org"})).await;
    clock.advance_seconds(1);
    place.customer(json!({"email": "second@example.org"})).await;
    for (query, want) in [
        ("date_start=2026-01-10&date_end=2026-01-10", vec!["first@example.org"]),
        ("date_start=2026-01-11", vec!["second@example.org"]),
        ("date_end=2026-01-10", vec!["first@example.org"]),
        ("date_end=2026-01-11", vec!["second@example.org", "first@example.org"]),
        ("date_start=2026-01-12", vec![]),
        ("date_start=2026-01-11&date_end=2026-01-10", vec![]),
        ("date_end=2026-01-10T23:59:59.999999Z", vec!["first@example.org"]),
        ("date_end=2026-01-10T23:59:59.999998Z", vec![]),
    ] {
        let answer = place.get(&format!("/customers?{query}")).await.expect(200).json();
        assert_eq!(emails(&answer), want, "{query}");
    }
}

#[tokio::test]
async fn a_customer_has_no_payments_yet() {
    let place = Place::new().await;
    let target = place.path_of("awa@example.org").await;
    let answer = place.get(&format!("{target}/payments?limit=10&page=2&status=complete")).await;
    let want = json!({"code": 200, "status": "OK", "message": "Customer payments retrieved",
        "totals": 0, "last_page": 1, "current_page": 2, "selected": 0, "payments": [],
        "items": [], "data": []});
    assert_eq!(answer.expect(200).json(), want);
}
