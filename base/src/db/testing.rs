//! Databases for tests: every test that touches SQL runs on both.
//!
//! `OPSHAWK_TEST_POSTGRES` names a PostgreSQL server in which databases can be made, such as
//! `postgres://postgres@127.0.0.1:5433`; `make test` starts one and sets it. Where it is not set,
//! only SQLite is returned, and `make test` fails if that happens under it.

use sqlx::Connection;

use super::Db;

/// A database of its own, gone with this value (the SQLite file) or with the server (PostgreSQL).
pub struct TestDb {
    pub db: Db,
    _place: EmptyDb,
}

/// A place for a database, with no table in it yet.
pub struct EmptyDb {
    pub url: String,
    _dir: Option<tempfile::TempDir>,
}

impl EmptyDb {
    pub fn sqlite() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        Self { url: Db::sqlite_url(&dir.path().join("opshawk.db")), _dir: Some(dir) }
    }

    async fn postgres(server: &str) -> Self {
        sqlx::any::install_default_drivers();
        let name = format!("t{}", uuid::Uuid::now_v7().simple());
        let mut admin = sqlx::AnyConnection::connect(&format!("{server}/postgres"))
            .await
            .expect("the test's PostgreSQL answers");
        // Collation C, or text would be ordered otherwise than in SQLite.
        let create =
            format!("CREATE DATABASE {name} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'");
        sqlx::query(sqlx::AssertSqlSafe(create))
            .execute(&mut admin)
            .await
            .expect("a database is made");
        Self { url: format!("{server}/{name}"), _dir: None }
    }
}

impl TestDb {
    pub async fn sqlite() -> Self {
        Self::open(EmptyDb::sqlite()).await
    }

    async fn open(place: EmptyDb) -> Self {
        Self { db: Db::open(&place.url).await.expect("the test's database opens"), _place: place }
    }
}

/// An empty place for a database of each kind.
pub async fn each_empty() -> Vec<EmptyDb> {
    let mut all = vec![EmptyDb::sqlite()];
    match std::env::var("OPSHAWK_TEST_POSTGRES") {
        Ok(server) => all.push(EmptyDb::postgres(&server).await),
        Err(_) => assert!(
            std::env::var("OPSHAWK_TEST_ALL").is_err(),
            "OPSHAWK_TEST_POSTGRES is not set, but all of the tests were asked for"
        ),
    }
    all
}

/// An empty, migrated database of each kind.
pub async fn each() -> Vec<TestDb> {
    let mut all = vec![];
    for place in each_empty().await {
        all.push(TestDb::open(place).await);
    }
    all
}
