//! Stories of an instance, told by reports, on both databases and a clock that stands still.

use std::time::Duration;

use agent::wire::{Failure, HostFacts, Problem};
use base::{
    db::testing,
    id::{BootId, InstanceId},
    money::Micros,
    time::{Clock, ManualClock},
};
use billing::{
    accounts, findings,
    ledger::{self, Recharge},
    prices,
};
use identity::Actor;
use inventory::{flavors, images, operations, quotas};

use super::*;
use crate::{
    desired,
    instances::{Ask, Context, Create, ask, create},
};

mod labels;
mod resize;
mod traffic;

struct Story {
    db: Db,
    clock: ManualClock,
    bus: Bus,
    reports: Reports,
    settings: billing::Settings,
    /// Of instances that are created from here on.
    labels: instances::Labels,
    actor: Actor,
    tenant: TenantId,
    flavor: flavors::Flavor,
    image: images::Image,
    host: HostId,
    boot: BootId,
    journal_since: Timestamp,
    sequence: i64,
}

impl Story {
    async fn begin(db: &Db, topup: &str) -> Self {
        let clock = ManualClock::at(Timestamp::from_ms(1_800_000_000_000));
        let bus = Bus::default();
        let now = clock.now();
        let settings = billing::Settings { min_runway_ms: 60_000, ..Default::default() };
        let mut tx = db.begin_write().await.unwrap();
        let tenant = identity::tenants::create(&mut tx, now, "acme").await.unwrap().id;
        quotas::create_defaults(&mut tx, tenant).await.unwrap();
        let flavor = flavors::create(&mut tx, now, "small", 1, 256, 1).await.unwrap();
        let book = prices::create_book(&mut tx, now, "public", "CNY").await.unwrap();
        let price = prices::Price {
            meter: format!("instance:{}", flavor.id),
            unit_price: "36".parse().unwrap(),
        };
        prices::publish_version(&mut tx, now, book.id, None, &[price]).await.unwrap();
        accounts::open_account(&mut tx, now, &settings, tenant, "CNY", Some(book.id))
            .await
            .unwrap();
        let amount: Micros = topup.parse().unwrap();
        let (provider, provider_id, actor) = ("bank", "first", "system:test");
        let payment =
            Recharge { tenant, amount, provider, provider_id, bonus: None, memo: "", actor };
        ledger::recharge(&mut tx, now, &payment).await.unwrap();
        let new = images::NewImage {
            name: "guest",
            disk_format: images::DiskFormat::Qcow2,
            wants_kernel: false,
            kernel_cmdline: "",
        };
        let image = images::create(&mut tx, now, new).await.unwrap();
        let file = images::File { sha256: "ab".repeat(32), bytes: 7 };
        let image = images::set_file(&mut tx, image.id, images::Part::Disk, file).await.unwrap();
        let host = hosts::create(&mut tx, now, "node1").await.unwrap().id;
        tx.commit().await.unwrap();
        let reports =
            Reports::new(db.clone(), clock.shared(), bus.clone(), GapPolicy::Cheaper, None);
        let access = identity::Access::Member(tenant);
        let actor = Actor { access, ..Actor::system("tenant's user") };
        let boot = BootId::new();
        let mut story = Self {
            db: db.clone(),
            clock,
            bus,
            reports,
            settings,
            labels: Default::default(),
            actor,
            tenant,
            flavor,
            image,
            host,
            boot,
            journal_since: now,
            sequence: 0,
        };
        story.report(vec![], vec![]).await;
        story
    }

    async fn create(&self, name: &str) -> Result<InstanceId> {
        let mut tx = self.db.begin_write().await?;
        let request = Create {
            tenant_id: self.tenant,
            name: name.to_owned(),
            flavor_id: self.flavor.id,
            image_id: self.image.id,
            ssh_key: None,
            user_data: None,
            labels: self.labels.clone(),
        };
        let mut changes = Changes::default();
        let (instance, _) = create(&mut tx, self.context(), request, &mut changes).await?;
        tx.commit().await?;
        self.bus.publish_all(changes);
        Ok(instance.id)
    }

    async fn ask(&self, actor: &Actor, id: InstanceId, what: Ask) -> Result<()> {
        let mut tx = self.db.begin_write().await?;
        let mut changes = Changes::default();
        let ctx = Context { actor, ..self.context() };
        ask(&mut tx, ctx, id, what, &mut changes).await?;
        tx.commit().await?;
        self.bus.publish_all(changes);
        Ok(())
    }

