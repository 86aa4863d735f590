//! House rules that no compiler checks, read from the sources of the whole workspace: widths and
//! lengths, left-over markers, names, layers, documents. Lists of exceptions may only shrink: an
//! entry that is no longer needed is a fault as well.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

#[path = "tidy/code.rs"]
mod code;
#[path = "tidy/connections.rs"]
mod connections;
#[path = "tidy/exceptions.rs"]
mod exceptions;
#[path = "tidy/plan.rs"]
mod plan;
#[path = "tidy/secrets.rs"]
mod secrets;

use code::{code_of, functions, shipped, words};
use exceptions::{LONG_FILES, LONG_FUNCTIONS, WIDE_LINES};

/// Columns of a line of Rust.
const COLUMNS_MAX: usize = 100;
/// Lines of a function, signature and closing brace included.
const FUNCTION_LINES_MAX: usize = 70;
/// Lines of a file.
const FILE_LINES_MAX: usize = 500;

/// Parts of names that say nothing, beside the word [`NO_NOUN`].
const BANNED: &[&str] = &["_manager", "_helper", "_util"];
const NO_NOUN: &str = concat!("mi", "sc");
/// Crates of others whose names are what they are.
const FOREIGN: &[&str] = &["futures_util", "http_body_util", "hyper_util", "key_utils"];
/// What must not be left behind; spelled so that this file does not hold it.
const MARKERS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("dbg", "!("),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
];
const UNWRAP: &str = concat!(".unwrap", "()");

// ---- the sources ----------------------------------------------------------------------------

/// A file of Rust.
struct Source {
    /// Path from the root of the workspace, with slashes.
    path: String,
    /// What stands in it.
    text: String,
    /// The same without comments and quoted texts; lines stay lines.
    code: String,
}

impl Source {
    /// Whether it is only built for tests.
    fn is_test(&self) -> bool {
        let is_kit = self.path.starts_with("crates/testkit/");
        is_kit || self.path.contains("tests/") || self.path.ends_with("tests.rs")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let mut files = Vec::new();
    for folder in ["benches", "crates", "dialects", "fuzz", "src", "tests"] {
        collect(&root().join(folder), "rs", &mut files);
    }
    let read = |file: PathBuf| {
        let text = std::fs::read_to_string(&file).expect("a source that can be read");
        Source { path: shown(&file), code: code_of(&text), text }
    };
    files.into_iter().map(read).collect()
});

fn shown(file: &Path) -> String {
    file.strip_prefix(root()).unwrap_or(file).display().to_string()
}

/// Files with an extension, folders of others' work left out, in the order of their names.
fn collect(folder: &Path, extension: &str, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !name.starts_with('.') && !["target", "node_modules"].contains(&name) {
                collect(&path, extension, files);
            }
        } else if path.extension().is_some_and(|known| known == extension) {
            files.push(path);
        }
    }
}

// ---- measuring ------------------------------------------------------------------------------

/// What exceeds a limit beyond its exception, and exceptions that are not needed.
fn over(
    limit: usize,
    measured: &BTreeMap<String, usize>,
    exceptions: &[(&str, usize)],
) -> Vec<String> {
    let allowed = |name: &str| exceptions.iter().find(|(known, _)| *known == name).map(|e| e.1);
    let mut faults = Vec::new();
    for (name, count) in measured {
        let most = allowed(name).unwrap_or(limit);
        if *count > most {
            faults.push(format!("(\"{name}\", {count}): at most {most}"));
        }
    }
    for (name, _) in exceptions {
        if measured.get(*name).copied().unwrap_or(0) <= limit {
            faults.push(format!("{name}: needs its exception no longer, remove the entry"));
        }
    }
    faults
}

#[track_caller]
fn none(rule: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{rule}\n  {}\n{} faults", faults.join("\n  "), faults.len());
}

#[test]
fn lines_are_at_most_100_columns_wide() {
    let mut measured = BTreeMap::new();
    for Source { path, text, .. } in SOURCES.iter() {
        let wide = text.lines().filter(|line| line.chars().count() > COLUMNS_MAX).count();
        measured.insert(path.clone(), wide);
    }
    none(
        "Break lines at 100 columns; files and their wide lines:",
        &over(0, &measured, WIDE_LINES),
    );
}

