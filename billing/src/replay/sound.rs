//! Whether the books balance.

use base::{Result, db::Conn};

/// What must find no row, and what it means where it does.
const CHECKS: [(&str, &str); 3] = [
    (
        "a transaction does not sum to zero",
        "SELECT COUNT(*) FROM (SELECT SUM(CASE direction WHEN 'debit' \
         THEN amount_micros ELSE -amount_micros END) AS total FROM journal_entries \
         GROUP BY transaction_id) AS sums WHERE total <> 0",
    ),
    (
        "an entry's running balance is not that of the entries before it",
        "SELECT COUNT(*) FROM (SELECT balance_micros, SUM(CASE direction WHEN 'credit' \
         THEN amount_micros ELSE -amount_micros END) OVER (PARTITION BY tenant_id, account \
         ORDER BY account_sequence) AS total FROM journal_entries) AS sums \
         WHERE total <> balance_micros",
    ),
    (
        "the totals are not the lines",
        "SELECT COUNT(*) FROM accounts a WHERE \
         (SELECT CAST(COALESCE(SUM(net + tax), 0) AS BIGINT) FROM rated_sums \
          WHERE tenant_id = a.tenant_id) <> \
         (SELECT CAST(COALESCE(SUM(net + tax), 0) AS BIGINT) FROM charges \
          WHERE tenant_id = a.tenant_id)",
    ),
];

/// What is wrong; nothing where every transaction's entries sum to zero (and so all of them do),
/// running balances are the entries', and the totals of rounding are the lines'.
pub async fn faults(conn: &mut Conn) -> Result<Vec<&'static str>> {
    let mut faults = Vec::new();
    for (fault, count) in CHECKS {
        let found: i64 = sqlx::query_scalar(count).fetch_one(&mut *conn).await?;
        if found > 0 {
            faults.push(fault);
        }
    }
    Ok(faults)
}
