//! The whole chain in nine acts, on real parts, through what a user has: the API, the command
//! line, the console, the guest's own network. The demo plays it, and so do the tests.
//!
//! Each act proves what it says from the outside where it can: from libvirt's view of the guest,
//! the BMC's power switch, the mailbox, the webhook's log, and the ledger's own figures. An act
//! that can't prove it fails.
//!
//! | Act | Module |
//! | --- | --- |
//! | 1: a host and a server are registered | [`machines`] |
//! | 2, 3: a tenant, and its first instance | [`tenancy`] |
//! | 4, 5: metrics, and an alert | [`watching`] |
//! | 6, 7, 8: the money runs out, comes back, and is accounted for | [`money`] |
//! | 9: the same in a browser | [`console`] |

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::{
    api::Api,
    bmc::BmcSimulator,
    guest::GuestImage,
    host::LibvirtHost,
    mail::MailServer,
    opshawk::{Opshawk, Settings},
    wait::{self, Seen},
    webhook::WebhookReceiver,
};

pub mod console;
pub mod machines;
pub mod money;
pub mod pictures;
pub mod tenancy;
pub mod watching;

/// For what takes a guest's boot or an alert's way; far above what it should take.
pub const LIMIT: Duration = Duration::from_secs(90);

pub const ACTS: [&str; 9] = [
    "A libvirt host and a physical server are registered",
    "An operator makes a tenant, a flavor, an image, prices and a quota, and takes its money",
    "The tenant's instance boots; one more than the quota is refused",
    "Metrics arrive; PromQL and a real Prometheus read them",
    "An alert fires on the guest's CPU, by mail and by webhook, and resolves",
    "The money runs out: a warning, then the guest is stopped to the second",
    "A top-up starts again what the cut-off had stopped, and nothing else",
    "The bill equals the ledger to the last micro-unit",
    "The same in a browser",
];

/// The people of the story; a login that is an address gets the tenant's mails.
pub const MEMBER: &str = "ann@acme.example";
pub const MEMBER_PASSWORD: &str = "correct horse battery staple";
pub const OPERATOR: &str = "admin";
pub const OPERATOR_PASSWORD: &str = "stapler battery horse correct";

/// Small values, so that hours pass in seconds; nothing a user could not write.
const BILLING: &str = "[billing]\nmin_runway_s = 10\nwarnings_s = [20]\ngrace_s = 0\n\
                       suspend_to_stop_s = 0\nstop_grace_ms = 1000\n";

/// The real parts.
pub struct World {
    pub server: Opshawk,
    pub host: LibvirtHost,
    pub bmc: BmcSimulator,
    pub mail: MailServer,
    pub hook: WebhookReceiver,
    pub image: GuestImage,
}

impl World {
    /// `database`: None is SQLite.
    pub async fn start(database: Option<String>) -> Result<Self> {
        Self::start_with(|settings| settings.database = database).await
    }

    /// With other settings than the story's.
    pub async fn start_with(change: impl FnOnce(&mut Settings)) -> Result<Self> {
        let image = GuestImage::build()?;
        let (host, bmc, mail, hook) = tokio::try_join!(
            LibvirtHost::start("host-a"),
            BmcSimulator::start(),
            MailServer::start(),
            WebhookReceiver::start(),
        )?;
        let mut settings = Settings {
            database: None,
            libvirt_uri: Some(host.uri()),
            smtp: Some(mail.smtp()),
            webhook_url: Some(hook.url()),
            more: BILLING.to_owned(),
            environment: Vec::new(),
        };
        change(&mut settings);
        let server = Opshawk::start(&settings).await?;
        Ok(Self { server, host, bmc, mail, hook, image })
    }
}

/// How far the story is, and what its acts made.
pub struct Story {
    pub world: World,
    pub operator: Api,
    /// The tenant's, from act 2 on.
    pub member: Api,
    pub tenant: String,
    pub flavor: String,
    pub image: String,
    /// The instance of act 3.
    pub instance: String,
    pub server: String,
    /// The one that the tenant itself stops in act 6.
    pub spare: String,
    /// What the tenant pays in act 2; less makes the story shorter.
    pub first_topup: &'static str,
    /// All that the tenant paid.
    paid_micros: AtomicI64,
}

impl Story {
    pub async fn begin(database: Option<String>) -> Result<Self> {
        Self::of(World::start(database).await?)
    }

    pub fn of(world: World) -> Result<Self> {
        let operator = world.server.operator()?;
        let nobody = Api::new(&world.server.url(), None);
        Ok(Self {
            world,
            operator,
            member: nobody,
            tenant: String::new(),
            flavor: String::new(),
            image: String::new(),
            instance: String::new(),
            server: String::new(),
            spare: String::new(),
            first_topup: tenancy::FIRST_TOPUP,
            paid_micros: AtomicI64::new(0),
        })
    }

    /// Plays one act, from 1.
    pub async fn act(&mut self, number: usize) -> Result<()> {
        let played = match number {
            1 => self.machines().await,
            2 => self.tenancy().await,
            3 => self.first_instance().await,
            4 => self.metrics().await,
            5 => self.alert().await,
            6 => self.out_of_money().await,
            7 => self.top_up().await,
            8 => self.bill().await,
            9 => self.browse().await,
            _ => bail!("the story has {} acts", ACTS.len()),
        };
        if let Err(error) = &played {
            // What the test can't see from outside.
            eprintln!("{error:#}\nthe server's log ends:\n{}", self.world.server.log_tail());
        }
        played.with_context(|| format!("act {number}, {}", ACTS[number - 1]))
    }

