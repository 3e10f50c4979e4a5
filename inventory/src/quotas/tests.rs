use base::{ErrorKind, db::testing};

use super::*;

async fn tenant(conn: &mut Conn, name: &str) -> TenantId {
    let now = base::time::Timestamp::from_ms(0);
    let id = identity::tenants::create(&mut *conn, now, name).await.unwrap().id;
    create_defaults(conn, id).await.unwrap();
    id
}

#[tokio::test]
async fn a_new_tenant_has_every_kind_with_nothing_used() {
    for test in testing::each().await {
        let mut tx = test.db.begin_write().await.unwrap();
        let id = tenant(&mut tx, "acme").await;
        let quotas = list(&mut tx, id).await.unwrap();
        let limits: Vec<_> = quotas.iter().map(|q| (q.resource.as_str(), q.limit)).collect();
        assert_eq!(
            limits,
            [
                ("instances", 10),
                ("vcpus", 20),
                ("memory_mib", 51_200),
                ("disk_gib", 1000),
                ("public_ips", 50),
                ("volumes", 10),
                ("snapshots", 10),
                ("routers", 10),
                ("networks", 10),
                ("security_groups", 10),
                ("key_pairs", 100),
            ]
        );
        assert!(quotas.iter().all(|q| q.used == 0));
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_limit_is_a_number_that_every_reader_counts_exactly() {
    for test in testing::each().await {
        let mut tx = test.db.begin_write().await.unwrap();
        let id = tenant(&mut tx, "acme").await;
        for (limit, taken) in [(0, true), (LIMIT_MAX, true), (-1, false), (LIMIT_MAX + 1, false)] {
            let set = set_limit(&mut tx, id, Resource::Volumes, limit).await;
            assert_eq!(set.is_ok(), taken, "{limit}");
        }
        assert_eq!(one(&mut tx, id, Resource::Volumes).await.unwrap().limit, LIMIT_MAX);
        tx.commit().await.unwrap();
    }
}

/// At once, and each takes as much as is left.
const TASKS: usize = 100;

#[tokio::test]
async fn a_hundred_at_the_last_slot_of_any_kind_are_one() {
    let amounts = Amounts { vcpus: 2, memory_mib: 512, disk_gib: 5 };
    for test in testing::each().await {
        for (scarce, amount) in amounts.each(1) {
            let mut tx = test.db.begin_write().await.unwrap();
            let id = tenant(&mut tx, scarce.as_str()).await;
            for (resource, amount) in amounts.each(1) {
                set_limit(&mut tx, id, resource, amount * TASKS as i64).await.unwrap();
            }
            take(&mut tx, id, amounts).await.unwrap();
            set_limit(&mut tx, id, scarce, 2 * amount).await.unwrap();
            tx.commit().await.unwrap();

            let tries = (0..TASKS).map(|_| {
                let db = test.db.clone();
                tokio::spawn(async move {
                    let mut tx = db.begin_write().await?;
                    take(&mut tx, id, amounts).await?;
                    tx.commit().await.map_err(Error::from)
                })
            });
            let mut taken = 0;
            for task in tries.collect::<Vec<_>>() {
                let Err(error) = task.await.unwrap() else {
                    taken += 1;
                    continue;
                };
                assert_eq!(error.kind, ErrorKind::QuotaExceeded, "{error}");
                let (kind, full) = (scarce.as_str(), 2 * amount);
                let message = format!(
                    "the quota for {kind} is {full}/{full} used, and this needs {amount} more"
                );
                assert_eq!(error.message, message);
                assert!(error.remedy.unwrap().contains("opshawk quota request"));
            }
            assert_eq!(taken, 1, "{scarce:?} on {:?}", test.db.backend());
            // What a refused one took of the kinds before the scarce one is free again.
            let quotas = list(&mut test.db.read().await.unwrap(), id).await.unwrap();
            for (resource, amount) in amounts.each(1) {
                let used = quotas.iter().find(|q| q.resource == resource).unwrap().used;
                assert_eq!(used, 2 * amount, "{resource:?} where {scarce:?} is scarce");
            }
        }
    }
}
