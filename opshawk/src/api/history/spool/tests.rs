use super::*;

fn labels(name: &str) -> Labels {
    Labels::metric(name, &[("path", "a\n\"ü"), ("job", "x")])
}

/// Series, days and a batch's end in every order: what was put comes back, with its line.
#[test]
fn what_is_put_comes_back_by_day_with_its_lines() {
    for max_samples in [1, 2, 3, 100] {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::create(dir.path()).unwrap();
        let mut wanted = BTreeMap::new();
        let mut line = 0;
        for name in ["a", "b", "a"] {
            spool.begin_series(&labels(name));
            for day in [-1, 3, 3, 0, 3] {
                line += 1;
                let sample = Sample { at_ms: day * DAY_MS + line, value: line as f64 / 3.0 };
                spool.put(sample, line as u64).unwrap();
                if line % 4 == 0 {
                    spool.flush().unwrap();
                }
                wanted.insert(line as u64, (day, name, sample));
            }
        }
        assert_eq!(
            (spool.samples, spool.first_ms, spool.last_ms),
            (15, 1 - DAY_MS, 3 * DAY_MS + 15)
        );
        let mut batches = spool.read().unwrap();
        let mut last_day = i64::MIN;
        while let Some(batch) = batches.next(max_samples).unwrap() {
            let count: usize = batch.series.iter().map(|one| one.samples.len()).sum();
            assert!((1..=max_samples).contains(&count));
            for (number, series) in batch.series.iter().enumerate() {
                assert_eq!(batch.first_line(number), batch.line(number, 0));
                for (at, sample) in series.samples.iter().enumerate() {
                    let line = batch.line(number, at).unwrap();
                    let (day, name, its) = wanted.remove(&line).unwrap();
                    assert_eq!((&series.labels, *sample), (&labels(name), its));
                    assert!(day >= last_day);
                    last_day = day;
                }
            }
        }
        assert!(wanted.is_empty());
        drop(batches);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
    }
}

#[test]
fn it_is_bounded_by_days_and_by_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::create(dir.path()).unwrap();
    spool.begin_series(&labels("a"));
    for day in 0..DAYS_MAX as i64 {
        spool.put(Sample { at_ms: day * DAY_MS, value: 0.0 }, 1).unwrap();
    }
    let more = spool.put(Sample { at_ms: -1, value: 0.0 }, 1);
    assert!(matches!(more, Err(Full::Days)), "{more:?}");
    spool.put(Sample { at_ms: 5, value: 0.0 }, 1).unwrap();
    spool.free_min = u64::MAX;
    assert!(matches!(spool.flush(), Err(Full::Disk)));
}
