//! Rating: usage becomes lines, and lines become one ledger transaction, in one SQL transaction.
//!
//! ```text
//! intervals x prices --plan--> lines --+--> rated_lines   (detail)
//!                                      +--> rated_totals  (what the next rounding starts from)
//!                                      +--> ledger        (entries summed by account)
//! ```
//!
//! All three change together under the account's lock, and the transaction's key is the account's
//! next charge: a second rater, or a second run after a crash, finds nothing left to do. A line
//! whose amount does not fit is parked with its reason, and the others are posted.

use std::collections::{BTreeMap, HashMap};

use base::{
    Error, Result,
    db::Conn,
    id::{LedgerTransactionId, TenantId},
    money::Micros,
    outbox::{self, Notice},
    time::Timestamp,
};

use crate::{
    accounts::{self, Account, Locked},
    ledger::{self, Kind, Posting},
    meter,
};

pub mod load;
pub mod plan;
mod reconciler;

pub use reconciler::{RatingReconciler, SETTLE_MS, catch_up};

use load::{Resource, ResourceId, Usage};
use plan::{Key, Line};

/// What a posting did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Posted {
    /// None: there was nothing to post.
    pub transaction_id: Option<LedgerTransactionId>,
    pub lines: usize,
    /// Charged; below zero where adjustments outweigh.
    pub amount: Micros,
    /// Lines that did not fit.
    pub parked: usize,
}

/// What a posting covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// All of the tenant's resources.
    All,
    /// Those that changed, each up to its last change: the others wait for their hour.
    Changed,
}

/// A line with its resource.
type Placed = (ResourceId, Line);

/// Posts all that is accrued up to `now`.
pub async fn post(conn: &mut Conn, now: Timestamp, tenant: TenantId) -> Result<Posted> {
    post_scope(conn, now, tenant, Scope::All).await
}

/// Posts the resources whose facts or prices changed, up to their last change.
pub async fn post_changed(conn: &mut Conn, now: Timestamp, tenant: TenantId) -> Result<Posted> {
    post_scope(conn, now, tenant, Scope::Changed).await
}

