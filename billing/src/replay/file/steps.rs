//! Steps: what happens, and when.

use std::collections::{BTreeMap, BTreeSet};

use base::{ErrorKind, money::Micros, time::Timestamp};

use super::{
    Expect, Money, Names, Override, Publish, REPEAT_MAX, STEPS_MAX, SettingsChange, Steer,
    credit_limit, expect, known, money, months, packages, prices,
    resources::{Given, given, instance, state},
    standing,
    usage::{self, Confirm, Counter, Lost, Rule},
};
use crate::{
    calendar::Month,
    invoice::notes::Amount,
    ledger::{SpendOrder, recharge::WithBonus},
    replay::{
        node::{Map, Node, Parsed},
        types,
    },
};

#[derive(Debug)]
pub struct Step {
    /// `steps[3]`.
    pub path: String,
    pub at: Timestamp,
    pub repeat: i64,
    /// The kind of error that it must end with, each time.
    pub refused: Option<ErrorKind>,
    pub action: Action,
}

#[derive(Debug)]
pub enum Action {
    Fact(Fact),
    Lost(Lost),
    Confirm(Confirm),
    Rule(Rule),
    Counter(Counter),
    Recharge(Recharge),
    Money(Money),
    Publish(Publish),
    Override(Override),
    Assign {
        tenant: String,
        book: String,
        from: Option<Timestamp>,
    },
    Set {
        settings: SettingsChange,
        /// None: for all.
        tenant: Option<String>,
        credit_limit: Option<Micros>,
        spend_order: Option<SpendOrder>,
    },
    Steer(Steer),
    Want {
        resource: String,
        power: UserPower,
    },
    Lock {
        resource: String,
        locked: bool,
    },
    /// Without waiting for the month's grace.
    Close {
        tenant: String,
        month: Month,
    },
    CreditNote {
        tenant: String,
        month: Month,
        amount: Amount,
        reason: String,
    },
    Rename {
        tenant: String,
        to: String,
    },
    /// What was posted since is looked at again.
    Rerate {
        /// None: of all.
        tenant: Option<String>,
        from: Timestamp,
    },
    Order {
        package: String,
    },
    /// The last order of it.
    Cancel {
        package: String,
    },
    /// Whether usage is rated from here on.
    Rating {
        up: bool,
    },
    /// By so much the server's clock jumps.
    Clock {
        by_ms: i64,
    },
    Crash(Crash),
    Expect(Expect),
}

#[derive(Debug)]
pub struct Fact {
    pub resource: String,
    /// One of its kind's.
    pub state: &'static str,
    /// By the host's clock.
    pub at: Timestamp,
    pub id: Option<String>,
    /// The others are as they stood before it.
    pub attributes: Given,
    pub tenant: Option<String>,
    /// Whether it must be put aside, where the file says so.
    pub quarantined: Option<bool>,
    /// Its place among the host's facts of the resource; 0: it comes in order.
    pub ordinal: i64,
    /// Whether it must park its resource or find it parked, where the file says so.
    pub parked: Option<bool>,
}

#[derive(Debug)]
pub struct Recharge {
    pub tenant: String,
    pub amount: Micros,
    pub provider: String,
    pub id: Option<String>,
    pub bonus: Option<WithBonus>,
}

/// What a tenant's user wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserPower {
    Running,
    Stopped,
    Absent,
}

/// When a poster dies, of the next posting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    BeforeCommit,
    AfterCommit,
}

pub const KINDS_OF_ERROR: [(&str, ErrorKind); 5] = [
    ("invalid", ErrorKind::Invalid),
    ("payment_required", ErrorKind::PaymentRequired),
    ("not_found", ErrorKind::NotFound),
    ("conflict", ErrorKind::Conflict),
    ("quota_exceeded", ErrorKind::QuotaExceeded),
];
/// Steps of the format that no replay can play yet.
const LATER: [(&str, &str); 1] = [("leaks", "a replay does not run the leak finder")];

pub fn read(node: &Node<'_>, start: Timestamp, names: &Names<'_>) -> Parsed<Vec<Step>> {
    let nodes = node.list()?;
    if nodes.len() > STEPS_MAX {
        return Err(node.wrong(format!("there are {} steps, at most {STEPS_MAX} fit", nodes.len())));
    }
    let mut steps: Vec<Step> = Vec::new();
    let mut recharges = BTreeMap::new();
    for node in nodes {
        let before = steps.last().map_or(start, |step| step.at);
        let step = step(&node, before, names)?;
        check_recharge(&node, &step.action, &mut recharges)?;
        steps.push(step);
    }
    Ok(steps)
}

