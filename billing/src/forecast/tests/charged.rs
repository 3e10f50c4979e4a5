//! The forecast beside what is charged: random prices and use, and a look at each millisecond.

use base::id::{PriceBookId, PriceVersionId, TenantId};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::*;
use crate::{
    accounts::Account,
    balance::assess,
    ledger::Wallet,
    prices::{
        components::DISK,
        document::Minimum,
        timeline::{Assignment, Override, Published, Sources, Version},
    },
    rating::{
        book::ResourceId,
        counted::Counted,
        plan::{Resource, Usage},
    },
    standing::Standing,
};

/// Random accounts that every run tries.
const SEEDS: u64 = 48;
/// How far each is followed, millisecond by millisecond.
const WINDOW_MS: i64 = 1_000;
const RESOURCES: u32 = 3;

fn month_end() -> Timestamp {
    hour(744)
}

/// Some thousands of pieces at once, so that a tier lasts less than a second.
fn quantity(rng: &mut StdRng) -> i64 {
    rng.random_range(2_000..12_000)
}

fn random_rate(rng: &mut StdRng, id: &str, component: &str) -> Rate {
    let price = |rng: &mut StdRng| Nanos(rng.random_range(0..2_000_000_000));
    let mut rate = Rate::standard(id, component, price(rng));
    let tiers = |rng: &mut StdRng| -> Vec<Tier> {
        let first = rng.random_range(1..4);
        let bounds = [Some(first), Some(first + rng.random_range(1..3)), None];
        bounds.map(|up_to| Tier { up_to, price: price(&mut *rng) }).to_vec()
    };
    match rng.random_range(0..4) {
        0 => {}
        1 => rate.model = Model::Graduated(tiers(rng)),
        2 => rate.model = Model::Volume(tiers(rng)),
        _ => rate.model = Model::Package { size: rng.random_range(1..3), price: price(rng) },
    }
    rate.free = rng.random_bool(0.3).then(|| rng.random_range(0..3));
    rate.minimum = rng
        .random_bool(0.4)
        .then(|| Minimum { amount: Micros(rng.random_range(0..30_000_000)), per: Scope::Tenant });
    rate
}

/// Up to three versions, and perhaps other prices of one flavor under the same names.
fn random_prices(rng: &mut StdRng, around: Timestamp) -> Timeline {
    let scopes = [Scope::Tenant, Scope::Resource];
    let scopes = [scopes[rng.random_range(0..2)], scopes[rng.random_range(0..2)]];
    let unit = [1, 1, 2][rng.random_range(0..3)];
    let document = |rng: &mut StdRng| {
        let names = [("c", COMPUTE), ("d", DISK)].into_iter().zip(scopes);
        let rates = names.map(|((id, component), scope)| {
            let mut rate = random_rate(rng, id, component);
            (rate.scope, rate.unit) = (scope, unit);
            rate
        });
        let rates = rates.collect();
        let mode = if rng.random_bool(0.5) { TaxMode::OnTop } else { TaxMode::Included };
        Document { tax: Tax { mode, rate: Micros([0, 60_000][rng.random_range(0..2)]) }, rates }
    };
    let version = |document| std::sync::Arc::new(Version::new(PriceVersionId::new(), document));
    let soon = |rng: &mut StdRng| around.saturating_add_ms(rng.random_range(-500..WINDOW_MS));
    let book = PriceBookId::new();
    let mut begins: Vec<Timestamp> = (0..rng.random_range(0..3)).map(|_| soon(rng)).collect();
    begins.push(Timestamp::from_ms(0));
    begins.sort_unstable();
    begins.dedup();
    let publish = |effective_at| Published { book, effective_at, version: version(document(rng)) };
    let versions = begins.into_iter().map(publish).collect();
    let mut overrides = Vec::new();
    if rng.random_bool(0.4) {
        let mut own = document(rng);
        for rate in &mut own.rates {
            rate.r#where.flavor = Some("a".to_owned());
        }
        overrides.push(Override { from: soon(rng), to: None, version: version(own) });
    }
    let assignments = vec![Assignment { from: Timestamp::from_ms(0), book }];
    Timeline::new(&Sources { assignments, versions, overrides })
}

struct Case {
    prices: Timeline,
    /// From here on nothing is posted.
    start: Timestamp,
    spans: Vec<Span>,
}

