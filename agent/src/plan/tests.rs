use base::id::{ImageId, InstanceId, TenantId};

use super::*;
use crate::wire::{DesiredImage, DiskFormat, ImageFile};

fn wanted(power: Power) -> DesiredInstance {
    let file = || ImageFile { sha256: "00".repeat(32), bytes: 1 };
    DesiredInstance {
        id: InstanceId::new(),
        tenant_id: TenantId::new(),
        name: "web".to_owned(),
        generation: 2,
        power,
        vcpus: 1,
        memory_mib: 160,
        disk_gib: 1,
        mac: "52:54:00:00:00:01".to_owned(),
        image: DesiredImage {
            id: ImageId::new(),
            disk: file(),
            disk_format: DiskFormat::Qcow2,
            kernel: Some(file()),
            ramdisk: Some(file()),
            kernel_cmdline: String::new(),
        },
        ssh_key: None,
        user_data: None,
        stop_grace_ms: 30_000,
    }
}

const NOW: Timestamp = Timestamp::from_ms(1_000_000);
const PAUSED: DomainState = DomainState::Paused { by_user: true };

fn at(ms: i64) -> Timestamp {
    NOW.saturating_add_ms(ms)
}

/// Nothing of it on the host.
fn nothing() -> Seen {
    Seen {
        domain: SeenDomain::Missing,
        missing_image: Some(ImagePart::Disk),
        directory: false,
        disk: false,
        disk_gib: None,
        seed: false,
    }
}

/// All of it, in `state`, defined from `generation`.
fn whole(state: DomainState, generation: i64) -> Seen {
    Seen {
        domain: SeenDomain::Ours { state, generation },
        missing_image: None,
        directory: true,
        disk: true,
        disk_gib: Some(1),
        seed: true,
    }
}

/// The same, with a disk that is smaller than what is wanted.
fn small(state: DomainState) -> Seen {
    Seen { disk_gib: Some(0), ..whole(state, 1) }
}

fn fresh() -> Memory {
    Memory::default()
}

#[track_caller]
fn check(power: Power, seen: &Seen, memory: Memory, expected: Next) {
    assert_eq!(plan(Some(&wanted(power)), seen, &memory, NOW), expected);
}

/// Does to `seen` what a successful step does to the host.
fn apply(step: Step, seen: &mut Seen, memory: &mut Memory) {
    let set = |seen: &mut Seen, state| {
        seen.domain = SeenDomain::Ours { state, generation: 2 };
    };
    match step {
        Step::FetchImage(ImagePart::Disk) => seen.missing_image = Some(ImagePart::Kernel),
        Step::FetchImage(ImagePart::Kernel) => seen.missing_image = Some(ImagePart::Ramdisk),
        Step::FetchImage(ImagePart::Ramdisk) => seen.missing_image = None,
        Step::MakeDisk => {
            (seen.disk, seen.directory, seen.disk_gib) = (true, true, Some(1));
        }
        Step::GrowDisk => seen.disk_gib = Some(1),
        Step::MakeSeed => seen.seed = true,
        Step::Define => set(seen, DomainState::Stopped),
        Step::EnsureNetwork => memory.network_ready = true,
        Step::Start | Step::Resume => {
            memory.network_ready = false;
            set(seen, DomainState::Running);
        }
        Step::Suspend => set(seen, PAUSED),
        Step::PressPower | Step::Destroy => set(seen, DomainState::Stopped),
        Step::Undefine => seen.domain = SeenDomain::Missing,
        Step::RemoveFiles => (seen.directory, seen.disk, seen.seed) = (false, false, false),
    }
}

/// The words of all the steps from `seen` until nothing is left to do.
fn way(power: Power, mut seen: Seen) -> String {
    const MAX_STEPS: usize = 32;
    let (wanted, mut memory, mut words) = (wanted(power), fresh(), Vec::new());
    for _ in 0..MAX_STEPS {
        match plan(Some(&wanted), &seen, &memory, NOW) {
            Next::Do(step) => {
                words.push(format!("{step:?}"));
                apply(step, &mut seen, &mut memory);
            }
            Next::Nothing => return words.join(" "),
            other => panic!("{other:?} after {words:?}"),
        }
    }
    panic!("no end: {words:?}");
}