    fn context(&self) -> Context<'_> {
        Context { actor: &self.actor, now: self.clock.now(), billing: &self.settings }
    }

    fn next_report(
        &mut self,
        instances: Vec<ObservedInstance>,
        events: Vec<InstanceEvent>,
    ) -> Report {
        self.sequence += 1;
        Report {
            boot_id: self.boot,
            sequence: self.sequence,
            at: self.clock.now(),
            journal_since: Some(self.journal_since),
            generation: 1,
            host: HostFacts {
                hostname: "node1".into(),
                agent_version: "0".into(),
                hypervisor_ok: true,
                problem: None,
                cpus: 2,
                memory_mib: 2048,
                disk_gib: 100,
                domain_type: Some("qemu".into()),
                libvirt_version: None,
                hypervisor_version: None,
            },
            instances,
            events,
            readings: vec![],
        }
    }

    async fn report(&mut self, instances: Vec<ObservedInstance>, events: Vec<InstanceEvent>) {
        let report = self.next_report(instances, events);
        self.reports.take(self.host, &report).await.unwrap();
    }

    fn seen(&self, id: InstanceId, generation: i64, state: Seen) -> ObservedInstance {
        ObservedInstance {
            id,
            generation,
            state,
            since: self.clock.now(),
            step: None,
            progress_pct: None,
            failure: None,
            addresses: vec![],
            disk_gib: Some(1),
            console_tail: None,
        }
    }

    fn event(&self, id: InstanceId, state: Seen) -> InstanceEvent {
        InstanceEvent {
            id: base::id::UsageEventId::new().0,
            instance_id: id,
            state,
            at: self.clock.now(),
        }
    }

    async fn balance(&self) -> String {
        let mut conn = self.db.read().await.unwrap();
        accounts::balance(&mut conn, self.clock.now(), self.tenant)
            .await
            .unwrap()
            .balance
            .to_string()
    }

    /// Posts all that is accrued.
    async fn rate(&self) {
        let mut tx = self.db.begin_write().await.unwrap();
        billing::rating::post(&mut tx, self.clock.now(), self.tenant).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// The instance's lines as they were posted: how long, how many, and how well that is known.
    async fn lines(&self, id: InstanceId) -> Vec<(i64, i64, String, i64)> {
        sqlx::query_as(
            "SELECT c.to_ms - c.from_ms, c.quantity, c.quality, c.coverage_ppm FROM charges c \
             JOIN rated_keys k ON k.tenant_id = c.tenant_id AND k.key_no = c.key_no \
             WHERE k.resource_id = $1 ORDER BY c.charge_no, c.position",
        )
        .bind(id.to_string())
        .fetch_all(&mut *self.db.read().await.unwrap())
        .await
        .unwrap()
    }

    async fn instance(&self, id: InstanceId) -> Instance {
        instances::get(&mut self.db.read().await.unwrap(), id).await.unwrap()
    }
}

#[tokio::test]
async fn a_report_that_comes_five_times_bills_once() {
    for test in testing::each().await {
        let mut story = Story::begin(&test.db, "10").await;
        let id = story.create("cc").await.unwrap();
        let seen = story.seen(id, 1, Seen::Running);
        let event = story.event(id, Seen::Running);
        let report = story.next_report(vec![seen], vec![event.clone()]);
        for _ in 0..5 {
            let ack = story.reports.take(story.host, &report).await.unwrap();
            assert_eq!(ack.sequence, report.sequence);
        }
        // The agent was killed before it read the acknowledgement: the fact comes with a new boot.
        story.boot = BootId::new();
        story.report(vec![story.seen(id, 1, Seen::Running)], vec![event]).await;
        story.clock.advance(Duration::from_secs(100));
        assert_eq!(story.balance().await, "9.000000");
        assert_eq!(story.instance(id).await.state, InstanceState::Running);

        let (seen, event) = (story.seen(id, 1, Seen::Stopped), story.event(id, Seen::Stopped));
        story.report(vec![seen], vec![event]).await;
        story.clock.advance(Duration::from_secs(100));
        assert_eq!(story.balance().await, "9.000000", "stopped: no more flavor");
    }
}

