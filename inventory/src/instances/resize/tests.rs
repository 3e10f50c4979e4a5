//! Of each pair of amounts the larger one is taken while one becomes the other, on both databases.

use std::collections::{BTreeMap, BTreeSet};

use base::{
    ErrorKind,
    db::testing,
    id::{InstanceId, TenantId},
};

use super::*;
use crate::{
    flavors, images,
    instances::{self, Change, Hold, NewInstance, Observation, Wanted},
    operations::OperationState,
    quotas::{Resource, drift},
};

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn actor() -> Actor {
    Actor::system("user")
}

struct World {
    tenant: TenantId,
    host: HostId,
    id: InstanceId,
    /// 1 vCPU, 512 MiB, 10 GiB: what the instance is.
    small: flavors::Flavor,
    /// 3 vCPUs, 256 MiB, 20 GiB.
    wide: flavors::Flavor,
}

/// A tenant's one instance, stopped, on a host of 4 vCPUs and 1 GiB.
async fn world(conn: &mut Conn) -> World {
    let tenant = identity::tenants::create(&mut *conn, at(0), "acme").await.unwrap().id;
    quotas::create_defaults(&mut *conn, tenant).await.unwrap();
    let small = flavors::create(&mut *conn, at(0), "small", 1, 512, 10).await.unwrap();
    let wide = flavors::create(&mut *conn, at(0), "wide", 3, 256, 20).await.unwrap();
    let image = images::NewImage {
        name: "guest",
        disk_format: images::DiskFormat::Qcow2,
        wants_kernel: false,
        kernel_cmdline: "",
    };
    let image_id = images::create(&mut *conn, at(0), image).await.unwrap().id;
    let host = hosts::create(&mut *conn, at(0), "node1").await.unwrap().id;
    let seen = hosts::Observation {
        generation: 0,
        hypervisor_ok: true,
        reason: None,
        remedy: None,
        facts: hosts::HostFacts { cpus: 1, memory_mib: 1024, disk_gib: 100, ..Default::default() },
    };
    hosts::observe(&mut *conn, at(1), host, &seen).await.unwrap();
    let new = NewInstance {
        tenant_id: tenant,
        name: "cc".to_owned(),
        flavor_id: small.id,
        amounts: small.amounts(),
        image_id,
        ssh_key: None,
        user_data: None,
        labels: Default::default(),
    };
    let (instance, _) = instances::create(&mut *conn, at(2), &actor(), new).await.unwrap();
    let world = World { tenant, host, id: instance.id, small, wide };
    world.want(&mut *conn, Wanted::Stopped).await;
    world.sees(&mut *conn, InstanceState::Stopped).await;
    world
}

impl World {
    async fn instance(&self, conn: &mut Conn) -> Instance {
        get(conn, self.id).await.unwrap()
    }

    async fn want(&self, conn: &mut Conn, wanted: Wanted) {
        let instance = self.instance(&mut *conn).await;
        let want = Change::Want(wanted);
        instances::change(conn, at(3), &actor(), &instance, "instance.ask", want).await.unwrap();
    }

    /// The host answers to what is wanted now.
    async fn sees(&self, conn: &mut Conn, state: InstanceState) -> instances::Observed {
        let generation = self.instance(&mut *conn).await.generation;
        self.sees_of(conn, generation, state, None).await
    }

    async fn sees_of(
        &self,
        conn: &mut Conn,
        generation: i64,
        state: InstanceState,
        failure: Option<(String, String, bool)>,
    ) -> instances::Observed {
        let instance = self.instance(&mut *conn).await;
        let seen = Observation {
            generation,
            state,
            since: at(4),
            step: None,
            progress_pct: None,
            failure,
            addresses: vec![],
        };
        instances::observe(conn, at(5), &instance, &seen).await.unwrap()
    }

    async fn resize(&self, conn: &mut Conn, to: &flavors::Flavor) -> Result<OperationId> {
        let instance = self.instance(&mut *conn).await;
        check_resize(&instance, to.id, to.amounts())?;
        resize(conn, at(6), &actor(), &instance, to.id, to.amounts()).await
    }

