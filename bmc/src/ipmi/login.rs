//! Opening a session over a [`Link`]: capabilities, Open Session, RAKP 1 to 4, privilege.

use super::{
    Options, command,
    crypto::Keys,
    link::{Link, Step},
    message::{self, NetFn, Request},
    rakp::{Exchange, Refusal},
    session::Session,
    status::Status,
    suite::{self, CipherSuite},
    wire::{self, Payload},
};
use crate::{
    Credentials,
    error::{BmcError, Result},
};

/// A lost answer can make a BMC draw a new challenge under an old one; then the login is begun
/// again, this often.
const LOGINS_MAX: u32 = 4;

/// "This channel", the one that the question comes by.
pub const THIS_CHANNEL: u8 = 0x0e;
/// With this bit, the answer tells of IPMI 2.0.
const WITH_EXTENDED: u8 = 0x80;

/// What a BMC says of its LAN channel before anybody logs in (IPMI 2.0 table 22-15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    pub ipmi_2: bool,
    /// IPMI 1.5 sessions without any authentication.
    pub v15_none: bool,
    /// A user without a name and password may log in.
    pub anonymous_login: bool,
}

impl Capabilities {
    pub fn decode(data: &[u8]) -> Option<Self> {
        let [_channel, kinds, status, extended, ..] = data else { return None };
        Some(Self {
            ipmi_2: kinds & 0x80 != 0 && extended & 0x02 != 0,
            v15_none: kinds & 0x01 != 0,
            anonymous_login: status & 0x01 != 0,
        })
    }
}

/// A request outside any session.
pub struct Sessionless {
    request: Request,
}

impl Step for Sessionless {
    type Answer = Vec<u8>;
    fn packet(&mut self) -> Vec<u8> {
        wire::encode_v15(&message::encode(&self.request, 0))
    }
    fn take(&mut self, datagram: &[u8]) -> Option<Result<Vec<u8>>> {
        let message = wire::decode_v15(datagram)?;
        let response = message::decode_answer(message, &self.request, 0)?;
        Some(command::completed(self.request.name, response))
    }
}

pub async fn capabilities(link: &Link, options: &Options) -> Result<Capabilities> {
    const NAME: &str = "get channel authentication capabilities";
    let data = [WITH_EXTENDED | THIS_CHANNEL, options.privilege.code()];
    let request = Request::new(NAME, NetFn::App, 0x38, &data);
    let data = link.ask(&options.timing, &mut Sessionless { request }).await?;
    Capabilities::decode(&data).ok_or(BmcError::Malformed { what: NAME })
}

/// The suites that the BMC offers, by number (IPMI 2.0 §22.15); empty where it does not say.
pub async fn offered_suites(link: &Link, options: &Options) -> Result<Vec<u8>> {
    const NAME: &str = "get channel cipher suites";
    /// The list index has six bits.
    const PARTS_MAX: u8 = 64;
    const PART_BYTES: usize = 16;
    const LIST_BY_SUITE: u8 = 0x80;
    let mut records = Vec::new();
    for index in 0..PARTS_MAX {
        let data = [THIS_CHANNEL, 0, LIST_BY_SUITE | index];
        let request = Request::new(NAME, NetFn::App, 0x54, &data);
        let part = match link.ask(&options.timing, &mut Sessionless { request }).await {
            Ok(part) => part,
            Err(BmcError::Completion { .. }) => break,
            Err(error) => return Err(error),
        };
        let part = part.get(1..).unwrap_or_default();
        records.extend(part);
        if part.len() < PART_BYTES {
            break;
        }
    }
    Ok(decode_suites(&records))
}

/// Records of IPMI 2.0 table 22-18: a start byte, the number, for OEM suites a maker, then
/// algorithms, told apart from start bytes by their upper bits.
fn decode_suites(records: &[u8]) -> Vec<u8> {
    const STANDARD: u8 = 0xc0;
    let pairs = records.iter().zip(records.iter().skip(1));
    pairs.filter(|(start, _)| **start == STANDARD).map(|(_, number)| *number).collect()
}

/// The part of the login under way.
#[derive(Clone, Copy)]
enum Phase {
    Open,
    Challenge,
    Proof,
}

/// What a phase has brought: the keys, after the last.
enum Progress {
    On,
    Done(Keys),
}

struct LoginStep<'a> {
    exchange: &'a mut Exchange,
    phase: Phase,
}

impl Step for LoginStep<'_> {
    type Answer = Result<Progress, Refusal>;
    fn packet(&mut self) -> Vec<u8> {
        let (payload, body) = match self.phase {
            Phase::Open => (Payload::OpenSessionRequest, self.exchange.open_session_request()),
            Phase::Challenge => (Payload::Rakp1, self.exchange.rakp_1()),
            Phase::Proof => (Payload::Rakp3, self.exchange.rakp_3()),
        };
        wire::encode_plain(payload, &body)
    }
    fn take(&mut self, datagram: &[u8]) -> Option<Result<Self::Answer>> {
        let packet = wire::decode(datagram)?;
        if packet.encrypted || packet.authenticated {
            return None;
        }
        let on = |answer: Result<(), Refusal>| answer.map(|()| Progress::On);
        let answer = match (self.phase, packet.payload) {
            (Phase::Open, Payload::OpenSessionResponse) => {
                on(self.exchange.open_session_response(packet.body)?)
            }
            (Phase::Challenge, Payload::Rakp2) => on(self.exchange.rakp_2(packet.body)?),
            (Phase::Proof, Payload::Rakp4) => {
                self.exchange.rakp_4(packet.body)?.map(Progress::Done)
            }
            _ => return None,
        };
        Some(Ok(answer))
    }
}

