//! What a line is of, in what its price is per.

use base::money::{MS_PER_HOUR, div_half_even};

use super::content::Line;
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
    let quantity = i128::from(line.quantity) * 10i128.pow(digits);
    let of_unit = |amount: i128, more: i64| {
        div_half_even(amount, i128::from(line.unit.max(1)) * i128::from(more))
    };
    match per(line) {
        Per::Hour => {
            let ms = i128::from(line.to.since_ms(line.from));
            let name = size(&line.component).map_or_else(String::new, |size| format!("{size}-"));
            let unit = match line.unit {
                1 => format!("{name}Hours"),
                n => format!("{n} {name}Hours"),
            };
            Measure { scaled: of_unit(quantity.saturating_mul(ms), MS_PER_HOUR), unit }
        }
        Per::Unit => Measure { scaled: of_unit(quantity, 1), unit: bytes(line.unit) },
        Per::Month => Measure { scaled: quantity, unit: "Months".to_owned() },
    }
}
