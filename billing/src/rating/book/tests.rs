use base::{money::Nanos, time::Timestamp};

use super::*;
use crate::prices::{
    components::{COMPUTE, COMPUTE_SUSPENDED},
    document::{Document, Rate, Scope},
    meters::testing::of_documents,
};

fn prices(scope: Scope) -> Timeline {
    let rate = Rate { scope, free: Some(2), ..Rate::standard("c", COMPUTE, Nanos(1)) };
    let document = Document { rates: vec![rate], ..Document::default() };
    of_documents(&[(Timestamp::from_ms(0), document)])
}

fn rate(book: &mut Book, prices: &Timeline) -> u32 {
    let shape = std::collections::BTreeMap::new();
    let found = prices.find(COMPUTE_SUSPENDED, &shape, Timestamp::from_ms(0)).unwrap();
    book.rate(&found).unwrap()
}

fn month(text: &str) -> Month {
    text.parse().unwrap()
}

/// A key that SQL has, which is rounded with the one of the number `group`.
fn stored(book: &mut Book, prices: &Timeline, id: KeyId, number: i64, group: i64) -> u32 {
    let (name, flavor, parked) = ("web-1", "", false);
    let (measure, net, tax) = (10 * number, number, 0);
    let stored = Stored { number, group, name, flavor, measure, net, tax, parked };
    let key = book.stored_key(id, &stored, prices);
    book.keys[key as usize].group
}

#[test]
fn a_component_without_a_rate_of_its_own_is_rounded_with_the_one_that_has_it() {
    for (scope, stands) in [(Scope::Resource, 7), (Scope::Tenant, ALL)] {
        let (prices, mut book) = (prices(scope), Book::default());
        let rate = rate(&mut book, &prices);
        let month = month("2026-10");
        let id = |component, resource| KeyId { resource, component, rate, month };
        let paused = book.key(id(COMPUTE_SUSPENDED, 7), "web-1", "small", &prices);
        let running = book.key(id(COMPUTE, 7), "web-1", "small", &prices);
        assert_ne!(paused, running, "lines say what it was");
        let group = book.keys[paused as usize].group;
        assert_eq!(book.keys[running as usize].group, group);
        let key = &book.keys[book.key_of(group) as usize];
        assert_eq!(key.id, id(COMPUTE, stands));
        assert_eq!(key.name, if stands == ALL { "" } else { "web-1" });
        let other = book.key(id(COMPUTE_SUSPENDED, 8), "web-2", "small", &prices);
        let is_shared = book.keys[other as usize].group == group;
        assert_eq!(is_shared, stands == ALL);
        // Whoever looks ahead finds them so.
        let mut ahead = book.of_month(month);
        let again = [COMPUTE, COMPUTE_SUSPENDED].map(|component| {
            let key = ahead.key(id(component, 7), "", "", &prices);
            ahead.keys[key as usize].group
        });
        assert_eq!(again[0], again[1]);
    }
}

/// Each had a group of its own once. What is posted stays in its month as it is rounded.
#[test]
fn what_an_older_version_posted_keeps_its_groups() {
    for (scope, stands) in [(Scope::Resource, 7), (Scope::Tenant, ALL)] {
        let (prices, mut book) = (prices(scope), Book::default());
        let rate = rate(&mut book, &prices);
        let of = |month| move |component, resource| KeyId { resource, component, rate, month };
        let (old, new) = (of(month("2026-10")), of(month("2026-11")));
        let running = stored(&mut book, &prices, old(COMPUTE, stands), 1, 1);
        let paused = stored(&mut book, &prices, old(COMPUTE_SUSPENDED, stands), 2, 2);
        assert_ne!(running, paused);
        for (group, number) in [(running, 1), (paused, 2)] {
            let posted = book.groups.get(group);
            assert_eq!((posted.measure, posted.net), (10 * number, number));
            assert_eq!(book.groups.walk_of(group), [group]);
        }
        let same = book.key(old(COMPUTE_SUSPENDED, 7), "web-1", "", &prices);
        assert_eq!(book.keys[same as usize].group, paused);
        // The month that followed was begun since.
        let running = stored(&mut book, &prices, new(COMPUTE, stands), 3, 3);
        assert_eq!(stored(&mut book, &prices, new(COMPUTE_SUSPENDED, 7), 4, 3), running);
        let posted = book.groups.get(running);
        assert_eq!((posted.measure, posted.net), (30, 3));
    }
}
