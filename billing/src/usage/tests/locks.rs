//! Accounts are locked before anything else, in one order for all: nobody waits for who waits for him.

use std::{cell::Cell, collections::BTreeSet};

use base::id::TenantId;

use crate::{
    accounts,
    counters::{self, Reading, Series},
    testing::{Guest, World, at},
    usage::{
        Resource,
        ResourceState::{Absent, Running},
        rulings::{self, Verdict},
    },
};

/// Two more, in the order in which locks are taken.
async fn others(w: &World) -> [TenantId; 2] {
    let mut all = Vec::new();
    for name in ["beta", "gamma"] {
        let made = w.write(async |tx| {
            let id = identity::tenants::create(tx, at("00:00"), name).await?.id;
            accounts::open_account(tx, at("00:00"), &w.settings, id, "CNY", Some(w.book)).await?;
            Ok(id)
        });
        all.push(made.await.unwrap());
    }
    assert!(w.tenant < all[0] && all[0] < all[1]);
    [all[0], all[1]]
}

/// Does it while somebody has the first account and then takes the second, too.
async fn beside(w: &World, [first, second]: [TenantId; 2], done: impl Future<Output = ()>) {
    let mut other = w.db.begin_write().await.unwrap();
    accounts::lock_all(&mut other, &BTreeSet::from([first])).await.unwrap();
    let is_done = Cell::new(false);
    tokio::join!(
        async {
            done.await;
            is_done.set(true);
        },
        async {
            w.until_somebody_waits(|| is_done.get()).await;
            accounts::lock_all(&mut other, &BTreeSet::from([second])).await.unwrap();
            other.commit().await.unwrap();
        }
    );
}

fn reading(time: &str, value: i64) -> Reading {
    Reading { at_ms: at(time).ms(), epoch: "1".to_owned(), value }
}

/// What was counted between the last reading before the move and the first after it is an earlier
/// owner's in part.
#[tokio::test]
async fn a_move_of_what_is_counted_waits_for_an_earlier_owner_before_it_has_anybody() {
    for w in World::each().await {
        let [beta, gamma] = others(&w).await;
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("10:00")).await;
        w.seen(&Guest { tenant: beta, ..guest.clone() }, Running, at("11:00")).await;
        let series = Series {
            resource: Resource { kind: "instance".to_owned(), id: guest.id.clone() },
            component: "net_tx".to_owned(),
            port: "p0".to_owned(),
            has_epochs: true,
        };
        let readings = [reading("10:30", 0), reading("13:00", 150)];
        w.write(async |tx| counters::read(tx, at("13:01"), &series, &readings).await)
            .await
            .unwrap();
        let moved = w.event(&Guest { tenant: gamma, ..guest }, Running, at("12:00"));
        beside(&w, [w.tenant, beta], async {
            w.record(at("13:05"), &moved).await.unwrap();
        })
        .await;
        let mut conn = w.db.read().await.unwrap();
        let counted: Vec<(String, i64)> =
            sqlx::query_as("SELECT tenant_id, quantity FROM usage_deltas ORDER BY from_ms")
                .fetch_all(&mut *conn)
                .await
                .unwrap();
        let whose = [w.tenant, beta, gamma].map(|tenant| tenant.to_string());
        let expected: Vec<_> = whose.into_iter().zip([30, 60, 60]).collect();
        assert_eq!(&counted[counted.len() - 3..], expected);
    }
}

#[tokio::test]
async fn a_ruling_waits_for_the_tenant_that_the_fact_tells_of() {
    for w in World::each().await {
        let [beta, _] = others(&w).await;
        let guest = w.guest("web-1");
        w.seen(&Guest { tenant: beta, ..guest.clone() }, Running, at("10:00")).await;
        let ahead = w.event(&guest, Absent, at("18:00"));
        w.record(at("10:30"), &ahead).await.unwrap();
        let taken = Verdict::Take { at: Some(at("10:40")) };
        beside(&w, [w.tenant, beta], async {
            w.write(async |tx| {
                let id = rulings::find(tx, &ahead.source, &ahead.source_id).await?;
                rulings::rule(tx, at("10:45"), id, taken, "ann", "a clock was wrong").await
            })
            .await
            .unwrap();
        })
        .await;
        w.assert_rebuilt().await;
    }
}
