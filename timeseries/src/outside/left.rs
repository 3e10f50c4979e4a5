//! What is left of a selection's bounds while its answer comes: an answer that is too large ends
//! where that shows, not when all of it is there.

use crate::{
    error::{Error, Result},
    memory,
    store::{Select, Selected},
};

#[derive(Debug)]
pub struct Left<'a> {
    select: &'a Select,
    samples: usize,
    bytes: usize,
}

impl<'a> Left<'a> {
    pub fn of(select: &'a Select) -> Self {
        Self { select, samples: select.max_samples, bytes: select.max_bytes }
    }

    /// One series more, or a part of one.
    pub fn take(&mut self, one: &Selected) -> Result<()> {
        let samples = one.samples.len();
        let limit = self.select.max_samples;
        self.samples = self.samples.checked_sub(samples).ok_or(Error::TooManySamples { limit })?;
        self.take_bytes(memory::of_labels(one.labels.iter()) + memory::of_samples(samples))
    }

    pub fn take_bytes(&mut self, bytes: usize) -> Result<()> {
        self.check(bytes)?;
        self.bytes -= bytes;
        Ok(())
    }

    /// Whether so many fit for a while.
    pub fn check(&self, bytes: usize) -> Result<()> {
        match bytes <= self.bytes {
            true => Ok(()),
            false => Err(Error::TooMuchMemory { limit_bytes: self.select.max_bytes }),
        }
    }
}
