//! `kill -9` at five moments of the story. After each the same state is reached as without it:
//! one guest, its operations finished, the quota right, and the money exact.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use base::time::{Clock, SystemClock};
use lab::{
    api::{Answer, Api},
    guest,
    story::{LIMIT, Story, instant_ms, micros, text},
    wait::{self, Seen},
};
use reqwest::Method;
use serde_json::{Value, json};

#[path = "kills/book.rs"]
mod book;

use book::Book;

/// For a minute; the kills before zero take less than half of that.
const FIRST_TOPUP: &str = "0.60";
/// Enough for what is left of the story after the last kill.
const TOPUP: &str = "0.60";
/// What the money should last for when the wait for zero begins, and on a slow machine before each
/// of the others, whose guests have yet to boot; less is topped up.
const ZERO_MIN_MS: i64 = 4_000;
const RUNWAY_MIN_MS: i64 = 40_000;
const SMALL_TOPUP: &str = "0.15";

#[tokio::test]
async fn the_same_state_is_reached_after_each_of_five_kills() -> Result<()> {
    let began = Instant::now();
    let mut kills = Kills { story: Story::begin(None).await?, book: Book::default(), began };
    kills.story.first_topup = FIRST_TOPUP;
    kills.story.act(2).await?;
    kills.host_status("ok").await?;
    let played = kills.all().await;
    if played.is_err() {
        eprintln!("the server's log ends:\n{}", kills.story.world.server.log_tail());
    }
    played
}

struct Kills {
    story: Story,
    /// What the tenant should have been charged for, as seen from outside.
    book: Book,
    began: Instant,
}

/// What must be there when all has settled.
enum Left {
    OneRunning { boots: u32 },
    OneStopped,
    Nothing,
}

impl Kills {
    async fn all(&mut self) -> Result<()> {
        self.server_after_a_create_was_acknowledged().await?;
        self.stop_and_delete().await?;
        self.server_while_the_guest_is_built().await?;
        self.libvirtd_while_the_guest_runs().await?;
        self.server_around_the_instant_of_zero().await?;
        self.server_after_a_top_up_was_acknowledged().await?;
        self.stop_and_delete().await
    }

    fn say(&self, line: &str) {
        println!("{:>6.1} s  {line}", self.began.elapsed().as_secs_f64());
    }

    async fn server_after_a_create_was_acknowledged(&mut self) -> Result<()> {
        let first = self.create("first").await?;
        self.story.world.server.kill9();
        self.story.world.server.start_again().await?;
        let again = self.create("first").await?;
        ensure!(again["id"] == first["id"], "two operations for one request: {first} {again}");
        self.runs(&first).await?;
        self.settled(Left::OneRunning { boots: 1 }).await?;
        self.say("server killed after the 202: one guest");
        Ok(())
    }

    async fn server_while_the_guest_is_built(&mut self) -> Result<()> {
        let operation = self.create("second").await?;
        wait::until("a domain", LIMIT, || async {
            Ok(!self.story.world.host.domains()?.is_empty())
        })
        .await?;
        self.story.world.server.kill9();
        self.story.world.server.start_again().await?;
        self.runs(&operation).await?;
        self.settled(Left::OneRunning { boots: 1 }).await?;
        self.say("server killed while the guest was built: one guest, booted once");
        Ok(())
    }

