//! Replay: what the log holds, back into the head.

use std::{
    collections::HashMap,
    path::Path,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
};

use base::sample::Sample;

use super::{
    head::{Head, Verdict},
    wal::{
        self,
        replay::{Record, Replayed},
    },
};
use crate::{error::Result, parallel};

/// Names of one segment in a list; further ones are looked up.
const LISTED_MAX: u64 = 4 << 20;
const NOBODY: (u32, u32) = (u32::MAX, u32::MAX);

/// Which series a name of the log means, by shard and place. Names are numbers that rise as series
/// appear, so that most are in a list, which is read in order as the log is.
#[derive(Default)]
struct Names {
    first: u64,
    listed: Vec<(u32, u32)>,
    others: HashMap<u64, (u32, u32), foldhash::fast::FixedState>,
}

impl Names {
    fn place(&self, id: u64) -> Option<usize> {
        let place = id.checked_sub(self.first).filter(|place| *place < LISTED_MAX)?;
        usize::try_from(place).ok()
    }
    fn insert(&mut self, id: u64, series: (u32, u32)) {
        if self.listed.is_empty() {
            self.first = id;
        }
        match self.place(id) {
            Some(place) => {
                if place >= self.listed.len() {
                    self.listed.resize(place + 1, NOBODY);
                }
                self.listed[place] = series;
            }
            None => {
                self.others.insert(id, series);
            }
        }
    }
    fn get(&self, id: u64) -> Option<(u32, u32)> {
        match self.place(id) {
            Some(place) => self.listed.get(place).copied().filter(|series| *series != NOBODY),
            None => self.others.get(&id).copied(),
        }
    }
}

/// Samples that are put into a shard under one lock.
const BATCH_MAX: usize = 1024;
/// Batches that wait for a thread.
const WAITING_MAX: usize = 16;
/// More threads than this find nothing more to do: one reads the log for all of them.
const THREADS_MAX: usize = 4;

/// Samples of one shard in the log's order, by the places of their series.
struct Batch {
    shard: u32,
    samples: Vec<(u32, Sample)>,
}

/// Hands samples to the threads that put them into the head. A shard has one thread, so that its
/// samples arrive in the order in which they were taken.
struct Filler {
    threads: Vec<SyncSender<Batch>>,
    /// What is gathered of each shard, however small the appends were.
    gathered: Vec<Vec<(u32, Sample)>>,
}

impl Filler {
    fn new(threads: Vec<SyncSender<Batch>>) -> Self {
        Self { threads, gathered: vec![Vec::new(); Head::shards()] }
    }
    fn push(&mut self, shard: u32, at: u32, sample: Sample) {
        let samples = &mut self.gathered[shard as usize];
        samples.push((at, sample));
        if samples.len() == BATCH_MAX {
            let samples = std::mem::replace(samples, Vec::with_capacity(BATCH_MAX));
            self.send(Batch { shard, samples });
        }
    }
    fn send(&self, batch: Batch) {
        let thread = batch.shard as usize % self.threads.len();
        self.threads[thread].send(batch).expect("the thread ends after its last batch");
    }
    /// What is left of each.
    fn finish(mut self) {
        for (shard, samples) in (0u32..).zip(std::mem::take(&mut self.gathered)) {
            self.send(Batch { shard, samples });
        }
    }
}

fn fill(head: &Head, batches: &Receiver<Batch>) {
    for Batch { shard, samples } in batches {
        let mut shard = head.write(shard as usize);
        let (mut taken, mut newest_ms) = (0, i64::MIN);
        for (at, sample) in samples {
            // The log holds only what was judged; a second copy of it changes nothing.
            let verdict = shard.judge(at, sample, i64::MAX);
            if matches!(verdict, Verdict::Write | Verdict::Late) {
                shard.insert(at, sample);
                taken += 1;
                newest_ms = newest_ms.max(sample.at_ms);
            }
        }
        head.count(taken, newest_ms);
    }
}

/// Puts what the log holds into the head. One thread reads and decodes, others put in.
pub(super) fn replay(log_dir: &Path, first_segment: u64, head: &Head) -> Result<Replayed> {
    std::thread::scope(|scope| {
        let start = |_| {
            let (sender, batches) = sync_channel(WAITING_MAX);
            scope.spawn(move || fill(head, &batches));
            sender
        };
        let threads = (0..parallel::threads().min(THREADS_MAX)).map(start).collect();
        read(log_dir, first_segment, head, Filler::new(threads))
    })
}

fn read(log_dir: &Path, first_segment: u64, head: &Head, mut filler: Filler) -> Result<Replayed> {
    let mut names = Names::default();
    let mut current = 0;
    let mut unnamed = 0;
    let mut done = wal::replay::replay(log_dir, first_segment, |segment, record| {
        if segment != current {
            current = segment;
            names = Names::default();
        }
        match record {
            Record::Series { id, key } => names.insert(id, series(head, key)),
            Record::Sample { id, sample } => match names.get(id) {
                Some((shard, at)) => filler.push(shard, at, sample),
                // Where the name was in a damaged part, nobody knows whose sample it is.
                None => unnamed += 1,
            },
        }
    })?;
    filler.finish();
    done.unnamed_samples = unnamed;
    Ok(done)
}

/// The series of a key, by shard and place; made where it is new.
fn series(head: &Head, key: &[u8]) -> (u32, u32) {
    let hash = head.hash(key);
    let number = Head::shard_of(hash);
    let mut shard = head.write(number);
    let at = match shard.find_key(hash, key) {
        Some(at) => at,
        // What was taken in once is not refused now.
        None => head.create(&mut shard, hash, key, |_| usize::MAX).expect("there is no limit"),
    };
    (number as u32, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_wherever_they_are_kept() {
        let mut names = Names::default();
        let ids = [1000, 1001, 1005, 999, 1000 + LISTED_MAX, u64::MAX];
        for (at, id) in ids.into_iter().enumerate() {
            names.insert(id, (1, at as u32));
        }
        for (at, id) in ids.into_iter().enumerate() {
            assert_eq!(names.get(id), Some((1, at as u32)), "{id}");
        }
        assert!(
            [0, 998, 1002, 1006, 1001 + LISTED_MAX].into_iter().all(|id| names.get(id).is_none())
        );
        assert_eq!(names.others.len(), 3);
    }
    /// What was written twice at an instant counts as it was first.
    #[test]
    fn a_shard_has_one_thread_and_its_samples_keep_their_order() {
        let (threads, all): (Vec<_>, Vec<_>) = (0..3).map(|_| sync_channel::<Batch>(1_000)).unzip();
        let mut filler = Filler::new(threads);
        let shards = u32::try_from(Head::shards()).unwrap();
        let count = shards * (3 * BATCH_MAX as u32 + 7);
        for n in 0..count {
            filler.push(n % shards, n, Sample { at_ms: 0, value: f64::from(n) });
        }
        filler.finish();
        let mut seen: HashMap<u32, Vec<u32>> = HashMap::new();
        for batches in &all {
            let before: Vec<u32> = seen.keys().copied().collect();
            for Batch { shard, samples } in batches {
                assert!(!before.contains(&shard), "{shard} has two threads");
                seen.entry(shard).or_default().extend(samples.iter().map(|(at, _)| *at));
            }
        }
        assert_eq!(seen.values().map(Vec::len).sum::<usize>(), count as usize);
        for (shard, samples) in seen {
            assert!(samples.iter().all(|at| at % shards == shard), "{shard}");
            assert!(samples.is_sorted(), "{shard}");
        }
    }
}
