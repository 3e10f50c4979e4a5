//! A tenant with prices and a clock, on each database.

use base::{
    Result,
    bus::Bus,
    db::{
        Conn, Db,
        testing::{TestDb, each},
    },
    id::{FlavorId, ImageId, InstanceId, PriceBookId, TenantId},
    money::{Micros, Nanos},
    reconcile::{Outcome, Reconciler},
    time::{Clock, ManualClock, Timestamp},
};
use identity::Actor;
use inventory::{
    hosts, images,
    instances::{self, NewInstance},
    quotas::{self, Amounts},
};

use crate::{
    Settings,
    accounts::{self, Balance},
    counters, explain,
    ledger::{self, Recharge},
    meter,
    prices::{self, Price},
    rating::{self, Posted, RatingReconciler},
    replay::sound,
    standing::StandingReconciler,
    usage::{self, Fact, Recorded, Resource, ResourceState, rebuild::Mode},
};

/// Lines that a check of a world explains.
const EXPLAINED: usize = 20;

pub struct World {
    _test: TestDb,
    pub db: Db,
    pub clock: ManualClock,
    pub bus: Bus,
    pub settings: Settings,
    pub tenant: TenantId,
    pub book: PriceBookId,
    pub small: FlavorId,
    pub large: FlavorId,
}

/// An instant of the day of the tests, in Shanghai: `10:25`, `10:25:30` or `10:25:30.125`.
pub fn at(time: &str) -> Timestamp {
    let time = if time.len() == 5 { format!("{time}:00") } else { time.to_owned() };
    format!("2026-10-15T{time}+08:00").parse().expect("a time of day")
}

pub fn micros(text: &str) -> Micros {
    text.parse().expect("an amount")
}

pub fn nanos(text: &str) -> Nanos {
    text.parse().expect("a price")
}

/// One instance, as its events tell of it.
#[derive(Debug, Clone)]
pub struct Guest {
    pub id: String,
    pub name: String,
    pub tenant: TenantId,
    pub flavor: FlavorId,
    pub disk_gib: i64,
}

impl World {
    /// On each database: midnight, a tenant with an account and an empty price book, two flavors.
    pub async fn each() -> Vec<Self> {
        Self::each_from(at("00:00")).await
    }

    pub async fn each_from(start: Timestamp) -> Vec<Self> {
        let mut worlds = Vec::new();
        for test in each().await {
            worlds.push(Self::new(test, start).await);
        }
        worlds
    }

    async fn new(test: TestDb, start: Timestamp) -> Self {
        let db = test.db.clone();
        let settings = Settings::default();
        let mut tx = db.begin_write().await.unwrap();
        let tenant = identity::tenants::create(&mut tx, start, "acme").await.unwrap().id;
        let book = prices::create_book(&mut tx, start, "standard", "CNY").await.unwrap().id;
        accounts::open_account(&mut tx, start, &settings, tenant, "CNY", Some(book)).await.unwrap();
        let small =
            inventory::flavors::create(&mut tx, start, "small", 1, 512, 1).await.unwrap().id;
        let large =
            inventory::flavors::create(&mut tx, start, "large", 2, 1024, 1).await.unwrap().id;
        tx.commit().await.unwrap();
        Self {
            _test: test,
            db,
            clock: ManualClock::at(start),
            bus: Bus::default(),
            settings,
            tenant,
            book,
            small,
            large,
        }
    }

    /// In one write transaction, which is rolled back where it fails.
    pub async fn write<T>(&self, f: impl AsyncFnOnce(&mut Conn) -> Result<T>) -> Result<T> {
        let mut tx = self.db.begin_write().await?;
        let done = f(&mut tx).await?;
        tx.commit().await?;
        Ok(done)
    }

    pub async fn read<T>(&self, f: impl AsyncFnOnce(&mut Conn) -> Result<T>) -> T {
        let mut conn = self.db.read().await.unwrap();
        f(&mut conn).await.unwrap()
    }

