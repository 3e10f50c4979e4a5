//! What the server and an agent say to each other: JSON over the agent's own HTTP connection.
//!
//! | Request | Answer |
//! | --- | --- |
//! | `GET /v1/agent/desired?after=GENERATION&wait_s=30` | [`Desired`], a full snapshot, or 304 when nothing newer came within the wait |
//! | `POST /v1/agent/reports` with a [`Report`] | [`Ack`], after the report is committed |
//! | `GET /v1/agent/images/{id}/{disk,kernel,ramdisk}` | the file's bytes |
//! | `GET /v1/agent/streams?wait_s=30` | [`StreamsWanted`], empty when nothing came within the wait |
//! | `GET /v1/agent/streams/{id}`, upgraded to a WebSocket | the console's bytes in binary messages, both ways; its end says why by a code of [`close`] |
//! | `POST /prometheus/api/v1/write` | remote write 1.0, for samples |
//!
//! The token says which host it is. An agent inside the server speaks the same, over loopback.

use base::{
    id::{BootId, HostId, ImageId, InstanceId, StreamId, TenantId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// All that the host is to run: what is not in it, and was made by OpsHawk, is wanted absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    pub host_id: HostId,
    /// Grows with each change; a report names the one it answers to.
    pub generation: i64,
    pub instances: Vec<DesiredInstance>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredInstance {
    pub id: InstanceId,
    pub tenant_id: TenantId,
    pub name: String,
    pub generation: i64,
    pub power: Power,
    pub vcpus: i64,
    pub memory_mib: i64,
    pub disk_gib: i64,
    pub mac: String,
    pub image: DesiredImage,
    /// An OpenSSH public key for the guest's first user, through cloud-init.
    pub ssh_key: Option<String>,
    /// cloud-init user data, as the tenant gave it.
    pub user_data: Option<String>,
    /// How long the guest may take to follow ACPI before it is stopped hard.
    pub stop_grace_ms: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    Running,
    /// vCPUs halted, memory kept.
    Paused,
    Stopped,
    /// Domain, disk, seed and NVRAM gone.
    Absent,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredImage {
    pub id: ImageId,
    pub disk: ImageFile,
    pub disk_format: DiskFormat,
    pub kernel: Option<ImageFile>,
    pub ramdisk: Option<ImageFile>,
    pub kernel_cmdline: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskFormat {
    Qcow2,
    Raw,
}

/// Kept on the host under its hash, and checked against it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFile {
    pub sha256: String,
    pub bytes: i64,
}

/// What an agent saw, whole. It counts once: the server takes a sequence of a boot only if it is
/// higher than the last one it took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// A new one at each start of the agent.
    pub boot_id: BootId,
    /// From 1, one more each report; a report that is sent again keeps its own.
    pub sequence: i64,
    pub at: Timestamp,
    /// When the agent's journal began. Another one than before: what it had not told is lost.
    #[serde(default)]
    pub journal_since: Option<Timestamp>,
    /// The desired generation that the agent had read when it looked.
    pub generation: i64,
    pub host: HostFacts,
    /// Every instance that is wanted here or has something left here.
    pub instances: Vec<ObservedInstance>,
    /// Changes of state that no acknowledged report carried yet, in order. They are kept on the
    /// agent's disk until acknowledged, so that an outage of the server loses no fact.
    pub events: Vec<InstanceEvent>,
    /// What guests' network interfaces had counted, in order, of what no acknowledged report carried
    /// yet; kept as `events` are, and sent when no event is left to send. Agents that are older leave
    /// it out.
    #[serde(default)]
    pub readings: Vec<PortReading>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    pub hostname: String,
    pub agent_version: String,
    /// The hypervisor answers; otherwise `problem` says why not.
    pub hypervisor_ok: bool,
    pub problem: Option<Problem>,
    pub cpus: i64,
    pub memory_mib: i64,
    /// Of the file system that holds the instances' disks.
    pub disk_gib: i64,
    /// `kvm`, or `qemu` where KVM does not truly work.
    pub domain_type: Option<String>,
    pub libvirt_version: Option<String>,
    pub hypervisor_version: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What is wrong, one line.
    pub reason: String,
    /// What to do, one line.
    pub remedy: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedInstance {
    pub id: InstanceId,
    /// The instance's generation that this answers to.
    pub generation: i64,
    pub state: InstanceState,
    /// When it changed into `state`, by the host's clock.
    pub since: Timestamp,
    /// The step under way: `image`, `disk`, `seed`, `network`, `define`, `start`, `stop`, `remove`.
    pub step: Option<String>,
    pub progress_pct: Option<i64>,
    pub failure: Option<Failure>,
    pub addresses: Vec<String>,
    /// What its disk holds, in whole GiB; none while it has none. Agents that are older leave it out.
    #[serde(default)]
    pub disk_gib: Option<i64>,
    /// The last of what its serial port printed (at most [`CONSOLE_TAIL_BYTES`]); only when it
    /// changed since the last acknowledged report.
    pub console_tail: Option<String>,
}

pub const CONSOLE_TAIL_BYTES: usize = 16 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// On its way to its first start.
    Building,
    Running,
    Paused,
    Stopped,
    /// Nothing of it is left on the host.
    Absent,
    /// A step failed for good; see `failure`.
    Failed,
    /// The hypervisor does not answer.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Snake case, for programs: `image_unavailable`, `disk_full`, `hypervisor_refused`.
    pub code: String,
    pub message: String,
    /// Trying again can't help.
    pub permanent: bool,
}

/// A confirmed change of state: what billing counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceEvent {
    /// Unique for ever, the same when it is sent again.
    pub id: uuid::Uuid,
    pub instance_id: InstanceId,
    /// `Running`, `Paused`, `Stopped` or `Absent`.
    pub state: InstanceState,
    pub at: Timestamp,
}

/// What one network interface of a guest had counted at an instant, seen from the guest. There is one
/// of an instance, port, epoch and instant, however often it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortReading {
    pub instance_id: InstanceId,
    /// The interface's MAC address.
    pub port: String,
    /// The counters' life: they begin at zero with each.
    pub epoch: String,
    /// A port's readings rise with time.
    pub at: Timestamp,
    pub received_bytes: i64,
    pub sent_bytes: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    pub sequence: i64,
}

