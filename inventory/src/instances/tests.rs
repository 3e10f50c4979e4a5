use std::collections::BTreeSet;

use base::{
    ErrorKind,
    db::{Db, testing},
    id::BootId,
};

use super::*;
use crate::{flavors, images, operations::OperationState};

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

struct World {
    tenant: TenantId,
    flavor: flavors::Flavor,
    image: images::Image,
    host: HostId,
}

async fn world(conn: &mut Conn) -> World {
    let tenant = identity::tenants::create(&mut *conn, at(0), "acme").await.unwrap().id;
    quotas::create_defaults(&mut *conn, tenant).await.unwrap();
    let flavor = flavors::create(&mut *conn, at(0), "small", 1, 256, 1).await.unwrap();
    let new = images::NewImage {
        name: "cirros",
        disk_format: images::DiskFormat::Qcow2,
        wants_kernel: false,
        kernel_cmdline: "",
    };
    let image = images::create(&mut *conn, at(0), new).await.unwrap();
    let host = hosts::create(&mut *conn, at(0), "node1").await.unwrap().id;
    let seen = hosts::Observation {
        generation: 0,
        hypervisor_ok: true,
        reason: None,
        remedy: None,
        facts: hosts::HostFacts { cpus: 1, memory_mib: 1024, disk_gib: 100, ..Default::default() },
    };
    hosts::observe(&mut *conn, at(1), host, &seen).await.unwrap();
    World { tenant, flavor, image, host }
}

fn new(world: &World, name: &str) -> NewInstance {
    let flavor = &world.flavor;
    NewInstance {
        tenant_id: world.tenant,
        name: name.to_owned(),
        flavor_id: flavor.id,
        amounts: Amounts {
            vcpus: flavor.vcpus,
            memory_mib: flavor.memory_mib,
            disk_gib: flavor.disk_gib,
        },
        image_id: world.image.id,
        ssh_key: None,
        user_data: None,
        labels: Default::default(),
    }
}

fn seen(generation: i64, state: InstanceState, since: i64) -> Observation {
    Observation {
        generation,
        state,
        since: at(since),
        step: None,
        progress_pct: None,
        failure: None,
        addresses: vec![],
    }
}

async fn used(conn: &mut Conn, tenant: TenantId) -> i64 {
    quotas::list(conn, tenant).await.unwrap()[0].used
}

#[test]
fn three_have_a_say_and_one_answer_comes_of_it() {
    use {Hold as H, Power as P, Wanted as W};
    for (wanted, hold, locked, power) in [
        (W::Running, H::None, false, P::Running),
        (W::Running, H::Paused, false, P::Paused),
        (W::Running, H::Stopped, false, P::Stopped),
        (W::Running, H::None, true, P::Stopped),
        (W::Running, H::Paused, true, P::Stopped),
        (W::Stopped, H::None, false, P::Stopped),
        (W::Stopped, H::Paused, false, P::Stopped),
        (W::Absent, H::Stopped, true, P::Absent),
    ] {
        assert_eq!(effective(wanted, hold, locked), power, "{wanted:?} {hold:?} {locked}");
    }
}

