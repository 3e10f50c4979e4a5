//! A host beside the server's own machine, with `opshawk agent` on it as a process of its own: it
//! builds and removes guests, and a server that is away stops nothing and loses nothing.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base::time::{Clock, SystemClock};
use lab::{
    agent::Agent,
    bill::charged,
    guest,
    story::{LIMIT, Story, World, instant_ms, micros, text},
    wait::{self, Seen},
};
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// Enough for hours.
const FIRST_TOPUP: &str = "100";
const METRIC: &str = "libvirt_domain_info_cpu_time_seconds_total";

struct Remote {
    story: Story,
    agent: Agent,
}

#[tokio::test]
async fn an_agent_of_its_own_builds_a_guest_and_outlives_its_server() -> Result<()> {
    let world = World::start_with(|settings| settings.libvirt_uri = None).await?;
    let mut story = Story::of(world)?;
    story.first_topup = FIRST_TOPUP;
    let agent = Agent::start(&story.operator, &story.world.host, "host-b").await?;
    let mut remote = Remote { story, agent };
    let played = remote.play().await;
    if played.is_err() {
        eprintln!("the agent's log:\n{}", remote.agent.log());
    }
    played
}

impl Remote {
    async fn play(&mut self) -> Result<()> {
        self.only_host().await?;
        self.story.act(2).await?;
        // A guest boots, says so on its console, and one more than the quota is refused.
        self.story.act(3).await?;
        let first = self.instance().await?;
        let id = text(&first, "id")?.to_owned();
        ensure!(first["host_id"] == self.agent.host()["id"], "it is elsewhere: {first}");
        let serial = self.agent.serial_log(&id)?;
        ensure!(serial.contains(&format!("{} boot=1 name=web-1", guest::READY)), "{serial}");
        self.sample_between(0, i64::MAX).await?;

        let from_ms = SystemClock.now().ms();
        self.story.world.server.kill9();
        self.without_a_server(&id).await?;
        let to_ms = SystemClock.now().ms();
        self.story.world.server.start_again().await?;
        let second = self.changed_since(&first).await?;
        let since_ms = instant_ms(&second["state_since"])?;
        ensure!((from_ms..to_ms).contains(&since_ms), "not of the outage: {second}");
        self.story.say(format!(
            "the server was away from {from_ms} to {to_ms}; the guest died and was started again at {since_ms}"
        ));
        // What was measured meanwhile is not lost either.
        self.sample_between(from_ms, to_ms).await?;

        // A server that goes in good order stops nothing either, and what it is told again counts once.
        ensure!(self.story.world.server.stop().await?.success());
        ensure!(self.story.world.host.qemu_processes()? == 1, "the guest went with its server");
        self.story.world.server.start_again().await?;
        self.sample_between(SystemClock.now().ms(), i64::MAX).await?;
        let still = self.instance().await?;
        ensure!(still["state"] == "running", "{still}");
        ensure!(still["state_since"] == second["state_since"], "{second}\n{still}");

        let stopped = self.stop().await?;
        self.bill(&[&first, &second, &stopped], from_ms).await?;
        self.delete().await?;
        self.agent.check()?;
        let ended = self.agent.stop().await?;
        ensure!(ended.success(), "after SIGTERM: {ended}\n{}", self.agent.log());
        Ok(())
    }

    /// The server has no agent inside; the remote one has said what it is, and may do no more.
    async fn only_host(&self) -> Result<()> {
        let host = self.agent.host();
        ensure!(host["name"] == "host-b" && host["libvirt_version"].is_string(), "{host}");
        let hosts = self.story.operator.list("/v1/hosts").await?;
        ensure!(hosts.len() == 1, "{hosts:?}");
        let agent = self.story.operator.with_token(self.agent.token());
        let answer = agent.ask(Method::GET, "/v1/tenants", None).await?;
        ensure!(answer.status == StatusCode::FORBIDDEN, "{answer:?}");
        Ok(())
    }

