use base::money::MS_PER_HOUR;

use super::*;
use crate::{
    packages,
    prices::{
        components::{COMPUTE, COMPUTE_SUSPENDED},
        document::{Document, Rate, Scope},
        meters::testing::{of_documents, timeline},
        model::{Model, Tier},
    },
    rating::{
        book::{ALL, KeyId},
        cut::Used,
        engine::Quality,
    },
};

mod charged;

const ZONE: Tz = chrono_tz::Asia::Shanghai;

/// Hours after a month began in Shanghai.
fn hour(n: i64) -> Timestamp {
    let start: Timestamp = "2026-09-30T16:00:00Z".parse().unwrap();
    start.saturating_add_ms(n * MS_PER_HOUR)
}

/// Of a component, by the flavor's name where it has one; one resource a quantity.
fn shaped(component: &'static str, flavor: &str, quantity: i64) -> Span {
    let shape = BTreeMap::from([("flavor".to_owned(), flavor.to_owned())]);
    Span {
        resource: u32::from(flavor.as_bytes()[0]),
        name: "".into(),
        used: Used { shape: shape.into(), components: vec![(component, quantity)] },
        alternative: None,
        from: hour(0).ms(),
        to: i64::MAX,
        opened: 0,
        quality: Quality::Observed,
    }
}

/// Of the flavor `a` or `b`.
fn running(flavor: &str, quantity: i64) -> Span {
    shaped(COMPUTE, flavor, quantity)
}

fn prices(versions: &[(Timestamp, &[(&str, i64)])]) -> Timeline {
    let named: Vec<(Timestamp, Vec<(String, i64)>)> = versions
        .iter()
        .map(|(from, prices)| {
            let name = |f: &str| if f.contains(':') { f.into() } else { format!("instance:{f}") };
            (*from, prices.iter().map(|(flavor, nanos)| (name(flavor), *nanos)).collect())
        })
        .collect();
    let named: Vec<(Timestamp, Vec<(&str, i64)>)> = named
        .iter()
        .map(|(from, prices)| (*from, prices.iter().map(|(m, n)| (m.as_str(), *n)).collect()))
        .collect();
    let named: Vec<(Timestamp, &[(&str, i64)])> =
        named.iter().map(|(from, prices)| (*from, prices.as_slice())).collect();
    timeline(&named)
}

fn position(balance: &str, running: Vec<Span>, prices: Timeline) -> Position {
    let left = exact(balance.parse().unwrap());
    Position::new(hour(0), left, running, Book::default(), prices, ZONE)
}

const UNIT: i64 = 1_000_000_000;

#[test]
fn twenty_four_at_one_an_hour_last_a_day_to_the_millisecond() {
    let prices = prices(&[(Timestamp::from_ms(0), &[("a", UNIT)])]);
    let p = position("24", vec![running("a", 1)], prices);
    assert_eq!(p.runs_out_at(), Some(hour(24)));
    assert_eq!(p.burn_per_hour(), Nanos(UNIT));
}

#[test]
fn the_instant_is_the_first_millisecond_at_which_nothing_is_left() {
    // 0.1 at 0.3 an hour: 1,200,000 ms exactly; at 0.7 an hour 514,285.71 ms.
    for (price, expected_ms) in [(300_000_000, 1_200_000), (700_000_000, 514_286)] {
        let prices = prices(&[(Timestamp::from_ms(0), &[("a", price)])]);
        let p = position("0.1", vec![running("a", 1)], prices);
        let at = p.runs_out_at().unwrap();
        assert_eq!(at.since_ms(hour(0)), expected_ms);
        let mut then = p.clone();
        then.advance(at);
        assert!(then.is_exhausted());
        let mut before = p;
        before.advance(at.saturating_add_ms(-1));
        assert!(!before.is_exhausted());
    }
}

#[test]
fn upcoming_prices_and_several_components_are_foreseen() {
    let prices = prices(&[
        (Timestamp::from_ms(0), &[("a", UNIT), ("b", UNIT / 2)]),
        (hour(4), &[("a", 3 * UNIT)]),
    ]);
    // Four hours at 1 + 2 x 0.5, then 3 an hour: 8 are gone, 6 last two hours.
    let p = position("14", vec![running("a", 1), running("b", 2)], prices);
    assert_eq!(p.runs_out_at(), Some(hour(6)));
}

#[test]
fn a_price_that_comes_later_makes_it_burn() {
    let prices = prices(&[(hour(10), &[("a", UNIT)])]);
    let p = position("5", vec![running("a", 1)], prices);
    assert_eq!(p.burn_per_hour(), Nanos(0));
    assert_eq!(p.runs_out_at(), Some(hour(15)));
}

#[test]
fn a_known_end_is_not_burned_beyond() {
    let prices = prices(&[(Timestamp::from_ms(0), &[("a", UNIT), ("b", UNIT)])]);
    let ends = Span { to: hour(2).ms(), ..running("a", 1) };
    let p = position("5", vec![ends.clone(), running("b", 1)], prices.clone());
    assert_eq!(p.runs_out_at(), Some(hour(3)));
    assert_eq!(position("5", vec![ends], prices).runs_out_at(), None);
}

