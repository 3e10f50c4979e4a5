//! Coverage by list: every endpoint of the description, for every role.

use http::{Method, StatusCode};
use serde_json::json;

use super::world::{Caller, each};
use crate::api::{self, access};

/// A path with parameters that name nothing.
fn filled(path: &str) -> String {
    let id = base::id::InstanceId::new().to_string();
    path.replace("{id}", &id)
        .replace("{name}", "nothing")
        .replace("{file}", "disk")
        .replace("{month}", "2026-10")
        .replace("{format}", "html")
        .replace("{number}", "1")
        .replace("{line}", &format!("{id}.1.0"))
}

async fn knock(caller: &Caller, method: &Method, path: &str) -> StatusCode {
    let path = match path {
        // Not to wait.
        "/v1/agent/desired" => "/v1/agent/desired?wait_s=0".to_owned(),
        other => filled(other),
    };
    let mut request = caller.request(method.clone(), &path);
    if api::extract::is_change(method) {
        request = request.json(&json!({}));
    }
    // The headers are enough: an event stream does not end.
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn every_endpoint_asks_for_its_role() {
    for test in each().await {
        let (_, member) = test.tenant("acme").await;
        let (_, agent) = test.host("alpha").await;
        let nobody = test.nobody();
        let stranger = nobody.with_token("ohk_nobody-knows-this");
        for rule in access::RULES {
            let label = format!("{} {}", rule.method, rule.path);
            if rule.who == access::Who::Nobody {
                let status = knock(&nobody, rule.method, rule.path).await;
                assert!(status != 401 && status != 403, "{label}: {status}");
                continue;
            }
            for unknown in [&nobody, &stranger] {
                assert_eq!(knock(unknown, rule.method, rule.path).await, 401, "{label}");
            }
            for (role, caller) in
                [("operator", &test.operator), ("member", &member), ("agent", &agent)]
            {
                let status = knock(caller, rule.method, rule.path).await;
                assert!(!status.is_server_error(), "{label} as {role}: {status}");
                if rule.who.roles().contains(&role) {
                    // A domain function may still refuse what the empty request asks for.
                    assert_ne!(status, 401, "{label} as {role}");
                    assert_ne!(status, 405, "{label} as {role}");
                } else {
                    assert_eq!(status, 403, "{label} as {role}");
                }
            }
        }
        test.server.stop().await;
    }
}

#[tokio::test]
async fn what_is_another_tenants_does_not_exist() {
    for test in each().await {
        let (acme, member) = test.tenant("acme").await;
        let (other, _) = test.tenant("other").await;
        for path in [
            "",
            "/balance",
            "/bill",
            "/bill.csv",
            "/months",
            "/quota",
            "/price-overrides",
            "/ledger",
            "/recharges",
            "/holds",
            "/packages",
            "/billing-settings",
        ] {
            let own = member.get(&format!("/v1/tenants/{acme}{path}")).await;
            assert!(own.status.is_success(), "{path}: {own:?}");
            let answer = member.get(&format!("/v1/tenants/{other}{path}")).await;
            answer.problem(404, "not-found", None);
        }
        let redeem = format!("/v1/tenants/{other}/vouchers/redeem");
        let answer = member.post(&redeem, &json!({ "code": "ohv_x" })).await;
        answer.problem(404, "not-found", None);
        let order = format!("/v1/tenants/{other}/packages");
        let answer = member.post(&order, &json!({ "rate": "vpn" })).await;
        answer.problem(404, "not-found", None);
        let cancel = format!("{order}/0193a000-0000-7000-8000-000000000001/cancel");
        member.post(&cancel, &json!({})).await.problem(404, "not-found", None);
        let all = member.get("/v1/tenants").await.expect(200);
        assert_eq!(all["items"].as_array().unwrap().len(), 1);
        assert_eq!(all["items"][0]["id"], acme.as_str());
        for path in [
            "/v1/instances",
            "/v1/operations",
            "/v1/invoices",
            "/v1/costs",
            "/v1/costs/labels",
            "/v1/lines",
        ] {
            member.get(&format!("{path}?tenant_id={other}")).await.problem(404, "not-found", None);
        }
        let line = format!("/v1/lines/{other}.1.0");
        member.get(&line).await.problem(404, "not-found", None);
        // A token of its own, never another's or an operator's.
        let token =
            |role: &str, tenant: &str| json!({ "name": "x", "role": role, "tenant_id": tenant });
        member.post("/v1/tokens", &token("member", &acme)).await.expect(201);
        let answer = member.post("/v1/tokens", &token("member", &other)).await;
        answer.problem(400, "invalid", Some("tenant_id"));
        let answer = member.post("/v1/tokens", &json!({ "name": "x", "role": "operator" })).await;
        answer.problem(403, "forbidden", None);
        let tokens = member.get("/v1/tokens").await.expect(200);
        assert_eq!(tokens["items"].as_array().unwrap().len(), 2);
        let all = test.operator.get("/v1/tokens").await.expect(200);
        for token in all["items"].as_array().unwrap() {
            if token["tenant_id"] != acme.as_str() {
                let path = format!("/v1/tokens/{}", token["id"].as_str().unwrap());
                member.delete(&path).await.problem(404, "not-found", None);
            }
        }
        test.server.stop().await;
    }
}
