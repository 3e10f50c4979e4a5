//! Steps about money besides recharges, as the product's interface does them: what is accrued is
//! posted before money is put aside or goes back.

use std::collections::BTreeMap;

use base::{
    Error, ErrorKind, Result,
    db::Conn,
    id::{LedgerTransactionId, OperationId, TenantId},
    money::Micros,
    time::Timestamp,
};

use super::{
    file::{Admit, Attributes, File, Money},
    world::{ACTOR, World},
};
use crate::{
    admission, balance,
    ledger::{
        self, Bonus, Correction, Refund,
        holds::{self, End, NewHold},
        refunds, vouchers,
    },
    meter::{self, Component, ResourceState},
};

/// What the file's names stand for.
#[derive(Debug, Default)]
pub struct Names {
    /// The codes.
    vouchers: BTreeMap<String, String>,
    /// By provider and id.
    pub recharges: BTreeMap<(String, String), LedgerTransactionId>,
    holds: BTreeMap<String, LedgerTransactionId>,
}

impl Names {
    /// Makes the file's vouchers.
    pub async fn build(
        conn: &mut Conn,
        file: &File,
        tenants: &BTreeMap<String, TenantId>,
    ) -> Result<Self> {
        let mut names = Self::default();
        for (name, voucher) in &file.vouchers {
            let currency = match &voucher.tenant {
                Some(tenant) => &file.tenants[tenant].currency,
                None => &file.currency,
            };
            let tenant = voucher.tenant.as_ref().map(|tenant| tenants[tenant]);
            let new = voucher.to_make(currency, tenant, name, file.start);
            let (_, code) = vouchers::create(conn, file.start, &new).await?;
            names.vouchers.insert(name.clone(), code);
        }
        Ok(names)
    }
}

impl Names {
    /// Where no provider is given, only one has such an id: the file was read so.
    fn recharge(&self, id: &str, provider: Option<&String>) -> Result<LedgerTransactionId> {
        let is = |(by, known): &(String, String)| {
            known == id && provider.is_none_or(|provider| provider == by)
        };
        let found = self.recharges.iter().find(|(key, _)| is(key));
        found.map(|(_, made)| *made).ok_or_else(|| unknown("recharge", id))
    }
}

fn unknown(what: &str, name: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("no step made the {what} {name}"))
}

/// By which a request is known; without a name each is one of its own.
fn key(id: Option<&String>) -> String {
    id.cloned().unwrap_or_else(|| OperationId::new().to_string())
}

impl World<'_> {
    pub async fn money(&mut self, money: &Money) -> Result<()> {
        let now = self.server_now();
        let mut tx = self.db.begin_write().await?;
        let mut held = None;
        match money {
            Money::Bonus { tenant, amount, expires, id } => {
                let (tenant, key) = (self.tenants[tenant], key(id.as_ref()));
                let (amount, expires) = (*amount, *expires);
                let bonus = Bonus { tenant, amount, expires, key: &key, memo: "", actor: ACTOR };
                ledger::bonus(&mut tx, now, &bonus).await?;
            }
            Money::Redeem { voucher, tenant } => {
                let code = &self.money.vouchers[voucher];
                vouchers::redeem(&mut tx, now, self.tenants[tenant], code, ACTOR).await?;
            }
            Money::Refund { recharge, provider, amount, reason, id } => {
                let recharge = self.money.recharge(recharge, provider.as_ref())?;
                let key = key(id.as_ref());
                let refund = Refund { recharge, amount: *amount, reason, key: &key, actor: ACTOR };
                let tenant = refunds::tenant_of(&mut tx, recharge).await?;
                balance::post_accrued(&mut tx, now, tenant).await?;
                ledger::refund(&mut tx, now, &refund).await?;
            }
            Money::Hold { tenant, amount, id, expires } => {
                held = Some(self.hold(&mut tx, now, tenant, *amount, id, *expires).await?);
            }
            Money::EndHold { id, post } => {
                let hold = self.money.holds.get(id).copied();
                let hold = hold.ok_or_else(|| unknown("hold", id))?;
                let how = post.map_or(End::Void, |(net, tax)| End::Post { net, tax });
                holds::end(&mut tx, now, hold, how, ACTOR).await?;
            }
            Money::Correct { tenant, entries, reason, id } => {
                let key = key(id.as_ref());
                let correction = Correction {
                    tenant: self.tenants[tenant],
                    entries: entries.clone(),
                    reason,
                    memo: "",
                    corrects: None,
                    key: &key,
                    actor: ACTOR,
                };
                ledger::correct(&mut tx, now, &correction).await?;
            }
            Money::Admit(asked) => self.admit(&mut tx, now, asked).await?,
        }
        tx.commit().await?;
        self.money.holds.extend(held);
        Ok(())
    }

    async fn hold(
        &self,
        conn: &mut Conn,
        now: Timestamp,
        tenant: &str,
        amount: Micros,
        id: &str,
        expires: Timestamp,
    ) -> Result<(String, LedgerTransactionId)> {
        let tenant = self.tenants[tenant];
        balance::post_accrued(conn, now, tenant).await?;
        let hold = NewHold { tenant, amount, purpose: id, expires, key: id, actor: ACTOR };
        Ok((id.to_owned(), holds::hold(conn, now, &hold).await?.id()))
    }

    /// Whether it would be let in; nothing is made.
    async fn admit(&self, conn: &mut Conn, now: Timestamp, asked: &Admit) -> Result<()> {
        let resized;
        let (tenant, instance, old, new, attributes) = match asked {
            Admit::Create { tenant, attributes, count } => {
                let mut new = self.burns(ResourceState::Running, attributes);
                for component in &mut new {
                    let all = component.quantity.checked_mul(*count);
                    component.quantity = all.ok_or_else(|| {
                        Error::invalid("count", "so much is more than can be reckoned")
                    })?;
                }
                (tenant, None, Vec::new(), new, attributes)
            }
            Admit::Resize { resource, attributes } => {
                let machine = &self.machines[resource];
                let state = machine.state.ok_or_else(|| {
                    let message = format!("no fact tells of {resource}");
                    Error::new(ErrorKind::NotFound, message)
                })?;
                let old = self.burns(state, &machine.attributes);
                resized = attributes.over(&machine.attributes);
                let new = self.burns(state, &resized);
                (&machine.tenant, machine.id, old, new, &resized)
            }
        };
        let (settings, tenant) = (&self.settings, self.tenants[tenant]);
        let selected_by = Some(&attributes.more);
        let ask = admission::Ask { instance, old: &old, new: &new, selected_by };
        admission::admit_change(conn, now, settings, tenant, ask).await
    }

    fn burns(&self, state: ResourceState, attributes: &Attributes) -> Vec<Component> {
        meter::components(state, self.flavors[&attributes.flavor], attributes.disk_gib)
    }
}
