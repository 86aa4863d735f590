//! Many customers in one call: verdicts in order, what a repeat does, all or nothing.

use patron_gateway::limits::Limits;
use patron_testkit::Answer;
use serde_json::{Value, json};

use crate::place::Native;

const BULK: &str = "/v1/customers/bulk";

async fn send(native: &Native, headers: &[(&str, &str)], body: Value) -> Answer {
    native.with("POST", BULK, headers, Some(body)).await
}

/// Verdict and status of each item.
fn verdicts(answer: &Value) -> Vec<(String, u64)> {
    let of = |one: &Value| {
        (one["verdict"].as_str().unwrap().to_owned(), one["status"].as_u64().unwrap())
    };
    answer["data"].as_array().unwrap().iter().map(of).collect()
}

fn said(all: &[(&str, u64)]) -> Vec<(String, u64)> {
    all.iter().map(|(verdict, status)| ((*verdict).to_owned(), *status)).collect()
}

async fn total(native: &Native) -> Value {
    native.call("GET", "/v1/customers?total=true", None).await.expect(200).json()["total"].clone()
}

/// The position of the last entry of the journal.
async fn head(native: &Native) -> i64 {
    native.server.app.store.head(1).await.unwrap()
}

#[tokio::test]
async fn every_item_has_its_verdict_in_order() {
    let native = Native::start().await;
    let known = native.create(json!({"reference": "k-1", "email": "k@example.com"})).await;
    let locked = native.create(json!({"status": "locked"})).await;
    let before = total(&native).await.as_i64().unwrap();
    let items = json!([
        {"label": "a", "action": "create", "customer": {"reference": "n-1", "title": "Dr",
            "addresses": [{"purpose": "billing", "city": "Olten"}]}},
        {"label": "b", "action": "create", "customer": {"reference": "n-1"}},
        {"action": "upsert", "by": "reference", "customer": {"reference": "n-1", "title": "Prof"}},
        {"action": "upsert", "by": "reference", "customer": {"reference": "n-2"}},
        {"action": "upsert", "by": "email", "customer": {"email": "K@example.com", "title": "Mr"}},
        {"action": "update", "id": known["number"], "if_match": "2", "customer": {"title": "Mr"}},
        {"action": "update", "id": known["id"], "if_match": "1", "customer": {"title": "Mrs"}},
        {"label": "l", "action": "update", "id": locked["number"], "customer": {"title": "Mr"}},
        {"action": "update", "id": 999_999_999, "customer": {}},
        {"action": "create", "customer": {"email": "nope", "nothing": 1}},
        {"action": "burn"},
        {"action": "delete", "id": known["number"], "customer": {}},
        {"action": "delete", "id": known["id"], "if_match": "\"2\""},
        {"action": "delete", "id": known["number"]},
        7,
    ]);
    let answer = send(&native, &[], json!({"items": items})).await.expect(200).json();
    let want = said(&[
        ("created", 201),
        ("refused", 409),
        ("updated", 200),
        ("created", 201),
        ("updated", 200),
        ("unchanged", 200),
        ("refused", 412),
        ("refused", 409),
        ("refused", 404),
        ("refused", 400),
        ("refused", 422),
        ("refused", 422),
        ("deleted", 204),
        ("refused", 404),
        ("refused", 400),
    ]);
    assert_eq!(verdicts(&answer), want, "{answer:#}");
    let counts = json!({"created": 2, "updated": 2, "unchanged": 1, "deleted": 1, "refused": 9});
    assert_eq!(answer["counts"], counts);
    let at = |n: usize| &answer["data"][n];
    assert_eq!(
        (&at(0)["label"], &at(1)["label"], &at(7)["label"]),
        (&json!("a"), &json!("b"), &json!("l"))
    );
    assert_eq!((at(3)["index"].clone(), at(3)["label"].clone()), (json!(3), Value::Null));
    assert_eq!(at(1)["problem"]["existing_id"], at(0)["id"]);
    assert_eq!(at(1)["problem"]["errors"][0]["pointer"], "/customer/reference");
    assert_eq!(at(6)["problem"]["current_version"], 2);
    let faults = at(9)["problem"]["errors"].to_string();
    assert!(faults.contains("/customer/email") && faults.contains("/customer/nothing"), "{faults}");
    let target = format!("/v1/customers/{}?expand=addresses", at(0)["number"]);
    let made = native.call("GET", &target, None).await.expect(200).json();
    assert_eq!((&made["title"], &made["version"]), (&json!("Prof"), &at(2)["version"]));
    assert_eq!(made["addresses"][0]["city"], "Olten");
    assert_eq!(total(&native).await, before + 1);
}

