//! Binary operators, between scalars, vectors, or one of each.

use base::sample::Labels;

use super::{
    Error, Evaluator, Grid, Metric, Out, Points, Result,
    groups::{By, Groups},
    joined, joined_nameless, without_names,
};
use crate::promql::plan::{Binary, BinaryOp, Many};

mod pairs;

use pairs::{Pairs, fixed_pairs};

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
        let by = By { only: binary.matching.on, labels: &binary.matching.labels };
        let mut groups = Groups::default();
        let left = groups.numbers(&lhs, by, self.guard)?;
        let right = groups.numbers(&rhs, by, self.guard)?;
        let (asked, of_asked, changed, of_changed) = match binary.op {
            BinaryOp::Or => (&lhs, &left, &mut rhs, &right),
            _ => (&rhs, &right, &mut lhs, &left),
        };
        self.bound(groups.count(), grid)?;
        let mut there = vec![Vec::new(); groups.count()];
        for (points, group) in asked.iter().zip(of_asked) {
            self.guard.check()?;
            let row: &mut Vec<bool> = &mut there[*group];
            row.resize(grid.count, false);
            for (there, value) in row.iter_mut().zip(&points.values) {
                *there |= value.is_some();
            }
        }
        let keeps = binary.op == BinaryOp::And;
        for (points, group) in changed.iter_mut().zip(of_changed) {
            self.guard.check()?;
            for (step, value) in points.values.iter_mut().enumerate() {
                if there[*group].get(step).copied().unwrap_or(false) != keeps {
                    *value = None;
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
        let by = By { only: binary.matching.on, labels: &binary.matching.labels };
        let mut groups = Groups::default();
        let of_many = groups.numbers(&many, by, self.guard)?;
        let of_one = groups.numbers(&one, by, self.guard)?;
        if let Some(pairs) = fixed_pairs(binary, &of_many, &of_one, groups.count())
            && let Some(out) = self.in_pairs(binary, &many, &one, &pairs)?
        {
            return Ok(out);
        }
        let mut pairs = Pairs::new(binary, &many, &one, grid);
        for step in 0..grid.count {
            self.guard.check()?;
            if many.iter().all(|p| p.values[step].is_none())
                || one.iter().all(|p| p.values[step].is_none())
            {
                continue;
            }
            let mut holder = vec![None; groups.count()];
            for (index, signature) in of_one.iter().enumerate() {
                if one[index].values[step].is_none() {
                    continue;
                }
                if let Some(other) = holder[*signature].replace(index) {
                    return Err(ambiguous(binary, &one[index].labels, &one[other].labels));
                }
            }
            let mut matched = vec![false; groups.count()];
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

fn result_labels(binary: &Binary, many: &Metric, one: &Metric) -> Metric {
    let matching = &binary.matching;
    let drops_name = binary.op.drops_name() || binary.returns_bool;
    let many = if drops_name { many.without_name() } else { many.clone() };
    let every_label = matching.many == Many::Neither && !matching.on && matching.labels.is_empty();
    if matching.include.is_empty() && (matching.many != Many::Neither || every_label) {
        return many;
    }
    let mut labels = many.to_labels();
    if matching.many == Many::Neither {
        let named = |name: &str| matching.labels.iter().any(|label| label == name);
        let kept = labels.iter().filter(|(name, _)| named(name) == matching.on);
        labels = Labels::new(kept.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    for name in &matching.include {
        labels = labels.with(name, one.get(name).unwrap_or_default());
    }
    let metric = Metric::from(labels);
    if binary.returns_bool { metric.without_name() } else { metric }
}

fn ambiguous(binary: &Binary, a: &Metric, b: &Metric) -> Error {
    let side = if binary.matching.many == Many::Right { "left" } else { "right" };
    let by = By { only: binary.matching.on, labels: &binary.matching.labels };
    let group = shown(by.of(a.iter()).iter());
    Error::Execution(format!(
        "found duplicate series for the match group {group} on the {side} hand-side of the \
         operation: [{}, {}];many-to-many matching not allowed: matching labels must be unique on \
         one side",
        shown(a.iter()),
        shown(b.iter())
    ))
}

fn shown<'l>(labels: impl Iterator<Item = (&'l str, &'l str)>) -> String {
    let pairs: Vec<String> = labels.map(|(k, v)| format!("{k}={v:?}")).collect();
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
        Points { labels: points.labels, values }
    });
    let mut series: Vec<Points> = series.collect();
    if drops_name {
        return joined_nameless(without_names(series));
    }
    series.retain(|points| !points.is_empty());
    Ok(series)
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
