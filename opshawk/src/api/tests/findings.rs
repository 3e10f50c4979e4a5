//! Lines that explain themselves, what is decided about usage, and money that alert rules can use.

use base::{
    id::{FindingId, FlavorId, UsageEventId, UsageGapId},
    time::{Clock, ManualClock, Timestamp},
};
use billing::{
    meter,
    usage::{self, Fact, Recorded, Resource, gaps::GapPolicy, lost, rulings},
};
use http::Method;
use serde_json::{Value, json};

use super::{
    invoices::running,
    world::{TestServer, each_by, each_with, eventually},
};

fn at(text: &str) -> Timestamp {
    format!("{text}:00+08:00").parse().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test]
async fn a_tenant_opens_its_own_lines_and_no_others() {
    let clock = ManualClock::at(at("2026-10-30T20:00"));
    for test in each_by(&clock.shared(), |_| {}).await {
        clock.set(at("2026-10-30T20:00"));
        let op = &test.operator;
        let mut tenants = running(&test, &["acme", "other"]).await;
        let ((_, stranger), (acme, member)) = (tenants.pop().unwrap(), tenants.pop().unwrap());
        clock.set(at("2026-10-30T22:30"));
        // Posts what is accrued.
        member.get(&format!("/v1/tenants/{acme}/bill")).await.expect(200);
        let lines = member.get("/v1/lines").await.expect(200);
        let items = lines["items"].as_array().unwrap();
        assert!(!items.is_empty() && lines["more"] == false, "{lines}");
        for line in items {
            let path = format!("/v1/lines/{}", text(&line["id"]));
            let own = member.get(&path).await.expect(200);
            assert_eq!((&own["equal"], &own["line"]["id"]), (&json!(true), &line["id"]));
            assert!(!own["usage"]["facts"].as_array().unwrap().is_empty(), "{own}");
            assert_eq!(op.get(&path).await.expect(200), own);
            stranger.get(&path).await.problem(404, "not-found", None);
            let last = own["usage"]["facts"].as_array().unwrap().last().unwrap();
            let rest = format!("{path}?facts_after={}", last["sequence"]);
            let rest = member.get(&rest).await.expect(200);
            assert_eq!((&rest["usage"]["facts"], &rest["equal"]), (&json!([]), &json!(true)));
        }
        let all = op.get(&format!("/v1/lines?tenant_id={acme}")).await.expect(200);
        assert_eq!(all, lines);
        let behind = format!("/v1/lines?after={}", text(&items[0]["id"]));
        let rest = member.get(&behind).await.expect(200);
        assert_eq!(rest["items"].as_array().unwrap(), &items[1..]);
        stranger.get(&behind).await.problem(404, "not-found", None);
        member.get("/v1/lines?after=1.2").await.problem(400, "invalid", Some("line"));
        op.get("/v1/lines").await.problem(400, "invalid", Some("tenant_id"));
        member.get("/v1/lines/1.2").await.problem(400, "invalid", Some("line"));
        let none = format!("/v1/lines/{acme}.999.0");
        member.get(&none).await.problem(404, "not-found", None);
        let empty = member.get("/v1/lines?component=instance.net_tx").await.expect(200);
        assert_eq!(empty["items"], json!([]));
        test.server.stop().await;
    }
}

