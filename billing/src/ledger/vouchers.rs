//! Vouchers: a code that becomes a bonus, once.

use base::{
    Error, Result,
    db::{Conn, is_unique_violation},
    id::{TenantId, VoucherId},
    money::Micros,
    secret,
    time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    bonus::{self, Bonus, Given},
    chart::Kind,
    recharge::MEMO_MAX_CHARS,
    store::Written,
};
use crate::{accounts, prices, sql::parse, text};

/// In one listing.
pub const VOUCHERS_MAX: i64 = 1_000;
const CODE_PREFIX: &str = "ohv_";
pub const CODE_MAX_CHARS: usize = 100;

#[derive(Debug, Clone)]
pub struct NewVoucher<'a> {
    pub currency: &'a str,
    /// Above zero.
    pub amount: Micros,
    /// Who may redeem it; none: anybody.
    pub tenant: Option<TenantId>,
    pub valid_from: Timestamp,
    /// None: for ever.
    pub valid_to: Option<Timestamp>,
    /// When the bonus that it becomes ends; none: never.
    pub bonus_expires: Option<Timestamp>,
    pub memo: &'a str,
    pub actor: &'a str,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Voucher {
    pub id: VoucherId,
    pub currency: String,
    pub amount: Micros,
    pub tenant_id: Option<TenantId>,
    pub valid_from: Timestamp,
    pub valid_to: Option<Timestamp>,
    pub bonus_expires_at: Option<Timestamp>,
    pub memo: String,
    pub created_at: Timestamp,
    /// Who redeemed it.
    pub redeemed_by: Option<TenantId>,
    pub redeemed_at: Option<Timestamp>,
}

impl NewVoucher<'_> {
    /// Refuses what nobody could ever redeem.
    pub(crate) fn check(&self, now: Timestamp) -> Result<()> {
        text::bounded("memo", self.memo, 0, MEMO_MAX_CHARS)?;
        if self.amount <= Micros::ZERO {
            return Err(Error::invalid("amount", "a voucher must be above zero"));
        }
        if self.valid_to.is_some_and(|to| to <= self.valid_from || to <= now) {
            return Err(Error::invalid("valid_to", "the voucher would never be valid"));
        }
        if self.bonus_expires.is_some_and(|at| at <= self.valid_from || at <= now) {
            return Err(Error::invalid("bonus_expires_at", "the bonus would end before it begins"));
        }
        Ok(())
    }
}

