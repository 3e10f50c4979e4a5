//! What any BMC tells about its machine, whatever the protocol.

use serde::{Deserialize, Serialize};

/// From Get Device ID (IPMI 2.0 §20.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceInfo {
    pub device_id: u8,
    pub device_revision: u8,
    /// As people write it: `9.08`.
    pub firmware: String,
    pub ipmi_version: String,
    /// An IANA enterprise number.
    pub manufacturer_id: u32,
    /// The number's name where we know it.
    pub manufacturer: Option<String>,
    pub product_id: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PowerState {
    On,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PowerAction {
    On,
    /// Hard, at once.
    Off,
    /// Hard off, a pause, on.
    Cycle,
    /// The reset line; power stays.
    Reset,
    /// Asks the operating system through ACPI.
    Soft,
}

impl PowerAction {
    pub const fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Cycle => "cycle",
            Self::Reset => "reset",
            Self::Soft => "soft",
        }
    }
    /// Doing it twice is the same as doing it once.
    pub const fn is_idempotent(self) -> bool {
        matches!(self, Self::On | Self::Off | Self::Soft)
    }
}

impl std::str::FromStr for PowerAction {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        [Self::On, Self::Off, Self::Cycle, Self::Reset, Self::Soft]
            .into_iter()
            .find(|action| action.name() == s)
            .ok_or_else(|| format!("'{s}' is none of on, off, cycle, reset, soft"))
    }
}

/// How bad a sensor's state is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SensorState {
    Nominal,
    /// Past a non-critical threshold, or a state that announces trouble.
    Warning,
    Critical,
    NonRecoverable,
    /// No reading now, or a state whose weight nobody defined.
    Unknown,
}

/// In the sensor's unit; `None` where the sensor has no such threshold.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Thresholds {
    pub lower_non_recoverable: Option<f64>,
    pub lower_critical: Option<f64>,
    pub lower_non_critical: Option<f64>,
    pub upper_non_critical: Option<f64>,
    pub upper_critical: Option<f64>,
    pub upper_non_recoverable: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SensorReading {
    /// The number of its record in the repository: unique but for records shared by several
    /// sensors, which differ in `number` and `name`.
    pub record_id: u16,
    pub number: u8,
    pub name: String,
    /// `Temperature`, `Voltage`, `Fan`, `Power Supply`, … (IPMI 2.0 table 42-3).
    pub kind: String,
    /// `C`, `V`, `A`, `W`, `RPM`, `%`, or a longer name (IPMI 2.0 table 43-15); empty for a
    /// sensor of states.
    pub unit: String,
    /// In `unit`; `None` for a sensor of states and where there is no reading now.
    pub value: Option<f64>,
    pub state: SensorState,
    pub thresholds: Thresholds,
    /// For a sensor of states: the numbers of the states that hold now (0 to 14).
    pub asserted: Vec<u8>,
}

/// How we are logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionInfo {
    /// `IPMI 2.0`.
    pub protocol: String,
    /// IPMI's number for the set of algorithms in use (IPMI 2.0 table 22-20).
    pub cipher_suite: u8,
    /// The algorithms of that suite, for people.
    pub algorithms: String,
    pub privilege: String,
}
