//! The records that callers write and that are tables, a few lines each: which operations they
//! answer, what type they are shown as, who may do what, and which states they pass.

use patron_app::resources::{Family, Move, States};
use patron_gateway::tabular::{Table, Tables};
use patron_model::{
    Permission::{
        self, MetricRead, MetricWrite, SubscriberRead, SubscriberWrite, SubscriptionRead,
        SubscriptionWrite,
    },
    event::ResourceEvent::{Activated, Deactivated, Deleted},
};

use crate::families::CATALOGUES;

/// Members that name configurations of payment methods.
const CONFIGURATIONS: &[(&str, &str)] = &[
    ("additionalAllowedPaymentMethodConfigurations", "PaymentMethodConfiguration"),
    ("disallowedPaymentMethodConfigurations", "PaymentMethodConfiguration"),
];

/// Every table.
#[rustfmt::skip]
pub static TABLES: &[Table] = &[
    table("subscribers", "Subscriber", "subscriber", [SubscriberRead, SubscriberWrite])
        .claiming("externalId").refers(CONFIGURATIONS),
    table("subscription_metrics", "SubscriptionMetric", "metric", [MetricRead, MetricWrite]),
    table("subscription_affiliates", "SubscriptionAffiliate", "affiliate",
        [SubscriptionRead, SubscriptionWrite]).claiming("externalId"),
];

/// They, over the provider's types.
pub static RECORDS: Tables =
    Tables { catalogues: || &CATALOGUES, tables: TABLES, customer: "Customer" };

/// `CreationEntityState`: nearly every record of the provider passes these (dossier §6.5). From
/// `DELETING` to `DELETED` it takes no time here, so the first is never seen.
static CREATION: States = States {
    first: &["ACTIVE", "INACTIVE", "CREATE"],
    moves: &[
        Move { from: "CREATE", to: "ACTIVE", event: Activated },
        Move { from: "CREATE", to: "INACTIVE", event: Deactivated },
        Move { from: "ACTIVE", to: "INACTIVE", event: Deactivated },
        Move { from: "INACTIVE", to: "ACTIVE", event: Activated },
        Move { from: "ACTIVE", to: "DELETED", event: Deleted },
        Move { from: "INACTIVE", to: "DELETED", event: Deleted },
    ],
    gone: "DELETED",
};

const fn table(
    prefix: &'static str,
    of: &'static str,
    word: &'static str,
    [read, write]: [Permission; 2],
) -> Table {
    let family = Family { word, read, write, claim: None, states: Some(&CREATION) };
    Table { prefix, of, refers: &[], family }
}
