//! Calls of webhook URLs, listeners and encryption keys.

use patron_app::{
    Actor, Id, Loaded, Saved,
    webhooks::{self, EndpointPatch, NewEndpoint, ResumeFrom, space_keys},
};
use patron_gateway::{Fields, Reading, Reply, Request};
use patron_model::{
    Failure, Noun, Why,
    webhook::{Endpoint, EndpointState},
};
use serde_json::Value as Json;

use super::{
    Of,
    entities::Entity,
    wire::{self, Own, UrlReference, WebhookListener, WebhookListenerIn, WebhookUrl, WebhookUrlIn},
};
use crate::{
    NAME,
    filters::{Kind, Value},
    input::{expected, required},
    lists::{ListParams, ListResponse, SearchParams, SearchResponse, expands},
    transport::id,
};

/// The switch of a space that says whether what listeners are told is signed.
pub const SIGNED_SWITCH: &str = "webhook_signature";

fn not_found() -> Failure {
    Failure::NotFound { noun: Noun::Endpoint }
}

/// A URL or listener, deleted or not.
pub async fn found(request: &Request, of: Of, id: Id) -> Result<Loaded<Endpoint>, Failure> {
    let found = webhooks::of_api(&request.cx, NAME, id).await?;
    if (found.at.is_some()) == (of == Of::Listeners) { Ok(found) } else { Err(not_found()) }
}

/// One that is not deleted, to be changed.
async fn living(request: &Request, of: Of, id: Id) -> Result<Loaded<Endpoint>, Failure> {
    let found = found(request, of, id).await?;
    match found.is_gone() {
        false => Ok(found),
        true => Err(Failure::WrongState { is: "DELETED", needs: "ACTIVE or INACTIVE" }),
    }
}

async fn shown(request: &Request, of: Of, endpoint: &Endpoint) -> Result<Json, Failure> {
    let written = match of {
        Of::Urls => serde_json::to_value(WebhookUrl::of(endpoint)),
        Of::Listeners => {
            let at = endpoint.at.unwrap_or_default();
            let url = match expands(request, "url") {
                true => {
                    let url = found(request, Of::Urls, Id::Number(at)).await?;
                    UrlReference::Whole(WebhookUrl::of(&url))
                }
                false => UrlReference::Id { id: at },
            };
            serde_json::to_value(WebhookListener::of(endpoint, url))
        }
    };
    written.map_err(Failure::internal)
}

async fn all_shown(
    request: &Request,
    of: Of,
    all: Vec<Loaded<Endpoint>>,
) -> Result<Vec<Json>, Failure> {
    let mut data = Vec::with_capacity(all.len());
    for endpoint in all {
        data.push(shown(request, of, &endpoint).await?);
    }
    Ok(data)
}

async fn all(request: &Request, of: Of) -> Result<Vec<Loaded<Endpoint>>, Failure> {
    let mut all = webhooks::all_of_api(&request.cx, NAME).await?;
    all.retain(|endpoint| endpoint.at.is_some() == (of == Of::Listeners));
    Ok(all)
}

// ---- reading --------------------------------------------------------------------------------

/// `GET /webhooks/urls`, `GET /webhooks/listeners`
pub async fn list(of: Of, request: Request) -> Result<Reply, Failure> {
    let params = ListParams::read(&request)?;
    let page = params.page_of(all(&request, of).await?, |endpoint| endpoint.number);
    let ListResponse { data, has_more, limit } = page;
    let data = all_shown(&request, of, data).await?;
    Reply::json(200, &ListResponse { data, has_more, limit })
}

/// A member that can be searched and sorted by.
#[derive(Debug, Clone, Copy)]
enum Member {
    Id,
    Version,
    State,
    Name,
    Url,
    At,
    Entity,
    EveryChange,
    Managed,
}

fn resolve(of: Of, name: &str) -> Option<(Member, Kind)> {
    Some(match (of, name) {
        (_, "id") => (Member::Id, Kind::Whole),
        (_, "version") => (Member::Version, Kind::Whole),
        (_, "state") => (Member::State, Kind::Text),
        (_, "name") => (Member::Name, Kind::Text),
        (Of::Urls, "url") => (Member::Url, Kind::Text),
        (Of::Urls, "applicationManaged") => (Member::Managed, Kind::Flag),
        (Of::Listeners, "url" | "url.id") => (Member::At, Kind::Whole),
        (Of::Listeners, "entity") => (Member::Entity, Kind::Whole),
        (Of::Listeners, "notifyEveryChange") => (Member::EveryChange, Kind::Flag),
        _ => return None,
    })
}

fn value(endpoint: &Endpoint, member: Member) -> Option<Value> {
    let own = || Own::of(endpoint);
    match member {
        Member::Id => Some(Value::Whole(endpoint.number)),
        Member::Version => Some(Value::Whole(endpoint.version)),
        Member::State => Some(Value::Text(wire::state(endpoint).to_owned())),
        Member::Name => own().name.map(Value::Text),
        Member::Url => Some(Value::Text(endpoint.url.clone())),
        Member::At => endpoint.at.map(Value::Whole),
        Member::Entity => {
            let entity = own().entity.as_deref().and_then(Entity::named);
            entity.map(|entity| Value::Whole(entity.id))
        }
        Member::EveryChange => Some(Value::Flag(own().every_change)),
        Member::Managed => Some(Value::Flag(false)),
    }
}

