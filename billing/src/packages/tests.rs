//! Packages on both databases, through replays where money is followed.

use base::{ErrorKind, id::PackageOrderId, reconcile::Reconciler, time::Timestamp};
use chrono_tz::Tz;
use proptest::prelude::*;

use super::{NewOrder, PackageReconciler, cancel, list, months, order, renew};
use crate::{
    prices::{
        document::{Document, Rate},
        publish::{Terms, publish},
    },
    testing::{World, micros, nanos},
};

fn shanghai(text: &str) -> Timestamp {
    format!("{text}:00+08:00").parse().unwrap()
}

const ZONE: Tz = chrono_tz::Asia::Shanghai;

#[test]
fn a_short_month_does_not_change_the_day() {
    let starts = shanghai("2026-10-31T10:00");
    let begins = |n| months::month(starts, n, ZONE).from;
    let wanted = [
        "2026-10-31T10:00",
        "2026-11-30T10:00",
        "2026-12-31T10:00",
        "2027-01-31T10:00",
        "2027-02-28T10:00",
        "2027-03-31T10:00",
        "2027-04-30T10:00",
    ];
    for (number, wanted) in (0u32..).zip(wanted) {
        assert_eq!(begins(number), shanghai(wanted), "{number}");
    }
    // Of a leap year, and of days that are in every month.
    let leap = shanghai("2027-12-29T00:00");
    assert_eq!(months::month(leap, 2, ZONE).from, shanghai("2028-02-29T00:00"));
    assert_eq!(months::month(leap, 14, ZONE).from, shanghai("2029-02-28T00:00"));
    assert_eq!(months::month(leap, 15, ZONE).from, shanghai("2029-03-29T00:00"));
}

/// Berlin's clocks skip 02:30 on 28 March 2027, and show it twice on 31 October.
#[test]
fn a_time_that_the_clocks_skip_is_the_first_after_it() {
    let berlin = chrono_tz::Europe::Berlin;
    let starts: Timestamp = "2027-01-28T02:30:00+01:00".parse().unwrap();
    let from = |n| months::month(starts, n, berlin).from;
    assert_eq!(from(2), "2027-03-28T03:00:00+02:00".parse().unwrap());
    assert_eq!(from(3), "2027-04-28T02:30:00+02:00".parse().unwrap());
    let autumn: Timestamp = "2027-08-31T02:30:00+02:00".parse().unwrap();
    assert_eq!(months::month(autumn, 2, berlin).from, "2027-10-31T02:30:00+02:00".parse().unwrap());
}

proptest! {
    /// Months adjoin, and every instant lies in the one that is said to be its own.
    #[test]
    fn months_adjoin(start_ms in 0i64..4_000_000_000_000, after_ms in 0i64..300_000_000_000) {
        let starts = Timestamp::from_ms(start_ms);
        let at = starts.saturating_add_ms(after_ms);
        let month = months::current(starts, at, ZONE);
        prop_assert!(month.from <= at && at < month.to);
        prop_assert_eq!(months::month(starts, month.number + 1, ZONE).from, month.to);
        let next = months::next(starts, at, ZONE);
        prop_assert_eq!(next.from, if month.from == at { at } else { month.to });
    }
}

async fn priced(world: &World, packages: &[(&str, &str)], from: &str) {
    published(world, packages, from, (from, None)).await;
}

/// At an instant, effective from another on.
async fn published(
    world: &World,
    packages: &[(&str, &str)],
    at: &str,
    (from, correction): (&str, Option<&str>),
) {
    let rate = |(id, price): &(&str, &str)| Rate::standard(*id, super::COMPONENT, nanos(price));
    let document = Document { rates: packages.iter().map(rate).collect(), ..Document::default() };
    let (at, from) = (shanghai(at), shanghai(from));
    let terms = Terms { effective_at: Some(from), correction };
    world.write(async |tx| publish(tx, at, world.book, terms, &document).await).await.unwrap();
}

async fn ordered(world: &World, now: &str, rate: &str) -> base::Result<super::Package> {
    let new = NewOrder { tenant: world.tenant, name: "", rate, actor: "user:test" };
    world.write(async |tx| order(tx, shanghai(now), &new).await).await
}

