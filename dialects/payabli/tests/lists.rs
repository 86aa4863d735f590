//! Pages and orders.

use serde_json::{Value, json};

use crate::place::{Party, refused};

async fn letters(party: &Party, letters: &str) {
    for letter in letters.chars() {
        let balance = i64::from(u32::from(letter)) - 70;
        let body = json!({
            "customerNumber": letter, "lastname": letter.to_string().repeat(2),
            "balance": balance, "additionalFields": {"Rank": format!("{}", 90 - balance)},
        });
        party.add(body).await;
    }
}

async fn summary(party: &Party, query: &str) -> Value {
    let target = format!("/api/Query/customers/{}?{query}", party.entry());
    party.get(&target).await.expect(200).json()["Summary"].clone()
}

#[tokio::test]
async fn pages_by_rows() {
    let party = Party::new().await;
    letters(&party, "ABCDE").await;
    assert_eq!(party.list("").await, ["E", "D", "C", "B", "A"]);
    let sorted = "sortBy=asc(customernumber)";
    assert_eq!(party.list(&format!("{sorted}&limitRecord=2")).await, ["A", "B"]);
    assert_eq!(party.list(&format!("{sorted}&limitRecord=2&fromRecord=3")).await, ["D", "E"]);
    assert_eq!(party.list(&format!("{sorted}&fromRecord=5")).await, Vec::<String>::new());
    for all in ["limitRecord=0", "limitRecord=-1"] {
        assert_eq!(party.list(&format!("{sorted}&{all}")).await.len(), 5, "{all}");
    }
    let want = json!({
        "pageIdentifier": null, "pageidentifier": null, "pageSize": 2, "totalAmount": 0,
        "totalNetAmount": 0, "totalPages": 3, "totalRecords": 5,
    });
    assert_eq!(summary(&party, "limitRecord=2").await, want);
    let all = summary(&party, "limitRecord=0").await;
    assert_eq!((&all["pageSize"], &all["totalPages"]), (&json!(5), &json!(1)));
    let none = summary(&party, "limitRecord=0&email=x").await;
    assert_eq!((&none["pageSize"], &none["totalPages"]), (&json!(0), &json!(0)));
    let beyond = format!("fromRecord={}&limitRecord={}", i64::MAX, i64::MAX);
    assert_eq!(party.list(&beyond).await, Vec::<String>::new());
    assert_eq!(party.list("fromRecord=-5&limitRecord=1").await, ["E"]);
    assert_eq!(summary(&party, "limitRecord=10001").await["pageSize"], 10_000);
    for (query, field) in [("limitRecord=x", "limitRecord"), ("fromRecord=1.5", "fromRecord")] {
        let target = format!("/api/Query/customers/{}?{query}", party.entry());
        refused(party.get(&target).await, 3003, field);
    }
}

#[tokio::test]
async fn sorts_by_filter_names_and_members() {
    let party = Party::new().await;
    letters(&party, "BDAC").await;
    for (order, want) in [
        ("asc(customernumber)", "ABCD"),
        ("desc(CUSTOMERNUMBER)", "DCBA"),
        ("asc(Lastname)", "ABCD"),
        ("desc(balance)", "DCBA"),
        ("asc(additional-Rank)", "DCBA"),
        ("asc(createdDate)", "BDAC"),
        ("desc(Created)", "CADB"),
        ("asc(customerId)", "BDAC"),
        ("lastname", "ABCD"),
        ("desc(nothing)", "CADB"),
        ("asc(name)", "ABCD"),
    ] {
        let have = party.list(&format!("sortBy={order}")).await.concat();
        assert_eq!(have, want, "{order}");
    }
}
