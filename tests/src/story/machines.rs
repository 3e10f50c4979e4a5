//! Act 1: the machines.

use anyhow::{Context, Result, ensure};

use super::{LIMIT, Story, text};
use crate::{
    bmc::{self, BmcSimulator},
    wait::{self, Seen},
};

impl Story {
    pub(super) async fn machines(&mut self) -> Result<()> {
        wait::eventually("a host that is ok", LIMIT, || async {
            let hosts = self.operator.list("/v1/hosts").await?;
            Ok(match hosts.iter().any(|host| host["status"] == "ok") {
                true => Seen::Yes(()),
                false => Seen::NotYet(format!("{hosts:?}")),
            })
        })
        .await?;
        let hosts = self.json(&self.operator, &["host", "list"]).await?;
        let host = &hosts[0];
        ensure!(host["name"] == "host-a" && host["status"] == "ok", "{hosts}");
        self.say(format!(
            "host {}: libvirt {}, QEMU {}, domains of type {}, {} CPUs, {} MiB",
            text(host, "name")?,
            text(host, "libvirt_version")?,
            text(host, "hypervisor_version")?,
            text(host, "domain_type")?,
            host["cpus"],
            host["memory_mib"],
        ));

        let bmc = self.world.bmc.address();
        let probe = ["bmc", "probe", &bmc, "--user", bmc::USER, "--password-stdin"];
        let probe = self.json_with(&self.operator, &probe, bmc::PASSWORD).await?;
        let found = probe["sensors"].as_array().map_or(0, Vec::len);
        ensure!(found >= BmcSimulator::sensor_names().count(), "{probe}");
        self.say(format!("the BMC answers: power {}, {found} sensors", text(&probe, "power")?));

        let create = ["server", "create", "metal-1", "--bmc", &bmc, "--user", bmc::USER];
        let create = [create.as_slice(), &["--password-stdin"]].concat();
        let server = self.json_with(&self.operator, &create, bmc::PASSWORD).await?;
        self.server = text(&server, "id")?.to_owned();
        self.server_power("off").await?;
        ensure!(!self.world.bmc.power()?, "the simulated server is on before it was switched on");
        // Ends well only when the operation has.
        let done = self.json(&self.operator, &["server", "power", "metal-1", "on"]).await?;
        ensure!(done["state"] == "succeeded", "{done}");
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
        wait::eventually("the server's sensors", LIMIT, || async {
            let server = self.operator.get(&format!("/v1/servers/{}", self.server)).await?;
            let sensors = server["sensors"].as_array().cloned().unwrap_or_default();
            let has = |name| sensors.iter().any(|s| s["name"] == name && s["value"].is_number());
            Ok(match BmcSimulator::sensor_names().all(has) {
                true => Seen::Yes(()),
                false => Seen::NotYet(server.to_string()),
            })
        })
        .await?;
        let sensors = self.json(&self.operator, &["server", "sensors", "metal-1"]).await?;
        let sensors = sensors.as_array().context("no list of sensors")?;
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
