//! The pure rater: slices of use to lines, one rounding a group, no allocation a slice.
//!
//! ```text
//! slice (key, from, to, quantity) --measure--> group's total --curve--> exact cost --half-even-->
//!     net and tax of the group so far; the line is the difference to what is posted of it
//! ```
//!
//! Amounts telescope: what is posted of a group is always the rounding of its exact total, so that
//! however time is cut into postings, the sum is the same. Groups of a tier's month stand in a
//! walk, one for each price version in the order in which they come into force: a group's cost
//! begins where those before it end. Since every group is rounded by its total, the order in which
//! use is told does not matter either.

use base::money::Micros;

use super::{
    close::{self, Member},
    compiled::Compiled,
};
use crate::prices::{model::Overflow, tax::Split};
pub use crate::usage::{Quality, WHOLE_PPM};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    Usage,
    /// Corrects what was posted for a time that had passed already.
    Adjustment,
    /// What a volume price comes to at the month's end.
    Volume,
    /// What a month's minimum has more than was charged.
    Minimum,
}

impl LineKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Adjustment => "adjustment",
            Self::Volume => "volume",
            Self::Minimum => "minimum",
        }
    }
}

/// How much of a group's month is told, for prices that are only known at its end; the others are the
/// same at every stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Stage {
    /// A volume price is not charged yet.
    #[default]
    Open,
    /// It is, at the tier that the month's use ends in.
    Volume,
    /// And the minimum is made up for.
    Closed,
}

/// A stretch of use at one price: everything in it is a number into the tables of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Of what it is a slice.
    pub key: u32,
    /// With what it is rounded.
    pub group: u32,
    /// Milliseconds since 1970.
    pub from: i64,
    pub to: i64,
    /// Below zero in what takes back.
    pub quantity: i64,
    /// The fact that it follows from, by its sequence; of what is counted, the instant of the
    /// reading.
    pub opened: i64,
    pub quality: Quality,
    /// How much of its time was observed, in millionths.
    pub coverage_ppm: i64,
    pub kind: LineKind,
}

/// What rounds together, and what is posted of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// Into the rates.
    pub rate: u32,
    /// Groups with one number continue each other.
    pub walk: u32,
    /// Its place in the walk: when its version came into force, in milliseconds since 1970.
    pub rank: i64,
    /// Unit-milliseconds or units.
    pub measure: i64,
    /// Micro-units.
    pub net: i64,
    pub tax: i64,
    pub stage: Stage,
}

/// All groups of a tenant's months, and who stands in which walk.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    all: Vec<Group>,
    walks: Vec<Vec<u32>>,
}

impl Groups {
    /// A walk without groups yet.
    pub fn walk(&mut self) -> u32 {
        self.walks.push(Vec::new());
        u32::try_from(self.walks.len() - 1).unwrap_or(u32::MAX)
    }

    /// Its number.
    pub fn add(&mut self, group: Group) -> u32 {
        let number = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(group);
        if let Some(walk) = self.walks.get_mut(group.walk as usize) {
            walk.push(number);
        }
        number
    }

    /// What is posted of it already.
    pub fn set_posted(&mut self, group: u32, measure: i64, net: i64, tax: i64) {
        let group = &mut self.all[group as usize];
        (group.measure, group.net, group.tax) = (measure, net, tax);
    }

    /// All of the group's walk, itself among them.
    pub fn walk_of(&self, group: u32) -> &[u32] {
        self.walks.get(self.get(group).walk as usize).map_or(&[], Vec::as_slice)
    }

