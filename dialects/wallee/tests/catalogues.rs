//! Catalogues: what they hold, and how they are listed, searched, retrieved and expanded.

use std::collections::BTreeSet;

use patron_gateway::{
    catalogue::{Catalogues, Source, lines},
    schema::{Holds, Schemas},
};
use patron_model::{Permission, country::Country, currency::Currency, language::Language};
use patron_wallee::{
    DIALECT,
    families::{CATALOGUES, FAMILIES, SOURCES},
};
use serde_json::{Value, json};

use crate::place::{Shop, blocks, encoded, refused};

const GUIDE: &str = include_str!("../../../docs/adding-a-catalogue.md");

#[test]
fn every_row_is_of_its_type_and_refers_to_what_is_there() {
    for source in SOURCES {
        let rows = (source.rows)();
        assert!(!rows.is_empty(), "{}", source.of);
        let keys: Vec<String> = rows.iter().map(|row| row[source.key].to_string()).collect();
        let distinct: BTreeSet<&String> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len(), "{}: keys of their own", source.of);
        for row in &rows {
            let shown = CATALOGUES.show(source.of, row, &Default::default());
            let problems = CATALOGUES.schemas().check(&Holds::Type(source.of.into()), &shown);
            assert!(problems.is_empty(), "{} {row:?}: {problems:?}", source.of);
            for (name, value) in row {
                let field = CATALOGUES.schemas().field(source.of, name).unwrap();
                for (holds, value) in references(&field.holds, value) {
                    let Holds::Type(of) = holds else { continue };
                    let all = CATALOGUES.of(of).unwrap();
                    assert!(all.get(&value.to_string()).is_some(), "{} {name} {value}", source.of);
                }
            }
        }
        let numbers: Vec<i64> = rows.iter().filter_map(|row| row[source.key].as_i64()).collect();
        assert!(numbers.is_sorted(), "{}: pages go by id", source.of);
    }
}

/// What a member refers to.
fn references<'a>(holds: &'a Holds, value: &'a Value) -> Vec<(&'a Holds, &'a Value)> {
    match (holds, value) {
        (Holds::List(inner), Value::Array(items)) if CATALOGUES.refers(inner) => {
            items.iter().map(|item| (&**inner, item)).collect()
        }
        (holds, value) if CATALOGUES.refers(holds) && value.is_number() => vec![(holds, value)],
        _ => Vec::new(),
    }
}

#[test]
fn codes_are_those_of_the_standards() {
    let codes = |of: &str, name: &str| -> Vec<String> {
        let rows = CATALOGUES.of(of).unwrap().rows().iter();
        rows.map(|row| row[name].as_str().unwrap().to_owned()).collect()
    };
    let countries = codes("RestCountry", "isoCode2");
    assert_eq!(countries.len(), 249);
    assert!(countries.iter().all(|code| Country::parse(code).is_ok()));
    let currencies = codes("RestCurrency", "currencyCode");
    assert!(currencies.len() > 150);
    assert!(currencies.iter().all(|code| Currency::parse(code).is_ok()));
    let languages = codes("RestLanguage", "ietfCode");
    assert!(languages.len() > 400);
    assert!(languages.iter().all(|code| Language::parse(code).is_ok()));
    let of_countries: BTreeSet<String> =
        codes("RestCountryState", "countryCode").into_iter().collect();
    assert!(of_countries.iter().all(|code| countries.contains(code)));
    assert!(codes("RestLanguage", "countryCode").iter().all(|code| countries.contains(code)));
}

#[test]
fn permissions_are_ours_in_two_languages() {
    let rows = CATALOGUES.of("Permission").unwrap();
    for permission in Permission::ALL {
        let row = rows.get(&permission.number().to_string()).unwrap();
        assert_eq!(row["title"]["en-US"], permission.as_str());
        let german = row["title"]["de-DE"].as_str().unwrap();
        let words: Vec<&str> = permission.as_str().split(':').collect();
        assert!(words.iter().all(|word| !german.split(' ').any(|g| g == *word)), "{german}");
        let group = rows.get(&row["parent"].to_string()).unwrap();
        assert_eq!((&group["group"], &group["leaf"]), (&json!(true), &json!(false)));
    }
}