impl Phase {
    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open session",
            Self::Challenge => "RAKP 1",
            Self::Proof => "RAKP 3",
        }
    }
    /// Repeating the whole login can cure this refusal: the BMC lost track of ours. Its proof in
    /// RAKP 2 was right by then, so in the last phase it is not the password.
    fn may_be_a_lost_answer(self, refusal: &Refusal) -> bool {
        match refusal {
            Refusal::Status(status) => {
                matches!(*status, Status::INVALID_SESSION | Status::INACTIVE_SESSION)
                    || matches!(self, Self::Proof) && *status == Status::INVALID_CHECK
            }
            Refusal::WrongKey => true,
            _ => false,
        }
    }
}

/// Opens a session and gives it the privilege of the options.
pub async fn log_in(link: &Link, options: &Options, credentials: &Credentials) -> Result<Session> {
    let mut session = authenticate(link, options, credentials).await?;
    const NAME: &str = "set session privilege level";
    let level = options.privilege;
    let request = Request::new(NAME, NetFn::App, 0x3b, &[level.code()]);
    let denied = |detail| BmcError::Privilege {
        user: credentials.user.clone(),
        privilege: level.name(),
        detail,
    };
    match command::ask(link, &options.timing, &mut session, &request).await {
        Ok(data) if data.first().is_none_or(|got| got & 0x0f == level.code()) => Ok(session),
        Ok(_) => Err(denied("it gave another level")),
        Err(BmcError::Completion { code: 0x80, .. }) => Err(denied("the user's limit is lower")),
        Err(BmcError::Completion { code: 0x81, .. }) => Err(denied("the channel's limit is lower")),
        Err(error) => Err(error),
    }
}

/// Open Session to RAKP 4, begun again where an answer was lost on the way.
pub async fn authenticate(
    link: &Link,
    options: &Options,
    credentials: &Credentials,
) -> Result<Session> {
    let mut last = None;
    for _ in 0..LOGINS_MAX {
        let mut exchange = Exchange::new(options.suite, options.privilege, credentials.clone());
        match attempt(link, options, &mut exchange).await {
            Ok(keys) => {
                let ids = (exchange.console_id, exchange.bmc_id);
                return Ok(Session::new(options.suite, keys, ids));
            }
            Err((phase, Failure::Refused(refusal))) => {
                let again = phase.may_be_a_lost_answer(&refusal);
                let error = explain(phase, &refusal, &options.suite, options, credentials);
                if !again {
                    return Err(error);
                }
                last = Some(error);
            }
            // It answered before, so it is there: it may have lost or refused us silently.
            Err((Phase::Challenge | Phase::Proof, Failure::Link(error))) => last = Some(error),
            Err((Phase::Open, Failure::Link(error))) => return Err(error),
        }
    }
    Err(last.expect("at least one login was tried"))
}

enum Failure {
    Link(BmcError),
    Refused(Refusal),
}

async fn attempt(
    link: &Link,
    options: &Options,
    exchange: &mut Exchange,
) -> Result<Keys, (Phase, Failure)> {
    for phase in [Phase::Open, Phase::Challenge] {
        advance(link, options, exchange, phase).await.map_err(|e| (phase, e))?;
    }
    match advance(link, options, exchange, Phase::Proof).await.map_err(|e| (Phase::Proof, e))? {
        Progress::Done(keys) => Ok(keys),
        Progress::On => Err((Phase::Proof, Failure::Refused(Refusal::Malformed))),
    }
}

async fn advance(
    link: &Link,
    options: &Options,
    exchange: &mut Exchange,
    phase: Phase,
) -> Result<Progress, Failure> {
    let mut step = LoginStep { exchange, phase };
    let answer = link.ask(&options.timing, &mut step).await.map_err(Failure::Link)?;
    answer.map_err(Failure::Refused)
}

fn explain(
    phase: Phase,
    refusal: &Refusal,
    suite: &CipherSuite,
    options: &Options,
    credentials: &Credentials,
) -> BmcError {
    let user = credentials.user.clone();
    match refusal {
        Refusal::Status(s) if s.is_busy() => BmcError::Busy { detail: s.name() },
        Refusal::Status(s) if s.is_suite() => {
            BmcError::SuiteRefused { suite: suite.id, detail: s.name() }
        }
        Refusal::Status(s) if s.is_privilege() => {
            BmcError::Privilege { user, privilege: options.privilege.name(), detail: s.name() }
        }
        Refusal::Status(Status::UNAUTHORIZED_NAME) => BmcError::UnknownUser { user },
        Refusal::Status(s) => BmcError::Login { step: phase.name(), detail: s.name().into() },
        Refusal::Algorithms(codes) => {
            BmcError::SuiteDowngraded { asked: suite.id, answered: suite::algorithm_names(*codes) }
        }
        Refusal::WrongPassword => BmcError::WrongPassword { user },
        Refusal::WrongKey => {
            BmcError::Login { step: phase.name(), detail: "its session key is not ours".into() }
        }
        Refusal::Malformed => BmcError::Malformed { what: phase.name() },
    }
}

#[cfg(test)]
mod tests;
