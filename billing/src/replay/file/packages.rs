//! Packages that a file orders and cancels.

use std::collections::BTreeMap;

use base::time::Timestamp;

use super::{Names, Tenant, known, steps::Action};
use crate::replay::node::{Node, Parsed};

/// What a tenant may order.
#[derive(Debug)]
pub struct Package {
    pub tenant: String,
    /// The rate's id.
    pub rate: String,
}

pub fn package(node: &Node<'_>, tenants: &BTreeMap<String, Tenant>) -> Parsed<Package> {
    let mut map = node.map()?;
    let tenant = known(&map.require("tenant")?, tenants, "tenants")?;
    let rate = map.require("rate")?.name()?;
    map.finish()?;
    Ok(Package { tenant, rate })
}

pub(super) fn order(node: &Node<'_>, _: Timestamp, names: &Names<'_>) -> Parsed<Action> {
    Ok(Action::Order { package: known(node, names.packages, "packages")? })
}

pub(super) fn cancel(node: &Node<'_>, _: Timestamp, names: &Names<'_>) -> Parsed<Action> {
    Ok(Action::Cancel { package: known(node, names.packages, "packages")? })
}
