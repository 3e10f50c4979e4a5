//! Money that is given, and that may end.

use base::{
    Error, Result,
    db::Conn,
    id::{LedgerTransactionId, TenantId},
    money::Micros,
    time::Timestamp,
};

use super::{
    chart::{Account, Entry, Kind},
    grants::{self, Grant},
    recharge::MEMO_MAX_CHARS,
    spend::put,
    store::{Posting, Written, append},
};
use crate::{
    accounts::{self, Locked},
    text,
};

pub const KEY_MAX_CHARS: usize = 200;

#[derive(Debug, Clone)]
pub struct Bonus<'a> {
    pub tenant: TenantId,
    /// Above zero.
    pub amount: Micros,
    /// None: never.
    pub expires: Option<Timestamp>,
    /// Names it: the same one again changes nothing.
    pub key: &'a str,
    pub memo: &'a str,
    pub actor: &'a str,
}

/// Gives the bonus: it pays the debt first, and the rest is spent before cash (where the account's
/// settings don't say otherwise).
pub async fn bonus(conn: &mut Conn, now: Timestamp, new: &Bonus<'_>) -> Result<Written> {
    text::bounded("key", new.key, 1, KEY_MAX_CHARS)?;
    let mut locked = accounts::lock(conn, new.tenant).await?;
    let key = format!("bonus:{}:{}", new.tenant, new.key);
    grant(conn, &mut locked, now, new, &Given { key: &key, kind: Kind::Bonus, with: None }).await
}

/// How a bonus came to be.
pub(super) struct Given<'a> {
    pub key: &'a str,
    pub kind: Kind,
    /// The recharge that it came with.
    pub with: Option<LedgerTransactionId>,
}

pub(super) async fn grant(
    conn: &mut Conn,
    locked: &mut Locked,
    now: Timestamp,
    new: &Bonus<'_>,
    given: &Given<'_>,
) -> Result<Written> {
    if new.amount <= Micros::ZERO {
        return Err(Error::invalid("amount", "a bonus must be above zero"));
    }
    text::bounded("memo", new.memo, 0, MEMO_MAX_CHARS)?;
    let mut entries = vec![Entry::debit(Account::Promotions, new.amount)];
    entries.extend(put(&locked.wallet, new.amount, Account::Bonus));
    let expires_ms = new.expires.map_or(0, Timestamp::ms);
    let request = format!("{}\n{}\n{expires_ms}", new.tenant, new.amount);
    let posting = Posting {
        key: given.key.to_owned(),
        request: request.as_bytes(),
        kind: given.kind,
        at: now,
        entries,
        memo: new.memo,
        reason: "",
        about: given.with,
        actor: new.actor,
    };
    let written = append(conn, locked, now, &posting).await?;
    if !written.is_new() {
        return Ok(written);
    }
    // After that, so that what was given long ago is answered still.
    if new.expires.is_some_and(|at| at <= now) {
        return Err(Error::invalid("expires_at", "a bonus must not end before it begins"));
    }
    sqlx::query(
        "INSERT INTO bonuses (transaction_id, tenant_id, recharge_id, amount_micros, expires_ms) \
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(written.id().to_string())
    .bind(new.tenant.to_string())
    .bind(given.with.map(|id| id.to_string()).unwrap_or_default())
    .bind(new.amount.0)
    .bind(expires_ms)
    .execute(conn)
    .await?;
    Ok(written)
}

/// What is left of the tenant's bonuses, those that are used up left out.
pub async fn left(conn: &mut Conn, tenant: TenantId) -> Result<Vec<Grant>> {
    let all = grants::left(&grants::moves(conn, tenant).await?)?;
    Ok(all.into_iter().filter(|grant| grant.left > Micros::ZERO).collect())
}

/// Ends what is left of the tenant's bonuses whose time has come at `now`, up to which is posted. How
/// much ended.
pub(super) async fn expire(conn: &mut Conn, now: Timestamp, tenant: TenantId) -> Result<Micros> {
    let mut locked = accounts::lock(conn, tenant).await?;
    let ended = expire_locked(conn, &mut locked, now).await?;
    sqlx::query(
        "INSERT INTO bonus_ends (bonus_id, at_ms) \
         SELECT transaction_id, $2 FROM bonuses \
         WHERE tenant_id = $1 AND expires_ms > 0 AND expires_ms <= $2 \
         ON CONFLICT (bonus_id) DO NOTHING",
    )
    .bind(tenant.to_string())
    .bind(now.ms())
    .execute(conn)
    .await?;
    Ok(ended)
}

pub(super) async fn expire_locked(
    conn: &mut Conn,
    locked: &mut Locked,
    now: Timestamp,
) -> Result<Micros> {
    let mut ended = Micros::ZERO;
    for grant in left(conn, locked.tenant_id).await? {
        if grant.expires.is_some_and(|at| at <= now) {
            let entries = vec![Entry::debit(Account::Bonus, grant.left)];
            end(conn, locked, now, grant.id, entries, "it expired").await?;
            ended = ended.checked_add(grant.left)?;
        }
    }
    Ok(ended)
}

/// Takes `debits` back from the bonus of this id.
pub(super) async fn end(
    conn: &mut Conn,
    locked: &mut Locked,
    now: Timestamp,
    bonus: LedgerTransactionId,
    debits: Vec<Entry>,
    why: &str,
) -> Result<()> {
    let total = debits.iter().try_fold(Micros::ZERO, |sum, e| sum.checked_add(e.amount))?;
    let mut entries = debits;
    entries.push(Entry::credit(Account::Promotions, total));
    // A bonus may end in parts: what a hold gives back ends when it does.
    let number: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM journal WHERE tenant_id = $1 AND kind = 'bonus_end' \
         AND corrects_id = $2",
    )
    .bind(locked.tenant_id.to_string())
    .bind(bonus.to_string())
    .fetch_one(&mut *conn)
    .await?;
    let request = total.to_string();
    let posting = Posting {
        key: format!("bonus_end:{bonus}:{}", number + 1),
        request: request.as_bytes(),
        kind: Kind::BonusEnd,
        at: now,
        entries,
        memo: "",
        reason: why,
        about: Some(bonus),
        actor: "system:ledger",
    };
    append(conn, locked, now, &posting).await.map(|_| ())
}