    /// Types a command of the command line, with `api`'s token, as evidence; what it printed.
    pub async fn types(&self, api: &Api, args: &[&str]) -> Result<String> {
        self.types_with(api, args, "").await
    }

    /// The same, with a password on its stdin.
    pub async fn types_with(&self, api: &Api, args: &[&str], stdin: &str) -> Result<String> {
        self.say(format!("$ opshawk {}", command_line(args)));
        self.world.server.cli(api, args, stdin).await
    }

    /// The same with `-o json`; the value that it printed.
    pub async fn json(&self, api: &Api, args: &[&str]) -> Result<Value> {
        self.json_with(api, args, "").await
    }

    pub async fn json_with(&self, api: &Api, args: &[&str], stdin: &str) -> Result<Value> {
        let printed = self.types_with(api, &[args, &["-o", "json"]].concat(), stdin).await?;
        serde_json::from_str(&printed).with_context(|| format!("no JSON: {printed}"))
    }

    /// A line of evidence.
    pub fn say(&self, line: impl AsRef<str>) {
        println!("      {}", line.as_ref());
    }

    /// Waits for the operation's end, which must be a success.
    pub async fn operation(&self, api: &Api, operation: &Value) -> Result<Value> {
        let id = text(operation, "id")?;
        let done = wait::eventually(&format!("operation {id}"), LIMIT, || async {
            let operation = api.get(&format!("/v1/operations/{id}")).await?;
            Ok(match operation["finished_at"].is_null() {
                true => Seen::NotYet(operation.to_string()),
                false => Seen::Yes(operation),
            })
        })
        .await?;
        ensure!(done["state"] == "succeeded", "the operation failed: {done}");
        Ok(done)
    }

    /// Waits until the instance is in this state.
    pub async fn instance_state(&self, id: &str, state: &str) -> Result<Value> {
        wait::eventually(&format!("instance {id} {state}"), LIMIT, || async {
            let instance = self.operator.get(&format!("/v1/instances/{id}")).await?;
            Ok(match instance["state"] == state {
                true => Seen::Yes(instance),
                false => Seen::NotYet(instance.to_string()),
            })
        })
        .await
    }

    pub async fn balance(&self) -> Result<Value> {
        self.member.get(&format!("/v1/tenants/{}/balance", self.tenant)).await
    }

    /// The operator takes the tenant's money; the balance then.
    pub async fn pay(&self, amount: &str) -> Result<Value> {
        let topup = ["tenant", "topup", "acme", amount, "--memo", "bank transfer"];
        let topup = self.json(&self.operator, &topup).await?;
        self.paid(micros(&amount.into())?);
        Ok(topup["balance"].clone())
    }

    fn paid(&self, micros: i64) {
        self.paid_micros.fetch_add(micros, Ordering::SeqCst);
    }

    pub fn paid_micros(&self) -> i64 {
        self.paid_micros.load(Ordering::SeqCst)
    }

    pub async fn quota(&self, instances: i64) -> Result<()> {
        let limit = instances.to_string();
        let mut set = vec!["quota", "set", "acme", "--instances", &limit];
        set.extend(["--vcpus", "8", "--memory-mib", "4096", "--disk-gib", "20"]);
        let items = self.json(&self.operator, &set).await?;
        let all = items.as_array().context("no list of limits")?;
        let set = all.iter().any(|i| i["resource"] == "instances" && i["limit"] == instances);
        ensure!(set, "the quota is not {instances} instances: {items}");
        Ok(())
    }

    /// Asks for an instance as the tenant; the operation.
    pub async fn create(&self, name: &str, user_data: Option<&str>) -> Result<Value> {
        let body = json!({
            "name": name, "flavor_id": self.flavor, "image_id": self.image, "user_data": user_data,
        });
        self.member.post("/v1/instances", &body).await
    }

    /// Waits until its console shows the guest's own words.
    pub async fn console_shows(&self, id: &str, words: &str) -> Result<String> {
        wait::eventually(&format!("'{words}' on the console of {id}"), LIMIT, || async {
            let log = self.member.get(&format!("/v1/instances/{id}/console-log")).await?;
            let tail = log["tail"].as_str().unwrap_or_default().to_owned();
            let line = tail.lines().find(|line| line.contains(words));
            Ok(match line {
                Some(line) => Seen::Yes(line.trim().to_owned()),
                None => Seen::NotYet(format!("{tail:?}")),
            })
        })
        .await
    }
}

/// As a shell would have it.
fn command_line(args: &[&str]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@".contains(c);
    let quoted = args.iter().map(|arg| match arg.chars().all(plain) {
        true => (*arg).to_owned(),
        false => format!("'{}'", arg.replace('\'', "'\\''")),
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// A field that must be text.
pub fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field].as_str().with_context(|| format!("no text in '{field}' of {value}"))
}

/// Milliseconds since the epoch, of an RFC 3339 instant.
pub fn instant_ms(value: &Value) -> Result<i64> {
    let text = value.as_str().with_context(|| format!("{value} is no instant"))?;
    let instant: base::time::Timestamp = text.parse().with_context(|| format!("'{text}'"))?;
    Ok(instant.ms())
}

/// Micro-units of a decimal amount.
pub fn micros(value: &Value) -> Result<i64> {
    let text = value.as_str().with_context(|| format!("{value} is no amount"))?;
    let amount: base::money::Micros = text.parse().map_err(|e| anyhow::anyhow!("'{text}': {e}"))?;
    Ok(amount.0)
}
