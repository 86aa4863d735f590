//! List and search (dossier §8): every field, every operator, order and pages.

use patron_testkit::Answer;
use serde_json::{Value, json};

use crate::place::{Caller, PATH, error, id_of};

/// Percent-encodes everything that a client would.
fn encoded(text: &str) -> String {
    let byte = |b: u8| match b {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => (b as char).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

impl Caller {
    async fn list(&self, search: &str, rest: &str) -> Answer {
        self.call("GET", &format!("{PATH}?search={}{rest}", encoded(search)), None).await
    }

    /// First characters of the e-mail addresses that are found, oldest first.
    async fn found(&self, search: &str) -> String {
        self.ordered(search, "&order_by=ASC").await
    }

    async fn ordered(&self, search: &str, rest: &str) -> String {
        let answer = self.list(search, rest).await;
        assert_eq!(answer.status, 200, "{search}: {}", answer.text());
        let rows = answer.json();
        let first = |row: &Value| row["email_address"].as_str().unwrap().chars().next().unwrap();
        rows.as_array().expect("a bare array").iter().map(first).collect()
    }

    async fn refused(&self, search: &str, rest: &str, code: u16, field: &str) {
        let body = error(&self.list(search, rest).await, 400, code);
        assert!(body["details"].get(field).is_some(), "{search}{rest}: {body}");
    }

    /// Three customers: everything there is, something else everywhere, and next to nothing.
    async fn three() -> (Caller, Vec<Value>) {
        let caller = Caller::start().await;
        let mut rows = Vec::new();
        for body in [
            whole("a", "1"),
            whole("b", "2"),
            json!({
                "company_name": "Cargo", "email_address": "c@example.com",
            }),
        ] {
            rows.push(caller.create(body).await.expect(200).json());
        }
        (caller, rows)
    }
}

/// A customer with every field; `letter` and `digit` tell two of them apart.
fn whole(letter: &str, digit: &str) -> Value {
    let address = |side: &str| {
        json!({
            "address_1": format!("{side} {letter} street"),
            "address_2": format!("{side} {letter}2"),
            "address_3": format!("{side} {letter}3"), "city": format!("{side} {letter} city"),
            "country_code": if letter == "a" { "AT" } else { "BE" },
            "first_name": format!("{side} {letter} first"), "middle_name": format!("{letter}m"),
            "last_name": format!("{side} {letter} last"), "phone": format!("{digit}0"),
            "postal_code": format!("{digit}000"), "state": format!("{side} {letter} state"),
        })
    };
    json!({
        "company_name": format!("{letter} company"),
        "company_registration_number": format!("HRB {digit}"),
        "email_address": format!("{letter}@example.com"), "phone_number": format!("+4930{digit}"),
        "work_phone": format!("030-{digit}"), "title": format!("Dr. {letter}"),
        "tax": {"identifier": format!("{digit}{digit}")}, "language": format!("{letter}{letter}"),
        "billing": address("bill"), "shipping": address("ship"),
    })
}

const STRINGS: [&str; 31] = [
    "id",
    "company_name",
    "company_registration_number",
    "email_address",
    "phone_number",
    "work_phone",
    "title",
    "tax.identifier",
    "language",
    "billing.address_1",
    "billing.address_2",
    "billing.address_3",
    "billing.city",
    "billing.country_code",
    "billing.first_name",
    "billing.middle_name",
    "billing.last_name",
    "billing.phone",
    "billing.postal_code",
    "billing.state",
    "shipping.address_1",
    "shipping.address_2",
    "shipping.address_3",
    "shipping.city",
    "shipping.country_code",
    "shipping.first_name",
    "shipping.middle_name",
    "shipping.last_name",
    "shipping.phone",
    "shipping.postal_code",
    "shipping.state",
];

fn member<'a>(row: &'a Value, selector: &str) -> &'a str {
    let path = format!("/{}", selector.replace('.', "/"));
    row.pointer(&path).and_then(Value::as_str).unwrap_or_else(|| panic!("{selector} in {row}"))
}

fn quoted(text: &str) -> String {
    format!("'{text}'")
}

