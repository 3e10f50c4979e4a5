//! A mail server: `aiosmtpd`, which keeps each message as a file of a maildir.

use std::{process::Command, time::Duration};

use anyhow::Result;
use tokio::net::TcpStream;

use crate::{
    dir::{LabDir, free_port},
    process::Process,
    wait::{self, Seen},
};

const START_LIMIT: Duration = Duration::from_secs(20);

pub struct MailServer {
    process: Process,
    dir: LabDir,
    port: u16,
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
        let dir = LabDir::new("mail")?;
        let port = free_port()?;
        let mut server = Self { process: Self::spawn(&dir, port)?, dir, port };
        server.answers().await?;
        Ok(server)
    }

    fn spawn(dir: &LabDir, port: u16) -> Result<Process> {
        let mut command = Command::new("/usr/bin/python3");
        command
            .args(["-m", "aiosmtpd", "-n", "-l", &format!("127.0.0.1:{port}")])
            .args(["-c", "aiosmtpd.handlers.Mailbox"])
            .arg(dir.join("mail"));
        Process::start("aiosmtpd", command, &dir.join("aiosmtpd.log"))
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
        self.process = Self::spawn(&self.dir, self.port)?;
        self.answers().await
    }

    /// What was taken so far, oldest first.
    pub fn mails(&self) -> Result<Vec<Mail>> {
        let mut read = Command::new("/usr/bin/python3");
        let lines = crate::process::run(read.args(["-c", READ]).arg(self.dir.join("mail")))?;
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