/// What the reconciler posts, and when it wants to run again.
async fn run(world: &World, now: &str) -> (serde_json::Value, Option<Timestamp>) {
    world.clock.set(shanghai(now));
    let (db, clock, bus) = (world.db.clone(), world.clock.shared(), world.bus.clone());
    let outcome = PackageReconciler::new(db, clock, bus).run().await.unwrap();
    assert_eq!(outcome.status["failed"], serde_json::json!([]));
    (outcome.status["lines"].clone(), outcome.wake_at)
}

#[tokio::test]
async fn each_month_is_charged_once_at_its_beginning_whoever_looks_how_often() {
    for world in World::each_from(shanghai("2026-10-01T00:00")).await {
        priced(&world, &[("vpn", "30")], "2026-10-01T00:00").await;
        world.topup(shanghai("2026-10-01T00:00"), "100").await;
        let package = ordered(&world, "2026-10-31T10:00", "vpn").await.unwrap();
        assert_eq!(package.renews_at, Some(shanghai("2026-11-30T10:00")));
        assert_eq!((package.price, package.name.as_str()), (Some(micros("30")), "vpn"));
        assert_eq!(world.balance(shanghai("2026-10-31T10:00")).await.posted, micros("70"));
        assert_eq!(run(&world, "2026-11-30T09:59").await.0, 0);
        // Due and not posted yet, it is accrued.
        let due = world.balance(shanghai("2026-11-30T10:00")).await;
        assert_eq!((due.posted, due.accrued), (micros("70"), micros("30")));
        let (lines, wake_at) = run(&world, "2026-11-30T10:00").await;
        assert_eq!((lines, wake_at), (1.into(), Some(shanghai("2026-12-31T10:00"))));
        assert_eq!(run(&world, "2026-11-30T10:00").await.0, 0);
        let now = shanghai("2026-11-30T12:00");
        let again = world.write(async |tx| {
            // As after a restart that forgot how far it was.
            sqlx::query("UPDATE package_renewals SET due_ms = 0").execute(&mut *tx).await?;
            renew(tx, now, world.tenant).await
        });
        assert_eq!(again.await.unwrap().lines, 0);
        // Three months at once after a long outage: the third is the first that nothing is left for.
        assert_eq!(run(&world, "2027-02-28T10:00").await.0, 3);
        let balance = world.balance(shanghai("2027-02-28T10:00")).await;
        assert_eq!((balance.posted, balance.accrued), (micros("-50"), micros("0")));
        let lines = world.lines().await;
        let from: Vec<Timestamp> = lines.iter().map(|line| line.0).collect();
        let wanted = ["2026-10-31", "2026-11-30", "2026-12-31", "2027-01-31", "2027-02-28"];
        assert_eq!(from, wanted.map(|day| shanghai(&format!("{day}T10:00"))));
        world.assert_sound().await;
    }
}

#[tokio::test]
async fn cancelled_it_ends_with_the_month_that_is_paid() {
    for world in World::each_from(shanghai("2026-10-01T00:00")).await {
        priced(&world, &[("vpn", "30"), ("backup", "12")], "2026-10-01T00:00").await;
        world.topup(shanghai("2026-10-01T00:00"), "100").await;
        let package = ordered(&world, "2026-10-10T10:00", "vpn").await.unwrap();
        let end = async |id: PackageOrderId, now: &str| {
            let tenant = world.tenant;
            world.write(async |tx| cancel(tx, shanghai(now), tenant, id, "user:test").await).await
        };
        let ended = end(package.id, "2026-11-20T00:00").await.unwrap();
        assert_eq!((ended.ends_at, ended.renews_at), (Some(shanghai("2026-12-10T10:00")), None));
        assert_eq!(end(package.id, "2026-11-21T00:00").await.unwrap(), ended, "it stays so");
        assert_eq!(run(&world, "2027-03-01T00:00").await, (0.into(), None));
        assert_eq!(world.balance(shanghai("2027-03-01T00:00")).await.posted, micros("40"));
        let stranger = end(PackageOrderId::new(), "2027-03-01T00:00").await.unwrap_err();
        assert_eq!(stranger.kind, ErrorKind::NotFound);
        for statement in [
            "UPDATE package_orders SET rate = 'backup'",
            "DELETE FROM package_orders",
            "UPDATE package_ends SET ends_ms = 0",
            "DELETE FROM package_ends",
        ] {
            let done = world
                .write(async |tx| Ok(sqlx::query(statement).execute(tx).await?.rows_affected()))
                .await;
            assert!(done.is_err(), "{statement}: {done:?}");
        }
        world.assert_sound().await;
    }
}

