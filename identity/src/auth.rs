//! A token or a session becomes an actor; logging in and out; the one-time setup link.

use std::{sync::Arc, time::Duration};

use base::{
    Error, ErrorKind, Result,
    db::{self, Conn, Db},
    id::{HostId, TokenId, UserId},
    secret,
    time::{SharedClock, Timestamp},
};
use sqlx::Row;

use crate::{
    Actor, password,
    tokens::{self, memory::Memory},
    users,
};

pub const SESSION_LIFETIME: Duration = Duration::from_secs(12 * 3600);
pub const SETUP_LINK_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// The login of the operator that the first start makes.
pub const FIRST_OPERATOR: &str = "admin";

#[derive(Debug, Clone)]
pub struct Identity {
    db: Db,
    clock: SharedClock,
    tokens: Arc<Memory>,
}

fn nobody(message: &str) -> Error {
    Error::new(ErrorKind::Unauthenticated, message)
}

impl Identity {
    pub fn new(db: Db, clock: SharedClock) -> Self {
        Self { db, clock, tokens: Arc::default() }
    }

    /// What was looked up holds for [`tokens::memory::HOLDS`]; a revocation through this
    /// [`Identity`] ends it at once.
    pub async fn authenticate_token(&self, token: &str) -> Result<Actor> {
        let sha256 = secret::sha256_hex(token);
        let now = self.clock.now();
        if let Some(actor) = self.tokens.get(&sha256, now) {
            return Ok(actor);
        }
        let mut conn = self.db.read().await?;
        let row = sqlx::query(
            "SELECT * FROM api_tokens WHERE token_sha256 = $1 AND revoked_ms IS NULL \
             AND (expires_ms IS NULL OR expires_ms > $2)",
        )
        .bind(&sha256)
        .bind(now.ms())
        .fetch_optional(&mut *conn)
        .await?;
        let Some(row) = row else {
            return Err(nobody("the API token is not known").remedy("make a new one"));
        };
        let token = tokens::from_row(&row)?;
        let actor = token.actor();
        let expires = db::instant_opt(&row, "expires_ms")?;
        self.tokens.keep(sha256, token.id, actor.clone(), now, expires);
        Ok(actor)
    }

    /// Revokes the token if `actor` may see it. Nobody gets in with it from the commit on.
    pub async fn revoke_token(&self, conn: &mut Conn, actor: &Actor, id: TokenId) -> Result<()> {
        tokens::revoke(conn, self.clock.now(), actor, id).await?;
        self.tokens.forget(id);
        Ok(())
    }

    /// Revokes all tokens of a host's agent, before a new one is handed out; the same holds.
    pub async fn revoke_tokens_of_host(&self, conn: &mut Conn, host: HostId) -> Result<()> {
        for id in tokens::revoke_of_host(conn, self.clock.now(), host).await? {
            self.tokens.forget(id);
        }
        Ok(())
    }

    pub async fn authenticate_session(&self, session: &str) -> Result<Actor> {
        let mut conn = self.db.read().await?;
        let row = sqlx::query(
            "SELECT u.* FROM sessions s JOIN users u ON u.id = s.user_id \
             WHERE s.token_sha256 = $1 AND s.expires_ms > $2 AND u.disabled_ms IS NULL",
        )
        .bind(secret::sha256_hex(session))
        .bind(self.clock.now().ms())
        .fetch_optional(&mut *conn)
        .await?;
        match row {
            Some(row) => Ok(users::from_row(&row)?.actor()),
            None => Err(nobody("the session has ended").remedy("log in again")),
        }
    }

    /// Returns the session's secret, for the cookie.
    pub async fn login(&self, login: &str, password: &str) -> Result<(String, Actor)> {
        let mut conn = self.db.read().await?;
        let row = sqlx::query("SELECT * FROM users WHERE login = $1 AND disabled_ms IS NULL")
            .bind(login.trim().to_lowercase())
            .fetch_optional(&mut *conn)
            .await?;
        drop(conn);
        let hash = match &row {
            Some(row) => row.try_get::<Option<String>, _>("password_hash")?,
            None => None,
        };
        let fits = password::verify(password, hash.as_deref()).await?;
        let Some(row) = row.filter(|_| fits) else {
            return Err(nobody("login or password is wrong"));
        };
        let user = users::from_row(&row)?;
        let mut tx = self.db.begin_write().await?;
        let session = self.open_session(&mut tx, user.id).await?;
        tx.commit().await?;
        Ok((session, user.actor()))
    }

