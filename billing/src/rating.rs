//! Rating: usage becomes lines, and lines become one ledger transaction, in one SQL transaction.
//!
//! ```text
//! spans x prices --cut--> slices --engine--> lines --+--> charges     (detail)
//!        (posted lines --line--> adjustments --^)    +--> rated_sums  (the next rounding's start)
//!                                                    +--> ledger      (entries summed by account)
//! ```
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`cut`] | spans of use, cut at prices, months and days: pure |
//! | [`counted`] | what counters say, cut at prices, beside what is posted of it: pure |
//! | [`compiled`] | a rate, ready to be applied to measures: pure |
//! | [`engine`] | slices to amounts, telescoping by groups and walking tiers: pure |
//! | [`line`] | what differs between wanted and posted: pure |
//! | `close` | what the end of a month makes due: volume prices, minimum charges |
//! | `purchases` | what is bought whole, such as a package's month |
//! | [`book`] | keys and groups, by numbers |
//! | [`plan`] | all of them: what is to be posted, pure |
//! | [`load`], `write` | the tables |
//! | [`lines`] | reading what was rated |
//!
//! All change together under the account's lock, and the transaction's key is the account's next
//! charge: a second rater, or a second run after a crash, finds nothing left to do. A group whose
//! amount does not fit is parked with its reason, and the others are posted.

use base::{
    Result,
    db::Conn,
    id::{LedgerTransactionId, TenantId},
    money::Micros,
    outbox::{self, Notice},
    time::Timestamp,
};

use crate::{
    accounts::{self, Account, Locked},
    calendar::next_tick,
    ledger::{self, Kind, Posting, over},
    prices::model::Overflow,
};

pub mod book;
pub(crate) mod close;
pub mod compiled;
pub mod counted;
pub mod cut;
pub mod engine;
pub mod line;
pub mod lines;
pub mod load;
pub mod plan;
pub(crate) mod purchases;
mod reconciler;
mod write;

pub(crate) use reconciler::post_up_to;
pub use reconciler::{RatingReconciler, SETTLE_MS, catch_up};

use book::ResourceId;
use engine::{Parked as ParkedGroup, Priced, undo};
use plan::{Plan, Resource, Usage};

/// What a posting did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Posted {
    /// None: there was nothing to post.
    pub transaction_id: Option<LedgerTransactionId>,
    pub lines: usize,
    /// Charged, with tax; below zero where adjustments outweigh.
    pub amount: Micros,
    /// Groups that did not fit.
    pub parked: usize,
    /// Bonuses and holds that were over, and ended before it.
    pub ended: usize,
}

impl Posted {
    /// Whether it moved money: there is something to publish.
    pub fn has_moved(&self) -> bool {
        self.lines > 0 || self.ended > 0
    }
}

/// What a posting covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// All of the tenant's resources.
    All,
    /// Those that changed, each up to its last change: the others wait for their hour.
    Changed,
}

/// Posts all that is accrued up to `now`.
pub async fn post(conn: &mut Conn, now: Timestamp, tenant: TenantId) -> Result<Posted> {
    post_after_what_is_over(conn, now, tenant, Scope::All).await
}

/// Posts the resources whose facts or prices changed, up to their last change.
pub async fn post_changed(conn: &mut Conn, now: Timestamp, tenant: TenantId) -> Result<Posted> {
    post_after_what_is_over(conn, now, tenant, Scope::Changed).await
}

async fn post_after_what_is_over(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
    scope: Scope,
) -> Result<Posted> {
    let account = accounts::lock(conn, tenant).await?;
    let (mut account, ended) = over::end_before(conn, account, now).await?;
    let posted = post_scope(conn, now, &mut account, scope).await?;
    Ok(Posted { ended, ..posted })
}

async fn post_scope(
    conn: &mut Conn,
    now: Timestamp,
    account: &mut Locked,
    scope: Scope,
) -> Result<Posted> {
    let usage = load::load(conn, account).await?;
    post_usage(conn, now, account, usage, scope).await
}

