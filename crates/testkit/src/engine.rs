//! A store for one test, on the engine the run is for.

use patron_app::documents::KINDS;
use patron_store::{Location, Options, Store};

/// Where one test keeps its records; gone when dropped.
pub struct TestEngine {
    location: Location,
    options: Options,
    _directory: tempfile::TempDir,
}

impl TestEngine {
    /// An empty place on the engine named by `PATRON_TEST_ENGINE`.
    pub async fn new() -> TestEngine {
        let directory = tempfile::tempdir().unwrap();
        let engine = std::env::var("PATRON_TEST_ENGINE").unwrap_or_else(|_| "sqlite".into());
        let location = match engine.as_str() {
            "memory" => Location::Memory,
            "sqlite" => Location::Sqlite(directory.path().join("patron.db")),
            "postgres" => Location::Postgres(new_database().await),
            other => panic!("PATRON_TEST_ENGINE is {other}: use sqlite, postgres or memory"),
        };
        TestEngine { location, options: options(), _directory: directory }
    }

    /// The same place with options of the test's own.
    #[must_use]
    pub fn with(self, options: Options) -> TestEngine {
        TestEngine { options, ..self }
    }

    /// A place that the test made itself.
    pub fn at(location: Location) -> TestEngine {
        let directory = tempfile::tempdir().unwrap();
        TestEngine { location, options: options(), _directory: directory }
    }

    /// Opens the store, a second time too.
    pub async fn open(&self) -> Store {
        Store::open(&self.location, KINDS, self.options.clone()).await.unwrap()
    }

    /// Where it is.
    pub fn location(&self) -> &Location {
        &self.location
    }
}

/// Few connections: many servers of tests share one PostgreSQL.
fn options() -> Options {
    Options { postgres_pool_max: 4, ..Options::default() }
}

/// A fresh database on the server of `PATRON_TEST_POSTGRES_URL`. The whole server is thrown away
/// after the run, so databases are not dropped one by one.
async fn new_database() -> String {
    let url = std::env::var("PATRON_TEST_POSTGRES_URL")
        .expect("PATRON_TEST_POSTGRES_URL names the server for PATRON_TEST_ENGINE=postgres");
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let name = format!("patron_{}", uuid::Uuid::new_v4().simple());
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
    let (head, query) = url.split_once('?').map_or((url.as_str(), None), |(h, q)| (h, Some(q)));
    let (server, _) = head.rsplit_once('/').expect("the URL ends in a database name");
    match query {
        Some(query) => format!("{server}/{name}?{query}"),
        None => format!("{server}/{name}"),
    }
}
