//! [`Ipmi`]: a BMC over IPMI 2.0. A session is opened when it is first needed and opened again
//! when it is lost; one command is under way at a time.

use std::{fmt, net::Ipv6Addr};

use async_trait::async_trait;
use tokio::{sync::Mutex, time::Instant};

use super::{
    chassis, command,
    link::{Link, Timing},
    login::{self, Capabilities},
    message::{NetFn, Request},
    rakp::{PASSWORD_BYTES_MAX, Privilege, USER_BYTES_MAX},
    sensor::{self, Repository},
    session::Session,
    suite::{CipherSuite, SUITE_0, SUITE_3},
};
use crate::{
    Bmc, Credentials,
    error::{BmcError, Result},
    model::{DeviceInfo, PowerAction, PowerState, SensorReading, SessionInfo},
};

/// The port that IANA gave to remote management control.
const PORT: u16 = 623;

/// How to log in. The suite is the one to use, not the best to hope for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    pub suite: CipherSuite,
    pub privilege: Privilege,
    pub timing: Timing,
}

impl Default for Options {
    fn default() -> Self {
        Self { suite: SUITE_3, privilege: Privilege::Administrator, timing: Timing::default() }
    }
}

struct Open {
    link: Link,
    session: Session,
    last_used: Instant,
}

impl Open {
    fn farewell(&self) -> Request {
        Request::new("close session", NetFn::App, 0x3c, &self.session.bmc_id().to_le_bytes())
    }
}

/// Whether a command may be sent again in a new session.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeat {
    Harmless,
    Never,
}

/// A BMC over IPMI 2.0. Dropping it logs out.
pub struct Ipmi {
    address: String,
    credentials: Credentials,
    options: Options,
    open: Mutex<Option<Open>>,
    repository: Mutex<Option<Repository>>,
}

impl fmt::Debug for Ipmi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ipmi").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Ipmi {
    /// `address`: `HOST:PORT`, or `HOST` for port 623. Sends nothing yet.
    pub fn new(address: &str, credentials: Credentials, options: Options) -> Result<Self> {
        if credentials.user.len() > USER_BYTES_MAX {
            return Err(BmcError::Credentials { what: "the BMC's user name is too long" });
        }
        if credentials.password.len() > PASSWORD_BYTES_MAX {
            return Err(BmcError::Credentials { what: "the BMC's password is too long" });
        }
        Ok(Self {
            address: with_port(address)?,
            credentials,
            options,
            open: Mutex::default(),
            repository: Mutex::default(),
        })
    }

    /// Sends a command in the session, which is opened, or opened again, if need be.
    pub(super) async fn call(&self, request: &Request) -> Result<Vec<u8>> {
        self.call_as(request, Repeat::Harmless).await
    }

    async fn call_as(&self, request: &Request, repeat: Repeat) -> Result<Vec<u8>> {
        let mut slot = self.open.lock().await;
        let timing = &self.options.timing;
        self.end_if_idle(&mut slot);
        if let Some(open) = slot.as_mut() {
            let answer = match repeat {
                Repeat::Harmless => {
                    command::ask(&open.link, timing, &mut open.session, request).await
                }
                Repeat::Never => {
                    command::ask_once(&open.link, timing, &mut open.session, request).await
                }
            };
            match answer {
                // Silence inside a session: the BMC may have lost it, or restarted.
                Err(BmcError::Unreachable { .. }) => end(&mut slot),
                Err(error @ BmcError::Uncertain { .. }) => {
                    end(&mut slot);
                    return Err(error);
                }
                other => {
                    open.last_used = Instant::now();
                    return other;
                }
            }
        }
        let mut open = self.log_in().await?;
        let answer = match repeat {
            Repeat::Harmless => command::ask(&open.link, timing, &mut open.session, request).await,
            Repeat::Never => {
                command::ask_once(&open.link, timing, &mut open.session, request).await
            }
        };
        open.last_used = Instant::now();
        *slot = Some(open);
        answer
    }

    fn end_if_idle(&self, slot: &mut Option<Open>) {
        let idle_ms_max = u128::from(self.options.timing.session_idle_ms);
        if slot.as_ref().is_some_and(|open| open.last_used.elapsed().as_millis() > idle_ms_max) {
            end(slot);
        }
    }

    async fn log_in(&self) -> Result<Open> {
        let link = Link::open(&self.address).await?;
        let capabilities = login::capabilities(&link, &self.options).await?;
        if !capabilities.ipmi_2 {
            return Err(BmcError::NotIpmi2 { address: self.address.clone() });
        }
        let session = login::log_in(&link, &self.options, &self.credentials).await?;
        tracing::debug!(address = self.address, suite = session.suite.id, "session opened");
        Ok(Open { link, session, last_used: Instant::now() })
    }

    /// What can be learned about the BMC's safety without a password.
    pub(crate) async fn survey(&self) -> Result<Survey> {
        let link = Link::open(&self.address).await?;
        let capabilities = login::capabilities(&link, &self.options).await?;
        let offered_suites = login::offered_suites(&link, &self.options).await?;
        let mut open_to_all = None;
        for privilege in [Privilege::Administrator, Privilege::User] {
            let options = Options { suite: SUITE_0, privilege, ..self.options };
            // No password goes over the wire: suite 0 has no proof to make with one.
            let nobody = Credentials::new(&self.credentials.user, "");
            if let Ok(session) = login::log_in(&link, &options, &nobody).await {
                let mut open = Open { link, session, last_used: Instant::now() };
                log_out(&mut open, &self.options.timing).await;
                open_to_all = Some(privilege);
                break;
            }
        }
        Ok(Survey { capabilities, offered_suites, open_to_all })
    }
}

