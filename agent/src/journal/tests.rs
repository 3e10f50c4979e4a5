use super::*;
use crate::wire::InstanceState::{Absent, Paused, Running, Stopped};

fn at(s: i64) -> Timestamp {
    Timestamp::from_ms(s * 1000)
}

struct Host {
    dir: tempfile::TempDir,
    id: InstanceId,
}

impl Host {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), id: InstanceId::new() }
    }
    fn open(&self) -> Journal {
        self.open_at(at(0))
    }
    fn open_at(&self, now: Timestamp) -> Journal {
        let dir = self.dir.path();
        Journal::open(&Layout::new(dir, &dir.join("instances")).unwrap(), now).unwrap()
    }
}

fn facts(journal: &Journal) -> Vec<(InstanceState, Timestamp)> {
    journal.events(MAX_EVENTS).iter().map(|event| (event.state, event.at)).collect()
}

#[test]
fn each_change_is_one_event_and_outlives_the_agent() {
    let host = Host::new();
    let journal = host.open();
    assert_eq!(journal.confirm(host.id, Running, at(10)).unwrap(), (true, at(10)));
    assert_eq!(journal.confirm(host.id, Running, at(20)).unwrap(), (false, at(10)));
    assert_eq!(journal.confirm(host.id, Paused, at(30)).unwrap(), (true, at(30)));
    let before = journal.events(MAX_EVENTS);
    drop(journal);

    let journal = host.open();
    assert_eq!(journal.events(MAX_EVENTS), before, "the same events, with the same ids");
    // What runs on is what it was, since when it was.
    assert_eq!(journal.confirm(host.id, Paused, at(50)).unwrap(), (false, at(30)));
    journal.acknowledge(&before[..1]).unwrap();
    drop(journal);
    assert_eq!(facts(&host.open()), [(Paused, at(30))]);
}

#[test]
fn a_guest_that_died_unseen_stopped_when_the_agent_was_last_alive() {
    let host = Host::new();
    let journal = host.open();
    journal.confirm(host.id, Running, at(10)).unwrap();
    journal.alive(at(100));
    drop(journal);
    let journal = host.open();
    assert_eq!(journal.confirm(host.id, Stopped, at(501)).unwrap(), (true, at(100)));
    // From then on it is watched.
    journal.confirm(host.id, Running, at(510)).unwrap();
    journal.confirm(host.id, Stopped, at(520)).unwrap();
    assert_eq!(facts(&journal)[1..], [(Stopped, at(100)), (Running, at(510)), (Stopped, at(520))]);
    // One that this run saw alive is watched as well.
    journal.confirm(host.id, Running, at(530)).unwrap();
    journal.alive(at(540));
    drop(journal);
    let journal = host.open();
    assert_eq!(journal.confirm(host.id, Running, at(600)).unwrap(), (false, at(530)));
    assert_eq!(journal.confirm(host.id, Stopped, at(700)).unwrap(), (true, at(700)));
}

#[test]
fn a_stop_is_never_before_its_start() {
    let host = Host::new();
    let journal = host.open();
    journal.alive(at(50));
    drop(journal);
    let journal = host.open();
    journal.confirm(host.id, Running, at(110)).unwrap();
    // The clock was set back.
    assert_eq!(journal.confirm(host.id, Stopped, at(90)).unwrap(), (true, at(110)));
    assert_eq!(journal.confirm(host.id, Absent, at(120)).unwrap(), (true, at(120)));
}

#[test]
fn a_failure_stays_until_it_is_cleared_and_a_forgotten_instance_leaves_its_events() {
    let host = Host::new();
    let journal = host.open();
    let failure = Failure { code: "disk_full".into(), message: "no space".into(), permanent: true };
    journal.fail(host.id, 3, failure.clone()).unwrap();
    drop(journal);
    let journal = host.open();
    assert_eq!(journal.record(host.id).failed, Some((3, failure)));
    journal.clear_failure(host.id).unwrap();
    assert_eq!(journal.record(host.id).failed, None);
    journal.confirm(host.id, Absent, at(2)).unwrap();
    journal.forget(host.id).unwrap();
    drop(journal);
    let journal = host.open();
    assert_eq!((journal.ids(), facts(&journal)), (vec![], vec![(Absent, at(2))]));
}

#[test]
fn who_has_more_to_tell_than_fits_is_known() {
    let host = Host::new();
    let journal = host.open();
    let other = InstanceId::new();
    journal.confirm(host.id, Running, at(1)).unwrap();
    journal.confirm(other, Running, at(2)).unwrap();
    let behind = |told| journal.behind(told).into_iter().collect::<Vec<_>>();
    assert_eq!(journal.behind(0).len(), 2);
    assert_eq!(behind(1), [other]);
    assert_eq!(behind(2), []);
}

#[test]
fn a_damaged_journal_is_refused_with_a_remedy() {
    let host = Host::new();
    drop(host.open());
    std::fs::write(host.dir.path().join("journal.json"), "{").unwrap();
    let dir = host.dir.path();
    let layout = Layout::new(dir, &dir.join("instances")).unwrap();
    assert!(Journal::open(&layout, at(0)).unwrap_err().remedy.is_some());
}

#[test]
fn it_says_when_it_began_until_it_is_lost() {
    let host = Host::new();
    assert_eq!(host.open_at(at(10)).since(), at(10));
    host.open_at(at(20)).confirm(host.id, Running, at(20)).unwrap();
    assert_eq!(host.open_at(at(30)).since(), at(10));
    let path = host.dir.path().join("journal.json");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(host.open_at(at(40)).since(), at(40));
    // One of an older agent is taken as it is.
    std::fs::write(&path, r#"{"records":{},"events":[]}"#).unwrap();
    assert_eq!(host.open_at(at(50)).since(), at(50));
    assert_eq!(host.open_at(at(60)).since(), at(50));
}
