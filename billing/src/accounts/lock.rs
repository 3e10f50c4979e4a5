//! The lock of an account: its row, held until the end of the transaction.

use std::{collections::BTreeSet, ops::Deref};

use base::{
    Result,
    db::{Conn, found},
    id::TenantId,
    money::Micros,
};

use super::{Account, get};
use crate::ledger;

/// An account whose lock is held. Only [`lock`] makes one, so that nothing is posted without it.
#[derive(Debug)]
pub(crate) struct Locked(Account);

impl Locked {
    /// To these balances its posting brought it.
    pub(crate) fn moved(&mut self, to: impl Iterator<Item = (ledger::Account, Micros)>) {
        for (account, balance) in to {
            self.0.wallet.set(account, balance);
            if account == ledger::Account::Revenue {
                self.0.earned = balance;
            }
        }
        self.0.posted = self.0.wallet.balance();
    }
}

impl Deref for Locked {
    type Target = Account;
    fn deref(&self) -> &Account {
        &self.0
    }
}

/// Takes the account's lock until the end of the transaction. What it holds is read after that:
/// PostgreSQL would answer `RETURNING` with the balance of before the wait.
pub(crate) async fn lock(conn: &mut Conn, tenant: TenantId) -> Result<Locked> {
    let row: Option<i64> = sqlx::query_scalar(
        "UPDATE accounts SET version = version + 1 WHERE tenant_id = $1 RETURNING version",
    )
    .bind(tenant.to_string())
    .fetch_optional(&mut *conn)
    .await?;
    found(row, format_args!("the account of tenant {tenant}"))?;
    get(conn, tenant).await.map(Locked)
}

/// Takes the locks of several accounts, in one order for all, before a transaction that will post
/// for them touches anything else: locks are always taken account, host, instance, quota.
pub async fn lock_all(conn: &mut Conn, tenants: &BTreeSet<TenantId>) -> Result<()> {
    for tenant in tenants {
        lock(&mut *conn, *tenant).await?;
    }
    Ok(())
}
