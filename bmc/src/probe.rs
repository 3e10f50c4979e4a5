//! One look at a BMC, as `opshawk bmc probe` shows it: who it is, whether its server is on, its
//! sensors, how we are logged in, and what is unsafe about it.

use serde::{Deserialize, Serialize};

use crate::{
    Bmc, Credentials,
    error::Result,
    ipmi::{Ipmi, Options, Survey},
    model::{DeviceInfo, PowerState, SensorReading, SessionInfo},
};

/// Something about the BMC that its owner should change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// A stable word for programs.
    pub code: String,
    pub severity: Severity,
    pub reason: String,
    pub remedy: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Warning,
    Critical,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeReport {
    pub device: DeviceInfo,
    pub power: PowerState,
    pub session: SessionInfo,
    /// Cipher suites that the BMC says it offers, by number; empty where it does not say.
    pub offered_suites: Vec<u8>,
    pub sensors: Vec<SensorReading>,
    pub findings: Vec<Finding>,
}

/// Looks at the BMC at `address` (`HOST:PORT`) and logs out again.
pub async fn probe(
    address: &str,
    credentials: Credentials,
    options: Options,
) -> Result<ProbeReport> {
    let bmc = Ipmi::new(address, credentials, options)?;
    let report = look(&bmc).await;
    bmc.close().await;
    report
}

async fn look(bmc: &Ipmi) -> Result<ProbeReport> {
    // First with the password: what can't be reached or used needs no judging.
    let session = bmc.session().await?;
    let device = bmc.device().await?;
    let power = bmc.power().await?;
    let sensors = bmc.sensors().await?;
    let survey = bmc.survey().await?;
    let findings = findings(&survey);
    let offered_suites = survey.offered_suites;
    Ok(ProbeReport { device, power, session, offered_suites, sensors, findings })
}

fn findings(survey: &Survey) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |code: &str, severity, reason: String, remedy: &str| {
        found.push(Finding { code: code.into(), severity, reason, remedy: remedy.into() });
    };
    if let Some(privilege) = survey.open_to_all {
        add(
            "cipher_suite_0",
            Severity::Critical,
            format!(
                "cipher suite 0 gives anyone who reaches this BMC the rights of {} without a password",
                privilege.name()
            ),
            "set the privilege limit of cipher suite 0 to none in the BMC's LAN settings",
        );
    }
    if survey.capabilities.anonymous_login {
        add(
            "anonymous_login",
            Severity::Critical,
            "the BMC has a user without name and password".into(),
            "disable the anonymous user (number 1) or give it a password",
        );
    }
    if survey.capabilities.v15_none {
        add(
            "no_authentication",
            Severity::Warning,
            "the BMC allows IPMI 1.5 sessions without authentication".into(),
            "remove 'none' from the authentication types of the BMC's LAN channel",
        );
    }
    found
}
