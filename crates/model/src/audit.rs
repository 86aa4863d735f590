//! Entries of the audit trail: who was let in or refused, and who changed what about access. An
//! entry names what changed and never holds a value.

use uuid::Uuid;

use crate::{Timestamp, card::contains_number};

/// Most characters of a client's own description that are kept.
const AGENT_CHARS_MAX: usize = 200;

/// One entry of the audit trail. Written once, never changed.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct AuditEntry {
    /// Number, unique among audit entries.
    pub number: i64,
    /// UUID.
    pub uuid: Uuid,
    /// When.
    pub at: Timestamp,
    /// The account it belongs to and that may read it; none: the deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<i64>,
    /// The space it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<i64>,
    /// Who.
    pub actor: AuditActor,
    /// By which API; `command` for the command line.
    pub via: String,
    /// Noun and what happened, in past tense: `key.created`, `sign_in.refused`.
    pub action: String,
    /// Whether it was done.
    pub outcome: AuditOutcome,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The operation that was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// What it was done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<AuditTarget>,
    /// Names of what changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
    /// How often, where equal ones were folded into this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Address of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What the client calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Id of the request; the command on the command line.
    pub request: String,
    /// What went with a space that was deleted for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
}

/// Who did something.
#[derive(
    Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AuditActor {
    /// The holder of a key.
    Key {
        /// Number of the key.
        number: i64,
    },
    /// A person who signed in, or proved otherwise who they are.
    User {
        /// Number of the person.
        number: i64,
    },
    /// The operator of the machine.
    Operator {
        /// Login name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// Somebody who did not prove who they are.
    Stranger {
        /// Number of the key they claimed to hold, or of the person they claimed to be, where that
        /// exists.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<i64>,
        /// Keyed hash of what they claimed: the same for the same claim, and of no other use.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claimed: Option<String>,
    },
}

impl AuditActor {
    /// As filters name it: `key:12`, `user:7`, `operator:root`, `stranger`.
    pub fn word(&self) -> String {
        match self {
            AuditActor::Key { number } => format!("key:{number}"),
            AuditActor::User { number } => format!("user:{number}"),
            AuditActor::Operator { name: Some(name) } => format!("operator:{name}"),
            AuditActor::Operator { name: None } => "operator".to_owned(),
            AuditActor::Stranger { .. } => "stranger".to_owned(),
        }
    }
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    /// It was done.
    Done,
    /// It was refused.
    Refused,
}

impl AuditOutcome {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            AuditOutcome::Done => "done",
            AuditOutcome::Refused => "refused",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<AuditOutcome> {
        [AuditOutcome::Done, AuditOutcome::Refused].into_iter().find(|o| o.as_str() == word)
    }
}

/// What something was done to: one record, or several.
#[derive(
    Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
pub struct AuditTarget {
    /// Its noun.
    pub noun: String,
    /// Its number, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
    /// Their numbers, where they are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<i64>,
}

/// What went when a space was deleted for good. Holds no personal data.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Receipt {
    /// Rows by kind, counted when the deletion began.
    pub counts: std::collections::BTreeMap<String, u64>,
    /// Keys that opened this space only.
    pub keys: u64,
    /// When the deletion began: from here on nothing answered.
    pub deleted_at: Timestamp,
    /// When nothing was left.
    pub purged_at: Timestamp,
    /// SHA-256 of the export that was taken before, where one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export_sha256: Option<String>,
}

/// What a client calls itself, as far as it is kept: cut, without control characters, and not at
/// all when it holds a card number.
pub fn kept_agent(sent: &str) -> Option<String> {
    let plain = sent.chars().filter(|c| !c.is_control()).take(AGENT_CHARS_MAX);
    let kept: String = plain.collect();
    (!kept.is_empty() && !contains_number(sent) && !contains_number(&kept)).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_cut_and_hold_no_card() {
        assert_eq!(kept_agent("curl/8\u{7}.5").as_deref(), Some("curl/8.5"));
        assert_eq!(kept_agent(""), None);
        assert_eq!(kept_agent("bot 4111 1111 1111 1111"), None);
        assert_eq!(kept_agent(&"x".repeat(1_000)).map(|kept| kept.len()), Some(AGENT_CHARS_MAX));
    }

    #[test]
    fn actors_have_words() {
        let named = AuditActor::Operator { name: Some("root".into()) };
        assert_eq!(AuditActor::Key { number: 7 }.word(), "key:7");
        assert_eq!(named.word(), "operator:root");
        let json = serde_json::to_value(&named).expect("JSON");
        assert_eq!(json, serde_json::json!({"kind": "operator", "name": "root"}));
    }
}
