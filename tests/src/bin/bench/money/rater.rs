//! Rating alone: spans of use and prices in memory to lines in memory, a tenant at a time, on one
//! core. Nothing is read from a database, and nothing is posted.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use anyhow::{Result, ensure};
use base::{
    id::{PriceBookId, PriceVersionId},
    money::Nanos,
    time::Timestamp,
};
use billing::{
    prices::{
        components::COMPUTE,
        document::{Document, Rate},
        timeline::{Assignment, Published, Sources, Timeline, Version},
    },
    rating::{
        book::{Book, ResourceId},
        cut::{Days, Span, Step, Used, slices},
        engine::{self, Priced, Quality, Slice},
    },
};

use super::world::{DAY_MS, HOUR_MS, START_MS};

pub const FLAVORS: usize = 10;
const TENANTS: usize = 500;
/// Of each tenant.
const INSTANCES: usize = 20;
const DAYS: i64 = 30;
/// The best one counts, as of CloudKitty.
const ROUNDS: usize = 5;
/// Per hour, of the first flavor; the n-th costs n times as much.
const PRICE: Nanos = Nanos(360_000_000);

/// Instance-hours a second.
pub struct Rates {
    /// A line for each instance and hour.
    pub by_hours: f64,
    /// A line for each instance and day, as posting a month at once would have them.
    pub by_days: f64,
}

pub fn measure() -> Result<Rates> {
    Ok(Rates { by_hours: best(Step::Hours, 24)?, by_days: best(Step::Days, 1)? })
}

fn best(step: Step, lines_a_day: usize) -> Result<f64> {
    let prices = prices();
    let mut best = 0.0f64;
    for _ in 0..ROUNDS {
        best = best.max(round(&prices, step, lines_a_day)?);
    }
    Ok(best)
}

fn round(prices: &Timeline, step: Step, lines_a_day: usize) -> Result<f64> {
    let until = Timestamp::from_ms(START_MS + DAYS * DAY_MS);
    let days = Days::new("UTC".parse()?, Timestamp::from_ms(START_MS), until);
    let ids: Vec<ResourceId> = (0..INSTANCES)
        .map(|n| ResourceId { kind: "instance".into(), id: format!("instance-{n}") })
        .collect();
    let spans: Vec<Span> = (0..INSTANCES).map(span).collect();
    let (mut cut, mut lines): (Vec<Slice>, Vec<Priced>) = (Vec::new(), Vec::new());
    let (mut count, mut sum) = (0, 0i128);
    let began = Instant::now();
    for _ in 0..TENANTS {
        cut.clear();
        lines.clear();
        let mut book = Book::default();
        for (id, span) in ids.iter().zip(&spans) {
            book.resource(id);
            slices(span, prices, &days, step, &mut book, &mut cut);
        }
        let parked = engine::rate(&cut, &book.rates, &mut book.groups, &mut lines);
        ensure!(parked.is_empty(), "{} groups were parked", parked.len());
        count += lines.len();
        sum += lines.iter().map(|line| i128::from(line.net)).sum::<i128>();
    }
    let took_s = began.elapsed().as_secs_f64();
    let hours = TENANTS * INSTANCES * usize::try_from(DAYS * 24)?;
    ensure!(count == hours / 24 * lines_a_day, "{count} lines for {hours} instance-hours");
    ensure!(sum == expected(), "{sum} millionths are charged, {} are due", expected());
    Ok(hours as f64 / took_s)
}

/// Millionths.
fn expected() -> i128 {
    let flavors = (0..INSTANCES).map(|n| i128::try_from(n % FLAVORS + 1).unwrap_or(0));
    let an_hour = flavors.sum::<i128>() * i128::from(PRICE.0) / 1_000;
    an_hour * i128::from(DAYS * DAY_MS / HOUR_MS) * i128::try_from(TENANTS).unwrap_or(0)
}

fn flavor(n: usize) -> String {
    format!("flavor-{n}")
}

/// It ran before the month, and goes on after it.
fn span(n: usize) -> Span {
    let shape = BTreeMap::from([("flavor".to_owned(), flavor(n % FLAVORS))]);
    Span {
        resource: u32::try_from(n).unwrap_or(u32::MAX),
        name: format!("instance-{n}").into(),
        used: Used { shape: Arc::new(shape), components: vec![(COMPUTE, 1)] },
        alternative: None,
        from: START_MS - DAY_MS,
        to: i64::MAX,
        opened: 1,
        quality: Quality::Observed,
    }
}

/// A price for each flavor.
fn prices() -> Timeline {
    let rates = (0..FLAVORS).map(|n| {
        let price = Nanos(PRICE.0 * i64::try_from(n + 1).unwrap_or(1));
        let mut rate = Rate::standard(flavor(n), COMPUTE, price);
        rate.r#where.flavor = Some(flavor(n));
        rate
    });
    let document = Document { rates: rates.collect(), ..Document::default() };
    let (book, from) = (PriceBookId::new(), Timestamp::from_ms(START_MS));
    let version = Arc::new(Version::new(PriceVersionId::new(), document));
    Timeline::new(&Sources {
        assignments: vec![Assignment { from, book }],
        versions: vec![Published { book, effective_at: from, version }],
        ..Sources::default()
    })
}
