//! What agents read of their guests' interfaces: counted for the instance's tenant, and once.

use agent::wire::PortReading;
use billing::{
    counters::readings,
    prices::{document::Document, publish},
};
use serde_json::json;

use super::*;

const GIB: i64 = 1 << 30;
const PORT: &str = "52:54:00:12:34:56";

impl Story {
    /// A running instance, and a price for what it sends alone.
    async fn with_traffic(db: &Db) -> (Self, InstanceId) {
        let mut story = Self::begin(db, "10").await;
        let id = story.create("cc").await.unwrap();
        let rate =
            json!({"id": "out", "component": "instance.net_tx", "unit": GIB, "price": "0.5"});
        let document: Document = serde_json::from_value(json!({ "rates": [rate] })).unwrap();
        let mut tx = db.begin_write().await.unwrap();
        let now = story.clock.now();
        let book = prices::list(&mut tx).await.unwrap().remove(0).id;
        publish::publish(&mut tx, now, book, publish::Terms::default(), &document).await.unwrap();
        tx.commit().await.unwrap();
        let (seen, event) = (story.seen(id, 1, Seen::Running), story.event(id, Seen::Running));
        story.report(vec![seen], vec![event]).await;
        (story, id)
    }

    fn read(&self, id: InstanceId, epoch: &str, sent_gib: i64) -> PortReading {
        PortReading {
            instance_id: id,
            port: PORT.to_owned(),
            epoch: epoch.to_owned(),
            at: self.clock.now(),
            received_bytes: 2 * sent_gib * GIB,
            sent_bytes: sent_gib * GIB,
        }
    }

    async fn tell(&mut self, readings: Vec<PortReading>) {
        let report = Report { readings, ..self.next_report(vec![], vec![]) };
        self.reports.take(self.host, &report).await.unwrap();
    }

    /// By component, in GiB.
    async fn counted(&self) -> Vec<(String, i64)> {
        let mut conn = self.db.read().await.unwrap();
        let all = readings::of_tenant(&mut conn, self.tenant, Timestamp::from_ms(0)).await.unwrap();
        all.into_iter().map(|c| (c.component, c.quantity / GIB)).collect()
    }
}

#[tokio::test]
async fn traffic_is_charged_once_however_often_it_is_told() {
    for test in testing::each().await {
        let (mut story, id) = Story::with_traffic(&test.db).await;
        let zero = story.read(id, "1", 0);
        story.clock.advance(Duration::from_secs(300));
        let first = vec![zero, story.read(id, "1", 3)];
        story.tell(first.clone()).await;
        assert_eq!(story.balance().await, "8.500000");
        // The agent was killed before it read the acknowledgement.
        story.boot = BootId::new();
        story.tell(first).await;
        assert_eq!(story.balance().await, "8.500000");
        // Another life begins at zero; what is received has no price, and is read all the same.
        story.clock.advance(Duration::from_secs(300));
        story.tell(vec![story.read(id, "2", 1)]).await;
        assert_eq!(story.balance().await, "8.000000");
        let counted = story.counted().await;
        let said = |of: &str, gib: &[i64]| gib.iter().map(|n| (of.to_owned(), *n)).collect();
        let expected: Vec<Vec<_>> = vec![said("net_rx", &[6, 2]), said("net_tx", &[3, 1])];
        assert_eq!(counted, expected.concat());
        // What it counted before its end may be told after its end, and before it is seen gone.
        let last = story.read(id, "2", 2);
        story.clock.advance(Duration::from_secs(1));
        story.ask(&story.actor.clone(), id, Ask::Delete).await.unwrap();
        let (seen, event) = (story.seen(id, 2, Seen::Absent), story.event(id, Seen::Absent));
        story.report(vec![], vec![event]).await;
        story.tell(vec![PortReading { at: last.at.saturating_add_ms(1), ..last }]).await;
        assert_eq!(story.balance().await, "7.500000");
        story.report(vec![seen], vec![]).await;
        assert_eq!(story.balance().await, "7.500000");
    }
}

