//! Reaching the server, asking what it is, and bringing its tables to the declared kinds.

use std::collections::HashSet;
use std::time::Duration;

use deadpool_postgres::{
    Client, ClientWrapper, Connect as _, Manager, ManagerConfig, Pool, PoolError, QueueMode,
    RecyclingMethod, Runtime, TimeoutType,
};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::ask::{self, Params};
use super::failure::{Attempts, Trouble, failed};
use super::tls::Tls;
use super::url::{self, SslMode};
use super::{certificates, hosts, read};
use crate::migration::{self, Position, Related};
use crate::sql::{Dialect, Schema};
use crate::{Options, RelatedOf, StoreError, ddl};

/// Silence of the server's machine after which it is probed, the time between probes, and how many
/// may stay without answer before the connection is given up.
const SILENCE: Duration = Duration::from_secs(10);
const PROBE_EVERY: Duration = Duration::from_secs(5);
const PROBES_MAX: u32 = 3;

/// What the server allows a statement beyond our own limit for reads (milliseconds).
const STATEMENT_GRACE_MS: u64 = 20_000;
/// How long a statement waits for a row or a table that another session holds (milliseconds).
pub(super) const LOCK_WAIT_MS: u64 = 3_000;
/// The same for a table that a migration changes: behind it everybody else waits (milliseconds).
const MIGRATION_LOCK_WAIT_MS: u64 = 10_000;

/// What the start needs to know of the server.
pub(super) struct Server {
    pub(super) version: String,
    pub(super) dialect: Dialect,
    pub(super) durability: &'static str,
}

/// Where a URL leads and how safely, without the password.
pub(crate) fn describe(url: &str) -> String {
    let unreadable = || "postgres: unreadable URL".to_owned();
    let Ok((url, parameters)) = url::split(url) else { return unreadable() };
    let Ok(config) = url.parse::<Config>() else { return unreadable() };
    let hosts = config.get_hosts().iter().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    });
    let hosts: Vec<String> = hosts.collect();
    let ports: Vec<String> = config.get_ports().iter().map(u16::to_string).collect();
    let (hosts, ports) = (hosts.join(","), ports.join(","));
    let user = config.get_user().unwrap_or_default();
    let database = config.get_dbname().unwrap_or_default();
    let colon = if ports.is_empty() { "" } else { ":" };
    let mode = match parameters.mode {
        SslMode::Prefer => String::new(),
        mode => format!("?sslmode={}", mode.word()),
    };
    format!("postgres://{user}@{hosts}{colon}{ports}/{database}{mode}")
}

/// Whether a URL can be understood.
pub(crate) fn check(url: &str) -> Result<(), StoreError> {
    config(url, Duration::ZERO, String::new()).map(drop)
}

/// What the URL says, and what it does not say as we want it.
fn config(url: &str, wait: Duration, limits: String) -> Result<(Config, Tls), StoreError> {
    let (url, parameters) = url::split(url)?;
    let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
        // Names of parameters are told, values are not.
        StoreError::Engine(format!("the PostgreSQL URL is not one: {}", reason(&error)))
    })?;
    let hosts = hosts::count(&config);
    if config.get_connect_timeout().is_none() {
        // Each host gets its part of what whoever needs a connection waits.
        config.connect_timeout(wait / u32::try_from(hosts).unwrap_or(u32::MAX));
    }
    // Of several hosts one takes writes; a single one has to be it.
    config.target_session_attrs(match parameters.writes {
        Some(true) => TargetSessionAttrs::ReadWrite,
        None if hosts > 1 => TargetSessionAttrs::ReadWrite,
        _ => TargetSessionAttrs::Any,
    });
    if config.get_application_name().is_none() {
        config.application_name("patron");
    }
    // Otherwise a server that vanishes without a word (its machine, the network) is waited for as
    // long as the kernel likes: a quarter of an hour with a question open, two hours without.
    if config.get_keepalives_idle() == Config::new().get_keepalives_idle() {
        config.keepalives_idle(SILENCE).keepalives_interval(PROBE_EVERY);
        config.keepalives_retries(PROBES_MAX);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(SILENCE + PROBE_EVERY * PROBES_MAX);
    }
    Ok((config, Tls::new(parameters, limits)))
}

