use std::collections::BTreeMap;

use super::*;

fn at(hour: i64) -> Timestamp {
    Timestamp::from_ms(1_790_000_000_000 + hour * 3_600_000)
}

fn version(rates: &[(&str, &str, Option<&str>)]) -> Arc<Version> {
    let rates = rates
        .iter()
        .map(|(id, component, flavor)| {
            let mut rate = Rate::standard(*id, *component, "1".parse().unwrap());
            rate.r#where.flavor = flavor.map(str::to_owned);
            rate
        })
        .collect();
    Arc::new(Version::new(PriceVersionId::new(), Document { rates, ..Document::default() }))
}

fn flavor(name: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("flavor".to_owned(), name.to_owned())])
}

fn published(book: PriceBookId, effective_at: Timestamp, version: &Arc<Version>) -> Published {
    Published { book, effective_at, version: version.clone() }
}

const COMPUTE: &str = components::COMPUTE;

#[test]
fn the_rate_with_the_most_conditions_prices() {
    let book = PriceBookId::new();
    let v = version(&[("any", COMPUTE, None), ("small", COMPUTE, Some("small"))]);
    let timeline = Timeline::new(&Sources {
        assignments: vec![Assignment { from: at(0), book }],
        versions: vec![published(book, at(0), &v)],
        ..Sources::default()
    });
    let id = |name: &str, hour| {
        timeline.find(COMPUTE, &flavor(name), at(hour)).map(|found| found.rate.id.clone())
    };
    assert_eq!(id("small", 0).as_deref(), Some("small"));
    assert_eq!(id("large", 0).as_deref(), Some("any"));
    assert_eq!(id("small", -1), None);
    assert!(timeline.find("instance.disk", &flavor("small"), at(0)).is_none(), "free");
}

#[test]
fn the_later_made_wins_and_a_correction_ends_where_the_next_version_begins() {
    let (book, other) = (PriceBookId::new(), PriceBookId::new());
    let [v1, v2, late, own] = std::array::from_fn(|_| version(&[("r", COMPUTE, None)]));
    let timeline = Timeline::new(&Sources {
        assignments: vec![
            Assignment { from: at(0), book },
            Assignment { from: at(20), book },
            Assignment { from: at(20), book: other },
        ],
        versions: vec![
            published(book, at(0), &v1),
            published(book, at(10), &v2),
            // Published last, for a time that had passed.
            published(book, at(5), &late),
            published(other, at(0), &own),
        ],
        ..Sources::default()
    });
    let found = |hour| timeline.find(COMPUTE, &flavor("x"), at(hour)).unwrap().version;
    assert_eq!([found(0), found(4)], [v1.id, v1.id]);
    assert_eq!([found(5), found(9)], [late.id, late.id]);
    assert_eq!([found(10), found(19)], [v2.id, v2.id]);
    assert_eq!(found(20), own.id);
    assert_eq!(timeline.next_change(at(0)), Some(at(5)));
    assert_eq!(timeline.next_change(at(19)), Some(at(20)));
    assert_eq!(timeline.next_change(at(20)), None);
}

#[test]
fn an_override_goes_before_the_book_while_it_is_valid() {
    let book = PriceBookId::new();
    let base = version(&[
        ("any", COMPUTE, None),
        ("paused", components::COMPUTE_SUSPENDED, None),
        ("disk", components::DISK, None),
    ]);
    let cheap = version(&[("cheap", COMPUTE, Some("small"))]);
    let cheaper = version(&[("cheaper", COMPUTE, Some("small"))]);
    let over = |from, to, version: &Arc<Version>| Override {
        from: at(from),
        to: Some(at(to)),
        version: version.clone(),
    };
    let timeline = Timeline::new(&Sources {
        assignments: vec![Assignment { from: at(0), book }],
        versions: vec![published(book, at(0), &base)],
        overrides: vec![over(10, 20, &cheap), over(15, 17, &cheaper)],
    });
    let id = |component: &str, name: &str, hour| {
        timeline.find(component, &flavor(name), at(hour)).map(|found| found.rate.id.clone())
    };
    let small = |hour| id(COMPUTE, "small", hour).unwrap();
    assert_eq!([small(9), small(10), small(14)], ["any", "cheap", "cheap"]);
    assert_eq!(
        [small(15), small(16), small(17), small(20)],
        ["cheaper", "cheaper", "cheap", "any"]
    );
    assert_eq!(id(COMPUTE, "large", 12).as_deref(), Some("any"), "it prices small ones only");
    assert_eq!(id(components::DISK, "small", 12).as_deref(), Some("disk"));
    let paused = id(components::COMPUTE_SUSPENDED, "small", 12);
    assert_eq!(paused.as_deref(), Some("paused"), "an own price in the book before a fallback's");
}

#[test]
fn a_component_without_a_price_takes_its_fallbacks() {
    let book = PriceBookId::new();
    let v = version(&[("any", COMPUTE, None)]);
    let timeline = Timeline::new(&Sources {
        assignments: vec![Assignment { from: at(0), book }],
        versions: vec![published(book, at(0), &v)],
        ..Sources::default()
    });
    let paused = timeline.find(components::COMPUTE_SUSPENDED, &flavor("x"), at(0)).unwrap();
    assert_eq!(paused.rate.id, "any");
    assert!(timeline.find("instance.compute_stopped", &flavor("x"), at(0)).is_none());
}
