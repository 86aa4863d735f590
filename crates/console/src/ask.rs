//! Questions that may hold what belongs to a person, sealed: an address can be shared and kept, and
//! names nobody.

use patron_app::App;
use patron_model::{Failure, Why};
use serde::{Deserialize, Serialize};

/// Longest sealed question that is opened (characters).
const SEALED_CHARS_MAX: usize = 6_000;

/// What a list of customers is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Words to search.
    #[serde(default)]
    pub q: String,
    /// Filters, in the words of the API: `email[prefix]` and its value.
    #[serde(default)]
    pub filters: Vec<(String, String)>,
}

impl Ask {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.q.is_empty() && self.filters.is_empty()
    }

    /// Sealed for a space; empty for no question.
    ///
    /// # Errors
    /// Only when the cipher refuses.
    pub fn sealed(&self, app: &App, space: i64) -> Result<String, Failure> {
        match self.is_empty() {
            true => Ok(String::new()),
            false => {
                let text = serde_json::to_string(self).map_err(Failure::internal)?;
                seal(app, space, "ask", &text)
            }
        }
    }

    /// Opens one.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn open(app: &App, space: i64, sealed: &str) -> Result<Ask, Failure> {
        if sealed.is_empty() {
            return Ok(Ask::default());
        }
        let text = open(app, space, "ask", sealed)?;
        serde_json::from_str(&text).map_err(Failure::internal)
    }
}

fn purpose(word: &str, space: i64) -> String {
    format!("console {word} {space}")
}

/// A text, sealed for one use in one space.
///
/// # Errors
/// Only when the cipher refuses.
pub fn seal(app: &App, space: i64, word: &str, text: &str) -> Result<String, Failure> {
    app.secrets.seal(&purpose(word, space), text.as_bytes())
}

/// Opens such a text.
///
/// # Errors
/// `Malformed` for whatever was not sealed for this.
pub fn open(app: &App, space: i64, word: &str, sealed: &str) -> Result<String, Failure> {
    let bad = || Failure::malformed("ask", Why::Malformed { expected: "a question of this space" });
    if sealed.len() > SEALED_CHARS_MAX {
        return Err(bad());
    }
    let opened = app.secrets.open(&purpose(word, space), sealed).map_err(|_| bad())?;
    String::from_utf8(opened).map_err(|_| bad())
}
