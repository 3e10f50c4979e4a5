//! A resize from who asks for it to its bill, by a clock that is set.

use base::time::{ManualClock, Timestamp};
use serde_json::{Value, json};

use super::{
    story::{Played, image},
    world::{TestServer, each_by},
};

fn at(time: &str) -> Timestamp {
    format!("2026-10-30T{time}:00+08:00").parse().unwrap()
}

async fn flavor(test: &TestServer, name: &str, vcpus: i64, disk_gib: i64) -> Value {
    let body =
        json!({ "name": name, "vcpus": vcpus, "memory_mib": 256 * vcpus, "disk_gib": disk_gib });
    test.operator.post("/v1/flavors", &body).await.expect(201)["id"].clone()
}

#[tokio::test]
async fn a_resize_is_asked_for_refused_done_and_billed() {
    let clock = ManualClock::at(at("20:00"));
    for test in each_by(&clock.shared(), |_| {}).await {
        clock.set(at("20:00"));
        let op = &test.operator;
        let (_, agent) = test.host("alpha").await;
        let mut agent = Played::new(agent);
        agent.report(at("20:00"), vec![], vec![]).await;
        let image = image(&test, "a bootable disk").await;
        let small = flavor(&test, "small", 1, 1).await;
        let (large, huge) =
            (flavor(&test, "large", 2, 3).await, flavor(&test, "huge", 2, 50).await);
        let (tenant, member) = test.tenant("acme").await;
        let rates = json!([
            { "id": "small", "component": "instance.compute", "where": { "flavor": small }, "price": "1" },
            { "id": "large", "component": "instance.compute", "where": { "flavor": large }, "price": "2" },
            { "id": "disk", "component": "instance.disk", "price": "0.1" },
        ]);
        let deal = json!({ "rates": rates, "reason": "a pilot" });
        op.post(&format!("/v1/tenants/{tenant}/price-overrides"), &deal).await.expect(201);
        let topup = json!({ "amount": "4" });
        op.post(&format!("/v1/tenants/{tenant}/topups"), &topup).await.expect(201);

        let create = json!({ "name": "web", "flavor_id": small, "image_id": image });
        let operation = member.post("/v1/instances", &create).await.expect(202);
        let path = format!("/v1/instances/{}", operation["target_id"].as_str().unwrap());
        agent.converge(at("20:00")).await;
        let (resize, to) = (format!("{path}/resize"), |id: &Value| json!({ "flavor_id": id }));
        member.post(&resize, &to(&large)).await.problem(409, "conflict", None);
        clock.set(at("21:00"));
        member.post(&format!("{path}/stop"), &json!({})).await.expect(202);
        agent.converge(at("21:00")).await;

        // 2.9 are left: an hour of 50 GiB costs 5, and there is no such flavor as an image.
        member.post(&resize, &to(&huge)).await.problem(402, "payment-required", None);
        let none = member.post(&resize, &to(&json!(image))).await;
        none.problem(400, "invalid", Some("flavor_id"));
        member.post(&resize, &to(&small)).await.problem(400, "invalid", Some("flavor_id"));
        let (_, stranger) = test.tenant("other").await;
        stranger.post(&resize, &to(&large)).await.problem(404, "not-found", None);
        let quota = json!({ "items": [{ "resource": "vcpus", "limit": 1 }] });
        op.put(&format!("/v1/tenants/{tenant}/quota"), &quota).await.expect(200);
        member.post(&resize, &to(&large)).await.problem(409, "quota-exceeded", None);
        let quota = json!({ "items": [{ "resource": "vcpus", "limit": 2 }] });
        op.put(&format!("/v1/tenants/{tenant}/quota"), &quota).await.expect(200);

        clock.set(at("22:00"));
        // Its host was silent for so long that nobody knows whether it is stopped.
        agent.converge(at("22:00")).await;
        let operation = member.post(&resize, &to(&large)).await.expect(202);
        assert_eq!(
            (&operation["kind"], &operation["state"]),
            (&json!("instance.resize"), &json!("running"))
        );
        let becoming = member.get(&path).await.expect(200);
        assert_eq!((&becoming["flavor_id"], &becoming["resize_flavor_id"]), (&small, &large));
        agent.converge(at("22:00")).await;
        let done = member.get(&path).await.expect(200);
        assert_eq!((&done["flavor_id"], &done["resize_flavor_id"]), (&large, &Value::Null));
        assert_eq!((&done["vcpus"], &done["disk_gib"]), (&json!(2), &json!(3)));
        let operation = format!("/v1/operations/{}", operation["id"].as_str().unwrap());
        assert_eq!(member.get(&operation).await.expect(200)["state"], "succeeded");

        member.post(&format!("{path}/start"), &json!({})).await.expect(202);
        agent.converge(at("22:00")).await;
        clock.set(at("22:30"));
        // An hour of the small one with its disk, an hour of that disk, half an hour of the large one.
        let bill = member.get(&format!("/v1/tenants/{tenant}/bill")).await.expect(200);
        assert_eq!(bill["subtotal"], "2.350000", "{bill}");
        test.server.stop().await;
    }
}
