//! What a resource's spans follow from: its facts, and what was decided about them.

use std::collections::HashMap;

use base::{
    Error, Result,
    db::{Conn, pairs, rows::lists},
};

use super::{
    Resource, lost,
    project::{self, Kept, Projected, Ruling},
};
use crate::kinds::Attributes;

/// Its facts in order of arrival.
pub async fn facts(conn: &mut Conn, resource: &Resource) -> Result<Vec<Kept>> {
    type Row = (String, i64, i64, String, String, String, String, i64, i64);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, sequence, ordinal, tenant_id, resource_name, state, attributes, at_ms, \
         quarantined FROM usage_facts WHERE kind = $1 AND resource_id = $2 ORDER BY sequence",
    )
    .bind(&resource.kind)
    .bind(&resource.id)
    .fetch_all(conn)
    .await?;
    let kept = |row: Row| {
        let (id, sequence, ordinal, tenant, name, state, attributes, at_ms, quarantined) = row;
        let quarantined = quarantined == 1;
        Kept { id, sequence, ordinal, tenant, name, state, attributes, at_ms, quarantined }
    };
    Ok(rows.into_iter().map(kept).collect())
}

pub async fn rulings(conn: &mut Conn, resource: &Resource) -> Result<HashMap<String, Ruling>> {
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT r.fact_id, r.ruling, r.at_as_ms FROM usage_rulings r \
         JOIN usage_facts f ON f.id = r.fact_id WHERE f.kind = $1 AND f.resource_id = $2",
    )
    .bind(&resource.kind)
    .bind(&resource.id)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(fact, ruling, as_ms)| match ruling.as_str() {
            "take" => Ok((fact, Ruling::Take { as_ms })),
            "drop" => Ok((fact, Ruling::Drop)),
            other => Err(Error::internal(format!("'{other}' is not a ruling"))),
        })
        .collect()
}

/// The state that its last fact tells, whatever is thought of the fact's instant; none before the first
/// one.
pub async fn last_state(conn: &mut Conn, resource: &Resource) -> Result<Option<String>> {
    let state = sqlx::query_scalar(
        "SELECT f.state FROM usage_facts f LEFT JOIN usage_rulings r ON r.fact_id = f.id \
         WHERE f.kind = $1 AND f.resource_id = $2 AND (r.ruling IS NULL OR r.ruling <> 'drop') \
         ORDER BY f.sequence DESC LIMIT 1",
    )
    .bind(&resource.kind)
    .bind(&resource.id)
    .fetch_optional(conn)
    .await?;
    Ok(state)
}

/// What those of a source's facts that are known said of their resources, by the source's ids.
pub async fn attributes_told(
    conn: &mut Conn,
    source: &str,
    ids: &[String],
) -> Result<HashMap<String, Attributes>> {
    let mut told = HashMap::new();
    for list in lists(ids) {
        let sql = format!(
            "SELECT source_id, attributes FROM usage_facts \
             WHERE (source, source_id) IN (VALUES {})",
            pairs(1, 2, list.len())
        );
        let mut query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(source.to_owned());
        for id in list {
            query = query.bind(id);
        }
        let rows: Vec<(String, String)> = query.fetch_all(&mut *conn).await?;
        for (id, attributes) in rows {
            told.insert(id, Attributes::parse(&attributes)?);
        }
    }
    Ok(told)
}

/// Its projection, and the last sequence that was allotted.
pub async fn projected(conn: &mut Conn, resource: &Resource) -> Result<(i64, Projected)> {
    let facts = facts(&mut *conn, resource).await?;
    let rulings = rulings(&mut *conn, resource).await?;
    let gaps = lost::of_resource(conn, resource).await?;
    let last = facts.last().map_or(0, |fact| fact.sequence);
    Ok((last, project::project(&resource.kind, &facts, &rulings, &gaps)))
}
