//! Carrying a position ahead, from one change to the next.

use std::ops::Bound;

use base::{money::MS_PER_HOUR, time::Timestamp};

use super::{BEYOND, END_OF_TIME, Lane, Moving, Position, Renewal, exact, with_tax};
use crate::{
    calendar::Month,
    packages,
    rating::{book::KeyId, compiled::Compiled, engine::Stage},
};

impl Position {
    /// The next instant at which more changes than that what is on goes on: a price, a span, a
    /// renewal, the tier of what is charged by the tier that it ends in, the end of a month. Months
    /// matter only where something costs, or did in this one.
    pub(super) fn next_change(&self) -> Option<Timestamp> {
        let costs = |lane: &Lane| {
            let rate = &self.rate_of(lane.group).rate;
            rate.minimum.is_some() || rate.model.prices().any(|price| price.0 != 0)
        };
        let used = || self.counted().any(|group| self.measure(group) != 0);
        let matters = self.lanes.iter().any(costs) || used();
        let month = matters.then(|| Month::of(self.at, self.zone).end(self.zone));
        let after = (Bound::Excluded(self.at), Bound::Unbounded);
        let renewal = self.renewals.range(after).next().map(|(at, _)| *at);
        let found =
            [self.prices.next_change(self.at), self.edges(), month, renewal, self.jumps_at()];
        found.into_iter().flatten().min().filter(|next| *next <= END_OF_TIME)
    }

    /// When a walk next comes to where what it cost so far may change: the tier of a volume, and any
    /// tier where a group moves on behind another one's. A group that moves alone only goes on.
    fn jumps_at(&self) -> Option<Timestamp> {
        let of = |moving: &Moving| {
            let rate = self.rate_of(moving.group);
            if !rate.walks() {
                return None;
            }
            let walk = self.book.groups.walk_of(moving.group);
            let is_used = |group: &u32| self.measure(*group) > 0 || self.pace(*group) > 0;
            let is_alone = walk.iter().filter(|group| is_used(group)).count() <= 1;
            let mut ends: Vec<(i64, i128)> = Vec::new();
            if rate.is_volume() {
                let walked = walk.iter().map(|group| self.measure(*group));
                let pace = walk.iter().map(|group| self.pace(*group)).sum();
                ends.push((walked.fold(0, i64::saturating_add), pace));
            }
            if !is_alone {
                let before = self.pace_before(moving.group);
                ends.push((self.before(moving.group), before));
                ends.push((self.walked(moving.group), before + moving.pace));
            }
            let reached = ends.into_iter().filter_map(|(walked, pace)| {
                let (_, end) = rate.rate.slope(walked, rate.scale)?;
                self.reaches(end?, walked, pace)
            });
            reached.min()
        };
        self.moving.iter().filter_map(of).min()
    }

    /// When a walk that is at `walked` comes to `end`.
    pub(super) fn reaches(&self, end: i64, walked: i64, pace: i128) -> Option<Timestamp> {
        let left = i128::from(end) - i128::from(walked);
        let ms = (pace > 0).then(|| left.div_euclid(pace) + i128::from(left % pace != 0))?;
        Some(self.at.saturating_add_ms(i64::try_from(ms.max(1)).ok()?))
    }

    /// The first instant after its own and before `until` at which nothing is left; nothing changes
    /// until then, and something is left at its own.
    pub(super) fn crossing(&mut self, until: Timestamp) -> Option<Timestamp> {
        let mut is_left = self.at;
        let mut is_gone = until.saturating_add_ms(-1);
        if self.lanes.is_empty() || is_gone <= is_left || !self.is_gone(is_gone) {
            return None;
        }
        while is_gone.since_ms(is_left) > 1 {
            let middle = is_left.saturating_add_ms(is_gone.since_ms(is_left) / 2);
            match self.is_gone(middle) {
                true => is_gone = middle,
                false => is_left = middle,
            }
        }
        Some(is_gone)
    }

    fn is_gone(&mut self, at: Timestamp) -> bool {
        self.look(at);
        self.is_exhausted()
    }

    /// Moves the groups to where they are at `at`, up to which nothing changes; the position stays.
    pub(super) fn look(&mut self, at: Timestamp) {
        let ms = i128::from(at.since_ms(self.at).max(0));
        for Moving { group, base, pace } in &self.moving {
            let measure = i128::from(*base).saturating_add(pace.saturating_mul(ms));
            let measure = i64::try_from(measure).unwrap_or(i64::MAX);
            self.book.groups.set_posted(*group, measure, 0, 0);
        }
    }

    /// Goes to `next`, which is no further than the next change.
    pub(super) fn advance(&mut self, next: Timestamp) {
        self.look(next);
        let bought = self.renewals.get(&next).cloned().unwrap_or_default();
        let changes = self.prices.next_change(self.at).is_some_and(|at| at <= next)
            || self.edges().is_some_and(|at| at <= next)
            || !bought.is_empty();
        let ends = Month::of(self.at, self.zone) != Month::of(next, self.zone);
        self.at = next;
        if ends {
            self.end_month();
        }
        for renewal in &bought {
            self.buy(renewal);
        }
        // What was parked is charged again in a new month.
        if changes || ends { self.resolve() } else { self.sum_up() }
    }

