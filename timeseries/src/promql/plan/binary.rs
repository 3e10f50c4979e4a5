//! Binary operators: their types and how vectors match.

use promql_parser::parser::{
    BinaryExpr, LabelModifier, VectorMatchCardinality,
    token::{
        T_ADD, T_ATAN2, T_DIV, T_EQLC, T_GTE, T_GTR, T_LAND, T_LOR, T_LSS, T_LTE, T_LUNLESS, T_MOD,
        T_MUL, T_NEQ, T_POW, T_SUB,
    },
};

use super::{Binary, BinaryOp, Kind, Many, Matching, Node, Planner};
use crate::error::{Error, Result};

impl Planner<'_> {
    pub(super) fn binary(&mut self, binary: &BinaryExpr, depth: usize) -> Result<Node> {
        let op = operator(binary.op.id())
            .ok_or_else(|| Error::Unsupported(format!("the operator {}", binary.op)))?;
        let lhs = self.node(&binary.lhs, depth + 1)?;
        let rhs = self.node(&binary.rhs, depth + 1)?;
        let operand = if op.is_set() { &[Kind::Vector][..] } else { &[Kind::Scalar, Kind::Vector] };
        lhs.expect(operand, &format!("the left side of {}", binary.op))?;
        rhs.expect(operand, &format!("the right side of {}", binary.op))?;
        let (matching, returns_bool) = matching(binary)?;
        let scalars = lhs.kind() == Kind::Scalar && rhs.kind() == Kind::Scalar;
        if op.is_comparison() && scalars && !returns_bool {
            return Err(Error::BadData("comparisons between scalars must use bool".to_owned()));
        }
        Ok(Node::Binary(Box::new(Binary { op, lhs, rhs, returns_bool, matching })))
    }
}

fn matching(binary: &BinaryExpr) -> Result<(Matching, bool)> {
    let mut matching =
        Matching { on: false, labels: Vec::new(), many: Many::Neither, include: Vec::new() };
    let Some(modifier) = &binary.modifier else { return Ok((matching, false)) };
    if modifier.fill_values.lhs.is_some() || modifier.fill_values.rhs.is_some() {
        return Err(Error::Unsupported("the modifier fill".to_owned()));
    }
    match &modifier.matching {
        None => {}
        Some(LabelModifier::Include(labels)) => {
            matching.on = true;
            matching.labels.clone_from(&labels.labels);
        }
        Some(LabelModifier::Exclude(labels)) => matching.labels.clone_from(&labels.labels),
    }
    match &modifier.card {
        VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany => {}
        VectorMatchCardinality::ManyToOne(labels) => {
            matching.many = Many::Left;
            matching.include.clone_from(&labels.labels);
        }
        VectorMatchCardinality::OneToMany(labels) => {
            matching.many = Many::Right;
            matching.include.clone_from(&labels.labels);
        }
    }
    Ok((matching, modifier.return_bool))
}

fn operator(token: u16) -> Option<BinaryOp> {
    Some(match token {
        T_ADD => BinaryOp::Add,
        T_SUB => BinaryOp::Sub,
        T_MUL => BinaryOp::Mul,
        T_DIV => BinaryOp::Div,
        T_MOD => BinaryOp::Mod,
        T_POW => BinaryOp::Pow,
        T_ATAN2 => BinaryOp::Atan2,
        T_EQLC => BinaryOp::Eq,
        T_NEQ => BinaryOp::Ne,
        T_GTR => BinaryOp::Gt,
        T_LSS => BinaryOp::Lt,
        T_GTE => BinaryOp::Ge,
        T_LTE => BinaryOp::Le,
        T_LAND => BinaryOp::And,
        T_LOR => BinaryOp::Or,
        T_LUNLESS => BinaryOp::Unless,
        _ => return None,
    })
}
