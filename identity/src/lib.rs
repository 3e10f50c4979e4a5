//! Who is asking: tenants, users with passwords, API tokens, sessions, the audit trail, and the
//! memory of requests that carried an `Idempotency-Key`.
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`actor`] | whoever acts: a user, a program, an agent, the system |
//! | [`auth`] | a token or a session becomes an actor; logging in and out; the one-time setup link |
//! | [`tenants`], [`users`], [`tokens`] | their rows |
//! | [`password`] | argon2id, off the async threads |
//! | [`audit`] | who did what to what; append-only |
//! | [`idempotency`] | the answer that a repeated request gets again |
//!
//! Functions work on a `&mut Conn`, so that the caller's transaction holds them together. Nothing
//! here knows what a tenant has or owes.

pub mod actor;
pub mod audit;
pub mod auth;
pub mod idempotency;
pub mod password;
pub mod tenants;
pub mod tokens;
pub mod users;

pub use actor::{Access, Actor, ActorKind};
pub use auth::Identity;

use base::{Error, Result};

/// A name as people give it: trimmed, not empty, without control characters, not too long.
pub fn checked_name(field: &str, name: &str, max_chars: usize) -> Result<String> {
    let name = name.trim();
    if name.is_empty() {
        return Err(Error::invalid(field, format!("the {field} must not be empty")));
    }
    if name.chars().count() > max_chars {
        let message = format!("the {field} must have at most {max_chars} characters");
        return Err(Error::invalid(field, message));
    }
    if name.chars().any(char::is_control) {
        let message = format!("the {field} must not contain control characters");
        return Err(Error::invalid(field, message));
    }
    Ok(name.to_owned())
}