#[tokio::test]
async fn a_life_from_create_to_absent_frees_all_that_it_took() {
    let actor = Actor::system("test");
    for test in testing::each().await {
        let mut tx = test.db.begin_write().await.unwrap();
        let w = world(&mut tx).await;
        let (instance, operation) = create(&mut tx, at(10), &actor, new(&w, "cc")).await.unwrap();
        assert_eq!(used(&mut tx, w.tenant).await, 1);
        assert_eq!(hosts::get(&mut tx, w.host).await.unwrap().memory_mib_placed, 256);

        let building = Observation {
            step: Some("disk".into()),
            progress_pct: Some(40),
            ..seen(1, InstanceState::Building, 11)
        };
        observe(&mut tx, at(11), &instance, &building).await.unwrap();
        let row = get(&mut tx, instance.id).await.unwrap();
        let done = observe(&mut tx, at(15), &row, &seen(1, InstanceState::Running, 14)).await;
        assert_eq!(done.unwrap().operations, [operation]);
        let op = operations::get(&mut tx, operation).await.unwrap();
        assert_eq!((op.state, op.duration_ms()), (OperationState::Succeeded, Some(5)));
        assert_eq!((op.steps.len(), op.progress_pct), (1, 100));

        let row = get(&mut tx, instance.id).await.unwrap();
        let want = Change::Want(Wanted::Absent);
        change(&mut tx, at(20), &actor, &row, "instance.delete", want).await.unwrap();
        let row = get(&mut tx, instance.id).await.unwrap();
        let again = change(&mut tx, at(20), &actor, &row, "x", Change::Want(Wanted::Running)).await;
        assert_eq!(again.unwrap_err().kind, ErrorKind::Conflict);
        let end =
            observe(&mut tx, at(25), &row, &seen(2, InstanceState::Absent, 24)).await.unwrap();
        assert!(end.gone);
        assert_eq!(used(&mut tx, w.tenant).await, 0);
        assert_eq!(hosts::get(&mut tx, w.host).await.unwrap().memory_mib_placed, 0);
        assert_eq!(get(&mut tx, instance.id).await.unwrap_err().kind, ErrorKind::NotFound);
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_build_that_fails_for_good_frees_what_it_took_and_stays_readable() {
    let actor = Actor::system("test");
    for test in testing::each().await {
        let mut tx = test.db.begin_write().await.unwrap();
        let w = world(&mut tx).await;
        let (instance, operation) = create(&mut tx, at(10), &actor, new(&w, "cc")).await.unwrap();
        let failure = Some(("disk_full".to_owned(), "the disk is full".to_owned(), true));
        let failed = Observation { failure, ..seen(1, InstanceState::Failed, 11) };
        observe(&mut tx, at(11), &instance, &failed).await.unwrap();
        assert_eq!(used(&mut tx, w.tenant).await, 0);
        let row = get(&mut tx, instance.id).await.unwrap();
        assert_eq!(
            (row.effective(), row.error_code.as_deref()),
            (Power::Absent, Some("disk_full"))
        );
        // The host has cleared it away: the row still says what went wrong.
        observe(&mut tx, at(12), &row, &seen(1, InstanceState::Absent, 12)).await.unwrap();
        let row = get(&mut tx, instance.id).await.unwrap();
        assert_eq!(row.state, InstanceState::Failed);
        let op = operations::get(&mut tx, operation).await.unwrap();
        assert_eq!(op.state, OperationState::Failed);
        assert_eq!(op.error.as_deref(), Some("the disk is full"));
        let want = Change::Want(Wanted::Absent);
        change(&mut tx, at(20), &actor, &row, "instance.delete", want).await.unwrap();
        let row = get(&mut tx, instance.id).await.unwrap();
        assert!(
            observe(&mut tx, at(21), &row, &seen(2, InstanceState::Absent, 12)).await.unwrap().gone
        );
        assert_eq!(used(&mut tx, w.tenant).await, 0, "freed once");
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn what_was_asked_of_a_build_that_fails_fails_with_it_but_its_deletion() {
    let actor = Actor::system("test");
    for test in testing::each().await {
        let mut tx = test.db.begin_write().await.unwrap();
        let w = world(&mut tx).await;
        for (wanted, state) in
            [(Wanted::Stopped, OperationState::Failed), (Wanted::Absent, OperationState::Running)]
        {
            let (instance, _) = create(&mut tx, at(10), &actor, new(&w, "cc")).await.unwrap();
            let want = Change::Want(wanted);
            let asked =
                change(&mut tx, at(11), &actor, &instance, "instance.ask", want).await.unwrap();
            let row = get(&mut tx, instance.id).await.unwrap();
            // Told before the host had heard of that.
            let failure = Some(("disk_full".to_owned(), "the disk is full".to_owned(), true));
            let failed = Observation { failure, ..seen(1, InstanceState::Failed, 11) };
            observe(&mut tx, at(12), &row, &failed).await.unwrap();
            assert_eq!(operations::get(&mut tx, asked).await.unwrap().state, state);
            assert_eq!(used(&mut tx, w.tenant).await, 0);
        }
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn what_does_not_run_is_paused_as_it_is() {
    let actor = Actor::system("test");
    for test in testing::each().await {
        let mut tx = test.db.begin_write().await.unwrap();
        let w = world(&mut tx).await;
        let (instance, _) = create(&mut tx, at(10), &actor, new(&w, "cc")).await.unwrap();
        let pause = Change::Hold(Hold::Paused);
        let paused =
            change(&mut tx, at(11), &actor, &instance, "instance.pause", pause).await.unwrap();
        let row = get(&mut tx, instance.id).await.unwrap();
        for (state, ended) in
            [(InstanceState::Building, vec![]), (InstanceState::Stopped, vec![paused])]
        {
            let look = observe(&mut tx, at(12), &row, &seen(2, state, 12)).await.unwrap();
            assert_eq!(look.operations, ended);
        }
        let state = operations::get(&mut tx, paused).await.unwrap().state;
        assert_eq!(state, OperationState::Succeeded);
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_hold_stops_all_and_lifting_it_starts_only_what_it_had_stopped() {
    let actor = Actor::system("standing");
    for test in testing::each().await {
        let mut tx = test.db.begin_write().await.unwrap();
        let w = world(&mut tx).await;
        let mut ids = vec![];
        for name in ["runs", "stopped by its user", "locked"] {
            ids.push(create(&mut tx, at(1), &actor, new(&w, name)).await.unwrap().0.id);
        }
        let row = get(&mut tx, ids[1]).await.unwrap();
        change(&mut tx, at(2), &actor, &row, "instance.stop", Change::Want(Wanted::Stopped))
            .await
            .unwrap();
        let row = get(&mut tx, ids[2]).await.unwrap();
        change(&mut tx, at(2), &actor, &row, "instance.lock", Change::Lock(true)).await.unwrap();
        let changed = set_hold(&mut tx, at(3), &actor, w.tenant, Hold::Stopped, &BTreeSet::new())
            .await
            .unwrap();
        assert_eq!(changed, [(w.host, ids[0])]);
        let again = set_hold(&mut tx, at(3), &actor, w.tenant, Hold::Stopped, &BTreeSet::new())
            .await
            .unwrap();
        assert_eq!(again, []);
        let changed =
            set_hold(&mut tx, at(4), &actor, w.tenant, Hold::None, &BTreeSet::new()).await.unwrap();
        assert_eq!(changed, [(w.host, ids[0])]);
        let powers =
            [get(&mut tx, ids[0]).await, get(&mut tx, ids[1]).await, get(&mut tx, ids[2]).await]
                .map(|i| i.unwrap().effective());
        assert_eq!(powers, [Power::Running, Power::Stopped, Power::Stopped]);
        tx.commit().await.unwrap();
    }
}

/// The instance's user asks for the other power, in a transaction that ends while a hold waits for it.
async fn held_meanwhile(test: &testing::TestDb, w: &World, id: InstanceId, wanted: Wanted) -> bool {
    let (standing, user) = (Actor::system("standing"), Actor::system("user"));
    let mut asks = test.db.begin_write().await.unwrap();
    let row = get(&mut asks, id).await.unwrap();
    change(&mut asks, at(3), &user, &row, "instance.ask", Change::Want(wanted)).await.unwrap();
    let is_done = std::cell::Cell::new(false);
    let hold = async {
        let mut tx = test.db.begin_write().await.unwrap();
        let none = BTreeSet::new();
        let held = set_hold(&mut tx, at(4), &standing, w.tenant, Hold::Stopped, &none).await;
        is_done.set(true);
        tx.commit().await.unwrap();
        held.unwrap() == [(w.host, id)]
    };
    let ask = async {
        testing::until_somebody_waits(&test.db, || is_done.get()).await;
        asks.commit().await.unwrap();
    };
    tokio::join!(hold, ask).0
}

#[tokio::test]
async fn a_hold_meets_an_instance_as_its_user_leaves_it_at_that_moment() {
    let actor = Actor::system("user");
    for test in testing::each().await {
        let mut tx = test.db.begin_write().await.unwrap();
        let w = world(&mut tx).await;
        let (runs, stopped) = (
            create(&mut tx, at(1), &actor, new(&w, "runs")).await.unwrap().0.id,
            create(&mut tx, at(1), &actor, new(&w, "stopped")).await.unwrap().0.id,
        );
        let row = get(&mut tx, stopped).await.unwrap();
        change(&mut tx, at(2), &actor, &row, "instance.stop", Change::Want(Wanted::Stopped))
            .await
            .unwrap();
        // Held already, so that only the other one is looked at each time.
        sqlx::query("UPDATE instances SET hold = 'stopped' WHERE id = $1")
            .bind(stopped.to_string())
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert!(!held_meanwhile(&test, &w, runs, Wanted::Stopped).await, "it was stopped already");

        let mut tx = test.db.begin_write().await.unwrap();
        sqlx::query("UPDATE instances SET hold = CASE WHEN id = $1 THEN 'none' ELSE 'stopped' END")
            .bind(stopped.to_string())
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let before = generation(&test, w.host).await;
        assert!(held_meanwhile(&test, &w, stopped, Wanted::Running).await, "it is to be stopped");
        assert_eq!(generation(&test, w.host).await, before + 2, "its host learns of both");
    }
}

async fn generation(test: &testing::TestDb, host: HostId) -> i64 {
    let mut conn = test.db.read().await.unwrap();
    sqlx::query_scalar("SELECT generation FROM hosts WHERE id = $1")
        .bind(host.to_string())
        .fetch_one(&mut *conn)
        .await
        .unwrap()
}

/// Rows like this one; quota and place are not taken for them.
async fn copies(conn: &mut Conn, of: InstanceId, prefix: &str, count: i64) {
    sqlx::query(
        "WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL \
           SELECT i + 1 FROM n WHERE i < $1) \
         INSERT INTO instances (id, tenant_id, name, flavor_id, vcpus, memory_mib, disk_gib, \
           image_id, host_id, mac, wanted, hold, locked, generation, observed, \
           observed_generation, addresses, holds_quota, created_ms) \
         SELECT $2 || SUBSTR(CAST(100000000000 + i AS TEXT), 2), tenant_id, name, flavor_id, vcpus, \
           memory_mib, disk_gib, image_id, host_id, $3 || CAST(i AS TEXT), wanted, hold, locked, \
           generation, observed, observed_generation, addresses, 0, created_ms \
         FROM instances, n WHERE id = $4",
    )
    .bind(count)
    .bind(format!("{prefix}000000-0000-7000-8000-0"))
    .bind(format!("{prefix} "))
    .bind(of.to_string())
    .execute(conn)
    .await
    .unwrap();
}

#[tokio::test]
async fn a_hold_reaches_every_instance_however_many_pages_they_fill() {
    let actor = Actor::system("standing");
    for test in testing::each().await {
        let mut tx = test.db.begin_write().await.unwrap();
        let w = world(&mut tx).await;
        let id = create(&mut tx, at(1), &actor, new(&w, "first")).await.unwrap().0.id;
        copies(&mut tx, id, "aa", hold::HOLD_PAGE_ROWS).await;
        let changed = set_hold(&mut tx, at(3), &actor, w.tenant, Hold::Stopped, &BTreeSet::new())
            .await
            .unwrap();
        let distinct: std::collections::BTreeSet<_> = changed.iter().collect();
        assert_eq!(distinct.len() as i64, hold::HOLD_PAGE_ROWS + 1);
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_host_takes_no_more_instances_than_its_agent_is_told_of_at_once() {
    let actor = Actor::system("test");
    for test in testing::each().await {
        let mut tx = test.db.begin_write().await.unwrap();
        let w = world(&mut tx).await;
        let id = create(&mut tx, at(1), &actor, new(&w, "first")).await.unwrap().0.id;
        copies(&mut tx, id, "aa", placement::INSTANCES_PER_HOST_MAX - 2).await;
        create(&mut tx, at(2), &actor, new(&w, "last")).await.unwrap();
        tx.commit().await.unwrap();
        let error = one(&test.db, &actor, new(&w, "one more")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict);
        assert!(error.message.contains("no host has room"), "{error}");
    }
}

#[tokio::test]
async fn a_quota_or_a_host_that_is_full_refuses_and_leaves_nothing() {
    let actor = Actor::system("test");
    for test in testing::each().await {
        let mut tx = test.db.begin_write().await.unwrap();
        let w = world(&mut tx).await;
        quotas::set_limit(&mut tx, w.tenant, quotas::Resource::Instances, 1).await.unwrap();
        tx.commit().await.unwrap();
        let first = one(&test.db, &actor, new(&w, "a")).await;
        assert!(first.is_ok(), "{first:?}");
        let error = one(&test.db, &actor, new(&w, "b")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::QuotaExceeded);
        assert!(error.message.contains("instances is 1/1 used"), "{error}");

        let mut big = new(&w, "big");
        big.amounts.memory_mib = 1024;
        let mut tx = test.db.begin_write().await.unwrap();
        quotas::set_limit(&mut tx, w.tenant, quotas::Resource::Instances, 10).await.unwrap();
        tx.commit().await.unwrap();
        let error = one(&test.db, &actor, big).await.unwrap_err();
        assert!(error.message.contains("no host has room"), "{error}");
        let mut conn = test.db.read().await.unwrap();
        assert_eq!(used(&mut conn, w.tenant).await, 1);
        assert_eq!(list(&mut conn, Some(w.tenant), None, 10).await.unwrap().len(), 1);
    }
}

async fn one(db: &Db, actor: &Actor, new: NewInstance) -> Result<InstanceId> {
    let mut tx = db.begin_write().await?;
    let (instance, _) = create(&mut tx, at(5), actor, new).await?;
    tx.commit().await?;
    Ok(instance.id)
}

#[tokio::test]
async fn many_at_once_take_exactly_what_the_quota_leaves() {
    let actor = Actor::system("test");
    for test in testing::each().await {
        let mut tx = test.db.begin_write().await.unwrap();
        let w = world(&mut tx).await;
        quotas::set_limit(&mut tx, w.tenant, quotas::Resource::Instances, 3).await.unwrap();
        tx.commit().await.unwrap();
        let tries = (0..20).map(|n| {
            let (db, actor, new) = (test.db.clone(), actor.clone(), new(&w, &format!("i{n}")));
            tokio::spawn(async move { one(&db, &actor, new).await })
        });
        let mut taken = 0;
        for task in tries.collect::<Vec<_>>() {
            match task.await.unwrap() {
                Ok(_) => taken += 1,
                Err(e) => assert_eq!(e.kind, ErrorKind::QuotaExceeded, "{e}"),
            }
        }
        assert_eq!(taken, 3);
    }
}

#[tokio::test]
async fn a_report_counts_once_and_a_silent_host_makes_unknown_never_stopped() {
    let actor = Actor::system("test");
    for test in testing::each().await {
        let mut tx = test.db.begin_write().await.unwrap();
        let w = world(&mut tx).await;
        let boot = BootId::new();
        for (boot, sequence, taken) in [
            (boot, 1, true),
            (boot, 1, false),
            (boot, 3, true),
            (boot, 2, false),
            (BootId::new(), 1, true),
        ] {
            let took = hosts::take_sequence(&mut tx, w.host, boot, sequence).await.unwrap();
            assert_eq!(took, taken, "{sequence}");
        }
        let (instance, _) = create(&mut tx, at(2), &actor, new(&w, "cc")).await.unwrap();
        observe(&mut tx, at(3), &instance, &seen(1, InstanceState::Running, 3)).await.unwrap();
        assert_eq!(hosts::mark_silent(&mut tx, at(1)).await.unwrap(), []);
        assert_eq!(hosts::mark_silent(&mut tx, at(2)).await.unwrap(), [w.host]);
        assert_eq!(get(&mut tx, instance.id).await.unwrap().state, InstanceState::Unknown);
        assert_eq!(hosts::mark_silent(&mut tx, at(2)).await.unwrap(), []);
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn labels_are_kept_with_the_instance_and_a_look_leaves_them() {
    let actor = Actor::system("test");
    let of = |text: &str| -> Labels { [("team".to_owned(), text.to_owned())].into() };
    for test in testing::each().await {
        let mut tx = test.db.begin_write().await.unwrap();
        let w = world(&mut tx).await;
        let labelled = NewInstance { labels: of("研发 \"a\""), ..new(&w, "cc") };
        let (instance, _) = create(&mut tx, at(10), &actor, labelled).await.unwrap();
        assert_eq!(instance.labels, of("研发 \"a\""));
        let (plain, _) = create(&mut tx, at(10), &actor, new(&w, "dd")).await.unwrap();
        set_labels(&mut tx, instance.id, &of("ops")).await.unwrap();
        // By what was read before the change.
        let running = seen(1, InstanceState::Running, 20);
        observe(&mut tx, at(20), &instance, &running).await.unwrap();
        assert_eq!(get(&mut tx, instance.id).await.unwrap().labels, of("ops"));
        assert_eq!(get(&mut tx, plain.id).await.unwrap().labels, Labels::new());
        // A row of before there were labels.
        copies(&mut tx, instance.id, "ff", 1).await;
        let all = list(&mut tx, None, None, 10).await.unwrap();
        let without = all.iter().filter(|instance| instance.labels.is_empty()).count();
        assert_eq!((all.len(), without), (3, 2));
    }
}

#[tokio::test]
async fn what_is_gone_and_kept_its_quota_is_a_drift() {
    for test in testing::each().await {
        let mut tx = test.db.begin_write().await.unwrap();
        let w = world(&mut tx).await;
        create(&mut tx, at(1), &Actor::system("user"), new(&w, "web-1")).await.unwrap();
        assert_eq!(quotas::drift::find(&mut tx, None, 9).await.unwrap(), []);
        sqlx::query("UPDATE instances SET deleted_ms = 2").execute(&mut *tx).await.unwrap();
        let found = quotas::drift::find(&mut tx, None, 9).await.unwrap();
        assert_eq!(found.len(), 4);
        assert!(found.iter().all(|drift| drift.counted == 0 && drift.used > 0), "{found:?}");
        tx.commit().await.unwrap();
    }
}
