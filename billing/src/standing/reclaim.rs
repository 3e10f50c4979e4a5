//! Deleting for want of money.
//!
//! A claim looks at the balance now, under the account's lock and in the transaction that deletes: a
//! payment is either before it, and the claim is answered "paid", or after it, and what was deleted
//! is gone while the money stays.

use std::collections::BTreeMap;

use base::{
    Result,
    db::Conn,
    id::{InstanceId, TenantId},
    money::Micros,
    time::Timestamp,
};
use identity::{Actor, audit};
use inventory::instances::{self, Change, Instance, Wanted};

use super::{Facts, Standing, exemptions};
use crate::{accounts, balance::snapshot};

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It is being deleted.
    Taken,
    /// There is money: nothing is deleted.
    Paid {
        balance: Micros,
    },
    /// The account's standing does not lead here.
    NotPending,
    Exempt,
    /// An operator locked it, to look at it.
    Locked,
    /// It was being deleted already.
    Gone,
}

/// Deletes the instance if its tenant owes for it now.
pub async fn claim(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
    instance: InstanceId,
) -> Result<Claim> {
    accounts::lock(&mut *conn, tenant).await?;
    let snapshot = snapshot(&mut *conn, now, tenant).await?;
    let account = &snapshot.account;
    let balance = snapshot.balance()?;
    if !Facts::of(&snapshot.position).exhausted {
        return Ok(Claim::Paid { balance });
    }
    if account.standing < Standing::ReclaimPending {
        return Ok(Claim::NotPending);
    }
    if exemptions::exempt(&mut *conn, now, tenant).await?.has(instance) {
        return Ok(Claim::Exempt);
    }
    let row = instances::get(&mut *conn, instance).await?;
    // Its user may start, stop or delete it at this moment.
    let Some(row) = instances::lock(&mut *conn, &row).await? else { return Ok(Claim::Gone) };
    if row.tenant_id != tenant || row.wanted == Wanted::Absent {
        return Ok(Claim::Gone);
    }
    if row.locked {
        return Ok(Claim::Locked);
    }
    take(conn, now, &row, account, balance).await?;
    Ok(Claim::Taken)
}

async fn take(
    conn: &mut Conn,
    now: Timestamp,
    instance: &Instance,
    account: &accounts::Account,
    balance: Micros,
) -> Result<()> {
    let actor = Actor::system("standing");
    let change = Change::Want(Wanted::Absent);
    instances::change(&mut *conn, now, &actor, instance, "instance.delete", change).await?;
    sqlx::query(
        "INSERT INTO reclaims (tenant_id, episode, resource_id, balance_micros, account_version, \
         at_ms) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(account.tenant_id.to_string())
    .bind(account.episode)
    .bind(instance.id.to_string())
    .bind(balance.0)
    .bind(account.version)
    .bind(now.ms())
    .execute(&mut *conn)
    .await?;
    let act = audit::Act {
        action: "instance.reclaim",
        target_kind: "instance",
        target_id: instance.id.to_string(),
        tenant_id: Some(account.tenant_id),
        detail: serde_json::json!({"name": instance.name, "balance": balance}),
    };
    audit::record(conn, now, &actor, act).await
}

/// A claim on each of the tenant's instances; hosts of those that are taken, by instance.
pub(crate) async fn claim_all(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
) -> Result<BTreeMap<InstanceId, base::id::HostId>> {
    let mut taken = BTreeMap::new();
    let mut after = None;
    loop {
        let page = instances::by_host(&mut *conn, tenant, after).await?;
        let Some(last) = page.last() else { return Ok(taken) };
        after = Some((last.host_id, last.id));
        for instance in page {
            if claim(&mut *conn, now, tenant, instance.id).await? == Claim::Taken {
                taken.insert(instance.id, instance.host_id);
            }
        }
    }
}
