//! Work on many series by several threads, where it is worth one.

use std::{num::NonZero, sync::OnceLock};

use crate::error::Result;

/// Of one query.
const THREADS_MAX: usize = 4;
/// Less work than this (about a millisecond's) stays on one thread.
const SHARED_FROM: usize = 200_000;

/// Calls a function with each item; the results are in the items' order. `work` is about how many
/// values it has to touch.
pub fn map<T: Sync, R: Send>(
    items: &[T],
    work: usize,
    each: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let threads = if work < SHARED_FROM { 1 } else { threads().min(items.len()).max(1) };
    if threads == 1 {
        return items.iter().map(each).collect();
    }
    let mut parts = items.chunks(items.len().div_ceil(threads));
    let first = parts.next().unwrap_or_default();
    let run = |part: &[T]| part.iter().map(&each).collect::<Result<Vec<R>>>();
    let run = &run;
    std::thread::scope(|scope| {
        let others: Vec<_> = parts.map(|part| scope.spawn(move || run(part))).collect();
        let mut all = run(first)?;
        for other in others {
            let part = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            all.extend(part?);
        }
        Ok(all)
    })
}

fn threads() -> usize {
    static THREADS: OnceLock<usize> = OnceLock::new();
    *THREADS.get_or_init(|| {
        std::thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX)
    })
}
