//! Steps about usage besides its facts: gaps, their answers, rulings, counters.

use base::time::Timestamp;

use super::{
    Names, known,
    resources::{Given, given, state},
};
use crate::replay::node::{Node, Parsed};

/// Facts of a resource are lost of a time; it was seen at the end of it.
#[derive(Debug)]
pub struct Lost {
    pub resource: String,
    pub from: Timestamp,
    pub to: Timestamp,
    pub after: Seen,
}

/// As what it was seen.
#[derive(Debug)]
pub struct Seen {
    pub state: &'static str,
    /// The others are as they stood before.
    pub attributes: Given,
}

/// What was in a gap.
#[derive(Debug)]
pub struct Confirm {
    pub resource: String,
    /// Of the resource's, from 1; none: the last.
    pub gap: Option<i64>,
    pub then: Seen,
    pub changed: Timestamp,
}

#[derive(Debug)]
pub struct Rule {
    /// The fact's `id`.
    pub fact: String,
    pub take: bool,
    pub at: Option<Timestamp>,
}

/// A reading.
#[derive(Debug)]
pub struct Counter {
    pub resource: String,
    pub at: Timestamp,
    pub component: String,
    pub port: String,
    /// Empty: the series has none.
    pub epoch: String,
    pub value: i64,
}

pub fn lost(node: &Node<'_>, names: &Names<'_>) -> Parsed<Lost> {
    let mut map = node.map()?;
    let resource = known(&map.require("resource")?, names.resources, "resources")?;
    let from = names.times.instant(&map.require("from")?)?;
    let to_node = map.require("to")?;
    let to = names.times.instant(&to_node)?;
    if to <= from {
        return Err(to_node.wrong("a gap ends after it begins"));
    }
    let after_node = map.require("after")?;
    let mut after = after_node.map()?;
    let seen = seen(&mut after, &resource, names)?;
    after.finish()?;
    map.finish()?;
    Ok(Lost { resource, from, to, after: seen })
}

fn seen(map: &mut super::Map<'_>, resource: &str, names: &Names<'_>) -> Parsed<Seen> {
    let of = &names.resources[resource].attributes;
    Ok(Seen {
        state: state(&map.require("state")?, of)?,
        attributes: given(map.take("attributes"), of.kind, names.flavors)?,
    })
}

pub fn confirm(node: &Node<'_>, names: &Names<'_>) -> Parsed<Confirm> {
    let mut map = node.map()?;
    let resource = known(&map.require("resource")?, names.resources, "resources")?;
    let gap = match map.take("gap") {
        Some(node) => match node.count()? {
            count if count >= 1 => Some(count),
            _ => return Err(node.wrong("gaps of a resource are counted from 1")),
        },
        None => None,
    };
    let then = seen(&mut map, &resource, names)?;
    let changed = names.times.instant(&map.require("changed")?)?;
    map.finish()?;
    Ok(Confirm { resource, gap, then, changed })
}

pub fn rule(node: &Node<'_>, names: &Names<'_>) -> Parsed<Rule> {
    let mut map = node.map()?;
    let rule = Rule {
        fact: map.require("fact")?.name()?,
        take: map.require("ruling")?.one_of(&[("take", true), ("drop", false)])?,
        at: map.take("at").map(|node| names.times.instant(&node)).transpose()?,
    };
    map.finish()?;
    Ok(rule)
}

pub fn counter(node: &Node<'_>, at: Timestamp, names: &Names<'_>) -> Parsed<Counter> {
    let mut map = node.map()?;
    let optional = |node: Option<Node<'_>>| node.map_or(Ok(String::new()), |node| node.name());
    let counter = Counter {
        resource: known(&map.require("resource")?, names.resources, "resources")?,
        at: map.take("at").map_or(Ok(at), |node| names.times.instant(&node))?,
        component: map.require("component")?.name()?,
        port: optional(map.take("port"))?,
        epoch: optional(map.take("epoch"))?,
        value: map.require("value")?.count()?,
    };
    map.finish()?;
    Ok(counter)
}
