//! Act 1: the machines.

use anyhow::{Result, ensure};
use serde_json::json;

use super::{LIMIT, Story, text};
use crate::{
    bmc::{self, BmcSimulator},
    wait::{self, Seen},
};

impl Story {
    pub(super) async fn machines(&mut self) -> Result<()> {
        let host = wait::eventually("a host that is ok", LIMIT, || async {
            let hosts = self.operator.list("/v1/hosts").await?;
            Ok(match hosts.iter().find(|host| host["status"] == "ok") {
                Some(host) => Seen::Yes(host.clone()),
                None => Seen::NotYet(format!("{hosts:?}")),
            })
        })
        .await?;
        self.say(format!(
            "host {}: libvirt {}, QEMU {}, domains of type {}, {} CPUs, {} MiB",
            text(&host, "name")?,
            text(&host, "libvirt_version")?,
            text(&host, "hypervisor_version")?,
            text(&host, "domain_type")?,
            host["cpus"],
            host["memory_mib"],
        ));

        let body = json!({
            "name": "metal-1", "bmc_address": self.world.bmc.address(),
            "bmc_user": bmc::USER, "bmc_password": bmc::PASSWORD,
        });
        let server = self.operator.post("/v1/servers", &body).await?;
        self.server = text(&server, "id")?.to_owned();
        self.server_power("off").await?;
        ensure!(!self.world.bmc.power()?, "the simulated server is on before it was switched on");
        let path = format!("/v1/servers/{}/power", self.server);
        let operation = self.operator.post(&path, &json!({"action": "on"})).await?;
        self.operation(&self.operator, &operation).await?;
        let server = self.server_power("on").await?;
        ensure!(self.world.bmc.power()?, "the BMC's power switch was not pressed");
        self.say(format!(
            "server {}: on, over IPMI {} with cipher suite {}; the switch saw: {}",
            text(&server, "name")?,
            server["device"]["ipmi_version"].as_str().unwrap_or("?"),
            server["device"]["cipher_suite"],
            self.world.bmc.chassis_log().lines().collect::<Vec<_>>().join(", "),
        ));
        ensure!(server["device"]["cipher_suite"] == 3, "not cipher suite 3: {server}");
        self.sensors().await
    }

    async fn server_power(&self, power: &str) -> Result<serde_json::Value> {
        wait::eventually(&format!("the server's power {power}"), LIMIT, || async {
            let server = self.operator.get(&format!("/v1/servers/{}", self.server)).await?;
            Ok(match server["power"] == power {
                true => Seen::Yes(server),
                false => Seen::NotYet(server.to_string()),
            })
        })
        .await
    }

    async fn sensors(&self) -> Result<()> {
        let sensors = wait::eventually("the server's sensors", LIMIT, || async {
            let server = self.operator.get(&format!("/v1/servers/{}", self.server)).await?;
            let sensors = server["sensors"].as_array().cloned().unwrap_or_default();
            let has = |name| sensors.iter().any(|s| s["name"] == name && s["value"].is_number());
            Ok(match BmcSimulator::sensor_names().all(has) {
                true => Seen::Yes(sensors),
                false => Seen::NotYet(server.to_string()),
            })
        })
        .await?;
        let words: Vec<String> = sensors
            .iter()
            .map(|s| {
                let value = s["value"].as_f64().unwrap_or(f64::NAN);
                let (name, unit) = (s["name"].as_str(), s["unit"].as_str());
                format!("{} {value} {}", name.unwrap_or("?"), unit.unwrap_or("?"))
            })
            .collect();
        self.say(format!("sensors: {}", words.join(", ")));
        for (name, value) in BmcSimulator::readings() {
            let sensor = sensors.iter().find(|s| s["name"] == name);
            let read = sensor.and_then(|s| s["value"].as_f64()).unwrap_or(f64::NAN);
            ensure!((read - value).abs() < 1e-9, "{name} reads {read} instead of {value}");
        }
        Ok(())
    }
}
