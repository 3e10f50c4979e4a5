//! What can go wrong with a hypervisor: a reason, and a remedy that an operator can follow.

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// There is no connection: libvirtd is down, restarting, or refuses us.
    #[error("libvirt at {uri} does not answer: {reason}")]
    Unreachable { uri: String, reason: String },
    /// The connection stands, but a call did not come back in time.
    #[error("libvirt did not answer '{call}' within {timeout_ms} ms")]
    TimedOut { call: &'static str, timeout_ms: u64 },
    /// Too many earlier calls hang.
    #[error("libvirt still owes the answers of {pending} earlier calls")]
    Busy { pending: usize },
    #[error("{what} does not exist")]
    NotFound { what: String },
    /// Made by somebody else, or by another OpsHawk: not ours to change.
    #[error("{what} was not made by this OpsHawk, so it is left alone")]
    Foreign { what: String },
    /// libvirt understood, and said no.
    #[error("libvirt refused '{call}': {message}")]
    Refused { call: &'static str, code: u32, message: String },
    /// It gets one when it is defined and started anew.
    #[error("the guest was started without a screen")]
    NoScreen,
    /// What was to be sent to libvirt can't be expressed.
    #[error("{field} is not usable: {reason}")]
    Invalid { field: &'static str, reason: String },
}

impl Error {
    /// What to do about it, one line.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => {
                "start libvirtd, and check that this user may open its socket"
            }
            Self::TimedOut { .. } | Self::Busy { .. } => {
                "look into libvirtd's log; restart libvirtd if it stays silent (guests keep running)"
            }
            Self::NotFound { .. } => "nothing: it is gone",
            Self::Foreign { .. } => "rename or remove it, or configure another name",
            Self::Refused { .. } => "look into libvirtd's log for the cause",
            Self::NoScreen => "stop the instance and start it again",
            Self::Invalid { .. } => "correct the value",
        }
    }

    /// Whether the hypervisor is at fault as a whole, so that nothing is known about any machine.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Busy { .. })
    }
}

impl From<virt::error::Error> for Error {
    fn from(error: virt::error::Error) -> Self {
        let message = error.message().trim().to_owned();
        match error.code().to_raw() {
            virt_sys::VIR_ERR_NO_DOMAIN => {
                Self::NotFound { what: first_line(&message, "the domain") }
            }
            virt_sys::VIR_ERR_NO_NETWORK => {
                Self::NotFound { what: first_line(&message, "the network") }
            }
            code => Self::Refused { call: "", code, message },
        }
    }
}

fn first_line(message: &str, otherwise: &str) -> String {
    message.lines().next().filter(|line| !line.is_empty()).unwrap_or(otherwise).to_owned()
}

impl From<Error> for base::Error {
    fn from(error: Error) -> Self {
        use base::ErrorKind as K;
        let kind = match &error {
            Error::NotFound { .. } => K::NotFound,
            Error::Foreign { .. } | Error::NoScreen => K::Conflict,
            Error::Invalid { .. } => K::Invalid,
            Error::Refused { .. } => K::Internal,
            _ => K::Unavailable,
        };
        base::Error::new(kind, error.to_string()).remedy(error.remedy())
    }
}
