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
    let rules = Rules {
        warnings_ms: vec![100, 40],
        grace_ms: 20,
        suspend_to_stop_ms: 30,
        stop_to_notice_ms: 40,
        notice_to_reclaim_ms: 50,
        furthest: S::Reclaimed,
    };
    let capped = |furthest| Rules { furthest, ..rules.clone() };
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
        (S::Stopped, -39, poor, Stay(at(1))),
        (S::Stopped, -99, even, Stay(None)),
        (S::Stopped, -99, poor, Go(S::ReclaimPending)),
        (S::ReclaimPending, -49, poor, Stay(at(1))),
        (S::ReclaimPending, -50, poor, Go(S::Reclaimed)),
        (S::ReclaimPending, -50, even, Stay(None)),
        (S::ReclaimPending, -50, idle, Go(S::Active)),
        (S::Reclaimed, -99, poor, Stay(None)),
        (S::Reclaimed, -99, idle, Go(S::Active)),
        (S::Stopped, -99, idle, Go(S::Active)),
    ] {
        let since = NOW.saturating_add_ms(since_ms);
        let got = decide(standing, since, &facts, NOW, &rules);
        assert_eq!(got, decision, "{standing} {since_ms} {facts:?}");
    }
    for (standing, furthest) in [
        (S::Overdue, S::Overdue),
        (S::Suspended, S::Suspended),
        (S::Stopped, S::Stopped),
        (S::ReclaimPending, S::ReclaimPending),
    ] {
        let got = decide(standing, NOW.saturating_add_ms(-99), &poor, NOW, &capped(furthest));
        assert_eq!(got, Stay(None), "{furthest}");
    }
    let unwarned = Rules { warnings_ms: Vec::new(), ..rules.clone() };
    assert_eq!(decide(S::Active, NOW, &soon, NOW, &unwarned), Stay(at(100)));
}

#[test]
fn standings_have_an_order_and_a_text() {
    assert!(Standing::Suspended < Standing::Stopped && Standing::Warned < Standing::Overdue);
    for standing in [Standing::Active, Standing::ReclaimPending, Standing::Reclaimed] {
        assert_eq!(standing.as_str().parse::<Standing>().unwrap(), standing);
    }
    assert!("rich".parse::<Standing>().is_err());
}
