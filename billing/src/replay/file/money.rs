//! Steps and sections about money besides recharges: bonuses, vouchers, holds, refunds,
//! corrections, and whether there is enough.

use std::collections::BTreeMap;

use base::{id::TenantId, money::Micros, time::Timestamp};

use super::{
    Attributes, Names, Tenant, known,
    resources::{Given, given, instance, no_flavor},
    section,
    steps::Action,
};
use crate::{
    ledger::{Account, Entry, recharge::WithBonus, vouchers::NewVoucher},
    replay::{
        node::{Map, Node, Parsed},
        types::{self, Times},
        world::ACTOR,
    },
};

/// Instances that one step asks for.
const ADMITTED_MAX: i64 = 1_000;

/// A voucher, made at the file's start.
#[derive(Debug)]
pub struct Voucher {
    pub amount: Micros,
    /// Who may redeem it; none: anybody.
    pub tenant: Option<String>,
    /// None: from the start on.
    pub valid_from: Option<Timestamp>,
    pub valid_to: Option<Timestamp>,
    pub bonus_expires: Option<Timestamp>,
}

impl Voucher {
    /// As the product makes it.
    pub fn to_make<'a>(
        &self,
        currency: &'a str,
        tenant: Option<TenantId>,
        name: &'a str,
        start: Timestamp,
    ) -> NewVoucher<'a> {
        NewVoucher {
            currency,
            amount: self.amount,
            tenant,
            valid_from: self.valid_from.unwrap_or(start),
            valid_to: self.valid_to,
            bonus_expires: self.bonus_expires,
            memo: name,
            actor: ACTOR,
        }
    }
}

/// What a step does to the ledger, or asks of it.
#[derive(Debug)]
pub enum Money {
    Bonus {
        tenant: String,
        amount: Micros,
        expires: Option<Timestamp>,
        id: Option<String>,
    },
    Redeem {
        voucher: String,
        tenant: String,
    },
    Refund {
        /// The recharge's `id`.
        recharge: String,
        /// Its provider's name, where another has that id too.
        provider: Option<String>,
        amount: Micros,
        reason: String,
        id: Option<String>,
    },
    Hold {
        tenant: String,
        amount: Micros,
        id: String,
        expires: Timestamp,
    },
    EndHold {
        id: String,
        /// Net and tax; none: it is voided.
        post: Option<(Micros, Micros)>,
    },
    Correct {
        tenant: String,
        entries: Vec<Entry>,
        reason: String,
        id: Option<String>,
    },
    Admit(Admit),
}

/// What a user asks for.
#[derive(Debug)]
pub enum Admit {
    Create {
        tenant: String,
        attributes: Attributes,
        count: i64,
    },
    /// The other attributes are as they stand.
    Resize {
        resource: String,
        attributes: Given,
    },
}

pub fn vouchers(
    node: Option<Node<'_>>,
    start: Timestamp,
    times: Times,
    tenants: &BTreeMap<String, Tenant>,
) -> Parsed<BTreeMap<String, Voucher>> {
    section(node, |node| {
        let mut map = node.map()?;
        let voucher = Voucher {
            amount: types::amount(&map.require("amount")?)?,
            tenant: map.take("tenant").map(|node| known(&node, tenants, "tenants")).transpose()?,
            valid_from: instant(&mut map, "valid_from", times)?,
            valid_to: instant(&mut map, "valid_to", times)?,
            bonus_expires: instant(&mut map, "bonus_expires", times)?,
        };
        map.finish()?;
        check(node, start, &voucher)?;
        Ok(voucher)
    })
}

/// What the product would refuse to make, at its key.
fn check(node: &Node<'_>, start: Timestamp, voucher: &Voucher) -> Parsed<()> {
    let new = voucher.to_make("", None, node.key(), start);
    new.check(start).map_err(|error| {
        let key = match error.field.as_deref() {
            Some("bonus_expires_at") => "bonus_expires",
            Some(field) => field,
            None => "",
        };
        node.inside(key).wrong(error.message)
    })
}

fn instant(map: &mut Map<'_>, key: &'static str, times: Times) -> Parsed<Option<Timestamp>> {
    map.take(key).map(|node| times.instant(&node)).transpose()
}

fn tenant(map: &mut Map<'_>, names: &Names<'_>) -> Parsed<String> {
    known(&map.require("tenant")?, names.tenants, "tenants")
}

fn amount(map: &mut Map<'_>) -> Parsed<Micros> {
    types::amount(&map.require("amount")?)
}

fn id(map: &mut Map<'_>) -> Parsed<Option<String>> {
    map.take("id").map(|node| node.name()).transpose()
}

/// What comes with a recharge.
pub(super) fn with_bonus(map: &mut Map<'_>, times: Times) -> Parsed<Option<WithBonus>> {
    let amount = map.take("bonus").map(|node| types::amount(&node)).transpose()?;
    let expires_node = map.take("bonus_expires");
    let expires = expires_node.as_ref().map(|node| times.instant(node)).transpose()?;
    match (amount, expires_node) {
        (None, Some(node)) => Err(node.wrong("of what bonus? add bonus: AMOUNT")),
        (amount, _) => Ok(amount.map(|amount| WithBonus { amount, expires })),
    }
}

