use std::collections::BTreeMap;

use base::money::{Micros, Nanos};
use proptest::prelude::*;

use super::*;
use crate::{
    prices::{
        document::{Document, Rate},
        meters::testing::of_documents,
        model::{Model, Tier},
        tax::{Tax, TaxMode},
    },
    rating::engine::{WHOLE_PPM, rate as rate_all},
};

const OUT: &str = "instance.net_tx";
const ZONE: Tz = chrono_tz::UTC;

fn delta(from: i64, to: i64, quantity: i64) -> Delta {
    let (quality, coverage_ppm) = (Quality::Observed, WHOLE_PPM);
    Delta { component: OUT, from, to, quantity, quality, coverage_ppm }
}

fn look(from: i64, region: &str) -> Look {
    let shape = BTreeMap::from([("region".to_owned(), region.to_owned())]);
    Look { from, name: "web-1".into(), shape: Arc::new(shape) }
}

fn rate(id: &str, region: &str) -> Rate {
    let mut rate = Rate::standard(id, OUT, Nanos(1_000));
    rate.r#where.region = (!region.is_empty()).then(|| region.to_owned());
    rate
}

fn version(from: i64, rates: Vec<Rate>) -> (Timestamp, Document) {
    (Timestamp::from_ms(from), Document { rates, ..Document::default() })
}

fn told(of: &Delta, looks: &[Look], prices: &Timeline) -> Vec<(i64, i64, i64, String)> {
    let id = |part: &Part<'_>| part.found.map_or("free".to_owned(), |f| f.rate.id.clone());
    parts(of, looks, prices).iter().map(|p| (p.from, p.to, p.quantity, id(p))).collect()
}

#[test]
fn a_delta_is_cut_where_another_rate_prices_it() {
    let of = |parts: &[(i64, i64, i64, &str)]| -> Vec<(i64, i64, i64, String)> {
        parts.iter().map(|(f, t, q, id)| (*f, *t, *q, (*id).to_owned())).collect()
    };
    let one = of_documents(&[version(0, vec![rate("out", "")])]);
    let north = [look(100, "north")];
    // Before it was told of, it looks as it did first.
    assert_eq!(told(&delta(10, 40, 7), &north, &one), of(&[(10, 40, 7, "out")]));
    assert_eq!(told(&delta(10, 40, 7), &[], &one), of(&[]));
    let moved = [look(0, "north"), look(20, "south"), look(30, "south")];
    assert_eq!(told(&delta(10, 40, 7), &moved, &one), of(&[(10, 40, 7, "out")]));
    // A new price at 25: half of the time, and of seven three, since the rest is the later part's.
    let two = of_documents(&[version(0, vec![rate("out", "")]), version(25, vec![rate("n", "")])]);
    let cut = of(&[(10, 25, 3, "out"), (25, 40, 4, "n")]);
    assert_eq!(told(&delta(10, 40, 7), &moved, &two), cut);
    let places = of_documents(&[version(0, vec![rate("n", "north"), rate("s", "south")])]);
    let cut = of(&[(10, 20, 2, "n"), (20, 40, 5, "s")]);
    assert_eq!(told(&delta(10, 40, 7), &moved, &places), cut);
    let north_only = of_documents(&[version(0, vec![rate("n", "north")])]);
    let cut = of(&[(10, 20, 2, "n"), (20, 40, 5, "free")]);
    assert_eq!(told(&delta(10, 40, 7), &moved, &north_only), cut);
}

struct Case {
    prices: Timeline,
    book: Book,
    counted: Counted,
}

impl Case {
    fn new(prices: Timeline) -> Self {
        let mut book = Book::default();
        let id = crate::rating::book::ResourceId { kind: "instance".into(), id: "1".into() };
        book.resource(&id);
        let counted =
            Counted { dirty: Some(0), earlier: Some(look(0, "north")), ..Counted::default() };
        Self { prices, book, counted }
    }

    /// What is to be posted when these are the deltas; it is posted.
    fn post(&mut self, deltas: Vec<Delta>, until: i64) -> Vec<(i64, i64, i64, LineKind)> {
        self.counted.deltas = deltas;
        let (mut all, mut parked) = (Vec::new(), Vec::new());
        let (of, prices) = ((0, &self.counted, &[][..]), (&self.prices, ZONE));
        slices(of, until, prices, &mut self.book, &mut all, &mut parked);
        assert!(parked.is_empty());
        self.counted.posted.extend(&all);
        all.iter().map(|s| (s.from, s.to, s.quantity, s.kind)).collect()
    }
}

