//! The status of a customer: verbs that say why, its end at its term, and that it is found as it
//! is shown, at every moment.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use patron_app::{
    Cx, customers,
    search::{Filter, Query, customer},
};
use patron_gateway::limits::Limits;
use patron_model::customer::Status;
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value, json};

use crate::place::Native;

/// The space of the sandbox.
const SPACE: i64 = 1;
const WORDS: [&str; 4] = ["active", "inactive", "locked", "blocked"];
/// Each verb, what it makes, and what a customer may be before.
const VERBS: [(&str, &str, &[&str]); 6] = [
    ("block", "blocked", &["active", "inactive", "blocked"]),
    ("unblock", "active", &["blocked"]),
    ("lock", "locked", &["active", "inactive", "locked"]),
    ("unlock", "active", &["locked"]),
    ("activate", "active", &["inactive"]),
    ("deactivate", "inactive", &["active", "inactive"]),
];

fn target(customer: &Value) -> String {
    format!("/v1/customers/{}", customer["number"])
}

#[tokio::test]
async fn verbs_make_what_they_say_of_what_allows_it() {
    let native = Native::start().await;
    let reason = || Some(json!({"reason": "asked by phone"}));
    for (verb, makes, of) in VERBS {
        for word in WORDS {
            let made = native.create(json!({"status": word, "status_reason": "before"})).await;
            let target = target(&made);
            let answer = native.call("POST", &format!("{target}/{verb}"), reason()).await;
            let now = native.call("GET", &target, None).await.expect(200).json();
            if of.contains(&word) {
                assert_eq!(answer.expect(200).json(), now, "{verb} of {word}");
                assert_eq!((&now["status"], &now["version"]), (&json!(makes), &json!(2)));
                assert_eq!(now["status_reason"], "asked by phone");
                assert_eq!(now["status_until"], Value::Null);
            } else {
                let problem = answer.expect(409).json();
                assert!(problem["type"].as_str().unwrap().ends_with("wrong-state"), "{problem}");
                assert!(problem["detail"].as_str().unwrap().contains(word), "{problem}");
                assert_eq!(now, made, "{verb} of {word} changes nothing");
            }
        }
    }
}

#[tokio::test]
async fn a_verb_is_the_patch_of_status_reason_and_term() {
    let native = Native::start().await;
    let (one, other) = (native.create(json!({})).await, native.create(json!({})).await);
    let until = "2999-01-01T00:00:00.000000Z";
    let verb = json!({"reason": "chargeback", "until": until});
    let by_verb = native.call("POST", &format!("{}/block", target(&one)), Some(verb)).await;
    let by_verb = by_verb.expect(200);
    let patch = json!({"status": "blocked", "status_reason": "chargeback", "status_until": until});
    let by_patch = native.call("PATCH", &target(&other), Some(patch)).await.expect(200);
    assert_eq!(by_verb.header("etag"), by_patch.header("etag"));
    let of = |customer: &Value| {
        ["status", "status_reason", "status_until", "version"].map(|name| customer[name].clone())
    };
    assert_eq!(of(&by_verb.json()), of(&by_patch.json()));
    let told = async |customer: &Value| {
        let history = format!("{}/history?limit=1", target(customer));
        let history = native.call("GET", &history, None).await.expect(200).json();
        ["type", "changed"].map(|name| history["data"][0][name].clone())
    };
    assert_eq!(told(&one).await, told(&other).await);
    // The term is moved by the same verb; without one it holds until further notice.
    let longer = json!({"reason": "chargeback", "until": null});
    let longer = native.call("POST", &format!("{}/block", target(&one)), Some(longer)).await;
    assert_eq!(longer.expect(200).json()["status_until"], Value::Null);
}