#[tokio::test]
async fn what_can_not_be_right_holds_nothing_up() {
    for test in testing::each().await {
        let (mut story, id) = Story::with_traffic(&test.db).await;
        let untold = story.create("silent").await.unwrap();
        let mut tx = test.db.begin_write().await.unwrap();
        let other = hosts::create(&mut tx, story.clock.now(), "node2").await.unwrap().id;
        tx.commit().await.unwrap();
        let zero = story.read(id, "1", 0);
        story.clock.advance(Duration::from_secs(300));
        let good = story.read(id, "1", 1);
        let ahead = PortReading {
            at: story.clock.now().saturating_add_ms(usage::FUTURE_MAX_MS + 1),
            port: "ahead\0".to_owned(),
            ..good.clone()
        };
        // Neither another host's instance, nor one that no host has, nor one that nothing is known of.
        let report = Report { readings: vec![good.clone()], ..story.next_report(vec![], vec![]) };
        story.reports.take(other, &report).await.unwrap();
        let strange = PortReading { instance_id: InstanceId::new(), ..good.clone() };
        let early = PortReading { instance_id: untold, ..good.clone() };
        story.tell(vec![ahead, strange, early, zero, good]).await;
        assert_eq!(story.balance().await, "9.500000");
        let mut conn = test.db.read().await.unwrap();
        let all = findings::list(&mut conn, false).await.unwrap();
        let found: Vec<_> = all.iter().map(|f| (f.kind.as_str(), f.subject.as_str())).collect();
        let subject = |id: InstanceId, direction: &str, port: &str| {
            ("counter_refused", format!("instance/{id}/{direction}/{port}"))
        };
        let mut expected: Vec<_> = ["net_rx", "net_tx"]
            .into_iter()
            .flat_map(|way| [subject(id, way, "ahead\u{fffd}"), subject(untold, way, PORT)])
            .collect();
        expected.sort();
        let mut found: Vec<_> = found.into_iter().map(|(k, s)| (k, s.to_owned())).collect();
        found.sort();
        assert_eq!(found, expected);
    }
}

/// One reading that is wrong, and a clock that is an hour ahead while the guest is started.
#[tokio::test]
async fn one_bad_reading_or_clock_costs_no_byte_of_the_others() {
    for test in testing::each().await {
        let (mut story, id) = Story::with_traffic(&test.db).await;
        let ahead =
            |read: PortReading| PortReading { at: read.at.saturating_add_ms(3_600_000), ..read };
        let zero = ahead(story.read(id, "1", 0));
        story.clock.advance(Duration::from_secs(10));
        let first = vec![zero, ahead(story.read(id, "1", 1))];
        story.tell(first.clone()).await;
        // The acknowledgement was lost; meanwhile the clock was set right.
        story.boot = BootId::new();
        story.clock.advance(Duration::from_secs(10));
        let bad = PortReading { sent_bytes: -1, received_bytes: -1, ..story.read(id, "1", 0) };
        story.clock.advance(Duration::from_secs(10));
        let told = [first, vec![bad, story.read(id, "1", 3)]].concat();
        story.tell(told).await;
        assert_eq!(story.balance().await, "8.500000");
        let sum = |of: &str, counted: &[(String, i64)]| -> i64 {
            counted.iter().filter(|(component, _)| component == of).map(|(_, gib)| gib).sum()
        };
        let counted = story.counted().await;
        assert_eq!((sum("net_rx", &counted), sum("net_tx", &counted)), (6, 3), "{counted:?}");
        let mut conn = test.db.read().await.unwrap();
        let all = findings::list(&mut conn, false).await.unwrap();
        let mut kinds: Vec<&str> = all.iter().map(|finding| finding.kind.as_str()).collect();
        kinds.sort_unstable();
        let expected = ["counter_ahead", "counter_ahead", "counter_refused", "counter_refused"];
        assert_eq!(kinds, expected);
    }
}

/// Agents and servers of other versions: a report without readings, and one with what is not known.
#[tokio::test]
async fn reports_of_other_versions_are_taken() {
    for test in testing::each().await {
        let (mut story, id) = Story::with_traffic(&test.db).await;
        let zero = story.read(id, "1", 0);
        story.clock.advance(Duration::from_secs(1));
        let mut old = json!(story.next_report(vec![], vec![]));
        assert!(old.as_object_mut().unwrap().remove("readings").is_some());
        story.reports.take(story.host, &serde_json::from_value(old).unwrap()).await.unwrap();
        let readings = vec![zero, story.read(id, "1", 2)];
        let mut new = json!(Report { readings, ..story.next_report(vec![], vec![]) });
        new["weather"] = json!("fine");
        story.reports.take(story.host, &serde_json::from_value(new).unwrap()).await.unwrap();
        assert_eq!(story.balance().await, "9.000000");
    }
}
