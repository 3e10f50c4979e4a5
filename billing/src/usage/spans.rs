//! Spans as rows. [`of_tenant`] is what rating and forecasts read.

use std::collections::{BTreeMap, BTreeSet};

use base::{
    Error, Result,
    db::{
        Conn, pairs,
        rows::{Cell, insert_rows, lists},
        select::Select,
    },
    id::TenantId,
    time::Timestamp,
};

use super::{Resource, heads::by_kind, project::FOREVER_MS};

/// A stretch of a resource's time in which it was one thing and one tenant's, half-open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The sequence of the fact that opened it.
    pub opened: i64,
    pub from_ms: i64,
    /// [`FOREVER_MS`]: it goes on.
    pub to_ms: i64,
    pub tenant: String,
    /// As it was called by the fact that opened it.
    pub name: String,
    pub state: String,
    /// As written: [`crate::kinds::Attributes`].
    pub attributes: String,
    /// In a gap: what it was seen to be after it, where that is another shape; empty otherwise.
    pub alternative: String,
    pub quality: Quality,
}

/// All of it, in millionths.
pub const WHOLE_PPM: i64 = 1_000_000;

/// How well it is known what was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quality {
    /// Facts say so.
    Observed,
    /// Facts of it were lost.
    Estimated,
    /// Somebody said so.
    Corrected,
}

impl Quality {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Observed => "observed",
            Self::Estimated => "estimated",
            Self::Corrected => "corrected",
        }
    }

    /// Of a stretch that is known so well all along, in millionths.
    pub fn coverage_ppm(self) -> i64 {
        if self == Self::Estimated { 0 } else { WHOLE_PPM }
    }
}

impl std::str::FromStr for Quality {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "observed" => Ok(Self::Observed),
            "estimated" => Ok(Self::Estimated),
            "corrected" => Ok(Self::Corrected),
            other => Err(Error::internal(format!("'{other}' is not a quality"))),
        }
    }
}

impl Span {
    pub fn is_open(&self) -> bool {
        self.to_ms == FOREVER_MS
    }
}

type Row = (String, String, i64, i64, i64, String, String, String, String, String, String);
macro_rules! columns {
    () => {
        "kind, resource_id, opened, from_ms, to_ms, tenant_id, resource_name, state, attributes, \
         alternative, quality"
    };
}
const INTO: &str = concat!("usage_spans (", columns!(), ")");
const COLUMNS: usize = 11;

fn from_row(row: Row) -> Result<(Resource, Span)> {
    let (kind, id, opened, from_ms, to_ms, tenant, name, state, attributes, alternative, quality) =
        row;
    let quality = quality.parse()?;
    let span =
        Span { opened, from_ms, to_ms, tenant, name, state, attributes, alternative, quality };
    Ok((Resource { kind, id }, span))
}

/// The tenant's spans that reach beyond `from`, by resource and time. The one place from which
/// rating learns what was used.
pub async fn of_tenant(
    conn: &mut Conn,
    tenant: TenantId,
    from: Timestamp,
) -> Result<Vec<(Resource, Span)>> {
    const SPANS: Select<'_> = Select {
        columns: columns!(),
        from: "usage_spans WHERE tenant_id = $1 AND to_ms > $2",
        order: "kind, resource_id, from_ms",
    };
    let tenant = tenant.to_string();
    let rows: Vec<Row> = SPANS.all(conn, &[(&tenant).into(), from.ms().into()]).await?;
    rows.into_iter().map(from_row).collect()
}

/// The tenant's last span of a resource that begins at `at` or before.
pub async fn last_of(
    conn: &mut Conn,
    tenant: TenantId,
    resource: &Resource,
    at: Timestamp,
) -> Result<Option<Span>> {
    let row: Option<Row> = sqlx::query_as(concat!(
        "SELECT ",
        columns!(),
        " FROM usage_spans WHERE kind = $1 AND resource_id = $2 AND tenant_id = $3 \
         AND from_ms <= $4 ORDER BY from_ms DESC LIMIT 1"
    ))
    .bind(&resource.kind)
    .bind(&resource.id)
    .bind(tenant.to_string())
    .bind(at.ms())
    .fetch_optional(conn)
    .await?;
    row.map(|row| Ok(from_row(row)?.1)).transpose()
}

