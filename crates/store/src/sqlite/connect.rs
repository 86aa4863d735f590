//! Opening the file: settings of a connection (each proven by reading it back where durability
//! hangs on it), the functions searches call, and the migration.

use std::fs::{OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::{Connection, OpenFlags, OptionalExtension, ToSql, TransactionBehavior};

use super::{failed, gathering, read};
use crate::document::{decimal_at, fold, text_at, whole_at};
use crate::migration::{self, Position, Related};
use crate::packing::unpack;
use crate::sql::{Dialect, Schema};
use crate::terms::is_least;
use crate::{Options, RelatedOf, StoreError, Synchronous, ddl};

/// Older versions can lose writes when a WAL is reset (fixed in 3.51.3).
const VERSION_MIN: i32 = 3_051_003;
/// Pages in the write-ahead log after which a commit moves them into the file.
const WAL_PAGES: i64 = 1000;
/// Bytes of the write-ahead log that are kept when it starts anew; long readers let it grow more.
const WAL_KEPT_BYTES: i64 = 16 << 20;
/// Bytes of the log that are written anew at a time.
const RENEWED_BYTES: usize = 1 << 20;
/// Pause before another process is asked again whether it is done starting (milliseconds).
const OPEN_RETRY_MS: u64 = 20;

/// Mode of the files: readable and writable by their owner only.
const PRIVATE: u32 = 0o600;
/// Bits that let others in.
const OTHERS: u32 = 0o077;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// Opens a connection with all settings.
pub(super) fn connect(
    path: &Path,
    access: Access,
    options: &Options,
) -> Result<Connection, StoreError> {
    let flags = match access {
        Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
    };
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|error| StoreError::Unavailable(format!("{}: {error}", path.display())))?;
    connection.busy_timeout(Duration::from_millis(options.sqlite_busy_ms)).map_err(failed)?;
    // Without this every bind of an indexed value plans the statement anew (1.3-2x on searches).
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failed)?;
    // A misspelled column is an error, not a text.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false).map_err(failed)?;
    if access == Access::Write {
        make_durable(&connection, options.synchronous)?;
    }
    let set = |name, value: i64| connection.pragma_update(None, name, value).map_err(failed);
    set("cache_size", -i64::from(options.sqlite_cache_kib))?;
    set("mmap_size", i64::try_from(options.sqlite_mmap_bytes).unwrap_or(i64::MAX))?;
    connection.pragma_update(None, "temp_store", "MEMORY").map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(options.statement_cache);
    add_functions(&connection).map_err(failed)?;
    Ok(connection)
}

/// Write-ahead log and flushing, refused when SQLite does not confirm them.
fn make_durable(connection: &Connection, synchronous: Synchronous) -> Result<(), StoreError> {
    let refuse = |what: String| Err(StoreError::Engine(format!("SQLite {what}")));
    if rusqlite::version_number() < VERSION_MIN {
        return refuse(format!("{} is too old", rusqlite::version()));
    }
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(failed)?;
    if mode != "wal" {
        return refuse(format!("keeps journal mode {mode} instead of wal for this file"));
    }
    let (word, level) = match synchronous {
        Synchronous::Full => ("FULL", 2),
        Synchronous::Off => ("OFF", 0),
    };
    connection.pragma_update(None, "synchronous", word).map_err(failed)?;
    let read: i64 =
        connection.pragma_query_value(None, "synchronous", |row| row.get(0)).map_err(failed)?;
    if read != level {
        return refuse(format!("keeps synchronous={read} instead of {word}"));
    }
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES).map_err(failed)?;
    connection.pragma_update(None, "journal_size_limit", WAL_KEPT_BYTES).map_err(failed)
}

/// The fields of a document, read by the same code as in the memory engine.
fn add_functions(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function("patron_fold", 1, flags, |context| {
        Ok(context.get_raw(0).as_str_or_null()?.map(fold))
    })?;
    connection.create_scalar_function("patron_is_least", 3, flags, |context| {
        let (prefix, term) = (context.get_raw(1).as_str()?, context.get_raw(2).as_str()?);
        let held = context.get_raw(0).as_blob_or_null()?;
        Ok(held.is_some_and(|held| is_least(held, prefix, term)))
    })?;
    connection.create_scalar_function("patron_text", 3, flags, |c| in_document(c, text_at))?;
    connection.create_scalar_function("patron_whole", 3, flags, |c| in_document(c, whole_at))?;
    connection.create_scalar_function("patron_decimal", 3, flags, |c| in_document(c, decimal_at))
}

