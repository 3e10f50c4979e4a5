//! Resources: their kind, and what facts say of them.

use std::collections::BTreeMap;

use super::{Flavor, Names, Tenant, known};
use crate::{
    kinds::{self, ABSENT, DELETED, Holds, KINDS, Kind, Value},
    replay::node::{Node, Parsed, Wrong},
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

/// What a file says of some attributes: the others are as they stand where it is played.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    flavor: Option<String>,
    disk_gib: Option<i64>,
    more: kinds::Attributes,
}

impl Given {
    pub fn over(&self, before: &Attributes) -> Attributes {
        let more = self.more.iter();
        Attributes {
            kind: before.kind,
            flavor: self.flavor.as_ref().unwrap_or(&before.flavor).clone(),
            disk_gib: self.disk_gib.unwrap_or(before.disk_gib),
            more: more
                .fold(before.more.clone(), |all, (name, value)| all.with(name, value.clone())),
        }
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
    let attributes = given(map.take("attributes"), kind, flavors)?.over(&default);
    if attributes.is_instance() && !flavors.contains_key(&attributes.flavor) {
        return Err(no_flavor(node));
    }
    map.finish()?;
    let missing = |name: &&str| attributes.more.get(name).is_none();
    let wanted = kind.attributes.iter().map(|attribute| attribute.name);
    match wanted.filter(|_| !attributes.is_instance()).find(missing) {
        Some(name) => Err(node.wrong(format!("a {} needs attributes: {{{name}: …}}", kind.name))),
        None => Ok(Resource { tenant, attributes }),
    }
}

/// Where no flavor is given it is 'small', which has to be there.
pub fn no_flavor(node: &Node<'_>) -> Wrong {
    node.wrong("there is no flavor 'small': give attributes: {flavor: NAME}")
}

/// Those that are given, of that kind.
pub fn given(
    node: Option<Node<'_>>,
    kind: &Kind,
    flavors: &BTreeMap<String, Flavor>,
) -> Parsed<Given> {
    let mut given = Given::default();
    let Some(node) = node else { return Ok(given) };
    let mut map = node.map()?;
    if kind.name == INSTANCE {
        given.flavor =
            map.take("flavor").map(|node| known(&node, flavors, "flavors")).transpose()?;
        given.disk_gib = map.take("disk_gib").map(|node| count(&node)).transpose()?;
    } else {
        for attribute in kind.attributes {
            let Some(node) = map.take(attribute.name) else { continue };
            let value = match attribute.holds {
                Holds::Count => Value::Int(count(&node)?),
                Holds::Text => Value::Text(node.name()?),
            };
            given.more = given.more.with(attribute.name, value);
        }
    }
    if let Some(node) = map.take("region") {
        given.more = given.more.with("region", node.name()?.as_str());
    }
    map.finish()?;
    Ok(given)
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
