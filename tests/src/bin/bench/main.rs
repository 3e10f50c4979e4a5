//! `bench [day] [churn] [crowd] [cutoff] [money]`: the whole server against Debian's Prometheus and Debian's
//! VictoriaMetrics, over one workload, through the same protocol, in one session.
//!
//! It is a measurement, not a test, but it fails where OpsHawk and Prometheus answer differently.
//! It writes BENCHMARKS.md; of parts that were not asked for, the file keeps what it said.
//!
//! | Part | What |
//! | --- | --- |
//! | [`day`] | 5,000 series, 24 h at 15 s; twelve queries; restart; bytes on disk |
//! | [`churn`] | the same with a tenth of the series replaced each hour, at 60 s |
//! | [`crowd`] | 500,000 series at 33,000 samples a second for ten minutes |
//! | [`cutoff`] | 5,000 tenants: from an empty balance to the stop command at the host; ours alone |
//! | [`money`] | 100,000 resources metered and rated, on both databases; rating alone beside CloudKitty |

mod churn;
mod crowd;
mod cutoff;
mod day;
mod engine;
mod money;
mod queries;
mod report;
mod simulated;
mod usage;
mod workload;

use anyhow::{Context, Result, bail};
use base::time::{Clock, SystemClock};
use engine::{Engine, Product};

/// The program's own, for the parts of it that are linked here.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> Result<()> {
    if cfg!(debug_assertions) {
        println!("This is no release build: its figures say little. Use make bench.");
    }
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let all = asked.is_empty();
    const PARTS: [&str; 5] = ["day", "churn", "crowd", "cutoff", "money"];
    if let Some(unknown) = asked.iter().find(|a| !PARTS.contains(&a.as_str())) {
        bail!("{unknown:?} is no part: there are {}", PARTS.join(", "));
    }
    let wanted = |part: &str| all || asked.iter().any(|its| its == part);
    let titles = [day::TITLE, churn::TITLE, crowd::TITLE, cutoff::TITLE, money::TITLE];
    let mut sections = titles.map(|title| (title, None));
    if wanted("day") {
        sections[0].1 = Some(day::run().await?.markdown());
    }
    if wanted("churn") {
        sections[1].1 = Some(churn::run().await?.markdown());
    }
    if wanted("crowd") {
        sections[2].1 = Some(crowd::run().await?.markdown());
    }
    if wanted("cutoff") {
        sections[3].1 = Some(cutoff::run().await?);
    }
    if wanted("money") {
        sections[4].1 = Some(money::run().await?);
    }
    let path = lab::dir::workspace().join("BENCHMARKS.md");
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    let text = report::document(&sections, &before);
    std::fs::write(&path, &text).with_context(|| path.display().to_string())?;
    println!("\n{text}");
    Ok(())
}

/// What was measured, and when.
fn text(what: String) -> String {
    let now = SystemClock.now().to_string();
    let date = now.split('T').next().unwrap_or_default();
    format!("{what} {date}, load {:.1} at the end.", usage::load())
}

/// All three, on fresh directories.
async fn engines() -> Result<[Engine; 3]> {
    Ok([
        Engine::start(Product::Opshawk).await?,
        Engine::start(Product::Prometheus).await?,
        Engine::start(Product::Victoria).await?,
    ])
}
