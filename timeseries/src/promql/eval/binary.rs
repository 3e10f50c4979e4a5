//! Binary operators, between scalars, vectors, or one of each.

use std::{collections::HashMap, sync::Arc};

use base::sample::{Labels, NAME};

use super::{Error, Evaluator, Grid, Out, Points, Result, joined, without_name};
use crate::promql::plan::{Binary, BinaryOp, Many, Matching};

impl Evaluator<'_> {
    pub(super) fn binary(&self, binary: &Binary, grid: Grid) -> Result<Out> {
        let lhs = self.eval(&binary.lhs, grid)?;
        let rhs = self.eval(&binary.rhs, grid)?;
        Ok(match (lhs, rhs) {
            (Out::Scalar(lhs), Out::Scalar(rhs)) => {
                let values = lhs.into_iter().zip(rhs);
                Out::Scalar(values.map(|(l, r)| scalars(binary.op, l, r)).collect())
            }
            (Out::Vector(lhs), Out::Scalar(rhs)) => {
                Out::Vector(with_scalar(binary, lhs, &rhs, false)?)
            }
            (Out::Scalar(lhs), Out::Vector(rhs)) => {
                Out::Vector(with_scalar(binary, rhs, &lhs, true)?)
            }
            (Out::Vector(lhs), Out::Vector(rhs)) if binary.op.is_set() => {
                Out::Vector(self.sets(binary, lhs, rhs, grid)?)
            }
            (Out::Vector(lhs), Out::Vector(rhs)) => {
                Out::Vector(self.vectors(binary, lhs, rhs, grid)?)
            }
        })
    }

    fn sets(
        &self,
        binary: &Binary,
        mut lhs: Vec<Points>,
        mut rhs: Vec<Points>,
        grid: Grid,
    ) -> Result<Vec<Points>> {
        let mut signatures = Signatures::default();
        let left = signatures.of(&lhs, &binary.matching);
        let right = signatures.of(&rhs, &binary.matching);
        for step in 0..grid.count {
            self.guard.check()?;
            let (ours, theirs, changed, of_changed) = match binary.op {
                BinaryOp::Or => (&lhs, &left, &mut rhs, &right),
                _ => (&rhs, &right, &mut lhs, &left),
            };
            let mut there = vec![false; signatures.count()];
            for (points, signature) in ours.iter().zip(theirs) {
                there[*signature] |= points.values[step].is_some();
            }
            let keeps = binary.op == BinaryOp::And;
            for (points, signature) in changed.iter_mut().zip(of_changed) {
                if there[*signature] != keeps {
                    points.values[step] = None;
                }
            }
        }
        if binary.op == BinaryOp::Or {
            lhs.append(&mut rhs);
        }
        joined(lhs)
    }

    fn vectors(
        &self,
        binary: &Binary,
        lhs: Vec<Points>,
        rhs: Vec<Points>,
        grid: Grid,
    ) -> Result<Vec<Points>> {
        // The "one" side is looked up, the "many" side walked through.
        let swapped = binary.matching.many == Many::Right;
        let (many, one) = if swapped { (rhs, lhs) } else { (lhs, rhs) };
        let mut signatures = Signatures::default();
        let of_many = signatures.of(&many, &binary.matching);
        let of_one = signatures.of(&one, &binary.matching);
        let mut pairs = Pairs::new(binary, &many, &one, grid);
        for step in 0..grid.count {
            self.guard.check()?;
            if many.iter().all(|p| p.values[step].is_none())
                || one.iter().all(|p| p.values[step].is_none())
            {
                continue;
            }
            let mut holder = vec![None; signatures.count()];
            for (index, signature) in of_one.iter().enumerate() {
                if one[index].values[step].is_none() {
                    continue;
                }
                if let Some(other) = holder[*signature].replace(index) {
                    return Err(ambiguous(binary, &one[index].labels, &one[other].labels));
                }
            }
            let mut matched = vec![false; signatures.count()];
            for (index, signature) in of_many.iter().enumerate() {
                let (Some(many_value), Some(holder)) =
                    (many[index].values[step], holder[*signature])
                else {
                    continue;
                };
                let one_value = one[holder].values[step].expect("holders have a value");
                let (l, r) =
                    if swapped { (one_value, many_value) } else { (many_value, one_value) };
                let Some(value) = element(binary, l, r) else { continue };
                if binary.matching.many == Many::Neither
                    && std::mem::replace(&mut matched[*signature], true)
                {
                    return Err(Error::Execution(
                        "multiple matches for labels: many-to-one matching must be explicit \
                         (group_left/group_right)"
                            .to_owned(),
                    ));
                }
                pairs.put(index, holder, step, value)?;
            }
        }
        joined(pairs.out)
    }
}

/// The results, one series for each pair's labels.
struct Pairs<'a> {
    binary: &'a Binary,
    many: &'a [Points],
    one: &'a [Points],
    grid: Grid,
    /// Where the result of a pair goes.
    places: HashMap<(usize, usize), usize>,
    by_labels: HashMap<Arc<Labels>, usize>,
    out: Vec<Points>,
}

