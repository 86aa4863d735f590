//! Customers that other APIs made: what Verifone shows of them, and that its writes lose nothing.

use patron_app::{
    Cx, Expect, Id,
    addresses::{self, AddressPatch},
    customers,
};
use patron_model::{
    Noun, Patch,
    address::{AddressEdit, Postal, PostalPatch, Purpose},
    customer::{Customer, CustomerPatch},
    language::Language,
    phone::Phone,
    text::{Line, Name, Reference},
};
use serde_json::{Value, json};

use crate::place::{Caller, PATH, error, id_of, named};

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn line(text: &str) -> Line {
    Line::parse(text).unwrap()
}

struct Record {
    caller: Caller,
    cx: Cx,
    id: String,
}

impl Record {
    async fn new(patch: CustomerPatch) -> Record {
        let caller = Caller::start().await;
        let cx = caller.server.app.operator(caller.space().await, "test");
        let id = customers::create(&cx, patch).await.unwrap().uuid.to_string();
        Record { caller, cx, id }
    }

    async fn stored(&self) -> Customer {
        customers::get(&self.cx, Id::parse(&self.id, Noun::Customer).unwrap()).await.unwrap().record
    }

    async fn shown(&self) -> Value {
        self.caller.read(&self.id).await
    }

    /// Sends back what is shown, with more members; answers the record before and after.
    async fn sent_back(&self, more: Value) -> (Customer, Customer) {
        let before = self.stored().await;
        let mut body = self.shown().await;
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.caller.update(&self.id, body).await.expect(200);
        (before, self.stored().await)
    }

    async fn found(&self, search: &str) -> usize {
        let answer = self.caller.call("GET", &format!("{PATH}?search={search}"), None).await;
        answer.expect(200).json().as_array().unwrap().len()
    }
}

#[tokio::test]
async fn a_full_name_is_shown_split_found_split_and_kept_whole() {
    let full_name = Patch::Set(name("Anna Maria Muster"));
    let record = Record::new(CustomerPatch { full_name, ..CustomerPatch::default() }).await;
    let billing = json!({"first_name": "Anna Maria", "last_name": "Muster"});
    assert_eq!(record.shown().await["billing"], billing);
    for (search, count) in [
        ("billing.last_name==Muster", 1),
        ("billing.last_name==muster", 0),
        ("billing.last_name!=Muster", 0),
        ("billing.last_name=in=(x,Muster)", 1),
        ("billing.last_name=='Maria%20Muster'", 0),
        ("billing.last_name==uster", 0),
        ("billing.first_name=='Anna%20Maria'", 1),
        ("billing.first_name==Anna", 0),
        ("billing.first_name=='.*%20Maria'", 0),
    ] {
        assert_eq!(record.found(search).await, count, "{search}");
    }
    let (before, after) = record.sent_back(json!({})).await;
    assert_eq!(before, after);
    let (_, after) = record.sent_back(json!({"title": "Dr"})).await;
    assert_eq!(after.full_name, before.full_name);
    assert_eq!((after.given_name, after.family_name), (None, None));
    let renamed = json!({"billing": {"first_name": "Anna", "last_name": "Neu"}});
    let (_, after) = record.sent_back(renamed).await;
    assert_eq!(after.full_name, None, "the new name came in split");
    assert_eq!(after.names().full.as_deref(), Some("Anna Neu"));
    assert!(after.addresses().is_empty(), "a name alone makes no address");
}

#[tokio::test]
async fn a_name_of_one_word_is_a_first_name() {
    let full_name = Patch::Set(name("Cher"));
    let company_name = Patch::Set(name("C"));
    let patch = CustomerPatch { full_name, company_name, ..CustomerPatch::default() };
    let record = Record::new(patch).await;
    assert_eq!(record.shown().await["billing"], json!({"first_name": "Cher"}));
    assert_eq!(record.found("billing.first_name==Cher").await, 1);
    assert_eq!(record.found("billing.last_name==Cher").await, 0);
    let (before, after) = record.sent_back(json!({})).await;
    assert_eq!(before, after);
}

