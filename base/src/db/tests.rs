use super::*;

#[tokio::test]
async fn migrations_run_twice_and_a_newer_schema_is_refused() {
    for test in testing::each().await {
        let db = &test.db;
        migrate::run(db).await.expect("a second run changes nothing");
        let mut tx = db.begin_write().await.unwrap();
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             SELECT 999999, 'from the future', success, checksum, execution_time \
             FROM _sqlx_migrations WHERE version = 1",
        )
        .execute(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
        let error = migrate::run(db).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict);
        assert!(error.message.contains("newer schema"), "{error}");
    }
}

#[tokio::test]
async fn the_audit_trail_cannot_be_changed() {
    for test in testing::each().await {
        let insert =
            "INSERT INTO audit VALUES ('1', 0, 'user', '1', 'op', NULL, 'x', 'y', 'z', '{}')";
        let mut conn = test.db.read().await.unwrap();
        sqlx::query(insert).execute(&mut *conn).await.unwrap();
        for change in ["UPDATE audit SET action = 'y'", "DELETE FROM audit"] {
            let error = sqlx::query(change).execute(&mut *conn).await.unwrap_err();
            assert!(error.to_string().contains("append-only"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_notice_happens_once() {
    for test in testing::each().await {
        let notice = crate::outbox::Notice {
            key: "k".into(),
            topic: "balance".into(),
            tenant_id: None,
            subject: "s".into(),
            body: "b".into(),
            data: serde_json::json!({}),
        };
        let mut tx = test.db.begin_write().await.unwrap();
        let now = crate::time::Timestamp::from_ms(1);
        assert!(crate::outbox::enqueue(&mut tx, now, &notice).await.unwrap());
        assert!(!crate::outbox::enqueue(&mut tx, now, &notice).await.unwrap());
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_is_named_without_its_password() {
    let error = Db::open("postgres://me:secret@127.0.0.1:1/x").await.unwrap_err();
    assert!(
        error.message.contains("127.0.0.1:1/x") && !error.message.contains("secret"),
        "{error}"
    );
    assert_eq!(Db::open("mysql://x").await.unwrap_err().kind, ErrorKind::Invalid);
}

#[tokio::test]
async fn tenants_of_before_get_the_kinds_of_quota_that_came_later() {
    for place in testing::each_empty().await {
        let db = Db::connect(&place.url).await.unwrap();
        migrate::run_only(&db, &[1, 2, 3, 4, 5, 6, 1001, 1002]).await.unwrap();
        let mut tx = db.begin_write().await.unwrap();
        for statement in [
            "INSERT INTO tenants (id, name, created_ms) VALUES ('t1', 'acme', 1)",
            "INSERT INTO quotas VALUES ('t1', 'instances', 3, 2)",
            "INSERT INTO tenants (id, name, created_ms) VALUES ('t2', 'other', 1)",
        ] {
            sqlx::query(statement).execute(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
        migrate::run(&db).await.unwrap();
        let mut conn = db.read().await.unwrap();
        let mut of = async |tenant: &str| {
            let sql = "SELECT resource, hard_limit, used FROM quotas WHERE tenant_id = $1 \
                       ORDER BY resource";
            let rows = sqlx::query(sql).bind(tenant.to_owned()).fetch_all(&mut *conn).await;
            let figures = |row: &AnyRow| {
                (row.get::<String, _>(0), row.get::<i64, _>(1), row.get::<i64, _>(2))
            };
            rows.unwrap().iter().map(figures).collect::<Vec<_>>()
        };
        let new = [
            ("key_pairs", 100),
            ("networks", 10),
            ("public_ips", 50),
            ("routers", 10),
            ("security_groups", 10),
            ("snapshots", 10),
            ("volumes", 10),
        ];
        let new: Vec<_> = new.into_iter().map(|(kind, most)| (kind.to_owned(), most, 0)).collect();
        assert_eq!(of("t2").await, new);
        let kept = [("instances".to_owned(), 3, 2)];
        assert_eq!(of("t1").await, [&kept[..], &new[..]].concat());
    }
}

#[tokio::test]
async fn writers_of_sqlite_take_turns_in_the_order_in_which_they_came() {
    use std::sync::{Arc, Mutex};
    const WRITERS: i64 = 40;
    let test = testing::TestDb::sqlite().await;
    let held = test.db.begin_write().await.unwrap();
    let done = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (db, done) = (test.db.clone(), done.clone());
        tasks.spawn(async move {
            let tx = db.begin_write().await.unwrap();
            done.lock().unwrap().push(writer);
            tx.commit().await.unwrap();
        });
        // Until it waits: the test's runtime has one thread.
        tokio::task::yield_now().await;
    }
    drop(held);
    tasks.join_all().await;
    assert_eq!(*done.lock().unwrap(), (0..WRITERS).collect::<Vec<_>>());
}

/// A client goes away at any moment: nobody else gets a connection in the middle of its transaction.
#[tokio::test]
async fn a_transaction_that_nobody_waits_for_any_more_is_none() {
    use std::task::{Context, Waker};
    const POLLS_MAX: usize = 60;
    for test in testing::each().await {
        for polls in 0..POLLS_MAX {
            {
                let mut begun = std::pin::pin!(test.db.begin_write());
                for _ in 0..polls {
                    let mut cx = Context::from_waker(Waker::noop());
                    if begun.as_mut().poll(&mut cx).is_ready() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
            let mut conn = test.db.read().await.unwrap();
            sqlx::query("SELECT 1").execute(&mut *conn).await.unwrap();
            drop(conn);
            test.db.begin_snapshot().await.unwrap();
        }
    }
}

#[tokio::test]
async fn prices_of_before_become_rates() {
    for place in testing::each_empty().await {
        let db = Db::connect(&place.url).await.unwrap();
        migrate::run_only(&db, &[1, 2, 3, 4, 5, 6, 1001, 1002]).await.unwrap();
        let mut tx = db.begin_write().await.unwrap();
        for statement in [
            "INSERT INTO price_books (id, name, currency, last_version, created_ms) \
             VALUES ('b', 'list', 'CNY', 1, 1)",
            "INSERT INTO prices VALUES ('v', 'instance:f1', 360000000), ('v', 'disk_gib', 1), \
             ('v', 'instance-paused:f1', 12000000001)",
            "INSERT INTO price_versions VALUES ('v', 'b', 1, 5, 6)",
        ] {
            sqlx::query(statement).execute(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
        migrate::run(&db).await.unwrap();
        let mut conn = db.read().await.unwrap();
        let rates: Vec<(i64, String, String)> =
            sqlx::query_as("SELECT position, rate, document FROM price_rates ORDER BY position")
                .fetch_all(&mut *conn)
                .await
                .unwrap();
        let wanted = [
            (1, "disk_gib", r#""component":"instance.disk","price":"0.000000001"}"#),
            (
                2,
                "instance-paused:f1",
                r#""component":"instance.compute_suspended","where":{"flavor":"f1"},"price":"12.000000001"}"#,
            ),
            (
                3,
                "instance:f1",
                r#""component":"instance.compute","where":{"flavor":"f1"},"price":"0.360000000"}"#,
            ),
        ]
        .map(|(position, rate, rest)| {
            (position, rate.to_owned(), format!(r#"{{"id":"{rate}",{rest}"#))
        });
        assert_eq!(rates, wanted);
        let late = "INSERT INTO price_rates VALUES ('v', 9, 'late', '{}')";
        let error = sqlx::query(late).execute(&mut *conn).await.unwrap_err().to_string();
        assert!(error.contains("published"), "{error}");
    }
}

#[tokio::test]
async fn a_program_that_died_at_a_commit_does_nothing_more() {
    use super::failpoint::Moment;
    for test in testing::each().await {
        let db = &test.db;
        let mut plan = vec![None, Some(Moment::After), None, Some(Moment::Before)];
        let left = async |key: &str| {
            let mut tx = db.begin_write().await?;
            sqlx::query("INSERT INTO tenants (id, name, created_ms) VALUES ($1, $1, 0)")
                .bind(key.to_owned())
                .execute(&mut *tx)
                .await?;
            Ok::<_, Error>(tx.commit().await?)
        };
        db.die_at_commits(move || plan.pop().flatten());
        assert!(left("before").await.is_err() && db.has_died());
        assert!(left("dead").await.is_err() && db.read().await.is_err());
        db.revive();
        left("alive").await.unwrap();
        assert!(left("after").await.is_err() && db.has_died());
        db.revive();
        left("last").await.unwrap();
        let mut conn = db.read().await.unwrap();
        let rows: Vec<String> = sqlx::query_scalar("SELECT id FROM tenants ORDER BY id")
            .fetch_all(&mut *conn)
            .await
            .unwrap();
        assert_eq!(rows, ["after", "alive", "last"]);
    }
}
