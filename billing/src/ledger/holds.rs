//! Holds: money that is put aside, until it is posted, given back, or its time is over.

use base::{
    Error, ErrorKind, Result,
    db::{Conn, found, is_unique_violation},
    id::{LedgerTransactionId, TenantId},
    money::Micros,
    time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    bonus::{self, KEY_MAX_CHARS},
    chart::{Account, Entry, Kind, Wallet},
    over,
    recharge::MEMO_MAX_CHARS,
    spend::{put, take},
    store::{Posting, Written, append},
};
use crate::{accounts, sql::parse, text};

/// In one listing.
pub const HOLDS_MAX: i64 = 1_000;

#[derive(Debug, Clone)]
pub struct NewHold<'a> {
    pub tenant: TenantId,
    /// Above zero, and not more than there is.
    pub amount: Micros,
    pub purpose: &'a str,
    pub expires: Timestamp,
    /// Names it: the same one again changes nothing.
    pub key: &'a str,
    pub actor: &'a str,
}

/// How a hold ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// So much of it is earned, and the rest is given back.
    Post {
        net: Micros,
        tax: Micros,
    },
    Void,
    Expire,
}

impl End {
    fn as_str(self) -> &'static str {
        match self {
            Self::Post { .. } => "posted",
            Self::Void => "voided",
            Self::Expire => "expired",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Hold {
    pub id: LedgerTransactionId,
    pub tenant_id: TenantId,
    pub amount: Micros,
    /// Of it, from the bonus.
    pub bonus: Micros,
    pub purpose: String,
    pub expires_at: Timestamp,
    pub created_at: Timestamp,
    /// `posted`, `voided`, `expired`; none while it is open.
    pub outcome: Option<String>,
    pub posted: Option<Micros>,
    pub ended_at: Option<Timestamp>,
}

/// Puts the amount aside: in the account's spend order, from what is there. Use that is not posted yet
/// counts as there; who wants it to count posts first.
pub async fn hold(conn: &mut Conn, now: Timestamp, new: &NewHold<'_>) -> Result<Written> {
    if new.amount <= Micros::ZERO {
        return Err(Error::invalid("amount", "a hold must be above zero"));
    }
    text::bounded("purpose", new.purpose, 1, MEMO_MAX_CHARS)?;
    text::bounded("key", new.key, 1, KEY_MAX_CHARS)?;
    let mut locked = accounts::lock(conn, new.tenant).await?;
    let mut entries =
        take(&locked.wallet, new.amount, locked.settings.spend_order.unwrap_or_default());
    let of = |account| entries.iter().find(|e| e.account == account).map(|e| e.amount);
    let (lacking, bonus) = (of(Account::Receivable), of(Account::Bonus).unwrap_or_default());
    entries.push(Entry::credit(Account::Holds, new.amount));
    let request = format!("{}\n{}\n{}", new.tenant, new.amount, new.expires.ms());
    let posting = Posting {
        key: format!("hold:{}:{}", new.tenant, new.key),
        request: request.as_bytes(),
        kind: Kind::Hold,
        at: now,
        entries,
        memo: new.purpose,
        reason: "",
        about: None,
        actor: new.actor,
    };
    let written = append(conn, &mut locked, now, &posting).await?;
    if !written.is_new() {
        return Ok(written);
    }
    // Whatever fails from here on takes the posting back with it.
    if let Some(lacking) = lacking {
        return Err(Error::new(
            ErrorKind::PaymentRequired,
            format!("{} can't be put aside: {lacking} {} lack", new.amount, locked.currency),
        )
        .remedy("top the balance up, or hold less"));
    }
    if new.expires <= now {
        return Err(Error::invalid("expires_at", "a hold must not end before it begins"));
    }
    sqlx::query(
        "INSERT INTO holds (id, tenant_id, amount_micros, bonus_micros, purpose, expires_ms, \
         created_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(written.id().to_string())
    .bind(new.tenant.to_string())
    .bind(new.amount.0)
    .bind(bonus.0)
    .bind(new.purpose)
    .bind(new.expires.ms())
    .bind(now.ms())
    .execute(conn)
    .await?;
    Ok(written)
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    tenant_id: String,
    amount_micros: i64,
    bonus_micros: i64,
    purpose: String,
    expires_ms: i64,
    created_ms: i64,
    outcome: Option<String>,
    posted_micros: Option<i64>,
    ended_ms: Option<i64>,
}

const SELECT: &str = "SELECT h.id, h.tenant_id, h.amount_micros, h.bonus_micros, h.purpose, \
    h.expires_ms, h.created_ms, e.outcome, e.posted_micros, e.at_ms AS ended_ms \
    FROM holds h LEFT JOIN hold_ends e ON e.hold_id = h.id";

fn from_row(row: Row) -> Result<Hold> {
    Ok(Hold {
        id: parse(&row.id)?,
        tenant_id: parse(&row.tenant_id)?,
        amount: Micros(row.amount_micros),
        bonus: Micros(row.bonus_micros),
        purpose: row.purpose,
        expires_at: Timestamp::from_ms(row.expires_ms),
        created_at: Timestamp::from_ms(row.created_ms),
        outcome: row.outcome,
        posted: row.posted_micros.map(Micros),
        ended_at: row.ended_ms.map(Timestamp::from_ms),
    })
}

pub async fn get(conn: &mut Conn, id: LedgerTransactionId) -> Result<Hold> {
    let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} WHERE h.id = $1")))
        .bind(id.to_string())
        .fetch_optional(conn)
        .await?;
    from_row(found(row, format_args!("hold {id}"))?)
}

/// The tenant's, newest first, at most [`HOLDS_MAX`].
pub async fn list(conn: &mut Conn, tenant: TenantId) -> Result<Vec<Hold>> {
    let sql = format!("{SELECT} WHERE h.tenant_id = $1 ORDER BY h.created_ms DESC, h.id LIMIT $2");
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(tenant.to_string())
        .bind(HOLDS_MAX)
        .fetch_all(conn)
        .await?;
    rows.into_iter().map(from_row).collect()
}

/// Ends the hold, after what is over by then. The same end again changes nothing, and another one is
/// a conflict.
pub async fn end(
    conn: &mut Conn,
    now: Timestamp,
    id: LedgerTransactionId,
    how: End,
    actor: &str,
) -> Result<Written> {
    let tenant = get(conn, id).await?.tenant_id;
    let locked = accounts::lock(conn, tenant).await?;
    let hold = get(conn, id).await?;
    // One whose own time is over is refused below.
    if hold.outcome.is_none() && hold.expires_at > now {
        over::end_before(conn, locked, now).await?;
    }
    end_alone(conn, now, id, how, actor).await
}

/// Ends this one only.
pub(super) async fn end_alone(
    conn: &mut Conn,
    now: Timestamp,
    id: LedgerTransactionId,
    how: End,
    actor: &str,
) -> Result<Written> {
    let tenant = get(conn, id).await?.tenant_id;
    let mut locked = accounts::lock(conn, tenant).await?;
    // Again, under the lock.
    let hold = get(conn, id).await?;
    let (net, tax) = match how {
        End::Post { net, tax } => (net, tax),
        End::Void | End::Expire => (Micros::ZERO, Micros::ZERO),
    };
    let earned = net.checked_add(tax)?;
    if net < Micros::ZERO || tax < Micros::ZERO || earned > hold.amount {
        let most = hold.amount;
        return Err(Error::conflict(format!("{earned} can't be posted of a hold of {most}")));
    }
    check_time(&hold, now, how)?;
    let request = format!("{}\n{net}\n{tax}", how.as_str());
    let posting = Posting {
        key: format!("hold_end:{id}"),
        request: request.as_bytes(),
        kind: Kind::HoldEnd,
        at: now,
        entries: entries(&locked.wallet, &hold, net, tax),
        memo: &hold.purpose,
        reason: how.as_str(),
        about: Some(id),
        actor,
    };
    let written =
        append(conn, &mut locked, now, &posting).await.map_err(|e| match &hold.outcome {
            // The hold names it, and no key of the caller's.
            Some(outcome) if e.kind == ErrorKind::Conflict => {
                Error::conflict(format!("the hold is {outcome} already"))
            }
            _ => e,
        })?;
    if !written.is_new() {
        return Ok(written);
    }
    sqlx::query(
        "INSERT INTO hold_ends (hold_id, outcome, posted_micros, transaction_id, at_ms) \
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(id.to_string())
    .bind(how.as_str())
    .bind(earned.0)
    .bind(written.id().to_string())
    .bind(now.ms())
    .execute(&mut *conn)
    .await
    .map_err(|e| match is_unique_violation(&e) {
        true => Error::conflict("the hold has ended already"),
        false => e.into(),
    })?;
    // A bonus that ended meanwhile doesn't come back.
    bonus::expire_locked(conn, &mut locked, now).await?;
    Ok(written)
}

/// One whose time is over expires, and none does before.
fn check_time(hold: &Hold, now: Timestamp, how: End) -> Result<()> {
    match (hold.outcome.is_none(), hold.expires_at <= now, how) {
        (true, true, End::Post { .. } | End::Void) => {
            Err(Error::conflict(format!("the hold ended at {}", hold.expires_at)))
        }
        (true, false, End::Expire) => {
            Err(Error::conflict(format!("the hold lasts until {}", hold.expires_at)))
        }
        _ => Ok(()),
    }
}

/// What is earned is the bonus's first; what is given back pays a debt that came up meanwhile.
fn entries(wallet: &Wallet, hold: &Hold, net: Micros, tax: Micros) -> Vec<Entry> {
    let mut entries = vec![Entry::debit(Account::Holds, hold.amount)];
    for (account, amount) in [(Account::Revenue, net), (Account::Tax, tax)] {
        if amount > Micros::ZERO {
            entries.push(Entry::credit(account, amount));
        }
    }
    let earned = net.0 + tax.0;
    let bonus = (hold.bonus.0 - earned).max(0);
    let cash = hold.amount.0 - earned - bonus;
    let mut wallet = *wallet;
    for (pocket, amount) in [(Account::Cash, cash), (Account::Bonus, bonus)] {
        let back = put(&wallet, Micros(amount), pocket);
        for entry in back.iter().filter(|e| e.account == Account::Receivable) {
            wallet.receivable = Micros(wallet.receivable.0 + entry.amount.0);
        }
        entries.extend(back);
    }
    entries
}
