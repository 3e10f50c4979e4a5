//! What an invoice says. It is frozen as JSON when it is issued, and is all that any of its forms
//! is made from.

use base::{
    Result,
    id::{InvoiceId, TenantId},
    money::{Currency, Micros, Nanos},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Language, too_large};
use crate::explain::LineId;

/// Of the content's shape; raised when a key changes its meaning.
pub const VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Content {
    /// Of this shape: 1.
    pub version: u32,
    pub id: InvoiceId,
    /// As printed: `INV-000042`.
    pub number: String,
    pub issuer: Issuer,
    pub party: Party,
    /// `YYYY-MM` in `timezone`.
    pub month: String,
    pub period_from: Timestamp,
    pub period_to: Timestamp,
    /// IANA name, whose calendar makes the months.
    pub timezone: String,
    pub issued_at: Timestamp,
    /// ISO 4217.
    #[schema(value_type = String)]
    pub currency: Currency,
    /// The currency's digits after the point.
    pub digits: u32,
    /// Of the printed forms, where nobody asks for another.
    pub language: Language,
    /// In order of month, resource, time and kind.
    pub lines: Vec<Line>,
    pub sums: Sums,
}

/// Who bills.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Issuer {
    pub name: String,
    pub address: String,
    pub tax_id: String,
}

/// Who is billed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Party {
    pub tenant_id: TenantId,
    pub name: String,
    #[serde(default)]
    pub address: String,
    #[serde(default)]
    pub tax_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Line {
    /// The first of the rated lines that it joins: with it the line is opened down to what made it.
    /// None in invoices of before it was said.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "0193c5f0-…-8a51.42.0")]
    pub first_line: Option<LineId>,
    /// `instance`.
    pub resource_kind: String,
    pub resource_id: String,
    pub resource_name: String,
    /// What of the resource: `instance.compute`, `instance.disk`.
    pub component: String,
    /// By its name; empty where the component has none.
    pub flavor: String,
    /// "instance web-1, flavor small".
    pub what: String,
    /// What the price stands under in its version.
    pub rate: String,
    pub price_version_id: String,
    /// That the version is of. Empty in invoices of before it was said.
    #[serde(default)]
    pub price_book_id: String,
    /// `YYYY-MM`: an earlier month than the invoice's came late, and is settled here.
    pub month: String,
    pub from: Timestamp,
    pub to: Timestamp,
    /// Of a standard price as it is published, for `unit` of what is used (and an hour); zero of the
    /// other models. What the amount is made of says `priced`.
    pub unit_price: Nanos,
    /// Units at once, or, of what is counted, all of them; below zero where it takes back.
    pub quantity: i64,
    /// None of what is of no quantity, and in invoices of before it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priced: Option<Priced>,
    pub net: Micros,
    pub tax: Micros,
    /// Of the net amount: 0.06 is 6 %. Zero in invoices of before it was said.
    #[serde(default)]
    pub tax_rate: Micros,
    /// `usage`, `purchase` (of what is bought whole), `adjustment`, `volume` (what a volume price
    /// comes to), `minimum` (what is missing to a month's minimum).
    #[serde(default = "usage")]
    pub kind: String,
    /// Of the price: `standard`, `graduated`, `volume`, `package`.
    #[serde(default = "standard")]
    pub model: String,
    /// How much the price is for.
    #[serde(default = "one")]
    pub unit: i64,
    /// It corrects what was charged for a time that had passed already.
    pub adjustment: bool,
}

/// What a line's net amount is of: `quantity` times `price` is `cost`, which is the net amount but for
/// the ledger's rounding. Decimals, of at most twelve digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = InvoicePriced)]
pub struct Priced {
    pub quantity: String,
    /// What the price is for: `Hours`, `GiB-Hours`, `7 GiB-Hours`, `GiB`, `Months`.
    pub unit: String,
    pub price: String,
    pub cost: String,
    /// The price is what a unit came to: of tiers and blocks, behind a free allowance, and where the
    /// published price contains tax. False: it is the published price.
    pub effective: bool,
}

fn usage() -> String {
    "usage".to_owned()
}

fn standard() -> String {
    "standard".to_owned()
}

fn one() -> i64 {
    1
}

/// In the ledger's micro-units where not said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sums {
    /// Of the lines.
    pub lines_net: Micros,
    pub lines_tax: Micros,
    /// `total` minus `tax`, in the currency's digits as they are.
    pub net: Micros,
    pub tax: Micros,
    pub total: Micros,
    /// `total` minus the lines.
    pub rounding: Micros,
}

impl Sums {
    /// Total and tax are rounded half-even to the currency's digits; net is the rest, so that the
    /// three add up as printed.
    pub fn of<'a>(currency: Currency, lines: impl IntoIterator<Item = &'a Line>) -> Result<Self> {
        let (mut net, mut tax) = (0i128, 0i128);
        for line in lines {
            net += i128::from(line.net.0);
            tax += i128::from(line.tax.0);
        }
        let micros = |sum: i128| i64::try_from(sum).map(Micros).map_err(|_| too_large());
        let (lines_net, lines_tax) = (micros(net)?, micros(tax)?);
        let exact = micros(net + tax)?;
        let (total, tax) = (currency.round(exact)?, currency.round(lines_tax)?);
        Ok(Self {
            lines_net,
            lines_tax,
            net: total.checked_sub(tax)?,
            tax,
            total,
            rounding: total.checked_sub(exact)?,
        })
    }
}