#[tokio::test]
async fn an_upsert_by_an_address_of_several_is_refused() {
    let native = Native::start().await;
    for _ in 0..2 {
        native.create(json!({"email": "two@example.com"})).await;
    }
    let item = json!({"action": "upsert", "by": "email", "customer": {"email": "two@example.com"}});
    for atomic in [false, true] {
        let body = json!({"atomic": atomic, "items": [item]});
        let answer = send(&native, &[], body).await.expect(if atomic { 422 } else { 200 }).json();
        let fault = &answer["data"][0]["problem"]["errors"][0];
        assert_eq!(
            (&fault["code"], &fault["pointer"]),
            (&json!("ambiguous"), &json!("/customer/email"))
        );
    }
    // Of new ones the second is the first one's.
    let item = json!({"action": "upsert", "by": "email", "customer": {"email": "new@example.com"}});
    let both = json!({"atomic": true, "items": [item, item]});
    let answer = send(&native, &[], both).await.expect(200).json();
    assert_eq!(verdicts(&answer), said(&[("created", 201), ("unchanged", 200)]));
    assert_eq!(answer["data"][0]["number"], answer["data"][1]["number"]);
}

#[tokio::test]
async fn a_repeat_goes_on_where_the_first_call_ended() {
    let native = Native::start().await;
    let create = |n: usize| {
        let customer = json!({"reference": format!("r-{n}"), "title": "Dr"});
        json!({"action": "create", "customer": customer})
    };
    let key = [("idempotency-key", "bulk-1")];
    // The first call came as far as two items.
    let begun = json!({"items": [create(0), create(1)]});
    let begun = send(&native, &key, begun).await.expect(200).json();
    let whole = || json!({"items": (0..5).map(create).collect::<Vec<_>>()});
    let answer = send(&native, &key, whole()).await.expect(200).json();
    assert_eq!(verdicts(&answer), vec![("created".to_owned(), 201); 5]);
    assert_eq!(answer["data"][1], begun["data"][1], "done once, told again");
    let at = head(&native).await;
    let again = send(&native, &key, whole()).await.expect(200).json();
    assert_eq!((again, head(&native).await), (answer, at));
    // The same place with something else is refused, and only that.
    let other = json!({"items": [create(0), create(7)]});
    let other = send(&native, &key, other).await.expect(200).json();
    assert_eq!(verdicts(&other), said(&[("created", 201), ("refused", 422)]));
    let kind = other["data"][1]["problem"]["type"].as_str().unwrap();
    assert!(kind.ends_with("idempotency-key-reused"), "{kind}");
}

#[tokio::test]
async fn together_later_items_see_earlier_ones_and_a_refusal_undoes_all() {
    let native = Native::start().await;
    let one = native.create(json!({"reference": "one", "title": "old"})).await;
    let id = &one["number"];
    let items = |last: Value| {
        json!({"atomic": true, "items": [
            {"action": "update", "id": id, "customer": {"reference": "two"}},
            {"action": "create", "customer": {"reference": "one", "family_name": "Byron"}},
            {"action": "upsert", "by": "reference",
                "customer": {"reference": "one", "family_name": "King"}},
            {"action": "upsert", "by": "reference", "customer": {"reference": "two", "title": "x"}},
            {"action": "update", "id": one["id"], "if_match": "3", "customer": {"title": "y"}},
            {"action": "upsert", "by": "reference", "customer": {"reference": "three"}},
            {"action": "delete", "id": id},
            {"action": "upsert", "by": "reference", "customer": {"reference": "two"}},
            last,
        ]})
    };
    let (before, at) = (total(&native).await, head(&native).await);
    let taken = json!({"action": "create", "customer": {"reference": "three"}});
    let refused = send(&native, &[], items(taken)).await.expect(422).json();
    let mut want = said(&[
        ("updated", 200),
        ("created", 201),
        ("updated", 200),
        ("updated", 200),
        ("updated", 200),
        ("created", 201),
        ("deleted", 204),
        ("created", 201),
        ("refused", 409),
    ]);
    assert_eq!(verdicts(&refused), want, "{refused:#}");
    assert_eq!(refused["counts"]["refused"], 1);
    assert_eq!(refused["data"][1].get("number"), None, "what was not made has no number");
    assert_eq!((total(&native).await, head(&native).await), (before.clone(), at), "nothing stays");
    let good = json!({"action": "update", "id": 999_999_999, "customer": {}});
    send(&native, &[], items(good)).await.expect(422);
    let good = json!({"action": "create", "customer": {"reference": "four"}});
    let dry = send(&native, &[("prefer", "dry-run")], items(good.clone())).await.expect(200).json();
    *want.last_mut().unwrap() = ("created".to_owned(), 201);
    assert_eq!(verdicts(&dry), want);
    assert_eq!((total(&native).await, head(&native).await), (before.clone(), at));
    let key = [("idempotency-key", "all-1")];
    let done = send(&native, &key, items(good.clone())).await.expect(200).json();
    assert_eq!(verdicts(&done), want);
    assert_eq!(total(&native).await.as_i64().unwrap(), before.as_i64().unwrap() + 3);
    let by = async |reference: &str| {
        let target = format!("/v1/customers/by-reference/{reference}");
        native.call("GET", &target, None).await.expect(200).json()
    };
    assert_eq!(
        (&by("one").await["family_name"], &by("one").await["version"]),
        (&json!("King"), &json!(2))
    );
    assert_ne!(by("two").await["number"], *id);
    let at = head(&native).await;
    let again = send(&native, &key, items(good)).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!((again.expect(200).json(), head(&native).await), (done, at));
    let report = native.server.app.store.check(&|k, row| patron_app::documents::implied(k, row));
    assert_eq!(report.await.unwrap().findings, Vec::<String>::new());
}

