//! Which warning is due. Pure.
//!
//! A warning says that the balance runs out within so long. Only the tightest that applies is told,
//! each once: what is wider was told by it. Money that lifts the time left above a warning makes it
//! one to be told again; that something stopped, which lifts it too, does not, as long as the widest
//! applies still: beyond it the episode is over, and the next one tells anew.

use base::time::Timestamp;

/// What was told in an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told {
    /// The tightest; none: nothing yet.
    pub tightest_ms: Option<i64>,
    /// How often money made some of them to be told again.
    pub arm: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warning {
    /// To be told now.
    pub tell_ms: Option<i64>,
    /// What is told after that.
    pub told: Told,
    /// When the next one is due, if all goes on as it is.
    pub next_at: Option<Timestamp>,
}

/// `warnings_ms` is the widest first. `paid`: money came since the last look.
pub fn warn(
    now: Timestamp,
    runs_out_at: Option<Timestamp>,
    told: Told,
    paid: bool,
    warnings_ms: &[i64],
) -> Warning {
    let left_ms = runs_out_at.map(|at| at.since_ms(now));
    let applies = |ms: i64| left_ms.is_some_and(|left| left <= ms);
    let mut told = told;
    if paid && told.tightest_ms.is_some_and(|tightest| !applies(tightest)) {
        let still = |ms: &i64| applies(*ms) && told.tightest_ms.is_some_and(|t| t <= *ms);
        told = Told {
            tightest_ms: warnings_ms.iter().copied().filter(still).min(),
            arm: told.arm + 1,
        };
    }
    let is_new = |ms: i64| told.tightest_ms.is_none_or(|tightest| ms < tightest);
    let tell_ms = warnings_ms.iter().copied().filter(|ms| applies(*ms)).min();
    let tell_ms = tell_ms.filter(|ms| is_new(*ms));
    told.tightest_ms = tell_ms.or(told.tightest_ms);
    let is_new = |ms: i64| told.tightest_ms.is_none_or(|tightest| ms < tightest);
    // The widest of those that are to come is the first.
    let next_ms = warnings_ms.iter().copied().filter(|ms| !applies(*ms) && is_new(*ms)).max();
    let next_at = runs_out_at.zip(next_ms).map(|(at, ms)| at.saturating_add_ms(-ms));
    Warning { tell_ms, told, next_at }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;
    const DAY_MS: i64 = 24 * HOUR_MS;
    const ALL: [i64; 4] = [7 * DAY_MS, 3 * DAY_MS, DAY_MS, HOUR_MS];
    const NOW: Timestamp = Timestamp::from_ms(1_000_000_000_000);

    fn look(left_ms: i64, told: Told, paid: bool) -> Warning {
        warn(NOW, Some(NOW.saturating_add_ms(left_ms)), told, paid, &ALL)
    }

    #[test]
    fn only_the_tightest_is_told_and_each_once() {
        let first = look(2 * DAY_MS, Told::default(), false);
        assert_eq!(first.tell_ms, Some(3 * DAY_MS));
        assert_eq!(first.next_at, Some(NOW.saturating_add_ms(DAY_MS)));
        for left_ms in [2 * DAY_MS, DAY_MS + 1, 6 * DAY_MS] {
            let again = look(left_ms, first.told, false);
            assert_eq!((again.tell_ms, again.told), (None, first.told));
        }
        let second = look(DAY_MS, first.told, false);
        assert_eq!((second.tell_ms, second.told.arm), (Some(DAY_MS), 0));
        let third = look(0, second.told, false);
        assert_eq!((third.tell_ms, third.next_at), (Some(HOUR_MS), None));
        assert_eq!(look(0, third.told, true).tell_ms, None);
    }

    #[test]
    fn money_makes_those_it_lifts_the_rest_above_to_be_told_again() {
        let told = look(HOUR_MS / 2, Told::default(), false).told;
        // Something stopped: more time is left, and nothing was paid.
        let idle = look(2 * DAY_MS, told, false);
        assert_eq!((idle.tell_ms, idle.next_at), (None, None));
        // Paid: a day and an hour are to be told again, seven days and three still apply.
        let paid = look(2 * DAY_MS, told, true);
        assert_eq!(paid.tell_ms, None);
        assert_eq!(paid.told, Told { tightest_ms: Some(3 * DAY_MS), arm: 1 });
        assert_eq!(paid.next_at, Some(NOW.saturating_add_ms(DAY_MS)));
        let again = look(DAY_MS, paid.told, false);
        assert_eq!((again.tell_ms, again.told.arm), (Some(DAY_MS), 1));
        // A look that hears of the same payment twice changes nothing.
        assert_eq!(look(2 * DAY_MS, paid.told, true).told, paid.told);
        let rich = look(30 * DAY_MS, told, true);
        assert_eq!((rich.tell_ms, rich.told), (None, Told { tightest_ms: None, arm: 1 }));
        assert_eq!(rich.next_at, Some(NOW.saturating_add_ms(23 * DAY_MS)));
    }

    #[test]
    fn what_nothing_burns_is_not_warned() {
        let none = warn(NOW, None, Told::default(), true, &ALL);
        assert_eq!(none, Warning { tell_ms: None, told: Told::default(), next_at: None });
        assert_eq!(warn(NOW, Some(NOW), Told::default(), true, &[]).tell_ms, None);
    }
}
