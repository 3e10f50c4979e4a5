//! Acts 4 and 5: metrics, and an alert.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{LIMIT, Story, money::RUNWAY_MIN_MS, text};
use crate::{
    opshawk::OPERATOR_MAIL,
    prometheus::Prometheus,
    wait::{self, Seen},
};

pub(super) const ALERT: &str = "GuestBusy";

impl Story {
    /// The rate of the instance's processor time, in processors.
    fn cpu_rate(&self, window: &str) -> String {
        format!(
            "rate(libvirt_domain_info_cpu_time_seconds_total{{instance_id=\"{}\"}}[{window}])",
            self.instance
        )
    }

    pub(super) async fn metrics(&mut self) -> Result<()> {
        self.stay_solvent(RUNWAY_MIN_MS).await?;
        let rate = self.cpu_rate("1m");
        let busy = wait::eventually("the guest's CPU rate", LIMIT, || async {
            let vector = self.member.query(&rate).await?;
            Ok(match sample(&vector) {
                Some(value) if value > 0.0 => Seen::Yes(value),
                other => Seen::NotYet(format!("{other:?}")),
            })
        })
        .await?;
        let data = self.json(&self.member, &["query", &rate]).await?;
        let asked = data["result"].as_array().and_then(|vector| sample(vector));
        ensure!(asked.is_some_and(|value| value > 0.0), "{data}");
        self.say(format!("{busy:.3} processors, asked with the tenant's token"));
        for (what, query) in [
            ("host", "count(node_cpu_seconds_total)"),
            ("guest", "count({__name__=~\"libvirt_domain_.*\"})"),
            ("BMC", "count({__name__=~\"ipmi_.*\"})"),
        ] {
            let series = wait::eventually(what, LIMIT, || async {
                let vector = self.operator.query(query).await?;
                Ok(sample(&vector).map_or(Seen::NotYet("no series".into()), Seen::Yes))
            })
            .await?;
            self.say(format!("{what}: {query} = {series}"));
        }
        let temperature =
            self.operator.query("ipmi_temperature_celsius{name=\"CPU Temp\"}").await?;
        ensure!(sample(&temperature) == Some(47.0), "{temperature:?}");
        let foreign = self.member.query("count(node_cpu_seconds_total)").await?;
        ensure!(foreign.is_empty(), "a tenant sees the host's series: {foreign:?}");
        self.stay_solvent(RUNWAY_MIN_MS).await?;
        self.prometheus().await
    }

    async fn prometheus(&self) -> Result<()> {
        let body = json!({"name": "prometheus", "role": "operator"});
        let token = self.operator.post("/v1/tokens", &body).await?;
        let mut prometheus =
            Prometheus::start(&self.world.server.address(), text(&token, "token")?).await?;
        let target = prometheus.target_up(LIMIT).await?;
        let series = wait::eventually("OpsHawk's own series", LIMIT, || async {
            let value = prometheus.value("count({__name__=~\"opshawk_.*\"})").await?;
            Ok(value.map_or(Seen::NotYet("none".into()), Seen::Yes))
        })
        .await?;
        self.say(format!("a real Prometheus scrapes {target}: up, {series} opshawk_* series"));
        Ok(())
    }

    pub(super) async fn alert(&mut self) -> Result<()> {
        let rules = format!(
            "groups:\n\
             - name: guests\n\
             \x20 rules:\n\
             \x20 - alert: {ALERT}\n\
             \x20   expr: {} > 0.2\n\
             \x20   for: 2s\n\
             \x20   labels: {{ severity: warning }}\n\
             \x20   annotations:\n\
             \x20     summary: '{{{{ $labels.domain }}}} uses {{{{ $value | humanizePercentage }}}} of a processor'\n",
            self.cpu_rate("5s")
        );
        let file = self.world.server.dir().join("guests.yaml");
        std::fs::write(&file, rules)?;
        let apply = ["rule", "apply", &file.display().to_string()];
        let applied = self.json(&self.operator, &apply).await?;
        ensure!(applied[0]["name"] == "guests", "{applied}");
        let alert = self.alert_state("firing").await?;
        let listed = self.json(&self.operator, &["alert", "list"]).await?;
        let listed = listed.as_array().context("no list of alerts")?;
        ensure!(listed.iter().any(|a| a["fingerprint"] == alert["fingerprint"]), "{listed:?}");
        self.say(format!("{ALERT} fires: {}", alert["annotations"]["summary"]));

        let mail = self
            .world
            .mail
            .mail("of the alert", LIMIT, |mail| {
                mail.to.contains(OPERATOR_MAIL)
                    && mail.subject.contains(ALERT)
                    && !mail.subject.to_uppercase().contains("RESOLVED")
            })
            .await?;
        self.say(format!("mail to {}: {}", mail.to, mail.subject));
        let of_alert = |status: &'static str| {
            move |body: &Value| {
                body["status"] == status && body["commonLabels"]["alertname"] == ALERT
            }
        };
        let request = self.world.hook.request("the alert", LIMIT, of_alert("firing")).await?;
        self.say(format!(
            "webhook: {} with {}",
            request.json()["status"],
            signature(&request.headers)?
        ));

        // The tenant ends it, from inside the guest's network.
        let instance = self.operator.get(&format!("/v1/instances/{}", self.instance)).await?;
        let address = instance["addresses"][0].as_str().context("the guest has no address")?;
        let answer = self.world.host.http_get(&format!("http://{address}/cgi-bin/busy?off"))?;
        self.say(format!("the guest at {address} is told: {}", answer.trim()));
        self.alert_state("resolved").await?;
        let mail = self
            .world
            .mail
            .mail("of the end", LIMIT, |mail| {
                mail.subject.contains(ALERT) && mail.subject.to_uppercase().contains("RESOLVED")
            })
            .await?;
        self.say(format!("mail to {}: {}", mail.to, mail.subject));
        self.world.hook.request("the alert's end", LIMIT, of_alert("resolved")).await?;
        self.say("webhook: \"resolved\"");
        Ok(())
    }

    async fn alert_state(&self, state: &str) -> Result<Value> {
        wait::eventually(&format!("the alert {state}"), LIMIT, || async {
            self.stay_solvent(RUNWAY_MIN_MS).await?;
            let alerts = self.operator.list("/v1/alerts").await?;
            let alert = alerts.iter().find(|a| a["name"] == ALERT && a["state"] == state);
            Ok(match alert {
                Some(alert) => Seen::Yes(alert.clone()),
                None => Seen::NotYet(format!("{alerts:?}")),
            })
        })
        .await
    }
}

/// The value of a vector's only sample.
pub(super) fn sample(vector: &[Value]) -> Option<f64> {
    vector.first()?["value"][1].as_str()?.parse().ok()
}

fn signature(headers: &reqwest::header::HeaderMap) -> Result<String> {
    let value = headers.get("X-OpsHawk-Signature").context("the webhook is not signed")?;
    Ok(format!("X-OpsHawk-Signature {}…", value.to_str()?.chars().take(18).collect::<String>()))
}
