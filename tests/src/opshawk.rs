//! The program under test, as a process: the binary that cargo built beside this one.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Output, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    api::{Api, http_client},
    dir::{LabDir, free_port},
    process::Process,
};

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// The `opshawk` binary of this build.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("OPSHAWK_BIN") {
        return Ok(path.into());
    }
    // Tests lie in target/PROFILE/deps, binaries in target/PROFILE.
    let here = std::env::current_exe()?;
    let dirs = here.ancestors().skip(1).take(2);
    let found = dirs.map(|dir| dir.join("opshawk")).find(|path| path.is_file());
    found.context("the opshawk binary is not built: cargo build -p opshawk")
}

/// It, without what the tests' own environment says: `OPSHAWK_*` is the program's configuration.
pub fn command() -> Result<Command> {
    let mut command = Command::new(binary()?);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("OPSHAWK_") {
            command.env_remove(name);
        }
    }
    Ok(command)
}

/// What the lab's configuration file says beyond addresses and directories.
#[derive(Default, Clone)]
pub struct Settings {
    /// None: SQLite in the data directory.
    pub database: Option<String>,
    /// None: no agent inside.
    pub libvirt_uri: Option<String>,
    pub smtp: Option<Smtp>,
    pub webhook_url: Option<String>,
    /// More TOML; sections that are named above must not be repeated.
    pub more: String,
    /// Variables of the server's environment.
    pub environment: Vec<(String, String)>,
}

/// How the server reaches a mail server of 127.0.0.1.
#[derive(Clone)]
pub struct Smtp {
    pub port: u16,
    /// As in the configuration: `none`, `starttls` or `tls`.
    pub tls: &'static str,
    /// User and password.
    pub login: Option<(String, String)>,
}

/// A server, running or killed.
pub struct Opshawk {
    process: Process,
    config: PathBuf,
    environment: Vec<(String, String)>,
    dir: LabDir,
    port: u16,
}

/// Where the story's mails go to.
pub const OPERATOR_MAIL: &str = "operator@example.com";
pub const WEBHOOK_SECRET: &str = "lab-webhook-secret";

impl Settings {
    fn to_toml(&self, dir: &Path, port: u16) -> String {
        let mut text = format!(
            "listen = \"127.0.0.1:{port}\"\n\
             public_url = \"http://127.0.0.1:{port}\"\n\
             data_dir = \"{}\"\n",
            dir.join("data").display()
        );
        if let Some(database) = &self.database {
            text += &format!("database = \"{database}\"\n");
        }
        match &self.libvirt_uri {
            Some(uri) => {
                text += &format!(
                    "[agent]\nenabled = true\nlibvirt_uri = \"{uri}\"\nname = \"host-a\"\n\
                     collect_interval_s = 1\n"
                );
            }
            None => text += "[agent]\nenabled = false\n",
        }
        text += "[bmc]\ncollect_interval_s = 2\n";
        text += "[alerting]\nevaluation_interval_s = 1\ngroup_wait_s = 1\ngroup_interval_s = 1\n";
        if let Some(Smtp { port, tls, login }) = &self.smtp {
            text += &format!(
                "[smtp]\nhost = \"127.0.0.1\"\nport = {port}\nfrom = \"opshawk@example.com\"\n\
                 tls = \"{tls}\"\n"
            );
            if let Some((user, password)) = login {
                text += &format!("user = \"{user}\"\npassword = \"{password}\"\n");
            }
        }
        text += "[notify]\n";
        if self.smtp.is_some() {
            text += &format!("operator_mail = [\"{OPERATOR_MAIL}\"]\n");
        }
        if let Some(url) = &self.webhook_url {
            text += &format!("webhook_urls = [\"{url}\"]\nwebhook_secret = \"{WEBHOOK_SECRET}\"\n");
        }
        text + &self.more
    }
}

impl Opshawk {
    pub async fn start(settings: &Settings) -> Result<Self> {
        let dir = LabDir::new("server")?;
        let port = free_port()?;
        let config = dir.write("opshawk.toml", &settings.to_toml(dir.path(), port))?;
        let environment = settings.environment.clone();
        let process = Self::spawn(&dir, &config, &environment)?;
        let mut server = Self { process, config, environment, dir, port };
        server.ready().await?;
        Ok(server)
    }

    fn spawn(dir: &LabDir, config: &Path, environment: &[(String, String)]) -> Result<Process> {
        let mut command = command()?;
        command.envs(environment.iter().cloned());
        command.arg("server").arg("--config").arg(config).current_dir(dir.path());
        Process::start("opshawk server", command, &dir.join("opshawk.out"))
    }

    /// Waits for `/readyz`.
    pub async fn ready(&mut self) -> Result<()> {
        let url = format!("{}/readyz", self.url());
        let client = http_client();
        self.process
            .ready(START_LIMIT, || async {
                client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success())
            })
            .await
    }

    /// SIGKILL; returns when it is gone.
    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    /// SIGTERM; it drains and ends well.
    pub async fn stop(&mut self) -> Result<ExitStatus> {
        self.process.terminate(STOP_LIMIT).await
    }

    /// Starts it again on the same directory and port, after [`Self::kill9`] or [`Self::stop`].
    pub async fn start_again(&mut self) -> Result<()> {
        ensure!(self.process.poll()?.is_some(), "the server still runs");
        self.process = Self::spawn(&self.dir, &self.config, &self.environment)?;
        self.ready().await
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
    pub fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }
    pub fn config(&self) -> &Path {
        &self.config
    }
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
    pub fn log(&self) -> String {
        self.process.log()
    }
    pub fn log_tail(&self) -> String {
        self.process.log_tail()
    }
    pub fn check(&mut self) -> Result<()> {
        self.process.check()
    }

    /// A caller with a new operator's token, made as an operator on the machine would.
    pub fn operator(&self) -> Result<Api> {
        let token = run_cli(&["token", "create", "--config", &self.config.display().to_string()])?;
        Ok(Api::new(&self.url(), Some(token.trim())))
    }

    /// The program as a client of this server, with the caller's token, and this on its stdin;
    /// what it printed.
    pub async fn cli(&self, api: &Api, args: &[&str], stdin: &str) -> Result<String> {
        let mut command = client(api)?;
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let stdin = stdin.to_owned();
        // Away from what the lab's own servers run on, for they are asked meanwhile.
        let ended = tokio::task::spawn_blocking(move || -> Result<Output> {
            let mut child = command.spawn()?;
            let mut pipe = child.stdin.take().context("the child has a stdin")?;
            // One that doesn't read it may be gone already.
            let _ = pipe.write_all(stdin.as_bytes());
            drop(pipe);
            Ok(child.wait_with_output()?)
        });
        finished(args, ended.await??)
    }
}

/// `opshawk`, told the server and the token by its environment.
pub fn client(api: &Api) -> Result<Command> {
    let mut command = command()?;
    command.env("OPSHAWK_URL", api.base()).stdin(Stdio::null());
    if let Some(token) = api.token() {
        command.env("OPSHAWK_TOKEN", token);
    }
    Ok(command)
}

/// Runs `opshawk ARGS`; what it printed, or an error with all of it.
pub fn run_cli(args: &[&str]) -> Result<String> {
    let output = command()?.args(args).stdin(Stdio::null()).output()?;
    finished(args, output)
}

fn finished(args: &[&str], output: Output) -> Result<String> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!(
            "opshawk {} ended with {}:\n{text}{}",
            args.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(text)
}