    pub async fn scalar(&self, sql: &'static str) -> i64 {
        let mut conn = self.db.read().await.unwrap();
        sqlx::query_scalar::<_, Option<i64>>(sql).fetch_one(&mut *conn).await.unwrap().unwrap_or(0)
    }

    pub async fn publish(&self, from: Timestamp, prices: &[(String, &str)]) {
        let prices: Vec<Price> = prices
            .iter()
            .map(|(meter, price)| Price { meter: meter.clone(), unit_price: nanos(price) })
            .collect();
        self.write(async |tx| {
            prices::publish_version(tx, self.clock.now(), self.book, Some(from), &prices).await
        })
        .await
        .unwrap();
    }

    /// The small flavor's price, from midnight on.
    pub async fn price_small(&self, price: &str) {
        self.publish(self.clock.now(), &[(meter::instance(self.small), price)]).await;
    }

    /// Both flavors' prices, from midnight on.
    pub async fn price_both(&self, small: &str, large: &str) {
        let prices = [(meter::instance(self.small), small), (meter::instance(self.large), large)];
        self.publish(at("00:00"), &prices).await;
    }

    /// Without a disk, so that the flavor alone is charged.
    pub fn guest(&self, name: &str) -> Guest {
        Guest {
            id: InstanceId::new().to_string(),
            name: name.to_owned(),
            tenant: self.tenant,
            flavor: self.small,
            disk_gib: 0,
        }
    }

    pub fn event(&self, guest: &Guest, state: ResourceState, at: Timestamp) -> Fact {
        Fact {
            source: "test".to_owned(),
            source_id: uuid_like(),
            tenant_id: guest.tenant,
            resource: Resource { kind: "instance".to_owned(), id: guest.id.clone() },
            resource_name: guest.name.clone(),
            state: state.as_str().to_owned(),
            attributes: meter::attributes(guest.flavor, guest.disk_gib),
            at,
            ordinal: 0,
        }
    }

    pub async fn record(&self, now: Timestamp, fact: &Fact) -> Result<Recorded> {
        self.write(async |tx| usage::record(tx, now, fact).await).await
    }

    /// Reported in the instant it happens.
    pub async fn seen(&self, guest: &Guest, state: ResourceState, at: Timestamp) {
        self.record(at, &self.event(guest, state, at)).await.unwrap();
    }

    pub async fn post(&self, now: Timestamp) -> Posted {
        self.write(async |tx| rating::post(tx, now, self.tenant).await).await.unwrap()
    }

    pub async fn topup(&self, now: Timestamp, amount: &str) {
        let id = uuid_like();
        self.write(async |tx| ledger::recharge(tx, now, &self.payment(amount, &id)).await)
            .await
            .unwrap();
    }

