//! The shapes of answers, for the description only: the envelope is written by
//! [`crate::envelopes`], which gives the same content several names.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::{
    catalogues::{
        ChannelView,
        data::{Bank, Country, Currency},
    },
    customers::show::CustomerView,
    payment_methods::MethodView,
    webhook_endpoints::EndpointView,
};

/// How the content of an answer is described.
enum Content {
    /// One object.
    One,
    /// An array.
    Many,
    /// An array that is always empty.
    Nothing,
}

fn envelope(names: &[&str], paged: bool, content: &Value) -> Schema {
    let mut members = Map::new();
    members.insert("code".into(), json!({"type": "integer"}));
    members.insert("status".into(), json!({"type": "string"}));
    members.insert("message".into(), json!({"type": "string"}));
    let paging: &[&str] =
        if paged { &["totals", "last_page", "current_page", "selected"] } else { &[] };
    for name in paging {
        members.insert((*name).to_owned(), json!({"type": "integer"}));
    }
    for name in names {
        members.insert((*name).to_owned(), content.clone());
    }
    let required: Vec<String> = members.keys().cloned().collect();
    let mut schema = Map::new();
    schema.insert("type".into(), "object".into());
    schema.insert("properties".into(), members.into());
    schema.insert("required".into(), required.into());
    schema.into()
}

macro_rules! answer {
    ($(#[$doc:meta])* $answer:ident, $content:ident of $view:ty, $paged:literal, $names:expr) => {
        $(#[$doc])*
        pub struct $answer;

        impl JsonSchema for $answer {
            fn schema_name() -> Cow<'static, str> {
                stringify!($answer).into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let view = generator.subschema_for::<$view>().to_value();
                let content = match Content::$content {
                    Content::One => view,
                    Content::Many => json!({"type": "array", "items": view}),
                    Content::Nothing => json!({"type": "array", "maxItems": 0}),
                };
                envelope(&$names, $paged, &content)
            }
        }
    };
}

answer!(
    /// One customer.
    CustomerAnswer, One of CustomerView, false, ["customer", "data"]
);
answer!(
    /// A page of customers.
    CustomerList, Many of CustomerView, true, ["items", "data"]
);
answer!(
    /// A deleted customer.
    DeletedAnswer, Nothing of CustomerView, false, ["customer", "data"]
);
answer!(
    /// Payments of a customer.
    PaymentList, Nothing of CustomerView, true, ["payments", "items", "data"]
);
answer!(
    /// Payment methods of a customer.
    MethodList, Many of MethodView, false, ["items", "data"]
);
answer!(
    /// A page of webhook endpoints.
    EndpointList, Many of EndpointView, true, ["endpoints", "items", "data"]
);
answer!(
    /// One webhook endpoint.
    EndpointAnswer, One of EndpointView, false, ["endpoint", "data"]
);
answer!(
    /// A deleted webhook endpoint.
    GoneAnswer, Nothing of EndpointView, false, []
);
answer!(
    /// Channels.
    ChannelList, Many of ChannelView<'static>, false, ["items", "data", "channels"]
);
answer!(
    /// One channel.
    ChannelAnswer, One of ChannelView<'static>, false, ["channel", "data"]
);
answer!(
    /// Countries.
    CountryList, Many of Country, false, ["items", "data", "countries"]
);
answer!(
    /// One country.
    CountryAnswer, One of Country, false, ["country", "data"]
);
answer!(
    /// Currencies.
    CurrencyList, Many of Currency, false, ["items", "data", "currencies"]
);
answer!(
    /// One currency.
    CurrencyAnswer, One of Currency, false, ["currency", "data"]
);
answer!(
    /// Banks.
    BankList, Many of Bank, false, ["items", "data", "banks"]
);
answer!(
    /// One bank.
    BankAnswer, One of Bank, false, ["bank", "data"]
);
