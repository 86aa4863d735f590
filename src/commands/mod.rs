//! Commands of the operator, one file each.

pub mod audit;
pub mod backup;
pub mod config;
pub mod doctor;
pub mod events;
pub mod export;
pub mod import;
pub mod key;
pub mod listen;
pub mod manual;
pub mod reindex;
mod remote;
pub mod restore;
pub mod rotate;
pub mod sign;
pub mod space;
mod sse;
pub mod user;
pub mod webhook;

use anyhow::anyhow;
use patron_model::Failure;

/// A failure of a use case in words for the terminal.
pub fn explain(failure: &Failure) -> anyhow::Error {
    match failure {
        Failure::Invalid(problems) | Failure::Malformed(problems) => {
            let lines: Vec<String> =
                problems.iter().map(|p| format!("{}: {}", p.field, p.why)).collect();
            anyhow!("{}", lines.join("; "))
        }
        Failure::NotFound { noun } => anyhow!("there is no such {}", noun.as_str()),
        Failure::Exists { noun, field, holder } => {
            let noun = noun.as_str();
            let which = holder.map(|holder| format!(": {noun} {}", holder.number));
            anyhow!("another {noun} has this {field}{}", which.unwrap_or_default())
        }
        Failure::WrongState { is, needs } => anyhow!("it is {is}, and would have to be {needs}"),
        Failure::Beyond { head } => anyhow!("the journal ends at {head}"),
        Failure::Internal(report) => anyhow!("{}", report.details),
        other => anyhow!("{}", other.name()),
    }
}
