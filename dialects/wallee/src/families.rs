//! The catalogues, one line each: which operations they answer, what type their rows are of, and
//! where the rows come from. What is real and what is made up stands in the README.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use patron_gateway::{
    catalogue::{Catalogues, Row, Source, lines},
    schema::Schemas,
};
use patron_model::Permission;
use serde_json::{Value, json};

/// How a catalogue is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// By pages, keys are numbers.
    Paged,
    /// All at once in the envelope of a page, keys are codes.
    Whole,
    /// All at once as a bare list, keys are codes. A parameter of the path, which is the key of
    /// this type, narrows it by the member of the parameter's name.
    Bare(&'static str),
}

/// A catalogue that answers operations.
#[derive(Debug)]
pub struct Family {
    /// What the ids of its operations begin with.
    pub prefix: &'static str,
    /// Type of its rows.
    pub of: &'static str,
    /// How it is listed.
    pub listing: Listing,
}

macro_rules! rows {
    ($file:literal) => {
        || lines(include_str!(concat!("../catalogues/", $file)))
    };
}

const fn family(prefix: &'static str, of: &'static str, listing: Listing) -> Family {
    Family { prefix, of, listing }
}

const fn source(of: &'static str, key: &'static str, rows: fn() -> Vec<Row>) -> Source {
    Source { of, key, rows }
}

/// Every catalogue that answers operations.
#[rustfmt::skip]
pub static FAMILIES: &[Family] = &[
    family("condition_types", "ConditionType", Listing::Paged),
    family("countries", "RestCountry", Listing::Whole),
    family("country_states", "RestCountryState", Listing::Bare("RestCountry")),
    family("currencies", "RestCurrency", Listing::Whole),
    family("debt_collectors", "DebtCollector", Listing::Paged),
    family("document_template_types", "DocumentTemplateType", Listing::Paged),
    family("label_descriptors", "LabelDescriptor", Listing::Paged),
    family("label_descriptor_groups", "LabelDescriptorGroup", Listing::Paged),
    family("languages", "RestLanguage", Listing::Whole),
    family("legal_organization_forms", "LegalOrganizationForm", Listing::Paged),
    family("payment_connectors", "PaymentConnector", Listing::Paged),
    family("payment_method_brands", "PaymentMethodBrand", Listing::Paged),
    family("payment_methods", "PaymentMethod", Listing::Paged),
    family("payment_processors", "PaymentProcessor", Listing::Paged),
    family("payment_sales_channels", "SalesChannel", Listing::Paged),
    family("permissions", "Permission", Listing::Paged),
    family("static_values", "StaticValue", Listing::Paged),
];

/// Where the rows of each type come from, those that are only referred to included.
#[rustfmt::skip]
pub static SOURCES: &[Source] = &[
    source("ConditionType", "id", rows!("condition-types.jsonl")),
    source("RestCountry", "isoCode2", countries),
    source("RestCountryState", "id", states),
    source("RestCurrency", "currencyCode", rows!("currencies.jsonl")),
    source("DebtCollector", "id", rows!("debt-collectors.jsonl")),
    source("DocumentTemplateType", "id", rows!("document-template-types.jsonl")),
    source("DocumentTemplateTypeGroup", "id", rows!("document-template-type-groups.jsonl")),
    source("Feature", "id", rows!("features.jsonl")),
    source("FeatureCategory", "id", rows!("feature-categories.jsonl")),
    source("LabelDescriptor", "id", rows!("label-descriptors.jsonl")),
    source("LabelDescriptorGroup", "id", rows!("label-descriptor-groups.jsonl")),
    source("RestLanguage", "ietfCode", rows!("languages.jsonl")),
    source("LegalOrganizationForm", "id", rows!("legal-organization-forms.jsonl")),
    source("PaymentConnector", "id", rows!("payment-connectors.jsonl")),
    source("PaymentConnectorFeature", "id", rows!("payment-connector-features.jsonl")),
    source("PaymentMethodBrand", "id", rows!("payment-method-brands.jsonl")),
    source("PaymentMethod", "id", rows!("payment-methods.jsonl")),
    source("PaymentProcessor", "id", rows!("payment-processors.jsonl")),
    source("SalesChannel", "id", rows!("sales-channels.jsonl")),
    source("Permission", "id", permissions),
    source("StaticValue", "id", rows!("static-values.jsonl")),
    source("SubscriptionMetricType", "id", rows!("subscription-metric-types.jsonl")),
];

