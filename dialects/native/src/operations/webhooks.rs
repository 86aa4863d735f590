//! Operations on webhook endpoints and deliveries.

use patron_app::webhooks::DeliveryState;
use patron_gateway::{
    Operation,
    operation::{Parameter, delete, get, group, patch, post},
};
use patron_model::Permission::{WebhookRead, WebhookRedeliver, WebhookWrite};

use super::{CURSOR, IF_MATCH, LIMIT, MERGED, admin::SHOWN_AGAIN};
use crate::{
    customers::show::ListOut,
    webhook_deliveries::{self as deliveries, AttemptOut, DeliveryOut},
    webhook_endpoints::{
        self as endpoints, EndpointIn, EndpointOut, EventTypeOut, ReplayIn, ReplayOut, SecretIn,
        SecretOut, WebhookKeyIn, WebhookKeyOut, keys, replays, types,
    },
};

#[rustfmt::skip]
pub(super) fn of_endpoints() -> Vec<Operation> {
    const ALL: &str = "/v1/webhook-endpoints";
    const ONE: &str = "/v1/webhook-endpoints/{id}";
    const TEST: &str = "/v1/webhook-endpoints/{id}/test";
    const SECRETS: &str = "/v1/webhook-endpoints/{id}/secrets";
    const SECRET: &str = "/v1/webhook-endpoints/{id}/secrets/{n}";
    const REPLAYS: &str = "/v1/webhook-endpoints/{id}/replays";
    const REPLAY: &str = "/v1/webhook-endpoints/{id}/replays/{replay}";
    group("Webhook endpoints", [
        get("/v1/event-types", types::list)
            .named("list_event_types",
                "Everything that webhook endpoints can be told, with an example of each")
            .any_key().replies::<ListOut<EventTypeOut>>(200),
        get(ALL, endpoints::list).named("list_webhook_endpoints", "List webhook endpoints")
            .needs(WebhookRead).takes(&[LIMIT, CURSOR]).replies::<ListOut<EndpointOut>>(200),
        post(ALL, endpoints::create)
            .named("create_webhook_endpoint",
                "Have somebody told what happens from now on; the secret is shown once")
            .needs(WebhookWrite).idempotent(SHOWN_AGAIN).body::<EndpointIn>()
            .replies::<EndpointOut>(201),
        get(ONE, endpoints::get)
            .named("get_webhook_endpoint", "Get a webhook endpoint and how it fares")
            .needs(WebhookRead).replies::<EndpointOut>(200),
        patch(ONE, endpoints::update)
            .named("update_webhook_endpoint",
                "Change, pause or resume a webhook endpoint (JSON Merge Patch)")
            .needs(WebhookWrite).takes(&[IF_MATCH]).body::<EndpointIn>().media(MERGED)
            .replies::<EndpointOut>(200),
        delete(ONE, endpoints::delete).named("delete_webhook_endpoint", "Delete a webhook endpoint")
            .needs(WebhookWrite).takes(&[IF_MATCH]).replies_empty(204),
        post(TEST, endpoints::test)
            .named("test_webhook_endpoint", "Send a made-up customer to a webhook endpoint")
            .needs(WebhookWrite).replies::<AttemptOut<'_>>(200),
        get(SECRETS, endpoints::secrets)
            .named("list_webhook_secrets", "List the secrets of a webhook endpoint, masked")
            .needs(WebhookRead).replies::<ListOut<SecretOut>>(200),
        post(SECRETS, endpoints::rotate)
            .named("rotate_webhook_secret",
                "Make a new secret; those before sign beside it for the overlap")
            .needs(WebhookWrite).idempotent(SHOWN_AGAIN).body::<SecretIn>()
            .replies::<SecretOut>(201),
        delete(SECRET, endpoints::end_secret)
            .named("end_webhook_secret", "End a secret at once")
            .needs(WebhookWrite).replies_empty(204),
        get(REPLAYS, replays::list)
            .named("list_webhook_replays", "List the replays of a webhook endpoint, latest first")
            .needs(WebhookRead).takes(&[LIMIT, CURSOR]).replies::<ListOut<ReplayOut>>(200),
        post(REPLAYS, replays::begin)
            .named("replay_webhook_endpoint",
                "Tell a webhook endpoint once more what has happened, behind what is fresh")
            .needs(WebhookRedeliver).body::<ReplayIn>().replies::<ReplayOut>(202),
        get(REPLAY, replays::get).named("get_webhook_replay", "Get a replay")
            .needs(WebhookRead).replies::<ReplayOut>(200),
        delete(REPLAY, replays::cancel)
            .named("cancel_webhook_replay", "End a replay; what is on its way already arrives")
            .needs(WebhookRedeliver).replies_empty(204),
    ])
}

#[rustfmt::skip]
pub(super) fn of_webhook_keys() -> Vec<Operation> {
    group("Webhook keys", [
        get("/v1/webhook-keys", keys::list)
            .named("list_webhook_keys", "List the keys that sign webhooks by v1a, newest first")
            .needs(WebhookRead).replies::<ListOut<WebhookKeyOut>>(200),
        post("/v1/webhook-keys/rotate", keys::rotate)
            .named("rotate_webhook_key",
                "Make a new key that signs; those before sign beside it for the overlap")
            .needs(WebhookWrite).step_up().body::<WebhookKeyIn>().replies::<WebhookKeyOut>(201),
    ])
}

#[rustfmt::skip]
pub(super) fn of_deliveries() -> Vec<Operation> {
    const ALL: &str = "/v1/webhook-deliveries";
    const ONE: &str = "/v1/webhook-deliveries/{id}";
    const ATTEMPTS: &str = "/v1/webhook-deliveries/{id}/attempts";
    const REDELIVER: &str = "/v1/webhook-deliveries/{id}/redeliver";
    const FILTERS: [Parameter; 4] = [
        Parameter::query("endpoint", "integer", "number of an endpoint"),
        Parameter::query("seq", "integer", "position of an entry of the feed"),
        Parameter::query("state", "string", DeliveryState::WORDS),
        Parameter::query("type", "string", "what happened: customer.updated"),
    ];
    group("Webhook deliveries", [
        get(ALL, deliveries::list)
            .named("list_webhook_deliveries",
                "List deliveries that did not arrive at once, newest first")
            .needs(WebhookRead).takes(&[LIMIT, CURSOR]).takes(&FILTERS)
            .replies::<ListOut<DeliveryOut<'_>>>(200),
        get(ONE, deliveries::get).named("get_webhook_delivery", "Get a delivery")
            .needs(WebhookRead).replies::<DeliveryOut<'_>>(200),
        get(ATTEMPTS, deliveries::attempts)
            .named("list_webhook_attempts", "List the latest 20 attempts of a delivery")
            .needs(WebhookRead).replies::<ListOut<AttemptOut<'_>>>(200),
        post(REDELIVER, deliveries::redeliver)
            .named("redeliver_webhook", "Deliver once more, whatever became of it")
            .needs(WebhookRedeliver).replies::<DeliveryOut<'_>>(202),
    ])
}
