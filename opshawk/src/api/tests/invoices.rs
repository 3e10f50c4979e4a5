//! Closed months as their callers see them: invoices that never change, and costs that add up.

use base::time::{ManualClock, Timestamp};
use serde_json::{Value, json};

use super::{
    story::{Played, image},
    world::{TestServer, each_by},
};

fn at(text: &str) -> Timestamp {
    format!("{text}:00+08:00").parse().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// A tenant of each name with an instance at 1 an hour, running since now; their ids.
pub async fn running(test: &TestServer, names: &[&str]) -> Vec<(String, super::world::Caller)> {
    let op = &test.operator;
    let (_, agent) = test.host("alpha").await;
    let mut agent = Played::new(agent);
    agent.report(test.server.app.clock.now(), vec![], vec![]).await;
    let image = image(test, "a bootable disk").await;
    let flavor = json!({ "name": "small", "vcpus": 1, "memory_mib": 256, "disk_gib": 1 });
    let flavor = op.post("/v1/flavors", &flavor).await.expect(201);
    let meter = format!("instance:{}", text(&flavor["id"]));
    let prices = json!([{ "meter": meter, "unit_price": "1" }]);
    let book = json!({ "name": "standard", "currency": "CNY", "prices": prices });
    let book = op.post("/v1/price-books", &book).await.expect(201);
    let mut all = Vec::new();
    for name in names {
        let (tenant, member) = test.tenant(name).await;
        let path = format!("/v1/tenants/{tenant}");
        op.patch(&path, &json!({ "price_book_id": book["id"] })).await.expect(200);
        op.post(&format!("{path}/topups"), &json!({ "amount": "2000" })).await.expect(201);
        let create = json!({ "name": "=web", "flavor_id": flavor["id"], "image_id": image });
        member.post("/v1/instances", &create).await.expect(202);
        all.push((tenant, member));
    }
    agent.converge(test.server.app.clock.now()).await;
    all
}

#[tokio::test]
async fn an_invoice_is_the_tenants_own_and_stays_as_it_was_issued() {
    let clock = ManualClock::at(at("2026-10-31T20:00"));
    for test in each_by(&clock.shared(), |_| {}).await {
        clock.set(at("2026-10-31T20:00"));
        let op = &test.operator;
        let mut tenants = running(&test, &["acme", "other"]).await;
        let ((other, stranger), (acme, member)) = (tenants.pop().unwrap(), tenants.pop().unwrap());
        let close = |tenant: &str| format!("/v1/tenants/{tenant}/months/2026-10/close");
        // Not before it has ended, and not by a member.
        op.post(&close(&acme), &json!({})).await.problem(409, "conflict", None);
        clock.set(at("2026-11-01T00:30"));
        member.post(&close(&acme), &json!({})).await.problem(403, "forbidden", None);
        let bad = format!("/v1/tenants/{acme}/months/October/close");
        op.post(&bad, &json!({})).await.problem(400, "invalid", Some("month"));
        let closed = op.post(&close(&acme), &json!({})).await.expect(200);
        assert_eq!(op.post(&close(&acme), &json!({})).await.expect(200), closed);
        op.post(&close(&other), &json!({})).await.expect(200);
        let months = member.get(&format!("/v1/tenants/{acme}/months")).await.expect(200);
        assert_eq!(months["items"], json!([closed]));

        let all = member.get("/v1/invoices").await.expect(200);
        let invoice = &all["items"][0];
        assert_eq!(
            (all["items"].as_array().unwrap().len(), &invoice["number"]),
            (1, &json!("INV-000001"))
        );
        assert_eq!((&invoice["total"], &invoice["digits"]), (&json!("4.000000"), &json!(2)));
        assert_eq!(invoice["id"], closed["invoice_id"]);
        let both = op.get("/v1/invoices?limit=1").await.expect(200);
        assert_eq!(both["items"][0]["number"], "INV-000002");
        let rest = op.get(&format!("/v1/invoices?cursor={}", text(&both["next_cursor"]))).await;
        assert_eq!(rest.expect(200)["items"][0]["number"], "INV-000001");
        let one = format!("/v1/invoices/{}", text(&invoice["id"]));
        let detail = member.get(&one).await.expect(200);
        assert_eq!(detail["content"]["lines"][0]["net"], "4.000000");
        let file = |format: &str| format!("{one}/files/{format}");
        for path in [one.clone(), file("json"), file("html"), file("csv"), file("pdf")] {
            stranger.get(&path).await.problem(404, "not-found", None);
        }

        let mut kept = Vec::new();
        for path in [file("json"), file("csv"), file("html"), file("html?language=zh-CN")] {
            let answer = member.get(&path).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text);
            let sha = format!("\"{}\"", base::secret::sha256_hex(&answer.text));
            assert_eq!(answer.headers["etag"], sha, "{path}");
            // Stricter than the console's: a file that is opened by itself runs nothing.
            let policy = answer.headers["content-security-policy"].to_str().unwrap();
            assert!(policy.ends_with("sandbox"), "{path}: {policy}");
            kept.push((path, answer.text));
        }
        assert!(kept[1].1.contains(",'=web,") && !kept[1].1.contains(",=web,"), "{}", kept[1].1);
        assert!(kept[3].1.contains("账单") && kept[3].1.contains("4.00 CNY"));
        member.get(&file("docx")).await.problem(400, "invalid", Some("format"));
        // Whatever the tenant is called later.
        let renamed = json!({ "name": "Acme & Sons" });
        op.patch(&format!("/v1/tenants/{acme}"), &renamed).await.expect(200);
        let taken = op.patch(&format!("/v1/tenants/{acme}"), &json!({ "name": "other" })).await;
        taken.problem(409, "conflict", None);
        for (path, before) in kept {
            assert_eq!(member.get(&path).await.text, before, "{path}");
        }
        // A part is taken back, once a key, and never more than is left.
        let notes = format!("{one}/credit-notes");
        let half = json!({ "total": "1.5", "reason": "an outage" });
        member.post(&notes, &half).await.problem(403, "forbidden", None);
        let note = op.keyed(&notes, "note-1", &half).await.expect(201);
        assert_eq!((&note["number"], &note["net"]), (&json!("CN-000001"), &json!("1.500000")));
        assert_eq!(op.keyed(&notes, "note-1", &half).await.expect(201), note);
        let all = json!({ "total": "2.51", "reason": "too much" });
        op.post(&notes, &all).await.problem(409, "conflict", None);
        let both = json!({ "total": "1", "net": "1", "reason": "which?" });
        op.post(&notes, &both).await.problem(400, "invalid", Some("total"));
        let detail = member.get(&one).await.expect(200);
        assert_eq!(
            (&detail["credited"], &detail["credit_notes"]),
            (&json!("1.500000"), &json!([note]))
        );
        test.server.stop().await;
    }
}

