//! Currencies of ISO 4217: how many digits one has after the point, and amounts rounded and written
//! by them.
//!
//! The ledger keeps micro-units whatever the currency; what people are asked to pay has the
//! currency's own digits.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Micros, decimal, div_half_even};
use crate::error::{Error, Result};

/// Three capital letters of ISO 4217, such as `CNY`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// Digits of a micro-unit.
const MICRO_DIGITS: u32 = 6;
const USUAL_DIGITS: u32 = 2;
/// Those of ISO 4217's list one (as of 2025) that don't have two digits.
const NO_DIGITS: [&[u8; 3]; 16] = [
    b"BIF", b"CLP", b"DJF", b"GNF", b"ISK", b"JPY", b"KMF", b"KRW", b"PYG", b"RWF", b"UGX", b"VND",
    b"VUV", b"XAF", b"XOF", b"XPF",
];
const THREE_DIGITS: [&[u8; 3]; 7] = [b"BHD", b"IQD", b"JOD", b"KWD", b"LYD", b"OMR", b"TND"];

impl Currency {
    pub const CNY: Self = Self(*b"CNY");

    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// After the point: CNY and USD have 2, JPY has 0, KWD has 3.
    pub fn digits(self) -> u32 {
        match self.0 {
            code if NO_DIGITS.contains(&&code) => 0,
            code if THREE_DIGITS.contains(&&code) => 3,
            _ => USUAL_DIGITS,
        }
    }

    /// The smallest amount that can be paid.
    pub fn smallest(self) -> Micros {
        Micros(10i64.pow(MICRO_DIGITS - self.digits()))
    }

    /// To what can be paid, half-even.
    pub fn round(self, amount: Micros) -> Result<Micros> {
        let unit = self.smallest().0;
        let units = div_half_even(i128::from(amount.0), i128::from(unit));
        i64::try_from(units * i128::from(unit)).map(Micros).map_err(|_| super::overflow())
    }

    /// Whether it can be paid as it is.
    pub fn is_payable(self, amount: Micros) -> bool {
        amount.0 % self.smallest().0 == 0
    }

    /// With the currency's digits, half-even: `1234.57`, `1235` yen.
    pub fn show(self, amount: Micros) -> String {
        let unit = i128::from(self.smallest().0);
        decimal(div_half_even(i128::from(amount.0), unit), self.digits())
    }

    /// All of it, with at least the currency's digits: `0.07`, `52.083333`, `3.5` yen.
    pub fn show_exact(self, amount: Micros) -> String {
        let mut digits = MICRO_DIGITS;
        let mut scaled = i128::from(amount.0);
        while digits > self.digits() && scaled % 10 == 0 {
            scaled /= 10;
            digits -= 1;
        }
        decimal(scaled, digits)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
impl FromStr for Currency {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let code: Option<[u8; 3]> = text.as_bytes().try_into().ok();
        code.filter(|code| code.iter().all(u8::is_ascii_uppercase)).map(Self).ok_or_else(|| {
            Error::invalid("currency", format!("'{text}' is not a currency"))
                .remedy("use an ISO 4217 code such as CNY or USD")
        })
    }
}
impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.code())
    }
}
impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
