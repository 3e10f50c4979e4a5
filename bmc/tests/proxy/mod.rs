//! UDP proxies between console and BMC: one that loses, doubles and delays datagrams, by a seed;
//! one that refuses a cipher suite.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use tokio::{net::UdpSocket, task::JoinHandle, time::timeout};

const DATAGRAM_BYTES_MAX: usize = 2048;
/// A datagram held back for reordering goes out after this at the latest.
const HELD_MS: u64 = 3;

/// Percentages of the datagrams, in each direction.
#[derive(Clone, Copy)]
pub struct Weather {
    pub seed: u64,
    pub lost_pct: u64,
    pub doubled_pct: u64,
    pub held_pct: u64,
}

pub struct Proxy {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Proxy {
    pub async fn start(to: SocketAddr, weather: Weather) -> Self {
        let front = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        let back = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        back.connect(to).await.expect("loopback");
        let address = front.local_addr().expect("it is bound");
        Self { address, task: tokio::spawn(run(front, back, weather)) }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    ToBmc,
    ToConsole,
}

async fn run(front: UdpSocket, back: UdpSocket, weather: Weather) {
    let mut random = weather.seed | 1;
    let mut percent = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % 100
    };
    let mut held: VecDeque<(Way, Vec<u8>)> = VecDeque::new();
    let mut console = None;
    let (mut from_console, mut from_bmc) = ([0; DATAGRAM_BYTES_MAX], [0; DATAGRAM_BYTES_MAX]);
    loop {
        let next = async {
            tokio::select! {
                got = front.recv_from(&mut from_console) => got.ok().map(|(length, peer)| {
                    console = Some(peer);
                    (Way::ToBmc, from_console[..length].to_vec())
                }),
                got = back.recv(&mut from_bmc) => {
                    got.ok().map(|length| (Way::ToConsole, from_bmc[..length].to_vec()))
                }
            }
        };
        let got = timeout(Duration::from_millis(HELD_MS), next).await;
        let idle = got.is_err();
        let mut out = Vec::new();
        if let Ok(Some((way, datagram))) = got
            && percent() >= weather.lost_pct
        {
            if percent() < weather.doubled_pct {
                out.push((way, datagram.clone()));
            }
            if percent() < weather.held_pct {
                held.push_back((way, datagram));
            } else {
                out.push((way, datagram));
            }
        }
        if !out.is_empty() || idle {
            // What was held goes behind what came after it.
            out.extend(held.drain(..));
        }
        for (way, datagram) in out {
            let _ = match (way, console) {
                (Way::ToBmc, _) => back.send(&datagram).await,
                (Way::ToConsole, Some(peer)) => front.send_to(&datagram, peer).await,
                (Way::ToConsole, None) => Ok(0),
            };
        }
    }
}

/// Refuses Open Session Requests with these algorithms as a BMC does that has their suite
/// switched off (status 0x11), and passes on everything else.
pub async fn refusing(to: SocketAddr, algorithms: [u8; 3]) -> Proxy {
    let front = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let back = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    back.connect(to).await.expect("loopback");
    let address = front.local_addr().expect("it is bound");
    Proxy { address, task: tokio::spawn(refuse(front, back, algorithms)) }
}

async fn refuse(front: UdpSocket, back: UdpSocket, algorithms: [u8; 3]) {
    const BODY: usize = 16;
    let mut console = None;
    let (mut from_console, mut from_bmc) = ([0; DATAGRAM_BYTES_MAX], [0; DATAGRAM_BYTES_MAX]);
    loop {
        tokio::select! {
            Ok((length, peer)) = front.recv_from(&mut from_console) => {
                console = Some(peer);
                let asked = &from_console[..length];
                let opens = asked.get(4..6) == Some(&[0x06, 0x10]) && length == BODY + 32;
                if opens && [12, 20, 28].map(|at| asked[BODY + at]) == algorithms {
                    let mut answer = asked[..BODY + 8].to_vec();
                    answer[5] = 0x11;
                    answer[14] = 8;
                    answer[BODY + 1] = 0x11;
                    let _ = front.send_to(&answer, peer).await;
                } else {
                    let _ = back.send(asked).await;
                }
            }
            Ok(length) = back.recv(&mut from_bmc) => {
                if let Some(peer) = console {
                    let _ = front.send_to(&from_bmc[..length], peer).await;
                }
            }
        }
    }
}