#[tokio::test]
async fn a_fact_that_was_put_aside_is_ruled_on_and_its_finding_goes() {
    let clock = ManualClock::at(at("2026-10-30T20:00"));
    for test in each_by(&clock.shared(), |_| {}).await {
        clock.set(at("2026-10-30T20:00"));
        let op = &test.operator;
        let (acme, _) = running(&test, &["acme"]).await.remove(0);
        let fact = put_aside(&test, &acme).await;
        let findings = op.get("/v1/findings").await.expect(200);
        let finding = &findings["items"][0];
        assert_eq!(finding["kind"], "usage_quarantined", "{findings}");
        assert_eq!(finding["subject"], json!(format!("fact/{fact}")));
        let metrics = op.get("/metrics").await;
        let line = "\nopshawk_findings{kind=\"usage_quarantined\"} 1\n";
        assert!(metrics.text.contains(line), "{}", metrics.text);
        let path = format!("/v1/usage-facts/{fact}/rule");
        let bad = json!({ "ruling": "drop", "at": at("2026-10-30T20:00"), "reason": "x" });
        op.post(&path, &bad).await.problem(400, "invalid", Some("at"));
        let nameless = json!({ "ruling": "drop", "reason": " " });
        op.post(&path, &nameless).await.problem(400, "invalid", Some("reason"));
        let drop = json!({ "ruling": "drop", "reason": "its clock was wrong" });
        let ruled = op.post(&path, &drop).await.expect(200);
        assert_eq!((&ruled["ruling"], &ruled["counts_at"]), (&json!("drop"), &Value::Null));
        op.post(&path, &drop).await.problem(409, "conflict", None);
        let rulings = op.get("/v1/usage-rulings").await.expect(200);
        assert_eq!(rulings["items"], json!([ruled]));
        let open = op.get("/v1/findings").await.expect(200);
        assert_eq!(open["items"], json!([]));
        let all = op.get("/v1/findings?all=true").await.expect(200);
        assert_eq!(all["items"].as_array().unwrap().len(), 1);
        let resolve = format!("/v1/findings/{}/resolve", text(&finding["id"]));
        let reason = json!({ "reason": "seen" });
        op.post(&resolve, &reason).await.problem(409, "conflict", None);
        let audit = op.get("/v1/audit").await.expect(200);
        assert!(audit.to_string().contains("usage.rule"), "{audit}");
        test.server.stop().await;
    }
}

#[tokio::test]
async fn a_fact_that_is_taken_counts_as_of_the_instant_that_is_said() {
    let clock = ManualClock::at(at("2026-10-30T20:00"));
    for test in each_by(&clock.shared(), |_| {}).await {
        clock.set(at("2026-10-30T20:00"));
        let op = &test.operator;
        let (acme, member) = running(&test, &["acme"]).await.remove(0);
        clock.set(at("2026-10-30T20:30"));
        let fact = put_aside(&test, &acme).await;
        let path = format!("/v1/usage-facts/{fact}/rule");
        let take = json!({ "ruling": "take", "at": at("2026-10-30T20:15"), "reason": "a clock" });
        let ruled = op.post(&path, &take).await.expect(200);
        assert_eq!((&ruled["ruling"], &ruled["reason"]), (&json!("take"), &json!("a clock")));
        assert_eq!(text(&ruled["counts_at"]).parse::<Timestamp>(), Ok(at("2026-10-30T20:15")));
        assert_eq!(op.get("/v1/findings").await.expect(200)["items"], json!([]));
        // It was gone then: nothing later is charged.
        clock.set(at("2026-10-30T22:30"));
        member.get(&format!("/v1/tenants/{acme}/bill")).await.expect(200);
        let lines = member.get("/v1/lines?component=instance.compute").await.expect(200);
        let ends = lines["items"].as_array().unwrap().iter().map(|line| text(&line["to"]));
        assert_eq!(ends.max().unwrap().parse::<Timestamp>(), Ok(at("2026-10-30T20:15")));
        test.server.stop().await;
    }
}

