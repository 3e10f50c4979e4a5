use proptest::prelude::*;

use super::*;

/// As the reference looks for it.
fn plain(largest: bool, window: &[Sample]) -> f64 {
    let better = |a: f64, b: f64| if largest { a > b } else { a < b };
    window.iter().fold(f64::NAN, |best, sample| {
        if better(sample.value, best) || best.is_nan() { sample.value } else { best }
    })
}

/// Of all kinds, or hardly anything but zeros.
fn values() -> impl Strategy<Value = Vec<f64>> {
    let odd = vec![0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    let any = prop_oneof![
        4 => (-100i32..100).prop_map(f64::from),
        1 => prop::sample::select(odd),
        1 => Just(f64::NAN),
    ];
    let zero = prop::sample::select(vec![0.0, -0.0, f64::NAN]);
    let count = 1..6000;
    prop_oneof![prop::collection::vec(any, count.clone()), prop::collection::vec(zero, count),]
}

proptest! {
    #[test]
    fn any_window_s_best_is_what_a_walk_finds(
        values in values(),
        windows in prop::collection::vec((0usize..6000, 0usize..6000), 1..60),
        largest in any::<bool>(),
    ) {
        let samples: Vec<Sample> =
            values.iter().enumerate().map(|(at, value)| Sample { at_ms: at as i64, value: *value }).collect();
        let (blocks, single) =
            (Bests::new(largest, &samples, 2), Bests::new(largest, &samples, 1));
        for (a, b) in windows {
            let (a, b) = (a % samples.len(), b % samples.len());
            let (start, end) = (a.min(b), a.max(b) + 1);
            let expected = plain(largest, &samples[start..end]);
            for bests in [&blocks, &single] {
                let best = bests.of(&samples, start, end);
                prop_assert!(
                    best.to_bits() == expected.to_bits() || (best.is_nan() && expected.is_nan()),
                    "{best} and {expected} from {start} to {end}"
                );
            }
        }
    }
}

#[test]
fn nan_is_best_only_where_nothing_else_is() {
    let of = |values: &[f64]| {
        let sample = |value: &f64| Sample { at_ms: 0, value: *value };
        let samples: Vec<Sample> = values.iter().map(sample).collect();
        Bests::new(true, &samples, 2).of(&samples, 0, samples.len())
    };
    assert!(of(&[f64::NAN; 40]).is_nan());
    let mut values = [f64::NAN; 40];
    values[20] = f64::NEG_INFINITY;
    assert_eq!(of(&values), f64::NEG_INFINITY);
}