#[test]
fn only_what_is_taken_back_makes_adjustments() {
    let mut case = Case::new(of_documents(&[version(0, vec![rate("out", "")])]));
    use LineKind::{Adjustment, Usage};
    let first = delta(10, 20, 5);
    assert_eq!(case.post(vec![first.clone()], 20), [(10, 20, 5, Usage)]);
    assert_eq!(case.post(vec![first.clone()], 20), [], "a second time nothing is left");
    // Of another port, in the same time; what ends later waits.
    let all = vec![first.clone(), delta(10, 20, 3), delta(20, 30, 9)];
    assert_eq!(case.post(all.clone(), 29), [(10, 20, 3, Usage)]);
    assert_eq!(case.post(all, 30), [(20, 30, 9, Usage)]);
    // A reading was told late that parts the last.
    let parted = vec![first, delta(10, 20, 3), delta(20, 24, 1), delta(24, 30, 8)];
    let corrected = [(20, 24, 1, Adjustment), (20, 30, -9, Adjustment), (24, 30, 8, Adjustment)];
    let mut found = case.post(parted.clone(), 30);
    found.sort_by_key(|(from, to, ..)| (*from, *to));
    assert_eq!(found, corrected);
    assert_eq!(case.post(parted, 30), []);
    // Up to where all is posted nothing is looked at.
    case.counted.dirty = Some(30);
    assert_eq!(case.post(vec![delta(30, 40, 2)], 40), [(30, 40, 2, Usage)]);
}

#[test]
fn ports_that_are_read_at_once_make_one_line_known_as_its_worst() {
    let mut case = Case::new(of_documents(&[version(0, vec![rate("out", "")])]));
    let guessed = Delta { quality: Quality::Estimated, coverage_ppm: 250_000, ..delta(10, 20, 5) };
    case.post(vec![delta(10, 20, 7), guessed], 20);
    let line = case.counted.posted[0];
    assert_eq!((line.quantity, line.quality, line.coverage_ppm), (12, Quality::Estimated, 250_000));
}

/// Read hours apart, it was an estimate; a reading that is told late makes it known, in part.
#[test]
fn an_estimate_is_taken_back_as_one_and_what_still_is_one_says_so() {
    let mut case = Case::new(of_documents(&[version(0, vec![rate("out", "")])]));
    let guessed =
        |delta: Delta, coverage_ppm| Delta { quality: Quality::Estimated, coverage_ppm, ..delta };
    case.post(vec![guessed(delta(10, 40, 9), 250_000)], 40);
    let parted = vec![delta(10, 20, 4), guessed(delta(20, 40, 5), 500_000)];
    case.post(parted.clone(), 40);
    let known = |s: &Slice| (s.from, s.to, s.quantity, s.quality, s.coverage_ppm);
    let mut found: Vec<_> = case.counted.posted[1..].iter().map(known).collect();
    found.sort_by_key(|(from, to, ..)| (*from, *to));
    assert_eq!(
        found,
        [
            (10, 20, 4, Quality::Corrected, 1_000_000),
            (10, 40, -9, Quality::Estimated, 250_000),
            (20, 40, 5, Quality::Estimated, 500_000),
        ]
    );
    assert_eq!(case.post(parted, 40), []);
}

#[test]
fn more_than_fits_is_parked() {
    let mut case = Case::new(of_documents(&[version(0, vec![rate("out", "")])]));
    case.counted.deltas = vec![delta(10, 20, i64::MAX), delta(10, 20, 1)];
    let (mut all, mut parked) = (Vec::new(), Vec::new());
    let (of, prices) = ((0, &case.counted, &[][..]), (&case.prices, ZONE));
    slices(of, 20, prices, &mut case.book, &mut all, &mut parked);
    assert_eq!((all.len(), parked.len()), (0, 1));
}

/// What a counter that begins anew at times would be read as at each of these instants.
fn random_readings(steps: &[(i64, bool)]) -> Vec<delta::Reading> {
    let (mut value, mut epoch, mut at) = (1_000, 0, 0);
    let read = |at_ms, epoch: i64, value| delta::Reading { at_ms, epoch: epoch.to_string(), value };
    let mut all = vec![read(0, 0, value)];
    for (step, restarts) in steps {
        at += 10;
        if *restarts {
            // Its last value is read.
            all.push(read(at - 1, epoch, value));
            (epoch, value) = (epoch + 1, 0);
        }
        value += step;
        all.push(read(at, epoch, value));
    }
    all
}

