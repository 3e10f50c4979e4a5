//! Parts of an instant, in UTC.

use chrono::{DateTime, Datelike, Timelike, Utc};

pub fn named(name: &str) -> Option<fn(DateTime<Utc>) -> f64> {
    Some(match name {
        "minute" => |t| f64::from(t.minute()),
        "hour" => |t| f64::from(t.hour()),
        "day_of_week" => |t| f64::from(t.weekday().num_days_from_sunday()),
        "day_of_month" => |t| f64::from(t.day()),
        "day_of_year" => |t| f64::from(t.ordinal()),
        "days_in_month" => |t| f64::from(t.num_days_in_month()),
        "month" => |t| f64::from(t.month()),
        "year" => |t| f64::from(t.year()),
        _ => return None,
    })
}

/// NaN for seconds that no calendar has.
pub fn at(seconds: f64, part: fn(DateTime<Utc>) -> f64) -> f64 {
    if !seconds.is_finite() {
        return f64::NAN;
    }
    DateTime::from_timestamp(seconds as i64, 0).map_or(f64::NAN, part)
}
