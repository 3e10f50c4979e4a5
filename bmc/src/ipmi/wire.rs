//! Packets as they travel on UDP: RMCP, and the two session headers of IPMI (IPMI 2.0 §13.6,
//! ASF 2.0 §3.2.2). Pure functions; what can't be decoded is `None`.
//!
//! ```text
//! RMCP      06 00 FF 07
//! IPMI 1.5  00 | sequence 4 | session 4 | length 1 | payload         (before a session)
//! IPMI 2.0  06 | type 1 | session 4 | sequence 4 | length 2 | payload
//!           and if signed: FF pad to 4 bytes | pad length 1 | 07 | authentication code
//! ```

use super::{
    crypto::{self, Keys},
    suite::CipherSuite,
};

const RMCP: [u8; 4] = [0x06, 0x00, 0xff, 0x07];
const FORMAT_15_NONE: u8 = 0x00;
const FORMAT_20: u8 = 0x06;
const ENCRYPTED: u8 = 0x80;
const AUTHENTICATED: u8 = 0x40;
/// The only value of the trailer's "next header" byte.
const NEXT_HEADER: u8 = 0x07;
/// A payload of OEM kind carries six more bytes of header; we never ask for one.
const PAYLOAD_OEM: u8 = 0x02;

/// IPMI 2.0 table 13-16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    Ipmi,
    OpenSessionRequest,
    OpenSessionResponse,
    Rakp1,
    Rakp2,
    Rakp3,
    Rakp4,
}

impl Payload {
    const ALL: [Self; 7] = [
        Self::Ipmi,
        Self::OpenSessionRequest,
        Self::OpenSessionResponse,
        Self::Rakp1,
        Self::Rakp2,
        Self::Rakp3,
        Self::Rakp4,
    ];
    const fn code(self) -> u8 {
        match self {
            Self::Ipmi => 0x00,
            Self::OpenSessionRequest => 0x10,
            Self::OpenSessionResponse => 0x11,
            Self::Rakp1 => 0x12,
            Self::Rakp2 => 0x13,
            Self::Rakp3 => 0x14,
            Self::Rakp4 => 0x15,
        }
    }
}

/// An IPMI message outside any session, in the old header, as Get Channel Authentication
/// Capabilities wants it.
pub fn encode_v15(message: &[u8]) -> Vec<u8> {
    let length = u8::try_from(message.len()).expect("our sessionless messages are short");
    [RMCP.as_slice(), &[FORMAT_15_NONE], &[0; 8], &[length], message].concat()
}

/// The message of an unauthenticated packet in the old header.
pub fn decode_v15(packet: &[u8]) -> Option<&[u8]> {
    let rest = packet.strip_prefix(&RMCP)?.strip_prefix(&[FORMAT_15_NONE])?;
    let (_, rest) = rest.split_at_checked(8)?;
    let (length, rest) = rest.split_first()?;
    rest.get(..usize::from(*length))
}

fn header(kind: u8, session_id: u32, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("our payloads are short");
    let mut packet = RMCP.to_vec();
    packet.extend([FORMAT_20, kind]);
    packet.extend(session_id.to_le_bytes());
    packet.extend(sequence.to_le_bytes());
    packet.extend(length.to_le_bytes());
    packet.extend(payload);
    packet
}

/// A packet of the login: neither signed nor encrypted, session and sequence zero.
pub fn encode_plain(payload: Payload, body: &[u8]) -> Vec<u8> {
    header(payload.code(), 0, 0, body)
}

/// A packet inside a session, protected as `suite` says; `iv` is random.
pub fn encode_sealed(
    suite: &CipherSuite,
    keys: &Keys,
    (session_id, sequence): (u32, u32),
    iv: [u8; 16],
    message: &[u8],
) -> Vec<u8> {
    let mut kind = Payload::Ipmi.code();
    if suite.confidentiality.code() != 0 {
        kind |= ENCRYPTED;
    }
    let signed = suite.integrity.code() != 0;
    if signed {
        kind |= AUTHENTICATED;
    }
    let body = crypto::encrypt(suite.confidentiality, keys, iv, message);
    let mut packet = header(kind, session_id, sequence, &body);
    if signed {
        // Everything from the format byte to the next header is signed, in whole words.
        let pad = (4 - (packet.len() - RMCP.len() + 2) % 4) % 4;
        packet.extend(std::iter::repeat_n(0xff, pad));
        packet.extend([u8::try_from(pad).expect("at most three"), NEXT_HEADER]);
        let code = suite.integrity.code_of(&keys.integrity, &packet[RMCP.len()..]);
        packet.extend(code);
    }
    packet
}

/// A packet in the new header, its protection not yet looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    pub payload: Payload,
    pub encrypted: bool,
    pub authenticated: bool,
    pub session_id: u32,
    pub sequence: u32,
    pub body: &'a [u8],
    /// From the format byte to the end of the body.
    signed_head: &'a [u8],
    /// Pad, pad length, next header and code.
    trailer: &'a [u8],
}

pub fn decode(packet: &[u8]) -> Option<Packet<'_>> {
    let session = packet.strip_prefix(&RMCP)?;
    let rest = session.strip_prefix(&[FORMAT_20])?;
    let (kind, rest) = rest.split_first()?;
    let code = kind & 0x3f;
    if code == PAYLOAD_OEM {
        return None;
    }
    let payload = Payload::ALL.into_iter().find(|p| p.code() == code)?;
    let (session_id, rest) = rest.split_first_chunk::<4>()?;
    let (sequence, rest) = rest.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (body, trailer) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    Some(Packet {
        payload,
        encrypted: kind & ENCRYPTED != 0,
        authenticated: kind & AUTHENTICATED != 0,
        session_id: u32::from_le_bytes(*session_id),
        sequence: u32::from_le_bytes(*sequence),
        body,
        signed_head: &session[..session.len() - trailer.len()],
        trailer,
    })
}

impl Packet<'_> {
    /// The message inside, if the packet is protected as `suite` wants it. A packet with less
    /// protection is refused, however right it looks.
    pub fn open(&self, suite: &CipherSuite, keys: &Keys) -> Option<Vec<u8>> {
        let wants_code = suite.integrity.code() != 0;
        let wants_cipher = suite.confidentiality.code() != 0;
        if self.authenticated != wants_code || self.encrypted != wants_cipher {
            return None;
        }
        if wants_code {
            let code_at = self.trailer.len().checked_sub(suite.integrity.code_bytes())?;
            let (end, code) = self.trailer.split_at(code_at);
            let (&pad_bytes, end_head) = match end {
                [pad @ .., pad_bytes, NEXT_HEADER] => (pad_bytes, pad),
                _ => return None,
            };
            if usize::from(pad_bytes) != end_head.len() {
                return None;
            }
            let signed = [self.signed_head, end].concat();
            if !crypto::same(&suite.integrity.code_of(&keys.integrity, &signed), code) {
                return None;
            }
        }
        crypto::decrypt(suite.confidentiality, keys, self.body)
    }
}

#[cfg(test)]
mod tests;
