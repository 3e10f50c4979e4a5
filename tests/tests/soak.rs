//! `kill -9` of the server, of libvirtd or of both at random moments while a tenant creates,
//! starts, stops and deletes instances. After each round: one QEMU a running instance and no
//! other, operations finished and as many as were asked for, quota and money exact. At the end
//! nothing is left.
//!
//! `make test` plays a small sample with a fixed seed. `make soak` (`OPSHAWK_SOAK=1`) plays
//! `OPSHAWK_SOAK_ROUNDS` rounds on each database, from `OPSHAWK_SOAK_SEED`; it prints the seed.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base::time::{Clock, SystemClock};
use lab::{
    api::Api,
    guest, postgres,
    story::{LIMIT, Story, text},
    wait::{self, Seen},
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use reqwest::Method;
use serde_json::{Value, json};

// Who watches counts as in the test of the five kills.
#[path = "kills/book.rs"]
mod book;

use book::Book;

const SAMPLE_ROUNDS: u64 = 2;
const SAMPLE_SEED: u64 = 7;
const SOAK_ROUNDS: u64 = 100;
const INSTANCES_MAX: usize = 3;
/// What is asked for takes one to three seconds, so that a third of the kills come after it.
const KILL_WITHIN_MS: u64 = 3_000;
/// Ten hours of three instances.
const TOPUP: &str = "1100";

#[tokio::test]
async fn random_kills_leave_the_books_right() -> Result<()> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if std::env::var_os("OPSHAWK_SOAK").is_none() {
        return play(None, SAMPLE_SEED, SAMPLE_ROUNDS).await;
    }
    let rounds = number("OPSHAWK_SOAK_ROUNDS").unwrap_or(SOAK_ROUNDS);
    let seed = number("OPSHAWK_SOAK_SEED")
        .unwrap_or_else(|| SystemClock.now().ms().cast_unsigned() % 1_000_000);
    play(None, seed, rounds).await?;
    let Ok(server) = std::env::var("OPSHAWK_TEST_POSTGRES") else { return Ok(()) };
    let database =
        postgres::create_database(&server, &format!("soak_{:08x}", rand::random::<u32>()))?;
    play(Some(database), seed + 1, rounds).await
}

async fn play(database: Option<String>, seed: u64, rounds: u64) -> Result<()> {
    let name = if database.is_some() { "PostgreSQL" } else { "SQLite" };
    println!("{rounds} rounds on {name} with OPSHAWK_SOAK_SEED={seed}");
    let mut story = Story::begin(database).await?;
    story.first_topup = TOPUP;
    story.act(2).await?;
    story.quota(i64::try_from(INSTANCES_MAX)?).await?;
    wait::until("a host that is ok", LIMIT, || async { host_ok(&story.operator).await }).await?;
    let random = StdRng::seed_from_u64(seed);
    let mut soak = Soak { story, book: Book::default(), random, instances: Vec::new() };
    let played = soak.all(rounds).await;
    if played.is_err() {
        eprintln!("the server's log ends:\n{}", soak.story.world.server.log_tail());
    }
    played.with_context(|| format!("with OPSHAWK_SOAK_SEED={seed} on {name}"))
}

struct Soak {
    story: Story,
    /// What the tenant should have been charged for, as seen from outside.
    book: Book,
    random: StdRng,
    instances: Vec<Instance>,
}

struct Instance {
    id: String,
    running: bool,
}

#[derive(Debug, Clone, Copy)]
enum Ask {
    Create,
    /// Of the instance with this index.
    Start(usize),
    Stop(usize),
    Delete(usize),
}

#[derive(Debug, Clone, Copy)]
enum Victim {
    Server,
    Libvirtd,
    Both,
}

impl Soak {
    async fn all(&mut self, rounds: u64) -> Result<()> {
        for round in 1..=rounds {
            let began = Instant::now();
            let ask = self.choose();
            let victim =
                [Victim::Server, Victim::Libvirtd, Victim::Both][self.random.random_range(0..3)];
            let after_ms = self.random.random_range(0..KILL_WITHIN_MS);
            let what = format!("round {round}: {ask:?}, {victim:?} killed after {after_ms} ms");
            self.round(ask, victim, after_ms).await.with_context(|| what.clone())?;
            println!("{what}: right after {:.1} s", began.elapsed().as_secs_f64());
        }
        while !self.instances.is_empty() {
            let operation = self.ask(Ask::Delete(0), "").await?;
            self.finish(Ask::Delete(0), &operation).await?;
        }
        self.check().await?;
        let dir = self.story.world.server.data_dir().join("instances");
        for entry in std::fs::read_dir(&dir)? {
            let name = entry?.file_name();
            // The agent's lock stays.
            ensure!(name == ".lock", "{} is left", name.display());
        }
        ensure!(self.story.world.server.stop().await?.success(), "the server did not end well");
        Ok(())
    }

    /// What can be asked for now, each instance's own next thing or a new one.
    fn choose(&mut self) -> Ask {
        let mut asks = Vec::new();
        if self.instances.len() < INSTANCES_MAX {
            asks.extend([Ask::Create, Ask::Create]);
        }
        for (index, instance) in self.instances.iter().enumerate() {
            // The instant at which a deleted one stopped is not to be seen any more.
            match instance.running {
                true => asks.push(Ask::Stop(index)),
                false => asks.extend([Ask::Start(index), Ask::Delete(index)]),
            }
        }
        asks[self.random.random_range(0..asks.len())]
    }

