use base::{
    Result,
    db::{Backend, Conn},
    reconcile::Reconciler,
    time::Clock,
};

use super::RatingReconciler;
use crate::{
    accounts,
    meter::ResourceState::{Absent, Running},
    testing::{Guest, World, at, micros},
};

/// An hour in which nothing changed: the lock is taken once, and the next look is the next hour's.
#[tokio::test]
async fn an_hour_is_one_transaction() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("10:00")).await;
        w.rate(at("10:01")).await;
        let version = "SELECT version FROM accounts";
        let before = w.scalar(version).await;
        w.rate(at("11:01")).await;
        assert_eq!(w.scalar(version).await, before + 1);
        assert_eq!(w.lines().await, [(at("10:00"), at("11:00"), 1, micros("0.36"))]);
        assert_eq!(w.scalar("SELECT rate_due_ms FROM agenda").await, at("12:01").ms());
    }
}

/// What changed beyond the hour's end is posted in the same run, behind the hour.
#[tokio::test]
async fn a_change_behind_the_hour_is_posted_after_it() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let (a, b) = (w.guest("a"), w.guest("b"));
        w.seen(&a, Running, at("10:00")).await;
        w.seen(&b, Running, at("10:30")).await;
        w.rate(at("10:31")).await;
        w.seen(&b, Absent, at("11:00:30")).await;
        w.rate(at("11:01")).await;
        let lines = w.lines().await;
        let (hour, half) = (micros("0.36"), micros("0.18"));
        assert!(lines.contains(&(at("10:00"), at("11:00"), 1, hour)), "{lines:?}");
        assert!(lines.contains(&(at("10:30"), at("11:00"), 1, half)), "{lines:?}");
        assert!(lines.contains(&(at("11:00"), at("11:00:30"), 1, micros("0.003"))), "{lines:?}");
        assert_eq!(w.scalar("SELECT rate_due_ms FROM agenda").await, at("12:01").ms());
    }
}

async fn set_attributes(conn: &mut Conn, guest: &Guest, attributes: &str) -> Result<()> {
    sqlx::query("UPDATE usage_spans SET attributes = $1 WHERE resource_id = $2")
        .bind(attributes.to_owned())
        .bind(&guest.id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Instances of five tenants, from ten o'clock on.
async fn five_tenants(w: &World) -> Vec<Guest> {
    w.price_small("0.36").await;
    let mut guests = Vec::new();
    for n in 0..5 {
        let (name, now) = (format!("t{n}"), w.clock.now());
        let tenant = w.write(async |tx| {
            let tenant = identity::tenants::create(tx, now, &name).await?.id;
            accounts::open_account(tx, now, &w.settings, tenant, "CNY", Some(w.book)).await?;
            Ok(tenant)
        });
        guests.push(Guest { tenant: tenant.await.unwrap(), ..w.guest("web") });
    }
    for guest in &guests {
        w.seen(guest, Running, at("10:00")).await;
    }
    w.rate(at("10:01")).await;
    guests
}

#[tokio::test]
async fn tenants_of_sqlite_share_a_transaction() {
    for w in World::each().await {
        let tenants: Vec<_> = five_tenants(&w).await.iter().map(|guest| guest.tenant).collect();
        w.clock.set(at("11:01"));
        let rating = RatingReconciler::new(w.db.clone(), w.clock.shared(), w.bus.clone());
        let groups = rating.together(&tenants);
        match w.db.backend() {
            Backend::Sqlite => assert_eq!(groups, std::slice::from_ref(&tenants)),
            Backend::Postgres => assert_eq!(groups.len(), tenants.len()),
        }
        let steps = rating.step(&tenants).await.unwrap();
        let posted: Vec<_> = steps.iter().map(|step| step.posted().lines).collect();
        assert_eq!(posted, [1; 5]);
        assert_eq!(w.lines().await.len(), 5);
    }
}

/// Where one of a shared transaction fails, the others are posted all the same, and it loses nothing.
#[tokio::test]
async fn who_fails_takes_nobody_along() {
    for w in World::each().await {
        let guests = five_tenants(&w).await;
        let broken = &guests[2];
        let sound = w.event(broken, Running, at("10:00")).attributes.to_string();
        w.write(async |tx| set_attributes(tx, broken, "{").await).await.unwrap();
        w.clock.set(at("11:01"));
        let rating = RatingReconciler::new(w.db.clone(), w.clock.shared(), w.bus.clone());
        let status = rating.run().await.unwrap().status;
        let failed = status["failed"].as_array().unwrap();
        assert_eq!(failed.len(), 1, "{status}");
        assert!(failed[0].as_str().unwrap().starts_with(&broken.tenant.to_string()), "{status}");
        let hour = (at("10:00"), at("11:00"), 1, micros("0.36"));
        assert_eq!(w.lines().await, [hour; 4]);
        w.write(async |tx| set_attributes(tx, broken, &sound).await).await.unwrap();
        w.rate(at("11:10")).await;
        assert_eq!(w.lines().await, [hour; 5]);
    }
}