    async fn libvirtd_while_the_guest_runs(&mut self) -> Result<()> {
        self.solvent(RUNWAY_MIN_MS).await?;
        let before = self.instance().await?;
        self.story.world.host.kill9_libvirtd().await?;
        let states = RefCell::new(Vec::new());
        let host = wait::eventually("a host that is unknown", LIMIT, || async {
            let state = text(&self.instance().await?, "state")?.to_owned();
            states.borrow_mut().push(state);
            let hosts = self.story.operator.list("/v1/hosts").await?;
            Ok(match hosts[0]["status"] == "unknown" {
                true => Seen::Yes(hosts[0].clone()),
                false => Seen::NotYet(hosts[0].to_string()),
            })
        })
        .await?;
        ensure!(host.to_string().contains("libvirt"), "the host does not say why: {host}");
        ensure!(self.story.world.host.qemu_processes()? == 1, "the guest went with libvirtd");
        self.story.world.host.start_libvirtd().await?;
        self.host_status("ok").await?;
        let after = wait::eventually("the guest again", LIMIT, || async {
            let instance = self.instance().await?;
            let state = text(&instance, "state")?.to_owned();
            states.borrow_mut().push(state.clone());
            Ok(match state == "running" {
                true => Seen::Yes(instance),
                false => Seen::NotYet(state),
            })
        })
        .await?;
        ensure!(after["state_since"] == before["state_since"], "{before}\n{after}");
        let mut states = states.take();
        states.dedup();
        ensure!(
            states.iter().all(|state| ["running", "unknown"].contains(&state.as_str())),
            "{states:?}"
        );
        self.settled(Left::OneRunning { boots: 1 }).await?;
        self.say(&format!("libvirtd killed: {}, the same guest", states.join(", ")));
        Ok(())
    }

    async fn server_around_the_instant_of_zero(&mut self) -> Result<()> {
        let zero_ms = self.solvent(ZERO_MIN_MS).await?;
        self.instant(zero_ms - 500).await?;
        self.story.world.server.kill9();
        self.instant(zero_ms + 200).await?;
        ensure!(self.story.world.host.qemu_processes()? == 1, "nobody could have stopped it");
        self.story.world.server.start_again().await?;
        let id = self.story.instance.clone();
        let stopped = self.story.instance_state(&id, "stopped").await?;
        let late_ms = instant_ms(&stopped["state_since"])? - zero_ms;
        ensure!(late_ms > 200, "stopped {late_ms} ms after zero, by nobody: {stopped}");
        ensure!(stopped["wanted"] == "running" && stopped["hold"] == "stopped", "{stopped}");
        self.book.stopped(&stopped)?;
        self.settled(Left::OneStopped).await?;
        self.say(&format!(
            "server killed half a second before zero: the guest was stopped {late_ms} ms after it"
        ));
        Ok(())
    }

    async fn server_after_a_top_up_was_acknowledged(&mut self) -> Result<()> {
        let path = format!("/v1/tenants/{}/topups", self.story.tenant);
        let body = json!({"amount": TOPUP, "memo": "while it dies"});
        let operator = self.story.operator.clone();
        let first = keyed(&operator, &path, "topup", &body).await?;
        ensure!(first.status == 201, "{first:?}");
        self.story.world.server.kill9();
        self.book.paid_micros += micros(&body["amount"])?;
        self.story.world.server.start_again().await?;
        let again = keyed(&operator, &path, "topup", &body).await?;
        ensure!(
            again.json()["ledger_transaction_id"] == first.json()["ledger_transaction_id"],
            "paid twice: {first:?} {again:?}"
        );
        let id = self.story.instance.clone();
        let running = self.story.instance_state(&id, "running").await?;
        self.book.runs(&running)?;
        self.settled(Left::OneRunning { boots: 2 }).await?;
        let standing = self.story.balance().await?["standing"].clone();
        // How soon it is warned again is the money's; that it is no longer cut off is the top-up's.
        ensure!(standing == "active" || standing == "warned", "{standing}");
        self.say("server killed after a top-up: paid once, the guest runs again");
        Ok(())
    }

    async fn stop_and_delete(&mut self) -> Result<()> {
        let path = format!("/v1/instances/{}", self.story.instance);
        let operation = self.story.member.post(&format!("{path}/stop"), &Value::Null).await?;
        self.story.operation(&self.story.member, &operation).await?;
        let stopped = self.story.instance_state(&self.story.instance, "stopped").await?;
        self.book.stopped(&stopped)?;
        let operation = self.story.member.delete(&path).await?;
        self.story.operation(&self.story.member, &operation).await?;
        self.book.deleted(&self.story.instance);
        self.settled(Left::Nothing).await?;
        self.say("stopped and deleted by its tenant: nothing is left");
        Ok(())
    }

