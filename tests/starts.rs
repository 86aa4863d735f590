//! First starts: a new folder, with commands beside from the first moment on. Every one must leave
//! one data file that everybody works on. `PATRON_FIRST_STARTS` makes the run longer.

use std::path::Path;

use serde_json::json;

use crate::program::{KEY, Running, patron, succeed};

/// First starts in `./test`.
const STARTS: usize = 5;

fn starts() -> usize {
    let wanted = std::env::var("PATRON_FIRST_STARTS").ok();
    wanted.and_then(|count| count.parse().ok()).unwrap_or(STARTS)
}

/// Data files and what stands beside them, other than those of the one data file.
fn strays(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let known = ["patron.db", "patron.db-wal", "patron.db-shm"];
    names.filter(|name| name.contains(".db") && !known.contains(&name.as_str())).collect()
}

/// Data files, and what stands beside them, that a process has open under any other name than those
/// of the one data file in its folder, or that are in no folder any more.
fn strangers(process: u32, folder: &Path) -> (usize, Vec<String>) {
    let folder = folder.canonicalize().unwrap();
    let known = ["patron.db", "patron.db-wal", "patron.db-shm"].map(|name| folder.join(name));
    let opened = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let files = opened.filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok());
    let files: Vec<_> = files.filter(|file| file.to_string_lossy().contains(".db")).collect();
    let others = files.iter().filter(|file| !known.contains(file));
    (files.len(), others.map(|file| file.display().to_string()).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_first_start_works_on_one_file() {
    for n in 0..starts() {
        let folder = tempfile::tempdir().unwrap();
        let (running, _) = Running::sandbox(folder.path());
        let made = ["key", "create", "--space", "1", "--data"];
        succeed(patron().args(made).arg(folder.path()));
        let body = Some(json!({"given_name": "First"}));
        running.native(KEY, "POST", "/v1/customers", body).await.expect(201);
        running.native(KEY, "GET", "/v1/customers", None).await.expect(200);
        running.get("/readyz").await.expect(200);
        assert_eq!(strays(folder.path()), Vec::<String>::new(), "start {n}");
        let (count, strangers) = strangers(running.child.id(), folder.path());
        assert!(count > 0 && strangers.is_empty(), "start {n}: {strangers:?} of {count}");
    }
}
