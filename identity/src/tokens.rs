//! API tokens, for programs and agents: 256 random bits, shown once, stored as SHA-256.

use base::{
    Error, Result,
    db::{self, Conn},
    id::{HostId, TenantId, TokenId},
    secret,
    time::Timestamp,
};
use sqlx::{Row, any::AnyRow};

use crate::{Access, Actor, ActorKind};

pub mod memory;

/// So that a leaked one is recognised.
pub const PREFIX: &str = "ohk_";
const NAME_MAX_CHARS: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub id: TokenId,
    pub name: String,
    pub access: Access,
    pub created_at: Timestamp,
}

pub(crate) fn from_row(row: &AnyRow) -> Result<Token> {
    let tenant = db::parsed_opt::<TenantId>(row, "tenant_id")?;
    let host = db::parsed_opt::<HostId>(row, "host_id")?;
    let access = match (tenant, host) {
        (Some(tenant), _) => Access::Member(tenant),
        (None, Some(host)) => Access::Agent(host),
        (None, None) => Access::Operator,
    };
    Ok(Token {
        id: db::parsed(row, "id")?,
        name: row.try_get("name")?,
        access,
        created_at: Timestamp::from_ms(row.try_get("created_ms")?),
    })
}

impl Token {
    pub fn actor(&self) -> Actor {
        let kind = match self.access {
            Access::Agent(_) => ActorKind::Agent,
            _ => ActorKind::Token,
        };
        Actor { kind, id: self.id.to_string(), name: self.name.clone(), access: self.access }
    }
}

/// Returns the row and the token itself, which can't be read again.
pub async fn create(
    conn: &mut Conn,
    now: Timestamp,
    name: &str,
    access: Access,
) -> Result<(Token, String)> {
    let name = crate::checked_name("name", name, NAME_MAX_CHARS)?;
    let (role, tenant, host) = match access {
        Access::Operator => ("operator", None, None),
        Access::Member(tenant) => ("member", Some(tenant), None),
        Access::Agent(host) => ("agent", None, Some(host)),
    };
    if let Some(tenant) = tenant {
        crate::tenants::get(&mut *conn, tenant)
            .await
            .map_err(|_| Error::invalid("tenant_id", format!("tenant {tenant} does not exist")))?;
    }
    let plain = secret::random_token(PREFIX);
    let token = Token { id: TokenId::new(), name, access, created_at: now };
    sqlx::query(
        "INSERT INTO api_tokens (id, name, token_sha256, role, tenant_id, host_id, created_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(token.id.to_string())
    .bind(&token.name)
    .bind(secret::sha256_hex(&plain))
    .bind(role)
    .bind(tenant.map(|id| id.to_string()))
    .bind(host.map(|id| id.to_string()))
    .bind(now.ms())
    .execute(conn)
    .await?;
    Ok((token, plain))
}

pub async fn list(
    conn: &mut Conn,
    tenant: Option<TenantId>,
    cursor: Option<TokenId>,
    limit: i64,
) -> Result<Vec<Token>> {
    let rows = sqlx::query(
        "SELECT * FROM api_tokens WHERE revoked_ms IS NULL AND id > $1 \
         AND ($2 = '' OR tenant_id = $2) ORDER BY id LIMIT $3",
    )
    .bind(cursor.map(|id| id.to_string()).unwrap_or_default())
    .bind(tenant.map(|id| id.to_string()).unwrap_or_default())
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(from_row).collect()
}

/// Revokes the token if `actor` may see it. The memory of tokens is the caller's.
pub(crate) async fn revoke(
    conn: &mut Conn,
    now: Timestamp,
    actor: &Actor,
    id: TokenId,
) -> Result<()> {
    let tenant = actor.tenant().map(|id| id.to_string()).unwrap_or_default();
    let done = sqlx::query(
        "UPDATE api_tokens SET revoked_ms = $1 \
         WHERE id = $2 AND revoked_ms IS NULL AND ($3 = '' OR tenant_id = $3)",
    )
    .bind(now.ms())
    .bind(id.to_string())
    .bind(tenant)
    .execute(conn)
    .await?;
    if done.rows_affected() == 0 {
        return Err(Error::not_found(format_args!("token {id}")));
    }
    Ok(())
}

/// Revokes all tokens of a host's agent; which they were.
pub(crate) async fn revoke_of_host(
    conn: &mut Conn,
    now: Timestamp,
    host: HostId,
) -> Result<Vec<TokenId>> {
    let rows = sqlx::query(
        "UPDATE api_tokens SET revoked_ms = $1 WHERE host_id = $2 AND revoked_ms IS NULL \
         RETURNING id",
    )
    .bind(now.ms())
    .bind(host.to_string())
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| db::parsed(row, "id")).collect()
}
