//! How many of the head's series each tenant has, by the value of the label that the server sets.
//! Asked when a series comes or goes, never for a sample.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard},
};

use crate::{embedded::key, scope::TENANT};

type Counts = HashMap<Box<str>, usize, foldhash::fast::FixedState>;

#[derive(Debug, Default)]
pub struct Tenants(Mutex<Counts>);

impl Tenants {
    /// Counts one more series; false where its tenant has its most already. What is nobody's has no
    /// limit here.
    pub fn enter(&self, key: &[u8], most: impl FnOnce(&str) -> usize) -> bool {
        let tenant = key::get(key, TENANT);
        if tenant.is_empty() {
            return true;
        }
        let most = most(tenant);
        let mut counts = self.counts();
        match counts.get_mut(tenant) {
            Some(count) if *count < most => *count += 1,
            None if most > 0 => {
                counts.insert(tenant.into(), 1);
            }
            _ => return false,
        }
        true
    }

    /// A series that entered is gone.
    pub fn leave(&self, key: &[u8]) {
        let tenant = key::get(key, TENANT);
        let mut counts = self.counts();
        if let Some(count) = counts.get_mut(tenant) {
            *count -= 1;
            if *count == 0 {
                counts.remove(tenant);
            }
        }
    }

    pub fn all(&self) -> BTreeMap<String, usize> {
        self.counts().iter().map(|(tenant, count)| (tenant.to_string(), *count)).collect()
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().expect("no panic while held")
    }
}