async fn post_scope(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
    scope: Scope,
) -> Result<Posted> {
    let mut account = accounts::lock(conn, tenant).await?;
    let mut usage = load::load(conn, &account).await?;
    if scope == Scope::Changed {
        usage.resources.retain(|r| r.dirty.is_some());
    }
    let mut lines: Vec<Placed> = Vec::new();
    let mut parked: Vec<(ResourceId, Key, String)> = Vec::new();
    for resource in &usage.resources {
        let plan = plan_resource(conn, &account, &usage, resource, until(resource, now, scope));
        let plan = plan.await?;
        lines.extend(plan.lines.into_iter().map(|line| (resource.id.clone(), line)));
        parked.extend(plan.parked.into_iter().map(|(k, why)| (resource.id.clone(), k, why)));
    }
    park_what_the_account_cannot_hold(&account, &mut lines, &mut parked);
    for (resource, key, reason) in &parked {
        park(conn, now, tenant, resource, key, reason).await?;
    }
    for resource in &usage.resources {
        mark_rated(conn, tenant, resource, until(resource, now, scope)).await?;
    }
    let mut posted = Posted { parked: parked.len(), ..Posted::default() };
    if !lines.is_empty() {
        posted.lines = lines.len();
        posted.amount = sum(lines.iter().map(|(_, line)| line.amount))?;
        posted.transaction_id = Some(write(conn, now, &mut account, &lines).await?);
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

async fn plan_resource(
    conn: &mut Conn,
    account: &Account,
    usage: &Usage,
    resource: &Resource,
    until: Timestamp,
) -> Result<plan::Plan> {
    let pieces = resource.pieces(usage, account, until);
    let mut posted = None;
    if resource.dirty.is_some_and(|dirty| dirty < resource.rated) {
        let month = crate::calendar::Month::of(resource.first(account), account.timezone);
        let lines =
            load::posted_lines(conn, account.tenant_id, &resource.id, &month.to_string()).await?;
        posted = Some(
            lines.into_iter().filter(|l| !resource.parked.contains(&l.key)).collect::<Vec<_>>(),
        );
    }
    Ok(plan::plan(&pieces, resource.rated, &resource.totals, posted.as_deref()))
}

fn sum(amounts: impl Iterator<Item = Micros>) -> Result<Micros> {
    amounts.into_iter().try_fold(Micros::ZERO, Micros::checked_add)
}

/// Takes the lines in order as long as the account's sum can hold them; the key of one that it
/// can't is parked, with all of its lines.
fn park_what_the_account_cannot_hold(
    account: &Account,
    lines: &mut Vec<Placed>,
    parked: &mut Vec<(ResourceId, Key, String)>,
) {
    loop {
        // Every entry is of the sum, which what is held and what is earned must bear.
        let (mut left, mut earned, mut charged) = (account.posted, account.earned, Micros::ZERO);
        let overflow = lines.iter().find_map(|(resource, line)| {
            let fits = left.checked_sub(line.amount).and_then(|left| {
                Ok((left, earned.checked_add(line.amount)?, charged.checked_add(line.amount)?))
            });
            match fits {
                Ok(next) => {
                    (left, earned, charged) = next;
                    None
                }
                Err(error) => Some((resource.clone(), line.piece.key.clone(), error.message)),
            }
        });
        let Some(overflow) = overflow else { return };
        lines.retain(|(resource, line)| (resource, &line.piece.key) != (&overflow.0, &overflow.1));
        parked.push(overflow);
    }
}

/// The ledger transaction, its lines and the totals.
async fn write(
    conn: &mut Conn,
    now: Timestamp,
    account: &mut Locked,
    lines: &[Placed],
) -> Result<LedgerTransactionId> {
    let tenant = account.tenant_id;
    let number = account.last_charge + 1;
    let charged = sum(lines.iter().map(|(_, line)| line.amount))?;
    let at = rated_at(account, now, lines);
    let order = account.settings.spend_order.unwrap_or_default();
    let request = format!("{at}\n{charged}\n{}", lines.len());
    let posting = Posting {
        key: format!("charge:{tenant}:{number}"),
        request: request.as_bytes(),
        kind: Kind::Charge,
        at,
        // Prices include tax.
        entries: ledger::spend::spend(&account.wallet, charged, Micros::ZERO, order),
        memo: "",
        reason: "",
        about: None,
        actor: "system:rating",
    };
    let id = ledger::append(conn, account, now, &posting).await?.id();
    let flavors = flavor_names(conn, lines).await?;
    for (position, (resource, line)) in (0i64..).zip(lines) {
        insert_line(conn, id, position, tenant, resource, line, &flavors).await?;
    }
    add_to_totals(conn, tenant, lines).await?;
    sqlx::query("UPDATE accounts SET last_charge = $2 WHERE tenant_id = $1")
        .bind(tenant.to_string())
        .bind(number)
        .execute(conn)
        .await?;
    Ok(id)
}

/// The instant up to which a charge rates. What reaches no further than the last tick came late:
/// it belongs to now, so that the bill of a closed period stands.
fn rated_at(account: &Account, now: Timestamp, lines: &[Placed]) -> Timestamp {
    let until = lines.iter().map(|(_, line)| line.piece.to).max().unwrap_or(now);
    if until <= account.ticked { now } else { until.min(now) }
}

async fn insert_line(
    conn: &mut Conn,
    transaction: LedgerTransactionId,
    position: i64,
    tenant: TenantId,
    resource: &ResourceId,
    line: &Line,
    flavors: &HashMap<String, String>,
) -> Result<()> {
    let piece = &line.piece;
    let flavor = flavors.get(&piece.key.meter).map(String::as_str);
    sqlx::query(
        "INSERT INTO rated_lines (transaction_id, position, tenant_id, resource_kind, \
         resource_id, resource_name, what, meter, price_version_id, month, from_ms, to_ms, \
         unit_price_nanos, quantity, amount_micros, kind) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
    )
    .bind(transaction.to_string())
    .bind(position)
    .bind(tenant.to_string())
    .bind(&resource.kind)
    .bind(&resource.id)
    .bind(&piece.name)
    .bind(meter::describe(&piece.key.meter, &piece.name, flavor, piece.quantity))
    .bind(&piece.key.meter)
    .bind(piece.key.version.to_string())
    .bind(&piece.key.month)
    .bind(piece.from.ms())
    .bind(piece.to.ms())
    .bind(piece.unit_price.0)
    .bind(piece.quantity)
    .bind(line.amount.0)
    .bind(line.kind.as_str())
    .execute(conn)
    .await?;
    Ok(())
}

async fn add_to_totals(conn: &mut Conn, tenant: TenantId, lines: &[Placed]) -> Result<()> {
    let mut sums: BTreeMap<(&ResourceId, &Key), Micros> = BTreeMap::new();
    for (resource, line) in lines {
        let total = sums.entry((resource, &line.piece.key)).or_default();
        *total = total.checked_add(line.amount)?;
    }
    for ((resource, key), amount) in sums {
        sqlx::query(
            "INSERT INTO rated_totals (tenant_id, resource_kind, resource_id, meter, \
             price_version_id, month, amount_micros) VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (tenant_id, resource_kind, resource_id, meter, price_version_id, month) \
             DO UPDATE SET amount_micros = rated_totals.amount_micros + $7",
        )
        .bind(tenant.to_string())
        .bind(&resource.kind)
        .bind(&resource.id)
        .bind(&key.meter)
        .bind(key.version.to_string())
        .bind(&key.month)
        .bind(amount.0)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// An event that was recorded beside us keeps its mark, and so does one that is still to be reached.
async fn mark_rated(
    conn: &mut Conn,
    tenant: TenantId,
    resource: &Resource,
    until: Timestamp,
) -> Result<()> {
    sqlx::query(
        "UPDATE rating_resources SET rated_ms = $4, \
           dirty_ms = CASE WHEN sequence = $5 AND changed_ms <= $4 THEN NULL ELSE dirty_ms END \
         WHERE tenant_id = $1 AND resource_kind = $2 AND resource_id = $3",
    )
    .bind(tenant.to_string())
    .bind(&resource.id.kind)
    .bind(&resource.id.id)
    .bind(until.ms())
    .bind(resource.sequence)
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts a rounding key aside, and tells the operators once.
async fn park(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
    resource: &ResourceId,
    key: &Key,
    reason: &str,
) -> Result<()> {
    tracing::warn!(%tenant, resource = resource.id, meter = key.meter, reason, "line parked");
    sqlx::query(
        "INSERT INTO parked_lines (tenant_id, resource_kind, resource_id, meter, \
         price_version_id, month, reason, parked_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT DO NOTHING",
    )
    .bind(tenant.to_string())
    .bind(&resource.kind)
    .bind(&resource.id)
    .bind(&key.meter)
    .bind(key.version.to_string())
    .bind(&key.month)
    .bind(reason)
    .bind(now.ms())
    .execute(&mut *conn)
    .await?;
    let (kind, id, meter, month) = (&resource.kind, &resource.id, &key.meter, &key.month);
    let notice = Notice {
        key: format!("rating:parked:{tenant}:{kind}:{id}:{meter}:{}:{month}", key.version),
        topic: "balance".to_owned(),
        tenant_id: None,
        subject: "a charge is too large to be posted".to_owned(),
        body: format!(
            "The charge of {meter} for {kind} {id} of tenant {tenant} in {month} is parked: \
             {reason}. Nothing more is charged for it; check its price and quantity."
        ),
        data: serde_json::json!({
            "tenant_id": tenant, "resource_kind": kind, "resource_id": id,
            "meter": meter, "month": month, "reason": reason,
        }),
    };
    outbox::enqueue(conn, now, &notice).await.map(|_| ())
}

/// The names of the flavors behind the lines' meters; one that is gone goes by its id.
async fn flavor_names(conn: &mut Conn, lines: &[Placed]) -> Result<HashMap<String, String>> {
    let mut names = HashMap::new();
    for (_, line) in lines {
        let meter = &line.piece.key.meter;
        let Some(flavor) = meter::flavor_of(meter).filter(|_| !names.contains_key(meter)) else {
            continue;
        };
        let name: Option<String> = sqlx::query_scalar("SELECT name FROM flavors WHERE id = $1")
            .bind(flavor.to_string())
            .fetch_optional(&mut *conn)
            .await?;
        names.insert(meter.clone(), name.unwrap_or_else(|| flavor.to_string()));
    }
    Ok(names)
}

/// A rounding key that was put aside because its amount does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    pub resource: ResourceId,
    pub meter: String,
    pub month: String,
    pub reason: String,
    pub at: Timestamp,
}

/// In one listing.
pub const PARKED_MAX: i64 = 1_000;

/// The tenant's parked lines, oldest first, at most [`PARKED_MAX`].
pub async fn parked(conn: &mut Conn, tenant: TenantId) -> Result<Vec<Parked>, Error> {
    let rows: Vec<(String, String, String, String, String, i64)> = sqlx::query_as(
        "SELECT resource_kind, resource_id, meter, month, reason, parked_ms FROM parked_lines \
         WHERE tenant_id = $1 ORDER BY parked_ms, resource_id, meter, month LIMIT $2",
    )
    .bind(tenant.to_string())
    .bind(PARKED_MAX)
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(kind, id, meter, month, reason, at)| Parked {
            resource: ResourceId { kind, id },
            meter,
            month,
            reason,
            at: Timestamp::from_ms(at),
        })
        .collect())
}