impl Case {
    fn random(rng: &mut StdRng) -> (Self, Timestamp) {
        // Often close to a month's end.
        let at = match rng.random_bool(0.6) {
            true => month_end().saturating_add_ms(-rng.random_range(1..WINDOW_MS)),
            false => hour(300).saturating_add_ms(rng.random_range(0..WINDOW_MS)),
        };
        let start = at.saturating_add_ms(-2_000);
        let near = |rng: &mut StdRng| at.ms() + rng.random_range(-2_000..WINDOW_MS);
        let mut spans = Vec::new();
        for resource in 0..RESOURCES {
            let flavor = ["a", "b"][rng.random_range(0..2)];
            let from = near(rng);
            let to =
                if rng.random_bool(0.3) { from + rng.random_range(1..2_000) } else { i64::MAX };
            // One is paused all along, at the running price.
            let compute = if resource == 2 { COMPUTE_SUSPENDED } else { COMPUTE };
            let mut span = shaped(compute, flavor, quantity(rng));
            if rng.random_bool(0.5) {
                span.used.components.push((DISK, quantity(rng)));
            }
            spans.push(Span { resource, from, to, ..span });
        }
        (Self { prices: random_prices(rng, at), start, spans }, at)
    }

    /// As somebody finds it who looks at `at`.
    fn look(&self, posted: Micros, at: Timestamp) -> (Micros, Position) {
        let mut book = Book::default();
        let resources = (0..RESOURCES).map(|number| Resource {
            number: book.resource(&ResourceId { kind: "instance".into(), id: number.to_string() }),
            rated: self.start,
            dirty: None,
            changed: self.start,
            spans: self.spans.iter().filter(|span| span.resource == number).cloned().collect(),
            posted: Vec::new(),
            counted: Counted::default(),
        });
        let resources = resources.collect();
        let mut usage = Usage { resources, prices: self.prices.clone(), book, zone: ZONE };
        let account = Account {
            tenant_id: TenantId::new(),
            currency: "CNY".to_owned(),
            timezone: ZONE,
            version: 0,
            wallet: Wallet::default(),
            posted,
            earned: Micros::ZERO,
            settings: Default::default(),
            credit_limit: Micros::ZERO,
            last_charge: 0,
            ticked: self.start,
            standing: Standing::Active,
            standing_since: self.start,
            episode: 0,
        };
        assess(&account, &mut usage, at).unwrap()
    }
}

/// What is predicted is the first instant at which it is so, and where nothing is predicted nothing
/// happens.
#[test]
fn the_crossing_is_the_first_instant_at_which_what_is_charged_exceeds_what_is_there() {
    let (mut crossed, mut at_end) = (0, 0);
    for seed in 0..SEEDS {
        let mut rng = StdRng::seed_from_u64(seed);
        let (case, at) = Case::random(&mut rng);
        let until = at.saturating_add_ms(WINDOW_MS);
        let [first, last] = [at, until].map(|at| case.look(Micros::ZERO, at).0.0);
        let posted = Micros(first + rng.random_range(0..=(last - first).max(0) * 5 / 4 + 1));
        let predicted = case.look(posted, at).1.runs_out_at().filter(|at| *at <= until);
        let all = (0..=WINDOW_MS).map(|ms| at.saturating_add_ms(ms));
        let mut found = None;
        for now in all {
            let (accrued, position) = case.look(posted, now);
            let left = exact(posted) - exact(accrued);
            let differs = (position.available() - left).abs();
            // Of each of at most nine groups, net and tax.
            assert!(differs <= 9 * Exact::PER_MICRO, "seed {seed}: {differs} at {now}");
            if position.is_exhausted() {
                found = Some(now);
                break;
            }
        }
        assert_eq!(predicted, found, "seed {seed}: {:#?}", case.prices);
        crossed += usize::from(found.is_some());
        at_end += usize::from(found == Some(month_end()));
    }
    assert!(crossed >= 20, "{crossed} of {SEEDS} ran out");
    assert!(at_end >= 2, "{at_end} of {SEEDS} by what a month's end makes due");
}

/// What lasts to an instant lasts to each before it, and needs what is lacking at its lowest.
#[test]
fn what_suffices_for_a_while_is_what_is_charged_in_it() {
    for seed in 0..SEEDS {
        let mut rng = StdRng::seed_from_u64(seed);
        let (case, at) = Case::random(&mut rng);
        let all = (0..=WINDOW_MS).map(|ms| at.saturating_add_ms(ms));
        let posted = Micros(rng.random_range(0..50_000_000));
        let lowest = all.map(|now| case.look(posted, now).1.available()).min().unwrap();
        let until = at.saturating_add_ms(WINDOW_MS);
        assert_eq!(case.look(posted, at).1.lowest_until(until), lowest, "seed {seed}");
    }
}
