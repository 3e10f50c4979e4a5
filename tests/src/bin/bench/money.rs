//! Money: facts taken, hours rated, a month rated again, on both databases; and rating alone beside
//! CloudKitty.
//!
//! The clock has to be set, so that this part links the billing crate and runs it in this process;
//! its peak is this process's.

mod cloudkitty;
mod rater;
mod world;

use std::fmt::Write as _;

use anyhow::Result;
use base::{
    db::Db,
    time::{Clock, SystemClock},
};
use lab::{dir::LabDir, postgres::Postgres};

use crate::usage::{Usage, load, reset_peak};
use rater::Rates;
use world::{LINES, RESOURCES, TENANTS, World};

pub const TITLE: &str = "Metering and rating";
const GOAL_FACTS: f64 = 5_000.0;
const GOAL_SQLITE_S: f64 = 10.0;
const GOAL_POSTGRES_S: f64 = 20.0;
const GOAL_MIB: f64 = 512.0;
/// As fast as CloudKitty.
const GOAL_TIMES: f64 = 20.0;

struct Measured {
    database: &'static str,
    goal_s: f64,
    /// A second.
    begun: f64,
    restarted: f64,
    /// Keys of the month are new in the first hour.
    first_hour_s: f64,
    next_hour_s: f64,
    month_s: f64,
    peak_mib: f64,
}

pub async fn run() -> Result<String> {
    println!("money: rating alone ...");
    let rates = rater::measure()?;
    let theirs = cloudkitty::measure();
    let dir = LabDir::new("money")?;
    let url = Db::sqlite_url(&dir.join("opshawk.db"));
    let sqlite = measure("SQLite", &url, GOAL_SQLITE_S).await?;
    let postgres = Postgres::durable().await?;
    let url = postgres.database("money")?;
    let all = [sqlite, measure("PostgreSQL", &url, GOAL_POSTGRES_S).await?];
    Ok(markdown(&all, &rates, &theirs))
}

async fn measure(database: &'static str, url: &str, goal_s: f64) -> Result<Measured> {
    println!("money: {TENANTS} tenants with {RESOURCES} resources each, {database} ...");
    let world = World::new(url).await?;
    let begun = world.begin().await?;
    println!("  {begun:.0} facts a second");
    let seen_s = world.rate(0).await?;
    println!("  looked at once in {seen_s:.1} s");
    reset_peak()?;
    let first_hour_s = world.rate(1).await?;
    let next_hour_s = world.rate(2).await?;
    let peak_mib = Usage::of(std::process::id())?.peak_mib;
    println!("  an hour in {first_hour_s:.1} s, the next in {next_hour_s:.1} s, {peak_mib:.0} MiB");
    world.check(2).await?;
    let restarted = world.restart().await?;
    let month_s = world.simulate().await?;
    println!("  {restarted:.0} facts a second; a month in {month_s:.1} s");
    Ok(Measured {
        database,
        goal_s,
        begun,
        restarted,
        first_hour_s,
        next_hour_s,
        month_s,
        peak_mib,
    })
}

fn verdict(goal: &str, met: bool) -> String {
    format!("{goal}: {}", if met { "met" } else { "**missed**" })
}

fn markdown(all: &[Measured; 2], rates: &Rates, theirs: &Result<f64, String>) -> String {
    let now = SystemClock.now().to_string();
    let date = now.split('T').next().unwrap_or_default();
    let mut text = format!(
        "## {TITLE}\n\n{TENANTS} tenants with {RESOURCES} resources each, {LINES} lines a tenant and hour: instances with disks,\n\
         volumes, snapshots, images, addresses, routers, bandwidth. Facts come in transactions of 100, each of\n\
         another tenant, four at a time. An hour is posted to the ledger, a transaction a tenant (on SQLite up to\n\
         sixteen share a commit), and its sum is checked. Both databases sync each commit to the disk. The month is simulated under a draft of other prices:\n\
         all of its use is rated twice, and nothing is posted. {date}, load {:.1} at the end.\n\n\
         | | {} | {} | goal |\n| --- | ---: | ---: | --- |\n",
        load(),
        all[0].database,
        all[1].database,
    );
    let facts = format!("≥ {GOAL_FACTS:.0}");
    let enough = |of: fn(&Measured) -> f64| all.iter().all(|one| of(one) >= GOAL_FACTS);
    let hour = format!("< {GOAL_SQLITE_S:.0}, < {GOAL_POSTGRES_S:.0}");
    let fast = |of: fn(&Measured) -> f64| all.iter().all(|one| of(one) < one.goal_s);
    let small = all.iter().all(|one| one.peak_mib < GOAL_MIB);
    let mut row = |what: &str, of: fn(&Measured) -> f64, goal: String| {
        let digits = if of(&all[0]) < 100.0 { 1 } else { 0 };
        let [sqlite, postgres] = [of(&all[0]), of(&all[1])];
        writeln!(text, "| {what} | {sqlite:.digits$} | {postgres:.digits$} | {goal} |")
            .expect("a string takes everything");
    };
    row("first facts a second", |m| m.begun, verdict(&facts, enough(|m| m.begun)));
    row("later facts a second", |m| m.restarted, verdict(&facts, enough(|m| m.restarted)));
    row(
        "the month's first hour posted, s",
        |m| m.first_hour_s,
        verdict(&hour, fast(|m| m.first_hour_s)),
    );
    row("the next hour posted, s", |m| m.next_hour_s, verdict(&hour, fast(|m| m.next_hour_s)));
    row("peak memory of both, MiB", |m| m.peak_mib, verdict(&format!("< {GOAL_MIB:.0}"), small));
    row("the month rated twice, nothing posted, s", |m| m.month_s, String::new());
    text + &alone(rates, theirs)
}

/// Rating alone, beside CloudKitty.
fn alone(rates: &Rates, theirs: &Result<f64, String>) -> String {
    let mut text = "\nRating alone, on one core, in memory, nothing stored, against the hashmap module of CloudKitty 25 with\n\
         its rules in memory; the best of five rounds of each. Both charge each instance by its flavor, of ten.\n\n\
         | | OpsHawk | CloudKitty | ÷ CloudKitty | goal |\n| --- | ---: | ---: | ---: | --- |\n"
        .to_owned();
    let (by_hours, by_days) = (rates.by_hours / 1e3, rates.by_days / 1e3);
    let row = "thousand instance-hours a second, a line an hour";
    match theirs {
        Ok(theirs) => {
            let times = rates.by_hours / theirs;
            let goal = verdict(&format!("≥ {GOAL_TIMES:.0} ×"), times >= GOAL_TIMES);
            let theirs = theirs / 1e3;
            writeln!(text, "| {row} | {by_hours:.0} | {theirs:.0} | {times:.1} | {goal} |")
        }
        Err(why) => {
            println!("money: CloudKitty was not measured: {why}");
            writeln!(text, "| {row} | {by_hours:.0} | not measured: {why} | | |")
        }
    }
    .expect("a string takes everything");
    writeln!(text, "| the same, a line a day | {by_days:.0} | | | |")
        .expect("a string takes everything");
    text
}
