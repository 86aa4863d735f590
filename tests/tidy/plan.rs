//! One floor plan for all dialects: who has read one finds everything in the next. A name means the
//! same in each of them, and one that is not on these lists is a decision. docs/architecture.md
//! says what belongs where.

use std::collections::BTreeSet;

use super::{SOURCES, dialects, none};

/// What every dialect has in `src`.
const NEEDED: &[&str] =
    &["auth", "claimed", "credentials", "customers", "errors", "lib", "operations"];
/// Nouns: a file, or a folder of [`ROOMS`].
const NOUNS: &[&str] = &[
    "accounts",
    "addresses",
    "assignments",
    "audit_log",
    "catalogues",
    "comments",
    "customers",
    "events",
    "keys",
    "mails",
    "passkeys",
    "payment_methods",
    "permissions",
    "providers",
    "records",
    "roles",
    "spaces",
    "tokens",
    "users",
    "webhook_deliveries",
    "webhook_endpoints",
];
/// What a dialect may have beside its nouns.
const COMMON: &[&str] = &["envelopes", "filters", "input", "limits", "lists", "query", "settings"];
/// What the folder of a noun holds.
const ROOMS: &[&str] = &["mod", "wire", "read", "show", "handlers", "fields", "notify", "shape"];
/// What one dialect alone has. A line is added only for what no other API could have.
const OWN: &[&str] = &[
    "monri/auth/borders",
    "monri/auth/digest",
    "monri/auth/mod",
    "native/conditions",
    "native/customers/bulk",
    "native/customers/json_patch",
    "native/customers/past",
    "native/customers/rows",
    "native/customers/status",
    "native/events/delivery",
    "native/events/stream",
    "native/held",
    "native/links",
    "native/me",
    "native/oidc",
    "native/operations/admin",
    "native/operations/mod",
    "native/operations/people",
    "native/operations/sign_in",
    "native/operations/webhooks",
    "native/second_factor",
    "native/sessions",
    "native/sign_in",
    "native/statistics",
    "native/webhook_endpoints/keys",
    "native/webhook_endpoints/replays",
    "native/webhook_endpoints/types",
    "native/words",
    "notchpay/catalogues/data",
    "notchpay/customers/addresses",
    "notchpay/customers/phones",
    "notchpay/envelopes/mod",
    "notchpay/envelopes/schemas",
    "notchpay/ids",
    "notchpay/js",
    "payabli/customers/consent",
    "payabli/customers/exports",
    "payabli/customers/identifiers",
    "payabli/customers/imports",
    "payabli/customers/statistics",
    "verifone/query/mod",
    "verifone/query/tests",
    "wallee/addresses/postal",
    "wallee/customers/bulk",
    "wallee/exports",
    "wallee/families",
    "wallee/table",
    "wallee/tables",
    "wallee/transport",
    "payabli/webhook_endpoints/logs",
    "wallee/webhook_endpoints/bulk",
    "wallee/webhook_endpoints/entities",
];
/// Modules that the program, its tests or fuzzing name; all others are private.
const PUBLIC: &[&str] = &[
    "native/audit_log",
    "native/spaces",
    "notchpay/auth",
    "notchpay/ids",
    "verifone/query",
    "wallee/families",
    "wallee/query",
    "wallee/tables",
];

/// What every dialect has in `tests`; `place` is a server with its keys.
const TESTS_NEEDED: &[&str] =
    &["auth", "coverage", "customers", "errors", "golden", "lists", "main", "place"];
/// What tests of several dialects are called beside the names of nouns.
const TESTS_COMMON: &[&str] = &["exports", "filters", "sdk", "translation"];
/// Tests of what one dialect alone has.
const TESTS_OWN: &[&str] = &[
    "monri/vectors",
    "native/admin",
    "native/bulk",
    "native/concurrency",
    "native/hanging",
    "native/idempotency",
    "native/links",
    "native/notices",
    "native/offboarding",
    "native/past",
    "native/second_factor",
    "native/sign_in",
    "native/status",
    "notchpay/blocking",
    "notchpay/public_keys",
    "payabli/identifiers",
    "wallee/bulk",
    "wallee/places",
    "wallee/transport",
];

/// Files under `dialects/<name>/<part>` as `<name>/<rest without .rs>`.
fn files(part: &str) -> BTreeSet<String> {
    let of = |path: &str| {
        let (dialect, rest) = path.strip_prefix("dialects/")?.split_once('/')?;
        let rest = rest.strip_prefix(part)?.strip_prefix('/')?.strip_suffix(".rs")?;
        Some(format!("{dialect}/{rest}"))
    };
    SOURCES.iter().filter_map(|source| of(&source.path)).collect()
}

/// Whether a file of `src`, named from its dialect on, has a place in the plan.
fn is_planned(rest: &str) -> bool {
    match rest.split_once('/') {
        None => [NEEDED, NOUNS, COMMON].iter().any(|known| known.contains(&rest)),
        Some((noun, room)) => NOUNS.contains(&noun) && ROOMS.contains(&room),
    }
}

