//! What a PostgreSQL URL says beside what the client library knows; the words are taken out. Of
//! TLS, named and meant as libpq does: `sslmode`, `sslrootcert`, `sslcert`, `sslkey`. Of the
//! session: `target_session_attrs` as in libpq, and `pgbouncer`, as other clients call it.

use std::path::PathBuf;

use tokio_postgres::config::SslMode as Attempt;

use crate::StoreError;

/// The word that names the system's certificates instead of a file.
const SYSTEM: &str = "system";

/// How much safety a connection must have; the words are libpq's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SslMode {
    /// No TLS.
    Disable,
    /// TLS where the server refuses without.
    Allow,
    /// TLS where the server has it.
    Prefer,
    /// TLS; the certificate is verified where roots are named.
    Require,
    /// And the certificate is signed by one of the roots.
    VerifyCa,
    /// And it names the host.
    VerifyFull,
}

const MODES: [(&str, SslMode); 6] = [
    ("disable", SslMode::Disable),
    ("allow", SslMode::Allow),
    ("prefer", SslMode::Prefer),
    ("require", SslMode::Require),
    ("verify-ca", SslMode::VerifyCa),
    ("verify-full", SslMode::VerifyFull),
];

impl SslMode {
    fn parse(word: &str) -> Result<SslMode, StoreError> {
        let known = MODES.iter().find(|(known, _)| *known == word);
        known.map(|(_, mode)| *mode).ok_or_else(|| {
            refused("sslmode must be disable, allow, prefer, require, verify-ca or verify-full")
        })
    }

    pub(super) fn word(self) -> &'static str {
        MODES.iter().find(|(_, mode)| *mode == self).map_or("", |(word, _)| word)
    }

    /// What is tried, in turn.
    pub(super) fn attempts(self) -> &'static [Attempt] {
        match self {
            SslMode::Disable => &[Attempt::Disable],
            SslMode::Allow => &[Attempt::Disable, Attempt::Require],
            SslMode::Prefer => &[Attempt::Prefer, Attempt::Disable],
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => &[Attempt::Require],
        }
    }
}

/// Who may have signed the server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Roots {
    /// Whoever the system trusts.
    System,
    /// Whoever stands in this file.
    File(PathBuf),
}

/// What a URL says about TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) mode: SslMode,
    pub(super) roots: Option<Roots>,
    /// Files of our own certificate and its key.
    pub(super) client: Option<(PathBuf, PathBuf)>,
    /// Whether a session must take writes; `None` when nothing is said.
    pub(super) writes: Option<bool>,
    /// Whether a pooler gives each transaction another session; `None` when nothing is said.
    pub(super) pooled: Option<bool>,
}

fn refused(why: &str) -> StoreError {
    StoreError::Engine(format!("PostgreSQL: {why}"))
}

/// What a URL says in words that the client library does not know, and the URL without them.
pub(super) fn split(url: &str) -> Result<(String, Parameters), StoreError> {
    // A password may hold a question mark; what stands before the first @ is not looked at.
    let from = url.find('@').unwrap_or(0);
    let (head, query) = match url[from..].find('?') {
        Some(at) => (&url[..from + at], &url[from + at + 1..]),
        None => (url, ""),
    };
    let [mut mode, mut roots, mut certificate, mut key] = [const { None::<String> }; 4];
    let [mut session, mut pooler] = [const { None::<String> }; 2];
    let mut kept = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let place = match name {
            "sslmode" => &mut mode,
            "sslrootcert" => &mut roots,
            "sslcert" => &mut certificate,
            "sslkey" => &mut key,
            "target_session_attrs" => &mut session,
            "pgbouncer" => &mut pooler,
            // As other drivers write sslmode=require; so does libpq understand it.
            "ssl" if value == "true" => {
                mode = Some(SslMode::Require.word().to_owned());
                continue;
            }
            _ => {
                kept.push(pair);
                continue;
            }
        };
        let value = percent_encoding::percent_decode_str(value).decode_utf8();
        let value = value.map_err(|_| refused(&format!("{name} is not UTF-8")))?;
        *place = Some(value.into_owned()).filter(|value| !value.is_empty());
    }
    let mut parameters = parameters(mode, roots, certificate, key)?;
    parameters.writes = session.map(|word| must_write(&word)).transpose()?;
    parameters.pooled = pooler.map(|word| is_pooled(&word)).transpose()?;
    let question = if kept.is_empty() { "" } else { "?" };
    Ok((format!("{head}{question}{}", kept.join("&")), parameters))
}

