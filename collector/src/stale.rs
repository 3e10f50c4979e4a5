//! Which series have ended: those of the last look that are not in this one. Pure.

use std::collections::BTreeSet;

use base::{
    sample::{Labels, STALE_NAN_BITS, Sample, Series},
    time::Timestamp,
};

/// Of one source.
#[derive(Debug, Default)]
pub struct Tracker {
    last: BTreeSet<Labels>,
    last_look: Timestamp,
}

impl Tracker {
    /// Adds a stale marker for each series that is gone.
    pub fn look(&mut self, series: &mut Vec<Series>, now: Timestamp) {
        let current: BTreeSet<Labels> = series.iter().map(|one| one.labels.clone()).collect();
        series.extend(self.last.difference(&current).map(|labels| marker(labels.clone(), now)));
        self.last = current;
        self.last_look = now;
    }

    /// Markers for all: the source itself is gone. They come after the last samples, whatever
    /// the clock says.
    pub fn end(&mut self, now: Timestamp) -> Vec<Series> {
        let at = now.max(self.last_look.saturating_add_ms(1));
        std::mem::take(&mut self.last).into_iter().map(|labels| marker(labels, at)).collect()
    }
}

fn marker(labels: Labels, now: Timestamp) -> Series {
    let value = f64::from_bits(STALE_NAN_BITS);
    Series { labels, samples: vec![Sample { at_ms: now.ms(), value }] }
}

#[cfg(test)]
mod tests {
    use base::sample::is_stale;

    use super::*;
    use crate::source::Samples;

    fn look(tracker: &mut Tracker, guests: &[&str], at_ms: i64) -> Vec<(String, bool)> {
        let mut samples = Samples::at(Timestamp::from_ms(at_ms));
        for guest in guests {
            samples.add("cpu", &[("domain", guest)], 1.0);
        }
        let mut series = samples.into_series();
        tracker.look(&mut series, Timestamp::from_ms(at_ms));
        let domain = |one: &Series| one.labels.get("domain").unwrap_or_default().to_owned();
        series.iter().map(|one| (domain(one), is_stale(one.samples[0].value))).collect()
    }

    #[test]
    fn a_series_that_is_gone_is_marked_once() {
        let mut tracker = Tracker::default();
        let seen = |name: &str, stale| (name.to_owned(), stale);
        assert_eq!(look(&mut tracker, &["a", "b"], 1), [seen("a", false), seen("b", false)]);
        assert_eq!(look(&mut tracker, &["b"], 2), [seen("b", false), seen("a", true)]);
        assert_eq!(look(&mut tracker, &["b"], 3), [seen("b", false)]);
        let ended = tracker.end(Timestamp::from_ms(3));
        assert_eq!(ended.len(), 1);
        assert_eq!(ended[0].samples[0].at_ms, 4);
        assert!(tracker.end(Timestamp::from_ms(5)).is_empty());
    }
}
