//! What is over: bonuses whose time has come, and holds that nobody ended in theirs.
//!
//! Each ends as of its own instant, after what was used until then is posted:
//!
//! ```text
//! posted up to here      a bonus ends       a hold ends             now
//! |------ charges ------|------ charges ------|------ charges ------>
//! ```
//!
//! Whoever posts for a tenant ends first what is over by then, so that it is all one whether that
//! was done each hour, or at once when a server came back or a tenant's rating went on.

use base::{
    Result,
    db::Conn,
    id::{LedgerTransactionId, TenantId},
    money::Micros,
    time::Timestamp,
};

use super::{
    bonus,
    holds::{self, End},
};
use crate::{
    accounts::{self, Locked},
    packages::renew,
    rating,
    sql::parse,
};

/// Tenants in one page.
pub(crate) const TENANTS_A_PAGE: i64 = 100;
const ACTOR: &str = "system:ledger";

/// What a tenant's next one is.
struct Over {
    at: Timestamp,
    /// None: a bonus.
    hold: Option<LedgerTransactionId>,
}

/// Ends what is over at `until`, before anything is posted up to it, and how many those were. The
/// account comes back as it is then.
pub(crate) async fn end_before(
    conn: &mut Conn,
    account: Locked,
    until: Timestamp,
) -> Result<(Locked, usize)> {
    // What is used up, and what took nothing, ends without moving money.
    if account.wallet.bonus == Micros::ZERO && account.wallet.holds == Micros::ZERO {
        return Ok((account, 0));
    }
    let tenant = account.tenant_id;
    match end(conn, until, tenant).await? {
        0 => Ok((account, 0)),
        ended => Ok((accounts::lock(conn, tenant).await?, ended)),
    }
}

/// Ends what is over at `now`, each as of its instant; how many they were. Takes the account's lock.
/// After the commit the caller publishes `Topic::Money`.
pub(crate) async fn end(conn: &mut Conn, now: Timestamp, tenant: TenantId) -> Result<usize> {
    let mut ticked = accounts::lock(conn, tenant).await?.ticked;
    let mut ended = 0;
    while let Some(Over { at, hold }) = soonest(conn, now, tenant).await? {
        // What came late for a time that is posted is paid by what there is now.
        if ticked < at {
            rating::post_up_to(conn, at, tenant).await?;
            ticked = at;
        }
        renew::renew_up_to(conn, at, tenant).await?;
        match hold {
            Some(hold) => holds::end_alone(conn, at, hold, End::Expire, ACTOR).await.map(|_| ())?,
            None => bonus::expire(conn, at, tenant).await.map(|_| ())?,
        }
        ended += 1;
    }
    Ok(ended)
}

/// Of a bonus and a hold at the same instant the hold: what it gives back of the bonus ends with it.
async fn soonest(conn: &mut Conn, now: Timestamp, tenant: TenantId) -> Result<Option<Over>> {
    let row: Option<(i64, String)> = sqlx::query_as(
        "SELECT b.expires_ms, '' AS hold_id FROM bonuses b \
         WHERE b.tenant_id = $1 AND b.expires_ms > 0 AND b.expires_ms <= $2 \
         AND NOT EXISTS (SELECT 1 FROM bonus_ends e WHERE e.bonus_id = b.transaction_id) \
         UNION ALL \
         SELECT h.expires_ms, h.id FROM holds h WHERE h.tenant_id = $1 AND h.expires_ms <= $2 \
         AND NOT EXISTS (SELECT 1 FROM hold_ends e WHERE e.hold_id = h.id) \
         ORDER BY 1, 2 DESC LIMIT 1",
    )
    .bind(tenant.to_string())
    .bind(now.ms())
    .fetch_optional(conn)
    .await?;
    row.map(|(at, hold)| {
        let hold = if hold.is_empty() { None } else { Some(parse(&hold)?) };
        Ok(Over { at: Timestamp::from_ms(at), hold })
    })
    .transpose()
}

/// Who has a bonus or a hold that is over, by their ids, after `cursor`: those that fail hide nobody.
pub(crate) async fn page(
    conn: &mut Conn,
    now: Timestamp,
    cursor: Option<TenantId>,
) -> Result<Vec<TenantId>> {
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT b.tenant_id FROM bonuses b \
         WHERE b.expires_ms > 0 AND b.expires_ms <= $1 AND b.tenant_id > $2 \
         AND NOT EXISTS (SELECT 1 FROM bonus_ends e WHERE e.bonus_id = b.transaction_id) \
         UNION \
         SELECT h.tenant_id FROM holds h WHERE h.expires_ms <= $1 AND h.tenant_id > $2 \
         AND NOT EXISTS (SELECT 1 FROM hold_ends e WHERE e.hold_id = h.id) \
         ORDER BY 1 LIMIT $3",
    )
    .bind(now.ms())
    .bind(cursor.map(|id| id.to_string()).unwrap_or_default())
    .bind(TENANTS_A_PAGE)
    .fetch_all(conn)
    .await?;
    ids.iter().map(|id| parse(id)).collect()
}

/// When the next one is over.
pub(crate) async fn next(conn: &mut Conn) -> Result<Option<Timestamp>> {
    let at: Option<i64> = sqlx::query_scalar(
        "SELECT MIN(due.expires_ms) FROM ( \
           SELECT MIN(b.expires_ms) AS expires_ms FROM bonuses b WHERE b.expires_ms > 0 \
           AND NOT EXISTS (SELECT 1 FROM bonus_ends e WHERE e.bonus_id = b.transaction_id) \
           UNION ALL \
           SELECT MIN(h.expires_ms) FROM holds h \
           WHERE NOT EXISTS (SELECT 1 FROM hold_ends e WHERE e.hold_id = h.id)) AS due",
    )
    .fetch_one(conn)
    .await?;
    Ok(at.map(Timestamp::from_ms))
}

#[cfg(test)]
mod tests;