/// `GET /webhooks/urls/search`, `GET /webhooks/listeners/search`
pub async fn search(of: Of, request: Request) -> Result<Reply, Failure> {
    let params = SearchParams::read(&request, &|name: &str| resolve(of, name))?;
    let page = params.page_of(all(&request, of).await?, |one, member| value(one, *member));
    let SearchResponse { data, has_more, limit, offset } = page;
    let data = all_shown(&request, of, data).await?;
    Reply::json(200, &SearchResponse { data, has_more, limit, offset })
}

/// `GET /webhooks/urls/{id}`, `GET /webhooks/listeners/{id}`
pub async fn retrieve(of: Of, request: Request) -> Result<Reply, Failure> {
    let endpoint = found(&request, of, id(&request, "id")?).await?;
    Ok(Reply::value(200, &shown(&request, of, &endpoint).await?))
}

/// `GET /webhooks/encryption-keys/{id}`: a public half in base64, to whoever asks.
pub async fn encryption_key(request: Request) -> Result<Reply, Failure> {
    let id = request.param("id").parse().map_err(|_| not_found())?;
    let public = space_keys::public(&request.cx.app, id).await?;
    Ok(Reply::bytes(200, "text/plain", public.ok_or_else(not_found)?))
}

// ---- writing --------------------------------------------------------------------------------

/// `POST /webhooks/urls`, `POST /webhooks/listeners`
pub async fn create(of: Of, request: Request) -> Result<Reply, Failure> {
    let made = match of {
        Of::Urls => {
            let (body, fields) = request.read::<WebhookUrlIn>(Reading::NullKeeps)?;
            create_url(&request, body, fields).await?
        }
        Of::Listeners => {
            let (body, fields) = request.read::<WebhookListenerIn>(Reading::NullKeeps)?;
            create_listener(&request, body, fields).await?
        }
    };
    Ok(Reply::value(201, &shown(&request, of, &made).await?))
}

/// A new URL.
pub async fn create_url(
    request: &Request,
    body: WebhookUrlIn,
    mut fields: Fields,
) -> Result<Saved<Endpoint>, Failure> {
    let mut own = Own { is_draft: true, ..Own::default() };
    if body.url.as_ref().is_none() {
        fields.refuse("url", Why::Required);
    }
    let url = wire::url(&mut fields, body.url);
    wire::name(&mut fields, &mut own, body.name);
    let enabled = enabled_at_first(&mut fields, &mut own, body.state);
    fields.finish()?;
    let patch = EndpointPatch {
        url,
        enabled: Some(enabled),
        own: Some(own.kept()?),
        ..EndpointPatch::default()
    };
    let new = NewEndpoint::of(NAME, patch, None);
    Ok(webhooks::create(&request.cx, &new).await?.endpoint)
}

/// Whether a new record is told anything: it is unless its body says otherwise.
fn enabled_at_first(
    fields: &mut Fields,
    own: &mut Own,
    state: patron_gateway::Member<String>,
) -> bool {
    if state.as_ref().is_none() {
        own.is_draft = false;
        return true;
    }
    wire::wanted(fields, own, state).unwrap_or_default()
}

/// A new listener.
pub async fn create_listener(
    request: &Request,
    body: WebhookListenerIn,
    mut fields: Fields,
) -> Result<Saved<Endpoint>, Failure> {
    let mut own = Own { is_draft: true, signed: is_signed(request), ..Own::default() };
    let entity = required(&mut fields, "entity", body.entity);
    let url = required(&mut fields, "url", body.url);
    let entity = entity.and_then(|number| {
        let known = Entity::numbered(number);
        if known.is_none() {
            fields.refuse("entity", Why::Unknown { what: "entity" });
        }
        known
    });
    if let Some(number) = url {
        match living(request, Of::Urls, Id::Number(number)).await {
            Ok(_) => {}
            Err(Failure::NotFound { .. } | Failure::WrongState { .. }) => {
                fields.refuse("url", Why::Unknown { what: "webhook URL" });
            }
            Err(failure) => return Err(failure),
        }
    }
    if body.identity.as_ref().is_some() {
        fields.refuse("identity", Why::Unknown { what: "webhook identity" });
    }
    wire::name(&mut fields, &mut own, body.name);
    wire::states(&mut fields, &mut own, body.entity_states);
    own.every_change = body.notify_every_change.value().unwrap_or_default();
    let enabled = enabled_at_first(&mut fields, &mut own, body.state);
    fields.finish()?;
    let fault = || Failure::internal("no fault was noted");
    let entity = entity.ok_or_else(fault)?;
    own.entity = Some(entity.name.to_owned());
    let patch = EndpointPatch {
        types: Some(entity.types(own.every_change)?),
        enabled: Some(enabled),
        own: Some(own.kept()?),
        ..EndpointPatch::default()
    };
    let new = NewEndpoint { at: url, ..NewEndpoint::of(NAME, patch, None) };
    Ok(webhooks::create(&request.cx, &new).await?.endpoint)
}

