//! What a file expects, brought to the form that reports have, so that the two compare key by key.

use serde_json::{Map as Object, Value, json};

use super::{Names, known, prices};
use crate::{
    ledger::Account,
    replay::{
        node::{Map, Node, Parsed},
        types,
    },
    standing::Standing,
};

/// Parts of a report that must be so; a map must match in the keys that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expect {
    /// `expect`, or `steps[3].expect`.
    pub path: String,
    pub parts: Object<String, Value>,
}

pub const LINE_KINDS: [&str; 5] = ["usage", "purchase", "adjustment", "volume", "minimum"];
pub const QUALITIES: [&str; 3] = ["observed", "estimated", "corrected"];
pub const ACTIONS: [&str; 5] = ["stop", "start", "pause", "resume", "delete"];
pub const ACTION_STATES: [&str; 4] = ["issued", "confirmed", "dropped", "failed"];

/// What stands behind a key.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Texts,
    Tenant,
    /// Or a package.
    Resource,
    /// Or empty: of no one resource.
    ResourceOrAll,
    /// Or null: of none that the file names.
    ResourceOrNone,
    Package,
    Word(&'static [&'static str]),
    Component,
    Standing,
    Instant,
    InstantOrNone,
    Amount,
    AmountOrNone,
    Count,
    Flag,
}

type Keys = &'static [(&'static str, Kind)];

const LINE: Keys = &[
    ("tenant", Kind::Tenant),
    ("resource", Kind::ResourceOrAll),
    ("component", Kind::Component),
    ("from", Kind::Instant),
    ("to", Kind::Instant),
    ("quantity", Kind::Count),
    ("net", Kind::Amount),
    ("tax", Kind::Amount),
    ("kind", Kind::Word(&LINE_KINDS)),
    ("quality", Kind::Word(&QUALITIES)),
    ("coverage", Kind::Count),
    ("month", Kind::Text),
    ("posted_month", Kind::Text),
    ("version", Kind::Text),
];
const BALANCE: Keys = &[
    ("balance", Kind::Amount),
    ("posted", Kind::Amount),
    ("accrued", Kind::Amount),
    ("runs_out_at", Kind::InstantOrNone),
    ("at", Kind::Instant),
];
const STANDING: Keys = &[
    ("tenant", Kind::Tenant),
    ("episode", Kind::Count),
    ("standing", Kind::Standing),
    ("at", Kind::Instant),
];
const NOTICE: Keys = &[
    ("tenant", Kind::Tenant),
    ("topic", Kind::Text),
    ("subject", Kind::Text),
    ("at", Kind::Instant),
    ("channels", Kind::Texts),
];
const ACTION: Keys = &[
    ("tenant", Kind::Tenant),
    ("resource", Kind::Resource),
    ("action", Kind::Word(&ACTIONS)),
    ("state", Kind::Word(&ACTION_STATES)),
    ("at", Kind::Instant),
];
const FINDING: Keys = &[
    ("kind", Kind::Text),
    ("resource", Kind::ResourceOrNone),
    ("at", Kind::Instant),
    ("seen", Kind::Count),
    ("open", Kind::Flag),
];
const INVOICE: Keys = &[
    ("tenant", Kind::Tenant),
    ("month", Kind::Text),
    ("number", Kind::Text),
    ("currency", Kind::Text),
    ("net", Kind::Amount),
    ("tax", Kind::Amount),
    ("total", Kind::Amount),
    ("rounding", Kind::Amount),
    ("credited", Kind::Amount),
    ("unchanged", Kind::Flag),
];
const PACKAGE: Keys = &[
    ("tenant", Kind::Tenant),
    ("package", Kind::Package),
    ("rate", Kind::Text),
    ("at", Kind::Instant),
    ("renews_at", Kind::InstantOrNone),
    ("ends_at", Kind::InstantOrNone),
    ("price", Kind::AmountOrNone),
];
const LATER_IN_LINES: [(&str, &str); 1] = [("measure", "lines keep their quantity and time")];

pub fn read(node: &Node<'_>, names: &Names<'_>) -> Parsed<Expect> {
    let mut map = node.map()?;
    let mut parts = Object::new();
    for (key, keys, later) in [
        ("lines", LINE, LATER_IN_LINES.as_slice()),
        ("lines_include", LINE, LATER_IN_LINES.as_slice()),
        ("standing", STANDING, &[]),
        ("notices", NOTICE, &[]),
        ("actions", ACTION, &[]),
        ("findings", FINDING, &[]),
        ("invoices", INVOICE, &[]),
        ("packages", PACKAGE, &[]),
    ] {
        if let Some(node) = map.take(key) {
            let items = node.list()?;
            let items = items.iter().map(|node| entry(node, keys, later, names));
            parts.insert(key.to_owned(), items.collect::<Parsed<Vec<_>>>()?.into());
        }
    }
    for (key, read) in [
        ("ledger", ledger as fn(&Node<'_>, &Names<'_>) -> Parsed<Value>),
        ("balance", |node, names| entry(node, BALANCE, &[], names)),
        ("transactions", |node, _| Ok(json!(node.count()?))),
    ] {
        if let Some(node) = map.take(key) {
            parts.insert(key.to_owned(), by_tenant(&node, names, read)?);
        }
    }
    if let Some(node) = map.take("sums") {
        parts.insert("sums".to_owned(), sums(&node, names)?);
    }
    if let Some(node) = map.take("counted") {
        parts.insert("counted".to_owned(), counted(&node, names)?);
    }
    if let Some(node) = map.take("zero") {
        if !node.flag()? {
            return Err(node.wrong("the ledger sums to zero at all times: zero is true"));
        }
        parts.insert("zero".to_owned(), json!(true));
    }
    map.finish()?;
    Ok(Expect { path: node.path(), parts })
}