#[tokio::test]
async fn verbs_are_bounded_conditional_tried_and_repeated_like_their_neighbours() {
    let native = Native::start().await;
    let made = native.create(json!({})).await;
    let block = format!("{}/block", target(&made));
    for bad in [
        json!({}),
        json!({"reason": null}),
        json!({"reason": " "}),
        json!({"reason": "x".repeat(100_000)}),
        json!({"reason": "x", "until": "soon"}),
        json!({"reason": "x", "until": "2020-01-01T00:00:00Z"}),
        json!({"reason": "4111 1111 1111 1111"}),
    ] {
        native.call("POST", &block, Some(bad)).await.expect(422);
    }
    let unknown = Some(json!({"reason": "x", "until": "2999-01-01T00:00:00Z"}));
    let unblock = format!("{}/unblock", target(&made));
    let refused = native.call("POST", &unblock, unknown).await;
    assert!(matches!(refused.status, 400 | 422), "{}", refused.text());
    let body = || Some(json!({"reason": "x"}));
    native.with("POST", &block, &[("if-match", "\"7\"")], body()).await.expect(412);
    let dry = native.with("POST", &block, &[("prefer", "dry-run")], body()).await.expect(200);
    assert_eq!(dry.json()["status"], "blocked");
    let now = native.call("GET", &target(&made), None).await.json();
    assert_eq!(now, made, "a dry run changes nothing");
    let keyed = [("idempotency-key", "b-1"), ("if-match", "\"1\"")];
    let first = native.with("POST", &block, &keyed, body()).await.expect(200);
    let again = native.with("POST", &block, &keyed, body()).await.expect(200);
    assert_eq!(
        (first.json(), Some("true")),
        (again.json(), Some(again.header("idempotency-replayed")))
    );
    native.call("POST", "/v1/customers/999999999/block", body()).await.expect(404);
    native.call("DELETE", &target(&made), None).await.expect(204);
    native.call("POST", &unblock, body()).await.expect(404);
}

/// A runner whose cases are the same in every run.
fn runner() -> TestRunner {
    let seed = [7; 32];
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
}

/// The numbers that a filter finds at a moment: by a list, counted, and by free text.
async fn found(cx: &Cx, filter: Filter, q: &str) -> BTreeSet<i64> {
    let filter = customer::living().and(filter);
    let query = Query { predicate: filter.clone(), limit: 200, ..Query::of(cx.space) };
    let page = customers::list(cx, &query).await.unwrap();
    let listed: BTreeSet<i64> = page.items.iter().map(|customer| customer.number).collect();
    let counted = customers::count(cx, &[cx.space], &filter).await.unwrap();
    assert_eq!(counted, listed.len() as u64);
    let (searched, _) = customers::search_text(cx, q, &filter, None, 200).await.unwrap();
    let searched = searched.into_iter().map(|seen| seen.load().unwrap().number);
    assert_eq!(searched.collect::<BTreeSet<i64>>(), listed);
    listed
}

#[tokio::test]
async fn a_status_is_found_as_it_is_shown_at_every_moment() {
    let native = Native::start().await;
    let now = native.server.app.clock.now();
    let term = proptest::option::weighted(0.7, -4_i64..=4);
    let one = (proptest::sample::select(WORDS.to_vec()), term);
    let all = proptest::collection::vec(one, 60).new_tree(&mut runner()).unwrap().current();
    for (word, hours) in &all {
        let until = hours.map(|hours| now.plus_seconds(hours * 3600).rfc3339_micros());
        let body = json!({"status": word, "status_until": until, "company_name": "Engines"});
        native.create(body).await;
    }
    // By the use cases at any moment, those on a term itself included.
    let seconds = (-5..=5).flat_map(|hours: i64| [hours * 3600 - 1, hours * 3600]);
    for seconds in seconds {
        let moment = now.plus_seconds(seconds);
        let cx = Cx { now: moment, ..native.server.app.operator(SPACE, "test") };
        let query = Query { limit: 200, ..Query::of(SPACE) };
        let every = customers::list(&cx, &query).await.unwrap().items;
        for any in 0..16_u8 {
            let any: Vec<Status> =
                (0..4).filter(|at| any & (1 << at) != 0).map(|at| Status::ALL[at]).collect();
            let shown = every.iter().filter(|one| any.contains(&one.status_at(moment)));
            let shown: BTreeSet<i64> = shown.map(|one| one.number).collect();
            let filter = customer::has_status(&any, moment);
            assert_eq!(found(&cx, filter.clone(), "engines").await, shown, "{any:?} at {seconds}");
            let others = every.iter().map(|one| one.number).filter(|n| !shown.contains(n));
            let not = Filter::Not(Box::new(filter));
            assert_eq!(found(&cx, not, "engines").await, others.collect(), "not {any:?}");
        }
    }
    // By the API, which shows the words themselves.
    let list = async |query: &str| {
        let target = format!("/v1/customers?limit=200&total=true&{query}");
        let page = native.call("GET", &target, None).await.expect(200).json();
        let data = page["data"].as_array().unwrap().clone();
        assert!(page["total"].is_null() || page["total"] == json!(data.len()), "{query}");
        data.iter().map(|one| one["number"].as_i64().unwrap()).collect::<BTreeSet<i64>>()
    };
    let all = native.call("GET", "/v1/customers?limit=200", None).await.json()["data"].clone();
    let shown = |holds: &dyn Fn(&str) -> bool| -> BTreeSet<i64> {
        let all = all.as_array().unwrap().iter();
        let all = all.filter(|one| holds(one["status"].as_str().unwrap()));
        all.map(|one| one["number"].as_i64().unwrap()).collect()
    };
    for word in WORDS {
        assert_eq!(list(&format!("status={word}")).await, shown(&|one| one == word));
        assert_eq!(list(&format!("status={word}&q=engines")).await, shown(&|one| one == word));
        assert_eq!(list(&format!("status[ne]={word}")).await, shown(&|one| one != word));
        assert_eq!(list(&format!("status[lt]={word}")).await, shown(&|one| one < word));
        assert_eq!(list(&format!("status[gte]={word}")).await, shown(&|one| one >= word));
        let two = |one: &str| one == word || one == "locked";
        assert_eq!(list(&format!("status[in]={word},locked")).await, shown(&two));
    }
    assert_eq!(list("status[missing]=false").await, shown(&|_| true));
    assert_eq!(list("status[missing]=true").await, BTreeSet::new());
    native.call("GET", "/v1/customers?status=gone", None).await.expect(400);
}

