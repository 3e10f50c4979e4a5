//! Databases for tests: every test that touches SQL runs on both.
//!
//! `OPSHAWK_TEST_POSTGRES` names a PostgreSQL server in which databases can be made, such as
//! `postgres://postgres@127.0.0.1:5433`; `make test` starts one and sets it. Where it is not set,
//! only SQLite is returned, and `make test` fails if that happens under it.

use sqlx::Connection;

use super::{Backend, Db};

/// A database of its own, gone with this value.
pub struct TestDb {
    pub db: Db,
    _place: EmptyDb,
}

/// A place for a database, with no table in it yet.
pub struct EmptyDb {
    pub url: String,
    _place: Place,
}

/// Taken away as it is dropped.
#[expect(dead_code, reason = "what it holds is held for its end")]
enum Place {
    Dir(tempfile::TempDir),
    Server(OnServer),
}

/// A database of a PostgreSQL server. Hundreds of tests would leave gigabytes there.
struct OnServer {
    admin_url: String,
    name: String,
}

impl Drop for OnServer {
    fn drop(&mut self) {
        let (url, drop) = (self.admin_url.clone(), format!("DROP DATABASE {} (FORCE)", self.name));
        // A test's runtime can't wait for another one on its own thread.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(execute(&url, drop)).map_err(std::io::Error::other)
        });
        if !matches!(dropped.join(), Ok(Ok(()))) {
            eprintln!("the test's database {} stays on its server", self.name);
        }
    }
}

async fn execute(url: &str, statement: String) -> Result<(), sqlx::Error> {
    let mut connection = sqlx::AnyConnection::connect(url).await?;
    sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await?;
    connection.close().await
}

impl EmptyDb {
    pub fn sqlite() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let url = Db::sqlite_url(&dir.path().join("opshawk.db"));
        Self { url, _place: Place::Dir(dir) }
    }

    async fn postgres(server: &str) -> Self {
        sqlx::any::install_default_drivers();
        let name = format!("t{}", uuid::Uuid::now_v7().simple());
        let admin_url = format!("{server}/postgres");
        // Collation C, or text would be ordered otherwise than in SQLite.
        let create =
            format!("CREATE DATABASE {name} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'");
        execute(&admin_url, create).await.expect("the test's PostgreSQL makes a database");
        let url = format!("{server}/{name}");
        Self { url, _place: Place::Server(OnServer { admin_url, name }) }
    }

    /// By somebody's hand, behind the program's back.
    pub async fn execute(&self, statement: &'static str) {
        execute(&self.url, statement.to_owned()).await.expect("the database does it");
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

/// Until a transaction waits for another's lock, or the one that may is done. SQLite has one writer,
/// who is waited for before anything: nobody is seen to wait there.
pub async fn until_somebody_waits(db: &Db, is_done: impl Fn() -> bool) {
    const WAITING: &str = "SELECT COUNT(*) FROM pg_stat_activity \
                           WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while db.backend() == Backend::Postgres && !is_done() {
        let mut conn = db.read().await.expect("a connection");
        let waiting: i64 =
            sqlx::query_scalar(WAITING).fetch_one(&mut *conn).await.expect("an answer");
        if waiting > 0 {
            return;
        }
        tokio::task::yield_now().await;
    }
}