    /// All of the month is rounded, with what its end makes due, and begins anew.
    fn end_month(&mut self) {
        let groups: Vec<u32> = self.counted().collect();
        for group in &groups {
            if self.rate_of(*group).closes() {
                self.book.groups.set_stage(*group, Stage::Closed);
            }
        }
        for group in &groups {
            self.settled = self.settled.saturating_sub(self.rounded(*group));
        }
        for group in self.book.groups.numbers() {
            self.book.groups.set_posted(group, 0, 0, 0);
            self.book.groups.set_stage(group, Stage::Open);
        }
        self.book.parked.clear();
    }

    fn buy(&mut self, renewal: &Renewal) {
        let Some(found) = self.prices.named(packages::COMPONENT, &renewal.rate, self.at) else {
            return;
        };
        let Some(rate) = self.book.rate(&found) else { return };
        let component = packages::COMPONENT;
        let id = KeyId { resource: renewal.resource, component, rate, month: self.named };
        let key = self.book.key(id, "", "", &self.prices);
        let group = self.book.keys[key as usize].group;
        let bought = self.measure(group).saturating_add(1);
        self.book.groups.set_posted(group, bought, 0, 0);
    }

    /// Finds what is on at its instant, and which groups move by it.
    pub(super) fn resolve(&mut self) {
        self.lanes.clear();
        let at = self.at.ms();
        for span in self.spans.iter().filter(|span| span.from <= at && at < span.to) {
            let used = span.at(&self.prices, self.at);
            for (component, quantity) in &used.components {
                let found = self.prices.find(component, used.shape.as_ref(), self.at);
                let Some(rate) = found.and_then(|found| self.book.rate(&found)) else { continue };
                let id = KeyId { resource: span.resource, component, rate, month: self.named };
                let key = self.book.key(id, "", "", &self.prices);
                let group = self.book.keys[key as usize].group;
                if !self.book.parked.contains(&group) {
                    self.lanes.push(Lane { group, quantity: *quantity });
                }
            }
        }
        self.on = vec![false; self.book.groups.len()];
        self.paces = vec![0; self.book.groups.len()];
        for lane in &self.lanes {
            self.on[lane.group as usize] = true;
            self.paces[lane.group as usize] += i128::from(lane.quantity);
        }
        self.count_volumes();
        self.sum_up();
    }

    /// A volume counts at the tier that it has come to.
    pub(super) fn count_volumes(&mut self) {
        for group in self.book.groups.numbers() {
            let stage = self.book.groups.get(group).stage;
            if self.rate_of(group).closes() && stage < Stage::Volume {
                self.book.groups.set_stage(group, Stage::Volume);
            }
        }
    }

    fn sum_up(&mut self) {
        let groups = &self.book.groups;
        let mut walks: Vec<u32> =
            self.lanes.iter().map(|lane| groups.get(lane.group).walk).collect();
        walks.sort_unstable();
        let (mut moving, mut still) = (Vec::new(), self.settled);
        for group in self.counted() {
            if walks.binary_search(&self.book.groups.get(group).walk).is_ok() {
                let (base, pace) = (self.measure(group), self.pace(group));
                moving.push(Moving { group, base, pace });
            } else {
                still = still.saturating_sub(self.value(group));
            }
        }
        (self.moving, self.still) = (moving, still);
    }

    /// The groups that count: what is parked is charged no further.
    pub(super) fn counted(&self) -> impl Iterator<Item = u32> + use<'_> {
        self.book.groups.numbers().filter(|group| !self.book.parked.contains(group))
    }

    /// What a group counts, in units of [`Exact`]: exactly while something of it is on.
    pub(super) fn value(&self, group: u32) -> i128 {
        if !self.on[group as usize] {
            return self.rounded(group);
        }
        let rate = self.rate_of(group);
        let Ok(cost) = self.book.groups.exact(&self.book.rates, group) else { return BEYOND };
        let hours = cost.saturating_mul(i128::from(MS_PER_HOUR)) / i128::from(rate.scale);
        with_tax(hours, rate.tax).min(BEYOND)
    }

    pub(super) fn rounded(&self, group: u32) -> i128 {
        let cost = self.book.groups.exact(&self.book.rates, group);
        let split = cost.and_then(|cost| self.rate_of(group).split(cost));
        split.map_or(BEYOND, |split| exact(split.net) + exact(split.tax))
    }

    pub(super) fn rate_of(&self, group: u32) -> &Compiled {
        &self.book.rates[self.book.groups.get(group).rate as usize]
    }

    pub(super) fn measure(&self, group: u32) -> i64 {
        self.book.groups.get(group).measure
    }

    /// Where the group's part of its walk begins.
    pub(super) fn before(&self, group: u32) -> i64 {
        self.book.groups.before(group).unwrap_or(i64::MAX)
    }

    /// And where it has come to.
    pub(super) fn walked(&self, group: u32) -> i64 {
        self.before(group).saturating_add(self.measure(group))
    }

    /// Unit-milliseconds that it gains in a millisecond.
    pub(super) fn pace(&self, group: u32) -> i128 {
        self.paces[group as usize]
    }

    /// Of the groups before it in its walk.
    pub(super) fn pace_before(&self, group: u32) -> i128 {
        let groups = &self.book.groups;
        let earlier = |other: &&u32| groups.get(**other).rank < groups.get(group).rank;
        groups.walk_of(group).iter().filter(earlier).map(|other| self.pace(*other)).sum()
    }
}
