//! Dying at a commit, for tests: before it, so that its transaction is lost, or after it, so that
//! nobody hears of it. From then on the database refuses everything, as it would a program that is
//! no more, until [`Db::revive`]: then another program goes on.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::Db;
use crate::error::{Error, Result};

/// When a commit is died at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Before,
    After,
}

type Plan = Box<dyn FnMut() -> Option<Moment> + Send>;

#[derive(Default)]
struct State {
    plan: Option<Plan>,
    dead: bool,
}

/// Of a database and all of its transactions.
#[derive(Clone, Default)]
pub(super) struct Failpoint(Arc<Mutex<State>>);

impl fmt::Debug for Failpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failpoint").field("dead", &self.state().dead).finish_non_exhaustive()
    }
}

impl Failpoint {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of the commit that is about to be.
    pub(super) fn at_commit(&self) -> Option<Moment> {
        let mut state = self.state();
        if state.dead {
            return Some(Moment::Before);
        }
        let moment = state.plan.as_mut()?()?;
        state.dead = true;
        Some(moment)
    }

    pub(super) fn check(&self) -> Result<()> {
        match self.state().dead {
            true => Err(Error::unavailable("the program died at a commit")),
            false => Ok(()),
        }
    }
}

pub(super) fn died() -> sqlx::Error {
    sqlx::Error::Protocol("the program died at a commit".to_owned())
}

impl Db {
    /// From now on `plan` says of each commit whether the program dies at it.
    pub fn die_at_commits(&self, plan: impl FnMut() -> Option<Moment> + Send + 'static) {
        self.failpoint.state().plan = Some(Box::new(plan));
    }

    pub fn has_died(&self) -> bool {
        self.failpoint.state().dead
    }

    /// Another program takes over; the plan goes on.
    pub fn revive(&self) {
        self.failpoint.state().dead = false;
    }
}
