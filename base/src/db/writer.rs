//! Whose turn it is to write.
//!
//! SQLite has one writer, and who waits for it polls with sleeps that grow: under load somebody is
//! passed over again and again. So writers queue here, first come first served, before they take a
//! connection. PostgreSQL has many writers, and no queue.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};

use sqlx::Any;
use tokio::sync::{Mutex, OwnedMutexGuard};

#[cfg(feature = "testing")]
use super::failpoint::{self, Failpoint, Moment};
use super::{Backend, Conn};
use crate::error::{Error, Result};

/// Longer than this nobody waits for its turn: a transaction that was begun inside of another one
/// would wait for ever.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// The queue of one database's writers in this process.
#[derive(Debug, Clone)]
pub(super) struct Turns(Option<Arc<Mutex<()>>>);

impl Turns {
    pub(super) fn of(backend: Backend) -> Self {
        Self(match backend {
            Backend::Sqlite => Some(Arc::default()),
            Backend::Postgres => None,
        })
    }

    pub(super) async fn wait(&self) -> Result<Option<OwnedMutexGuard<()>>> {
        let Some(turns) = &self.0 else { return Ok(None) };
        let turn = tokio::time::timeout(WAIT_MAX, turns.clone().lock_owned()).await;
        turn.map(Some).map_err(|_| {
            Error::unavailable(format!(
                "the database was being written by others for {} s",
                WAIT_MAX.as_secs()
            ))
            .remedy("try again")
        })
    }
}

/// A transaction that may write. Dropped without a commit, it is rolled back.
#[derive(Debug)]
pub struct Tx {
    tx: sqlx::Transaction<'static, Any>,
    // After the transaction, so that it is dropped after it.
    _turn: Option<OwnedMutexGuard<()>>,
    #[cfg(feature = "testing")]
    failpoint: Failpoint,
}

impl Tx {
    pub(super) fn new(
        tx: sqlx::Transaction<'static, Any>,
        turn: Option<OwnedMutexGuard<()>>,
        #[cfg(feature = "testing")] failpoint: Failpoint,
    ) -> Self {
        Self {
            tx,
            _turn: turn,
            #[cfg(feature = "testing")]
            failpoint,
        }
    }

    pub async fn commit(self) -> Result<(), sqlx::Error> {
        #[cfg(feature = "testing")]
        if let Some(moment) = self.failpoint.at_commit() {
            match moment {
                Moment::Before => self.tx.rollback().await?,
                Moment::After => self.tx.commit().await?,
            }
            return Err(failpoint::died());
        }
        self.tx.commit().await
    }

    pub async fn rollback(self) -> Result<(), sqlx::Error> {
        self.tx.rollback().await
    }
}

impl Deref for Tx {
    type Target = Conn;
    fn deref(&self) -> &Conn {
        &self.tx
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.tx
    }
}
