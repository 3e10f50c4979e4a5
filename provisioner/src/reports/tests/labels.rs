//! Labels and the region in what billing is told.

use billing::{
    kinds::Attributes,
    prices::{document::Document, publish},
    usage::spans,
};
use inventory::instances::{LabelChange, Labels};
use serde_json::json;

use super::*;
use crate::labels::label;

fn labels(all: &[(&str, &str)]) -> Labels {
    all.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

impl Story {
    async fn label(&self, id: InstanceId, change: &[(&str, Option<&str>)]) -> Result<()> {
        self.label_by(&self.actor, id, change).await
    }

    async fn label_by(
        &self,
        actor: &Actor,
        id: InstanceId,
        change: &[(&str, Option<&str>)],
    ) -> Result<()> {
        let owned =
            |(key, value): &(&str, Option<&str>)| ((*key).to_owned(), value.map(str::to_owned));
        let change: LabelChange = change.iter().map(owned).collect();
        let mut tx = self.db.begin_write().await?;
        let mut changes = Changes::default();
        let ctx = Context { actor, ..self.context() };
        label(&mut tx, ctx, id, &change, &mut changes).await?;
        tx.commit().await?;
        self.bus.publish_all(changes);
        Ok(())
    }

    fn in_region(&mut self, region: &str) {
        self.settings.region = Some(region.to_owned());
        self.reports.region = Some(region.to_owned());
    }

    /// It is what it is, from now on.
    async fn sees(&mut self, id: InstanceId, state: Seen) {
        let event = self.event(id, state);
        self.report(vec![self.seen(id, 1, state)], vec![event]).await;
    }

    /// What it is billed as: seconds since `began`, its state, and what prices select by but its flavor.
    async fn billed(&self, id: InstanceId) -> Vec<String> {
        let mut conn = self.db.read().await.unwrap();
        let resource = Resource { kind: "instance".to_owned(), id: id.to_string() };
        let all = spans::of_resource(&mut conn, &resource).await.unwrap();
        let shown = |span: spans::Span| {
            let attributes = Attributes::parse(&span.attributes).unwrap();
            let texts = attributes.iter().filter_map(|(name, _)| {
                let value = attributes.text(name).filter(|_| name != "flavor")?;
                Some(format!(" {name}={value}"))
            });
            let s = (span.from_ms - 1_800_000_000_000) / 1_000;
            format!("{s} {}{}", span.state, texts.collect::<String>())
        };
        all.into_iter().map(shown).collect()
    }

    async fn count(&self, table: &str) -> i64 {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        let mut conn = self.db.read().await.unwrap();
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut *conn).await.unwrap()
    }
}

#[tokio::test]
async fn facts_carry_labels_and_region_and_a_change_is_a_fact_of_its_instant() {
    for test in testing::each().await {
        let mut story = Story::begin(&test.db, "10").await;
        story.in_region("sh-1");
        story.labels = labels(&[("team", "blue")]);
        let id = story.create("cc").await.unwrap();
        story.sees(id, Seen::Running).await;
        story.clock.advance(Duration::from_secs(100));
        story.report(vec![], vec![]).await;
        story.label(id, &[("team", Some("red")), ("tier", Some("gold"))]).await.unwrap();
        // What is so already is no fact.
        story.label(id, &[("team", Some("red")), ("none", None)]).await.unwrap();
        story.clock.advance(Duration::from_secs(100));
        story.sees(id, Seen::Stopped).await;
        story.clock.advance(Duration::from_secs(10));
        story.label(id, &[("tier", None)]).await.unwrap();
        assert_eq!(
            story.billed(id).await,
            [
                "0 running label.team=blue region=sh-1",
                "100 running label.team=red label.tier=gold region=sh-1",
                "200 stopped label.team=red label.tier=gold region=sh-1",
                "210 stopped label.team=red region=sh-1",
            ]
        );
        assert_eq!(story.count("usage_facts").await, 4);
        assert_eq!(story.balance().await, "8.000000");
        let audited = "audit WHERE action = 'instance.label' AND detail LIKE '%\"was\":%blue%'";
        assert_eq!(story.count(audited).await, 1);
    }
}

#[tokio::test]
async fn what_nothing_was_told_of_keeps_its_labels_for_the_first_report() {
    for test in testing::each().await {
        let mut story = Story::begin(&test.db, "10").await;
        let id = story.create("cc").await.unwrap();
        story.label(id, &[("team", Some("red"))]).await.unwrap();
        assert_eq!(story.count("usage_facts").await, 0);
        story.sees(id, Seen::Running).await;
        assert_eq!(story.billed(id).await, ["0 running label.team=red"]);
    }
}

