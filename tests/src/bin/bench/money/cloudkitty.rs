//! CloudKitty's hashmap module, in a Python environment of its own below `target`.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};

use super::rater::FLAVORS;

const SCRIPT: &str = include_str!("cloudkitty.py");
const RELEASE: &str = "cloudkitty==25.*";
/// Of a frame.
const INSTANCES: usize = 10_000;
const HOURS: usize = 5;
/// The best one counts.
const ROUNDS: usize = 5;

/// Instance-hours a second, or why there is no figure.
pub fn measure() -> Result<f64, String> {
    installed().and_then(|python| run(&python)).map_err(|error| format!("{error:#}"))
}

/// The environment's Python; it is made once.
fn installed() -> Result<PathBuf> {
    let dir = lab::dir::workspace().join("target/bench/cloudkitty");
    let (python, done) = (dir.join("bin/python3"), dir.join("installed"));
    if done.exists() {
        return Ok(python);
    }
    println!("money: CloudKitty is installed into {} ...", dir.display());
    std::fs::create_dir_all(&dir)?;
    output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&dir))?;
    output(Command::new(&python).args(["-m", "pip", "install", "--quiet", RELEASE]))?;
    std::fs::write(&done, RELEASE)?;
    Ok(python)
}

fn run(python: &PathBuf) -> Result<f64> {
    let numbers = [INSTANCES, HOURS, FLAVORS, ROUNDS].map(|number| number.to_string());
    let text = output(Command::new(python).args(["-W", "ignore", "-c", SCRIPT]).args(numbers))?;
    text.trim().parse().with_context(|| format!("CloudKitty's script said {text:?}"))
}

fn output(command: &mut Command) -> Result<String> {
    let done = command.output().with_context(|| format!("{command:?}"))?;
    let error = String::from_utf8_lossy(&done.stderr);
    let last = error.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    ensure!(done.status.success(), "{:?} failed: {last}", command.get_program());
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}
