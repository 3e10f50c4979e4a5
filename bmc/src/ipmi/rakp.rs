//! The login: Open Session and the four RAKP messages (IPMI 2.0 §13.17 to §13.24). Pure: the
//! exchange gives bodies to send and takes bodies that came; [`super::login`] moves them.
//!
//! ```text
//! console                                    BMC
//!   Open Session Request  (suite, our id) ->
//!                                         <- Open Session Response (its id, suite)
//!   RAKP 1 (our challenge, user, role)    ->
//!                                         <- RAKP 2 (its challenge, GUID, proof)
//!   RAKP 3 (proof)                        ->
//!                                         <- RAKP 4 (check of the session's key)
//! ```

use super::{
    crypto::{self, Keys},
    status::Status,
    suite::CipherSuite,
};
use crate::Credentials;

pub const USER_BYTES_MAX: usize = 16;
pub const PASSWORD_BYTES_MAX: usize = 20;
/// In the role byte: look the user up by name alone, not by name and privilege.
const NAME_ONLY_LOOKUP: u8 = 0x10;

/// IPMI 2.0 table 22-18.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privilege {
    User,
    Operator,
    Administrator,
}

impl Privilege {
    pub const fn code(self) -> u8 {
        match self {
            Self::User => 2,
            Self::Operator => 3,
            Self::Administrator => 4,
        }
    }
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Operator => "operator",
            Self::Administrator => "administrator",
        }
    }
}

/// Why an answer of the BMC ends the login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It says so itself.
    Status(Status),
    /// Other algorithms than we asked for.
    Algorithms([u8; 3]),
    /// RAKP 2 is not made with our password.
    WrongPassword,
    /// RAKP 4 is not made with the session's key.
    WrongKey,
    Malformed,
}

/// One login under way. Everything random is drawn when it is made.
#[derive(Debug, Clone)]
pub struct Exchange {
    pub suite: CipherSuite,
    pub privilege: Privilege,
    pub credentials: Credentials,
    /// Our id of the session: what the BMC writes into packets for us.
    pub console_id: u32,
    pub console_challenge: [u8; 16],
    /// In every message, so that answers to an earlier login are told apart.
    pub tag: u8,
    pub bmc_id: u32,
    pub bmc_challenge: [u8; 16],
    pub bmc_guid: [u8; 16],
}

impl Exchange {
    pub fn new(suite: CipherSuite, privilege: Privilege, credentials: Credentials) -> Self {
        // Id 0 means "outside any session".
        let console_id = u32::from_le_bytes(crypto::random()).max(1);
        Self {
            suite,
            privilege,
            credentials,
            console_id,
            console_challenge: crypto::random(),
            tag: crypto::random::<1>()[0],
            bmc_id: 0,
            bmc_challenge: [0; 16],
            bmc_guid: [0; 16],
        }
    }

    fn role(&self) -> u8 {
        NAME_ONLY_LOOKUP | self.privilege.code()
    }

    /// Role, length of the name, name: part of every proof.
    fn role_and_user(&self) -> Vec<u8> {
        let user = self.credentials.user.as_bytes();
        let length = u8::try_from(user.len()).expect("the name's length was checked");
        [&[self.role(), length], user].concat()
    }

    fn mac(&self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        self.suite.authentication.mac(key, parts)
    }

    fn password_mac(&self, parts: &[&[u8]]) -> Vec<u8> {
        // The standard pads the password with zeros to 20 bytes; HMAC does the same to its key.
        self.mac(self.credentials.password.as_bytes(), parts)
    }

    /// The key from which the session's are derived. We have no separate BMC key (Kg): the
    /// user's takes its place, as the standard says.
    fn session_integrity_key(&self) -> Vec<u8> {
        self.password_mac(&[&self.console_challenge, &self.bmc_challenge, &self.role_and_user()])
    }

    pub fn open_session_request(&self) -> Vec<u8> {
        let mut body = vec![self.tag, self.privilege.code(), 0, 0];
        body.extend(self.console_id.to_le_bytes());
        for (kind, code) in (0u8..).zip(self.suite.codes()) {
            body.extend([kind, 0, 0, 8, code, 0, 0, 0]);
        }
        body
    }

