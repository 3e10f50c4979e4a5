//! When each account is due, so that nobody reads all of them to find the few.
//!
//! ```text
//! facts, payments, prices, settings --touch (under the account's lock)--> due now (0)
//! rating, standing ------------------done, with the next instant--------> due then
//! ```
//!
//! A reconciler takes what is due by time first, the oldest first, and of what was touched a few at
//! a time in between: a price that touches every tenant keeps nobody's threshold waiting. What was
//! found is kept beside the due instant, for metrics and lists; it can be lost, since it is found
//! again by looking.

use std::collections::BTreeSet;

use base::{
    Result,
    db::{Conn, placeholders, rows::lists},
    id::TenantId,
    money::{MS_PER_HOUR, Micros, Nanos, div_half_even},
    time::Timestamp,
};

use crate::{accounts, sql::parse, standing::Standing};

/// Taken at a time, of what is due by time.
pub(crate) const DUE_A_PAGE: i64 = 100;
/// Taken at a time, of what was touched, before looking again for what is due by time.
pub(crate) const TOUCHED_A_TURN: i64 = 10;
/// An account that nothing touched is looked at again after so long all the same.
pub(crate) const STALE_MS: i64 = 24 * 3_600_000;
/// After a failure.
pub(crate) const AGAIN_MS: i64 = 1_000;
/// How "never" is kept.
const NEVER_MS: i64 = i64::MAX;

/// Who takes what is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Queue {
    Rate,
    Stand,
}

/// For whom something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    Stand,
    Both,
}

/// What a look at an account found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assessment {
    pub at: Timestamp,
    pub balance: Micros,
    pub credit_limit: Micros,
    pub burn_per_hour: Nanos,
    /// None: never.
    pub runs_out_at: Option<Timestamp>,
    /// When the next step comes that stops something, if all goes on as it is; past where it waits.
    pub cut_at: Option<Timestamp>,
    /// When to look again, if nothing changes.
    pub due: Option<Timestamp>,
}

/// A new account is due at once.
pub(crate) async fn open(conn: &mut Conn, tenant: TenantId) -> Result<()> {
    sqlx::query(
        "INSERT INTO agenda (tenant_id, rate_due_ms, stand_due_ms, assessed_ms, balance_micros, \
         burn_nanos, runs_out_ms, cut_ms) VALUES ($1, 0, 0, 0, 0, 0, $2, $2)",
    )
    .bind(tenant.to_string())
    .bind(NEVER_MS)
    .execute(conn)
    .await?;
    Ok(())
}

/// Something changed that a balance, a threshold or a price depends on. The account's lock is held,
/// or whoever assesses beside us would overwrite this.
pub(crate) async fn touch(conn: &mut Conn, tenant: TenantId, due: Due) -> Result<()> {
    let sql = match due {
        Due::Stand => "UPDATE agenda SET stand_due_ms = 0 WHERE tenant_id = $1",
        Due::Both => "UPDATE agenda SET rate_due_ms = 0, stand_due_ms = 0 WHERE tenant_id = $1",
    };
    sqlx::query(sql).bind(tenant.to_string()).execute(conn).await?;
    Ok(())
}

