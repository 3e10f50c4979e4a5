//! What a selection found: its series are known, their samples are read when they are needed, one
//! series after another. So a query over a year holds, of what is in blocks, the samples of one series
//! (or of a few short ones) a thread and not all.

use std::{fmt, sync::Arc};

use base::sample::{Labels, Sample};

use crate::{error::Result, store::Selected};

pub trait Selection: fmt::Debug + Send + Sync {
    /// Of the series that may have a sample in the range, sorted.
    fn labels(&self) -> &[Arc<Labels>];
    /// About how many samples all of them have; work is shared out by it.
    fn samples_about(&self) -> usize;
    /// Its samples are in memory, and counted where a query's memory is.
    fn is_loaded(&self) -> bool {
        false
    }
    /// Reading it waits for no disk.
    fn is_in_memory(&self) -> bool {
        self.is_loaded()
    }
    /// For one thread, which best asks for series in their order.
    fn reader(&self) -> Box<dyn Reader + '_>;
}

pub trait Reader {
    /// Puts one series' samples in the range, in order of time, in the place of what `out` holds.
    fn read(&mut self, series: usize, out: &mut Vec<Sample>) -> Result<()>;
}

/// One whose samples are in memory already.
#[derive(Debug, Default)]
pub struct Loaded {
    labels: Vec<Arc<Labels>>,
    samples: Vec<Vec<Sample>>,
}

impl From<Vec<Selected>> for Loaded {
    fn from(selected: Vec<Selected>) -> Self {
        let (labels, samples) =
            selected.into_iter().map(|series| (series.labels, series.samples)).unzip();
        Self { labels, samples }
    }
}

impl Selection for Loaded {
    fn labels(&self) -> &[Arc<Labels>] {
        &self.labels
    }
    fn samples_about(&self) -> usize {
        self.samples.iter().map(Vec::len).sum()
    }
    fn is_loaded(&self) -> bool {
        true
    }
    fn reader(&self) -> Box<dyn Reader + '_> {
        Box::new(self)
    }
}

impl Reader for &Loaded {
    fn read(&mut self, series: usize, out: &mut Vec<Sample>) -> Result<()> {
        out.clear();
        out.extend_from_slice(&self.samples[series]);
        Ok(())
    }
}
