//! Calls of webhook endpoints.

use patron_app::{
    Id, Saved,
    record::Loaded,
    search::{Order, Query},
    webhooks::{
        self, EndpointPatch, EventType, Issued, NewEndpoint,
        notifier::{Notifier, SignsWith},
        secrets::{self, OVERLAP_SECONDS, Signing},
        trial,
    },
};
use patron_gateway::{Fields, Member, Reading, Reply, Request};
use patron_model::{Failure, Noun, Patch, Why, webhook::Endpoint};

use super::{
    NOTIFIER,
    read::{own_secret, patch, resume_from},
    wire::{EndpointIn, EndpointOut, SecretIn, SecretOut},
};
use crate::{
    NAME, conditions,
    customers::{PAGE_MAX, read, show::ListOut},
    lists::{self, Place},
    webhook_deliveries::AttemptOut,
};

/// Endpoints of a page when nothing is said.
const PAGE_DEFAULT: i64 = 50;

/// The API in whose words a new endpoint is told.
fn form(request: &Request, said: Member<String>, fields: &mut Fields) -> &'static Notifier {
    let dialect = said.value().unwrap_or_else(|| NAME.to_owned());
    match request.cx.app.notifier(&dialect) {
        Some(notifier) if !notifier.offers.is_empty() => notifier,
        Some(_) => {
            let with = "an API that has no way of its own to make endpoints; make them there";
            fields.refuse("dialect", Why::Mismatch { with });
            &NOTIFIER
        }
        None => {
            let with = "an API that knows webhooks";
            fields.refuse("dialect", Why::Mismatch { with });
            &NOTIFIER
        }
    }
}

/// Refuses what a form has no words for.
fn refuse_strange(
    notifier: &Notifier,
    patch: &EndpointPatch,
    has_secret: bool,
    fields: &mut Fields,
) {
    if notifier.offers == "*" {
        return;
    }
    let chosen = [
        ("payload", patch.payload.is_some()),
        ("signature", patch.signature.is_some()),
        ("secret", has_secret),
    ];
    for (name, is_said) in chosen {
        if is_said {
            fields.refuse(name, Why::Mismatch { with: "nothing: the form of that API has none" });
        }
    }
    let is_offered = |word: &&str| notifier.offers.split(", ").any(|offered| offered == *word);
    let asked = patch.types.iter().flatten().map(EventType::as_str);
    for word in asked.filter(|word| !is_offered(word)) {
        fields.refuse("types", Why::not_one_of(word, notifier.offers));
    }
}

fn notifier_of(request: &Request, endpoint: &Endpoint) -> Result<&'static Notifier, Failure> {
    request.cx.app.notifier(&endpoint.dialect).ok_or_else(of_another)
}

fn of_another() -> Failure {
    Failure::WrongState { is: "of another API", needs: "changed there, but for enabled" }
}

/// Whether a change only says whether an endpoint is told anything.
fn is_switch(patch: &EndpointPatch) -> bool {
    let EndpointPatch { url, description, types, subjects, changed, payload, headers, .. } = patch;
    let EndpointPatch { metadata, order, signature, timeout_seconds, parallel, own, .. } = patch;
    url.is_none()
        && *description == Patch::Keep
        && types.is_none()
        && subjects.is_none()
        && changed.is_none()
        && metadata.is_none()
        && payload.is_none()
        && order.is_none()
        && signature.is_none()
        && headers.is_none()
        && timeout_seconds.is_none()
        && parallel.is_none()
        && own.is_none()
}

fn endpoint_id(request: &Request) -> Result<Id, Failure> {
    Id::parse(request.param("id"), Noun::Endpoint)
}

/// A page of endpoints, newest first.
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let (params, mut faults) = (request.query(), request.query_faults());
    let limit = faults.int(&params, "limit", PAGE_DEFAULT, 1, PAGE_MAX);
    let question = lists::question(&["webhook_endpoints"]);
    let after = faults.keep(lists::after(&params, &question))?.flatten();
    faults.finish()?;
    let limit = u32::try_from(limit).unwrap_or(50);
    let query = Query { order: Order::newest_first(), after, limit, ..Query::of(request.cx.space) };
    let page = webhooks::list(&request.cx, query).await?;
    let last = page.items.last().filter(|_| page.more).map(|endpoint| endpoint.number);
    let next = last.map(|number| lists::write(&question, Place::List { key: None, number }));
    let shown = |endpoint: &Loaded<Endpoint>| EndpointOut::of(&request.cx, endpoint);
    let data: Vec<EndpointOut> = page.items.iter().map(shown).collect();
    let next_cursor = next.transpose()?;
    Reply::json(200, &ListOut { data, has_more: page.more, next_cursor, total: None })
}

/// One endpoint, and how it fares.
pub async fn get(request: Request) -> Result<Reply, Failure> {
    let endpoint = webhooks::get(&request.cx, endpoint_id(&request)?).await?;
    let out = EndpointOut::of(&request.cx, &endpoint).with_health(&request.cx).await?;
    Ok(Reply::json(200, &out)?.with("etag", conditions::tag(endpoint.version)))
}

