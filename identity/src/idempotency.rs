//! The memory of requests that carried an `Idempotency-Key`
//! (draft-ietf-httpapi-idempotency-key-header): the answer is written in the transaction of its
//! effect, so that a request that is sent again after a crash takes effect once and gets the same
//! answer.

use base::{Error, Result, db::Conn, secret, time::Timestamp};
use sqlx::Row;

use crate::Actor;

pub const KEY_MAX_CHARS: usize = 255;

#[derive(Debug, PartialEq, Eq)]
pub enum Begun {
    /// Go on, and call [`finish`] in the same transaction.
    Fresh,
    /// This was answered before.
    Replay { status: u16, body: String },
}

/// `request` is what must be the same when the key is: method, path and body.
pub async fn begin(
    conn: &mut Conn,
    now: Timestamp,
    actor: &Actor,
    key: &str,
    request: &[u8],
) -> Result<Begun> {
    if key.is_empty() || key.chars().count() > KEY_MAX_CHARS {
        return Err(Error::invalid(
            "Idempotency-Key",
            format!("the key must have 1 to {KEY_MAX_CHARS} characters"),
        ));
    }
    let owner = owner(actor);
    let hash = secret::sha256_hex(request);
    let inserted = sqlx::query(
        "INSERT INTO idempotency_keys (actor, key, request_sha256, created_ms) \
         VALUES ($1, $2, $3, $4) ON CONFLICT (actor, key) DO NOTHING",
    )
    .bind(&owner)
    .bind(key)
    .bind(&hash)
    .bind(now.ms())
    .execute(&mut *conn)
    .await?;
    if inserted.rows_affected() == 1 {
        return Ok(Begun::Fresh);
    }
    let row = sqlx::query(
        "SELECT request_sha256, status, body FROM idempotency_keys WHERE actor = $1 AND key = $2",
    )
    .bind(&owner)
    .bind(key)
    .fetch_one(conn)
    .await?;
    if row.try_get::<String, _>("request_sha256")? != hash {
        return Err(Error::conflict("this key was used for another request")
            .field("Idempotency-Key")
            .remedy("make a new key for a new request"));
    }
    // The row is committed only with its answer.
    let status: i64 = row.try_get("status")?;
    Ok(Begun::Replay { status: u16::try_from(status).unwrap_or(500), body: row.try_get("body")? })
}

pub async fn finish(
    conn: &mut Conn,
    actor: &Actor,
    key: &str,
    status: u16,
    body: &str,
) -> Result<()> {
    sqlx::query("UPDATE idempotency_keys SET status = $1, body = $2 WHERE actor = $3 AND key = $4")
        .bind(i64::from(status))
        .bind(body)
        .bind(owner(actor))
        .bind(key)
        .execute(conn)
        .await?;
    Ok(())
}

fn owner(actor: &Actor) -> String {
    format!("{}:{}", actor.kind.as_str(), actor.id)
}