#[tokio::test]
async fn every_string_field_takes_every_string_operator() {
    let (caller, rows) = Caller::three().await;
    for selector in STRINGS {
        let (a, b) = (quoted(member(&rows[0], selector)), quoted(member(&rows[1], selector)));
        assert_eq!(caller.found(&format!("{selector}=={a}")).await, "a", "{selector}");
        assert_eq!(caller.found(&format!("{selector}!={a}")).await, "bc", "{selector}");
        assert_eq!(caller.found(&format!("{selector}=in=({b},{a},x)")).await, "ab", "{selector}");
        assert_eq!(caller.found(&format!("{selector}=in={b}")).await, "b", "{selector}");
        assert_eq!(caller.found(&format!("{selector}=out=({a},x)")).await, "bc", "{selector}");
        let pattern = format!("^{}$", member(&rows[1], selector).replace('+', "."));
        assert_eq!(caller.found(&format!("{selector}=regex='{pattern}'")).await, "b", "{selector}");
        assert_eq!(caller.found(&format!("{selector}=='zzz'")).await, "", "{selector}");
        if selector != "shipping.phone" {
            for operator in ["=gt=", "=ge=", "=lt=", "=le=", ">", ">=", "<", "<="] {
                caller.refused(&format!("{selector}{operator}{a}"), "", 107, "query.search").await;
            }
        }
    }
}

#[tokio::test]
async fn strings_compare_exactly_and_wildcards_are_literal() {
    let (caller, _) = Caller::three().await;
    for (search, found) in [
        ("company_name=='A company'", ""),
        ("company_name=='a*'", ""),
        ("company_name=='*'", ""),
        ("email_address==A@example.com", ""),
        ("email_address=in=(A@example.com,b@example.com)", "b"),
        ("company_name=regex=company", "ab"),
        ("company_name=regex=Company", ""),
        ("company_name=regex='(?i)COMPANY$'", "ab"),
        ("company_name=regex='^c'", ""),
        ("tax.identifier=regex='1'", "a"),
        ("email_address=regex='@example[.]com$'", "abc"),
    ] {
        assert_eq!(caller.found(search).await, found, "{search}");
    }
}

#[tokio::test]
async fn a_missing_field_is_unequal_to_everything() {
    let (caller, _) = Caller::three().await;
    for (search, found) in [
        ("title==''", ""),
        ("title!=''", "abc"),
        ("title=out=(x,y)", "abc"),
        ("title=in=(x,y)", ""),
        ("title=regex=''", "ab"),
        ("shipping.phone=ge=0", "ab"),
        ("shipping.phone=lt=9999", "ab"),
        ("tax.identifier!=11", "bc"),
        ("tax.identifier=='11x'", ""),
    ] {
        assert_eq!(caller.found(search).await, found, "{search}");
    }
}

