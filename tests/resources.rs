//! Records that are tables, whatever their family: what the engine gives all of them, seen through
//! the feed and the histories of customers.

use patron_app::{
    Cx, Expect, customers,
    record::Id,
    resources::{self, Change, Changed, Family, Reference, Target, Wanted},
};
use patron_model::{Failure, Noun, Permission, Permissions, customer::CustomerPatch};
use patron_testkit::TestServer;
use serde_json::{Value, json};

use crate::api::{ALL, call};

/// A family that no API has: contracts of customers, one of which may follow another.
static CONTRACT: Family = Family {
    word: "contract",
    read: Permission::MetricRead,
    write: Permission::MetricWrite,
    claim: None,
    states: None,
};

fn wanted(title: &str, references: &[(&'static str, Target, i64)]) -> Wanted {
    let member = |name, value, refers| Change { name, value: Some(value), refers };
    let mut members = vec![member("title", json!(title), Vec::new())];
    members.extend(references.iter().map(|(name, _, n)| member(name, json!(n), vec![*n])));
    let references = references.iter();
    let references = references.map(|(member, target, number)| Reference {
        member,
        target: *target,
        number: *number,
    });
    Wanted { changed: Changed { members, state: None }, references: references.collect() }
}

struct Place {
    server: TestServer,
    keys: Value,
    cx: Cx,
}

impl Place {
    async fn open() -> Place {
        let server = TestServer::start(&ALL).await;
        let keys = server.new_space(None).await;
        let cx = server.app.operator(keys["wallee"]["space_id"].as_i64().unwrap(), "test");
        Place { server, keys, cx }
    }

    async fn customer(&self) -> i64 {
        customers::create(&self.cx, CustomerPatch::default()).await.unwrap().number
    }

    async fn contract(&self, references: &[(&'static str, Target, i64)]) -> Result<i64, Failure> {
        let made = resources::create(&self.cx, &CONTRACT, &wanted("first", references)).await;
        made.map(|saved| saved.number)
    }

    /// Types and numbers of a list of events of the native API.
    async fn told(&self, path: &str) -> Vec<(String, i64)> {
        let answer = call(&self.server, &self.keys, "native", "GET", path, None).await;
        let document = answer.expect(200).json();
        let data = document["data"].as_array().unwrap().iter();
        let told =
            |e: &Value| (e["type"].as_str().unwrap().to_owned(), e["number"].as_i64().unwrap());
        data.map(told).collect()
    }
}

fn faults(result: Result<i64, Failure>) -> Vec<String> {
    match result {
        Err(Failure::Invalid(problems)) => problems.into_iter().map(|p| p.field).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_a_record_refers_to_must_be_there_and_shows_it_in_its_history() {
    let place = Place::open().await;
    let customer = place.customer().await;
    let first = place.contract(&[("customer", Target::Customer, customer)]).await.unwrap();
    let follows = [("customer", Target::Customer, customer), ("follows", FAMILY, first)];
    let second = place.contract(&follows).await.unwrap();
    let event = |action: &str, number| (format!("contract.{action}"), number);
    let history = format!("/v1/customers/{customer}/history");
    let told = place.told(&history).await;
    assert_eq!(told[..2], [event("created", second), event("created", first)]);
    assert!(place.told("/v1/events").await.contains(&event("created", first)));
    let entries = patron_app::journal::history(&place.cx, first, None, 10).await.unwrap();
    assert_eq!(entries.len(), 2, "that of the first one shows the one that follows it");
    // Nobody, a number of another family, one of another space, and one that is gone.
    let elsewhere = place.cx.in_space(1);
    let foreign = customers::create(&elsewhere, CustomerPatch::default()).await.unwrap().number;
    for number in [999_999, first, foreign] {
        let why = faults(place.contract(&[("customer", Target::Customer, number)]).await);
        assert_eq!(why, ["customer"], "{number}");
    }
    resources::delete(&place.cx, &CONTRACT, second, &Expect::Any).await.unwrap();
    let both = [("customer", Target::Customer, 0), ("follows", FAMILY, second)];
    assert_eq!(faults(place.contract(&both).await), ["customer", "follows"], "all at once");
    customers::delete(&place.cx, Id::Number(customer), Expect::Any).await.unwrap();
    let why = faults(place.contract(&[("customer", Target::Customer, customer)]).await);
    assert_eq!(why, ["customer"]);
    let told = place.told(&history).await;
    assert_eq!(told[..2], [("customer.deleted".into(), customer), event("deleted", second)]);
}

/// What a contract may follow.
const FAMILY: Target = Target::Family(&CONTRACT);

#[tokio::test]
async fn the_feed_shows_a_record_to_who_may_read_its_family() {
    let place = Place::open().await;
    let contract = place.contract(&[]).await.unwrap();
    let entries = patron_app::journal::events(&place.cx, 0, 10, std::time::Duration::ZERO).await;
    let entry = entries.unwrap().into_iter().find(|entry| entry.number == contract).unwrap();
    let sees =
        |rights: Permissions| patron_app::rights::sees(&Cx { rights, ..place.cx.clone() }, &entry);
    assert!(sees(Permissions::of(&[Permission::MetricRead])));
    assert!(!sees(Permissions::ALL.without(Permissions::of(&[Permission::MetricRead]))));
    assert_eq!(patron_app::documents::word(&entry), "contract");
}

#[tokio::test]
async fn a_dry_run_leaves_nothing_and_a_stale_change_is_refused() {
    let place = Place::open().await;
    let dry = Cx { dry_run: true, ..place.cx.clone() };
    let made = resources::create(&dry, &CONTRACT, &wanted("dry", &[])).await.unwrap();
    let gone = resources::get(&place.cx, &CONTRACT, made.number).await.unwrap_err();
    assert!(matches!(gone, Failure::NotFound { noun: Noun::Resource("contract") }), "{gone:?}");
    let contract = place.contract(&[]).await.unwrap();
    let update = async |version, title| {
        let expect = Expect::Version(version);
        resources::update(&place.cx, &CONTRACT, contract, &expect, &wanted(title, &[])).await
    };
    assert_eq!(update(1, "second").await.unwrap().version, 2);
    assert!(matches!(update(1, "third").await, Err(Failure::Stale { have: 2, want: 1 })));
    assert_eq!(update(2, "second").await.unwrap().version, 2, "nothing changed");
    // Without states it is simply gone.
    resources::delete(&place.cx, &CONTRACT, contract, &Expect::Version(2)).await.unwrap();
    assert!(matches!(update(3, "late").await, Err(Failure::WrongState { .. })));
    let check = place.server.app.store.check(&patron_app::documents::implied).await.unwrap();
    assert!(check.findings.is_empty(), "{:?}", check.findings);
}
