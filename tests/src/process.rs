//! A child process with its own process group and log file.

use std::{
    fs::File,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use crate::{
    guard,
    wait::{self, Seen},
};

/// How much of a log is shown with an error.
const LOG_TAIL_BYTES: usize = 4096;

pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts the command with its output going to `log`. Its standard input is empty unless the
    /// command says otherwise.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        command.stdin(Stdio::null());
        Self::start_with_stdin(name, command, log)
    }

    pub fn start_with_stdin(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let out = File::options().create(true).append(true).open(log)?;
        let child = command
            .stdout(out.try_clone()?)
            .stderr(out)
            .process_group(0)
            .spawn()
            .with_context(|| format!("{name} can't be started"))?;
        guard::watch_group(child.id());
        Ok(Self { name: name.into(), child, log: log.into(), ended: None })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The child's own end of a pipe to its standard input, if it was asked for.
    pub fn take_stdin(&mut self) -> Option<std::process::ChildStdin> {
        self.child.stdin.take()
    }

    /// `Some` once it has ended.
    pub fn poll(&mut self) -> Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait()?;
        }
        Ok(self.ended)
    }

    /// An error, with the end of the log, if it has ended.
    pub fn check(&mut self) -> Result<()> {
        match self.poll()? {
            None => Ok(()),
            Some(status) => bail!("{} ended ({status}):\n{}", self.name, self.log_tail()),
        }
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    pub fn log_path(&self) -> &Path {
        &self.log
    }

    pub fn log_tail(&self) -> String {
        let log = self.log();
        let mut from = log.len().saturating_sub(LOG_TAIL_BYTES);
        while !log.is_char_boundary(from) {
            from += 1;
        }
        log[from..].to_owned()
    }

    /// Waits until it answers, and fails at once when it ends instead.
    pub async fn ready<F>(&mut self, limit: Duration, mut answers: impl FnMut() -> F) -> Result<()>
    where
        F: Future<Output = bool>,
    {
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            self.check()?;
            if tokio::time::timeout_at(deadline, answers()).await == Ok(true) {
                return Ok(());
            }
            if tokio::time::Instant::now() >= deadline {
                bail!("{} does not answer:\n{}", self.name, self.log_tail());
            }
            tokio::time::sleep(wait::POLL_INTERVAL).await;
        }
    }

    pub fn signal(&self, signal: Signal) {
        if self.ended.is_none() {
            // Its group, which is its own: whatever it started goes too.
            let _ = killpg(Pid::from_raw(self.child.id().cast_signed()), signal);
        }
    }

    /// SIGKILL to it and all of its group; returns when it is gone.
    pub fn kill9(&mut self) {
        self.signal(Signal::SIGKILL);
        if self.ended.is_none() {
            self.ended = self.child.wait().ok();
        }
        guard::forget_group(self.child.id());
    }

    /// SIGTERM, and what it ended with.
    pub async fn terminate(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.signal(Signal::SIGTERM);
        self.ended(limit).await
    }

    /// What it ended with.
    pub async fn ended(&mut self, limit: Duration) -> Result<ExitStatus> {
        let name = self.name.clone();
        let status = wait::eventually(&format!("the end of {name}"), limit, || {
            let seen = self.poll();
            async move {
                Ok(match seen? {
                    Some(status) => Seen::Yes(status),
                    None => Seen::NotYet("it runs".into()),
                })
            }
        })
        .await?;
        guard::forget_group(self.child.id());
        Ok(status)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// Runs a command to its end; its output, or an error with what it printed.
pub fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?} can't be started"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!(
            "{command:?} failed ({}):\n{text}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(text)
}
