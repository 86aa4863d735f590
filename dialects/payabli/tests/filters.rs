//! Every field and operator of the filter grammar, in every encoding.

use patron_app::Expect;
use patron_model::{Patch, customer::CustomerPatch, text::Name};
use patron_payabli::DIALECT;
use serde_json::json;

use crate::place::{Party, refused};

/// Three customers: A and B with all fields, C with a number only.
async fn people() -> Party {
    let party = Party::new().await;
    party
        .add(json!({
            "customerNumber": "A", "firstname": "Anna Maria", "lastname": "van Dyk",
            "company": "Alpha", "email": "anna@alpha.example", "phone": "(423) 555-0117",
            "address": "1 Oak St", "city": "Erwin", "state": "TN", "zip": "37650", "country": "US",
            "shippingAddress": "9 Elm St", "shippingCity": "Unicoi", "shippingState": "NC",
            "shippingZip": "28701", "shippingCountry": "US", "balance": 10.50,
            "customerUsername": "anna", "customerStatus": 1, "additionalFields": {"Tier": "Gold"},
        }))
        .await;
    party
        .add(json!({
            "customerNumber": "B", "firstname": "Bea", "lastname": "Meier", "company": "Beta",
            "email": "bea@beta.example", "phone": "+41 44 668 18 00", "address": "2 Bahnhofstr.",
            "city": "Zürich", "state": "ZH", "zip": "8001", "country": "CH",
            "shippingAddress": "3 Seestr.", "shippingCity": "Uster", "shippingState": "ZG",
            "shippingZip": "8610", "shippingCountry": "LI", "balance": -3,
            "customerUsername": "bea",
            "customerStatus": 85, "additionalFields": {"Tier": "Silver"},
        }))
        .await;
    party.add(json!({"customerNumber": "C"})).await;
    party
}

#[track_caller]
fn same(have: Vec<String>, want: &str, query: &str) {
    let mut have: Vec<String> = have;
    have.sort();
    let want: Vec<&str> = want.split_whitespace().collect();
    assert_eq!(have, want, "{query}");
}

#[tokio::test]
async fn texts_compare_in_any_case() {
    let party = people().await;
    for (field, whole, part) in [
        ("customernumber", "a", "a"),
        ("firstname", "anna maria", "NA MA"),
        ("lastname", "VAN DYK", "dyk"),
        ("company", "ALPHA", "lph"),
        ("email", "ANNA@alpha.example", "@ALPHA"),
        ("phone", "%2B14235550117", "5550117"),
        ("phone", "(423)%20555-0117", "555-01"),
        ("address", "1 oak st", "OAK"),
        ("city", "erwin", "rwi"),
        ("state", "tn", "t"),
        ("zip", "37650", "765"),
        ("country", "us", "u"),
        ("shippingaddress", "9 elm st", "ELM"),
        ("shippingcity", "UNICOI", "nico"),
        ("shippingstate", "nc", "n"),
        ("shippingzip", "28701", "287"),
        ("shippingcountry", "us", "U"),
        ("username", "ANNA", "nn"),
        ("additional-Tier", "gold", "OLD"),
    ] {
        let (whole, part) = (whole.replace(' ', "%20"), part.replace(' ', "%20"));
        for (op, value, want) in [
            ("(eq)", &whole, "A"),
            ("", &whole, "A"),
            ("()", &whole, "A"),
            ("(ne)", &whole, "B C"),
            ("(ct)", &part, "A"),
            ("(nct)", &part, "B C"),
        ] {
            let query = format!("{field}{op}={value}");
            same(party.list(&query).await, want, &query);
        }
        let query = format!("{field}(gt)={whole}");
        let target = format!("/api/Query/customers/{}?{query}", party.entry());
        let named = if field.starts_with("additional") { "additional" } else { field };
        refused(party.get(&target).await, 3003, named);
    }
}

