//! What to do next for one instance: a pure function of what is wanted and what is on the host.
//!
//! ```text
//!                image* ─ disk ─ seed ─ define          (built; while it is down, its disk grows)
//!                                          │
//!    wanted running:   network ─ start ────┤ resume
//!    wanted paused:    suspend what runs; what does not run stays as it is
//!    wanted stopped:   resume ─ press power (again every 10 s) ─ after the grace: destroy
//!    wanted absent:    destroy ─ undefine ─ remove files
//! ```
//!
//! It is level-triggered: nobody remembers which steps were done, each look decides anew. So a
//! guest that is wanted running and does not run is started again, whether it crashed, the host
//! rebooted, or the guest switched itself off: who wants it off says so to the server. Starts in
//! close succession are spread ([`Memory::start_not_before`]).

use base::time::Timestamp;
use hypervisor::DomainState;

use crate::wire::{DesiredInstance, Power};

/// How often the power button is pressed while a guest is to go down: one that was still booting
/// did not notice the first time.
pub const PRESS_INTERVAL_MS: i64 = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ImagePart {
    Disk,
    Kernel,
    Ramdisk,
}

impl ImagePart {
    /// As in the server's path.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Kernel => "kernel",
            Self::Ramdisk => "ramdisk",
        }
    }
}

/// Each can be repeated without harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    FetchImage(ImagePart),
    MakeDisk,
    /// To the size that is wanted; what the guest makes of it is the guest's.
    GrowDisk,
    MakeSeed,
    Define,
    EnsureNetwork,
    Start,
    Suspend,
    Resume,
    PressPower,
    Destroy,
    Undefine,
    RemoveFiles,
}

impl Step {
    /// The word for it in a report; see [`crate::wire::ObservedInstance::step`].
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FetchImage(_) => "image",
            Self::MakeDisk | Self::GrowDisk => "disk",
            Self::MakeSeed => "seed",
            Self::Define => "define",
            Self::EnsureNetwork => "network",
            Self::Start => "start",
            Self::Suspend => "pause",
            Self::Resume => "resume",
            Self::PressPower | Self::Destroy => "stop",
            Self::Undefine | Self::RemoveFiles => "remove",
        }
    }
}

/// The instance's domain, as libvirt shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeenDomain {
    Missing,
    /// A domain has the instance's id, but is not ours.
    Foreign,
    Ours {
        state: DomainState,
        /// The one it was defined from.
        generation: i64,
    },
}

/// What is on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub domain: SeenDomain,
    /// The first part of the image that is not in the cache.
    pub missing_image: Option<ImagePart>,
    /// The instance's directory, whole or in part.
    pub directory: bool,
    pub disk: bool,
    /// What the disk holds, in whole GiB; none where that can't be read.
    pub disk_gib: Option<i64>,
    pub seed: bool,
}

/// What is known besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// It was once complete on this host, so that its disk holds data.
    pub was_built: bool,
    /// The network was looked at since the last start.
    pub network_ready: bool,
    /// When the guest was first and last asked to go down.
    pub stop_asked: Option<StopAsked>,
    pub start_not_before: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopAsked {
    pub first: Timestamp,
    pub last: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Do(Step),
    WaitUntil(Timestamp),
    /// All is as wanted.
    Nothing,
    /// Doing anything would harm.
    Refuse(Refusal),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    ForeignDomain,
    DiskLost,
}

/// `wanted` is none where the server no longer knows the instance: then it is wanted absent.
pub fn plan(
    wanted: Option<&DesiredInstance>,
    seen: &Seen,
    memory: &Memory,
    now: Timestamp,
) -> Next {
    if seen.domain == SeenDomain::Foreign {
        return Next::Refuse(Refusal::ForeignDomain);
    }
    let Some(wanted) = wanted else { return remove(seen) };
    match wanted.power {
        Power::Absent => remove(seen),
        Power::Running => run(wanted, seen, memory, now),
        Power::Paused => pause(wanted, seen, memory),
        Power::Stopped => stop(wanted, seen, memory, now),
    }
}

