//! Closed lists of words, for the description: generators of clients make a type of each.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident: $($word:literal)+;)+) => {$(
        $(#[$doc])*
        pub struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "enum": [$($word),+]})
            }
        }
    )+};
}

words! {
    /// What an address is for.
    Purpose: "billing" "shipping" "both" "other";
    /// Gender of whoever is found at an address.
    Gender: "male" "female";
    /// What can be done with one of many customers.
    BulkAction: "create" "upsert" "update" "delete";
    /// What one of many customers is found by.
    BulkKey: "reference" "email";
    /// What came of one of many customers.
    BulkVerdict: "created" "updated" "unchanged" "deleted" "refused";
    /// Statuses that can be set.
    SettableStatus: "active" "inactive" "locked" "blocked";
    /// Kinds of payment methods.
    PaymentMethodType: "card" "bank_account" "mobile_money" "wallet";
    /// States of payment methods.
    PaymentMethodState: "active" "inactive";
    /// Kinds of users.
    UserKind: "human" "application";
    /// States of users.
    UserState: "invited" "active" "inactive";
    /// States of users that can be set.
    SettableUserState: "active" "inactive";
    /// Whom an account asks for a second factor.
    SecondFactor: "none" "roles" "all";
    /// In which colours a person is shown pages.
    Theme: "light" "dark" "system";
    /// What a point of the statistics is about.
    StatisticsStep: "minute" "hour" "day";
    /// States of keys.
    KeyState: "active" "expiring" "expired" "revoked";
    /// What became of what the audit log tells.
    Outcome: "done" "refused";
    /// How much a webhook endpoint is told.
    WebhookPayload: "full" "thin";
    /// In which order it is told.
    WebhookOrder: "none" "customer";
    /// How that is signed.
    WebhookScheme: "v1" "v1a" "both";
    /// Whether it is told anything.
    WebhookState: "active" "paused" "ended";
    /// Why it is not.
    WebhookReason: "user" "failing" "gone" "restored";
    /// What became of a delivery.
    DeliveryState: "retrying" "held" "delivered" "failed" "cancelled" "withheld";
    /// What caused an attempt.
    AttemptTrigger: "schedule" "probe" "manual" "replay" "test";
    /// What became of a replay.
    ReplayState: "running" "done" "cancelled";
    /// What a replay is of.
    ReplayOnly: "all" "failed";
    /// What an operation of a JSON Patch does.
    PatchVerb: "add" "remove" "replace" "move" "copy" "test";
}
