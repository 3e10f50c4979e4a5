//! Readings become deltas. Pure.

use std::collections::BTreeMap;

use base::{Error, Result};

/// Between two readings that are further apart it isn't known when it was used.
pub const READING_GAP_MAX_MS: i64 = 2 * 3_600_000;
/// All of it, in millionths.
pub const WHOLE_PPM: i64 = 1_000_000;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reading {
    pub at_ms: i64,
    /// Of a series without epochs: empty.
    pub epoch: String,
    pub value: i64,
}

/// So much was counted in a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delta {
    pub from_ms: i64,
    pub to_ms: i64,
    pub quantity: i64,
    /// It began anew within it, without an epoch to say so.
    pub reset: bool,
    /// It read less than before within an epoch: nothing counts until it is past that again.
    pub dropped: bool,
}

impl Delta {
    /// How much of its time lies close enough to a reading, in millionths.
    pub fn coverage_ppm(&self) -> i64 {
        let ms = self.to_ms.saturating_sub(self.from_ms);
        if ms <= READING_GAP_MAX_MS {
            return WHOLE_PPM;
        }
        let ppm = i128::from(READING_GAP_MAX_MS) * i128::from(WHOLE_PPM) / i128::from(ms);
        i64::try_from(ppm).unwrap_or(WHOLE_PPM)
    }
}

/// What is known of a series before the readings that are to follow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Before {
    /// The last reading's instant; none: the next one is the first, from which it is counted.
    pub at_ms: Option<i64>,
    /// The highest of each epoch; of a series without epochs, the last value.
    pub high: BTreeMap<String, i64>,
}

/// What was counted between the readings, which are of one series and all later than `before`. In
/// whatever order they are given, and however often, it is the same.
pub fn deltas(mut before: Before, readings: &[Reading], has_epochs: bool) -> Result<Vec<Delta>> {
    let mut ordered: Vec<&Reading> = readings.iter().collect();
    ordered.sort();
    ordered.dedup();
    let mut all: Vec<Delta> = Vec::new();
    for reading in ordered {
        let Some(from_ms) = before.at_ms else {
            before.at_ms = Some(reading.at_ms);
            before.high.insert(reading.epoch.clone(), reading.value);
            continue;
        };
        let delta = count(&mut before.high, reading, from_ms, has_epochs)?;
        match all.last_mut().filter(|last| last.to_ms == reading.at_ms) {
            // Two epochs were read at one instant.
            Some(last) => add(last, &delta)?,
            // Of one instant with the reading before: nothing lies between them.
            None if reading.at_ms <= from_ms && delta.quantity == 0 => {}
            None if reading.at_ms <= from_ms => {
                all.push(Delta { from_ms: from_ms.saturating_sub(1), to_ms: from_ms, ..delta });
            }
            None => all.push(delta),
        }
        before.at_ms = Some(reading.at_ms);
    }
    Ok(all)
}

fn count(
    high: &mut BTreeMap<String, i64>,
    reading: &Reading,
    from_ms: i64,
    has_epochs: bool,
) -> Result<Delta> {
    // An epoch that began after the series was known began at zero.
    let known = high.get(&reading.epoch).copied();
    let falls = known.is_some_and(|known| reading.value < known);
    let (quantity, next) = match known {
        Some(known) if !falls => (reading.value.checked_sub(known), reading.value),
        Some(known) if has_epochs => (Some(0), known),
        _ => (Some(reading.value), reading.value),
    };
    high.insert(reading.epoch.clone(), next);
    let quantity = quantity.ok_or_else(too_much)?;
    let (reset, dropped) = (falls && !has_epochs, falls && has_epochs);
    Ok(Delta { from_ms, to_ms: reading.at_ms, quantity, reset, dropped })
}

fn add(to: &mut Delta, delta: &Delta) -> Result<()> {
    to.quantity = to.quantity.checked_add(delta.quantity).ok_or_else(too_much)?;
    to.reset |= delta.reset;
    to.dropped |= delta.dropped;
    Ok(())
}

fn too_much() -> Error {
    Error::invalid("value", "more was counted than a number can hold")
}

/// Cuts a delta at these instants. Each part has the share of its time, rounded down from the
/// delta's beginning on, so that the parts sum to the whole, whatever the cuts.
pub fn split(delta: &Delta, cuts: &[i64]) -> Vec<Delta> {
    let mut edges: Vec<i64> =
        cuts.iter().copied().filter(|at| delta.from_ms < *at && *at < delta.to_ms).collect();
    edges.push(delta.to_ms);
    edges.sort_unstable();
    edges.dedup();
    let length = i128::from(delta.to_ms) - i128::from(delta.from_ms);
    let share = |until_ms: i64| {
        let ms = i128::from(until_ms) - i128::from(delta.from_ms);
        let share = (i128::from(delta.quantity) * ms).checked_div(length).unwrap_or_default();
        // At most the whole, which is an i64.
        i64::try_from(share).unwrap_or(delta.quantity)
    };
    let (mut from_ms, mut given) = (delta.from_ms, 0);
    edges
        .into_iter()
        .map(|to_ms| {
            let until = share(to_ms);
            let part = Delta { from_ms, to_ms, quantity: until - given, ..*delta };
            (from_ms, given) = (to_ms, until);
            part
        })
        .collect()
}

#[cfg(test)]
mod tests;
