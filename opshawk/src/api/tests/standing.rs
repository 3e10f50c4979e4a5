//! What a shortage stops, as operators and members see it.

use billing::settings::Mode;
use serde_json::{Value, json};

use super::{
    owned::{Owned, owners_and_agent},
    world::{TestServer, each, each_with, eventually},
};

const EXEMPTIONS: &str = "/v1/standing/exemptions";

async fn cuts(caller: &super::world::Caller, query: &str) -> Vec<Value> {
    let answer = caller.get(&format!("/v1/standing/preview?{query}")).await.expect(200);
    answer["items"].as_array().unwrap().clone()
}

/// Two tenants whose instances run since now, at 1 an hour, with 200 each.
async fn two(test: &TestServer) -> Vec<Owned> {
    let (all, mut agent) = owners_and_agent(test, &["acme", "other"]).await;
    agent.converge(test.server.app.clock.now()).await;
    eventually("both burn", async || {
        let cuts = cuts(&test.operator, "hours=744").await;
        let found = |name: &str| cuts.iter().any(|cut| cut["tenant"] == name);
        (found("acme") && found("other")).then_some(())
    })
    .await;
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_says_what_stops_and_an_exemption_takes_it_away() {
    for test in each().await {
        let op = &test.operator;
        let all = two(&test).await;
        let (acme, other) = (&all[0], &all[1]);
        assert!(cuts(op, "hours=24").await.is_empty());
        let mine = cuts(&acme.member, "hours=744").await;
        assert!(mine.iter().all(|cut| cut["tenant"] == "acme"), "a member sees its own");
        let steps: Vec<_> = mine.iter().map(|cut| (&cut["standing"], &cut["next"])).collect();
        let (active, next) = (json!("active"), [json!("suspended"), json!("stopped")]);
        assert_eq!(steps, [(&active, &next[0]), (&active, &next[1])]);
        assert_eq!(mine[0]["instances"], json!([{ "id": acme.instance, "name": "web" }]));
        let theirs = format!("/v1/standing/preview?tenant_id={}", other.tenant);
        acme.member.get(&theirs).await.problem(404, "not-found", None);
        op.get("/v1/standing/preview?hours=0").await.problem(400, "invalid", Some("hours"));

        let exempt = json!({ "tenant_id": acme.tenant, "reason": "a hospital" });
        acme.member.post(EXEMPTIONS, &exempt).await.problem(403, "forbidden", None);
        let wrong =
            json!({ "tenant_id": acme.tenant, "instance_id": other.instance, "reason": "x" });
        op.post(EXEMPTIONS, &wrong).await.problem(400, "invalid", Some("instance_id"));
        let unsaid = json!({ "tenant_id": acme.tenant, "reason": " " });
        op.post(EXEMPTIONS, &unsaid).await.problem(400, "invalid", Some("reason"));
        let made = op.keyed(EXEMPTIONS, "k", &exempt).await.expect(201);
        let again = op.keyed(EXEMPTIONS, "k", &exempt).await.expect(201);
        assert_eq!(made["id"], again["id"]);
        eventually("acme is exempt", async || {
            cuts(op, "hours=744").await.iter().all(|cut| cut["tenant"] == "other").then_some(())
        })
        .await;
        let path = format!("{EXEMPTIONS}/{}", made["id"].as_str().unwrap());
        op.delete(&path).await.expect(200);
        op.delete(&path).await.problem(409, "conflict", None);
        assert_eq!(op.get(EXEMPTIONS).await.expect(200)["items"], json!([]));
        let audit = op.get("/v1/audit?limit=100").await.expect(200).to_string();
        assert!(audit.contains("standing.exempt") && audit.contains("standing.end_exemption"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_has_settings_of_its_own_and_a_step_waits_for_an_approval() {
    let approve = |config: &mut crate::config::Config| {
        (config.billing.mode, config.billing.grace_s) = (Mode::Approve, 0);
    };
    for test in each_with(approve).await {
        let op = &test.operator;
        let all = two(&test).await;
        let acme = &all[0];
        let path = format!("/v1/tenants/{}/standing", acme.tenant);
        let settings = format!("{path}/settings");
        assert_eq!(acme.member.get(&settings).await.expect(200), json!({}));
        all[1].member.get(&settings).await.problem(404, "not-found", None);
        let put = json!({ "settings": { "furthest": "overdue" }, "reason": "a partner" });
        acme.member.put(&settings, &put).await.problem(403, "forbidden", None);
        op.put(&settings, &put).await.expect(200);
        let wrong = json!({ "settings": { "furthest": "warned" } });
        op.put(&settings, &wrong).await.problem(400, "invalid", Some("furthest"));
        assert_eq!(acme.member.get(&settings).await.expect(200)["furthest"], "overdue");
        eventually("nothing stops acme", async || {
            cuts(op, "hours=744").await.iter().all(|cut| cut["tenant"] == "other").then_some(())
        })
        .await;
        let reason = json!({ "reason": "it does not pay" });
        let approve = format!("{path}/approve");
        acme.member.post(&approve, &reason).await.problem(403, "forbidden", None);
        op.post(&approve, &reason).await.problem(409, "conflict", None);
        assert_eq!(op.get("/v1/standing/steps").await.expect(200)["items"], json!([]));
        let guard = op.get("/v1/standing/guard").await.expect(200);
        assert_eq!(guard["paused"], false);
        acme.member.get("/v1/standing/guard").await.problem(403, "forbidden", None);
        op.post("/v1/standing/guard/resume", &reason).await.problem(409, "conflict", None);
    }
}
