//! Steps of an operator about what a shortage stops.

use base::time::Timestamp;

use super::{Names, known, resources::instance, steps::Action};
use crate::replay::node::{Node, Parsed};

/// What the operator does.
#[derive(Debug)]
pub enum Steer {
    Exempt {
        tenant: String,
        /// None: all of the tenant's.
        resource: Option<String>,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        reason: String,
    },
    Approve {
        tenant: String,
    },
    Resume {
        reason: String,
    },
}

pub fn exempt(node: &Node<'_>, _: Timestamp, names: &Names<'_>) -> Parsed<Action> {
    let mut map = node.map()?;
    let resource = map.take("resource").map(|node| instance(&node, names));
    let instant = |node: Node<'_>| names.times.instant(&node);
    let steer = Steer::Exempt {
        tenant: known(&map.require("tenant")?, names.tenants, "tenants")?,
        resource: resource.transpose()?,
        from: map.take("from").map(instant).transpose()?,
        to: map.take("to").map(instant).transpose()?,
        reason: map.take("reason").map_or(Ok("replay".to_owned()), |node| node.name())?,
    };
    map.finish()?;
    Ok(Action::Steer(steer))
}

pub fn approve(node: &Node<'_>, _: Timestamp, names: &Names<'_>) -> Parsed<Action> {
    let mut map = node.map()?;
    let tenant = known(&map.require("tenant")?, names.tenants, "tenants")?;
    map.finish()?;
    Ok(Action::Steer(Steer::Approve { tenant }))
}

pub fn resume_guard(node: &Node<'_>, _: Timestamp, _: &Names<'_>) -> Parsed<Action> {
    Ok(Action::Steer(Steer::Resume { reason: node.name()? }))
}
