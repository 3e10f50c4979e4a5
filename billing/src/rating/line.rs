//! What differs between what should be posted and what is.

use super::engine::{LineKind, Quality, Slice};
use crate::prices::model::Overflow;

/// Of one key at an instant: what somebody knows, and what is estimated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Parts {
    known: i128,
    estimated: i128,
}

impl Parts {
    fn add(&mut self, quality: Quality, quantity: i128) {
        match quality {
            Quality::Estimated => self.estimated += quantity,
            Quality::Observed | Quality::Corrected => self.known += quantity,
        }
    }

    /// As it counts where so much is wanted: what was taken back in another quality than it was posted
    /// in is of the other part, unless something of its own is wanted.
    fn counted(self, wanted: Self) -> Self {
        let Self { known, estimated } = self;
        if estimated < 0 && wanted.estimated == 0 {
            Self { known: known + estimated, estimated: 0 }
        } else if known < 0 && wanted.known == 0 {
            Self { known: 0, estimated: estimated + known }
        } else {
            self
        }
    }
}

/// What a stretch is swept for.
#[derive(Debug, Clone, Copy)]
enum Of {
    Wanted(Quality),
    Posted(Quality),
    Gap,
}

/// A change at an instant, while a stretch is swept.
#[derive(Debug, Clone, Copy)]
struct Edge {
    at: i64,
    of: Of,
    quantity: i128,
    opened: i64,
}

/// One key's stretch in which nothing changes.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    wanted: Parts,
    posted: Parts,
    /// Of the posted, what facts said.
    observed: i128,
    gaps: i128,
}

impl Level {
    fn take(&mut self, edge: &Edge) {
        match edge.of {
            Of::Wanted(quality) => self.wanted.add(quality, edge.quantity),
            Of::Posted(quality) => {
                self.posted.add(quality, edge.quantity);
                if quality == Quality::Observed {
                    self.observed += edge.quantity;
                }
            }
            Of::Gap => self.gaps += edge.quantity,
        }
    }

    /// What is missing of what is known and of what is estimated, and how well that is known.
    fn missing(self) -> [(i128, Quality); 2] {
        let posted = self.posted.counted(self.wanted);
        let known = self.wanted.known - posted.known;
        let estimated = self.wanted.estimated - posted.estimated;
        let is_guess = known < 0 && self.gaps > 0 && self.wanted.estimated == 0;
        let quality = match known < 0 && estimated > 0 && self.observed + known >= 0 {
            // It became an estimate: what facts said is taken back as that.
            true => Quality::Observed,
            // Nobody knows that nothing was used in a gap.
            false if is_guess => Quality::Estimated,
            false => Quality::Corrected,
        };
        [(known, quality), (estimated, Quality::Estimated)]
    }
}

/// The slices that turn `posted` into `wanted`, in order of time: for each stretch whose quantity
/// differs, or that became an estimate or is one no longer. A stretch that is as much as before is
/// taken back and given again, so that its lines sum to what is known. Both are of one key, which is
/// priced by the hour. Whether facts or somebody said so makes no difference.
///
/// `gaps` are the times of which facts were lost; `cuts` are instants no slice may straddle (ends of
/// local days), in order.
pub fn differences(
    wanted: &[Slice],
    posted: &[Slice],
    gaps: &[(i64, i64)],
    cuts: &[i64],
) -> Result<Vec<Slice>, Overflow> {
    let Some(like) = wanted.first().or(posted.first()).copied() else { return Ok(Vec::new()) };
    let edges = edges(wanted, posted, gaps);
    let mut found: [Vec<Slice>; 2] = Default::default();
    let (mut level, mut next) = (Level::default(), 0);
    while next < edges.len() {
        let from = edges[next].at;
        let mut opened = 0;
        while let Some(edge) = edges.get(next).filter(|edge| edge.at == from) {
            level.take(edge);
            opened = opened.max(edge.opened);
            next += 1;
        }
        let Some(to) = edges.get(next).map(|edge| edge.at) else { break };
        for (all, (quantity, quality)) in found.iter_mut().zip(level.missing()) {
            if quantity == 0 {
                continue;
            }
            let quantity = i64::try_from(quantity).map_err(|_| Overflow)?;
            let kind = LineKind::Adjustment;
            let coverage_ppm = quality.coverage_ppm();
            let slice = Slice { from, to, quantity, opened, quality, coverage_ppm, kind, ..like };
            match all.last_mut().filter(|last| goes_on(last, &slice)) {
                Some(last) => last.to = to,
                None => all.push(slice),
            }
        }
    }
    let mut all: Vec<Slice> = found.concat().into_iter().flat_map(|s| cut(s, cuts)).collect();
    // What is taken back comes first.
    all.sort_by_key(|slice| (slice.from, slice.quantity > 0));
    Ok(all)
}

fn goes_on(last: &Slice, next: &Slice) -> bool {
    (last.to, last.quantity, last.quality) == (next.from, next.quantity, next.quality)
}

/// In order of time.
fn edges(wanted: &[Slice], posted: &[Slice], gaps: &[(i64, i64)]) -> Vec<Edge> {
    let mut edges = Vec::with_capacity(2 * (wanted.len() + posted.len() + gaps.len()));
    let mut add = |of: Of, (from, to): (i64, i64), quantity: i128, opened: i64| {
        edges.push(Edge { at: from, of, quantity, opened });
        edges.push(Edge { at: to, of, quantity: -quantity, opened });
    };
    for s in wanted {
        add(Of::Wanted(s.quality), (s.from, s.to), s.quantity.into(), s.opened);
    }
    for s in posted {
        add(Of::Posted(s.quality), (s.from, s.to), s.quantity.into(), s.opened);
    }
    for gap in gaps {
        add(Of::Gap, *gap, 1, 0);
    }
    edges.sort_by_key(|edge| edge.at);
    edges
}

/// The slice in pieces that end at the cuts.
pub fn cut(slice: Slice, cuts: &[i64]) -> impl Iterator<Item = Slice> + '_ {
    let inside = cuts.iter().copied().filter(move |at| slice.from < *at && *at < slice.to);
    let mut from = slice.from;
    inside.chain([slice.to]).map(move |to| {
        let piece = Slice { from, to, ..slice };
        from = to;
        piece
    })
}

#[cfg(test)]
mod tests;
