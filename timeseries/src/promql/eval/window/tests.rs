use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn an_edge_moves_behind_all_that_is_behind(
        interval_ms in 1i64..40_000,
        odd in prop::collection::vec((-9i64..9, 0usize..60), 0..400),
        step_ms in 1i64..400_000,
        from_ms in -400_000i64..400_000,
    ) {
        let mut at_ms = 0;
        let samples: Vec<Sample> = odd
            .into_iter()
            .map(|(jitter, gap)| {
                // Now and then many are missing.
                at_ms += interval_ms * if gap == 0 { 50 } else { 1 };
                at_ms += jitter.clamp(1 - interval_ms, 9).max(0);
                Sample { at_ms, value: 0.0 }
            })
            .collect();
        let grid = Grid { start_ms: from_ms, step_ms, count: 60 };
        let stride = stride(&samples, grid);
        let mut edge = 0;
        for step in 0..grid.count {
            let until_ms = grid.at(step);
            edge = advance(&samples, edge, stride, |s| s.at_ms <= until_ms);
            prop_assert_eq!(edge, samples.partition_point(|s| s.at_ms <= until_ms));
        }
    }
}
