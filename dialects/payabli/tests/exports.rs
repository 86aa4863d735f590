//! Exports and imports.

use patron_testkit::Answer;
use serde_json::{Value, json};

use crate::place::{Party, refused};

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

async fn import(party: &Party, query: &str, csv: &str) -> Answer {
    let body = format!(
        "--frontier\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nx\r\n\
         --frontier\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\
         Content-Type: text/csv\r\n\r\n{csv}\r\n--frontier--\r\n"
    );
    let target = format!("/api/Import/customersForm/{}{query}", party.entry());
    let token = party.keys["request_token"].as_str().unwrap();
    let headers =
        [("requestToken", token), ("content-type", "multipart/form-data; boundary=frontier")];
    party.server.raw("POST", &target, &headers, body.as_bytes()).await
}

#[tokio::test]
async fn exports_as_csv_and_spreadsheet() {
    let party = Party::new().await;
    let id = party
        .add(json!({
            "customerNumber": "A", "firstname": "An \"na\"", "company": "Muster, AG",
            "balance": 2.5, "additionalFields": {"a": "1"}, "identifierFields": ["email", "phone"],
            "email": "a@example.org",
        }))
        .await;
    party.add(json!({"customerNumber": "B"})).await;
    let entry = party.entry();
    let chosen = "columnsExport=customerId:Id,firstname:First%20name,Company,Balance,\
                  AdditionalFields,IdentifierFields&sortBy=asc(customernumber)";
    let targets = [
        format!("/api/Export/customers/csv/{entry}?{chosen}"),
        format!("/api/Export/customers/csv/org/{}?{chosen}", party.keys["org_id"]),
        format!("/api/Query/customers/{entry}?exportFormat=csv&{chosen}"),
        format!("/api/Query/customers/org/{}?exportFormat=CSV&{chosen}", party.keys["org_id"]),
    ];
    for target in targets {
        let answer = party.get(&target).await.expect(200);
        assert_eq!(answer.header("content-type"), "text/csv");
        assert_eq!(answer.header("content-disposition"), "attachment; filename=\"customers.csv\"");
        let text = answer.text();
        let lines: Vec<&str> = text.lines().collect();
        let title = "Id,First name,Company,Balance,AdditionalFields,IdentifierFields";
        let row = format!(
            "{id},\"An \"\"na\"\"\",\"Muster, AG\",2.5,\"{{\"\"a\"\":\"\"1\"\"}}\",\"email,phone\""
        );
        assert_eq!(lines[..2], [title, row.as_str()], "{target}");
        assert_eq!(lines.len(), 3);
    }
    let plain = party.get(&format!("/api/Export/customers/csv/{entry}?limitRecord=1")).await.text();
    assert_eq!(plain.lines().count(), 2);
    assert_eq!(plain.lines().next().unwrap().split(',').count(), 26);
    let filtered =
        format!("/api/Export/customers/csv/{entry}?customernumber=B&columnsExport=email");
    assert_eq!(party.get(&filtered).await.text(), "email\n\"\"\n");
    let sheet = party.get(&format!("/api/Export/customers/xlsx/{entry}")).await.expect(200);
    assert_eq!(sheet.header("content-type"), XLSX);
    assert!(sheet.body.starts_with(b"PK"));
    for (target, field) in [
        (format!("/api/Export/customers/pdf/{entry}"), "format"),
        (format!("/api/Query/customers/{entry}?exportFormat=pdf"), "exportFormat"),
        (format!("/api/Export/customers/csv/{entry}?columnsExport=secret"), "columnsExport"),
    ] {
        refused(party.get(&target).await, 3003, field);
    }
}