    /// vCPUs, memory and disk of the quota, then vCPUs and memory of the host; no drift.
    async fn taken(&self, conn: &mut Conn) -> [i64; 5] {
        assert_eq!(drift::find(&mut *conn, None, 9).await.unwrap(), []);
        let quotas = quotas::list(&mut *conn, self.tenant).await.unwrap();
        let used: BTreeMap<_, _> =
            quotas.iter().map(|quota| (quota.resource.as_str(), quota.used)).collect();
        assert_eq!(used["instances"], i64::from(used["vcpus"] > 0));
        let host = hosts::get(conn, self.host).await.unwrap();
        let [vcpus, memory, disk] = ["vcpus", "memory_mib", "disk_gib"].map(|kind| used[kind]);
        [vcpus, memory, disk, host.vcpus_placed, host.memory_mib_placed]
    }
}

#[tokio::test]
async fn the_larger_of_both_is_taken_until_it_is_the_other() {
    for test in testing::each().await {
        let mut tx = test.db.begin_write().await.unwrap();
        let w = world(&mut tx).await;
        assert_eq!(w.taken(&mut tx).await, [1, 512, 10, 1, 512]);
        let before = hosts::get(&mut tx, w.host).await.unwrap().generation;
        let operation = w.resize(&mut tx, &w.wide).await.unwrap();
        assert_eq!(w.taken(&mut tx).await, [3, 512, 20, 3, 512]);
        let becoming = w.instance(&mut tx).await;
        assert_eq!((becoming.flavor_id, becoming.amounts), (w.small.id, w.small.amounts()));
        assert_eq!(becoming.wanted_amounts(), w.wide.amounts());
        assert_eq!(becoming.wanted_flavor(), w.wide.id);
        assert_eq!(hosts::get(&mut tx, w.host).await.unwrap().generation, before + 1);
        let resizing = async |conn: &mut Conn| super::resizing(conn, w.host).await.unwrap();
        assert_eq!(resizing(&mut tx).await, std::slice::from_ref(&becoming));

        // It is stopped as it was: that alone is not what was asked for.
        let seen = w.sees(&mut tx, InstanceState::Stopped).await;
        assert_eq!(seen.operations, []);
        let (done, operations) = finish_resize(&mut tx, at(7), &becoming).await.unwrap();
        assert_eq!(operations, [operation]);
        assert_eq!(
            (done.flavor_id, done.amounts, done.resize.clone()),
            (w.wide.id, w.wide.amounts(), None)
        );
        assert_eq!(w.taken(&mut tx).await, [3, 256, 20, 3, 256]);
        assert_eq!(w.sees(&mut tx, InstanceState::Stopped).await.operations, []);
        let ended = operations::get(&mut tx, operation).await.unwrap();
        assert_eq!(
            (ended.state, ended.kind.as_str(), ended.finished_at),
            (OperationState::Succeeded, "instance.resize", Some(at(7)))
        );
        assert_eq!(resizing(&mut tx).await, []);
        // A second time changes nothing.
        let again = finish_resize(&mut tx, at(8), &done).await.unwrap();
        assert_eq!(again, (w.instance(&mut tx).await, vec![]));
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_started_meanwhile_runs_once_it_is_the_other() {
    for test in testing::each().await {
        let mut tx = test.db.begin_write().await.unwrap();
        let w = world(&mut tx).await;
        let operation = w.resize(&mut tx, &w.wide).await.unwrap();
        w.want(&mut tx, Wanted::Running).await;
        let becoming = w.instance(&mut tx).await;
        assert_eq!((becoming.wanted, becoming.effective()), (Wanted::Running, Power::Stopped));
        assert_eq!(w.sees(&mut tx, InstanceState::Stopped).await.operations, []);
        let before = hosts::get(&mut tx, w.host).await.unwrap().generation;
        let (done, operations) = finish_resize(&mut tx, at(7), &becoming).await.unwrap();
        assert_eq!((done.effective(), operations), (Power::Running, vec![operation]));
        assert_eq!(hosts::get(&mut tx, w.host).await.unwrap().generation, before + 1);
        // It is stopped still: its start has not ended.
        assert_eq!(w.sees(&mut tx, InstanceState::Stopped).await.operations, []);
        assert_eq!(w.sees(&mut tx, InstanceState::Running).await.operations.len(), 1);
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_asked_for_meanwhile_goes_on_where_the_host_gives_up() {
    for test in testing::each().await {
        let mut tx = test.db.begin_write().await.unwrap();
        let w = world(&mut tx).await;
        let operation = w.resize(&mut tx, &w.wide).await.unwrap();
        let asked = w.instance(&mut tx).await.generation;
        w.want(&mut tx, Wanted::Running).await;
        let full = || Some(("disk_full".to_owned(), "no space".to_owned(), true));
        // Its agent has heard of the start since, and tries again: it may have grown by then.
        let seen = w.sees_of(&mut tx, asked, InstanceState::Failed, full()).await;
        assert_eq!((seen.operations, w.taken(&mut tx).await), (vec![], [3, 512, 20, 3, 512]));
        let seen = w.sees_of(&mut tx, asked + 1, InstanceState::Failed, full()).await;
        assert_eq!(seen.operations, [operation]);
        let ended = operations::get(&mut tx, operation).await.unwrap();
        assert_eq!(
            (ended.state, ended.error.as_deref()),
            (OperationState::Failed, Some("no space"))
        );
        assert_eq!(w.taken(&mut tx).await, [1, 512, 10, 1, 512]);
        let is = w.instance(&mut tx).await;
        assert_eq!((is.effective(), is.generation), (Power::Running, asked + 2));
        // It says so again until it has heard that something else is wanted now.
        let seen = w.sees_of(&mut tx, asked + 1, InstanceState::Failed, full()).await;
        assert_eq!(seen.operations, []);
        let started = w.sees(&mut tx, InstanceState::Running).await.operations;
        let start = operations::get(&mut tx, started[0]).await.unwrap();
        assert_eq!((started.len(), start.state), (1, OperationState::Succeeded));
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_cut_off_ends_the_start_that_waits_for_it_and_a_deletion_ends_all() {
    for test in testing::each().await {
        let mut tx = test.db.begin_write().await.unwrap();
        let w = world(&mut tx).await;
        let resized = w.resize(&mut tx, &w.wide).await.unwrap();
        w.want(&mut tx, Wanted::Running).await;
        let (cut_off, exempt) = (Hold::Stopped, BTreeSet::new());
        let by = actor();
        let held = instances::set_hold(&mut tx, at(7), &by, w.tenant, cut_off, &exempt);
        assert_eq!(held.await.unwrap(), [(w.host, w.id)]);
        let kinds = async |tx: &mut Conn| -> Vec<(String, OperationState)> {
            let filter = operations::Filter { limit: 9, ..Default::default() };
            let mut all = operations::list(tx, &filter).await.unwrap();
            all.sort_by_key(|one| -one.generation);
            all.into_iter().take(3).map(|one| (one.kind, one.state)).collect()
        };
        let stop = |state| ("instance.stop".to_owned(), state);
        let ask = |state| ("instance.ask".to_owned(), state);
        let resize = |state| ("instance.resize".to_owned(), state);
        use OperationState::{Running, Succeeded, Superseded};
        assert_eq!(kinds(&mut tx).await, [stop(Running), ask(Superseded), resize(Running)]);
        let becoming = w.instance(&mut tx).await;
        let (done, ended) = finish_resize(&mut tx, at(8), &becoming).await.unwrap();
        assert_eq!((done.effective(), ended), (Power::Stopped, vec![resized]));
        w.sees(&mut tx, InstanceState::Stopped).await;
        assert_eq!(kinds(&mut tx).await, [stop(Succeeded), ask(Superseded), resize(Succeeded)]);

        w.want(&mut tx, Wanted::Stopped).await;
        w.sees(&mut tx, InstanceState::Stopped).await;
        let huge = flavors::create(&mut tx, at(0), "huge", 4, 512, 30).await.unwrap();
        w.resize(&mut tx, &huge).await.unwrap();
        w.want(&mut tx, Wanted::Absent).await;
        assert_eq!(kinds(&mut tx).await[..2], [ask(Running), resize(Superseded)]);
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_deleted_or_fails_half_way_gives_all_of_it_back_once() {
    for test in testing::each().await {
        let mut tx = test.db.begin_write().await.unwrap();
        let w = world(&mut tx).await;
        let operation = w.resize(&mut tx, &w.wide).await.unwrap();
        let generation = w.instance(&mut tx).await.generation;
        let asked = hosts::get(&mut tx, w.host).await.unwrap().generation;
        let lost = || Some(("disk_lost".to_owned(), "its disk is gone".to_owned(), true));
        // Told before the host had heard of the resize.
        w.sees_of(&mut tx, generation - 1, InstanceState::Failed, lost()).await;
        assert_eq!(w.taken(&mut tx).await, [3, 512, 20, 3, 512]);
        w.sees_of(&mut tx, generation, InstanceState::Failed, lost()).await;
        assert_eq!(w.taken(&mut tx).await, [1, 512, 10, 1, 512]);
        // What the host has nothing more to try for is another question to it.
        let failed = w.instance(&mut tx).await;
        assert_eq!(
            (failed.flavor_id, failed.resize.clone(), failed.generation),
            (w.small.id, None, generation + 1)
        );
        assert_eq!(hosts::get(&mut tx, w.host).await.unwrap().generation, asked + 1);
        let ended = operations::get(&mut tx, operation).await.unwrap();
        assert_eq!(
            (ended.state, ended.error.as_deref()),
            (OperationState::Failed, Some("its disk is gone"))
        );

        w.sees(&mut tx, InstanceState::Stopped).await;
        w.resize(&mut tx, &w.wide).await.unwrap();
        w.want(&mut tx, Wanted::Absent).await;
        assert!(w.sees(&mut tx, InstanceState::Absent).await.gone);
        assert_eq!(w.taken(&mut tx).await, [0; 5]);
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn what_can_not_become_another_flavor_says_why_and_takes_nothing() {
    for test in testing::each().await {
        let mut tx = test.db.begin_write().await.unwrap();
        let w = world(&mut tx).await;
        let mut flavor = async |name: &str, vcpus, memory, disk| {
            flavors::create(&mut tx, at(0), name, vcpus, memory, disk).await.unwrap()
        };
        let tiny = flavor("tiny", 1, 512, 9).await;
        let crowd = flavor("crowd", 5, 512, 10).await;
        let heavy = flavor("heavy", 1, 1025, 10).await;
        let vast = flavor("vast", 1, 512, 1001).await;
        tx.commit().await.unwrap();
        for (to, kind, message) in [
            (&w.small, ErrorKind::Invalid, "has this flavor already"),
            (&tiny, ErrorKind::Invalid, "has 10 GiB, this flavor's 9"),
            (&crowd, ErrorKind::Conflict, "no room for 4 more vCPUs and 0 MiB more memory"),
            (&heavy, ErrorKind::Conflict, "no room for 0 more vCPUs and 513 MiB more memory"),
            (&vast, ErrorKind::QuotaExceeded, "disk_gib is 10/1000 used, and this needs 991 more"),
        ] {
            let mut tx = test.db.begin_write().await.unwrap();
            let error = w.resize(&mut tx, to).await.unwrap_err();
            drop(tx);
            assert_eq!(error.kind, kind, "{error}");
            assert!(error.message.contains(message), "{error}");
            let mut conn = test.db.read().await.unwrap();
            assert_eq!(w.taken(&mut conn).await, [1, 512, 10, 1, 512]);
        }

        let mut tx = test.db.begin_write().await.unwrap();
        // Neither a limit nor a ratio that was lowered since keeps it from taking less.
        for resource in Resource::ALL {
            quotas::set_limit(&mut tx, w.tenant, resource, 0).await.unwrap();
        }
        sqlx::query("UPDATE hosts SET cpu_ratio_pct = 50").execute(&mut *tx).await.unwrap();
        let less = flavors::create(&mut tx, at(0), "less", 1, 256, 10).await.unwrap();
        w.resize(&mut tx, &less).await.unwrap();
        let error = w.resize(&mut tx, &w.wide).await.unwrap_err();
        assert!(error.message.contains("is being resized already"), "{error}");
        let becoming = w.instance(&mut tx).await;
        finish_resize(&mut tx, at(7), &becoming).await.unwrap();
        w.want(&mut tx, Wanted::Running).await;
        let error = w.resize(&mut tx, &w.wide).await.unwrap_err();
        assert!(error.message.contains("is not stopped"), "{error}");
        w.sees(&mut tx, InstanceState::Running).await;
        w.want(&mut tx, Wanted::Stopped).await;
        let error = w.resize(&mut tx, &w.wide).await.unwrap_err();
        assert!(error.message.contains("was last seen running before that"), "{error}");
        // It may be starting: nobody has looked since it was asked to stop again.
        w.sees(&mut tx, InstanceState::Stopped).await;
        w.want(&mut tx, Wanted::Running).await;
        w.want(&mut tx, Wanted::Stopped).await;
        let error = w.resize(&mut tx, &w.wide).await.unwrap_err();
        assert!(error.message.contains("was last seen stopped before that"), "{error}");
        w.want(&mut tx, Wanted::Absent).await;
        let error = w.resize(&mut tx, &w.wide).await.unwrap_err();
        assert!(error.message.contains("is being deleted"), "{error}");
        tx.commit().await.unwrap();
    }
}
