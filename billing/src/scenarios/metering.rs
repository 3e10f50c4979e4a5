//! What was used, and what it costs.

use base::{ErrorKind, money::Nanos, time::Timestamp};

use crate::{
    accounts, close, meter,
    prices::{self, drafts, publish::Terms},
    simulate,
    testing::{Guest, World, at, micros},
    usage::{Recorded, Resource, ResourceState::*, gaps::GapPolicy, lost},
};

#[tokio::test]
async fn scenario_01_twenty_five_minutes_of_0_36_are_0_15() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("10:00")).await;
        w.seen(&guest, Absent, at("10:25")).await;
        assert_eq!(w.balance(at("10:30")).await.balance, micros("-0.150000"));
        w.rate(at("10:30")).await;
        assert_eq!(w.lines().await, [(at("10:00"), at("10:25"), 1, micros("0.15"))]);
        assert_eq!(w.balance(at("12:00")).await.posted, micros("-0.150000"));
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn scenario_02_a_resize_splits_the_hour_into_two_lines() {
    for w in World::each().await {
        w.price_both("0.36", "0.72").await;
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("10:00")).await;
        let resized = Guest { flavor: w.large, ..guest };
        w.seen(&resized, Running, at("10:20")).await;
        w.rate(at("11:05")).await;
        assert_eq!(
            w.lines().await,
            [
                (at("10:00"), at("10:20"), 1, micros("0.12")),
                (at("10:20"), at("11:00"), 1, micros("0.48")),
            ]
        );
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn scenario_03_a_new_price_splits_the_hour() {
    for w in World::each().await {
        w.price_small("0.36").await;
        w.publish(at("10:30"), &[(meter::instance(w.small), "0.48")]).await;
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("10:00")).await;
        w.rate(at("11:05")).await;
        assert_eq!(
            w.lines().await,
            [
                (at("10:00"), at("10:30"), 1, micros("0.18")),
                (at("10:30"), at("11:00"), 1, micros("0.24")),
            ]
        );
        assert_eq!(w.balance(at("11:00")).await.balance, micros("-0.42"));
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn prices_are_not_changed_in_the_past_and_a_late_change_is_rated_again() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("10:00")).await;
        w.clock.set(at("10:30"));
        let past = [prices::Price {
            meter: meter::instance(w.small),
            unit_price: crate::testing::nanos("0.48"),
        }];
        let error = w
            .write(async |tx| {
                prices::publish_version(tx, at("10:30"), w.book, Some(at("10:29")), &past).await
            })
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
        // Somebody posted up to 10:45 before the version that counts from 10:30 was committed.
        w.post(at("10:45")).await;
        w.publish(at("10:30"), &[(meter::instance(w.small), "0.48")]).await;
        assert_eq!(w.balance(at("11:00")).await.balance, micros("-0.42"));
        w.post(at("11:00")).await;
        assert_eq!(w.balance(at("11:00")).await.posted, micros("-0.42"));
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn scenario_04_an_event_counts_once_and_its_id_is_its_own() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let guest = w.guest("web-1");
        let event = w.event(&guest, Running, at("10:00"));
        let first = w.record(at("10:00"), &event).await.unwrap();
        assert_eq!(first, Recorded::Counted { sequence: 1, effective_at: at("10:00") });
        for _ in 0..4 {
            assert_eq!(w.record(at("10:01"), &event).await.unwrap(), Recorded::Known);
        }
        let other = crate::usage::Fact { at: at("10:05"), ..event };
        let error = w.record(at("10:06"), &other).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict);
        assert_eq!(w.scalar("SELECT COUNT(*) FROM usage_spans").await, 1);
        w.rate(at("11:05")).await;
        assert_eq!(w.lines().await, [(at("10:00"), at("11:00"), 1, micros("0.36"))]);
    }
}

