//! Tokens that were looked up a moment ago, so that a busy client costs no look-up a request.
//!
//! Nothing but a revocation or its expiry ends a token, and a token's access never changes. A
//! revocation of this process takes the token out before it commits, and keeps it out: a look-up that
//! is under way, and read the row before, is not kept either. What another process writes into
//! the same database (a second server, a restored backup) is seen after [`HOLDS`] at the latest.

use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
    time::Duration,
};

use base::{id::TokenId, time::Timestamp};

use crate::Actor;

/// How long a look-up holds.
pub const HOLDS: Duration = Duration::from_secs(1);
/// Beyond this the memory starts anew.
const TOKENS_MAX: usize = 4096;
/// So many of the last revocations are kept out: far more than can be under way at once.
const REVOKED_MAX: usize = 1024;

#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// By the token's SHA-256.
    tokens: HashMap<String, Kept>,
    revoked: VecDeque<TokenId>,
}

#[derive(Debug)]
struct Kept {
    id: TokenId,
    actor: Actor,
    from: Timestamp,
    /// Not included.
    until: Timestamp,
}

impl Memory {
    pub fn get(&self, sha256: &str, now: Timestamp) -> Option<Actor> {
        let known = self.lock();
        let kept = known.tokens.get(sha256)?;
        // A clock that was set back must not make it last.
        (kept.from <= now && now < kept.until).then(|| kept.actor.clone())
    }

    /// Keeps what was read from the database at `now`.
    pub fn keep(
        &self,
        sha256: String,
        id: TokenId,
        actor: Actor,
        now: Timestamp,
        expires: Option<Timestamp>,
    ) {
        let mut known = self.lock();
        if known.revoked.contains(&id) {
            return;
        }
        if known.tokens.len() >= TOKENS_MAX {
            known.tokens.clear();
        }
        let until = now + HOLDS;
        let until = expires.map_or(until, |expires| expires.min(until));
        known.tokens.insert(sha256, Kept { id, actor, from: now, until });
    }

    /// From now on only the database says whether the token holds.
    pub fn forget(&self, id: TokenId) {
        let mut known = self.lock();
        known.tokens.retain(|_, kept| kept.id != id);
        if known.revoked.len() >= REVOKED_MAX {
            known.revoked.pop_front();
        }
        known.revoked.push_back(id);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
