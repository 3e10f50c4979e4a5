//! What stands before a step that stops something: exemptions, dry runs, approvals, the guard; and
//! the warnings before all of them.

use base::{
    ErrorKind,
    id::{InstanceId, TenantId},
    money::Micros,
    time::Timestamp,
};
use inventory::instances::Power;

use super::standing::{log, powers, standing};
use crate::{
    accounts,
    ledger::{Recharge, recharge},
    meter,
    settings::Mode,
    standing::{Standing, exemptions, guard, preview, steps},
    testing::{Guest, World, at, micros},
    usage::ResourceState::*,
};

const HOUR_MS: i64 = 3_600_000;

#[tokio::test]
async fn each_warning_is_told_once_and_only_the_tightest() {
    let within =
        |what: &str| format!("tenant acme is expected to run out of balance within {what}");
    for w in World::each().await {
        w.price_small("1.00").await;
        w.topup(at("10:00"), "200").await;
        w.seen(&w.guest("web-1"), Running, at("10:00")).await;
        let mut now = at("10:00");
        let mut told = Vec::new();
        // A payment after the warning of three days: it is lifted above that, not above seven.
        let mut paid = false;
        while standing(&w).await < Standing::Overdue {
            let wake_at = w.stand(now).await.wake_at.unwrap();
            w.stand(now).await;
            told.push((now.since_ms(at("10:00")) / HOUR_MS, w.subjects().await.len()));
            if w.subjects().await.len() == 2 && !paid {
                (paid, now) = (true, now.saturating_add_ms(HOUR_MS));
                w.topup(now, "50").await;
            } else {
                now = wake_at;
            }
        }
        // 200 h: seven days at 32, three at 128; 50 more at 129 end it at 250, three days at 178,
        // one at 226, an hour at 249.
        assert_eq!(
            told,
            [(0, 0), (32, 1), (128, 2), (129, 2), (178, 3), (226, 4), (249, 5), (250, 6)]
        );
        let three = within("3 days");
        assert_eq!(
            w.subjects().await,
            [
                within("7 days"),
                three.clone(),
                three,
                within("a day"),
                within("an hour"),
                "tenant acme has run out of balance".to_owned(),
            ]
        );
        assert_eq!(log(&w).await, [("warned".to_owned(), 1), ("overdue".to_owned(), 1)]);
        assert_eq!(w.scalar("SELECT COUNT(*) FROM standing_warnings").await, 5);
    }
}

pub(super) async fn exempt(
    w: &World,
    now: Timestamp,
    instance: Option<InstanceId>,
    to: Option<Timestamp>,
) {
    let new = exemptions::NewExemption {
        tenant: w.tenant,
        instance,
        from: None,
        to,
        reason: "a test",
        actor: "test",
    };
    w.write(async |tx| exemptions::create(tx, now, &new).await).await.unwrap();
}

#[tokio::test]
async fn what_is_exempt_runs_on_and_a_tenant_that_is_waits_for_the_end() {
    for mut w in World::each().await {
        (w.settings.grace_ms, w.settings.suspend_to_stop_ms) = (0, 0);
        let image = w.with_host().await;
        w.price_small("1.00").await;
        w.topup(at("10:00"), "1").await;
        let ids = [w.create(image, "web-1").await, w.create(image, "exempt").await];
        w.seen(&Guest { id: ids[0].to_string(), ..w.guest("web-1") }, Running, at("10:00")).await;
        exempt(&w, at("10:00"), Some(ids[1]), Some(at("15:00"))).await;
        exempt(&w, at("10:00"), None, Some(at("12:00"))).await;
        w.stand(at("10:30")).await;
        // Out of money, and nothing stops before the tenant's exemption ends.
        assert_eq!(w.stand(at("11:00")).await.wake_at, Some(at("12:00")));
        assert_eq!(standing(&w).await, Standing::Overdue);
        assert_eq!(powers(&w, &ids).await, [Power::Running; 2]);
        assert_eq!(w.stand(at("12:00")).await.wake_at, Some(at("15:00")));
        assert_eq!(standing(&w).await, Standing::Stopped);
        assert_eq!(powers(&w, &ids).await, [Power::Stopped, Power::Running]);
        w.stand(at("15:00")).await;
        assert_eq!(powers(&w, &ids).await, [Power::Stopped; 2]);
        // Made while stopped, it lets go at once; ended early, it holds again.
        exempt(&w, at("15:30"), None, None).await;
        w.stand(at("15:30")).await;
        assert_eq!(powers(&w, &ids).await, [Power::Running; 2]);
        let open = w.read(async |conn| exemptions::open(conn, at("15:30"), None).await).await;
        assert_eq!(open.len(), 1);
        w.write(async |tx| exemptions::end(tx, at("15:40"), open[0].id).await).await.unwrap();
        w.stand(at("15:40")).await;
        assert_eq!(powers(&w, &ids).await, [Power::Stopped; 2]);
    }
}

