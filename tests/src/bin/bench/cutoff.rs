//! From the instant at which a balance is used up to the stop command at the host: 5,000 tenants
//! with an instance each, on hosts whose agents are simulated and speak the real protocol.
//!
//! The price is 3.6 an hour, which is a millionth a millisecond: who has N millionths when its
//! instance starts has used them up N milliseconds later, to the millisecond.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use base::time::{Clock, SystemClock, Timestamp};
use futures::{StreamExt, TryStreamExt, stream};
use lab::{
    api::Api,
    opshawk::{Opshawk, Settings},
    postgres::Postgres,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinSet};

use crate::{
    queries::quantile,
    simulated::{Agent, Phase},
};

pub const TITLE: &str = "From an empty balance to the stop";
const TENANTS: usize = 5_000;
const HOSTS: usize = 50;
/// Of the tenants, those whose balance runs out.
const CROSSINGS: usize = 300;
/// In which they run out, at random instants.
const WINDOW_MS: i64 = 120_000;
/// From the first start to the first of them.
const LEAD_MS: i64 = 20_000;
/// Beyond the window, before a stop counts as lost.
const LATE_MS: u64 = 60_000;
/// Requests under way at once while the tenants are made.
const PARALLEL: usize = 8;
/// By how much everybody else is richer.
const RICH: &str = "1000000";
const GOAL_P99_MS: f64 = 1_000.0;
/// As a Prometheus would.
const SCRAPE_EVERY: Duration = Duration::from_secs(15);
const SEED: u64 = 4;
/// Nothing stands between the crossing and the stop; so many at once are what the guard is for.
const BILLING: &str = "[billing]\ngrace_s = 0\nsuspend_to_stop_s = 0\nmin_runway_s = 0\n\
                       guard = {tenants = 1000000, percent = 100}\n";

/// Milliseconds of each crossing, in rising order.
struct Measured {
    database: &'static str,
    late_ms: Vec<f64>,
    made_s: f64,
    scrapes_ms: Vec<f64>,
}

pub async fn run() -> Result<String> {
    let mut all = vec![measure("SQLite", None).await?];
    let postgres = Postgres::durable().await?;
    let url = postgres.database("cutoff")?;
    all.push(measure("PostgreSQL", Some(url)).await?);
    Ok(markdown(&mut all))
}

async fn measure(database: &'static str, url: Option<String>) -> Result<Measured> {
    println!("cutoff: {TENANTS} tenants on {HOSTS} hosts, {database} ...");
    let settings = Settings { database: url, more: BILLING.into(), ..Settings::default() };
    let server = Opshawk::start(&settings).await?;
    let operator = server.operator()?;
    let (phase, phases) = watch::channel(Phase::Idle);
    let agents = hosts(&operator, phases).await?;
    let mut tasks = JoinSet::new();
    for agent in &agents {
        tasks.spawn(agent.clone().report());
        tasks.spawn(agent.clone().poll());
    }
    let began = std::time::Instant::now();
    let balances = tenants(&operator, &agents).await.with_context(|| server.log_tail())?;
    let made_s = began.elapsed().as_secs_f64();
    println!("  made in {made_s:.0} s");
    phase.send(Phase::Running)?;
    settled(&agents).await?;
    looked_at(&operator).await?;
    println!("  all run; {CROSSINGS} balances run out from here on");
    phase.send(Phase::Crossing)?;
    let rest = tokio::spawn(meanwhile(operator.clone(), agents.clone()));
    let late_ms = crossings(&agents, &balances).await;
    rest.abort();
    let scrapes_ms = scrapes(&operator).await?;
    let mut late_ms = late_ms?;
    while let Some(ended) = tasks.try_join_next() {
        ended??;
    }
    late_ms.sort_by(f64::total_cmp);
    Ok(Measured { database, late_ms, made_s, scrapes_ms })
}

async fn hosts(operator: &Api, phases: watch::Receiver<Phase>) -> Result<Vec<Arc<Agent>>> {
    let mut agents = Vec::new();
    for n in 0..HOSTS {
        let host = operator.post("/v1/hosts", &json!({"name": format!("host-{n}")})).await?;
        let token = host["token"].as_str().context("a new host's token is shown once")?;
        let agent = Agent::new(operator.with_token(token), phases.clone());
        agent.first_report().await?;
        agents.push(Arc::new(agent));
    }
    Ok(agents)
}

