//! What an operator and a tenant do in a day, and an agent that a test plays over its own wire.

use agent::wire::{
    Ack, Desired, HostFacts, InstanceEvent, InstanceState, ObservedInstance, PortReading, Report,
};
use base::{id::BootId, time::Timestamp};
use futures::StreamExt;
use http::Method;
use serde_json::{Value, json};

use super::world::{Caller, TestServer, each, eventually};

/// An agent, as the test plays it: one report after the other.
pub struct Played {
    pub caller: Caller,
    boot: BootId,
    sequence: i64,
    /// For the next report.
    pub readings: Vec<PortReading>,
}

impl Played {
    pub fn new(caller: Caller) -> Self {
        Self { caller, boot: BootId::new(), sequence: 0, readings: vec![] }
    }

    async fn desired(&self) -> Desired {
        let answer = self.caller.get("/v1/agent/desired?after=0&wait_s=5").await.expect(200);
        serde_json::from_value(answer).unwrap()
    }

    pub async fn report(
        &mut self,
        at: Timestamp,
        instances: Vec<ObservedInstance>,
        events: Vec<InstanceEvent>,
    ) {
        self.sequence += 1;
        let report = Report {
            boot_id: self.boot,
            sequence: self.sequence,
            at,
            journal_since: None,
            generation: 1,
            host: HostFacts {
                hostname: "alpha".to_owned(),
                agent_version: "test".to_owned(),
                hypervisor_ok: true,
                problem: None,
                cpus: 4,
                memory_mib: 4096,
                disk_gib: 100,
                domain_type: Some("qemu".to_owned()),
                libvirt_version: Some("9.0.0".to_owned()),
                hypervisor_version: Some("7.2".to_owned()),
            },
            instances,
            events,
            readings: std::mem::take(&mut self.readings),
        };
        let ack = self.caller.post("/v1/agent/reports", &json!(report)).await.expect(200);
        let ack: Ack = serde_json::from_value(ack).unwrap();
        assert_eq!(ack.sequence, self.sequence);
    }

    /// Does at once what is wanted, and tells of it.
    pub async fn converge(&mut self, at: Timestamp) {
        let desired = self.desired().await;
        let (mut seen, mut events) = (vec![], vec![]);
        for instance in desired.instances {
            let state = match instance.power {
                agent::wire::Power::Running => InstanceState::Running,
                agent::wire::Power::Paused => InstanceState::Paused,
                agent::wire::Power::Stopped => InstanceState::Stopped,
                agent::wire::Power::Absent => InstanceState::Absent,
            };
            seen.push(ObservedInstance {
                id: instance.id,
                generation: instance.generation,
                state,
                since: at,
                step: None,
                progress_pct: None,
                failure: None,
                addresses: vec!["192.0.2.7".to_owned()],
                disk_gib: Some(instance.disk_gib),
                console_tail: Some("login:\u{0}".to_owned()),
            });
            let id = base::id::UsageEventId::new().0;
            events.push(InstanceEvent { id, instance_id: instance.id, state, at });
        }
        self.report(at, seen, events).await;
    }
}

