//! A mail server: `aiosmtpd`, which keeps each message as a file of a maildir. As it is started by
//! itself it takes any mail in plain text; [`MailServer::start_secured`] wants TLS and a login.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::Result;
use tokio::net::TcpStream;

use crate::{
    dir::{LabDir, free_port},
    opshawk::Smtp,
    process::{Process, run},
    wait::{self, Seen},
};

const START_LIMIT: Duration = Duration::from_secs(20);
/// What [`MailServer::start_secured`] wants.
pub const USER: &str = "opshawk";
pub const PASSWORD: &str = "mail-secret-word";

pub struct MailServer {
    process: Process,
    dir: LabDir,
    port: u16,
    tls: Tls,
}

/// When TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    Never,
    /// After STARTTLS, without which nothing is taken.
    Starttls,
    /// With the connection.
    Always,
}

/// A message as it came, and its header fields decoded.
#[derive(Debug, Clone)]
pub struct Mail {
    pub from: String,
    pub to: String,
    pub subject: String,
    /// The decoded text parts.
    pub text: String,
}

/// Python's own mail package decodes; a line of JSON a message.
const READ: &str = r#"
import email, email.policy, json, os, sys
folder = os.path.join(sys.argv[1], "new")
for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
    with open(os.path.join(folder, name), "rb") as file:
        mail = email.message_from_binary_file(file, policy=email.policy.default)
    text = "\n".join(p.get_content() for p in mail.walk() if p.get_content_maintype() == "text")
    print(json.dumps([str(mail["from"]), str(mail["to"]), str(mail["subject"]), text]))
"#;

impl MailServer {
    pub async fn start() -> Result<Self> {
        Self::start_with(LabDir::new("mail")?, Tls::Never).await
    }

    /// Takes mails from [`USER`] alone, by TLS with a certificate of its own making, which only
    /// [`Self::certificate`] vouches for.
    pub async fn start_secured(tls: Tls) -> Result<Self> {
        let dir = LabDir::new("mail")?;
        make_certificate(dir.path())?;
        Self::start_with(dir, tls).await
    }

    async fn start_with(dir: LabDir, tls: Tls) -> Result<Self> {
        let port = free_port()?;
        let mut server = Self { process: Self::spawn(&dir, port, tls)?, dir, port, tls };
        server.answers().await?;
        Ok(server)
    }

    fn spawn(dir: &LabDir, port: u16, tls: Tls) -> Result<Process> {
        let mut command = Command::new("/usr/bin/python3");
        match tls {
            Tls::Never => command
                .args(["-m", "aiosmtpd", "-n", "-l", &format!("127.0.0.1:{port}")])
                .args(["-c", "aiosmtpd.handlers.Mailbox"])
                .arg(dir.join("mail")),
            Tls::Starttls | Tls::Always => command
                .arg(dir.write("secured.py", include_str!("mail/secured.py"))?)
                .arg(dir.path())
                .args([&port.to_string(), as_configured(tls), USER, PASSWORD]),
        };
        Process::start("aiosmtpd", command, &dir.join("aiosmtpd.log"))
    }

    /// For the server's configuration.
    pub fn smtp(&self) -> Smtp {
        let login = (self.tls != Tls::Never).then(|| (USER.to_owned(), PASSWORD.to_owned()));
        Smtp { port: self.port, tls: as_configured(self.tls), login }
    }

    /// In PEM; its own authority.
    pub fn certificate(&self) -> PathBuf {
        self.dir.join("cert.pem")
    }

    async fn answers(&mut self) -> Result<()> {
        let port = self.port;
        self.process
            .ready(START_LIMIT, || async { TcpStream::connect(("127.0.0.1", port)).await.is_ok() })
            .await
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// It takes nothing until [`Self::restart`].
    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    pub async fn restart(&mut self) -> Result<()> {
        self.process = Self::spawn(&self.dir, self.port, self.tls)?;
        self.answers().await
    }

    /// What was taken so far, oldest first.
    pub fn mails(&self) -> Result<Vec<Mail>> {
        let mut read = Command::new("/usr/bin/python3");
        let lines = run(read.args(["-c", READ]).arg(self.dir.join("mail")))?;
        lines
            .lines()
            .map(|line| {
                let (from, to, subject, text) = serde_json::from_str(line)?;
                Ok(Mail { from, to, subject, text })
            })
            .collect()
    }

    /// The first message for which it holds.
    pub async fn mail(
        &self,
        what: &str,
        limit: Duration,
        holds: impl Fn(&Mail) -> bool,
    ) -> Result<Mail> {
        wait::eventually(&format!("a mail: {what}"), limit, || async {
            let mails = self.mails()?;
            Ok(match mails.iter().find(|mail| holds(mail)) {
                Some(mail) => Seen::Yes(mail.clone()),
                None => Seen::NotYet(format!(
                    "{:?}",
                    mails.iter().map(|mail| mail.subject.as_str()).collect::<Vec<_>>()
                )),
            })
        })
        .await
    }
}

fn as_configured(tls: Tls) -> &'static str {
    match tls {
        Tls::Never => "none",
        Tls::Starttls => "starttls",
        Tls::Always => "tls",
    }
}

/// `cert.pem` and `key.pem`, for 127.0.0.1. Nobody but itself vouches for it.
fn make_certificate(dir: &Path) -> Result<()> {
    let name = dir.file_name().unwrap_or_default().display();
    run(Command::new("openssl")
        .current_dir(dir)
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-subj", &format!("/CN={name}")])
        .args(["-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", "key.pem", "-out", "cert.pem"]))?;
    Ok(())
}
