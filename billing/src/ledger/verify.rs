//! Whether the books are right, asked of a system that runs.
//!
//! Tenants are looked at one after another, each as of one moment (a snapshot a tenant: one for all
//! would keep SQLite's log from being cleared for as long as it takes). Nothing is written, and nobody
//! waits.
//!
//! | Invariant | Says |
//! | --- | --- |
//! | `balanced` | each transaction's debits are its credits |
//! | `known_transaction` | each entry's transaction is in the journal, and its tenant has an account |
//! | `sequence` | entries of an account are numbered 1, 2, … |
//! | `running_balance` | each entry's balance is the sum of the account's entries up to it |
//! | `number` | a tenant's transactions are numbered 1, 2, … |
//! | `pockets` | cash, bonus and holds are never below zero, the receivable never above, at any entry |
//! | `no_debt_beside_money` | nobody owes who has cash or bonus |
//! | `charge_is_lines` | a charge's revenue and tax are the sum of its lines |
//! | `totals_are_lines` | what rounding starts from is the sum of the lines |
//! | `earned` | all revenue and tax come from charges, closings, posted holds, notes and corrections |
//! | `holds` | the holds account is the sum of the open holds; of each that ended is earned what it says |
//! | `recharges` | each recharge and refund is what its transaction says; refunds are not above it |
//! | `bonuses` | each bonus is what its transaction says; the bonus account is what is left of them |
//! | `vouchers` | each redemption has its transaction, of the voucher's amount, and each voucher's transaction its redemption |
//! | `invoices` | each invoice's rounding and each credit note is what its transaction says |

use base::{
    Result,
    db::{Conn, Db},
    id::TenantId,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::accounts;

mod details;
mod invoices;
mod lines;
mod tenant;

/// Listed by one run; more are counted.
pub const FINDINGS_MAX: usize = 1_000;

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Finding {
    /// Which of the invariants.
    #[schema(value_type = String)]
    pub invariant: &'static str,
    pub tenant_id: String,
    /// The transaction, account or row.
    pub subject: String,
    pub detail: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Verified {
    pub tenants: u64,
    pub transactions: u64,
    pub entries: u64,
    /// How many there are; the first of them follow.
    pub found: u64,
    pub findings: Vec<Finding>,
}

impl Verified {
    fn add(&mut self, looked: Looked) {
        self.tenants += 1;
        self.transactions += looked.transactions;
        self.entries += looked.entries;
        self.found += u64::try_from(looked.findings.len()).unwrap_or(u64::MAX);
        let room = FINDINGS_MAX - self.findings.len().min(FINDINGS_MAX);
        self.findings.extend(looked.findings.into_iter().take(room));
    }
}

/// What was seen of one tenant.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    pub transactions: u64,
    pub entries: u64,
    pub findings: Vec<Finding>,
}

impl Looked {
    fn find(
        &mut self,
        invariant: &'static str,
        tenant: impl ToString,
        subject: impl ToString,
        detail: String,
    ) {
        let (tenant_id, subject) = (tenant.to_string(), subject.to_string());
        self.findings.push(Finding { invariant, tenant_id, subject, detail });
    }
}

/// All tenants, each as of one moment.
pub async fn verify(db: &Db) -> Result<Verified> {
    let mut verified = Verified::default();
    let mut cursor: Option<TenantId> = None;
    loop {
        let page = accounts::page(&mut *db.read().await?, cursor).await?;
        let Some(last) = page.last() else { break };
        cursor = Some(*last);
        for tenant in page {
            let mut snapshot = db.begin_snapshot().await?;
            let looked = of_tenant(&mut snapshot, tenant).await?;
            snapshot.rollback().await?;
            verified.add(looked);
        }
    }
    let mut nobodys = Looked::default();
    of_nobody(&mut *db.read().await?, &mut nobodys).await?;
    verified.found += u64::try_from(nobodys.findings.len()).unwrap_or(u64::MAX);
    verified.findings.extend(nobodys.findings);
    verified.findings.truncate(FINDINGS_MAX);
    Ok(verified)
}

/// Every invariant of one tenant. The connection sees one moment.
pub(crate) async fn of_tenant(conn: &mut Conn, tenant: TenantId) -> Result<Looked> {
    let mut looked = Looked::default();
    let books = tenant::read(conn, tenant, &mut looked).await?;
    lines::check(conn, tenant, &books, &mut looked).await?;
    details::check(conn, tenant, &books, &mut looked).await?;
    invoices::check(conn, tenant, &books, &mut looked).await?;
    Ok(looked)
}

/// Entries of tenants that have no account are in nobody's books.
async fn of_nobody(conn: &mut Conn, looked: &mut Looked) -> Result<()> {
    let tenants: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT e.tenant_id FROM journal_entries e \
         WHERE NOT EXISTS (SELECT 1 FROM accounts a WHERE a.tenant_id = e.tenant_id) LIMIT $1",
    )
    .bind(i64::try_from(FINDINGS_MAX).unwrap_or(i64::MAX))
    .fetch_all(conn)
    .await?;
    for tenant in tenants {
        let detail = "there are entries of a tenant without an account".to_owned();
        looked.find("known_transaction", &tenant, "", detail);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