#[tokio::test]
async fn what_can_not_be_paid_or_is_not_sold_is_not_ordered() {
    for world in World::each_from(shanghai("2026-10-01T00:00")).await {
        priced(&world, &[("vpn", "30")], "2026-10-01T00:00").await;
        let error = ordered(&world, "2026-10-10T10:00", "vpn").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::PaymentRequired);
        assert_eq!(error.remedy.as_deref(), Some("top up at least 30.000000 CNY"));
        world.topup(shanghai("2026-10-10T10:00"), "100").await;
        let error = ordered(&world, "2026-10-10T10:00", "wpn").await.unwrap_err();
        assert_eq!(
            (error.kind, error.remedy.unwrap().ends_with(": vpn")),
            (ErrorKind::Invalid, true)
        );
        let all = world.read(async |c| list(c, shanghai("2026-10-10T10:00"), world.tenant).await);
        assert_eq!(all.await, []);
    }
}

/// A package that is no longer sold is not renewed, and its tenant is told.
#[tokio::test]
async fn what_is_not_sold_any_more_ends_when_its_month_does() {
    for world in World::each_from(shanghai("2026-10-01T00:00")).await {
        priced(&world, &[("vpn", "30"), ("backup", "12")], "2026-10-01T00:00").await;
        world.topup(shanghai("2026-10-01T00:00"), "100").await;
        ordered(&world, "2026-10-10T10:00", "vpn").await.unwrap();
        priced(&world, &[("backup", "12")], "2026-10-20T00:00").await;
        assert_eq!(run(&world, "2026-11-10T10:00").await, (0.into(), None));
        let now = shanghai("2026-11-10T10:00");
        let all = world.read(async |c| list(c, now, world.tenant).await).await;
        assert_eq!(all[0].ends_at, Some(shanghai("2026-11-10T10:00")));
        assert!(all[0].reason.contains("no package vpn"), "{all:?}");
        assert_eq!(world.subjects().await, ["package vpn was not renewed"]);
        assert_eq!(world.balance(now).await.posted, micros("70"));
    }
}

/// What was charged for later months goes back with the month in which it was not sold any more.
#[tokio::test]
async fn a_correction_that_drops_a_package_gives_all_its_later_months_back() {
    for world in World::each_from(shanghai("2026-10-01T00:00")).await {
        priced(&world, &[("vpn", "30"), ("backup", "12")], "2026-10-01T00:00").await;
        world.topup(shanghai("2026-10-01T00:00"), "100").await;
        ordered(&world, "2026-10-10T10:00", "vpn").await.unwrap();
        run(&world, "2026-12-10T10:00").await;
        assert_eq!(world.balance(shanghai("2026-12-20T09:00")).await.balance, micros("10"));

        let dropped = ("2026-11-01T00:00", Some("it was withdrawn in October"));
        published(&world, &[("backup", "12")], "2026-12-20T09:00", dropped).await;
        let sold_again = ("2026-12-01T00:00", Some("and is back since December"));
        published(&world, &[("vpn", "30")], "2026-12-20T09:30", sold_again).await;
        let now = shanghai("2026-12-20T10:00");
        assert_eq!(world.balance(now).await.balance, micros("70"), "before it is posted");
        assert_eq!(run(&world, "2026-12-20T10:00").await, (2.into(), None));
        assert_eq!(world.balance(now).await.posted, micros("70"));
        let all = world.read(async |c| list(c, now, world.tenant).await).await;
        assert_eq!(all[0].ends_at, Some(shanghai("2026-11-10T10:00")));
    }
}

/// A tenant with nothing but a package is warned as one whose instances burn.
#[tokio::test]
async fn standing_foresees_a_renewal_that_can_not_be_paid() {
    for world in World::each_from(shanghai("2026-10-01T00:00")).await {
        priced(&world, &[("vpn", "30")], "2026-10-01T00:00").await;
        world.topup(shanghai("2026-10-01T00:00"), "40").await;
        ordered(&world, "2026-10-10T10:00", "vpn").await.unwrap();
        world.stand(shanghai("2026-11-02T10:00")).await;
        assert_eq!(world.subjects().await, Vec::<String>::new());
        world.stand(shanghai("2026-11-09T11:00")).await;
        let subjects = world.subjects().await;
        assert!(subjects[0].contains("is expected to run out"), "{subjects:?}");
    }
}