/// Net and tax of what these readings, told one part after the other, come to.
fn charged(told: &[&[delta::Reading]], prices: &Timeline) -> (i64, i64) {
    let mut case = Case::new(prices.clone());
    let mut known: Vec<delta::Reading> = Vec::new();
    let mut lines = Vec::new();
    for part in told {
        known.extend(part.iter().cloned());
        let deltas = delta::deltas(delta::Before::default(), &known, true).unwrap();
        let deltas = deltas.iter().map(|d| super::Delta {
            component: OUT,
            from: d.from_ms,
            to: d.to_ms,
            quantity: d.quantity,
            quality: Quality::Observed,
            coverage_ppm: d.coverage_ppm(),
        });
        case.counted.deltas = deltas.collect();
        let (mut all, mut parked) = (Vec::new(), Vec::new());
        let (of, prices) = ((0, &case.counted, &[][..]), (&case.prices, ZONE));
        slices(of, i64::MAX, prices, &mut case.book, &mut all, &mut parked);
        case.counted.posted.extend(&all);
        let groups = &mut case.book.groups;
        parked.extend(rate_all(&all, &case.book.rates, groups, &mut lines));
        assert!(parked.is_empty());
    }
    lines.iter().fold((0, 0), |(net, tax), line| (net + line.net, tax + line.tax))
}

proptest! {
    /// However many of the readings are there, and in whatever order they come, the same is charged.
    #[test]
    fn any_splitting_and_any_order_of_readings_is_charged_the_same(
        steps in prop::collection::vec((0i64..5_000, prop::bool::weighted(0.2)), 1..25),
        kept in prop::collection::vec(any::<bool>(), 60),
        order in prop::collection::vec(any::<u32>(), 60),
        parts in 1usize..6,
    ) {
        let mut tiers = rate("out", "");
        let tier = |up_to, nanos| Tier { up_to, price: Nanos(nanos) };
        tiers.model = Model::Graduated(vec![tier(Some(3), 7_000), tier(Some(9), 3_333), tier(None, 1_001)]);
        (tiers.unit, tiers.free) = (1_024, Some(1));
        let tax = Tax { mode: TaxMode::OnTop, rate: Micros(60_000) };
        let document = Document { tax, rates: vec![tiers] };
        let prices = of_documents(&[(Timestamp::from_ms(0), document)]);
        let readings = random_readings(&steps);
        let whole = charged(&[&readings], &prices);
        // By an independent way: all of it at once.
        let counted: i64 = steps.iter().map(|(step, _)| step).sum();
        let found = prices.find(OUT, look(0, "north").shape.as_ref(), Timestamp::from_ms(0)).unwrap();
        let split = found.tax.split(found.rate.total(counted, 1_024).unwrap(), 1_024).unwrap();
        prop_assert_eq!(whole, (split.net.0, split.tax.0));
        // What may be left out: neither the first nor the last, nor an epoch's last.
        let ends = |n: usize| readings.get(n + 1).is_none_or(|next| next.epoch != readings[n].epoch);
        let mut some: Vec<(u32, delta::Reading)> = readings
            .iter()
            .enumerate()
            .filter(|(n, _)| *n == 0 || ends(*n) || kept[*n])
            .map(|(n, reading)| (order[n], reading.clone()))
            .collect();
        some.sort_by_key(|(place, _)| *place);
        let some: Vec<delta::Reading> = some.into_iter().map(|(_, reading)| reading).collect();
        let told: Vec<&[delta::Reading]> = some.chunks(some.len().div_ceil(parts)).collect();
        prop_assert_eq!(charged(&told, &prices), whole);
    }

    /// Over a change of price, any order of the same readings is charged the same.
    #[test]
    fn any_order_of_readings_over_a_new_price_is_charged_the_same(
        steps in prop::collection::vec((0i64..5_000, prop::bool::weighted(0.2)), 1..25),
        order in prop::collection::vec(any::<u32>(), 60),
        changes in 1i64..250,
        parts in 1usize..6,
    ) {
        let mut dear = rate("out", "");
        dear.model = Model::Standard(Nanos(123_457));
        let prices = of_documents(&[version(0, vec![rate("out", "")]), version(changes, vec![dear])]);
        let readings = random_readings(&steps);
        let mut shuffled: Vec<usize> = (0..readings.len()).collect();
        shuffled.sort_by_key(|n| order[*n]);
        let shuffled: Vec<delta::Reading> =
            shuffled.into_iter().map(|n| readings[n].clone()).collect();
        let told: Vec<&[delta::Reading]> = shuffled.chunks(shuffled.len().div_ceil(parts)).collect();
        prop_assert_eq!(charged(&told, &prices), charged(&[&readings], &prices));
    }
}
