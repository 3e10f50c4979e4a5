//! What a shortage does not stop: a tenant, or single instances, for a while.

use std::collections::BTreeSet;

use base::{
    Error, Result,
    db::{Conn, found},
    id::{ExemptionId, InstanceId, TenantId},
    time::Timestamp,
};
use inventory::instances;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    accounts,
    agenda::{self, Due},
    sql::parse,
    text,
};

/// That have not ended, of one tenant.
pub const EXEMPTIONS_MAX: i64 = 1_000;
/// How "without an end" is kept.
const FOREVER_MS: i64 = i64::MAX;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Exemption {
    pub id: ExemptionId,
    pub tenant_id: TenantId,
    /// None: all of the tenant's.
    pub instance_id: Option<InstanceId>,
    pub from: Timestamp,
    /// None: without an end.
    pub to: Option<Timestamp>,
    pub reason: String,
    /// Who made it.
    pub actor: String,
}

/// What is to be exempt.
#[derive(Debug, Clone)]
pub struct NewExemption<'a> {
    pub tenant: TenantId,
    /// None: all of the tenant's.
    pub instance: Option<InstanceId>,
    /// Now, where not given.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub reason: &'a str,
    pub actor: &'a str,
}

/// What is exempt of a tenant at an instant.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Exempt {
    pub all: bool,
    /// Until when all is; none: without an end, or not at all.
    pub all_until: Option<Timestamp>,
    pub instances: BTreeSet<InstanceId>,
    /// When this changes by itself.
    pub changes_at: Option<Timestamp>,
}

impl Exempt {
    pub fn has(&self, instance: InstanceId) -> bool {
        self.all || self.instances.contains(&instance)
    }
}

pub async fn create(conn: &mut Conn, now: Timestamp, new: &NewExemption<'_>) -> Result<Exemption> {
    let reason = text::reason(new.reason)?;
    let from = new.from.unwrap_or(now);
    if new.to.is_some_and(|to| to <= from || to <= now) {
        return Err(Error::invalid("to", "an exemption ends after it began, and not in the past"));
    }
    let tenant = new.tenant;
    accounts::lock(&mut *conn, tenant).await?;
    if let Some(instance) = new.instance {
        let row =
            instances::get(&mut *conn, instance).await.map_err(|e| e.in_field("instance_id"))?;
        if row.tenant_id != tenant {
            let hidden = Error::not_found(format_args!("instance {instance}"));
            return Err(hidden.in_field("instance_id"));
        }
    }
    if open(&mut *conn, now, Some(tenant)).await?.len() as i64 >= EXEMPTIONS_MAX {
        return Err(Error::conflict(format!("a tenant has at most {EXEMPTIONS_MAX} exemptions"))
            .remedy("end some of them, or exempt the whole tenant"));
    }
    let id = ExemptionId::new();
    sqlx::query(
        "INSERT INTO standing_exemptions (id, tenant_id, resource_id, from_ms, to_ms, reason, \
         actor, created_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(id.to_string())
    .bind(tenant.to_string())
    .bind(new.instance.map(|id| id.to_string()).unwrap_or_default())
    .bind(from.ms())
    .bind(new.to.map_or(FOREVER_MS, Timestamp::ms))
    .bind(reason)
    .bind(new.actor)
    .bind(now.ms())
    .execute(&mut *conn)
    .await?;
    agenda::touch(&mut *conn, tenant, Due::Stand).await?;
    get(conn, id).await
}

/// Ends it now; one that is to begin later never does.
pub async fn end(conn: &mut Conn, now: Timestamp, id: ExemptionId) -> Result<Exemption> {
    let exemption = get(&mut *conn, id).await?;
    accounts::lock(&mut *conn, exemption.tenant_id).await?;
    if exemption.to.is_some_and(|to| to <= now) {
        return Err(Error::conflict("the exemption has ended already"));
    }
    sqlx::query("UPDATE standing_exemptions SET to_ms = $2 WHERE id = $1")
        .bind(id.to_string())
        .bind(now.ms())
        .execute(&mut *conn)
        .await?;
    agenda::touch(&mut *conn, exemption.tenant_id, Due::Stand).await?;
    get(conn, id).await
}

type Row = (String, String, String, i64, i64, String, String);
const COLUMNS: &str = "SELECT id, tenant_id, resource_id, from_ms, to_ms, reason, actor \
                       FROM standing_exemptions ";

fn from_row((id, tenant, resource, from, to, reason, actor): Row) -> Result<Exemption> {
    Ok(Exemption {
        id: parse(&id)?,
        tenant_id: parse(&tenant)?,
        instance_id: (!resource.is_empty()).then(|| parse(&resource)).transpose()?,
        from: Timestamp::from_ms(from),
        to: (to != FOREVER_MS).then(|| Timestamp::from_ms(to)),
        reason,
        actor,
    })
}

pub async fn get(conn: &mut Conn, id: ExemptionId) -> Result<Exemption> {
    let sql = format!("{COLUMNS} WHERE id = $1");
    let row: Option<Row> =
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id.to_string()).fetch_optional(conn).await?;
    from_row(found(row, format_args!("exemption {id}"))?)
}

/// Those that have not ended, at most [`EXEMPTIONS_MAX`]: one tenant's, or of all.
pub async fn open(
    conn: &mut Conn,
    now: Timestamp,
    tenant: Option<TenantId>,
) -> Result<Vec<Exemption>> {
    let sql =
        format!("{COLUMNS} WHERE to_ms > $1 AND ($2 = '' OR tenant_id = $2) ORDER BY id LIMIT $3");
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(now.ms())
        .bind(tenant.map(|id| id.to_string()).unwrap_or_default())
        .bind(EXEMPTIONS_MAX)
        .fetch_all(conn)
        .await?;
    rows.into_iter().map(from_row).collect()
}

/// What is exempt of a tenant now.
pub(crate) async fn exempt(conn: &mut Conn, now: Timestamp, tenant: TenantId) -> Result<Exempt> {
    let mut exempt = Exempt::default();
    for one in open(conn, now, Some(tenant)).await? {
        let edge = if one.from > now { Some(one.from) } else { one.to };
        exempt.changes_at = exempt.changes_at.into_iter().chain(edge).min();
        if one.from > now {
            continue;
        }
        match one.instance_id {
            Some(instance) => {
                exempt.instances.insert(instance);
            }
            None if exempt.all => {
                exempt.all_until = exempt.all_until.zip(one.to).map(|(a, b)| a.max(b));
            }
            None => (exempt.all, exempt.all_until) = (true, one.to),
        }
    }
    Ok(exempt)
}