    async fn round(&mut self, ask: Ask, victim: Victim, after_ms: u64) -> Result<()> {
        let key = format!("{:016x}", self.random.random::<u64>());
        let kill_at = tokio::time::Instant::now() + Duration::from_millis(after_ms);
        // Killed while it is being asked or long after: a create is asked for again, with its key.
        let asked = match tokio::time::timeout_at(kill_at, self.ask(ask, &key)).await {
            Ok(answer) => Some(answer?),
            // Only a create may be repeated: of the others, who knows if they were heard.
            Err(_) if matches!(ask, Ask::Create) => None,
            Err(_) => Some(self.ask(ask, &key).await?),
        };
        tokio::time::sleep_until(kill_at).await;
        self.kill(victim).await?;
        let operation = match asked {
            Some(operation) => operation,
            None => self.ask(ask, &key).await?,
        };
        wait::until("a host that is ok", LIMIT, || async { host_ok(&self.story.operator).await })
            .await?;
        self.finish(ask, &operation).await?;
        self.check().await?;
        self.book.check_money(&self.story).await
    }

    /// The operation.
    async fn ask(&self, ask: Ask, key: &str) -> Result<Value> {
        let path = |index: usize| format!("/v1/instances/{}", self.instances[index].id);
        let (method, path) = match ask {
            Ask::Create => (Method::POST, "/v1/instances".to_owned()),
            Ask::Start(index) => (Method::POST, format!("{}/start", path(index))),
            Ask::Stop(index) => (Method::POST, format!("{}/stop", path(index))),
            Ask::Delete(index) => (Method::DELETE, path(index)),
        };
        let mut request = self.story.member.request(method, &path);
        if matches!(ask, Ask::Create) {
            let (flavor, image) = (&self.story.flavor, &self.story.image);
            let body = json!({"name": key, "flavor_id": flavor, "image_id": image});
            request = request.header("idempotency-key", key).json(&body);
        }
        let answer = Api::send(request).await?;
        ensure!(answer.status == 202, "{ask:?}: {answer:?}");
        Ok(answer.json())
    }

    async fn kill(&mut self, victim: Victim) -> Result<()> {
        if matches!(victim, Victim::Server | Victim::Both) {
            self.story.world.server.kill9();
        }
        if matches!(victim, Victim::Libvirtd | Victim::Both) {
            self.story.world.host.kill9_libvirtd().await?;
            self.story.world.host.start_libvirtd().await?;
        }
        if matches!(victim, Victim::Server | Victim::Both) {
            self.story.world.server.start_again().await?;
        }
        Ok(())
    }

    /// The operation ends well, and what it was for is so.
    async fn finish(&mut self, ask: Ask, operation: &Value) -> Result<()> {
        self.story.operation(&self.story.member, operation).await?;
        match ask {
            Ask::Create => {
                let id = text(operation, "target_id")?.to_owned();
                self.book.runs(&self.story.instance_state(&id, "running").await?)?;
                self.instances.push(Instance { id, running: true });
            }
            Ask::Start(index) => {
                let instance = &mut self.instances[index];
                instance.running = true;
                self.book.runs(&self.story.instance_state(&instance.id, "running").await?)?;
            }
            Ask::Stop(index) => {
                let instance = &mut self.instances[index];
                instance.running = false;
                self.book.stopped(&self.story.instance_state(&instance.id, "stopped").await?)?;
            }
            Ask::Delete(index) => {
                let instance = self.instances.remove(index);
                self.book.deleted(&instance.id);
            }
        }
        Ok(())
    }

    async fn check(&self) -> Result<()> {
        let all = self.story.operator.list("/v1/operations").await?;
        let bad = all.iter().find(|operation| operation["state"] != "succeeded");
        ensure!(bad.is_none(), "{bad:?}");
        self.book.check_operations(&all)?;

        let host = &self.story.world.host;
        let (there, running) =
            (self.instances.len(), self.instances.iter().filter(|i| i.running).count());
        wait::eventually("the guests", LIMIT, || async {
            let seen = (host.qemu_processes()?, host.running()?.len(), host.domains()?.len());
            Ok(match seen == (running, running, there) {
                true => Seen::Yes(()),
                false => Seen::NotYet(format!("processes, running, domains: {seen:?}")),
            })
        })
        .await
        .with_context(|| format!("{running} of {there} should run"))?;

        let path = format!("/v1/tenants/{}/quota", self.story.tenant);
        let quota = self.story.member.get(&path).await?;
        let items = quota["items"].as_array().context("a quota has items")?;
        let one = [("instances", 1), ("vcpus", 1), ("memory_mib", guest::MEMORY_MIB.into())];
        for (resource, one) in one {
            let used = items.iter().find(|item| item["resource"] == resource);
            let used = used.and_then(|item| item["used"].as_u64());
            ensure!(used == Some(there as u64 * one), "{resource}: {quota}");
        }
        Ok(())
    }
}

async fn host_ok(operator: &Api) -> Result<bool> {
    Ok(operator.list("/v1/hosts").await?.iter().any(|host| host["status"] == "ok"))
}
