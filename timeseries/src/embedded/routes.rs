//! Which series come in together, and where in the head they stand.
//!
//! A sender sends the same series in the same order, scrape after scrape. Along its route a key is
//! compared with the bytes behind those of the last one; off it, it is hashed, sought in a table, and
//! compared label by label with texts that lie anywhere in memory.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use base::time::Timestamp;

use super::options::{ROUTE_IDLE_MS, ROUTES_MAX_BYTES};

/// So far ahead of the last key the next is sought: some of a sender's series may end.
const AHEAD: usize = 4;
/// Fewer series are found as quickly without.
const SERIES_MIN: usize = 16;
/// A route is made anew once a greater share than one of so many stood elsewhere.
const MOVED_SHARE: usize = 16;

/// Where a series stands in its shard, for as long as the shard numbers its series as it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub at: u32,
    pub epoch: u32,
}

#[derive(Debug, Clone, Copy)]
pub struct Stop {
    pub hash: u64,
    /// None, or one of an epoch that is over, of what was not taken in.
    pub place: Option<Place>,
    /// Of its key, which begins where the one before ends.
    pub key_end: u32,
}

#[derive(Debug, Default)]
pub struct Route {
    keys: Vec<u8>,
    stops: Vec<Stop>,
}

impl Route {
    pub fn new(keys: Vec<u8>, stops: Vec<Stop>) -> Self {
        Self { keys, stops }
    }

    fn key(&self, at: usize) -> &[u8] {
        let begin = at.checked_sub(1).map_or(0, |before| self.stops[before].key_end);
        &self.keys[begin as usize..self.stops[at].key_end as usize]
    }

    fn bytes(&self) -> usize {
        self.keys.len() + self.stops.len() * size_of::<Stop>()
    }
}

/// A body's way along the route of the one before it, if there was one.
#[derive(Debug, Default)]
pub struct Walk {
    route: Option<Arc<Route>>,
    next: usize,
}

impl Walk {
    pub fn find(&mut self, key: &[u8]) -> Option<Stop> {
        let route = self.route.as_ref()?;
        let mut ahead = self.next..route.stops.len().min(self.next + AHEAD);
        let found = ahead.find(|at| route.key(*at) == key)?;
        self.next = found + 1;
        Some(route.stops[found])
    }
}

/// Whether the next body like one of so many series had better go another way.
pub fn is_outdated(series: usize, moved: usize) -> bool {
    series >= SERIES_MIN && moved * MOVED_SHARE > series
}

/// Those of all senders, by the hash of their first key.
#[derive(Debug, Default)]
pub struct Routes {
    all: Mutex<HashMap<u64, (Arc<Route>, Timestamp)>>,
}

impl Routes {
    pub fn walk(&self, first: u64, now: Timestamp) -> Walk {
        let mut all = self.all.lock().expect("no panic while held");
        let route = all.get_mut(&first).map(|(route, used)| {
            *used = now;
            route.clone()
        });
        Walk { route, next: 0 }
    }

    /// In place of the one before. Where there is no room, only what nobody uses gives way.
    pub fn keep(&self, first: u64, mut route: Route, now: Timestamp) {
        if route.bytes() > ROUTES_MAX_BYTES {
            return;
        }
        route.keys.shrink_to_fit();
        route.stops.shrink_to_fit();
        let mut all = self.all.lock().expect("no panic while held");
        let fits = |all: &HashMap<u64, (Arc<Route>, Timestamp)>| {
            let others = all.iter().filter(|(its, _)| **its != first);
            let others: usize = others.map(|(_, (route, _))| route.bytes()).sum();
            others + route.bytes() <= ROUTES_MAX_BYTES
        };
        if !fits(&all) {
            all.retain(|_, (_, used)| now.since_ms(*used) < ROUTE_IDLE_MS);
        }
        if fits(&all) {
            all.insert(first, (Arc::new(route), now));
        }
    }
}

#[cfg(test)]
mod tests;
