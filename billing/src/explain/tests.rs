//! Each line comes to what was posted when it is computed again, and one that was changed does not.

use base::{db::Backend, id::TenantId};

use super::{line::LINES_MAX, *};
use crate::{
    close, counters, meter,
    prices::publish::{Terms, publish},
    rating::lines as rated,
    testing::{Guest, World, at, micros},
    usage::{
        Resource,
        ResourceState::{Absent, Paused, Running},
    },
};

async fn lines(w: &World) -> Vec<RatedLine> {
    w.read(async |conn| list(conn, w.tenant, &Wanted::default()).await).await.items
}

async fn explained(w: &World, id: LineId) -> Explanation {
    let mut snapshot = w.db.begin_snapshot().await.unwrap();
    explain(&mut snapshot, id, 0).await.unwrap()
}

fn step<'a>(explanation: &'a Explanation, name: &str) -> &'a ExplainedStep {
    explanation.steps.iter().find(|step| step.step == name).expect("a step")
}

#[tokio::test]
async fn a_line_is_opened_down_to_its_facts_and_its_price() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("10:00")).await;
        w.seen(&guest, Absent, at("10:25")).await;
        w.rate(at("10:30")).await;
        let line = lines(&w).await.pop().unwrap();
        assert_eq!(line.id.to_string(), format!("{}.1.0", w.tenant));
        assert_eq!(line.id.to_string().parse::<LineId>().unwrap(), line.id);
        let all = explained(&w, line.id).await;
        assert!(all.equal && !all.pending, "{all:#?}");
        let names: Vec<&str> = all.steps.iter().map(|step| step.step.as_str()).collect();
        assert_eq!(names, ["usage", "measure", "so_far", "amount", "charge"]);
        let ten = at("10:00");
        assert_eq!(step(&all, "usage").posted, format!("1 from {ten} to {}", at("10:25")));
        let amount = step(&all, "amount");
        assert_eq!(amount.recomputed, "net 0.150000, tax 0.000000");
        assert!(amount.says.contains("at 0.36 per unit and hour: 0.15 exactly"), "{}", amount.says);
        assert_eq!((all.price.book.as_str(), all.price.number), ("standard", 1));
        assert_eq!(all.price.formula, "0.36 per unit and hour");
        let facts: Vec<_> = all
            .usage
            .facts
            .iter()
            .map(|f| (f.sequence, f.state.as_str(), f.counted_from))
            .collect();
        assert_eq!(facts, [(1, "running", Some(ten)), (2, "absent", Some(at("10:25")))]);
        assert_eq!(all.usage.spans.len(), 1);
        assert_eq!(all.same_time, [line]);
    }
}

#[tokio::test]
async fn what_is_corrected_later_explains_both_lines() {
    for w in World::each().await {
        w.price_both("0.36", "0.72").await;
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("10:00")).await;
        w.rate(at("11:02")).await;
        let large = Guest { flavor: w.large, ..guest };
        // It was larger since half past ten: half an hour is taken back, and charged at the other price.
        w.record(at("11:30"), &w.event(&large, Running, at("10:30"))).await.unwrap();
        let first = lines(&w).await.remove(0);
        let all = explained(&w, first.id).await;
        assert!(all.pending && !all.equal && !step(&all, "usage").equal, "{all:#?}");
        w.rate(at("12:02")).await;
        let lines = lines(&w).await;
        assert!(lines.iter().any(|line| line.kind == "adjustment" && line.quantity == -1));
        for line in &lines {
            let all = explained(&w, line.id).await;
            assert!(all.equal && !all.pending, "{all:#?}");
        }
        let all = explained(&w, first.id).await;
        assert!(all.same_time.len() > 1, "{:?}", all.same_time);
        let half = format!("1 from {} to {}", at("10:00"), at("10:30"));
        assert_eq!(step(&all, "usage").posted, half);
    }
}

