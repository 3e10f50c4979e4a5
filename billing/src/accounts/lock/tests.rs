use base::ErrorKind;
use futures::{StreamExt, stream};

use super::*;
use crate::{
    accounts,
    testing::{World, at},
};

#[tokio::test]
async fn who_has_the_lock_sees_what_stands_and_is_counted() {
    for w in World::each().await {
        let before = w.read(async |conn| get(conn, w.tenant).await).await;
        let locked = w.write(async |tx| lock(tx, w.tenant).await).await.unwrap();
        assert_eq!(*locked, Account { version: before.version + 1, ..before });
        let error = w.write(async |tx| lock(tx, TenantId::new()).await).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn several_are_locked_at_once_and_one_without_an_account_is_named() {
    for w in World::each().await {
        let nobody = TenantId::new();
        let both = BTreeSet::from([w.tenant, nobody]);
        let version = "SELECT version FROM accounts";
        let before = w.scalar(version).await;
        let known = w.write(async |tx| lock_known(tx, &both).await).await.unwrap();
        assert_eq!(known, BTreeSet::from([w.tenant]));
        let error = w.write(async |tx| lock_all(tx, &both).await).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
        assert!(error.message.contains(&nobody.to_string()), "{error}");
        assert_eq!(w.scalar(version).await, before + 1, "the refused one was rolled back");
    }
}

/// Whoever locks some of the same accounts waits, and nobody waits for each other.
#[tokio::test]
async fn sets_that_overlap_wait_for_each_other_in_one_order() {
    const TENANTS: usize = 30;
    const ROUNDS: usize = 40;
    for w in World::each().await {
        let mut tenants = Vec::new();
        for n in 0..TENANTS {
            let made = w.write(async |tx| {
                let id = identity::tenants::create(tx, at("00:00"), &format!("t{n}")).await?.id;
                let (settings, book) = (&w.settings, Some(w.book));
                accounts::open_account(tx, at("00:00"), settings, id, "CNY", book).await?;
                Ok(id)
            });
            tenants.push(made.await.unwrap());
        }
        // Each takes two thirds of them, and says so in another order.
        let sets = (0..ROUNDS).map(|round| -> BTreeSet<TenantId> {
            let some = (0..TENANTS).filter(|n| (n + round) % 3 > 0);
            some.map(|n| tenants[(n * 7 + round) % TENANTS]).collect()
        });
        let (world, sets): (_, Vec<_>) = (&w, sets.collect());
        let sum = "SELECT CAST(SUM(version) AS BIGINT) FROM accounts";
        let before = w.scalar(sum).await;
        let locked: Vec<Result<()>> = stream::iter(&sets)
            .map(|set| world.write(async |tx| lock_all(tx, set).await))
            .buffer_unordered(8)
            .collect()
            .await;
        locked.into_iter().collect::<Result<Vec<()>>>().unwrap();
        let raised: usize = sets.iter().map(BTreeSet::len).sum();
        assert_eq!(w.scalar(sum).await - before, i64::try_from(raised).unwrap());
    }
}