#[tokio::test]
async fn billing_names_are_the_customers_names_too() {
    let caller = Caller::start().await;
    let mut body = named("Jane", "Doe");
    body["billing"]["city"] = json!("Berlin");
    let id = id_of(&caller.create(body).await.expect(200));
    let cx = caller.server.app.operator(caller.space().await, "test");
    let stored = customers::get(&cx, Id::parse(&id, Noun::Customer).unwrap()).await.unwrap();
    assert_eq!(stored.given_name, Some(name("Jane")));
    assert_eq!(stored.family_name, Some(name("Doe")));
    let postal = &stored.billing().unwrap().postal;
    assert_eq!(postal.given_name, Some(name("Jane")));
    // The address goes, the person stays.
    caller.update(&id, named("Jane", "Doe")).await.expect(200);
    let stored = customers::get(&cx, Id::parse(&id, Noun::Customer).unwrap()).await.unwrap();
    assert!(stored.billing().is_none());
    assert_eq!(stored.family_name, Some(name("Doe")));
    assert_eq!(caller.read(&id).await["billing"], named("Jane", "Doe")["billing"]);
}

#[tokio::test]
async fn names_that_only_the_address_had_survive_its_removal() {
    let postal = Postal {
        given_name: Some(name("Jane")),
        family_name: Some(name("Doe")),
        city: Some(line("Berlin")),
        ..Postal::default()
    };
    let billing = AddressEdit::Replace(Box::new(postal));
    let record = Record::new(CustomerPatch { billing, ..CustomerPatch::default() }).await;
    assert_eq!(record.found("billing.last_name==Doe").await, 1);
    record.caller.update(&record.id, named("Jane", "Doe")).await.expect(200);
    let stored = record.stored().await;
    assert!(stored.billing().is_none());
    assert_eq!(stored.given_name, Some(name("Jane")));
}

#[tokio::test]
async fn what_does_not_fit_is_cut_or_left_out_and_survives_being_sent_back() {
    let long = "n".repeat(200);
    let postal = Postal {
        line1: Some(line(&long)),
        city: Some(line("Berlin")),
        organization_name: Some(name("Acme")),
        phone: Some(Phone::parse("ask for Anna", None).unwrap()),
        ..Postal::default()
    };
    let record = Record::new(CustomerPatch {
        reference: Patch::Set(Reference::parse("R1").unwrap()),
        given_name: Patch::Set(name(&long)),
        family_name: Patch::Set(name("Doe")),
        company_name: Patch::Set(name(&long)),
        company_registration_number: Patch::Set(line(&long)),
        title: Patch::Set(line("Dr. 2")),
        tax_number: Patch::Set(line("ATU12345678")),
        phone: Patch::Set(Phone::parse("tel:+41 44 668 18 00", None).unwrap()),
        work_phone: Patch::Set(Phone::parse("+41 44 668 18 00 / 0000000000000", None).unwrap()),
        language: Patch::Set(Language::parse("zh-Hant-TW-x-private").unwrap()),
        billing: AddressEdit::Replace(Box::new(postal)),
        ..CustomerPatch::default()
    })
    .await;
    let shown = record.shown().await;
    assert_eq!(shown["company_name"], "n".repeat(100));
    assert_eq!(shown["company_registration_number"], "n".repeat(24));
    assert_eq!(
        shown["billing"],
        json!({"first_name": "n".repeat(50), "last_name": "Doe", "address_1": "n".repeat(50),
            "city": "Berlin"})
    );
    for member in ["title", "tax", "phone_number", "language"] {
        assert!(shown.get(member).is_none(), "{member}: {shown}");
    }
    assert_eq!(record.found("tax.identifier=regex=ATU").await, 0, "what is not shown is not found");
    let (before, after) = record.sent_back(json!({})).await;
    assert_eq!(before, after);
    let billing = json!({"first_name": "n".repeat(50), "last_name": "Roe", "city": "Bonn",
        "address_1": "n".repeat(50)});
    let (before, after) = record.sent_back(json!({"billing": billing})).await;
    assert_eq!(after.given_name, before.given_name, "a cut name is not shortened");
    assert_eq!(after.family_name, Some(name("Roe")));
    let (postal, old) = (&after.billing().unwrap().postal, &before.billing().unwrap().postal);
    let city = Some(line("Bonn"));
    let family_name = Some(name("Roe"));
    assert_eq!(*postal, Postal { city, family_name, ..old.clone() });
    assert_eq!(after.reference, before.reference);
    let (_, after) = record.sent_back(json!({"tax": {"identifier": "7"}, "title": "Dr"})).await;
    assert_eq!(after.tax_number, Some(line("7")));
    assert_eq!(after.title, Some(line("Dr")));
}