#[test]
fn the_ways() {
    let fetch = "FetchImage(Disk) FetchImage(Kernel) FetchImage(Ramdisk)";
    let table = [
        (
            Power::Running,
            nothing(),
            format!("{fetch} MakeDisk MakeSeed Define EnsureNetwork Start"),
        ),
        (Power::Stopped, nothing(), format!("{fetch} MakeDisk MakeSeed Define")),
        (Power::Paused, nothing(), format!("{fetch} MakeDisk MakeSeed Define")),
        (Power::Absent, nothing(), String::new()),
        (Power::Running, whole(DomainState::Stopped, 1), "Define EnsureNetwork Start".into()),
        (Power::Running, whole(DomainState::Stopped, 2), "EnsureNetwork Start".into()),
        (Power::Running, whole(DomainState::Crashed, 2), "EnsureNetwork Start".into()),
        (Power::Running, whole(PAUSED, 1), "Resume".into()),
        (Power::Running, whole(DomainState::Running, 1), String::new()),
        (Power::Running, whole(DomainState::Stopping, 2), String::new()),
        (Power::Paused, whole(DomainState::Running, 1), "Suspend".into()),
        (Power::Paused, whole(PAUSED, 1), String::new()),
        (Power::Paused, whole(DomainState::Stopped, 1), String::new()),
        (Power::Stopped, whole(DomainState::Running, 1), "PressPower".into()),
        (Power::Stopped, whole(PAUSED, 1), "Resume PressPower".into()),
        (Power::Stopped, whole(DomainState::Stopped, 1), String::new()),
        (Power::Stopped, small(DomainState::Stopped), "GrowDisk".into()),
        (Power::Paused, small(DomainState::Stopped), "GrowDisk".into()),
        (Power::Running, small(DomainState::Crashed), "GrowDisk Define EnsureNetwork Start".into()),
        // Its size can't be read: who is to grow it says why.
        (
            Power::Stopped,
            Seen { disk_gib: None, ..whole(DomainState::Stopped, 1) },
            "GrowDisk".into(),
        ),
        // Its disk is its guest's while that runs.
        (Power::Running, small(DomainState::Running), String::new()),
        (Power::Stopped, small(DomainState::Running), "PressPower GrowDisk".into()),
        (Power::Absent, small(DomainState::Stopped), "Undefine RemoveFiles".into()),
        (Power::Absent, whole(DomainState::Running, 1), "Destroy Undefine RemoveFiles".into()),
        (Power::Absent, whole(PAUSED, 1), "Destroy Undefine RemoveFiles".into()),
        (Power::Absent, whole(DomainState::Crashed, 1), "Undefine RemoveFiles".into()),
    ];
    for (power, seen, expected) in table {
        assert_eq!(way(power, seen.clone()), expected, "{power:?} from {seen:?}");
    }
}

#[test]
fn what_the_server_forgot_is_wanted_absent() {
    let seen = whole(DomainState::Running, 1);
    assert_eq!(plan(None, &seen, &fresh(), NOW), Next::Do(Step::Destroy));
    let files = Seen { domain: SeenDomain::Missing, ..seen };
    assert_eq!(plan(None, &files, &fresh(), NOW), Next::Do(Step::RemoveFiles));
    assert_eq!(plan(None, &nothing(), &fresh(), NOW), Next::Nothing);
}

#[test]
fn a_foreign_domain_is_never_touched() {
    let seen = Seen { domain: SeenDomain::Foreign, ..whole(DomainState::Running, 1) };
    for power in [Power::Running, Power::Paused, Power::Stopped, Power::Absent] {
        check(power, &seen, fresh(), Next::Refuse(Refusal::ForeignDomain));
    }
    assert_eq!(plan(None, &seen, &fresh(), NOW), Next::Refuse(Refusal::ForeignDomain));
}

#[test]
fn a_lost_disk_is_never_replaced_by_an_empty_one() {
    let built = Memory { was_built: true, ..fresh() };
    let lost = Seen { disk: false, ..whole(DomainState::Stopped, 2) };
    for power in [Power::Running, Power::Stopped] {
        check(power, &lost, built, Next::Refuse(Refusal::DiskLost));
    }
    // But a half-built one goes on being built, and a removal goes on.
    check(Power::Running, &lost, fresh(), Next::Do(Step::MakeDisk));
    check(Power::Absent, &lost, built, Next::Do(Step::Undefine));
}

#[test]
fn a_stop_asks_asks_again_and_then_pulls_the_plug() {
    let seen = whole(DomainState::Running, 1);
    let asked = |first, last| Memory {
        stop_asked: Some(StopAsked { first: at(first), last: at(last) }),
        ..fresh()
    };
    check(Power::Stopped, &seen, fresh(), Next::Do(Step::PressPower));
    check(Power::Stopped, &seen, asked(0, 0), Next::WaitUntil(at(PRESS_INTERVAL_MS)));
    check(Power::Stopped, &seen, asked(-10_000, -10_000), Next::Do(Step::PressPower));
    check(Power::Stopped, &seen, asked(-25_000, -1000), Next::WaitUntil(at(5000)));
    check(Power::Stopped, &seen, asked(-30_000, -1000), Next::Do(Step::Destroy));
    let stopping = whole(DomainState::Stopping, 1);
    check(Power::Stopped, &stopping, asked(-30_000, -1000), Next::Do(Step::Destroy));
    let at_once = DesiredInstance { stop_grace_ms: 0, ..wanted(Power::Stopped) };
    assert_eq!(plan(Some(&at_once), &seen, &fresh(), NOW), Next::Do(Step::Destroy));
}

#[test]
fn starts_in_close_succession_are_spread() {
    let seen = whole(DomainState::Crashed, 2);
    let hasty = Memory { start_not_before: at(4000), network_ready: true, ..fresh() };
    check(Power::Running, &seen, hasty, Next::WaitUntil(at(4000)));
    let ready = Memory { start_not_before: at(0), network_ready: true, ..fresh() };
    check(Power::Running, &seen, ready, Next::Do(Step::Start));
}

#[test]
fn a_cached_image_that_went_is_fetched_before_a_start_only() {
    let without = |state| Seen { missing_image: Some(ImagePart::Kernel), ..whole(state, 2) };
    let fetch = Next::Do(Step::FetchImage(ImagePart::Kernel));
    check(Power::Running, &without(DomainState::Stopped), fresh(), fetch);
    check(Power::Running, &without(DomainState::Running), fresh(), Next::Nothing);
    check(Power::Stopped, &without(DomainState::Stopped), fresh(), Next::Nothing);
}
