//! Rulings and gaps, to the money.

use base::{
    ErrorKind,
    id::{UsageEventId, UsageGapId},
    time::Timestamp,
};

use crate::{
    kinds::{ABSENT, Attributes},
    meter,
    testing::{Guest, World, at, micros},
    usage::{
        Fact, Recorded, Resource, ResourceState,
        gaps::GapPolicy,
        lost::{self, Answer, Lost},
        rulings::{self, Verdict},
    },
};

impl World {
    async fn fact_id(&self, fact: &Fact) -> UsageEventId {
        let mut conn = self.db.read().await.unwrap();
        let id: String = sqlx::query_scalar("SELECT id FROM usage_facts WHERE source_id = $1")
            .bind(&fact.source_id)
            .fetch_one(&mut *conn)
            .await
            .unwrap();
        id.parse().unwrap()
    }

    async fn rule(&self, now: Timestamp, fact: &Fact, verdict: Verdict) -> base::Result<()> {
        let id = self.fact_id(fact).await;
        self.write(async |tx| rulings::rule(tx, now, id, verdict, "op", "looked it up").await).await
    }

    async fn lost(&self, now: Timestamp, lost: &Lost) -> base::Result<UsageGapId> {
        self.write(async |tx| lost::lost(tx, now, lost).await).await
    }
}

fn gap(guest: &Guest, from: &str, to: &str, attributes: Attributes) -> Lost {
    Lost {
        source: "test".to_owned(),
        source_id: format!("{from}-{to}"),
        resource: Resource { kind: "instance".to_owned(), id: guest.id.clone() },
        from: at(from),
        to: at(to),
        state: "running".to_owned(),
        attributes,
        policy: GapPolicy::Cheaper,
    }
}

