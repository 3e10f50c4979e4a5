//! Reports add up to what was charged, however they are grouped and cut.

use base::{money::Micros, time::Timestamp};

use super::*;
use crate::{
    testing::{World, micros},
    usage::ResourceState::{Absent, Running},
};

fn shanghai(text: &str) -> Timestamp {
    format!("{text}:00+08:00").parse().unwrap()
}

async fn read(world: &World, from: &str, to: &str, group: Group) -> CostReport {
    let period = Period { from: Some(shanghai(from)), to: Some(shanghai(to)) };
    let (now, tenant) = (shanghai("2026-10-20T00:00"), Some(world.tenant));
    world.read(async |conn| cost(conn, now, tenant, period, group, None).await).await
}

fn total(report: &CostReport) -> Micros {
    let rows: i64 = report.rows.iter().map(|row| row.net.0).sum();
    let totals: i64 = report.totals.iter().map(|total| total.net.0).sum();
    assert_eq!(rows, totals);
    Micros(rows)
}

#[tokio::test]
async fn groups_and_days_add_up_to_the_lines() {
    for world in World::each_from(shanghai("2026-10-15T00:00")).await {
        world.price_small("0.35").await;
        let (web, db) = (world.guest("web"), world.guest("=db"));
        world.seen(&web, Running, shanghai("2026-10-15T22:30")).await;
        world.seen(&db, Running, shanghai("2026-10-15T23:00")).await;
        world.seen(&web, Absent, shanghai("2026-10-16T01:15")).await;
        world.seen(&db, Absent, shanghai("2026-10-17T00:00")).await;
        world.rate(shanghai("2026-10-17T02:00")).await;
        let all = micros("9.7125");
        let (from, to) = ("2026-10-15T00:00", "2026-10-18T00:00");
        for group in [Group::Resource, Group::Component, Group::Day, Group::Tenant] {
            assert_eq!(total(&read(&world, from, to, group).await), all, "{group:?}");
        }
        let days = read(&world, from, to, Group::Day).await;
        let days: Vec<_> = days.rows.iter().map(|row| (row.key.as_str(), row.net)).collect();
        assert_eq!(days, [("2026-10-15", micros("0.875")), ("2026-10-16", micros("8.8375"))]);
        let resources = read(&world, from, to, Group::Resource).await;
        let names: Vec<&str> = resources.rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["=db", "web"]);
        let hours = &resources.rows[1].usage[0];
        assert_eq!(
            (hours.component.as_str(), hours.unit_hours),
            ("instance.compute", micros("2.75"))
        );
        let text = csv(&resources).unwrap();
        assert!(text.contains(",'=db,CNY,"), "{text}");
        // Cut anywhere, the halves are the whole.
        let cut = "2026-10-15T23:17";
        let halves = [
            read(&world, from, cut, Group::Tenant).await,
            read(&world, cut, to, Group::Tenant).await,
        ];
        assert_eq!(halves.iter().map(|half| total(half).0).sum::<i64>(), all.0);
        let empty = read(&world, "2026-10-01T00:00", from, Group::Resource).await;
        assert_eq!((empty.rows, empty.totals), (vec![], vec![]));
    }
}

#[tokio::test]
async fn a_period_that_is_none_is_refused() {
    for world in World::each().await {
        let mut conn = world.db.read().await.unwrap();
        let day = |day: &str| Some(shanghai(&format!("{day}T00:00")));
        for (from, to, field) in [
            (day("2026-10-15"), day("2026-10-15"), "to"),
            (day("2024-10-15"), day("2026-10-15"), "from"),
        ] {
            let now = shanghai("2026-10-20T00:00");
            let period = Period { from, to };
            let error = cost(&mut conn, now, Some(world.tenant), period, Group::Day, None).await;
            assert_eq!(error.unwrap_err().field.as_deref(), Some(field));
        }
        let error = cost(
            &mut conn,
            shanghai("2026-10-20T00:00"),
            None,
            Period::default(),
            Group::Day,
            None,
        );
        assert_eq!(error.await.unwrap_err().field.as_deref(), Some("tenant_id"));
    }
}

/// A label that changes within a line cuts it; what has none stands apart; all add up.
#[tokio::test]
async fn costs_by_label_follow_the_label_through_time() {
    for world in World::each_from(shanghai("2026-10-15T00:00")).await {
        world.price_small("0.36").await;
        let (web, db) = (world.guest("web"), world.guest("db"));
        let told = async |team: &str, at: &str| {
            let mut fact = world.event(&web, Running, shanghai(at));
            fact.attributes = fact.attributes.with("label.team", team);
            world.record(shanghai(at), &fact).await.unwrap();
        };
        told("blue", "2026-10-15T10:00").await;
        world.seen(&db, Running, shanghai("2026-10-15T10:00")).await;
        told("red", "2026-10-15T10:20").await;
        world.rate(shanghai("2026-10-15T12:02")).await;
        let by = async |from: &str, to: &str, label: Option<&str>| {
            let period = Period { from: Some(shanghai(from)), to: Some(shanghai(to)) };
            let (now, tenant) = (shanghai("2026-10-20T00:00"), Some(world.tenant));
            let mut conn = world.db.read().await.unwrap();
            cost(&mut conn, now, tenant, period, Group::Label, label).await
        };
        let (from, to) = ("2026-10-15T00:00", "2026-10-15T12:00");
        let report = by(from, to, Some("team")).await.unwrap();
        let rows: Vec<_> = report.rows.iter().map(|row| (row.key.as_str(), row.net)).collect();
        let expected = [("", "0.72"), ("red", "0.60"), ("blue", "0.12")];
        assert_eq!(rows, expected.map(|(key, net)| (key, micros(net))));
        assert_eq!(report.rows[2].usage[0].unit_hours, micros("0.333333"));
        assert_eq!(total(&report), total(&read(&world, from, to, Group::Tenant).await));
        for label in [None, Some("")] {
            assert_eq!(by(from, to, label).await.unwrap_err().field.as_deref(), Some("label"));
        }
        let names = async |from: &str, to: &str| {
            let period = Period { from: Some(shanghai(from)), to: Some(shanghai(to)) };
            let mut conn = world.db.read().await.unwrap();
            label_names(&mut conn, shanghai(to), world.tenant, period).await
        };
        assert_eq!(names(from, to).await.unwrap(), ["team"]);
        assert_eq!(names(from, "2026-10-15T10:00").await.unwrap(), [""; 0]);
        let backwards = names(to, from).await.unwrap_err();
        assert_eq!(backwards.field.as_deref(), Some("to"));
        let all = by(from, to, Some("nobody")).await.unwrap();
        assert_eq!((all.rows.len(), all.rows[0].net), (1, micros("1.44")));
    }
}
