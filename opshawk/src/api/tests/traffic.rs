//! Traffic from an agent's report to the bill of the guest's tenant, and to nobody else's.

use agent::wire::PortReading;
use base::time::{ManualClock, Timestamp};
use serde_json::{Value, json};

use super::{
    owned::{Owned, owners_and_agent},
    story::Played,
    world::each_by,
};

const GIB: i64 = 1 << 30;

fn at(time: &str) -> Timestamp {
    format!("2026-10-30T{time}:00+08:00").parse().unwrap()
}

fn read(of: &Owned, time: &str, sent_gib: i64) -> PortReading {
    PortReading {
        instance_id: of.instance.parse().unwrap(),
        port: "52:54:00:12:34:56".to_owned(),
        epoch: "1".to_owned(),
        at: at(time),
        received_bytes: GIB,
        sent_bytes: sent_gib * GIB,
    }
}

fn of_traffic(lines: &Value) -> Vec<&Value> {
    let lines = lines["lines"].as_array().unwrap().iter();
    lines.filter(|line| line["meter"] == "instance.net_tx").collect()
}

#[tokio::test]
async fn what_an_agent_read_stands_on_its_tenants_bill() {
    let clock = ManualClock::at(at("20:00"));
    for test in each_by(&clock.shared(), |_| {}).await {
        clock.set(at("20:00"));
        let op = &test.operator;
        let (owners, mut agent) = owners_and_agent(&test, &["acme", "other"]).await;
        agent.converge(at("20:00")).await;
        let (acme, other) = (&owners[0], &owners[1]);
        let rate = json!({
            "id": "out", "component": "instance.net_tx", "unit": GIB, "price": "0.5",
        });
        let deal = json!({ "rates": [rate], "reason": "a pilot" });
        for owner in &owners {
            let path = format!("/v1/tenants/{}/price-overrides", owner.tenant);
            op.post(&path, &deal).await.expect(201);
        }
        clock.set(at("20:30"));
        agent.readings = vec![read(acme, "20:00", 0), read(acme, "20:30", 3)];
        agent.report(at("20:30"), vec![], vec![]).await;
        // A host where it is not says that it sent more.
        let (_, stranger) = test.host("beta").await;
        let mut stranger = Played::new(stranger);
        stranger.readings = vec![read(acme, "20:20", 50), read(other, "20:20", 50)];
        stranger.report(at("20:30"), vec![], vec![]).await;

        let path = format!("/v1/tenants/{}/balance", acme.tenant);
        let balance = acme.member.get(&path).await.expect(200);
        assert_eq!(balance["balance"], "198.000000", "half an hour, and 3 GiB: {balance}");
        let bill = format!("/v1/tenants/{}/bill", acme.tenant);
        let bill = acme.member.get(&bill).await.expect(200);
        let lines = of_traffic(&bill);
        assert_eq!(lines.len(), 1, "{bill}");
        assert_eq!(lines[0]["quantity"], 3 * GIB);
        assert_eq!(
            (&lines[0]["amount"], &lines[0]["what"]),
            (&json!("1.500000"), &json!("instance web, net_tx"))
        );
        let bill = format!("/v1/tenants/{}/bill", other.tenant);
        assert!(of_traffic(&other.member.get(&bill).await.expect(200)).is_empty());

        let all = acme.member.get("/v1/lines?component=instance.net_tx").await.expect(200);
        let path = format!("/v1/lines/{}", all["items"][0]["id"].as_str().unwrap());
        let line = acme.member.get(&path).await.expect(200);
        assert_eq!((&line["equal"], &line["pending"]), (&json!(true), &json!(false)));
        let values = |of: &str| -> Vec<i64> {
            let all = line["readings"].as_array().unwrap().iter();
            all.map(|reading| reading[of].as_i64().unwrap()).collect()
        };
        assert_eq!(values("value"), [0, 3 * GIB]);
        other.member.get(&path).await.problem(404, "not-found", None);
        let costs = acme.member.get("/v1/costs?group=component").await.expect(200);
        assert!(costs.to_string().contains("instance.net_tx"), "{costs}");
        test.server.stop().await;
    }
}
