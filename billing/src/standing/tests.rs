use super::*;

const NOW: Timestamp = Timestamp::from_ms(1_000_000_000);

fn facts(left: i64, runs_out_in_ms: Option<i64>) -> Facts {
    Facts {
        exhausted: left < 0,
        above_zero: left > 0,
        runs_out_at: runs_out_in_ms.map(|ms| NOW.saturating_add_ms(ms)),
    }
}

#[test]
fn each_standing_goes_where_its_money_says() {
    use Decision::{Go, Stay};
    use Standing as S;
    let settings = Settings {
        warn_before_ms: 100,
        grace_ms: 20,
        suspend_to_stop_ms: 30,
        ..Settings::default()
    };
    let at = |ms: i64| Some(NOW.saturating_add_ms(ms));
    let (rich, soon, poor) = (facts(1, Some(500)), facts(1, Some(100)), facts(-1, Some(0)));
    let (idle, even) = (facts(1, None), facts(0, None));
    for (standing, since_ms, facts, decision) in [
        (S::Active, 0, rich, Stay(at(400))),
        (S::Active, 0, idle, Stay(None)),
        (S::Active, 0, even, Stay(None)),
        (S::Active, 0, soon, Go(S::Warned)),
        (S::Active, 0, poor, Go(S::Overdue)),
        (S::Warned, 0, soon, Stay(at(100))),
        (S::Warned, 0, rich, Go(S::Active)),
        (S::Warned, 0, poor, Go(S::Overdue)),
        (S::Overdue, -19, poor, Stay(at(1))),
        (S::Overdue, -20, poor, Go(S::Suspended)),
        (S::Overdue, -20, even, Stay(None)),
        (S::Overdue, -20, soon, Go(S::Active)),
        (S::Suspended, -29, poor, Stay(at(1))),
        (S::Suspended, -30, poor, Go(S::Stopped)),
        (S::Suspended, -30, idle, Go(S::Active)),
        (S::Stopped, -99, poor, Stay(None)),
        (S::Stopped, -99, even, Stay(None)),
        (S::Stopped, -99, idle, Go(S::Active)),
    ] {
        let since = NOW.saturating_add_ms(since_ms);
        let got = decide(standing, since, &facts, NOW, &settings);
        assert_eq!(got, decision, "{standing} {since_ms} {facts:?}");
    }
}

#[test]
fn standings_have_an_order_and_a_text() {
    assert!(Standing::Suspended < Standing::Stopped && Standing::Warned < Standing::Overdue);
    for standing in [Standing::Active, Standing::ReclaimPending, Standing::Reclaimed] {
        assert_eq!(standing.as_str().parse::<Standing>().unwrap(), standing);
    }
    assert!("rich".parse::<Standing>().is_err());
}