fn is_planned_test(rest: &str) -> bool {
    [TESTS_NEEDED, TESTS_COMMON, NOUNS].iter().any(|known| known.contains(&rest))
}

/// Files beyond the plan that no list names, and lines that name nothing.
fn beyond(files: &BTreeSet<String>, is_planned: fn(&str) -> bool, own: &[&str]) -> Vec<String> {
    let rest = |file: &str| file.split_once('/').map_or(String::new(), |(_, rest)| rest.into());
    let strange = files.iter().filter(|f| !is_planned(&rest(f)) && !own.contains(&f.as_str()));
    let strange = strange.map(|file| format!("{file}: has no place in the plan"));
    let stale = own.iter().filter(|line| !files.contains(**line) || is_planned(&rest(line)));
    strange.chain(stale.map(|line| format!("{line}: remove the line"))).collect()
}

/// What a dialect lacks, as a file or as a folder.
fn lacking(part: &str, needed: &[&str], files: &BTreeSet<String>) -> Vec<String> {
    let mut faults = Vec::new();
    for dialect in dialects() {
        for name in needed {
            let (file, folder) = (format!("{dialect}/{name}"), format!("{dialect}/{name}/mod"));
            let entry = format!("{dialect}/{part}/{name}");
            let is_there = files.contains(&file) || files.contains(&folder);
            if !is_there {
                faults.push(format!("{entry}: every dialect has one"));
            }
        }
    }
    faults
}

#[test]
fn every_dialect_has_the_same_rooms() {
    let (sources, tests) = (files("src"), files("tests"));
    assert!(sources.len() > 50 && tests.len() > 40, "the dialects were found");
    let mut faults = beyond(&sources, is_planned, OWN);
    faults.extend(beyond(&tests, is_planned_test, TESTS_OWN));
    faults.extend(lacking("src", NEEDED, &sources));
    faults.extend(lacking("tests", TESTS_NEEDED, &tests));
    none("Keep to the plan of docs/architecture.md, or add what no other API could have:", &faults);
}

#[test]
fn modules_of_dialects_are_private() {
    let mut open = BTreeSet::new();
    for source in SOURCES.iter() {
        let Some(path) = source.path.strip_prefix("dialects/") else { continue };
        let Some(dialect) = path.strip_suffix("/src/lib.rs") else { continue };
        let public = source.code.lines().filter_map(|line| line.strip_prefix("pub mod "));
        open.extend(public.map(|name| format!("{dialect}/{}", name.trim_end_matches(';'))));
    }
    let known: BTreeSet<String> = PUBLIC.iter().map(|name| (*name).to_owned()).collect();
    let faults: Vec<String> = open.symmetric_difference(&known).cloned().collect();
    none("Only what is named outside the dialect is public, and stands on the list:", &faults);
}

/// In a private module both say the same, and the shorter one is said.
#[test]
fn what_private_modules_share_is_pub() {
    let mut faults = Vec::new();
    for source in SOURCES.iter() {
        let Some(path) = source.path.strip_prefix("dialects/") else { continue };
        let file = path.replacen("/src/", "/", 1);
        let is_open = PUBLIC.iter().any(|open| file.starts_with(*open));
        if is_open || file.ends_with("/lib.rs") || source.is_test() {
            continue;
        }
        let lines = source.code.lines().enumerate();
        let said = lines.filter(|(_, line)| line.contains("pub(crate) "));
        faults.extend(said.map(|(at, _)| format!("{}:{}", source.path, at + 1)));
    }
    none("Write pub: the module is private.", &faults);
}

#[test]
fn names_beyond_the_plan_are_found() {
    let files: BTreeSet<String> = ["a/auth", "a/customers/read", "a/body", "a/customers/body"]
        .iter()
        .map(|file| (*file).to_owned())
        .collect();
    let faults = beyond(&files, is_planned, &["a/body", "a/gone"]);
    assert_eq!(faults, ["a/customers/body: has no place in the plan", "a/gone: remove the line"]);
    assert!(is_planned_test("payment_methods") && !is_planned_test("failures"));
}

#[test]
fn the_guide_to_a_dialect_follows_the_plan() {
    let guide = include_str!("../../docs/adding-a-dialect.md");
    let list = guide.split("## A whole one").next().unwrap_or_default();
    // A noun is what the dialect makes of it, and `main.rs` what Cargo does.
    let files =
        NEEDED.iter().chain(TESTS_NEEDED).filter(|name| !["customers", "main"].contains(name));
    let unsaid = files.filter(|name| !list.contains(&format!("`{name}.rs`")));
    let unsaid: Vec<String> = unsaid.map(|name| format!("{name}.rs")).collect();
    none("docs/adding-a-dialect.md does not say what belongs in:", &unsaid);
}
