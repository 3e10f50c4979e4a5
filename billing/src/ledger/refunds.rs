//! Money that goes back: never more than is left of what was paid.
//!
//! What a tenant used is taken to be of its oldest recharge first. A refund takes back the bonus that
//! came with its recharge first, all of it, from the bonus account as far as it is there and from cash
//! for what was spent of it; so the same is left to refund whichever pocket had paid.

use base::{
    Error, Result,
    db::{Conn, found},
    id::{LedgerTransactionId, TenantId},
    money::Micros,
    time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    bonus::{self, KEY_MAX_CHARS},
    chart::{Account, Entry, Kind},
    grants,
    store::{Posting, Written, append},
};
use crate::{
    accounts::{self, Locked},
    sql::parse,
    text,
};

#[derive(Debug, Clone)]
pub struct Refund<'a> {
    pub recharge: LedgerTransactionId,
    /// Above zero, and not above what is left of the recharge.
    pub amount: Micros,
    pub reason: &'a str,
    /// Names it: the same one again changes nothing.
    pub key: &'a str,
    pub actor: &'a str,
}

/// A recharge, and what of it can go back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Paid {
    pub id: LedgerTransactionId,
    pub provider: String,
    pub provider_id: String,
    pub amount: Micros,
    pub refunded: Micros,
    pub refundable: Micros,
    /// Of the bonus that came with it, what a refund takes back.
    pub bonus: Micros,
    pub at: Timestamp,
}

/// What a refund works on; amounts in micro-units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct State {
    pub amount: i64,
    pub refunded: i64,
    /// Of its bonus, what has not ended.
    pub bonus: i64,
    /// Of that, what is in the bonus account.
    pub bonus_left: i64,
}

/// How much of each recharge can go back, the oldest first, where `cash` is there and `held` of it is
/// put aside. Pure.
///
/// Each is what is left of it after what was spent, and not more than the cash that is there after
/// its bonus was taken back.
pub(crate) fn refundable(recharges: &[State], cash: Micros, held: Micros) -> Vec<Micros> {
    let sum = |of: fn(&State) -> i64| recharges.iter().map(|r| i128::from(of(r))).sum::<i128>();
    let has = i128::from(cash.0) + i128::from(held.0);
    let mut spent = (sum(|r| r.amount) - sum(|r| r.refunded) - has).max(0);
    recharges
        .iter()
        .map(|recharge| {
            let left = i128::from(recharge.amount) - i128::from(recharge.refunded);
            let used = spent.min(left);
            spent -= used;
            let from_cash = i128::from(recharge.bonus) - i128::from(recharge.bonus_left);
            let most = (left - used).min(i128::from(cash.0) - from_cash.max(0)).max(0);
            Micros(i64::try_from(most).unwrap_or(i64::MAX))
        })
        .collect()
}

/// A grant of a recharge.
struct Given {
    id: LedgerTransactionId,
    recharge: LedgerTransactionId,
    /// What of it has not ended, in the account or spent.
    amount: i64,
    left: i64,
    /// Of what is not left, what holds have put aside.
    held: i64,
}

