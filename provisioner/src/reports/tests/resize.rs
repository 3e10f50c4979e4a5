//! An instance becomes another flavor: refused without money, billed from when its host has done it.

use base::bus::Change;
use billing::{
    admission::{self, Component},
    kinds::Attributes,
    meter,
    usage::spans,
};
use serde_json::json;
use tokio::sync::broadcast::Receiver;

use super::*;
use crate::resize::resize;

impl Story {
    /// A larger flavor, with 3 GiB of disk: 72 an hour while it runs (36 is the small one's), a GiB 3.6.
    async fn large(&self) -> flavors::Flavor {
        let now = self.clock.now();
        let mut tx = self.db.begin_write().await.unwrap();
        let large = flavors::create(&mut tx, now, "large", 2, 512, 3).await.unwrap();
        let book: String =
            sqlx::query_scalar("SELECT id FROM price_books").fetch_one(&mut *tx).await.unwrap();
        let book = book.parse().unwrap();
        let prices = [
            (format!("instance:{}", self.flavor.id), "36"),
            (format!("instance:{}", large.id), "72"),
            ("disk_gib".to_owned(), "3.6"),
        ];
        let prices = prices
            .map(|(meter, price)| prices::Price { meter, unit_price: price.parse().unwrap() });
        prices::publish_version(&mut tx, now, book, None, &prices).await.unwrap();
        tx.commit().await.unwrap();
        large
    }

    async fn resize(&self, id: InstanceId, to: &flavors::Flavor) -> Result<()> {
        self.resize_by(&self.actor, id, to).await
    }