#[tokio::test]
async fn a_file_has_every_row_that_matches_once() {
    let party = Party::new().await;
    // In no order of any kind, and alike in what one of the files is sorted by.
    for n in 0..260 {
        let number = format!("n-{:03}", n * 7 % 260);
        party.add(json!({"customerNumber": number, "email": "a@example.org"})).await;
    }
    let entry = party.entry();
    let ids = async |target: String| {
        let text = party.get(&target).await.expect(200).text();
        let rows: Vec<i64> = text.lines().skip(1).map(|row| row.parse().unwrap()).collect();
        rows
    };
    let column = "columnsExport=customerId";
    for target in [
        format!("/api/Query/customers/{entry}?exportFormat=csv&{column}"),
        format!("/api/Export/customers/csv/{entry}?{column}&limitRecord=0"),
        format!("/api/Export/customers/csv/{entry}?{column}&sortBy=desc(customernumber)"),
        format!("/api/Export/customers/csv/{entry}?{column}&sortBy=asc(email)"),
    ] {
        let rows = ids(target.clone()).await;
        let once: std::collections::BTreeSet<&i64> = rows.iter().collect();
        assert_eq!((rows.len(), once.len()), (260, 260), "{target}");
    }
    let all = ids(format!("/api/Export/customers/csv/{entry}?{column}")).await;
    let part = format!("/api/Export/customers/csv/{entry}?{column}&fromRecord=3&limitRecord=255");
    assert_eq!(ids(part).await, all[3..258]);
}

#[tokio::test]
async fn a_number_of_blanks_is_taken_once() {
    let party = Party::new().await;
    let csv = "customerNumber,firstname,lastname\n  ,Anna,Muster\n  ,Bea,Beispiel\n";
    for added in [1, 0] {
        let answer = import(&party, "", csv).await.expect(200).json();
        assert_eq!(answer["responseData"]["added"], added, "{answer}");
    }
}

#[tokio::test]
async fn imports_row_by_row() {
    let party = Party::new().await;
    party.add(json!({"customerNumber": "old", "firstname": "Old"})).await;
    let csv = "\u{feff}customerNumber,FIRSTNAME,balance,timeZone,additional-Tier,\
               identifierFields,zip\n\
               A,Anna,2.5,-5,Gold,email|customerNumber,08400\n\
               B,\"Be,a\",,,,,\n\
               ,Nobody,,,,,\n\
               OLD,New,,,,,\n\
               C,4111 1111 1111 1111,,,,,\n\
               D,,x,,,,\n\
               E,,,13,,,\n";
    let answer = import(&party, "", csv).await.expect(200).json();
    let want = json!({
        "isSuccess": true, "pageIdentifier": null, "responseCode": 1, "responseText": "Success",
        "responseData": {"added": 2, "rejected": 5, "errors": [
            "row 4: Invalid customer identifiers: customerNumber",
            "row 5: Invalid parameter value: customer",
            "row 6: Invalid parameter value: firstname",
            "row 7: Invalid parameter value: balance",
            "row 8: Invalid parameter value: timeZone",
        ]},
    });
    assert_eq!(answer, want);
    assert_eq!(party.list("sortBy=asc(customernumber)").await, ["A", "B", "old"]);
    let target = format!("/api/Query/customers/{}?customernumber=A", party.entry());
    let record = party.get(&target).await.json()["Records"][0].clone();
    assert_eq!(record["AdditionalFields"], json!({"Tier": "Gold"}));
    assert_eq!((&record["Balance"], &record["TimeZone"]), (&json!(2.5), &json!(-5)));
    assert_eq!((&record["Zip"], &record["customerStatus"]), (&json!("08400"), &json!(0)));
    let again = import(&party, "?replaceExisting=1", "customernumber,city\nOLD,Erwin\n").await;
    assert_eq!(again.expect(200).json()["responseData"]["added"], 1);
    let target = format!("/api/Query/customers/{}?customernumber=old", party.entry());
    let record = party.get(&target).await.json()["Records"][0].clone();
    assert_eq!((&record["City"], &record["Firstname"]), (&json!("Erwin"), &json!("Old")));
}

