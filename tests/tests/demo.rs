//! The demo, ended while it plays: nothing of it stays on the machine, however it ended.
//!
//! Its temporary directories lie in one of the test's own. What belongs to it is found by that
//! path (in a command line or an environment) and by the namespaces of what was found so: a guest's
//! process carries libvirt's environment, dnsmasq paths of its host only.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use lab::{
    dir::LabDir,
    opshawk,
    process::Process,
    wait::{self, Seen},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Act 4, when all parts that the demo has but the browser run.
const START_LIMIT: Duration = Duration::from_secs(90);
const END_LIMIT: Duration = Duration::from_secs(30);
/// In the order of their start.
const PARTS: [&str; 6] =
    ["libvirtd", "ipmi_sim", "aiosmtpd", "opshawk server", "qemu-system", "prometheus"];

struct Demo {
    process: Process,
    /// All that it makes.
    tmp: LabDir,
    _log: LabDir,
}

impl Demo {
    /// Returns when it is in the middle, with all of its parts.
    async fn start() -> Result<Self> {
        let (tmp, log) = (LabDir::new("demo")?, LabDir::new("log")?);
        let binary = opshawk::binary()?.with_file_name("demo");
        ensure!(binary.is_file(), "{} is not built: make build", binary.display());
        let mut command = Command::new(binary);
        command.env("TMPDIR", tmp.path());
        let process = Process::start("the demo", command, &log.join("out"))?;
        let mut demo = Self { process, tmp, _log: log };
        let all = wait::eventually("all parts of the demo", START_LIMIT, || {
            let seen = demo.process.check().and_then(|()| demo.lives());
            async move {
                let lives = seen?;
                let is_there = |part: &&&str| lives.iter().any(|one| one.command.contains(**part));
                let there: Vec<_> = PARTS.iter().filter(is_there).collect();
                let all = there.len() == PARTS.len();
                Ok(if all { Seen::Yes(lives) } else { Seen::NotYet(format!("{there:?}")) })
            }
        })
        .await?;
        println!("{} processes, in {} mount namespaces", all.len(), namespaces(&all).len());
        ensure!(namespaces(&all).len() > 1, "the host is not in a namespace of its own");
        ensure!(!demo.directories()?.is_empty(), "it makes its directories elsewhere");
        Ok(demo)
    }

    /// What runs and belongs to it.
    fn lives(&self) -> Result<Vec<Alive>> {
        let marked = self.tmp.path().display().to_string();
        let all = all_processes()?;
        let spaces: BTreeSet<_> = all
            .iter()
            .filter(|one| one.mentions(&marked))
            .map(|one| one.namespace.clone())
            .collect();
        let ours = fs::read_link("/proc/self/ns/mnt")?;
        let belongs = |one: &Alive| {
            one.mentions(&marked) || (one.namespace != ours && spaces.contains(&one.namespace))
        };
        Ok(all.into_iter().filter(belongs).collect())
    }

    fn directories(&self) -> Result<Vec<PathBuf>> {
        fs::read_dir(self.tmp.path())?.map(|entry| Ok(entry?.path())).collect()
    }

    /// Nothing runs, and the machine is as it was.
    async fn leaves_nothing(&self, before: &Machine) -> Result<()> {
        wait::eventually("the end of all that it started", END_LIMIT, || async {
            let lives = self.lives()?;
            Ok(if lives.is_empty() { Seen::Yes(()) } else { Seen::NotYet(format!("{lives:#?}")) })
        })
        .await?;
        let directories = self.directories()?;
        ensure!(directories.is_empty(), "left: {directories:?}");
        let after = Machine::look(self.tmp.path())?;
        ensure!(after == *before, "before {before:?}\nafter  {after:?}");
        Ok(())
    }
}

impl Drop for Demo {
    /// What a test found left is left no longer.
    fn drop(&mut self) {
        for one in self.lives().unwrap_or_default() {
            let _ = kill(Pid::from_raw(one.pid), Signal::SIGKILL);
        }
    }
}

/// What is the whole machine's, and the demo must not touch.
#[derive(Debug, PartialEq, Eq)]
struct Machine {
    /// Of the demo's directory, in the machine's own namespace.
    mounts: Vec<String>,
    /// Named network namespaces, and what libvirt keeps where no private directory hides it.
    files: BTreeSet<PathBuf>,
}

impl Machine {
    fn look(tmp: &Path) -> Result<Self> {
        let tmp = tmp.display().to_string();
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let mut files = BTreeSet::new();
        for path in
            ["/run/netns", "/run/libvirt/qemu", "/var/lib/libvirt/qemu", "/etc/libvirt/qemu"]
        {
            for entry in fs::read_dir(path).into_iter().flatten() {
                files.insert(entry?.path());
            }
        }
        let of_demo = mounts.lines().filter(|mount| mount.contains(&tmp)).map(str::to_owned);
        Ok(Self { mounts: of_demo.collect(), files })
    }
}

#[derive(Debug)]
struct Alive {
    pid: i32,
    command: String,
    environment: String,
    namespace: PathBuf,
}

impl Alive {
    fn mentions(&self, text: &str) -> bool {
        self.command.contains(text) || self.environment.contains(text)
    }
}

/// One that has ended and waits to be reaped has neither command line nor namespace.
fn all_processes() -> Result<Vec<Alive>> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let dir = entry?.path();
        let name = dir.file_name().and_then(|name| name.to_str());
        let Some(pid) = name.and_then(|name| name.parse().ok()) else { continue };
        let words = |file: &str| {
            let bytes = fs::read(dir.join(file)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).replace('\0', " ").trim().to_owned()
        };
        let (command, environment) = (words("cmdline"), words("environ"));
        let Ok(namespace) = fs::read_link(dir.join("ns/mnt")) else { continue };
        if !command.is_empty() {
            all.push(Alive { pid, command, environment, namespace });
        }
    }
    Ok(all)
}

fn namespaces(all: &[Alive]) -> BTreeSet<&Path> {
    all.iter().map(|one| one.namespace.as_path()).collect()
}

async fn ended_by(signal: Signal) -> Result<(Option<i32>, String)> {
    let before = Machine::look(Path::new("no demo yet"))?;
    let mut demo = Demo::start().await?;
    match signal {
        // A terminal tells everybody in the foreground.
        Signal::SIGINT => demo.process.signal(signal),
        _ => kill(Pid::from_raw(demo.process.id().cast_signed()), signal)?,
    }
    let status = demo.process.ended(END_LIMIT).await?;
    demo.leaves_nothing(&before).await.with_context(|| demo.process.log())?;
    Ok((status.code(), demo.process.log()))
}

#[tokio::test]
async fn ctrl_c_ends_the_demo_and_cleans_up() -> Result<()> {
    let (code, log) = ended_by(Signal::SIGINT).await?;
    ensure!(code == Some(1) && log.contains("interrupted by Ctrl-C"), "{code:?}: {log}");
    Ok(())
}

#[tokio::test]
async fn a_demo_that_is_terminated_cleans_up() -> Result<()> {
    let (code, log) = ended_by(Signal::SIGTERM).await?;
    ensure!(code == Some(1) && log.contains("interrupted by SIGTERM"), "{code:?}: {log}");
    Ok(())
}

/// Nothing of the demo itself can clean up then: its guard does.
#[tokio::test]
async fn nothing_is_left_of_a_demo_that_was_killed() -> Result<()> {
    let (code, _) = ended_by(Signal::SIGKILL).await?;
    ensure!(code.is_none(), "it ended by itself: {code:?}");
    Ok(())
}
