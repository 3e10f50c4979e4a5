//! Quotas as their callers see them: taken with what is created, asked for, granted, and counted.

use std::time::Duration;

use base::time::{Clock, ManualClock, SystemClock};
use inventory::quotas::drift;
use serde_json::{Value, json};

use super::{
    owned::{Owned, owners},
    world::{Caller, TestServer, each, each_by, each_with, eventually},
};

const REQUESTS: &str = "/v1/quota-requests";

fn items(value: &Value) -> &[Value] {
    value["items"].as_array().unwrap()
}

async fn quota(caller: &Caller, tenant: &str) -> Value {
    caller.get(&format!("/v1/tenants/{tenant}/quota")).await.expect(200)
}

/// Used and limit.
async fn of(caller: &Caller, tenant: &str, resource: &str) -> (i64, i64) {
    let quota = quota(caller, tenant).await;
    let item = items(&quota).iter().find(|item| item["resource"] == resource).unwrap();
    (item["used"].as_i64().unwrap(), item["limit"].as_i64().unwrap())
}

async fn set(test: &TestServer, tenant: &str, resource: &str, limit: i64) {
    let body = json!({ "items": [{ "resource": resource, "limit": limit }] });
    test.operator.put(&format!("/v1/tenants/{tenant}/quota"), &body).await.expect(200);
}

/// What the daily check would find now.
async fn drifted(test: &TestServer) -> Vec<drift::Drift> {
    let mut conn = test.server.app.db.read().await.unwrap();
    drift::find(&mut conn, None, drift::TOLD_MAX).await.unwrap()
}

/// At once, at one free slot.
const TASKS: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_creates_at_one_free_slot_make_exactly_one() {
    for test in each().await {
        let Owned { tenant, member, instance } = owners(&test, &["acme"]).await.remove(0);
        set(&test, &tenant, "instances", 2).await;
        let first = member.get(&format!("/v1/instances/{instance}")).await.expect(200);
        let create = |n: usize| {
            let (member, flavor) = (member.clone(), first["flavor_id"].clone());
            let image = first["image_id"].clone();
            tokio::spawn(async move {
                let body =
                    json!({ "name": format!("i{n}"), "flavor_id": flavor, "image_id": image });
                member.post("/v1/instances", &body).await
            })
        };
        let mut made = 0;
        for task in (0..TASKS).map(create).collect::<Vec<_>>() {
            // While they run as well.
            assert_eq!(drifted(&test).await, []);
            let answer = task.await.unwrap();
            if answer.status == 202 {
                made += 1;
                continue;
            }
            let problem = answer.problem(409, "quota-exceeded", None);
            let detail = "the quota for instances is 2/2 used, and this needs 1 more";
            assert_eq!(problem["detail"], detail);
            assert!(problem["remedy"].as_str().unwrap().contains("ask for more"), "{problem}");
        }
        assert_eq!(made, 1, "on {:?}", test.server.app.db.backend());

        // Nothing of the others is left.
        for (path, count) in [("/v1/instances", 2), ("/v1/operations", 2)] {
            let all = member.get(path).await.expect(200);
            assert_eq!(items(&all).len(), count, "{path}");
        }
        for (resource, used) in
            [("instances", 2), ("vcpus", 2), ("memory_mib", 512), ("disk_gib", 2)]
        {
            assert_eq!(of(&member, &tenant, resource).await.0, used, "{resource}");
        }
        let hosts = test.operator.get("/v1/hosts").await.expect(200);
        assert_eq!(items(&hosts)[0]["memory_mib_placed"], 512, "{hosts}");
        assert_eq!(drifted(&test).await, []);
        test.server.stop().await;
    }
}

