//! Prices as an operator drafts and publishes them, and as a tenant sees them.

use serde_json::{Value, json};

use super::world::{TestServer, each};

struct Prices {
    flavor: String,
    book: String,
}

async fn begin(test: &TestServer) -> Prices {
    let op = &test.operator;
    let flavor = json!({ "name": "small", "vcpus": 1, "memory_mib": 256, "disk_gib": 1 });
    let flavor = op.post("/v1/flavors", &flavor).await.expect(201);
    let book = json!({ "name": "standard", "currency": "CNY" });
    let book = op.post("/v1/price-books", &book).await.expect(201);
    assert_eq!(book["versions"], json!([]));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Prices { flavor: text(&flavor["id"]), book: text(&book["id"]) }
}

impl Prices {
    fn document(&self, price: &str) -> Value {
        json!({ "tax": { "mode": "included", "rate": "0.000000" }, "rates": [{
            "id": "small", "component": "instance.compute",
            "where": { "flavor": self.flavor }, "price": price,
        }] })
    }
}

#[tokio::test]
async fn a_draft_becomes_a_version_once_it_was_checked() {
    for test in each().await {
        let op = &test.operator;
        let prices = begin(&test).await;
        let drafts = format!("/v1/price-books/{}/drafts", prices.book);
        let wrong = prices.document("-1");
        let draft = op.post(&drafts, &json!({ "document": wrong })).await.expect(201);
        let path = format!("/v1/price-drafts/{}", draft["id"].as_str().unwrap());
        let check = format!("{path}/check");
        let publish = format!("{path}/publish");
        op.post(&publish, &json!({})).await.problem(409, "conflict", None);
        let checked = op.post(&check, &json!({})).await.expect(200);
        assert_eq!(checked["checks"][0]["severity"], "error");
        assert_eq!(checked["checks"][0]["message"], "the price of small is negative");
        op.post(&publish, &json!({})).await.problem(400, "invalid", Some("rates"));

        let right = json!({ "document": prices.document("0.360000000"), "revision": 1 });
        let edited = op.put(&path, &right).await.expect(200);
        assert_eq!((&edited["revision"], &edited["is_checked"]), (&json!(2), &json!(false)));
        op.put(&path, &right).await.problem(409, "conflict", None);
        op.post(&check, &json!({})).await.expect(200);
        let past = json!({ "effective_at": "2020-01-01T00:00:00Z" });
        op.post(&publish, &past).await.problem(400, "invalid", Some("effective_at"));
        let version = op.post(&publish, &json!({})).await.expect(201);
        assert_eq!(version["number"], 1);
        assert_eq!(version["rates"], prices.document("0.360000000")["rates"]);
        op.get(&path).await.problem(404, "not-found", None);

        let past = json!({ "effective_at": "2020-01-01T00:00:00Z", "correction": "a mistake" });
        let (acme, _) = test.tenant("acme").await;
        let assign = json!({ "price_book_id": prices.book });
        op.patch(&format!("/v1/tenants/{acme}"), &assign).await.expect(200);
        let copy = op.post(&drafts, &json!({})).await.expect(201);
        assert_eq!(copy["document"]["rates"], version["rates"], "of what is in force");
        let path = format!("/v1/price-drafts/{}", copy["id"].as_str().unwrap());
        op.post(&format!("{path}/check"), &json!({})).await.expect(200);
        let ask = json!({ "draft_id": copy["id"], "from": "2020-01-01T00:00:00Z", "until": "2020-01-02T00:00:00Z" });
        let found = op.post("/v1/prices/simulate", &ask).await.expect(200);
        assert_eq!(found["tenants"], json!([]), "acme does not pay by it then");
        let ask = json!({ "draft_id": copy["id"], "from": "2020-01-01T00:00:00Z",
            "until": "2020-01-02T00:00:00Z", "tenant_ids": [acme] });
        let found = op.post("/v1/prices/simulate", &ask).await.expect(200);
        assert_eq!(found["tenants"][0]["difference"], "0.000000", "as if it did: it used nothing");
        let dollars = json!({ "name": "dollars", "currency": "USD" });
        let dollars = op.post("/v1/price-books", &dollars).await.expect(201);
        let path_of = format!("/v1/price-books/{}/drafts", dollars["id"].as_str().unwrap());
        let foreign = op.post(&path_of, &json!({ "document": copy["document"] })).await.expect(201);
        let ask = json!({ "draft_id": foreign["id"], "from": "2020-01-01T00:00:00Z",
            "until": "2020-01-02T00:00:00Z", "tenant_ids": [acme] });
        let refused = op.post("/v1/prices/simulate", &ask).await;
        refused.problem(400, "invalid", Some("tenants"));
        let corrected = op.post(&format!("{path}/publish"), &past).await.expect(201);
        assert_eq!(
            (&corrected["kind"], &corrected["reason"]),
            (&json!("correction"), &json!("a mistake"))
        );

        let last = op.post(&drafts, &json!({})).await.expect(201);
        let all = op.get(&drafts).await.expect(200);
        assert_eq!(all["items"].as_array().unwrap().len(), 1);
        let path = format!("/v1/price-drafts/{}", last["id"].as_str().unwrap());
        assert_eq!(op.delete(&path).await.status, 204);
        test.server.stop().await;
    }
}