#[tokio::test]
async fn a_fact_that_was_put_aside_is_taken_or_dropped() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let guest = w.guest("web-1");
        w.seen(&guest, ResourceState::Running, at("10:00")).await;
        let ahead = w.event(&guest, ResourceState::Stopped, at("13:00"));
        assert_eq!(w.record(at("10:30"), &ahead).await.unwrap(), Recorded::Quarantined);
        w.rate(at("11:05")).await;
        assert_eq!(w.balance(at("11:05")).await.posted, micros("-0.36"));
        // As it tells it would still count in the future.
        let as_told = Verdict::Take { at: None };
        let error = w.rule(at("11:05"), &ahead, as_told).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
        let taken = Verdict::Take { at: Some(at("10:30")) };
        w.rule(at("11:06"), &ahead, taken).await.unwrap();
        assert_eq!(w.findings().await, []);
        w.rate(at("11:06")).await;
        assert_eq!(w.balance(at("11:06")).await.posted, micros("-0.18"));
        assert_eq!(w.rule(at("11:07"), &ahead, taken).await.unwrap_err().kind, ErrorKind::Conflict);
        // Facts go on behind it.
        w.seen(&guest, ResourceState::Running, at("11:30")).await;
        w.assert_rebuilt().await;
        let other = w.event(&guest, ResourceState::Stopped, at("20:00"));
        w.record(at("11:40"), &other).await.unwrap();
        w.rule(at("11:41"), &other, Verdict::Drop).await.unwrap();
        assert_eq!(w.findings().await, []);
        assert_eq!(w.balance(at("12:30")).await.balance, micros("-0.54"));
        w.assert_rebuilt().await;
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn a_ruling_releases_a_parked_resource() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let told = |guest: &Guest, state: &str, time: &str| Fact {
            state: state.to_owned(),
            ..w.event(guest, ResourceState::Running, at(time))
        };
        // Gone for good at half past ten, and back at eleven: it was not gone for good.
        let back = w.guest("back");
        let (gone, again) = (told(&back, "deleted", "10:30"), told(&back, "running", "11:00"));
        for fact in [&told(&back, "running", "10:00"), &gone] {
            w.record(fact.at, fact).await.unwrap();
        }
        let parked = w.record(at("11:00"), &again).await.unwrap();
        assert!(matches!(parked, Recorded::Parked { .. }), "{parked:?}");
        w.rate(at("11:05")).await;
        assert_eq!(w.balance(at("12:00")).await.balance, micros("-0.18"));
        let take = Verdict::Take { at: None };
        assert_eq!(w.rule(at("11:06"), &gone, take).await.unwrap_err().kind, ErrorKind::Conflict);
        w.rule(at("11:06"), &again, take).await.unwrap();
        w.rate(at("11:07")).await;
        assert_eq!(w.balance(at("12:00")).await.balance, micros("-0.54"));
        w.seen(&back, ResourceState::Absent, at("12:00")).await;
        // What says nothing that can be rated can only be dropped.
        let odd = w.guest("odd");
        let flying = told(&odd, "flying", "12:30");
        for fact in [&told(&odd, "running", "12:00"), &flying, &told(&odd, "stopped", "12:50")] {
            w.record(fact.at, fact).await.unwrap();
        }
        assert_eq!(w.balance(at("13:00")).await.balance, micros("-0.72"));
        assert_eq!(w.rule(at("13:00"), &flying, take).await.unwrap_err().kind, ErrorKind::Invalid);
        w.rule(at("13:00"), &flying, Verdict::Drop).await.unwrap();
        assert_eq!(w.balance(at("13:00")).await.balance, micros("-0.84"));
        assert_eq!(w.findings().await, []);
        w.assert_rebuilt().await;
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn a_gap_costs_the_less_of_both_until_somebody_says_what_was() {
    for w in World::each().await {
        w.price_both("0.36", "0.72").await;
        let guest = w.guest("web-1");
        w.seen(&guest, ResourceState::Running, at("10:00")).await;
        let same = gap(&guest, "11:00", "12:00", meter::attributes(w.small, 0));
        let first = w.lost(at("12:00"), &same).await.unwrap();
        assert_eq!(w.lost(at("12:00"), &same).await.unwrap(), first);
        let other = Lost { to: at("12:01"), ..same.clone() };
        assert_eq!(w.lost(at("12:01"), &other).await.unwrap_err().kind, ErrorKind::Conflict);
        assert_eq!(w.findings().await.len(), 1);
        assert_eq!(w.balance(at("12:00")).await.balance, micros("-0.72"));
        // Seen as a large one after the second.
        let larger = gap(&guest, "13:00", "14:00", meter::attributes(w.large, 0));
        let second = w.lost(at("14:00"), &larger).await.unwrap();
        w.rate(at("14:05")).await;
        assert_eq!(w.balance(at("14:00")).await.balance, micros("-1.44"));
        assert_eq!(w.balance(at("15:00")).await.balance, micros("-2.16"));
        let say = |flavor, time| Answer {
            state: "running".to_owned(),
            attributes: meter::attributes(flavor, 0),
            changed_at: at(time),
        };
        let answer = async |gap: UsageGapId, answer: &Answer, reason: &str| {
            w.write(async |tx| lost::answer(tx, at("14:10"), gap, answer, "op", reason).await).await
        };
        let outside = answer(second, &say(w.large, "14:01"), "asked").await.unwrap_err();
        assert_eq!(outside.kind, ErrorKind::Invalid);
        let silent = answer(second, &say(w.large, "13:30"), " ").await.unwrap_err();
        assert_eq!(silent.kind, ErrorKind::Invalid);
        answer(second, &say(w.large, "13:30"), "asked").await.unwrap();
        let again = answer(second, &say(w.large, "13:30"), "asked").await.unwrap_err();
        assert_eq!(again.kind, ErrorKind::Conflict);
        w.rate(at("14:11")).await;
        assert_eq!(w.balance(at("15:00")).await.balance, micros("-2.34"));
        let listed = w.read(async |conn| lost::list(conn, false).await).await;
        assert_eq!(listed.iter().map(|gap| gap.id).collect::<Vec<_>>(), [first]);
        assert_eq!(w.read(async |conn| lost::list(conn, true).await).await.len(), 2);
        assert_eq!(w.findings().await, [("usage_gap".to_owned(), format!("gap/{first}"))]);
        // Facts go on behind gaps.
        w.seen(&guest, ResourceState::Stopped, at("15:00")).await;
        assert_eq!(w.balance(at("16:00")).await.balance, micros("-2.34"));
        w.assert_rebuilt().await;
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn a_gap_is_of_a_known_resource_and_of_the_past() {
    for w in World::each().await {
        let guest = w.guest("web-1");
        let attributes = meter::attributes(w.small, 0);
        let unknown = gap(&guest, "10:00", "11:00", attributes.clone());
        assert_eq!(w.lost(at("12:00"), &unknown).await.unwrap_err().kind, ErrorKind::NotFound);
        w.seen(&guest, ResourceState::Running, at("09:00")).await;
        for wrong in [
            gap(&guest, "11:00", "11:00", attributes.clone()),
            gap(&guest, "11:00", "12:06", attributes),
            gap(&guest, "10:00", "11:00", Attributes::default()),
        ] {
            assert_eq!(w.lost(at("12:00"), &wrong).await.unwrap_err().kind, ErrorKind::Invalid);
        }
        let gone = Lost {
            state: ABSENT.to_owned(),
            policy: GapPolicy::Free,
            ..gap(&guest, "10:00", "11:00", Attributes::default())
        };
        w.lost(at("12:00"), &gone).await.unwrap();
        let spans = w.spans(&guest).await;
        assert_eq!(spans.last().unwrap().1, Some(at("11:00")));
        w.assert_rebuilt().await;
    }
}