/// Text and packed part of a document, and the path in it.
fn in_document<T>(
    context: &Context<'_>,
    read: impl Fn(&str, &[String]) -> Option<T>,
) -> rusqlite::Result<Option<T>> {
    let path = context.get_or_create_aux(2, |path| -> Result<Vec<String>, serde_json::Error> {
        serde_json::from_str(path.as_str().unwrap_or_default())
    })?;
    let read = |doc: &str| read(doc, &path);
    match context.get_raw(1).as_blob_or_null()? {
        Some(packed) => {
            let doc = unpack(packed).map_err(|e| rusqlite::Error::UserFunctionError(e.into()))?;
            Ok(read(&doc))
        }
        None => Ok(context.get_raw(0).as_str_or_null()?.and_then(read)),
    }
}

/// Opens the writing connection and brings the tables to the declared kinds. Another process that
/// does the same at this moment is waited for.
pub(super) fn open_and_migrate(
    path: &Path,
    schema: &Schema,
    options: &Options,
) -> Result<Connection, StoreError> {
    make_private(path)?;
    let end = Instant::now() + Duration::from_millis(options.sqlite_busy_ms);
    loop {
        let opened = connect(path, Access::Write, options).and_then(|mut connection| {
            renew_log(&mut connection, path)?;
            migrate(&mut connection, schema)?;
            while relate(&mut connection, schema, options.related_of)? {}
            gathering::go_on(&mut connection, schema)?;
            Ok(connection)
        });
        match opened {
            // SQLite does not wait for a lock while it changes the journal mode.
            Err(StoreError::Unavailable(why)) if why.contains("locked") && Instant::now() < end => {
                sleep(Duration::from_millis(OPEN_RETRY_MS));
            }
            opened => return opened,
        }
    }
}

/// The data file and its neighbours, which SQLite makes as readable as the file itself.
fn files(path: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    })
}

/// Makes the data file readable by its owner only, whatever the umask, and mends one that is not.
fn make_private(path: &Path) -> Result<(), StoreError> {
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(PRIVATE).open(path);
    let unavailable = |error| StoreError::Unavailable(format!("{}: {error}", path.display()));
    made.map_err(unavailable)?;
    for file in files(path) {
        let Ok(held) = std::fs::metadata(&file) else { continue };
        if held.permissions().mode() & OTHERS == 0 {
            continue;
        }
        match std::fs::set_permissions(&file, Permissions::from_mode(PRIVATE)) {
            Ok(()) => tracing::warn!("{} was readable by others; mended", file.display()),
            Err(error) => tracing::warn!(%error, "{} is readable by others", file.display()),
        }
    }
    Ok(())
}

/// Writes the write-ahead log over itself and flushes it. After a flush that failed, a restart
/// reads from the system's memory what the disk may never have got, and no later flush would bring
/// it there: a power failure would take it, and all that was written behind it.
fn renew_log(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let lost =
        |error: std::io::Error| StoreError::Unavailable(format!("{}-wal: {error}", path.display()));
    // Nobody else writes to the log meanwhile.
    let _writing =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    let log = match OpenOptions::new().read(true).write(true).open(name) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        log => log.map_err(lost)?,
    };
    let mut chunk = vec![0; RENEWED_BYTES];
    let mut at = 0;
    loop {
        let read = log.read_at(&mut chunk, at).map_err(lost)?;
        if read == 0 {
            return log.sync_all().map_err(lost);
        }
        log.write_all_at(&chunk[..read], at).map_err(lost)?;
        at += read as u64;
    }
}

