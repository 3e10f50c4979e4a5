//! The journal of one tenant: its chains, and what its transactions add up to.

use std::collections::HashMap;

use base::{Result, db::Conn, id::TenantId, money::Micros};
use futures::TryStreamExt;

use super::Looked;
use crate::ledger::chart::{Account, Kind};

/// A transaction, and what its entries do; in micro-units.
#[derive(Debug)]
pub(super) struct Sums {
    pub kind: Kind,
    pub all: i128,
    /// A charge's number.
    pub charge: Option<i64>,
    /// Of revenue.
    pub net: i128,
    pub tax: i128,
    /// Of payments.
    pub paid: i128,
    /// Of promotions.
    pub given: i128,
    /// Of refunds.
    pub refunded: i128,
    /// Of rounding.
    pub rounding: i128,
    /// The month whose invoice it rounds.
    pub rounds: Option<String>,
}

impl Sums {
    fn new(kind: Kind, charge: Option<i64>, rounds: Option<String>) -> Self {
        Self {
            kind,
            all: 0,
            charge,
            net: 0,
            tax: 0,
            paid: 0,
            given: 0,
            refunded: 0,
            rounding: 0,
            rounds,
        }
    }
}

/// What the journal says.
#[derive(Debug, Default)]
pub(super) struct Books {
    pub transactions: HashMap<String, Sums>,
    /// The sums of the accounts' entries.
    pub balances: HashMap<Account, i128>,
}

impl Books {
    pub fn balance(&self, account: Account) -> i128 {
        self.balances.get(&account).copied().unwrap_or_default()
    }

    /// The transaction, if it is of this kind.
    pub fn of_kind(&self, id: &str, kind: Kind) -> Option<&Sums> {
        self.transactions.get(id).filter(|sums| sums.kind == kind)
    }
}

pub(super) async fn read(conn: &mut Conn, tenant: TenantId, looked: &mut Looked) -> Result<Books> {
    let mut books = Books::default();
    transactions(conn, tenant, &mut books, looked).await?;
    entries(conn, tenant, &mut books, looked).await?;
    for (id, sums) in &books.transactions {
        if sums.all != 0 {
            looked.find("balanced", tenant, id, format!("it sums to {} micro-units", sums.all));
        }
    }
    let debt = books.balance(Account::Receivable);
    let has = books.balance(Account::Cash) + books.balance(Account::Bonus);
    if debt < 0 && has > 0 {
        let detail = format!("it owes {} and has {has} micro-units", -debt);
        looked.find("no_debt_beside_money", tenant, "receivable", detail);
    }
    Ok(books)
}

async fn transactions(
    conn: &mut Conn,
    tenant: TenantId,
    books: &mut Books,
    looked: &mut Looked,
) -> Result<()> {
    let mut rows = sqlx::query_as::<_, (String, i64, String, String)>(
        "SELECT id, number, kind, dedup_key FROM journal WHERE tenant_id = $1 ORDER BY number",
    )
    .bind(tenant.to_string())
    .fetch(conn);
    let mut before = 0;
    while let Some((id, number, kind, key)) = rows.try_next().await? {
        if number != before + 1 {
            looked.find("number", tenant, &id, format!("{number} comes after {before}"));
        }
        before = number;
        looked.transactions += 1;
        let kind: Kind = kind.parse()?;
        let last = key.rsplit(':').next();
        let charge = last.filter(|_| kind == Kind::Charge).and_then(|number| number.parse().ok());
        let rounds = last.filter(|_| kind == Kind::Rounding).map(str::to_owned);
        books.transactions.insert(id, Sums::new(kind, charge, rounds));
    }
    Ok(())
}

async fn entries(
    conn: &mut Conn,
    tenant: TenantId,
    books: &mut Books,
    looked: &mut Looked,
) -> Result<()> {
    let mut rows = sqlx::query_as::<_, (String, String, String, i64, i64, i64)>(
        "SELECT transaction_id, account, direction, amount_micros, account_sequence, \
         balance_micros FROM journal_entries WHERE tenant_id = $1 \
         ORDER BY account, account_sequence",
    )
    .bind(tenant.to_string())
    .fetch(conn);
    let mut before = (String::new(), 0);
    while let Some((id, name, direction, amount, sequence, said)) = rows.try_next().await? {
        looked.entries += 1;
        let account: Account = name.parse()?;
        let moved = i128::from(amount) * if direction == "credit" { 1 } else { -1 };
        let last = if before.0 == name { before.1 } else { 0 };
        if sequence != last + 1 {
            looked.find("sequence", tenant, &id, format!("{name}: {sequence} comes after {last}"));
        }
        before = (name, sequence);
        let balance = books.balances.entry(account).or_default();
        *balance += moved;
        if *balance != i128::from(said) {
            let detail = format!("{account}: it says {said}, its entries {balance} micro-units");
            looked.find("running_balance", tenant, &id, detail);
        }
        if !account.may_be(Micros(said)) {
            looked.find("pockets", tenant, &id, format!("{account} is at {said} micro-units"));
        }
        let Some(sums) = books.transactions.get_mut(&id) else {
            let detail = format!("an entry of {account} is of no transaction of the journal");
            looked.find("known_transaction", tenant, &id, detail);
            continue;
        };
        sums.all += moved;
        match account {
            Account::Revenue => sums.net += moved,
            Account::Tax => sums.tax += moved,
            Account::Payments => sums.paid += moved,
            Account::Promotions => sums.given += moved,
            Account::Refunds => sums.refunded += moved,
            Account::Rounding => sums.rounding += moved,
            _ => {}
        }
    }
    Ok(())
}
