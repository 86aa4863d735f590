//! The audit trail.

use anyhow::{Result, ensure};
use patron_app::audit::KEEP_DAYS_MIN;
use serde::{Deserialize, Serialize};

/// Days that entries of the audit trail are kept at most: a hundred years.
const KEEP_DAYS_MAX: i64 = 36_525;

/// The audit trail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditSettings {
    /// Days that entries are kept.
    pub keep_days: i64,
}

impl Default for AuditSettings {
    fn default() -> Self {
        AuditSettings { keep_days: KEEP_DAYS_MIN }
    }
}

impl AuditSettings {
    /// # Errors
    /// When entries would be kept too short, or longer than anybody counts.
    pub(super) fn check(&self) -> Result<()> {
        let is_kept = (KEEP_DAYS_MIN..=KEEP_DAYS_MAX).contains(&self.keep_days);
        ensure!(is_kept, "audit.keep_days must be {KEEP_DAYS_MIN} to {KEEP_DAYS_MAX}");
        Ok(())
    }
}
