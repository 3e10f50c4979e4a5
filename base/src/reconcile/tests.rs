use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use super::*;
use crate::{Error, time::ManualClock};

struct Counting {
    runs: watch::Sender<u64>,
    fail_first: AtomicU64,
    wake_at: Option<Timestamp>,
}

#[async_trait]
impl Reconciler for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }
    fn description(&self) -> &'static str {
        "Counts its runs."
    }
    fn period(&self) -> Duration {
        Duration::from_secs(60)
    }
    async fn run(&self) -> Result<Outcome> {
        self.runs.send_modify(|n| *n += 1);
        if self.fail_first.swap(0, Ordering::SeqCst) == 1 {
            return Err(Error::unavailable("not yet"));
        }
        Ok(Outcome { status: serde_json::json!({"ok": true}), wake_at: self.wake_at })
    }
}

fn start(
    fail_first: u64,
    wake_at: Option<Timestamp>,
) -> (ManualClock, Driver, Signal, watch::Receiver<u64>) {
    let clock = ManualClock::at(Timestamp::from_ms(0));
    let driver = Driver::new(clock.shared());
    let (runs, seen) = watch::channel(0);
    let signal = driver.spawn(Arc::new(Counting { runs, fail_first: fail_first.into(), wake_at }));
    (clock, driver, signal, seen)
}

/// Waits until the run's result is recorded, so that the clock is moved only after it.
async fn recorded(driver: &Driver, runs: u64) -> ReconcilerStatus {
    loop {
        let status = driver.statuses().remove(0);
        if status.runs == runs && !status.running {
            return status;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn it_runs_at_start_by_signal_and_by_period() {
    let (clock, driver, signal, mut seen) = start(0, None);
    assert_eq!(recorded(&driver, 1).await.next_run_at, Some(Timestamp::from_ms(60_000)));
    signal.wake();
    seen.wait_for(|n| *n == 2).await.unwrap();
    recorded(&driver, 2).await;
    clock.advance(Duration::from_secs(60));
    seen.wait_for(|n| *n == 3).await.unwrap();
    driver.stop().await;
}

#[tokio::test]
async fn it_wakes_at_the_instant_it_named() {
    let at = Timestamp::from_ms(1_234);
    let (clock, driver, _signal, mut seen) = start(0, Some(at));
    assert_eq!(recorded(&driver, 1).await.next_run_at, Some(at));
    clock.set(at);
    seen.wait_for(|n| *n >= 2).await.unwrap();
}

#[tokio::test]
async fn a_failure_is_recorded_and_the_next_run_is_the_retry() {
    let (_clock, driver, signal, mut seen) = start(1, None);
    let status = recorded(&driver, 1).await;
    assert_eq!((status.failures, status.last_error.as_deref()), (1, Some("not yet")));
    signal.wake();
    seen.wait_for(|n| *n == 2).await.unwrap();
    let status = recorded(&driver, 2).await;
    assert_eq!((status.failures, status.last_error), (1, None));
}

#[tokio::test]
async fn an_instant_that_passed_during_the_run_is_due_at_once() {
    // The clock stands at the instant already, as if it had been moved while the run computed it.
    let (_clock, driver, _signal, mut seen) = start(0, Some(Timestamp::from_ms(0)));
    seen.wait_for(|n| *n >= 3).await.unwrap();
    driver.stop().await;
}

#[test]
fn a_chain_says_nothing_twice() {
    #[derive(Debug, thiserror::Error)]
    #[error("sending failed: {0}")]
    struct Outer(#[source] Inner);
    #[derive(Debug, thiserror::Error)]
    #[error("no route")]
    struct Inner(#[source] std::fmt::Error);
    let chain = error_chain(&Outer(Inner(std::fmt::Error)));
    assert_eq!(chain, format!("sending failed: no route: {}", std::fmt::Error));
}
