//! One handle for SQLite and PostgreSQL, and the one SQL subset that both speak.
//!
//! Ids are text, instants integer milliseconds, money and flags integers; **only `i64` and text are
//! bound** (PostgreSQL keeps the types of a statement's first binding). `$1` placeholders,
//! `RETURNING` and `ON CONFLICT` work on both; write `CAST(SUM(x) AS BIGINT)`.

use std::{path::Path, str::FromStr, time::Duration};

use sqlx::{
    Any, AnyPool, Connection, Row,
    any::{AnyPoolOptions, AnyRow},
};

use crate::{
    error::{Error, ErrorKind, Result},
    time::Timestamp,
};

pub mod dump;
#[cfg(feature = "testing")]
pub mod failpoint;
mod migrate;
pub mod rows;
pub mod select;
mod writer;

pub use writer::Tx;

pub type Conn = sqlx::AnyConnection;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

#[derive(Debug, Clone)]
pub struct Db {
    pool: AnyPool,
    /// SQLite's one writing connection, whose pages stay in its cache; of PostgreSQL the pool.
    writers: AnyPool,
    backend: Backend,
    turns: writer::Turns,
    #[cfg(feature = "testing")]
    failpoint: failpoint::Failpoint,
}

impl Db {
    const MAX_CONNECTIONS: u32 = 8;
    const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(15);

    /// The URL of the embedded database of a data directory.
    pub fn sqlite_url(path: &Path) -> String {
        format!("sqlite://{}?mode=rwc", path.display())
    }

    /// Opens the database and brings its schema up to date. One that an older program made is
    /// migrated; one that a newer program made is refused.
    pub async fn open(url: &str) -> Result<Self> {
        let db = Self::connect(url).await?;
        migrate::run(&db).await?;
        Ok(db)
    }

    /// Opens the database as it is.
    pub async fn connect(url: &str) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let backend = match url.split(':').next() {
            Some("sqlite") => Backend::Sqlite,
            Some("postgres" | "postgresql") => Backend::Postgres,
            _ => {
                return Err(Error::invalid(
                    "database",
                    "the database URL must begin with sqlite: or postgres:",
                ));
            }
        };
        let options = |connections, writer| {
            AnyPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(Self::ACQUIRE_TIMEOUT)
                .after_connect(move |conn, _| Box::pin(prepare(conn, backend, writer)))
        };
        let refused = |e: sqlx::Error| {
            Error::unavailable(format!("the database {} can't be opened", redacted(url)))
                .remedy("check that it is there, that this user may write it, and its URL")
                .source(e)
        };
        // A pool tries again until its timeout; one plain connection tells at once.
        let mut first = sqlx::AnyConnection::connect(url).await.map_err(refused)?;
        prepare(&mut first, backend, false).await.map_err(refused)?;
        let pool = options(Self::MAX_CONNECTIONS, false).connect(url).await.map_err(refused)?;
        let writers = match backend {
            Backend::Sqlite => options(1, true).connect(url).await.map_err(refused)?,
            Backend::Postgres => pool.clone(),
        };
        // Not before the others are there: SQLite's last one that closes takes the log away.
        first.close().await.map_err(refused)?;
        Ok(Self {
            pool,
            writers,
            backend,
            turns: writer::Turns::of(backend),
            #[cfg(feature = "testing")]
            failpoint: failpoint::Failpoint::default(),
        })
    }

    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// A connection for reading.
    pub async fn read(&self) -> Result<sqlx::pool::PoolConnection<Any>> {
        #[cfg(feature = "testing")]
        self.failpoint.check()?;
        Ok(self.pool.acquire().await?)
    }

    /// A transaction that may write. SQLite takes its write lock at once, since a read that turns
    /// into a write in a deferred transaction fails as busy under load. Its writers queue, first come
    /// first served: a transaction that is begun inside of another one would wait for itself.
    pub async fn begin_write(&self) -> Result<Tx> {
        let turn = self.turns.wait().await?;
        #[cfg(feature = "testing")]
        self.failpoint.check()?;
        let tx = match self.backend {
            Backend::Sqlite => self.writers.begin_with("BEGIN IMMEDIATE").await,
            Backend::Postgres => begin_whole(&self.writers, "BEGIN").await,
        };
        Ok(Tx::new(
            tx?,
            turn,
            #[cfg(feature = "testing")]
            self.failpoint.clone(),
        ))
    }

    /// A transaction that reads, and sees one moment for as long as it lasts.
    pub async fn begin_snapshot(&self) -> Result<sqlx::Transaction<'static, Any>> {
        #[cfg(feature = "testing")]
        self.failpoint.check()?;
        Ok(match self.backend {
            // Deferred: in WAL mode the first read fixes what is seen.
            Backend::Sqlite => self.pool.begin().await?,
            Backend::Postgres => {
                begin_whole(&self.pool, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?
            }
        })
    }

    /// Of what kind the database behind a connection is.
    pub fn backend_of(conn: &Conn) -> Backend {
        if conn.backend_name() == "PostgreSQL" { Backend::Postgres } else { Backend::Sqlite }
    }

    pub async fn close(&self) {
        self.writers.close().await;
        self.pool.close().await;
    }
}