/// Whether the space wants what its listeners are told signed: it does unless it says otherwise.
fn is_signed(request: &Request) -> bool {
    let Actor::Caller(caller) = &request.cx.actor else { return true };
    let space = caller.space(request.cx.space);
    let switch = space.and_then(|space| space.dialects.get(NAME)?.get(SIGNED_SWITCH));
    switch.and_then(Json::as_bool).unwrap_or(true)
}

/// `PATCH /webhooks/urls/{id}`, `PATCH /webhooks/listeners/{id}`
pub async fn update(of: Of, request: Request) -> Result<Reply, Failure> {
    let id = id(&request, "id")?;
    let changed = match of {
        Of::Urls => {
            let (body, fields) = request.read::<WebhookUrlIn>(Reading::NullKeeps)?;
            update_url(&request, Some(id), body, fields).await?
        }
        Of::Listeners => {
            let (body, fields) = request.read::<WebhookListenerIn>(Reading::NullKeeps)?;
            update_listener(&request, Some(id), body, fields).await?
        }
    };
    Ok(Reply::value(200, &shown(&request, of, &changed).await?))
}

/// The record to be changed; faults that are there already come first where none is named.
async fn target(
    request: &Request,
    of: Of,
    id: Option<Id>,
    fields: &mut Fields,
) -> Result<Loaded<Endpoint>, Failure> {
    let Some(id) = id else {
        fields.refuse("id", Why::Required);
        std::mem::replace(fields, Fields::new(Reading::NullKeeps)).finish()?;
        return Err(Failure::invalid("id", Why::Required));
    };
    living(request, of, id).await
}

/// A changed URL: all its listeners are told there.
pub async fn update_url(
    request: &Request,
    id: Option<Id>,
    body: WebhookUrlIn,
    mut fields: Fields,
) -> Result<Saved<Endpoint>, Failure> {
    let expect = expected(&mut fields, body.version);
    let before = target(request, Of::Urls, id, &mut fields).await?;
    let mut own = Own::of(&before);
    let url = wire::url(&mut fields, body.url);
    wire::name(&mut fields, &mut own, body.name);
    let enabled = wire::wanted(&mut fields, &mut own, body.state);
    fields.finish()?;
    let patch = EndpointPatch { url, enabled, own: Some(own.kept()?), ..EndpointPatch::default() };
    let id = Id::Number(before.number);
    webhooks::update(&request.cx, id, expect, &patch, Some(ResumeFrom::Now)).await
}

/// A changed listener.
pub async fn update_listener(
    request: &Request,
    id: Option<Id>,
    body: WebhookListenerIn,
    mut fields: Fields,
) -> Result<Saved<Endpoint>, Failure> {
    let expect = expected(&mut fields, body.version);
    let before = target(request, Of::Listeners, id, &mut fields).await?;
    let mut own = Own::of(&before);
    wire::name(&mut fields, &mut own, body.name);
    wire::states(&mut fields, &mut own, body.entity_states);
    let every_change = body.notify_every_change.value();
    own.every_change = every_change.unwrap_or(own.every_change);
    let enabled = wire::wanted(&mut fields, &mut own, body.state);
    fields.finish()?;
    let entity = own.entity.as_deref().and_then(Entity::named);
    // Whoever does not say it chooses nothing anew.
    let types = match (entity, every_change) {
        (Some(entity), Some(every_change)) => Some(entity.types(every_change)?),
        (None, _) | (_, None) => None,
    };
    let patch =
        EndpointPatch { types, enabled, own: Some(own.kept()?), ..EndpointPatch::default() };
    let id = Id::Number(before.number);
    webhooks::update(&request.cx, id, expect, &patch, Some(ResumeFrom::Now)).await
}

/// `DELETE /webhooks/urls/{id}`, `DELETE /webhooks/listeners/{id}`
pub async fn delete(of: Of, request: Request) -> Result<Reply, Failure> {
    delete_one(&request, of, id(&request, "id")?).await?;
    Ok(Reply::empty(204))
}

/// Deletes a URL that no living listener has, or a listener; again does nothing.
pub async fn delete_one(request: &Request, of: Of, id: Id) -> Result<i64, Failure> {
    let before = found(request, of, id).await?;
    if before.state == EndpointState::Deleted {
        return Ok(before.number);
    }
    let id = Id::Number(before.number);
    match webhooks::delete(&request.cx, id, patron_app::Expect::Any).await {
        Err(Failure::WrongState { .. }) if of == Of::Urls => {
            Err(Failure::PreconditionFailed { what: "that no listener has the URL" })
        }
        deleted => deleted.map(|deleted| deleted.number),
    }
}
