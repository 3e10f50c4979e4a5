//! What operators post beside the charges, and what tenants see of it.

use serde_json::{Value, json};

use super::world::{Caller, TestServer, each, eventually};

async fn pockets(caller: &Caller, tenant: &str) -> [Value; 3] {
    let mut balance = caller.get(&format!("/v1/tenants/{tenant}/balance")).await.expect(200);
    ["cash", "bonus", "held"].map(|pocket| balance[pocket].take())
}

async fn post(test: &TestServer, tenant: &str, what: &str, body: Value) -> Value {
    test.operator.post(&format!("/v1/tenants/{tenant}/{what}"), &body).await.expect(201)
}

#[tokio::test]
async fn money_comes_in_is_put_aside_and_goes_back() {
    for test in each().await {
        let (acme, member) = test.tenant("acme").await;
        let paid = json!({
            "amount": "100", "provider": "bank", "provider_id": "b-1", "bonus": "20",
        });
        let first = post(&test, &acme, "recharges", paid.clone()).await;
        let again = post(&test, &acme, "recharges", paid.clone()).await;
        let id = &first["ledger_transaction_id"];
        assert_eq!(id, &again["ledger_transaction_id"]);
        assert_eq!(pockets(&member, &acme).await, ["100.000000", "20.000000", "0.000000"]);
        // Another amount under the provider's id: refused, and told.
        let other = json!({ "amount": "99", "provider": "bank", "provider_id": "b-1" });
        let path = format!("/v1/tenants/{acme}/recharges");
        let refused = test.operator.post(&path, &other).await;
        refused.problem(409, "conflict", Some("provider_id"));
        let notices = test.operator.get("/v1/notices").await.expect(200);
        assert_eq!(notices["items"].as_array().unwrap().len(), 1, "{notices}");

        let hold = json!({
            "amount": "50", "purpose": "a server", "expires_at": "2999-01-01T00:00:00Z",
        });
        let held = post(&test, &acme, "holds", hold).await;
        assert_eq!(pockets(&member, &acme).await, ["70.000000", "0.000000", "50.000000"]);
        let hold = held["ledger_transaction_id"].as_str().unwrap();
        let part = json!({ "net": "8", "tax": "2" });
        test.operator.post(&format!("/v1/holds/{hold}/post"), &part).await.expect(201);
        let void = test.operator.post(&format!("/v1/holds/{hold}/void"), &json!({})).await;
        void.problem(409, "conflict", None);
        assert_eq!(pockets(&member, &acme).await, ["100.000000", "10.000000", "0.000000"]);
        let holds = member.get(&format!("/v1/tenants/{acme}/holds")).await.expect(200);
        assert_eq!(holds["items"][0]["outcome"], "posted");

        // Ten of the bonus were earned: they are taken from the cash.
        let path = format!("/v1/tenants/{acme}/refunds");
        let refund =
            |amount: &str| json!({ "recharge_id": id, "amount": amount, "reason": "they left" });
        let too_much = test.operator.post(&path, &refund("90.000001")).await;
        too_much.problem(409, "conflict", Some("amount"));
        let recharges = member.get(&format!("/v1/tenants/{acme}/recharges")).await.expect(200);
        assert_eq!(recharges["items"][0]["refundable"], "90.000000");
        test.operator.post(&path, &refund("90")).await.expect(201);
        assert_eq!(pockets(&member, &acme).await, ["0.000000"; 3]);

        post(&test, &acme, "bonuses", json!({ "amount": "3", "memo": "sorry" })).await;
        let entry = |account: &str, direction: &str| json!({ "account": account, "direction": direction, "amount": "1" });
        let entries = [entry("bonus", "debit"), entry("promotions", "credit")];
        let correction = json!({ "entries": entries, "reason": "too much" });
        post(&test, &acme, "corrections", correction).await;
        let ledger = member.get(&format!("/v1/tenants/{acme}/ledger?limit=2")).await.expect(200);
        let kinds: Vec<_> =
            ledger["items"].as_array().unwrap().iter().map(|t| &t["kind"]).collect();
        assert_eq!(kinds, ["correction", "bonus"]);
        let cursor = ledger["next_cursor"].as_str().unwrap();
        let next = format!("/v1/tenants/{acme}/ledger?cursor={cursor}");
        let rest = member.get(&next).await.expect(200);
        // Recharge, bonus, hold, its end, the bonus that went back, the refund.
        assert_eq!(rest["items"].as_array().unwrap().len(), 6, "{rest}");

        let verified = test.operator.post("/v1/ledger/verify", &json!({})).await.expect(200);
        assert_eq!((&verified["found"], &verified["transactions"]), (&0.into(), &8.into()));
        // The hourly one has run, too.
        let line = "\nopshawk_ledger_findings 0\n";
        let op = &test.operator;
        eventually(line, async || op.get("/metrics").await.text.contains(line).then_some(())).await;
        test.server.stop().await;
    }
}

