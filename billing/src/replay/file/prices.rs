//! Price books, and what changes them: the documents of the product, with flavors by name.

use std::collections::{BTreeMap, BTreeSet};

use base::{
    id::FlavorId,
    money::{Currency, Micros},
    time::Timestamp,
};

use super::{Book, Flavor, Names, known};
use crate::{
    prices::{
        check::{self, Beside, Check, Severity},
        components,
        document::{Document, Minimum, Rate, Scope},
        model::{Model, Tier},
        select::Selector,
        tax::{Tax, TaxMode},
    },
    replay::{
        node::{Map, Node, Parsed},
        pricing,
        types::{self, Times},
    },
};

#[derive(Debug)]
pub struct Version {
    pub from: Timestamp,
    /// Its flavors by name.
    pub document: Document,
}

#[derive(Debug)]
pub struct Publish {
    pub book: String,
    pub from: Option<Timestamp>,
    pub correction: Option<String>,
    pub document: Document,
}

#[derive(Debug)]
pub struct Override {
    pub tenant: String,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub tax: Option<Tax>,
    pub rates: Vec<Rate>,
    pub reason: String,
    pub is_correction: bool,
}

const SCOPES: [(&str, Scope); 2] = [("resource", Scope::Resource), ("tenant", Scope::Tenant)];
const TAX_MODES: [(&str, TaxMode); 2] =
    [("included", TaxMode::Included), ("on_top", TaxMode::OnTop)];

pub fn book(
    node: &Node<'_>,
    currency: &str,
    times: Times,
    flavors: &BTreeMap<String, Flavor>,
) -> Parsed<Book> {
    let mut map = node.map()?;
    let currency =
        map.take("currency").map_or(Ok(currency.to_owned()), |node| types::currency(&node))?;
    let tenant = map.take("tenant").map(|node| node.name()).transpose()?;
    let mut versions: Vec<Version> = Vec::new();
    for node in map.require("versions")?.list()? {
        let mut map = node.map()?;
        let from_node = map.require("from")?;
        let from = times.instant(&from_node)?;
        if versions.last().is_some_and(|last| from < last.from) {
            return Err(from_node.wrong("versions stand in the order of their instants"));
        }
        let document = document(&mut map, flavors)?;
        map.finish()?;
        check(&node, &currency, &document)?;
        versions.push(Version { from, document });
    }
    map.finish()?;
    Ok(Book { currency, tenant, versions })
}

pub fn publish(node: &Node<'_>, names: &Names<'_>) -> Parsed<Publish> {
    let mut map = node.map()?;
    let publish = Publish {
        book: known(&map.require("book")?, names.books, "price_books")?,
        from: instant(&mut map, "from", names)?,
        correction: map.take("correction").map(|node| node.name()).transpose()?,
        document: document(&mut map, names.flavors)?,
    };
    map.finish()?;
    Ok(publish)
}

pub fn price_override(node: &Node<'_>, names: &Names<'_>) -> Parsed<Override> {
    let mut map = node.map()?;
    let made = Override {
        tenant: known(&map.require("tenant")?, names.tenants, "tenants")?,
        from: instant(&mut map, "from", names)?,
        to: instant(&mut map, "to", names)?,
        tax: map.take("tax").map(|node| tax(&node)).transpose()?,
        rates: rates(&map.require("rates")?, names.flavors)?,
        reason: map.require("reason")?.name()?,
        is_correction: map.take("correction").map_or(Ok(false), |node| node.flag())?,
    };
    map.finish()?;
    Ok(made)
}

fn instant(map: &mut Map<'_>, key: &'static str, names: &Names<'_>) -> Parsed<Option<Timestamp>> {
    map.take(key).map(|node| names.times.instant(&node)).transpose()
}

fn document(map: &mut Map<'_>, flavors: &BTreeMap<String, Flavor>) -> Parsed<Document> {
    let tax = map.take("tax").map_or(Ok(Tax::default()), |node| tax(&node))?;
    Ok(Document { tax, rates: rates(&map.require("rates")?, flavors)? })
}

/// What the product would refuse to publish, at its key.
fn check(version: &Node<'_>, currency: &str, document: &Document) -> Parsed<()> {
    // Its flavors get their ids when it is played.
    let named = document.rates.iter().filter_map(|rate| rate.r#where.flavor.clone());
    let flavors = named.map(|name| (name, FlavorId::new())).collect();
    let currency: Currency =
        currency.parse().map_err(|error: base::Error| version.wrong(error.message))?;
    let beside = Beside { currency, flavors: BTreeMap::new(), before: None, partial: true };
    let all = check::check(&pricing::document(document, &flavors), &beside);
    match all.into_iter().find(|found| found.severity == Severity::Error) {
        Some(found) => Err(place(version, document, &found).wrong(found.message)),
        None => Ok(()),
    }
}

/// What a check is about.
fn place<'a>(version: &Node<'a>, document: &Document, found: &Check) -> Node<'a> {
    if found.code == "tax" {
        return version.inside("tax").inside("rate");
    }
    let rates = version.inside("rates");
    let index = document.rates.iter().position(|rate| found.rate.as_ref() == Some(&rate.id));
    let rate = index.and_then(|index| rates.list().ok()?.into_iter().nth(index));
    let Some(rate) = rate else { return rates };
    match found.code.as_str() {
        // It has the one or the other.
        "tiers" => rate.inside("graduated").inside("volume"),
        "package" => rate.inside("package").inside("size"),
        "selector" | "flavor" => rate.inside("where"),
        key @ ("id" | "unit" | "free" | "minimum") => rate.inside(key),
        _ => rate,
    }
}