#[tokio::test]
async fn no_money_no_instance_and_nothing_is_taken() {
    for test in testing::each().await {
        let story = Story::begin(&test.db, "0.59").await;
        let error = story.create("cc").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::PaymentRequired, "{error}");
        let mut conn = test.db.read().await.unwrap();
        assert!(quotas::list(&mut conn, story.tenant).await.unwrap().iter().all(|q| q.used == 0));
        assert_eq!(hosts::get(&mut conn, story.host).await.unwrap().memory_mib_placed, 0);
        let all = operations::Filter { limit: 10, ..Default::default() };
        assert_eq!(operations::list(&mut conn, &all).await.unwrap(), []);
        assert_eq!(desired::snapshot(&mut conn, story.host, 0).await.unwrap().instances, []);
    }
}

#[tokio::test]
async fn what_is_not_the_tenants_does_not_exist_for_it_and_a_lock_is_an_operators() {
    for test in testing::each().await {
        let mut story = Story::begin(&test.db, "10").await;
        let id = story.create("cc").await.unwrap();
        let stranger =
            Actor { access: identity::Access::Member(TenantId::new()), ..Actor::system("x") };
        for what in [Ask::Start, Ask::Stop, Ask::Delete, Ask::Lock] {
            let error = story.ask(&stranger, id, what).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::NotFound, "{what:?}");
        }
        let own = story.actor.clone();
        assert_eq!(story.ask(&own, id, Ask::Lock).await.unwrap_err().kind, ErrorKind::Forbidden);
        story.ask(&Actor::system("operator"), id, Ask::Lock).await.unwrap();
        assert_eq!(story.ask(&own, id, Ask::Start).await.unwrap_err().kind, ErrorKind::Conflict);
        story.report(vec![story.seen(id, 2, Seen::Stopped)], vec![]).await;
        story.ask(&Actor::system("operator"), id, Ask::Unlock).await.unwrap();
        let wanted = desired::snapshot(&mut test.db.read().await.unwrap(), story.host, 0).await;
        assert_eq!(wanted.unwrap().instances[0].power, agent::wire::Power::Running);
    }
}

#[tokio::test]
async fn an_agent_speaks_only_for_its_own_host() {
    for test in testing::each().await {
        let mut story = Story::begin(&test.db, "10").await;
        let id = story.create("cc").await.unwrap();
        let mut tx = test.db.begin_write().await.unwrap();
        let other = hosts::create(&mut tx, story.clock.now(), "node2").await.unwrap().id;
        tx.commit().await.unwrap();
        let (seen, event) = (story.seen(id, 1, Seen::Running), story.event(id, Seen::Running));
        let report = story.next_report(vec![seen], vec![event]);
        story.reports.take(other, &report).await.unwrap();
        assert_eq!(story.instance(id).await.state, InstanceState::Pending);
        story.clock.advance(Duration::from_secs(100));
        assert_eq!(story.balance().await, "10.000000");
    }
}

#[tokio::test]
async fn a_hypervisor_that_does_not_answer_makes_unknown_and_billing_goes_on() {
    for test in testing::each().await {
        let mut story = Story::begin(&test.db, "10").await;
        let id = story.create("cc").await.unwrap();
        let (seen, event) = (story.seen(id, 1, Seen::Running), story.event(id, Seen::Running));
        story.report(vec![seen], vec![event]).await;
        let since = story.instance(id).await.since;
        story.clock.advance(Duration::from_secs(50));
        let mut report = story.next_report(vec![story.seen(id, 1, Seen::Unknown)], vec![]);
        report.host.hypervisor_ok = false;
        report.host.problem =
            Some(Problem { reason: "libvirt does not answer".into(), remedy: "start it".into() });
        story.reports.take(story.host, &report).await.unwrap();
        let mut conn = test.db.read().await.unwrap();
        let host = hosts::get(&mut conn, story.host).await.unwrap();
        assert_eq!(
            (host.hypervisor_ok, host.reason.as_deref()),
            (false, Some("libvirt does not answer"))
        );
        assert_eq!(host.facts.cpus, 2, "the figures stay");
        drop(conn);
        assert_eq!(story.instance(id).await.state, InstanceState::Unknown);
        story.clock.advance(Duration::from_secs(50));
        assert_eq!(story.balance().await, "9.000000");
        let mut back = story.seen(id, 1, Seen::Running);
        back.since = since.unwrap();
        story.report(vec![back], vec![]).await;
        assert_eq!(story.instance(id).await.state, InstanceState::Running);
    }
}