#[tokio::test]
async fn scenario_05_a_late_delete_is_one_adjustment() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("09:00")).await;
        for hour in ["10:01", "11:01", "12:01", "13:01"] {
            w.rate(at(hour)).await;
        }
        let originals = w.lines().await;
        assert_eq!(originals.len(), 4);
        assert!(originals.iter().all(|line| line.3 == micros("0.36")));
        w.record(at("13:05"), &w.event(&guest, Absent, at("09:50"))).await.unwrap();
        assert_eq!(w.balance(at("13:05")).await.balance, micros("-0.30"));
        w.rate(at("13:05")).await;
        let lines = w.lines().await;
        assert_eq!(lines[..4], originals);
        assert_eq!(lines[4..], [(at("09:50"), at("13:00"), -1, micros("-1.14"))]);
        assert_eq!(w.balance(at("15:00")).await.posted, micros("-0.30"));
        w.rate(at("15:00")).await;
        assert_eq!(w.lines().await.len(), 5);
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn an_interval_that_a_late_fact_undoes_is_credited_whole() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("09:00")).await;
        w.rate(at("10:01")).await;
        w.record(at("10:05"), &w.event(&guest, Absent, at("08:00"))).await.unwrap();
        assert_eq!(w.balance(at("10:05")).await.balance, micros("0"));
        w.rate(at("10:05")).await;
        assert_eq!(w.lines().await[1..], [(at("09:00"), at("10:00"), -1, micros("-0.36"))]);
        assert_eq!(w.balance(at("10:06")).await.posted, micros("0"));
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn scenario_06_an_outage_of_rating_changes_nothing() {
    for (with, without) in World::each().await.into_iter().zip(World::each().await) {
        let mut ledgers = Vec::new();
        for (w, outage) in [(&with, true), (&without, false)] {
            w.price_small("0.07").await;
            let guest = w.guest("web-1");
            w.seen(&guest, Running, at("08:10")).await;
            for hour in ["09:01", "10:01", "11:01", "12:01"] {
                // Rating is down from nine to twelve; the facts are recorded all the same.
                if hour == "11:01" {
                    w.record(at("10:40"), &w.event(&guest, Stopped, at("10:40"))).await.unwrap();
                    w.record(at("10:50"), &w.event(&guest, Running, at("10:50"))).await.unwrap();
                }
                if !outage || hour == "12:01" {
                    w.rate(at(hour)).await;
                }
            }
            w.assert_sound().await;
            ledgers.push((w.lines().await, w.balance(at("12:30")).await.balance));
        }
        assert_eq!(ledgers[0], ledgers[1]);
    }
}

