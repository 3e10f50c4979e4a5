use base::{
    ErrorKind,
    db::{Db, testing},
};

use super::*;
use crate::quotas;

const INSTANCES: Resource = Resource::Instances;
const VOLUMES: Resource = Resource::Volumes;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn limit(resource: Resource, limit: i64) -> Limit {
    Limit { resource, limit }
}

fn actor() -> Actor {
    Actor::system("test")
}

async fn tenant(db: &Db) -> TenantId {
    let mut tx = db.begin_write().await.unwrap();
    let id = identity::tenants::create(&mut tx, at(0), "acme").await.unwrap().id;
    quotas::create_defaults(&mut tx, id).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn more(conn: &mut Conn, tenant: TenantId, items: &[Limit]) -> Result<Request> {
    ask(conn, at(1), &actor(), tenant, items, " a big launch\non Monday ").await
}

async fn limit_now(conn: &mut Conn, tenant: TenantId, resource: Resource) -> i64 {
    quotas::one(conn, tenant, resource).await.unwrap().limit
}

/// Key, tenant and body.
async fn notices(conn: &mut Conn) -> Vec<(String, Option<String>, String)> {
    let sql = "SELECT dedup_key, tenant_id, body FROM notices ORDER BY created_ms, id";
    let rows = sqlx::query(sql).fetch_all(conn).await.unwrap();
    rows.iter().map(|r| (r.get("dedup_key"), r.get("tenant_id"), r.get("body"))).collect()
}

#[tokio::test]
async fn what_is_asked_is_granted_with_the_approval_and_both_sides_are_told() {
    for test in testing::each().await {
        let acme = tenant(&test.db).await;
        let mut tx = test.db.begin_write().await.unwrap();
        let items = [limit(INSTANCES, 20), limit(VOLUMES, 30)];
        let request = more(&mut tx, acme, &items).await.unwrap();
        assert_eq!(request.state, QuotaRequestState::Pending);
        assert_eq!((request.items.as_slice(), &request.granted), (items.as_slice(), &None));
        assert_eq!(request.reason, "a big launch\non Monday");
        assert_eq!(limit_now(&mut tx, acme, INSTANCES).await, 10, "asking changes nothing");
        assert_eq!(count_pending(&mut tx).await.unwrap(), 1);
        tx.commit().await.unwrap();

        // An approval that does not reach its commit is none.
        let mut tx = test.db.begin_write().await.unwrap();
        approve(&mut tx, at(2), &actor(), request.id, &[], None).await.unwrap();
        assert_eq!(limit_now(&mut tx, acme, INSTANCES).await, 20);
        tx.rollback().await.unwrap();
        let mut tx = test.db.begin_write().await.unwrap();
        assert_eq!(limit_now(&mut tx, acme, INSTANCES).await, 10);
        assert_eq!(get(&mut tx, request.id).await.unwrap(), request);

        let other = [limit(VOLUMES, 15)];
        let words = Some("volumes are scarce");
        let done = approve(&mut tx, at(3), &actor(), request.id, &other, words).await.unwrap();
        let granted = [limit(INSTANCES, 20), limit(VOLUMES, 15)];
        assert_eq!(done.granted.as_deref(), Some(granted.as_slice()));
        assert_eq!((done.state, done.decided_at), (QuotaRequestState::Approved, Some(at(3))));
        assert_eq!(limit_now(&mut tx, acme, INSTANCES).await, 20);
        assert_eq!(limit_now(&mut tx, acme, VOLUMES).await, 15);
        assert_eq!(count_pending(&mut tx).await.unwrap(), 0);
        for ended in [
            approve(&mut tx, at(4), &actor(), request.id, &[], None).await,
            refuse(&mut tx, at(4), &actor(), request.id, "no").await,
            withdraw(&mut tx, at(4), &actor(), request.id).await,
        ] {
            let error = ended.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Conflict);
            assert!(error.message.ends_with("is approved already"), "{error}");
        }
        let told = notices(&mut tx).await;
        assert_eq!(told.len(), 2);
        assert_eq!(told[0].1, None, "operators alone hear that somebody asks");
        assert!(told[0].2.contains("- instances: 20 in place of 10"), "{}", told[0].2);
        assert!(told[0].2.contains("a big launch"), "{}", told[0].2);
        assert_eq!(told[1].1, Some(acme.to_string()));
        assert!(told[1].2.contains("now:\n- instances: 20\n- volumes: 15"), "{}", told[1].2);
        assert!(told[1].2.contains("volumes are scarce"), "{}", told[1].2);
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_refused_or_withdrawn_leaves_the_limits() {
    for test in testing::each().await {
        let acme = tenant(&test.db).await;
        let mut tx = test.db.begin_write().await.unwrap();
        let first = more(&mut tx, acme, &[limit(INSTANCES, 20)]).await.unwrap();
        let error = refuse(&mut tx, at(2), &actor(), first.id, " ").await.unwrap_err();
        assert_eq!(error.field.as_deref(), Some("answer"), "whoever is refused is told why");
        let refused = refuse(&mut tx, at(2), &actor(), first.id, "no room").await.unwrap();
        assert_eq!(refused.state, QuotaRequestState::Refused);
        assert_eq!(refused.answer.as_deref(), Some("no room"));
        assert_eq!(refused.granted, None);
        let second = more(&mut tx, acme, &[limit(INSTANCES, 30)]).await.unwrap();
        let gone = withdraw(&mut tx, at(3), &actor(), second.id).await.unwrap();
        assert_eq!((gone.state, gone.answer), (QuotaRequestState::Withdrawn, None));
        assert_eq!(limit_now(&mut tx, acme, INSTANCES).await, 10);

        let ids = |all: Vec<Request>| all.iter().map(|r| r.id).collect::<Vec<_>>();
        let all = list(&mut tx, Some(acme), None, None, 10).await.unwrap();
        assert_eq!(ids(all), [second.id, first.id], "newest first");
        let state = Some(QuotaRequestState::Refused);
        assert_eq!(ids(list(&mut tx, None, state, None, 10).await.unwrap()), [first.id]);
        let rest = list(&mut tx, None, None, Some(second.id), 10).await.unwrap();
        assert_eq!(ids(rest), [first.id]);
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn what_makes_no_sense_names_its_item_and_leaves_nothing() {
    for test in testing::each().await {
        let acme = tenant(&test.db).await;
        let mut tx = test.db.begin_write().await.unwrap();
        let twice = [limit(INSTANCES, 20), limit(INSTANCES, 30)];
        for (items, field) in [
            (&[][..], "items"),
            (&[limit(VOLUMES, 11), limit(INSTANCES, 10)], "items[1].limit"),
            (&[limit(VOLUMES, quotas::LIMIT_MAX + 1)], "items[0].limit"),
            (&[limit(VOLUMES, -1)], "items[0].limit"),
            (&twice, "items[1].resource"),
        ] {
            let error = more(&mut tx, acme, items).await.unwrap_err();
            assert_eq!((error.kind, error.field.as_deref()), (ErrorKind::Invalid, Some(field)));
        }
        let long = "x".repeat(TEXT_MAX_CHARS + 1);
        for reason in ["", " \n", "bell\u{7}", &long] {
            let items = [limit(VOLUMES, 11)];
            let error = ask(&mut tx, at(1), &actor(), acme, &items, reason).await.unwrap_err();
            assert_eq!(error.field.as_deref(), Some("reason"), "{reason}");
        }
        let request = more(&mut tx, acme, &[limit(INSTANCES, 20)]).await.unwrap();
        for (other, kind, field) in [
            (limit(VOLUMES, 20), ErrorKind::Invalid, Some("items[0].resource")),
            (limit(INSTANCES, -1), ErrorKind::Invalid, Some("items[0].limit")),
            (limit(INSTANCES, 9), ErrorKind::Conflict, None),
        ] {
            let done = approve(&mut tx, at(2), &actor(), request.id, &[other], None).await;
            let error = done.unwrap_err();
            assert_eq!((error.kind, error.field.as_deref()), (kind, field), "{error}");
        }
        // An operator has given more meanwhile: the approval must not take it away.
        quotas::set_limit(&mut tx, acme, INSTANCES, 50).await.unwrap();
        let done = approve(&mut tx, at(2), &actor(), request.id, &[], None).await;
        assert!(done.unwrap_err().message.contains("50 by now, and 20 would lower it"));
        assert_eq!(limit_now(&mut tx, acme, INSTANCES).await, 50);
        assert_eq!(list(&mut tx, None, None, None, 10).await.unwrap(), [request]);
        tx.commit().await.unwrap();
    }
}

/// At once.
const TASKS: i64 = 40;

#[tokio::test]
async fn however_many_ask_at_once_so_many_wait_and_so_many_a_day() {
    for test in testing::each().await {
        let acme = tenant(&test.db).await;
        let tries = (0..TASKS).map(|_| {
            let db = test.db.clone();
            tokio::spawn(async move {
                let mut tx = db.begin_write().await?;
                let asked = more(&mut tx, acme, &[limit(INSTANCES, 20)]).await?;
                tx.commit().await?;
                Ok::<_, Error>(asked.id)
            })
        });
        let mut asked = vec![];
        for task in tries.collect::<Vec<_>>() {
            match task.await.unwrap() {
                Ok(id) => asked.push(id),
                Err(e) => assert!(e.message.contains("5 requests of this tenant wait"), "{e}"),
            }
        }
        assert_eq!(asked.len() as i64, PENDING_MAX);

        let mut tx = test.db.begin_write().await.unwrap();
        let mut made = PENDING_MAX;
        let error = loop {
            let id = asked.pop().unwrap();
            withdraw(&mut tx, at(2), &actor(), id).await.unwrap();
            match more(&mut tx, acme, &[limit(INSTANCES, 20)]).await {
                Ok(request) => asked.push(request.id),
                Err(error) => break error,
            }
            made += 1;
        };
        assert_eq!(made, PER_DAY_MAX);
        assert!(error.message.contains("20 requests within a day"), "{error}");
        let items = [limit(INSTANCES, 20)];
        let tomorrow = at(1 + DAY_MS);
        ask(&mut tx, tomorrow, &actor(), acme, &items, "again").await.unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn of_many_who_decide_at_once_one_does() {
    for test in testing::each().await {
        let acme = tenant(&test.db).await;
        let mut tx = test.db.begin_write().await.unwrap();
        let id = more(&mut tx, acme, &[limit(INSTANCES, 20)]).await.unwrap().id;
        tx.commit().await.unwrap();
        let tries = (0..TASKS).map(|n| {
            let db = test.db.clone();
            tokio::spawn(async move {
                let mut tx = db.begin_write().await?;
                let other = [limit(INSTANCES, 100 + n)];
                let done = match n % 3 {
                    0 => approve(&mut tx, at(2), &actor(), id, &other, None).await?,
                    1 => refuse(&mut tx, at(2), &actor(), id, "no").await?,
                    _ => withdraw(&mut tx, at(2), &actor(), id).await?,
                };
                tx.commit().await?;
                Ok::<_, Error>(done)
            })
        });
        let mut done = vec![];
        for task in tries.collect::<Vec<_>>() {
            match task.await.unwrap() {
                Ok(request) => done.push(request),
                Err(e) => assert!(e.message.contains("already"), "{e}"),
            }
        }
        assert_eq!(done.len(), 1);
        let granted = done[0].granted.as_ref().map_or(10, |granted| granted[0].limit);
        let mut conn = test.db.read().await.unwrap();
        assert_eq!(limit_now(&mut conn, acme, INSTANCES).await, granted);
    }
}
