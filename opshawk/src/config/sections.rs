//! The sections of `opshawk.toml`. Seconds end in `_s`, milliseconds in `_ms`.

use std::path::PathBuf;

use alerting::settings::{Secret, Tls};
use billing::{
    settings::{Guard, Mode},
    standing::Standing,
    usage::gaps::GapPolicy,
};
use serde::Deserialize;

use super::ms;

/// The agent inside the server, for its own machine.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Agent {
    pub enabled: bool,
    pub libvirt_uri: String,
    /// The host's name; the machine's where not set.
    pub name: Option<String>,
    pub collect_interval_s: u32,
    /// How often what guests' interfaces have counted is told to billing.
    pub traffic_interval_s: u32,
    /// Gives each guest a screen, from its next start on.
    pub screens: bool,
    /// Where instances' disks are; in the data directory where not set.
    pub instances_dir: Option<PathBuf>,
}

impl Default for Agent {
    fn default() -> Self {
        Self {
            enabled: true,
            libvirt_uri: "qemu:///system".to_owned(),
            name: None,
            collect_interval_s: 15,
            traffic_interval_s: 300,
            screens: true,
            instances_dir: None,
        }
    }
}

/// Reading the servers' BMCs.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bmc {
    pub collect_interval_s: u32,
}

impl Default for Bmc {
    fn default() -> Self {
        Self { collect_interval_s: 30 }
    }
}

/// When rules are evaluated, and how alerts are grouped.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Alerting {
    pub evaluation_interval_s: u32,
    /// Prometheus rule files, read at the start.
    pub rule_files: Vec<PathBuf>,
    pub group_wait_s: u32,
    pub group_interval_s: u32,
    pub resend_interval_s: u32,
}

impl Default for Alerting {
    fn default() -> Self {
        Self {
            evaluation_interval_s: 15,
            rule_files: Vec::new(),
            group_wait_s: 10,
            group_interval_s: 60,
            resend_interval_s: 4 * 3600,
        }
    }
}

/// The mail server that takes OpsHawk's mails.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    pub host: String,
    #[serde(default = "smtp_port")]
    pub port: u16,
    /// The sender.
    pub from: String,
    #[serde(default)]
    pub tls: Tls,
    pub user: Option<String>,
    pub password: Option<Secret>,
}

fn smtp_port() -> u16 {
    25
}

impl Smtp {
    /// What the types can't say of a login.
    pub(super) fn check(&self) -> Result<(), String> {
        match (&self.user, &self.password) {
            (Some(_), None) => return Err("smtp.user needs smtp.password as well".to_owned()),
            (None, Some(_)) => return Err("smtp.password needs smtp.user as well".to_owned()),
            (None, None) => return Ok(()),
            (Some(_), Some(_)) => {}
        }
        let here = self.host == "localhost"
            || self.host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if self.tls == Tls::None && !here {
            return Err(format!(
                "smtp.tls = \"none\" would send smtp.password in clear to {}; write \"starttls\" \
                 or \"tls\"",
                self.host
            ));
        }
        Ok(())
    }

    pub(super) fn settings(&self) -> alerting::settings::Smtp {
        alerting::settings::Smtp {
            host: self.host.clone(),
            port: self.port,
            from: self.from.clone(),
            tls: self.tls,
            login: self.user.clone().zip(self.password.clone()),
        }
    }
}

/// Who is told, beside a tenant's own users.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Notify {
    pub operator_mail: Vec<String>,
    pub webhook_urls: Vec<String>,
    /// Signs what webhooks get.
    pub webhook_secret: Option<Secret>,
}

/// Money's delays.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Billing {
    pub min_runway_s: u32,
    /// How long before a balance runs out its tenant is warned.
    pub warnings_s: Vec<u32>,
    pub grace_s: u32,
    pub suspend_to_stop_s: u32,
    pub stop_to_notice_s: u32,
    pub notice_to_reclaim_s: u32,
    /// No tenant goes further than this by itself.
    pub furthest: Standing,
    pub mode: Mode,
    pub guard: Guard,
    /// How long a guest may take to follow ACPI before it is stopped hard.
    pub stop_grace_ms: u32,
    /// IANA name.
    pub timezone: String,
    /// From a month's end to its closing.
    pub close_grace_s: u32,
    /// What is charged where facts are lost.
    pub gap_policy: GapPolicy,
    /// Where instances run, as prices select by it.
    pub region: Option<String>,
    /// Tenants' balances, burn and standing as series in the store, for alert rules.
    pub samples: bool,
    pub invoice: billing::invoice::Settings,
}

impl Default for Billing {
    fn default() -> Self {
        const DAY_S: u32 = 24 * 3600;
        Self {
            min_runway_s: 3600,
            warnings_s: vec![7 * DAY_S, 3 * DAY_S, DAY_S, 3600],
            grace_s: 2 * 3600,
            suspend_to_stop_s: DAY_S,
            stop_to_notice_s: 7 * DAY_S,
            notice_to_reclaim_s: 7 * DAY_S,
            furthest: Standing::Stopped,
            mode: Mode::Enforce,
            guard: Guard::default(),
            stop_grace_ms: 30_000,
            timezone: "Asia/Shanghai".to_owned(),
            close_grace_s: 72 * 3600,
            gap_policy: GapPolicy::default(),
            region: None,
            samples: true,
            invoice: billing::invoice::Settings::default(),
        }
    }
}

impl Billing {
    pub fn settings(&self) -> billing::Settings {
        billing::Settings {
            min_runway_ms: ms(self.min_runway_s),
            warnings_ms: self.warnings_s.iter().map(|s| ms(*s)).collect(),
            grace_ms: ms(self.grace_s),
            suspend_to_stop_ms: ms(self.suspend_to_stop_s),
            stop_to_notice_ms: ms(self.stop_to_notice_s),
            notice_to_reclaim_ms: ms(self.notice_to_reclaim_s),
            furthest: self.furthest,
            mode: self.mode,
            guard: self.guard,
            timezone: self.timezone.clone(),
            close_grace_ms: ms(self.close_grace_s),
            gap_policy: self.gap_policy,
            region: self.region.clone(),
            invoice: self.invoice.clone(),
        }
    }
}