#[tokio::test]
async fn costs_are_ones_own_and_add_up() {
    let clock = ManualClock::at(at("2026-10-31T22:00"));
    for test in each_by(&clock.shared(), |_| {}).await {
        clock.set(at("2026-10-31T22:00"));
        let op = &test.operator;
        let mut tenants = running(&test, &["acme", "other"]).await;
        let ((other, _), (acme, member)) = (tenants.pop().unwrap(), tenants.pop().unwrap());
        clock.set(at("2026-11-01T02:30"));
        for tenant in [&acme, &other] {
            op.get(&format!("/v1/tenants/{tenant}/bill")).await.expect(200);
        }
        let from = "from=2026-10-31T00:00:00%2B08:00";
        let days = member.get(&format!("/v1/costs?{from}&group=day")).await.expect(200);
        let rows: Vec<_> = days["rows"].as_array().unwrap().iter().collect();
        assert_eq!((&rows[0]["key"], &rows[0]["net"]), (&json!("2026-10-31"), &json!("2.000000")));
        assert_eq!((&rows[1]["key"], &rows[1]["net"]), (&json!("2026-11-01"), &json!("2.500000")));
        assert_eq!(
            days["totals"],
            json!([{ "currency": "CNY", "net": "4.500000", "tax": "0.000000" }])
        );
        let all = op.get(&format!("/v1/costs?{from}&group=tenant")).await.expect(200);
        assert_eq!(all["totals"][0]["net"], "9.000000");
        let own = member.get(&format!("/v1/costs?{from}&group=tenant")).await.expect(200);
        assert_eq!(own["rows"].as_array().unwrap().len(), 1);
        let csv = member.get(&format!("/v1/costs.csv?{from}&group=resource")).await;
        assert!(csv.text.contains(",'=web,CNY,4.500000,"), "{}", csv.text);
        op.get("/v1/costs").await.problem(400, "invalid", Some("tenant_id"));
        let answer = member.get(&format!("/v1/costs?tenant_id={other}")).await;
        answer.problem(404, "not-found", None);
        test.server.stop().await;
    }
}