#[tokio::test]
async fn a_dry_run_of_single_items_sees_what_comes_before() {
    let native = Native::start().await;
    let item = json!({"action": "upsert", "by": "reference", "customer": {"reference": "d"}});
    let bad = json!({"action": "delete", "id": 999_999_999});
    let body = json!({"items": [item, bad, item]});
    let (before, at) = (total(&native).await, head(&native).await);
    let dry = send(&native, &[("prefer", "dry-run")], body).await.expect(200).json();
    assert_eq!(verdicts(&dry), said(&[("created", 201), ("refused", 404), ("unchanged", 200)]));
    assert_eq!((total(&native).await, head(&native).await), (before, at));
}

#[tokio::test]
async fn bounds_rights_and_card_numbers() {
    let native = Native::start().await;
    let item = || json!({"action": "delete", "id": 999_999_999});
    let many = |count: usize| json!({"items": (0..count).map(|_| item()).collect::<Vec<_>>()});
    let answer = send(&native, &[], many(1_000)).await.expect(200).json();
    assert_eq!(answer["counts"]["refused"], 1_000);
    send(&native, &[], many(1_001)).await.expect(413);
    assert_eq!(send(&native, &[], many(0)).await.expect(200).json()["data"], json!([]));
    for bad in [json!({}), json!({"items": null})] {
        send(&native, &[], bad).await.expect(422);
    }
    for bad in [json!({"items": {}}), json!([]), json!({"items": [], "also": 1})] {
        send(&native, &[], bad).await.expect(400);
    }
    let at = head(&native).await;
    let card = json!({"label": "4111 1111 1111 1111", "action": "create", "customer": {}});
    send(&native, &[], json!({"items": [card]})).await.expect(422);
    assert_eq!(head(&native).await, at);
    // A space that demands preconditions demands them of items too.
    let one = native.create(json!({})).await;
    let strict = json!({"require_precondition": true});
    native.call("PATCH", "/v1/spaces/1", Some(strict)).await.expect(200);
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    let items = json!([
        {"action": "delete", "id": one["number"]},
        {"action": "update", "id": one["number"], "if_match": "1", "customer": {"title": "x"}},
        {"action": "upsert", "by": "reference", "customer": {"reference": "p"}},
    ]);
    let answer = send(&native, &[], json!({"items": items})).await.expect(200).json();
    assert_eq!(verdicts(&answer), said(&[("refused", 428), ("updated", 200), ("created", 201)]));
}

