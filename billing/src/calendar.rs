//! Billing months in the account's time zone, and the ticks at which usage is posted.

use base::{money::MS_PER_HOUR, time::Timestamp};
use chrono::{DateTime, Datelike, Days, NaiveDate, TimeZone, Utc};
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

    fn next(self) -> Self {
        match self.month {
            12 => Self { year: self.year + 1, month: 1 },
            month => Self { year: self.year, month: month + 1 },
        }
    }

    /// Its first instant. Where a change of the clocks skips midnight, the first that exists.
    pub fn start(self, zone: Tz) -> Timestamp {
        let day = NaiveDate::from_ymd_opt(self.year, self.month, 1).unwrap_or_default();
        let midnight = day.and_hms_opt(0, 0, 0).unwrap_or_default();
        let start: DateTime<Utc> = zone
            .from_local_datetime(&midnight)
            .earliest()
            .map_or_else(|| first_after_gap(day, zone), |local| local.with_timezone(&Utc));
        Timestamp::from_ms(start.timestamp_millis())
    }

    pub fn end(self, zone: Tz) -> Timestamp {
        self.next().start(zone)
    }
}

/// Midnight does not exist: the day begins when the clocks have jumped.
fn first_after_gap(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    const QUARTERS_A_DAY: u32 = 96;
    (1..QUARTERS_A_DAY)
        .filter_map(|n| day.and_hms_opt(n / 4, n % 4 * 15, 0))
        .find_map(|time| zone.from_local_datetime(&time).earliest())
        .map_or_else(
            // A whole day was skipped, as Samoa did: the next one begins the month.
            || (day + Days::new(1)).and_hms_opt(0, 0, 0).unwrap_or_default().and_utc(),
            |local| local.with_timezone(&Utc),
        )
}

/// `YYYY-MM`, which sorts as time does.
impl std::fmt::Display for Month {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// The first tick after `at`: the end of its hour (UTC), or of its month where that is earlier.
pub fn next_tick(at: Timestamp, zone: Tz) -> Timestamp {
    let hour = Timestamp::from_ms((at.ms().div_euclid(MS_PER_HOUR) + 1) * MS_PER_HOUR);
    hour.min(Month::of(at, zone).end(zone))
}

/// The last tick at or before `at`.
pub fn last_tick(at: Timestamp, zone: Tz) -> Timestamp {
    let hour = Timestamp::from_ms(at.ms().div_euclid(MS_PER_HOUR) * MS_PER_HOUR);
    hour.max(Month::of(at, zone).start(zone))
}

#[cfg(test)]
mod tests;