#[tokio::test]
async fn a_dry_run_stops_nothing_and_an_approval_lets_one_step_happen() {
    for mut w in World::each().await {
        (w.settings.grace_ms, w.settings.warnings_ms) = (0, Vec::new());
        let image = w.with_host().await;
        w.price_small("1.00").await;
        w.topup(at("10:00"), "1").await;
        let ids = [w.create(image, "web-1").await];
        w.seen(&Guest { id: ids[0].to_string(), ..w.guest("web-1") }, Running, at("10:00")).await;
        w.settings.mode = Mode::DryRun;
        for _ in 0..2 {
            w.stand(at("11:00")).await;
        }
        let waiting = w.read(async |conn| steps::open(conn, None).await).await;
        assert_eq!(waiting.len(), 1);
        assert_eq!(
            (waiting[0].state.as_str(), waiting[0].standing),
            ("dry_run", Standing::Suspended)
        );
        assert_eq!(
            (standing(&w).await, powers(&w, &ids).await),
            (Standing::Overdue, vec![Power::Running])
        );
        w.settings.mode = Mode::Approve;
        w.write(async |tx| crate::agenda::make_stale(tx).await).await.unwrap();
        w.stand(at("11:30")).await;
        assert_eq!(powers(&w, &ids).await, [Power::Running]);
        let open = async || w.read(async |conn| steps::open(conn, None).await).await;
        let approve = async |now: Timestamp| {
            w.write(async |tx| steps::approve(tx, now, &w.settings, w.tenant, "op", "yes").await)
                .await
        };
        approve(at("11:40")).await.unwrap();
        w.stand(at("11:40")).await;
        assert_eq!(
            (standing(&w).await, powers(&w, &ids).await),
            (Standing::Suspended, vec![Power::Paused])
        );
        // The next step is not due, and then it waits as well.
        assert_eq!(approve(at("11:41")).await.unwrap_err().kind, ErrorKind::Conflict);
        let stop = at("11:40").saturating_add_ms(w.settings.suspend_to_stop_ms);
        w.stand(stop).await;
        assert_eq!(standing(&w).await, Standing::Suspended);
        assert_eq!(open().await[0].state, "awaiting");
        approve(stop).await.unwrap();
        w.stand(stop).await;
        assert_eq!(
            (standing(&w).await, powers(&w, &ids).await),
            (Standing::Stopped, vec![Power::Stopped])
        );
        assert!(open().await.is_empty());
        assert_eq!(
            w.subjects().await,
            [
                "tenant acme would be suspended now (dry run)",
                "tenant acme has run out of balance",
                "tenant acme is suspended: its balance ran out",
                "tenant acme is to be stopped: an operator must approve it",
                "instances of tenant acme are stopped: its balance ran out",
            ]
        );
    }
}

/// Tenants that pay by the world's book, each with this much and something running since ten.
pub(super) async fn crowd(w: &World, count: usize, amount: Micros) -> Vec<TenantId> {
    let mut all = Vec::new();
    for n in 0..count {
        let tenant = w
            .write(async |tx| {
                let now = at("09:00");
                let id = identity::tenants::create(tx, now, &format!("t{n:02}")).await?.id;
                accounts::open_account(tx, now, &w.settings, id, "CNY", Some(w.book)).await?;
                let payment = id.to_string();
                let new = Recharge {
                    tenant: id,
                    amount,
                    provider: "bank",
                    provider_id: &payment,
                    bonus: None,
                    memo: "",
                    actor: "test",
                };
                recharge(tx, now, &new).await?;
                Ok(id)
            })
            .await
            .unwrap();
        let guest = Guest { tenant, ..w.guest("one") };
        w.seen(&guest, Running, at("10:00")).await;
        all.push(tenant);
    }
    all
}

