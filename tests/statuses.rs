//! What the status of a customer refuses: the page about it says what the table says, and every
//! operation of every API that the table is about does so, in its own shape.

use std::fmt::Write as _;

use patron_gateway::Operation;
use patron_model::customer::{Deed, Status, StatusVerb};
use patron_testkit::TestServer;
use serde_json::{Value, json};

use crate::api::{ALL, call};

/// What stands before the table.
const HEAD: &str = "# The status of a customer

A customer is `active`, `inactive`, `locked` or `blocked`. This page is generated from the program's
own table and from the operations' lines (`patron::statuses::the_page_of_statuses_is_current`);
`UPDATE_SNAPSHOTS=1 cargo test -p patron --test main statuses` writes it anew.

- `inactive`: not in use; refuses nothing.
- `locked`: kept, and nothing else done with it, as when somebody asks for that (GDPR art. 18), or
  after failed sign-ins.
- `blocked`: the business wants no payments of this customer.

## Verbs

`POST /v1/customers/{id}/<verb>` with `{\"reason\": \"…\", \"until\": \"2027-01-01T00:00:00Z\"}`
is the same change as a `PATCH` of `status`, `status_reason` and `status_until`: it takes
`If-Match`, `Prefer: dry-run` and `Idempotency-Key`. Unlike the patch it wants a reason, a term that
is still to come (none where it makes active), and a customer that is not restricted by the other
word: what it would lift in silence is 409 `wrong-state`.

";

/// What stands between the verbs and the table of what is refused.
const TERM: &str = "
## When the term has passed

At `status_until` the customer is active. Whoever reads, lists, filters, searches or counts is told
so from that moment on. Shortly after, the server writes it too: version and `updated_at` rise,
`status_reason` and `status_until` go, and the journal, the feed and webhooks say
`customer.status_ended`. Of several nodes one writes it. `sort=status` sorts by what is written.

## What is refused

";

/// What stands behind it.
const TAIL: &str = "
Everything else is done whatever the status is: reading, comments, changing and deleting this one
customer, bringing it back, changing what is saved. What is refused is 409 `wrong-state` here and
the like in the other APIs; of many in one call, or in one file, only the customer it is about is
refused. `patron import` refuses the row.
";

fn words(deed: Deed) -> String {
    let lines = ALL.into_iter().flat_map(|dialect| {
        let lines = (dialect.operations)().into_iter().filter(|line| line.deed == Some(deed));
        lines.map(|line| format!("`{} {}`", line.method, line.path))
    });
    lines.collect::<Vec<_>>().join(", ")
}

fn page() -> String {
    let mut page = String::from(HEAD);
    page.push_str("| verb | makes it | of one that is |\n|---|---|---|\n");
    for verb in StatusVerb::ALL {
        let (word, makes) = (verb.as_str(), verb.makes().as_str());
        let _ = writeln!(page, "| `{word}` | {makes} | {} |", verb.needs());
    }
    page.push_str(TERM);
    page.push_str("| | active | inactive | locked | blocked | operations |\n");
    page.push_str("|---|---|---|---|---|---|\n");
    for deed in Deed::ALL {
        let _ = write!(page, "| {} |", deed.about());
        for status in Status::ALL {
            page.push_str(if deed.is_allowed(status) { " yes |" } else { " no |" });
        }
        let _ = writeln!(page, " {} |", words(deed));
    }
    page.push_str(TAIL);
    page
}

#[test]
fn the_page_of_statuses_is_current() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/status.md");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(file, page()).unwrap();
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    assert!(written == page(), "docs/status.md is not what the program says");
}

/// A new customer with a status.
async fn customer(server: &TestServer, keys: &Value, status: Status, n: usize) -> Value {
    let email = format!("status.{n}@example.com");
    let body = json!({"status": status.as_str(), "full_name": "Ada Lovelace", "email": email,
        "reference": format!("s-{n}")});
    call(server, keys, "native", "POST", "/v1/customers", Some(body)).await.expect(201).json()
}

/// A file of one row, as a form.
async fn imported(server: &TestServer, keys: &Value, path: &str, csv: &str) -> Value {
    let form = format!(
        "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"c.csv\"\r\n\
         Content-Type: text/csv\r\n\r\n{csv}\r\n--x--\r\n"
    );
    let dialect = ALL.iter().find(|dialect| dialect.name == "payabli").unwrap();
    let signed = server.signed(dialect, &keys["payabli"], "POST", path, &form);
    let mut all: Vec<(&str, &str)> = signed.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    all.push(("content-type", "multipart/form-data; boundary=x"));
    server.raw("POST", path, &all, form.as_bytes()).await.expect(200).json()
}