#[tokio::test]
async fn a_member_asks_an_operator_decides_and_both_are_on_record() {
    for test in each().await {
        let op = &test.operator;
        let (acme, member) = test.tenant("acme").await;
        let asks = [json!({ "resource": "instances", "limit": 20 })];
        let body = json!({ "items": asks, "reason": "a launch" });
        let first = member.keyed(REQUESTS, "k", &body).await.expect(201);
        assert_eq!((&first["state"], &first["tenant_id"]), (&json!("pending"), &json!(acme)));
        let again = member.keyed(REQUESTS, "k", &body).await;
        assert_eq!(again.expect(201)["id"], first["id"], "asked once");
        let metrics = op.get("/metrics").await.text;
        assert!(metrics.contains("opshawk_quota_requests_pending 1"), "{metrics}");
        let path = format!("{REQUESTS}/{}", first["id"].as_str().unwrap());

        member.post(&format!("{path}/approve"), &json!({})).await.problem(403, "forbidden", None);
        let unknown = json!({ "items": [{ "resource": "gold", "limit": 1 }] });
        let answer = op.post(&format!("{path}/approve"), &unknown).await;
        answer.problem(400, "invalid", Some("items[0].resource"));
        let other = json!({ "items": [{ "resource": "instances", "limit": 15 }], "answer": "15" });
        let done = op.post(&format!("{path}/approve"), &other).await.expect(200);
        assert_eq!((&done["state"], &done["answer"]), (&json!("approved"), &json!("15")));
        assert_eq!(done["granted"], json!([{ "resource": "instances", "limit": 15 }]));
        assert_eq!(done["decided_by"], "test");
        assert_eq!(of(&member, &acme, "instances").await, (0, 15));
        op.post(&format!("{path}/approve"), &other).await.problem(409, "conflict", None);
        let seen = member.get(&path).await.expect(200);
        assert_eq!((&seen["answer"], &seen["decided_by"]), (&json!("15"), &Value::Null));

        let second = member.post(REQUESTS, &body).await.expect(201);
        let path = format!("{REQUESTS}/{}", second["id"].as_str().unwrap());
        let answer = op.post(&format!("{path}/refuse"), &json!({ "answer": " " })).await;
        answer.problem(400, "invalid", Some("answer"));
        op.post(&format!("{path}/refuse"), &json!({ "answer": "no room" })).await.expect(200);
        let third = member.post(REQUESTS, &body).await.expect(201);
        let path = format!("{REQUESTS}/{}", third["id"].as_str().unwrap());
        member.post(&format!("{path}/withdraw"), &json!({})).await.expect(200);
        assert_eq!(of(&member, &acme, "instances").await, (0, 15));

        let refused = op.get(&format!("{REQUESTS}?state=refused")).await.expect(200);
        assert_eq!(items(&refused).len(), 1);
        assert_eq!(items(&refused)[0]["id"], second["id"]);
        let all = member.get(REQUESTS).await.expect(200);
        let states: Vec<_> = items(&all).iter().map(|r| r["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["withdrawn", "refused", "approved"]);
        let page = member.get(&format!("{REQUESTS}?limit=2")).await.expect(200);
        let cursor = page["next_cursor"].as_str().unwrap();
        let rest = member.get(&format!("{REQUESTS}?limit=2&cursor={cursor}")).await.expect(200);
        assert_eq!(items(&rest)[0]["id"], first["id"]);

        let audit = op.get("/v1/audit").await.expect(200);
        let entries = items(&audit);
        for (action, count) in
            [("quota.request", 3), ("quota.approve", 1), ("quota.refuse", 1), ("quota.withdraw", 1)]
        {
            let found: Vec<_> = entries.iter().filter(|e| e["action"] == action).collect();
            assert_eq!(found.len(), count, "{action}");
            assert!(found.iter().all(|e| e["tenant_id"] == acme.as_str()), "{action}");
        }
        // Operators hear that somebody asks, the tenant hears the answers.
        let own = member.get("/v1/notices").await.expect(200);
        let subjects: Vec<_> = items(&own).iter().map(|n| n["subject"].as_str().unwrap()).collect();
        let said = |end: &str| format!("the request for a higher quota is {end}");
        assert_eq!(subjects, [said("refused"), said("approved")]);
        let all = op.get("/v1/notices").await.expect(200);
        assert_eq!(items(&all).iter().filter(|n| n["topic"] == "quota").count(), 5);
        test.server.stop().await;
    }
}

#[tokio::test]
async fn another_tenants_requests_do_not_exist() {
    for test in each().await {
        let (_, member) = test.tenant("acme").await;
        let (other, stranger) = test.tenant("other").await;
        let body = json!({ "items": [{ "resource": "volumes", "limit": 11 }], "reason": "x" });
        let request = member.post(REQUESTS, &body).await.expect(201);
        let path = format!("{REQUESTS}/{}", request["id"].as_str().unwrap());
        stranger.get(&path).await.problem(404, "not-found", None);
        let answer = stranger.post(&format!("{path}/withdraw"), &json!({})).await;
        answer.problem(404, "not-found", None);
        assert_eq!(items(&stranger.get(REQUESTS).await.expect(200)).len(), 0);
        let theirs = member.get(&format!("{REQUESTS}?tenant_id={other}")).await;
        theirs.problem(404, "not-found", None);
        assert_eq!(member.get(&path).await.expect(200)["state"], "pending");

        let whose = |tenant: &str| {
            let mut body = body.clone();
            body["tenant_id"] = json!(tenant);
            body
        };
        let answer = member.post(REQUESTS, &whose(&other)).await;
        answer.problem(400, "invalid", Some("tenant_id"));
        let answer = test.operator.post(REQUESTS, &body).await;
        answer.problem(400, "invalid", Some("tenant_id"));
        let made = test.operator.post(REQUESTS, &whose(&other)).await.expect(201);
        assert_eq!(made["tenant_id"], other.as_str());
        test.server.stop().await;
    }
}

#[tokio::test]
async fn a_difference_is_told_the_next_day_and_mended_when_an_operator_asks() {
    let clock = ManualClock::at(SystemClock.now());
    for test in each_by(&clock.shared(), |_| {}).await {
        let op = &test.operator;
        let Owned { tenant, member, .. } = owners(&test, &["acme"]).await.remove(0);
        let recount = format!("/v1/tenants/{tenant}/quota/recount");
        let right = op.post(&recount, &json!({})).await.expect(200);
        assert_eq!(right["mended"], json!([]));
        member.post(&recount, &json!({})).await.problem(403, "forbidden", None);
        let told = async |differ: usize| {
            let line = format!("\nopshawk_quota_drift {differ}\n");
            eventually(&line, async || op.get("/metrics").await.text.contains(&line).then_some(()))
                .await;
        };
        told(0).await;

        let mut tx = test.server.app.db.begin_write().await.unwrap();
        let amounts = inventory::quotas::Amounts { vcpus: 3, memory_mib: 1, disk_gib: 1 };
        inventory::quotas::take(&mut tx, tenant.parse().unwrap(), amounts).await.unwrap();
        tx.commit().await.unwrap();
        clock.advance(Duration::from_secs(24 * 3600));
        told(4).await;
        let all = op.get("/v1/system/reconcilers").await.expect(200);
        let check = items(&all).iter().find(|r| r["name"] == "quota-drift").unwrap();
        assert_eq!(check["last_status"]["found"][3]["used"], 4, "{check}");
        let notices = op.get("/v1/notices").await.expect(200);
        let subject = "quotas differ from what there is";
        assert!(items(&notices).iter().any(|n| n["subject"] == subject), "{notices}");
        assert_eq!(of(&member, &tenant, "vcpus").await.0, 4, "it changes nothing itself");

        let mended = op.post(&recount, &json!({})).await.expect(200);
        let vcpus = json!({ "resource": "vcpus", "used": 4, "counted": 1 });
        assert!(mended["mended"].as_array().unwrap().contains(&vcpus), "{mended}");
        assert_eq!(of(&member, &tenant, "vcpus").await, (1, 10_000));
        let audit = op.get("/v1/audit").await.expect(200);
        let entry = items(&audit).iter().find(|e| e["action"] == "quota.recount").unwrap();
        assert_eq!(entry["detail"], mended, "the newest stands first");
        assert_eq!(drifted(&test).await, []);
        test.server.stop().await;
    }
}

#[tokio::test]
async fn a_new_tenant_gets_what_the_settings_say() {
    let change = |config: &mut crate::config::Config| config.quotas.volumes = 3;
    for test in each_with(change).await {
        let (acme, member) = test.tenant("acme").await;
        assert_eq!(of(&member, &acme, "volumes").await, (0, 3));
        assert_eq!(of(&member, &acme, "public_ips").await, (0, 50));
        assert_eq!(items(&quota(&member, &acme).await).len(), 11);
        test.server.stop().await;
    }
}