/// Live consoles that somebody waits for. One that is not dialled soon is named again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamsWanted {
    pub items: Vec<StreamWanted>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamWanted {
    /// What the agent dials.
    pub id: StreamId,
    pub instance_id: InstanceId,
    pub kind: StreamKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamKind {
    /// The serial port: what it prints, and what is typed.
    Serial,
    /// The screen, keyboard and mouse: RFB (RFC 6143), without a password.
    Screen,
}

impl StreamKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Serial => "serial",
            Self::Screen => "screen",
        }
    }
}

/// Consoles of one host's guests at once.
pub const MAX_STREAMS_PER_HOST: usize = 64;
/// No message of a stream is larger, either way.
pub const MAX_MESSAGE_BYTES: usize = 1 << 20;
/// How often each side of a stream is asked for a sign of life (by a WebSocket ping).
pub const PING_INTERVAL_MS: u64 = 20_000;
/// A side that gave none for so long is gone.
pub const SILENCE_LIMIT_MS: u64 = 60_000;

/// Why a console ended, for whoever looked: one of [`close`]'s codes, and words that a close frame has room for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    pub code: u16,
    pub reason: String,
}

impl End {
    pub fn new(code: u16, reason: impl Into<String>) -> Self {
        let mut reason = reason.into();
        let fits = (0..=close::MAX_REASON_BYTES).rev().find(|at| reason.is_char_boundary(*at));
        reason.truncate(fits.unwrap_or(0));
        Self { code, reason }
    }
}

/// Why a stream ended, as a WebSocket's close code (RFC 6455, section 7.4) with a reason in words.
pub mod close {
    /// The guest stopped, or whoever looked has left.
    pub const NORMAL: u16 = 1000;
    /// Something else than binary messages came.
    pub const UNSUPPORTED: u16 = 1003;
    /// Whoever looked may no longer.
    pub const POLICY: u16 = 1008;
    /// A message was above [`super::MAX_MESSAGE_BYTES`].
    pub const TOO_LARGE: u16 = 1009;
    /// The host could not open the console.
    pub const FAILED: u16 = 1011;
    /// The server is stopping.
    pub const RESTART: u16 = 1012;
    /// The host's agent did not come, or went away.
    pub const TRY_AGAIN: u16 = 1013;
    /// Another console took the serial port over.
    pub const TAKEN_OVER: u16 = 4001;
    /// No reason is longer: a close frame has room for so much beside its code.
    pub const MAX_REASON_BYTES: usize = 123;
}
