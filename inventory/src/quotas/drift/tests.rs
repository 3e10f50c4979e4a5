use base::{db::testing, time::ManualClock};

use super::{super::Amounts, *};
use crate::quotas;

const ONE: Amounts = Amounts { vcpus: 2, memory_mib: 512, disk_gib: 5 };

async fn tenant(conn: &mut Conn, name: &str) -> TenantId {
    let now = Timestamp::from_ms(0);
    let id = identity::tenants::create(&mut *conn, now, name).await.unwrap().id;
    quotas::create_defaults(conn, id).await.unwrap();
    id
}

async fn notices(db: &Db) -> Vec<(String, Option<String>)> {
    let sql = "SELECT body, tenant_id FROM notices ORDER BY created_ms";
    let rows = sqlx::query(sql).fetch_all(&mut *db.read().await.unwrap()).await.unwrap();
    rows.iter().map(|row| (row.get("body"), row.get("tenant_id"))).collect()
}

#[tokio::test]
async fn a_difference_is_told_once_a_day_and_mended_only_when_asked() {
    for test in testing::each().await {
        let clock = ManualClock::at(Timestamp::from_ms(1_000));
        let check = QuotaDrift { db: test.db.clone(), clock: clock.shared(), bus: Bus::default() };
        let mut heard = check.bus.subscribe();
        let mut tx = test.db.begin_write().await.unwrap();
        let (acme, other) = (tenant(&mut tx, "acme").await, tenant(&mut tx, "other").await);
        tx.commit().await.unwrap();
        assert_eq!(check.run().await.unwrap().status, json!({ "differ": 0, "found": [] }));

        // Taken, and nothing made of it.
        let mut tx = test.db.begin_write().await.unwrap();
        quotas::take(&mut tx, acme, ONE).await.unwrap();
        tx.commit().await.unwrap();
        let status = check.run().await.unwrap().status;
        assert_eq!(status["differ"], 4);
        let first = &status["found"][0];
        assert_eq!(first["tenant_id"], acme.to_string());
        assert_eq!((&first["resource"], &first["used"]), (&json!("disk_gib"), &json!(5)));
        assert_eq!(first["counted"], 0);
        check.run().await.unwrap();
        let told = notices(&test.db).await;
        assert_eq!(told.len(), 1, "once a day");
        let line = format!("- tenant {acme}, memory_mib: 512 used, 0 found");
        assert!(told[0].0.contains(&line), "{}", told[0].0);
        assert_eq!(told[0].1, None, "operators alone are told");
        assert_eq!(heard.try_recv().unwrap().topic, Topic::Notice);
        clock.advance(check.period());
        check.run().await.unwrap();
        assert_eq!(notices(&test.db).await.len(), 2);

        let mut tx = test.db.begin_write().await.unwrap();
        let used = quotas::list(&mut tx, acme).await.unwrap()[0].used;
        assert_eq!(used, 1, "no check changes anything");
        assert_eq!(mend(&mut tx, other).await.unwrap(), []);
        let mended = mend(&mut tx, acme).await.unwrap();
        assert_eq!(mended.len(), 4);
        assert_eq!(find(&mut tx, None, TOLD_MAX).await.unwrap(), []);
        let limits = quotas::list(&mut tx, acme).await.unwrap();
        assert_eq!((limits[0].limit, limits[0].used), (10, 0), "the limit stays");
        tx.commit().await.unwrap();
        assert_eq!(check.run().await.unwrap().status["differ"], 0);
    }
}

#[tokio::test]
async fn so_many_are_told_of_and_no_more() {
    for test in testing::each().await {
        let mut tx = test.db.begin_write().await.unwrap();
        for n in 0..=TOLD_MAX / 4 {
            let id = tenant(&mut tx, &format!("t{n}")).await;
            quotas::take(&mut tx, id, ONE).await.unwrap();
        }
        let found = find(&mut tx, None, TOLD_MAX).await.unwrap();
        assert_eq!(found.len() as i64, TOLD_MAX);
        tx.commit().await.unwrap();
    }
}