#[tokio::test]
async fn precedence_groups_and_words() {
    let (caller, _) = Caller::three().await;
    for (search, found) in [
        ("company_name==Cargo;title=='Dr. a',title=='Dr. b'", "b"),
        ("title=='Dr. b',company_name==Cargo;title=='Dr. a'", "b"),
        ("title=='Dr. a';(company_name==x,billing.phone==10)", "a"),
        ("(title=='Dr. a',title=='Dr. b');company_name!=x", "ab"),
        ("title=='Dr. a' or company_name==Cargo", "ac"),
        ("title=='Dr. a' and billing.phone==10", "a"),
        ("billing.country_code=in=(AT,BE);billing.country_code!=AT", "b"),
        (r#"title=="Dr. a""#, "a"),
        (r"title=='Dr\. a'", "a"),
    ] {
        assert_eq!(caller.found(search).await, found, "{search}");
    }
    // Raw, as the reference prints it: neither = nor ; nor , is escaped.
    let target =
        format!("{PATH}?search=billing.phone==10;billing.postal_code==1000,company_name==x");
    let rows = caller.call("GET", &target, None).await.expect(200).json();
    assert_eq!(rows.as_array().unwrap().len(), 1);
    let target = format!("{PATH}?search=phone_number==%2B49301");
    assert_eq!(caller.call("GET", &target, None).await.json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn shipping_phone_is_a_number_where_both_sides_are_digits() {
    let caller = Caller::start().await;
    for (letter, phone) in [("a", "9"), ("b", "010"), ("c", "+49 1"), ("d", "100")] {
        let body = json!({"company_name": "A", "email_address": format!("{letter}@x.example"),
            "shipping": {"phone": phone}});
        caller.create(body).await.expect(200);
    }
    for (search, found) in [
        ("shipping.phone=gt=9", "bd"),
        ("shipping.phone>9", "bd"),
        ("shipping.phone=ge=9", "abd"),
        ("shipping.phone=lt=100", "abc"),
        ("shipping.phone=le=10", "abc"),
        ("shipping.phone==10", "b"),
        ("shipping.phone!=10", "acd"),
        ("shipping.phone=in=(9,'+49 1')", "ac"),
        ("shipping.phone=out=(0009)", "bcd"),
        ("shipping.phone=gt='+'", "abcd"),
        ("shipping.phone=regex='^1'", "d"),
    ] {
        assert_eq!(caller.found(search).await, found, "{search}");
    }
}

#[tokio::test]
async fn moments_compare_as_they_are_shown() {
    let (caller, rows) = Caller::three().await;
    for selector in ["created_at", "updated_at"] {
        let at = |i: usize| member(&rows[i], selector).to_owned();
        for (operator, wanted) in [
            ("=ge=", "bc"),
            (">=", "bc"),
            ("=gt=", "c"),
            (">", "c"),
            ("=le=", "ab"),
            ("<=", "ab"),
            ("=lt=", "a"),
            ("<", "a"),
            ("==", "b"),
            ("!=", "ac"),
        ] {
            // Customers of one millisecond cannot be told apart.
            if at(0) < at(1) && at(1) < at(2) {
                let search = format!("{selector}{operator}{}", at(1));
                assert_eq!(caller.found(&search).await, wanted, "{search}");
            }
        }
        let both = format!("{selector}=in=({},{})", at(0), at(2));
        assert!(caller.found(&both).await.contains('a') && caller.found(&both).await.contains('c'));
        let none = format!("{selector}=out=({},{},{})", at(0), at(1), at(2));
        assert_eq!(caller.found(&none).await, "");
        for (search, found) in [
            (format!("{selector}=ge=2025-01-01"), "abc"),
            (format!("{selector}=lt=2025-01-01T00:00:00Z"), ""),
            (format!("{selector}=gt=2025-01-01T02:00:00+02:00"), "abc"),
            (format!("{selector}=ge=2025-01-01;{selector}=lt=2100-01-01T00:00:00.5Z"), "abc"),
        ] {
            assert_eq!(caller.found(&search).await, found, "{search}");
        }
        for bad in ["=ge=yesterday", "==123", "=regex=2025", "=in=(2025-01-01,x)"] {
            caller.refused(&format!("{selector}{bad}"), "", 107, "query.search").await;
        }
    }
    // A raw plus sign is a space: an offset has to be escaped.
    let raw = format!("{PATH}?search=created_at=ge=2025-01-01T00:00:00+02:00");
    error(&caller.call("GET", &raw, None).await, 400, 107);
}

#[tokio::test]
async fn updated_at_follows_the_customer() {
    let (caller, rows) = Caller::three().await;
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let id = rows[0]["id"].as_str().unwrap();
    let mut body = rows[0].clone();
    body["shipping"]["city"] = json!("Elsewhere");
    let after = caller.update(id, body).await.expect(200).json();
    assert!(after["updated_at"].as_str() > rows[2]["updated_at"].as_str());
    assert_eq!(after["created_at"], rows[0]["created_at"]);
    let search = format!("updated_at=={}", after["updated_at"].as_str().unwrap());
    assert_eq!(caller.found(&search).await, "a");
    assert_eq!(caller.found(&search.replace("==", "=lt=")).await, "bc");
}

#[tokio::test]
async fn every_sortable_field_sorts_and_missing_values_come_last() {
    let (caller, _) = Caller::three().await;
    let sortable =
        STRINGS.iter().filter(|name| !["id", "language", "shipping.middle_name"].contains(name));
    for selector in sortable {
        let order = format!("&order_criteria={selector}&order_by=");
        let (up, down) = match *selector {
            "company_name" => ("cab", "bac"), // "Cargo" is upper case: texts compare by code point
            _ => ("abc", "cba"),
        };
        assert_eq!(caller.ordered("id!=x", &format!("{order}ASC")).await, up, "{selector}");
        assert_eq!(caller.ordered("id!=x", &format!("{order}desc")).await, down, "{selector}");
        assert_eq!(caller.ordered("id!=x", &format!("&order_criteria={selector}")).await, down);
    }
    for rest in ["", "&order_criteria=created_at", "&order_by=DESC", "&order_criteria=&order_by="] {
        assert_eq!(caller.ordered("id!=x", rest).await, "cba", "newest first: {rest}");
    }
    for selector in ["id", "entity_id", "created_at"] {
        let rest = format!("&order_criteria={selector}&order_by=ASC");
        assert_eq!(caller.ordered("id!=x", &rest).await.len(), 3);
    }
    for bad in ["language", "shipping.middle_name", "updated_at", "nickname", "billing"] {
        let rest = format!("&order_criteria={bad}");
        caller.refused("id!=x", &rest, 107, "query.order_criteria").await;
    }
    caller.refused("id!=x", "&order_by=up", 107, "query.order_by").await;
}

#[tokio::test]
async fn pages() {
    let caller = Caller::start().await;
    let mut ids = Vec::new();
    for i in 0..53 {
        ids.push(id_of(&caller.create(json!({"company_name": format!("C{i}")})).await.expect(200)));
    }
    let page = async |rest: &str| -> Vec<String> {
        let rows = caller.list("id!=x", &format!("&order_by=ASC{rest}")).await.expect(200).json();
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(page("").await, ids[..50]);
    assert_eq!(page("&page_number=2").await, ids[50..]);
    assert_eq!(page("&page_number=3").await, ids[..0]);
    assert_eq!(page("&page_size=20&page_number=3").await, ids[40..]);
    assert_eq!(page("&page_size=53").await, ids);
    assert_eq!(page("&page_size=1000000").await, ids, "cut silently");
    let last = format!("&page_number={}&page_size=9", i64::MAX);
    assert_eq!(page(&last).await, ids[..0]);
    let same = "&order_criteria=language";
    caller.refused("id!=x", same, 107, "query.order_criteria").await;
    // Equal sort keys: pages neither overlap nor leave anything out.
    let mut seen = Vec::new();
    for number in 1..=6 {
        let rest = format!("&order_criteria=title&page_size=10&page_number={number}");
        seen.extend(page(&rest).await);
    }
    assert_eq!(seen, ids);
    for (name, bad) in [
        ("page_size", "0"),
        ("page_size", "-1"),
        ("page_size", "x"),
        ("page_number", "0"),
        ("page_number", "1.5"),
        ("page_number", "99999999999999999999"),
    ] {
        let field = format!("query.{name}");
        caller.refused("id!=x", &format!("&{name}={bad}"), 107, &field).await;
    }
}

#[tokio::test]
async fn refuses_searches_it_cannot_answer() {
    let (caller, _) = Caller::three().await;
    for missing in [PATH.to_owned(), format!("{PATH}?search="), format!("{PATH}?search=%20")] {
        let body = error(&caller.call("GET", &missing, None).await, 400, 126);
        assert_eq!(body["details"], json!({"query.search": "required"}));
    }
    let long = format!("title=regex='{}'", "a".repeat(201));
    for bad in [
        "title==Dr,",
        "nickname==x",
        "created_at=regex=2025",
        "title=regex='('",
        "title=regex='(?=a)'",
        "title=regex='(a)\\\\1'",
        "title=regex='((a{99}){99}){99}'",
        &long,
        "title==(a,b)",
        "title=regex=(a,b)",
        "Title==x",
        "billing==x",
        "metadata.x==1",
        "space==1",
        "tax_number==1",
    ] {
        caller.refused(bad, "", 107, "query.search").await;
        assert!(!caller.list(bad, "").await.text().contains("nickname"), "nothing is quoted");
    }
    let fits = format!("title=regex='{}'", "a".repeat(200));
    assert_eq!(caller.found(&fits).await, "");
    assert_eq!(caller.found("id==123").await, "");
    assert_eq!(caller.found("id=in=(1,2)").await, "");
    assert_eq!(caller.found("id!=123").await, "abc");
}