#[tokio::test]
async fn a_build_that_fails_for_good_is_cleared_away_and_costs_nothing() {
    for test in testing::each().await {
        let mut story = Story::begin(&test.db, "10").await;
        let id = story.create("cc").await.unwrap();
        let failure =
            Failure { code: "image_unavailable".into(), message: "no".into(), permanent: true };
        let failed = ObservedInstance { failure: Some(failure), ..story.seen(id, 1, Seen::Failed) };
        story.report(vec![failed], vec![]).await;
        let mut conn = test.db.read().await.unwrap();
        let wanted = desired::snapshot(&mut conn, story.host, 0).await.unwrap();
        assert_eq!(wanted.instances[0].power, agent::wire::Power::Absent);
        assert!(quotas::list(&mut conn, story.tenant).await.unwrap().iter().all(|q| q.used == 0));
        drop(conn);
        story.report(vec![story.seen(id, 1, Seen::Absent)], vec![]).await;
        assert_eq!(story.instance(id).await.error.as_deref(), Some("no"));
        assert_eq!(story.balance().await, "10.000000");
    }
}

#[tokio::test]
async fn the_long_poll_answers_what_is_newer_and_wakes_for_a_change() {
    for test in testing::each().await {
        let story = Story::begin(&test.db, "10").await;
        let (db, bus, host) = (&test.db, &story.bus, story.host);
        let now = desired::wait(db, bus, host, 0, Duration::ZERO, 0).await.unwrap();
        let generation = now.expect("newer than 0: answered without a wait").generation;
        let long = desired::wait(db, bus, host, generation, Duration::from_secs(30), 0);
        let (woken, made) = tokio::join!(long, story.create("cc"));
        let woken = woken.unwrap().expect("woken by the change, not by the end of the wait");
        assert_eq!(woken.instances[0].id, made.unwrap());
        assert!(woken.generation > generation);
        let none =
            desired::wait(db, bus, host, woken.generation, Duration::from_millis(50), 0).await;
        assert_eq!(none.unwrap(), None);
    }
}

/// Stopped at an instant that nobody knows: the agent's journal was lost before it had told.
#[tokio::test]
async fn what_an_agents_journal_lost_is_a_gap() {
    for test in testing::each().await {
        let mut story = Story::begin(&test.db, "10").await;
        let ids = [story.create("a").await.unwrap(), story.create("b").await.unwrap()];
        let all = |story: &Story, state| {
            let seen = ids.map(|id| story.seen(id, 1, state)).to_vec();
            (seen, ids.map(|id| story.event(id, state)).to_vec())
        };
        let (seen, events) = all(&story, Seen::Running);
        story.report(seen, events).await;
        story.clock.advance(Duration::from_secs(100));
        story.report(vec![], vec![]).await;
        assert_eq!(story.balance().await, "8.000000");
        // Another journal, whose first report knows nothing yet; what both used so far is posted.
        story.clock.advance(Duration::from_secs(50));
        story.rate().await;
        let [first, second] = [story.lines(ids[0]).await, story.lines(ids[1]).await];
        let whole = |ms, quantity| (ms, quantity, "observed".to_owned(), 1_000_000);
        assert_eq!((&first, &second), (&vec![whole(150_000, 1)], &vec![whole(150_000, 1)]));
        (story.boot, story.journal_since) = (BootId::new(), story.clock.now());
        story.report(vec![], vec![]).await;
        story.clock.advance(Duration::from_secs(50));
        let (seen, events) = all(&story, Seen::Stopped);
        story.report(vec![seen[0].clone()], vec![events[0].clone()]).await;
        let list = async |story: &Story| {
            let mut conn = story.db.read().await.unwrap();
            let all = lost::list(&mut conn, false).await.unwrap();
            all.into_iter().map(|g| (g.resource_id, g.from, g.to, g.state)).collect::<Vec<_>>()
        };
        let from = story.clock.now().saturating_add_ms(-100_000);
        let gap = (ids[0].to_string(), from, story.clock.now(), "stopped".to_owned());
        assert_eq!(list(&story).await, std::slice::from_ref(&gap));
        // Stopped costs less: the one is charged for 100 s, the other runs on.
        assert_eq!(story.balance().await, "7.000000");
        // What is taken back of the one is an estimate.
        story.rate().await;
        let guessed = |ms, quantity| (ms, quantity, "estimated".to_owned(), 0);
        assert_eq!(story.lines(ids[0]).await[1..], [guessed(50_000, -1)]);
        // Told again, and once more by the same journal later on: no other gap.
        story.report(vec![seen[0].clone()], vec![events[0].clone()]).await;
        story.clock.advance(Duration::from_secs(10));
        let later = story.event(ids[0], Seen::Running);
        story.report(vec![story.seen(ids[0], 1, Seen::Running)], vec![later]).await;
        assert_eq!(list(&story).await, [gap]);
        // The other ran all along: that it did since it was last told of is an estimate, of as much.
        story.rate().await;
        let balance = story.balance().await;
        let running = story.event(ids[1], Seen::Running);
        story.report(vec![story.seen(ids[1], 1, Seen::Running)], vec![running]).await;
        story.rate().await;
        assert_eq!(story.balance().await, balance);
        let lines = story.lines(ids[1]).await;
        let pairs = &lines[lines.len() - 2..];
        assert_eq!(pairs, [whole(110_000, -1), guessed(110_000, 1)]);
    }
}

