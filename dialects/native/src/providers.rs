//! Providers of OpenID Connect: `/v1/providers`.

use std::collections::BTreeMap;

use patron_app::{
    Id, places,
    providers::{self, ProviderPatch, SecretPatch},
    search::{Query, fields::provider as fields},
};
use patron_gateway::{Fields, Member, Reading, Reply, Request};
use patron_model::{
    Failure, Noun, Patch, Permission, Why,
    provider::{CLIENT_CHARS_MAX, Provider},
    text,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    accounts, conditions,
    customers::{PAGE_MAX, read, show::ListOut},
    lists,
};

/// A provider. What proves this server to it is never shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Provider")]
pub struct ProviderOut<'a> {
    /// UUID.
    id: uuid::Uuid,
    /// Number.
    number: i64,
    /// Number of the account whose people it speaks for.
    account: i64,
    /// What people call it.
    name: &'a str,
    /// Its issuer.
    issuer: &'a str,
    /// What it knows this server as.
    client_id: &'a str,
    /// Whether a secret is kept that proves that.
    has_client_secret: bool,
    /// What it is asked for beside `openid`.
    scopes: &'a [String],
    /// Domains whose e-mail addresses it speaks for.
    domains: &'a [String],
    /// Whether who it brings for the first time becomes a user.
    create_users: bool,
    /// Whether who it brings may be a user with the same e-mail address.
    link_by_email: bool,
    /// Number of the role that new users hold in the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    default_role: Option<i64>,
    /// Its claim whose words say which roles somebody holds in the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    role_claim: Option<&'a str>,
    /// Numbers of the roles that words of that claim stand for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    claim_roles: &'a BTreeMap<String, i64>,
    /// How it has to make sure who somebody is, to count as two factors.
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    /// Whether anybody signs in by it.
    active: bool,
    /// Counts the changes, from 1.
    version: i64,
    /// When it was made.
    #[schemars(extend("format" = "date-time"))]
    created_at: String,
    /// When it was last changed.
    #[schemars(extend("format" = "date-time"))]
    updated_at: String,
}

impl<'a> ProviderOut<'a> {
    fn of(provider: &'a Provider) -> Self {
        ProviderOut {
            id: provider.uuid,
            number: provider.number,
            account: provider.account,
            name: provider.name.as_str(),
            issuer: &provider.issuer,
            client_id: &provider.client_id,
            has_client_secret: provider.confidential,
            scopes: &provider.scopes,
            domains: &provider.domains,
            create_users: provider.create_users,
            link_by_email: provider.link_by_email,
            default_role: provider.default_role,
            role_claim: provider.role_claim.as_deref(),
            claim_roles: &provider.claim_roles,
            acr: provider.acr.as_deref(),
            active: provider.active,
            version: provider.version,
            created_at: provider.created_at.rfc3339_micros(),
            updated_at: provider.updated_at.rfc3339_micros(),
        }
    }
}

/// A provider as it is written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "ProviderInput")]
pub struct ProviderIn {
    /// Number of the account whose people it speaks for, the key's own when absent; creation only.
    account: Member<i64>,
    /// What people call it.
    name: Member<String>,
    /// Its issuer: a URL of the public internet, or one that the settings allow, exactly as the
    /// provider names itself.
    issuer: Member<String>,
    /// What it knows this server as.
    client_id: Member<String>,
    /// What proves that; without one only the code verifier does.
    client_secret: Member<String>,
    /// What it is asked for beside `openid`; `email` and `profile` when absent.
    scopes: Member<Vec<String>>,
    /// Domains whose e-mail addresses it speaks for, in lower case.
    domains: Member<Vec<String>>,
    /// Whether who it brings for the first time becomes a user of the account.
    create_users: Member<bool>,
    /// Whether who it brings may be a user with the same e-mail address of one of its domains.
    link_by_email: Member<bool>,
    /// Number of the role that new users hold in the account.
    default_role: Member<i64>,
    /// Its claim, a text or a list of texts at the top of the ID token, whose words say which roles
    /// somebody holds in the account.
    role_claim: Member<String>,
    /// Numbers of the roles that words of that claim stand for, 50 at most; none that owns
    /// accounts. They are given and taken with every sign-in by the provider.
    claim_roles: Member<BTreeMap<String, i64>>,
    /// How it has to make sure who somebody is (`acr`), to count as two factors.
    acr: Member<String>,
    /// Whether anybody signs in by it.
    active: Member<bool>,
}

fn set<T>(patch: Patch<T>) -> Option<T> {
    match patch {
        Patch::Set(value) => Some(value),
        Patch::Keep | Patch::Clear => None,
    }
}

