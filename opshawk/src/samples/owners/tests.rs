use base::{
    db::{Conn, testing},
    time::ManualClock,
};
use inventory::{flavors, hosts, images, quotas};

use super::*;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(1_800_000_000_000 + ms)
}

async fn instance(conn: &mut Conn) -> (InstanceId, Owner) {
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
    let facts = hosts::HostFacts { cpus: 1, memory_mib: 1024, disk_gib: 100, ..Default::default() };
    let seen = hosts::Observation {
        generation: 0,
        hypervisor_ok: true,
        reason: None,
        remedy: None,
        facts,
    };
    hosts::observe(&mut *conn, at(1), host, &seen).await.unwrap();
    let new = instances::NewInstance {
        tenant_id: tenant,
        name: "guest".to_owned(),
        flavor_id: flavor.id,
        amounts: quotas::Amounts {
            vcpus: flavor.vcpus,
            memory_mib: flavor.memory_mib,
            disk_gib: flavor.disk_gib,
        },
        image_id: image.id,
        ssh_key: None,
        user_data: None,
        labels: Default::default(),
    };
    let actor = identity::Actor::system("test");
    let (made, _) = instances::create(conn, at(2), &actor, new).await.unwrap();
    (made.id, Owner { tenant, host })
}

#[tokio::test]
async fn an_instance_that_is_created_later_gets_its_tenant_a_moment_later() {
    for test in testing::each().await {
        let clock = ManualClock::at(at(0));
        let owners = Owners::new(test.db.clone(), clock.shared());
        let mut tx = test.db.begin_write().await.unwrap();
        let (id, owner) = instance(&mut tx).await;
        // It is not committed yet; the others are nobody's, or no ids at all.
        let text = id.to_string();
        let strangers: Vec<String> =
            (0..1200).map(|_| InstanceId::new().to_string()).chain(["x".to_owned()]).collect();
        let asked = || strangers.iter().map(String::as_str).chain([text.as_str(), text.as_str()]);
        assert_eq!(owners.of(asked()).await.unwrap(), HashMap::new());
        tx.commit().await.unwrap();
        clock.advance(UNKNOWN_HOLDS - Duration::from_millis(1));
        assert_eq!(owners.of_one(&text).await.unwrap(), None);
        clock.advance(Duration::from_millis(1));
        assert_eq!(owners.of(asked()).await.unwrap(), HashMap::from([(text.as_str(), owner)]));
        assert_eq!(owners.of_one(&text).await.unwrap(), Some(owner));
        let upper = text.to_uppercase();
        assert_eq!(owners.of_one(&upper).await.unwrap(), Some(owner), "by the id as written");
    }
}

#[test]
fn only_what_is_not_remembered_is_asked_for() {
    let mut known = Known::default();
    let (mine, nobodys) = (InstanceId::new(), InstanceId::new());
    let owner = Owner { tenant: TenantId::new(), host: HostId::new() };
    let asked = [("a", mine), ("b", nobodys)];
    assert_eq!(known.recall(&asked, at(0)), (HashMap::new(), vec![mine, nobodys]));
    known.learn(&[mine, nobodys], &HashMap::from([(mine, owner)]), at(0));
    let found = HashMap::from([("a", owner)]);
    assert_eq!(known.recall(&asked, at(0)), (found.clone(), vec![]));
    assert_eq!(known.recall(&asked, at(2000)), (found.clone(), vec![nobodys]));
    assert_eq!(known.recall(&asked, at(-1)), (found, vec![nobodys]), "the clock was set back");
}

#[test]
fn memories_stay_bounded() {
    let mut known = Known::default();
    let owner = Owner { tenant: TenantId::new(), host: HostId::new() };
    for round in 0..3 {
        let asked: Vec<InstanceId> = (0..IDS_MAX / 2 + 1).map(|_| InstanceId::new()).collect();
        let (known_ones, strangers) = asked.split_at(asked.len() / 2);
        let found = known_ones.iter().map(|id| (*id, owner)).collect();
        known.learn(&asked, &found, at(round));
        known.learn(strangers, &HashMap::new(), at(round));
        assert!(known.owners.len() <= IDS_MAX && known.unknown.len() <= IDS_MAX);
    }
}