/// Its clock has no battery, and says a day of months ago until it is set.
#[tokio::test]
async fn nothing_is_charged_from_before_an_instance_was_created() {
    for test in testing::each().await {
        let mut story = Story::begin(&test.db, "10").await;
        // There are prices already.
        story.clock.advance(Duration::from_secs(500));
        let id = story.create("cc").await.unwrap();
        story.clock.advance(Duration::from_secs(5));
        let at = story.clock.now().saturating_add_ms(-90 * 86_400_000);
        let event = InstanceEvent { at, ..story.event(id, Seen::Running) };
        story.report(vec![story.seen(id, 1, Seen::Running)], vec![event.clone()]).await;
        story.clock.advance(Duration::from_secs(95));
        assert_eq!(story.balance().await, "9.000000");
        // Told again by another boot it is the same fact.
        story.boot = BootId::new();
        story.report(vec![], vec![event]).await;
        assert_eq!(story.balance().await, "9.000000");
        let mut conn = test.db.read().await.unwrap();
        assert_eq!(findings::list(&mut conn, true).await.unwrap(), []);
    }
}

/// Its agent tells it no more: what runs unbilled is told to the operators.
#[tokio::test]
async fn a_fact_that_is_refused_is_a_finding_and_holds_nothing_up() {
    for test in testing::each().await {
        let mut story = Story::begin(&test.db, "10").await;
        let named = story.create(&"\u{1F985}".repeat(64)).await.unwrap();
        let broken = story.create("broken").await.unwrap();
        let mut tx = test.db.begin_write().await.unwrap();
        sqlx::query("UPDATE instances SET name = $1 WHERE id = $2")
            .bind("x".repeat(1_000))
            .bind(broken.to_string())
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let events = [broken, named].map(|id| story.event(id, Seen::Running));
        story.report(vec![], events.to_vec()).await;
        story.clock.advance(Duration::from_secs(100));
        assert_eq!(story.balance().await, "9.000000", "the one of 256 bytes");
        let mut conn = test.db.read().await.unwrap();
        let [found] = findings::list(&mut conn, false).await.unwrap().try_into().unwrap();
        let subject = format!("agent/{}", events[0].id);
        assert_eq!((found.kind.as_str(), found.subject), ("usage_refused", subject));
        assert!(found.detail.contains(&broken.to_string()), "{}", found.detail);
    }
}

/// An agent that begins, or that is brought up to date, has lost nothing.
#[tokio::test]
async fn a_first_journal_is_no_gap() {
    for test in testing::each().await {
        let mut story = Story::begin(&test.db, "10").await;
        let id = story.create("a").await.unwrap();
        let first = story.event(id, Seen::Running);
        let old = Report { journal_since: None, ..story.next_report(vec![], vec![first]) };
        story.reports.take(story.host, &old).await.unwrap();
        story.clock.advance(Duration::from_secs(100));
        let event = story.event(id, Seen::Stopped);
        story.report(vec![story.seen(id, 1, Seen::Stopped)], vec![event]).await;
        let mut conn = test.db.read().await.unwrap();
        assert_eq!(lost::list(&mut conn, true).await.unwrap(), []);
    }
}
