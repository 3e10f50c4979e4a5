//! 5,000 tenants with 20 resources each, in a database of their own, by a clock that is set.

use std::time::Instant;

use anyhow::{Result, ensure};
use base::{
    bus::Bus,
    db::Db,
    id::{FlavorId, PriceBookId, TenantId},
    money::{Micros, Nanos},
    reconcile::Reconciler,
    time::{Clock, ManualClock, Timestamp},
};
use billing::{
    Settings, accounts,
    kinds::{Attributes, Value},
    ledger::{self, Recharge},
    prices::{
        self,
        document::{Document, Rate},
        publish::Terms,
    },
    rating::{RatingReconciler, SETTLE_MS},
    simulate::{self, Ask, Simulation},
    usage::{Fact, Resource, record_all},
};
use futures::{StreamExt, TryStreamExt, stream};

use super::rater::FLAVORS;

pub const TENANTS: usize = 5_000;
pub const HOUR_MS: i64 = 3_600_000;
pub const DAY_MS: i64 = 24 * HOUR_MS;
/// 2026-09-01, of 30 days; UTC.
pub const START_MS: i64 = 1_788_220_800_000;
pub const DAYS: i64 = 30;
/// As many as a host's report may carry of one instance each; here each is of another tenant.
const BATCH: usize = 100;
/// Reports that are taken at the same time.
const WRITERS: usize = 4;
/// Tenants that are made in one transaction.
const MADE_AT_ONCE: usize = 100;
/// Of each tenant's instances, those that stop for an hour in mid-month.
const RESTARTED: usize = 4;
const RICH: Micros = Micros(1_000_000_000_000);

