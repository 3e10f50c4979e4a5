//! What an operator sets: intervals, who is told, and through what.

use std::{collections::BTreeMap, path::PathBuf};

use base::{Error, Result};
use serde::Deserialize;

/// The defaults are Alertmanager's, except that an alert is grouped by its name.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Of groups that name none.
    pub evaluation_interval_ms: i64,
    /// Files of rules: each start makes their groups what the files say.
    pub rule_files: Vec<PathBuf>,
    /// How long a new group of alerts waits for more of its kind.
    pub group_wait_ms: i64,
    /// How long a group waits before it tells of a change.
    pub group_interval_ms: i64,
    /// After how long a firing group that did not change is told again.
    pub resend_interval_ms: i64,
    pub send_resolved: bool,
    /// The labels whose values make a group.
    pub group_by: Vec<String>,
    /// Where people reach OpsHawk: the links in mails and payloads.
    pub public_url: String,
    pub smtp: Option<Smtp>,
    /// Mail addresses that get every alert and notice.
    pub operator_mail: Vec<String>,
    /// Receivers that get every alert and notice as JSON.
    pub webhook_urls: Vec<String>,
    /// Signs what webhooks get.
    pub webhook_secret: Option<Secret>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            evaluation_interval_ms: 15_000,
            rule_files: Vec::new(),
            group_wait_ms: 10_000,
            group_interval_ms: 60_000,
            resend_interval_ms: 4 * 3_600_000,
            send_resolved: true,
            group_by: vec!["alertname".to_owned()],
            public_url: "http://127.0.0.1:8420".to_owned(),
            smtp: None,
            operator_mail: Vec::new(),
            webhook_urls: Vec::new(),
            webhook_secret: None,
        }
    }
}

impl Settings {
    /// Names the key that is wrong.
    pub fn check(&self) -> Result<()> {
        for (key, value) in [
            ("alerting.evaluation_interval_s", self.evaluation_interval_ms),
            ("alerting.group_interval_s", self.group_interval_ms),
            ("alerting.resend_interval_s", self.resend_interval_ms),
        ] {
            if value <= 0 {
                return Err(Error::invalid(key, format!("{key} must be above zero")));
            }
        }
        if self.group_wait_ms < 0 {
            let key = "alerting.group_wait_s";
            return Err(Error::invalid(key, format!("{key} must not be negative")));
        }
        for address in &self.operator_mail {
            address.parse::<lettre::Address>().map_err(|e| {
                let key = "notify.operator_mail";
                Error::invalid(key, format!("{key}: '{address}' is no mail address: {e}"))
            })?;
        }
        if let Some(smtp) = &self.smtp {
            smtp.from.parse::<lettre::message::Mailbox>().map_err(|e| {
                Error::invalid("smtp.from", format!("smtp.from: '{}': {e}", smtp.from))
            })?;
        }
        self.webhooks().map(|_| ())
    }

    /// The webhooks by the names under which deliveries know them.
    pub(crate) fn webhooks(&self) -> Result<BTreeMap<String, reqwest::Url>> {
        let key = "notify.webhook_urls";
        let named = |text: &String| {
            let url = reqwest::Url::parse(text)
                .map_err(|e| Error::invalid(key, format!("{key}: '{text}' is no URL: {e}")))?;
            if !matches!(url.scheme(), "http" | "https") {
                let message = format!("{key}: '{text}' must begin with http:// or https://");
                return Err(Error::invalid(key, message));
            }
            Ok((webhook_name(&url), url))
        };
        self.webhook_urls.iter().map(named).collect()
    }
}

/// Scheme, host and port, and enough of a hash to tell two webhooks of one host apart: a webhook's
/// path or query is often its secret, and has no business in a database or a list.
fn webhook_name(url: &reqwest::Url) -> String {
    let origin = url.origin().ascii_serialization();
    format!("{origin}/#{}", &base::secret::sha256_hex(url.as_str())[..8])
}

#[derive(Debug, Clone)]
pub struct Smtp {
    pub host: String,
    pub port: u16,
    /// The sender, `a@b` or `Name <a@b>`.
    pub from: String,
    pub tls: Tls,
    pub login: Option<(String, Secret)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    #[default]
    None,
    /// Plain text first, then STARTTLS, or no mail is sent.
    Starttls,
    /// TLS from the first byte (port 465).
    Tls,
}

/// Text that is never printed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}
