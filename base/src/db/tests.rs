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