    async fn resize_by(&self, actor: &Actor, id: InstanceId, to: &flavors::Flavor) -> Result<()> {
        let mut tx = self.db.begin_write().await?;
        let ctx = Context { actor, ..self.context() };
        resize(&mut tx, ctx, id, to.id, &mut Changes::default()).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn lives(&mut self, id: InstanceId, generation: i64, state: Seen) {
        let event = self.event(id, state);
        self.report(vec![self.seen(id, generation, state)], vec![event]).await;
    }

    /// One that was stopped after it had run, at second 0.
    async fn stopped(&mut self) -> InstanceId {
        let id = self.create("cc").await.unwrap();
        self.lives(id, 1, Seen::Running).await;
        let own = self.actor.clone();
        self.ask(&own, id, Ask::Stop).await.unwrap();
        self.lives(id, 2, Seen::Stopped).await;
        id
    }

    fn grown(&self, id: InstanceId, generation: i64, state: Seen) -> ObservedInstance {
        ObservedInstance { disk_gib: Some(3), ..self.seen(id, generation, state) }
    }

    /// What the host is told of its one instance.
    async fn wanted(&self) -> agent::wire::DesiredInstance {
        let mut conn = self.db.read().await.unwrap();
        desired::snapshot(&mut conn, self.host, 0).await.unwrap().instances.remove(0)
    }

    /// What it is billed as: seconds since the story began, its state, and its disk.
    async fn phases(&self, id: InstanceId) -> Vec<String> {
        let mut conn = self.db.read().await.unwrap();
        let resource = Resource { kind: "instance".to_owned(), id: id.to_string() };
        let all = spans::of_resource(&mut conn, &resource).await.unwrap();
        let shown = |span: spans::Span| {
            let attributes = Attributes::parse(&span.attributes).unwrap();
            let flavor = attributes.text("flavor").unwrap().to_owned();
            let size = if flavor == self.flavor.id.to_string() { "small" } else { "large" };
            let s = (span.from_ms - 1_800_000_000_000) / 1_000;
            format!("{s} {} {size} {}", span.state, attributes.count("disk_gib").unwrap())
        };
        all.into_iter().map(shown).collect()
    }

    /// Whether there is money for so large a disk more.
    async fn admits_gib(&self, quantity: i64) -> bool {
        let disk = Component { meter: meter::DISK_GIB.to_owned(), quantity };
        let mut tx = self.db.begin_write().await.unwrap();
        let now = self.clock.now();
        admission::admit(&mut tx, now, &self.settings, self.tenant, &[disk]).await.is_ok()
    }

    async fn operation(&self, id: InstanceId) -> (String, operations::OperationState) {
        let mut conn = self.db.read().await.unwrap();
        let target_id = Some(id.to_string());
        let filter = operations::Filter { target_id, limit: 1, ..Default::default() };
        let last = operations::list(&mut conn, &filter).await.unwrap().remove(0);
        (last.kind, last.state)
    }
}

#[tokio::test]
async fn what_grew_is_billed_from_when_it_had_grown() {
    for test in testing::each().await {
        let mut story = Story::begin(&test.db, "10").await;
        let large = story.large().await;
        let id = story.stopped().await;
        story.clock.advance(Duration::from_secs(100));
        story.resize(id, &large).await.unwrap();
        let wanted = story.wanted().await;
        assert_eq!((wanted.vcpus, wanted.memory_mib, wanted.disk_gib), (2, 512, 3));

        // The host has heard of it, and not done it.
        story.clock.advance(Duration::from_secs(10));
        story.report(vec![story.seen(id, 3, Seen::Stopped)], vec![]).await;
        assert_eq!(story.instance(id).await.flavor_id, story.flavor.id);
        assert_eq!(story.operation(id).await.1, operations::OperationState::Running);
        // A disk that grew, told by one who answers to what was before the ask, proves nothing.
        story.report(vec![story.grown(id, 2, Seen::Stopped)], vec![]).await;
        // Nor does a hypervisor that does not answer, or a guest that somebody started by hand.
        for state in [Seen::Unknown, Seen::Running] {
            story.report(vec![story.grown(id, 3, state)], vec![]).await;
        }
        assert_eq!(story.instance(id).await.flavor_id, story.flavor.id);

        story.clock.advance(Duration::from_secs(10));
        let report = story.next_report(vec![story.grown(id, 3, Seen::Stopped)], vec![]);
        story.clock.advance(Duration::from_secs(5));
        story.reports.take(story.host, &report).await.unwrap();
        let done = story.instance(id).await;
        assert_eq!((done.flavor_id, done.amounts, done.resize), (large.id, large.amounts(), None));
        let resized = ("instance.resize".to_owned(), operations::OperationState::Succeeded);
        assert_eq!(story.operation(id).await, resized);
        assert_eq!(story.phases(id).await, ["0 stopped small 1", "120 stopped large 3"]);
        // A GiB and second 0.001: 120 of one, 100 of three.
        story.clock.advance(Duration::from_secs(95));
        assert_eq!(story.balance().await, "9.580000");

        let own = story.actor.clone();
        story.ask(&own, id, Ask::Start).await.unwrap();
        let event = story.event(id, Seen::Running);
        story.report(vec![story.grown(id, 4, Seen::Running)], vec![event]).await;
        story.clock.advance(Duration::from_secs(100));
        assert_eq!(story.balance().await, "7.280000", "0.02 a second for the machine");
    }
}

#[tokio::test]
async fn what_is_started_before_its_host_had_grown_it_waits_for_that() {
    for test in testing::each().await {
        let mut story = Story::begin(&test.db, "10").await;
        let large = story.large().await;
        let id = story.stopped().await;
        story.clock.advance(Duration::from_secs(100));
        story.resize(id, &large).await.unwrap();
        let own = story.actor.clone();
        story.ask(&own, id, Ask::Start).await.unwrap();
        assert_eq!(story.wanted().await.power, agent::wire::Power::Stopped);
        story.clock.advance(Duration::from_secs(10));
        let report = story.next_report(vec![story.grown(id, 4, Seen::Stopped)], vec![]);
        let heard = story.bus.subscribe();
        for _ in 0..2 {
            story.reports.take(story.host, &report).await.unwrap();
        }
        assert!(tells(heard, Topic::Operation), "an open page does not show that it is resized");
        let wanted = story.wanted().await;
        assert_eq!((wanted.power, wanted.vcpus), (agent::wire::Power::Running, 2));
        story.clock.advance(Duration::from_secs(10));
        story.lives(id, 4, Seen::Running).await;
        let phases = ["0 stopped small 1", "110 stopped large 3", "120 running large 3"];
        assert_eq!(story.phases(id).await, phases);
    }
}

#[tokio::test]
async fn what_its_host_gives_up_stays_what_it_is_and_may_run_again() {
    for test in testing::each().await {
        // A minute of the large one, and little more.
        let mut story = Story::begin(&test.db, "1.5").await;
        let large = story.large().await;
        let id = story.stopped().await;
        story.resize(id, &large).await.unwrap();
        let heard = story.bus.subscribe();
        let full = Failure {
            code: "disk_full".to_owned(),
            message: "No space left on device".to_owned(),
            permanent: true,
        };
        let failed = ObservedInstance { failure: Some(full), ..story.seen(id, 3, Seen::Failed) };
        story.report(vec![failed.clone()], vec![]).await;
        let resized = ("instance.resize".to_owned(), operations::OperationState::Failed);
        assert_eq!(story.operation(id).await, resized);
        let wanted = story.wanted().await;
        assert_eq!((wanted.generation, wanted.vcpus, wanted.disk_gib), (4, 1, 1));
        assert!(
            tells(heard, Topic::HostDesired),
            "its agent waits for a minute before it asks again"
        );
        // Nothing of the large one is promised any more.
        assert!(story.admits_gib(24).await);

        // The host repeats what it said until it has heard that something else is wanted now.
        let own = story.actor.clone();
        story.ask(&own, id, Ask::Start).await.unwrap();
        story.report(vec![failed], vec![]).await;
        let started = ("instance.start".to_owned(), operations::OperationState::Running);
        assert_eq!(story.operation(id).await, started);
        story.clock.advance(Duration::from_secs(10));
        story.lives(id, 5, Seen::Running).await;
        assert_eq!(story.instance(id).await.error, None);
        assert_eq!(story.phases(id).await, ["0 stopped small 1", "10 running small 1"]);
    }
}

/// Whether one of the changes is of this.
fn tells(mut heard: Receiver<Change>, topic: Topic) -> bool {
    std::iter::from_fn(|| heard.try_recv().ok()).any(|change| change.topic == topic)
}

#[tokio::test]
async fn a_resize_waits_for_the_stop_to_be_told() {
    for test in testing::each().await {
        let mut story = Story::begin(&test.db, "10").await;
        let large = story.large().await;
        let id = story.create("cc").await.unwrap();
        story.lives(id, 1, Seen::Running).await;
        let own = story.actor.clone();
        story.ask(&own, id, Ask::Stop).await.unwrap();
        // More waited than one report carries: it shows the stop, and does not tell of it yet.
        let event = story.event(id, Seen::Stopped);
        story.report(vec![story.seen(id, 2, Seen::Stopped)], vec![]).await;
        story.clock.advance(Duration::from_secs(100));
        story.resize(id, &large).await.unwrap();
        story.report(vec![story.grown(id, 3, Seen::Stopped)], vec![]).await;
        assert_eq!(story.phases(id).await, ["0 running small 1"]);
        assert_eq!(story.instance(id).await.flavor_id, story.flavor.id);
        story.clock.advance(Duration::from_secs(10));
        story.report(vec![story.grown(id, 3, Seen::Stopped)], vec![event]).await;
        assert_eq!(story.phases(id).await, ["0 stopped small 1", "110 stopped large 3"]);
    }
}

#[tokio::test]
async fn a_host_whose_clock_is_behind_brings_no_growth_from_before_the_ask() {
    for test in testing::each().await {
        let mut story = Story::begin(&test.db, "10").await;
        let large = story.large().await;
        let id = story.stopped().await;
        story.clock.advance(Duration::from_secs(100));
        story.resize(id, &large).await.unwrap();
        let mut report = story.next_report(vec![story.grown(id, 3, Seen::Stopped)], vec![]);
        report.at = report.at.saturating_add_ms(-50_000);
        story.clock.advance(Duration::from_secs(10));
        story.reports.take(story.host, &report).await.unwrap();
        assert_eq!(story.phases(id).await, ["0 stopped small 1", "100 stopped large 3"]);
    }
}

#[tokio::test]
async fn a_disk_of_the_same_size_needs_no_agent_that_tells_of_it() {
    for test in testing::each().await {
        let mut story = Story::begin(&test.db, "10").await;
        let id = story.stopped().await;
        let mut tx = test.db.begin_write().await.unwrap();
        let now = story.clock.now();
        let other = flavors::create(&mut tx, now, "other", 2, 256, 1).await.unwrap();
        tx.commit().await.unwrap();
        story.resize(id, &other).await.unwrap();
        let old = ObservedInstance { disk_gib: None, ..story.seen(id, 3, Seen::Stopped) };
        story.report(vec![old], vec![]).await;
        assert_eq!(story.instance(id).await.flavor_id, other.id);
    }
}

#[tokio::test]
async fn a_resize_needs_money_for_it_as_it_will_run_and_takes_nothing_without() {
    for test in testing::each().await {
        // A minute of the large one: 1.2 for the machine, 0.18 for its disk.
        let mut story = Story::begin(&test.db, "1.38").await;
        let large = story.large().await;
        let id = story.stopped().await;
        story.resize_by(&Actor::system("operator"), id, &large).await.unwrap();
        // What its disk is becoming is promised: 1.2 are left, while it is stopped.
        assert!(story.admits_gib(20).await);
        assert!(!story.admits_gib(21).await);
    }
    for test in testing::each().await {
        let mut story = Story::begin(&test.db, "1.379999").await;
        let large = story.large().await;
        let id = story.stopped().await;
        let error = story.resize(id, &large).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::PaymentRequired, "{error}");
        assert!(error.remedy.as_ref().unwrap().contains("0.000001 CNY"), "{error:?}");
        let instance = story.instance(id).await;
        assert_eq!((instance.resize, instance.generation), (None, 2));
        let mut conn = test.db.read().await.unwrap();
        assert_eq!(hosts::get(&mut conn, story.host).await.unwrap().vcpus_placed, 1);
    }
}

