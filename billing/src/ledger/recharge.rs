//! Money that comes in, once for each id of its provider.

use base::{
    Error, Result,
    db::Conn,
    id::{LedgerTransactionId, TenantId},
    money::Micros,
    time::Timestamp,
};

use super::{
    bonus::{self, Bonus, Given},
    chart::{Account, Entry, Kind},
    spend::put,
    store::{
        self, KEY_FIELD, PROVIDER_ID_FIELD, Posting, Repeated, Written, append, report_conflict,
    },
};
use crate::{accounts, sql::parse, text};

pub const MEMO_MAX_CHARS: usize = 200;
pub const PROVIDER_MAX_CHARS: usize = 40;
pub const PROVIDER_ID_MAX_CHARS: usize = 200;
/// The provider of what an operator enters by hand.
pub const BY_HAND: &str = "opshawk";

#[derive(Debug, Clone)]
pub struct Recharge<'a> {
    pub tenant: TenantId,
    /// Above zero.
    pub amount: Micros,
    /// Who took the money: `bank`, `alipay`; [`BY_HAND`].
    pub provider: &'a str,
    /// The payment, as the provider calls it.
    pub provider_id: &'a str,
    /// Given with it.
    pub bonus: Option<WithBonus>,
    pub memo: &'a str,
    pub actor: &'a str,
}

/// A bonus that comes with a recharge, and goes back with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WithBonus {
    pub amount: Micros,
    /// None: never.
    pub expires: Option<Timestamp>,
}

impl Recharge<'_> {
    fn check(&self) -> Result<()> {
        if self.amount <= Micros::ZERO {
            return Err(Error::invalid("amount", "a recharge must be above zero"));
        }
        text::bounded("provider", self.provider, 1, PROVIDER_MAX_CHARS)?;
        text::bounded("provider_id", self.provider_id, 1, PROVIDER_ID_MAX_CHARS)?;
        text::bounded("memo", self.memo, 0, MEMO_MAX_CHARS)
    }

    /// A colon in the provider's name is not taken for the one behind it. Payments of before may be
    /// in the journal by a key without the length; they are found by their provider and its id.
    fn key(&self) -> String {
        let (provider, id) = (self.provider, self.provider_id);
        match provider.contains(':') {
            false => format!("recharge:{provider}:{id}"),
            true => format!("recharge/{}:{provider}:{id}", provider.chars().count()),
        }
    }

    /// What of the request names the payment: where it was entered by hand, the request's own key.
    fn name_field(&self) -> &'static str {
        if self.provider == BY_HAND { KEY_FIELD } else { PROVIDER_ID_FIELD }
    }
}

/// Credits what was paid: the debt first, then cash. The same payment again changes nothing, with
/// another amount or bonus, or for another tenant, it is a conflict (see [`report`]). After the commit the
/// caller publishes `Topic::Money` for the tenant.
pub async fn recharge(conn: &mut Conn, now: Timestamp, new: &Recharge<'_>) -> Result<Written> {
    new.check()?;
    let mut locked = accounts::lock(conn, new.tenant).await?;
    if let Some(id) = known(conn, new).await? {
        return Ok(Written::Known(id));
    }
    let mut entries = vec![Entry::debit(Account::Payments, new.amount)];
    entries.extend(put(&locked.wallet, new.amount, Account::Cash));
    let request = format!("{}\n{}\n{:?}", new.tenant, new.amount, new.bonus);
    let posting = Posting {
        key: new.key(),
        request: request.as_bytes(),
        kind: Kind::Recharge,
        at: now,
        entries,
        memo: new.memo,
        reason: "",
        about: None,
        actor: new.actor,
    };
    let written = append(conn, &mut locked, now, &posting).await?;
    sqlx::query(
        "INSERT INTO recharges (transaction_id, tenant_id, provider, provider_id, amount_micros) \
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(written.id().to_string())
    .bind(new.tenant.to_string())
    .bind(new.provider)
    .bind(new.provider_id)
    .bind(new.amount.0)
    .execute(&mut *conn)
    .await?;
    if let Some(with) = new.bonus {
        let id = written.id();
        let key = format!("bonus:{id}");
        let given = Given { key: &key, kind: Kind::Bonus, with: Some(id) };
        let bonus = Bonus {
            tenant: new.tenant,
            amount: with.amount,
            expires: with.expires,
            key: &key,
            memo: new.memo,
            actor: new.actor,
        };
        bonus::grant(conn, &mut locked, now, &bonus, &given).await?;
    }
    Ok(written)
}

/// What is known of this payment; those of before the journal have no hash of their request.
async fn known(conn: &mut Conn, new: &Recharge<'_>) -> Result<Option<LedgerTransactionId>> {
    let row: Option<(String, String, i64, i64, i64)> = sqlx::query_as(
        "SELECT r.transaction_id, r.tenant_id, r.amount_micros, COALESCE(b.amount_micros, 0), \
         COALESCE(b.expires_ms, 0) \
         FROM recharges r LEFT JOIN bonuses b ON b.recharge_id = r.transaction_id \
         AND b.tenant_id = r.tenant_id WHERE r.provider = $1 AND r.provider_id = $2",
    )
    .bind(new.provider)
    .bind(new.provider_id)
    .fetch_optional(conn)
    .await?;
    let Some((id, tenant, amount, bonus, expires)) = row else { return Ok(None) };
    let asked_bonus = new.bonus.map_or(0, |with| with.amount.0);
    let asked_expires = new.bonus.and_then(|with| with.expires).map_or(0, Timestamp::ms);
    let is_other_bonus = (bonus, expires) != (asked_bonus, asked_expires);
    if tenant != new.tenant.to_string() || (amount == new.amount.0 && is_other_bonus) {
        return Err(store::conflict(&new.key()).field(new.name_field()));
    }
    if amount != new.amount.0 {
        return Err(Error::conflict(format!(
            "this top-up was posted already, with {} in place of {}",
            Micros(amount),
            new.amount
        ))
        .field(new.name_field())
        .remedy("use a new key for a new payment"));
    }
    Ok(Some(parse(&id)?))
}

/// Tells the operators that a payment came again and was another one; in a transaction of its own.
pub async fn report(conn: &mut Conn, now: Timestamp, again: &Recharge<'_>) -> Result<()> {
    let amount = again.amount.to_string();
    let key = format!("{} of {}", again.provider_id, again.provider);
    let about = Repeated { tenant: again.tenant, what: "top-up", key: &key, asked: &amount };
    report_conflict(conn, now, &about).await
}

#[cfg(test)]
mod tests;