#[tokio::test]
async fn scenario_09_the_future_is_quarantined_beyond_five_minutes() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let (early, near) = (w.guest("early"), w.guest("near"));
        let event = w.event(&early, Running, at("10:06"));
        assert_eq!(w.record(at("10:00"), &event).await.unwrap(), Recorded::Quarantined);
        assert_eq!(w.record(at("10:00"), &event).await.unwrap(), Recorded::Known);
        let event = w.event(&near, Running, at("10:04:59"));
        assert_eq!(
            w.record(at("10:00"), &event).await.unwrap(),
            Recorded::Counted { sequence: 1, effective_at: at("10:04:59") }
        );
        assert_eq!(w.subjects().await, ["usage of early is dated in the future"]);
        w.rate(at("11:05")).await;
        assert_eq!(w.lines().await, [(at("10:04:59"), at("11:00"), 1, micros("0.3301"))]);
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn scenario_10_a_clock_that_jumps_back_bills_each_minute_once() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let guest = w.guest("web-1");
        w.record(at("10:00"), &w.event(&guest, Running, at("10:00"))).await.unwrap();
        w.record(at("10:30"), &w.event(&guest, Stopped, at("10:30"))).await.unwrap();
        // The host's clock went back by ten minutes: its 10:25 is our 10:35.
        w.record(at("10:35"), &w.event(&guest, Running, at("10:25"))).await.unwrap();
        w.record(at("11:10"), &w.event(&guest, Stopped, at("11:00"))).await.unwrap();
        w.rate(at("11:10")).await;
        let total: i64 = w.lines().await.iter().map(|line| line.3.0).sum();
        assert_eq!(total, micros("0.36").0);
        let mut lines = w.lines().await;
        lines.sort_by_key(|line| line.0);
        assert!(lines.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{lines:?}");
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn scenario_11_a_moved_instance_is_each_tenants_for_its_time() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let other = w
            .write(async |tx| {
                let other = identity::tenants::create(tx, at("00:00"), "beta").await?.id;
                accounts::open_account(tx, at("00:00"), &w.settings, other, "CNY", Some(w.book))
                    .await?;
                Ok(other)
            })
            .await
            .unwrap();
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("10:00")).await;
        w.seen(&Guest { tenant: other, ..guest }, Running, at("10:15")).await;
        w.rate(at("11:05")).await;
        assert_eq!(w.balance(at("11:00")).await.balance, micros("-0.09"));
        let theirs = w.read(async |conn| accounts::balance(conn, at("11:00"), other).await).await;
        assert_eq!(theirs.balance, micros("-0.27"));
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn scenario_12_a_volume_that_grows_costs_by_the_minute() {
    for w in World::each().await {
        w.publish(at("00:00"), &[(meter::DISK_GIB.to_owned(), "0.001")]).await;
        let guest = Guest { disk_gib: 100, ..w.guest("db-1") };
        w.seen(&guest, Stopped, at("10:00")).await;
        w.seen(&Guest { disk_gib: 150, ..guest }, Stopped, at("10:30")).await;
        w.rate(at("11:05")).await;
        assert_eq!(
            w.lines().await,
            [
                (at("10:00"), at("10:30"), 100, micros("0.05")),
                (at("10:30"), at("11:00"), 150, micros("0.075")),
            ]
        );
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn a_paused_instance_costs_the_paused_price_or_else_the_running_one() {
    for w in World::each().await {
        w.price_small("0.36").await;
        w.publish(
            at("11:00"),
            &[(meter::instance(w.small), "0.36"), (meter::instance_paused(w.small), "0.06")],
        )
        .await;
        let guest = w.guest("web-1");
        w.seen(&guest, Paused, at("10:00")).await;
        assert_eq!(w.balance(at("11:00")).await.balance, micros("-0.36"));
        assert_eq!(w.balance(at("12:00")).await.balance, micros("-0.42"));
    }
}

/// Of the running rate's two free hours and its minimum of a month there is one.
#[tokio::test]
async fn what_is_paused_at_the_running_price_counts_with_what_runs() {
    for scope in ["resource", "tenant"] {
        for w in World::each().await {
            let rates = format!(
                r#"{{"id":"c","component":"instance.compute","price":"0.36","free":2,
                    "scope":"{scope}","minimum":{{"amount":"5","per":"{scope}"}}}}"#
            );
            w.publish_rates(Terms::default(), &rates).await;
            w.topup(at("09:00"), "6").await;
            let guest = w.guest("web-1");
            w.seen(&guest, Running, at("10:00")).await;
            w.seen(&guest, Paused, at("12:00")).await;
            // Nothing is free any more: 6 last 16 hours and two thirds.
            let now = w.balance(at("12:00")).await;
            let ends: Timestamp = "2026-10-16T04:40:00+08:00".parse().unwrap();
            assert_eq!(now.burn_per_hour, "0.36".parse::<Nanos>().unwrap());
            assert_eq!(now.runs_out_at, Some(ends), "{scope}");
            w.seen(&guest, Running, at("13:00")).await;
            w.seen(&guest, Absent, at("14:00")).await;
            w.rate(at("14:02")).await;
            assert_eq!(w.balance(at("14:02")).await.posted, micros("5.28"));
            let same = serde_json::from_str(&format!(r#"{{"rates":[{rates}]}}"#)).unwrap();
            let draft = w
                .write(async |tx| drafts::create(tx, at("14:02"), "ann", w.book, Some(same)).await)
                .await
                .unwrap();
            let end: Timestamp = "2026-11-01T00:00:00+08:00".parse().unwrap();
            w.rate(end.saturating_add_ms(120_000)).await;
            let (settings, month) = (&w.settings, "2026-10".parse().unwrap());
            let now = w.clock.shared().now();
            w.write(async |tx| close::close(tx, now, settings, w.tenant, month).await)
                .await
                .unwrap();
            assert_eq!(w.balance(now).await.posted, micros("1"), "{scope}");
            let minimum = "SELECT COUNT(*) FROM charges WHERE kind = 'minimum'";
            assert_eq!(w.scalar(minimum).await, 1);
            w.assert_sound().await;
            let ask = simulate::Ask {
                draft: draft.id,
                from: at("00:00"),
                until: end,
                effective_at: None,
                tenants: None,
            };
            let found = w.read(async |conn| simulate::simulate(conn, now, &ask).await).await;
            let amounts = (found.tenants[0].charged, found.tenants[0].simulated);
            assert_eq!(amounts, (micros("5"), micros("5")), "{scope}");
        }
    }
}

/// Told once, however often its time is looked at again.
#[tokio::test]
async fn a_gap_that_is_told_late_is_said_by_lines_of_no_amount() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("10:00")).await;
        w.rate(at("12:02")).await;
        let gap = lost::Lost {
            source: "test".to_owned(),
            source_id: "gap-1".to_owned(),
            resource: Resource { kind: "instance".to_owned(), id: guest.id.clone() },
            from: at("10:30"),
            to: at("11:30"),
            state: "running".to_owned(),
            attributes: meter::attributes(w.small, 0),
            policy: GapPolicy::Cheaper,
        };
        w.write(async |tx| lost::lost(tx, at("12:03"), &gap).await).await.unwrap();
        let before = w.lines().await;
        assert_eq!(w.balance(at("12:03")).await.balance, micros("-0.738"));
        w.rate(at("12:03")).await;
        let pair = [
            (at("10:30"), at("11:30"), -1, micros("-0.36")),
            (at("10:30"), at("11:30"), 1, micros("0.36")),
        ];
        assert_eq!(w.lines().await[before.len()..], pair);
        let known = "SELECT COUNT(*) FROM charges WHERE kind = 'adjustment' AND \
             (quantity = -1 AND quality = 'observed' AND coverage_ppm = 1000000 \
              OR quantity = 1 AND quality = 'estimated' AND coverage_ppm = 0)";
        assert_eq!(w.scalar(known).await, 2);
        w.assert_sound().await;
        w.write(async |tx| {
            let sql = "UPDATE rating_resources SET dirty_ms = 0";
            Ok(sqlx::query(sql).execute(tx).await.map(|_| ())?)
        })
        .await
        .unwrap();
        w.post(at("12:03")).await;
        assert_eq!(w.lines().await[before.len()..][..2], pair);
        assert_eq!(w.scalar(known).await, 2, "a second look finds nothing");
        assert_eq!(w.balance(at("12:03")).await.balance, micros("-0.738"));
        w.assert_sound().await;
    }
}
