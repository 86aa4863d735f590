//! The supply chain, without network: where dependencies come from and under which licences.

use std::process::Command;

use serde_json::Value;

/// Licences a dependency may have; an expression is fine when one of its alternatives is.
const LICENCES: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Unicode-3.0",
    "Zlib",
    "CC0-1.0",
    "0BSD",
    "BSL-1.0",
    "Unlicense",
    "MPL-2.0",
    "MIT-0",
    "CDLA-Permissive-2.0",
];

/// Crates that must not come in: what they would bring is decided against in `docs/design.md`.
const UNWANTED: &[&str] = &["openssl", "openssl-sys", "sqlx", "diesel", "sea-orm", "native-tls"];

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let used: Vec<&str> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["id"].as_str().unwrap())
        .collect();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages.filter(|p| used.contains(&p["id"].as_str().unwrap())).cloned().collect()
}

/// Whether an SPDX expression can be satisfied: any alternative of which every part is allowed.
fn is_allowed(expression: &str) -> bool {
    let plain = expression.replace(['(', ')'], "").replace('/', " OR ");
    plain
        .split(" OR ")
        .any(|alternative| alternative.split(" AND ").all(|part| LICENCES.contains(&part.trim())))
}

#[test]
fn every_dependency_is_from_the_registry_and_freely_licensed() {
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        assert!(!UNWANTED.contains(&name), "{name} must not come in");
        match package["source"].as_str() {
            None => assert!(name.starts_with("patron"), "{name} is not from the registry"),
            Some(source) => assert!(source.starts_with("registry+"), "{name}: {source}"),
        }
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(is_allowed(licence), "{name} is licensed {licence:?}");
    }
}

#[test]
fn expressions_are_read() {
    assert!(is_allowed("MIT OR GPL-3.0"));
    assert!(is_allowed("(MIT OR Apache-2.0) AND Unicode-3.0"));
    assert!(is_allowed("MIT/Apache-2.0"));
    assert!(!is_allowed("GPL-3.0"));
    assert!(!is_allowed("MIT AND GPL-3.0"));
}

#[test]
fn every_direct_dependency_is_explained() {
    let root = env!("CARGO_MANIFEST_DIR");
    let explained = std::fs::read_to_string(format!("{root}/docs/dependencies.md")).unwrap();
    for package in packages().iter().filter(|p| p["source"].is_null()) {
        for dependency in package["dependencies"].as_array().unwrap() {
            let name = dependency["name"].as_str().unwrap();
            let known = name.starts_with("patron") || explained.contains(&format!("`{name}`"));
            assert!(known, "docs/dependencies.md does not say why {name} is there");
        }
    }
}

// ---- advisories -----------------------------------------------------------------------------

/// Facts of the advisory database about our dependencies; `.ci/advisories` makes it anew.
const ADVISORIES: &str = include_str!("../.ci/advisories.tsv");
/// Age of the list, in days before the newest commit, at which its age is worth a warning.
const ADVISORIES_DAYS_MAX: i64 = 60;

/// Crates from the registry in a lock file, with their versions.
fn locked(lock: &str) -> Vec<(String, semver::Version)> {
    let lock: toml::Table = lock.parse().unwrap();
    let packages = lock["package"].as_array().unwrap().iter();
    let packages = packages.filter(|package| package.get("source").is_some());
    let text = |package: &toml::Value, name: &str| package[name].as_str().unwrap().to_owned();
    packages.map(|p| (text(p, "name"), text(p, "version").parse().unwrap())).collect()
}

/// Whether a version is in one of the ranges of a column.
fn is_in(ranges: &str, version: &semver::Version) -> bool {
    let ranges = ranges.split(" | ").filter(|range| *range != "-");
    ranges.map(|range| semver::VersionReq::parse(range).unwrap()).any(|r| r.matches(version))
}

