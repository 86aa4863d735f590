//! Reaching the server, asking what it is, and bringing its tables to the declared kinds.

use std::collections::HashSet;
use std::time::Duration;

use deadpool_postgres::{
    Client, ClientWrapper, Hook, HookError, Manager, ManagerConfig, Pool, PoolError, QueueMode,
    RecyclingMethod, Runtime, TimeoutType,
};
use tokio_postgres::Config;
use tokio_postgres::config::Host;
use tokio_postgres::error::SqlState;

use super::tls::Tls;
use super::url::{self, SslMode};
use super::{Params, backoff, certificates, failed, read};
use crate::migration::{self, Position, Related};
use crate::sql::{Dialect, Schema};
use crate::{Options, RelatedOf, StoreError, ddl};

/// How often a migration is tried when another process creates the same things.
const MIGRATE_ATTEMPTS_MAX: u32 = 10;

/// Silence of the server's machine after which it is probed, the time between probes, and how many
/// may stay without answer before the connection is given up.
const SILENCE: Duration = Duration::from_secs(10);
const PROBE_EVERY: Duration = Duration::from_secs(5);
const PROBES_MAX: u32 = 3;

/// What the server allows a statement beyond our own limit for reads (milliseconds).
const STATEMENT_GRACE_MS: u64 = 20_000;

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
    config(url, Duration::ZERO).map(drop)
}

/// What the URL says, and what it does not say as we want it.
fn config(url: &str, wait: Duration) -> Result<(Config, Tls), StoreError> {
    let (url, parameters) = url::split(url)?;
    let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
        // Names of parameters are told, values are not.
        StoreError::Engine(format!("the PostgreSQL URL is not one: {}", reason(&error)))
    })?;
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(wait);
    }
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
    Ok((config, Tls::new(parameters)))
}

/// Why a connection failed, where it is not the server that says so in SQL; with what mends it.
pub(super) fn reason(error: &tokio_postgres::Error) -> String {
    let Some(source) = std::error::Error::source(error) else { return error.to_string() };
    if let Some(io) = source.downcast_ref::<std::io::Error>() {
        return certificates::explain(io);
    }
    match source.to_string() {
        text if text == "server does not support TLS" => {
            "the server offers no TLS, which sslmode demands: set ssl = on in its postgresql.conf, \
             or, where the network is trusted, sslmode=disable in the URL"
                .to_owned()
        }
        text => text,
    }
}

/// The pool, and how its connections are opened: cancel requests need it too.
pub(super) fn pool(url: &str, options: &Options) -> Result<(Pool, Tls), StoreError> {
    let wait = Duration::from_millis(options.postgres_wait_ms);
    let (config, tls) = config(url, wait)?;
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    // The server's own limit is the last line: reads are cancelled before.
    let longest = options.query_ms_max.saturating_add(STATEMENT_GRACE_MS);
    let limited = format!("SET statement_timeout = {longest}");
    let limit = Hook::async_fn(move |client: &mut ClientWrapper, _| {
        let limited = limited.clone();
        Box::pin(async move { client.batch_execute(&limited).await.map_err(HookError::Backend) })
    });
    Pool::builder(Manager::from_connect(config, tls.clone(), recycling))
        .post_create(limit)
        .max_size(options.postgres_pool_max.max(1))
        // The connection used last has its statements prepared and its server process awake.
        .queue_mode(QueueMode::Lifo)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(wait))
        .create_timeout(Some(wait))
        .build()
        .map(|pool| (pool, tls))
        .map_err(|error| StoreError::Engine(error.to_string()))
}

pub(super) async fn client(pool: &Pool) -> Result<Client, StoreError> {
    pool.get().await.map_err(|error| match error {
        // Not a failure of the server: everyone is busy.
        PoolError::Timeout(TimeoutType::Wait) => StoreError::Full,
        // Whatever the server says here (starting, too many connections, wrong password) may pass,
        // and nothing was sent.
        PoolError::Backend(error) => match failed(&error) {
            StoreError::Engine(text) => StoreError::Unavailable(text),
            other => other,
        },
        other => StoreError::Unavailable(format!("PostgreSQL: {other}")),
    })
}

/// Cancels what a connection is doing, over a connection of its own.
pub(super) async fn cancel(client: &ClientWrapper, tls: &Tls) -> Result<(), StoreError> {
    client.cancel_token().cancel_query(tls.clone()).await.map_err(|error| failed(&error))
}

