//! One error for the domain crates: a kind that the edge can map, and a message a person can act on.
//!
//! The message is for whoever made the request; what only an operator may read (a driver's text,
//! a host's path) goes into the source, which is logged once at the edge and never sent.

use std::fmt;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request is malformed or names something impossible: 400.
    Invalid,
    /// Nobody we know: 401.
    Unauthenticated,
    /// There is no money for it: 402.
    PaymentRequired,
    /// Known, but not allowed: 403.
    Forbidden,
    /// Not there, or not the caller's: 404.
    NotFound,
    /// The state has changed or forbids it: 409.
    Conflict,
    /// The tenant's quota is used up: 409.
    QuotaExceeded,
    /// The thing sent is too large: 413.
    TooLarge,
    /// A part that is needed does not answer now; a retry can help: 503.
    Unavailable,
    /// Our fault: 500.
    Internal,
}

#[derive(Debug)]
pub struct Error {
    pub kind: ErrorKind,
    /// For the caller: names the thing that is wrong.
    pub message: String,
    /// The field of the request that is at fault.
    pub field: Option<String>,
    /// The way out.
    pub remedy: Option<String>,
    /// For the operator's log.
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), field: None, remedy: None, source: None }
    }
    /// `field` in the request is wrong.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..Self::new(ErrorKind::Invalid, message) }
    }
    /// `what` (for instance "instance 0193…") does not exist for this caller.
    pub fn not_found(what: impl fmt::Display) -> Self {
        Self::new(ErrorKind::NotFound, format!("{what} does not exist"))
    }
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Forbidden, message)
    }
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
    /// What a request names in `field` does not exist: the request is invalid, not its path.
    #[must_use]
    pub fn in_field(mut self, field: &str) -> Self {
        if self.kind == ErrorKind::NotFound {
            self.kind = ErrorKind::Invalid;
        }
        self.field(field)
    }
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
    #[must_use]
    pub fn source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(remedy) = &self.remedy {
            write!(f, " ({remedy})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|e| e as &(dyn std::error::Error + 'static))
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) => {
                Error::unavailable("the database does not answer").source(error)
            }
            sqlx::Error::Database(e) if e.code().is_some_and(|code| is_transient(&code)) => {
                Error::unavailable("the database was busy with another change")
                    .remedy("try again")
                    .source(error)
            }
            _ => Error::internal("the database refused a statement").source(error),
        }
    }
}

/// The transaction gave way to another one and changed nothing: PostgreSQL's serialization failure
/// and deadlock, SQLite's BUSY and BUSY_SNAPSHOT.
fn is_transient(code: &str) -> bool {
    ["40001", "40P01", "5", "517"].contains(&code)
}
