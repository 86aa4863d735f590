//! Handlers of `/webhooks`. Statuses and messages follow the dossier's table to the letter.

use patron_app::{
    Actor, Caller, Expect, Id, Loaded,
    webhooks::{self, EndpointPatch, NewEndpoint, ResumeFrom, secrets::Signing},
};
use patron_gateway::{Reply, Request, dialect::random_token};
use patron_model::{Failure, Noun, Patch, Problems, Why, webhook::Endpoint};

use super::{
    ENDPOINT, NOTIFIER,
    wire::{EndpointView, Own, Said, WebhookBody, secret_mark},
};
use crate::{
    NAME, auth,
    envelopes::{self, Outcome},
    ids,
    input::{self, Asked},
    lists::Window,
};

/// Names of a list.
const LIST: [&str; 3] = ["endpoints", "items", "data"];
/// Names of one endpoint.
const ONE: [&str; 2] = ["endpoint", "data"];
/// Random bytes of a secret.
const SECRET_BYTES: usize = 24;

/// Who asks, with the private key: these endpoints are nobody's else.
fn granted(request: &Request) -> Result<&Caller, Failure> {
    match &request.cx.actor {
        Actor::Caller(caller) if auth::has_grant(request) => Ok(caller),
        Actor::Caller(_) | Actor::Operator | Actor::Person(_) | Actor::Anonymous => {
            Err(Failure::Forbidden)
        }
    }
}

async fn found(request: &Request) -> Result<Loaded<Endpoint>, Failure> {
    granted(request)?;
    let missing = Failure::NotFound { noun: Noun::Endpoint };
    let uuid = ids::parse(ENDPOINT, request.param("endpoint")).ok_or(missing)?;
    let endpoint = webhooks::of_api(&request.cx, NAME, Id::Uuid(uuid)).await?;
    match endpoint.is_gone() {
        true => Err(Failure::NotFound { noun: Noun::Endpoint }),
        false => Ok(endpoint),
    }
}

fn one(outcome: Outcome, endpoint: &Endpoint, secret: Option<String>) -> Result<Reply, Failure> {
    envelopes::reply(outcome, &ONE, &EndpointView::of(endpoint, secret))
}

fn said(request: &Request, problems: &mut Problems) -> Result<Said, Failure> {
    let body: WebhookBody = input::body(input::members(request)?)?;
    Ok(body.read(problems))
}

/// `GET /webhooks`
///
/// # Errors
/// `Invalid` for parameters that cannot be understood.
pub async fn list(request: Request) -> Result<Reply, Failure> {
    granted(&request)?;
    let mut asked = Asked::of(&request);
    let window = Window::of(&mut asked);
    asked.finish()?;
    let mut all = webhooks::all_of_api(&request.cx, NAME).await?;
    all.retain(|endpoint| !endpoint.is_gone());
    let totals = u64::try_from(all.len()).unwrap_or(u64::MAX);
    let skipped = window.offset(totals).and_then(|offset| usize::try_from(offset).ok());
    let page = all.iter().rev().skip(skipped.unwrap_or(usize::MAX));
    let page = page.take(usize::try_from(window.limit()).unwrap_or(usize::MAX));
    let views: Vec<EndpointView> = page.map(|one| EndpointView::of(one, None)).collect();
    let paging = window.paging(totals, views.len());
    envelopes::page(envelopes::ok("Webhook endpoints retrieved"), paging, &LIST, &views)
}

/// `POST /webhooks`
///
/// # Errors
/// `Malformed`, `Invalid`.
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let caller = granted(&request)?;
    let mut problems = Problems::new();
    let Said { url, events, description, active, is_woocommerce } = said(&request, &mut problems)?;
    for (name, is_missing) in [("url", url.is_none()), ("events", events.is_none())] {
        if is_missing && !problems.iter().any(|problem| problem.field == name) {
            problems.add(name, Why::Required);
        }
    }
    let is_woocommerce = is_woocommerce.unwrap_or_default();
    refuse_unsigned(caller, is_woocommerce, &mut problems);
    problems.into_result()?;
    let sandbox = auth::is_sandbox(&request.cx);
    let own = Own { events: events.unwrap_or_default(), sandbox, is_woocommerce };
    let patch = EndpointPatch {
        url,
        description: description.flatten().map_or(Patch::Keep, Patch::Set),
        types: Some(own.types()?),
        timeout_seconds: Some(NOTIFIER.timeout_seconds),
        enabled: active,
        own: Some(own.kept()?),
        ..EndpointPatch::default()
    };
    let secret = Signing::text(random_token(secret_mark(sandbox), SECRET_BYTES));
    let key = Some(caller.key.number);
    let new = NewEndpoint { key, ..NewEndpoint::of(NAME, patch, Some(secret)) };
    let made = webhooks::create(&request.cx, &new).await?;
    let secret = made.secret.map(|secret| String::from_utf8_lossy(secret.bytes()).into_owned());
    one(envelopes::created("Webhook endpoint created successfully"), &made.endpoint, secret)
}

/// The private key signs for the shop plug-in, so it must be kept: earlier ones are hashes.
fn refuse_unsigned(caller: &Caller, is_woocommerce: bool, problems: &mut Problems) {
    if is_woocommerce && caller.signing_secret().is_err() {
        let with = "standard: this key was made before private keys could sign; rotate it";
        problems.add("format", Why::Mismatch { with });
    }
}

/// `GET /webhooks/{endpoint}`
///
/// # Errors
/// `NotFound`.
pub async fn retrieve(request: Request) -> Result<Reply, Failure> {
    let endpoint = found(&request).await?;
    one(envelopes::ok("Webhook endpoint retrieved"), &endpoint, None)
}

/// `PUT /webhooks/{endpoint}`: what the body does not say stays.
///
/// # Errors
/// `NotFound`, `Malformed`, `Invalid`.
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let before = found(&request).await?;
    let mut problems = Problems::new();
    let Said { url, events, description, active, is_woocommerce } = said(&request, &mut problems)?;
    let caller = granted(&request)?;
    refuse_unsigned(caller, is_woocommerce.unwrap_or_default(), &mut problems);
    problems.into_result()?;
    let mut own = Own::of(&before);
    let asks_anew = events.is_some();
    own.events = events.unwrap_or(own.events);
    own.is_woocommerce = is_woocommerce.unwrap_or(own.is_woocommerce);
    let patch = EndpointPatch {
        url,
        description: match description {
            None => Patch::Keep,
            Some(None) => Patch::Clear,
            Some(Some(text)) => Patch::Set(text),
        },
        types: if asks_anew { Some(own.types()?) } else { None },
        enabled: active,
        own: Some(own.kept()?),
        ..EndpointPatch::default()
    };
    let (id, expect) = (Id::Number(before.number), Expect::Version(before.version));
    let saved = webhooks::update(&request.cx, id, expect, &patch, Some(ResumeFrom::Now)).await?;
    one(envelopes::accepted("Webhook endpoint updated successfully"), &saved, None)
}

/// `DELETE /webhooks/{endpoint}`
///
/// # Errors
/// `NotFound`.
pub async fn delete(request: Request) -> Result<Reply, Failure> {
    let before = found(&request).await?;
    webhooks::delete(&request.cx, Id::Number(before.number), Expect::Any).await?;
    envelopes::reply(envelopes::accepted("Webhook endpoint deleted successfully"), &[], &())
}
