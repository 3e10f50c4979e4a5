use base::time::{SystemClock, Timestamp};

use super::*;
use crate::{Agent, board::Status, tests::bench::Host};

/// The server forgets an instance that it hears is gone: what it would still be billed by is told before.
#[tokio::test]
async fn a_guest_is_told_gone_with_the_last_of_its_events() {
    let host = Host::new("qemu+unix:///system?socket=/nonexistent/libvirt-sock").await;
    let agent = Agent::new(host.config.clone(), SystemClock::shared()).unwrap();
    let mut reporter = Reporter::new(agent.shared.clone(), agent.server.clone());
    let (journal, board) = (&agent.shared.journal, &agent.shared.board);
    let at = |n: usize| Timestamp::from_ms(n.try_into().unwrap());
    let (busy, gone) = (InstanceId::new(), InstanceId::new());
    for n in 0..MAX_EVENTS_PER_REPORT {
        let state = [InstanceState::Running, InstanceState::Paused][n % 2];
        journal.confirm(busy, state, at(n)).unwrap();
    }
    let end = at(MAX_EVENTS_PER_REPORT);
    journal.confirm(gone, InstanceState::Absent, end).unwrap();
    board.set(gone, Status::new(1, InstanceState::Absent, end));

    let first = reporter.build().await;
    assert_eq!(first.events.len(), MAX_EVENTS_PER_REPORT);
    assert!(first.instances.is_empty(), "gone, but its end isn't told: {:?}", first.instances);
    reporter.acknowledged(first);
    let second = reporter.build().await;
    let (events, told) = (&second.events[..], &second.instances[..]);
    assert!(matches!(events, [event] if event.instance_id == gone), "{events:?}");
    assert!(matches!(told, [one] if one.id == gone), "{told:?}");
    reporter.acknowledged(second);
    assert!(board.instance(gone).is_none());
}
