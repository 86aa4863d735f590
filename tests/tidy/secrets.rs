//! Secrets, digests and signatures are compared by `secrets::same` and what is built on it, nowhere
//! by an operator that stops at the first difference.

use super::{SOURCES, Source, code_of, dialects, none, shipped, words};

/// Parts of names that say: this is a secret, or was computed from one.
const SECRET_PARTS: [&str; 8] =
    ["secret", "signature", "digest", "hmac", "mac", "password", "passphrase", "hashed"];
/// Whole names that say it.
const SECRET_NAMES: [&str; 5] = ["merchant_key", "api_key", "master_key", "grant", "private_key"];
/// Calls whose answer is one.
const PRODUCERS: [&str; 8] = [
    "hmac_sha256(",
    "sha256_hex(",
    "signing_secret(",
    ".sign(",
    ".with_path(",
    ".without_path(",
    "hash_password(",
    "digest(",
];
/// Ways to compare that may stop early.
const COMPARISONS: [&str; 9] = [
    "==",
    "!=",
    ".eq(",
    ".ne(",
    ".cmp(",
    ".starts_with(",
    ".ends_with(",
    ".eq_ignore_ascii_case(",
    "matches!(",
];
/// Ways to compare that do not.
const CONSTANT_TIME: [&str; 4] = ["same(", "is_signed(", "has_secret(", "has_secret_hash("];
/// What may be asked of a secret: nothing of its content.
const HARMLESS: [&str; 2] = [".len(", ".is_empty("];

/// Names that are given to the answers of [`PRODUCERS`].
fn produced(code: &str) -> Vec<&str> {
    let statements = code.split(';').filter_map(|s| s.rsplit_once("let ").map(|(_, s)| s));
    let secret = statements.filter(|s| PRODUCERS.iter().any(|call| s.contains(call)));
    secret.filter_map(|s| words(s).next().map(|(_, name)| name)).collect()
}

/// Comparisons in code that has neither comments nor quotes, with what makes each suspicious.
fn suspicious(code: &str) -> Vec<(usize, String)> {
    let produced = produced(code);
    // A broken line begins with its operator.
    let joined = code.replace("\n", " \n");
    let mut found = Vec::new();
    let mut before = "";
    for (n, line) in joined.lines().enumerate() {
        let continues = COMPARISONS[..2].iter().any(|op| line.trim_start().starts_with(op));
        let text = if continues { format!("{before} {line}") } else { line.to_owned() };
        before = line;
        for part in parts(&text) {
            if COMPARISONS.iter().any(|comparison| part.contains(comparison)) {
                let name = words(part).map(|(_, name)| name).find(|name| {
                    let is_harmless =
                        HARMLESS.iter().any(|call| part.contains(&format!("{name}{call}")));
                    (is_secret(name) || produced.contains(name)) && !is_harmless
                });
                found.extend(name.map(|name| (n + 1, name.to_owned())));
            }
        }
    }
    found
}

/// Parts of a line that are conditions of their own.
fn parts(line: &str) -> Vec<&str> {
    line.split("&&").flat_map(|p| p.split("||")).flat_map(|p| p.split([';', '{', '}'])).collect()
}

fn is_secret(name: &str) -> bool {
    let lower = name.to_lowercase();
    let is_constant = name == name.to_uppercase();
    !is_constant
        && (SECRET_NAMES.contains(&lower.as_str())
            || lower.split('_').any(|part| SECRET_PARTS.contains(&part)))
}

fn guarded(source: &&Source) -> bool {
    let is_ours = ["dialects/", "crates/app/", "crates/gateway/", "crates/model/", "src/"]
        .iter()
        .any(|folder| source.path.starts_with(folder));
    is_ours && !source.is_test()
}

#[test]
fn secrets_are_compared_in_constant_time() {
    let mut faults = Vec::new();
    for source in SOURCES.iter().filter(guarded) {
        let found = suspicious(&shipped(&source.code));
        faults.extend(found.iter().map(|(line, name)| format!("{}:{line}: {name}", source.path)));
    }
    none("Compare with patron_app::secrets::same or what is built on it:", &faults);
}

#[test]
fn one_place_knows_how() {
    let elsewhere = SOURCES.iter().filter(guarded).filter(|source| {
        let code = shipped(&source.code);
        let is_used = words(&code).any(|(_, word)| word == "subtle" || word == "ct_eq");
        is_used && source.path != "crates/app/src/secrets.rs"
    });
    let elsewhere: Vec<String> = elsewhere.map(|source| source.path.clone()).collect();
    none("Use patron_app::secrets::same:", &elsewhere);
    let mut faults = Vec::new();
    for dialect in dialects() {
        let folder = format!("dialects/{dialect}/src/");
        let mut code = SOURCES.iter().filter(|s| s.path.starts_with(&folder)).map(|s| &s.code);
        if !code.any(|code| CONSTANT_TIME.iter().any(|call| shipped(code).contains(call))) {
            faults.push(format!("{dialect}: how does it compare secrets?"));
        }
    }
    none("Every API compares secrets in constant time:", &faults);
}

#[test]
fn early_comparisons_are_found() {
    let found = |text: &str| suspicious(&code_of(text)).len();
    assert_eq!(found("if sent_digest == computed { x }"), 1);
    assert_eq!(found("let expected = hmac_sha256(key, text); if sent != expected {}"), 1);
    assert_eq!(found("if a.signature\n    != b {}"), 1);
    assert_eq!(found("token.eq_ignore_ascii_case(&caller.secret)"), 1);
    assert_eq!(found("if secret.len() != 32 && version == 1 {}"), 0);
    assert_eq!(found("if !same(&expected, &sent) && digest_is(x) {}"), 0);
    assert_eq!(found("// signature == x\nlet t = \"secret == \";"), 0);
    assert_eq!(found("let wrong = digest(a); if b == 2 {}"), 0);
}
