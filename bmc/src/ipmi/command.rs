//! A command inside a session, and the completion code of its answer.

use super::{
    link::{Link, Step, Timing},
    message::{Request, Response},
    session::Session,
    status,
};
use crate::error::{BmcError, Result};

/// The data of a normal completion; any other code is an error with its name.
pub fn completed(command: &'static str, response: Response) -> Result<Vec<u8>> {
    match response.completion {
        0 => Ok(response.data),
        code => Err(BmcError::Completion { command, code, name: status::completion_name(code) }),
    }
}

struct CommandStep<'a> {
    session: &'a mut Session,
    request: &'a Request,
    sequence: u8,
    /// The one datagram of a command that must not happen twice: sent again bit for bit, so that
    /// a BMC that has it already drops it by its session sequence number.
    only: Option<Vec<u8>>,
}

impl Step for CommandStep<'_> {
    type Answer = Vec<u8>;
    fn packet(&mut self) -> Vec<u8> {
        match &self.only {
            Some(packet) => packet.clone(),
            None => self.session.seal(self.request, self.sequence),
        }
    }
    fn take(&mut self, datagram: &[u8]) -> Option<Result<Vec<u8>>> {
        let response = self.session.open(datagram, self.request, self.sequence)?;
        Some(completed(self.request.name, response))
    }
}

/// For a command that may happen twice without harm.
pub async fn ask(
    link: &Link,
    timing: &Timing,
    session: &mut Session,
    request: &Request,
) -> Result<Vec<u8>> {
    let sequence = session.next_command();
    link.ask(timing, &mut CommandStep { session, request, sequence, only: None }).await
}

/// For a command that must not happen twice. No answer is [`BmcError::Uncertain`].
pub async fn ask_once(
    link: &Link,
    timing: &Timing,
    session: &mut Session,
    request: &Request,
) -> Result<Vec<u8>> {
    let sequence = session.next_command();
    let only = Some(session.seal(request, sequence));
    match link.ask(timing, &mut CommandStep { session, request, sequence, only }).await {
        Err(BmcError::Unreachable { .. }) => Err(BmcError::Uncertain { command: request.name }),
        other => other,
    }
}