#[test]
fn functions_are_at_most_70_lines_long() {
    let mut measured: BTreeMap<String, usize> = BTreeMap::new();
    for Source { path, code, .. } in SOURCES.iter() {
        for (name, lines) in functions(code) {
            let longest = measured.entry(format!("{path}::{name}")).or_default();
            *longest = lines.max(*longest);
        }
    }
    let faults = over(FUNCTION_LINES_MAX, &measured, LONG_FUNCTIONS);
    none("Split functions of more than 70 lines:", &faults);
}

#[test]
fn files_are_at_most_500_lines_long() {
    let lines = |source: &Source| (source.path.clone(), source.text.lines().count());
    let measured = SOURCES.iter().map(lines).collect();
    none("Split files of more than 500 lines:", &over(FILE_LINES_MAX, &measured, LONG_FILES));
}

// ---- what must not be there -----------------------------------------------------------------

#[test]
fn nothing_is_left_behind() {
    let mut faults = Vec::new();
    for Source { path, text, .. } in SOURCES.iter() {
        for (i, line) in text.lines().enumerate() {
            let marks = MARKERS.iter().filter(|mark| line.contains(**mark));
            faults.extend(marks.map(|mark| format!("{path}:{}: {mark}", i + 1)));
        }
    }
    none("Do it, or write an issue:", &faults);
}

fn says_nothing(word: &str) -> bool {
    !FOREIGN.contains(&word)
        && (BANNED.iter().any(|part| word.contains(part)) || word.split('_').any(|w| w == NO_NOUN))
}

#[test]
fn names_say_something() {
    let mut faults = Vec::new();
    for Source { path, code, .. } in SOURCES.iter() {
        let poor = words(code).filter(|(_, word)| says_nothing(word));
        faults.extend(poor.map(|(line, word)| format!("{path}:{line}: {word}")));
    }
    none("Name what it is, not that it helps:", &faults);
}

#[test]
fn unwrap_stays_in_tests() {
    let mut faults = Vec::new();
    for source in SOURCES.iter().filter(|source| !source.is_test()) {
        for (i, line) in shipped(&source.code).lines().enumerate() {
            if line.contains(UNWRAP) {
                faults.push(format!("{}:{}", source.path, i + 1));
            }
        }
    }
    none("Handle it, or say with expect(\"…\") why it cannot happen:", &faults);
}

#[test]
fn modules_begin_by_saying_what_they_are_for() {
    let is_bare = |s: &&Source| {
        (s.path.starts_with("src/") || s.path.contains("/src/")) && !s.text.starts_with("//!")
    };
    let bare = SOURCES.iter().filter(is_bare).map(|s| s.path.clone());
    let bare: Vec<String> = bare.collect();
    none("Begin these files with //! and their purpose:", &bare);
}

// ---- layers and dialects --------------------------------------------------------------------

/// Folders in `dialects/`, which are the dialects' names.
fn dialects() -> Vec<String> {
    let entries = std::fs::read_dir(root().join("dialects")).expect("a folder of dialects");
    let folders = entries.flatten().filter(|entry| entry.path().is_dir());
    let mut names: Vec<_> = folders.map(|f| f.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Which of our packages a package may be built with; `None`: any. docs/architecture.md says why.
fn layer(package: &str) -> Option<&'static [&'static str]> {
    match package {
        "patron" | "patron-bench" | "patron-testkit" => None,
        "patron-model" | "patron-store" | "patron-outbound" => Some(&[]),
        "patron-signin" => Some(&["patron-outbound"]),
        "patron-app" => Some(&["patron-model", "patron-store", "patron-signin"]),
        "patron-delivery" => Some(&["patron-app", "patron-model", "patron-outbound"]),
        "patron-mails" | "patron-sinks" => Some(&["patron-app", "patron-model"]),
        "patron-gateway" => Some(&["patron-app", "patron-model"]),
        _ => Some(&["patron-gateway", "patron-app", "patron-model"]),
    }
}

/// Asks every API from outside, and is no part of the kit.
const MEASURES: &str = "crates/bench/";

fn is_allowed(package: &str, on: &str) -> bool {
    // Nothing is built with what is for tests or for measuring, but that what measures starts
    // servers as tests do.
    if ["patron-testkit", "patron-bench"].contains(&on) {
        return (package, on) == ("patron-bench", "patron-testkit");
    }
    layer(package).is_none_or(|known| known.contains(&on))
}

#[test]
fn layers_only_know_those_below() {
    let done = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo metadata");
    let why = String::from_utf8_lossy(&done.stderr);
    let metadata: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{why}"));
    let mut faults = Vec::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("a name");
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let on = dependency["name"].as_str().expect("a name");
            let ours = on == "patron" || on.starts_with("patron-");
            // `null` is an ordinary dependency; those of tests may be anything.
            if ours && dependency["kind"] != "dev" && !is_allowed(name, on) {
                faults.push(format!("{name} may not be built with {on}"));
            }
        }
    }
    none("Move the code, not the rule (docs/architecture.md):", &faults);
}

