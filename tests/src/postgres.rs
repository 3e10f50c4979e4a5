//! PostgreSQL in a directory of its own, with collation C.

use std::{
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use crate::{
    dir::{LabDir, free_port},
    process::{Process, run},
    wait,
};

/// A killed server's data survives these; only a power failure does not.
const FAST: [&str; 2] = ["fsync=off", "full_page_writes=off"];
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(5);

pub struct Postgres {
    process: Process,
    dir: LabDir,
    port: u16,
}

/// PostgreSQL refuses to run as root.
fn as_postgres(program: &str) -> Result<Command> {
    let versions = PathBuf::from("/usr/lib/postgresql");
    let mut found: Vec<PathBuf> = std::fs::read_dir(&versions)
        .context("PostgreSQL is not installed")?
        .filter_map(|entry| Some(entry.ok()?.path().join("bin").join(program)))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
        .arg(found.pop().with_context(|| format!("{program} is not installed"))?);
    Ok(command)
}

impl Postgres {
    pub async fn start() -> Result<Self> {
        Self::start_with(&FAST).await
    }

    /// One that syncs each commit to the disk, as where money is: for measurements.
    pub async fn durable() -> Result<Self> {
        Self::start_with(&[]).await
    }

    async fn start_with(settings: &[&str]) -> Result<Self> {
        let dir = LabDir::new("pg")?;
        run(Command::new("chown").arg("postgres").arg(dir.path()))?;
        let data = dir.join("data");
        run(as_postgres("initdb")?
            .current_dir(dir.path())
            .args(["--auth=trust", "--username=postgres", "--locale=C", "--encoding=UTF8"])
            .args(["--no-sync", "--pgdata"])
            .arg(&data))?;
        let port = free_port()?;
        let mut server = Self { process: Self::spawn(&dir, port, settings)?, dir, port };
        server.answers().await?;
        Ok(server)
    }

    fn spawn(dir: &LabDir, port: u16, settings: &[&str]) -> Result<Process> {
        let mut command = as_postgres("postgres")?;
        command.current_dir(dir.path()).arg("-D").arg(dir.join("data"));
        for setting in [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            format!("unix_socket_directories={}", dir.path().display()),
            "max_connections=400".to_owned(),
            // In its directory, and not in /dev/shm, where it would outlive a killed server.
            "dynamic_shared_memory_type=mmap".to_owned(),
        ] {
            command.arg("-c").arg(setting);
        }
        for setting in settings {
            command.arg("-c").arg(setting);
        }
        Process::start("PostgreSQL", command, &dir.join("postgres.log"))
    }

    async fn answers(&mut self) -> Result<()> {
        let port = self.port.to_string();
        self.process
            .ready(START_LIMIT, || async {
                run(as_postgres("pg_isready").unwrap_or_else(|_| Command::new("false")).args([
                    "-q",
                    "-h",
                    "127.0.0.1",
                    "-p",
                    &port,
                ]))
                .is_ok()
            })
            .await
    }

    /// Without a database's name.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}", self.port)
    }

    /// Makes a database; its URL.
    pub fn database(&self, name: &str) -> Result<String> {
        create_database(&self.url(), name)
    }

    pub fn log(&self) -> String {
        self.process.log()
    }

    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }
}

impl Drop for Postgres {
    /// At once, but by itself, so that it takes its shared memory with it.
    fn drop(&mut self) {
        self.process.signal(Signal::SIGQUIT);
        let deadline = Instant::now() + STOP_LIMIT;
        while matches!(self.process.poll(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(wait::POLL_INTERVAL);
        }
    }
}

/// Makes a database on a server; its URL. It must not exist.
pub fn create_database(server: &str, name: &str) -> Result<String> {
    let sql = format!("CREATE DATABASE {name} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'");
    run(Command::new("psql").arg(format!("{server}/postgres")).args(["-qXc", &sql]))?;
    Ok(format!("{server}/{name}"))
}