pub(super) async fn in_standing(w: &World, standing: &str) -> i64 {
    let mut conn = w.db.read().await.unwrap();
    sqlx::query_scalar("SELECT COUNT(*) FROM accounts WHERE standing = $1")
        .bind(standing)
        .fetch_one(&mut *conn)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_wrong_price_stops_nobody_before_an_operator_has_looked() {
    for mut w in World::each().await {
        (w.settings.grace_ms, w.settings.warnings_ms) = (0, Vec::new());
        w.price_small("1.00").await;
        let tenants = crowd(&w, 30, micros("1000")).await;
        w.stand(at("10:00")).await;
        // A thousand times the price: everybody is out of money within the hour.
        w.publish(at("10:30"), &[(meter::instance(w.small), "5000.00")]).await;
        w.stand(at("10:45")).await;
        assert_eq!(in_standing(&w, "overdue").await, 30);
        assert_eq!(in_standing(&w, "suspended").await, 0);
        let state = w.read(guard::state).await;
        assert_eq!((state.paused, state.tenants, state.of_tenants), (true, 30, 30));
        w.stand(at("10:50")).await;
        let pages = "SELECT COUNT(*) FROM notices WHERE topic = 'page' AND tenant_id IS NULL";
        assert_eq!(w.scalar(pages).await, 1);
        let cuts = w
            .read(async |conn| preview::preview(conn, at("10:50"), &w.settings, 24, None).await)
            .await;
        assert_eq!(cuts.len(), 30);
        assert!(cuts.iter().all(|cut| cut.next == Standing::Suspended && cut.at <= at("10:50")));
        // One of them is let through by itself.
        w.write(async |tx| {
            steps::approve(tx, at("10:51"), &w.settings, tenants[0], "op", "a debtor").await
        })
        .await
        .unwrap();
        w.stand(at("10:51")).await;
        assert_eq!(in_standing(&w, "suspended").await, 1);
        // Without a reason, and twice, it is refused.
        let resume = async |reason: &'static str| {
            w.write(async |tx| guard::resume(tx, at("11:00"), "op", reason).await).await
        };
        assert_eq!(resume(" ").await.unwrap_err().kind, ErrorKind::Invalid);
        resume("the price is right").await.unwrap();
        assert_eq!(resume("again").await.unwrap_err().kind, ErrorKind::Conflict);
        w.stand(at("11:00")).await;
        assert_eq!(in_standing(&w, "suspended").await, 30);
    }
}

#[tokio::test]
async fn a_clock_that_jumps_stops_nobody_and_a_few_are_stopped_at_their_instants() {
    for mut w in World::each().await {
        (w.settings.grace_ms, w.settings.warnings_ms) = (0, Vec::new());
        w.price_small("1.00").await;
        crowd(&w, 25, micros("100")).await;
        let few = crowd_of_few(&w).await;
        w.stand(at("10:00")).await;
        w.stand(at("11:00")).await;
        assert_eq!(in_standing(&w, "suspended").await, few);
        // Five days ahead.
        w.stand(at("11:00").saturating_add_ms(120 * HOUR_MS)).await;
        assert_eq!(in_standing(&w, "suspended").await, few);
        assert!(w.read(guard::state).await.paused);
        // It comes back; the operator lets the stops go on, and there is nothing to stop.
        w.write(async |tx| guard::resume(tx, at("11:05"), "op", "the clock is right").await)
            .await
            .unwrap();
        w.stand(at("11:05")).await;
        assert_eq!(in_standing(&w, "suspended").await, few);
    }
}

/// Fewer than the guard looks at, out of money at eleven.
async fn crowd_of_few(w: &World) -> i64 {
    w.topup(at("10:00"), "1").await;
    w.seen(&w.guest("web-1"), Running, at("10:00")).await;
    1
}
