//! Resources: their kind, and what facts say of them.

use std::collections::BTreeMap;

use super::{Flavor, Map, Names, Tenant, known};
use crate::{
    kinds::{self, ABSENT, DELETED, Holds, KINDS, Kind, Value},
    replay::node::{Node, Parsed},
};

/// The kind that the product has itself: its resources stand in the inventory.
pub const INSTANCE: &str = "instance";

/// As facts tell of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes {
    pub kind: &'static Kind,
    /// By its name; of instances only.
    pub flavor: String,
    pub disk_gib: i64,
    /// All else, as it is written.
    pub more: kinds::Attributes,
}

impl Attributes {
    /// An instance's, where nothing else is said.
    pub fn small() -> Self {
        let (flavor, more) = ("small".to_owned(), kinds::Attributes::default());
        // The product's own kind is the first.
        Self { kind: &KINDS[0], flavor, disk_gib: 0, more }
    }

    pub fn is_instance(&self) -> bool {
        self.kind.name == INSTANCE
    }
}

#[derive(Debug)]
pub struct Resource {
    pub tenant: String,
    pub attributes: Attributes,
}

pub fn resource(
    node: &Node<'_>,
    tenants: &BTreeMap<String, Tenant>,
    flavors: &BTreeMap<String, Flavor>,
) -> Parsed<Resource> {
    let mut map = node.map()?;
    let tenant = known(&map.require("tenant")?, tenants, "tenants")?;
    let words: Vec<(&str, &str)> = KINDS.iter().map(|kind| (kind.name, kind.name)).collect();
    let kind = map.take("kind").map_or(Ok(INSTANCE), |node| node.one_of(&words))?;
    let kind = kinds::find(kind).ok_or_else(|| node.wrong("its kind is unknown"))?;
    let mut more = kinds::Attributes::default();
    if let Some(node) = map.take("labels") {
        for (name, node) in node.map()?.named() {
            more = more.with(&format!("label.{name}"), node.name()?.as_str());
        }
    }
    let default = Attributes { kind, more, ..Attributes::small() };
    let attributes = match map.take("attributes") {
        Some(node) => attributes(&node, &default, flavors)?,
        None if default.is_instance() && !flavors.contains_key(&default.flavor) => {
            return Err(node.wrong("there is no flavor 'small': give attributes: {flavor: NAME}"));
        }
        None => default,
    };
    map.finish()?;
    let missing = |name: &&str| attributes.more.get(name).is_none();
    let wanted = kind.attributes.iter().map(|attribute| attribute.name);
    match wanted.filter(|_| !attributes.is_instance()).find(missing) {
        Some(name) => Err(node.wrong(format!("a {} needs attributes: {{{name}: …}}", kind.name))),
        None => Ok(Resource { tenant, attributes }),
    }
}

/// Those of `before` where they aren't given.
pub fn attributes(
    node: &Node<'_>,
    before: &Attributes,
    flavors: &BTreeMap<String, Flavor>,
) -> Parsed<Attributes> {
    let mut map = node.map()?;
    let mut attributes = before.clone();
    match before.is_instance() {
        true => size(&mut map, &mut attributes, flavors)?,
        false => {
            for attribute in before.kind.attributes {
                let Some(node) = map.take(attribute.name) else { continue };
                let value = match attribute.holds {
                    Holds::Count => Value::Int(count(&node)?),
                    Holds::Text => Value::Text(node.name()?),
                };
                attributes.more = attributes.more.with(attribute.name, value);
            }
        }
    }
    if let Some(node) = map.take("region") {
        attributes.more = attributes.more.with("region", node.name()?.as_str());
    }
    map.finish()?;
    Ok(attributes)
}

/// An instance's.
fn size(
    map: &mut Map<'_>,
    attributes: &mut Attributes,
    flavors: &BTreeMap<String, Flavor>,
) -> Parsed<()> {
    if let Some(node) = map.take("flavor") {
        attributes.flavor = known(&node, flavors, "flavors")?;
    } else if !flavors.contains_key(&attributes.flavor) {
        return Err(map.node.wrong("there is no flavor 'small': give flavor: NAME"));
    }
    if let Some(node) = map.take("disk_gib") {
        attributes.disk_gib = count(&node)?;
    }
    Ok(())
}

fn count(node: &Node<'_>) -> Parsed<i64> {
    match node.count()? {
        count if count < 0 => Err(node.wrong("a size is not negative")),
        count => Ok(count),
    }
}

/// One of its kind's, or that it is gone.
pub fn state(node: &Node<'_>, of: &Attributes) -> Parsed<&'static str> {
    let gone = if of.is_instance() { &[ABSENT][..] } else { &[ABSENT, DELETED][..] };
    let words: Vec<(&str, &'static str)> =
        of.kind.states.iter().chain(gone).map(|state| (*state, *state)).collect();
    node.one_of(&words)
}

/// The name of an instance: other kinds are told of by facts alone.
pub fn instance(node: &Node<'_>, names: &Names<'_>) -> Parsed<String> {
    let name = known(node, names.resources, "resources")?;
    let attributes = &names.resources[&name].attributes;
    match attributes.is_instance() {
        true => Ok(name),
        false => Err(node.wrong(format!(
            "'{name}' is a {}: only instances are acted upon, facts tell of the others",
            attributes.kind.name
        ))),
    }
}
