//! Events become intervals: what goes on as it was stays open, the rest is closed and opened anew.
//!
//! [`steps`] decides, and is pure; [`apply`] does it in SQL.

use base::{Result, db::Conn, time::Timestamp};

use crate::meter::Component;

/// A counted event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub sequence: i64,
    pub tenant: String,
    pub name: String,
    /// What runs from `at` on.
    pub components: Vec<Component>,
    pub at: Timestamp,
}

/// An interval without an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    pub tenant: String,
    pub component: Component,
    /// The sequence of the event that opened it.
    pub opened: i64,
    pub from: Timestamp,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Steps<'a> {
    pub close: Vec<&'a Open>,
    pub open: Vec<&'a Component>,
}

pub fn steps<'a>(open: &'a [Open], fact: &'a Fact) -> Steps<'a> {
    let goes_on = |o: &Open| o.tenant == fact.tenant && fact.components.contains(&o.component);
    Steps {
        close: open.iter().filter(|o| !goes_on(o)).collect(),
        open: fact
            .components
            .iter()
            .filter(|c| !open.iter().any(|o| goes_on(o) && o.component == **c))
            .collect(),
    }
}

/// Brings a resource's intervals up to the fact. The resource's stream is locked.
pub(super) async fn apply(conn: &mut Conn, kind: &str, id: &str, fact: &Fact) -> Result<()> {
    let rows: Vec<(String, String, i64, i64, i64)> = sqlx::query_as(
        "SELECT tenant_id, meter, quantity, opened, from_ms FROM usage_intervals \
         WHERE resource_kind = $1 AND resource_id = $2 AND to_ms IS NULL ORDER BY meter, opened",
    )
    .bind(kind)
    .bind(id)
    .fetch_all(&mut *conn)
    .await?;
    let open: Vec<Open> = rows
        .into_iter()
        .map(|(tenant, meter, quantity, opened, from)| Open {
            tenant,
            component: Component { meter, quantity },
            opened,
            from: Timestamp::from_ms(from),
        })
        .collect();
    let steps = steps(&open, fact);
    for interval in steps.close {
        close(conn, kind, id, interval, fact.at).await?;
    }
    for component in steps.open {
        sqlx::query(
            "INSERT INTO usage_intervals (resource_kind, resource_id, meter, opened, tenant_id, \
             resource_name, quantity, from_ms, to_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL)",
        )
        .bind(kind)
        .bind(id)
        .bind(&component.meter)
        .bind(fact.sequence)
        .bind(&fact.tenant)
        .bind(&fact.name)
        .bind(component.quantity)
        .bind(fact.at.ms())
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// An interval that ends where it began never was.
async fn close(conn: &mut Conn, kind: &str, id: &str, open: &Open, at: Timestamp) -> Result<()> {
    let empty = open.from == at;
    let text = if empty {
        "DELETE FROM usage_intervals \
         WHERE resource_kind = $1 AND resource_id = $2 AND meter = $3 AND opened = $4 \
           AND from_ms = $5"
    } else {
        "UPDATE usage_intervals SET to_ms = $5 \
         WHERE resource_kind = $1 AND resource_id = $2 AND meter = $3 AND opened = $4"
    };
    sqlx::query(text)
        .bind(kind)
        .bind(id)
        .bind(&open.component.meter)
        .bind(open.opened)
        .bind(at.ms())
        .execute(conn)
        .await?;
    Ok(())
}