/// What a table of advisories says against locked crates, as crate, version, id and kind; crates it
/// does not know come without id.
fn against(table: &str, locked: &[(String, semver::Version)]) -> Vec<[String; 4]> {
    let rows = table.lines().filter(|line| !line.starts_with('#'));
    let rows: Vec<Vec<&str>> = rows.map(|line| line.split('\t').collect()).collect();
    let mut found = Vec::new();
    for (name, version) in locked {
        let mut known = rows.iter().filter(|row| row[0] == name).peekable();
        if known.peek().is_none() {
            found.push([name.clone(), version.to_string(), String::new(), String::new()]);
        }
        for row in known.filter(|row| row[1] != "none") {
            let [_, id, _, kind, patched, unaffected] = row[..] else { panic!("{row:?}") };
            if !is_in(patched, version) && !is_in(unaffected, version) {
                found.push([name.clone(), version.to_string(), id.to_owned(), kind.to_owned()]);
            }
        }
    }
    found
}

#[test]
fn no_locked_version_has_a_known_weakness() {
    let explained = include_str!("../docs/dependencies.md");
    let mut faults = Vec::new();
    for lock in [include_str!("../Cargo.lock"), include_str!("../fuzz/Cargo.lock")] {
        for [name, version, id, kind] in against(ADVISORIES, &locked(lock)) {
            if id.is_empty() {
                faults.push(format!("{name} was not looked up: run .ci/advisories"));
            } else if kind == "vulnerability" || !explained.contains(&id) {
                faults.push(format!("{name} {version}: {id} ({kind}); docs/dependencies.md"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn advisories_are_compared_with_versions() {
    let table = "# c\na\tnone\nb\tR-1\t2020-01-01\tvulnerability\t>= 1.2.3, < 2.0.0 | 2.1.0\t< 1\n\
                 c\tR-2\t2020-01-01\tunmaintained\t-\t-";
    let found = |name: &str, version: &str| {
        let locked = [(name.to_owned(), version.parse().unwrap())];
        against(table, &locked).into_iter().map(|[_, _, id, _]| id).collect::<Vec<_>>().join(" ")
    };
    for fine in ["0.9.0", "1.2.3", "1.9.0", "2.1.1"] {
        assert!(against(table, &[("b".into(), fine.parse().unwrap())]).is_empty(), "{fine}");
    }
    for affected in ["1.0.0", "1.2.2", "2.0.0"] {
        assert_eq!(found("b", affected), "R-1", "{affected}");
    }
    assert_eq!(found("c", "9.0.0"), "R-2");
    assert!(against(table, &[("a".into(), "1.0.0".parse().unwrap())]).is_empty());
    let unknown = against(table, &[("d".into(), "1.0.0".parse().unwrap())]);
    assert!(unknown.len() == 1 && unknown[0][2].is_empty(), "{unknown:?}");
}

/// The date in a head line, as days.
fn days(date: &str) -> i64 {
    let date = patron_model::Timestamp::parse(&format!("{date}T00:00:00Z")).unwrap();
    date.micros() / (24 * 3600 * 1_000_000)
}

#[test]
fn the_advisories_say_where_they_are_from() {
    let head = |name: &str| {
        let line = ADVISORIES.lines().find_map(|line| line.strip_prefix(&format!("# {name}\t")));
        line.unwrap().to_owned()
    };
    assert_eq!(head("commit").len(), 40);
    let made = days(&head("date"));
    let mut git = Command::new("git");
    git.args(["log", "-1", "--format=%cs"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    // Sources without their history have no date to compare with.
    let Ok(said) = git.output() else { return };
    let newest = String::from_utf8(said.stdout).unwrap();
    if said.status.success() && days(newest.trim()) - made > ADVISORIES_DAYS_MAX {
        eprintln!("WARNING: .ci/advisories.tsv is of {}: run .ci/advisories", head("date"));
    }
}

// ---- the bill of materials ------------------------------------------------------------------

fn bill() -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut command = Command::new(format!("{root}/.ci/sbom"));
    let output = command.env("SOURCE_DATE_EPOCH", "1700000000").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Members of an object that CycloneDX 1.6 knows, as far as we write them, beside the required.
fn assert_members(object: &Value, required: &[&str], further: &[&str]) {
    let members: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    for name in required {
        assert!(members.contains(name), "{name} is missing in {object}");
    }
    for name in members {
        assert!(required.contains(&name) || further.contains(&name), "{name} in {object}");
    }
}

fn text<'v>(object: &'v Value, name: &str) -> &'v str {
    object[name].as_str().unwrap_or_else(|| panic!("{name} of {object}"))
}

#[test]
fn the_bill_of_materials_is_cyclonedx_and_the_same_each_time() {
    let printed = bill();
    assert_eq!(printed, bill());
    let bom: Value = serde_json::from_str(&printed).unwrap();
    let further = ["$schema", "serialNumber", "metadata", "components", "dependencies"];
    assert_members(&bom, &["bomFormat", "specVersion", "version"], &further);
    assert_eq!((text(&bom, "bomFormat"), text(&bom, "specVersion")), ("CycloneDX", "1.6"));
    assert_eq!(bom["version"], 1);
    let serial = text(&bom, "serialNumber").strip_prefix("urn:uuid:").unwrap();
    uuid::Uuid::parse_str(serial).unwrap();
    assert_eq!(text(&bom["metadata"], "timestamp"), "2023-11-14T22:13:20Z");
    let further = ["bom-ref", "version", "scope", "purl", "description", "licenses", "hashes"];
    let further = [further.as_slice(), &["externalReferences"]].concat();
    let components = bom["components"].as_array().unwrap();
    let program = &bom["metadata"]["component"];
    assert_eq!((text(program, "type"), text(program, "name")), ("application", "patron"));
    let mut references = std::collections::BTreeSet::new();
    for component in components.iter().chain([program]) {
        assert_members(component, &["type", "name"], &further);
        assert!(references.insert(text(component, "bom-ref")), "twice: {component}");
        let (name, version) = (text(component, "name"), text(component, "version"));
        assert_eq!(text(component, "purl"), format!("pkg:cargo/{name}@{version}"));
        let licences = component["licenses"].as_array().unwrap();
        assert!(licences.len() == 1 && is_allowed(text(&licences[0], "expression")), "{component}");
        for hash in component["hashes"].as_array().into_iter().flatten() {
            assert_eq!((text(hash, "alg"), text(hash, "content").len()), ("SHA-256", 64));
        }
    }
    let dependencies = bom["dependencies"].as_array().unwrap();
    assert_eq!(dependencies.len(), references.len());
    for dependency in dependencies {
        assert_members(dependency, &["ref"], &["dependsOn"]);
        assert!(references.contains(text(dependency, "ref")), "{dependency}");
        for on in dependency["dependsOn"].as_array().unwrap() {
            assert!(references.contains(on.as_str().unwrap()), "{on}");
        }
    }
}

#[test]
fn the_bill_of_materials_holds_what_is_built_in_and_nothing_else() {
    let bom: Value = serde_json::from_str(&bill()).unwrap();
    let components = bom["components"].as_array().unwrap();
    let locked = locked(include_str!("../Cargo.lock"));
    for component in components {
        let (name, version) = (text(component, "name"), text(component, "version"));
        let ours = name.starts_with("patron-");
        let known = locked.iter().any(|(n, v)| n == name && v.to_string() == version);
        assert!(ours != known, "{name} {version}");
        assert_eq!(component["hashes"].is_array(), known, "{name} has the hash of its package");
    }
    let holds = |name: &str| components.iter().any(|component| component["name"] == name);
    for name in ["rusqlite", "tokio", "rustls", "patron-native", "ring"] {
        assert!(holds(name), "{name} is built in");
    }
    for name in ["proptest", "patron-testkit", "rcgen", "windows-sys"] {
        assert!(!holds(name), "{name} is for tests or other systems");
    }
}
