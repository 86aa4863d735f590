//! Which customer a request means, and what becomes of it.

use patron_payabli::DIALECT;
use serde_json::{Value, json};

use crate::place::{Party, refused};

async fn id(party: &Party, query: &str, body: Value) -> i64 {
    let answer = party.submit(query, body).await.expect(200).json();
    answer["responseData"]["customerId"].as_i64().unwrap()
}

#[track_caller]
fn lacks(answer: patron_testkit::Answer, names: &str) {
    let body = answer.expect(400).json();
    let want = match names {
        "" => "Invalid customer identifiers".to_owned(),
        names => format!("Invalid customer identifiers: {names}"),
    };
    assert_eq!(body["responseText"], want, "{body}");
}

#[tokio::test]
async fn the_customer_number_matches_in_any_case_and_trimmed() {
    let party = Party::new().await;
    let first = id(&party, "", json!({"customerNumber": "M-1", "firstname": "Anna"})).await;
    for number in ["M-1", "m-1", " M-1 ", " m-1"] {
        let body = json!({"customerNumber": number, "firstname": "Other"});
        assert_eq!(id(&party, "", body).await, first, "{number}");
    }
    assert_eq!(party.record(first).await["Firstname"], "Anna");
    // Another space of the same server has customers of its own.
    let other = party.server.other_space(DIALECT.name).await;
    let target = format!("/api/Customer/single/{}", other["entry"].as_str().unwrap());
    let body = Some(json!({"customerNumber": "M-1"}));
    let answer = party.server.call(&DIALECT, &other, "POST", &target, body).await.expect(200);
    assert_ne!(answer.json()["responseData"]["customerId"], first);
}

