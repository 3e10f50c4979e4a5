//! Readings of a host whose clock is far ahead: where they belong in time. Pure.
//!
//! What they counted is as true as any: refused, the first of a series would be missed by all that are
//! counted from it. Their instants alone can't be.

use base::time::Timestamp;

use super::delta::{Before, Reading};
use crate::usage::FUTURE_MAX_MS;

pub fn is_ahead(now: Timestamp, reading: &Reading) -> bool {
    Timestamp::from_ms(reading.at_ms).since_ms(now) > FUTURE_MAX_MS
}

/// Readings of a series with epochs, in the order in which they were made, behind what is known of it.
/// Those that are ahead are put at the server's instant, in their order; and before one that comes
/// after them and is not, because the clock was set back in between.
///
/// Told again they get another instant, at which nothing is counted: what is less than is known of its
/// epoch is left out, and what is as much only says that it was read.
pub fn placed(now: Timestamp, before: &Before, readings: Vec<Reading>) -> Vec<Reading> {
    let is_passed = |r: &Reading| before.high.get(&r.epoch).is_some_and(|high| r.value < *high);
    let mut all: Vec<(bool, Reading)> =
        readings.into_iter().map(|reading| (is_ahead(now, &reading), reading)).collect();
    all.retain(|(ahead, reading)| !(*ahead && is_passed(reading)));
    let mut latest = now.ms();
    for (ahead, reading) in all.iter_mut().rev() {
        if *ahead {
            reading.at_ms = latest;
        }
        latest = latest.min(reading.at_ms).saturating_sub(1);
    }
    // What is known may be a little ahead itself; its first reading stays the first.
    let mut last = before.at_ms;
    for (_, reading) in all.iter_mut().filter(|(ahead, _)| *ahead) {
        reading.at_ms = last.map_or(reading.at_ms, |last| reading.at_ms.max(last + 1));
        last = last.map(|_| reading.at_ms);
    }
    all.into_iter().map(|(_, reading)| reading).collect()
}

#[cfg(test)]
mod tests;