pub async fn image(test: &TestServer, bytes: &str) -> String {
    let op = &test.operator;
    let body = json!({ "name": "mini", "disk_format": "raw" });
    let image = op.post("/v1/images", &body).await.expect(201);
    assert_eq!(image["state"], "queued");
    let id = image["id"].as_str().unwrap().to_owned();
    let upload = |part: &str| {
        op.request(Method::PUT, &format!("/v1/images/{id}/files/{part}")).body(bytes.to_owned())
    };
    op.send(upload("kernel")).await.problem(409, "conflict", None);
    let image = op.send(upload("disk")).await.expect(200);
    assert_eq!((&image["state"], &image["disk"]["bytes"]), (&json!("active"), &json!(bytes.len())));
    op.send(upload("disk")).await.problem(409, "conflict", None);
    id
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test]
async fn a_tenant_creates_what_it_can_pay_for_and_may_have() {
    for test in each().await {
        let op = &test.operator;
        let (acme, member) = test.tenant("acme").await;
        let (_, agent) = test.host("alpha").await;
        let mut agent = Played::new(agent);
        let now = || test.server.app.clock.now();
        agent.report(now(), vec![], vec![]).await;
        let image = image(&test, "a bootable disk").await;
        let flavor = json!({ "name": "small", "vcpus": 1, "memory_mib": 256, "disk_gib": 1 });
        let flavor = op.post("/v1/flavors", &flavor).await.expect(201);
        let meter = format!("instance:{}", text(&flavor["id"]));
        let prices = json!([{ "meter": meter, "unit_price": "36" }]);
        let book = json!({ "name": "standard", "currency": "CNY", "prices": prices });
        let book = op.post("/v1/price-books", &book).await.expect(201);
        let own = json!({ "price_book_id": book["id"] });
        op.patch(&format!("/v1/tenants/{acme}"), &own).await.expect(200);
        let quota = json!({ "items": [{ "resource": "instances", "limit": 1 }] });
        op.put(&format!("/v1/tenants/{acme}/quota"), &quota).await.expect(200);

        let create = json!({ "name": "web", "flavor_id": flavor["id"], "image_id": image, "tenant_id": null });
        // There must be enough for an hour of it.
        member.post("/v1/instances", &create).await.problem(402, "payment-required", None);
        let topups = format!("/v1/tenants/{acme}/topups");
        let paid = op.keyed(&topups, "pay-1", &json!({ "amount": "200" })).await.expect(201);
        assert_eq!(paid["balance"]["balance_display"], "200.0000");
        let operation = member.keyed("/v1/instances", "k1", &create).await.expect(202);
        assert_eq!(operation["state"], "running");
        let again = member.keyed("/v1/instances", "k1", &create).await;
        assert_eq!(again.headers["idempotency-replayed"], "true");
        assert_eq!(again.expect(202)["id"], operation["id"]);
        let other = json!({ "name": "web2", "flavor_id": flavor["id"], "image_id": image });
        let conflict = member.keyed("/v1/instances", "k1", &other).await;
        conflict.problem(409, "conflict", Some("Idempotency-Key"));
        member.post("/v1/instances", &other).await.problem(409, "quota-exceeded", None);
        let all = member.get("/v1/instances").await.expect(200);
        assert_eq!(all["items"].as_array().unwrap().len(), 1, "nothing is left behind");

        // The agent fetches the image, and only what its host needs.
        let download = format!("/v1/agent/images/{image}/disk");
        assert_eq!(agent.caller.get(&download).await.text, "a bootable disk");
        let (_, stranger) = test.host("beta").await;
        stranger.get(&download).await.problem(404, "not-found", None);
        agent.converge(now()).await;
        let path = format!("/v1/operations/{}", text(&operation["id"]));
        let done = member.get(&path).await.expect(200);
        assert_eq!((&done["state"], &done["progress_pct"]), (&json!("succeeded"), &json!(100)));
        assert!(done["duration_ms"].as_i64().is_some());
        let id = text(&operation["target_id"]).to_owned();
        let instance = member.get(&format!("/v1/instances/{id}")).await.expect(200);
        assert_eq!((&instance["state"], &instance["host_id"]), (&json!("running"), &Value::Null));
        let log = member.get(&format!("/v1/instances/{id}/console-log")).await.expect(200);
        assert_eq!(log["tail"], "login:");
        let balance = member.get(&format!("/v1/tenants/{acme}/balance")).await.expect(200);
        assert_eq!(balance["burn_per_hour"], "36.000000000");
        assert!(balance["runs_out_at"].is_string(), "{balance}");

        // Another tenant knows nothing of it.
        let (_, other) = test.tenant("other").await;
        for path in ["", "/console-log"] {
            let answer = other.get(&format!("/v1/instances/{id}{path}")).await;
            answer.problem(404, "not-found", None);
        }
        for verb in ["start", "stop"] {
            let answer = other.post(&format!("/v1/instances/{id}/{verb}"), &json!({})).await;
            answer.problem(404, "not-found", None);
        }
        other.delete(&format!("/v1/instances/{id}")).await.problem(404, "not-found", None);
        other.get(&path).await.problem(404, "not-found", None);

        // Locked by an operator, it is not the tenant's to start.
        let lock = format!("/v1/instances/{id}/lock");
        member.post(&lock, &json!({})).await.problem(403, "forbidden", None);
        op.post(&lock, &json!({})).await.expect(202);
        agent.converge(now()).await;
        let start = member.post(&format!("/v1/instances/{id}/start"), &json!({})).await;
        start.problem(409, "conflict", None);
        member.delete(&format!("/v1/instances/{id}")).await.expect(202);
        agent.converge(now()).await;
        member.get(&format!("/v1/instances/{id}")).await.problem(404, "not-found", None);

        let bill = member.get(&format!("/v1/tenants/{acme}/bill")).await.expect(200);
        let subtotal: base::money::Micros = text(&bill["subtotal"]).parse().unwrap();
        let lines = bill["lines"].as_array().unwrap();
        let sum: i64 = lines
            .iter()
            .map(|l| text(&l["amount"]).parse::<base::money::Micros>().unwrap().0)
            .sum();
        assert_eq!(subtotal.0, sum);
        let csv = member.get(&format!("/v1/tenants/{acme}/bill.csv")).await;
        assert!(csv.headers["content-type"].to_str().unwrap().starts_with("text/csv"));
        let audit = op.get("/v1/audit").await.expect(200);
        let actions: Vec<_> =
            audit["items"].as_array().unwrap().iter().map(|e| text(&e["action"])).collect();
        for action in ["tenant.create", "tenant.topup", "instance.create", "instance.delete"] {
            assert!(actions.contains(&action), "{action} in {actions:?}");
        }
        test.server.stop().await;
    }
}