#[tokio::test]
async fn every_catalogue_is_listed_searched_and_retrieved() {
    let shop = Shop::open().await;
    let mut served = 0;
    for operation in (DIALECT.operations)() {
        let family = FAMILIES.iter().find(|f| operation.id.starts_with(&format!("{}_", f.prefix)));
        let Some(family) = family.filter(|_| operation.is_served) else { continue };
        served += 1;
        let source = SOURCES.iter().find(|source| source.of == family.of).unwrap();
        let first = &(source.rows)()[0];
        let key = first[source.key].to_string();
        let key = key.trim_matches('"');
        let path = operation.path.trim_start_matches("/api/v2.0");
        let path = path.replace("{countryCode}", "CH");
        let path = path.replace("{id}", key).replace("{code}", key);
        // Without the Space header, as the SDK asks.
        let shown = get_of_nowhere(&shop, &path).await;
        if operation.id.ends_with("_retrieve") {
            assert_eq!(shown[source.key], first[source.key], "{path}");
            let unknown = path.replace(key, if key.parse::<i64>().is_ok() { "9" } else { "ZZ-9" });
            let errors = json!({});
            refused(&shop.get(&unknown).await, 404, "not_found", &errors);
        } else {
            let data = shown.get("data").unwrap_or(&shown).as_array().unwrap();
            assert!(!data.is_empty(), "{path}");
            assert!(shown.is_array() || shown["limit"].is_u64() && shown["hasMore"].is_boolean());
        }
    }
    assert_eq!(served, 51);
    let nobody = shop.server.raw("GET", "/api/v2.0/countries", &[], b"").await;
    refused(&nobody, 401, "unauthorized", &json!({}));
}

async fn get_of_nowhere(shop: &Shop, path: &str) -> Value {
    let target = format!("/api/v2.0{path}");
    let mut headers = shop.server.signed(&DIALECT, &shop.keys, "GET", &target, "");
    headers.retain(|(name, _)| !name.eq_ignore_ascii_case("space"));
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    shop.server.raw("GET", &target, &headers, b"").await.expect(200).json()
}

#[tokio::test]
async fn pages_go_forward_and_back() {
    let shop = Shop::open().await;
    let all = shop.ids("/payment/methods?limit=100").await;
    assert_eq!(all.len(), 31);
    assert_eq!(shop.ids("/payment/methods").await, all[..10]);
    let second = format!("/payment/methods?limit=5&after={}", all[4]);
    assert_eq!(shop.ids(&second).await, all[5..10]);
    let before = format!("/payment/methods?limit=5&before={}", all[10]);
    assert_eq!(shop.ids(&before).await, all[5..10]);
    let down = format!("/payment/methods?limit=3&order=DESC&after={}", all[10]);
    assert_eq!(shop.ids(&down).await, [all[9], all[8], all[7]]);
    let page = shop.get("/payment/methods?limit=31").await.expect(200).json();
    assert_eq!((&page["hasMore"], &page["limit"]), (&json!(false), &json!(31)));
    let page = shop.get("/payment/methods?limit=30").await.expect(200).json();
    assert_eq!(page["hasMore"], true);
    let whole = shop.get("/currencies").await.expect(200).json();
    assert_eq!(whole["data"].as_array().unwrap().len(), whole["limit"].as_u64().unwrap() as usize);
    let both = shop.get("/payment/methods?after=1&before=2").await;
    let why = "Must be absent when after is given.";
    refused(&both, 400, "bad_request", &json!({ "before": why }));
    let no_number = shop.get("/payment/methods/twint").await;
    refused(&no_number, 400, "bad_request", &json!({"id": "Must be a whole number."}));
}

#[tokio::test]
async fn searches_ask_for_members_texts_and_references() {
    let shop = Shop::open().await;
    let found = async |path: &str, member: &str, query: &str| -> Vec<Value> {
        let path = format!("{path}/search?limit=100&query={}", encoded(query));
        let page = shop.get(&path).await.expect(200).json();
        page["data"].as_array().unwrap().iter().map(|row| row[member].clone()).collect()
    };
    let twint = [json!(1_457_546_097_639_i64)];
    assert_eq!(found("/payment/methods", "id", "name:TWINT").await, twint);
    assert_eq!(found("/payment/methods", "id", "name:~twin").await, twint);
    assert_eq!(found("/payment/methods", "id", "name.de-DE:Rechnung").await.len(), 1);
    assert_eq!(found("/label-descriptors", "id", "group:302").await.len(), 4);
    assert_eq!(
        found("/label-descriptors", "id", "group.id:302 category:APPLICATION").await.len(),
        1
    );
    assert_eq!(found("/countries", "isoCode2", "name:~switz OR isoCode3:LIE").await, ["CH", "LI"]);
    assert_eq!(found("/currencies", "currencyCode", "fractionDigits:0 name:~yen").await, ["JPY"]);
    let primary = found("/languages", "ietfCode", "iso2Code:de primaryOfGroup:true").await;
    assert_eq!(primary, ["de-DE"]);
    assert_eq!(found("/permissions", "id", "parent:100 -leaf:false id:<=102").await, [101, 102]);
    let ordered = shop.get("/countries/search?limit=2&offset=1&order=isoCode2%3ADESC").await;
    let ordered = ordered.expect(200).json();
    let codes: Vec<&Value> =
        ordered["data"].as_array().unwrap().iter().map(|row| &row["isoCode2"]).collect();
    assert_eq!((codes, &ordered["offset"]), (vec![&json!("ZM"), &json!("ZA")], &json!(1)));
    for bad in ["colour:red", "supportedCurrencies:CHF", "name", "id:x", "addressFormat:1"] {
        let answer = shop.get(&format!("/payment/methods/search?query={}", encoded(bad))).await;
        assert_eq!(answer.status, 422, "{bad}: {}", answer.text());
        assert!(answer.json()["errors"]["query"].is_string(), "{bad}");
    }
}