#[tokio::test]
async fn a_fact_that_is_told_again_after_a_change_is_the_same_fact() {
    for test in testing::each().await {
        let mut story = Story::begin(&test.db, "10").await;
        let id = story.create("cc").await.unwrap();
        let event = story.event(id, Seen::Running);
        story.report(vec![story.seen(id, 1, Seen::Running)], vec![event.clone()]).await;
        story.clock.advance(Duration::from_secs(10));
        story.label(id, &[("team", Some("red"))]).await.unwrap();
        // The agent never read the acknowledgement, and was started again.
        story.boot = BootId::new();
        story.report(vec![], vec![event]).await;
        assert_eq!(story.count("findings").await, 0);
        assert_eq!(story.billed(id).await, ["0 running", "10 running label.team=red"]);
    }
}

#[tokio::test]
async fn a_stop_that_a_silent_host_tells_late_counts_from_its_own_instant() {
    for test in testing::each().await {
        let mut story = Story::begin(&test.db, "100").await;
        let id = story.create("cc").await.unwrap();
        story.sees(id, Seen::Running).await;
        story.clock.advance(Duration::from_secs(50));
        story.report(vec![], vec![]).await;
        story.clock.advance(Duration::from_secs(10));
        let stopped = story.event(id, Seen::Stopped);
        story.clock.advance(Duration::from_secs(1_000));
        story.label(id, &[("team", Some("red"))]).await.unwrap();
        story.report(vec![story.seen(id, 1, Seen::Stopped)], vec![stopped]).await;
        assert_eq!(
            story.billed(id).await,
            ["0 running", "50 running label.team=red", "60 stopped label.team=red"]
        );
        assert_eq!(story.balance().await, "99.400000");
    }
}

#[tokio::test]
async fn a_start_is_admitted_at_the_price_of_its_labels() {
    for test in testing::each().await {
        let mut story = Story::begin(&test.db, "7").await;
        story.in_region("sh-1");
        let mut tx = test.db.begin_write().await.unwrap();
        let book = prices::list(&mut tx).await.unwrap().remove(0).id;
        let golden = json!({"region": "sh-1", "labels": {"tier": "gold"}});
        let rates = json!([
            {"id": "plain", "component": "instance.compute", "price": "36"},
            {"id": "gold", "component": "instance.compute", "where": golden, "price": "360"},
        ]);
        let document: Document = serde_json::from_value(json!({ "rates": rates })).unwrap();
        let (now, terms) = (story.clock.now(), publish::Terms::default());
        publish::publish(&mut tx, now, book, terms, &document).await.unwrap();
        tx.commit().await.unwrap();
        // A minute of one costs 0.6, of a golden one 6.
        story.labels = labels(&[("tier", "gold")]);
        let golden = story.create("a").await.unwrap();
        let error = story.create("b").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::PaymentRequired, "{error}");
        assert_eq!(error.remedy.as_deref(), Some("top up at least 5.000000 CNY"));
        story.labels = Labels::new();
        story.create("b").await.unwrap();
        story.sees(golden, Seen::Running).await;
        story.clock.advance(Duration::from_secs(10));
        assert_eq!(story.balance().await, "6.000000");
        story.label(golden, &[("tier", None)]).await.unwrap();
        story.clock.advance(Duration::from_secs(10));
        assert_eq!(story.balance().await, "5.900000");
    }
}

#[tokio::test]
async fn labels_are_the_tenants_to_change_while_the_instance_is_there() {
    for test in testing::each().await {
        let mut story = Story::begin(&test.db, "10").await;
        // As much as there may be, and each byte is two in a fact.
        story.in_region(&"\"".repeat(63));
        story.labels =
            (10..26).map(|n| (format!("{n}{}", "k".repeat(61)), "\"".repeat(63))).collect();
        let id = story.create("cc").await.unwrap();
        story.sees(id, Seen::Running).await;
        assert_eq!((story.billed(id).await.len(), story.count("findings").await), (1, 0));
        let one_more = [("team", Some("red"))];
        let error = story.label(id, &one_more).await.unwrap_err();
        assert_eq!(error.field.as_deref(), Some("labels"), "{error}");
        story.labels.insert("team".to_owned(), "red".to_owned());
        assert_eq!(story.create("dd").await.unwrap_err().field.as_deref(), Some("labels"));
        let stranger =
            Actor { access: identity::Access::Member(TenantId::new()), ..Actor::system("x") };
        let error = story.label_by(&stranger, id, &one_more).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
        let own = story.actor.clone();
        story.ask(&own, id, Ask::Delete).await.unwrap();
        let error = story.label(id, &one_more).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict, "{error}");
    }
}
