//! An open session: its keys, the counting of what is sent, and the window of what is taken
//! (IPMI 2.0 §6.12.9 to §6.12.13). Pure.

use super::{
    crypto::{Keys, random},
    message::{self, Request, Response, SEQUENCE_MASK},
    suite::CipherSuite,
    wire::{self, Payload},
};

/// How far behind the newest packet one may be and still be taken, once.
const WINDOW: u32 = 32;

/// Which inbound sequence numbers were seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Window {
    newest: u32,
    /// Bit n: `newest - n` was seen.
    seen: u32,
}

impl Window {
    /// True the first time, for a number that is not too old. Numbers come authenticated, so any
    /// step forward is taken: many answers may have been lost.
    pub fn take(&mut self, sequence: u32) -> bool {
        if sequence == 0 {
            return false;
        }
        if sequence > self.newest {
            let step = sequence - self.newest;
            self.seen = self.seen.checked_shl(step).unwrap_or(0) | 1;
            self.newest = sequence;
            return true;
        }
        let behind = self.newest - sequence;
        if behind >= WINDOW || self.seen & 1 << behind != 0 {
            return false;
        }
        self.seen |= 1 << behind;
        true
    }
}

#[derive(Debug)]
pub struct Session {
    pub suite: CipherSuite,
    keys: Keys,
    console_id: u32,
    bmc_id: u32,
    next_outbound: u32,
    inbound: Window,
    /// `rqSeq` of the last command.
    command_sequence: u8,
}

impl Session {
    pub fn new(suite: CipherSuite, keys: Keys, ids: (u32, u32)) -> Self {
        let (console_id, bmc_id) = ids;
        Self {
            suite,
            keys,
            console_id,
            bmc_id,
            // Zero is for packets outside a session.
            next_outbound: 1,
            inbound: Window::default(),
            command_sequence: 0,
        }
    }

    pub const fn bmc_id(&self) -> u32 {
        self.bmc_id
    }

    /// A new `rqSeq`, for a new command. Sending a command again keeps it.
    pub fn next_command(&mut self) -> u8 {
        self.command_sequence = (self.command_sequence + 1) & SEQUENCE_MASK;
        self.command_sequence
    }

    /// The packet for `request`, with the next session sequence number.
    pub fn seal(&mut self, request: &Request, command_sequence: u8) -> Vec<u8> {
        let sequence = self.next_outbound;
        self.next_outbound = sequence.checked_add(1).unwrap_or(1);
        let message = message::encode(request, command_sequence);
        wire::encode_sealed(&self.suite, &self.keys, (self.bmc_id, sequence), random(), &message)
    }

    /// The answer to `request` in a datagram. `None` for whatever is not: not our session, not
    /// protected as agreed, seen before, too old, late, or another command's.
    pub fn open(&mut self, datagram: &[u8], request: &Request, sequence: u8) -> Option<Response> {
        let packet = wire::decode(datagram)?;
        if packet.payload != Payload::Ipmi || packet.session_id != self.console_id {
            return None;
        }
        let message = packet.open(&self.suite, &self.keys)?;
        // Only what is authentic may move the window.
        if !self.inbound.take(packet.sequence) {
            return None;
        }
        message::decode_answer(&message, request, sequence)
    }
}

#[cfg(test)]
mod tests;