#[tokio::test]
async fn a_gap_is_answered_as_it_was_seen_after_it_or_as_is_said() {
    let clock = ManualClock::at(at("2026-10-30T20:00"));
    for test in each_by(&clock.shared(), |_| {}).await {
        clock.set(at("2026-10-30T20:00"));
        let op = &test.operator;
        let (acme, _) = running(&test, &["acme"]).await.remove(0);
        clock.set(at("2026-10-30T23:00"));
        for (from, to) in [("20:30", "21:00"), ("22:00", "22:30")] {
            lose(&test, &acme, from, to).await;
        }
        let gaps = op.get("/v1/usage-gaps").await.expect(200)["items"].take();
        let gaps = gaps.as_array().unwrap().as_slice();
        let [first, second] = gaps else { panic!("two gaps: {gaps:?}") };
        assert_eq!((&first["answered"], &first["policy"]), (&json!(false), &json!("cheaper")));
        assert_eq!(op.get("/v1/findings").await.expect(200)["items"].as_array().unwrap().len(), 2);
        let path = |gap: &Value| format!("/v1/usage-gaps/{}/answer", text(&gap["id"]));
        let mut answer = json!({
            "changed_at": at("2026-10-30T20:45"), "state": "stopped", "reason": " ",
        });
        op.post(&path(first), &answer).await.problem(400, "invalid", Some("reason"));
        answer["reason"] = json!("the host's log");
        let late = json!({
            "changed_at": at("2026-10-30T21:30"), "state": "stopped", "reason": "the host's log",
        });
        op.post(&path(first), &late).await.problem(400, "invalid", Some("changed_at"));
        let answered = op.post(&path(first), &answer).await.expect(200);
        assert_eq!((&answered["id"], &answered["answered"]), (&first["id"], &json!(true)));
        op.post(&path(first), &answer).await.problem(409, "conflict", None);
        let mut attributes = second["attributes"].clone();
        attributes["disk_gib"] = json!(7);
        let own = json!({
            "changed_at": at("2026-10-30T22:10"), "state": "running", "attributes": attributes,
            "reason": "asked them",
        });
        op.post(&path(second), &own).await.expect(200);
        let none = format!("/v1/usage-gaps/{}/answer", UsageGapId::new());
        op.post(&none, &own).await.problem(404, "not-found", None);
        assert_eq!(op.get("/v1/usage-gaps").await.expect(200)["items"], json!([]));
        let all = op.get("/v1/usage-gaps?all=true").await.expect(200);
        let all = all["items"].as_array().unwrap();
        assert!(all.len() == 2 && all.iter().all(|gap| gap["answered"] == true), "{all:?}");
        assert_eq!(op.get("/v1/findings").await.expect(200)["items"], json!([]));
        let audit = op.get("/v1/audit").await.expect(200);
        let of = |gap: &Value| {
            let mut entries = audit["items"].as_array().unwrap().iter();
            let entry =
                entries.find(|e| e["action"] == "usage.answer" && e["target_id"] == gap["id"]);
            entry.expect("an entry")["detail"].clone()
        };
        assert_eq!(of(first)["attributes"], first["attributes"]);
        assert_eq!(
            (&of(second)["attributes"], &of(second)["reason"]),
            (&attributes, &own["reason"])
        );
        test.server.stop().await;
    }
}

#[tokio::test]
async fn an_open_finding_is_resolved_by_hand_with_a_reason() {
    let clock = ManualClock::at(at("2026-10-30T20:00"));
    for test in each_by(&clock.shared(), |_| {}).await {
        clock.set(at("2026-10-30T20:00"));
        let op = &test.operator;
        let (acme, _) = running(&test, &["acme"]).await.remove(0);
        put_aside(&test, &acme).await;
        let finding = op.get("/v1/findings").await.expect(200)["items"][0].take();
        let path = format!("/v1/findings/{}/resolve", text(&finding["id"]));
        op.post(&path, &json!({ "reason": " " })).await.problem(400, "invalid", Some("reason"));
        let reason = json!({ "reason": "known" });
        let none = format!("/v1/findings/{}/resolve", FindingId::new());
        op.post(&none, &reason).await.problem(404, "not-found", None);
        let resolved = op.post(&path, &reason).await.expect(200);
        assert_eq!(resolved["id"], finding["id"]);
        assert_eq!(text(&resolved["resolved_at"]).parse::<Timestamp>(), Ok(clock.now()));
        assert_eq!(op.get("/v1/findings").await.expect(200)["items"], json!([]));
        op.post(&path, &reason).await.problem(409, "conflict", None);
        let audit = op.get("/v1/audit").await.expect(200);
        let mut entries = audit["items"].as_array().unwrap().iter();
        let entry = entries.find(|entry| entry["action"] == "finding.resolve").expect("an entry");
        assert_eq!(entry["target_id"], finding["id"]);
        assert_eq!(entry["detail"]["reason"], "known");
        test.server.stop().await;
    }
}

