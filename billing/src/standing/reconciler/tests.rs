//! Whose turn it is, and what a look under way does to those that are woken.

use base::db::Conn;

use super::*;
use crate::{
    agenda::{Assessment, DUE_A_PAGE},
    standing::guard,
    testing::{World, at, micros},
};

async fn plan(w: &World, tenant: TenantId, due: &str) {
    w.write(async |tx| {
        accounts::lock(tx, tenant).await?;
        agenda::plan(tx, Queue::Stand, tenant, at(due)).await
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn who_fails_hides_nobody_however_many_there_are() {
    for w in World::each().await {
        let mut failed = BTreeSet::new();
        for n in 0..DUE_A_PAGE + 5 {
            let made = w.write(async |tx| {
                let id = identity::tenants::create(tx, at("00:00"), &format!("t{n}")).await?.id;
                accounts::open_account(tx, at("00:00"), &w.settings, id, "CNY", None).await?;
                accounts::lock(tx, id).await?;
                agenda::plan(tx, Queue::Stand, id, at("09:00")).await?;
                Ok(id)
            });
            failed.insert(made.await.unwrap());
        }
        plan(&w, w.tenant, "09:30").await;
        w.clock.set(at("10:00"));
        let settings = w.settings.clone();
        let standing =
            StandingReconciler::new(w.db.clone(), w.clock.shared(), w.bus.clone(), settings);
        assert_eq!(standing.turn(false, &failed).await.unwrap(), [w.tenant]);
        failed.insert(w.tenant);
        assert_eq!(standing.turn(false, &failed).await.unwrap(), []);
    }
}

async fn pause(conn: &mut Conn) {
    sqlx::query(
        "INSERT INTO standing_guard (number, at_ms, state, tenants, of_tenants, actor, reason) \
         VALUES (1, 0, 'paused', 11, 11, 'guard', 'a test')",
    )
    .execute(conn)
    .await
    .unwrap();
}

#[tokio::test]
async fn a_look_that_met_the_pause_does_not_lose_the_resumption() {
    for w in World::each().await {
        w.write(async |tx| {
            pause(tx).await;
            Ok(())
        })
        .await
        .unwrap();
        plan(&w, w.tenant, "09:59").await;
        // A look: it met the pause, and will say that nothing is due until somebody resumes.
        let mut look = w.db.begin_write().await.unwrap();
        accounts::lock(&mut look, w.tenant).await.unwrap();
        let db = w.db.clone();
        let resume = tokio::spawn(async move {
            let mut tx = db.begin_write().await.unwrap();
            guard::resume(&mut tx, at("10:00"), "op", "a test").await.unwrap();
            tx.commit().await.unwrap();
        });
        w.until_somebody_waits(|| resume.is_finished()).await;
        let found = Assessment {
            credit_limit: micros("0"),
            at: at("09:59"),
            balance: micros("-1"),
            burn_per_hour: "1".parse().unwrap(),
            runs_out_at: Some(at("09:00")),
            cut_at: Some(at("09:30")),
            due: None,
        };
        agenda::assessed(&mut look, w.tenant, &found).await.unwrap();
        look.commit().await.unwrap();
        resume.await.unwrap();
        let due = w.scalar("SELECT stand_due_ms FROM agenda").await;
        assert_eq!(due, at("10:00").ms());
    }
}