#[tokio::test]
async fn items_count_against_the_limit_of_the_key() {
    let native = Native::start().await;
    let limits = Limits { requests_per_minute: 60, ..Limits::default() };
    let beside = native.server.beside(limits).await;
    let left = async |count: usize| {
        let item = json!({"action": "delete", "id": 999_999_999});
        let items: Vec<Value> = (0..count).map(|_| item.clone()).collect();
        let body = Some(json!({"items": items}));
        let dialect = &patron_native::DIALECT;
        let answer = beside.call(dialect, &native.keys, "POST", BULK, body).await;
        let left = answer.header("ratelimit").to_owned();
        let left = left.split("r=").nth(1).and_then(|rest| rest.split(';').next()).unwrap_or("0");
        (answer.status, left.parse::<i64>().unwrap())
    };
    assert_eq!(left(1).await, (200, 59));
    let (status, after) = left(100).await;
    assert_eq!(status, 200);
    // It is one of five requests.
    assert!((53..=55).contains(&left(1).await.1), "{after}");
    // However many they are, a call that is let in is done; then nothing is left.
    assert_eq!(left(1_000).await.0, 200);
    assert!(left(600).await.0 == 429 || left(1_000).await.0 == 429 || left(20).await.0 == 429);
}

/// Three customers to begin with, in a server of their own.
async fn begun() -> (Native, Vec<Value>) {
    let native = Native::start().await;
    let mut known = Vec::new();
    for n in 0..3 {
        let body = json!({"reference": format!("r{n}"), "email": format!("e{n}@example.com")});
        known.push(native.create(body).await);
    }
    (native, known)
}

/// An item made of six small numbers, about the known customers and whoever came since.
fn item(seed: [usize; 6], known: &[Value]) -> Value {
    let [action, who, reference, email, title, version] = seed;
    let mut customer = json!({"title": format!("t{title}")});
    if reference < 5 {
        customer["reference"] = json!(format!("r{reference}"));
    }
    if email < 4 {
        customer["email"] = json!(format!("e{email}@example.com"));
    }
    let id = &known[who % 3][if who % 2 == 0 { "number" } else { "id" }];
    let mut item = match action {
        0 => json!({"action": "create", "customer": customer}),
        1 | 2 => json!({"action": "upsert", "by": "reference", "customer": customer}),
        3 => json!({"action": "upsert", "by": "email", "customer": customer}),
        4 | 5 => json!({"action": "update", "id": id, "customer": customer}),
        _ => json!({"action": "delete", "id": id}),
    };
    if action > 3 && version < 3 {
        item["if_match"] = json!(version.to_string());
    }
    item
}

/// What is left, without what differs between two servers.
async fn left(native: &Native) -> Vec<Value> {
    let all = native.call("GET", "/v1/customers?limit=200", None).await.expect(200).json();
    let of = |one: &Value| {
        let names = ["reference", "email", "title", "version"];
        Value::from(names.map(|name| one[name].clone()).to_vec())
    };
    all["data"].as_array().unwrap().iter().map(of).collect()
}

#[tokio::test]
async fn together_comes_to_the_same_as_one_after_the_other() {
    use proptest::{
        strategy::{Strategy, ValueTree},
        test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[3; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let seeds = proptest::collection::vec([0..7_usize, 0..6, 0..7, 0..6, 0..3, 0..9], 25);
    let (mut done, mut refused) = (0, 0);
    for _ in 0..6 {
        let seeds = seeds.new_tree(&mut runner).unwrap().current();
        let ((one, of_one), (other, of_other)) = (begun().await, begun().await);
        let items = |known: &[Value]| -> Vec<Value> {
            seeds.iter().map(|seed| item(*seed, known)).collect()
        };
        let dry = [("prefer", "dry-run")];
        let tried = send(&one, &dry, json!({"items": items(&of_one)})).await.expect(200).json();
        let single = send(&one, &[], json!({"items": items(&of_one)})).await.expect(200).json();
        let said = verdicts(&single);
        assert_eq!(verdicts(&tried), said, "{:#}", json!(items(&of_one)));
        let good = items(&of_other).into_iter().zip(&said);
        let good = good.filter(|(_, (verdict, _))| verdict != "refused").map(|(item, _)| item);
        let good = json!({"atomic": true, "items": good.collect::<Vec<_>>()});
        let together = send(&other, &[], good).await.expect(200).json();
        let wanted: Vec<_> = said.into_iter().filter(|(verdict, _)| verdict != "refused").collect();
        assert_eq!(verdicts(&together), wanted);
        assert_eq!(left(&one).await, left(&other).await);
        for native in [&one, &other] {
            let implied = |kind: &_, row: &_| patron_app::documents::implied(kind, row);
            let report = native.server.app.store.check(&implied).await.unwrap();
            assert_eq!(report.findings, Vec::<String>::new());
        }
        done += wanted.len();
        refused += 25 - wanted.len();
    }
    assert!(done > 30 && refused > 30, "{done} done, {refused} refused");
}