/// The catalogues over the provider's types.
pub static CATALOGUES: LazyLock<Catalogues> = LazyLock::new(|| {
    let schemas = Schemas::parse(include_str!("../models.jsonl"));
    Catalogues::new(schemas.expect("models.jsonl is read by tests"), SOURCES.iter())
});

fn row(value: Value) -> Row {
    match value {
        Value::Object(members) => members,
        _ => Row::new(),
    }
}

// ---- rows that are made -----------------------------------------------------------------------

/// Code and name of every state.
fn state_lines() -> impl Iterator<Item = (&'static str, &'static str)> {
    let text = include_str!("../catalogues/country-states.tsv");
    text.lines().filter_map(|line| line.split_once('\t'))
}

fn states() -> Vec<Row> {
    let made = |(id, name): (&str, &str)| {
        let (country, code) = id.split_once('-').unwrap_or((id, ""));
        row(json!({"id": id, "code": code, "countryCode": country, "name": name}))
    };
    state_lines().map(made).collect()
}

/// The countries with the codes of their states.
fn countries() -> Vec<Row> {
    let mut states: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (id, _) in state_lines() {
        let (country, code) = id.split_once('-').unwrap_or((id, ""));
        states.entry(country).or_default().push(code);
    }
    let mut rows = lines(include_str!("../catalogues/countries.jsonl"));
    for row in &mut rows {
        let code = row["isoCode2"].as_str().unwrap_or_default();
        let codes = states.get(code).cloned().unwrap_or_default();
        row.insert("stateCodes".into(), json!(codes));
    }
    rows
}

/// Our permissions under their numbers, the nouns as groups above them.
fn permissions() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut group = 0;
    for permission in Permission::ALL {
        let number = i64::from(permission.number());
        let (noun, verb) = permission.as_str().split_once(':').unwrap_or_default();
        let (noun_de, verb_de) = (german(noun), german(verb));
        if number / 100 != group {
            group = number / 100;
            let path = json!([group * 100]);
            let about = ["Everything about the noun.", "Alles zu diesem Begriff."];
            let titles = [noun.replace('_', " "), noun_de.to_owned()];
            rows.push(permission_row(group * 100, None, &path, (titles, about.map(Into::into))));
        }
        let path = json!([group * 100, number]);
        let titles = [permission.as_str().to_owned(), format!("{noun_de} {verb_de}")];
        let about = [permission.about().to_owned(), format!("{noun_de} {verb_de}.")];
        rows.push(permission_row(number, Some(group * 100), &path, (titles, about)));
    }
    rows
}

fn permission_row(
    id: i64,
    parent: Option<i64>,
    path: &Value,
    (titles, about): ([String; 2], [String; 2]),
) -> Row {
    let texts = |[english, german]: [String; 2]| json!({"en-US": english, "de-DE": german});
    let mut made = row(json!({
        "id": id, "pathToRoot": path, "group": parent.is_none(), "leaf": parent.is_some(),
        "name": texts(titles.clone()), "title": texts(titles), "description": texts(about),
        "twoFactorRequired": false, "webAppEnabled": false,
    }));
    if let Some(parent) = parent {
        made.insert("parent".into(), parent.into());
    }
    made
}

/// The noun or verb of a permission in German.
fn german(word: &str) -> &str {
    match word {
        "customer" => "Kunden",
        "comment" => "Kommentare",
        "payment_method" => "Zahlungsarten",
        "event" => "Ereignisse",
        "key" => "Schlüssel",
        "application" => "Anwendungen",
        "person" => "Personen",
        "role" => "Rollen",
        "access" => "Zugriffsrechte",
        "account" => "Konten",
        "space" => "Spaces",
        "audit" => "Prüfprotokoll",
        "subscriber" => "Abonnenten",
        "metric" => "Messgrößen",
        "subscription" => "Abonnements",
        "webhook" => "Webhooks",
        "provider" => "Anmeldedienste",
        "read" => "ansehen",
        "write" => "bearbeiten",
        "past" => "in der Vergangenheit ansehen",
        "export" => "ausführen",
        "import" => "einführen",
        "merge" => "zusammenführen",
        "delete" => "endgültig löschen",
        "grant" => "vergeben",
        "own" => "besitzen",
        "end" => "beenden",
        "redeliver" => "erneut zustellen",
        unknown => unknown,
    }
}
