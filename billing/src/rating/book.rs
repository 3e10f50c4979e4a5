//! A tenant's rounding keys and groups while it is rated: what SQL has of them, and what is new.
//!
//! A key is what a line is of: resource, component, rate of a version, month. A group is what is
//! rounded together, and has one allowance, tiers and minimum: one key, or all keys of a rate that a
//! tenant's resources share, or that components use which have no rate of their own. Both go by
//! numbers here, so that rating compares no text.

use std::collections::{BTreeSet, HashMap};

use base::id::PriceVersionId;

use super::{
    compiled::Compiled,
    engine::{Group, Groups, Stage},
};
use crate::{
    calendar::Month,
    prices::timeline::{Found, Timeline},
};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId {
    pub kind: String,
    pub id: String,
}

/// Of a key that stands for all of a tenant's resources.
pub const ALL: u32 = u32::MAX;

/// What a line is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId {
    /// Into the resources, or [`ALL`].
    pub resource: u32,
    /// `instance.compute`.
    pub component: &'static str,
    /// Into the rates.
    pub rate: u32,
    pub month: Month,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub id: KeyId,
    pub group: u32,
    /// The number that SQL knows it by; none: it is new.
    pub number: Option<i64>,
    /// As its lines call it: the resource's name when it was first rated.
    pub name: String,
    /// The flavor's id, where it has one.
    pub flavor: String,
}

/// A key as SQL has it.
#[derive(Debug)]
pub struct Stored<'a> {
    pub number: i64,
    /// Of the key that it is rounded with.
    pub group: i64,
    pub name: &'a str,
    pub flavor: &'a str,
    /// Posted so far, of a key that is a group.
    pub measure: i64,
    pub net: i64,
    pub tax: i64,
    pub parked: bool,
}

