//! Speaks to a server's management controller (BMC): power, identity and sensors, behind one
//! [`Bmc`] trait.
//!
//! It knows machines, never tenants; it keeps nothing on disk, and has no SQL and no HTTP server.
//! It never falls back to a weaker cipher suite than the one asked for, never takes an
//! unauthenticated answer inside a session, and never says *off* where it means *unknown*: a BMC
//! that does not answer is an error.
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`model`] | what any BMC tells: device, power, sensors with thresholds and state |
//! | [`error`] | what can go wrong, each with its reason and its remedy |
//! | [`ipmi`] | our IPMI 2.0 client over UDP |
//! | [`probe`] | one look at a BMC: device, power, sensors, suites, and findings about its safety |
//!
//! A second protocol (Redfish) is a module beside [`ipmi`], a variant of [`Protocol`] and an arm
//! in [`open`].

pub mod error;
pub mod ipmi;
pub mod model;
pub mod probe;

use std::{fmt, sync::Arc};

use async_trait::async_trait;

pub use error::{BmcError, Result};
pub use model::{
    DeviceInfo, PowerAction, PowerState, SensorReading, SensorState, SessionInfo, Thresholds,
};
pub use probe::{Finding, ProbeReport, probe};

/// One management controller. Calls may come from several tasks; they are served one by one,
/// because a BMC is a small machine.
#[async_trait]
pub trait Bmc: Send + Sync + fmt::Debug {
    /// Who it is.
    async fn device(&self) -> Result<DeviceInfo>;
    /// Whether the server is on, as its chassis says now.
    async fn power(&self) -> Result<PowerState>;
    /// Asks for a change of power; returns once the BMC took the order, which is before the
    /// server has followed it.
    async fn set_power(&self, action: PowerAction) -> Result<()>;
    /// All sensors, in the order of the repository; empty where the BMC keeps no repository.
    async fn sensors(&self) -> Result<Vec<SensorReading>>;
    /// How we are logged in (logs in first if need be).
    async fn session(&self) -> Result<SessionInfo>;
    /// Logs out; the next call logs in again.
    async fn close(&self);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    #[default]
    Ipmi,
}

/// A user of the BMC. `Debug` does not print the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub user: String,
    pub password: String,
}

impl Credentials {
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: user.into(), password: password.into() }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Where a BMC is and who we are to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub protocol: Protocol,
    /// `ADDRESS:PORT`, or `ADDRESS` for the protocol's own port; an IPv6 address with a port
    /// stands in brackets.
    pub address: String,
    pub credentials: Credentials,
}

/// A client for `endpoint`, with the defaults of its protocol. Nothing is sent yet.
pub fn open(endpoint: &Endpoint) -> Result<Arc<dyn Bmc>> {
    match endpoint.protocol {
        Protocol::Ipmi => Ok(Arc::new(ipmi::Ipmi::new(
            &endpoint.address,
            endpoint.credentials.clone(),
            ipmi::Options::default(),
        )?)),
    }
}
