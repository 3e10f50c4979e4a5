//! Writing a transaction.

use base::{
    Error, Result,
    db::{Conn, is_unique_violation, placeholders},
    id::{LedgerTransactionId, TenantId},
    money::Micros,
    outbox::{self, Notice},
    secret,
    time::Timestamp,
};

use super::chart::{Account, Entry, Kind};
use crate::{
    accounts::Locked,
    agenda::{self, Due},
    calendar::Month,
    sql::parse,
};

/// Of one transaction.
pub const ENTRIES_MAX: usize = 32;
/// The fields that name a request: at fault where it came again and was another one.
pub const KEY_FIELD: &str = "Idempotency-Key";
pub const PROVIDER_ID_FIELD: &str = "provider_id";
/// Accounts that one transaction touches are read by as many probes of an index.
const COLUMNS: usize = 8;

/// What is to be posted.
#[derive(Debug)]
pub(crate) struct Posting<'a> {
    /// Names the fact: `charge:<tenant>:<number>`.
    pub key: String,
    /// What must be the same when the key is.
    pub request: &'a [u8],
    pub kind: Kind,
    /// A charge: the instant up to which it rates.
    pub at: Timestamp,
    pub entries: Vec<Entry>,
    pub memo: &'a str,
    pub reason: &'a str,
    /// The transaction that it is about.
    pub about: Option<LedgerTransactionId>,
    /// `user:<id>`, `system:rating`.
    pub actor: &'a str,
}

/// What a posting came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    New(LedgerTransactionId),
    /// The key was known, with the same request: nothing was posted now.
    Known(LedgerTransactionId),
}

impl Written {
    pub fn id(self) -> LedgerTransactionId {
        match self {
            Self::New(id) | Self::Known(id) => id,
        }
    }
    pub fn is_new(self) -> bool {
        matches!(self, Self::New(_))
    }
}

/// Writes the transaction, and brings the locked account's wallet up to date. Where its key is known
/// the same request gets the first one's id, and another request a conflict (see
/// [`report_conflict`]).
pub(crate) async fn append(
    conn: &mut Conn,
    locked: &mut Locked,
    now: Timestamp,
    posting: &Posting<'_>,
) -> Result<Written> {
    if let Some(id) = known_request(conn, &posting.key, posting.request).await? {
        return Ok(Written::Known(id));
    }
    let hash = secret::sha256_hex(posting.request);
    check(&posting.entries)?;
    let id = LedgerTransactionId::new();
    insert_entries(conn, locked, id, &posting.entries).await?;
    // A charge up to the end of a month is that month's.
    let within = match posting.kind {
        Kind::Charge | Kind::Close => posting.at.saturating_add_ms(-1),
        _ => posting.at,
    };
    sqlx::query(
        "INSERT INTO journal (id, tenant_id, number, dedup_key, request_sha256, kind, currency, \
         at_ms, month, memo, reason, corrects_id, actor, created_ms) \
         SELECT $1, $2, COALESCE(MAX(number), 0) + 1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, \
         $13 FROM journal WHERE tenant_id = $2",
    )
    .bind(id.to_string())
    .bind(locked.tenant_id.to_string())
    .bind(&posting.key)
    .bind(hash)
    .bind(posting.kind.as_str())
    .bind(&locked.currency)
    .bind(posting.at.ms())
    .bind(Month::of(within, locked.timezone).to_string())
    .bind(posting.memo)
    .bind(posting.reason)
    .bind(posting.about.map(|id| id.to_string()).unwrap_or_default())
    .bind(posting.actor)
    .bind(now.ms())
    .execute(&mut *conn)
    .await
    .map_err(|e| match is_unique_violation(&e) {
        // Another tenant's request was faster.
        true => conflict(&posting.key),
        false => e.into(),
    })?;
    // What is charged was accrued before: it moves no threshold.
    if posting.kind != Kind::Charge {
        agenda::touch(conn, locked.tenant_id, Due::Stand).await?;
    }
    Ok(Written::New(id))
}

/// The transaction of this key, if the request was the same.
pub(super) async fn known_request(
    conn: &mut Conn,
    key: &str,
    request: &[u8],
) -> Result<Option<LedgerTransactionId>> {
    let row: Option<(String, String)> =
        sqlx::query_as("SELECT id, request_sha256 FROM journal WHERE dedup_key = $1")
            .bind(key)
            .fetch_optional(conn)
            .await?;
    match row {
        Some((id, known)) if known == secret::sha256_hex(request) => Ok(Some(parse(&id)?)),
        Some(_) => Err(conflict(key)),
        None => Ok(None),
    }
}

pub(super) fn conflict(key: &str) -> Error {
    Error::conflict(format!("{key} is posted already, for another request"))
        .field(KEY_FIELD)
        .remedy("use a new key for a new request")
}

/// Whether a conflict about this field of a request is one about a repetition ([`report_conflict`]); any
/// other is between the ledger and its caller.
pub fn is_about_a_repetition(field: Option<&str>) -> bool {
    field.is_some_and(|field| [KEY_FIELD, PROVIDER_ID_FIELD].contains(&field))
}

