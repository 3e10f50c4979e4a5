use super::*;
use crate::{
    sink::SinkError,
    testing::{Kept, NOW, one},
};

fn queue_of(names: &[&str]) -> (tempfile::TempDir, Arc<Queue>) {
    let dir = tempfile::tempdir().unwrap();
    let queue = Queue::open(dir.path(), 1 << 20).unwrap();
    for name in names {
        queue.push(&remote_write::encode(&one(name, 1.0, NOW))).unwrap();
    }
    (dir, Arc::new(queue))
}

fn deliver(queue: &Arc<Queue>, sink: &Arc<Kept>) -> (CancellationToken, Arc<Counters>) {
    let stop = CancellationToken::new();
    let counters = Arc::new(Counters::default());
    let delivery = Delivery {
        queue: queue.clone(),
        sink: sink.clone(),
        counters: counters.clone(),
        backoff: Backoff { first_ms: 1, longest_ms: 2 },
        stop: stop.clone(),
    };
    tokio::spawn(delivery.run());
    (stop, counters)
}

#[tokio::test]
async fn what_waits_is_sent_in_one_batch_and_acknowledged() {
    let (_dir, queue) = queue_of(&["a", "b", "c"]);
    let sink = Kept::failing(vec![]);
    let (stop, _) = deliver(&queue, &sink);
    sink.until("all three", |series| series.len() == 3).await;
    queue.push(&remote_write::encode(&one("d", 1.0, NOW))).unwrap();
    sink.until("the fourth", |series| series.len() == 4).await;
    stop.cancel();
}

#[tokio::test]
async fn a_failing_sink_is_tried_again_and_nothing_is_lost() {
    let (_dir, queue) = queue_of(&["a", "b"]);
    let sink = Kept::failing((0..20).map(|_| SinkError::later("busy")).collect());
    let (stop, counters) = deliver(&queue, &sink);
    let series = sink.until("both", |series| series.len() == 2).await;
    assert_eq!(series[0].labels.name(), "a");
    assert_eq!(counters.refused_samples(), 0);
    stop.cancel();
}

/// The batch of three is refused; alone, only the second is.
#[tokio::test]
async fn a_refused_batch_loses_only_what_is_bad_in_it() {
    let (_dir, queue) = queue_of(&["a", "bad", "c"]);
    let sink = Arc::new(Picky::default());
    let stop = CancellationToken::new();
    let counters = Arc::new(Counters::default());
    let delivery = Delivery {
        queue: queue.clone(),
        sink: sink.clone(),
        counters: counters.clone(),
        backoff: Backoff::default(),
        stop: stop.clone(),
    };
    tokio::spawn(delivery.run());
    sink.0.until("the good ones", |series| series.len() == 2).await;
    let names: Vec<_> = sink.0.series().iter().map(|s| s.labels.name().to_owned()).collect();
    assert_eq!(names, ["a", "c"]);
    assert_eq!(counters.refused_samples(), 1);
    stop.cancel();
}

#[derive(Default)]
struct Picky(Kept);

#[async_trait::async_trait]
impl Sink for Picky {
    async fn send(&self, batch: &[base::sample::Series]) -> Result<(), SinkError> {
        if batch.iter().any(|one| one.labels.name() == "bad") {
            return Err(SinkError::never("bad"));
        }
        self.0.send(batch).await
    }
}

#[test]
fn the_wait_grows_to_its_bound() {
    let backoff = Backoff { first_ms: 500, longest_ms: 30_000 };
    let waits: Vec<u128> = [1, 2, 3, 7, 100].map(|n| backoff.wait(n).as_millis()).to_vec();
    assert_eq!(waits, [500, 1000, 2000, 30_000, 30_000]);
}