/// A new endpoint; its secret is shown this once.
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let (mut body, mut fields) = read::body::<EndpointIn>(&request, Reading::NullClears)?;
    for (name, is_absent) in
        [("url", body.url.as_ref().is_none()), ("types", body.types.as_ref().is_none())]
    {
        if is_absent {
            fields.refuse(name, Why::Required);
        }
    }
    if !body.resume_from.is_absent() {
        fields.refuse("resume_from", Why::ReadOnly);
    }
    let own = own_secret(std::mem::take(&mut body.secret), &mut fields);
    let notifier = form(&request, std::mem::take(&mut body.dialect), &mut fields);
    let patch = patch(body, &mut fields);
    refuse_strange(notifier, &patch, own.is_some(), &mut fields);
    let key = match notifier.signs_with {
        SignsWith::Own | SignsWith::Space => None,
        SignsWith::Key => {
            let key = webhooks::signing_key(&request.cx, notifier.dialect).await?;
            if key.is_none() {
                let with = "an API that the space has a key of: its secret signs";
                fields.refuse("dialect", Why::Mismatch { with });
            }
            key
        }
    };
    fields.finish()?;
    // An API whose keys sign needs no secret of the endpoint.
    let signs_itself = notifier.signs_with == SignsWith::Own;
    let secret = signs_itself.then(|| own.unwrap_or_else(Signing::random));
    let patch = EndpointPatch {
        timeout_seconds: patch.timeout_seconds.or(Some(notifier.timeout_seconds)),
        ..patch
    };
    let new = NewEndpoint { key, ..NewEndpoint::of(notifier.dialect, patch, secret) };
    let Issued { endpoint, secret } = webhooks::create(&request.cx, &new).await?;
    let secret = secret.map(|secret| secret.shown());
    let out = EndpointOut { secret, ..EndpointOut::of(&request.cx, &endpoint) };
    Ok(Reply::json(201, &out)?
        .with("etag", conditions::tag(endpoint.version))
        .with("location", format!("/v1/webhook-endpoints/{}", endpoint.uuid)))
}

/// A changed endpoint (JSON Merge Patch).
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let condition = conditions::of_change(&request)?;
    let id = endpoint_id(&request)?;
    let (mut body, mut fields) = read::body::<EndpointIn>(&request, Reading::NullClears)?;
    for (name, is_absent) in
        [("secret", body.secret.is_absent()), ("dialect", body.dialect.is_absent())]
    {
        if !is_absent {
            fields.refuse(name, Why::ReadOnly);
        }
    }
    let from = resume_from(std::mem::replace(&mut body.resume_from, Member::Absent), &mut fields);
    let patch = patch(body, &mut fields);
    let endpoint = webhooks::get(&request.cx, id).await?;
    let notifier = notifier_of(&request, &endpoint)?;
    refuse_strange(notifier, &patch, false, &mut fields);
    fields.finish()?;
    if notifier.offers.is_empty() && !is_switch(&patch) {
        return Err(of_another());
    }
    let saved = webhooks::update(&request.cx, id, condition.expect(), &patch, from).await?;
    shown(&request, &saved)
}

fn shown(request: &Request, saved: &Saved<Endpoint>) -> Result<Reply, Failure> {
    let out = EndpointOut::of(&request.cx, saved);
    Ok(Reply::json(200, &out)?.with("etag", conditions::tag(saved.version)))
}

/// Deletes an endpoint.
pub async fn delete(request: Request) -> Result<Reply, Failure> {
    let condition = conditions::of_change(&request)?;
    webhooks::delete(&request.cx, endpoint_id(&request)?, condition.expect()).await?;
    Ok(Reply::empty(204))
}

/// Sends a made-up record to an endpoint, and answers what came of it.
pub async fn test(request: Request) -> Result<Reply, Failure> {
    let attempt = trial::send(&request.cx, endpoint_id(&request)?).await?;
    Reply::json(200, &AttemptOut::of(&attempt))
}

/// Secrets of an endpoint, without themselves.
pub async fn secrets(request: Request) -> Result<Reply, Failure> {
    let endpoint = webhooks::get(&request.cx, endpoint_id(&request)?).await?;
    let data: Vec<_> = endpoint.secrets.iter().map(|note| SecretOut::of(note, None)).collect();
    Reply::json(200, &ListOut { data, has_more: false, next_cursor: None, total: None })
}

/// A new secret beside those before.
pub async fn rotate(request: Request) -> Result<Reply, Failure> {
    let id = endpoint_id(&request)?;
    let (body, mut fields) = match request.body.is_empty() {
        true => (SecretIn::default(), Fields::new(Reading::NullClears)),
        false => read::body(&request, Reading::NullClears)?,
    };
    let overlap = body.overlap_seconds.value().unwrap_or(OVERLAP_SECONDS);
    let own = own_secret(body.secret, &mut fields);
    fields.finish()?;
    let endpoint = webhooks::get(&request.cx, id).await?;
    if notifier_of(&request, &endpoint)?.offers.is_empty() || endpoint.secrets.is_empty() {
        return Err(of_another());
    }
    let Issued { endpoint, secret } = secrets::rotate(&request.cx, id, overlap, own).await?;
    let note = endpoint.secrets.first();
    let note = note.ok_or_else(|| Failure::internal("an endpoint without a secret"))?;
    Reply::json(201, &SecretOut::of(note, secret.map(|secret| secret.shown())))
}

/// Ends a secret at once.
pub async fn end_secret(request: Request) -> Result<Reply, Failure> {
    let n = request.param("n").parse().map_err(|_| Failure::NotFound { noun: Noun::Secret })?;
    secrets::end(&request.cx, endpoint_id(&request)?, n).await?;
    Ok(Reply::empty(204))
}
