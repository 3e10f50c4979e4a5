//! Price books: the standard model, for instances and their disks.

use std::collections::{BTreeMap, BTreeSet};

use base::{money::Nanos, time::Timestamp};

use super::{Book, Flavor, known};
use crate::replay::{
    node::{Map, Node, Parsed},
    types::{self, Times},
};

/// What of an instance is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// While it runs, each.
    Compute,
    /// While it is paused, each; without a price of its own at that of `Compute`.
    ComputeSuspended,
    /// From its first state until it is gone, per GiB.
    Disk,
}

pub const COMPONENTS: [(&str, Component); 3] = [
    ("instance.compute", Component::Compute),
    ("instance.compute_suspended", Component::ComputeSuspended),
    ("instance.disk", Component::Disk),
];

/// Those that the format has besides.
const LATER: &str = "compute_stopped, net_rx and net_tx of instances and all other kinds are not \
                     supported yet";

#[derive(Debug, Clone)]
pub struct Rate {
    pub component: Component,
    /// None for disks.
    pub flavor: Option<String>,
    /// Per unit and hour.
    pub price: Nanos,
}

#[derive(Debug)]
pub struct Version {
    pub from: Timestamp,
    pub rates: Vec<Rate>,
}

const TAX: (&str, &str) = ("tax", "the product has no tax; prices include it");

pub fn book(
    node: &Node<'_>,
    currency: &str,
    times: Times,
    flavors: &BTreeMap<String, Flavor>,
) -> Parsed<Book> {
    let mut map = node.map()?;
    let currency =
        map.take("currency").map_or(Ok(currency.to_owned()), |node| types::currency(&node))?;
    map.unsupported(&[("tenant", "the product has no books of one tenant; assign one")])?;
    let mut versions: Vec<Version> = Vec::new();
    for node in map.require("versions")?.list()? {
        let mut map = node.map()?;
        let from_node = map.require("from")?;
        let from = times.instant(&from_node)?;
        if versions.last().is_some_and(|last| from < last.from) {
            return Err(from_node.wrong("versions stand in the order of their instants"));
        }
        map.unsupported(&[TAX])?;
        let rates = rates(&map.require("rates")?, flavors)?;
        map.finish()?;
        versions.push(Version { from, rates });
    }
    map.finish()?;
    Ok(Book { currency, versions })
}

pub fn rates(node: &Node<'_>, flavors: &BTreeMap<String, Flavor>) -> Parsed<Vec<Rate>> {
    let (mut ids, mut priced) = (BTreeSet::new(), BTreeSet::new());
    let mut rates = Vec::new();
    for node in node.list()? {
        let mut map = node.map()?;
        let id = map.require("id")?;
        if !ids.insert(id.name()?) {
            return Err(id.wrong(format!("the id '{}' stands twice in this version", id.text()?)));
        }
        let rate = rate(&mut map, flavors)?;
        map.finish()?;
        if !priced.insert((rate.component, rate.flavor.clone())) {
            return Err(node.wrong("this version prices the same thing twice"));
        }
        rates.push(rate);
    }
    match rates.is_empty() {
        true => Err(node.wrong("a version has at least one rate")),
        false => Ok(rates),
    }
}

fn rate(map: &mut Map<'_>, flavors: &BTreeMap<String, Flavor>) -> Parsed<Rate> {
    const STANDARD: &str = "prices are standard ones, per unit and hour";
    map.unsupported(&[
        ("graduated", STANDARD),
        ("volume", STANDARD),
        ("package", STANDARD),
        ("free", STANDARD),
        ("minimum", STANDARD),
        ("scope", STANDARD),
    ])?;
    if let Some(unit) = map.take("unit")
        && unit.count()? != 1
    {
        return Err(unit.wrong("a unit other than 1 is not supported yet"));
    }
    let component_node = map.require("component")?;
    let component = component_node.one_of(&COMPONENTS).map_err(|wrong| wrong.and(LATER))?;
    let flavor = flavor(map, component, flavors)?;
    Ok(Rate { component, flavor, price: types::price(&map.require("price")?)? })
}

fn flavor(
    map: &mut Map<'_>,
    component: Component,
    flavors: &BTreeMap<String, Flavor>,
) -> Parsed<Option<String>> {
    let Some(node) = map.take("where") else {
        return match component {
            Component::Disk => Ok(None),
            _ => Err(map.node.wrong("instances are priced by flavor: add where: {flavor: NAME}")),
        };
    };
    let mut selector = node.map()?;
    selector.unsupported(&[
        ("region", "the product has no regions"),
        ("labels", "prices don't look at labels"),
    ])?;
    let flavor = selector.require("flavor")?;
    selector.finish()?;
    if component == Component::Disk {
        return Err(flavor.wrong("disks have one price, whatever their flavor"));
    }
    known(&flavor, flavors, "flavors").map(Some)
}
