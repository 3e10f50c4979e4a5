//! The samples in a metrics engine that runs elsewhere: one line of configuration, and nothing
//! else changes for who asks, is alerted, or backs up.

use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{
    api::Api,
    opshawk::{Opshawk, Settings, client},
    process::run,
    prometheus::Prometheus,
    remote_write::{Row, encode},
    wait,
};
use reqwest::Method;
use serde_json::json;

const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn prometheus_keeps_the_samples_and_rules_read_them() -> Result<()> {
    let engine = Prometheus::receiver().await?;
    let metrics = ("OPSHAWK_METRICS".to_owned(), format!("prometheus+{}", engine.url()));
    let settings = Settings { environment: vec![metrics], ..Settings::default() };
    let mut server = Opshawk::start(&settings).await?;
    let operator = server.operator()?;

    let at_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis();
    let labels = [("__name__", "lab_jobs"), ("kind", "good")];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let row = Row { labels, at_ms: i64::try_from(at_ms)?, value: 7.5 };
    let write = operator.request(Method::POST, "/prometheus/api/v1/write");
    let written = Api::send(write.body(encode(&[row]))).await?;
    ensure!(written.status == 204, "{written:?}");
    let doubled = operator.query("lab_jobs * 2").await?;
    ensure!(doubled[0]["value"][1] == "15", "{doubled:?}");
    ensure!(doubled[0]["metric"] == json!({ "kind": "good" }), "{doubled:?}");
    // It is there, not here.
    ensure!(engine.value("lab_jobs").await? == Some(7.5));

    let rule = "groups:\n- name: lab\n  interval: 1s\n  rules:\n  - alert: Jobs\n    \
                expr: lab_jobs > 7\n  - record: lab_jobs:double\n    expr: lab_jobs * 2\n";
    operator.put_bytes("/v1/rule-groups/lab", "application/yaml", rule.into()).await?;
    wait::until("the alert fires", LIMIT, || async {
        let alerts = operator.list("/v1/alerts").await?;
        Ok(alerts.iter().any(|one| one["name"] == "Jobs" && one["state"] == "firing"))
    })
    .await?;
    wait::until("the recorded series is in the engine", LIMIT, || async {
        Ok(engine.value("lab_jobs:double").await? == Some(15.0))
    })
    .await?;

    // A backup is of what is here.
    let file = server.dir().join("backup.tar");
    run(client(&operator)?.arg("backup").arg(&file))?;
    ensure!(file.is_file(), "no backup");

    // The engine goes: who asks is told to come again, and the server goes on.
    drop(engine);
    let path = "/prometheus/api/v1/query?query=lab_jobs";
    let answer = operator.ask(Method::GET, path, None).await?;
    ensure!(answer.status == 503, "{answer:?}");
    ensure!(operator.get("/v1/tenants").await?["items"] == json!([]));
    ensure!(server.stop().await?.success());
    server.start_again().await?;
    ensure!(server.operator()?.get("/v1/tenants").await?["items"] == json!([]));
    Ok(())
}
