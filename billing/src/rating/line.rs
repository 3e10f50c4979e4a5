//! What differs between what should be posted and what is.

use super::engine::{LineKind, Quality, Slice};
use crate::prices::model::Overflow;

/// A change of one key's quantity at an instant, while a stretch is swept.
#[derive(Debug, Clone, Copy)]
struct Edge {
    at: i64,
    quantity: i128,
    opened: i64,
}

/// The slices that turn `posted` into `wanted`, in order of time: one for each stretch whose
/// quantity differs. Both are of one key, which is priced by the hour.
///
/// `cuts` are instants no slice may straddle (ends of local days), in order.
pub fn differences(
    wanted: &[Slice],
    posted: &[Slice],
    cuts: &[i64],
) -> Result<Vec<Slice>, Overflow> {
    let Some(like) = wanted.first().or(posted.first()).copied() else { return Ok(Vec::new()) };
    let mut edges: Vec<Edge> = Vec::with_capacity(2 * (wanted.len() + posted.len()));
    for (slices, sign) in [(wanted, 1), (posted, -1)] {
        for slice in slices {
            let (quantity, opened) = (sign * i128::from(slice.quantity), slice.opened);
            edges.push(Edge { at: slice.from, quantity, opened });
            edges.push(Edge { at: slice.to, quantity: -quantity, opened });
        }
    }
    edges.sort_by_key(|edge| edge.at);
    let mut all: Vec<Slice> = Vec::new();
    let (mut quantity, mut next) = (0i128, 0);
    while next < edges.len() {
        let from = edges[next].at;
        let mut opened = 0;
        while let Some(edge) = edges.get(next).filter(|edge| edge.at == from) {
            quantity += edge.quantity;
            opened = opened.max(edge.opened);
            next += 1;
        }
        let Some(to) = edges.get(next).map(|edge| edge.at).filter(|_| quantity != 0) else {
            continue;
        };
        let quantity = i64::try_from(quantity).map_err(|_| Overflow)?;
        match all.last_mut().filter(|last| last.to == from && last.quantity == quantity) {
            Some(last) => last.to = to,
            None => all.push(Slice {
                from,
                to,
                quantity,
                opened,
                quality: Quality::Corrected,
                coverage_ppm: Quality::Corrected.coverage_ppm(),
                kind: LineKind::Adjustment,
                ..like
            }),
        }
    }
    Ok(all.into_iter().flat_map(|slice| cut(slice, cuts)).collect())
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
