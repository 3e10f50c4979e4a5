//! One UDP socket to one BMC: send, wait, send again, a bounded number of times.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    net::UdpSocket,
    time::{Instant, timeout_at},
};

use crate::error::{BmcError, Result};

/// The largest datagram that RMCP+ sends is far below this.
const DATAGRAM_BYTES_MAX: usize = 2048;

/// How patient we are. The wait doubles from the first to the longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    pub first_wait_ms: u64,
    pub longest_wait_ms: u64,
    /// How often a datagram is sent, the first time included.
    pub tries: u32,
    /// A session that was idle longer is opened anew: a BMC drops it after 60 s ± 3 s
    /// (IPMI 2.0 §6.12.15).
    pub session_idle_ms: u64,
}

impl Default for Timing {
    /// At most 5.75 s a step.
    fn default() -> Self {
        Self { first_wait_ms: 250, longest_wait_ms: 2_000, tries: 5, session_idle_ms: 50_000 }
    }
}

impl Timing {
    fn wait(&self, attempt: u32) -> Duration {
        let factor = 1u64.checked_shl(attempt).unwrap_or(u64::MAX);
        let wait_ms = self.first_wait_ms.saturating_mul(factor).min(self.longest_wait_ms);
        Duration::from_millis(wait_ms)
    }
    /// The longest that one step can take.
    pub fn step_ms_max(&self) -> u64 {
        (0..self.tries)
            .map(|attempt| u64::try_from(self.wait(attempt).as_millis()).unwrap_or(u64::MAX))
            .fold(0, u64::saturating_add)
    }
}

/// A question and how its answer is known.
pub trait Step {
    type Answer;
    /// The datagram to send, asked for again at each try.
    fn packet(&mut self) -> Vec<u8>;
    /// `None`: this datagram is not the answer; keep waiting.
    fn take(&mut self, datagram: &[u8]) -> Option<Result<Self::Answer>>;
}

#[derive(Debug)]
pub struct Link {
    socket: UdpSocket,
    address: String,
}

impl Link {
    /// Resolves `address` (`HOST:PORT`) and makes a socket that hears only it.
    pub async fn open(address: &str) -> Result<Self> {
        let failed = |source| BmcError::Io { address: address.to_owned(), source };
        let mut found = tokio::net::lookup_host(address).await.map_err(failed)?;
        let peer = found.next().ok_or_else(|| BmcError::Address {
            address: address.to_owned(),
            detail: "the name has no address".into(),
        })?;
        let local: SocketAddr = if peer.is_ipv4() {
            (std::net::Ipv4Addr::UNSPECIFIED, 0).into()
        } else {
            (std::net::Ipv6Addr::UNSPECIFIED, 0).into()
        };
        let socket = UdpSocket::bind(local).await.map_err(failed)?;
        socket.connect(peer).await.map_err(failed)?;
        Ok(Self { socket, address: address.to_owned() })
    }

    /// Sends without waiting for anything; for a farewell.
    pub fn fire(&self, packet: &[u8]) {
        // Nobody waits for the answer: a session that this leaves open ends by itself.
        let _ = self.socket.try_send(packet);
    }

    pub async fn ask<S: Step>(&self, timing: &Timing, step: &mut S) -> Result<S::Answer> {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        let started = Instant::now();
        let mut refused = false;
        for attempt in 0..timing.tries {
            if let Err(source) = self.socket.send(&step.packet()).await {
                // The kernel reports an earlier "port unreachable" here: the port may open yet.
                refused |= source.kind() == std::io::ErrorKind::ConnectionRefused;
                if source.kind() != std::io::ErrorKind::ConnectionRefused {
                    return Err(BmcError::Io { address: self.address.clone(), source });
                }
            }
            let until = Instant::now() + timing.wait(attempt);
            loop {
                match timeout_at(until, self.socket.recv(&mut buffer)).await {
                    Err(_) => break,
                    Ok(Ok(length)) => {
                        if let Some(answer) = step.take(&buffer[..length]) {
                            return answer;
                        }
                    }
                    Ok(Err(_)) => refused = true,
                }
            }
        }
        Err(BmcError::Unreachable {
            address: self.address.clone(),
            waited_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            detail: if refused { "; its machine says that the port is closed" } else { "" },
        })
    }
}