#[test]
fn a_suspended_instance_burns_at_the_suspended_price() {
    let flavor = base::id::FlavorId::new();
    let (run, pause) = (crate::meter::instance(flavor), crate::meter::instance_paused(flavor));
    let prices = prices(&[(Timestamp::from_ms(0), &[(&run, UNIT), (&pause, UNIT / 10)])]);
    let paused = shaped(COMPUTE_SUSPENDED, &flavor.to_string(), 1);
    let p = position("1", vec![paused], prices);
    assert_eq!(p.runs_out_at(), Some(hour(10)));
}

#[test]
fn months_that_end_on_the_way_round_what_was_used() {
    // 0.333 micro-units an hour: each month's sum is rounded when it ends.
    let prices = prices(&[(Timestamp::from_ms(0), &[("a", 333)])]);
    let p = position("0.000500", vec![running("a", 1)], prices);
    let at = p.runs_out_at().unwrap();
    // October: 744 h are 247.752 micro-units, rounded to 248; the 252 left last 756.757 h, beyond
    // November's 720 h (239.76, rounded to 240); the 12 left last 36.036 h of December.
    let expected = hour(744 + 720).saturating_add_ms(129_729_730);
    assert_eq!(at, expected);
}

#[test]
fn scenario_22_no_burn_never_runs_out_and_a_negative_balance_has_run_out_now() {
    let none = || prices(&[]);
    assert_eq!(position("5", vec![running("a", 1)], none()).runs_out_at(), None);
    assert_eq!(position("0", vec![], none()).runs_out_at(), None);
    assert_eq!(position("-1", vec![], none()).runs_out_at(), Some(hour(0)));
    let burning = prices(&[(Timestamp::from_ms(0), &[("a", UNIT)])]);
    let p = position("0", vec![running("a", 1)], burning);
    assert_eq!(p.runs_out_at(), Some(hour(0)));
    assert!(p.is_exhausted());
}

#[test]
fn what_would_last_beyond_the_year_9999_never_runs_out() {
    let prices = prices(&[(Timestamp::from_ms(0), &[("a", 1)])]);
    assert_eq!(position("9000000000", vec![running("a", 1)], prices).runs_out_at(), None);
}

/// The first ten hours of all that runs free, then 1 an hour, with a quarter of tax on top.
#[test]
fn tiers_and_tax_are_foreseen() {
    let tier = |up_to, price| Tier { up_to, price: Nanos(price) };
    let mut rate = Rate::standard("any", COMPUTE, Nanos(0));
    rate.model = Model::Graduated(vec![tier(Some(10), 0), tier(None, UNIT)]);
    rate.scope = Scope::Tenant;
    let tax = Tax { mode: TaxMode::OnTop, rate: "0.25".parse().unwrap() };
    let prices = of_documents(&[(Timestamp::from_ms(0), Document { tax, rates: vec![rate] })]);
    // Two of them: five hours are free, then 2.5 an hour.
    let p = position("5", vec![running("a", 1), running("b", 1)], prices.clone());
    assert_eq!(p.burn_per_hour(), Nanos(0));
    assert_eq!(p.runs_out_at(), Some(hour(7)));
    // Six hours were used before.
    let mut book = Book::default();
    let found = prices.find(COMPUTE, running("a", 1).used.shape.as_ref(), hour(0)).unwrap();
    let (rate, month) = (book.rate(&found).unwrap(), Month::of(hour(0), ZONE));
    let id = KeyId { resource: ALL, component: COMPUTE, rate, month };
    let group = book.key(id, "", "", &prices);
    book.groups.set_posted(group, 6 * MS_PER_HOUR, 0, 0);
    let later =
        Position::new(hour(0), exact(Micros(5_000_000)), vec![running("a", 1)], book, prices, ZONE);
    assert_eq!(later.runs_out_at(), Some(hour(8)));
}

/// Of 10 at 1 an hour, 4 go at once at 03:00: what is left lasts to 06:00. A charge that can't be
/// paid is the end.
#[test]
fn what_is_charged_whole_is_charged_at_its_instant() {
    let package = |price: &str| {
        Rate::standard(format!("p{price}"), packages::COMPONENT, price.parse().unwrap())
    };
    let mut rates: Vec<Rate> = ["4", "6", "7", "7.5"].map(package).into();
    rates.push(Rate::standard("a", COMPUTE, Nanos(UNIT)));
    let document = Document { tax: Tax::default(), rates };
    let prices = of_documents(&[(hour(0), document)]);
    let with = |balance: &str, running, charges: &[(i64, &str)]| {
        let mut p = position(balance, running, prices.clone());
        let renewal = |(at, price): &(i64, &str)| {
            (hour(*at), vec![Renewal { resource: 7, rate: format!("p{price}") }])
        };
        p.renew(charges.iter().map(renewal).collect());
        p.runs_out_at()
    };
    let one = || vec![running("a", 1)];
    assert_eq!(with("10", one(), &[(3, "4")]), Some(hour(6)));
    assert_eq!(with("10", one(), &[(3, "7")]), Some(hour(3)));
    assert_eq!(with("10", one(), &[(3, "7.5")]), Some(hour(3)));
    assert_eq!(with("10", vec![], &[(3, "4"), (700, "4"), (1400, "4")]), Some(hour(1400)));
    assert_eq!(with("10", vec![], &[(3, "4"), (700, "6")]), None, "it is all paid");
}
