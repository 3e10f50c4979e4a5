use proptest::prelude::*;

use super::*;

/// One window by itself, in the order of the reference.
fn alone(window: &[Sample]) -> f64 {
    let mut growing = Growing::default();
    growing.add(window, 0);
    growing.value()
}

fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

fn window(values: Vec<f64>) -> Vec<Sample> {
    let sample = |(at, value)| Sample { at_ms: at as i64 * 15_000, value };
    values.into_iter().enumerate().map(sample).collect()
}

fn value() -> impl Strategy<Value = f64> {
    let odd = prop::sample::select(vec![
        0.0,
        -0.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        f64::MAX,
        -f64::MAX,
        f64::MIN_POSITIVE,
        5e-324,
    ]);
    prop_oneof![
        400 => (-10_000i32..10_000).prop_map(|n| f64::from(n) / 100.0),
        200 => any::<f64>().prop_filter("finite", |v| v.is_finite()),
        1 => odd,
    ]
}

proptest! {
    #[test]
    fn means_of_several_windows_are_theirs_to_the_last_bit(
        windows in prop::collection::vec(prop::collection::vec(value(), 1..300), 1..=LANES)
    ) {
        let windows: Vec<_> = windows.into_iter().map(window).collect();
        let several: Vec<&[Sample]> = windows.iter().map(Vec::as_slice).collect();
        let means = of(&several);
        for (window, mean) in several.iter().zip(means) {
            prop_assert!(same(mean, alone(window)), "{mean} and {} of {window:?}", alone(window));
        }
    }
}

#[test]
fn one_infinite_window_leaves_the_others_alone() {
    let plain: Vec<f64> = (0..200).map(|i| f64::from(i * i % 89) / 10.0).collect();
    let with = |at: usize, value: f64| {
        let mut values = plain.clone();
        values[at] = value;
        window(values)
    };
    let windows =
        [window(plain.clone()), with(3, f64::INFINITY), with(70, f64::NAN), with(150, -f64::MAX)];
    let several: Vec<&[Sample]> = windows.iter().map(Vec::as_slice).collect();
    let means = of(&several);
    assert!(several.iter().zip(means).all(|(window, mean)| same(mean, alone(window))));
    assert_eq!(means[1], f64::INFINITY);
    assert!(means[2].is_nan() && means[0].is_finite() && means[3].is_finite());
}
