//! The limit: pgbench with the statements of one request as its script.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use super::{CONNECTIONS, cluster, spaces::Spaces};

/// Which customers the scripts visit: those that Patron is asked for in the same round.
fn customer(spaces: &Spaces) -> String {
    let Spaces { first_tenant, tenant_step, first_number, number_step, per_space, .. } = spaces;
    let (space, last) = (if spaces.count == 1 { "0" } else { ":client_id" }, per_space - 1);
    format!(
        "\\set space {space}\n\
         \\set tenant {first_tenant} + {tenant_step} * :space\n\
         \\set place :space * {per_space} + random(0, {last})\n\
         \\set number {first_number} + {number_step} * :place\n"
    )
}

const READ: &str = r#"SELECT "tenant", "number", "uuid", "revision", "doc" FROM "customer"
    WHERE "number" = :number AND "tenant" = :tenant"#;

/// About as long as what Patron packs of such a customer for its journal.
const PACKED_BYTES: u64 = 300;

/// One GET.
pub fn get(spaces: &Spaces) -> String {
    format!("{}{READ};\n", customer(spaces))
}

/// One PATCH: what it must read and write, as one transaction.
pub fn patch(spaces: &Spaces) -> String {
    format!(
        r#"{customer}BEGIN;
{READ} \gset
UPDATE "customer" SET "revision" = CAST(:revision AS BIGINT) + 1, "doc" = :doc
    WHERE "number" = :number AND "tenant" = :tenant AND "revision" = :revision;
WITH h AS (
    INSERT INTO "head" ("tenant", "last") VALUES (:tenant, 1)
    ON CONFLICT ("tenant") DO UPDATE SET "last" = "head"."last" + 1 RETURNING "last"
)
INSERT INTO "journal" ("tenant", "seq", "kind", "number", "subject", "revision", "action", "at",
    "actor", "request", "changed", "doc", "packed")
SELECT :tenant, h."last", 'customer', :number, :number, CAST(:revision AS BIGINT) + 1, 'updated',
    1700000000000000, 'key:123', '0190f7a0-0000-7000-8000-000000000000', '["title"]', '',
    substr(convert_to(:doc, 'UTF8'), 1, {PACKED_BYTES}) FROM h;
COMMIT;
"#,
        customer = customer(spaces),
    )
}

/// Bytes of all tables and indexes.
///
/// # Errors
/// When psql does not run, or the database cannot be asked.
pub async fn bytes(url: &str) -> Result<u64> {
    let sql = "SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class \
               WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'";
    let output = Command::new(cluster::program("psql"))
        .args(["--no-psqlrc", "--tuples-only", "--no-align", "--command", sql, url])
        .output()
        .await
        .context("psql does not run")?;
    let problems = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "psql failed: {problems}");
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}

/// Runs a script for some seconds; answers transactions per second.
///
/// # Errors
/// When pgbench fails, or a statement does.
pub async fn run(url: &str, script: &Path, seconds: u64) -> Result<f64> {
    let connections = CONNECTIONS.to_string();
    let output = Command::new(cluster::program("pgbench"))
        .args(["--no-vacuum", "--protocol=prepared", "--jobs=2", "--client", &connections])
        .args(["--time", &seconds.to_string(), "--file"])
        .arg(script)
        .arg(url)
        .output()
        .await
        .context("pgbench does not run")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let problems = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "pgbench failed: {problems}");
    ensure!(!problems.contains("aborted"), "pgbench gave up: {problems}");
    let rate = text.lines().find_map(|line| line.strip_prefix("tps = "));
    let rate = rate.and_then(|line| line.split(' ').next()).context("pgbench names no rate")?;
    Ok(rate.parse()?)
}