/// Of an account that is locked, with its use as it was read under the lock.
async fn post_usage(
    conn: &mut Conn,
    now: Timestamp,
    account: &mut Locked,
    mut usage: Usage,
    scope: Scope,
) -> Result<Posted> {
    let tenant = account.tenant_id;
    if scope == Scope::Changed {
        usage.resources.retain(|r| r.dirty.is_some() || r.counted.dirty.is_some());
    }
    if usage.resources.is_empty() {
        return Ok(Posted::default());
    }
    // A tick covers what was read up to it: what was read later waits until it is posted.
    let read = match scope {
        Scope::All => now,
        Scope::Changed => now.min(next_tick(account.ticked, account.timezone)),
    };
    let mut plan = plan::plan(&mut usage, |resource| until(resource, now, scope), read);
    park_what_the_account_cannot_hold(account, &mut usage, &mut plan);
    let keys: Vec<u32> = plan
        .lines
        .iter()
        .map(|line| line.slice.key)
        .chain(plan.parked.iter().map(|parked| usage.book.key_of(parked.group)))
        .collect();
    write::keys(conn, tenant, &mut usage.book, keys.into_iter()).await?;
    for parked in &plan.parked {
        park(conn, now, tenant, &usage, parked).await?;
    }
    mark_rated(conn, now, tenant, &usage, scope).await?;
    mark_counted(conn, read, tenant, &usage).await?;
    let mut posted = Posted { parked: plan.parked.len(), ..Posted::default() };
    if !plan.lines.is_empty() {
        posted.lines = plan.lines.len();
        let (id, amount) = write(conn, now, account, &usage, &plan.lines).await?;
        (posted.transaction_id, posted.amount) = (Some(id), amount);
    }
    Ok(posted)
}

fn until(resource: &Resource, now: Timestamp, scope: Scope) -> Timestamp {
    let until = match scope {
        Scope::All => now,
        Scope::Changed => now.min(resource.changed),
    };
    until.max(resource.rated)
}

/// Takes the lines in order as long as the account can hold their sum; the group of one that it
/// can't is parked, with all of its lines.
pub(crate) fn park_what_the_account_cannot_hold(
    account: &Account,
    usage: &mut Usage,
    plan: &mut Plan,
) {
    loop {
        // Every entry is of the sum, which what is held and what is earned must bear.
        let (mut left, mut earned, mut charged) = (account.posted, account.earned, Micros::ZERO);
        let mut fits = |line: &Priced| -> Result<()> {
            let amount = Micros(line.net).checked_add(Micros(line.tax))?;
            left = left.checked_sub(amount)?;
            earned = earned.checked_add(amount)?;
            charged = charged.checked_add(amount)?;
            Ok(())
        };
        let overflow = plan.lines.iter().find(|line| fits(line).is_err());
        let Some(group) = overflow.map(|line| line.slice.group) else { return };
        undo(&[group], &mut usage.book.groups, &mut plan.lines, 0);
        plan.parked.push(ParkedGroup { group, why: Overflow });
    }
}

/// The ledger transaction, its lines and the sums of their groups. Returns what was charged.
async fn write(
    conn: &mut Conn,
    now: Timestamp,
    account: &mut Locked,
    usage: &Usage,
    lines: &[Priced],
) -> Result<(LedgerTransactionId, Micros)> {
    let tenant = account.tenant_id;
    let number = account.last_charge + 1;
    let at = rated_at(account, now, usage, lines);
    let sum = |of: fn(&Priced) -> i64| {
        lines.iter().try_fold(Micros::ZERO, |sum, line| sum.checked_add(Micros(of(line))))
    };
    let (net, tax) = (sum(|line| line.net)?, sum(|line| line.tax)?);
    let order = account.settings.spend_order.unwrap_or_default();
    let request = format!("{at}\n{net}\n{tax}\n{}", lines.len());
    let posting = Posting {
        key: format!("charge:{tenant}:{number}"),
        request: request.as_bytes(),
        kind: Kind::Charge,
        at,
        entries: ledger::spend::spend(&account.wallet, net, tax, order),
        memo: "",
        reason: "",
        about: None,
        actor: "system:rating",
    };
    let id = ledger::append(conn, account, now, &posting).await?.id();
    write::lines(conn, tenant, number, at, &usage.book, lines).await?;
    write::sums(conn, tenant, &usage.book, lines).await?;
    sqlx::query("UPDATE accounts SET last_charge = $2 WHERE tenant_id = $1")
        .bind(tenant.to_string())
        .bind(number)
        .execute(conn)
        .await?;
    account.charged(number);
    Ok((id, net.checked_add(tax)?))
}

/// The instant up to which a charge rates. What reaches no further than the last tick came late:
/// it belongs to now, so that the bill of a closed period stands.
fn rated_at(account: &Account, now: Timestamp, usage: &Usage, lines: &[Priced]) -> Timestamp {
    let reach = |line: &Priced| match usage.book.is_hourly(line.slice.group) {
        true => line.slice.to,
        // Its last part may be free.
        false => line.slice.to.max(line.slice.opened),
    };
    let until = lines.iter().map(reach).max().map_or(now, Timestamp::from_ms);
    if until <= account.ticked { now } else { until.min(now) }
}