/// Begins in a task of its own, which nobody stops half-way: a connection whose BEGIN was sent and not
/// waited for (a client went away) would return to sqlx's pool in a transaction that sqlx knows nothing of.
async fn begin_whole(
    pool: &AnyPool,
    begin: &'static str,
) -> Result<sqlx::Transaction<'static, Any>, sqlx::Error> {
    let pool = pool.clone();
    let begun = tokio::spawn(async move { pool.begin_with(begin).await });
    match begun.await {
        Ok(begun) => begun,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is going down.
        Err(_) => Err(sqlx::Error::PoolClosed),
    }
}

/// What a new connection is set to; `writer` is SQLite's one that writes.
async fn prepare(conn: &mut Conn, backend: Backend, writer: bool) -> Result<(), sqlx::Error> {
    let settings: &[&str] = match backend {
        Backend::Sqlite => &[
            "PRAGMA busy_timeout = 10000",
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "PRAGMA foreign_keys = ON",
            // Without it the rows that a REPLACE takes out pass the triggers that refuse deletes.
            "PRAGMA recursive_triggers = ON",
        ],
        // Statements stay prepared for as long as a connection lives. A plan that was made while a
        // table was all but empty, and kept, reads all of it when it is large.
        Backend::Postgres => &["SET plan_cache_mode = force_custom_plan", "SET jit = off"],
    };
    // 16 MiB of pages, in place of 2, and checkpoints of as much: what a busy hour writes again and
    // again is copied to its place once. Of the readers eight caches of that size would be memory
    // that a small machine misses.
    let caches: &[&str] = if writer {
        &["PRAGMA cache_size = -16384", "PRAGMA wal_autocheckpoint = 4000"]
    } else {
        &[]
    };
    for setting in settings.iter().chain(caches) {
        sqlx::query(*setting).execute(&mut *conn).await?;
    }
    Ok(())
}

/// `$first, $first+1, …`: `count` placeholders for an `IN` list or a row of values.
pub fn placeholders(first: usize, count: usize) -> String {
    (first..first + count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

/// `($same, $first), ($same, $first+1), …`: the rows of an `(a, b) IN (VALUES …)` with one `a` in all.
///
/// Of `a = $1 AND b IN (…)` PostgreSQL believes, for as long as it has no statistics of the table, that
/// `a` alone selects a few, and reads all that have it; of rows it looks each one up by both.
pub fn pairs(same: usize, first: usize, count: usize) -> String {
    (first..first + count).map(|n| format!("(${same}, ${n})")).collect::<Vec<_>>().join(", ")
}

/// Whether the statement failed because a unique constraint forbids the row.
pub fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// A column that holds an id (or anything else that is kept as text and parsed).
pub fn parsed<T: FromStr>(row: &AnyRow, column: &str) -> Result<T> {
    let text: String = row.try_get(column)?;
    text.parse().map_err(|_| Error::internal(format!("the column {column} holds a broken {text}")))
}

/// Like [`parsed`], of a column that may be NULL.
pub fn parsed_opt<T: FromStr>(row: &AnyRow, column: &str) -> Result<Option<T>> {
    match row.try_get::<Option<String>, _>(column)? {
        Some(_) => parsed(row, column).map(Some),
        None => Ok(None),
    }
}

/// A column that holds an instant and may be NULL.
pub fn instant_opt(row: &AnyRow, column: &str) -> Result<Option<Timestamp>> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_ms))
}

/// The URL without its password.
fn redacted(url: &str) -> String {
    match url.split_once('@').zip(url.split_once("://")) {
        Some(((_, host), (scheme, _))) => format!("{scheme}://…@{host}"),
        None => url.to_owned(),
    }
}

/// The row, or an error of kind "not found" that names `what`.
pub fn found<T>(row: Option<T>, what: impl std::fmt::Display) -> Result<T> {
    row.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("{what} does not exist")))
}

#[cfg(test)]
mod tests;

#[cfg(feature = "testing")]
pub mod testing;
