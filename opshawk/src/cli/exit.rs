//! What the exit code says: 0 ok, 1 failed, 2 usage, 3 not found, 4 auth, 5 conflict, quota or
//! money, 6 timeout.

use std::{fmt, process::ExitCode};

use crate::api::problem::Problem;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    Failed = 1,
    Usage = 2,
    NotFound = 3,
    Auth = 4,
    Conflict = 5,
    Timeout = 6,
}

/// One line for stderr, and the code.
#[derive(Debug)]
pub struct Failure {
    pub code: Code,
    pub message: String,
}

impl Failure {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Code::Failed, message)
    }
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Code::Usage, message)
    }

    pub fn report(&self) -> ExitCode {
        eprintln!("opshawk: {}", self.message.replace('\n', " "));
        ExitCode::from(self.code as u8)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<base::Error> for Failure {
    fn from(error: base::Error) -> Self {
        // At a terminal the operator is the caller: the causes belong to the message.
        let chain = base::reconcile::error_chain(&error);
        Self::from_problem(&Problem::quietly(error), chain)
    }
}

impl Failure {
    /// A problem that the server answered.
    pub fn from_answer(problem: &Problem) -> Self {
        let mut message = problem.detail.clone();
        if let Some(field) = &problem.field {
            message = format!("{field}: {message}");
        }
        if let Some(remedy) = &problem.remedy {
            message = format!("{message} ({remedy})");
        }
        Self::from_problem(problem, message)
    }

    fn from_problem(problem: &Problem, message: String) -> Self {
        let code = match problem.status {
            400 | 405 | 413 | 415 => Code::Usage,
            401 | 403 => Code::Auth,
            404 => Code::NotFound,
            402 | 409 => Code::Conflict,
            408 => Code::Timeout,
            _ => Code::Failed,
        };
        Self { code, message }
    }
}
