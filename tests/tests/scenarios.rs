//! The billing scenarios as data: each file of `tests/scenarios/` is played by `opshawk billing
//! replay` on SQLite and on PostgreSQL, and must go as it says.
//!
//! 16, 17, 18 and 20 have Rust tests of the same number in `billing` besides, which draw at random,
//! kill and race.

use std::{
    path::{Path, PathBuf},
    process::Output,
    sync::atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context, Result, ensure};
use lab::{
    dir::{LabDir, workspace},
    opshawk,
    postgres::create_database,
};
use serde_json::Value;

macro_rules! scenarios {
    ($($name:ident: $file:literal,)*) => {
        $(
            #[test]
            fn $name() -> Result<()> {
                plays(&scenario($file))?;
                Ok(())
            }
        )*

        /// In the order of their numbers.
        const FILES: &[&str] = &[$($file),*];
    };
}

scenarios! {
    scenario_01: "01-by-the-minute",
    scenario_02: "02-a-resize-splits-the-hour",
    scenario_03: "03-a-new-price-splits-the-hour",
    scenario_04: "04-a-fact-counts-once",
    scenario_05: "05-a-late-delete-is-one-adjustment",
    scenario_06: "06-an-outage-changes-nothing",
    scenario_07: "07-facts-were-lost",
    scenario_08: "08-counters-begin-anew",
    scenario_09: "09-the-future-is-put-aside",
    scenario_10: "10-a-clock-that-jumps-back",
    scenario_11: "11-a-moved-instance",
    scenario_12: "12-a-volume-that-grows",
    scenario_13: "13-a-month-and-its-invoice",
    scenario_14: "14-tiers-over-all-of-a-month",
    scenario_15: "15-what-does-not-fit-is-parked",
    scenario_16: "16-the-books-balance",
    scenario_17: "17-killed-after-the-commit",
    scenario_18: "18-two-raters",
    scenario_19: "19-a-recharge-repeated",
    scenario_20: "20-a-voucher-once",
    scenario_21: "21-a-warning-once-an-episode",
    scenario_22: "22-when-the-money-runs-out",
    scenario_23: "23-down-the-ladder",
    scenario_24: "24-a-recharge-that-does-not-suffice",
    scenario_25: "25-only-what-the-cut-off-stopped-starts",
    scenario_26: "26-what-fails-to-stop-is-billed",
    scenario_27: "27-a-lowered-credit-limit",
    scenario_28: "28-a-price-fixed-for-a-closed-month",
    scenario_29: "29-no-more-than-is-left",
    scenario_30: "30-a-formula-for-a-name",
    scenario_31: "31-a-package-keeps-its-day",
    scenario_32: "32-tax-on-top",
    scenario_33: "33-what-a-months-end-makes-due",
    scenario_34: "34-an-outage-outlives-a-bonus",
    scenario_35: "35-months-end-by-each-ones-clock",
}

fn scenario(name: &str) -> PathBuf {
    workspace().join(format!("tests/scenarios/{name}.yaml"))
}

fn replay(file: &Path, database: Option<&str>) -> Result<Output> {
    let mut command = opshawk::command()?;
    command.args(["billing", "replay"]).arg(file);
    command.args(database.map(|url| format!("--database={url}")));
    Ok(command.output()?)
}

/// An empty database of the tests' PostgreSQL, where there is one.
fn postgres() -> Result<Option<String>> {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let Ok(server) = std::env::var("OPSHAWK_TEST_POSTGRES") else {
        ensure!(
            std::env::var("OPSHAWK_TEST_ALL").is_err(),
            "OPSHAWK_TEST_POSTGRES is not set, but all of the tests were asked for"
        );
        return Ok(None);
    };
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    create_database(&server, &format!("replay_{:08x}_{number}", rand::random::<u32>())).map(Some)
}

/// It goes as the file says on both databases, and the same on both. The report.
fn plays(file: &Path) -> Result<Value> {
    let postgres = postgres()?;
    // At the same time: a year of hours takes a minute on each.
    let (report, other) = std::thread::scope(|scope| {
        let other = postgres.map(|url| scope.spawn(move || plays_on("postgres", Some(&url), file)));
        let report = plays_on("sqlite", None, file);
        (report, other.map(|thread| thread.join().expect("it does not panic")))
    });
    let report = report?;
    if let Some(other) = other.transpose()? {
        ensure!(other == report, "{} differs:\n{other:#}\n{report:#}", file.display());
    }
    Ok(report)
}

