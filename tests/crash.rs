//! kill -9 under load: no answered write is lost, none is applied half, a repeat with the same key
//! has no second effect, journal and records agree.

use std::collections::HashMap;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::program::{KEY, Running, patron, succeed};

/// Writers at a time.
const WRITERS: usize = 8;
/// Times the program is killed.
const ROUNDS: usize = 4;

/// What the writers were told: by number, the last answered version and title.
type Answered = Arc<Mutex<HashMap<i64, (i64, String)>>>;

async fn write(
    running: Arc<Running>,
    round: usize,
    writer: usize,
    stop: Arc<AtomicBool>,
    answered: Answered,
) {
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let title = format!("{round}-{writer}-{n}");
        let body = json!({"title": title, "addresses": [{"city": title}]});
        let headers = vec![
            ("authorization".to_owned(), format!("Bearer {KEY}")),
            ("content-type".to_owned(), "application/json".to_owned()),
            ("idempotency-key".to_owned(), format!("key-{title}")),
        ];
        let Some(made) = send(&running, "POST", "/v1/customers", &headers, &body).await else {
            return;
        };
        let number = made["number"].as_i64().unwrap();
        answered.lock().await.insert(number, (1, title.clone()));
        let changed = format!("{title}-changed");
        let path = format!("/v1/customers/{number}");
        let body = json!({"title": changed});
        let Some(made) = send(&running, "PATCH", &path, &headers[..2], &body).await else { return };
        let version = made["version"].as_i64().unwrap();
        answered.lock().await.insert(number, (version, changed));
    }
}

/// `None` when the program is gone: nothing is known of such a write.
async fn send(
    running: &Arc<Running>,
    method: &str,
    path: &str,
    headers: &[(String, String)],
    body: &Value,
) -> Option<Value> {
    let running = Arc::clone(running);
    let (method, path) = (method.to_owned(), path.to_owned());
    let (headers, body) = (headers.to_vec(), body.to_string());
    let call = tokio::spawn(async move {
        running.client.send(&running.base_url, &method, &path, &headers, body.as_bytes()).await
    });
    // The client panics when the connection breaks.
    let answer = call.await.ok()?;
    (answer.status < 300).then(|| answer.json())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answered_write_is_lost_and_none_is_half_there() {
    let folder = tempfile::tempdir().unwrap();
    let answered: Answered = Answered::default();
    for round in 0..ROUNDS {
        let (running, _) = Running::sandbox(folder.path());
        let pid = running.child.id().to_string();
        let running = Arc::new(running);
        let stop = Arc::new(AtomicBool::new(false));
        let before = answered.lock().await.len();
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (running, stop) = (Arc::clone(&running), Arc::clone(&stop));
                tokio::spawn(write(running, round, writer, stop, Arc::clone(&answered)))
            })
            .collect();
        // Killed in the middle of the work: after a number of answers that differs by round.
        while answered.lock().await.len() < before + 20 + round * 17 {
            tokio::task::yield_now().await;
        }
        succeed(Command::new("kill").args(["-9", &pid]));
        stop.store(true, Ordering::Relaxed);
        for writer in writers {
            let _ = writer.await;
        }
    }
    let said = succeed(patron().args(["check", "--data"]).arg(folder.path()));
    assert!(said.contains("Everything agrees."), "{said}");
    let (running, _) = Running::sandbox(folder.path());
    let known = answered.lock().await.clone();
    assert!(known.len() >= ROUNDS * 20);
    for (number, (version, title)) in &known {
        let path = format!("/v1/customers/{number}?expand=addresses");
        let found = running.native(KEY, "GET", &path, None).await.expect(200).json();
        let have = found["version"].as_i64().unwrap();
        assert!(have == *version || have == version + 1, "{number}: {have} of {version}");
        if have == *version {
            assert_eq!(found["title"], *title);
        }
        assert_eq!(found["addresses"].as_array().unwrap().len(), 1, "never without its address");
    }
    // The first answered create is repeated with its key: the same record answers.
    let (number, (_, title)) = known.iter().next().unwrap();
    let title = title.trim_end_matches("-changed");
    let headers = vec![
        ("authorization".to_owned(), format!("Bearer {KEY}")),
        ("content-type".to_owned(), "application/json".to_owned()),
        ("idempotency-key".to_owned(), format!("key-{title}")),
    ];
    let body = json!({"title": title, "addresses": [{"city": title}]}).to_string();
    let again =
        running.client.send(&running.base_url, "POST", "/v1/customers", &headers, body.as_bytes());
    let again = again.await.expect(201);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.json()["number"], *number);
}