fn parameters(
    mode: Option<String>,
    roots: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
) -> Result<Parameters, StoreError> {
    let mode = mode.map(|word| SslMode::parse(&word)).transpose()?;
    let roots = roots.map(|roots| match roots.as_str() {
        SYSTEM => Roots::System,
        _ => Roots::File(roots.into()),
    });
    let usual = if roots == Some(Roots::System) { SslMode::VerifyFull } else { SslMode::Prefer };
    let mode = mode.unwrap_or(usual);
    if roots == Some(Roots::System) && mode < SslMode::VerifyFull {
        // Anybody can get a certificate that the system trusts, for a name of his own.
        let word = mode.word();
        return Err(refused(&format!(
            "sslmode={word} may not be used with sslrootcert=system: use sslmode=verify-full"
        )));
    }
    if roots.is_none() && mode >= SslMode::VerifyCa {
        return Err(refused(&format!(
            "sslmode={} needs sslrootcert=FILE (certificates of those who may sign the server's, \
             PEM) or sslrootcert=system",
            mode.word()
        )));
    }
    let client = match (certificate, key) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
        (Some(_), None) => return Err(refused("sslcert needs sslkey=FILE, its private key")),
        (None, Some(_)) => return Err(refused("sslkey needs sslcert=FILE, its certificate")),
    };
    Ok(Parameters { mode, roots, client, writes: None, pooled: None })
}

/// Whether a word of `target_session_attrs` asks for a session that takes writes.
fn must_write(word: &str) -> Result<bool, StoreError> {
    match word {
        "any" => Ok(false),
        "read-write" | "primary" => Ok(true),
        "read-only" | "standby" | "prefer-standby" => Err(refused(
            "Patron writes, so target_session_attrs must be read-write, primary or any",
        )),
        _ => Err(refused("target_session_attrs must be read-write, primary or any")),
    }
}

fn is_pooled(word: &str) -> Result<bool, StoreError> {
    word.parse().map_err(|_| refused("pgbouncer must be true or false"))
}

impl Parameters {
    /// Whether somebody checks who answers.
    pub(super) fn verifies(&self) -> bool {
        self.roots.is_some() && self.mode >= SslMode::Require
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str) -> Result<Parameters, String> {
        split(&format!("postgres://u@h/d?{query}")).map(|(_, p)| p).map_err(|e| e.to_string())
    }

    #[test]
    fn words_are_taken_out_of_the_url_and_nothing_else() {
        let (url, parameters) = split(
            "postgres://u:a?sslmode=disable@h:5/d?connect_timeout=3&sslmode=verify-full\
             &sslrootcert=%2Fetc%2Fa%20b+.pem&options=-c%20x",
        )
        .expect("understood");
        assert_eq!(url, "postgres://u:a?sslmode=disable@h:5/d?connect_timeout=3&options=-c%20x");
        assert_eq!(parameters.mode, SslMode::VerifyFull);
        assert_eq!(parameters.roots, Some(Roots::File("/etc/a b+.pem".into())));
        let (url, parameters) = split("postgres://h/d?sslmode=allow").expect("understood");
        assert_eq!((url.as_str(), parameters.mode), ("postgres://h/d", SslMode::Allow));
        assert_eq!(of("").map(|p| p.mode), Ok(SslMode::Prefer));
        assert_eq!(of("ssl=true").map(|p| p.mode), Ok(SslMode::Require));
        assert_eq!(of("sslrootcert=system").map(|p| p.mode), Ok(SslMode::VerifyFull));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_mends_it() {
        for (query, mend) in [
            ("sslmode=verify_full", "verify-full"),
            ("sslmode=verify-full", "sslrootcert=FILE"),
            ("sslmode=verify-ca", "sslrootcert=system"),
            ("sslmode=require&sslrootcert=system", "use sslmode=verify-full"),
            ("sslcert=a", "sslkey=FILE"),
            ("sslkey=a", "sslcert=FILE"),
            ("target_session_attrs=standby", "read-write, primary or any"),
            ("target_session_attrs=master", "read-write, primary or any"),
            ("pgbouncer=yes", "true or false"),
        ] {
            let said = of(query).expect_err(query);
            assert!(said.contains(mend), "{query}: {said}");
        }
    }

    #[test]
    fn the_session_is_what_libpq_calls_it() {
        let writes = |query: &str| of(query).expect("understood").writes;
        assert_eq!(writes("target_session_attrs=primary"), Some(true));
        assert_eq!(writes("target_session_attrs=read-write"), Some(true));
        assert_eq!(writes("target_session_attrs=any"), Some(false));
        assert_eq!(writes(""), None);
        assert_eq!(of("pgbouncer=true").expect("understood").pooled, Some(true));
    }

    #[test]
    fn roots_with_require_are_used() {
        assert!(of("sslmode=require&sslrootcert=a").expect("understood").verifies());
        assert!(!of("sslmode=require").expect("understood").verifies());
    }
}
