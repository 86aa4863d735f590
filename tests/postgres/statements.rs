//! Every statement that reaches the server, as its own log has it, against what the makers of
//! distributed engines with PostgreSQL's protocol publish about theirs:
//!
//! - CockroachDB, "PostgreSQL Compatibility" and "Transaction Retry Error Reference";
//! - YugabyteDB, "YSQL compatibility" and "Explicit locking";
//! - Citus, "SQL Support and Workarounds" and "Common Error Messages".
//!
//! None of them runs here: docs/operations.md says so.

use std::collections::BTreeSet;

use patron_testkit::postgres::{Server, execute};
use tokio_postgres::NoTls;

use crate::program::succeed;

use super::{is_wanted, patron_on, tour};

/// Words no statement may have, each with why.
const NEVER: &[(&str, &str)] = &[
    (" sequence", "sequences are slow or have gaps by design where there are several machines"),
    ("serial", "the same"),
    ("nextval", "the same"),
    ("generated ", "the same"),
    ("advisory", "advisory locks hold on one machine, where they are known at all"),
    ("listen ", "notifications reach one machine, where they are known at all"),
    ("notify", "the same"),
    ("discard", "session state: the next transaction may have another session"),
    ("reset ", "the same"),
    ("set session", "the same"),
    ("set_config", "the same"),
    ("temp", "the same: temporary tables"),
    ("with hold", "the same: cursors that outlive their transaction"),
    ("prepare ", "the same: the protocol's own way is known to poolers"),
    ("trigger", "known in part only"),
    ("function ", "known in part only"),
    ("extension", "known in part only"),
    ("references", "foreign keys between tables that are distributed differently are refused"),
    ("exclude ", "known to PostgreSQL alone"),
    ("deferrable", "the same"),
    ("using g", "the same: GIN and GiST indexes"),
    ("ctid", "the same: places of rows"),
    ("xmin", "the same: numbers of transactions"),
    ("for key share", "known in part only"),
    ("for no key", "known in part only"),
    ("skip locked", "known in part only"),
    ("serializable", "not relied on: what changes meanwhile is found by comparing revisions"),
];
/// Beginnings of statements that not all of them know, and what leads there.
const OPERATORS: &[(&str, &str)] = &[
    ("LOCK TABLE", "`patron restore`: unknown to CockroachDB and YugabyteDB"),
    ("VACUUM", "`patron compact`: unknown to CockroachDB, does nothing in YugabyteDB"),
];
/// Unique indexes that do not begin with the tenant, by their first column, and why.
const EXPLAINED: &[(&str, &str)] = &[
    ("number", "numbers are given out once in a deployment, and records are found by them alone"),
    ("uuid", "the same"),
    ("name", "tables of the deployment itself: layout and counters"),
    ("grant", "a role is held once by a user at a place, and users belong to the deployment"),
    ("login", "the same: an address is claimed with the account it is used in"),
    ("handle", "callers are known by their key's before their space is"),
    ("token", "saved payment methods are found by it in the providers' paths, without a space"),
    ("place", "what seals the deployment's keys belongs to the deployment itself"),
    ("lookup", "sessions, identities and challenges are of persons, who belong to the deployment"),
    ("about", "one link of each purpose is good for a person at a time: the same"),
    ("credential", "a passkey names its person wherever the browser shows it"),
];

/// Statements of Patron in a server's log.
fn statements(log: &str) -> Vec<String> {
    let entries = log.split("\n@@patron@@ ").skip(1);
    let entries = entries.filter_map(|entry| entry.split("\n@@").next()?.strip_prefix("LOG:  "));
    let sql = entries.filter_map(|entry| {
        let execute = entry.strip_prefix("execute ").and_then(|rest| rest.split_once(": "));
        execute.map(|(_, sql)| sql).or_else(|| entry.strip_prefix("statement: "))
    });
    sql.map(|sql| sql.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_needs_what_distributed_engines_do_not_have() {
    let Some(server) = is_wanted().then(Server::start).flatten() else { return };
    let (url, postgres) = (server.url(&server.database().await), server.url("postgres"));
    for setting in ["log_statement = 'all'", "log_line_prefix = '@@%a@@ '"] {
        execute(&postgres, &format!("ALTER SYSTEM SET {setting}")).await;
    }
    execute(&postgres, "SELECT pg_reload_conf()").await;
    tour::go(&url).await;
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    succeed(patron_on(&url).arg("backup").arg(&backup));
    let other = server.url(&server.database().await);
    succeed(patron_on(&other).arg("restore").arg(&backup));

    let statements: BTreeSet<String> = statements(&server.log()).into_iter().collect();
    assert!(statements.len() > 150, "only {} statements are in the log", statements.len());
    let mut operators: BTreeSet<&(&str, &str)> = BTreeSet::new();
    for sql in &statements {
        let lower = sql.to_lowercase();
        for (word, why) in NEVER {
            assert!(!lower.contains(word), "{word:?} is used ({why}):\n{sql}");
        }
        for part in lower.split("; ").filter(|part| part.starts_with("set ")) {
            assert!(part.starts_with("set local "), "session state: {sql}");
        }
        operators.extend(OPERATORS.iter().filter(|(begin, _)| sql.starts_with(begin)));
    }
    assert_eq!(operators.len(), OPERATORS.len(), "an exception is not used any more");
    check_catalogue(&url).await;
}

/// What stands in the database: plain tables, and unique indexes that a shard can check by itself.
async fn check_catalogue(url: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let others = "SELECT relname::text FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace \
                  WHERE nspname = 'public' AND relkind NOT IN ('r', 'i')";
    assert!(client.query(others, &[]).await.unwrap().is_empty(), "more than tables and indexes");
    let unique = "SELECT indexrelid::regclass::text, attname::text FROM pg_index \
                  JOIN pg_attribute ON attrelid = indexrelid AND attnum = 1 \
                  JOIN pg_class c ON c.oid = indexrelid \
                  JOIN pg_namespace n ON n.oid = relnamespace \
                  WHERE indisunique AND nspname = 'public'";
    let rows = client.query(unique, &[]).await.unwrap();
    assert!(rows.len() > 10);
    let mut used: BTreeSet<&(&str, &str)> = BTreeSet::new();
    for row in &rows {
        let (index, column): (String, String) = (row.get(0), row.get(1));
        let explained = EXPLAINED.iter().find(|(explained, _)| *explained == column);
        assert!(column == "tenant" || explained.is_some(), "{index} begins with {column}");
        used.extend(explained);
    }
    assert_eq!(used.len(), EXPLAINED.len(), "an explanation is not used any more: {used:?}");
}
