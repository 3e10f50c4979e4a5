//! Which pocket pays, and which gets what comes in. Pure.
//!
//! Nobody owes while there is something in a pocket: what comes in pays the debt first, and a debt
//! begins when the pockets are empty.

use base::money::Micros;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::chart::{Account, Entry, Wallet};

/// Which pocket is emptied first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpendOrder {
    /// What was given goes before what was paid.
    #[default]
    BonusFirst,
    CashFirst,
}

/// The entries of a charge of `net` and `tax` together; below zero, of a credit. What the tenant
/// gets back pays its debt, and the rest is cash, whatever had paid for it.
///
/// At most five entries, none of zero. The sum of both must fit the ledger, as each of them does.
pub fn spend(wallet: &Wallet, net: Micros, tax: Micros, order: SpendOrder) -> Vec<Entry> {
    let total = net.0.saturating_add(tax.0);
    let mut entries = match total {
        0.. => take(wallet, Micros(total), order),
        _ => put(wallet, Micros(total.saturating_neg()), Account::Cash),
    };
    for (account, amount) in [(Account::Revenue, net), (Account::Tax, tax)] {
        entries.extend(match amount.0 {
            1.. => Some(Entry::credit(account, amount)),
            0 => None,
            _ => Some(Entry::debit(account, Micros(amount.0.saturating_neg()))),
        });
    }
    entries
}

/// Debits of the pockets in their order, and of the receivable where they don't suffice.
pub fn take(wallet: &Wallet, amount: Micros, order: SpendOrder) -> Vec<Entry> {
    let pockets = match order {
        SpendOrder::BonusFirst => [(Account::Bonus, wallet.bonus), (Account::Cash, wallet.cash)],
        SpendOrder::CashFirst => [(Account::Cash, wallet.cash), (Account::Bonus, wallet.bonus)],
    };
    let mut left = amount;
    let mut entries = Vec::new();
    for (account, has) in pockets {
        let part = left.min(has);
        if part > Micros::ZERO {
            entries.push(Entry::debit(account, part));
            left = Micros(left.0 - part.0);
        }
    }
    if left > Micros::ZERO {
        entries.push(Entry::debit(Account::Receivable, left));
    }
    entries
}

/// Credits of the receivable up to what is owed, and of `pocket` for the rest.
pub fn put(wallet: &Wallet, amount: Micros, pocket: Account) -> Vec<Entry> {
    let debt = amount.min(wallet.owed());
    let rest = Micros(amount.0 - debt.0.max(0));
    [(Account::Receivable, debt), (pocket, rest)]
        .into_iter()
        .filter(|(_, amount)| *amount > Micros::ZERO)
        .map(|(account, amount)| Entry::credit(account, amount))
        .collect()
}

#[cfg(test)]
mod tests;
