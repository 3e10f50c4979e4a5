//! What counters say, charged: at once, exactly, and to whom it belongs.

use base::{
    Result,
    id::TenantId,
    money::Micros,
    time::{Clock, Timestamp},
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

use crate::{
    accounts, bill,
    counters::{self, Reading, Series, Taken},
    explain,
    prices::{
        components::Per,
        document::Document,
        publish::{self, Terms},
    },
    reports,
    standing::Standing,
    testing::{Guest, World, at, micros},
    usage::{Resource, ResourceState::*},
};

use super::standing::standing;

const GIB: i64 = 1 << 30;
/// Random histories that every run tries.
const SEEDS: u64 = 6;

fn port(guest: &Guest, port: &str) -> Series {
    Series {
        resource: Resource { kind: "instance".to_owned(), id: guest.id.clone() },
        component: "net_tx".to_owned(),
        port: port.to_owned(),
        has_epochs: true,
    }
}

fn reading(at: Timestamp, value: i64) -> Reading {
    Reading { at_ms: at.ms(), epoch: "1".to_owned(), value }
}

impl World {
    /// Read at `now`.
    async fn read_at(
        &self,
        now: Timestamp,
        series: &Series,
        readings: &[Reading],
    ) -> Result<Taken> {
        self.write(async |tx| counters::read(tx, now, series, readings).await).await
    }

    async fn reads(&self, guest: &Guest, now: Timestamp, gib: i64) {
        self.read_at(now, &port(guest, "p0"), &[reading(now, gib * GIB)]).await.unwrap();
    }

    pub(crate) async fn publish_rates(&self, terms: Terms<'_>, rates: &str) {
        let document: Document =
            serde_json::from_str(&format!(r#"{{"rates":[{rates}]}}"#)).unwrap();
        let now = self.clock.now();
        self.write(async |tx| publish::publish(tx, now, self.book, terms, &document).await)
            .await
            .unwrap();
    }

    /// By tenant: what was charged.
    async fn charged(&self, tenant: TenantId) -> Micros {
        let sum: Option<i64> = self
            .read(async |conn| {
                Ok(sqlx::query_scalar(
                    "SELECT CAST(SUM(net + tax) AS BIGINT) FROM charges WHERE tenant_id = $1",
                )
                .bind(tenant.to_string())
                .fetch_one(conn)
                .await?)
            })
            .await;
        Micros(sum.unwrap_or(0))
    }

    async fn second_tenant(&self, zone: &str) -> TenantId {
        let now = self.clock.now();
        self.write(async |tx| {
            let other = identity::tenants::create(tx, now, "beta").await?.id;
            let settings = crate::Settings { timezone: zone.to_owned(), ..self.settings.clone() };
            accounts::open_account(tx, now, &settings, other, "CNY", Some(self.book)).await?;
            Ok(other)
        })
        .await
        .unwrap()
    }
}

fn out(price: &str) -> String {
    format!(r#"{{"id":"out","component":"instance.net_tx","unit":{GIB},"price":"{price}"}}"#)
}

#[tokio::test]
async fn a_counters_charge_moves_the_crossing_when_it_arrives() {
    for mut w in World::each().await {
        w.settings.grace_ms = 0;
        let running = format!(
            r#"{{"id":"c","component":"instance.compute","where":{{"flavor":"{}"}},"price":"1"}}"#,
            w.small
        );
        w.publish_rates(Terms::default(), &format!("{running},{}", out("0.5"))).await;
        w.topup(at("09:00"), "10").await;
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("10:00")).await;
        w.reads(&guest, at("10:00"), 3).await;
        assert_eq!(w.balance(at("10:00")).await.runs_out_at, Some(at("20:00")));
        // 8 GiB more cost 4: known in the balance before anybody posts.
        w.reads(&guest, at("10:30"), 11).await;
        let balance = w.balance(at("10:30")).await;
        assert_eq!((balance.balance, balance.accrued), (micros("5.5"), micros("4.5")));
        assert_eq!(balance.runs_out_at, Some(at("16:00")));
        w.rate(at("10:30")).await;
        let balance = w.balance(at("10:30")).await;
        assert_eq!((balance.balance, balance.accrued), (micros("5.5"), micros("0.5")));
        assert_eq!(balance.runs_out_at, Some(at("16:00")));
        let woken = w.stand(at("10:30")).await.wake_at.unwrap();
        assert!(woken <= at("16:00"), "{woken}");
        // What is behind costs more than is left: it is cut off by the very look that follows.
        w.rate(at("11:02")).await;
        w.stand(at("11:02")).await;
        assert_ne!(standing(&w).await, Standing::Stopped);
        w.reads(&guest, at("11:02:10"), 31).await;
        w.stand(at("11:02:10")).await;
        assert!(standing(&w).await >= Standing::Overdue, "{:?}", standing(&w).await);
        w.rate(at("11:03")).await;
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn a_month_and_a_price_end_between_two_readings() {
    let instant = |text: &str| text.parse::<Timestamp>().unwrap();
    let start = instant("2026-09-30T20:00:00+08:00");
    for w in World::each_from(start).await {
        w.publish_rates(Terms::default(), &out("0.9")).await;
        let later =
            Terms { effective_at: Some(instant("2026-09-30T23:00:00+08:00")), correction: None };
        w.publish_rates(later, &out("0.6")).await;
        let guest = w.guest("web-1");
        w.seen(&guest, Running, start).await;
        w.reads(&guest, instant("2026-09-30T22:00:00+08:00"), 0).await;
        let end = instant("2026-10-01T01:00:00+08:00");
        w.reads(&guest, end, 10).await;
        w.rate(end.saturating_add_ms(120_000)).await;
        let ms = |text: &str| instant(text).ms();
        let edges = [
            ms("2026-09-30T22:00:00+08:00"),
            ms("2026-09-30T23:00:00+08:00"),
            ms("2026-10-01T00:00:00+08:00"),
            end.ms(),
        ];
        // A third of 10 GiB each: rounded down from the beginning of each cut on. The month's cut comes
        // first, at two thirds.
        let two_thirds = 20 * GIB / 3;
        let parts = [two_thirds / 2, two_thirds - two_thirds / 2, 10 * GIB - two_thirds];
        let lines = w.lines().await;
        let found: Vec<_> = lines.iter().map(|l| (l.0.ms(), l.1.ms(), l.2)).collect();
        let wanted: Vec<_> = (0..3).map(|n| (edges[n], edges[n + 1], parts[n])).collect();
        assert_eq!(found, wanted);
        assert_eq!(lines.iter().map(|l| l.2).sum::<i64>(), 10 * GIB);
        let months = "SELECT COUNT(*) FROM rated_keys WHERE month = '2026-09'";
        assert_eq!(w.scalar(months).await, 2);
        // 10/3 x 0.9 + 10/3 x 0.6 + 10/3 x 0.6, each key rounded once.
        let amounts: Vec<Micros> = lines.iter().map(|l| l.3).collect();
        assert_eq!(amounts, ["3.000000", "2.000000", "2.000000"].map(micros));
        assert_eq!(w.scalar("SELECT COUNT(*) FROM charges WHERE kind <> 'usage'").await, 0);
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn a_move_told_late_takes_back_what_it_was_charged() {
    for w in World::each().await {
        w.publish_rates(Terms::default(), &out("1")).await;
        let other = w.second_tenant("UTC").await;
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("09:00")).await;
        w.reads(&guest, at("10:00"), 0).await;
        for (hour, gib) in [("11:00", 4), ("12:00", 10), ("13:00", 14)] {
            w.reads(&guest, at(hour), gib).await;
            w.rate(at(hour)).await;
        }
        assert_eq!(w.charged(w.tenant).await, micros("14"));
        let (tenant, from, to) = (w.tenant, at("08:00"), at("13:00"));
        let bill = w.write(async |tx| bill::post_and_bill(tx, tenant, from, to, to).await).await;
        let bill = bill.unwrap();
        assert_eq!((bill.lines.len(), bill.subtotal), (1, micros("14")));
        let line = &bill.lines[0];
        assert_eq!((line.quantity, line.from, line.to), (14 * GIB, at("10:00"), at("13:00")));
        assert_eq!(line.what, "instance web-1, net_tx");
        assert_eq!(
            (line.component.as_str(), line.per, line.unit),
            ("instance.net_tx", Per::Unit, GIB)
        );
        let joined = explain::Wanted { resource_id: Some(guest.id.clone()), ..Default::default() };
        let joined = w.read(async |conn| explain::list(conn, tenant, &joined).await).await.items;
        assert_eq!((joined.len(), joined[0].id), (3, line.first_line));
        let period = reports::Period { from: Some(at("10:30")), to: Some(at("12:00")) };
        let group = reports::Group::Resource;
        let cost =
            w.read(async |tx| reports::cost(tx, to, Some(tenant), period, group, None).await).await;
        // Half of the first 4, and the 6 after them.
        assert_eq!((cost.rows.len(), cost.rows[0].net), (1, micros("8")));
        let used = &cost.rows[0].usage[0];
        assert_eq!((used.component.as_str(), used.units), ("instance.net_tx", Some(8 * GIB)));
        // It was moved at 11:30 already: 3 of that hour's 6, and the 4 after it, are beta's.
        let moved = Guest { tenant: other, ..guest.clone() };
        let fact = w.event(&moved, Running, at("11:30"));
        w.record(at("13:05"), &fact).await.unwrap();
        w.rate(at("13:05")).await;
        assert_eq!(w.charged(w.tenant).await, micros("7"));
        assert_eq!(w.charged(other).await, micros("7"));
        // And was moved back in that instant, so that all is as before.
        let back = w.event(&guest, Running, at("11:30"));
        w.record(at("13:06"), &back).await.unwrap();
        w.rate(at("13:06")).await;
        assert_eq!(w.charged(w.tenant).await, micros("14"));
        assert_eq!(w.charged(other).await, Micros::ZERO);
        w.reads(&guest, at("14:00"), 15).await;
        w.rate(at("14:02")).await;
        assert_eq!(w.charged(w.tenant).await, micros("15"));
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn a_price_corrected_later_is_charged_from_its_instant_on() {
    for w in World::each().await {
        w.publish_rates(Terms::default(), &out("1")).await;
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("09:00")).await;
        w.reads(&guest, at("10:00"), 0).await;
        w.reads(&guest, at("10:40"), 8).await;
        w.rate(at("10:40")).await;
        assert_eq!(w.charged(w.tenant).await, micros("8"));
        // Within what was read since the last hour's end.
        w.clock.set(at("10:45"));
        let terms = Terms { effective_at: Some(at("10:30")), correction: Some("too dear") };
        w.publish_rates(terms, &out("0.5")).await;
        w.rate(at("10:45")).await;
        assert_eq!(w.charged(w.tenant).await, micros("7"), "6 at 1, 2 at 0.5");
        w.rate(at("11:02")).await;
        w.reads(&guest, at("11:02:30"), 10).await;
        w.rate(at("11:02:30")).await;
        assert_eq!(w.charged(w.tenant).await, micros("8"));
        // The whole is taken back and given in two parts, which say so; what is new is use.
        let adjusted = w.scalar("SELECT COUNT(*) FROM charges WHERE kind = 'adjustment'").await;
        assert_eq!((adjusted, w.scalar("SELECT COUNT(*) FROM charges").await), (3, 5));
        w.assert_sound().await;
    }
}

/// Two ports of two guests, read whenever, told in any order, with postings in between: by tiers the
/// month costs what all of it comes to.
#[tokio::test]
async fn any_readings_in_any_order_come_to_the_same() {
    for seed in 0..SEEDS {
        for w in World::each().await {
            let mut rng = StdRng::seed_from_u64(seed);
            let tiers = format!(
                r#"{{"id":"out","component":"instance.net_tx","unit":{GIB},"free":3,
                    "graduated":[{{"up_to":20,"price":"0.77"}},{{"price":"0.333333333"}}]}}"#
            );
            w.publish_rates(Terms::default(), &tiers).await;
            let guests = [w.guest("a"), w.guest("b")];
            let mut told: Vec<(Series, Reading)> = Vec::new();
            let mut all = 0;
            for guest in &guests {
                w.seen(guest, Running, at("01:00")).await;
                for name in ["p0", "p1"] {
                    let mut value = rng.random_range(0..GIB);
                    let minutes = |n: i64| at("01:00").saturating_add_ms(n * 60_000);
                    told.push((port(guest, name), reading(minutes(0), value)));
                    for n in 1..=6 {
                        let step = rng.random_range(0..3 * GIB);
                        value += step;
                        all += step;
                        let at = minutes(n * 50 + rng.random_range(0..40));
                        told.push((port(guest, name), reading(at, value)));
                    }
                }
            }
            told.shuffle(&mut rng);
            let mut now = at("08:00");
            for (series, reading) in &told {
                w.read_at(now, series, std::slice::from_ref(reading)).await.unwrap();
                now = now.saturating_add_ms(rng.random_range(0..1_200_000));
                if rng.random_bool(0.5) {
                    w.rate(now).await;
                }
            }
            w.rate(now.saturating_add_ms(7_200_000)).await;
            let beyond = i128::from((all - 3 * GIB).max(0));
            let (first, gib) = (20 * i128::from(GIB), i128::from(GIB));
            let nanos = beyond.min(first) * 770_000_000 + (beyond - first).max(0) * 333_333_333;
            let wanted = base::money::div_half_even(nanos, 1_000 * gib);
            let charged = i128::from(w.charged(w.tenant).await.0);
            assert_eq!(charged, wanted, "seed {seed}");
            w.assert_sound().await;
        }
    }
}