#[tokio::test]
async fn two_models_or_a_number_for_a_price_are_named() {
    for test in each().await {
        let prices = begin(&test).await;
        let drafts = format!("/v1/price-books/{}/drafts", prices.book);
        for (rate, words) in [
            (json!({ "id": "a", "component": "instance.disk" }), "must have one of price"),
            (
                json!({ "id": "a", "component": "instance.disk", "price": 0.36 }),
                "expected a string",
            ),
        ] {
            let body = json!({ "document": { "rates": [rate] } });
            let problem = test.operator.post(&drafts, &body).await.expect(400);
            assert!(
                problem["field"].as_str().unwrap().starts_with("document.rates[0]"),
                "{problem}"
            );
            assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
        }
        test.server.stop().await;
    }
}

#[tokio::test]
async fn a_tenant_sees_its_own_prices_and_an_operator_gives_and_ends_them() {
    for test in each().await {
        let op = &test.operator;
        let prices = begin(&test).await;
        let (acme, member) = test.tenant("acme").await;
        let (other, stranger) = test.tenant("other").await;
        let path = format!("/v1/tenants/{acme}/price-overrides");
        let rates = prices.document("0.120000000")["rates"].clone();
        let body = json!({ "rates": rates, "reason": "a pilot" });
        let made = op.post(&path, &body).await.expect(201);
        assert_eq!((&made["number"], &made["to"]), (&json!(1), &Value::Null));
        let seen = member.get(&path).await.expect(200);
        assert_eq!(seen["items"][0]["rates"], rates);
        assert_eq!(
            (&seen["items"][0]["reason"], &seen["items"][0]["actor"]),
            (&json!(""), &json!(""))
        );
        stranger.get(&path).await.problem(404, "not-found", None);
        let end = format!("{path}/1/end");
        let ended = op.post(&end, &json!({ "reason": "over" })).await.expect(200);
        assert!(ended["to"].is_string());
        op.post(&end, &json!({ "reason": "over" })).await.problem(409, "conflict", None);

        let own = json!({ "name": "deal", "currency": "CNY", "tenant_id": acme });
        let own = op.post("/v1/price-books", &own).await.expect(201);
        let assign = json!({ "price_book_id": own["id"], "effective_at": "2100-01-01T00:00:00Z" });
        let now = op.patch(&format!("/v1/tenants/{acme}"), &assign).await.expect(200);
        assert_eq!(now["price_book_id"], Value::Null, "not yet");
        let answer = op.patch(&format!("/v1/tenants/{other}"), &assign).await;
        answer.problem(400, "invalid", Some("price_book_id"));
        // From when on what?
        let alone = json!({ "effective_at": "2100-01-01T00:00:00Z" });
        let answer = op.patch(&format!("/v1/tenants/{acme}"), &alone).await;
        let problem = answer.problem(400, "invalid", Some("effective_at"));
        assert_eq!(problem["remedy"], "give price_book_id with it");
        let yen = json!({ "name": "deal", "currency": "JPY", "tenant_id": acme });
        op.post("/v1/price-books", &yen).await.problem(400, "invalid", Some("currency"));
        test.server.stop().await;
    }
}