pub(crate) struct Survey {
    pub capabilities: Capabilities,
    pub offered_suites: Vec<u8>,
    /// Cipher suite 0 gave this privilege to us without a password.
    pub open_to_all: Option<Privilege>,
}

/// Says goodbye without waiting, and forgets the session.
fn end(slot: &mut Option<Open>) {
    if let Some(mut open) = slot.take() {
        let farewell = open.farewell();
        let sequence = open.session.next_command();
        open.link.fire(&open.session.seal(&farewell, sequence));
    }
}

/// Says goodbye and waits a little for the answer.
async fn log_out(open: &mut Open, timing: &Timing) {
    const TRIES: u32 = 2;
    let farewell = open.farewell();
    let timing = Timing { tries: TRIES, ..*timing };
    // A session that this leaves open ends by itself after a minute.
    let _ = command::ask(&open.link, &timing, &mut open.session, &farewell).await;
}

/// Adds the default port.
fn with_port(address: &str) -> Result<String> {
    let wrong = |detail: &str| BmcError::Address { address: address.into(), detail: detail.into() };
    if address.is_empty() || address.contains(char::is_whitespace) {
        return Err(wrong("it is empty or has a space"));
    }
    if address.parse::<Ipv6Addr>().is_ok() {
        return Ok(format!("[{address}]:{PORT}"));
    }
    match address.rsplit_once(':') {
        None => Ok(format!("{address}:{PORT}")),
        Some(("", _)) => Err(wrong("it has no host")),
        Some((_, port)) => match port.parse::<u16>() {
            Ok(0) | Err(_) => Err(wrong("its port is not a number from 1 to 65535")),
            Ok(_) => Ok(address.to_owned()),
        },
    }
}

impl Drop for Ipmi {
    fn drop(&mut self) {
        end(self.open.get_mut());
    }
}

#[async_trait]
impl Bmc for Ipmi {
    async fn device(&self) -> Result<DeviceInfo> {
        let request = chassis::device_id_request();
        let data = self.call(&request).await?;
        chassis::decode_device_id(&data).ok_or(BmcError::Malformed { what: request.name })
    }

    async fn power(&self) -> Result<PowerState> {
        let request = chassis::status_request();
        let data = self.call(&request).await?;
        chassis::decode_power(&data).ok_or(BmcError::Malformed { what: request.name })
    }

    async fn set_power(&self, action: PowerAction) -> Result<()> {
        let request = chassis::control_request(action);
        if action.is_idempotent() {
            self.call(&request).await?;
        } else {
            // Makes sure that the session lives: a lost one would leave the order uncertain.
            self.power().await?;
            self.call_as(&request, Repeat::Never).await?;
        }
        tracing::info!(address = self.address, action = action.name(), "power order given");
        Ok(())
    }

    async fn sensors(&self) -> Result<Vec<SensorReading>> {
        let mut repository = self.repository.lock().await;
        sensor::read_all(self, &mut repository).await
    }

    async fn session(&self) -> Result<SessionInfo> {
        self.power().await?;
        let Options { suite, privilege, .. } = self.options;
        Ok(SessionInfo {
            protocol: "IPMI 2.0".into(),
            cipher_suite: suite.id,
            algorithms: suite.algorithms(),
            privilege: privilege.name().into(),
        })
    }

    async fn close(&self) {
        let mut slot = self.open.lock().await;
        if let Some(mut open) = slot.take() {
            log_out(&mut open, &self.options.timing).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gets_the_port_it_lacks_and_is_refused_when_broken() {
        assert_eq!(with_port("192.0.2.1").unwrap(), "192.0.2.1:623");
        assert_eq!(with_port("192.0.2.1:6230").unwrap(), "192.0.2.1:6230");
        assert_eq!(with_port("2001:db8::1").unwrap(), "[2001:db8::1]:623");
        assert_eq!(with_port("[2001:db8::1]:6230").unwrap(), "[2001:db8::1]:6230");
        assert_eq!(with_port("bmc.example").unwrap(), "bmc.example:623");
        for broken in ["", "a b", ":623", "host:", "host:0", "host:99999", "host:x"] {
            assert!(with_port(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn secrets_stay_out_of_debug_text() {
        let client =
            Ipmi::new("192.0.2.1", Credentials::new("root", "hunter2"), Options::default())
                .unwrap();
        assert!(!format!("{client:?} {:?}", client.credentials).contains("hunter2"));
        let long = Credentials::new("root", "123456789012345678901");
        assert!(Ipmi::new("192.0.2.1", long, Options::default()).is_err());
    }
}
