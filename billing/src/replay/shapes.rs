//! What each resource was told to be, in the order in which its facts count, so that a file needs to
//! say only what changes.

use std::collections::BTreeMap;

use base::time::Timestamp;

use super::file::{Attributes, Resource};
use crate::usage::Recorded;

/// As the product counts facts: by the source's ordinal, and then as they were told.
type Place = (i64, u64);

#[derive(Debug, Clone)]
pub struct Shape {
    pub tenant: String,
    pub attributes: Attributes,
}

/// What one fact says.
#[derive(Debug, Clone)]
pub struct Told {
    pub id: String,
    pub at: Timestamp,
    /// As it was before it when it was told first.
    pub before: Shape,
    pub after: Shape,
}

/// Of one resource.
#[derive(Debug)]
pub struct Shapes {
    /// As the file's section has it.
    first: Shape,
    counted: BTreeMap<Place, Told>,
    /// Put aside, until somebody takes it.
    aside: BTreeMap<Place, Told>,
    /// Behind a contradiction, until somebody rules.
    waiting: BTreeMap<Place, Told>,
    highest_ordinal: i64,
    told: u64,
}

impl Shapes {
    pub fn new(resource: &Resource) -> Self {
        let (tenant, attributes) = (resource.tenant.clone(), resource.attributes.clone());
        Self {
            first: Shape { tenant, attributes },
            counted: BTreeMap::new(),
            aside: BTreeMap::new(),
            waiting: BTreeMap::new(),
            highest_ordinal: 0,
            told: 0,
        }
    }

    pub fn now(&self) -> &Shape {
        self.counted.last_key_value().map_or(&self.first, |(_, told)| &told.after)
    }

    /// Before a fact with this ordinal. One that is told again says what it said the first time.
    pub fn before(&self, id: Option<&str>, ordinal: i64) -> &Shape {
        let mut all = self.counted.values().chain(self.aside.values()).chain(self.waiting.values());
        if let Some(known) = id.and_then(|id| all.find(|told| told.id == id)) {
            return &known.before;
        }
        let place = if ordinal > 0 { (ordinal, 0) } else { self.place(0) };
        self.counted.range(..place).next_back().map_or(&self.first, |(_, told)| &told.after)
    }

    /// At the end of a gap, by what was told of the time before it.
    pub fn before_end(&self, of_gap: Timestamp) -> &Shape {
        let mut all = self.counted.values().rev();
        all.find(|told| told.at < of_gap).map_or(&self.first, |told| &told.after)
    }

    /// Whether something is known of then or later.
    pub fn knows_since(&self, at: Timestamp) -> bool {
        self.counted.values().any(|told| told.at >= at)
    }

    fn place(&self, ordinal: i64) -> Place {
        (if ordinal > 0 { ordinal } else { self.highest_ordinal }, self.told)
    }

    /// Whether a fact with this ordinal comes behind all others that count.
    pub fn would_be_last(&self, ordinal: i64) -> bool {
        let place = self.place(ordinal);
        self.counted.last_key_value().is_none_or(|(last, _)| *last < place)
    }

    pub fn record(&mut self, ordinal: i64, told: Told, recorded: &Recorded) {
        let place = self.place(ordinal);
        let all = match recorded {
            Recorded::Known => return,
            Recorded::Counted { .. } => &mut self.counted,
            Recorded::Quarantined => &mut self.aside,
            Recorded::Parked { .. } => &mut self.waiting,
        };
        all.insert(place, told);
        self.told += 1;
        if *recorded != Recorded::Quarantined {
            self.highest_ordinal = self.highest_ordinal.max(ordinal);
        }
    }

    /// Whether the fact is this resource's. What waited for the ruling counts from here on.
    pub fn rule(&mut self, id: &str, take: bool) -> bool {
        let mut ruled = None;
        for all in [&mut self.counted, &mut self.aside, &mut self.waiting] {
            let place = all.iter().find(|(_, told)| told.id == id).map(|(place, _)| *place);
            ruled = ruled.or(place.and_then(|place| all.remove_entry(&place)));
        }
        let Some((place, told)) = ruled else { return false };
        if take {
            self.counted.insert(place, told);
        }
        self.counted.append(&mut self.waiting);
        true
    }
}