/// Does what an operation does with a customer; whether its status refused that.
async fn refused(
    server: &TestServer,
    keys: &Value,
    (api, line): (&str, &Operation),
    customer: &Value,
    other: &Value,
) -> bool {
    let number = &customer["number"];
    let path = line.path.replace("{id}", &number.to_string());
    let send = async |path: &str, body: Option<Value>| {
        call(server, keys, api, line.method.as_str(), path, body).await
    };
    match (api, line.id) {
        ("native", "create_payment_method") => {
            let card = json!({"number": "4111111111111111", "expiry_month": 12,
                "expiry_year": 2040});
            let answer = send(&path, Some(json!({"type": "card", "card": card}))).await;
            says(&answer, 201, 409)
        }
        ("native", "bulk_customers") => {
            let item = json!({"action": "update", "id": number, "customer": {"title": "Dr"}});
            let answer = send(&path, Some(json!({"items": [item]}))).await.expect(200).json();
            let status = answer["data"][0]["status"].as_u64().unwrap();
            assert!(matches!(status, 200 | 409), "{answer}");
            status == 409
        }
        ("native", "merge_customers") => {
            // Whoever stays: first the other one takes it over, then it takes the other one.
            let over = line.path.replace("{id}", &other["number"].to_string());
            let dry = [("prefer", "dry-run")];
            let dialect = ALL[0];
            let body = Some(json!({"absorb": number}));
            let goes = server.call_with(dialect, &keys[api], "POST", &over, &dry, body).await;
            let stays = send(&path, Some(json!({"absorb": other["number"]}))).await;
            let (goes, stays) = (says(&goes, 200, 409), says(&stays, 200, 409));
            assert_eq!(goes, stays, "both sides of a merge count");
            stays
        }
        ("wallee", "customers_merge") => {
            let names: Vec<&str> = line.path.split(['{', '}']).skip(1).step_by(2).collect();
            let path = line.path.replace(&format!("{{{}}}", names[0]), &number.to_string());
            let path = path.replace(&format!("{{{}}}", names[1]), &other["number"].to_string());
            says(&send(&path, None).await, 200, 422)
        }
        ("wallee", "customers_update_many") => {
            let item = json!({"id": number, "version": customer["version"], "familyName": "King"});
            let verdicts = send(&path, Some(json!([item]))).await.expect(200).json();
            let status = verdicts[0]["statusCode"].as_u64().unwrap();
            assert!(matches!(status, 200 | 422), "{verdicts}");
            status == 422
        }
        ("payabli", "import_customers") => {
            let entry = keys["payabli"]["entry"].as_str().unwrap();
            let path = line.path.replace("{entry}", entry) + "?replaceExisting=true";
            let reference = customer["reference"].as_str().unwrap();
            let email = customer["email"].as_str().unwrap();
            let csv = format!("customerNumber,lastname,email\r\n{reference},King,{email}");
            let verdict = imported(server, keys, &path, &csv).await;
            let said = &verdict["responseData"];
            assert_eq!(said["added"].as_u64().unwrap() + said["rejected"].as_u64().unwrap(), 1);
            said["rejected"] == 1
        }
        _ => panic!("{api} {}: how it is called is not known here", line.id),
    }
}

#[track_caller]
fn says(answer: &patron_testkit::Answer, done: u16, refused: u16) -> bool {
    assert!([done, refused].contains(&answer.status), "{}", answer.text());
    answer.status == refused
}

#[tokio::test]
async fn every_operation_of_every_api_refuses_what_the_table_says() {
    let server = TestServer::start(&ALL).await;
    let keys = server.all_credentials().clone();
    let (mut n, mut asked) = (0, 0);
    for dialect in ALL {
        for line in (dialect.operations)().iter().filter(|line| line.deed.is_some()) {
            for status in Status::ALL {
                n += 2;
                let one = customer(&server, &keys, status, n).await;
                let other = customer(&server, &keys, Status::Active, n + 1).await;
                let is_refused = refused(&server, &keys, (dialect.name, line), &one, &other).await;
                let what = format!("{} {} {status:?}", dialect.name, line.id);
                assert_eq!(is_refused, !line.deed.unwrap().is_allowed(status), "{what}");
                // A refusal leaves no trace.
                let target = format!("/v1/customers/{}", one["number"]);
                if is_refused {
                    let now = call(&server, &keys, "native", "GET", &target, None).await;
                    assert_eq!(now.expect(200).json(), one, "{what}");
                }
                asked += 1;
            }
        }
    }
    assert!(asked >= 20, "{asked}");
    // What is not in the table is refused by no status.
    let one = customer(&server, &keys, Status::Locked, 9_000).await;
    let target = format!("/v1/customers/{}", one["number"]);
    let native = async |method: &str, path: &str, body: Value| {
        let body = Some(body).filter(|body| !body.is_null());
        call(&server, &keys, "native", method, path, body).await.status
    };
    assert_eq!(native("PATCH", &target, json!({"family_name": "King"})).await, 200);
    let comment = format!("{target}/comments");
    assert_eq!(native("POST", &comment, json!({"content": "asked why"})).await, 201);
    assert_eq!(native("DELETE", &target, Value::Null).await, 204);
    assert_eq!(native("POST", &format!("{target}/restore"), Value::Null).await, 200);
}
