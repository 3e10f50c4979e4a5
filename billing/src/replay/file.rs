//! The file as it is written: sections and their keys. What the format has and a replay can't play is
//! refused by name.

use std::collections::BTreeMap;

use base::{money::Micros, time::Timestamp};
use chrono_tz::Tz;
use inventory::flavors::{DISK_GIB_MAX, MEMORY_MIB_MAX, NAME_MAX_CHARS, VCPUS_MAX};

use super::{
    node::{self, Map, Node, Parsed, Unreadable},
    types::{self, Times},
};

mod expect;
mod money;
mod months;
mod packages;
mod prices;
mod resources;
mod settings;
mod standing;
mod steps;
mod usage;

pub use expect::Expect;
pub use money::{Admit, Money, Voucher};
pub use packages::Package;
pub use prices::{Override, Publish, Version};
pub use resources::{Attributes, Given, Resource};
pub use settings::SettingsChange;
pub use standing::Steer;
pub use steps::{Action, Crash, Fact, KINDS_OF_ERROR, Recharge, Step, UserPower};
pub use usage::{Confirm, Counter, Lost, Rule};

use crate::Settings;

/// Of the format.
pub const VERSION: i64 = 1;
/// In any one section.
pub const NAMES_MAX: usize = 1_000;
/// How often one step may be repeated.
pub const REPEAT_MAX: i64 = 1_000;
/// How often one thing may fail on the host.
pub const FAILS_MAX: i64 = 1_000;
pub const STEPS_MAX: usize = 10_000;
/// How long after its last step a replay goes on where `end` isn't given.
const TAIL_MS: i64 = 3_600_000;