/// A first request that what there is forbids is the caller's to hear, and nobody else's.
#[tokio::test]
async fn operators_are_told_of_repetitions_alone() {
    for test in each().await {
        let (acme, _) = test.tenant("acme").await;
        let paid = json!({
            "amount": "100", "provider": "bank", "provider_id": "b-1", "bonus": "20",
        });
        let paid = post(&test, &acme, "recharges", paid).await;
        let hold = json!({
            "amount": "50", "purpose": "a server", "expires_at": "2999-01-01T00:00:00Z",
        });
        post(&test, &acme, "holds", hold).await;
        let id = &paid["ledger_transaction_id"];
        let refund =
            |amount: &str| json!({ "recharge_id": id, "amount": amount, "reason": "they left" });
        let path = format!("/v1/tenants/{acme}/refunds");
        let op = &test.operator;
        op.keyed(&path, "r", &refund("1")).await.problem(409, "conflict", None);
        op.keyed(&path, "r", &refund("500")).await.problem(409, "conflict", Some("amount"));
        let notices = async || op.get("/v1/notices").await.expect(200)["items"].clone();
        assert_eq!(notices().await, json!([]));

        let path = format!("/v1/tenants/{acme}/bonuses");
        op.keyed(&path, "b", &json!({ "amount": "3" })).await.expect(201);
        let again = op.keyed(&path, "b", &json!({ "amount": "4" })).await;
        again.problem(409, "conflict", Some("Idempotency-Key"));
        let told = notices().await;
        let all = told.as_array().unwrap();
        assert_eq!(all.len(), 1, "{told}");
        assert_eq!(all[0]["subject"], "a bonus came again with another amount");
        test.server.stop().await;
    }
}

#[tokio::test]
async fn a_voucher_is_shown_once_and_redeemed_once() {
    for test in each().await {
        let (acme, member) = test.tenant("acme").await;
        let (other, stranger) = test.tenant("other").await;
        let body = json!({ "amount": "5", "currency": "CNY", "tenant_id": acme });
        let made = test.operator.keyed("/v1/vouchers", "v", &body).await.expect(201);
        let again = test.operator.keyed("/v1/vouchers", "v", &body).await.expect(201);
        assert!(made["code"].is_string() && again["code"].is_null() && made["id"] == again["id"]);
        let code = json!({ "code": made["code"] });
        let redeem = |tenant: &str| format!("/v1/tenants/{tenant}/vouchers/redeem");
        stranger.post(&redeem(&other), &code).await.problem(404, "not-found", None);
        member.post(&redeem(&acme), &code).await.expect(201);
        member.post(&redeem(&acme), &code).await.problem(409, "conflict", None);
        assert_eq!(pockets(&member, &acme).await[1], "5.000000");
        let all = test.operator.get("/v1/vouchers").await.expect(200);
        assert_eq!(all["items"][0]["redeemed_by"], acme.as_str());
        test.server.stop().await;
    }
}

#[tokio::test]
async fn a_credit_limit_is_set_with_its_history() {
    for test in each().await {
        let (acme, member) = test.tenant("acme").await;
        let path = format!("/v1/tenants/{acme}/billing-settings");
        let body = json!({ "settings": { "credit_limit": "100" }, "reason": "a contract" });
        test.operator.put(&path, &body).await.expect(200);
        let negative = json!({ "settings": { "credit_limit": "-1" } });
        test.operator.put(&path, &negative).await.problem(400, "invalid", Some("credit_limit"));
        let seen = member.get(&path).await.expect(200);
        assert_eq!(seen["settings"]["credit_limit"], "100.000000");
        assert_eq!(
            (&seen["history"][0]["number"], &seen["history"][0]["reason"]),
            (&1.into(), &"".into())
        );
        let seen = test.operator.get(&path).await.expect(200);
        assert_eq!(seen["history"][0]["reason"], "a contract");
        let balance = member.get(&format!("/v1/tenants/{acme}/balance")).await.expect(200);
        assert_eq!(balance["credit_limit"], "100.000000");
        test.server.stop().await;
    }
}
