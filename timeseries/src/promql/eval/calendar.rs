//! Parts of an instant in the proleptic Gregorian calendar, UTC. All 64 bits of seconds have a
//! date, as in Go, whose conversion of a float without one is taken over too.

const DAY_SECONDS: u64 = 86_400;
const DAYS_400_YEARS: u64 = 146_097;
const DAYS_100_YEARS: u64 = 36_524;
const DAYS_4_YEARS: u64 = 1461;
/// A multiple of 400 years before every instant that 64 bits of seconds can count.
const YEAR_ZERO: i64 = -292_277_022_399;
/// From its first second to 1970; counting from there wraps around, as the reference does.
const EPOCH_SECONDS: u64 = (1969 * 365 + 1969 / 4 - 1969 / 100 + 1969 / 400) * DAY_SECONDS;
const ABSOLUTE_SECONDS: u64 = 292_277_022_400_u64 / 400 * DAYS_400_YEARS * DAY_SECONDS;
/// Days before each month of a common year.
const MONTHS: [u64; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];

pub type Part = fn(&Civil) -> f64;

#[derive(Debug, Clone, Copy)]
pub struct Civil {
    year: i64,
    /// All from 0.
    day_of_year: u64,
    month: usize,
    day_of_month: u64,
    day_of_week: u64,
    second_of_day: u64,
    leap: bool,
}

pub fn named(name: &str) -> Option<Part> {
    Some(match name {
        "minute" => |t| (t.second_of_day % 3600 / 60) as f64,
        "hour" => |t| (t.second_of_day / 3600) as f64,
        "day_of_week" => |t| t.day_of_week as f64,
        "day_of_month" => |t| (t.day_of_month + 1) as f64,
        "day_of_year" => |t| (t.day_of_year + 1) as f64,
        "days_in_month" => |t| t.days_in_month() as f64,
        "month" => |t| (t.month + 1) as f64,
        "year" => |t| t.year as f64,
        _ => return None,
    })
}

/// As Go's `int64(f)` on this architecture: what has no place becomes the smallest integer.
pub fn whole_seconds(value: f64) -> i64 {
    let in_range = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value);
    if in_range { value as i64 } else { i64::MIN }
}

impl Civil {
    pub fn at(seconds: i64) -> Self {
        let absolute = (seconds as u64).wrapping_add(EPOCH_SECONDS).wrapping_add(ABSOLUTE_SECONDS);
        let mut days = absolute / DAY_SECONDS;
        // The first day of such an era was a Monday.
        let day_of_week = (days + 1) % 7;
        let mut year = 400 * (days / DAYS_400_YEARS);
        days %= DAYS_400_YEARS;
        // The last century and the last year are a day longer.
        let centuries = (days / DAYS_100_YEARS).min(3);
        days -= centuries * DAYS_100_YEARS;
        let fours = days / DAYS_4_YEARS;
        days -= fours * DAYS_4_YEARS;
        let ones = (days / 365).min(3);
        days -= ones * 365;
        year += 100 * centuries + 4 * fours + ones;
        let leap = ones == 3 && (fours != 24 || centuries == 3);
        let day_of_year = days;
        let starts = |month: usize| MONTHS[month] + u64::from(leap && month > 1);
        let month = (0..12).rev().find(|month| starts(*month) <= days).unwrap_or(0);
        Self {
            year: YEAR_ZERO.wrapping_add(year as i64),
            day_of_year,
            month,
            day_of_month: days - starts(month),
            day_of_week,
            second_of_day: absolute % DAY_SECONDS,
            leap,
        }
    }

    fn days_in_month(&self) -> u64 {
        MONTHS[self.month + 1] - MONTHS[self.month] + u64::from(self.leap && self.month == 1)
    }
}
