//! One set of migrations for both databases, plus a folder a database for what differs (triggers).
//!
//! The version is the file name's number; numbers are unique over all three folders.

use futures_core::future::BoxFuture;
use sqlx::{
    error::BoxDynError,
    migrate::{MigrateError, Migration, MigrationSource, Migrator},
};

use super::{Backend, Db};
use crate::error::{Error, Result};

static COMMON: Migrator = sqlx::migrate!("migrations/common");
static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// The backend's migrations; where a list is given, only those in it.
#[derive(Debug)]
struct Merged(Backend, Option<Vec<i64>>);

impl<'s> MigrationSource<'s> for Merged {
    fn resolve(self) -> BoxFuture<'s, Result<Vec<Migration>, BoxDynError>> {
        let own = match self.0 {
            Backend::Sqlite => &SQLITE,
            Backend::Postgres => &POSTGRES,
        };
        let mut all: Vec<_> = COMMON.iter().chain(own.iter()).cloned().collect();
        if let Some(only) = self.1 {
            all.retain(|m| only.contains(&m.version));
        }
        all.sort_by_key(|m| m.version);
        Box::pin(async move { Ok(all) })
    }
}

pub(super) async fn run(db: &Db) -> Result<()> {
    apply(db, None).await
}

/// Brings an empty database to the schema that these migrations make, to take rows of that schema.
pub(super) async fn run_only(db: &Db, versions: &[i64]) -> Result<()> {
    let known = |v: &i64| COMMON.version_exists(*v) || SQLITE.version_exists(*v);
    if let Some(version) = versions.iter().find(|v| !known(v)) {
        return Err(Error::conflict(format!(
            "the backup has a newer schema (migration {version})"
        ))
        .remedy("restore it with the newer opshawk that made it"));
    }
    apply(db, Some(versions.to_vec())).await
}

async fn apply(db: &Db, only: Option<Vec<i64>>) -> Result<()> {
    let migrator = Migrator::new(Merged(db.backend, only))
        .await
        .map_err(|e| Error::internal("the migrations can't be read").source(e))?;
    migrator.run(&db.pool).await.map_err(|e| match e {
        MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => {
            Error::conflict(format!("the database has a newer schema (migration {version})"))
                .remedy("run the newer opshawk that made it, or restore a backup of before")
        }
        MigrateError::VersionMismatch(version) => Error::conflict(format!(
            "migration {version} in the database is not the one of this program"
        ))
        .remedy("a published migration must not be edited: use the program that made it"),
        other => Error::internal("the database can't be migrated").source(other),
    })
}
