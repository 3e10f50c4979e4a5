//! The server's own loops, as an operator sees them.

use super::world::{each_with, eventually};

/// What a server without an agent runs; a loop that is forgotten in the wiring would be missing here.
const LOOPS: [&str; 14] = [
    "alert-evaluation",
    "alert-routing",
    "bmc-targets",
    "host-liveness",
    "leaks",
    "ledger",
    "money-samples",
    "months",
    "notice-delivery",
    "packages",
    "quota-drift",
    "rating",
    "server-power",
    "standing",
];

#[tokio::test]
async fn every_reconciler_runs_and_says_how_it_went() {
    for test in each_with(|config| config.billing.samples = true).await {
        eventually("all reconcilers ran", async || {
            let all = test.operator.get("/v1/system/reconcilers").await.expect(200);
            let items = all["items"].as_array()?.clone();
            let names: Vec<&str> = items.iter().filter_map(|item| item["name"].as_str()).collect();
            assert_eq!(names, LOOPS);
            let ran = items.iter().all(|item| {
                assert_eq!(item["last_error"], serde_json::Value::Null, "{item}");
                item["runs"].as_u64() > Some(0) && item["next_run_at"].is_string()
            });
            ran.then_some(())
        })
        .await;
        test.server.stop().await;
    }
}
