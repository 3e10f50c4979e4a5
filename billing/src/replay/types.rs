//! The types of the format: instants, durations, amounts, prices.

use base::{
    money::{Micros, Nanos},
    time::Timestamp,
};
use chrono::{Days, NaiveDate, NaiveTime, SecondsFormat, TimeZone};
use chrono_tz::Tz;

use super::node::{Node, Parsed};

/// What times of day are relative to.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// The day of `start`, in the file's zone.
    pub day: NaiveDate,
    pub zone: Tz,
}

const INSTANTS: &str = "an instant is RFC 3339 (2026-10-15T10:00:00+08:00), a time of the first \
                        day (10:00, 10:00:30, 10:00:30.125), or of a later one (D+2 10:00)";

impl Times {
    pub fn new(start: Timestamp, zone: Tz) -> Self {
        Self { day: start.to_chrono().with_timezone(&zone).date_naive(), zone }
    }

    pub fn instant(&self, node: &Node<'_>) -> Parsed<Timestamp> {
        let text = node.text()?;
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(at);
        }
        let (days, time) = match text.strip_prefix("D+") {
            Some(rest) => {
                let (days, time) = rest.split_once(' ').ok_or_else(|| node.wrong(INSTANTS))?;
                (days.parse::<u64>().map_err(|_| node.wrong(INSTANTS))?, time)
            }
            None => (0, text),
        };
        let time = time_of_day(time).ok_or_else(|| node.wrong(INSTANTS))?;
        let day = self.day.checked_add_days(Days::new(days));
        let day = day.ok_or_else(|| node.wrong("that day is too far in the future"))?;
        let local = self.zone.from_local_datetime(&day.and_time(time));
        match local.single() {
            Some(at) => Ok(Timestamp::from_ms(at.timestamp_millis())),
            None => Err(node.wrong(format!(
                "the clocks change in {}: {text} is no one instant of {day}; write it as RFC 3339",
                self.zone
            ))),
        }
    }

    /// An instant, or `+DURATION` after the step before.
    pub fn step(&self, node: &Node<'_>, before: Timestamp) -> Parsed<Timestamp> {
        match node.text()?.strip_prefix('+') {
            Some(rest) => Ok(before.saturating_add_ms(duration_text(node, rest)?)),
            None => self.instant(node),
        }
    }

    /// As reports print it: in the file's zone, with milliseconds.
    pub fn show(&self, at: Timestamp) -> String {
        at.to_chrono().with_timezone(&self.zone).to_rfc3339_opts(SecondsFormat::Millis, false)
    }
}

/// `HH:MM`, `HH:MM:SS` or `HH:MM:SS.mmm`.
fn time_of_day(text: &str) -> Option<NaiveTime> {
    let digits = |text: &str, count: usize| {
        (text.len() == count && text.bytes().all(|b| b.is_ascii_digit()))
            .then(|| text.parse::<u32>().ok())?
    };
    let (clock, ms) = match text.split_once('.') {
        Some((clock, ms)) => (clock, digits(ms, 3)?),
        None => (text, 0),
    };
    let mut parts = clock.split(':');
    let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let second = match parts.next() {
        Some(second) => digits(second, 2)?,
        None if clock.len() == text.len() => 0,
        None => return None,
    };
    if parts.next().is_some() {
        return None;
    }
    NaiveTime::from_hms_milli_opt(hour, minute, second, ms)
}

/// Milliseconds.
pub fn duration(node: &Node<'_>) -> Parsed<i64> {
    duration_text(node, node.text()?)
}

/// Milliseconds, below zero behind a minus sign.
pub fn signed_duration(node: &Node<'_>) -> Parsed<i64> {
    match node.text()?.strip_prefix('-') {
        Some(rest) => Ok(-duration_text(node, rest)?),
        None => duration(node),
    }
}

fn duration_text(node: &Node<'_>, text: &str) -> Parsed<i64> {
    parse_duration(text).ok_or_else(|| {
        node.wrong(format!(
            "'{text}' is not a duration: numbers with d, h, m, s or ms, such as 7d, 1h30m or 250ms"
        ))
    })
}

/// Units in falling order, each once.
fn parse_duration(text: &str) -> Option<i64> {
    const UNITS: [(&str, i64); 5] =
        [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    let (mut rest, mut total, mut next) = (text, 0i64, 0);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.len() - tail.trim_start_matches(|c: char| c.is_ascii_lowercase()).len();
        let (unit, tail) = tail.split_at(letters);
        let index = UNITS.iter().position(|(name, _)| *name == unit).filter(|at| *at >= next)?;
        let ms = number.parse::<i64>().ok()?.checked_mul(UNITS[index].1)?;
        (rest, total, next) = (tail, total.checked_add(ms)?, index + 1);
    }
    Some(total)
}

/// Text with at most six decimals.
pub fn amount(node: &Node<'_>) -> Parsed<Micros> {
    node.quoted("an amount", "12.50")?.parse().map_err(|e: String| node.wrong(e))
}

/// Text with at most nine decimals; not negative.
pub fn price(node: &Node<'_>) -> Parsed<Nanos> {
    let price: Nanos =
        node.quoted("a price", "0.36")?.parse().map_err(|e: String| node.wrong(e))?;
    if price < Nanos(0) {
        return Err(node.wrong("a price is not negative"));
    }
    Ok(price)
}

/// An IANA name.
pub fn zone(node: &Node<'_>) -> Parsed<Tz> {
    crate::settings::zone(node.text()?).map_err(|e| node.wrong(e.to_string()))
}

/// An ISO 4217 code.
pub fn currency(node: &Node<'_>) -> Parsed<String> {
    let text = node.text()?;
    crate::prices::check_currency(text).map_err(|e| node.wrong(e.to_string()))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units_in_falling_order() {
        for (text, ms) in [
            ("0s", 0),
            ("7d", 604_800_000),
            ("1h30m", 5_400_000),
            ("250ms", 250),
            ("1m5s250ms", 65_250),
        ] {
            assert_eq!(parse_duration(text), Some(ms), "{text}");
        }
        for text in ["", "5", "h", "1m1h", "1h1h", "1.5h", "-1h", "1 h", "9999999999999999d"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn times_of_day_have_two_digits_and_milliseconds_only_after_seconds() {
        for text in ["10:00", "10:00:30", "10:00:30.125"] {
            assert!(time_of_day(text).is_some(), "{text}");
        }
        for text in ["", "10", "1:00", "24:00", "10:60", "10:00.125", "10:00:30.1", "1:2:3:4"] {
            assert!(time_of_day(text).is_none(), "{text}");
        }
    }
}