impl<'a> Pairs<'a> {
    fn new(binary: &'a Binary, many: &'a [Points], one: &'a [Points], grid: Grid) -> Self {
        let (places, by_labels, out) = (HashMap::new(), HashMap::new(), Vec::new());
        Self { binary, many, one, grid, places, by_labels, out }
    }

    fn put(&mut self, many: usize, one: usize, step: usize, value: f64) -> Result<()> {
        let place = match self.places.get(&(many, one)) {
            Some(place) => *place,
            None => {
                let (many_labels, one_labels) = (&self.many[many].labels, &self.one[one].labels);
                let labels = Arc::new(result_labels(self.binary, many_labels, one_labels));
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

/// Equal label sets, as far as a matching looks at them, get equal numbers.
#[derive(Default)]
struct Signatures(HashMap<Labels, usize>);

impl Signatures {
    fn of(&mut self, series: &[Points], matching: &Matching) -> Vec<usize> {
        let number = |points: &Points| {
            let next = self.0.len();
            *self.0.entry(matched_labels(&points.labels, matching)).or_insert(next)
        };
        series.iter().map(number).collect()
    }
    fn count(&self) -> usize {
        self.0.len()
    }
}

fn matched_labels(labels: &Labels, matching: &Matching) -> Labels {
    let named = |name: &str| matching.labels.iter().any(|label| label == name);
    let kept = labels
        .iter()
        .filter(|(name, _)| if matching.on { named(name) } else { *name != NAME && !named(name) });
    Labels::new(kept.map(|(name, value)| (name.to_owned(), value.to_owned())))
}

fn result_labels(binary: &Binary, many: &Labels, one: &Labels) -> Labels {
    let matching = &binary.matching;
    let mut labels = many.clone();
    if binary.op.drops_name() || binary.returns_bool {
        labels = labels.without(NAME);
    }
    if matching.many == Many::Neither {
        let named = |name: &str| matching.labels.iter().any(|label| label == name);
        let kept = labels.iter().filter(|(name, _)| named(name) == matching.on);
        labels = Labels::new(kept.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    for name in &matching.include {
        labels = labels.with(name, one.get(name).unwrap_or_default());
    }
    if binary.returns_bool { labels.without(NAME) } else { labels }
}

fn ambiguous(binary: &Binary, a: &Labels, b: &Labels) -> Error {
    let side = if binary.matching.many == Many::Right { "left" } else { "right" };
    let group = shown(&matched_labels(a, &binary.matching));
    Error::Execution(format!(
        "found duplicate series for the match group {group} on the {side} hand-side of the \
         operation: [{}, {}];many-to-many matching not allowed: matching labels must be unique on \
         one side",
        shown(a),
        shown(b)
    ))
}

fn shown(labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={v:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

fn with_scalar(
    binary: &Binary,
    vector: Vec<Points>,
    scalar: &[f64],
    scalar_is_left: bool,
) -> Result<Vec<Points>> {
    let drops_name = binary.op.drops_name() || binary.returns_bool;
    let series = vector.into_iter().map(|points| {
        let values = points.values.into_iter().zip(scalar).map(|(value, scalar)| {
            let value = value?;
            let (l, r) = if scalar_is_left { (*scalar, value) } else { (value, *scalar) };
            // A filter keeps the vector's value, on whichever side it stands.
            let filters = binary.op.is_comparison() && !binary.returns_bool;
            element(binary, l, r).map(|result| if filters { value } else { result })
        });
        let values = values.collect();
        let labels = if drops_name { without_name(&points.labels) } else { points.labels.clone() };
        Points { labels, values }
    });
    joined(series.collect())
}

/// None where a comparison filters the element out.
fn element(binary: &Binary, l: f64, r: f64) -> Option<f64> {
    if !binary.op.is_comparison() {
        return Some(scalars(binary.op, l, r));
    }
    let holds = scalars(binary.op, l, r);
    if binary.returns_bool {
        return Some(holds);
    }
    (holds == 1.0).then_some(l)
}

fn scalars(op: BinaryOp, l: f64, r: f64) -> f64 {
    match op {
        BinaryOp::Add => l + r,
        BinaryOp::Sub => l - r,
        BinaryOp::Mul => l * r,
        BinaryOp::Div => l / r,
        BinaryOp::Mod => l % r,
        BinaryOp::Pow => l.powf(r),
        BinaryOp::Atan2 => l.atan2(r),
        BinaryOp::Eq => f64::from(l == r),
        BinaryOp::Ne => f64::from(l != r),
        BinaryOp::Gt => f64::from(l > r),
        BinaryOp::Lt => f64::from(l < r),
        BinaryOp::Ge => f64::from(l >= r),
        BinaryOp::Le => f64::from(l <= r),
        BinaryOp::And | BinaryOp::Or | BinaryOp::Unless => {
            unreachable!("the planner lets sets stand between vectors only")
        }
    }
}
