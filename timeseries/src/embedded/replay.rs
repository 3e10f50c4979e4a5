//! Replay: what the log holds, back into the head.

use std::{collections::HashMap, path::Path};

use super::{
    head::{Head, Verdict},
    wal::{
        self,
        replay::{Record, Replayed},
    },
};
use crate::error::Result;

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

/// Puts what the log holds into the head.
pub(super) fn replay(log_dir: &Path, first_segment: u64, head: &Head) -> Result<Replayed> {
    let mut names = Names::default();
    let mut current = 0;
    let mut unnamed = 0;
    let mut done = wal::replay::replay(log_dir, first_segment, |segment, record| {
        if segment != current {
            current = segment;
            names = Names::default();
        }
        match record {
            Record::Series { id, key } => {
                let hash = head.hash(key);
                let number = Head::shard_of(hash);
                let mut shard = head.write(number);
                let at = match shard.find_key(hash, key) {
                    Some(at) => at,
                    // What was taken in once is not refused now.
                    None => head
                        .create(&mut shard, hash, key, |_| usize::MAX)
                        .expect("there is no limit"),
                };
                names.insert(id, (number as u32, at));
            }
            Record::Sample { id, sample } => {
                // Where the name was in a damaged part, nobody knows whose sample it is.
                let Some((number, at)) = names.get(id) else {
                    unnamed += 1;
                    return;
                };
                let mut shard = head.write(number as usize);
                // The log holds only what was judged; a second copy of it changes nothing.
                let verdict = shard.judge(at, sample, i64::MAX);
                if matches!(verdict, Verdict::Write | Verdict::Late) {
                    shard.insert(at, sample);
                    head.count(1, sample.at_ms);
                }
            }
        }
    })?;
    done.unnamed_samples = unnamed;
    Ok(done)
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
}