#[tokio::test]
async fn replacing_overwrites_what_is_sent() {
    let party = Party::new().await;
    let body = json!({"customerNumber": "A", "firstname": "Anna", "city": "Erwin",
                      "customerStatus": 1});
    let first = id(&party, "", body).await;
    let body = json!({"customerNumber": "a", "firstname": "Bea"});
    assert_eq!(id(&party, "?replaceExisting=1", body.clone()).await, first);
    let record = party.record(first).await;
    assert_eq!((&record["Firstname"], &record["City"]), (&json!("Bea"), &json!("Erwin")));
    assert_eq!(record["customerStatus"], 1);
    for bad in ["?replaceExisting=2", "?forceCustomerCreation=maybe"] {
        assert_eq!(party.submit(bad, body.clone()).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn a_number_of_blanks_identifies_nobody_but_is_unique() {
    let party = Party::new().await;
    let body = json!({"customerNumber": "  ", "firstname": "Anna", "lastname": "Muster"});
    let first = id(&party, "", body.clone()).await;
    assert_eq!(id(&party, "", body.clone()).await, first);
    let other = json!({"customerNumber": "  ", "firstname": "Bea", "lastname": "Beispiel"});
    assert_eq!(id(&party, "?replaceExisting=1", other).await, first);
    assert_eq!(party.record(first).await["Firstname"], "Bea");
}

#[tokio::test]
async fn replacing_cannot_take_the_number_of_another() {
    let party = Party::new().await;
    let body = json!({"customerNumber": "A", "firstname": "Anna"});
    id(&party, "", body).await;
    let body = json!({"email": "b@example.org", "identifierFields": ["email"]});
    let second = id(&party, "", body).await;
    let body = json!({"customerNumber": "A", "email": "b@example.org",
                      "identifierFields": ["email"]});
    refused(party.submit("?replaceExisting=1", body).await, 3003, "customerNumber");
    assert_eq!(party.record(second).await["customerNumber"], Value::Null);
}

#[tokio::test]
async fn forcing_makes_another_record_and_does_not_claim_the_number() {
    let party = Party::new().await;
    let body = json!({"customerNumber": "A"});
    let first = id(&party, "", body.clone()).await;
    let second = id(&party, "?forceCustomerCreation=true", body.clone()).await;
    assert_ne!(first, second);
    assert_eq!(party.record(second).await["customerNumber"], "A");
    assert_eq!(id(&party, "", body.clone()).await, first);
    assert_eq!(party.list("customernumber(eq)=a").await, ["A", "A"]);
    // Sent back it changes nothing; another's number is refused; a new one is claimed.
    party.put(second, json!({"customerNumber": "A", "firstname": "X"})).await.expect(200);
    let third = id(&party, "", json!({"customerNumber": "C"})).await;
    refused(party.put(third, json!({"customerNumber": "A"})).await, 3003, "customerNumber");
    party.put(second, json!({"customerNumber": "B"})).await.expect(200);
    assert_eq!(party.record(second).await["customerNumber"], "B");
    assert_eq!(id(&party, "", json!({"customerNumber": "B"})).await, second);
    // A free number is claimed by a forced record, too.
    let fourth = id(&party, "?forceCustomerCreation=1", json!({"customerNumber": "D"})).await;
    assert_eq!(id(&party, "", json!({"customerNumber": "D"})).await, fourth);
}

#[tokio::test]
async fn without_configuration_names_or_an_address_suffice_but_do_not_match() {
    let party = Party::new().await;
    let names = json!({"firstname": "Anna", "lastname": "Muster"});
    let first = id(&party, "", names.clone()).await;
    assert_ne!(id(&party, "", names).await, first);
    id(&party, "", json!({"email": "a@example.org"})).await;
    for body in [
        json!({}),
        json!({"firstname": "Anna"}),
        json!({"customerNumber": ""}),
        json!({"customerNumber": "  "}),
        json!({"company": "A", "phone": "1"}),
        json!({"additionalFields": {"customerNumber": "A"}}),
    ] {
        lacks(party.submit("", body).await, "customerNumber");
    }
}

#[tokio::test]
async fn configured_identifiers_must_all_agree() {
    let party = Party::new().await;
    party.configure(json!({"identifiers": ["email", "lastname", "Tax-No"]})).await;
    lacks(party.submit("", json!({"customerNumber": "A"})).await, "email, lastname, Tax-No");
    let body = json!({"email": "A@example.org", "lastname": "Muster", "customerNumber": "A"});
    let first = id(&party, "", body).await;
    let same = json!({"email": " a@example.org", "lastname": "MUSTER "});
    // An e-mail address with a blank is none, but it identifies before it is stored.
    assert_eq!(party.submit("", same).await.status, 400);
    let same = json!({"email": "a@EXAMPLE.org", "lastname": "MUSTER "});
    assert_eq!(id(&party, "", same).await, first);
    assert_eq!(id(&party, "", json!({"email": "a@example.org"})).await, first);
    let other = json!({"email": "a@example.org", "lastname": "Meier"});
    assert_ne!(id(&party, "", other).await, first);
    // Otherwise the customer number is compared.
    let by_number = json!({"email": "new@example.org", "customerNumber": "a"});
    assert_eq!(id(&party, "", by_number).await, first);
    let custom = json!({"additionalFields": {"Tax-No": "T-9"}});
    let taxed = id(&party, "", custom.clone()).await;
    assert_eq!(id(&party, "", custom).await, taxed);
    let settings = party.get(&format!("/api/Paypoint/settings/{}", party.entry())).await.json();
    assert_eq!(
        settings["identifiers"][0],
        json!({"key": "email", "readOnly": false, "value": "email"})
    );
    let org = format!("/api/Organization/settings/{}", party.keys["org_id"]);
    assert_eq!(party.get(&org).await.json()["identifiers"], settings["identifiers"]);
}

#[tokio::test]
async fn a_request_may_name_its_own_identifiers() {
    let party = Party::new().await;
    let names = json!(["firstname", "lastname"]);
    let body = json!({"firstname": "Anna", "lastname": "Muster", "identifierFields": names});
    let first = id(&party, "", body).await;
    let same = json!({"firstname": "anna", "lastname": "muster", "identifierFields": names});
    assert_eq!(id(&party, "", same).await, first);
    let lacking = json!({"customerNumber": "A", "identifierFields": ["email", "billingPhone"]});
    lacks(party.submit("", lacking).await, "email, billingPhone");
    // Names that the caller made up are not repeated.
    let lacking = json!({"customerNumber": "A", "identifierFields": ["secret text"]});
    lacks(party.submit("", lacking).await, "");
}

#[tokio::test]
async fn identifiers_cannot_be_emptied() {
    let party = Party::new().await;
    let number = id(&party, "", json!({"customerNumber": "A", "firstname": "Anna"})).await;
    for empty in [json!(null), json!("")] {
        let answer = party.put(number, json!({"customerNumber": empty})).await;
        lacks(answer, "customerNumber");
    }
    party.put(number, json!({"customerNumber": null, "email": "a@example.org"})).await.expect(200);
    lacks(party.put(number, json!({"email": null})).await, "customerNumber");
    party.put(number, json!({"email": null, "lastname": "Muster"})).await.expect(200);
}

#[tokio::test]
async fn a_repeat_under_an_idempotency_key_gets_the_same_answer_for_two_minutes() {
    let (party, clock) = Party::with_clock().await;
    let target = format!("/api/Customer/single/{}", party.entry());
    let send = async |body: Value| {
        let headers = [("idempotencyKey", "k-1")];
        party.server.call_with(&DIALECT, &party.keys, "POST", &target, &headers, Some(body)).await
    };
    let body = json!({"firstname": "Anna", "lastname": "Muster"});
    let first = send(body.clone()).await.expect(200);
    assert_eq!(first.header("idempotency-replayed"), "");
    clock.advance_seconds(119);
    let repeat = send(body.clone()).await.expect(200);
    assert_eq!(repeat.json(), first.json());
    assert_eq!(repeat.header("idempotency-replayed"), "true");
    send(json!({"firstname": "Anna", "lastname": "Meier"})).await.expect(409);
    clock.advance_seconds(2);
    let later = send(body).await.expect(200).json();
    assert_ne!(later["responseData"]["customerId"], first.json()["responseData"]["customerId"]);
}

#[tokio::test]
async fn the_same_customer_sent_at_once_is_made_once() {
    let party = std::sync::Arc::new(Party::new().await);
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let party = std::sync::Arc::clone(&party);
        tasks.push(tokio::spawn(async move {
            id(&party, "", json!({"customerNumber": "M-1", "firstname": "Anna"})).await
        }));
    }
    let mut numbers = Vec::new();
    for task in tasks {
        numbers.push(task.await.unwrap());
    }
    numbers.dedup();
    assert_eq!(numbers.len(), 1);
}
