//! When a source's turn is. Each has an offset of its own inside the interval, the same after a
//! restart, so that a thousand sources don't ask at once. Pure.

use base::time::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    pub interval_ms: i64,
    /// How long one look may take.
    pub timeout_ms: u64,
}

impl Schedule {
    /// Every `interval_s`, each look within the interval.
    pub fn every_s(interval_s: u32) -> Self {
        let interval_s = interval_s.max(1);
        Self { interval_ms: i64::from(interval_s) * 1000, timeout_ms: u64::from(interval_s) * 1000 }
    }

    /// The first turn of `source` after `now`. Turns that were missed are left out.
    pub fn next(&self, source: &str, now: Timestamp) -> Timestamp {
        let interval_ms = self.interval_ms.max(1);
        let offset_ms = offset_ms(source, interval_ms);
        let since_ms = (now.ms() - offset_ms).rem_euclid(interval_ms);
        now.saturating_add_ms(interval_ms - since_ms)
    }
}

fn offset_ms(source: &str, interval_ms: i64) -> i64 {
    i64::from(crc32fast::hash(source.as_bytes())) % interval_ms
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn turns_are_one_interval_apart_and_never_now(now in 0i64..1 << 42, interval_s in 1u32..600) {
            let schedule = Schedule::every_s(interval_s);
            let first = schedule.next("host", Timestamp::from_ms(now));
            prop_assert!(first.ms() > now && first.ms() <= now + schedule.interval_ms);
            prop_assert_eq!(schedule.next("host", first).since_ms(first), schedule.interval_ms);
        }
    }

    #[test]
    fn sources_are_spread_and_keep_their_place() {
        let schedule = Schedule::every_s(30);
        let now = Timestamp::from_ms(1_790_000_000_000);
        let turn = |n: i32| schedule.next(&format!("server/{n}"), now).since_ms(now);
        let early = (0..1000).filter(|n| turn(*n) <= 15_000).count();
        assert!((400..600).contains(&early), "{early} of 1000 in the first half");
        assert_eq!(turn(7), turn(7));
    }
}