#[test]
fn the_kit_knows_no_dialect() {
    let names: Vec<String> = dialects().into_iter().filter(|name| name != "native").collect();
    let mut faults = Vec::new();
    let is_kit = |s: &&Source| s.path.starts_with("crates/") && !s.path.starts_with(MEASURES);
    for Source { path, text, .. } in SOURCES.iter().filter(is_kit) {
        for (i, line) in text.to_lowercase().lines().enumerate() {
            let named = names.iter().filter(|name| line.contains(name.as_str()));
            faults.extend(named.map(|name| format!("{path}:{}: {name}", i + 1)));
        }
    }
    none("What one dialect needs belongs in its folder:", &faults);
}

/// Places where a dialect says itself where something is kept, in a line of code.
fn kept(code: &str) -> usize {
    let made = ["Number", "Uuid", "Column", "Text", "text", "Whole", "Decimal", "First"];
    let is_field = |before: &str| {
        before.strip_suffix("Field").is_some_and(|rest| !rest.ends_with(char::is_alphanumeric))
    };
    let mut pieces = code.split("::").peekable();
    let mut count = 0;
    while let (Some(before), Some(after)) = (pieces.next(), pieces.peek()) {
        let is_made = made.iter().any(|name| {
            let rest = after.strip_prefix(name);
            rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        });
        count += usize::from(is_field(before) && is_made);
    }
    count
}

#[test]
fn dialects_do_not_say_where_fields_are_kept() {
    let mut faults = Vec::new();
    let is_shipped = |s: &&Source| s.path.starts_with("dialects/") && !s.is_test();
    for Source { path, code, .. } in SOURCES.iter().filter(is_shipped) {
        let lines = code.lines().enumerate().filter(|(_, line)| kept(line) > 0);
        faults.extend(lines.map(|(i, _)| format!("{path}:{}", i + 1)));
    }
    none("Name it in crates/app/src/search/fields.rs:", &faults);
}

#[test]
fn every_dialect_is_served() {
    let list = std::fs::read_to_string(root().join("src/dialects.rs")).expect("the list");
    let is_missing = |name: &String| !code_of(&list).contains(&format!("patron_{name}::DIALECT"));
    let missing: Vec<String> = dialects().into_iter().filter(is_missing).collect();
    none("Add these folders of dialects/ to src/dialects.rs:", &missing);
}

// ---- documents ------------------------------------------------------------------------------

/// Titles of a Markdown text; lines of code blocks are none.
fn titles(text: &str) -> usize {
    let mut in_code = false;
    let mut count = 0;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code && line.starts_with("# ") {
            count += 1;
        }
    }
    count
}

#[test]
fn documents_have_one_title() {
    let mut files = Vec::new();
    collect(root(), "md", &mut files);
    let mut faults = Vec::new();
    for file in files {
        let count = titles(&std::fs::read_to_string(&file).expect("a document"));
        if count != 1 {
            faults.push(format!("{}: {count}", shown(&file)));
        }
    }
    none("A document has exactly one line that begins with `# `:", &faults);
}