#[tokio::test]
async fn a_file_that_cannot_be_read_imports_nothing() {
    let party = Party::new().await;
    refused(import(&party, "", "customerNumber,nonsense\nA,b\n").await, 3003, "file.column 2");
    refused(
        import(&party, "", "customerNumber,additional-cvv\nA,123\n").await,
        3003,
        "file.column 2",
    );
    refused(import(&party, "", "customerNumber\nA,b,c\n").await, 3003, "file");
    let pairs = "customerNumber,additionalFields\nA,\"{\"\"cvv\"\":\"\"123\"\"}\"\n";
    let verdict = import(&party, "", pairs).await.expect(200).json();
    assert_eq!(verdict["responseData"]["rejected"], 1);
    assert!(party.list("").await.is_empty());
    let target = format!("/api/Import/customersForm/{}", party.entry());
    let token = party.keys["request_token"].as_str().unwrap();
    for (media, body, status) in [
        ("application/json", "{}", 415),
        ("multipart/form-data", "x", 415),
        ("multipart/form-data; boundary=x", "--x--\r\n", 400),
        ("multipart/form-data; boundary=x", "garbage", 400),
    ] {
        let headers = [("requestToken", token), ("content-type", media)];
        let answer = party.server.raw("POST", &target, &headers, body.as_bytes()).await;
        assert_eq!(answer.status, status, "{media} {body}");
        assert_eq!(answer.json()["isSuccess"], Value::Bool(false));
    }
}

#[tokio::test]
async fn exports_hold_no_formulas_and_imports_give_back_what_was_exported() {
    let party = Party::new().await;
    let names = ["=1+1", "+41 44", "-1+1", "@SUM(A1)", "'=x", "a;=cmd|' /C calc'!A0", "'tis", "-5"];
    for (n, name) in names.iter().enumerate() {
        let number = format!("n{n}");
        let body = json!({"customerNumber": number, "company": name, "phone": "+41446681800",
            "additionalFields": {"note": format!("x;{name}")}});
        party.add(body).await;
    }
    let entry = party.entry();
    let columns = "customerNumber,Company:company,Phone:phone,AdditionalFields:additionalFields";
    let target = format!("/api/Export/customers/csv/{entry}?columnsExport={columns}");
    let csv = party.get(&target).await.expect(200).text();
    for line in csv.lines().skip(1) {
        assert!(line.contains(",'+41446681800,"), "{line}");
        for begin in [",=", ",+", ",@", ",\"=", ";=", ";+", ";@", ",-1"] {
            assert!(!line.contains(begin), "{begin} in {line}");
        }
    }
    let title = format!("/api/Export/customers/csv/{entry}?columnsExport=company:%3D1%2B1");
    assert!(party.get(&title).await.expect(200).text().starts_with("'=1+1\n"));
    let sheet = party.get(&target.replace("/csv/", "/xlsx/")).await.expect(200);
    assert!(sheet.body.starts_with(b"PK"));
    let other = Party::new().await;
    assert_eq!(import(&other, "", &csv).await.expect(200).json()["responseData"]["added"], 8);
    for (n, name) in names.iter().enumerate() {
        let target = format!("/api/Query/customers/{}?customernumber=n{n}", other.entry());
        let record = other.get(&target).await.json()["Records"][0].clone();
        assert_eq!(record["Company"], *name, "{csv}");
        assert_eq!(record["Phone"], "+41446681800");
        assert_eq!(record["AdditionalFields"]["note"], format!("x;{name}"));
    }
}

#[tokio::test]
async fn card_data_in_a_cell_is_refused_after_it_is_decoded() {
    let party = Party::new().await;
    let escaped: String =
        "4111111111111111".chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    let csv = format!(
        "customerNumber,additionalFields\n\
         A,\"{{\"\"a\"\":\"\"{escaped}\"\"}}\"\n\
         B,\"{{\"\"c\\u0076v\"\":\"\"123\"\"}}\"\n\
         C,\"{{\"\"cvv\"\":[\"\"123\"\"]}}\"\n\
         D,\"{{\"\"a\"\":4111111111111111}}\"\n"
    );
    let verdict = import(&party, "", &csv).await.expect(200).json();
    assert_eq!(verdict["responseData"]["rejected"], 4, "{verdict}");
    let split = "customerNumber,firstname,lastname\nE,41111111,11111111\n";
    let verdict = import(&party, "", split).await.expect(200).json();
    assert_eq!(verdict["responseData"]["rejected"], 1, "{verdict}");
    assert!(party.list("").await.is_empty());
}