/// Tiers over all of a tenant's instances, a price change in the month, tax, a pause, midnight.
#[tokio::test]
async fn tiers_tax_and_price_changes_are_walked_again() {
    for w in World::each().await {
        let document = |third: &str| {
            serde_json::from_value(serde_json::json!({
                "tax": {"mode": "on_top", "rate": "0.06"},
                "rates": [
                    {"id": "small", "component": "instance.compute", "free": 1, "graduated": [
                        {"up_to": 2, "price": "0.31"}, {"up_to": 5, "price": "0.23"},
                        {"price": third}]},
                    {"id": "disk", "component": "instance.disk", "price": "0.000123457"}],
            }))
            .unwrap()
        };
        for (from, third) in [("00:00", "0.17"), ("11:20", "0.131")] {
            let terms = Terms { effective_at: Some(at(from)), correction: None };
            w.write(async |tx| publish(tx, at("00:00"), w.book, terms, &document(third)).await)
                .await
                .unwrap();
        }
        let (web, db) = (w.guest("web-1"), Guest { disk_gib: 7, ..w.guest("db-1") });
        w.seen(&web, Running, at("08:10")).await;
        w.seen(&db, Running, at("09:20")).await;
        w.rate(at("10:05")).await;
        w.seen(&db, Paused, at("10:40")).await;
        w.seen(&web, Absent, at("12:20")).await;
        w.seen(&db, Absent, at("13:02")).await;
        w.rate(at("13:05")).await;
        // Told late: earlier parts of the walk move, and the later price's group settles.
        let late = w.guest("late");
        w.record(at("13:10"), &w.event(&late, Running, at("08:00"))).await.unwrap();
        w.record(at("13:10"), &w.event(&late, Absent, at("09:00"))).await.unwrap();
        w.rate(at("14:05")).await;
        let lines = lines(&w).await;
        assert!(lines.len() > 15, "{}", lines.len());
        assert!(lines.iter().any(|line| line.resource_id.is_empty() && line.quantity == 0));
        for line in &lines {
            let all = explained(&w, line.id).await;
            assert!(all.equal, "{all:#?}");
        }
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn more_facts_than_one_answer_holds_are_read_on() {
    use crate::usage::{self, evidence::FACTS_MAX};
    for w in World::each().await {
        w.price_small("0.36").await;
        let guest = w.guest("web-1");
        w.write(async |tx| {
            for n in 0..=FACTS_MAX {
                // Told again and again: one line all the same.
                let told = at("10:00").saturating_add_ms(1_000 * i64::try_from(n).unwrap());
                usage::record(tx, told, &w.event(&guest, Running, told)).await?;
            }
            Ok(())
        })
        .await
        .unwrap();
        w.rate(at("11:02")).await;
        let [line] = &lines(&w).await[..] else { panic!("one line") };
        let first = explained(&w, line.id).await;
        assert_eq!(first.usage.facts.len(), FACTS_MAX);
        let after = i64::try_from(FACTS_MAX).unwrap();
        assert_eq!(first.usage.next_facts, Some(after));
        let mut snapshot = w.db.begin_snapshot().await.unwrap();
        let rest = explain(&mut snapshot, line.id, after).await.unwrap();
        let [fact] = &rest.usage.facts[..] else { panic!("one fact: {:?}", rest.usage.facts) };
        assert_eq!((fact.sequence, rest.usage.next_facts), (after + 1, None));
        // Whatever facts are shown, all of them are computed with.
        assert!(first.equal && rest.equal);
        assert_eq!(first.steps, rest.steps);
    }
}

/// What the triggers refuse is told where they were not there.
#[tokio::test]
async fn a_line_that_was_changed_does_not_explain() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("10:00")).await;
        w.rate(at("12:05")).await;
        let id = lines(&w).await[1].id;
        for (sql, wrong) in [
            (
                "UPDATE charges SET net = net + 1 WHERE position = 0",
                vec!["so_far", "amount", "charge"],
            ),
            (
                "UPDATE charges SET quantity = 2 WHERE charge_no = 2",
                vec!["usage", "measure", "amount"],
            ),
            (
                // The instance ran on, and the facts say so.
                "UPDATE charges SET to_ms = to_ms + 3600000 WHERE charge_no = 2",
                vec!["measure", "amount"],
            ),
        ] {
            let mut tx = w.db.begin_write().await.unwrap();
            let drop = match w.db.backend() {
                Backend::Sqlite => "DROP TRIGGER charges_no_update",
                Backend::Postgres => "DROP TRIGGER charges_append_only ON charges",
            };
            sqlx::query(drop).execute(&mut *tx).await.unwrap();
            sqlx::query(sql).execute(&mut *tx).await.unwrap();
            let all = explain(&mut tx, id, 0).await.unwrap();
            let differ = all.steps.iter().filter(|step| !step.equal);
            let differ: Vec<&str> = differ.map(|step| step.step.as_str()).collect();
            assert!(!all.equal);
            assert_eq!(differ, wrong, "{sql}: {all:#?}");
        }
        assert!(explained(&w, id).await.equal);
    }
}