/// As [`touch`], of several whose locks are held.
pub(crate) async fn touch_all(conn: &mut Conn, tenants: &BTreeSet<&str>, due: Due) -> Result<()> {
    let ids: Vec<&str> = tenants.iter().copied().collect();
    for list in lists(&ids) {
        let set = match due {
            Due::Stand => "stand_due_ms = 0",
            Due::Both => "rate_due_ms = 0, stand_due_ms = 0",
        };
        let places = placeholders(1, list.len());
        let sql = format!("UPDATE agenda SET {set} WHERE tenant_id IN ({places})");
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for id in list {
            query = query.bind(id.to_owned());
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

/// Every account is to be looked at again when there is time: delays and thresholds may be others
/// than before. What is due by time stays so, and what was found last counts until then. With all accounts'
/// locks: a look under way would count as one of after this, and who touches several of the agenda's rows
/// may take them in another order.
pub async fn make_stale(conn: &mut Conn) -> Result<()> {
    accounts::lock_every(&mut *conn).await?;
    sqlx::query("UPDATE agenda SET looked_ms = 0").execute(conn).await?;
    Ok(())
}

/// Those whose instant has come, the oldest first, without those that failed: however many fail, they
/// hide nobody.
pub(crate) async fn due(
    conn: &mut Conn,
    queue: Queue,
    now: Timestamp,
    failed: &BTreeSet<TenantId>,
) -> Result<Vec<TenantId>> {
    let sql = match queue {
        Queue::Rate => {
            "SELECT tenant_id FROM agenda WHERE rate_due_ms > 0 AND rate_due_ms <= $1 \
             ORDER BY rate_due_ms LIMIT $2"
        }
        Queue::Stand => {
            "SELECT tenant_id FROM agenda WHERE stand_due_ms > 0 AND stand_due_ms <= $1 \
             ORDER BY stand_due_ms LIMIT $2"
        }
    };
    // All of them may stand before the others.
    let limit = DUE_A_PAGE.saturating_add_unsigned(failed.len() as u64);
    let ids: Vec<String> =
        sqlx::query_scalar(sql).bind(now.ms()).bind(limit).fetch_all(conn).await?;
    let mut due: Vec<TenantId> = ids.iter().map(|id| parse(id)).collect::<Result<_>>()?;
    due.retain(|tenant| !failed.contains(tenant));
    Ok(due)
}

/// Some of those that were touched.
pub(crate) async fn touched(conn: &mut Conn, queue: Queue) -> Result<Vec<TenantId>> {
    let sql = match queue {
        Queue::Rate => "SELECT tenant_id FROM agenda WHERE rate_due_ms = 0 LIMIT $1",
        Queue::Stand => "SELECT tenant_id FROM agenda WHERE stand_due_ms = 0 LIMIT $1",
    };
    let ids: Vec<String> = sqlx::query_scalar(sql).bind(TOUCHED_A_TURN).fetch_all(conn).await?;
    ids.iter().map(|id| parse(id)).collect()
}

/// How many were touched and not looked at yet, for their standing.
pub(crate) async fn count_touched(conn: &mut Conn) -> Result<i64> {
    Ok(sqlx::query_scalar("SELECT COUNT(*) FROM agenda WHERE stand_due_ms = 0")
        .fetch_one(conn)
        .await?)
}

/// Those whose stop has come and did not happen are due now. All accounts' locks are held, since before
/// what kept them was ended: a look that met it still and writes "never" is done before, and the next one
/// meets it no more.
pub(crate) async fn wake_cut(conn: &mut Conn, now: Timestamp) -> Result<()> {
    sqlx::query("UPDATE agenda SET stand_due_ms = $1 WHERE cut_ms <= $1 AND stand_due_ms > $1")
        .bind(now.ms())
        .execute(conn)
        .await?;
    Ok(())
}

/// Some of those at whose standing nobody looked for long; those that are due soon, a failure to be
/// tried again among them, are taken then.
pub(crate) async fn stale(conn: &mut Conn, now: Timestamp) -> Result<Vec<TenantId>> {
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT tenant_id FROM agenda WHERE looked_ms <= $1 AND stand_due_ms > $2 \
         ORDER BY looked_ms LIMIT $3",
    )
    .bind(now.saturating_add_ms(-STALE_MS).ms())
    .bind(now.saturating_add_ms(AGAIN_MS).ms())
    .bind(TOUCHED_A_TURN)
    .fetch_all(conn)
    .await?;
    ids.iter().map(|id| parse(id)).collect()
}

/// The next instant at which somebody is due; in the past where somebody is now, none where nobody
/// is before something changes.
pub(crate) async fn next(conn: &mut Conn, queue: Queue) -> Result<Option<Timestamp>> {
    let sql = match queue {
        Queue::Rate => "SELECT rate_due_ms FROM agenda ORDER BY rate_due_ms LIMIT 1",
        Queue::Stand => "SELECT stand_due_ms FROM agenda ORDER BY stand_due_ms LIMIT 1",
    };
    let at: Option<i64> = sqlx::query_scalar(sql).fetch_optional(conn).await?;
    Ok(at.and_then(instant))
}

/// When the account is due next. Its lock is held.
pub(crate) async fn plan(
    conn: &mut Conn,
    queue: Queue,
    tenant: TenantId,
    at: Timestamp,
) -> Result<()> {
    let sql = match queue {
        Queue::Rate => "UPDATE agenda SET rate_due_ms = $2 WHERE tenant_id = $1",
        Queue::Stand => "UPDATE agenda SET stand_due_ms = $2 WHERE tenant_id = $1",
    };
    // 0 has a meaning of its own.
    sqlx::query(sql).bind(tenant.to_string()).bind(at.ms().max(1)).execute(conn).await?;
    Ok(())
}

/// Keeps what was found, with the next due instant. The account's lock is held.
pub(crate) async fn assessed(conn: &mut Conn, tenant: TenantId, found: &Assessment) -> Result<()> {
    sqlx::query(
        "UPDATE agenda SET stand_due_ms = $2, looked_ms = $3, assessed_ms = $3, balance_micros = $4, \
         burn_nanos = $5, runs_out_ms = $6, cut_ms = $7, looked_credit_micros = $8, looked_number = \
         COALESCE((SELECT MAX(number) FROM journal WHERE tenant_id = $1), 0) WHERE tenant_id = $1",
    )
    .bind(tenant.to_string())
    .bind(found.due.map_or(NEVER_MS, |at| at.ms().max(1)))
    .bind(found.at.ms())
    .bind(found.balance.0)
    .bind(found.burn_per_hour.0)
    .bind(ms(found.runs_out_at))
    .bind(ms(found.cut_at))
    .bind(found.credit_limit.0)
    .execute(conn)
    .await?;
    Ok(())
}

/// What the agenda keeps of an account, for metrics: one statement for all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub tenant_id: TenantId,
    pub tenant: String,
    pub currency: String,
    pub standing: Standing,
    pub burn_per_hour: Nanos,
    /// None: never.
    pub runs_out_at: Option<Timestamp>,
    /// The last hour's (or month's) end whose use is posted.
    pub rated_to: Timestamp,
    assessed_at: Timestamp,
    balance: Micros,
}

impl Kept {
    /// Whether anybody looked at the account yet: before that nothing is known of its money.
    pub fn is_known(&self) -> bool {
        self.assessed_at.ms() > 0
    }

    /// What burned it then goes on burning it: whatever changes that makes it looked at again.
    pub fn balance_at(&self, at: Timestamp) -> Micros {
        const NANOS_PER_MICRO: i128 = 1_000;
        let ms = i128::from(at.since_ms(self.assessed_at).max(0));
        let burned = div_half_even(
            i128::from(self.burn_per_hour.0) * ms,
            NANOS_PER_MICRO * i128::from(MS_PER_HOUR),
        );
        let left = i128::from(self.balance.0) - burned;
        Micros(i64::try_from(left).unwrap_or(i64::MIN))
    }
}

/// Of which tenants.
#[derive(Debug, Clone, Copy)]
pub enum Which {
    All,
    One(TenantId),
    /// Somebody looked at them then or later.
    LookedSince(Timestamp),
}

/// By tenant, at most so many.
pub async fn kept(conn: &mut Conn, which: Which, limit: i64) -> Result<Vec<Kept>> {
    let (tenant, since) = match which {
        Which::All => (String::new(), i64::MIN),
        Which::One(tenant) => (tenant.to_string(), i64::MIN),
        Which::LookedSince(since) => (String::new(), since.ms()),
    };
    type Row = (String, String, String, String, i64, i64, i64, i64, i64);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT g.tenant_id, t.name, a.currency, a.standing, g.burn_nanos, g.runs_out_ms, \
         a.ticked_ms, g.assessed_ms, g.balance_micros FROM agenda g \
         JOIN accounts a ON a.tenant_id = g.tenant_id JOIN tenants t ON t.id = g.tenant_id \
         WHERE t.deleted_ms IS NULL AND ($1 = '' OR g.tenant_id = $1) AND g.looked_ms >= $3 \
         ORDER BY g.tenant_id LIMIT $2",
    )
    .bind(tenant)
    .bind(limit)
    .bind(since)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(id, tenant, currency, standing, burn, runs_out, ticked, assessed, balance)| {
            Ok(Kept {
                tenant_id: parse(&id)?,
                tenant,
                currency,
                standing: standing.parse()?,
                burn_per_hour: Nanos(burn),
                runs_out_at: instant(runs_out),
                rated_to: Timestamp::from_ms(ticked),
                assessed_at: Timestamp::from_ms(assessed),
                balance: Micros(balance),
            })
        })
        .collect()
}

fn ms(at: Option<Timestamp>) -> i64 {
    at.map_or(NEVER_MS, Timestamp::ms)
}

fn instant(ms: i64) -> Option<Timestamp> {
    (ms != NEVER_MS).then(|| Timestamp::from_ms(ms))
}

#[cfg(test)]
mod tests;
