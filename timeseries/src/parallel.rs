//! Work on many series by several threads, where it is worth one.

use std::{num::NonZero, ops::Range, sync::OnceLock};

use crate::error::Result;

/// Of one query.
const THREADS_MAX: usize = 8;
/// Less work than this (about a millisecond's) stays on one thread.
const SHARED_FROM: usize = 200_000;
/// Threads take items in so many portions each, so that none waits long for the last.
const PORTIONS: usize = 8;

/// Calls a function with each number below `count`; the results are in order. Each thread makes a
/// state of its own. `work` is about how many values the whole has to touch.
pub fn map<S, R: Send>(
    count: usize,
    work: usize,
    state: impl Fn() -> S + Sync,
    each: impl Fn(&mut S, usize) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let threads = if work < SHARED_FROM { 1 } else { threads().min(count).max(1) };
    let portion = if threads == 1 { count } else { count.div_ceil(threads * PORTIONS) }.max(1);
    let next = std::sync::atomic::AtomicUsize::new(0);
    let run = || -> Result<Vec<(Range<usize>, Vec<R>)>> {
        let mut state = state();
        let mut done = Vec::new();
        loop {
            let begin = next.fetch_add(portion, std::sync::atomic::Ordering::Relaxed);
            if begin >= count {
                return Ok(done);
            }
            let range = begin..(begin + portion).min(count);
            let results = range.clone().map(|item| each(&mut state, item));
            match results.collect() {
                Ok(results) => done.push((range, results)),
                Err(error) => {
                    // The others need not go on.
                    next.store(count, std::sync::atomic::Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
    };
    let run = &run;
    let mut done = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let mut all = run();
        for other in others {
            let more = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            all = all.and_then(|mut all| {
                all.extend(more?);
                Ok(all)
            });
        }
        all
    })?;
    done.sort_unstable_by_key(|(range, _)| range.start);
    Ok(done.into_iter().flat_map(|(_, results)| results).collect())
}

pub fn threads() -> usize {
    static THREADS: OnceLock<usize> = OnceLock::new();
    *THREADS.get_or_init(|| {
        std::thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX)
    })
}
