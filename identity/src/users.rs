//! Users: people who log in to the console with a password.

use base::{
    Error, Result,
    db::{self, Conn, is_unique_violation},
    id::{TenantId, UserId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use sqlx::{Row, any::AnyRow};

use crate::{Access, Actor, ActorKind};

pub const LOGIN_MAX_CHARS: usize = 254;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Operator,
    Member,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Member => "member",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    /// An e-mail address, or a plain name.
    pub login: String,
    pub role: Role,
    pub tenant_id: Option<TenantId>,
    pub has_password: bool,
    pub created_at: Timestamp,
}

impl User {
    pub fn actor(&self) -> Actor {
        let access = self.tenant_id.map_or(Access::Operator, Access::Member);
        Actor { kind: ActorKind::User, id: self.id.to_string(), name: self.login.clone(), access }
    }
}

pub(crate) fn from_row(row: &AnyRow) -> Result<User> {
    let tenant_id = db::parsed_opt(row, "tenant_id")?;
    Ok(User {
        id: db::parsed(row, "id")?,
        login: row.try_get("login")?,
        role: if tenant_id.is_some() { Role::Member } else { Role::Operator },
        tenant_id,
        has_password: row.try_get::<Option<String>, _>("password_hash")?.is_some(),
        created_at: Timestamp::from_ms(row.try_get("created_ms")?),
    })
}

#[derive(Debug, Clone)]
pub struct NewUser<'a> {
    pub login: &'a str,
    /// None: an operator.
    pub tenant_id: Option<TenantId>,
    /// From [`crate::password::hash`], made before the transaction began: hashing takes its time.
    pub password_hash: Option<String>,
}

pub async fn create(conn: &mut Conn, now: Timestamp, new: NewUser<'_>) -> Result<User> {
    let login = crate::checked_name("login", new.login, LOGIN_MAX_CHARS)?.to_lowercase();
    if login.contains(char::is_whitespace) {
        return Err(Error::invalid("login", "the login must not contain spaces"));
    }
    if let Some(tenant) = new.tenant_id {
        crate::tenants::get(&mut *conn, tenant)
            .await
            .map_err(|_| Error::invalid("tenant_id", format!("tenant {tenant} does not exist")))?;
    }
    let role = if new.tenant_id.is_some() { Role::Member } else { Role::Operator };
    let user = User {
        id: UserId::new(),
        login,
        role,
        tenant_id: new.tenant_id,
        has_password: new.password_hash.is_some(),
        created_at: now,
    };
    sqlx::query(
        "INSERT INTO users (id, login, role, tenant_id, password_hash, created_ms) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(user.id.to_string())
    .bind(&user.login)
    .bind(role.as_str())
    .bind(user.tenant_id.map(|id| id.to_string()))
    .bind(new.password_hash)
    .bind(now.ms())
    .execute(conn)
    .await
    .map_err(|e| match is_unique_violation(&e) {
        true => Error::conflict(format!("a user logs in as '{}' already", user.login)),
        false => e.into(),
    })?;
    Ok(user)
}

pub async fn list(
    conn: &mut Conn,
    tenant: Option<TenantId>,
    cursor: Option<UserId>,
    limit: i64,
) -> Result<Vec<User>> {
    let rows = sqlx::query(
        "SELECT * FROM users WHERE disabled_ms IS NULL AND id > $1 \
         AND ($2 = '' OR tenant_id = $2) ORDER BY id LIMIT $3",
    )
    .bind(cursor.map(|id| id.to_string()).unwrap_or_default())
    .bind(tenant.map(|id| id.to_string()).unwrap_or_default())
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(from_row).collect()
}

/// How many of a tenant's users its notices go to: one notice is one mail to all of them, and mail
/// servers take about a hundred recipients (RFC 5321, 4.5.3.1.8).
pub const MAIL_RECIPIENTS_MAX: i64 = 100;

/// The logins of a tenant's users that are e-mail addresses, the oldest users first: where its
/// notices go.
pub async fn mail_addresses(conn: &mut Conn, tenant: TenantId) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = sqlx::query_as(
        "SELECT login FROM users WHERE disabled_ms IS NULL AND tenant_id = $1 \
         AND login LIKE '%@%' ORDER BY id LIMIT $2",
    )
    .bind(tenant.to_string())
    .bind(MAIL_RECIPIENTS_MAX)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(login,)| login).collect())
}

/// Sets the password and ends the user's sessions.
pub async fn set_password(conn: &mut Conn, id: UserId, hash: &str) -> Result<()> {
    sqlx::query("UPDATE users SET password_hash = $1 WHERE id = $2")
        .bind(hash)
        .bind(id.to_string())
        .execute(&mut *conn)
        .await?;
    sqlx::query("DELETE FROM sessions WHERE user_id = $1")
        .bind(id.to_string())
        .execute(conn)
        .await?;
    Ok(())
}
