//! Why a step failed, and whether trying again can help.

use crate::wire::Failure;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Trying again can't help.
    Never,
    /// It may help; an instance that never ran, or a disk that is to grow, is given up after
    /// [`crate::worker::MAX_BUILD_ATTEMPTS`].
    Limited,
    /// What is missing (the server, the hypervisor) comes back some day.
    Forever,
}

#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct StepError {
    /// See [`Failure::code`].
    pub code: &'static str,
    pub message: String,
    pub retry: Retry,
}

impl StepError {
    pub fn new(code: &'static str, retry: Retry, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry }
    }
    pub fn never(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, Retry::Never, message)
    }
    pub fn limited(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, Retry::Limited, message)
    }
    pub fn forever(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, Retry::Forever, message)
    }

    /// A file operation on the host failed.
    pub fn io(what: impl std::fmt::Display, error: &std::io::Error) -> Self {
        let code = match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => "disk_full",
            _ => "host_files",
        };
        Self::limited(code, format!("{what}: {error}"))
    }

    pub fn to_wire(&self, permanent: bool) -> Failure {
        Failure { code: self.code.to_owned(), message: self.message.clone(), permanent }
    }
}

impl From<hypervisor::Error> for StepError {
    fn from(error: hypervisor::Error) -> Self {
        use hypervisor::Error as E;
        let message = format!("{error} ({})", error.remedy());
        match error {
            E::Foreign { .. } => Self::never("domain_foreign", message),
            E::Invalid { .. } => Self::never("definition_invalid", message),
            E::Refused { .. } | E::NotFound { .. } | E::NoScreen => {
                Self::limited("hypervisor_refused", message)
            }
            E::Unreachable { .. } | E::TimedOut { .. } | E::Busy { .. } => {
                Self::forever("hypervisor_unavailable", message)
            }
        }
    }
}
