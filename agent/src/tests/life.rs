//! An instance's life on a real libvirt.

use std::{
    os::unix::fs::FileExt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use base::{
    id::InstanceId,
    time::{Clock, ManualClock, SharedClock, SystemClock},
};

use tokio::task::JoinHandle;

use super::bench::{Host, eventually, lab};
use crate::{
    execute::Hooks,
    failure::StepError,
    plan::Step,
    wire::{
        InstanceState::{self, Absent, Paused, Running, Stopped},
        PortReading, Power,
    },
    worker::MAX_BUILD_ATTEMPTS,
};

fn states(host: &Host, id: InstanceId) -> Vec<InstanceState> {
    host.server.events(id).iter().map(|event| event.state).collect()
}

#[tokio::test]
async fn a_guest_lives_its_whole_life() {
    let Some((uri, files)) = lab() else { return };
    let mut host = Host::new(&uri).await;
    let wanted = host.guest(&files);
    let id = wanted.id;
    host.server.want(|instances| instances.push(wanted));
    host.start();
    host.until(id, 1, Running).await;
    eventually("it boots, and says so", || async {
        host.server.state().reports.iter().any(|report| {
            let tails = report.instances.iter().filter_map(|i| i.console_tail.as_ref());
            tails.into_iter().any(|tail| tail.contains("OPSHAWK GUEST READY boot=1 name=web-1"))
        })
    })
    .await;
    eventually("it has an address", || async {
        host.server.seen(id).is_some_and(|seen| !seen.addresses.is_empty())
    })
    .await;
    let running = host.server.seen(id).unwrap();
    assert_eq!(running.since, host.server.events(id)[0].at);
    assert!(host.server.state().reports.last().unwrap().host.hypervisor_ok);

    eventually("its samples, and the host's", || async {
        let state = host.server.state();
        let has = |name: &str, label: &str, value: &str| {
            state.samples.iter().any(|series| {
                series.labels.name() == name && series.labels.get(label) == Some(value)
            })
        };
        let host_id = state.desired.as_ref().unwrap().host_id.to_string();
        let cpu = "libvirt_domain_info_cpu_time_seconds_total";
        has(cpu, "instance_id", &id.to_string()) && has("node_load1", "host_id", &host_id)
    })
    .await;

    let generation = host.power(id, Power::Paused);
    host.until(id, generation, Paused).await;
    let generation = host.power(id, Power::Running);
    host.until(id, generation, Running).await;
    // The guest follows its power button.
    let generation = host.power(id, Power::Stopped);
    host.until(id, generation, Stopped).await;
    let reason = host.hypervisor().domain(id.0).await.unwrap().unwrap().reason;
    assert_eq!(reason, "shut_down");
    let generation = host.power(id, Power::Running);
    host.until(id, generation, Running).await;
    host.remove(id).await;
    // A removal pulls the plug, and the stop in between may be seen or not.
    let mut seen = states(&host, id);
    assert_eq!(seen.pop(), Some(Absent));
    if seen.len() == 6 {
        assert_eq!(seen.pop(), Some(Stopped));
    }
    assert_eq!(seen, [Running, Paused, Running, Stopped, Running]);
    host.stop().await;
}

/// What a guest sent and got, over two lives and an agent's death, as billing would count it.
#[tokio::test]
async fn traffic_is_read_from_a_guests_first_byte_to_its_last() {
    let Some((uri, files)) = lab() else { return };
    let mut host = Host::new(&uri).await;
    host.config.traffic_interval_ms = 1_000;
    let wanted = host.guest(&files);
    let (id, mac) = (wanted.id, wanted.mac.clone());
    host.server.want(|instances| instances.push(wanted));
    host.start();
    host.until(id, 1, Running).await;
    eventually("its first bytes", || async { received(&host, id) > 0 }).await;
    let all = host.server.readings(id);
    assert!(all.iter().all(|reading| reading.port == mac), "{all:?}");
    assert_eq!((all[0].received_bytes, all[0].sent_bytes), (0, 0), "it began at zero: {all:?}");
    assert!(all[0].at <= host.server.events(id)[0].at);

    // What is counted while the agent is dead is read by the next one, in the same life.
    let before = all.last().unwrap().clone();
    host.kill().await;
    host.start();
    eventually("the next reading", || async {
        host.server.readings(id).last().is_some_and(|last| last.at > before.at)
    })
    .await;
    assert_eq!(host.server.readings(id).last().unwrap().epoch, before.epoch);

    // A life ends with a reading, and so does the one that is pulled.
    eventually("an address", || async {
        host.server.seen(id).is_some_and(|seen| !seen.addresses.is_empty())
    })
    .await;
    let least = counted(&host, id).await;
    let generation = host.power(id, Power::Stopped);
    host.until(id, generation, Stopped).await;
    eventually("the last of its first life", || async { received(&host, id) >= least }).await;
    let first_life = host.server.readings(id).len();
    let generation = host.power(id, Power::Running);
    host.until(id, generation, Running).await;
    eventually("its second life", || async { host.server.readings(id).len() > first_life }).await;
    let least = counted(&host, id).await;
    host.remove(id).await;
    eventually("the last of all", || async { received(&host, id) >= least }).await;

    let all = host.server.readings(id);
    assert!(all.is_sorted_by(|a, b| a.at < b.at), "{all:?}");
    let lives = all.chunk_by(|a, b| a.epoch == b.epoch).collect::<Vec<_>>();
    assert_eq!(lives.len(), 2, "{all:?}");
    for life in lives {
        let bytes = |r: &PortReading| (r.received_bytes, r.sent_bytes);
        assert!(life.is_sorted_by(|a, b| a.sent_bytes <= b.sent_bytes), "{life:?}");
        assert!(life.is_sorted_by(|a, b| bytes(a) <= bytes(b)), "{life:?}");
    }
    host.stop().await;
}

/// By the last reading that the server was told.
fn received(host: &Host, id: InstanceId) -> i64 {
    host.server.readings(id).last().map_or(0, |last| last.received_bytes)
}

/// By libvirt, right now.
async fn counted(host: &Host, id: InstanceId) -> i64 {
    let ports = host.hypervisor().ports_of(id.0).await.unwrap();
    ports.unwrap().ports[0].received_bytes
}

#[tokio::test]
async fn a_killed_agent_loses_and_doubles_nothing() {
    let Some((uri, _)) = lab() else { return };
    let mut host = Host::new(&uri).await;
    let wanted = host.blank();
    let id = wanted.id;
    host.server.want(|instances| instances.push(wanted));
    host.start();
    host.until(id, 1, Running).await;
    let since = host.server.seen(id).unwrap().since;

    // What runs on is running since it started, with no new event.
    host.kill().await;
    let taken = host.server.state().reports.len();
    host.start();
    eventually("a report", || async { host.server.state().reports.len() > taken }).await;
    host.until(id, 1, Running).await;
    assert_eq!(host.server.seen(id).unwrap().since, since);
    for report in &host.server.state().reports[taken..] {
        assert!(report.instances.iter().all(|seen| seen.state == Running), "{report:?}");
    }
    assert_eq!(states(&host, id), [Running]);

    // A fact that no report could carry survives the agent: pulled while the server is away.
    host.server.state().down = true;
    let claim =
        host.hypervisor().claim(host.server.state().desired.clone().unwrap().host_id.to_string());
    claim.destroy(id.0).await.unwrap();
    let journal = host.config.data_dir.join("journal.json");
    eventually("it is started again, and both are journalled", || async {
        let text = std::fs::read_to_string(&journal).unwrap();
        text.matches("\"instance_id\"").count() == 2
    })
    .await;
    host.kill().await;
    host.server.state().down = false;
    host.start();
    eventually("both are told", || async { states(&host, id) == [Running, Stopped, Running] })
        .await;

    // One that died while nobody looked is reported stopped, not after it was last seen alive.
    host.kill().await;
    claim.destroy(id.0).await.unwrap();
    let before = base::time::Timestamp::from_ms(chrono_ms());
    host.start();
    eventually("its stop and its start", || async {
        states(&host, id) == [Running, Stopped, Running, Stopped, Running]
    })
    .await;
    assert!(host.server.events(id)[3].at <= before);
    host.remove(id).await;
    host.stop().await;
}

#[tokio::test]
async fn a_stopped_guest_becomes_another_machine_at_its_next_start() {
    let Some((uri, files)) = lab() else { return };
    let mut host = Host::new(&uri).await;
    let wanted = host.guest(&files);
    let id = wanted.id;
    host.server.want(|instances| instances.push(wanted));
    host.start();
    host.until(id, 1, Running).await;
    let generation = host.power(id, Power::Stopped);
    host.until(id, generation, Stopped).await;
    assert_eq!(host.server.seen(id).unwrap().disk_gib, Some(1));

    let generation = host.change(id, |wanted| {
        (wanted.vcpus, wanted.memory_mib, wanted.disk_gib) = (2, 192, 3);
    });
    eventually("its disk has grown, and it is stopped", || async {
        let seen = host.server.seen(id).unwrap();
        (seen.generation, seen.state, seen.disk_gib) == (generation, Stopped, Some(3))
    })
    .await;
    let generation = host.power(id, Power::Running);
    host.until(id, generation, Running).await;
    eventually("libvirt shows the larger machine", || async {
        let state = host.server.state();
        let shows = |name: &str, value: f64| {
            state.samples.iter().any(|series| {
                series.labels.name() == name
                    && series.labels.get("instance_id") == Some(&id.to_string())
                    && series.samples.iter().any(|sample| sample.value == value)
            })
        };
        shows("libvirt_domain_info_virtual_cpus", 2.0)
            && shows("libvirt_domain_info_maximum_memory_bytes", f64::from(192 << 20))
            && shows("libvirt_domain_block_stats_capacity_bytes", f64::from(3u32 << 30))
    })
    .await;
    assert_eq!(states(&host, id), [Running, Stopped, Running]);
    host.remove(id).await;
    host.stop().await;
}

/// Stands for a file system without room for a disk to grow.
#[derive(Default)]
struct FakeFullDisk {
    tried: AtomicU32,
    /// At this try the disk grows, and yet the answer is that it did not.
    grows_at: Option<u32>,
}

impl FakeFullDisk {
    fn tried(&self) -> u32 {
        self.tried.load(Ordering::Relaxed)
    }
    fn full() -> Result<(), StepError> {
        Err(StepError::limited("disk_full", "No space left on device"))
    }
}

impl Hooks for FakeFullDisk {
    fn before(&self, _: InstanceId, step: Step) -> Result<(), StepError> {
        if step != Step::GrowDisk {
            return Ok(());
        }
        let tried = self.tried.fetch_add(1, Ordering::Relaxed) + 1;
        if self.grows_at.is_some_and(|at| tried >= at) { Ok(()) } else { Self::full() }
    }
    fn after(&self, _: InstanceId, step: Step) -> Result<(), StepError> {
        let lies = step == Step::GrowDisk && self.grows_at == Some(self.tried());
        if lies { Self::full() } else { Ok(()) }
    }
}

/// A clock that goes by itself, faster than a real one: nothing that is tried again waits for the test.
fn fast_clock() -> (SharedClock, JoinHandle<()>) {
    let clock = ManualClock::at(SystemClock.now());
    let shared = clock.shared();
    let goes = tokio::spawn(async move {
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        loop {
            pace.tick().await;
            clock.advance(Duration::from_secs(1));
        }
    });
    (shared, goes)
}

#[tokio::test]
async fn a_disk_that_grew_at_the_last_try_or_can_not_be_read_is_not_given_up() {
    let Some((uri, _)) = lab() else { return };
    let mut host = Host::new(&uri).await;
    let mut wanted = host.blank();
    wanted.stop_grace_ms = 0;
    let id = wanted.id;
    host.server.want(|instances| instances.push(wanted));
    let (clock, goes) = fast_clock();
    let grows_at = Some(MAX_BUILD_ATTEMPTS);
    let full = Arc::new(FakeFullDisk { grows_at, ..FakeFullDisk::default() });
    host.start_by(clock, full.clone());
    host.until(id, 1, Running).await;
    let generation = host.power(id, Power::Stopped);
    host.until(id, generation, Stopped).await;

    let generation = host.change(id, |wanted| wanted.disk_gib = 3);
    eventually("it has grown", || async {
        let seen = host.server.seen(id).unwrap();
        assert_ne!(seen.state, InstanceState::Failed, "{seen:?}");
        (seen.generation, seen.disk_gib, seen.failure) == (generation, Some(3), None)
    })
    .await;
    assert_eq!(full.tried(), MAX_BUILD_ATTEMPTS);

    // Whatever it is, it may hold what is wanted.
    let disk = host.config.instances_dir.join(id.to_string()).join("disk.qcow2");
    let header = std::fs::read(&disk).unwrap()[..4].to_vec();
    let write = |bytes: &[u8]| {
        let file = std::fs::File::options().write(true).open(&disk).unwrap();
        file.write_all_at(bytes, 0).unwrap();
    };
    write(b"gone");
    eventually("it is tried more often", || async { full.tried() > 2 * MAX_BUILD_ATTEMPTS + 2 })
        .await;
    assert!(!host.server.seen(id).unwrap().failure.unwrap().permanent);
    write(&header);
    host.until(id, generation, Stopped).await;
    host.remove(id).await;
    goes.abort();
    host.stop().await;
}

#[tokio::test]
async fn a_disk_that_can_not_grow_is_given_up_and_the_guest_goes_on_as_it_was() {
    let Some((uri, _)) = lab() else { return };
    let mut host = Host::new(&uri).await;
    let wanted = host.blank();
    let id = wanted.id;
    host.server.want(|instances| instances.push(wanted));
    let (clock, goes) = fast_clock();
    let full = Arc::new(FakeFullDisk::default());
    host.start_by(clock, full.clone());
    host.until(id, 1, Running).await;
    let generation =
        host.change(id, |wanted| (wanted.power, wanted.stop_grace_ms) = (Power::Stopped, 0));
    host.until(id, generation, Stopped).await;

    let generation = host.change(id, |wanted| wanted.disk_gib = 3);
    eventually("it is given up", || async {
        let seen = host.server.seen(id).unwrap();
        let failed = seen.failure.is_some_and(|failure| failure.permanent);
        (seen.generation, seen.state, failed) == (generation, InstanceState::Failed, true)
    })
    .await;
    assert_eq!(full.tried(), MAX_BUILD_ATTEMPTS);
    let seen = host.server.seen(id).unwrap();
    assert_eq!((seen.failure.unwrap().code.as_str(), seen.disk_gib), ("disk_full", Some(1)));

    // As the server asks once it has heard of that.
    let generation = host.change(id, |wanted| wanted.disk_gib = 1);
    host.until(id, generation, Stopped).await;
    assert_eq!(host.server.seen(id).unwrap().failure, None);
    let generation = host.power(id, Power::Running);
    host.until(id, generation, Running).await;
    assert_eq!(full.tried(), MAX_BUILD_ATTEMPTS);

    // One that is to run has nothing else that it could be: it is tried as long as that is wanted.
    let generation = host.change(id, |wanted| wanted.disk_gib = 3);
    host.until(id, generation, Running).await;
    let owner = host.server.state().desired.as_ref().unwrap().host_id.to_string();
    host.hypervisor().claim(owner).destroy(id.0).await.unwrap();
    eventually("it is tried more often", || async { full.tried() >= 2 * MAX_BUILD_ATTEMPTS + 2 })
        .await;
    assert!(!host.server.seen(id).unwrap().failure.unwrap().permanent);
    let generation = host.change(id, |wanted| wanted.disk_gib = 1);
    host.until(id, generation, Running).await;
    assert_eq!(states(&host, id), [Running, Stopped, Running, Stopped, Running]);
    host.remove(id).await;
    goes.abort();
    host.stop().await;
}

fn chrono_ms() -> i64 {
    SystemClock.now().ms()
}

#[tokio::test]
async fn an_agent_without_a_server_converges_to_what_it_was_told_last() {
    let Some((uri, _)) = lab() else { return };
    let mut host = Host::new(&uri).await;
    let wanted = host.blank();
    let id = wanted.id;
    host.server.want(|instances| instances.push(wanted));
    host.start();
    host.until(id, 1, Running).await;
    host.kill().await;
    host.server.state().down = true;
    let owner = host.server.state().desired.clone().unwrap().host_id.to_string();
    let hypervisor = host.hypervisor();
    hypervisor.claim(owner).destroy(id.0).await.unwrap();
    host.start();
    eventually("it runs again", || async {
        let domain = hypervisor.domain(id.0).await.unwrap().unwrap();
        domain.state == hypervisor::DomainState::Running
    })
    .await;
    host.server.state().down = false;
    host.remove(id).await;
    host.stop().await;
}

#[tokio::test]
async fn a_guest_that_ignores_the_button_is_stopped_hard() {
    let Some((uri, _)) = lab() else { return };
    let mut host = Host::new(&uri).await;
    // Its processor is halted, so that nobody follows the button.
    let mut wanted = host.blank();
    wanted.stop_grace_ms = 1_500;
    let id = wanted.id;
    host.server.want(|instances| instances.push(wanted));
    host.start();
    host.until(id, 1, Running).await;
    let generation = host.power(id, Power::Stopped);
    host.until(id, generation, Stopped).await;
    let reason = host.hypervisor().domain(id.0).await.unwrap().unwrap().reason;
    assert_eq!(reason, "destroyed");
    host.remove(id).await;
    host.stop().await;
}

#[tokio::test]
async fn what_fails_for_good_says_so_and_is_not_tried_again_by_another_agent() {
    let Some((uri, _)) = lab() else { return };
    let mut host = Host::new(&uri).await;
    let mut wanted = host.blank();
    wanted.disk_gib = 0;
    let id = wanted.id;
    host.server.want(|instances| instances.push(wanted));
    host.start();
    host.until(id, 1, InstanceState::Failed).await;
    let failure = host.server.seen(id).unwrap().failure.unwrap();
    assert_eq!((failure.code.as_str(), failure.permanent), ("disk_too_small", true));
    host.kill().await;
    let taken = host.server.state().reports.len();
    host.start();
    eventually("a report with it", || async {
        let state = host.server.state();
        state.reports[taken..].iter().any(|report| !report.instances.is_empty())
    })
    .await;
    for report in &host.server.state().reports[taken..] {
        assert!(report.instances.iter().all(|seen| seen.state == InstanceState::Failed));
    }
    host.remove(id).await;
    assert_eq!(states(&host, id), [], "it never was, and so it never ended");
    host.stop().await;
}
