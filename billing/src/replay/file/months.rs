//! Steps about months and invoices.

use base::time::Timestamp;

use super::{Names, known, steps::Action};
use crate::{
    calendar::Month,
    invoice::notes::Amount,
    replay::{
        node::{Node, Parsed},
        types,
    },
};

fn month(node: &Node<'_>) -> Parsed<Month> {
    node.text()?.parse().map_err(|e: base::Error| node.wrong(e.to_string()))
}

pub(super) fn close(node: &Node<'_>, _: Timestamp, names: &Names<'_>) -> Parsed<Action> {
    let mut map = node.map()?;
    let tenant = known(&map.require("tenant")?, names.tenants, "tenants")?;
    let month = month(&map.require("month")?)?;
    map.finish()?;
    Ok(Action::Close { tenant, month })
}

pub(super) fn credit_note(node: &Node<'_>, _: Timestamp, names: &Names<'_>) -> Parsed<Action> {
    let mut map = node.map()?;
    let tenant = known(&map.require("tenant")?, names.tenants, "tenants")?;
    let month = month(&map.require("month")?)?;
    let mut take = |key| map.take(key).map(|node| types::amount(&node)).transpose();
    let (total, net, tax) = (take("total")?, take("net")?, take("tax")?);
    let amount = match (total, net, tax) {
        (Some(total), None, None) => Amount::Total(total),
        (None, Some(net), tax) => Amount::Parts { net, tax: tax.unwrap_or_default() },
        _ => return Err(node.wrong("give either total, or net and tax")),
    };
    let reason = map.require("reason")?.text()?.to_owned();
    map.finish()?;
    Ok(Action::CreditNote { tenant, month, amount, reason })
}

pub(super) fn rename(node: &Node<'_>, _: Timestamp, names: &Names<'_>) -> Parsed<Action> {
    let mut map = node.map()?;
    map.unsupported(&[("resource", "instances keep their names")])?;
    let tenant = known(&map.require("tenant")?, names.tenants, "tenants")?;
    let to = map.require("to")?.name()?;
    map.finish()?;
    Ok(Action::Rename { tenant, to })
}

pub(super) fn rerate(node: &Node<'_>, _: Timestamp, names: &Names<'_>) -> Parsed<Action> {
    let mut map = node.map()?;
    let tenant =
        map.take("tenant").map(|node| known(&node, names.tenants, "tenants")).transpose()?;
    let from = names.times.instant(&map.require("from")?)?;
    map.finish()?;
    Ok(Action::Rerate { tenant, from })
}
