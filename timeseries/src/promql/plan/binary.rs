//! Binary operators: their types and how vectors match.

use super::{Binary, BinaryOp, Kind, Many, Matching, Node, Planner};
use crate::{
    error::{Error, Result},
    promql::syntax::ast,
};

impl Planner<'_> {
    pub(super) fn binary(&mut self, binary: &ast::Binary) -> Result<Node> {
        let (op, modifiers) = (binary.op, &binary.modifiers);
        let lhs = self.node(&binary.lhs)?;
        let rhs = self.node(&binary.rhs)?;
        let operand = if op.is_set() { &[Kind::Vector][..] } else { &[Kind::Scalar, Kind::Vector] };
        lhs.expect(operand, &format!("the left side of {}", op.name()))?;
        rhs.expect(operand, &format!("the right side of {}", op.name()))?;
        check(op, modifiers, &lhs, &rhs).map_err(Error::BadData)?;
        let matching = Matching {
            on: modifiers.on,
            labels: modifiers.labels.clone(),
            many: modifiers.many,
            include: modifiers.include.clone(),
        };
        let returns_bool = modifiers.returns_bool;
        Ok(Node::Binary(Box::new(Binary { op, lhs, rhs, returns_bool, matching })))
    }
}

fn check(op: BinaryOp, modifiers: &ast::Modifiers, lhs: &Node, rhs: &Node) -> Result<(), String> {
    let scalars = [lhs, rhs].iter().filter(|side| side.kind() == Kind::Scalar).count();
    if modifiers.returns_bool && !op.is_comparison() {
        return Err("bool can stand behind comparisons only".to_owned());
    }
    if op.is_comparison() && scalars == 2 && !modifiers.returns_bool {
        return Err("comparisons between scalars must use bool".to_owned());
    }
    if scalars > 0 && !modifiers.labels.is_empty() {
        return Err("vector matching is only allowed between instant vectors".to_owned());
    }
    if modifiers.many != Many::Neither && op.is_set() {
        return Err(format!("no grouping is allowed for {}", op.name()));
    }
    match modifiers.labels.iter().find(|label| modifiers.include.contains(label)) {
        Some(label) if modifiers.on => {
            Err(format!("the label {label:?} must not stand in on and group at once"))
        }
        _ => Ok(()),
    }
}
