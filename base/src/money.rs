//! Money as integers: micro-units on the ledger, nano-units in prices, `i128` in between.
//!
//! Nothing here rounds on its own: the one rounding is [`div_half_even`], and whoever posts calls it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, ErrorKind, Result};

pub mod currency;

pub use currency::Currency;

/// An amount in millionths of the account's currency; a decimal string in JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Micros(pub i64);

/// A price in billionths of the currency per unit and hour (or per unit); a decimal string in JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Nanos(pub i64);

pub const MS_PER_HOUR: i64 = 3_600_000;

impl Micros {
    pub const ZERO: Self = Self(0);

    pub fn checked_add(self, other: Self) -> Result<Self> {
        self.0.checked_add(other.0).map(Self).ok_or_else(overflow)
    }
    pub fn checked_sub(self, other: Self) -> Result<Self> {
        self.0.checked_sub(other.0).map(Self).ok_or_else(overflow)
    }
    pub fn checked_neg(self) -> Result<Self> {
        self.0.checked_neg().map(Self).ok_or_else(overflow)
    }
    /// As tenants read a balance: four decimals, half-even. The ledger keeps all six.
    pub fn to_four_decimals(self) -> String {
        let tenth_mills = div_half_even(i128::from(self.0), 100);
        decimal(tenth_mills, 4)
    }
}

impl Nanos {
    /// What `quantity` units cost over `ms` milliseconds, in nano-unit-milliseconds times one hour:
    /// an exact integer whose [`Exact::to_micros`] is the amount.
    pub fn over(self, quantity: i64, ms: i64) -> Result<Exact> {
        i128::from(self.0)
            .checked_mul(i128::from(quantity))
            .and_then(|n| n.checked_mul(i128::from(ms)))
            .map(Exact)
            .ok_or_else(overflow)
    }
}

/// An unrounded amount: nano-units times milliseconds, of a price per hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Exact(pub i128);

impl Exact {
    /// 1 micro-unit is 1,000 nano-units over one hour.
    pub const PER_MICRO: i128 = 1_000 * MS_PER_HOUR as i128;

    pub fn checked_add(self, other: Self) -> Result<Self> {
        self.0.checked_add(other.0).map(Self).ok_or_else(overflow)
    }
    /// Round half-even to micro-units; an error where the amount does not fit.
    pub fn to_micros(self) -> Result<Micros> {
        i64::try_from(div_half_even(self.0, Self::PER_MICRO)).map(Micros).map_err(|_| overflow())
    }
}

fn overflow() -> Error {
    Error::new(ErrorKind::Invalid, "the amount is beyond what the ledger can hold")
        .remedy("lower the price or the quantity")
}

/// `n / d`, ties to the even neighbour; `d` is positive.
pub const fn div_half_even(n: i128, d: i128) -> i128 {
    // What fits 64 bits is divided several times faster there.
    if n as i64 as i128 == n && d as i64 as i128 == d {
        let (n, d) = (n as i64, d as i64);
        let (floor, rest) = (n.div_euclid(d), n.rem_euclid(d));
        let other = d - rest;
        let up = rest > other || (rest == other && floor % 2 != 0);
        return floor as i128 + up as i128;
    }
    let floor = n.div_euclid(d);
    let rest = n.rem_euclid(d);
    // Compared without doubling, which could overflow.
    let other = d - rest;
    if rest > other || (rest == other && floor % 2 != 0) { floor + 1 } else { floor }
}

fn decimal(scaled: i128, digits: u32) -> String {
    let unit = 10u128.pow(digits);
    let sign = if scaled < 0 { "-" } else { "" };
    let n = scaled.unsigned_abs();
    if digits == 0 {
        return format!("{sign}{n}");
    }
    format!("{sign}{}.{:0width$}", n / unit, n % unit, width = digits as usize)
}

fn parse_decimal(text: &str, digits: usize) -> Option<i64> {
    let (negative, body) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = body.split_once('.').unwrap_or((body, ""));
    let digits_only = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits_only(whole) || !digits_only(fraction) {
        return None;
    }
    if body.ends_with('.') || fraction.len() > digits {
        return None;
    }
    let scaled: i128 = format!("{whole}{fraction:0<digits$}").parse().ok()?;
    i64::try_from(if negative { -scaled } else { scaled }).ok()
}

macro_rules! decimal_type {
    ($name:ident, $digits:literal, $about:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&decimal(i128::from(self.0), $digits))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                parse_decimal(text, $digits).map(Self).ok_or_else(|| {
                    format!(
                        "'{text}' is not a decimal number with at most {} decimals, such as 12.5",
                        $digits
                    )
                })
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .pattern(Some(concat!("^-?[0-9]+(\\.[0-9]{1,", $digits, "})?$")))
                    .description(Some($about))
                    .into()
            }
        }
        impl utoipa::ToSchema for $name {}
    };
}
decimal_type!(
    Micros,
    6,
    "An amount in the account's currency, a decimal string with up to six decimals."
);
decimal_type!(
    Nanos,
    9,
    "A price in the book's currency, a decimal string with up to nine decimals."
);

#[cfg(test)]
mod tests;
