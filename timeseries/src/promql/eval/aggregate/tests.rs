use std::time::Duration;

use base::sample::Labels;

use super::*;

/// Series of unequal values with gaps, in groups turn about.
fn series(count: usize, steps: usize) -> Vec<Points> {
    let value = |series: usize, step: usize| {
        let mixed = (series * 7919 + step * 104_729) % 1009;
        (!mixed.is_multiple_of(11)).then_some(mixed as f64 / 7.0)
    };
    let points = |series: usize| Points {
        labels: Labels::metric("m", &[("series", &series.to_string())]).into(),
        values: (0..steps).map(|step| value(series, step)).collect(),
    };
    (0..count).map(points).collect()
}

#[test]
fn steps_folded_in_parts_are_those_folded_by_themselves() {
    let (steps, groups) = (2 * STEPS + 5, 3);
    let series = series(20, steps);
    let of_series: Vec<usize> = (0..series.len()).map(|series| series % groups).collect();
    let guard = Guard::new(Duration::from_secs(60));
    for op in [AggregateOp::Sum, AggregateOp::Avg, AggregateOp::Stddev, AggregateOp::Count] {
        let fold = |steps: Range<usize>| {
            fold(op, groups, &of_series, &series, &steps, &guard).expect("in time")
        };
        let parts = [fold(0..STEPS), fold(STEPS..2 * STEPS), fold(2 * STEPS..steps)];
        for group in 0..groups {
            let in_parts: Vec<_> = parts.iter().flat_map(|part| &part[group]).copied().collect();
            let by_step: Vec<_> = (0..steps).map(|step| fold(step..step + 1)[group][0]).collect();
            assert_eq!(in_parts, by_step, "{op:?}");
            let plain = |step: usize| {
                let its = series.iter().skip(group).step_by(groups);
                its.filter_map(|points| points.values[step]).count() as f64
            };
            if op == AggregateOp::Count {
                let counts: Vec<f64> = in_parts.iter().map(|count| count.unwrap_or(0.0)).collect();
                assert_eq!(counts, (0..steps).map(plain).collect::<Vec<_>>());
            }
        }
    }
}