/// Makes the tenants, each with an instance and a balance. Milliseconds that the balances of those
/// that run out will last, by instance.
async fn tenants(operator: &Api, agents: &[Arc<Agent>]) -> Result<BTreeMap<String, i64>> {
    let flavor = json!({"name": "small", "vcpus": 1, "memory_mib": 64, "disk_gib": 1});
    let flavor = operator.post("/v1/flavors", &flavor).await?["id"].clone();
    let meter = format!("instance:{}", flavor.as_str().context("a flavor has an id")?);
    let book = json!({"name": "standard", "currency": "CNY",
        "prices": [{"meter": meter, "unit_price": "3.6"}]});
    let book = operator.post("/v1/price-books", &book).await?["id"].clone();
    let image = operator.post("/v1/images", &json!({"name": "none", "disk_format": "raw"})).await?;
    let image = image["id"].clone();
    let file = format!("/v1/images/{}/files/disk", image.as_str().context("an image has an id")?);
    operator.put_bytes(&file, "application/octet-stream", vec![0; 1 << 20]).await?;

    let mut random = StdRng::seed_from_u64(SEED);
    let lasts_ms = |n: usize| (n < CROSSINGS).then(|| LEAD_MS + random.random_range(0..WINDOW_MS));
    let plan: Vec<(usize, Option<i64>)> = (0..TENANTS).zip((0..TENANTS).map(lasts_ms)).collect();
    let made: Vec<(String, Option<i64>)> = stream::iter(plan)
        .map(|(n, lasts_ms)| {
            let (book, flavor, image) = (&book, &flavor, &image);
            async move {
                let tenant = json!({"name": format!("tenant-{n}"), "price_book_id": book});
                let tenant = operator.post("/v1/tenants", &tenant).await?["id"].clone();
                let id = tenant.as_str().context("a tenant has an id")?;
                let instance = json!({"name": "one", "tenant_id": tenant, "flavor_id": flavor,
                    "image_id": image});
                let made = operator.post("/v1/instances", &instance).await?;
                let instance = made["target_id"].as_str().context("an instance has an id")?;
                let amount = lasts_ms.map_or_else(
                    || RICH.to_owned(),
                    |micros| format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000),
                );
                let topups = format!("/v1/tenants/{id}/topups");
                operator.post(&topups, &json!({"amount": amount})).await?;
                anyhow::Ok((instance.to_owned(), lasts_ms))
            }
        })
        .buffer_unordered(PARALLEL)
        .try_collect()
        .await?;
    let crossing: BTreeMap<String, i64> =
        made.into_iter().filter_map(|(id, lasts_ms)| Some((id, lasts_ms?))).collect();
    for agent in agents {
        agent.hold_back(crossing.keys().cloned());
    }
    Ok(crossing)
}

/// Until every agent has started what it is to start now, and the server knows of it.
async fn settled(agents: &[Arc<Agent>]) -> Result<()> {
    const LIMIT: Duration = Duration::from_secs(300);
    lab::wait::until("all instances run", LIMIT, || async {
        let known: usize = agents.iter().map(|agent| agent.known()).sum();
        Ok(known == TENANTS && agents.iter().all(|agent| agent.is_acknowledged()))
    })
    .await
}

