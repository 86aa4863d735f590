//! How people sign in.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use patron_app::{App, sign_in::look_at_breached};
use serde::{Deserialize, Serialize};

/// How people sign in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct AuthSettings {
    /// File of breached passwords that nobody may take; empty: none.
    pub breached_passwords: PathBuf,
}

impl AuthSettings {
    /// Tells an app what these say.
    ///
    /// # Errors
    /// When the file of breached passwords cannot be read, or is none.
    pub fn tell(&self, app: &App) -> Result<()> {
        let file = &self.breached_passwords;
        if file.as_os_str().is_empty() {
            return Ok(());
        }
        look_at_breached(file)
            .with_context(|| format!("auth.breached_passwords: {}", file.display()))?;
        app.refuses_passwords_in(file.clone());
        Ok(())
    }
}