/// Makes a voucher. Its code is told here and kept as a hash only.
pub async fn create(
    conn: &mut Conn,
    now: Timestamp,
    new: &NewVoucher<'_>,
) -> Result<(VoucherId, String)> {
    prices::check_currency(new.currency)?;
    new.check(now)?;
    let id = VoucherId::new();
    let code = secret::random_token(CODE_PREFIX);
    sqlx::query(
        "INSERT INTO vouchers (id, code_sha256, currency, amount_micros, tenant_id, \
         valid_from_ms, valid_to_ms, bonus_expires_ms, memo, actor, created_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(id.to_string())
    .bind(secret::sha256_hex(&code))
    .bind(new.currency)
    .bind(new.amount.0)
    .bind(new.tenant.map(|id| id.to_string()).unwrap_or_default())
    .bind(new.valid_from.ms())
    .bind(new.valid_to.map_or(0, Timestamp::ms))
    .bind(new.bonus_expires.map_or(0, Timestamp::ms))
    .bind(new.memo)
    .bind(new.actor)
    .bind(now.ms())
    .execute(conn)
    .await?;
    Ok((id, code))
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    currency: String,
    amount_micros: i64,
    tenant_id: String,
    valid_from_ms: i64,
    valid_to_ms: i64,
    bonus_expires_ms: i64,
    memo: String,
    created_ms: i64,
    redeemed_by: Option<String>,
    redeemed_ms: Option<i64>,
}

const SELECT: &str = "SELECT v.id, v.currency, v.amount_micros, v.tenant_id, v.valid_from_ms, \
    v.valid_to_ms, v.bonus_expires_ms, v.memo, v.created_ms, r.tenant_id AS redeemed_by, \
    r.at_ms AS redeemed_ms FROM vouchers v LEFT JOIN voucher_redemptions r ON r.voucher_id = v.id";

fn from_row(row: Row) -> Result<Voucher> {
    let instant = |ms: i64| (ms > 0).then(|| Timestamp::from_ms(ms));
    let tenant = row.tenant_id.as_str();
    Ok(Voucher {
        id: parse(&row.id)?,
        currency: row.currency,
        amount: Micros(row.amount_micros),
        tenant_id: if tenant.is_empty() { None } else { Some(parse(tenant)?) },
        valid_from: Timestamp::from_ms(row.valid_from_ms),
        valid_to: instant(row.valid_to_ms),
        bonus_expires_at: instant(row.bonus_expires_ms),
        memo: row.memo,
        created_at: Timestamp::from_ms(row.created_ms),
        redeemed_by: row.redeemed_by.as_deref().map(parse).transpose()?,
        redeemed_at: row.redeemed_ms.map(Timestamp::from_ms),
    })
}

/// Newest first, at most [`VOUCHERS_MAX`].
pub async fn list(conn: &mut Conn) -> Result<Vec<Voucher>> {
    let sql = concat_select("ORDER BY v.created_ms DESC, v.id DESC LIMIT $1");
    let rows: Vec<Row> =
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(VOUCHERS_MAX).fetch_all(conn).await?;
    rows.into_iter().map(from_row).collect()
}

fn concat_select(rest: &str) -> String {
    format!("{SELECT} {rest}")
}

/// Turns the voucher into a bonus of the tenant. A second time is a conflict, whoever asks, and so is
/// one whose time is not come or over. A code of somebody else is as unknown as one that never was.
pub async fn redeem(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
    code: &str,
    actor: &str,
) -> Result<Written> {
    text::bounded("code", code, 1, CODE_MAX_CHARS)?;
    let mut locked = accounts::lock(conn, tenant).await?;
    let row: Option<Row> =
        sqlx::query_as(sqlx::AssertSqlSafe(concat_select("WHERE v.code_sha256 = $1")))
            .bind(secret::sha256_hex(code.trim()))
            .fetch_optional(&mut *conn)
            .await?;
    let voucher = row.map(from_row).transpose()?;
    let voucher = voucher
        .filter(|v| v.tenant_id.is_none_or(|own| own == tenant))
        .ok_or_else(|| Error::not_found("this voucher"))?;
    check(&voucher, now, &locked.currency)?;
    let key = format!("voucher:{}", voucher.id);
    let new = Bonus {
        tenant,
        amount: voucher.amount,
        expires: voucher.bonus_expires_at,
        key: &key,
        memo: &voucher.memo,
        actor,
    };
    let given = Given { key: &key, kind: Kind::Voucher, with: None };
    let written = bonus::grant(conn, &mut locked, now, &new, &given).await?;
    sqlx::query(
        "INSERT INTO voucher_redemptions (voucher_id, tenant_id, transaction_id, at_ms) \
         VALUES ($1, $2, $3, $4)",
    )
    .bind(voucher.id.to_string())
    .bind(tenant.to_string())
    .bind(written.id().to_string())
    .bind(now.ms())
    .execute(conn)
    .await
    .map_err(|e| if is_unique_violation(&e) { redeemed() } else { e.into() })?;
    Ok(written)
}

fn redeemed() -> Error {
    Error::conflict("the voucher was redeemed already")
}

fn check(voucher: &Voucher, now: Timestamp, currency: &str) -> Result<()> {
    if voucher.redeemed_by.is_some() {
        return Err(redeemed());
    }
    if voucher.currency != currency {
        return Err(Error::conflict(format!(
            "the voucher is in {}, the account in {currency}",
            voucher.currency
        )));
    }
    if now < voucher.valid_from {
        return Err(Error::conflict(format!("the voucher is valid from {}", voucher.valid_from)));
    }
    if voucher.valid_to.is_some_and(|to| now >= to) {
        return Err(Error::conflict("the voucher is no longer valid"));
    }
    Ok(())
}
