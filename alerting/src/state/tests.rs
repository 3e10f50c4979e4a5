use super::*;

/// A run of evaluations, one a second: `x` seen, `.` not seen; and the states after each: `p`, `f`,
/// `r` (resolved in this evaluation), `.` nothing.
const TABLE: &[(&str, i64, i64, &str, &str)] = &[
    ("fires at once without for", 0, 0, "x", "f"),
    ("resolves at once", 0, 0, "xx.", "ffr"),
    ("begins again after it resolved", 0, 0, "x.x.", "frfr"),
    ("fires when for has passed, not before", 2, 0, "xxxx", "ppff"),
    ("a gap while pending starts over", 2, 0, "xx.xxx", "pp.ppf"),
    ("a pending one that goes leaves nothing", 3, 0, "x..", "p.."),
    ("keeps firing", 0, 2, "x....", "fffr."),
    ("the sight of it ends the keeping", 0, 2, "x.x...", "fffffr"),
    ("keep_firing_for holds nothing that is pending", 2, 5, "x..", "p.."),
    ("for and keep_firing_for together", 1, 1, "xx..", "pffr"),
    ("begins pending again after it resolved", 1, 0, "xx.xx", "pfrpf"),
];

fn run(for_s: i64, keep_s: i64, seen: &str) -> String {
    let timing = Timing { for_ms: for_s * 1_000, keep_firing_for_ms: keep_s * 1_000 };
    let mut known = None;
    let mut states = String::new();
    for (second, c) in seen.chars().enumerate() {
        let at = Timestamp::from_ms(i64::try_from(second).unwrap() * 1_000);
        let seen = (c == 'x').then(|| Seen {
            labels: Labels::default(),
            annotations: BTreeMap::new(),
            value: 1.0,
        });
        let next = step(at, timing, known.take(), seen);
        states.push(match next.as_ref().map(|e| e.state) {
            None => '.',
            Some(AlertState::Pending) => 'p',
            Some(AlertState::Firing) => 'f',
            Some(AlertState::Resolved) => 'r',
        });
        known = next.filter(|e| e.state != AlertState::Resolved);
    }
    states
}

#[test]
fn the_table() {
    for (what, for_s, keep_s, seen, expected) in TABLE {
        assert_eq!(run(*for_s, *keep_s, seen), *expected, "{what}");
    }
}

#[test]
fn instants_and_values_are_those_of_the_evaluations() {
    let timing = Timing { for_ms: 1_000, keep_firing_for_ms: 0 };
    let at = |s: i64| Timestamp::from_ms(s * 1_000);
    let seen =
        |value| Some(Seen { labels: Labels::default(), annotations: BTreeMap::new(), value });
    let pending = step(at(0), timing, None, seen(1.0)).unwrap();
    let firing = step(at(1), timing, Some(pending), seen(2.0)).unwrap();
    assert_eq!((firing.active_at, firing.fired_at, firing.value), (at(0), Some(at(1)), 2.0));
    let resolved = step(at(2), timing, Some(firing), None).unwrap();
    assert_eq!((resolved.resolved_at, resolved.value), (Some(at(2)), 2.0));
}

#[test]
fn time_that_nobody_watched_does_not_count_towards_for() {
    let at = |s: i64| Timestamp::from_ms(s * 1_000);
    let seen = Seen { labels: Labels::default(), annotations: BTreeMap::new(), value: 1.0 };
    let pending = begin(at(0), seen);
    for (now_s, last_s, expected_s) in [
        (10, 5, 0),          // No gap.
        (15, 5, 0),          // One evaluation was late.
        (305, 5, 295),       // Five minutes away: 5 s pending, as before.
        (10_005, 5, 10_005), // Too long: it begins anew.
    ] {
        let mut episode = pending.clone();
        after_outage(at(now_s), at(last_s), 5_000, &mut episode);
        assert_eq!(episode.active_at, at(expected_s), "{now_s}");
    }
    let mut firing = Episode { state: AlertState::Firing, ..pending };
    after_outage(at(10_005), at(5), 5_000, &mut firing);
    assert_eq!(firing.active_at, at(0));
}
