//! What a line is of, in what its price is per.

use base::money::{MS_PER_HOUR, div_half_even};

use super::{
    content::{Line, Priced},
    sheet,
};
use crate::prices::components::{self, Per};

/// A quantity in what the price is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measure {
    /// By ten to the digits that were asked for.
    pub scaled: i128,
    /// In the words of FOCUS: `Hours`, `GiB-Hours`, `GiB`, `Months`.
    pub unit: String,
}

/// Hours where the component is not known any more.
fn per(line: &Line) -> Per {
    components::component(&line.component).map_or(Per::Hour, |component| component.per)
}

pub fn is_bought(line: &Line) -> bool {
    per(line) == Per::Month
}

/// Of what is used by the time: how much at once, where that is no count of pieces.
pub fn size(component: &str) -> Option<&'static str> {
    match component.split_once('.')?.1 {
        "disk" | "capacity" => Some("GiB"),
        "mbps" => Some("Mbps"),
        _ => None,
    }
}

/// What so many bytes are called.
pub fn bytes(unit: i64) -> String {
    let names =
        [(1, "Bytes"), (1 << 10, "KiB"), (1 << 20, "MiB"), (1 << 30, "GiB"), (1 << 40, "TiB")];
    let decimal = [(1_000, "KB"), (1_000_000, "MB"), (1_000_000_000, "GB")];
    let name = names.iter().chain(&decimal).find(|(size, _)| *size == unit);
    name.map_or_else(|| format!("{unit} Bytes"), |(_, name)| (*name).to_owned())
}

pub fn of(line: &Line, digits: u32) -> Measure {
    let quantity = i128::from(line.quantity);
    let used = match per(line) {
        Per::Hour => quantity.saturating_mul(i128::from(line.to.since_ms(line.from))),
        Per::Unit | Per::Month => quantity,
    };
    measured(line, used, digits)
}

/// `used` is in unit-milliseconds, units or months.
fn measured(line: &Line, used: i128, digits: u32) -> Measure {
    let (more, unit) = match per(line) {
        Per::Hour => {
            let name = size(&line.component).map_or_else(String::new, |size| format!("{size}-"));
            let unit = match line.unit {
                1 => format!("{name}Hours"),
                n => format!("{n} {name}Hours"),
            };
            (line.unit.saturating_mul(MS_PER_HOUR), unit)
        }
        Per::Unit => (line.unit, bytes(line.unit)),
        Per::Month => (1, "Months".to_owned()),
    };
    let scaled = used.saturating_mul(10i128.pow(digits));
    Measure { scaled: div_half_even(scaled, i128::from(more.max(1))), unit }
}

/// Digits of quantities, of prices and of costs that are not the ledger's.
pub const DIGITS: u32 = 12;

/// What a line's net amount is of: so many units at a price, which multiply to it. None of what is of
/// no use of its own: minimums, and what a late fact moved.
///
/// A price is stated as it is published where that makes the amount. Of tiers and blocks, behind a
/// free allowance, and where prices contain tax it is the effective one: the amount over the
/// quantity. `month` is the use that a volume's line is for, in unit-milliseconds or units.
pub fn priced(line: &Line, month: i64) -> Option<Priced> {
    const MILLION: i128 = 1_000_000;
    const ONE: i128 = 10i128.pow(DIGITS);
    let measure = match (line.kind.as_str(), line.quantity) {
        ("minimum", _) => return None,
        ("volume", _) => measured(line, i128::from(month), DIGITS),
        _ => of(line, DIGITS),
    };
    if measure.scaled == 0 {
        return None;
    }
    let net = i128::from(line.net.0).saturating_mul(MILLION);
    let published = i128::from(line.unit_price.0).saturating_mul(1_000);
    let cost = |price: i128| div_half_even(price.saturating_mul(measure.scaled), ONE);
    // Of lines that adjoin only the first and the last are rounded.
    let is_published = line.model == "standard" && (cost(published) - net).abs() <= MILLION;
    let price = match is_published {
        true => published,
        false => effective(net, measure.scaled)?,
    };
    let decimal = |scaled: i128| decimal(scaled, DIGITS);
    Some(Priced {
        quantity: decimal(measure.scaled),
        unit: measure.unit,
        price: decimal(price),
        cost: decimal(cost(price)),
        effective: !is_published,
    })
}

/// Both by ten to the digits. None where what was taken back costs, or the other way round.
fn effective(net: i128, quantity: i128) -> Option<i128> {
    let scaled = net.checked_mul(10i128.pow(DIGITS))?.checked_mul(quantity.signum())?;
    let price = div_half_even(scaled, i128::try_from(quantity.unsigned_abs()).ok()?);
    (price >= 0).then_some(price)
}

/// A number that was scaled by ten to the digits, without zeros at the end.
pub fn decimal(scaled: i128, digits: u32) -> String {
    let unit = 10u128.pow(digits);
    let size = scaled.unsigned_abs();
    let sign = if scaled < 0 { "-" } else { "" };
    let width = usize::try_from(digits).unwrap_or_default();
    sheet::trimmed(&format!("{sign}{}.{:0width$}", size / unit, size % unit))
}

#[cfg(test)]
mod tests;