/// Tests that docs/security.md names, as crate or dialect, file and function.
fn named_tests(text: &str) -> impl Iterator<Item = [&str; 3]> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter_map(|words| words.split("::").collect::<Vec<_>>().try_into().ok())
}

fn is_there([home, file, function]: [&str; 3]) -> bool {
    let name = format!("{file}.rs");
    SOURCES.iter().any(|source| {
        let path = Path::new(&source.path);
        let is_home = source.path.contains(&format!("/{home}/"))
            || (home == "patron" && source.path.starts_with("src/"))
            || (home == "patron" && source.path.starts_with("tests/"));
        let is_file = path.file_name().is_some_and(|known| known == name.as_str());
        let is_here = |(known, _): &(String, usize)| known == function;
        is_home && is_file && functions(&source.code).iter().any(is_here)
    })
}

#[test]
fn proofs_of_security_exist() {
    let text = std::fs::read_to_string(root().join("docs/security.md")).expect("the document");
    let missing = named_tests(&text).filter(|test| !is_there(*test));
    let missing: Vec<String> = missing.map(|test| test.join("::")).collect();
    none("docs/security.md names tests that are not there (write **open** instead):", &missing);
}

// ---- the rules themselves -------------------------------------------------------------------

#[test]
fn exceptions_may_only_shrink() {
    let measured = BTreeMap::from([("a".to_owned(), 7), ("b".to_owned(), 5), ("c".to_owned(), 9)]);
    assert!(over(5, &measured, &[("a", 7), ("c", 10)]).is_empty());
    assert_eq!(over(5, &measured, &[("a", 6), ("c", 9)]), ["(\"a\", 7): at most 6"]);
    let stale = over(5, &measured, &[("a", 7), ("b", 6), ("c", 9), ("d", 9)]);
    assert_eq!(stale.len(), 2, "{stale:?}");
}

#[test]
fn layers_titles_and_names_are_told_apart() {
    assert!(
        is_allowed("patron-app", "patron-store") && !is_allowed("patron-store", "patron-model")
    );
    assert!(!is_allowed("patron-one", "patron-store") && !is_allowed("patron-one", "patron-two"));
    assert!(is_allowed("patron", "patron-one") && !is_allowed("patron", "patron-testkit"));
    assert!(is_allowed("patron-bench", "patron-testkit"));
    assert!(!is_allowed("patron-bench", "patron-bench") && !is_allowed("patron", "patron-bench"));
    assert_eq!(titles("# a\n## b\n```sh\n# c\n```\n# d"), 2);
    assert_eq!(named_tests("`a::b::c`, `d`, `e::f`").collect::<Vec<_>>(), [["a", "b", "c"]]);
    assert!(says_nothing(NO_NOUN) && says_nothing(concat!("task_man", "ager")));
    assert_eq!(kept("f(Field::text(&[a])).and(search::Field::Number)"), 2);
    assert_eq!(kept("TextField::Number, Field::textual, Field::clone, x: Field"), 0);
    assert!(!says_nothing("hyper_util") && !says_nothing("promiscuous"));
}

/// What `./test` runs on one engine only must not be able to choose one.
#[test]
fn what_runs_once_reaches_no_engine_that_can_be_chosen() {
    const CHOOSES: &[&str] = &["TestServer", "Engine::", "imports::Place", "postgres::"];
    let once = std::fs::read_to_string(root().join("tests/one_engine.txt")).unwrap();
    for module in once.lines().filter(|line| !line.starts_with('#')) {
        let is_of = |source: &&Source| {
            source.path == format!("tests/{module}.rs")
                || source.path.starts_with(&format!("tests/{module}/"))
        };
        let mut files = SOURCES.iter().filter(is_of).peekable();
        assert!(files.peek().is_some(), "tests/one_engine.txt names {module}, which is not there");
        for file in files {
            let chosen = CHOOSES.iter().find(|word| file.code.contains(**word));
            assert!(chosen.is_none(), "{}: {chosen:?}", file.path);
        }
        let elsewhere = format!("/tests/{module}.rs");
        let namesake = SOURCES.iter().find(|source| source.path.ends_with(&elsewhere));
        assert!(namesake.is_none(), "{}: it would not run on PostgreSQL", namesake.unwrap().path);
    }
}
