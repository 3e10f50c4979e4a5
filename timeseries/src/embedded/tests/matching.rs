//! Label sets and matchers that every index is tried with.

use super::*;

const SERIES: u32 = 3000;

/// Each two of one instance; a third of them each with one of three values.
pub fn all() -> Vec<Labels> {
    let labels = |n: u32| {
        let (instance, third) = (format!("guest-{}", n / 2), format!("{}", n % 3));
        let name = if n.is_multiple_of(2) { "a" } else { "b" };
        Labels::metric(name, &[("instance", &instance), ("third", &third)])
    };
    (0..SERIES).map(labels).collect()
}

pub fn cases() -> Vec<Vec<Matcher>> {
    let equal = |name: &str, value: &str| Matcher::equal(name, value);
    let not = |name: &str, value: &str| Matcher::not_equal(name, value);
    let regex = |name: &str, pattern: &str| Matcher::regex(name, pattern).unwrap();
    vec![
        vec![],
        vec![equal("instance", "guest-7")],
        vec![equal("instance", "guest-7"), equal("__name__", "b")],
        vec![equal("__name__", "b"), equal("third", "2")],
        vec![equal("third", "3")],
        vec![equal("nobody", "1")],
        vec![equal("nobody", ""), equal("instance", "guest-349")],
        vec![not("third", "1")],
        vec![not("instance", "guest-7"), equal("instance", "guest-7")],
        vec![not("instance", "guest-7"), equal("__name__", "a")],
        vec![not("nobody", ""), equal("__name__", "a")],
        vec![regex("instance", "guest-3.*")],
        vec![regex("instance", "guest-34[0-9]"), equal("third", "1")],
        vec![regex("instance", "guest-(1|2)"), not("__name__", "a")],
        vec![regex("nobody", ".*"), not("third", "1")],
        vec![equal("instance", "guest-7"), regex("third", "0|2")],
        vec![equal("instance", "guest-7"), regex("nobody", ".+")],
        vec![equal("__name__", "a"), regex("third", "1|2")],
        vec![equal("__name__", "a"), regex("instance", ".*7")],
        // Many to judge, few values that begin so.
        vec![equal("__name__", "a"), regex("instance", "guest-34.*")],
        // Of the last values, too.
        vec![equal("__name__", "a"), regex("instance", "guest-14.*")],
        vec![regex("third", "2.*")],
        vec![Matcher::not_regex("instance", "guest-.").unwrap(), regex("third", "0|1")],
    ]
}

/// The numbers of the series that the matchers hold for, by a walk over all labels.
pub fn walk(all: &[Labels], matchers: &[Matcher]) -> Vec<u32> {
    let holds = |labels: &Labels| matchers.iter().all(|m| m.matches_labels(labels));
    (0..all.len() as u32).filter(|series| holds(&all[*series as usize])).collect()
}