fn plays_on(database: &str, url: Option<&str>, file: &Path) -> Result<Value> {
    let output = replay(file, url)?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} on {database}:\n{error}", file.display());
    let mut report: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(report["database"] == database, "{report}");
    report["database"].take();
    Ok(report)
}

#[test]
fn every_file_is_played() -> Result<()> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(workspace().join("tests/scenarios"))? {
        let path = entry?.path();
        let name = path.file_stem().context("a file has a name")?.to_string_lossy().into_owned();
        found.push(name);
    }
    found.sort();
    ensure!(found == FILES, "{found:?}");
    Ok(())
}

#[test]
fn scenario_06_without_the_outage() -> Result<()> {
    is_the_same_without_the_outage("06-an-outage-changes-nothing")
}

#[test]
fn scenario_34_without_the_outage() -> Result<()> {
    is_the_same_without_the_outage("34-an-outage-outlives-a-bonus")
}

/// Without its two steps of `rating` all is as with them.
fn is_the_same_without_the_outage(name: &str) -> Result<()> {
    let file = scenario(name);
    let text = std::fs::read_to_string(&file)?;
    let kept: Vec<&str> = text.lines().filter(|line| !line.contains(", rating: ")).collect();
    ensure!(kept.len() + 2 == text.lines().count(), "it has two such steps");
    let dir = LabDir::new("replay")?;
    let without = plays(&dir.write("without.yaml", &kept.join("\n"))?)?;
    let with = plays(&file)?;
    for part in ["sums", "ledger", "balance"] {
        ensure!(with[part] == without[part], "{part}: {with:#}\n{without:#}");
    }
    Ok(())
}

/// The example that auditors are given.
#[test]
fn the_documents_example_is_played() -> Result<()> {
    let document = std::fs::read_to_string(workspace().join("docs/billing-replay.md"))?;
    let (_, rest) =
        document.split_once("```yaml\nopshawk_replay").context("there is an example")?;
    let (example, _) = rest.split_once("```").context("it ends")?;
    let dir = LabDir::new("replay")?;
    plays(&dir.write("example.yaml", &format!("opshawk_replay{example}"))?)?;
    Ok(())
}

#[test]
fn the_exit_code_says_whether_it_went_as_expected() -> Result<()> {
    let dir = LabDir::new("replay")?;
    let text = std::fs::read_to_string(scenario("01-by-the-minute"))?;
    let ends = |text: &str, database: Option<&str>, code: i32, words: &[&str]| -> Result<String> {
        let output = replay(&dir.write("file.yaml", text)?, database)?;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.code() == Some(code), "not {code}: {output:?}");
        for word in words {
            ensure!(error.contains(word), "'{word}' is not in: {error}");
        }
        Ok(String::from_utf8(output.stdout)?)
    };
    ends(&text, None, 0, &[])?;
    // Wrong by a millionth: the report is there all the same.
    let wrong = text.replace("net: \"0.150000\"", "net: \"0.150001\"");
    ensure!(wrong != text);
    let difference = "expect.lines[0].net: \"0.150001\" was expected, but it is \"0.150000\"";
    let report = ends(&wrong, None, 1, &[difference, "in one place"])?;
    let report: Value = serde_json::from_str(&report)?;
    ensure!(report["sums"]["acme"] == "0.150000", "{report:#}");
    let float = text.replace("price: \"0.36\"", "price: 0.36");
    let key = "line 11: price_books.standard.versions[0].rates[0].price: a price stands in quotes";
    ensure!(ends(&float, None, 2, &[key])?.is_empty());
    ensure!(ends("", None, 2, &["a map was expected"])?.is_empty());
    // Nobody could publish it, as nobody could read the other.
    let unit = text.replace("price: \"0.36\"", "unit: 0, price: \"0.36\"");
    let key = "line 11: price_books.standard.versions[0].rates[0].unit: 0 is no unit of a price";
    ensure!(ends(&unit, None, 2, &[key])?.is_empty());
    // A database with something in it is refused.
    let database = dir.join("replay.db");
    let url = format!("sqlite://{}?mode=rwc", database.display());
    ends(&text, Some(&url), 0, &[])?;
    let before = std::fs::read(&database)?;
    ensure!(ends(&text, Some(&url), 5, &["not empty", "name an empty one"])?.is_empty());
    ensure!(std::fs::read(&database)? == before, "it was written to");
    Ok(())
}
