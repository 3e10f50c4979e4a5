//! The lock of an account: its row, held until the end of the transaction.

use std::{collections::BTreeSet, ops::Deref};

use base::{
    Result,
    db::{Backend, Conn, Db, found, placeholders, rows::lists},
    id::TenantId,
    money::Micros,
};

use super::{Account, LOCK_AND_SELECT, get, one};
use crate::{ledger, sql::parse};

/// An account whose lock is held. Only [`lock`] makes one, so that nothing is posted without it.
#[derive(Debug)]
pub(crate) struct Locked(Account);

impl Locked {
    /// This was its last charge.
    pub(crate) fn charged(&mut self, number: i64) {
        self.0.last_charge = number;
    }

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
/// PostgreSQL would answer `RETURNING` with the balance of before the wait. SQLite's one writer has
/// waited already.
pub(crate) async fn lock(conn: &mut Conn, tenant: TenantId) -> Result<Locked> {
    if Db::backend_of(conn) == Backend::Sqlite {
        return one(conn, LOCK_AND_SELECT, tenant).await.map(Locked);
    }
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
    let known = lock_known(conn, tenants).await?;
    match tenants.difference(&known).next() {
        Some(tenant) => found(None, format_args!("the account of tenant {tenant}")),
        None => Ok(()),
    }
}

/// Waits for whoever has an account's lock, and keeps all of them from the others until the end of the
/// transaction. For what concerns everybody and happens rarely.
pub(crate) async fn lock_every(conn: &mut Conn) -> Result<()> {
    // SQLite's one writer has them already.
    if Db::backend_of(conn) == Backend::Postgres {
        const EVERY: &str = "SELECT COUNT(*) FROM (SELECT tenant_id FROM accounts \
                             ORDER BY tenant_id FOR NO KEY UPDATE) AS every";
        sqlx::query_scalar::<_, i64>(EVERY).fetch_one(conn).await?;
    }
    Ok(())
}

/// As [`lock_all`], of those that have an account; says who they are. A few statements for all of
/// them: a host's report can tell of a hundred tenants.
pub(crate) async fn lock_known(
    conn: &mut Conn,
    tenants: &BTreeSet<TenantId>,
) -> Result<BTreeSet<TenantId>> {
    let ids: Vec<String> = tenants.iter().map(ToString::to_string).collect();
    let mut known = BTreeSet::new();
    for list in lists(&ids) {
        let places = placeholders(1, list.len());
        // An update would lock them as it meets them; SQLite's one writer has all rows already.
        if Db::backend_of(conn) == Backend::Postgres {
            let sql = format!(
                "SELECT tenant_id FROM accounts WHERE tenant_id IN ({places}) \
                 ORDER BY tenant_id FOR NO KEY UPDATE"
            );
            let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
            for id in &list {
                query = query.bind(id.clone());
            }
            query.fetch_all(&mut *conn).await?;
        }
        let sql = format!(
            "UPDATE accounts SET version = version + 1 WHERE tenant_id IN ({places}) \
             RETURNING tenant_id"
        );
        let mut query = sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(sql));
        for id in list {
            query = query.bind(id);
        }
        for id in query.fetch_all(&mut *conn).await? {
            known.insert(parse(&id)?);
        }
    }
    Ok(known)
}

#[cfg(test)]
mod tests;