/// Why a connection failed, where it is not the server that says so in SQL; with what mends it.
pub(super) fn reason(error: &tokio_postgres::Error) -> String {
    let Some(source) = std::error::Error::source(error) else { return error.to_string() };
    if let Some(io) = source.downcast_ref::<std::io::Error>()
        && io.kind() != std::io::ErrorKind::PermissionDenied
    {
        return certificates::explain(io);
    }
    match source.to_string() {
        text if text == "database does not allow writes" => {
            "the server takes no writes (a standby?): name the primary too".to_owned()
        }
        text if text == "server does not support TLS" => {
            "the server offers no TLS, which sslmode demands: set ssl = on in its postgresql.conf, \
             or, where the network is trusted, sslmode=disable in the URL"
                .to_owned()
        }
        text => text,
    }
}

/// The limits that every session has from the server's side, as options of its start. They are the
/// last line: reads are cancelled before. No statement sets them, so none has to be undone.
fn limits(options: &Options) -> String {
    let [statement, lock] = limits_ms(options);
    format!("-c statement_timeout={statement} -c lock_timeout={lock}")
}

/// Longest time of a statement and of its wait for a lock (milliseconds).
pub(super) fn limits_ms(options: &Options) -> [u64; 2] {
    [options.query_ms_max.saturating_add(STATEMENT_GRACE_MS), LOCK_WAIT_MS]
}

/// The pool, and how its connections are opened: cancel requests need it too.
pub(super) fn pool(url: &str, options: &Options) -> Result<(Pool, Config, Tls), StoreError> {
    let wait = Duration::from_millis(options.postgres_wait_ms);
    let (config, tls) = config(url, wait, limits(options))?;
    // What the URL says for each host may be more in all.
    let each = *config.get_connect_timeout().unwrap_or(&wait);
    let all = each.saturating_mul(u32::try_from(hosts::count(&config)).unwrap_or(u32::MAX));
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    Pool::builder(Manager::from_connect(config.clone(), tls.clone(), recycling))
        .max_size(options.postgres_pool_max.max(1))
        // The connection used last has its statements prepared and its server process awake.
        .queue_mode(QueueMode::Lifo)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(wait))
        .create_timeout(Some(wait.max(all)))
        .build()
        .map(|pool| (pool, config, tls))
        .map_err(|error| StoreError::Engine(error.to_string()))
}

/// A connection outside of the pool for statements that take as long as they take.
pub(super) async fn unlimited(
    config: &Config,
    tls: &Tls,
) -> Result<tokio_postgres::Client, StoreError> {
    let tls = tls.with_limits("-c statement_timeout=0".to_owned());
    let connected = tls.connect(config).await;
    connected.map(|(client, _)| client).map_err(|error| unreachable(&error))
}

/// Whatever the server says here (starting, too many connections, wrong password) may pass, and
/// nothing was sent.
fn unreachable(error: &tokio_postgres::Error) -> StoreError {
    match failed(error) {
        StoreError::Engine(text) => StoreError::Unavailable(text),
        other => other,
    }
}

pub(super) async fn client(pool: &Pool) -> Result<Client, StoreError> {
    pool.get().await.map_err(|error| match error {
        // Not a failure of the server: everyone is busy.
        PoolError::Timeout(TimeoutType::Wait) => StoreError::Full,
        PoolError::Backend(error) => unreachable(&error),
        other => StoreError::Unavailable(format!("PostgreSQL: {other}")),
    })
}

/// Cancels what a connection is doing, over a connection of its own.
pub(super) async fn cancel(client: &ClientWrapper, tls: &Tls) -> Result<(), StoreError> {
    client.cancel_token().cancel_query(tls.clone()).await.map_err(|error| failed(&error))
}

pub(super) async fn inspect(client: &Client) -> Result<Server, StoreError> {
    let row = client
        .query_typed_one(
            "SELECT current_setting('server_version'), current_setting('server_encoding'), \
             current_setting('fsync') || current_setting('synchronous_commit'), \
             EXISTS (SELECT 1 FROM pg_collation WHERE collname = 'und-x-icu')",
            &[],
        )
        .await
        .map_err(|error| failed(&error))?;
    let text = |at: usize| row.try_get::<_, String>(at).map_err(|error| failed(&error));
    let encoding = text(1)?;
    if encoding != "UTF8" {
        let what = format!("the PostgreSQL database is encoded in {encoding}, not in UTF8");
        return Err(StoreError::Engine(what));
    }
    let flushed = text(2)?;
    let safe = flushed.starts_with("on") && !flushed.ends_with("off");
    if !safe {
        tracing::warn!("PostgreSQL does not flush commits (fsync or synchronous_commit is off)");
    }
    Ok(Server {
        version: text(0)?,
        dialect: Dialect::Postgres { fold: row.try_get(3).map_err(|error| failed(&error))? },
        durability: if safe {
            "an acknowledged write survives a failure of the server's machine"
        } else {
            "an acknowledged write may be lost (fsync or synchronous_commit is off)"
        },
    })
}

