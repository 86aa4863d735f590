//! The documents: every curl line in them works against a sandbox, every command is one.

use std::process::Command;

use crate::program::Running;

#[path = "documents/guides.rs"]
mod guides;

/// Followed as a whole, block after block: [`guides`].
const GUIDES: [&str; 4] =
    ["five-minutes.md", "in-production.md", "moving-from-your-provider.md", "people-and-roles.md"];

/// All `sh` blocks, with the file they stand in.
fn blocks() -> Vec<(String, String)> {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut files: Vec<_> = std::fs::read_dir(format!("{root}/docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    files.push(format!("{root}/README.md").into());
    files.sort();
    let mut blocks = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for block in text.split("```sh\n").skip(1) {
            let block = block.split("\n```").next().unwrap();
            blocks.push((file.display().to_string(), block.to_owned()));
        }
    }
    blocks
}

#[tokio::test(flavor = "multi_thread")]
async fn every_curl_line_in_the_documents_works() {
    let folder = tempfile::tempdir().unwrap();
    let (running, _) = Running::sandbox(folder.path());
    let is_guide = |file: &str| GUIDES.iter().any(|guide| file.ends_with(guide));
    let commands =
        blocks().into_iter().filter(|(file, block)| block.starts_with("curl") && !is_guide(file));
    let commands: Vec<_> = commands.collect();
    assert!(commands.len() >= 5, "the documents have lost their examples");
    for (file, command) in commands {
        let here = command.replace("http://127.0.0.1:8080", &running.base_url);
        let script = format!("set -e -o pipefail\ncurl() {{ command curl -f \"$@\"; }}\n{here}");
        let output = Command::new("bash").args(["-c", &script]).output().unwrap();
        assert!(
            output.status.success(),
            "{file}:\n{command}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn every_command_in_the_documents_is_one() {
    let mut count = 0;
    for (file, block) in blocks() {
        for line in block.lines().filter(|line| line.starts_with("patron ")) {
            // What a shell does with it is not ours; with --help nothing is done.
            let line = line.split([';', '|', '>', '#', '&']).next().unwrap();
            let script = format!("patron() {{ \"$PATRON\" \"$@\"; }}\n{line} --help");
            let mut bash = Command::new("bash");
            bash.args(["-c", &script]).env("PATRON", env!("CARGO_BIN_EXE_patron"));
            let output = bash.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{file}: {line}\n{said}");
            count += 1;
        }
    }
    assert!(count >= 15, "the documents have lost their commands: {count}");
}