fn run(wanted: &DesiredInstance, seen: &Seen, memory: &Memory, now: Timestamp) -> Next {
    match state(seen) {
        Some(DomainState::Running) => Next::Nothing,
        Some(DomainState::Paused { .. }) => Next::Do(Step::Resume),
        // It is started again once it is down; whoever looks after it hears of that.
        Some(DomainState::Stopping | DomainState::Other) => Next::Nothing,
        None | Some(DomainState::Stopped | DomainState::Crashed) => {
            if let Some(next) = build(wanted, seen, memory) {
                return next;
            }
            if defined_from(seen) != Some(wanted.generation) {
                return Next::Do(Step::Define);
            }
            if now < memory.start_not_before {
                return Next::WaitUntil(memory.start_not_before);
            }
            Next::Do(if memory.network_ready { Step::Start } else { Step::EnsureNetwork })
        }
    }
}

fn pause(wanted: &DesiredInstance, seen: &Seen, memory: &Memory) -> Next {
    match state(seen) {
        Some(DomainState::Running) => Next::Do(Step::Suspend),
        Some(DomainState::Paused { .. } | DomainState::Stopping | DomainState::Other) => {
            Next::Nothing
        }
        None | Some(DomainState::Stopped | DomainState::Crashed) => {
            built_and_down(wanted, seen, memory)
        }
    }
}

fn stop(wanted: &DesiredInstance, seen: &Seen, memory: &Memory, now: Timestamp) -> Next {
    let state = match state(seen) {
        None | Some(DomainState::Stopped | DomainState::Crashed) => {
            return built_and_down(wanted, seen, memory);
        }
        Some(state) => state,
    };
    let due = |asked: StopAsked| asked.first.saturating_add_ms(wanted.stop_grace_ms);
    match memory.stop_asked {
        None if wanted.stop_grace_ms <= 0 => Next::Do(Step::Destroy),
        Some(asked) if now >= due(asked) => Next::Do(Step::Destroy),
        // Halted vCPUs can't follow the button.
        _ if matches!(state, DomainState::Paused { .. }) => Next::Do(Step::Resume),
        None => Next::Do(Step::PressPower),
        Some(asked) => {
            let again = asked.last.saturating_add_ms(PRESS_INTERVAL_MS);
            if now >= again {
                Next::Do(Step::PressPower)
            } else {
                Next::WaitUntil(again.min(due(asked)))
            }
        }
    }
}

fn remove(seen: &Seen) -> Next {
    match state(seen) {
        Some(DomainState::Stopped | DomainState::Crashed) => Next::Do(Step::Undefine),
        Some(_) => Next::Do(Step::Destroy),
        None if seen.directory => Next::Do(Step::RemoveFiles),
        None => Next::Nothing,
    }
}

/// Complete and not running: what is wanted stopped (or paused, and never started) ends there.
fn built_and_down(wanted: &DesiredInstance, seen: &Seen, memory: &Memory) -> Next {
    // Once it is defined and has its disk, nothing else is needed until its next start.
    if seen.disk && state(seen).is_some() {
        return if is_small(wanted, seen) { Next::Do(Step::GrowDisk) } else { Next::Nothing };
    }
    build(wanted, seen, memory).unwrap_or_else(|| {
        let defined = defined_from(seen) == Some(wanted.generation);
        if defined { Next::Nothing } else { Next::Do(Step::Define) }
    })
}

/// The disk is smaller than what is wanted, or nobody knows how large it is: then whoever is to grow it
/// says what is wrong with it.
fn is_small(wanted: &DesiredInstance, seen: &Seen) -> bool {
    seen.disk && seen.disk_gib.is_none_or(|gib| gib < wanted.disk_gib)
}

/// The files that a domain needs. None: all there.
fn build(wanted: &DesiredInstance, seen: &Seen, memory: &Memory) -> Option<Next> {
    if !seen.disk && memory.was_built {
        // An empty disk in its place would hide the loss.
        return Some(Next::Refuse(Refusal::DiskLost));
    }
    if let Some(part) = seen.missing_image {
        return Some(Next::Do(Step::FetchImage(part)));
    }
    if !seen.disk {
        return Some(Next::Do(Step::MakeDisk));
    }
    if is_small(wanted, seen) {
        return Some(Next::Do(Step::GrowDisk));
    }
    (!seen.seed).then_some(Next::Do(Step::MakeSeed))
}

fn state(seen: &Seen) -> Option<DomainState> {
    match seen.domain {
        SeenDomain::Ours { state, .. } => Some(state),
        SeenDomain::Missing | SeenDomain::Foreign => None,
    }
}

fn defined_from(seen: &Seen) -> Option<i64> {
    match seen.domain {
        SeenDomain::Ours { generation, .. } => Some(generation),
        SeenDomain::Missing | SeenDomain::Foreign => None,
    }
}

#[cfg(test)]
mod tests;