/// What a body says of a provider. Faults are noted.
fn patch(
    request: &Request,
    body: ProviderIn,
    fields: &mut Fields,
) -> Result<(ProviderPatch, SecretPatch), Failure> {
    let carrier = request.cx.app.carrier()?;
    let own = |text: &str| Ok(text.to_owned());
    let list = |fields: &mut Fields, name, member| match fields.parse(name, member, Ok) {
        Patch::Keep => None,
        Patch::Clear => Some(Vec::new()),
        Patch::Set(list) => Some(list),
    };
    let flag = |fields: &mut Fields, name, member| match fields.parse(name, member, Ok) {
        Patch::Keep => None,
        Patch::Clear => Some(false),
        Patch::Set(flag) => Some(flag),
    };
    let issuer = fields.text("issuer", body.issuer, |issuer| {
        carrier.check(issuer).map_err(|expected| Why::Malformed { expected })?;
        if issuer.contains('?') {
            return Err(Why::Malformed { expected: "a URL without a query" });
        }
        Ok(issuer.to_owned())
    });
    let secret = fields.text("client_secret", body.client_secret, |secret| {
        text::check(secret, 1, CLIENT_CHARS_MAX, false).map(|()| secret.to_owned())
    });
    let patch = ProviderPatch {
        name: accounts::name(fields, body.name),
        issuer: set(issuer),
        client_id: set(fields.text("client_id", body.client_id, own)),
        confidential: None,
        scopes: list(fields, "scopes", body.scopes),
        domains: list(fields, "domains", body.domains),
        create_users: flag(fields, "create_users", body.create_users),
        link_by_email: flag(fields, "link_by_email", body.link_by_email),
        default_role: fields.parse("default_role", body.default_role, Ok),
        role_claim: fields.text("role_claim", body.role_claim, own),
        claim_roles: match fields.parse("claim_roles", body.claim_roles, Ok) {
            Patch::Keep => None,
            Patch::Clear => Some(BTreeMap::new()),
            Patch::Set(roles) => Some(roles),
        },
        acr: fields.text("acr", body.acr, own),
        active: set(fields.parse("active", body.active, Ok)),
    };
    Ok((patch, secret))
}

fn shown(status: u16, provider: &Provider) -> Result<Reply, Failure> {
    let reply = Reply::json(status, &ProviderOut::of(provider))?;
    Ok(reply.with("etag", conditions::tag(provider.version)))
}

fn id(request: &Request) -> Result<Id, Failure> {
    Id::parse(request.param("provider"), Noun::Provider)
}

/// Providers of the accounts where the caller may see them, by their numbers.
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let (params, mut faults) = (request.query(), request.query_faults());
    let limit = faults.int(&params, "limit", 50, 1, PAGE_MAX);
    let limit = u32::try_from(limit).unwrap_or(50);
    let question = lists::question(&["providers"]);
    let after = faults.keep(lists::after(&params, &question))?.flatten();
    faults.finish()?;
    let reach = places::reach(&request.cx, Permission::ProviderRead).await?;
    let predicate = reach.in_accounts(fields::account());
    let query = Query { predicate, after, limit, ..Query::of(0) };
    let page = providers::list(&request.cx, query).await?;
    let last = page.items.last().filter(|_| page.more).map(|last| last.number);
    let place = |number| lists::write(&question, lists::Place::List { key: None, number });
    let next_cursor = last.map(place).transpose()?;
    let data: Vec<_> = page.items.iter().map(|one| ProviderOut::of(&one.record)).collect();
    Reply::json(200, &ListOut { data, has_more: page.more, next_cursor, total: None })
}

/// One provider.
pub async fn get(request: Request) -> Result<Reply, Failure> {
    let provider = providers::get(&request.cx, id(&request)?).await?;
    let reply = Reply::json(200, &ProviderOut::of(&provider.record))?;
    Ok(conditions::unless_matched(&request, &conditions::tag(provider.version), reply))
}

/// A new provider of an account.
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let (body, mut fields) = read::body::<ProviderIn>(&request, Reading::NullClears)?;
    let account = body.account.as_ref().copied();
    let needed = [
        ("name", body.name.as_ref().is_some()),
        ("issuer", body.issuer.as_ref().is_some()),
        ("client_id", body.client_id.as_ref().is_some()),
    ];
    for (member, _) in needed.into_iter().filter(|(_, is_said)| !is_said) {
        fields.refuse(member, Why::Required);
    }
    let (patch, secret) = patch(&request, body, &mut fields)?;
    fields.finish()?;
    let account = match account {
        Some(account) => account,
        None => accounts::own_account(&request)?,
    };
    let made = providers::create(&request.cx, account, patch, secret).await?;
    Ok(shown(201, &made)?.with("location", format!("/v1/providers/{}", made.number)))
}

/// A changed provider (JSON Merge Patch).
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let condition = conditions::if_match(&request)?;
    let (body, mut fields) = read::body::<ProviderIn>(&request, Reading::NullClears)?;
    if !body.account.is_absent() {
        fields.refuse("account", Why::ReadOnly);
    }
    let (patch, secret) = patch(&request, body, &mut fields)?;
    fields.finish()?;
    let id = id(&request)?;
    let saved = providers::update(&request.cx, id, condition.expect(), &patch, &secret).await?;
    shown(200, &saved)
}

/// Deletes a provider: nobody signs in by it any more.
pub async fn delete(request: Request) -> Result<Reply, Failure> {
    let condition = conditions::if_match(&request)?;
    providers::delete(&request.cx, id(&request)?, condition.expect()).await?;
    Ok(Reply::empty(204))
}