    /// The guest runs on, and is started again by the agent alone when it dies.
    async fn without_a_server(&self, id: &str) -> Result<()> {
        let host = &self.story.world.host;
        wait::until("the agent notices", LIMIT, || async {
            Ok(self.agent.log().contains("report not taken"))
        })
        .await?;
        ensure!(host.qemu_processes()? == 1, "the guest went with its server");
        let domains = host.running()?;
        host.virsh(&["destroy", domains.first().context("the guest's domain")?])?;
        wait::eventually("the guest's second boot", LIMIT, || async {
            let serial = self.agent.serial_log(id)?;
            Ok(match serial.contains(&format!("{} boot=2", guest::READY)) {
                true => Seen::Yes(()),
                false => Seen::NotYet(serial),
            })
        })
        .await
    }

    /// As the operator sees it, who sees where it is.
    async fn instance(&self) -> Result<Value> {
        self.story.operator.get(&format!("/v1/instances/{}", self.story.instance)).await
    }

    /// It runs, and not since when it ran before.
    async fn changed_since(&self, before: &Value) -> Result<Value> {
        wait::eventually("the news of the outage", LIMIT, || async {
            let now = self.instance().await?;
            let news = now["state"] == "running" && now["state_since"] != before["state_since"];
            Ok(if news { Seen::Yes(now) } else { Seen::NotYet(now.to_string()) })
        })
        .await
    }

    /// Waits for a sample of the guest, by its tenant, that was taken then.
    async fn sample_between(&self, from_ms: i64, to_ms: i64) -> Result<()> {
        let query = format!("{METRIC}{{instance_id=\"{}\"}}[5m]", self.story.instance);
        wait::until(&format!("a sample of {from_ms} to {to_ms}"), LIMIT, || async {
            let series = self.story.member.query(&query).await?;
            let samples = series.iter().filter_map(|series| series["values"].as_array()).flatten();
            let mut taken_ms =
                samples.filter_map(|sample| Some((sample[0].as_f64()? * 1e3) as i64));
            Ok(taken_ms.any(|at_ms| (from_ms..to_ms).contains(&at_ms)))
        })
        .await
    }

    async fn stop(&self) -> Result<Value> {
        let done = self.story.json(&self.story.member, &["instance", "stop", "web-1"]).await?;
        ensure!(done["state"] == "succeeded", "{done}");
        let stopped = self.instance().await?;
        ensure!(stopped["state"] == "stopped", "{stopped}");
        ensure!(self.story.world.host.qemu_processes()? == 0, "its process is still there");
        Ok(stopped)
    }

    /// Two runs, each charged once and to the millisecond, with the gap of the outage in between.
    async fn bill(&self, seen: &[&Value; 3], outage_ms: i64) -> Result<()> {
        let [first, second, end] = seen.map(|instance| instant_ms(&instance["state_since"]));
        let (first, second, end) = (first?, second?, end?);
        let path = format!("/v1/tenants/{}/bill", self.story.tenant);
        let bill = self.story.member.get(&path).await?;
        let lines = bill["lines"].as_array().context("a bill has lines")?;
        let meter = format!("instance:{}", self.story.flavor);
        let charged = charged(lines, &self.story.instance, &meter)?;
        let [(from, died), (again, to)] = charged[..] else {
            anyhow::bail!("not two runs, but {charged:?}: {bill}")
        };
        ensure!((from, again, to) == (first, second, end), "{charged:?} is not {seen:?}");
        ensure!((outage_ms..second).contains(&died), "{died} is not in the outage: {charged:?}");
        let balance = self.story.balance().await?;
        let (subtotal, posted) = (micros(&bill["subtotal"])?, micros(&balance["posted"])?);
        ensure!(self.story.paid_micros() - subtotal == posted, "{bill}\n{balance}");
        Ok(())
    }

    async fn delete(&self) -> Result<()> {
        let done = self.story.json(&self.story.member, &["instance", "delete", "web-1"]).await?;
        ensure!(done["state"] == "succeeded", "{done}");
        let host = &self.story.world.host;
        let domains = host.domains()?;
        ensure!(domains.is_empty(), "left on the host: {domains:?}");
        wait::until("no process", Duration::from_secs(5), || async {
            Ok(host.qemu_processes()? == 0)
        })
        .await?;
        let files = self.agent.instances()?;
        ensure!(files.is_empty(), "left on the host: {files:?}");
        Ok(())
    }
}
