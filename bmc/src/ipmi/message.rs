//! IPMI messages as a LAN carries them (IPMI 2.0 §13.8): addresses, network function, sequence,
//! command, and two checksums. Pure functions.

/// The BMC's address on its management bus.
pub const BMC_ADDRESS: u8 = 0x20;
/// Ours, the one for remote consoles.
const CONSOLE_ADDRESS: u8 = 0x81;
/// `rqSeq` has six bits.
pub const SEQUENCE_MASK: u8 = 0x3f;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetFn {
    Chassis,
    Sensor,
    App,
    Storage,
}

impl NetFn {
    /// Of a request; the response's is one more.
    const fn code(self) -> u8 {
        match self {
            Self::Chassis => 0x00,
            Self::Sensor => 0x04,
            Self::App => 0x06,
            Self::Storage => 0x0a,
        }
    }
}

/// A command and its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// For errors and logs.
    pub name: &'static str,
    pub net_fn: NetFn,
    pub lun: u8,
    pub command: u8,
    pub data: Vec<u8>,
}

impl Request {
    pub fn new(name: &'static str, net_fn: NetFn, command: u8, data: &[u8]) -> Self {
        Self { name, net_fn, lun: 0, command, data: data.to_vec() }
    }
    #[must_use]
    pub fn lun(mut self, lun: u8) -> Self {
        self.lun = lun & 3;
        self
    }
}

/// What answered a [`Request`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub completion: u8,
    pub data: Vec<u8>,
}

/// Two's complement: all bytes and their checksum add up to zero.
fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)).wrapping_neg()
}

pub fn encode(request: &Request, sequence: u8) -> Vec<u8> {
    let head = [BMC_ADDRESS, request.net_fn.code() << 2 | request.lun];
    let mut body = vec![CONSOLE_ADDRESS, (sequence & SEQUENCE_MASK) << 2, request.command];
    body.extend(&request.data);
    let mut message = head.to_vec();
    message.push(checksum(&head));
    message.extend(&body);
    message.push(checksum(&body));
    message
}

/// The response in `message`, if it answers `request` with this `sequence`; anything else (a late
/// answer, another command's, a broken one) is `None`.
pub fn decode_answer(message: &[u8], request: &Request, sequence: u8) -> Option<Response> {
    let (head, rest) = message.split_first_chunk::<3>()?;
    let (body_checksum, body) = rest.split_last()?;
    let [from, answered, command, completion, data @ ..] = body else { return None };
    let whole = checksum(&head[..2]) == head[2] && checksum(body) == *body_checksum;
    let ours = head[0] == CONSOLE_ADDRESS
        && head[1] >> 2 == request.net_fn.code() | 1
        && *from == BMC_ADDRESS
        && answered >> 2 == sequence & SEQUENCE_MASK
        && *command == request.command;
    (whole && ours).then(|| Response { completion: *completion, data: data.to_vec() })
}

#[cfg(test)]
mod tests;
