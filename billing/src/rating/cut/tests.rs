use base::money::Nanos;

use super::*;
use crate::prices::{
    components::{COMPUTE, DISK},
    document::{Document, Rate},
    meters::testing::of_documents,
};

const ZONE: Tz = chrono_tz::Asia::Kolkata;

/// Midnight in Kolkata: half past six in the evening, UTC.
fn hour(n: i64) -> i64 {
    let start: Timestamp = "2026-10-29T18:30:00Z".parse().unwrap();
    start.ms() + n * MS_PER_HOUR
}

fn prices(rates: &[(&str, i64, i64)]) -> Timeline {
    let version = |(component, from, nanos): &(&str, i64, i64)| {
        let rate = Rate::standard("r", *component, Nanos(*nanos));
        (Timestamp::from_ms(*from), Document { rates: vec![rate], ..Document::default() })
    };
    of_documents(&rates.iter().map(version).collect::<Vec<_>>())
}

fn used(components: &[(&'static str, i64)]) -> Used {
    Used { shape: Arc::default(), components: components.to_vec() }
}

fn span(components: &[(&'static str, i64)], from: i64, to: i64) -> Span {
    Span {
        resource: 0,
        name: "web-1".into(),
        used: used(components),
        alternative: None,
        from,
        to,
        opened: 1,
        quality: Quality::Observed,
    }
}

fn run(span: &Span, prices: &Timeline, until: i64, step: Step) -> (Vec<Slice>, Book) {
    let mut book = Book::default();
    let days = Days::new(ZONE, Timestamp::from_ms(hour(0)), Timestamp::from_ms(until));
    let mut out = Vec::new();
    slices(span, prices, &days, step, &mut book, &mut out);
    (out, book)
}

#[test]
fn slices_end_with_prices_days_and_months() {
    let prices = prices(&[(COMPUTE, 0, 5), (COMPUTE, hour(30), 7)]);
    let (out, book) = run(&span(&[(COMPUTE, 1)], hour(0), i64::MAX), &prices, hour(50), Step::Days);
    let cuts: Vec<(i64, i64, u32)> = out.iter().map(|s| (s.from, s.to, s.key)).collect();
    assert_eq!(
        cuts,
        [
            (hour(0), hour(24), 0),
            (hour(24), hour(30), 0),
            (hour(30), hour(48), 1),
            // November begins.
            (hour(48), hour(50), 2),
        ]
    );
    let months: Vec<String> = book.keys.iter().map(|k| k.id.month.to_string()).collect();
    assert_eq!(months, ["2026-10", "2026-10", "2026-11"]);
}

#[test]
fn hours_are_of_utc_and_days_of_the_zone() {
    let prices = prices(&[(COMPUTE, 0, 5)]);
    let (out, _) = run(&span(&[(COMPUTE, 1)], hour(23), i64::MAX), &prices, hour(26), Step::Hours);
    let half = MS_PER_HOUR / 2;
    let ends: Vec<i64> = out.iter().map(|s| s.to - hour(23)).collect();
    assert_eq!(ends, [half, 2 * half, 3 * half, 5 * half, 6 * half]);
}

#[test]
fn what_has_no_price_makes_no_slice() {
    let prices = prices(&[(COMPUTE, hour(1), 5)]);
    let (out, _) =
        run(&span(&[(COMPUTE, 1), (DISK, 9)], hour(0), hour(3)), &prices, hour(9), Step::Days);
    assert_eq!(out.len(), 1);
    assert_eq!((out[0].from, out[0].to), (hour(1), hour(3)));
}

#[test]
fn of_a_gaps_two_shapes_the_cheaper_is_taken() {
    let mut book = Document::default();
    book.rates.push(Rate::standard("c", COMPUTE, Nanos(5)));
    book.rates.push(Rate::standard("d", DISK, Nanos(2)));
    let prices = of_documents(&[(Timestamp::from_ms(0), book)]);
    let taken = |before: &[(&'static str, i64)], after: &[(&'static str, i64)]| {
        let mut gap = span(before, hour(0), hour(1));
        gap.alternative = Some(used(after));
        gap.quality = Quality::Estimated;
        let (out, book) = run(&gap, &prices, hour(9), Step::Days);
        out.iter().map(|s| (book.keys[s.key as usize].id.component, s.quantity)).collect::<Vec<_>>()
    };
    assert_eq!(taken(&[(COMPUTE, 1)], &[(DISK, 2)]), [(DISK, 2)]);
    assert_eq!(taken(&[(COMPUTE, 1)], &[(DISK, 3)]), [(COMPUTE, 1)]);
    assert_eq!(taken(&[(COMPUTE, 1), (DISK, 1)], &[(COMPUTE, 1)]), [(COMPUTE, 1)]);
}