/// What each tenant has so many of: kind, state, attribute with its value, component, nano-units an
/// hour for one of it.
struct Kind {
    count: usize,
    name: &'static str,
    state: &'static str,
    attribute: Option<(&'static str, i64)>,
    component: &'static str,
    price: i64,
}

const INSTANCES: usize = 8;
const DISK_GIB: i64 = 40;
const DISK_PRICE: i64 = 1_000_000;
/// Per hour, of every flavor.
const COMPUTE_PRICE: i64 = 360_000_000;

const fn of(
    count: usize,
    name: &'static str,
    state: &'static str,
    attribute: Option<(&'static str, i64)>,
    component: &'static str,
    price: i64,
) -> Kind {
    Kind { count, name, state, attribute, component, price }
}

/// Beside the instances.
const OTHERS: [Kind; 6] = [
    of(4, "volume", "available", Some(("gib", 100)), "volume.capacity", 1_000_000),
    of(2, "snapshot", "available", Some(("gib", 100)), "snapshot.capacity", 500_000),
    of(2, "image", "available", Some(("gib", 10)), "image.capacity", 500_000),
    of(2, "address", "up", None, "address.address", 20_000_000),
    of(1, "router", "up", None, "router.router", 50_000_000),
    of(1, "bandwidth", "up", Some(("mbps", 10)), "bandwidth.mbps", 10_000_000),
];

/// Of one tenant; an instance has two, one for its disk.
pub const RESOURCES: usize = 20;
pub const LINES: usize = RESOURCES + INSTANCES;

/// What a tenant pays for an hour of all, in millionths.
fn hourly() -> i64 {
    let instances = 8 * (COMPUTE_PRICE + DISK_GIB * DISK_PRICE);
    let others = OTHERS.iter().map(|kind| {
        let count = i64::try_from(kind.count).unwrap_or(0);
        count * kind.price * kind.attribute.map_or(1, |(_, value)| value)
    });
    (instances + others.sum::<i64>()) / 1_000
}

pub struct World {
    db: Db,
    clock: ManualClock,
    rating: RatingReconciler,
    book: PriceBookId,
    flavors: Vec<FlavorId>,
    tenants: Vec<TenantId>,
}

impl World {
    pub async fn new(url: &str) -> Result<Self> {
        let (db, start) = (Db::open(url).await?, Timestamp::from_ms(START_MS));
        let clock = ManualClock::at(start);
        let rating = RatingReconciler::new(db.clone(), clock.shared(), Bus::default());
        let mut tx = db.begin_write().await?;
        let book = prices::create_book(&mut tx, start, "standard", "CNY").await?.id;
        let mut flavors = Vec::new();
        for n in 0..FLAVORS {
            let name = format!("flavor-{n}");
            flavors.push(inventory::flavors::create(&mut tx, start, &name, 1, 512, 1).await?.id);
        }
        let document = document(&flavors, 1);
        let terms = Terms::default();
        prices::publish::publish(&mut tx, start, book, terms, &document).await?;
        tx.commit().await?;
        let mut world = Self { db, clock, rating, book, flavors, tenants: Vec::new() };
        while world.tenants.len() < TENANTS {
            world.add_tenants(start).await?;
        }
        Ok(world)
    }

    async fn add_tenants(&mut self, start: Timestamp) -> Result<()> {
        let settings = Settings { timezone: "UTC".into(), ..Settings::default() };
        let mut tx = self.db.begin_write().await?;
        for n in self.tenants.len()..TENANTS.min(self.tenants.len() + MADE_AT_ONCE) {
            let name = format!("tenant-{n}");
            let tenant = identity::tenants::create(&mut tx, start, &name).await?.id;
            let book = Some(self.book);
            accounts::open_account(&mut tx, start, &settings, tenant, "CNY", book).await?;
            let payment = Recharge {
                tenant,
                amount: RICH,
                provider: "bank",
                provider_id: &name,
                bonus: None,
                memo: "",
                actor: "system:bench",
            };
            ledger::recharge(&mut tx, start, &payment).await?;
            self.tenants.push(tenant);
        }
        Ok(tx.commit().await?)
    }

    /// Everything begins with the month. Facts a second.
    pub async fn begin(&self) -> Result<f64> {
        let facts = (0..RESOURCES).flat_map(|n| {
            self.tenants.iter().map(move |tenant| self.fact(*tenant, n, "", START_MS))
        });
        self.clock.set(Timestamp::from_ms(START_MS + 1_000));
        self.take(facts.collect()).await
    }

    /// Some instances stop in mid-month, and run again an hour later. Facts a second.
    pub async fn restart(&self) -> Result<f64> {
        let middle = START_MS + DAYS / 2 * DAY_MS;
        let steps = [("stopped", middle), ("running", middle + HOUR_MS)];
        let facts = (0..RESTARTED).flat_map(|n| {
            self.tenants
                .iter()
                .flat_map(move |tenant| steps.map(|(state, at)| self.fact(*tenant, n, state, at)))
        });
        self.clock.set(Timestamp::from_ms(middle + HOUR_MS));
        self.take(facts.collect()).await
    }

    /// Of the tenant's n-th resource; without a state it is the one that is charged.
    fn fact(&self, tenant: TenantId, n: usize, state: &str, at_ms: i64) -> Fact {
        let (kind, first, attributes) = if n < INSTANCES {
            let flavor = self.flavors[n % FLAVORS].to_string();
            let flavor = ("flavor", Value::Text(flavor));
            ("instance", "running", Attributes::new([flavor, ("disk_gib", DISK_GIB.into())]))
        } else {
            let mut place = n - INSTANCES;
            let kind = OTHERS.iter().find(|kind| {
                let is_it = place < kind.count;
                place = if is_it { place } else { place - kind.count };
                is_it
            });
            let kind = kind.expect("the kinds make up a tenant's resources");
            (kind.name, kind.state, Attributes::new(kind.attribute))
        };
        Fact {
            source: "bench".into(),
            source_id: format!("{tenant}-{n}-{at_ms}"),
            tenant_id: tenant,
            resource: Resource { kind: kind.into(), id: format!("{tenant}-{n}") },
            resource_name: format!("{kind}-{n}"),
            state: if state.is_empty() { first } else { state }.into(),
            attributes,
            at: Timestamp::from_ms(at_ms),
            ordinal: 0,
        }
    }

    async fn take(&self, facts: Vec<Fact>) -> Result<f64> {
        let now = self.clock.now();
        let began = Instant::now();
        stream::iter(facts.chunks(BATCH))
            .map(|batch| async move {
                let mut tx = self.db.begin_write().await?;
                for taken in record_all(&mut tx, now, batch).await? {
                    taken?;
                }
                anyhow::Ok(tx.commit().await?)
            })
            .buffer_unordered(WRITERS)
            .try_collect::<()>()
            .await?;
        Ok(facts.len() as f64 / began.elapsed().as_secs_f64())
    }

    /// Rates all that is due so many hours into the month; seconds that it took.
    pub async fn rate(&self, hours: i64) -> Result<f64> {
        self.clock.set(Timestamp::from_ms(START_MS + hours * HOUR_MS + SETTLE_MS));
        let began = Instant::now();
        let status = self.rating.run().await?.status;
        let took_s = began.elapsed().as_secs_f64();
        let lines = if hours == 0 { 0 } else { TENANTS * LINES };
        ensure!(
            status["lines"] == lines && status["failed"] == serde_json::json!([]),
            "{lines} lines were to be posted, but: {status}"
        );
        Ok(took_s)
    }

    /// What the ledger says after so many hours.
    pub async fn check(&self, hours: i64) -> Result<()> {
        let at = Timestamp::from_ms(START_MS + hours * HOUR_MS);
        let mut conn = self.db.read().await?;
        for tenant in self.tenants.iter().step_by(TENANTS / 10) {
            let balance = accounts::balance(&mut conn, at, *tenant).await?;
            let due = Micros(RICH.0 - hours * hourly());
            ensure!(balance.posted == due, "{tenant} has {}, not {due}", balance.posted);
        }
        Ok(())
    }

    /// Rates the whole month of all, as prices are and as a draft would have them; seconds.
    pub async fn simulate(&self) -> Result<f64> {
        let (from, until) = (START_MS, START_MS + DAYS * DAY_MS);
        let (from, until) = (Timestamp::from_ms(from), Timestamp::from_ms(until));
        let mut tx = self.db.begin_write().await?;
        let document = Some(document(&self.flavors, 2));
        let draft = prices::drafts::create(&mut tx, until, "bench", self.book, document).await?.id;
        tx.commit().await?;
        let ask = Ask { draft, from, until, effective_at: None, tenants: None };
        let mut conn = self.db.begin_snapshot().await?;
        let began = Instant::now();
        let simulated = simulate::simulate(&mut conn, until, &ask).await?;
        let took_s = began.elapsed().as_secs_f64();
        check_simulated(&simulated).map(|()| took_s)
    }
}

/// Each tenant: all hours of the month, but those in which instances stood still.
fn check_simulated(simulated: &Simulation) -> Result<()> {
    let stood = i64::try_from(RESTARTED)? * COMPUTE_PRICE / 1_000;
    let due = Micros(DAYS * 24 * hourly() - stood);
    ensure!(simulated.tenants.len() == TENANTS, "{} tenants", simulated.tenants.len());
    for one in &simulated.tenants {
        let (charged, would_be) = (one.charged, one.simulated);
        let is_right = charged == due && would_be.0 == 2 * due.0;
        ensure!(is_right, "{}: {charged} and {would_be}, of {due}", one.tenant_id);
    }
    Ok(())
}

/// All prices, so many times as high.
fn document(flavors: &[FlavorId], times: i64) -> Document {
    let mut rates: Vec<Rate> = flavors
        .iter()
        .map(|flavor| {
            let (flavor, price) = (flavor.to_string(), Nanos(times * COMPUTE_PRICE));
            let mut rate = Rate::standard(format!("compute-{flavor}"), "instance.compute", price);
            rate.r#where.flavor = Some(flavor);
            rate
        })
        .collect();
    rates.push(Rate::standard("disk", "instance.disk", Nanos(times * DISK_PRICE)));
    rates.extend(
        OTHERS
            .iter()
            .map(|kind| Rate::standard(kind.name, kind.component, Nanos(times * kind.price))),
    );
    Document { rates, ..Document::default() }
}