fn tax(node: &Node<'_>) -> Parsed<Tax> {
    let mut map = node.map()?;
    let mode = map.require("mode")?.one_of(&TAX_MODES)?;
    let rate_node = map.require("rate")?;
    let rate: Micros = rate_node
        .quoted("a tax rate", "0.06")?
        .parse()
        .map_err(|why: String| rate_node.wrong(why))?;
    map.finish()?;
    Ok(Tax { mode, rate })
}

fn rates(node: &Node<'_>, flavors: &BTreeMap<String, Flavor>) -> Parsed<Vec<Rate>> {
    let mut ids = BTreeSet::new();
    let mut rates = Vec::new();
    for node in node.list()? {
        let mut map = node.map()?;
        let id = map.require("id")?;
        let name = id.name()?;
        if !ids.insert(name.clone()) {
            return Err(id.wrong(format!("the id '{name}' stands twice in this version")));
        }
        rates.push(rate(&mut map, name, flavors)?);
        map.finish()?;
    }
    match rates.is_empty() {
        true => Err(node.wrong("a version has at least one rate")),
        false => Ok(rates),
    }
}

fn rate(map: &mut Map<'_>, id: String, flavors: &BTreeMap<String, Flavor>) -> Parsed<Rate> {
    let component = component(&map.require("component")?)?;
    let selector =
        map.take("where").map_or(Ok(Selector::default()), |node| selector(&node, flavors))?;
    let unit = map.take("unit").map_or(Ok(1), |node| node.count())?;
    let model = model(map)?;
    let free = map.take("free").map(|node| node.count()).transpose()?;
    let minimum = map.take("minimum").map(|node| minimum(&node)).transpose()?;
    let usual = Scope::usual(&model, free, minimum.as_ref());
    let scope = map.take("scope").map_or(Ok(usual), |node| node.one_of(&SCOPES))?;
    Ok(Rate { id, component, r#where: selector, unit, model, free, minimum, scope })
}

/// The name of something that can be priced.
pub fn component(node: &Node<'_>) -> Parsed<String> {
    let words: Vec<(&str, &str)> =
        components::all().map(|component| (component.name, component.name)).collect();
    node.one_of(&words).map(str::to_owned)
}

fn selector(node: &Node<'_>, flavors: &BTreeMap<String, Flavor>) -> Parsed<Selector> {
    let mut map = node.map()?;
    let flavor = map.take("flavor").map(|node| known(&node, flavors, "flavors")).transpose()?;
    let region = map.take("region").map(|node| node.name()).transpose()?;
    let mut labels = BTreeMap::new();
    if let Some(node) = map.take("labels") {
        for (name, node) in node.map()?.named() {
            labels.insert(name, node.name()?);
        }
    }
    map.finish()?;
    Ok(Selector { flavor, region, labels })
}

fn model(map: &mut Map<'_>) -> Parsed<Model> {
    let price = map.take("price").map(|node| types::price(&node).map(Model::Standard));
    let graduated = map.take("graduated").map(|node| tiers(&node).map(Model::Graduated));
    let volume = map.take("volume").map(|node| tiers(&node).map(Model::Volume));
    let package = map.take("package").map(|node| package(&node));
    let mut models = [price, graduated, volume, package].into_iter().flatten();
    match (models.next(), models.next()) {
        (Some(model), None) => model,
        _ => Err(map.node.wrong("a rate has one of price, graduated, volume and package")),
    }
}

fn tiers(node: &Node<'_>) -> Parsed<Vec<Tier>> {
    let tier = |node: Node<'_>| {
        let mut map = node.map()?;
        let up_to = map.take("up_to").map(|node| node.count()).transpose()?;
        let tier = Tier { up_to, price: types::price(&map.require("price")?)? };
        map.finish()?;
        Ok(tier)
    };
    node.list()?.into_iter().map(tier).collect()
}

fn package(node: &Node<'_>) -> Parsed<Model> {
    let mut map = node.map()?;
    let size = map.require("size")?.count()?;
    let model = Model::Package { size, price: types::price(&map.require("price")?)? };
    map.finish()?;
    Ok(model)
}

fn minimum(node: &Node<'_>) -> Parsed<Minimum> {
    let mut map = node.map()?;
    let amount = types::amount(&map.require("amount")?)?;
    let minimum = Minimum { amount, per: map.require("per")?.one_of(&SCOPES)? };
    map.finish()?;
    Ok(minimum)
}