#[tokio::test]
async fn a_resize_is_its_tenants_and_leaves_a_trace() {
    for test in testing::each().await {
        let mut story = Story::begin(&test.db, "10").await;
        let large = story.large().await;
        let id = story.stopped().await;
        let stranger =
            Actor { access: identity::Access::Member(TenantId::new()), ..Actor::system("x") };
        let error = story.resize_by(&stranger, id, &large).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
        story.ask(&Actor::system("operator"), id, Ask::Lock).await.unwrap();
        let error = story.resize(id, &large).await.unwrap_err();
        assert!(error.message.contains("is locked"), "{error}");
        story.ask(&Actor::system("operator"), id, Ask::Unlock).await.unwrap();
        story.report(vec![story.seen(id, 4, Seen::Stopped)], vec![]).await;
        story.resize(id, &large).await.unwrap();
        let mut conn = test.db.read().await.unwrap();
        let detail: String =
            sqlx::query_scalar("SELECT detail FROM audit WHERE action = 'instance.resize'")
                .fetch_one(&mut *conn)
                .await
                .unwrap();
        let detail: serde_json::Value = serde_json::from_str(&detail).unwrap();
        assert_eq!(detail, json!({ "name": "cc", "flavor": "large", "was": "small" }));
    }
}

#[tokio::test]
async fn a_host_whose_clock_is_ahead_brings_no_growth_from_after_now() {
    for test in testing::each().await {
        let mut story = Story::begin(&test.db, "10").await;
        let large = story.large().await;
        let id = story.stopped().await;
        story.clock.advance(Duration::from_secs(100));
        story.resize(id, &large).await.unwrap();
        let mut report = story.next_report(vec![story.grown(id, 3, Seen::Stopped)], vec![]);
        report.at = report.at.saturating_add_ms(50_000);
        story.clock.advance(Duration::from_secs(10));
        story.reports.take(story.host, &report).await.unwrap();
        assert_eq!(story.phases(id).await, ["0 stopped small 1", "110 stopped large 3"]);
    }
}