pub(super) fn bonus(node: &Node<'_>, _: Timestamp, names: &Names<'_>) -> Parsed<Action> {
    let mut map = node.map()?;
    let bonus = Money::Bonus {
        tenant: tenant(&mut map, names)?,
        amount: amount(&mut map)?,
        expires: instant(&mut map, "expires", names.times)?,
        id: id(&mut map)?,
    };
    map.finish()?;
    Ok(Action::Money(bonus))
}

pub(super) fn redeem(node: &Node<'_>, _: Timestamp, names: &Names<'_>) -> Parsed<Action> {
    let mut map = node.map()?;
    let voucher = known(&map.require("voucher")?, names.vouchers, "vouchers")?;
    let tenant = tenant(&mut map, names)?;
    map.finish()?;
    Ok(Action::Money(Money::Redeem { voucher, tenant }))
}

pub(super) fn refund(node: &Node<'_>, _: Timestamp, _: &Names<'_>) -> Parsed<Action> {
    let mut map = node.map()?;
    let refund = Money::Refund {
        recharge: map.require("recharge")?.name()?,
        provider: map.take("provider").map(|node| node.name()).transpose()?,
        amount: amount(&mut map)?,
        reason: map.require("reason")?.name()?,
        id: id(&mut map)?,
    };
    map.finish()?;
    Ok(Action::Money(refund))
}

pub(super) fn hold(node: &Node<'_>, _: Timestamp, names: &Names<'_>) -> Parsed<Action> {
    let mut map = node.map()?;
    let hold = Money::Hold {
        tenant: tenant(&mut map, names)?,
        amount: amount(&mut map)?,
        id: map.require("id")?.name()?,
        expires: names.times.instant(&map.require("expires")?)?,
    };
    map.finish()?;
    Ok(Action::Money(hold))
}

pub(super) fn end_hold(node: &Node<'_>, _: Timestamp, _: &Names<'_>) -> Parsed<Action> {
    let mut map = node.map()?;
    let id = map.require("id")?.name()?;
    let net = map.take("post").map(|node| types::amount(&node)).transpose()?;
    let tax = map.take("tax").map(|node| types::amount(&node)).transpose()?;
    let void = map.take("void").map_or(Ok(false), |node| node.flag())?;
    let post = match (net, tax, void) {
        (Some(net), tax, false) => Some((net, tax.unwrap_or_default())),
        (None, None, true) => None,
        _ => return Err(node.wrong("a hold ends by post: AMOUNT (and tax) or by void: true")),
    };
    map.finish()?;
    Ok(Action::Money(Money::EndHold { id, post }))
}

pub(super) fn correct(node: &Node<'_>, _: Timestamp, names: &Names<'_>) -> Parsed<Action> {
    let mut map = node.map()?;
    let tenant = tenant(&mut map, names)?;
    let reason = map.require("reason")?.name()?;
    let id = id(&mut map)?;
    let entries = map.require("entries")?.list()?.iter().map(entry).collect::<Parsed<_>>()?;
    map.finish()?;
    Ok(Action::Money(Money::Correct { tenant, entries, reason, id }))
}

/// `{account: cash, credit: "2.50"}`
fn entry(node: &Node<'_>) -> Parsed<Entry> {
    let mut map = node.map()?;
    let accounts = Account::ALL.map(|account| (account.as_str(), account));
    let account = map.require("account")?.one_of(&accounts)?;
    let mut side = |key| map.take(key).map(|node| types::amount(&node)).transpose();
    let entry = match (side("debit")?, side("credit")?) {
        (Some(amount), None) => Entry::debit(account, amount),
        (None, Some(amount)) => Entry::credit(account, amount),
        _ => return Err(node.wrong("an entry has either a debit or a credit")),
    };
    map.finish()?;
    Ok(entry)
}

pub(super) fn admit(node: &Node<'_>, _: Timestamp, names: &Names<'_>) -> Parsed<Action> {
    let mut map = node.map()?;
    let resource = map.take("resource");
    let small = Attributes::small();
    let shape = given(map.take("attributes"), small.kind, names.flavors)?;
    let admit = match resource {
        Some(node) => Admit::Resize { resource: instance(&node, names)?, attributes: shape },
        None => Admit::Create {
            tenant: tenant(&mut map, names)?,
            attributes: match shape.over(&small) {
                shape if names.flavors.contains_key(&shape.flavor) => shape,
                _ => return Err(no_flavor(node)),
            },
            count: match map.take("count") {
                Some(node) => match node.count()? {
                    count if (1..=ADMITTED_MAX).contains(&count) => count,
                    _ => return Err(node.wrong(format!("a count is 1 to {ADMITTED_MAX}"))),
                },
                None => 1,
            },
        },
    };
    map.finish()?;
    Ok(Action::Money(Money::Admit(admit)))
}
