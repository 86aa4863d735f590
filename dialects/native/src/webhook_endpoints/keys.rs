//! The keys of a space that sign webhooks by `v1a`: `/v1/webhook-keys`.

use patron_app::webhooks::{Signer, secrets::OVERLAP_SECONDS, signers};
use patron_gateway::{Fields, Member, Reading, Reply, Request};
use patron_model::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::customers::{read, show::ListOut};

/// A key that signs webhooks.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookKey")]
pub struct KeyOut {
    /// UUID.
    id: uuid::Uuid,
    /// Number.
    number: i64,
    /// The public half: `whpk_` and 32 bytes in base64 (Ed25519).
    public_key: String,
    /// When it was made.
    #[schemars(extend("format" = "date-time"))]
    created_at: String,
    /// When it signs no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    expires_at: Option<String>,
}

/// How the keys are replaced.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "WebhookKeyInput")]
pub struct KeyIn {
    /// Seconds that the keys before go on signing beside it, at most 7 days; a day when absent.
    pub overlap_seconds: Member<i64>,
}

impl KeyOut {
    fn of(signer: &Signer) -> KeyOut {
        KeyOut {
            id: signer.uuid,
            number: signer.number,
            public_key: signer.shown(),
            created_at: signer.created_at.rfc3339_micros(),
            expires_at: signer.expires_at.map(|at| at.rfc3339_micros()),
        }
    }
}

/// Those that sign, newest first.
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let all = signers::list(&request.cx).await?;
    let data: Vec<KeyOut> = all.iter().map(|signer| KeyOut::of(signer)).collect();
    Reply::json(200, &ListOut { data, has_more: false, next_cursor: None, total: None })
}

/// A new key beside those before.
pub async fn rotate(request: Request) -> Result<Reply, Failure> {
    let (body, fields) = match request.body.is_empty() {
        true => (KeyIn::default(), Fields::new(Reading::NullClears)),
        false => read::body(&request, Reading::NullClears)?,
    };
    fields.finish()?;
    let overlap = body.overlap_seconds.value().unwrap_or(OVERLAP_SECONDS);
    let signer = signers::rotate(&request.cx, overlap).await?;
    Reply::json(201, &KeyOut::of(&signer))
}
