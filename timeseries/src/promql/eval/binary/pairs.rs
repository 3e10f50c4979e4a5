//! Pairs of series, one from each side of an operator, and their results.

use std::collections::{HashMap, HashSet};

use super::{Binary, Error, Evaluator, Grid, Many, Metric, Points, Result, element, result_labels};

impl Evaluator<'_> {
    /// Series by series; None where two pairs make the same labels.
    pub(super) fn in_pairs(
        &self,
        binary: &Binary,
        many: &[Points],
        one: &[Points],
        pairs: &[Option<usize>],
    ) -> Result<Option<Vec<Points>>> {
        let swapped = binary.matching.many == Many::Right;
        let mut out = Vec::with_capacity(many.len());
        let mut seen = HashSet::with_capacity(many.len());
        for (many, holder) in many.iter().zip(pairs) {
            let Some(holder) = holder else { continue };
            self.guard.check()?;
            let one = &one[*holder];
            let labels = result_labels(binary, &many.labels, &one.labels);
            if !seen.insert(labels.clone()) {
                return Ok(None);
            }
            let values = many.values.iter().zip(&one.values).map(|(many, one)| {
                let (many, one) = ((*many)?, (*one)?);
                if swapped { element(binary, one, many) } else { element(binary, many, one) }
            });
            let points = Points { labels, values: values.collect() };
            if !points.is_empty() {
                out.push(points);
            }
        }
        Ok(Some(out))
    }
}

/// Which series of the "one" side each of the "many" side meets, if that is the same at all steps:
/// where no two series of the "one" side share a group, nor of the other where each may have one.
pub fn fixed_pairs(
    binary: &Binary,
    of_many: &[usize],
    of_one: &[usize],
    groups: usize,
) -> Option<Vec<Option<usize>>> {
    let mut holder = vec![None; groups];
    for (index, group) in of_one.iter().enumerate() {
        if holder[*group].replace(index).is_some() {
            return None;
        }
    }
    if binary.matching.many == Many::Neither {
        let mut taken = vec![false; groups];
        if of_many.iter().any(|group| std::mem::replace(&mut taken[*group], true)) {
            return None;
        }
    }
    Some(of_many.iter().map(|group| holder[*group]).collect())
}

/// The results, one series for each pair's labels.
pub struct Pairs<'a> {
    binary: &'a Binary,
    many: &'a [Points],
    one: &'a [Points],
    grid: Grid,
    /// Where the result of a pair goes.
    places: HashMap<(usize, usize), usize>,
    by_labels: HashMap<Metric, usize>,
    pub out: Vec<Points>,
}

impl<'a> Pairs<'a> {
    pub fn new(binary: &'a Binary, many: &'a [Points], one: &'a [Points], grid: Grid) -> Self {
        let (places, by_labels, out) = (HashMap::new(), HashMap::new(), Vec::new());
        Self { binary, many, one, grid, places, by_labels, out }
    }

    pub fn put(&mut self, many: usize, one: usize, step: usize, value: f64) -> Result<()> {
        let place = match self.places.get(&(many, one)) {
            Some(place) => *place,
            None => {
                let (many_labels, one_labels) = (&self.many[many].labels, &self.one[one].labels);
                let labels = result_labels(self.binary, many_labels, one_labels);
                let place = *self.by_labels.entry(labels.clone()).or_insert(self.out.len());
                if place == self.out.len() {
                    self.out.push(Points { labels, values: vec![None; self.grid.count] });
                }
                self.places.insert((many, one), place);
                place
            }
        };
        if self.out[place].values[step].replace(value).is_none() {
            return Ok(());
        }
        let grouped = self.binary.matching.many != Many::Neither;
        Err(Error::Execution(if grouped {
            "multiple matches for labels: grouping labels must ensure unique matches".to_owned()
        } else {
            "vector cannot contain metrics with the same labelset".to_owned()
        }))
    }
}
