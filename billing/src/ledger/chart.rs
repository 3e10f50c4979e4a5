//! The chart of accounts, which every tenant has for itself.
//!
//! A balance is credits minus debits: what a tenant has is above zero in `cash`, `bonus` and `holds`,
//! what it owes is below zero in `receivable`, what came in is below zero in `payments`.

use std::str::FromStr;

use base::{Error, Result, money::Micros};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Account {
    /// The other side of money that came in.
    Payments,
    /// Paid and not used.
    Cash,
    /// Given and not used.
    Bonus,
    /// Put aside.
    Holds,
    /// Used and not paid: below zero.
    Receivable,
    Revenue,
    Tax,
    /// The other side of what was given.
    Promotions,
    /// Money that went back.
    Refunds,
    /// What invoices round off.
    Rounding,
}

impl Account {
    pub const ALL: [Self; 10] = [
        Self::Payments,
        Self::Cash,
        Self::Bonus,
        Self::Holds,
        Self::Receivable,
        Self::Revenue,
        Self::Tax,
        Self::Promotions,
        Self::Refunds,
        Self::Rounding,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Payments => "payments",
            Self::Cash => "cash",
            Self::Bonus => "bonus",
            Self::Holds => "holds",
            Self::Receivable => "receivable",
            Self::Revenue => "revenue",
            Self::Tax => "tax",
            Self::Promotions => "promotions",
            Self::Refunds => "refunds",
            Self::Rounding => "rounding",
        }
    }

    /// Whether the account may be at `balance`: pockets hold nothing negative, and a debt is never
    /// above zero.
    pub fn may_be(self, balance: Micros) -> bool {
        match self {
            Self::Cash | Self::Bonus | Self::Holds => balance >= Micros::ZERO,
            Self::Receivable => balance <= Micros::ZERO,
            _ => true,
        }
    }
}

impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Account {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|account| account.as_str() == text).ok_or_else(|| {
            Error::invalid("account", format!("the ledger has no account {text}"))
                .remedy(format!("name one of {}", Self::ALL.map(Self::as_str).join(", ")))
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Debit,
    Credit,
}

impl Direction {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debit => "debit",
            Self::Credit => "credit",
        }
    }
}

impl FromStr for Direction {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "debit" => Ok(Self::Debit),
            "credit" => Ok(Self::Credit),
            _ => Err(Error::internal(format!("{text} is no direction of an entry"))),
        }
    }
}

macro_rules! kinds {
    ($($name:ident $text:literal),+ $(,)?) => {
        /// What a transaction is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Kind { $($name),+ }

        impl Kind {
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }

        impl FromStr for Kind {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                match text {
                    $($text => Ok(Self::$name),)+
                    _ => Err(Error::internal(format!("{text} is no kind of a transaction"))),
                }
            }
        }
    };
}
kinds! {
    Recharge "recharge", Bonus "bonus", BonusEnd "bonus_end", Voucher "voucher",
    Charge "charge", Close "close", Rounding "rounding", Hold "hold", HoldEnd "hold_end",
    Refund "refund", CreditNote "credit_note", Correction "correction",
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    pub account: Account,
    pub direction: Direction,
    /// Above zero.
    pub amount: Micros,
}

impl Entry {
    pub fn debit(account: Account, amount: Micros) -> Self {
        Self { account, direction: Direction::Debit, amount }
    }
    pub fn credit(account: Account, amount: Micros) -> Self {
        Self { account, direction: Direction::Credit, amount }
    }
    /// What it adds to its account's balance.
    pub fn moves(&self) -> i128 {
        match self.direction {
            Direction::Credit => i128::from(self.amount.0),
            Direction::Debit => -i128::from(self.amount.0),
        }
    }
}

/// The newest balances of the accounts that make up what a tenant has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wallet {
    pub cash: Micros,
    pub bonus: Micros,
    pub holds: Micros,
    /// Below zero where the tenant owes.
    pub receivable: Micros,
}

impl Wallet {
    /// What it can spend, or owes. What is on hold is neither.
    pub fn balance(&self) -> Micros {
        let sum =
            i128::from(self.cash.0) + i128::from(self.bonus.0) + i128::from(self.receivable.0);
        let bound = sum.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
        Micros(i64::try_from(bound).expect("it was clamped"))
    }

    /// What the tenant owes, above zero.
    pub fn owed(&self) -> Micros {
        Micros(self.receivable.0.saturating_neg())
    }

    pub(crate) fn set(&mut self, account: Account, balance: Micros) {
        match account {
            Account::Cash => self.cash = balance,
            Account::Bonus => self.bonus = balance,
            Account::Holds => self.holds = balance,
            Account::Receivable => self.receivable = balance,
            _ => {}
        }
    }
}
