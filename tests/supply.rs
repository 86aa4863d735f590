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
