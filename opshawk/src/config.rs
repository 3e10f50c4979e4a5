//! What an operator sets: `opshawk.toml`, then `OPSHAWK_*` variables, then flags, in rising order.
//!
//! One typed struct a concern; all of it is read at the start, and a change takes a restart. An
//! error names the file or variable, the key and the type it wants.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::Deserialize;

mod load;
mod quotas;
mod samples;
mod sections;

pub use load::{ConfigError, Flags, load};
pub use quotas::Quotas;
pub use samples::{LogSync, Query, Samples, TenantSamples};
pub use sections::{Agent, Alerting, Billing, Bmc, Notify, Smtp};

pub const DEFAULT_FILE: &str = "/etc/opshawk/opshawk.toml";
pub const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8420);
pub const DEFAULT_DATA_DIR: &str = "/var/lib/opshawk";

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    /// `postgres://…`; without it, SQLite in the data directory.
    pub database: Option<String>,
    /// A metrics engine that runs elsewhere, see [`timeseries::outside`]; without it, the embedded
    /// store in the data directory.
    pub metrics: Option<String>,
    /// Serve plain HTTP beyond loopback.
    pub insecure: bool,
    /// Where people reach the server; from `listen` where not set.
    pub public_url: Option<String>,
    pub samples: Samples,
    pub query: Query,
    pub agent: Agent,
    pub bmc: Bmc,
    pub alerting: Alerting,
    pub smtp: Option<Smtp>,
    pub notify: Notify,
    pub billing: Billing,
    pub quotas: Quotas,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: DEFAULT_LISTEN,
            data_dir: PathBuf::from(DEFAULT_DATA_DIR),
            database: None,
            metrics: None,
            insecure: false,
            public_url: None,
            samples: Samples::default(),
            query: Query::default(),
            agent: Agent::default(),
            bmc: Bmc::default(),
            alerting: Alerting::default(),
            smtp: None,
            notify: Notify::default(),
            billing: Billing::default(),
            quotas: Quotas::default(),
        }
    }
}

impl Config {
    pub fn public_url(&self) -> String {
        let own = || format!("http://{}", self.listen);
        self.public_url.clone().unwrap_or_else(own).trim_end_matches('/').to_owned()
    }

    /// Whether people reach it over HTTPS, by a proxy in front.
    pub fn is_https(&self) -> bool {
        self.public_url().starts_with("https://")
    }

    pub fn database_url(&self) -> String {
        self.database.clone().unwrap_or_else(|| sqlite_url(&self.data_dir))
    }

    /// Where the samples are, if not in the data directory.
    pub fn metrics_engine(&self) -> Result<Option<timeseries::outside::Address>, ConfigError> {
        let parsed = self.metrics.as_deref().map(str::parse).transpose();
        parsed.map_err(|error: timeseries::Error| ConfigError::new(format!("metrics: {error}")))
    }

    /// What the types can't say.
    fn check(&self) -> Result<(), ConfigError> {
        self.metrics_engine()?;
        self.samples.check().map_err(ConfigError::new)?;
        self.query.check().map_err(ConfigError::new)?;
        if let Some(smtp) = &self.smtp {
            smtp.check().map_err(ConfigError::new)?;
        }
        if !self.listen.ip().is_loopback() && !self.insecure {
            return Err(ConfigError::new(format!(
                "listen: {} is beyond loopback, and OpsHawk speaks plain HTTP (listen on \
                 127.0.0.1 behind a proxy that speaks HTTPS, or accept it with --insecure)",
                self.listen
            )));
        }
        if let Some(url) = &self.public_url {
            let known = url.starts_with("http://") || url.starts_with("https://");
            if !known || reqwest::Url::parse(url).is_err() {
                return Err(ConfigError::new(format!(
                    "public_url: '{url}' is no URL (write it as https://cloud.example.com)"
                )));
            }
        }
        for (key, value) in [
            ("agent.collect_interval_s", self.agent.collect_interval_s),
            ("agent.traffic_interval_s", self.agent.traffic_interval_s),
            ("bmc.collect_interval_s", self.bmc.collect_interval_s),
        ] {
            if value == 0 {
                return Err(ConfigError::new(format!("{key} must be above zero")));
            }
        }
        let domain = |error: base::Error| {
            let text = error.to_string();
            // Whatever the domain says of the value, the key is to be found.
            ConfigError::new(match error.field {
                Some(key) if !text.contains(&key) => format!("{key}: {text}"),
                _ => text,
            })
        };
        self.billing.settings().validate().map_err(domain)?;
        alerting_settings(self).check().map_err(domain)
    }
}

/// The embedded database of a data directory.
pub fn sqlite_url(data_dir: &Path) -> String {
    base::db::Db::sqlite_url(&data_dir.join("opshawk.db"))
}

/// What alerting takes from four sections.
pub fn alerting_settings(config: &Config) -> alerting::Settings {
    alerting::Settings {
        evaluation_interval_ms: ms(config.alerting.evaluation_interval_s),
        rule_files: config.alerting.rule_files.clone(),
        group_wait_ms: ms(config.alerting.group_wait_s),
        group_interval_ms: ms(config.alerting.group_interval_s),
        resend_interval_ms: ms(config.alerting.resend_interval_s),
        public_url: config.public_url(),
        smtp: config.smtp.as_ref().map(Smtp::settings),
        operator_mail: config.notify.operator_mail.clone(),
        webhook_urls: config.notify.webhook_urls.clone(),
        webhook_secret: config.notify.webhook_secret.clone(),
        ..alerting::Settings::default()
    }
}

fn ms(seconds: u32) -> i64 {
    i64::from(seconds) * 1000
}

#[cfg(test)]
mod tests;
