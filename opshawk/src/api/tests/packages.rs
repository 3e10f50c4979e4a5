//! Packages as tenants order them, and their invoices with tax.

use base::time::{ManualClock, Timestamp};
use serde_json::{Value, json};

use super::world::each_by;

fn at(text: &str) -> Timestamp {
    format!("{text}:00+08:00").parse().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// 193.33 a month, and 25 % on top: 48.33 (of 48.3325), 241.66 together.
#[tokio::test]
async fn a_package_is_ordered_by_its_tenant_and_invoiced_with_tax() {
    let clock = ManualClock::at(at("2026-10-31T20:00"));
    for test in each_by(&clock.shared(), |_| {}).await {
        clock.set(at("2026-10-31T20:00"));
        let op = &test.operator;
        let book = json!({ "name": "standard", "currency": "CNY" });
        let book = op.post("/v1/price-books", &book).await.expect(201);
        let document = json!({
            "tax": { "mode": "on_top", "rate": "0.25" },
            "rates": [{ "id": "vpn", "component": "package.package", "price": "193.33" }],
        });
        let drafts = format!("/v1/price-books/{}/drafts", text(&book["id"]));
        let draft = op.post(&drafts, &json!({ "document": document })).await.expect(201);
        let draft = format!("/v1/price-drafts/{}", text(&draft["id"]));
        op.post(&format!("{draft}/check"), &json!({})).await.expect(200);
        op.post(&format!("{draft}/publish"), &json!({})).await.expect(201);
        let (acme, member) = test.tenant("acme").await;
        let (_, stranger) = test.tenant("other").await;
        let path = format!("/v1/tenants/{acme}");
        op.patch(&path, &json!({ "price_book_id": book["id"] })).await.expect(200);

        let packages = format!("{path}/packages");
        let order = json!({ "rate": "vpn", "name": "=VPN" });
        let refused = member.post(&packages, &order).await;
        refused.problem(402, "payment-required", None);
        op.post(&format!("{path}/topups"), &json!({ "amount": "1000" })).await.expect(201);
        member.post(&packages, &json!({ "rate": "wpn" })).await.problem(
            400,
            "invalid",
            Some("rate"),
        );
        let ordered = member.keyed(&packages, "order-1", &order).await.expect(201);
        assert_eq!(member.keyed(&packages, "order-1", &order).await.expect(201), ordered);
        assert_eq!(ordered["renews_at"], json!(at("2026-11-30T20:00")));
        assert_eq!(ordered["price"], "241.662500");
        let balance = member.get(&format!("{path}/balance")).await.expect(200);
        assert_eq!(balance["balance"], "758.337500");
        stranger.get(&packages).await.problem(404, "not-found", None);
        let cancel = format!("{packages}/{}/cancel", text(&ordered["id"]));
        stranger.post(&cancel, &json!({})).await.problem(404, "not-found", None);
        let ended = member.post(&cancel, &json!({})).await.expect(200);
        assert_eq!(ended["ends_at"], json!(at("2026-11-30T20:00")));
        assert_eq!(member.get(&packages).await.expect(200)["items"], json!([ended]));

        clock.set(at("2026-11-01T00:30"));
        let close = format!("{path}/months/2026-10/close");
        let closed = op.post(&close, &json!({})).await.expect(200);
        let one = format!("/v1/invoices/{}", text(&closed["invoice_id"]));
        let invoice = member.get(&one).await.expect(200);
        let sums = ["net", "tax", "total", "rounding"].map(|sum| text(&invoice[sum]).to_owned());
        assert_eq!(sums, ["193.330000", "48.330000", "241.660000", "-0.002500"]);
        let line = &invoice["content"]["lines"][0];
        assert_eq!((&line["kind"], &line["tax_rate"]), (&json!("purchase"), &json!("0.250000")));
        let html = member.get(&format!("{one}/files/html")).await;
        for wanted in
            ["Package =VPN", "1 month", "193.33 / month", "Tax 25 %", "48.3325", "241.66 CNY"]
        {
            assert!(html.text.contains(wanted), "{wanted} is not in {}", html.text);
        }
        let csv = member.get(&format!("{one}/files/csv")).await;
        // No cell has a comma in it.
        let mut rows = csv.text.lines().map(|row| row.split(',').collect::<Vec<_>>());
        let headers = rows.next().unwrap();
        let place = |name: &str| headers.iter().position(|header| *header == name).unwrap();
        let columns = ["ChargeCategory", "ChargeFrequency", "PricingUnit", "BilledCost"].map(place);
        let rows: Vec<[&str; 4]> = rows.map(|row| columns.map(|column| row[column])).collect();
        let wanted = [
            ["Purchase", "Recurring", "Months", "193.33"],
            ["Tax", "One-Time", "", "48.3325"],
            ["Adjustment", "One-Time", "", "-0.0025"],
        ];
        assert_eq!(rows, wanted, "they sum to 241.66");

        // What is taken back says so, with its share of tax, and is its tenant's alone.
        let note = json!({ "total": "100", "reason": "an outage" });
        let note = op.post(&format!("{one}/credit-notes"), &note).await.expect(201);
        assert_eq!((&note["net"], &note["tax"]), (&json!("80.000000"), &json!("20.000000")));
        let file = format!("/v1/credit-notes/{}/files", text(&note["id"]));
        let page = member.get(&format!("{file}/html")).await;
        for wanted in ["Credit note", "CN-000001", "INV-000001", "an outage", "-100.00 CNY"] {
            assert!(page.text.contains(wanted), "{wanted} is not in {}", page.text);
        }
        let chinese = member.get(&format!("{file}/html?language=zh-CN")).await;
        assert!(chinese.text.contains("贷记单"), "{}", chinese.text);
        assert_eq!(member.get(&format!("{file}/html")).await.text, page.text);
        stranger.get(&format!("{file}/html")).await.problem(404, "not-found", None);
        member.get(&format!("{file}/csv")).await.problem(400, "invalid", Some("format"));
        test.server.stop().await;
    }
}