#[tokio::test]
async fn lines_are_listed_by_what_they_rate_and_unknown_ones_are_not_found() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let (web, db) = (w.guest("web-1"), w.guest("db-1"));
        w.seen(&web, Running, at("10:00")).await;
        w.seen(&db, Running, at("10:00")).await;
        w.rate(at("12:05")).await;
        let of = async |wanted: Wanted| {
            let all = w.read(async |conn| list(conn, w.tenant, &wanted).await).await;
            assert!(!all.more);
            all.items.len()
        };
        let all = Wanted::default();
        assert_eq!(of(all.clone()).await, 4);
        assert_eq!(of(Wanted { resource_id: Some(web.id), ..all.clone() }).await, 2);
        assert_eq!(of(Wanted { component: Some("instance.disk".into()), ..all.clone() }).await, 0);
        assert_eq!(of(Wanted { from: Some(at("11:00")), ..all.clone() }).await, 2);
        assert_eq!(of(Wanted { to: Some(at("10:00")), ..all }).await, 0);
        let mut conn = w.db.read().await.unwrap();
        let none = LineId { tenant: w.tenant, charge: 99, position: 0 };
        assert_eq!(explain(&mut conn, none, 0).await.unwrap_err().kind, base::ErrorKind::NotFound);
        let nobody = LineId { tenant: TenantId::new(), ..none };
        // Another tenant's, of a charge that this one has, too.
        let others = LineId { tenant: TenantId::new(), charge: 1, position: 0 };
        let own =
            Wanted { after: Some(LineId { tenant: w.tenant, ..others }), ..Wanted::default() };
        assert!(list(&mut conn, w.tenant, &own).await.is_ok());
        for after in [none, nobody, others] {
            let behind = Wanted { after: Some(after), ..Wanted::default() };
            let refused = list(&mut conn, w.tenant, &behind).await.unwrap_err();
            assert_eq!(refused.kind, base::ErrorKind::NotFound);
        }
        assert_eq!(
            explain(&mut conn, nobody, 0).await.unwrap_err().kind,
            base::ErrorKind::NotFound
        );
        for text in ["", "1.2", "x.1.2", &format!("{}.1.2.3", w.tenant)] {
            assert!(text.parse::<LineId>().is_err(), "{text}");
        }
    }
}

#[tokio::test]
async fn a_gap_and_a_ruling_are_shown_beside_the_facts() {
    use crate::usage::{gaps::GapPolicy, lost, rulings};
    for w in World::each().await {
        w.price_small("0.36").await;
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("10:00")).await;
        let gap = lost::Lost {
            source: "test".to_owned(),
            source_id: "gap-1".to_owned(),
            resource: Resource { kind: "instance".to_owned(), id: guest.id.clone() },
            from: at("10:10"),
            to: at("10:20"),
            state: "running".to_owned(),
            attributes: meter::attributes(w.small, 0),
            policy: GapPolicy::AsBefore,
        };
        w.write(async |tx| lost::lost(tx, at("10:21"), &gap).await).await.unwrap();
        // In the future when it came: it counts by a ruling alone.
        let fact = w.event(&guest, Absent, at("18:00"));
        w.record(at("10:30"), &fact).await.unwrap();
        let taken = rulings::Verdict::Take { at: Some(at("10:40")) };
        w.write(async |tx| {
            let id = rulings::find(tx, &fact.source, &fact.source_id).await?;
            rulings::rule(tx, at("10:45"), id, taken, "ann", "a clock was wrong").await
        })
        .await
        .unwrap();
        w.rate(at("11:05")).await;
        let mut said = Vec::new();
        for line in lines(&w).await {
            let all = explained(&w, line.id).await;
            assert!(all.equal, "{all:#?}");
            said.push((line.quality, line.net, all.usage.gaps.len()));
            let ruled: Vec<_> =
                all.usage.facts.iter().filter_map(|f| f.ruled_why.clone()).collect();
            if line.to == at("10:40") {
                assert_eq!(ruled, ["a clock was wrong"]);
            }
        }
        assert_eq!(
            said,
            [
                ("observed".to_owned(), micros("0.06"), 0),
                ("estimated".to_owned(), micros("0.06"), 1),
                ("observed".to_owned(), micros("0.12"), 0),
            ]
        );
    }
}

fn read_every_10_s(first: Timestamp, count: i64) -> Vec<counters::Reading> {
    (0..count).map(|n| reading(first.saturating_add_ms(n * 10_000), n)).collect()
}

fn reading(at: Timestamp, value: i64) -> counters::Reading {
    counters::Reading { at_ms: at.ms(), epoch: "1".to_owned(), value }
}

async fn assert_listed_in_pages(w: &World, all: &[rated::Line]) {
    let first = w.read(async |conn| list(conn, w.tenant, &Wanted::default()).await).await;
    assert!(first.more && first.items.len() == LINES_MAX);
    let after = Wanted { after: Some(first.items[LINES_MAX - 1].id), ..Wanted::default() };
    let rest = w.read(async |conn| list(conn, w.tenant, &after).await).await;
    assert!(!rest.more);
    let listed = first.items.iter().chain(&rest.items);
    let listed: Vec<_> = listed.map(|line| (line.id.charge, line.id.position)).collect();
    let wanted: Vec<_> = all.iter().map(|line| (line.charge, line.position)).collect();
    assert_eq!(listed, wanted);
}