#[tokio::test]
async fn a_key_makes_a_payment_happen_once_and_a_token_show_once() {
    for test in each().await {
        let (acme, _) = test.tenant("acme").await;
        let path = format!("/v1/tenants/{acme}/topups");
        let body = json!({ "amount": "1.5", "memo": "first" });
        let first = test.operator.keyed(&path, "once", &body).await.expect(201);
        let second = test.operator.keyed(&path, "once", &body).await.expect(201);
        assert_eq!(first, second);
        let tenant = test.operator.get(&format!("/v1/tenants/{acme}")).await.expect(200);
        assert_eq!(tenant["balance"], "1.500000");
        // Another payment under the key is refused, and the operators hear of it, once.
        let other = json!({ "amount": "2" });
        for _ in 0..2 {
            let answer = test.operator.keyed(&path, "once", &other).await;
            answer.problem(409, "conflict", Some("Idempotency-Key"));
        }
        let notices = test.operator.get("/v1/notices").await.expect(200);
        let told: Vec<_> = notices["items"].as_array().unwrap().iter().collect();
        assert_eq!(told.len(), 1, "{notices}");
        assert_eq!(told[0]["subject"], "a top-up came again with another amount");
        assert!(text(&told[0]["body"]).contains("with 2.000000"), "{notices}");
        test.operator.keyed(&path, "", &body).await.problem(
            400,
            "invalid",
            Some("Idempotency-Key"),
        );

        let body = json!({ "name": "ci", "role": "operator" });
        let first = test.operator.keyed("/v1/tokens", "t", &body).await.expect(201);
        let second = test.operator.keyed("/v1/tokens", "t", &body).await.expect(201);
        assert_eq!(first["id"], second["id"]);
        assert!(first["token"].is_string() && second["token"].is_null());

        // Revoked, it is nobody's at once.
        let made = test.operator.with_token(text(&first["token"]));
        made.get("/v1/me").await.expect(200);
        let revoke = format!("/v1/tokens/{}", text(&first["id"]));
        assert_eq!(test.operator.delete(&revoke).await.status, 204);
        made.get("/v1/me").await.problem(401, "unauthenticated", None);
        test.server.stop().await;
    }
}

#[tokio::test]
async fn lists_are_read_page_by_page() {
    for test in each().await {
        for n in 0..5 {
            test.operator
                .post("/v1/tenants", &json!({ "name": format!("t{n}") }))
                .await
                .expect(201);
        }
        let mut names = Vec::new();
        let mut next = String::new();
        loop {
            let page = test.operator.get(&format!("/v1/tenants?limit=2{next}")).await.expect(200);
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= 2);
            names.extend(items.iter().map(|t| text(&t["name"]).to_owned()));
            match page["next_cursor"].as_str() {
                Some(cursor) => next = format!("&cursor={cursor}"),
                None => break,
            }
        }
        assert_eq!(names, ["t0", "t1", "t2", "t3", "t4"]);
        test.server.stop().await;
    }
}