/// All of a resource's, in order of time.
pub async fn of_resource(conn: &mut Conn, resource: &Resource) -> Result<Vec<Span>> {
    let rows: Vec<Row> = sqlx::query_as(concat!(
        "SELECT ",
        columns!(),
        " FROM usage_spans WHERE kind = $1 AND resource_id = $2 ORDER BY from_ms"
    ))
    .bind(&resource.kind)
    .bind(&resource.id)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(|row| Ok(from_row(row)?.1)).collect()
}

/// Those of these resources that go on. All of one kind.
pub(super) async fn open_of(
    conn: &mut Conn,
    kind: &str,
    ids: &[String],
) -> Result<BTreeMap<Resource, Span>> {
    let mut all = BTreeMap::new();
    for list in lists(ids) {
        let sql = format!(
            concat!(
                "SELECT ",
                columns!(),
                " FROM usage_spans WHERE to_ms = $2 AND (kind, resource_id) IN (VALUES {})"
            ),
            pairs(1, 3, list.len())
        );
        let mut query =
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(kind.to_owned()).bind(FOREVER_MS);
        for id in list {
            query = query.bind(id);
        }
        let rows: Vec<Row> = query.fetch_all(&mut *conn).await?;
        for row in rows {
            let (resource, span) = from_row(row)?;
            all.insert(resource, span);
        }
    }
    Ok(all)
}

/// Takes out those of these resources that go on. All of one kind.
pub(super) async fn delete_open(conn: &mut Conn, kind: &str, ids: &[String]) -> Result<()> {
    for list in lists(ids) {
        let sql = format!(
            "DELETE FROM usage_spans WHERE to_ms = $2 AND (kind, resource_id) IN (VALUES {})",
            pairs(1, 3, list.len())
        );
        let mut query =
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(kind.to_owned()).bind(FOREVER_MS);
        for id in list {
            query = query.bind(id);
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

/// Takes out a resource's spans that begin at `from_ms` or later.
pub(super) async fn delete_from(conn: &mut Conn, resource: &Resource, from_ms: i64) -> Result<()> {
    sqlx::query("DELETE FROM usage_spans WHERE kind = $1 AND resource_id = $2 AND from_ms >= $3")
        .bind(&resource.kind)
        .bind(&resource.id)
        .bind(from_ms)
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn insert(conn: &mut Conn, spans: &[(&Resource, &Span)]) -> Result<()> {
    let cells: Vec<Cell<'_>> = spans
        .iter()
        .flat_map(|(resource, span)| -> [Cell<'_>; COLUMNS] {
            [
                (&resource.kind).into(),
                (&resource.id).into(),
                span.opened.into(),
                span.from_ms.into(),
                span.to_ms.into(),
                (&span.tenant).into(),
                (&span.name).into(),
                (&span.state).into(),
                (&span.attributes).into(),
                (&span.alternative).into(),
                span.quality.as_str().into(),
            ]
        })
        .collect();
    insert_rows(conn, INTO, "", COLUMNS, &cells).await?;
    Ok(())
}

/// Whoever had one of these resources that readings are kept of: their counted use can change with its
/// owners.
pub async fn counted_owners(conn: &mut Conn, resources: &[&Resource]) -> Result<BTreeSet<String>> {
    let mut owners = BTreeSet::new();
    for (kind, ids) in by_kind(resources.iter().copied()) {
        for list in lists(&ids) {
            let sql = format!(
                "SELECT DISTINCT s.tenant_id FROM usage_spans s \
                 WHERE (s.kind, s.resource_id) IN (VALUES {}) \
                 AND EXISTS (SELECT 1 FROM counter_series c \
                   WHERE c.kind = s.kind AND c.resource_id = s.resource_id)",
                pairs(1, 2, list.len())
            );
            let mut query =
                sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(sql)).bind(kind.to_owned());
            for id in list {
                query = query.bind(id);
            }
            owners.extend(query.fetch_all(&mut *conn).await?);
        }
    }
    Ok(owners)
}