/// A walk is of one rate by its name, whatever its version, in one month. Its component is that of
/// the keys that stand for its groups.
type WalkId = (String, &'static str, u32, Month);

#[derive(Debug, Clone, Default)]
pub struct Book {
    pub resources: Vec<ResourceId>,
    resource_numbers: HashMap<ResourceId, u32>,
    pub versions: Vec<PriceVersionId>,
    pub rates: Vec<Compiled>,
    rate_numbers: HashMap<(PriceVersionId, String), u32>,
    pub keys: Vec<Key>,
    key_numbers: HashMap<KeyId, u32>,
    pub groups: Groups,
    /// The key that stands for each group.
    group_keys: Vec<u32>,
    walks: HashMap<WalkId, u32>,
    /// By the numbers that SQL knows them by.
    stored: HashMap<i64, u32>,
    /// Groups that are charged no further.
    pub parked: BTreeSet<u32>,
    /// The first month that is not closed; none where no price asks for it.
    pub open: Option<Month>,
}

impl Book {
    /// The keys of one month with their groups as they are, for whoever looks ahead: resources have
    /// the same numbers.
    pub fn of_month(&self, month: Month) -> Self {
        let mut own = Self {
            versions: self.versions.clone(),
            rates: self.rates.clone(),
            rate_numbers: self.rate_numbers.clone(),
            open: self.open,
            ..Self::default()
        };
        let (mut groups, mut walks) = (HashMap::new(), HashMap::new());
        // The key that stands for a group comes before those that share it.
        for key in self.keys.iter().filter(|key| key.id.month == month) {
            let number = count(own.keys.len());
            let group = match groups.get(&key.group) {
                Some(group) => *group,
                None => {
                    let old = *self.groups.get(key.group);
                    let walk = *walks.entry(old.walk).or_insert_with(|| own.groups.walk());
                    let group = own.groups.add(Group { walk, ..old });
                    own.group_keys.push(number);
                    groups.insert(key.group, group);
                    group
                }
            };
            let (name, flavor) = (String::new(), String::new());
            own.keys.push(Key { id: key.id, group, number: None, name, flavor });
            own.key_numbers.insert(key.id, number);
        }
        let in_month = self.walks.iter().filter(|(id, _)| id.3 == month);
        let known = in_month.filter_map(|(id, walk)| Some((id.clone(), *walks.get(walk)?)));
        own.walks = known.collect();
        own.parked = self.parked.iter().filter_map(|group| groups.get(group)).copied().collect();
        own
    }

    pub fn resource(&mut self, id: &ResourceId) -> u32 {
        if let Some(number) = self.resource_numbers.get(id) {
            return *number;
        }
        let number = count(self.resources.len());
        self.resources.push(id.clone());
        self.resource_numbers.insert(id.clone(), number);
        number
    }

    pub fn find_resource(&self, id: &ResourceId) -> Option<u32> {
        self.resource_numbers.get(id).copied()
    }

    /// None of a rate that can't be applied.
    pub fn rate(&mut self, found: &Found<'_>) -> Option<u32> {
        // Looked up by what is owned: a rate is looked up once a price span, not once a line.
        let id = (found.version, found.rate.id.clone());
        if let Some(number) = self.rate_numbers.get(&id) {
            return Some(*number);
        }
        let number = count(self.rates.len());
        self.rates.push(Compiled::new(found)?);
        self.versions.push(found.version);
        self.rate_numbers.insert(id, number);
        Some(number)
    }

    pub fn find_key(&self, id: &KeyId) -> Option<u32> {
        self.key_numbers.get(id).copied()
    }

    /// The key's number here, with its group; a new one is added to both.
    pub fn key(&mut self, id: KeyId, name: &str, flavor: &str, prices: &Timeline) -> u32 {
        if let Some(number) = self.find_key(&id) {
            return number;
        }
        let shared = self.shared(&id).map(|shared| match shared.resource {
            ALL => self.key(shared, "", "", prices),
            _ => self.key(shared, name, flavor, prices),
        });
        let group = shared.map(|key| self.keys[key as usize].group);
        self.add_key(id, group, (name, flavor), prices)
    }

    /// What stands for the group of such a key; none: it stands for itself.
    fn shared(&self, id: &KeyId) -> Option<KeyId> {
        let rate = &self.rates[id.rate as usize];
        let resource = if rate.is_tenants() { ALL } else { id.resource };
        let shared = KeyId { resource, component: rate.rate.rounded_as(id.component), ..*id };
        // Posted before such components shared a group: it stays what it is rounded with.
        let old = KeyId { resource, ..*id };
        let stands = |key: u32| self.key_of(self.keys[key as usize].group) == key;
        let shared = if self.find_key(&old).is_some_and(stands) { old } else { shared };
        (shared != *id).then_some(shared)
    }

    /// Without a group it has one of its own.
    fn add_key(
        &mut self,
        id: KeyId,
        group: Option<u32>,
        (name, flavor): (&str, &str),
        prices: &Timeline,
    ) -> u32 {
        let number = count(self.keys.len());
        let group = group.unwrap_or_else(|| {
            self.group_keys.push(number);
            self.new_group(&id, prices)
        });
        let (name, flavor) = (name.to_owned(), flavor.to_owned());
        self.keys.push(Key { id, group, number: None, name, flavor });
        self.key_numbers.insert(id, number);
        number
    }

    /// A key that SQL has, with what is posted of its group: the one that SQL says. What stands for
    /// it was told before.
    pub fn stored_key(&mut self, id: KeyId, stored: &Stored<'_>, prices: &Timeline) -> u32 {
        let group = self.by_number(stored.group).map(|key| self.keys[key as usize].group);
        let key = match self.find_key(&id) {
            Some(key) => key,
            None => self.add_key(id, group, (stored.name, stored.flavor), prices),
        };
        self.keys[key as usize].number = Some(stored.number);
        self.stored.insert(stored.number, key);
        let group = self.keys[key as usize].group;
        if stored.number == stored.group {
            self.groups.set_posted(group, stored.measure, stored.net, stored.tax);
            if stored.parked {
                self.parked.insert(group);
            }
        }
        key
    }

    /// The key that stands for the group.
    pub fn key_of(&self, group: u32) -> u32 {
        self.group_keys[group as usize]
    }

    /// Whether the group is of time, rather than counted.
    pub fn is_hourly(&self, group: u32) -> bool {
        self.rates[self.groups.get(group).rate as usize].is_hourly()
    }

    /// The key that SQL knows by this number.
    pub fn by_number(&self, number: i64) -> Option<u32> {
        self.stored.get(&number).copied()
    }

    fn new_group(&mut self, id: &KeyId, prices: &Timeline) -> u32 {
        let rate = &self.rates[id.rate as usize];
        // Of any model: the next version's tiers go on where this one ends.
        let walk = (rate.rate.id.clone(), id.component, id.resource, id.month);
        let walk = *self.walks.entry(walk).or_insert_with(|| self.groups.walk());
        let begins = prices.begins(self.versions[id.rate as usize]);
        // One that is in force no longer has nothing left, or soon: it stands behind the others.
        let rank = begins.map_or(i64::MAX, base::time::Timestamp::ms);
        let is_closed = rate.closes() && self.open.is_some_and(|open| id.month < open);
        let stage = if is_closed { Stage::Closed } else { Stage::Open };
        self.groups.add(Group { rate: id.rate, walk, rank, measure: 0, net: 0, tax: 0, stage })
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX - 1)
}

#[cfg(test)]
mod tests;