/// Two providers may give the same id: a refund has to say which of them it means. `known` has the
/// providers of each id.
fn check_recharge(
    node: &Node<'_>,
    action: &Action,
    known: &mut BTreeMap<String, BTreeSet<String>>,
) -> Parsed<()> {
    match action {
        Action::Recharge(Recharge { id: Some(id), provider, .. }) => {
            known.entry(id.clone()).or_default().insert(provider.clone());
        }
        Action::Money(Money::Refund { recharge, provider: None, .. }) => {
            if let Some(all) = known.get(recharge).filter(|all| all.len() > 1) {
                let all: Vec<&str> = all.iter().map(String::as_str).collect();
                let (node, all) = (node.inside("refund").inside("recharge"), all.join(", "));
                return Err(node.wrong(format!(
                    "recharges of {all} have the id '{recharge}': add provider: NAME"
                )));
            }
        }
        _ => {}
    }
    Ok(())
}

fn step(node: &Node<'_>, before: Timestamp, names: &Names<'_>) -> Parsed<Step> {
    let mut map = node.map()?;
    let at_node = map.require("at")?;
    let at = names.times.step(&at_node, before)?;
    if at < before {
        return Err(at_node.wrong("steps stand in the order of their instants"));
    }
    let repeat = match map.take("repeat") {
        Some(node) => match node.count()? {
            count if (1..=REPEAT_MAX).contains(&count) => count,
            _ => return Err(node.wrong(format!("a step is repeated 1 to {REPEAT_MAX} times"))),
        },
        None => 1,
    };
    let refused = map.take("refused").map(|node| node.one_of(&KINDS_OF_ERROR)).transpose()?;
    map.unsupported(&LATER)?;
    let action = action(&mut map, at, names)?;
    map.finish()?;
    Ok(Step { path: node.path(), at, repeat, refused, action })
}

type Reader = fn(&Node<'_>, Timestamp, &Names<'_>) -> Parsed<Action>;
const ACTIONS: [(&str, Reader); 32] = [
    ("fact", fact),
    ("lost", |node, _, names| usage::lost(node, names).map(Action::Lost)),
    ("confirm", |node, _, names| usage::confirm(node, names).map(Action::Confirm)),
    ("rule", |node, _, names| usage::rule(node, names).map(Action::Rule)),
    ("counter", |node, at, names| usage::counter(node, at, names).map(Action::Counter)),
    ("recharge", recharge),
    ("bonus", money::bonus),
    ("redeem", money::redeem),
    ("refund", money::refund),
    ("hold", money::hold),
    ("end_hold", money::end_hold),
    ("correct", money::correct),
    ("admit", money::admit),
    ("publish", publish),
    ("assign", assign),
    ("override", price_override),
    ("set", set),
    ("want", want),
    ("lock", lock),
    ("close", months::close),
    ("credit_note", months::credit_note),
    ("rename", months::rename),
    ("rerate", months::rerate),
    ("order", packages::order),
    ("cancel", packages::cancel),
    ("rating", |node, _, _| {
        Ok(Action::Rating { up: node.one_of(&[("up", true), ("down", false)])? })
    }),
    ("exempt", standing::exempt),
    ("approve", standing::approve),
    ("resume_guard", standing::resume_guard),
    ("clock", clock),
    ("crash", |node, _, _| {
        let words = [("before_commit", Crash::BeforeCommit), ("after_commit", Crash::AfterCommit)];
        Ok(Action::Crash(node.one_of(&words)?))
    }),
    ("expect", |node, _, names| Ok(Action::Expect(expect::read(node, names)?))),
];

/// The one key that says what the step does.
fn action(map: &mut Map<'_>, at: Timestamp, names: &Names<'_>) -> Parsed<Action> {
    let mut found = None;
    for (key, read) in ACTIONS {
        let Some(node) = map.take(key) else { continue };
        if found.is_some() {
            return Err(node.wrong("a step does one thing: make it two steps of one instant"));
        }
        found = Some(read(&node, at, names)?);
    }
    found.ok_or_else(|| {
        let all = ACTIONS.map(|(key, _)| key).join(", ");
        map.node.wrong(format!("the step does nothing; give it one of {all}"))
    })
}

