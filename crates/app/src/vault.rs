//! Secrets that must be kept: the secret halves of keys. They stand in records of their own, never
//! in the journal, so that ending one ends all copies and sealing them anew reaches them all.

use async_recursion::async_recursion;
use patron_model::{Failure, event::UntoldEvent, space::Secret};
use patron_store::{Column, Index, Kind, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    App, Cx,
    commit::Draft,
    documents::{DEPLOYMENT, Document, named},
    failure,
    ids::new_uuid,
    keyring::Keyring,
    keys::NewSecret,
    record::{Loaded, decode},
    secrets::{Unopened, sha256_hex},
};

/// Secrets.
pub static SECRET: Kind = Kind {
    name: "secret",
    columns: &[Column::text("place", Index::UniqueEverywhere)],
    terms: false,
};

/// A secret and whose it is.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Kept {
    number: i64,
    uuid: Uuid,
    place: String,
    pub(crate) value: Secret,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kept({}, …)", self.place)
    }
}

impl Document for Kept {
    named!(SECRET, Key, UntoldEvent, in_deployment);
    const JOURNALED: bool = false;

    fn columns(&self) -> Vec<Value> {
        vec![self.place.as_str().into()]
    }

    fn search_cards(&self, _: &mut patron_model::card::Found) {
        // Made by the server itself.
    }
}

/// A secret that was opened.
#[derive(Default)]
pub(crate) enum Opened {
    /// Its hash: enough to recognise it.
    Hash(String),
    /// The secret itself: it signs.
    Signing(Vec<u8>),
    /// There is none any more.
    #[default]
    Gone,
    /// It cannot be opened.
    Broken,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opened(…)")
    }
}

/// Where the secret of a key is.
pub(crate) fn of_key(number: i64) -> String {
    format!("key:{number}")
}

/// What is kept at a place.
pub(crate) async fn find(app: &App, place: &str) -> Result<Option<Loaded<Kept>>, Failure> {
    let row = app.store.get_by(&SECRET, DEPLOYMENT, "place", place).await.map_err(failure)?;
    row.map(|row| decode(&row)).transpose()
}

/// The records of the secrets of these keys, and of the data keys they are sealed with: kind and
/// number.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn records_of(app: &App, keys: &[i64]) -> Result<Vec<(&'static str, i64)>, Failure> {
    let mut records = vec![(Keyring::KIND.name, Keyring::NUMBER)];
    for key in keys {
        let kept = find(app, &of_key(*key)).await?;
        records.extend(kept.map(|kept| (SECRET.name, kept.number)));
    }
    Ok(records)
}

/// Notes a secret in a draft. A draft that raced a change of the data keys is refused like one that
/// raced another writer, and then it is sealed with the newest of them.
pub(crate) async fn put(
    cx: &Cx,
    draft: &mut Draft<'_>,
    place: String,
    secret: &NewSecret,
) -> Result<(), Failure> {
    let value = sealed(cx, draft, &place, secret).await?;
    insert(cx, draft, place, value).await
}

/// The same in place of what is kept there, if anything is.
pub(crate) async fn set(
    cx: &Cx,
    draft: &mut Draft<'_>,
    place: String,
    secret: &NewSecret,
) -> Result<(), Failure> {
    let value = sealed(cx, draft, &place, secret).await?;
    match find(&cx.app, &place).await? {
        Some(kept) => draft.replace(&kept, &kept.with_value(value), UntoldEvent::Updated, &[]),
        None => insert(cx, draft, place, value).await,
    }
}

/// Notes that nothing is kept at a place any more.
pub(crate) async fn forget(cx: &Cx, draft: &mut Draft<'_>, place: &str) -> Result<(), Failure> {
    if let Some(kept) = find(&cx.app, place).await? {
        draft.remove(&kept);
    }
    Ok(())
}

/// A secret as it is kept at a place; what the draft must assert for it is noted.
pub(crate) async fn sealed(
    cx: &Cx,
    draft: &mut Draft<'_>,
    place: &str,
    secret: &NewSecret,
) -> Result<Secret, Failure> {
    match secret {
        NewSecret::Bearer(secret) => Ok(Secret::Hashed(sha256_hex(secret))),
        NewSecret::Signing(secret) => {
            if draft.is_again() {
                cx.app.refresh_keyring().await?;
            }
            // Before sealing: newer keys than these must refuse the draft.
            draft.assert_revision::<Keyring>(Keyring::NUMBER, cx.app.secrets.revision());
            Ok(Secret::Sealed(cx.app.secrets.seal(place, secret)?))
        }
    }
}

async fn insert(
    cx: &Cx,
    draft: &mut Draft<'_>,
    place: String,
    value: Secret,
) -> Result<(), Failure> {
    let number = cx.app.store.reserve("secret", 1).await.map_err(failure)?.start;
    draft.insert(&Kept { number, uuid: new_uuid(), place, value })
}

/// Moves a secret that a deployment of before kept elsewhere, sealed for another purpose.
pub(crate) async fn adopt(
    cx: &Cx,
    draft: &mut Draft<'_>,
    place: String,
    value: Secret,
    purpose: &str,
) -> Result<(), Failure> {
    let value = match value {
        Secret::Hashed(hash) => Secret::Hashed(hash),
        Secret::Sealed(sealed) => match cx.app.secrets.open(purpose, &sealed) {
            Ok(secret) => return put(cx, draft, place, &NewSecret::Signing(secret)).await,
            Err(_) => {
                tracing::error!(place, "the secret of {place} was damaged and is given up");
                return Ok(());
            }
        },
    };
    insert(cx, draft, place, value).await
}

/// Opens what is kept at a place.
pub(crate) async fn open(app: &App, place: &str) -> Result<Opened, Failure> {
    let Some(kept) = find(app, place).await? else { return Ok(Opened::Gone) };
    let sealed = match &kept.value {
        Secret::Hashed(hash) => return Ok(Opened::Hash(hash.clone())),
        Secret::Sealed(sealed) => sealed,
    };
    let mut opened = app.secrets.open(place, sealed);
    if opened == Err(Unopened::UnknownKey) {
        app.refresh_keyring().await?;
        opened = app.secrets.open(place, sealed);
    }
    Ok(opened.map_or(Opened::Broken, Opened::Signing))
}

impl Kept {
    /// The same sealed with the key that seals now; none when it is already, or is not sealed.
    pub(crate) fn resealed(&self, app: &App) -> Result<Option<Kept>, Failure> {
        let Secret::Sealed(sealed) = &self.value else { return Ok(None) };
        if app.secrets.is_newest(sealed) {
            return Ok(None);
        }
        let secret = app.secrets.open(&self.place, sealed).map_err(|_| {
            Failure::internal(format!("the secret of {} cannot be opened", self.place))
        })?;
        let value = Secret::Sealed(app.secrets.seal(&self.place, &secret)?);
        Ok(Some(Kept { value, ..self.clone() }))
    }

    /// Whether it opens.
    pub(crate) fn opens(&self, app: &App) -> bool {
        match &self.value {
            Secret::Hashed(_) => true,
            Secret::Sealed(sealed) => app.secrets.open(&self.place, sealed).is_ok(),
        }
    }

    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// The same place with another secret.
    pub(crate) fn with_value(&self, value: Secret) -> Kept {
        Kept { value, ..self.clone() }
    }
}
