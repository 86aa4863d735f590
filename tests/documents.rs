//! The documents: every curl line in them works against a sandbox.

use std::process::Command;

use crate::program::Running;

/// The commands of all `sh` blocks that begin with curl, with the file they stand in.
fn commands() -> Vec<(String, String)> {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut files: Vec<_> = std::fs::read_dir(format!("{root}/docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    files.push(format!("{root}/README.md").into());
    files.sort();
    let mut commands = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for block in text.split("```sh\n").skip(1) {
            let block = block.split("\n```").next().unwrap();
            if block.starts_with("curl") {
                commands.push((file.display().to_string(), block.to_owned()));
            }
        }
    }
    commands
}

#[tokio::test(flavor = "multi_thread")]
async fn every_curl_line_in_the_documents_works() {
    let folder = tempfile::tempdir().unwrap();
    let (running, _) = Running::sandbox(folder.path());
    let commands = commands();
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
