//! The clock: bills and certificates need it right, and something must keep it so.

use std::process::Command;

use super::Finding;

const CHECK: &str = "clock";

pub fn check() -> Finding {
    // `timedatectl` answers where systemd is; elsewhere a running daemon is a good sign.
    let answer = Command::new("timedatectl").args(["show", "-p", "NTPSynchronized"]).output();
    if let Ok(output) = answer
        && output.status.success()
    {
        let text = String::from_utf8_lossy(&output.stdout);
        return match text.trim() {
            "NTPSynchronized=yes" => Finding::ok(CHECK, "it is synchronised"),
            _ => unsynchronised("it is not synchronised"),
        };
    }
    match daemon() {
        Some(name) => Finding::ok(CHECK, format!("{name} runs")),
        None => unsynchronised("nothing that keeps it was found"),
    }
}

fn unsynchronised(seen: &str) -> Finding {
    Finding::warning(CHECK, seen, "install and start chrony or systemd-timesyncd")
}

fn daemon() -> Option<&'static str> {
    const DAEMONS: [&str; 4] = ["chronyd", "ntpd", "ntpsec", "systemd-timesyn"];
    let processes = std::fs::read_dir("/proc").ok()?;
    let names = processes.flatten().filter_map(|entry| {
        std::fs::read_to_string(entry.path().join("comm")).ok().map(|name| name.trim().to_owned())
    });
    let running: Vec<String> = names.collect();
    DAEMONS.into_iter().find(|daemon| running.iter().any(|name| name == daemon))
}