    /// Asks for the instance with its name as the key; the operation.
    async fn create(&mut self, name: &str) -> Result<Value> {
        let body = json!({
            "name": name, "flavor_id": self.story.flavor, "image_id": self.story.image,
        });
        let answer = keyed(&self.story.member, "/v1/instances", name, &body).await?;
        ensure!(answer.status == 202, "{answer:?}");
        let operation = answer.json();
        self.story.instance = text(&operation, "target_id")?.to_owned();
        Ok(operation)
    }

    /// The operation ends well, and the instance runs.
    async fn runs(&mut self, operation: &Value) -> Result<()> {
        self.story.operation(&self.story.member, operation).await?;
        let running = self.story.instance_state(&self.story.instance, "running").await?;
        self.book.runs(&running)?;
        self.solvent(RUNWAY_MIN_MS).await.map(drop)
    }

    async fn instance(&self) -> Result<Value> {
        self.story.operator.get(&format!("/v1/instances/{}", self.story.instance)).await
    }

    async fn host_status(&self, status: &str) -> Result<()> {
        wait::until(&format!("the host {status}"), LIMIT, || async {
            let hosts = self.story.operator.list("/v1/hosts").await?;
            Ok(hosts.first().is_some_and(|host| host["status"] == status))
        })
        .await
    }

    /// The money lasts so long, at least; the instant at which it will be gone.
    async fn solvent(&self, runway_ms: i64) -> Result<i64> {
        loop {
            let balance = self.story.balance().await?;
            let zero_ms = instant_ms(&balance["runs_out_at"])?;
            if zero_ms - instant_ms(&balance["at"])? >= runway_ms {
                return Ok(zero_ms);
            }
            self.story.pay(SMALL_TOPUP).await?;
        }
    }

    /// Waits for an instant of the clock.
    async fn instant(&self, at_ms: i64) -> Result<()> {
        wait::until("the instant", LIMIT * 2, || async { Ok(SystemClock.now().ms() >= at_ms) })
            .await
    }

    async fn settled(&self, left: Left) -> Result<()> {
        let host = &self.story.world.host;
        let (domains, running) = match left {
            Left::OneRunning { .. } => (1, 1),
            Left::OneStopped => (1, 0),
            Left::Nothing => (0, 0),
        };
        let unfinished = || async {
            let all = self.story.operator.list("/v1/operations").await?;
            Ok(match all.iter().find(|operation| operation["finished_at"].is_null()) {
                Some(operation) => Seen::NotYet(operation.to_string()),
                None => Seen::Yes(all),
            })
        };
        let operations = wait::eventually("the operations' end", LIMIT, unfinished).await?;
        let failed = operations.iter().find(|operation| operation["state"] != "succeeded");
        ensure!(failed.is_none(), "{failed:?}");
        self.book.check_operations(&operations)?;

        if let Left::OneRunning { boots } = left {
            let words = format!("{} boot={boots} ", guest::READY);
            self.story.console_shows(&self.story.instance, &words).await?;
        }
        wait::until("the guest's process", Duration::from_secs(5), || async {
            Ok(host.qemu_processes()? == running && host.running()?.len() == running)
        })
        .await?;
        ensure!(host.domains()?.len() == domains, "domains: {:?}", host.domains()?);

        let quota =
            self.story.member.get(&format!("/v1/tenants/{}/quota", self.story.tenant)).await?;
        let items = quota["items"].as_array().context("a quota has items")?;
        let of = |resource| items.iter().find(|item| item["resource"] == resource);
        let wanted = [("instances", 1), ("vcpus", 1), ("memory_mib", guest::MEMORY_MIB.into())];
        for (resource, one) in wanted {
            let used = of(resource).and_then(|item| item["used"].as_u64());
            ensure!(used == Some(domains as u64 * one), "{resource}: {quota}");
        }
        self.book.check_money(&self.story).await
    }
}

/// POST with an `Idempotency-Key`.
async fn keyed(api: &Api, path: &str, key: &str, body: &Value) -> Result<Answer> {
    let request = api.request(Method::POST, path).header("idempotency-key", key).json(body);
    Api::send(request).await
}