#[tokio::test]
async fn a_term_that_passed_is_written_once_and_told() {
    let native = Native::start().await;
    let app = &native.server.app;
    let passed = app.clock.now().plus_seconds(-60).rfc3339_micros();
    let mut ends = Vec::new();
    for n in 0..12 {
        let word = WORDS[n % 4];
        let body = json!({"status": word, "status_reason": "why", "status_until": passed});
        ends.push(native.create(body).await);
    }
    let later = json!({"status": "blocked", "status_until": "2999-01-01T00:00:00Z"});
    let later = native.create(later).await;
    let gone = native.create(json!({"status": "locked", "status_until": passed})).await;
    native.call("DELETE", &target(&gone), None).await.expect(204);
    let before = native.call("GET", "/v1/customers?status=active&total=true", None).await.json();
    assert_eq!(before["total"], 12, "reads and filters do not wait");
    let last = native.call("GET", "/v1/events?limit=200", None).await.json()["data"].clone();
    let last = last.as_array().unwrap().last().unwrap()["seq"].as_i64().unwrap();
    // Several at once, as several nodes do.
    let spaces = [SPACE];
    let beside = native.server.beside(Limits::default()).await;
    let nodes = [app, &beside.app, app, &beside.app];
    let ended = join_all(nodes.map(|app| customers::end_statuses(app, &spaces))).await;
    let ended: u64 = ended.into_iter().map(|ended| ended.unwrap()).sum();
    assert_eq!(ended, 12);
    assert_eq!(customers::end_statuses(app, &spaces).await.unwrap(), 0);
    for one in &ends {
        let now = native.call("GET", &target(one), None).await.json();
        assert_eq!((&now["status"], &now["version"]), (&json!("active"), &json!(2)));
        assert_eq!((&now["status_reason"], &now["status_until"]), (&Value::Null, &Value::Null));
    }
    assert_eq!(native.call("GET", &target(&later), None).await.json(), later);
    let after = native.call("GET", "/v1/customers?status=active&total=true", None).await.json();
    assert_eq!(after["total"], 12);
    let events = native.call("GET", &format!("/v1/events?after={last}&limit=200"), None).await;
    let events = events.json()["data"].as_array().unwrap().clone();
    let told: BTreeSet<i64> = events.iter().map(|e| e["number"].as_i64().unwrap()).collect();
    assert_eq!((events.len(), told.len()), (12, 12), "each once");
    assert!(events.iter().all(|e| e["type"] == "customer.status_ended"), "{events:?}");
    // One that is restored is told then.
    native.call("POST", &format!("{}/restore", target(&gone)), None).await.expect(200);
    assert_eq!(customers::end_statuses(app, &spaces).await.unwrap(), 1);
    let report = app.store.check(&|kind, row| patron_app::documents::implied(kind, row)).await;
    assert_eq!(report.unwrap().findings, Vec::<String>::new());
}
