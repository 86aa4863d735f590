//! Providers of OpenID Connect that an account has set up. What proves this server to one is kept
//! apart ([`crate::vault`]).

use std::collections::BTreeMap;

use async_recursion::async_recursion;
pub use patron_model::provider::ProviderPatch;
use patron_model::{
    Failure, Noun, Patch, Permission, Why,
    card::Found,
    event::ProviderEvent,
    provider::{PROVIDERS_MAX, Provider},
};
use patron_store::{Column, Index, Kind, Value};

use crate::{
    App, Cx,
    commit::{Draft, Expect, Saved},
    documents::{DEPLOYMENT, Document, named},
    failure,
    ids::new_uuid,
    keys::NewSecret,
    places,
    record::{self, Id, Loaded, Look, Page, page},
    rights::Grant,
    roles,
    search::{Field, Filter, Query},
    spaces,
    vault::{self, Opened},
};

/// Providers of accounts.
pub static PROVIDER: Kind = Kind {
    name: "provider",
    // None once it is deleted.
    columns: &[Column::int("account", Index::Ordered)],
    terms: false,
};

impl Document for Provider {
    named!(PROVIDER, Provider, ProviderEvent, in_deployment);

    fn columns(&self) -> Vec<Value> {
        vec![self.deleted_at.is_none().then_some(self.account).into()]
    }

    fn audit_place(&self) -> (Option<i64>, Option<i64>) {
        (Some(self.account), None)
    }

    fn is_gone(&self) -> bool {
        self.deleted_at.is_some()
    }

    fn search_cards(&self, found: &mut Found) {
        found.text("name", self.name.as_str());
        found.text("issuer", &self.issuer);
        found.text("client_id", &self.client_id);
        for scope in &self.scopes {
            found.text("scopes", scope);
        }
        for domain in &self.domains {
            found.text("domains", domain);
        }
        found.maybe("acr", self.acr.as_ref());
        found.maybe("role_claim", self.role_claim.as_ref());
        for word in self.claim_roles.keys() {
            found.text("claim_roles", word);
        }
    }
}

/// What shall become of what proves this server to a provider.
pub type SecretPatch = Patch<String>;

/// Where that is kept.
fn place_of(number: i64) -> String {
    format!("provider:{number}")
}

/// Sets up a provider.
///
/// # Errors
/// `Invalid`, also for an account that the caller may not do this in; `Forbidden` when its users
/// would get what the caller lacks; `WrongState` when the account has [`PROVIDERS_MAX`].
#[async_recursion]
pub async fn create(
    cx: &Cx,
    account: i64,
    patch: ProviderPatch,
    secret: SecretPatch,
) -> Result<Saved<Provider>, Failure> {
    let cx = &cx.in_space(DEPLOYMENT);
    spaces::account_named(cx, "account", account, Permission::ProviderWrite).await?;
    let needed = |name| move || Failure::invalid(name, Why::Required);
    let name = patch.name.clone().ok_or_else(needed("name"))?;
    let issuer = patch.issuer.clone().ok_or_else(needed("issuer"))?;
    let client_id = patch.client_id.clone().ok_or_else(needed("client_id"))?;
    cx.settle(|mut draft| async {
        let of_account = Filter::equal(Field::Column("account"), account);
        let count = cx.app.store.count(&PROVIDER, &[DEPLOYMENT], &of_account);
        if count.await.map_err(failure)? >= PROVIDERS_MAX as u64 {
            let (is, needs) = ("an account with 20 providers", "one of them to go");
            return Err(Failure::WrongState { is, needs });
        }
        let empty = Provider {
            number: cx.app.store.reserve("provider", 1).await.map_err(failure)?.start,
            uuid: new_uuid(),
            account,
            version: 1,
            name: name.clone(),
            issuer: issuer.clone(),
            client_id: client_id.clone(),
            confidential: false,
            scopes: ["email", "profile"].map(str::to_owned).to_vec(),
            domains: Vec::new(),
            create_users: false,
            link_by_email: false,
            default_role: None,
            role_claim: None,
            claim_roles: BTreeMap::new(),
            acr: None,
            active: true,
            created_at: cx.now,
            updated_at: cx.now,
            deleted_at: None,
        };
        let patch = ProviderPatch { confidential: says(&secret), ..patch.clone() };
        let (made, _) = empty.apply(patch, cx.now)?;
        may_give(cx, &mut draft, &made).await?;
        keep(cx, &mut draft, made.number, &secret).await?;
        draft.create(Provider { version: 1, ..made })
    })
    .await
}

/// A living provider of an account, which the caller may see.
///
/// # Errors
/// `NotFound`.
#[async_recursion]
pub async fn get(cx: &Cx, id: Id) -> Result<Loaded<Provider>, Failure> {
    let provider: Loaded<Provider> = record::load(cx, Look::at(id)).await?;
    let place = places::account(&cx.app, provider.account).await?;
    let may = cx.may_at(Permission::ProviderRead, &place);
    may.map_err(|_| Failure::NotFound { noun: Noun::Provider })?;
    Ok(provider)
}

/// A page of living providers.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn list(cx: &Cx, query: Query) -> Result<Page<Provider>, Failure> {
    page(cx, &Query { tenants: vec![DEPLOYMENT], ..query }).await
}

/// Providers that are looked at for an address.
const LOOKED_AT_MAX: u32 = 200;

