//! Deployments of before there were data keys: what did their work was derived from the master key,
//! and secrets stood in the documents of keys and in the journal. They are moved at the first
//! start.

use std::sync::Arc;

use patron_model::{
    Failure,
    event::KeyEvent,
    space::{Key, Secret},
};
use patron_store::{Doc, Store};

use crate::{
    App, Cx,
    documents::{DEPLOYMENT, KEY},
    keyring::{Keyring, page},
    record::{Id, Loaded, Look, decode, row},
    vault,
};

/// The secret in a key's document, where deployments of before kept it.
fn secret_before(doc: &Doc) -> Option<Secret> {
    let mut doc: serde_json::Value = serde_json::from_str(&doc.json().ok()?).ok()?;
    serde_json::from_value(doc.get_mut("secret")?.take()).ok()
}

/// What keys of before are sealed with: purpose and text of each; none when there are no such keys.
pub(crate) async fn sealed_before(store: &Store) -> Result<Option<Vec<(String, String)>>, Failure> {
    let mut sealed = None;
    let mut last = 0;
    loop {
        let rows = page(store, &KEY, last).await?;
        let Some(row) = rows.last() else { return Ok(sealed) };
        last = row.number;
        for row in rows {
            let Some(secret) = secret_before(&row.doc) else { continue };
            let sealed = sealed.get_or_insert_with(Vec::new);
            if let Secret::Sealed(text) = secret {
                sealed.push((decode::<Key>(&row)?.record.dialect, text));
            }
        }
    }
}

impl App {
    /// Takes the secrets of a deployment of before out of the documents of keys and out of the
    /// journal, and seals them anew. Whoever is killed at it goes on at the next start.
    pub(crate) async fn move_secrets(self: &Arc<Self>) -> Result<(), Failure> {
        self.move_each_secret().await?;
        if let Err(error) = self.store.compact().await {
            tracing::warn!(%error, "free parts of the data may still hold secrets as they were");
        }
        self.change_keyring(|_, ring| {
            if !ring.is_of_before() {
                return Ok(None);
            }
            let ring = ring.ended();
            let slots = Keyring::slots(&ring, &[&self.master.key()])?;
            Ok(Some((ring, slots)))
        })
        .await
    }

    async fn move_each_secret(self: &Arc<Self>) -> Result<(), Failure> {
        let cx = self.operator(DEPLOYMENT, "migration");
        let mut last = 0;
        loop {
            let rows = page(&self.store, &KEY, last).await?;
            let Some(end) = rows.last() else { return Ok(()) };
            last = end.number;
            for row in rows.iter().filter(|row| secret_before(&row.doc).is_some()) {
                move_secret(&cx, row.number).await?;
            }
        }
    }
}

async fn move_secret(cx: &Cx, number: i64) -> Result<(), Failure> {
    cx.write(|mut draft| async {
        let row = row::<Key>(cx, Look::at(Id::Number(number))).await?;
        let Some(secret) = secret_before(&row.doc) else { return Ok((draft, ())) };
        let before: Loaded<Key> = decode(&row)?;
        draft.forget(&before.record);
        draft.replace(&before, &before.record, KeyEvent::Updated, &["secret"])?;
        if before.revoked_at.is_none() {
            let place = vault::of_key(number);
            vault::adopt(cx, &mut draft, place, secret, &before.dialect).await?;
        }
        Ok((draft, ()))
    })
    .await
}