/// Until rating and standing have nothing left to do at once: tenants that live are measured, not
/// 4,700 that start in one moment.
async fn looked_at(operator: &Api) -> Result<()> {
    const LIMIT: Duration = Duration::from_secs(300);
    lab::wait::until("every account was looked at", LIMIT, || async {
        let answer = operator.get("/v1/system/reconcilers").await?;
        let loops = answer["items"].as_array().context("no reconcilers")?;
        let mut money =
            loops.iter().filter(|one| one["name"] == "rating" || one["name"] == "standing");
        let now = SystemClock.now();
        Ok(money.all(|one| {
            let next = one["next_run_at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
            one["running"] == false && next.is_some_and(|next| next > now)
        }))
    })
    .await
}

/// What goes on beside: each second a payment, and an instance that its guest restarts.
async fn meanwhile(operator: Api, agents: Vec<Arc<Agent>>) -> Result<()> {
    let mut random = StdRng::seed_from_u64(SEED + 1);
    let tenants = operator.list("/v1/tenants").await?;
    // The first of the list are the oldest, which are those that run out.
    let rich = &tenants[CROSSINGS..];
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    let scraping = operator.clone();
    tokio::spawn(async move {
        let mut scrapes = tokio::time::interval(SCRAPE_EVERY);
        loop {
            scrapes.tick().await;
            if scraping.ask(reqwest::Method::GET, "/metrics", None).await.is_err() {
                return;
            }
        }
    });
    loop {
        seconds.tick().await;
        let tenant = &rich[random.random_range(0..rich.len())];
        let id = tenant["id"].as_str().context("a tenant has an id")?;
        operator.post(&format!("/v1/tenants/{id}/topups"), &json!({"amount": "1"})).await?;
        agents[random.random_range(0..agents.len())].restart_one();
    }
}

/// Milliseconds from each crossing to the stop command at its host.
async fn crossings(agents: &[Arc<Agent>], lasts_ms: &BTreeMap<String, i64>) -> Result<Vec<f64>> {
    let limit = Duration::from_millis(u64::try_from(LEAD_MS + WINDOW_MS)? + LATE_MS);
    let stopped = || agents.iter().map(|agent| agent.stops().len()).sum::<usize>();
    lab::wait::until("every balance that ran out stopped its instance", limit, || async {
        Ok(stopped() >= CROSSINGS)
    })
    .await
    .with_context(|| format!("{} of {CROSSINGS} were stopped", stopped()))?;
    let stops: Vec<_> = agents.iter().flat_map(|agent| agent.stops()).collect();
    ensure!(stops.len() == CROSSINGS, "{} were stopped, of {CROSSINGS}", stops.len());
    stops
        .iter()
        .map(|stop| {
            let lasts_ms = lasts_ms.get(&stop.instance).context("it had money left")?;
            let late_ms = stop.told_ms - (stop.started_ms + lasts_ms);
            ensure!(late_ms >= 0, "{} was stopped {} ms too early", stop.instance, -late_ms);
            Ok(late_ms as f64)
        })
        .collect()
}

/// Milliseconds that `/metrics` takes.
async fn scrapes(operator: &Api) -> Result<Vec<f64>> {
    const SCRAPES: usize = 5;
    let mut took = Vec::new();
    for _ in 0..SCRAPES {
        let began = std::time::Instant::now();
        let answer = operator.ask(reqwest::Method::GET, "/metrics", None).await?;
        ensure!(answer.status.is_success(), "/metrics answered {}", answer.status);
        took.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(took)
}

fn markdown(all: &mut [Measured]) -> String {
    let now = SystemClock.now().to_string();
    let date = now.split('T').next().unwrap_or_default();
    let mut text = format!(
        "## {TITLE}\n\n{TENANTS} tenants with an instance each on {HOSTS} hosts. The agents are simulated; they poll\n\
         and report as the real ones do, over HTTP. All others live when {CROSSINGS} more instances start in one moment;\n\
         their balances run out at random instants of two minutes;\n\
         beside them there are a payment and a restart each second, and a scrape of the metrics every\n\
         {} s. Measured from the instant at which nothing is left, by the price, to the instant at which the host's\n\
         agent has read that it is to stop the instance. Both databases sync each commit to the disk.\n\
         {date}, load {:.1} at the end.\n\n\
         | | {} | goal |\n| --- |{} --- |\n",
        SCRAPE_EVERY.as_secs(),
        crate::usage::load(),
        all.iter().map(|one| one.database).collect::<Vec<_>>().join(" | "),
        " ---: |".repeat(all.len()),
    );
    let mut row = |what: &str, goal: Option<f64>, figure: &mut dyn FnMut(&mut Measured) -> f64| {
        let figures: Vec<f64> = all.iter_mut().map(figure).collect();
        let shown: Vec<String> = figures.iter().map(|figure| format!("{figure:.0}")).collect();
        let goal = goal.map_or_else(String::new, |goal| {
            let met = figures.iter().all(|figure| *figure <= goal);
            format!("≤ {goal:.0}: {}", if met { "met" } else { "**missed**" })
        });
        writeln!(text, "| {what} | {} | {goal} |", shown.join(" | "))
            .expect("a string takes everything");
    };
    row("median, ms", None, &mut |m| quantile(&mut m.late_ms, 0.5));
    row("99 %, ms", Some(GOAL_P99_MS), &mut |m| quantile(&mut m.late_ms, 0.99));
    row("the longest, ms", None, &mut |m| quantile(&mut m.late_ms, 1.0));
    row("a scrape of the metrics, median, ms", None, &mut |m| quantile(&mut m.scrapes_ms, 0.5));
    row("tenants, instances and payments made, s", None, &mut |m| m.made_s);
    text
}

/// For whoever reads an answer.
pub fn text_of<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value[key].as_str().with_context(|| format!("no {key} in {value}"))
}