/// The tenant's recharges, the oldest first. The account's lock is held, or the connection sees one
/// moment.
pub async fn recharges(conn: &mut Conn, tenant: TenantId) -> Result<Vec<Paid>> {
    let account = accounts::get(&mut *conn, tenant).await?;
    let given = given(conn, tenant).await?;
    type Row = (String, String, String, i64, i64, i64);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT r.transaction_id, r.provider, r.provider_id, r.amount_micros, \
         CAST(COALESCE((SELECT SUM(f.amount_micros) FROM refunds f \
           WHERE f.recharge_id = r.transaction_id), 0) AS BIGINT), j.at_ms \
         FROM recharges r JOIN journal j ON j.id = r.transaction_id \
         WHERE r.tenant_id = $1 ORDER BY j.number",
    )
    .bind(tenant.to_string())
    .fetch_all(&mut *conn)
    .await?;
    let held: i64 = sqlx::query_scalar(
        "SELECT CAST(COALESCE(SUM(h.amount_micros - h.bonus_micros), 0) AS BIGINT) FROM holds h \
         WHERE h.tenant_id = $1 AND NOT EXISTS (SELECT 1 FROM hold_ends e WHERE e.hold_id = h.id)",
    )
    .bind(tenant.to_string())
    .fetch_one(conn)
    .await?;
    let mut paid = Vec::new();
    let mut states = Vec::new();
    for (id, provider, provider_id, amount, refunded, at) in rows {
        let id: LedgerTransactionId = parse(&id)?;
        let of = given.iter().filter(|given| given.recharge == id);
        let (bonus, bonus_left) = of.fold((0, 0), |(b, l), g| (b + g.amount, l + g.left));
        states.push(State { amount, refunded, bonus, bonus_left });
        paid.push(Paid {
            id,
            provider,
            provider_id,
            amount: Micros(amount),
            refunded: Micros(refunded),
            refundable: Micros::ZERO,
            bonus: Micros(bonus),
            at: Timestamp::from_ms(at),
        });
    }
    let most = refundable(&states, account.wallet.cash, Micros(held));
    for (paid, most) in paid.iter_mut().zip(most) {
        paid.refundable = most;
    }
    Ok(paid)
}

/// The bonuses that came with recharges.
async fn given(conn: &mut Conn, tenant: TenantId) -> Result<Vec<Given>> {
    let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(
        "SELECT b.transaction_id, b.recharge_id, b.amount_micros, \
         CAST(COALESCE((SELECT SUM(e.amount_micros) FROM journal j \
           JOIN journal_entries e ON e.transaction_id = j.id AND e.account = 'promotions' \
           WHERE j.tenant_id = b.tenant_id AND j.kind = 'bonus_end' \
           AND j.corrects_id = b.transaction_id), 0) AS BIGINT) \
         FROM bonuses b WHERE b.tenant_id = $1 AND b.recharge_id <> ''",
    )
    .bind(tenant.to_string())
    .fetch_all(&mut *conn)
    .await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let grants = grants::left(&grants::moves(conn, tenant).await?)?;
    rows.into_iter()
        .map(|(id, recharge, amount, ended)| {
            let id = parse(&id)?;
            let grant = grants.iter().find(|grant| grant.id == id);
            let (left, held) = grant.map_or((0, 0), |grant| (grant.left.0, grant.held.0));
            Ok(Given { id, recharge: parse(&recharge)?, amount: amount - ended, left, held })
        })
        .collect()
}

/// Gives money back that was paid and is not used: debits cash by what goes out, after the bonus of
/// the recharge. What is accrued must be posted before (`rating::catch_up`), or it counts as there.
/// The caller sends the money, by the recharge's provider.
pub async fn refund(conn: &mut Conn, now: Timestamp, new: &Refund<'_>) -> Result<Written> {
    if new.amount <= Micros::ZERO {
        return Err(Error::invalid("amount", "a refund must be above zero"));
    }
    let reason = text::reason(new.reason)?;
    text::bounded("key", new.key, 1, KEY_MAX_CHARS)?;
    let tenant = tenant_of(conn, new.recharge).await?;
    let mut locked = accounts::lock(conn, tenant).await?;
    let request = format!("{}\n{}", new.recharge, new.amount);
    let key = format!("refund:{}:{}", locked.tenant_id, new.key);
    // One that was done is answered before anything is taken.
    if let Some(id) = super::store::known_request(conn, &key, request.as_bytes()).await? {
        return Ok(Written::Known(id));
    }
    let all = recharges(conn, locked.tenant_id).await?;
    let paid = found(all.iter().find(|p| p.id == new.recharge), format_args!("the recharge"))?;
    if new.amount > paid.refundable {
        return Err(Error::conflict(format!(
            "{} can't be refunded: {} of this recharge are left",
            new.amount, paid.refundable
        ))
        .field("amount"));
    }
    take_bonus_back(conn, &mut locked, now, new.recharge).await?;
    let posting = Posting {
        key,
        request: request.as_bytes(),
        kind: Kind::Refund,
        at: now,
        entries: vec![
            Entry::debit(Account::Cash, new.amount),
            Entry::credit(Account::Refunds, new.amount),
        ],
        memo: "",
        reason,
        about: Some(new.recharge),
        actor: new.actor,
    };
    let written = append(conn, &mut locked, now, &posting).await?;
    sqlx::query(
        "INSERT INTO refunds (transaction_id, tenant_id, recharge_id, amount_micros) \
         VALUES ($1, $2, $3, $4)",
    )
    .bind(written.id().to_string())
    .bind(locked.tenant_id.to_string())
    .bind(new.recharge.to_string())
    .bind(new.amount.0)
    .execute(conn)
    .await?;
    Ok(written)
}

