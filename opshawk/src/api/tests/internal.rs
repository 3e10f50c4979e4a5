//! What an operator does and why it does it, as members see it: what, and neither who nor why.

use std::collections::BTreeSet;

use base::time::{ManualClock, Timestamp};
use http::Method;
use serde_json::{Value, json};

use super::{
    findings::put_aside,
    invoices::running,
    world::{Caller, TestServer, each_by},
};
use crate::api::access::{self, Who};

/// The operator's name, which none of what it does has in it otherwise.
const ANNA: &str = "anna-of-operations";

fn at(text: &str) -> Timestamp {
    format!("{text}:00+08:00").parse().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// An answer, and what of it an operator alone reads.
struct Look {
    path: String,
    internal: Vec<String>,
    /// What both read.
    said: &'static [&'static str],
}

fn look(path: &str, internal: &[&str], said: &'static [&'static str]) -> Look {
    let internal = internal.iter().map(|&text| text.to_owned()).collect();
    Look { path: path.to_owned(), internal, said }
}

async fn operator(test: &TestServer) -> (String, Caller) {
    let body = json!({ "name": ANNA, "role": "operator" });
    let token = test.operator.post("/v1/tokens", &body).await.expect(201);
    let anna = test.operator.with_token(text(&token["token"]));
    let me = anna.get("/v1/me").await.expect(200);
    (text(&me["id"]).to_owned(), anna)
}

/// Rules on a fact, corrects the prices, and gives the tenant its own.
async fn decide(test: &TestServer, anna: &Caller, acme: &str) {
    let fact = put_aside(test, acme).await;
    let take = json!({ "ruling": "take", "at": at("2026-10-30T20:20"), "reason": "why-ruled" });
    anna.post(&format!("/v1/usage-facts/{fact}/rule"), &take).await.expect(200);

    let books = anna.get("/v1/price-books").await.expect(200);
    let flavors = anna.get("/v1/flavors").await.expect(200);
    let rate = |price: &str| {
        json!([{ "id": "small", "component": "instance.compute", "price": price,
            "where": { "flavor": flavors["items"][0]["id"] } }])
    };
    let drafts = format!("/v1/price-books/{}/drafts", text(&books["items"][0]["id"]));
    let document = json!({ "document": { "rates": rate("2") } });
    let draft = anna.post(&drafts, &document).await.expect(201);
    let draft = format!("/v1/price-drafts/{}", text(&draft["id"]));
    anna.post(&format!("{draft}/check"), &json!({})).await.expect(200);
    let since = json!({ "effective_at": at("2026-10-30T20:05"), "correction": "why-corrected" });
    anna.post(&format!("{draft}/publish"), &since).await.expect(201);

    let own = json!({ "rates": rate("3"), "from": at("2026-10-30T20:10"), "correction": true,
        "reason": "why-override" });
    let overrides = format!("/v1/tenants/{acme}/price-overrides");
    anna.post(&overrides, &own).await.expect(201);
}

/// Sets the credit limit, gives a bonus and corrects it, and refuses a higher quota.
async fn serve(anna: &Caller, member: &Caller, acme: &str) {
    let tenant = format!("/v1/tenants/{acme}");
    let settings = json!({ "settings": { "credit_limit": "5" }, "reason": "why-settings" });
    anna.put(&format!("{tenant}/billing-settings"), &settings).await.expect(200);
    let bonus = json!({ "amount": "3", "memo": "said-bonus" });
    anna.post(&format!("{tenant}/bonuses"), &bonus).await.expect(201);
    let entry = |account: &str, direction: &str| json!({ "account": account, "direction": direction, "amount": "1" });
    let correction = json!({ "entries": [entry("bonus", "debit"), entry("promotions", "credit")],
        "reason": "said-correction" });
    anna.post(&format!("{tenant}/corrections"), &correction).await.expect(201);
    let more = json!({ "items": [{ "resource": "instances", "limit": 99 }], "reason": "growth" });
    let asked = member.post("/v1/quota-requests", &more).await.expect(201);
    let refuse = format!("/v1/quota-requests/{}/refuse", text(&asked["id"]));
    anna.post(&refuse, &json!({ "answer": "said-answer" })).await.expect(200);
}

