//! A physical server through its BMC, under ipmi_exporter's names, labels and meanings.
//! <https://github.com/prometheus-community/ipmi_exporter/blob/master/docs/metrics.md>

use std::{sync::Arc, time::Instant};

use async_trait::async_trait;
use base::{id::ServerId, sample::Series, time::Timestamp};
use bmc::{Bmc, BmcError, DeviceInfo, PowerState, SensorReading, SensorState};

use crate::source::{FailureReason, Samples, Source, SourceError};

/// A server to look at. Two are the same if they share the client.
#[derive(Debug, Clone)]
pub struct BmcTarget {
    pub server_id: ServerId,
    /// The server's name; also the `instance` label.
    pub server: String,
    /// The client that power control uses, too: one session a BMC.
    pub bmc: Arc<dyn Bmc>,
}

impl PartialEq for BmcTarget {
    fn eq(&self, other: &Self) -> bool {
        self.server_id == other.server_id
            && self.server == other.server
            && Arc::ptr_eq(&self.bmc, &other.bmc)
    }
}

pub struct ServerSource {
    name: String,
    target: BmcTarget,
}

impl ServerSource {
    pub fn new(target: BmcTarget) -> Self {
        Self { name: Self::name_of(target.server_id), target }
    }
    pub fn name_of(server_id: ServerId) -> String {
        format!("server/{server_id}")
    }
}

#[async_trait]
impl Source for ServerSource {
    fn name(&self) -> &str {
        &self.name
    }
    fn job(&self) -> &'static str {
        "ipmi"
    }
    fn labels(&self) -> Vec<(String, String)> {
        let server = self.target.server.clone();
        vec![
            ("server_id".into(), self.target.server_id.to_string()),
            ("instance".into(), server.clone()),
            ("server".into(), server),
        ]
    }

    async fn collect(&self, now: Timestamp) -> Result<Vec<Series>, SourceError> {
        let started = Instant::now();
        let bmc = &self.target.bmc;
        let mut look = Look { samples: Samples::at(now), error: None };
        let device = look.part("bmc", bmc.device()).await;
        let power = look.part("chassis", bmc.power()).await;
        let sensors = look.part("ipmi", bmc.sensors()).await;
        let mut samples = look.samples;
        if let Some(device) = &device {
            device_info(&mut samples, device);
        }
        if let Some(power) = power {
            let on = f64::from(u8::from(power == PowerState::On));
            samples.add("ipmi_chassis_power_state", &[], on);
        }
        for reading in sensors.iter().flatten() {
            sensor(&mut samples, reading);
        }
        samples.add("ipmi_scrape_duration_seconds", &[], started.elapsed().as_secs_f64());
        let series = samples.into_series();
        match look.error {
            None => Ok(series),
            Some(error) => Err(SourceError::new(reason(&error), error.to_string()).with(series)),
        }
    }
}

/// The parts of one look, each with its `ipmi_up`.
struct Look {
    samples: Samples,
    error: Option<BmcError>,
}

impl Look {
    /// A part that fails leaves the others; a BMC that can't be talked to is asked nothing more,
    /// so that the look ends in time.
    async fn part<T>(
        &mut self,
        collector: &str,
        ask: impl Future<Output = bmc::Result<T>>,
    ) -> Option<T> {
        let usable = matches!(self.error, None | Some(BmcError::Completion { .. }));
        let answer = if usable { Some(ask.await) } else { None };
        let up = f64::from(u8::from(matches!(answer, Some(Ok(_)))));
        self.samples.add("ipmi_up", &[("collector", collector)], up);
        match answer? {
            Ok(answer) => Some(answer),
            Err(error) => {
                self.error = Some(error);
                None
            }
        }
    }
}

fn reason(error: &BmcError) -> FailureReason {
    match error {
        BmcError::Unreachable { .. } | BmcError::Io { .. } | BmcError::Uncertain { .. } => {
            FailureReason::Unreachable
        }
        BmcError::UnknownUser { .. }
        | BmcError::WrongPassword { .. }
        | BmcError::Privilege { .. }
        | BmcError::SuiteRefused { .. }
        | BmcError::SuiteDowngraded { .. } => FailureReason::Denied,
        BmcError::Malformed { .. } | BmcError::NotIpmi2 { .. } => FailureReason::Malformed,
        BmcError::Completion { .. } | BmcError::Busy { .. } | BmcError::Login { .. } => {
            FailureReason::Refused
        }
        BmcError::Address { .. } | BmcError::Credentials { .. } => FailureReason::Internal,
    }
}

fn device_info(samples: &mut Samples, device: &DeviceInfo) {
    let id = device.manufacturer_id;
    // As FreeIPMI prints it, which is what the exporter passes on.
    let manufacturer = match &device.manufacturer {
        Some(name) => format!("{name} ({id})"),
        None => id.to_string(),
    };
    samples.add(
        "ipmi_bmc_info",
        &[
            ("firmware_revision", &device.firmware),
            ("manufacturer_id", &manufacturer),
            ("system_firmware_version", "N/A"),
        ],
        1.0,
    );
}

/// Value and state, both always: a sensor without a reading is there, and NaN.
fn sensor(samples: &mut Samples, reading: &SensorReading) {
    let state = match reading.state {
        SensorState::Nominal => 0.0,
        SensorState::Warning => 1.0,
        SensorState::Critical | SensorState::NonRecoverable => 2.0,
        SensorState::Unknown => f64::NAN,
    };
    let value = reading.value.unwrap_or(f64::NAN);
    let id = reading.record_id.to_string();
    let labels = [("id", id.as_str()), ("name", reading.name.as_str())];
    let typed = match (reading.unit.as_str(), reading.kind.as_str()) {
        ("C", _) => Some(("temperature", "celsius", value)),
        ("RPM", _) => Some(("fan_speed", "rpm", value)),
        ("V", _) => Some(("voltage", "volts", value)),
        ("A", _) => Some(("current", "amperes", value)),
        ("W", _) => Some(("power", "watts", value)),
        ("%", "Fan") => Some(("fan_speed", "ratio", value / 100.0)),
        _ => None,
    };
    match typed {
        Some((what, unit, value)) => {
            samples.add(&format!("ipmi_{what}_{unit}"), &labels, value);
            samples.add(&format!("ipmi_{what}_state"), &labels, state);
        }
        None => {
            let labels = [labels[0], labels[1], ("type", reading.kind.as_str())];
            samples.add("ipmi_sensor_value", &labels, value);
            samples.add("ipmi_sensor_state", &labels, state);
        }
    }
}

#[cfg(test)]
mod tests;