/// The tenant's one instance, with its flavor.
async fn instance(test: &TestServer, tenant: &str) -> (Resource, FlavorId) {
    let instances = test.operator.get("/v1/instances").await.expect(200);
    let instance = &instances["items"][0];
    assert_eq!(instance["tenant_id"], tenant);
    let flavor = text(&instance["flavor_id"]).parse().unwrap();
    (Resource { kind: "instance".to_owned(), id: text(&instance["id"]).to_owned() }, flavor)
}

/// A fact of the tenant's instance that is an hour ahead; its id.
pub async fn put_aside(test: &TestServer, tenant: &str) -> UsageEventId {
    let (resource, flavor) = instance(test, tenant).await;
    let now = test.server.app.clock.now();
    let fact = Fact {
        source: "test".to_owned(),
        source_id: "ahead".to_owned(),
        tenant_id: tenant.parse().unwrap(),
        resource,
        resource_name: "web".to_owned(),
        state: "absent".to_owned(),
        attributes: meter::attributes(flavor, 1),
        at: now.saturating_add_ms(3_600_000),
        ordinal: 0,
    };
    let mut tx = test.server.app.db.begin_write().await.unwrap();
    assert_eq!(usage::record(&mut tx, now, &fact).await.unwrap(), Recorded::Quarantined);
    let id = rulings::find(&mut tx, "test", "ahead").await.unwrap();
    tx.commit().await.unwrap();
    id
}

/// Facts of the tenant's instance are lost, which runs after that.
async fn lose(test: &TestServer, tenant: &str, from: &str, to: &str) {
    let (resource, flavor) = instance(test, tenant).await;
    let gap = lost::Lost {
        source: "test".to_owned(),
        source_id: format!("{from}-{to}"),
        resource,
        from: at(&format!("2026-10-30T{from}")),
        to: at(&format!("2026-10-30T{to}")),
        state: "running".to_owned(),
        attributes: meter::attributes(flavor, 1),
        policy: GapPolicy::Cheaper,
    };
    let mut tx = test.server.app.db.begin_write().await.unwrap();
    lost::lost(&mut tx, test.server.app.clock.now(), &gap).await.unwrap();
    tx.commit().await.unwrap();
}

/// What a rule says of money fires, and is over when it is paid.
#[tokio::test]
async fn an_alert_rule_watches_a_balance() {
    for test in each_with(|config| config.billing.samples = true).await {
        let op = &test.operator;
        let (acme, member) = test.tenant("acme").await;
        let topups = format!("/v1/tenants/{acme}/topups");
        op.post(&topups, &json!({ "amount": "5" })).await.expect(201);
        let rules = "groups:\n- name: money\n  interval: 1s\n  rules:\n  - alert: LowBalance\n    \
                     expr: opshawk_tenant_balance < 10\n    labels: {severity: page}\n";
        let put = op.request(Method::PUT, "/v1/rule-groups/money").body(rules.to_owned());
        op.send(put).await.expect(200);
        let firing = async || {
            let all = op.get("/v1/alerts").await.expect(200);
            let alerts = all["items"].as_array().unwrap().iter().cloned();
            let mut of = alerts.filter(|a| a["name"] == "LowBalance" && a["state"] == "firing");
            of.next()
        };
        let alert = eventually("a low balance fires", firing).await;
        assert_eq!(alert["labels"]["tenant"], acme.as_str(), "{alert}");
        let query = "/prometheus/api/v1/query?query=";
        eventually("the balance is a series", async || {
            let balance = member.get(&format!("{query}opshawk_tenant_balance")).await.expect(200);
            (balance["data"]["result"][0]["value"][1] == "5").then_some(())
        })
        .await;
        let standing = member.get(&format!("{query}opshawk_tenant_standing")).await.expect(200);
        assert_eq!(standing["data"]["result"][0]["metric"]["standing"], "active", "{standing}");
        op.post(&topups, &json!({ "amount": "100" })).await.expect(201);
        eventually("it is over when it is paid", async || firing().await.is_none().then_some(()))
            .await;
        test.server.stop().await;
    }
}