/// A volume price by the resource; one port is read twice, another 1,100 times in between.
#[tokio::test]
async fn a_line_of_a_long_month_or_of_many_readings_is_explained() {
    let start: Timestamp = "2026-10-31T18:00:00+08:00".parse().unwrap();
    let hours = |n: i64| start.saturating_add_ms(n * 3_600_000);
    for w in World::each_from(start).await {
        let document = serde_json::from_value(serde_json::json!({ "rates": [{
            "id": "out", "component": "instance.net_tx", "unit": 100, "scope": "resource",
            "volume": [{"up_to": 5, "price": "1"}, {"price": "0.6"}],
        }]}))
        .unwrap();
        w.write(async |tx| publish(tx, start, w.book, Terms::default(), &document).await)
            .await
            .unwrap();
        let guest = w.guest("web-1");
        w.seen(&guest, Running, start).await;
        let read = async |port: &str, readings: &[counters::Reading]| {
            let series = counters::Series {
                resource: Resource { kind: "instance".to_owned(), id: guest.id.clone() },
                component: "net_tx".to_owned(),
                port: port.to_owned(),
                has_epochs: true,
            };
            for some in readings.chunks(counters::readings::READINGS_MAX) {
                w.write(async |tx| counters::read(tx, hours(5), &series, some).await)
                    .await
                    .unwrap();
            }
        };
        read("slow", &[reading(hours(0), 0), reading(hours(4), 50)]).await;
        read("fast", &read_every_10_s(hours(0), 1_100)).await;
        w.rate(hours(6)).await;
        let closed = hours(24);
        w.write(async |tx| {
            close::close(tx, closed, &w.settings, w.tenant, "2026-10".parse()?).await
        })
        .await
        .unwrap();
        let all = w
            .read(async |conn| {
                let which = rated::Which::Charged(Timestamp::from_ms(0), closed);
                rated::lines(conn, w.tenant, which, 2_000).await
            })
            .await;
        let find = async |wanted: &dyn Fn(&rated::Line) -> bool| {
            let line = all.iter().find(|line| wanted(line)).expect("a line");
            let id = LineId { tenant: w.tenant, charge: line.charge, position: line.position };
            explained(&w, id).await
        };
        assert!(all.len() > LINES_MAX, "{}", all.len());
        assert_listed_in_pages(&w, &all).await;
        let volume = find(&|line| line.kind == "volume").await;
        assert!(volume.equal && !volume.more, "{volume:#?}");
        assert_eq!(volume.line.net, micros("6.894"));
        assert_eq!(volume.same_time, std::slice::from_ref(&volume.line));
        assert!(volume.readings.is_empty() && volume.counted.is_empty());
        assert_eq!(volume.usage.facts.len(), 1);
        let slow = find(&|line| (line.from, line.to) == (hours(0), hours(4))).await;
        assert!(slow.equal && slow.more, "{slow:#?}");
        assert!(slow.steps.iter().all(|step| step.step != "usage"));
        assert_eq!((slow.readings.len(), slow.same_time.len()), (1_000, LINES_MAX));
        assert!(slow.same_time.contains(&slow.line));
        // One of the others has its few.
        let fast = find(&|line| line.from == hours(1)).await;
        assert!(fast.equal && !fast.more && step(&fast, "usage").equal, "{fast:#?}");
    }
}

/// The version that the month began with is replaced from its own first instant on, so that it is in
/// force at no time any more: the lines that came after it go on where it ended, as they did then.
#[tokio::test]
async fn a_line_is_explained_by_the_prices_that_were_known_when_it_was_charged() {
    for w in World::each().await {
        let publish = async |now: &str, from: &str, correction, first: &str| {
            let document = serde_json::from_value(serde_json::json!({ "rates": [{
                "id": "small", "component": "instance.compute",
                "graduated": [{"up_to": 3, "price": first}, {"price": "0.1"}],
            }]}))
            .unwrap();
            let terms = Terms { effective_at: Some(at(from)), correction };
            w.write(async |tx| publish(tx, at(now), w.book, terms, &document).await).await.unwrap();
        };
        publish("00:00", "00:00", None, "0.7").await;
        publish("00:00", "10:00", None, "0.5").await;
        w.seen(&w.guest("web-1"), Running, at("08:00")).await;
        w.rate(at("13:05")).await;
        let before = lines(&w).await;
        publish("13:10", "00:00", Some("the first price was wrong"), "0.6").await;
        for line in &before {
            let all = explained(&w, line.id).await;
            assert!(all.steps.iter().all(|s| s.step == "usage" || s.equal), "{all:#?}");
        }
        w.rate(at("14:05")).await;
        let all = lines(&w).await;
        assert!(all.len() > before.len());
        for line in &all {
            let all = explained(&w, line.id).await;
            assert!(all.equal, "{all:#?}");
        }
        w.assert_sound().await;
    }
}
