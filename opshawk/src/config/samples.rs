//! The sections of the time-series store and of the queries over it.

use std::{collections::BTreeMap, time::Duration};

use base::id::TenantId;
use serde::{Deserialize, Deserializer, de};
use timeseries::{EngineOptions, Options};

const DAY_S: u64 = 24 * 3600;
const MIB: usize = 1 << 20;

/// What keeps times and sizes apart from slips of the pen.
const RETENTION_MAX_DAYS: u32 = 36_500;
const RETENTION_MIN_MIB: u64 = 64;
const LOG_SYNC_MAX_MS: u64 = 60_000;
/// A body is held in memory, and its places are 32 bits wide.
const BODY_MAX_MIB: u32 = 1024;

/// The embedded store. With an engine elsewhere (`metrics`) only the bounds of a body hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Samples {
    pub retention_days: u32,
    /// Beyond so much of blocks the oldest go.
    pub retention_mib: Option<u64>,
    pub log_sync: LogSync,
    pub out_of_order_window_s: u32,
    pub max_active_series: u32,
    /// Of one tenant.
    pub max_tenant_series: u32,
    /// Of remote write, as it comes and after decompression.
    pub max_body_mib: u32,
    pub max_decoded_body_mib: u32,
    /// By the tenant's id.
    pub tenants: BTreeMap<TenantId, TenantSamples>,
}

/// What is otherwise for one tenant.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TenantSamples {
    pub retention_days: Option<u32>,
    pub max_series: Option<u32>,
}

impl Default for Samples {
    fn default() -> Self {
        Self {
            retention_days: 400,
            retention_mib: None,
            log_sync: LogSync::default(),
            out_of_order_window_s: 1800,
            max_active_series: 1_000_000,
            max_tenant_series: 100_000,
            max_body_mib: 16,
            max_decoded_body_mib: 64,
            tenants: BTreeMap::new(),
        }
    }
}

impl Samples {
    pub fn options(&self) -> Options {
        let days = |days: u32| Duration::from_secs(u64::from(days) * DAY_S);
        let tenants = || self.tenants.iter().map(|(id, its)| (id.to_string(), its));
        let own_retention = |(id, its): (String, &TenantSamples)| {
            its.retention_days.map(|its_days| (id, days(its_days)))
        };
        let own_series =
            |(id, its): (String, &TenantSamples)| its.max_series.map(|most| (id, most as usize));
        Options {
            retention: days(self.retention_days),
            retention_bytes: self.retention_mib.map(|mib| mib * MIB as u64),
            tenant_retention: tenants().filter_map(own_retention).collect(),
            log_sync: self.log_sync.0,
            out_of_order_window: Duration::from_secs(u64::from(self.out_of_order_window_s)),
            active_series_max: self.max_active_series as usize,
            tenant_series_max: self.max_tenant_series as usize,
            tenant_series_max_of: tenants().filter_map(own_series).collect(),
            ..Options::default()
        }
    }
    /// How many active series a tenant may have.
    pub fn max_series_of(&self, tenant: TenantId) -> u32 {
        let own = self.tenants.get(&tenant).and_then(|its| its.max_series);
        own.unwrap_or(self.max_tenant_series)
    }
    pub fn max_body_bytes(&self) -> usize {
        self.max_body_mib as usize * MIB
    }
    pub fn max_decoded_body_bytes(&self) -> usize {
        self.max_decoded_body_mib as usize * MIB
    }

    /// What the types can't say: the key and what it wants.
    pub(super) fn check(&self) -> Result<(), String> {
        between("samples.retention_days", self.retention_days, 1, RETENTION_MAX_DAYS)?;
        if self.retention_mib.is_some_and(|mib| mib < RETENTION_MIN_MIB) {
            return Err(format!("samples.retention_mib must be {RETENTION_MIN_MIB} or more"));
        }
        if u64::from(self.out_of_order_window_s) > u64::from(self.retention_days) * DAY_S {
            return Err(
                "samples.out_of_order_window_s must be within samples.retention_days".into()
            );
        }
        between("samples.max_active_series", self.max_active_series, 1, u32::MAX)?;
        between("samples.max_tenant_series", self.max_tenant_series, 1, u32::MAX)?;
        between("samples.max_body_mib", self.max_body_mib, 1, BODY_MAX_MIB)?;
        between("samples.max_decoded_body_mib", self.max_decoded_body_mib, 1, BODY_MAX_MIB)?;
        for (id, its) in &self.tenants {
            let Some(days) = its.retention_days else { continue };
            let key = format!("samples.tenants.{id}.retention_days");
            // What all of the store forgets, one tenant can't keep.
            between(&key, days, 1, self.retention_days)?;
        }
        Ok(())
    }
}

fn between(key: &str, value: u32, least: u32, most: u32) -> Result<(), String> {
    match (least..=most).contains(&value) {
        true => Ok(()),
        false if most == u32::MAX => Err(format!("{key} must be above zero")),
        false => Err(format!("{key} must be from {least} to {most}, not {value}")),
    }
}

/// `"group"`, or a time such as `"250ms"`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogSync(pub timeseries::embedded::LogSync);

impl<'de> Deserialize<'de> for LogSync {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "group" {
            return Ok(Self::default());
        }
        let ms = text.strip_suffix("ms").and_then(|ms| ms.parse::<u64>().ok());
        match ms.filter(|ms| (1..=LOG_SYNC_MAX_MS).contains(ms)) {
            Some(ms) => Ok(Self(timeseries::embedded::LogSync::Every(Duration::from_millis(ms)))),
            None => Err(de::Error::custom(format!(
                "'{text}' is neither \"group\" nor a time from \"1ms\" to \"{LOG_SYNC_MAX_MS}ms\""
            ))),
        }
    }
}

/// What one query may take, those of rules and the console among them.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Query {
    pub timeout_s: u32,
    pub max_samples: u32,
    pub max_series: u32,
    pub max_points: u32,
    pub max_memory_mib: u32,
    /// How many run at once; others wait.
    pub concurrency: u32,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            timeout_s: 120,
            max_samples: 20_000_000,
            max_series: 1_000_000,
            max_points: 20_000_000,
            max_memory_mib: 1024,
            concurrency: 20,
        }
    }
}

impl Query {
    pub fn options(&self) -> EngineOptions {
        EngineOptions {
            timeout: Duration::from_secs(u64::from(self.timeout_s)),
            max_samples: self.max_samples as usize,
            max_series: self.max_series as usize,
            max_points: self.max_points as usize,
            max_memory: self.max_memory_mib as usize * MIB,
            concurrency: self.concurrency as usize,
            ..EngineOptions::default()
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        for (key, value) in [
            ("query.timeout_s", self.timeout_s),
            ("query.max_samples", self.max_samples),
            ("query.max_series", self.max_series),
            ("query.max_points", self.max_points),
            ("query.max_memory_mib", self.max_memory_mib),
            ("query.concurrency", self.concurrency),
        ] {
            between(key, value, 1, u32::MAX)?;
        }
        Ok(())
    }
}