/// A provider, as somebody is told who has not signed in yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Number.
    pub number: i64,
    /// What people call it.
    pub name: String,
}

/// The provider that speaks for the domain of an e-mail address: the oldest of them.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn of_address(cx: &Cx, address: &str) -> Result<Option<Offered>, Failure> {
    let limit = LOOKED_AT_MAX;
    let known = list(cx, Query { limit, ..Query::of(DEPLOYMENT) }).await?;
    let mut known = known.items.iter();
    let found = known.find(|one| one.is_in_use() && one.owns(address));
    Ok(found.map(|one| Offered { number: one.number, name: one.name.as_str().to_owned() }))
}

/// A changed provider.
///
/// # Errors
/// `NotFound`, `Stale`, `Invalid`; `Forbidden` when its users would get what the caller lacks.
#[async_recursion]
pub async fn update(
    cx: &Cx,
    id: Id,
    expect: Expect,
    patch: &ProviderPatch,
    secret: &SecretPatch,
) -> Result<Saved<Provider>, Failure> {
    let cx = &cx.in_space(DEPLOYMENT);
    cx.settle(|mut draft| async {
        let before = to_change(cx, id).await?;
        expect.check(before.version, before.revision)?;
        let patch = ProviderPatch { confidential: says(secret), ..patch.clone() };
        let (mut after, mut changes) = before.apply(patch, cx.now)?;
        if says(secret).unwrap_or(false) && !changes.contains(&"client_secret") {
            // Another one: what it says of itself is the same.
            if changes.is_empty() {
                after.version += 1;
                after.updated_at = cx.now.max(after.updated_at);
            }
            changes.push("client_secret");
        }
        may_give(cx, &mut draft, &after).await?;
        keep(cx, &mut draft, after.number, secret).await?;
        draft.change(&before, after, ProviderEvent::Updated, &changes)
    })
    .await
}

/// What proves this server to a provider.
///
/// # Errors
/// `Internal` when it cannot be opened.
pub(crate) async fn secret(app: &App, provider: &Provider) -> Result<Option<String>, Failure> {
    if !provider.confidential {
        return Ok(None);
    }
    match vault::open(app, &place_of(provider.number)).await? {
        Opened::Signing(bytes) => String::from_utf8(bytes).map(Some).map_err(Failure::internal),
        Opened::Hash(_) | Opened::Gone | Opened::Broken => {
            Err(Failure::internal(format!("the secret of provider {}", provider.number)))
        }
    }
}

/// Deletes a provider: nobody signs in by it any more.
///
/// # Errors
/// `NotFound`, `Forbidden`, `Stale`.
#[async_recursion]
pub async fn delete(cx: &Cx, id: Id, expect: Expect) -> Result<Saved<Provider>, Failure> {
    let cx = &cx.in_space(DEPLOYMENT);
    cx.settle(|mut draft| async {
        let before = to_change(cx, id).await?;
        expect.check(before.version, before.revision)?;
        vault::forget(cx, &mut draft, &place_of(before.number)).await?;
        let after = before.deleted(cx.now);
        draft.change(&before, after, ProviderEvent::Deleted, &["active"])
    })
    .await
}

async fn to_change(cx: &Cx, id: Id) -> Result<Loaded<Provider>, Failure> {
    let provider = get(cx, id).await?;
    let place = places::account(&cx.app, provider.account).await?;
    cx.may_at(Permission::ProviderWrite, &place)?;
    Ok(provider)
}

/// Whoever lets a provider bring users holds what these get, where they get it; nobody owns an
/// account because of what a provider claims.
async fn may_give(cx: &Cx, draft: &mut Draft<'_>, provider: &Provider) -> Result<(), Failure> {
    let account = provider.account;
    let path = places::path(&cx.app, account).await?;
    let default = provider.default_role.map(|role| ("default_role", role));
    let claimed = provider.claim_roles.values().map(|role| ("claim_roles", *role));
    for (member, number) in default.into_iter().chain(claimed) {
        let role = match roles::assignable(cx, number, &path).await {
            Err(Failure::Invalid(_)) => {
                return Err(Failure::invalid(member, Why::Unknown { what: "role" }));
            }
            found => found?,
        };
        role.assert(draft);
        let permissions = role.permissions();
        if member == "claim_roles" && permissions.has(Permission::AccessOwn) {
            let expected = "roles that do not own accounts";
            return Err(Failure::invalid(member, Why::Malformed { expected }));
        }
        let (space, subaccounts, second_factor) = (None, false, false);
        let given = Grant { account, space, subaccounts, permissions, second_factor };
        cx.may_give(&given, &path)?;
    }
    Ok(())
}

/// Whether a secret is kept from now on, where something is said about it.
fn says(secret: &SecretPatch) -> Option<bool> {
    match secret {
        Patch::Keep => None,
        Patch::Clear => Some(false),
        Patch::Set(_) => Some(true),
    }
}

async fn keep(
    cx: &Cx,
    draft: &mut Draft<'_>,
    number: i64,
    secret: &SecretPatch,
) -> Result<(), Failure> {
    match secret {
        Patch::Keep => Ok(()),
        Patch::Clear => vault::forget(cx, draft, &place_of(number)).await,
        Patch::Set(secret) => {
            let secret = NewSecret::Signing(secret.clone().into_bytes());
            vault::set(cx, draft, place_of(number), &secret).await
        }
    }
}