    pub async fn logout(&self, session: &str) -> Result<()> {
        let mut tx = self.db.begin_write().await?;
        sqlx::query("DELETE FROM sessions WHERE token_sha256 = $1")
            .bind(secret::sha256_hex(session))
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    async fn open_session(&self, conn: &mut Conn, user: UserId) -> Result<String> {
        let session = secret::random_token("");
        let now = self.clock.now();
        // The ended ones go here, so that the table does not grow for ever.
        sqlx::query("DELETE FROM sessions WHERE expires_ms <= $1")
            .bind(now.ms())
            .execute(&mut *conn)
            .await?;
        sqlx::query(
            "INSERT INTO sessions (token_sha256, user_id, created_ms, expires_ms) \
             VALUES ($1, $2, $3, $4)",
        )
        .bind(secret::sha256_hex(&session))
        .bind(user.to_string())
        .bind(now.ms())
        .bind((now + SESSION_LIFETIME).ms())
        .execute(conn)
        .await?;
        Ok(session)
    }

    /// While no operator has a password: a new one-time link's token (the ones before it end).
    pub async fn first_start(&self) -> Result<Option<String>> {
        let mut tx = self.db.begin_write().await?;
        let now = self.clock.now();
        let operators =
            sqlx::query("SELECT * FROM users WHERE role = 'operator' AND disabled_ms IS NULL")
                .fetch_all(&mut *tx)
                .await?;
        let operators = operators.iter().map(users::from_row).collect::<Result<Vec<_>>>()?;
        if operators.iter().any(|user| user.has_password) {
            return Ok(None);
        }
        let user = match operators.into_iter().next() {
            Some(user) => user,
            None => {
                let new =
                    users::NewUser { login: FIRST_OPERATOR, tenant_id: None, password_hash: None };
                users::create(&mut tx, now, new).await?
            }
        };
        let link = setup_link(&mut tx, now, user.id).await?;
        tx.commit().await?;
        Ok(Some(link))
    }

    /// Sets the password by a one-time link, and logs in.
    pub async fn redeem_setup_link(&self, link: &str, password: &str) -> Result<(String, Actor)> {
        let hash = password::hash(password).await?;
        let mut tx = self.db.begin_write().await?;
        let now = self.clock.now();
        let row = sqlx::query(
            "UPDATE setup_links SET used_ms = $1 \
             WHERE token_sha256 = $2 AND used_ms IS NULL AND expires_ms > $1 RETURNING user_id",
        )
        .bind(now.ms())
        .bind(secret::sha256_hex(link))
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else {
            return Err(nobody("the link was used or has ended").remedy(
                "ask an operator for a new one; the first operator restarts the server for one",
            ));
        };
        let id: UserId = db::parsed(&row, "user_id")?;
        users::set_password(&mut tx, id, &hash).await?;
        let row = sqlx::query("SELECT * FROM users WHERE id = $1")
            .bind(id.to_string())
            .fetch_one(&mut *tx)
            .await?;
        let session = self.open_session(&mut tx, id).await?;
        tx.commit().await?;
        Ok((session, users::from_row(&row)?.actor()))
    }
}

/// A new one-time link's token, to set the user's password (the ones before it end).
pub async fn setup_link(conn: &mut Conn, now: Timestamp, user: UserId) -> Result<String> {
    let link = secret::random_token("");
    sqlx::query("DELETE FROM setup_links WHERE user_id = $1 AND used_ms IS NULL")
        .bind(user.to_string())
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "INSERT INTO setup_links (token_sha256, user_id, created_ms, expires_ms) \
         VALUES ($1, $2, $3, $4)",
    )
    .bind(secret::sha256_hex(&link))
    .bind(user.to_string())
    .bind(now.ms())
    .bind((now + SETUP_LINK_LIFETIME).ms())
    .execute(conn)
    .await?;
    Ok(link)
}

#[cfg(test)]
mod tests;