    /// `None`: not the answer to this login.
    pub fn open_session_response(&mut self, body: &[u8]) -> Option<Result<(), Refusal>> {
        let rest = match self.head(body)? {
            Ok(rest) => rest,
            Err(refusal) => return Some(Err(refusal)),
        };
        let Some((bmc_id, offers)) = rest.split_first_chunk::<4>() else {
            return Some(Err(Refusal::Malformed));
        };
        let Some(codes) = offered(offers) else { return Some(Err(Refusal::Malformed)) };
        if codes != self.suite.codes() {
            return Some(Err(Refusal::Algorithms(codes)));
        }
        self.bmc_id = u32::from_le_bytes(*bmc_id);
        Some(Ok(()))
    }

    pub fn rakp_1(&self) -> Vec<u8> {
        let mut body = vec![self.tag, 0, 0, 0];
        body.extend(self.bmc_id.to_le_bytes());
        body.extend(self.console_challenge);
        let role_and_user = self.role_and_user();
        body.extend([role_and_user[0], 0, 0]);
        body.extend(&role_and_user[1..]);
        body
    }

    /// Checks that the BMC knows the password. `None`: not the answer to this login.
    pub fn rakp_2(&mut self, body: &[u8]) -> Option<Result<(), Refusal>> {
        let rest = match self.head(body)? {
            Ok(rest) => rest,
            Err(refusal) => return Some(Err(refusal)),
        };
        let split = rest
            .split_first_chunk::<16>()
            .and_then(|(challenge, rest)| Some((challenge, rest.split_first_chunk::<16>()?)));
        let Some((challenge, (guid, proof))) = split else { return Some(Err(Refusal::Malformed)) };
        if proof.len() < self.suite.authentication.code_bytes() {
            return Some(Err(Refusal::Malformed));
        }
        let want = self.password_mac(&[
            &self.console_id.to_le_bytes(),
            &self.bmc_id.to_le_bytes(),
            &self.console_challenge,
            challenge,
            guid,
            &self.role_and_user(),
        ]);
        if !crypto::same(&want, &proof[..want.len()]) {
            return Some(Err(Refusal::WrongPassword));
        }
        self.bmc_challenge = *challenge;
        self.bmc_guid = *guid;
        Some(Ok(()))
    }

    pub fn rakp_3(&self) -> Vec<u8> {
        let mut body = vec![self.tag, 0, 0, 0];
        body.extend(self.bmc_id.to_le_bytes());
        body.extend(self.password_mac(&[
            &self.bmc_challenge,
            &self.console_id.to_le_bytes(),
            &self.role_and_user(),
        ]));
        body
    }

    /// Checks that the BMC made the same key. `None`: not the answer to this login.
    pub fn rakp_4(&self, body: &[u8]) -> Option<Result<Keys, Refusal>> {
        let check = match self.head(body)? {
            Ok(rest) => rest,
            Err(refusal) => return Some(Err(refusal)),
        };
        let key = self.session_integrity_key();
        let mut want =
            self.mac(&key, &[&self.console_challenge, &self.bmc_id.to_le_bytes(), &self.bmc_guid]);
        want.truncate(self.suite.authentication.check_bytes());
        if check.len() < want.len() || !crypto::same(&want, &check[..want.len()]) {
            return Some(Err(Refusal::WrongKey));
        }
        Some(Ok(Keys::derive(&self.suite, &key)))
    }

    /// Tag, status and our id, which begin every answer; then the rest of it. A refusal may be
    /// shorter, so its status is looked at first.
    fn head<'a>(&self, body: &'a [u8]) -> Option<Result<&'a [u8], Refusal>> {
        let [tag, status, _, _, rest @ ..] = body else { return None };
        if *tag != self.tag {
            return None;
        }
        if *status != 0 {
            return Some(Err(Refusal::Status(Status(*status))));
        }
        let (id, rest) = rest.split_first_chunk::<4>()?;
        (u32::from_le_bytes(*id) == self.console_id).then_some(Ok(rest))
    }
}

/// The three algorithms in an Open Session Response, each in a record of eight bytes.
fn offered(offers: &[u8]) -> Option<[u8; 3]> {
    let mut codes = [0; 3];
    for (index, code) in codes.iter_mut().enumerate() {
        let record = offers.get(index * 8..index * 8 + 8)?;
        if usize::from(record[0]) != index {
            return None;
        }
        *code = record[4] & 0x3f;
    }
    Some(codes)
}

#[cfg(test)]
mod tests;
