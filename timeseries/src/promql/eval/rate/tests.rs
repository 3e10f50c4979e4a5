use proptest::prelude::*;

use super::*;

const RANGE_MS: i64 = 300_000;

/// One window by itself, step by step as Prometheus has it.
fn alone(window: &Window1, is_counter: bool, per_second: bool) -> Option<f64> {
    let [first, .., last] = window.samples.as_slice() else { return None };
    let mut result = last.value - first.value;
    if is_counter {
        window.resets.iter().for_each(|before| result += before);
    }
    let mut to_start = seconds(first.at_ms - window.start_ms);
    let to_end = seconds(window.start_ms + RANGE_MS - last.at_ms);
    let sampled = seconds(last.at_ms - first.at_ms);
    let interval = sampled / (window.samples.len() - 1) as f64;
    if is_counter && result > 0.0 && first.value >= 0.0 {
        let to_zero = sampled * (first.value / result);
        to_start = if to_zero < to_start { to_zero } else { to_start };
    }
    let threshold = interval * 1.1;
    let mut covered = sampled;
    for gap in [to_start, to_end] {
        covered += if gap < threshold { gap } else { interval / 2.0 };
    }
    let mut factor = covered / sampled;
    if per_second {
        factor /= seconds(RANGE_MS);
    }
    Some(result * factor)
}

#[derive(Debug, Clone)]
struct Window1 {
    samples: Vec<Sample>,
    start_ms: i64,
    resets: Vec<f64>,
}

fn window() -> impl Strategy<Value = Window1> {
    let value = prop_oneof![
        8 => (0i32..5000).prop_map(f64::from),
        1 => any::<f64>(),
        1 => prop::sample::select(vec![0.0, -0.0, f64::INFINITY, f64::NAN]),
    ];
    let samples = prop::collection::vec((0i64..100_000, value), 1..12);
    (samples, prop::collection::vec(0.0..1e6, 0..3), -90_000i64..1).prop_map(
        |(parts, resets, start_ms)| {
            let mut at_ms = 0;
            let sample = |(gap, value)| {
                at_ms += 1 + gap;
                Sample { at_ms, value }
            };
            Window1 { samples: parts.into_iter().map(sample).collect(), start_ms, resets }
        },
    )
}

proptest! {
    #[test]
    fn rates_of_several_windows_are_theirs_to_the_last_bit(
        all in prop::collection::vec(window(), 1..=LANES),
    ) {
        let mut windows = Windows { count: all.len(), range_ms: RANGE_MS, ..Windows::default() };
        for (lane, window) in all.iter().enumerate() {
            windows.samples[lane] = &window.samples;
            windows.start_ms[lane] = window.start_ms;
            windows.resets[lane] = &window.resets;
        }
        let kinds = [
            (rate(&windows), true, true),
            (increase(&windows), true, false),
            (delta(&windows), false, false),
        ];
        for (values, is_counter, per_second) in kinds {
            for (window, value) in all.iter().zip(values) {
                let expected = alone(window, is_counter, per_second);
                let same = match (value, expected) {
                    (Some(a), Some(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
                    (a, b) => a.is_none() && b.is_none(),
                };
                prop_assert!(same, "{value:?} and {expected:?} of {window:?}");
            }
        }
    }
}
