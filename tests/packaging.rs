//! What comes along for those who run Patron as a service.

use std::path::Path;
use std::process::Command;

use crate::program::{patron, succeed};

const UNIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/patron.service");
/// Exposure that `systemd-analyze security` may find at most, in tenths: 0 is none, 100 all.
const EXPOSURE_MAX: &str = "20";

#[test]
fn the_systemd_unit_gives_the_program_no_more_than_it_needs() {
    let mut analyze = Command::new("systemd-analyze");
    analyze.args(["security", "--no-pager", "--offline=true", "--threshold", EXPOSURE_MAX, UNIT]);
    succeed(&mut analyze);
}

#[test]
fn the_systemd_unit_starts_the_program_with_switches_it_has() {
    let unit = std::fs::read_to_string(UNIT).unwrap();
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let mut words = start.split_whitespace().skip(1);
    assert_eq!(words.next(), Some("serve"));
    let help = succeed(patron().args(["serve", "--help"]));
    let mut switches = words.filter(|word| word.starts_with("--")).peekable();
    assert!(switches.peek().is_some());
    for switch in switches {
        assert!(help.contains(switch), "{switch}");
    }
}

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn file(name: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(name)).unwrap()
}

/// A package is built from a program that is there, unpacked into a folder, and runs from it.
#[test]
fn the_debian_package_brings_everything_and_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (out, root) = (folder.path().join("out"), folder.path().join("root"));
    let mut deb = Command::new(Path::new(ROOT).join("packaging/deb"));
    // What is tested is what is in it, not how small it is.
    deb.env("PATRON_DEB_COMPRESSION", "none").arg(env!("CARGO_BIN_EXE_patron")).arg(&out);
    succeed(&mut deb);
    let package = std::fs::read_dir(&out).unwrap().next().unwrap().unwrap().path();
    let told = succeed(Command::new("dpkg-deb").arg("--info").arg(&package));
    assert!(told.contains(&format!("Version: {}", env!("CARGO_PKG_VERSION"))), "{told}");
    assert!(told.contains("Depends: libc6 (>= ") && told.contains("conffiles"), "{told}");
    let control = folder.path().join("control");
    succeed(Command::new("dpkg-deb").arg("--control").arg(&package).arg(&control));
    for script in ["postinst", "prerm", "postrm"] {
        succeed(Command::new("sh").arg("-n").arg(control.join(script)));
    }
    succeed(Command::new("dpkg-deb").arg("--extract").arg(&package).arg(&root));
    let said = succeed(Command::new(root.join("usr/bin/patron")).arg("--version"));
    assert!(said.contains(env!("CARGO_PKG_VERSION")), "{said}");
    let settings = root.join("etc/patron/patron.toml");
    succeed(
        Command::new(root.join("usr/bin/patron"))
            .args(["config", "check", "--config"])
            .arg(&settings),
    );
    let unit = std::fs::read_to_string(root.join("lib/systemd/system/patron.service")).unwrap();
    assert!(unit.contains("\nExecStart=/usr/bin/patron serve "), "{unit}");
    assert!(!unit.contains("/usr/local"), "{unit}");
    let users = root.join("usr/lib/sysusers.d/patron.conf");
    succeed(Command::new("systemd-sysusers").arg("--root").arg(&root).arg(&users));
    let users = std::fs::read_to_string(root.join("etc/passwd")).unwrap();
    assert!(users.contains("patron:") && unit.contains("\nUser=patron\n"), "{users}");
}

/// `NAME: value` or `NAME=value` of settings, wherever in a file.
fn settings(text: &str) -> Vec<(String, String)> {
    let lines = text
        .lines()
        .map(|line| line.trim().trim_start_matches("ENV ").trim_end_matches('\\').trim());
    let found = lines.filter(|line| line.starts_with("PATRON__")).filter_map(|line| {
        let (name, value) = line.split_once(": ").or_else(|| line.split_once('='))?;
        Some((name.to_owned(), value.trim_matches('"').to_owned()))
    });
    found.collect()
}

/// There is no container runtime here: what can be checked is that the settings are Patron's, that
/// the program takes them, and that all sources which the build needs get into its context.
#[test]
fn the_image_and_compose_set_what_patron_knows() {
    for (name, least) in [("Dockerfile", 3), ("compose.yaml", 4)] {
        let settings = settings(&file(name));
        assert!(settings.len() >= least, "{name}: {settings:?}");
        let mut print = patron();
        print.args(["config", "print"]).env_remove("PATRON__ADMIN__LISTEN");
        for (key, value) in settings {
            // Compose fills in the password.
            let value = match value.split_once("${") {
                Some((head, rest)) => format!("{head}secret{}", rest.split_once('}').unwrap().1),
                None => value,
            };
            print.env(key, value);
        }
        succeed(&mut print);
    }
    let dockerfile = file("Dockerfile");
    assert!(dockerfile.contains("ENTRYPOINT [\"/usr/local/bin/patron\"]"));
    let command = dockerfile.lines().find_map(|line| line.strip_prefix("CMD ")).unwrap();
    let words: Vec<String> = serde_json::from_str(command).unwrap();
    succeed(patron().args(words).arg("--help"));
    let rust = env!("CARGO_PKG_RUST_VERSION");
    assert!(
        dockerfile.contains(&format!("FROM rust:{rust}-")),
        "the image builds with Rust {rust}"
    );
}

#[test]
fn the_images_context_has_every_source_and_nothing_else() {
    let ignore = file(".dockerignore");
    let folder = tempfile::tempdir().unwrap();
    let taken: Vec<&str> = ignore.lines().filter_map(|line| line.strip_prefix('!')).collect();
    assert!(ignore.starts_with("*\n") && taken.len() > 5);
    let mut archive = Command::new("tar");
    archive.args(["--create", "--exclude=target", "--exclude=node_modules", "--file"]);
    let file = folder.path().join("context.tar");
    succeed(archive.arg(&file).arg("--directory").arg(ROOT).args(&taken));
    let context = folder.path().join("context");
    std::fs::create_dir(&context).unwrap();
    succeed(
        Command::new("tar")
            .arg("--extract")
            .arg("--file")
            .arg(&file)
            .arg("--directory")
            .arg(&context),
    );
    let mut metadata = Command::new(env!("CARGO"));
    metadata.args(["metadata", "--locked", "--offline", "--format-version=1", "--manifest-path"]);
    let known: serde_json::Value =
        serde_json::from_str(&succeed(metadata.arg(context.join("Cargo.toml")))).unwrap();
    // Every source file that a target of ours begins with is there.
    let targets = known["packages"].as_array().unwrap().iter().flat_map(|package| {
        package["targets"].as_array().unwrap().iter().map(|t| t["src_path"].as_str().unwrap())
    });
    let ours: Vec<&str> =
        targets.filter(|path| path.starts_with(context.to_str().unwrap())).collect();
    assert!(ours.len() > 10);
    // What else is compiled in.
    for path in ["docs/errors.md", "dialects/native/sign_in/python.py"] {
        assert!(context.join(path).exists(), "{path}");
    }
    for path in ours {
        assert!(Path::new(path).exists(), "{path}");
    }
}