/// Whether the database has been a deployment's before.
pub(crate) async fn exists(url: &str, options: &Options) -> Result<bool, StoreError> {
    let (pool, ..) = pool(url, options)?;
    let client = client(&pool).await?;
    has_meta(&client).await.map_err(|error| failed(&error))
}

async fn has_meta(client: &Client) -> Result<bool, tokio_postgres::Error> {
    let sql = r#"SELECT to_regclass('"meta"') IS NOT NULL"#;
    client.query_typed_one(sql, &[]).await?.try_get(0)
}

/// Brings the tables to the declared kinds. The row of the layout's number is the lock that keeps
/// two migrations apart; what it cannot guard, its own table, is tried again.
pub(super) async fn migrate(
    pool: &Pool,
    tls: &Tls,
    schema: &Schema,
    related_of: RelatedOf,
) -> Result<(), StoreError> {
    let mut attempts = Attempts::default();
    loop {
        match migrate_once(pool, tls, schema, related_of).await {
            Ok(()) => return Ok(()),
            Err(trouble) => attempts.next(trouble).await?,
        }
    }
}

async fn migrate_once(
    pool: &Pool,
    tls: &Tls,
    schema: &Schema,
    related_of: RelatedOf,
) -> Result<(), Trouble> {
    let mut client = client(pool).await?;
    if !has_meta(&client).await? {
        let made = client.batch_execute(&ddl::meta_table(schema.dialect)).await;
        made.map_err(|error| match error.code() {
            // PostgreSQL's IF NOT EXISTS is no promise: two at once may both create.
            Some(code)
                if [SqlState::UNIQUE_VIOLATION, SqlState::DUPLICATE_TABLE].contains(code) =>
            {
                Trouble::Again(failed(&error))
            }
            _ => error.into(),
        })?;
    }
    let transaction = client.transaction().await?;
    // Another node's migration, or an index over many records, takes its time.
    let unlimited = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0";
    transaction.batch_execute(unlimited).await?;
    let row = transaction
        .query_typed_one(
            r#"INSERT INTO "meta" ("name", "value") VALUES ('schema', $1)
            ON CONFLICT ("name") DO UPDATE SET "value" = "meta"."value" RETURNING "value""#,
            &[(&ddl::SCHEMA.to_string(), Type::TEXT)],
        )
        .await?;
    let held: String = row.try_get(0)?;
    let held = ddl::check_schema(Some(&held))?;
    let limited = format!("SET LOCAL lock_timeout = {MIGRATION_LOCK_WAIT_MS}");
    transaction.batch_execute(&limited).await?;
    if held.is_some_and(|layout| layout < ddl::SCHEMA_OF_RELATED_ENTRIES) {
        for sql in ddl::related_entries(schema.dialect) {
            transaction.batch_execute(&sql).await?;
        }
        let begin = r#"INSERT INTO "meta" ("name", "value") VALUES ($1, $2)"#;
        let params: Params<'_> = &[&migration::WALK, &Position::default().text()];
        transaction.execute_typed(begin, &ask::typed(params)).await?;
    }
    for sql in missing(&transaction, schema).await? {
        transaction.batch_execute(&sql).await?;
    }
    if held.is_some_and(|layout| layout < ddl::SCHEMA_OF_KEYED_ANSWERS) {
        // Unlike DELETE this leaves nothing behind in the table's files.
        transaction.batch_execute(r#"TRUNCATE "answer""#).await?;
    }
    transaction
        .execute_typed(
            r#"UPDATE "meta" SET "value" = $1 WHERE "name" = 'schema'"#,
            &[(&ddl::SCHEMA.to_string(), Type::TEXT)],
        )
        .await?;
    transaction.commit().await?;
    while relate(&mut client, tls.is_pooled(), schema, related_of).await? {}
    Ok(())
}

/// One step of `migration.rs`; whether there may be another. The row of the position keeps two
/// processes apart.
async fn relate(
    client: &mut Client,
    pooled: bool,
    schema: &Schema,
    related_of: RelatedOf,
) -> Result<bool, Trouble> {
    let transaction = client.transaction().await?;
    let sql = r#"SELECT "value" FROM "meta" WHERE "name" = $1 FOR UPDATE"#;
    let at = transaction.query_typed_opt(sql, &ask::typed(&[&migration::WALK])).await?;
    let Some(at) = at else { return Ok(false) };
    let at = Position::parse(read::value(&at, 0)?)?;
    let statements = migration::Statements::new(schema.dialect);
    let params: Params<'_> = &[&at.tenant, &at.seq, &migration::STEP_ENTRIES];
    let rows = transaction.query_typed(&statements.next, &ask::typed(params)).await?;
    let entries = rows.iter().map(read::entry).collect::<Result<_, _>>()?;
    let (related, next) = migration::step(entries, related_of);
    let run = async |sql: &str, params: Params<'_>| {
        ask::execute(&transaction, pooled, sql, params).await.map(drop)
    };
    for Related { tenant, seq, list, mentions } in related {
        if let Some(list) = list {
            run(&statements.relate, &[&tenant, &seq, &list]).await?;
        }
        for number in mentions {
            run(&schema.statements.mention_put, &[&tenant, &number, &seq]).await?;
        }
    }
    match next {
        Some(next) => {
            let sql = r#"UPDATE "meta" SET "value" = $2 WHERE "name" = $1"#;
            run(sql, &[&migration::WALK, &next.text()]).await?;
        }
        None => run(r#"DELETE FROM "meta" WHERE "name" = $1"#, &[&migration::WALK]).await?,
    }
    transaction.commit().await?;
    Ok(next.is_some())
}

/// What is not there yet. Asked for in the catalogue, because even `IF NOT EXISTS` would lock
/// tables that others are writing to.
async fn missing(
    transaction: &deadpool_postgres::Transaction<'_>,
    schema: &Schema,
) -> Result<Vec<String>, tokio_postgres::Error> {
    let names = async |sql: &str| -> Result<HashSet<String>, tokio_postgres::Error> {
        let rows = transaction.query_typed(sql, &[]).await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    };
    let indexes =
        names("SELECT indexname::text FROM pg_indexes WHERE schemaname = current_schema()").await?;
    let columns = names(
        "SELECT (table_name || '.' || column_name)::text FROM information_schema.columns \
         WHERE table_schema = current_schema()",
    )
    .await?;
    let dialect = schema.dialect;
    let mut missing = Vec::new();
    if !indexes.contains("answer__at") || !columns.contains("mention.seq") {
        missing.extend(ddl::own_tables(dialect));
    }
    if columns.contains("journal.seq") && !columns.contains("journal.packed") {
        missing.push(ddl::add_bytes(dialect, "journal", "packed"));
    }
    for kind in schema.kinds {
        let fresh = !columns.contains(&format!("{}.number", kind.name));
        let no_terms = kind.terms && !columns.contains(&format!("{}_term.term", kind.name));
        if fresh || no_terms {
            missing.extend(ddl::kind_tables(dialect, kind));
        }
        let absent = |column: &&crate::Column| {
            !fresh && !columns.contains(&format!("{}.{}", kind.name, column.name))
        };
        let added = kind.columns.iter().filter(absent);
        missing.extend(added.map(|column| ddl::add_column(dialect, kind, column)));
        let absent = ddl::kind_indexes(dialect, kind).into_iter();
        missing.extend(absent.filter(|(name, _)| !indexes.contains(name)).map(|(_, sql)| sql));
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_server_is_given_up_unless_the_url_says_otherwise() {
        let of =
            |url: &str| config(url, Duration::from_secs(1), String::new()).expect("a good URL").0;
        let ours = of("postgres://user@host/database");
        assert_eq!(ours.get_tcp_user_timeout(), Some(&Duration::from_secs(25)));
        assert_eq!(ours.get_keepalives_idle(), SILENCE);
        assert_eq!(ours.get_connect_timeout(), Some(&Duration::from_secs(1)));
        let own = "postgres://user@host/database?tcp_user_timeout=60&keepalives_idle=70";
        assert_eq!(of(own).get_tcp_user_timeout(), Some(&Duration::from_secs(60)));
        assert_eq!(of(own).get_keepalives_idle(), Duration::from_secs(70));
    }

    #[test]
    fn of_several_hosts_the_one_that_takes_writes_is_meant() {
        let of =
            |url: &str| config(url, Duration::from_secs(5), String::new()).expect("a good URL").0;
        let one = of("postgres://u@a/d");
        assert_eq!(one.get_target_session_attrs(), TargetSessionAttrs::Any);
        let two = of("postgres://u@a,b/d");
        assert_eq!(two.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        assert_eq!(two.get_connect_timeout(), Some(&Duration::from_millis(2_500)));
        let said = of("postgres://u@a,b/d?target_session_attrs=any&connect_timeout=9");
        assert_eq!(said.get_target_session_attrs(), TargetSessionAttrs::Any);
        assert_eq!(said.get_connect_timeout(), Some(&Duration::from_secs(9)));
    }
}
