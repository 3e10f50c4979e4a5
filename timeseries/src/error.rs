//! What can go wrong, with the `errorType` that Prometheus' HTTP API has for it.

use std::path::{Path, PathBuf};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The `errorType` of a Prometheus API answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorType {
    BadData,
    Execution,
    Timeout,
    Canceled,
    /// A retry can help: 503.
    Unavailable,
    Internal,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The expression, matcher, parameter or body is malformed.
    #[error("{0}")]
    BadData(String),
    /// Valid PromQL that this evaluator does not know.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// The expression is well formed, but its evaluation has no answer.
    #[error("{0}")]
    Execution(String),
    #[error(
        "the query needs more than {limit} samples (max_samples); narrow its selectors or its time \
         range"
    )]
    TooManySamples { limit: usize },
    #[error("the query finds more than {limit} series (max_series); narrow its selectors")]
    TooManySeries { limit: usize },
    #[error(
        "the query holds more than {limit} values at once (max_points); aggregate earlier, narrow \
         its selectors or its time range, or take a larger step"
    )]
    TooManyPoints { limit: usize },
    #[error(
        "the query needs more than {limit_bytes} bytes of memory (max_memory); aggregate earlier, \
         narrow its selectors or its time range, or take a larger step"
    )]
    TooMuchMemory { limit_bytes: usize },
    #[error("{what} is larger than {limit} bytes")]
    TooLarge { what: &'static str, limit: usize },
    #[error(
        "the query took longer than {limit_ms} ms (timeout); narrow its selectors or its time range"
    )]
    Timeout { limit_ms: u64 },
    #[error("the query was canceled")]
    Canceled,
    /// The disk does not keep up, or a flush keeps failing.
    #[error("the store can't take more now ({0}); retry later")]
    Busy(&'static str),
    #[error("the store is closed")]
    Closed,
    /// The log could not be made durable; nothing is acknowledged until a restart has replayed it.
    #[error("the write-ahead log failed ({0}); free disk space or repair the disk, then restart")]
    LogFailed(String),
    /// A metrics engine that runs elsewhere.
    #[error("the metrics engine {engine} does not answer ({reason}); check that it runs")]
    EngineAway { engine: String, reason: String },
    #[error("the metrics engine {engine} refused it ({reason})")]
    EngineRefused { engine: String, reason: String },
    #[error(
        "{} is open in another process; stop it, or use another data directory",
        dir.display()
    )]
    Locked { dir: PathBuf },
    #[error(
        "{} is damaged at byte {offset}: {reason}; restore a backup, or move the file away to go \
         on without what it holds",
        path.display()
    )]
    Corrupt { path: PathBuf, offset: u64, reason: String },
    #[error("{} can't be {what}: {source}", path.display())]
    Io { what: &'static str, path: PathBuf, source: std::io::Error },
}

impl Error {
    pub fn error_type(&self) -> ErrorType {
        match self {
            Self::BadData(_)
            | Self::Unsupported(_)
            | Self::TooLarge { .. }
            | Self::EngineRefused { .. } => ErrorType::BadData,
            Self::Execution(_)
            | Self::TooManySamples { .. }
            | Self::TooManySeries { .. }
            | Self::TooManyPoints { .. }
            | Self::TooMuchMemory { .. } => ErrorType::Execution,
            Self::Timeout { .. } => ErrorType::Timeout,
            Self::Canceled => ErrorType::Canceled,
            Self::Busy(_) | Self::Closed | Self::LogFailed(_) | Self::EngineAway { .. } => {
                ErrorType::Unavailable
            }
            Self::Locked { .. } | Self::Corrupt { .. } | Self::Io { .. } => ErrorType::Internal,
        }
    }
    /// What may be shown to whoever asked: paths and the disk's own words stay in the log.
    pub fn public_message(&self) -> String {
        match self.error_type() {
            ErrorType::Internal => "the time-series store failed".to_owned(),
            _ if matches!(self, Self::LogFailed(_)) => {
                "the time-series store can't be written".to_owned()
            }
            _ if matches!(self, Self::EngineAway { .. }) => {
                "the time-series store does not answer".to_owned()
            }
            _ if matches!(self, Self::EngineRefused { .. }) => {
                "the time-series store refused it".to_owned()
            }
            _ => self.to_string(),
        }
    }
    pub(crate) fn io<'a>(
        what: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(std::io::Error) -> Self + 'a {
        move |source| Self::Io { what, path: path.to_owned(), source }
    }
    pub(crate) fn corrupt(path: &Path, offset: u64, reason: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_owned(), offset, reason: reason.into() }
    }
}

impl From<Error> for base::Error {
    fn from(error: Error) -> Self {
        let message = error.public_message();
        match error {
            Error::TooLarge { .. } => Self::new(base::ErrorKind::TooLarge, message),
            _ => match error.error_type() {
                ErrorType::BadData => Self::invalid("query", message),
                ErrorType::Execution => Self::new(base::ErrorKind::Invalid, message),
                ErrorType::Timeout | ErrorType::Canceled | ErrorType::Unavailable => {
                    Self::unavailable(message).source(error)
                }
                ErrorType::Internal => Self::internal(message).source(error),
            },
        }
    }
}