#[tokio::test]
async fn references_are_ids_unless_they_are_expanded() {
    let shop = Shop::open().await;
    let get = async |path: &str| shop.get(path).await.expect(200).json();
    let plain = get("/label-descriptors/311").await;
    assert_eq!(plain["group"], json!({"id": 301}));
    assert_eq!(plain["features"], json!([{"id": 1}]));
    let whole = get("/label-descriptors/311?expand=group&expand=features.category,nothing").await;
    assert_eq!(whole["group"]["weight"], 10);
    assert_eq!(whole["features"][0]["category"]["orderWeight"], 10);
    let page = get("/payment/connectors?limit=1&expand=paymentMethod,processor").await;
    let connector = &page["data"][0];
    assert_eq!(connector["paymentMethod"]["name"]["en-US"], "Credit / Debit Card");
    assert_eq!(connector["supportedFeatures"][0], json!({"id": 611}));
    assert_eq!(connector["paymentMethodBrand"], json!({"id": 1_461_144_365_052_i64}));
}

#[tokio::test]
async fn countries_have_their_states_and_address_formats() {
    let shop = Shop::open().await;
    let get = async |path: &str| shop.get(path).await.expect(200).json();
    let swiss = get("/countries/CH").await;
    assert_eq!(swiss["stateCodes"].as_array().unwrap().len(), 26);
    assert_eq!((&swiss["isoCode3"], &swiss["numericCode"]), (&json!("CHE"), &json!("756")));
    assert_eq!(swiss["addressFormat"]["postCodeRegex"], r"\d{4}");
    let of_swiss = get("/countries/CH/states").await;
    assert_eq!(of_swiss.as_array().unwrap().len(), 26);
    let zurich = json!({"id": "CH-ZH", "code": "ZH", "countryCode": "CH", "name": "Zürich"});
    assert!(of_swiss.as_array().unwrap().contains(&zurich));
    assert_eq!(get("/countries/states/CH-ZH").await, zurich);
    assert!(get("/countries/states").await.as_array().unwrap().len() > 4000);
    assert_eq!(get("/countries/AQ/states").await, json!([]));
    refused(&shop.get("/countries/ZZ/states").await, 404, "not_found", &json!({}));
    refused(&shop.get("/countries/ZZ").await, 404, "not_found", &json!({}));
}

#[tokio::test]
async fn the_guide_is_followed() {
    let steps = GUIDE.lines();
    let steps = steps.filter(|line| line.chars().next().is_some_and(|c| c.is_ascii_digit()));
    assert_eq!(steps.count(), 5, "places that are touched");
    let [types, rows] = blocks(GUIDE, "jsonl").try_into().unwrap();
    let models = include_str!("../models.jsonl");
    assert!(types.lines().all(|line| models.contains(line)), "the types are those of the guide");
    let families = include_str!("../src/families.rs");
    assert!(
        blocks(GUIDE, "rust")[0].lines().all(|line| families.contains(line)),
        "so are the lines"
    );
    static SOURCE: [Source; 1] =
        [Source { of: "SalesChannel", key: "id", rows: || lines(&blocks(GUIDE, "jsonl")[1]) }];
    let catalogues = Catalogues::new(Schemas::parse(&types).unwrap(), SOURCE.iter());
    let channel = catalogues.of("SalesChannel").unwrap().get("1").unwrap();
    let shown = catalogues.show("SalesChannel", channel, &Default::default());
    let served = Shop::open().await.get("/payment/sales-channels/1").await.expect(200).json();
    assert_eq!((served, rows.lines().count()), (shown, 1));
}