    pub fn get(&self, group: u32) -> &Group {
        &self.all[group as usize]
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub fn numbers(&self) -> impl Iterator<Item = u32> + use<> {
        0..u32::try_from(self.all.len()).unwrap_or(u32::MAX)
    }

    /// Where the group's part of its walk begins.
    pub fn before(&self, group: u32) -> Result<i64, Overflow> {
        let own = self.get(group);
        let Some(walk) = self.walks.get(own.walk as usize) else { return Ok(0) };
        let earlier = walk.iter().map(|g| self.get(*g)).filter(|g| g.rank < own.rank);
        sum(earlier.map(|g| g.measure))
    }

    /// Everything of the group's month is told up to this stage.
    pub fn set_stage(&mut self, group: u32, stage: Stage) {
        self.all[group as usize].stage = stage;
    }

    /// What the group's exact total comes to beyond what is posted of it: use that was told late
    /// moves the later groups of its walk without a slice of their own, and a month's end makes due
    /// what was not known before.
    pub fn residue(&self, rates: &[Compiled], group: u32) -> Result<Split, Overflow> {
        let own = self.get(group);
        own.due(self.total(rates, group, own.measure)?)
    }

    /// What a group of this measure comes to.
    fn total(&self, rates: &[Compiled], group: u32, measure: i64) -> Result<Split, Overflow> {
        rates[self.get(group).rate as usize].split(self.cost(rates, group, measure)?)
    }

    /// What the group comes to exactly, over its rate's denominator.
    pub fn exact(&self, rates: &[Compiled], group: u32) -> Result<i128, Overflow> {
        self.cost(rates, group, self.get(group).measure)
    }

    fn cost(&self, rates: &[Compiled], group: u32, measure: i64) -> Result<i128, Overflow> {
        let own = self.get(group);
        let rate = &rates[own.rate as usize];
        match own.stage {
            Stage::Open if rate.walks() => rate.cost(self.before(group)?, measure),
            Stage::Open => rate.cost(0, measure),
            stage => close::cost(&self.members(group, measure), rates, group, stage),
        }
    }

    /// Those of the group's walk in their order, the group itself with this measure.
    fn members(&self, group: u32, measure: i64) -> Vec<Member> {
        let own = self.get(group);
        let alone = [group];
        let walk = self.walks.get(own.walk as usize).map_or(&alone[..], Vec::as_slice);
        let member = |number: &u32| {
            let Group { rank, rate, measure: posted, .. } = *self.get(*number);
            let measure = if *number == group { measure } else { posted };
            Member { rank, number: *number, rate, measure }
        };
        let mut members: Vec<Member> = walk.iter().map(member).collect();
        members.sort_by_key(|member| (member.rank, member.number));
        members
    }
}

impl Group {
    /// How far its posted amounts are from these.
    fn due(&self, total: Split) -> Result<Split, Overflow> {
        Ok(Split {
            net: Micros(total.net.0.checked_sub(self.net).ok_or(Overflow)?),
            tax: Micros(total.tax.0.checked_sub(self.tax).ok_or(Overflow)?),
        })
    }
}

fn sum(mut measures: impl Iterator<Item = i64>) -> Result<i64, Overflow> {
    measures.try_fold(0i64, i64::checked_add).ok_or(Overflow)
}

/// A slice with what it adds to its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Priced {
    pub slice: Slice,
    pub measure_before: i64,
    pub measure: i64,
    pub net_before: i64,
    pub net: i64,
    pub tax_before: i64,
    pub tax: i64,
}

/// A group whose amount does not fit; nothing of it was rated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parked {
    pub group: u32,
    pub why: Overflow,
}

/// Rates the slices in their order, moves the groups on, and appends a line a slice to `out`.
///
/// A group that overflows is put back as it was and leaves no line.
pub fn rate(
    slices: &[Slice],
    rates: &[Compiled],
    groups: &mut Groups,
    out: &mut Vec<Priced>,
) -> Vec<Parked> {
    let start = out.len();
    let mut parked: Vec<Parked> = Vec::new();
    for slice in slices {
        match step(slice, rates, groups) {
            Ok(line) => out.push(line),
            Err(why) => {
                if !parked.iter().any(|p| p.group == slice.group) {
                    parked.push(Parked { group: slice.group, why });
                }
            }
        }
    }
    if !parked.is_empty() {
        let parked: Vec<u32> = parked.iter().map(|p| p.group).collect();
        undo(&parked, groups, out, start);
    }
    parked
}

fn step(slice: &Slice, rates: &[Compiled], groups: &mut Groups) -> Result<Priced, Overflow> {
    let group = *groups.get(slice.group);
    let rate = &rates[group.rate as usize];
    let measure = rate.measure(slice.quantity, slice.to - slice.from)?;
    let total = group.measure.checked_add(measure).ok_or(Overflow)?;
    let due = groups.total(rates, slice.group, total)?;
    let added = group.due(due)?;
    let moved = &mut groups.all[slice.group as usize];
    (moved.measure, moved.net, moved.tax) = (total, due.net.0, due.tax.0);
    Ok(Priced {
        slice: *slice,
        measure_before: group.measure,
        measure,
        net_before: group.net,
        net: added.net.0,
        tax_before: group.tax,
        tax: added.tax.0,
    })
}

/// Takes the groups' lines from `start` on out again and puts the groups back. Others of their
/// walks were rated behind them, and are brought right by their residue.
pub fn undo(groups_out: &[u32], groups: &mut Groups, lines: &mut Vec<Priced>, start: usize) {
    let is_out = |group: u32| groups_out.contains(&group);
    // Backwards, so that the first line's state is what remains.
    for line in lines[start..].iter().rev().filter(|line| is_out(line.slice.group)) {
        let group = &mut groups.all[line.slice.group as usize];
        group.measure = line.measure_before;
        group.net = line.net_before;
        group.tax = line.tax_before;
    }
    let mut at = 0;
    lines.retain(|line| {
        at += 1;
        at <= start || !is_out(line.slice.group)
    });
}

#[cfg(test)]
mod tests;
