use std::sync::Arc;

use base::{
    id::PriceVersionId,
    money::{MS_PER_HOUR, Micros, Nanos},
};
use num_bigint::BigInt;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::{super::cut::Used, *};
use crate::prices::{
    components::{COMPUTE, COMPUTE_SUSPENDED, DISK},
    document::{Document, Rate, Scope},
    meters::testing::of_documents,
    model::{Model, Tier},
    tax::{Tax, TaxMode},
};

mod naive;

const ZONE: Tz = chrono_tz::Europe::Berlin;
/// Random months that every run tries; `make soak` tries more by `OPSHAWK_SOAK_SEEDS`.
const SEEDS: u64 = 60;
const RESOURCES: usize = 3;
/// Two months with a change of the clocks.
const LENGTH_MS: i64 = 58 * 24 * MS_PER_HOUR;

fn start() -> Timestamp {
    "2026-10-01T00:00:00+02:00".parse().unwrap()
}

fn seeds() -> u64 {
    std::env::var("OPSHAWK_SOAK_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(SEEDS)
}

fn instant(rng: &mut StdRng) -> i64 {
    start().ms() + rng.random_range(0..LENGTH_MS)
}

fn random_rate(rng: &mut StdRng, id: &str, component: &str) -> Rate {
    let mut rate = Rate::standard(id, component, Nanos(rng.random_range(0..2_000_000_000)));
    let price = |rng: &mut StdRng| Nanos(rng.random_range(0..2_000_000_000));
    match rng.random_range(0..4) {
        0 | 1 => {}
        2 => {
            let first = rng.random_range(1..900);
            let second = first + rng.random_range(1..900);
            let tiers = [Some(first), Some(second), None];
            let tier = |up_to| Tier { up_to, price: price(&mut *rng) };
            rate.model = Model::Graduated(tiers.map(tier).to_vec());
        }
        _ => {
            let size = rng.random_range(1..200);
            rate.model = Model::Package { size, price: price(rng) };
        }
    }
    rate.free = rng.random_bool(0.3).then(|| rng.random_range(0..600));
    rate.unit = *[1, 1, 7].as_slice().get(rng.random_range(0..3)).unwrap();
    rate
}

/// One to three versions; a rate keeps its scope, so that its walk goes on.
fn random_versions(rng: &mut StdRng) -> Vec<(Timestamp, Document)> {
    let mut begins: Vec<i64> = (0..rng.random_range(0..3)).map(|_| instant(rng)).collect();
    begins.push(0);
    begins.sort_unstable();
    begins.dedup();
    let shared = [rng.random_bool(0.5), rng.random_bool(0.5)];
    let unit = [1, 7][rng.random_range(0..2)];
    begins
        .into_iter()
        .map(|at| {
            let names = [("c", COMPUTE), ("d", DISK)];
            let rates = names.into_iter().zip(shared).map(|((id, component), shared)| {
                let mut rate = random_rate(rng, id, component);
                rate.scope = if shared { Scope::Tenant } else { Scope::Resource };
                // A walk is in one measure.
                rate.unit = unit;
                rate
            });
            let rates = rates.collect();
            let mode = if rng.random_bool(0.5) { TaxMode::OnTop } else { TaxMode::Included };
            let tax = Tax { mode, rate: Micros([0, 60_000, 190_000][rng.random_range(0..3)]) };
            (Timestamp::from_ms(at), Document { tax, rates })
        })
        .collect()
}

/// A resource's history: changes of what it uses.
fn random_spans(rng: &mut StdRng, resource: u32) -> Vec<Span> {
    let mut edges: Vec<i64> = (0..rng.random_range(2..8)).map(|_| instant(rng)).collect();
    edges.sort_unstable();
    edges.dedup();
    edges
        .windows(2)
        .map(|edge| {
            let mut components = vec![(DISK, rng.random_range(1..20))];
            if rng.random_bool(0.7) {
                let is_paused = rng.random_bool(0.3);
                components.push((if is_paused { COMPUTE_SUSPENDED } else { COMPUTE }, 1));
            }
            let in_gap = rng.random_bool(0.2);
            Span {
                resource,
                name: "r".into(),
                used: Used { shape: Arc::default(), components },
                alternative: None,
                from: edge[0],
                to: edge[1],
                opened: 1,
                quality: if in_gap { Quality::Estimated } else { Quality::Observed },
            }
        })
        .collect()
}

/// A tenant's rating without a database: what SQL would keep is kept here.
struct Poster {
    usage: Usage,
    lines: Vec<Priced>,
}

impl Poster {
    fn new(versions: &[(Timestamp, Document)]) -> Self {
        let mut book = Book::default();
        let resources = (0..RESOURCES).map(|n| Resource {
            number: book.resource(&ResourceId { kind: "instance".into(), id: n.to_string() }),
            rated: start(),
            dirty: None,
            changed: start(),
            spans: Vec::new(),
            posted: Vec::new(),
            counted: Counted::default(),
        });
        let resources = resources.collect();
        let prices = of_documents(versions);
        Self { usage: Usage { resources, prices, book, zone: ZONE }, lines: Vec::new() }
    }

    /// The resource's history is known to be this from `from` on.
    fn tell(&mut self, resource: usize, spans: Vec<Span>, from: Timestamp) {
        let it = &mut self.usage.resources[resource];
        it.spans = spans;
        it.dirty = Some(it.dirty.map_or(from, |dirty| dirty.min(from)));
    }

    fn post(&mut self, until: Timestamp) {
        for at in 0..RESOURCES {
            let resource = &self.usage.resources[at];
            let first = resource.first(ZONE);
            let month = Month::of(first, ZONE);
            let posted = self.lines.iter().map(|line| line.slice).filter(|slice| {
                let key = &self.usage.book.keys[slice.key as usize];
                key.id.resource == resource.number && key.id.month >= month && slice.quantity != 0
            });
            let posted = posted.collect();
            self.usage.resources[at].posted = posted;
        }
        let plan = plan(&mut self.usage, |resource| until.max(resource.rated), until);
        assert!(plan.parked.is_empty());
        self.lines.extend(plan.lines);
        for resource in &mut self.usage.resources {
            resource.rated = resource.rated.max(until);
            resource.dirty = None;
        }
    }

    fn sums(&self) -> (BigInt, BigInt) {
        let sum = |of: fn(&Priced) -> i64| self.lines.iter().map(|l| BigInt::from(of(l))).sum();
        (sum(|line| line.net), sum(|line| line.tax))
    }
}

fn uses(spans: &[Vec<Span>]) -> Vec<naive::Use> {
    let mut all = Vec::new();
    for span in spans.iter().flatten() {
        for (component, quantity) in &span.used.components {
            all.push(naive::Use {
                resource: span.resource as usize,
                component,
                quantity: *quantity,
                from: span.from,
                to: span.to,
            });
        }
    }
    all
}

#[test]
fn an_independent_rater_in_exact_arithmetic_agrees_on_random_months() {
    let end = start().saturating_add_ms(LENGTH_MS);
    for seed in 0..seeds() {
        let mut rng = StdRng::seed_from_u64(seed);
        let versions = random_versions(&mut rng);
        let truth: Vec<Vec<Span>> =
            (0..RESOURCES).map(|n| random_spans(&mut rng, u32::try_from(n).unwrap())).collect();
        let expected = naive::rate(&uses(&truth), &versions, ZONE);
        // All at once.
        let mut whole = Poster::new(&versions);
        for (n, spans) in truth.iter().enumerate() {
            whole.tell(n, spans.clone(), start());
        }
        whole.post(end);
        assert_eq!(whole.sums(), expected, "seed {seed}, at once: {versions:#?}");
        // In any steps, and the truth about each resource at any time, after something else.
        let mut split = Poster::new(&versions);
        let mut steps: Vec<i64> = (0..rng.random_range(1..25)).map(|_| instant(&mut rng)).collect();
        steps.sort_unstable();
        let mut late: Vec<usize> = (0..RESOURCES).collect();
        late.shuffle(&mut rng);
        for n in 0..RESOURCES {
            let wrong = random_spans(&mut rng, u32::try_from(n).unwrap());
            split.tell(n, wrong, start());
        }
        for step in steps {
            split.post(Timestamp::from_ms(step));
            if rng.random_bool(0.3)
                && let Some(n) = late.pop()
            {
                split.tell(n, truth[n].clone(), start());
            }
        }
        for n in late {
            split.tell(n, truth[n].clone(), start());
        }
        split.post(end);
        assert_eq!(split.sums(), expected, "seed {seed}, in steps: {versions:#?}");
        let lines = split.lines.len();
        for (n, spans) in truth.iter().enumerate() {
            split.tell(n, spans.clone(), start());
        }
        split.post(end);
        assert_eq!(split.lines.len(), lines, "a second look finds nothing");
    }
}

fn flat(nanos: i64) -> Vec<(Timestamp, Document)> {
    let rates = vec![Rate::standard("d", DISK, Nanos(nanos))];
    vec![(Timestamp::from_ms(0), Document { rates, ..Document::default() })]
}

fn disk(quantity: i64, from: i64, to: i64) -> Span {
    let hour = |n: i64| start().ms() + n * MS_PER_HOUR;
    Span {
        resource: 0,
        name: "r".into(),
        used: Used { shape: Arc::default(), components: vec![(DISK, quantity)] },
        alternative: None,
        from: hour(from),
        to: hour(to),
        opened: 1,
        quality: Quality::Observed,
    }
}

#[test]
fn adjustments_say_what_differs_and_when() {
    let hour = |n: i64| start().saturating_add_ms(n * MS_PER_HOUR);
    let mut poster = Poster::new(&flat(360_000_000));
    poster.tell(0, vec![disk(10, 0, 100)], start());
    poster.post(hour(4));
    // It shrank to 4 after an hour, was gone after three, and nobody had said so.
    poster.tell(0, vec![disk(10, 0, 1), disk(4, 1, 3)], hour(1));
    poster.lines.retain(|line| line.net != 0);
    let before = poster.lines.len();
    poster.post(hour(5));
    let lines: Vec<_> = poster.lines[before..]
        .iter()
        .map(|l| {
            let hours = |ms: i64| (ms - start().ms()) / MS_PER_HOUR;
            (hours(l.slice.from), hours(l.slice.to), l.slice.quantity, l.net, l.slice.kind)
        })
        .collect();
    let kind = LineKind::Adjustment;
    assert_eq!(lines, [(1, 3, -6, -4_320_000, kind), (3, 4, -10, -3_600_000, kind)]);
}

#[test]
fn what_overflows_is_parked_and_the_others_are_planned() {
    let mut poster = Poster::new(&flat(i64::MAX));
    poster.tell(0, vec![disk(i64::MAX, 0, 1)], start());
    let small = Span { resource: 1, ..disk(1, 0, 1) };
    poster.tell(1, vec![small], start());
    let end = start().saturating_add_ms(MS_PER_HOUR);
    let plan = plan(&mut poster.usage, |_| end, end);
    assert_eq!(plan.parked.len(), 1);
    let parked = poster.usage.book.key_of(plan.parked[0].group);
    assert_eq!(poster.usage.book.keys[parked as usize].id.resource, 0);
    assert_eq!(plan.lines.len(), 1);
    assert_eq!(plan.lines[0].net, i64::MAX / 1_000 + 1);
}

#[test]
fn a_version_that_is_no_longer_in_force_is_taken_back() {
    let end = start().saturating_add_ms(4 * MS_PER_HOUR);
    let mut poster = Poster::new(&flat(360_000_000));
    poster.tell(0, vec![disk(1, 0, 100)], start());
    poster.post(end);
    assert_eq!(poster.sums().0, BigInt::from(1_440_000));
    let gone: PriceVersionId = poster.usage.book.versions[0];
    poster.usage.prices = of_documents(&flat(480_000_000));
    assert!(poster.usage.prices.begins(gone).is_none());
    poster.tell(0, vec![disk(1, 0, 100)], start());
    poster.post(end);
    assert_eq!(poster.sums().0, BigInt::from(1_920_000));
    let lines = poster.lines.len();
    poster.tell(0, vec![disk(1, 0, 100)], start());
    poster.post(end);
    assert_eq!(poster.lines.len(), lines, "corrected twice, posted once");
}

/// Rated anew, its lines move no sum: what was observed is taken back, and given as an estimate.
#[test]
fn a_gap_that_changes_no_amount_changes_what_is_known() {
    let hour = |n: i64| start().saturating_add_ms(n * MS_PER_HOUR);
    let mut versions = flat(360_000_000);
    let tiers = [(Some(15), 333_333_333), (None, 777_777_777)];
    let tier = |(up_to, nanos)| Tier { up_to, price: Nanos(nanos) };
    versions[0].1.rates[0].model = Model::Graduated(tiers.map(tier).to_vec());
    let mut poster = Poster::new(&versions);
    poster.tell(0, vec![disk(10, 0, 100)], start());
    poster.post(hour(4));
    let (sums, before) = (poster.sums(), poster.lines.len());
    let estimated = Span { quality: Quality::Estimated, ..disk(10, 1, 4) };
    let told = vec![disk(10, 0, 1), estimated, disk(10, 4, 100)];
    poster.tell(0, told.clone(), hour(1));
    poster.post(hour(4));
    assert_eq!(poster.sums(), sums);
    let known = |l: &Priced| (l.slice.quantity, l.slice.quality, l.slice.coverage_ppm, l.net);
    let lines: Vec<_> = poster.lines[before..].iter().map(known).collect();
    // All is in the second tier but half of its first hour.
    let net = poster.lines[before].net;
    assert!(net < 0);
    let pair = [(-10, Quality::Observed, 1_000_000, net), (10, Quality::Estimated, 0, -net)];
    assert_eq!(lines, pair);
    poster.tell(0, told, hour(1));
    poster.post(hour(4));
    assert_eq!(poster.lines.len(), before + 2, "a second look finds nothing");
}