/// Every amount is above zero, and the sum is zero.
fn check(entries: &[Entry]) -> Result<()> {
    let sum: i128 = entries.iter().map(Entry::moves).sum();
    let positive = entries.iter().all(|entry| entry.amount > Micros::ZERO);
    if sum == 0 && positive && entries.len() <= ENTRIES_MAX {
        return Ok(());
    }
    Err(Error::internal("a ledger transaction does not balance"))
}

/// Each on top of the newest of its account.
async fn insert_entries(
    conn: &mut Conn,
    locked: &mut Locked,
    id: LedgerTransactionId,
    entries: &[Entry],
) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let mut heads = heads(conn, locked.tenant_id, entries).await?;
    let rows: Vec<String> = (0..entries.len())
        .map(|row| format!("({})", placeholders(row * COLUMNS + 1, COLUMNS)))
        .collect();
    let insert = format!(
        "INSERT INTO journal_entries (transaction_id, position, tenant_id, account, direction, \
         amount_micros, account_sequence, balance_micros) VALUES {}",
        rows.join(", ")
    );
    let mut query = sqlx::query(sqlx::AssertSqlSafe(insert));
    for (position, entry) in (0i64..).zip(entries) {
        let head = heads
            .iter_mut()
            .find(|head| head.account == entry.account)
            .ok_or_else(|| Error::internal("an account was not read"))?;
        head.add(entry)?;
        query = query
            .bind(id.to_string())
            .bind(position)
            .bind(locked.tenant_id.to_string())
            .bind(entry.account.as_str())
            .bind(entry.direction.as_str())
            .bind(entry.amount.0)
            .bind(head.sequence)
            .bind(head.balance.0);
    }
    for head in &heads {
        if !head.account.may_be(head.balance) {
            let (account, balance) = (head.account, head.balance);
            return Err(Error::internal(format!("{account} would be at {balance}")));
        }
    }
    query.execute(conn).await?;
    locked.moved(heads.iter().map(|head| (head.account, head.balance)));
    Ok(())
}

/// The newest entry of an account.
#[derive(Debug)]
struct Head {
    account: Account,
    sequence: i64,
    balance: Micros,
}

impl Head {
    fn add(&mut self, entry: &Entry) -> Result<()> {
        let balance = i128::from(self.balance.0) + entry.moves();
        self.sequence += 1;
        self.balance = i64::try_from(balance).map(Micros).map_err(|_| {
            Error::invalid("amount", "the account can't hold as much")
                .remedy("use a smaller amount")
        })?;
        Ok(())
    }
}

/// Of the accounts that the entries touch.
async fn heads(conn: &mut Conn, tenant: TenantId, entries: &[Entry]) -> Result<Vec<Head>> {
    let mut heads: Vec<Head> = Vec::new();
    for entry in entries {
        if heads.iter().all(|head| head.account != entry.account) {
            heads.push(Head { account: entry.account, sequence: 0, balance: Micros::ZERO });
        }
    }
    let selects: Vec<String> = heads
        .iter()
        .map(|head| {
            format!(
                "SELECT * FROM (SELECT account, account_sequence, balance_micros \
                 FROM journal_entries WHERE tenant_id = $1 AND account = '{}' \
                 ORDER BY account_sequence DESC LIMIT 1) AS {0}",
                head.account
            )
        })
        .collect();
    let rows: Vec<(String, i64, i64)> =
        sqlx::query_as(sqlx::AssertSqlSafe(selects.join(" UNION ALL ")))
            .bind(tenant.to_string())
            .fetch_all(conn)
            .await?;
    for (account, sequence, balance) in rows {
        let account: Account = account.parse()?;
        if let Some(head) = heads.iter_mut().find(|head| head.account == account) {
            (head.sequence, head.balance) = (sequence, Micros(balance));
        }
    }
    Ok(heads)
}

/// A request about money that came again under a known key, and was another one.
#[derive(Debug, Clone, Copy)]
pub struct Repeated<'a> {
    pub tenant: TenantId,
    /// `top-up`, `refund`.
    pub what: &'a str,
    /// As its sender calls it: a provider's id, a caller's `Idempotency-Key`.
    pub key: &'a str,
    /// What it asked for this time: an amount.
    pub asked: &'a str,
}

/// Tells the operators, once for each. It is a transaction of its own, since the refused request's
/// is rolled back.
pub async fn report_conflict(conn: &mut Conn, now: Timestamp, about: &Repeated<'_>) -> Result<()> {
    let Repeated { tenant, what, key, asked } = *about;
    let notice = Notice {
        key: format!("ledger:conflict:{tenant}:{}", secret::sha256_hex(format!("{key}\n{asked}"))),
        topic: "balance".to_owned(),
        tenant_id: None,
        subject: format!("a {what} came again with another amount"),
        body: format!(
            "The {what} {key} of tenant {tenant} is known, then it was asked for again, with \
             {asked}. The second was refused. Compare the sender's record with the ledger."
        ),
        data: serde_json::json!({"tenant_id": tenant, "what": what, "key": key, "asked": asked}),
    };
    outbox::enqueue(conn, now, &notice).await.map(|_| ())
}

#[cfg(test)]
mod tests;
