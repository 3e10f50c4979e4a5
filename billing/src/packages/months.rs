//! The months of an order, counted from its first instant.

use base::time::Timestamp;
use chrono_tz::Tz;

use crate::calendar::anniversary;

/// Of one order: a century.
pub const MONTHS_MAX: u32 = 1_200;

/// The `number`th month, from 0; half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaidMonth {
    pub number: u32,
    pub from: Timestamp,
    pub to: Timestamp,
}

pub fn month(starts: Timestamp, number: u32, zone: Tz) -> PaidMonth {
    let (from, to) = (anniversary(starts, number, zone), anniversary(starts, number + 1, zone));
    PaidMonth { number, from, to }
}

/// The first month that does not begin before `at`.
pub fn next(starts: Timestamp, at: Timestamp, zone: Tz) -> PaidMonth {
    let (mut low, mut high) = (0, MONTHS_MAX);
    while low < high {
        let middle = low + (high - low) / 2;
        if anniversary(starts, middle, zone) < at { low = middle + 1 } else { high = middle }
    }
    month(starts, low, zone)
}

/// The month that `at` lies in; the first before it begins.
pub fn current(starts: Timestamp, at: Timestamp, zone: Tz) -> PaidMonth {
    let next = next(starts, at.saturating_add_ms(1), zone);
    month(starts, next.number.saturating_sub(1), zone)
}
