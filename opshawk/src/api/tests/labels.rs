//! Labels from the tenant who sets them to the price that selects by them and the cost by label.

use base::time::{ManualClock, Timestamp};
use serde_json::{Value, json};

use super::{
    story::{Played, image},
    world::{Caller, TestServer, each, each_by},
};

fn at(time: &str) -> Timestamp {
    format!("2026-10-30T{time}:00+08:00").parse().unwrap()
}

struct Labelled {
    tenant: String,
    member: Caller,
    /// Without its labels.
    create: Value,
    agent: Played,
}

/// A tenant with money for it, at 1 an hour, and at 4 where a golden one runs in sh-1.
async fn begin(test: &TestServer) -> Labelled {
    let op = &test.operator;
    let (_, agent) = test.host("alpha").await;
    let mut agent = Played::new(agent);
    agent.report(test.server.app.clock.now(), vec![], vec![]).await;
    let image = image(test, "a bootable disk").await;
    let flavor = json!({ "name": "small", "vcpus": 1, "memory_mib": 256, "disk_gib": 1 });
    let flavor = op.post("/v1/flavors", &flavor).await.expect(201);
    let (tenant, member) = test.tenant("acme").await;
    let golden = json!({ "region": "sh-1", "labels": { "tier": "gold" } });
    let rates = json!([
        { "id": "plain", "component": "instance.compute", "price": "1" },
        { "id": "gold", "component": "instance.compute", "where": golden, "price": "4" },
    ]);
    let deal = json!({ "rates": rates, "reason": "a pilot" });
    op.post(&format!("/v1/tenants/{tenant}/price-overrides"), &deal).await.expect(201);
    let topup = json!({ "amount": "200" });
    op.post(&format!("/v1/tenants/{tenant}/topups"), &topup).await.expect(201);
    let create = json!({ "name": "web", "flavor_id": flavor["id"], "image_id": image });
    Labelled { tenant, member, create, agent }
}

impl Labelled {
    async fn create(&self, labels: Value) -> String {
        let mut create = self.create.clone();
        create["labels"] = labels;
        let operation = self.member.post("/v1/instances", &create).await.expect(202);
        format!("/v1/instances/{}", operation["target_id"].as_str().unwrap())
    }
}

#[tokio::test]
async fn price_and_cost_follow_a_label_through_time() {
    let clock = ManualClock::at(at("20:00"));
    let in_region = |config: &mut crate::config::Config| {
        config.billing.region = Some("sh-1".to_owned());
    };
    for test in each_by(&clock.shared(), in_region).await {
        clock.set(at("20:00"));
        let mut acme = begin(&test).await;
        let path = acme.create(json!({ "team": "blue", "tier": "plain" })).await;
        acme.agent.converge(at("20:00")).await;
        clock.set(at("20:30"));
        acme.agent.report(at("20:30"), vec![], vec![]).await;
        let change = json!({ "labels": { "team": "red", "tier": "gold" } });
        let changed = acme.member.patch(&path, &change).await.expect(200);
        assert_eq!(changed["labels"], change["labels"]);
        clock.set(at("21:30"));
        acme.member.post(&format!("{path}/stop"), &json!({})).await.expect(202);
        acme.agent.converge(at("21:30")).await;
        clock.set(at("22:30"));

        let bill = format!("/v1/tenants/{}/bill", acme.tenant);
        assert_eq!(acme.member.get(&bill).await.expect(200)["subtotal"], "4.500000");
        let from = "from=2026-10-30T00:00:00%2B08:00";
        let costs = format!("/v1/costs?{from}&group=label&label=");
        let costs = async |label: &str| {
            let report = acme.member.get(&format!("{costs}{label}")).await.expect(200);
            let rows = report["rows"].as_array().unwrap().clone();
            rows.iter().map(|row| (row["key"].clone(), row["net"].clone())).collect::<Vec<_>>()
        };
        let row = |key: &str, net: &str| (json!(key), json!(net));
        assert_eq!(costs("team").await, [row("red", "4.000000"), row("blue", "0.500000")]);
        assert_eq!(costs("tier").await, [row("gold", "4.000000"), row("plain", "0.500000")]);
        let names = acme.member.get(&format!("/v1/costs/labels?{from}")).await.expect(200);
        assert!(names.to_string().contains("[\"team\",\"tier\"]"), "{names}");
        let findings = test.operator.get("/v1/findings").await.expect(200);
        assert_eq!(findings["items"], json!([]));
        test.server.stop().await;
    }
}

#[tokio::test]
async fn labels_are_set_and_taken_out_by_whose_they_are() {
    for test in each().await {
        let op = &test.operator;
        let acme = begin(&test).await;
        let mut wrong = acme.create.clone();
        wrong["labels"] = json!({ "Team": "blue" });
        let problem = acme.member.post("/v1/instances", &wrong).await;
        let problem = problem.problem(400, "invalid", Some("labels"));
        assert!(problem["detail"].as_str().unwrap().contains("'Team'"), "{problem}");

        let path = acme.create(json!({ "team": "blue", "env": "test" })).await;
        let shown = acme.member.get(&path).await.expect(200);
        assert_eq!(shown["labels"], json!({ "team": "blue", "env": "test" }));
        let change = json!({ "labels": { "team": "red", "env": null } });
        for caller in [&acme.member, op] {
            let changed = caller.patch(&path, &change).await.expect(200);
            assert_eq!(changed["labels"], json!({ "team": "red" }));
        }
        let empty = acme.member.patch(&path, &json!({})).await.expect(200);
        assert_eq!(empty["labels"], json!({ "team": "red" }));
        let wrong = json!({ "labels": { "team": "" } });
        let answer = acme.member.patch(&path, &wrong).await;
        answer.problem(400, "invalid", Some("labels"));
        let all = acme.member.get("/v1/instances").await.expect(200);
        assert_eq!(all["items"][0]["labels"], json!({ "team": "red" }));

        let (_, other) = test.tenant("other").await;
        other.patch(&path, &change).await.problem(404, "not-found", None);
        let audit = op.get("/v1/audit").await.expect(200);
        let entries = audit["items"].as_array().unwrap().iter();
        let of: Vec<_> = entries.filter(|entry| entry["action"] == "instance.label").collect();
        assert_eq!(of.len(), 1, "what changes nothing is not told: {of:?}");
        assert_eq!(of[0]["detail"]["was"], json!({ "team": "blue", "env": "test" }));
        assert_eq!(of[0]["detail"]["labels"], json!({ "team": "red" }));
        test.server.stop().await;
    }
}