/// A fact that is still to be reached keeps its mark.
async fn mark_rated(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
    usage: &Usage,
    scope: Scope,
) -> Result<()> {
    if scope == Scope::All {
        sqlx::query(
            "UPDATE rating_resources SET \
               rated_ms = CASE WHEN rated_ms > $2 THEN rated_ms ELSE $2 END, \
               dirty_ms = CASE WHEN changed_ms <= $2 OR changed_ms <= rated_ms THEN NULL \
                 ELSE dirty_ms END \
             WHERE tenant_id = $1 \
               AND (dirty_ms IS NOT NULL OR ends_ms IS NULL OR ends_ms > rated_ms)",
        )
        .bind(tenant.to_string())
        .bind(now.ms())
        .execute(conn)
        .await?;
        return Ok(());
    }
    for resource in &usage.resources {
        let id = usage.id(resource);
        sqlx::query(
            "UPDATE rating_resources SET rated_ms = $4, \
               dirty_ms = CASE WHEN changed_ms <= $4 THEN NULL ELSE dirty_ms END \
             WHERE tenant_id = $1 AND resource_kind = $2 AND resource_id = $3",
        )
        .bind(tenant.to_string())
        .bind(&id.kind)
        .bind(&id.id)
        .bind(until(resource, now, scope).ms())
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// What was read up to `read` is posted; what was read later keeps its mark.
async fn mark_counted(
    conn: &mut Conn,
    read: Timestamp,
    tenant: TenantId,
    usage: &Usage,
) -> Result<()> {
    if usage.resources.iter().all(|resource| resource.counted.dirty.is_none()) {
        return Ok(());
    }
    sqlx::query(
        "UPDATE rating_resources SET counted_ms = CASE WHEN counted_to_ms <= $2 THEN NULL \
           WHEN counted_ms < $2 THEN $2 ELSE counted_ms END \
         WHERE tenant_id = $1 AND counted_ms IS NOT NULL",
    )
    .bind(tenant.to_string())
    .bind(read.ms())
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts a group aside, and tells the operators once.
async fn park(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
    usage: &Usage,
    parked: &ParkedGroup,
) -> Result<()> {
    let reason = base::Error::from(parked.why).message;
    let key = &usage.book.keys[usage.book.key_of(parked.group) as usize];
    let (component, month) = (key.id.component, key.id.month);
    let version = usage.book.versions[key.id.rate as usize];
    let resource = usage.book.resources.get(key.id.resource as usize);
    let (kind, id) = resource.map_or(("all", ""), |r| (r.kind.as_str(), r.id.as_str()));
    tracing::warn!(%tenant, resource = id, component, reason, "line parked");
    sqlx::query(
        "INSERT INTO rated_parked (tenant_id, key_no, reason, parked_ms) VALUES ($1, $2, $3, $4) \
         ON CONFLICT DO NOTHING",
    )
    .bind(tenant.to_string())
    .bind(key.number.unwrap_or(0))
    .bind(&reason)
    .bind(now.ms())
    .execute(&mut *conn)
    .await?;
    let notice = Notice {
        key: format!("rating:parked:{tenant}:{kind}:{id}:{component}:{version}:{month}"),
        topic: "balance".to_owned(),
        tenant_id: None,
        subject: "a charge is too large to be posted".to_owned(),
        body: format!(
            "The charge of {component} for {kind} {id} of tenant {tenant} in {month} is parked: \
             {reason}. Nothing more is charged for it; check its price and quantity."
        ),
        data: serde_json::json!({
            "tenant_id": tenant, "resource_kind": kind, "resource_id": id,
            "component": component, "month": month.to_string(), "reason": reason,
        }),
    };
    outbox::enqueue(conn, now, &notice).await.map(|_| ())
}

/// A group that was put aside because its amount does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    pub resource: ResourceId,
    /// `instance.compute`.
    pub component: String,
    pub month: String,
    pub reason: String,
    pub at: Timestamp,
}

/// In one listing.
pub const PARKED_MAX: i64 = 1_000;

/// The tenant's parked groups, oldest first, at most [`PARKED_MAX`].
pub async fn parked(conn: &mut Conn, tenant: TenantId) -> Result<Vec<Parked>> {
    let rows: Vec<(String, String, String, String, String, i64)> = sqlx::query_as(
        "SELECT k.kind, k.resource_id, k.component, k.month, p.reason, p.parked_ms \
         FROM rated_parked p \
         JOIN rated_keys k ON k.tenant_id = p.tenant_id AND k.key_no = p.key_no \
         WHERE p.tenant_id = $1 ORDER BY p.parked_ms, k.key_no LIMIT $2",
    )
    .bind(tenant.to_string())
    .bind(PARKED_MAX)
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(kind, id, component, month, reason, at)| Parked {
            resource: ResourceId { kind, id },
            component,
            month,
            reason,
            at: Timestamp::from_ms(at),
        })
        .collect())
}