async fn assert_withheld(anna: &Caller, member: &Caller, look: &Look) {
    let whole = anna.get(&look.path).await;
    let own = member.get(&look.path).await;
    assert_eq!((whole.status.as_u16(), own.status.as_u16()), (200, 200), "{}", look.path);
    for internal in &look.internal {
        assert!(whole.text.contains(internal), "{}: {internal}: {}", look.path, whole.text);
        assert!(!own.text.contains(internal), "{}: {internal}: {}", look.path, own.text);
    }
    for said in look.said {
        assert!(whole.text.contains(said) && own.text.contains(said), "{}: {said}", look.path);
    }
}

#[tokio::test]
async fn a_member_reads_neither_which_operator_it_was_nor_why() {
    let clock = ManualClock::at(at("2026-10-30T20:00"));
    for test in each_by(&clock.shared(), |_| {}).await {
        clock.set(at("2026-10-30T20:00"));
        let (acme, member) = running(&test, &["acme"]).await.remove(0);
        let (id, anna) = operator(&test).await;
        clock.set(at("2026-10-30T20:30"));
        decide(&test, &anna, &acme).await;
        serve(&anna, &member, &acme).await;
        clock.set(at("2026-10-30T21:30"));
        // Posts what is accrued.
        member.get(&format!("/v1/tenants/{acme}/bill")).await.expect(200);

        let tenant = format!("/v1/tenants/{acme}");
        let mut looks = vec![
            look(&format!("{tenant}/ledger"), &[&id], &["said-bonus", "said-correction"]),
            look(&format!("{tenant}/billing-settings"), &[&id, "why-settings"], &["credit_limit"]),
            look(&format!("{tenant}/price-overrides"), &[ANNA, "why-override"], &["3.000000000"]),
            look("/v1/price-books", &["why-corrected"], &["\"correction\""]),
            look("/v1/quota-requests", &[ANNA], &["said-answer"]),
        ];
        let requests = member.get("/v1/quota-requests").await.expect(200);
        let request = format!("/v1/quota-requests/{}", text(&requests["items"][0]["id"]));
        looks.push(look(&request, &[ANNA], &["said-answer"]));
        let instances = anna.get("/v1/instances").await.expect(200);
        let instance = format!("/v1/instances/{}", text(&instances["items"][0]["id"]));
        let stopped = anna.post(&format!("{instance}/stop"), &json!({})).await.expect(202);
        let operation = format!("/v1/operations/{}", text(&stopped["id"]));
        // What a member's own token did is still its own.
        looks.push(look("/v1/operations", &[&id, ANNA], &["instance.create", "\"program\""]));
        looks.push(look(&operation, &[&id, ANNA], &["instance.stop"]));
        let lines = member.get("/v1/lines").await.expect(200);
        let mut explained = BTreeSet::<&str>::new();
        for line in lines["items"].as_array().unwrap() {
            let path = format!("/v1/lines/{}", text(&line["id"]));
            let whole = anna.get(&path).await.text;
            let said = [id.as_str(), "why-ruled", "why-corrected", "why-override"];
            let internal: Vec<&str> = said.into_iter().filter(|it| whole.contains(it)).collect();
            explained.extend(internal.iter().copied());
            looks.push(look(&path, &internal, &["\"recomputed\""]));
        }
        assert_eq!(explained.len(), 4, "{explained:?}");
        for look in &looks {
            assert_withheld(&anna, &member, look).await;
        }
        assert_nowhere(&member, &acme, &[&id, ANNA, "why-"]).await;
        test.server.stop().await;
    }
}

/// Whatever a member can list or read of its tenant.
async fn assert_nowhere(member: &Caller, tenant: &str, internal: &[&str]) {
    let read = |rule: &&access::Rule| {
        rule.method == Method::GET
            && matches!(rule.who, Who::Users | Who::Known)
            // The first does not end; what is left needs another id.
            && rule.path != "/v1/events"
            && (!rule.path.contains('{') || rule.path.starts_with("/v1/tenants/{id}"))
    };
    let mut answered = 0;
    for rule in access::RULES.iter().filter(read) {
        let path = rule.path.replace("{id}", tenant);
        let answer = member.get(&path).await;
        answered += usize::from(answer.status.is_success());
        for text in internal {
            assert!(!answer.text.contains(text), "{path}: {text}: {}", answer.text);
        }
    }
    assert!(answered > 25, "{answered}");
}