async fn splits_an_address_of_both_purposes(is_default: bool) {
    let record = Record::new(CustomerPatch {
        given_name: Patch::Set(name("Jane")),
        family_name: Patch::Set(name("Doe")),
        ..CustomerPatch::default()
    })
    .await;
    let postal = PostalPatch::replacing(Postal { city: Some(line("Berlin")), ..Postal::default() });
    let (purpose, is_default) = (Some(Purpose::Both), Some(is_default));
    let patch = AddressPatch { purpose, is_default, postal };
    addresses::create(&record.cx, Id::parse(&record.id, Noun::Customer).unwrap(), patch)
        .await
        .unwrap();
    let shown = record.shown().await;
    assert_eq!(shown["billing"]["city"], "Berlin");
    assert_eq!(shown["shipping"], json!({"city": "Berlin"}));
    let (before, after) = record.sent_back(json!({})).await;
    assert_eq!(before, after);
    let billing = json!({"first_name": "Jane", "last_name": "Doe", "city": "Bonn"});
    record.sent_back(json!({"billing": billing})).await;
    let shown = record.shown().await;
    assert_eq!(shown["billing"], billing);
    assert_eq!(shown["shipping"], json!({"city": "Berlin"}));
}

#[tokio::test]
async fn an_address_of_both_purposes_is_split_when_one_side_changes() {
    splits_an_address_of_both_purposes(false).await;
}

#[tokio::test]
async fn a_default_address_of_both_purposes_is_split_when_one_side_changes() {
    splits_an_address_of_both_purposes(true).await;
}

#[tokio::test]
async fn a_change_of_a_shown_address_is_a_change_of_the_customer() {
    let record = Record::new(CustomerPatch {
        full_name: Patch::Set(name("Jane Doe")),
        shipping: AddressEdit::Replace(Box::new(Postal {
            city: Some(line("A")),
            ..Postal::default()
        })),
        ..CustomerPatch::default()
    })
    .await;
    let before = record.shown().await;
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let stored = record.stored().await;
    let number = stored.shipping().unwrap().number;
    let postal = PostalPatch { city: Patch::Set(line("B")), ..PostalPatch::default() };
    let patch = AddressPatch { postal, ..AddressPatch::default() };
    let cx = record.caller.server.app.operator(stored.space, "test");
    addresses::update(&cx, Id::Number(stored.number), Id::Number(number), Expect::Any, patch)
        .await
        .unwrap();
    let after = record.shown().await;
    assert!(after["updated_at"].as_str() > before["updated_at"].as_str(), "{before} {after}");
    let search =
        |operator: &str| format!("updated_at{operator}{}", after["updated_at"].as_str().unwrap());
    assert_eq!(record.found(&search("==")).await, 1);
    assert_eq!(record.found(&search("=lt=")).await, 0);
    assert_eq!(record.found(&search("=gt=")).await, 0);
}

#[tokio::test]
async fn an_absorbed_customer_answers_as_the_one_that_took_it_over() {
    let record = Record::new(CustomerPatch {
        company_name: Patch::Set(name("Stays")),
        ..CustomerPatch::default()
    })
    .await;
    let gone = record.caller.create(json!({"company_name": "Goes"})).await.expect(200);
    let gone = id_of(&gone);
    let (stays, goes) =
        (Id::parse(&record.id, Noun::Customer).unwrap(), Id::parse(&gone, Noun::Customer).unwrap());
    customers::merge(&record.cx, stays, goes, Expect::Any).await.unwrap();
    assert_eq!(record.caller.read(&gone).await["id"], record.id.as_str());
    let body = json!({"company_name": "Changed"});
    let updated = record.caller.update(&gone, body).await.expect(200).json();
    assert_eq!(updated["id"], record.id.as_str());
    error(&record.caller.call("DELETE", &format!("{PATH}/{gone}"), None).await, 404, 109);
    assert_eq!(record.shown().await["company_name"], "Changed");
}