fn entry(
    node: &Node<'_>,
    keys: Keys,
    later: &[(&'static str, &str)],
    names: &Names<'_>,
) -> Parsed<Value> {
    let mut map = node.map()?;
    let mut entry = Object::new();
    for (key, kind) in keys {
        if let Some(node) = map.take(key) {
            entry.insert((*key).to_owned(), value(&node, *kind, names)?);
        }
    }
    map.unsupported(later)?;
    map.finish()?;
    if entry.is_empty() {
        return Err(node.wrong("it names nothing that could differ"));
    }
    Ok(Value::Object(entry))
}

fn value(node: &Node<'_>, kind: Kind, names: &Names<'_>) -> Parsed<Value> {
    Ok(match kind {
        Kind::Text => json!(node.text()?),
        Kind::Texts => {
            let texts: Parsed<Vec<&str>> = node.list()?.iter().map(Node::text).collect();
            json!(texts?)
        }
        // A notice may be the operators' alone.
        Kind::Tenant if node.is_null() => Value::Null,
        Kind::Tenant => json!(known(node, names.tenants, "tenants")?),
        Kind::ResourceOrAll if node.text()?.is_empty() => json!(""),
        Kind::ResourceOrNone if node.is_null() => Value::Null,
        Kind::Resource | Kind::ResourceOrAll | Kind::ResourceOrNone => resource(node, names)?,
        Kind::Package => json!(known(node, names.packages, "packages")?),
        Kind::Word(words) => {
            let pairs: Vec<(&str, &str)> = words.iter().map(|word| (*word, *word)).collect();
            json!(node.one_of(&pairs)?)
        }
        Kind::Component => json!(prices::component(node)?),
        Kind::Standing => {
            let standing: Standing = node.text()?.parse().map_err(|_| {
                node.wrong(
                    "a standing is active, warned, overdue, suspended, stopped, reclaim_pending or \
                     reclaimed",
                )
            })?;
            json!(standing)
        }
        Kind::InstantOrNone if node.is_null() => Value::Null,
        Kind::Instant | Kind::InstantOrNone => {
            json!(names.times.show(names.times.instant(node)?))
        }
        Kind::AmountOrNone if node.is_null() => Value::Null,
        Kind::Amount | Kind::AmountOrNone => json!(types::amount(node)?),
        Kind::Count => json!(node.count()?),
        Kind::Flag => json!(node.flag()?),
    })
}

fn resource(node: &Node<'_>, names: &Names<'_>) -> Parsed<Value> {
    match node.text()? {
        name if names.packages.contains_key(name) => Ok(json!(name)),
        _ => Ok(json!(known(node, names.resources, "resources")?)),
    }
}

fn by_tenant(
    node: &Node<'_>,
    names: &Names<'_>,
    read: impl Fn(&Node<'_>, &Names<'_>) -> Parsed<Value>,
) -> Parsed<Value> {
    let mut all = Object::new();
    for (tenant, node) in node.map()?.named() {
        check_tenant(&node, &tenant, names)?;
        all.insert(tenant, read(&node, names)?);
    }
    Ok(Value::Object(all))
}

fn check_tenant(node: &Node<'_>, tenant: &str, names: &Names<'_>) -> Parsed<()> {
    match names.tenants.contains_key(tenant) {
        true => Ok(()),
        false => Err(node.wrong(format!("'{tenant}' does not stand in tenants"))),
    }
}

fn ledger(node: &Node<'_>, _: &Names<'_>) -> Parsed<Value> {
    let mut map: Map<'_> = node.map()?;
    let mut all = Object::new();
    for account in Account::ALL.map(Account::as_str) {
        if let Some(node) = map.take(account) {
            all.insert(account.to_owned(), json!(types::amount(&node)?));
        }
    }
    map.finish()?;
    Ok(Value::Object(all))
}

/// `tenant`, `tenant/resource` or `tenant/resource/component`.
fn sums(node: &Node<'_>, names: &Names<'_>) -> Parsed<Value> {
    let mut all = Object::new();
    for (key, node) in node.map()?.named() {
        let tenant = key.split('/').next().unwrap_or_default();
        check_tenant(&node, tenant, names)?;
        all.insert(key, json!(types::amount(&node)?));
    }
    Ok(Value::Object(all))
}

/// `tenant/resource/component`.
fn counted(node: &Node<'_>, names: &Names<'_>) -> Parsed<Value> {
    let mut all = Object::new();
    for (key, node) in node.map()?.named() {
        let tenant = key.split('/').next().unwrap_or_default();
        check_tenant(&node, tenant, names)?;
        all.insert(key, json!(node.count()?));
    }
    Ok(Value::Object(all))
}