fn fact(node: &Node<'_>, at: Timestamp, names: &Names<'_>) -> Parsed<Action> {
    let mut map = node.map()?;
    let resource = known(&map.require("resource")?, names.resources, "resources")?;
    let of = &names.resources[&resource].attributes;
    let fact = Fact {
        state: state(&map.require("state")?, of)?,
        at: map.take("at").map_or(Ok(at), |node| names.times.instant(&node))?,
        id: map.take("id").map(|node| node.name()).transpose()?,
        attributes: given(map.take("attributes"), of.kind, names.flavors)?,
        tenant: map
            .take("tenant")
            .map(|node| known(&node, names.tenants, "tenants"))
            .transpose()?,
        ordinal: match map.take("ordinal") {
            Some(node) => match node.count()? {
                count if count >= 1 => count,
                _ => return Err(node.wrong("ordinals begin with 1")),
            },
            None => 0,
        },
        quarantined: map.take("quarantined").map(|node| node.flag()).transpose()?,
        parked: map.take("parked").map(|node| node.flag()).transpose()?,
        resource,
    };
    map.finish()?;
    Ok(Action::Fact(fact))
}

fn recharge(node: &Node<'_>, _: Timestamp, names: &Names<'_>) -> Parsed<Action> {
    let mut map = node.map()?;
    let recharge = Recharge {
        tenant: known(&map.require("tenant")?, names.tenants, "tenants")?,
        amount: types::amount(&map.require("amount")?)?,
        provider: map.take("provider").map_or(Ok("replay".to_owned()), |node| node.name())?,
        id: map.take("id").map(|node| node.name()).transpose()?,
        bonus: money::with_bonus(&mut map, names.times)?,
    };
    map.finish()?;
    Ok(Action::Recharge(recharge))
}

fn publish(node: &Node<'_>, _: Timestamp, names: &Names<'_>) -> Parsed<Action> {
    prices::publish(node, names).map(Action::Publish)
}

fn price_override(node: &Node<'_>, _: Timestamp, names: &Names<'_>) -> Parsed<Action> {
    prices::price_override(node, names).map(Action::Override)
}

fn assign(node: &Node<'_>, _: Timestamp, names: &Names<'_>) -> Parsed<Action> {
    let mut map = node.map()?;
    let tenant = known(&map.require("tenant")?, names.tenants, "tenants")?;
    let book = known(&map.require("book")?, names.books, "price_books")?;
    let from = map.take("from").map(|node| names.times.instant(&node)).transpose()?;
    map.finish()?;
    Ok(Action::Assign { tenant, book, from })
}

fn set(node: &Node<'_>, _: Timestamp, names: &Names<'_>) -> Parsed<Action> {
    let mut map = node.map()?;
    let settings = SettingsChange::take(&mut map)?;
    let tenant = map
        .take("tenant")
        .map(|node| known(&node, names.tenants, "tenants").map(|name| (node, name)))
        .transpose()?;
    let limit =
        map.take("credit_limit").map(|node| Ok((credit_limit(&node)?, node))).transpose()?;
    let orders = [("bonus_first", SpendOrder::BonusFirst), ("cash_first", SpendOrder::CashFirst)];
    let order =
        map.take("spend_order").map(|node| Ok((node.one_of(&orders)?, node))).transpose()?;
    map.finish()?;
    if settings.is_empty() && limit.is_none() && order.is_none() {
        return Err(node.wrong("what is to be set is missing"));
    }
    match &tenant {
        Some((node, _)) if !settings.is_of_a_tenant() => {
            return Err(
                node.wrong("min_runway, close_grace, mode and guard are the same for all tenants")
            );
        }
        None => {
            let own = limit.as_ref().map(|(_, node)| node);
            if let Some(node) = own.or(order.as_ref().map(|(_, node)| node)) {
                return Err(node.wrong("whose? add tenant: NAME"));
            }
        }
        Some(_) => {}
    }
    Ok(Action::Set {
        settings,
        tenant: tenant.map(|(_, name)| name),
        credit_limit: limit.map(|(limit, _)| limit),
        spend_order: order.map(|(order, _)| order),
    })
}

fn want(node: &Node<'_>, _: Timestamp, names: &Names<'_>) -> Parsed<Action> {
    let mut map = node.map()?;
    let resource = instance(&map.require("resource")?, names)?;
    let power = map.require("power")?.one_of(&[
        ("running", UserPower::Running),
        ("stopped", UserPower::Stopped),
        ("absent", UserPower::Absent),
    ])?;
    map.finish()?;
    Ok(Action::Want { resource, power })
}

fn lock(node: &Node<'_>, _: Timestamp, names: &Names<'_>) -> Parsed<Action> {
    let mut map = node.map()?;
    let resource = instance(&map.require("resource")?, names)?;
    let locked = map.require("locked")?.flag()?;
    map.finish()?;
    Ok(Action::Lock { resource, locked })
}

fn clock(node: &Node<'_>, _: Timestamp, _: &Names<'_>) -> Parsed<Action> {
    let mut map = node.map()?;
    let by_ms = types::signed_duration(&map.require("by")?)?;
    map.finish()?;
    Ok(Action::Clock { by_ms })
}
