//! What a selection asks for, sorted out once for all shards.

use std::hash::BuildHasher;

use base::sample::NAME;

use super::index::State;
use crate::{embedded::key, matcher::Matcher};

#[derive(Debug)]
pub struct Sought<'m> {
    /// Pairs that a series must carry. The metric's name is last: nearly every shard has it, so that it
    /// tells least.
    pub pairs: Vec<Pair>,
    /// One of several values of a label.
    pub any: Vec<&'m Matcher>,
    /// These hold for series without their label, too.
    pub absent: Vec<&'m Matcher>,
}

/// A name and a value, as in a key.
#[derive(Debug)]
pub struct Pair {
    pub text: Vec<u8>,
    pub hash: u64,
}

impl<'m> Sought<'m> {
    pub fn of(matchers: &'m [Matcher]) -> Self {
        let (absent, others): (Vec<_>, Vec<_>) = matchers.iter().partition(|m| m.matches(""));
        let (mut equal, any): (Vec<_>, Vec<_>) = others.into_iter().partition(|m| m.is_equal());
        equal.sort_by_key(|matcher| matcher.name() == NAME);
        let pair = |matcher: &Matcher| {
            let mut text = Vec::new();
            key::put_pair(&mut text, matcher.name().as_bytes(), matcher.value().as_bytes());
            Pair { hash: State::default().hash_one(text.as_slice()), text }
        };
        Self { pairs: equal.into_iter().map(pair).collect(), any, absent }
    }
}
