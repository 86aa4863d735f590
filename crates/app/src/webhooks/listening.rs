//! Somebody who is told what happens in the words of an API without an endpoint that is kept: what
//! `patron listen` brings to a program on a developer's machine.

use async_recursion::async_recursion;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use patron_model::{Failure, Identity, webhook::Endpoint};
use patron_store::Entry;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    EventType, note,
    notifier::{Headers, Notifier, SignsWith, Subscription},
    secrets::{Held, Keys, Signing},
    space_keys, telling,
};
use crate::{Cx, documents::CUSTOMER, secrets::hmac_sha256};

/// Bytes that follow from the caller's key and the space: they stay the same, and nobody else can
/// know them.
pub type Seed = [u8; 32];

/// As what an API tells whoever listens.
#[derive(Debug, Default)]
pub struct Listening {
    /// The endpoints he stands for.
    pub standing: Vec<Standing>,
    /// What signs beside the key of the space, and how people are shown it.
    pub secret: Option<(Signing, String)>,
}

/// An endpoint that is not there.
#[derive(Debug, Default)]
pub struct Standing {
    /// What it asks for; none: everything that the caller may see.
    pub types: Vec<EventType>,
    /// What its API would keep of it besides.
    pub own: Map<String, Value>,
}

/// Who listens, with what signs.
pub struct Listener {
    keys: Keys,
    shown: Option<String>,
    standing: Vec<(bool, Subscription)>,
}

/// A request as it would be posted.
#[derive(Debug)]
pub struct Request {
    /// Its headers.
    pub headers: Headers,
    /// Its body.
    pub body: Vec<u8>,
}

impl Listener {
    /// Begins to listen. `token`: what the caller proves himself with. A space that has no key yet
    /// gets one, where the API signs with that.
    ///
    /// # Errors
    /// Whatever the store says.
    #[async_recursion]
    pub async fn begin(
        cx: &Cx,
        notifier: &'static Notifier,
        token: &str,
    ) -> Result<Listener, Failure> {
        let about = format!("{} webhooks of space {}", notifier.dialect, cx.space);
        let seed: Seed = hmac_sha256(token.as_bytes(), about.as_bytes());
        let Listening { standing, secret } = (notifier.listens)(cx, &seed)?;
        let (signing, shown) = secret.unzip();
        let space = match notifier.signs_with {
            SignsWith::Space => Some(space_keys::ensured(cx).await?),
            SignsWith::Own | SignsWith::Key => None,
        };
        let nobody = Identity { number: 0, uuid: Uuid::nil() };
        let blank = Endpoint::blank(nobody, cx.space, notifier.dialect, cx.now);
        let secrets: Vec<_> = signing.iter().map(|secret| note(1, secret, cx.now)).collect();
        let stands = |one: Standing| {
            let takes_all = one.types.is_empty();
            let endpoint = Endpoint {
                types: one.types,
                own: one.own,
                secrets: secrets.clone(),
                ..blank.clone()
            };
            (takes_all, Subscription { endpoint, notifier })
        };
        let standing = standing.into_iter().map(stands).collect();
        let held = Held {
            secrets: signing.iter().map(|secret| (1, BASE64.encode(secret.bytes()))).collect(),
            ..Held::default()
        };
        let keys = Keys::listening(held, signing.as_ref(), space);
        Ok(Listener { keys, shown, standing })
    }

    /// The secret, as people are shown it.
    pub fn secret(&self) -> Option<&str> {
        self.shown.as_deref()
    }

    /// The id of the key of the space that signs.
    pub fn key(&self) -> Option<Uuid> {
        self.keys.space().map(|key| key.id)
    }

    /// What would be posted of an entry now; nothing where it may not be seen.
    ///
    /// # Errors
    /// Whatever the store says.
    #[async_recursion]
    pub async fn requests(&self, cx: &Cx, entry: &Entry) -> Result<Vec<Request>, Failure> {
        let (id, mut requests) = (telling::id_of(entry), Vec::new());
        for (takes_all, known) in &self.standing {
            let endpoint = Endpoint { sees: cx.rights, ..known.endpoint.clone() };
            let subscription = Subscription { endpoint, notifier: known.notifier };
            if !takes_all && !telling::is_wanted(&subscription, entry) {
                continue;
            }
            for body in telling::bodies(&cx.app, &subscription, entry, 0).await? {
                let headers = self.keys.headers(&subscription, &id, cx.now, &body)?;
                requests.push(Request { headers, body });
            }
        }
        if !requests.is_empty() && entry.kind == CUSTOMER.name {
            cx.saw(entry.tenant, entry.number);
        }
        Ok(requests)
    }
}
