//! Billing months and days in the account's time zone, the ticks at which usage is posted, and
//! anniversaries of what is paid by the month.

use base::{money::MS_PER_HOUR, time::Timestamp};
use chrono::{
    Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc,
};
use chrono_tz::Tz;

/// A calendar month of a time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i32,
    month: u32,
}

impl Month {
    pub fn of(at: Timestamp, zone: Tz) -> Self {
        let local = at.to_chrono().with_timezone(&zone);
        Self { year: local.year(), month: local.month() }
    }

    pub fn next(self) -> Self {
        match self.month {
            12 => Self { year: self.year + 1, month: 1 },
            month => Self { year: self.year, month: month + 1 },
        }
    }

    /// Its first instant. Where a change of the clocks skips midnight, the first that exists.
    pub fn start(self, zone: Tz) -> Timestamp {
        start_of(NaiveDate::from_ymd_opt(self.year, self.month, 1).unwrap_or_default(), zone)
    }

    pub fn end(self, zone: Tz) -> Timestamp {
        self.next().start(zone)
    }
}

/// A local day's first instant.
fn start_of(day: NaiveDate, zone: Tz) -> Timestamp {
    at_local(day, NaiveTime::MIN, zone)
}

/// The first instant that local clocks show this time or, where a change of the clocks skips it,
/// have passed it.
fn at_local(day: NaiveDate, time: NaiveTime, zone: Tz) -> Timestamp {
    // A change skips minutes or hours; a whole day was skipped once, by Samoa.
    const QUARTERS_MAX: i64 = 2 * 96;
    let wanted = day.and_time(time);
    let found = (0..=QUARTERS_MAX)
        .find_map(|n| zone.from_local_datetime(&(wanted + TimeDelta::minutes(15 * n))).earliest());
    let instant = found.map_or_else(|| wanted.and_utc(), |local| local.with_timezone(&Utc));
    // Where the clocks jumped within the quarter that was found, the jump itself.
    let at = Timestamp::from_ms(instant.timestamp_millis());
    let before = at.saturating_add_ms(-1).to_chrono().with_timezone(&zone).naive_local();
    if before < wanted { at } else { first_not_before(wanted, at, zone) }
}

/// The earliest instant, not after `at`, whose local time is not before `wanted`.
fn first_not_before(wanted: NaiveDateTime, at: Timestamp, zone: Tz) -> Timestamp {
    const QUARTER_MS: i64 = 15 * 60_000;
    let (mut low, mut high) = (at.ms() - QUARTER_MS, at.ms());
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        let local = Timestamp::from_ms(middle).to_chrono().with_timezone(&zone).naive_local();
        if local < wanted { low = middle } else { high = middle }
    }
    Timestamp::from_ms(high)
}

/// The day in the zone, as `YYYY-MM-DD`.
pub fn day(at: Timestamp, zone: Tz) -> String {
    at.to_chrono().with_timezone(&zone).date_naive().to_string()
}

/// The end of the local day that `at` lies in.
pub fn day_end(at: Timestamp, zone: Tz) -> Timestamp {
    let today = at.to_chrono().with_timezone(&zone).date_naive();
    // A day that the zone skipped has no instant of its own: it ends where it begins.
    (1..=2)
        .map(|days| start_of(today + Days::new(days), zone))
        .find(|end| *end > at)
        .unwrap_or_else(|| at.saturating_add_ms(24 * MS_PER_HOUR))
}

/// The start of the `n`th month of what was ordered at `order`: the same local day and time, or the
/// month's last day where it has no such day. It is reckoned from the original day, so that after a
/// 28 February a 31st is a 31st again.
pub fn anniversary(order: Timestamp, n: u32, zone: Tz) -> Timestamp {
    let local = order.to_chrono().with_timezone(&zone).naive_local();
    let day = local.date().checked_add_months(Months::new(n)).unwrap_or(local.date());
    if n == 0 { order } else { at_local(day, local.time(), zone) }
}

/// `YYYY-MM`, which sorts as time does.
impl std::fmt::Display for Month {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl std::str::FromStr for Month {
    type Err = base::Error;
    fn from_str(text: &str) -> base::Result<Self> {
        let parsed = text.split_once('-').and_then(|(year, month)| {
            let digits = |s: &str, n| s.len() == n && s.bytes().all(|b| b.is_ascii_digit());
            let written = digits(year, 4) && digits(month, 2);
            let (year, month) = (year.parse().ok()?, month.parse().ok()?);
            (written && (1..=12).contains(&month)).then_some(Self { year, month })
        });
        parsed.ok_or_else(|| {
            base::Error::invalid("month", format!("'{text}' is not a month"))
                .remedy("write year and month, such as 2026-10")
        })
    }
}

/// The first tick after `at`: the end of its hour (UTC), or of its local day where that is earlier.
pub fn next_tick(at: Timestamp, zone: Tz) -> Timestamp {
    let hour = Timestamp::from_ms((at.ms().div_euclid(MS_PER_HOUR) + 1) * MS_PER_HOUR);
    hour.min(day_end(at, zone))
}

/// The last tick at or before `at`.
pub fn last_tick(at: Timestamp, zone: Tz) -> Timestamp {
    let hour = Timestamp::from_ms(at.ms().div_euclid(MS_PER_HOUR) * MS_PER_HOUR);
    let today = at.to_chrono().with_timezone(&zone).date_naive();
    hour.max(start_of(today, zone))
}

#[cfg(test)]
mod tests;
