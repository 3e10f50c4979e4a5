//! What can go wrong with a BMC. `Display` is the reason, [`BmcError::remedy`] the way out.

use base::ErrorKind;

pub type Result<T, E = BmcError> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum BmcError {
    #[error("'{address}' is not the address of a BMC: {detail}")]
    Address { address: String, detail: String },
    #[error("{what}")]
    Credentials { what: &'static str },
    #[error("the BMC at {address} does not answer ({waited_ms} ms waited{detail})")]
    Unreachable { address: String, waited_ms: u64, detail: &'static str },
    #[error("the BMC at {address} does not speak IPMI 2.0")]
    NotIpmi2 { address: String },
    #[error("the BMC knows no user '{user}'")]
    UnknownUser { user: String },
    #[error("wrong password for the BMC's user '{user}'")]
    WrongPassword { user: String },
    #[error("the BMC refuses cipher suite {suite} ({detail})")]
    SuiteRefused { suite: u8, detail: &'static str },
    #[error("the BMC answered cipher suite {asked} with weaker algorithms ({answered})")]
    SuiteDowngraded { asked: u8, answered: String },
    #[error("the BMC's user '{user}' may not act as {privilege} ({detail})")]
    Privilege { user: String, privilege: &'static str, detail: &'static str },
    #[error("the BMC has no free session ({detail})")]
    Busy { detail: &'static str },
    #[error("the BMC failed the login at {step}: {detail}")]
    Login { step: &'static str, detail: String },
    /// The BMC took the request and refused it.
    #[error("{command}: the BMC answered {code:#04x} ({name})")]
    Completion { command: &'static str, code: u8, name: &'static str },
    /// What came back can't be what the standard says.
    #[error("{what}: the BMC's answer is malformed")]
    Malformed { what: &'static str },
    /// Sent, not answered, and not safe to send again.
    #[error("{command} was sent, but no answer came: it may or may not have happened")]
    Uncertain { command: &'static str },
    #[error("the network refuses to reach the BMC at {address}: {source}")]
    Io { address: String, source: std::io::Error },
}

impl BmcError {
    /// What to do, one line.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Address { .. } => "give ADDRESS:PORT, for instance 192.0.2.10:623",
            Self::Credentials { .. } => "give a user of at most 16 bytes, a password of at most 20",
            Self::Unreachable { .. } => {
                "check the address, the network between, and that IPMI over LAN is enabled"
            }
            Self::NotIpmi2 { .. } => "enable IPMI 2.0 (RMCP+) over LAN in the BMC's settings",
            Self::UnknownUser { .. } => "use a user of the BMC that is enabled for its LAN channel",
            Self::WrongPassword { .. } => "set the password that the BMC has for this user",
            Self::SuiteRefused { .. } => {
                "allow this suite for the user's privilege in the BMC's LAN settings"
            }
            Self::SuiteDowngraded { .. } => {
                "do not use this BMC over an open network; update its firmware"
            }
            Self::Privilege { .. } => {
                "raise the user's and the LAN channel's privilege limit in the BMC's settings"
            }
            Self::Busy { .. } => {
                "close other sessions of the BMC, or wait a minute for them to end"
            }
            Self::Login { .. } => "try again; if it stays, restart the BMC or update its firmware",
            Self::Completion { code, .. } => completion_remedy(*code),
            Self::Malformed { .. } => "update the BMC's firmware",
            Self::Uncertain { .. } => "read the power state, then decide",
            Self::Io { .. } => "check this machine's route and firewall",
        }
    }

    /// A stable word for programs, labels and logs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Address { .. } => "address",
            Self::Credentials { .. } => "credentials",
            Self::Unreachable { .. } => "unreachable",
            Self::NotIpmi2 { .. } => "not_ipmi2",
            Self::UnknownUser { .. } => "unknown_user",
            Self::WrongPassword { .. } => "wrong_password",
            Self::SuiteRefused { .. } => "suite_refused",
            Self::SuiteDowngraded { .. } => "suite_downgraded",
            Self::Privilege { .. } => "privilege",
            Self::Busy { .. } => "busy",
            Self::Login { .. } => "login",
            Self::Completion { .. } => "completion",
            Self::Malformed { .. } => "malformed",
            Self::Uncertain { .. } => "uncertain",
            Self::Io { .. } => "io",
        }
    }
}

const fn completion_remedy(code: u8) -> &'static str {
    match code {
        0xc0 | 0xc3 | 0xce | 0xd0 | 0xd2 => "the BMC is busy: try again in a moment",
        0xc1 | 0xc2 => "this BMC does not have the command",
        0xd4 => "raise the user's privilege in the BMC's settings",
        0xd5 | 0xd6 => "the machine's present state does not allow it",
        _ => "see the BMC's manual for this code",
    }
}

impl From<BmcError> for base::Error {
    fn from(error: BmcError) -> Self {
        let field = match &error {
            BmcError::Address { .. } => Some("bmc_address"),
            BmcError::Credentials { .. } => Some("bmc_password"),
            _ => None,
        };
        let kind = match &error {
            _ if field.is_some() => ErrorKind::Invalid,
            BmcError::Completion { code: 0xd5 | 0xd6, .. } => ErrorKind::Conflict,
            _ => ErrorKind::Unavailable,
        };
        let mut made = Self::new(kind, error.to_string()).remedy(error.remedy()).source(error);
        made.field = field.map(Into::into);
        made
    }
}
