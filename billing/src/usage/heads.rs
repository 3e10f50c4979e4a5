//! Where each resource's facts stand. The row's lock orders those who append.

use std::collections::{BTreeMap, BTreeSet};

use base::{
    Result,
    db::{
        Backend, Conn, Db, pairs,
        rows::{Cell, insert_rows, lists},
    },
    id::TenantId,
};

use super::{
    Resource,
    project::{FOREVER_MS, Projected},
    spans,
};
use crate::{accounts, sql::parse};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub sequence: i64,
    pub last_ordinal: i64,
    pub effective_ms: i64,
    /// Of the last fact that counts; empty before the first.
    pub tenant: String,
    /// [`FOREVER_MS`]: it is not.
    pub parked_ms: i64,
    pub plain: bool,
}

/// Before the first fact.
const NEW: Head = Head {
    sequence: 0,
    last_ordinal: 0,
    effective_ms: i64::MIN,
    tenant: String::new(),
    parked_ms: FOREVER_MS,
    plain: true,
};

impl Head {
    /// As the projection of all of its facts leaves it.
    pub fn of(sequence: i64, projected: &Projected) -> Self {
        Self {
            sequence,
            last_ordinal: projected.last_ordinal,
            effective_ms: projected.effective_ms,
            tenant: projected.tenant.clone().unwrap_or_default(),
            parked_ms: projected.parked.as_ref().map_or(FOREVER_MS, |parked| parked.from_ms),
            plain: projected.plain,
        }
    }
}

pub type Heads = BTreeMap<Resource, Head>;

type Row = (String, i64, i64, i64, String, i64, i64);
macro_rules! columns {
    () => {
        "resource_id, sequence, last_ordinal, effective_ms, tenant_id, parked_ms, plain"
    };
}
const INTO: &str = "usage_heads (kind, resource_id, sequence, last_ordinal, effective_ms, \
                    tenant_id, parked_ms, plain)";
const COLUMNS: usize = 8;

/// Ids by kind.
pub fn by_kind<'a>(
    resources: impl IntoIterator<Item = &'a Resource>,
) -> BTreeMap<&'a str, Vec<String>> {
    let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for resource in resources {
        all.entry(&resource.kind).or_default().insert(&resource.id);
    }
    let owned = |ids: BTreeSet<&str>| ids.into_iter().map(str::to_owned).collect();
    all.into_iter().map(|(kind, ids)| (kind, owned(ids))).collect()
}

/// The tenants that have these resources now, as far as they are known; takes no lock.
pub async fn tenants(conn: &mut Conn, resources: &[&Resource]) -> Result<BTreeSet<String>> {
    let mut tenants = BTreeSet::new();
    for (kind, ids) in by_kind(resources.iter().copied()) {
        for list in lists(&ids) {
            let sql = format!(
                "SELECT DISTINCT tenant_id FROM usage_heads \
                 WHERE tenant_id <> '' AND (kind, resource_id) IN (VALUES {})",
                pairs(1, 2, list.len())
            );
            let mut query =
                sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(sql)).bind(kind.to_owned());
            for id in list {
                query = query.bind(id);
            }
            tenants.extend(query.fetch_all(&mut *conn).await?);
        }
    }
    Ok(tenants)
}

/// Whose accounts are locked before the heads of these resources, in one order for all: who has them,
/// and of what is counted whoever had it.
pub async fn lock_accounts(
    conn: &mut Conn,
    resources: &[&Resource],
    mut tenants: BTreeSet<TenantId>,
) -> Result<BTreeSet<TenantId>> {
    let mut more = self::tenants(&mut *conn, resources).await?;
    // One writer waits for nobody.
    if Db::backend_of(conn) == Backend::Postgres {
        more.extend(spans::counted_owners(&mut *conn, resources).await?);
    }
    for tenant in more {
        tenants.insert(parse(&tenant)?);
    }
    accounts::lock_known(conn, &tenants).await
}

/// Takes the heads' locks until the end of the transaction; those that are new are made.
pub async fn lock(conn: &mut Conn, resources: &[&Resource]) -> Result<Heads> {
    let ordered: BTreeSet<&Resource> = resources.iter().copied().collect();
    let head = NEW;
    let new: Vec<(&Resource, &Head)> = ordered.iter().map(|resource| (*resource, &head)).collect();
    write(conn, &new, "ON CONFLICT (kind, resource_id) DO NOTHING").await?;
    let mut heads = Heads::new();
    for (kind, ids) in by_kind(ordered) {
        for list in lists(&ids) {
            let sql = format!(
                concat!(
                    "UPDATE usage_heads SET sequence = sequence \
                     WHERE (kind, resource_id) IN (VALUES {}) RETURNING ",
                    columns!()
                ),
                pairs(1, 2, list.len())
            );
            let mut query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(kind.to_owned());
            for id in list {
                query = query.bind(id);
            }
            let rows: Vec<Row> = query.fetch_all(&mut *conn).await?;
            for (id, sequence, last_ordinal, effective_ms, tenant, parked_ms, plain) in rows {
                let plain = plain == 1;
                let head = Head { sequence, last_ordinal, effective_ms, tenant, parked_ms, plain };
                heads.insert(Resource { kind: kind.to_owned(), id }, head);
            }
        }
    }
    Ok(heads)
}

/// Writes heads that are locked.
pub async fn save(conn: &mut Conn, heads: &[(&Resource, &Head)]) -> Result<()> {
    const TAIL: &str = "ON CONFLICT (kind, resource_id) DO UPDATE SET \
        sequence = excluded.sequence, last_ordinal = excluded.last_ordinal, \
        effective_ms = excluded.effective_ms, tenant_id = excluded.tenant_id, \
        parked_ms = excluded.parked_ms, plain = excluded.plain";
    write(conn, heads, TAIL).await
}

async fn write(conn: &mut Conn, heads: &[(&Resource, &Head)], tail: &'static str) -> Result<()> {
    let cells: Vec<Cell<'_>> = heads
        .iter()
        .flat_map(|(resource, head)| -> [Cell<'_>; COLUMNS] {
            [
                (&resource.kind).into(),
                (&resource.id).into(),
                head.sequence.into(),
                head.last_ordinal.into(),
                head.effective_ms.into(),
                (&head.tenant).into(),
                head.parked_ms.into(),
                i64::from(head.plain).into(),
            ]
        })
        .collect();
    insert_rows(conn, INTO, tail, COLUMNS, &cells).await?;
    Ok(())
}
