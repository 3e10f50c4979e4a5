use super::*;

fn exemplar(at_ms: i64, trace: &str) -> Exemplar {
    let labels = Labels::new([("trace_id".to_owned(), trace.to_owned())]);
    Exemplar { labels, sample: Sample { at_ms, value: 0.5 } }
}

fn beside(labels: &Labels, instants: &[i64]) -> Beside {
    let one = |at_ms: &i64| {
        let Exemplar { labels, sample } = exemplar(*at_ms, "t");
        timeseries::Exemplar { labels, sample }
    };
    let exemplars = instants.iter().map(one).collect();
    Beside::from(vec![Exemplars { labels: Arc::new(labels.clone()), exemplars }])
}

#[test]
fn an_exemplar_stands_behind_the_sample_that_came_with_it() {
    let labels = Labels::metric("m", &[]);
    let samples = [10, 20, 30, 40].map(|at_ms| Sample { at_ms, value: 1.0 });
    for (exemplars, wanted) in [
        (&[15][..], &[(1, 15)][..]),
        (&[20], &[(1, 20)]),
        // The newest sample may be older than it.
        (&[99], &[(3, 99)]),
        // One a sample.
        (&[11, 12, 13], &[(1, 11), (2, 12), (3, 13)]),
        (&[35, 36, 37], &[(1, 36), (2, 37), (3, 35)]),
    ] {
        let mut beside = beside(&labels, exemplars);
        assert!(beside.place(&Labels::metric("n", &[]), &samples).is_empty());
        let placed = beside.place(&labels, &samples);
        let places: Vec<_> = placed.iter().map(|(at, one)| (*at, one.sample.at_ms)).collect();
        assert_eq!(places, wanted, "{exemplars:?}");
        assert!(beside.place(&labels, &samples).is_empty(), "each goes once");
    }
    // What has no room goes with the samples of the next page.
    let mut beside = beside(&labels, &[11, 12, 13]);
    assert_eq!(beside.place(&labels, &samples[..1]).len(), 1);
    assert_eq!(beside.place(&labels, &samples[1..]).len(), 2);
}

#[test]
fn what_a_text_says_is_kept_within_bounds() {
    let mut notes = Notes::default();
    notes.family(Line::Type { metric: "a".into(), kind: "counter" });
    notes.family(Line::Help { metric: "a".into(), text: "of a".into() });
    notes.family(Line::Help { metric: "b".into(), text: "x".repeat(HELP_MAX_BYTES + 1).into() });
    notes.family(Line::Unit { metric: "c_s".into(), unit: "s" });
    let labels = Labels::metric("m", &[]);
    notes.exemplar(&labels, exemplar(5, &"x".repeat(EXEMPLAR_LABELS_MAX_CHARS)));
    // Not in order: the oldest one goes.
    for at_ms in (0..=EXEMPLARS_MAX as i64).rev() {
        notes.exemplar(&labels, exemplar(at_ms, "t"));
    }
    let (families, exemplars) = notes.into_parts();
    let said: Vec<_> = families.iter().map(|one| (&*one.metric, &*one.kind, &*one.help)).collect();
    assert_eq!(said, [("a", "counter", "of a"), ("c_s", "unknown", "")]);
    assert_eq!(families[1].unit, "s");
    let instants = exemplars[0].exemplars.iter().map(|one| one.sample.at_ms);
    assert!(instants.eq(1..=EXEMPLARS_MAX as i64));
}