fn migrate(connection: &mut Connection, schema: &Schema) -> Result<(), StoreError> {
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let run = |sql: &String| transaction.execute_batch(sql).map_err(failed);
    let put = |name: &str, value: &str| {
        let sql = r#"INSERT OR REPLACE INTO "meta" VALUES (?1, ?2)"#;
        transaction.execute(sql, (name, value)).map(drop).map_err(failed)
    };
    run(&ddl::meta_table(Dialect::Sqlite))?;
    let held: Option<String> = transaction
        .query_row(r#"SELECT "value" FROM "meta" WHERE "name" = 'schema'"#, [], |row| row.get(0))
        .optional()
        .map_err(failed)?;
    let held = ddl::check_schema(held.as_deref())?;
    if held.is_some_and(|layout| layout < ddl::SCHEMA_OF_RELATED_ENTRIES) {
        ddl::related_entries(Dialect::Sqlite).iter().try_for_each(run)?;
        put(migration::WALK, &Position::default().text())?;
    }
    ddl::own_tables(Dialect::Sqlite).iter().try_for_each(run)?;
    if held.is_some_and(|layout| layout < ddl::SCHEMA_OF_KEYED_ANSWERS) {
        // Overwritten with zeros, not only freed.
        run(&r#"PRAGMA secure_delete = ON"#.to_owned())?;
        run(&r#"DELETE FROM "answer""#.to_owned())?;
        run(&r#"PRAGMA secure_delete = OFF"#.to_owned())?;
    }
    let has = |table: &str, column: &str| {
        transaction
            .prepare_cached("SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2")
            .and_then(|mut statement| statement.exists((table, column)))
            .map_err(failed)
    };
    let add = |table: &str, column: &str| match has(table, column)? {
        true => Ok(()),
        false => run(&ddl::add_bytes(Dialect::Sqlite, table, column)),
    };
    add("journal", "packed")?;
    for kind in schema.kinds {
        ddl::kind_tables(Dialect::Sqlite, kind).iter().try_for_each(run)?;
        for column in Dialect::Sqlite.own_columns(kind) {
            add(kind.name, column)?;
        }
        if kind.terms && held.is_some_and(|layout| layout < ddl::SCHEMA_OF_HELD_TERMS) {
            put(&gathering::walk(kind), &i64::MIN.to_string())?;
        }
        for column in kind.columns {
            if !has(kind.name, column.name)? {
                run(&ddl::add_column(Dialect::Sqlite, kind, column))?;
            }
        }
        ddl::kind_indexes(Dialect::Sqlite, kind).iter().try_for_each(|(_, sql)| run(sql))?;
    }
    put("schema", &ddl::SCHEMA.to_string())?;
    transaction.commit().map_err(failed)
}

/// One step of `migration.rs`; whether there may be another.
fn relate(
    connection: &mut Connection,
    schema: &Schema,
    related_of: RelatedOf,
) -> Result<bool, StoreError> {
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let at: Option<String> = transaction
        .query_row(r#"SELECT "value" FROM "meta" WHERE "name" = ?1"#, [migration::WALK], |row| {
            row.get(0)
        })
        .optional()
        .map_err(failed)?;
    let Some(at) = at else { return Ok(false) };
    let at = Position::parse(&at)?;
    let statements = migration::Statements::new(Dialect::Sqlite);
    let params = (at.tenant, at.seq, migration::STEP_ENTRIES);
    let entries = read::entries(&transaction, &statements.next, params)?;
    let (related, next) = migration::step(entries, related_of);
    let run = |sql: &str, params: &[&dyn ToSql]| {
        let done = transaction.prepare_cached(sql).and_then(|mut run| run.execute(params));
        done.map(drop).map_err(failed)
    };
    for Related { tenant, seq, list, mentions } in related {
        if let Some(list) = list {
            run(&statements.relate, &[&tenant, &seq, &list])?;
        }
        for number in mentions {
            run(&schema.statements.mention_put, &[&tenant, &number, &seq])?;
        }
    }
    match next {
        Some(next) => run(
            r#"UPDATE "meta" SET "value" = ?2 WHERE "name" = ?1"#,
            &[&migration::WALK, &next.text()],
        )?,
        None => run(r#"DELETE FROM "meta" WHERE "name" = ?1"#, &[&migration::WALK])?,
    }
    transaction.commit().map_err(failed)?;
    Ok(next.is_some())
}
