//! A real SMTP server: Python's aiosmtpd, which keeps what it takes in a maildir. Mails are read
//! back by Python's own parser, so that our encoding is judged by another's decoding.

use std::process::Stdio;

use serde_json::Value;
use tokio::process::{Child, Command};

use crate::{
    settings::{Smtp, Tls},
    testing::eventually,
};

const PYTHON: &str = "/usr/bin/python3";

const READ: &str = r#"
import email, email.policy, json, mailbox, sys
box = mailbox.Maildir(sys.argv[1], create=False)
mails = []
for key in sorted(box.keys()):
    mail = email.message_from_bytes(box.get_bytes(key), policy=email.policy.default)
    headers = {name.lower(): str(value) for name, value in mail.items()}
    headers["body"] = mail.get_content().replace("\r\n", "\n")
    mails.append(headers)
print(json.dumps(mails))
"#;

pub struct MailServer {
    port: u16,
    dir: tempfile::TempDir,
    _child: Child,
}

pub fn settings(port: u16) -> Smtp {
    Smtp {
        host: "127.0.0.1".to_owned(),
        port,
        from: "OpsHawk <noreply@opshawk.example>".to_owned(),
        tls: Tls::None,
        login: None,
    }
}

impl MailServer {
    pub async fn start() -> Self {
        Self::start_on(super::http::free_port().await).await
    }

    pub async fn start_on(port: u16) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let child = Command::new(PYTHON)
            .args(["-m", "aiosmtpd", "-n", "-l", &format!("127.0.0.1:{port}")])
            .args(["-c", "aiosmtpd.handlers.Mailbox"])
            .arg(dir.path().join("mail"))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("python3-aiosmtpd is installed");
        eventually("the mail server listens", async || {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()
        })
        .await;
        Self { port, dir, _child: child }
    }

    pub fn settings(&self) -> Smtp {
        settings(self.port)
    }

    /// All mails, once there are so many.
    pub async fn mails(&self, count: usize) -> Vec<Value> {
        eventually("mails", async || {
            let output = Command::new(PYTHON)
                .args(["-c", READ])
                .arg(self.dir.path().join("mail"))
                .output()
                .await
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let mails: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
            (mails.len() >= count).then_some(mails)
        })
        .await
    }
}