#[tokio::test]
async fn a_member_hears_its_own_changes_as_they_happen() {
    for test in each().await {
        let (acme, member) = test.tenant("acme").await;
        let (other, _) = test.tenant("other").await;
        let stream = member.request(Method::GET, "/v1/events").send().await.unwrap();
        assert_eq!(stream.headers()["content-type"], "text/event-stream");
        let mut chunks = stream.bytes_stream();
        let mut heard = String::new();
        while !heard.contains("event: hello") {
            heard.push_str(&String::from_utf8_lossy(&chunks.next().await.unwrap().unwrap()));
        }
        for tenant in [&other, &acme] {
            let path = format!("/v1/tenants/{tenant}/topups");
            test.operator.post(&path, &json!({ "amount": "1" })).await.expect(201);
        }
        while !heard.contains(&acme) {
            heard.push_str(&String::from_utf8_lossy(&chunks.next().await.unwrap().unwrap()));
        }
        assert!(heard.contains("event: change"), "{heard}");
        assert!(heard.contains("\"topic\":\"money\""), "{heard}");
        assert!(!heard.contains(&other), "{heard}");
        // A server that drains ends the stream.
        test.server.app.stopping.cancel();
        while let Some(chunk) = chunks.next().await {
            chunk.unwrap();
        }
    }
}

#[tokio::test]
async fn a_bmc_that_does_not_answer_is_unknown_with_a_remedy() {
    // The BMC client's patience makes this slow: one database is enough.
    for test in each().await {
        let op = &test.operator;
        // A port that nobody listens on.
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap().to_string();
        drop(socket);
        let body = json!({
            "name": "rack-1", "bmc_address": address, "bmc_user": "admin", "bmc_password": "secret",
        });
        let server = op.post("/v1/servers", &body).await.expect(201);
        assert!(!server.to_string().contains("secret"));
        let path = format!("/v1/servers/{}", text(&server["id"]));
        let seen = eventually("the BMC was asked", async || {
            let server = op.get(&path).await.expect(200);
            server["observed_at"].is_string().then_some(server)
        })
        .await;
        assert_eq!(seen["power"], "unknown");
        assert!(seen["reason"].is_string() && seen["remedy"].is_string(), "{seen}");
        let wrong = json!({ "action": "reset" });
        op.post(&format!("{path}/power"), &wrong).await.problem(400, "invalid", Some("action"));
        let power = op.post(&format!("{path}/power"), &json!({ "action": "on" })).await.expect(202);
        assert_eq!(power["kind"], "server.power_on");
        assert_eq!(op.delete(&path).await.status, 204);
        op.get(&path).await.problem(404, "not-found", None);
        test.server.stop().await;
    }
}

#[tokio::test]
async fn rules_are_put_read_and_refused() {
    for test in each().await {
        let op = &test.operator;
        let put = |name: &str, rules: &str| {
            op.request(Method::PUT, &format!("/v1/rule-groups/{name}")).body(rules.to_owned())
        };
        let rules = "groups:\n- name: guests\n  rules:\n  - alert: Up\n    expr: up == 1\n";
        let group = op.send(put("guests", rules)).await.expect(200);
        assert_eq!((&group["name"], &group["source"]), (&json!("guests"), &json!("api")));
        let wrong = rules.replace("up == 1", "sum(");
        let refused = op.send(put("guests", &wrong)).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
        let all = op.get("/v1/rule-groups").await.expect(200);
        assert_eq!(all["items"].as_array().unwrap().len(), 1);
        let prometheus = op.get("/prometheus/api/v1/rules").await.expect(200);
        assert_eq!(prometheus["data"]["groups"][0]["name"], "guests");
        assert_eq!(op.delete("/v1/rule-groups/guests").await.status, 204);
        op.delete("/v1/rule-groups/guests").await.problem(404, "not-found", None);
        test.server.stop().await;
    }
}