pub(super) async fn inspect(client: &Client) -> Result<Server, StoreError> {
    let row = client
        .query_one(
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
    let (pool, _) = pool(url, options)?;
    let client = client(&pool).await?;
    let row = client.query_one(r#"SELECT to_regclass('"meta"') IS NOT NULL"#, &[]).await;
    row.and_then(|row| row.try_get(0)).map_err(|error| failed(&error))
}

/// Brings the tables to the declared kinds. The row of the layout's number is the lock that keeps
/// two migrations apart; what it cannot guard, its own table, is tried again.
pub(super) async fn migrate(
    pool: &Pool,
    schema: &Schema,
    related_of: RelatedOf,
) -> Result<(), StoreError> {
    let mut client = client(pool).await?;
    let mut attempt = 1;
    while let Err(error) = client.batch_execute(&ddl::meta_table(schema.dialect)).await {
        // PostgreSQL's IF NOT EXISTS is no promise: two at once may both create.
        let taken = [SqlState::UNIQUE_VIOLATION, SqlState::DUPLICATE_TABLE];
        if !error.code().is_some_and(|code| taken.contains(code)) || attempt == MIGRATE_ATTEMPTS_MAX
        {
            return Err(failed(&error));
        }
        tokio::time::sleep(backoff(attempt)).await;
        attempt += 1;
    }
    let transaction = client.transaction().await.map_err(|error| failed(&error))?;
    // An index over many records takes its time.
    let unlimited = transaction.batch_execute("SET LOCAL statement_timeout = 0").await;
    unlimited.map_err(|error| failed(&error))?;
    let row = transaction
        .query_one(
            r#"INSERT INTO "meta" ("name", "value") VALUES ('schema', $1)
            ON CONFLICT ("name") DO UPDATE SET "value" = "meta"."value" RETURNING "value""#,
            &[&ddl::SCHEMA.to_string()],
        )
        .await
        .map_err(|error| failed(&error))?;
    let held: String = row.try_get(0).map_err(|error| failed(&error))?;
    let held = ddl::check_schema(Some(&held))?;
    if held.is_some_and(|layout| layout < ddl::SCHEMA_OF_RELATED_ENTRIES) {
        for sql in ddl::related_entries(schema.dialect) {
            transaction.batch_execute(&sql).await.map_err(|error| failed(&error))?;
        }
        let begun = transaction
            .execute(
                r#"INSERT INTO "meta" ("name", "value") VALUES ($1, $2)"#,
                &[&migration::WALK, &Position::default().text()],
            )
            .await;
        begun.map_err(|error| failed(&error))?;
    }
    for sql in missing(&transaction, schema).await? {
        transaction.batch_execute(&sql).await.map_err(|error| failed(&error))?;
    }
    if held.is_some_and(|layout| layout < ddl::SCHEMA_OF_KEYED_ANSWERS) {
        // Unlike DELETE this leaves nothing behind in the table's files.
        let purge = r#"TRUNCATE "answer""#;
        transaction.batch_execute(purge).await.map_err(|error| failed(&error))?;
    }
    transaction
        .execute(
            r#"UPDATE "meta" SET "value" = $1 WHERE "name" = 'schema'"#,
            &[&ddl::SCHEMA.to_string()],
        )
        .await
        .map_err(|error| failed(&error))?;
    transaction.commit().await.map_err(|error| failed(&error))?;
    while relate(&mut client, schema, related_of).await? {}
    Ok(())
}

/// One step of `migration.rs`; whether there may be another. The row of the position keeps two
/// processes apart.
async fn relate(
    client: &mut Client,
    schema: &Schema,
    related_of: RelatedOf,
) -> Result<bool, StoreError> {
    let transaction = client.transaction().await.map_err(|error| failed(&error))?;
    let at = transaction
        .query_opt(
            r#"SELECT "value" FROM "meta" WHERE "name" = $1 FOR UPDATE"#,
            &[&migration::WALK],
        )
        .await
        .map_err(|error| failed(&error))?;
    let Some(at) = at else { return Ok(false) };
    let at = Position::parse(read::value(&at, 0)?)?;
    let statements = migration::Statements::new(schema.dialect);
    let params: Params<'_> = &[&at.tenant, &at.seq, &migration::STEP_ENTRIES];
    let rows = transaction.query(&statements.next, params).await;
    let rows = rows.map_err(|error| failed(&error))?;
    let entries = rows.iter().map(read::entry).collect::<Result<_, _>>()?;
    let (related, next) = migration::step(entries, related_of);
    let run = async |sql: &str, params: Params<'_>| {
        let run = async {
            let statement = transaction.prepare_cached(sql).await?;
            transaction.execute(&statement, params).await
        };
        run.await.map(drop).map_err(|error| failed(&error))
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
    transaction.commit().await.map_err(|error| failed(&error))?;
    Ok(next.is_some())
}

/// What is not there yet. Asked for in the catalogue, because even `IF NOT EXISTS` would lock
/// tables that others are writing to.
async fn missing(
    transaction: &deadpool_postgres::Transaction<'_>,
    schema: &Schema,
) -> Result<Vec<String>, StoreError> {
    let names = async |sql: &str| -> Result<HashSet<String>, StoreError> {
        let rows = transaction.query(sql, &[]).await.map_err(|error| failed(&error))?;
        let names = rows.iter().map(|row| row.try_get(0).map_err(|error| failed(&error)));
        names.collect()
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
        let absent = ddl::kind_indexes(kind).into_iter();
        missing.extend(absent.filter(|(name, _)| !indexes.contains(name)).map(|(_, sql)| sql));
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_server_is_given_up_unless_the_url_says_otherwise() {
        let of = |url: &str| config(url, Duration::from_secs(1)).expect("a good URL").0;
        let ours = of("postgres://user@host/database");
        assert_eq!(ours.get_tcp_user_timeout(), Some(&Duration::from_secs(25)));
        assert_eq!(ours.get_keepalives_idle(), SILENCE);
        assert_eq!(ours.get_connect_timeout(), Some(&Duration::from_secs(1)));
        let own = "postgres://user@host/database?tcp_user_timeout=60&keepalives_idle=70";
        assert_eq!(of(own).get_tcp_user_timeout(), Some(&Duration::from_secs(60)));
        assert_eq!(of(own).get_keepalives_idle(), Duration::from_secs(70));
    }
}