/// Whose the recharge is.
pub async fn tenant_of(conn: &mut Conn, recharge: LedgerTransactionId) -> Result<TenantId> {
    let tenant: Option<String> =
        sqlx::query_scalar("SELECT tenant_id FROM recharges WHERE transaction_id = $1")
            .bind(recharge.to_string())
            .fetch_optional(conn)
            .await?;
    parse(&found(tenant, format_args!("recharge {recharge}"))?)
}

async fn take_bonus_back(
    conn: &mut Conn,
    locked: &mut Locked,
    now: Timestamp,
    recharge: LedgerTransactionId,
) -> Result<()> {
    let all = given(conn, locked.tenant_id).await?;
    for given in all.iter().filter(|given| given.recharge == recharge && given.amount > 0) {
        // Held is not spent: taken from cash now, it would come back when the hold is voided.
        if given.held > 0 {
            let held = Micros(given.held);
            return Err(Error::conflict(format!("a hold has {held} of this recharge's bonus"))
                .remedy("post or void the hold first"));
        }
        let from_cash = given.amount - given.left;
        let debits = [(Account::Bonus, given.left), (Account::Cash, from_cash)];
        let debits = debits.into_iter().filter(|(_, micros)| *micros > 0);
        let debits = debits.map(|(account, micros)| Entry::debit(account, Micros(micros)));
        bonus::end(conn, locked, now, given.id, debits.collect(), "its recharge is refunded")
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn most(recharges: &[State], cash: i64, held: i64) -> Vec<i64> {
        refundable(recharges, Micros(cash), Micros(held)).iter().map(|m| m.0).collect()
    }

    #[test]
    fn what_was_spent_is_of_the_oldest() {
        let paid = |amount| State { amount, ..State::default() };
        assert_eq!(most(&[paid(100)], 40, 0), [40]);
        assert_eq!(most(&[paid(100), paid(50)], 90, 0), [40, 50]);
        assert_eq!(most(&[paid(100), paid(50)], 20, 0), [0, 20]);
        // Put aside is neither spent nor there.
        assert_eq!(most(&[paid(100)], 70, 30), [70]);
        let refunded = State { refunded: 30, ..paid(100) };
        assert_eq!(most(&[refunded], 10, 0), [10]);
        // Credits made more of it than was paid.
        assert_eq!(most(&[paid(100)], 130, 0), [100]);
        assert_eq!(most(&[], 130, 0), [0; 0]);
    }

    #[test]
    fn the_bonus_goes_back_first_whichever_pocket_paid() {
        let given = |bonus_left| State { amount: 100, bonus: 20, bonus_left, ..State::default() };
        // 60 spent: of the bonus and 40 of cash, or of cash alone.
        assert_eq!(most(&[given(0)], 60, 0), [40]);
        assert_eq!(most(&[given(20)], 40, 0), [40]);
        // All is spent but the given.
        assert_eq!(most(&[given(20)], 0, 0), [0]);
        assert_eq!(most(&[given(0)], 20, 0), [0]);
        assert_eq!(most(&[given(0)], 10, 0), [0]);
    }
}