#[derive(Debug)]
pub struct File {
    pub title: String,
    pub start: Timestamp,
    pub end: Timestamp,
    pub times: Times,
    pub currency: String,
    pub settings: Settings,
    pub flavors: BTreeMap<String, Flavor>,
    pub books: BTreeMap<String, Book>,
    pub tenants: BTreeMap<String, Tenant>,
    pub resources: BTreeMap<String, Resource>,
    pub packages: BTreeMap<String, Package>,
    pub host: Option<Host>,
    pub vouchers: BTreeMap<String, Voucher>,
    pub steps: Vec<Step>,
    pub expect: Option<Expect>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flavor {
    pub vcpus: i64,
    pub memory_mib: i64,
    pub disk_gib: i64,
}

#[derive(Debug)]
pub struct Book {
    pub currency: String,
    /// Whose alone it is.
    pub tenant: Option<String>,
    pub versions: Vec<Version>,
}

#[derive(Debug)]
pub struct Tenant {
    pub book: Option<String>,
    pub zone: Tz,
    pub currency: String,
    pub credit_limit: Micros,
}

/// A simulated host: how long it takes to do what is wanted, and what fails.
#[derive(Debug, Default)]
pub struct Host {
    pub stop_after_ms: i64,
    pub start_after_ms: i64,
    /// For pausing, and for resuming.
    pub pause_after_ms: i64,
    pub fail: Vec<Failure>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostAction {
    Stop,
    Start,
    Pause,
}

/// What fails of an instance.
#[derive(Debug)]
pub struct Failure {
    pub resource: String,
    pub action: HostAction,
    pub which: Tries,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tries {
    /// Each before an instant.
    Until(Timestamp),
    /// So many, from the first on.
    First(i64),
}

/// What names may be used.
pub struct Names<'f> {
    pub times: Times,
    pub flavors: &'f BTreeMap<String, Flavor>,
    pub books: &'f BTreeMap<String, Book>,
    pub tenants: &'f BTreeMap<String, Tenant>,
    pub resources: &'f BTreeMap<String, Resource>,
    pub vouchers: &'f BTreeMap<String, Voucher>,
    pub packages: &'f BTreeMap<String, Package>,
}

/// Reads a file, or says where it is wrong.
pub fn parse(text: &str) -> Result<File, Unreadable> {
    node::parse(text, read)
}

fn read(root: Node<'_>) -> Parsed<File> {
    let mut map = root.map()?;
    let version = map.require("opshawk_replay")?;
    if version.count()? != VERSION {
        return Err(version.wrong(format!("this program reads format {VERSION}")));
    }
    let title = optional_text(&mut map, "title")?;
    optional_text(&mut map, "about")?;
    let start_node = map.require("start")?;
    let start = start_node.text()?.parse().map_err(|_| {
        start_node.wrong("the start is RFC 3339, such as 2026-10-15T08:00:00+08:00")
    })?;
    let mut settings = Settings::default();
    if let Some(zone) = map.take("zone") {
        settings.timezone = types::zone(&zone)?.name().to_owned();
    }
    let zone: Tz = settings.timezone.parse().map_err(|_| root.wrong("the zone is unknown"))?;
    let times = Times::new(start, zone);
    let currency = match map.take("currency") {
        Some(node) => types::currency(&node)?,
        None => "CNY".to_owned(),
    };
    if let Some(node) = map.take("settings") {
        SettingsChange::read(node.map()?)?.apply(&mut settings);
    }
    let flavors = flavors(map.take("flavors"))?;
    let books =
        section(map.take("price_books"), |node| prices::book(node, &currency, times, &flavors))?;
    let tenants = section(map.take("tenants"), |node| tenant(node, zone, &currency, &books))?;
    check_own_books(&root, &books, &tenants)?;
    let resources =
        section(map.take("resources"), |node| resources::resource(node, &tenants, &flavors))?;
    let vouchers = money::vouchers(map.take("vouchers"), start, times, &tenants)?;
    let packages = section(map.take("packages"), |node| packages::package(node, &tenants))?;
    if let Some(name) = packages.keys().find(|name| resources.contains_key(*name)) {
        let node = root.inside("packages").inside(name);
        return Err(node.wrong(format!("'{name}' is a resource and a package: rename one of them")));
    }
    let names = Names {
        times,
        flavors: &flavors,
        books: &books,
        tenants: &tenants,
        resources: &resources,
        vouchers: &vouchers,
        packages: &packages,
    };
    let host = map.take("host").map(|node| host(&node, &names)).transpose()?;
    let steps = steps::read(&map.require("steps")?, start, &names)?;
    let last = steps.last().map_or(start, |step| step.at);
    let end = match map.take("end") {
        Some(node) => {
            let end = times.instant(&node)?;
            if end < last {
                return Err(node.wrong("the end lies before the last step"));
            }
            end
        }
        None => last.saturating_add_ms(TAIL_MS),
    };
    let expect = map.take("expect").map(|node| expect::read(&node, &names)).transpose()?;
    map.finish()?;
    Ok(File {
        title,
        start,
        end,
        times,
        currency,
        settings,
        flavors,
        books,
        tenants,
        resources,
        packages,
        host,
        vouchers,
        steps,
        expect,
    })
}

fn optional_text(map: &mut Map<'_>, key: &'static str) -> Parsed<String> {
    map.take(key).map_or(Ok(String::new()), |node| Ok(node.text()?.to_owned()))
}

/// A map of names to things.
fn section<T>(
    node: Option<Node<'_>>,
    mut read: impl FnMut(&Node<'_>) -> Parsed<T>,
) -> Parsed<BTreeMap<String, T>> {
    let Some(node) = node else { return Ok(BTreeMap::new()) };
    let mut all = BTreeMap::new();
    for (name, node) in node.map()?.named() {
        if name.is_empty() {
            return Err(node.wrong("a name must not be empty"));
        }
        all.insert(name, read(&node)?);
    }
    if all.len() > NAMES_MAX {
        return Err(node.wrong(format!("there are {} names, at most {NAMES_MAX} fit", all.len())));
    }
    Ok(all)
}

/// Whether the product takes the key that this stands under for a name.
fn check_name(node: &Node<'_>, max_chars: usize) -> Parsed<()> {
    match identity::checked_name("name", node.key(), max_chars) {
        Ok(_) => Ok(()),
        Err(error) => Err(node.wrong(error.message)),
    }
}

/// Without the section there is `small`.
fn flavors(node: Option<Node<'_>>) -> Parsed<BTreeMap<String, Flavor>> {
    let small = Flavor { vcpus: 1, memory_mib: 512, disk_gib: 1 };
    if node.is_none() {
        return Ok(BTreeMap::from([("small".to_owned(), small)]));
    }
    section(node, |node| {
        check_name(node, NAME_MAX_CHARS)?;
        let mut map = node.map()?;
        let mut flavor = small.clone();
        for (key, field, max) in [
            ("vcpus", &mut flavor.vcpus, VCPUS_MAX),
            ("memory_mib", &mut flavor.memory_mib, MEMORY_MIB_MAX),
            ("disk_gib", &mut flavor.disk_gib, DISK_GIB_MAX),
        ] {
            if let Some(node) = map.take(key) {
                *field = node.count()?;
                if !(1..=max).contains(field) {
                    return Err(node.wrong(format!("{key} is from 1 to {max}")));
                }
            }
        }
        map.finish()?;
        Ok(flavor)
    })
}

fn tenant(
    node: &Node<'_>,
    zone: Tz,
    currency: &str,
    books: &BTreeMap<String, Book>,
) -> Parsed<Tenant> {
    check_name(node, identity::tenants::NAME_MAX_CHARS)?;
    let mut map = node.map()?;
    let zone = map.take("zone").map_or(Ok(zone), |node| types::zone(&node))?;
    let currency =
        map.take("currency").map_or(Ok(currency.to_owned()), |node| types::currency(&node))?;
    let mut tenant = Tenant { book: None, zone, currency, credit_limit: Micros::ZERO };
    if let Some(node) = map.take("book") {
        let name = known(&node, books, "price_books")?;
        let book = &books[&name];
        if book.currency != tenant.currency {
            let (theirs, ours) = (&book.currency, &tenant.currency);
            return Err(node.wrong(format!("that book is in {theirs}, the tenant in {ours}")));
        }
        tenant.book = Some(name);
    }
    if let Some(node) = map.take("credit_limit") {
        tenant.credit_limit = credit_limit(&node)?;
    }
    let by_step = "a tenant's own are set by a step: set: {tenant: NAME, …}";
    map.unsupported(&[("settings", by_step)])?;
    map.finish()?;
    Ok(tenant)
}

/// A book of one tenant is of one that there is, and nobody else pays by it.
fn check_own_books(
    root: &Node<'_>,
    books: &BTreeMap<String, Book>,
    tenants: &BTreeMap<String, Tenant>,
) -> Parsed<()> {
    for (name, book) in books {
        let Some(owner) = &book.tenant else { continue };
        if !tenants.contains_key(owner) {
            let node = root.inside("price_books").inside(name).inside("tenant");
            return Err(node.wrong(format!("'{owner}' does not stand in tenants")));
        }
        let pays =
            |(tenant, of): &(&String, &Tenant)| *tenant != owner && of.book.as_ref() == Some(name);
        if let Some((other, _)) = tenants.iter().find(pays) {
            let node = root.inside("tenants").inside(other).inside("book");
            return Err(node.wrong(format!("that book is {owner}'s own")));
        }
    }
    Ok(())
}

fn credit_limit(node: &Node<'_>) -> Parsed<Micros> {
    match types::amount(node)? {
        limit if limit < Micros::ZERO => Err(node.wrong("a credit limit is not negative")),
        limit => Ok(limit),
    }
}

/// A name that stands in that section.
fn known<T>(node: &Node<'_>, section: &BTreeMap<String, T>, what: &str) -> Parsed<String> {
    let name = node.name()?;
    if section.contains_key(&name) {
        return Ok(name);
    }
    let all: Vec<&str> = section.keys().map(String::as_str).collect();
    let all = if all.is_empty() { "none are there".to_owned() } else { all.join(", ") };
    Err(node.wrong(format!("'{name}' does not stand in {what} ({all})")))
}

const HOST_ACTIONS: [(&str, HostAction); 3] =
    [("stop", HostAction::Stop), ("start", HostAction::Start), ("pause", HostAction::Pause)];

fn host(node: &Node<'_>, names: &Names<'_>) -> Parsed<Host> {
    let mut map = node.map()?;
    let mut host = Host::default();
    for (key, field) in [
        ("stop_after", &mut host.stop_after_ms),
        ("start_after", &mut host.start_after_ms),
        ("pause_after", &mut host.pause_after_ms),
    ] {
        if let Some(node) = map.take(key) {
            *field = types::duration(&node)?;
        }
    }
    if let Some(node) = map.take("fail") {
        for node in node.list()? {
            let mut map = node.map()?;
            host.fail.push(Failure {
                resource: resources::instance(&map.require("resource")?, names)?,
                action: map.require("action")?.one_of(&HOST_ACTIONS)?,
                which: tries(&node, &mut map, names)?,
            });
            map.finish()?;
        }
    }
    map.finish()?;
    Ok(host)
}

fn tries(node: &Node<'_>, map: &mut Map<'_>, names: &Names<'_>) -> Parsed<Tries> {
    match (map.take("until"), map.take("times")) {
        (Some(until), None) => Ok(Tries::Until(names.times.instant(&until)?)),
        (None, Some(times)) => match times.count()? {
            count if (1..=FAILS_MAX).contains(&count) => Ok(Tries::First(count)),
            _ => Err(times.wrong(format!("it fails 1 to {FAILS_MAX} times"))),
        },
        _ => Err(node.wrong("give either the instant until which it fails, or how many times")),
    }
}