    /// What a bank says came in.
    pub fn payment<'a>(&self, amount: &str, id: &'a str) -> Recharge<'a> {
        Recharge {
            tenant: self.tenant,
            amount: micros(amount),
            provider: "bank",
            provider_id: id,
            bonus: None,
            memo: "",
            actor: "system:test",
        }
    }

    pub async fn balance(&self, at: Timestamp) -> Balance {
        self.read(async |conn| accounts::balance(conn, at, self.tenant).await).await
    }

    /// Time comes to `now`, and rating runs until nothing is due.
    pub async fn rate(&self, now: Timestamp) {
        self.clock.set(now);
        let rating = RatingReconciler::new(self.db.clone(), self.clock.shared(), self.bus.clone());
        for _ in 0..100 {
            let outcome = rating.run().await.unwrap();
            assert_eq!(outcome.status["failed"], serde_json::json!([]));
            if outcome.wake_at.is_none_or(|at| at.since_ms(now) > 1_000) {
                return;
            }
        }
        panic!("rating finds no end");
    }

    /// Time comes to `now`, and standing runs once.
    pub async fn stand(&self, now: Timestamp) -> Outcome {
        self.clock.set(now);
        let standing = StandingReconciler::new(
            self.db.clone(),
            self.clock.shared(),
            self.bus.clone(),
            self.settings.clone(),
        );
        let outcome = standing.run().await.unwrap();
        assert_eq!(outcome.status["failed"], serde_json::json!([]));
        outcome
    }

    /// The rated lines: from, to (ms), quantity, micros, in order of posting.
    pub async fn lines(&self) -> Vec<(Timestamp, Timestamp, i64, Micros)> {
        let mut conn = self.db.read().await.unwrap();
        let rows: Vec<(i64, i64, i64, i64)> = sqlx::query_as(
            "SELECT from_ms, to_ms, quantity, net + tax FROM charges \
             ORDER BY tenant_id, charge_no, position",
        )
        .fetch_all(&mut *conn)
        .await
        .unwrap();
        let ms = Timestamp::from_ms;
        rows.into_iter().map(|(f, t, q, a)| (ms(f), ms(t), q, Micros(a))).collect()
    }

    pub async fn subjects(&self) -> Vec<String> {
        let mut conn = self.db.read().await.unwrap();
        sqlx::query_scalar("SELECT subject FROM notices ORDER BY created_ms, id")
            .fetch_all(&mut *conn)
            .await
            .unwrap()
    }

    /// Until a transaction waits for another's lock, or the one that may is done.
    pub async fn until_somebody_waits(&self, is_done: impl Fn() -> bool) {
        base::db::testing::until_somebody_waits(&self.db, is_done).await;
    }

    /// Image, host and quota, so that instances can be.
    pub async fn with_host(&self) -> ImageId {
        self.write(async |tx| {
            quotas::create_defaults(tx, self.tenant).await?;
            let new = images::NewImage {
                name: "cirros",
                disk_format: images::DiskFormat::Qcow2,
                wants_kernel: false,
                kernel_cmdline: "",
            };
            let image = images::create(tx, at("00:00"), new).await?.id;
            let host = hosts::create(tx, at("00:00"), "node1").await?.id;
            let seen = hosts::Observation {
                generation: 0,
                hypervisor_ok: true,
                reason: None,
                remedy: None,
                facts: hosts::HostFacts {
                    cpus: 8,
                    memory_mib: 8192,
                    disk_gib: 100,
                    ..Default::default()
                },
            };
            hosts::observe(tx, at("00:00"), host, &seen).await?;
            Ok(image)
        })
        .await
        .unwrap()
    }

    /// Wanted running since nine.
    pub async fn create(&self, image: ImageId, name: &str) -> InstanceId {
        let new = NewInstance {
            tenant_id: self.tenant,
            name: name.to_owned(),
            flavor_id: self.small,
            amounts: Amounts { vcpus: 1, memory_mib: 512, disk_gib: 1 },
            image_id: image,
            ssh_key: None,
            user_data: None,
            labels: Default::default(),
        };
        self.write(async |tx| instances::create(tx, at("09:00"), &Actor::system("test"), new).await)
            .await
            .unwrap()
            .0
            .id
    }

    /// The ledger keeps all of its invariants, and lines from all over it come to what was posted when
    /// they are computed again.
    pub async fn assert_sound(&self) {
        let faults = sound::faults(&self.db).await.unwrap();
        assert!(faults.is_empty(), "{faults:?}");
        let proved = counters::rebuild::rebuild(&self.db, self.clock.now(), Mode::Check).await;
        assert_eq!(proved.unwrap().differences, [], "deltas that follow from no reading");
        let mut snapshot = self.db.begin_snapshot().await.unwrap();
        let all = explain::Wanted::default();
        let lines = explain::list(&mut snapshot, self.tenant, &all).await.unwrap().items;
        for line in lines.iter().step_by(lines.len() / EXPLAINED + 1) {
            let explained = explain::explain(&mut snapshot, line.id, 0).await.unwrap();
            assert!(explained.equal || explained.pending, "{explained:#?}");
        }
    }
}

/// Unique, as a source's ids are.
pub fn uuid_like() -> String {
    base::id::UsageEventId::new().to_string()
}