#[tokio::test]
async fn names_numbers_dates_and_statuses() {
    let party = people().await;
    for (query, want) in [
        ("name(ct)=anna%20maria%20VAN", "A"),
        ("name(ct)=a%20mei", "B"),
        ("name(ct)=dyk", "A"),
        ("name(nct)=dyk", "B C"),
        ("balance(eq)=10.5", "A"),
        ("balance(ne)=10.50", "B C"),
        ("balance(gt)=0", "A"),
        ("balance(ge)=0", "A C"),
        ("balance(lt)=0", "B"),
        ("balance(le)=0", "B C"),
        ("balance(eq)=0", "C"),
        ("status(eq)=1", "A"),
        ("status=85", "B"),
        ("status(ne)=85", "A C"),
        ("status(in)=0|1", "A C"),
        ("status(in)=0%7C85", "B C"),
        ("status(nin)=0|1", "B"),
        ("status(eq)=7", ""),
        ("status(eq)=1&status(eq)=85", ""),
        ("createdDate(gt)=2020-01-01", "A B C"),
        ("createdDate(ge)=2020-01-01T00:00:00", "A B C"),
        ("createdDate(lt)=2020-01-01", ""),
        ("createdDate(le)=2999-01-01T00:00:00", "A B C"),
        ("createdDate(eq)=2020-01-01", ""),
        ("createdDate(ne)=2020-01-01", "A B C"),
        ("email(ct)=example&balance(gt)=0", "A"),
        ("Email(ct)=alpha", "A B C"),
        ("customerNumber=A", "A B C"),
        ("nothing(xx)=1", "A B C"),
        ("paypointDba(ct)=TES&paypointLegal(eq)=test&orgName(ne)=x", "A B C"),
        ("paypointDba(nct)=tes", ""),
        ("paypointId(ne)=999999", "A B C"),
        ("paypointId=999999", ""),
    ] {
        same(party.list(query).await, want, query);
    }
    let org = party.keys["org_id"].as_i64().unwrap();
    same(party.list(&format!("orgId(eq)={org}")).await, "A B C", "orgId");
    let created = party.get(&format!("/api/Query/customers/{}", party.entry())).await.json();
    let created = created["Records"][0]["Created"].as_str().unwrap().to_owned();
    for query in
        [format!("createdDate={}", &created[..10]), format!("createdDate(ge)={}", &created[..19])]
    {
        assert!(!party.list(&query).await.is_empty(), "{query}");
    }
    for (query, field) in [
        ("balance(ct)=1", "balance"),
        ("balance(gt)=x", "balance"),
        ("status(gt)=1", "status"),
        ("status(eq)=x", "status"),
        ("status(in)=1||2", "status"),
        ("createdDate(ct)=2020", "createdDate"),
        ("createdDate(gt)=soon", "createdDate"),
        ("name=Anna", "name"),
        ("orgId(ne)=1", "orgId"),
        ("paypointId(gt)=1", "paypointId"),
        ("paypointId=x", "paypointId"),
        ("orgName(gt)=1", "orgName"),
        ("parameters={", "parameters"),
    ] {
        let target =
            format!("/api/Query/customers/{}?{}", party.entry(), query.replace('{', "%7B"));
        refused(party.get(&target).await, 3003, field);
    }
}

#[tokio::test]
async fn five_encodings_find_the_same() {
    let party = people().await;
    for query in [
        "email(ct)=alpha",
        "email%28ct%29=alpha",
        "parameters%5Bemail%28ct%29%5D=alpha",
        "parameters=%7B%22email(ct)%22%3A%22alpha%22%7D",
        "parameters=email(ct)=alpha",
        "email(ct)%3Dalpha",
        "email(ct)%3Dalpha%26limitRecord%3D5",
    ] {
        same(party.list(query).await, "A", query);
    }
}

#[tokio::test]
async fn names_that_came_in_whole_are_found_by_their_parts() {
    let party = Party::new().await;
    for (number, full) in [("A", "Anna Maria Muster"), ("B", "Cher"), ("C", "Maria Anna")] {
        let id = party.add(json!({"customerNumber": number})).await;
        let app = &party.server.app;
        let handle = party.keys["client_id"].as_str().unwrap();
        let space = app.caller(DIALECT.name, handle).await.unwrap().key.space;
        let cx = app.operator(space, "test");
        let full_name = Patch::Set(Name::parse(full).unwrap());
        let patch = CustomerPatch { full_name, ..CustomerPatch::default() };
        let id = patron_app::Id::Number(id);
        patron_app::customers::update(&cx, id, Expect::Any, patch).await.unwrap();
    }
    for (query, want) in [
        ("firstname=anna%20maria", "A"),
        ("firstname=cher", "B"),
        ("lastname=anna", "C"),
        ("firstname(ct)=maria", "A C"),
        ("firstname(ct)=cher", "B"),
        ("lastname(ct)=must", "A"),
        ("lastname(ct)=cher", ""),
        ("firstname(ct)=must", ""),
        ("lastname(ne)=muster", "B C"),
        ("name(ct)=a%20muster", "A"),
    ] {
        same(party.list(query).await, want, query);
    }
}

#[tokio::test]
async fn deleted_customers_appear_only_when_asked_for() {
    let party = people().await;
    let id = party.add(json!({"customerNumber": "D", "email": "d@alpha.example"})).await;
    party.call("DELETE", &format!("/api/Customer/{id}"), None).await.expect(200);
    for (query, want) in [
        ("", "A B C"),
        ("email(ct)=alpha", "A"),
        ("status(ne)=1", "B C"),
        ("status(nin)=-99|1", "B C"),
        ("status(eq)=-99", "D"),
        ("status(in)=-99|1", "A D"),
        ("status(eq)=-99&email(ct)=beta", ""),
    ] {
        same(party.list(query).await, want, query);
    }
    let target = format!("/api/Query/customers/{}?status(eq)=-99", party.entry());
    assert_eq!(party.get(&target).await.json()["Records"][0]["customerStatus"], -99);
}
