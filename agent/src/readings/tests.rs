use super::*;

const INTERVAL_MS: u64 = 300_000;

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
    fn layout(&self) -> Layout {
        let dir = self.dir.path();
        Layout::new(dir, &dir.join("instances")).unwrap()
    }
    fn open(&self) -> Readings {
        Readings::open(&self.layout(), INTERVAL_MS).unwrap()
    }
    fn saw(&self, readings: &Readings, s: i64, epoch: &str, bytes: i64) {
        readings.saw(self.id, vec![counted("a", epoch, bytes)], at(s)).unwrap();
    }
}

fn counted(port: &str, epoch: &str, bytes: i64) -> Counted {
    let (port, epoch) = (port.to_owned(), epoch.to_owned());
    Counted { port, epoch, received_bytes: bytes, sent_bytes: 2 * bytes }
}

/// Epoch, second, bytes received.
fn waiting(readings: &Readings) -> Vec<(String, i64, i64)> {
    let all = readings.waiting(usize::MAX);
    assert!(all.iter().all(|r| r.sent_bytes == 2 * r.received_bytes));
    all.into_iter().map(|r| (r.epoch, r.at.ms() / 1000, r.received_bytes)).collect()
}

fn said(all: &[(&str, i64, i64)]) -> Vec<(String, i64, i64)> {
    all.iter().map(|(epoch, s, bytes)| ((*epoch).to_owned(), *s, *bytes)).collect()
}

#[test]
fn it_is_written_down_each_interval_and_when_the_guest_ends() {
    let host = Host::new();
    let readings = host.open();
    for (s, bytes) in [(10, 5), (20, 6), (300, 7), (310, 8), (320, 9)] {
        host.saw(&readings, s, "1", bytes);
    }
    assert_eq!(waiting(&readings), said(&[("1", 10, 5), ("1", 310, 8)]));
    readings.ended(host.id).unwrap();
    readings.ended(host.id).unwrap();
    assert_eq!(waiting(&readings)[2..], said(&[("1", 320, 9)]));
    // What came to nothing since is not told again.
    host.saw(&readings, 330, "1", 9);
    readings.ended(host.id).unwrap();
    assert_eq!(waiting(&readings).len(), 3);
}

#[test]
fn another_life_ends_the_one_before_at_what_was_last_seen_of_it() {
    let host = Host::new();
    let readings = host.open();
    host.saw(&readings, 10, "1", 5);
    host.saw(&readings, 20, "1", 8);
    host.saw(&readings, 30, "2", 1);
    assert_eq!(waiting(&readings), said(&[("1", 10, 5), ("1", 20, 8), ("2", 30, 1)]));
    // So does an interface that is taken out.
    host.saw(&readings, 40, "2", 3);
    readings.saw(host.id, vec![], at(50)).unwrap();
    assert_eq!(waiting(&readings)[3..], said(&[("2", 40, 3)]));
}

#[test]
fn a_guest_that_was_seen_to_start_began_at_zero_and_only_once() {
    let host = Host::new();
    host.open().starting(host.id, at(5)).unwrap();
    // The agent was killed in between.
    let readings = host.open();
    host.saw(&readings, 10, "1", 7);
    assert_eq!(waiting(&readings), said(&[("1", 5, 0), ("1", 10, 7)]));
    readings.starting(host.id, at(20)).unwrap();
    host.saw(&readings, 25, "2", 4);
    assert_eq!(waiting(&readings)[2..], said(&[("2", 25, 4)]));
    // The clock was set back while it was starting.
    let third = InstanceId::new();
    readings.starting(third, at(9_000)).unwrap();
    readings.saw(third, vec![counted("a", "1", 3)], at(26)).unwrap();
    let began = readings.waiting(usize::MAX).swap_remove(3);
    assert_eq!((began.at.ms(), began.received_bytes), (25_999, 0));
    // One that ran already is counted from where it was found.
    let other = InstanceId::new();
    readings.saw(other, vec![counted("a", "1", 9)], at(30)).unwrap();
    assert_eq!(waiting(&readings)[5..], said(&[("1", 30, 9)]));
}

#[test]
fn what_waits_outlives_the_agent_until_it_is_acknowledged() {
    let host = Host::new();
    let readings = host.open();
    host.saw(&readings, 10, "1", 5);
    host.saw(&readings, 400, "1", 6);
    let first = readings.waiting(1);
    drop(readings);
    let readings = host.open();
    assert_eq!(readings.waiting(1), first, "the same again");
    readings.acknowledge(&first).unwrap();
    readings.acknowledge(&first).unwrap();
    drop(readings);
    let readings = host.open();
    assert_eq!(waiting(&readings), said(&[("1", 400, 6)]));
    // The next one is due an interval after the last, whoever wrote that.
    host.saw(&readings, 500, "1", 7);
    assert_eq!(waiting(&readings).len(), 1);
    readings.forget(host.id).unwrap();
    readings.ended(host.id).unwrap();
    assert_eq!(waiting(&host.open()), said(&[("1", 400, 6)]), "what is gone is told all the same");
}

#[test]
fn who_has_more_to_tell_than_fits_is_known() {
    let host = Host::new();
    let readings = host.open();
    let other = InstanceId::new();
    host.saw(&readings, 0, "1", 1);
    readings.saw(other, vec![counted("b", "1", 1)], at(1)).unwrap();
    let behind = |told| readings.behind(told).into_iter().collect::<Vec<_>>();
    assert_eq!(readings.behind(0).len(), 2);
    assert_eq!(behind(1), [other]);
    assert_eq!(behind(2), []);
}

#[test]
fn a_clock_that_is_set_back_turns_no_order() {
    let host = Host::new();
    let readings = host.open();
    host.saw(&readings, 1_000, "1", 5);
    host.saw(&readings, 990, "2", 1);
    let all = readings.waiting(usize::MAX);
    assert_eq!(all[1].at.ms(), 1_000_001);
    // One that was far ahead for a moment does not last.
    host.saw(&readings, 1_000_000, "3", 5);
    host.saw(&readings, 1_010, "3", 6);
    readings.ended(host.id).unwrap();
    let all = waiting(&readings);
    assert_eq!(all[2..], said(&[("3", 1_000_000, 5), ("3", 1_010, 6)]));
}

#[test]
fn a_server_that_is_away_for_long_costs_no_byte_and_no_more_than_the_bound() {
    let host = Host::new();
    let readings = host.open();
    {
        let mut inner = readings.lock();
        let other = InstanceId::new();
        inner.content.waiting = (0..MAX_WAITING as i64)
            .map(|n| PortReading {
                instance_id: other,
                port: "b".to_owned(),
                epoch: "1".to_owned(),
                at: at(n),
                received_bytes: n,
                sent_bytes: 2 * n,
            })
            .collect();
    }
    for n in 1..=5 {
        host.saw(&readings, n * 1_000, "1", n);
    }
    assert_eq!(waiting(&readings)[MAX_WAITING..], said(&[("1", 1_000, 1), ("1", 5_000, 5)]));
}

#[test]
fn a_damaged_file_is_refused_with_a_remedy() {
    let host = Host::new();
    std::fs::write(host.layout().readings(), "{").unwrap();
    let error = Readings::open(&host.layout(), INTERVAL_MS).unwrap_err();
    assert!(error.remedy.is_some(), "{error}");
}
