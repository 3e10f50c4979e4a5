//! All spans made again from the facts, to compare them with those that are there, or to write them.

use std::collections::BTreeSet;

use base::{
    Result,
    db::{Conn, Db},
    time::Timestamp,
};

use super::{Resource, Span, heads, settle, sources, spans};

/// Told of one run; more would help nobody.
pub const DIFFERENCES_MAX: usize = 1_000;
/// Looked at in one transaction.
const RESOURCES_A_PAGE: i64 = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Only looks.
    Check,
    /// Writes what differs, and has it rated again.
    Write,
}

/// A resource whose spans are not those that follow from its facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub resource: Resource,
    /// The first that differs, as it is and as it should be; none: there is or should be none.
    pub is: Option<Span>,
    pub should: Option<Span>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |span: &Option<Span>| match span {
            None => "nothing".to_owned(),
            Some(span) => {
                let to = match span.is_open() {
                    true => "on".to_owned(),
                    false => format!("to {}", Timestamp::from_ms(span.to_ms)),
                };
                format!(
                    "{} of tenant {} from {} {to} ({}, {})",
                    span.state,
                    span.tenant,
                    Timestamp::from_ms(span.from_ms),
                    span.attributes,
                    span.quality.as_str(),
                )
            }
        };
        write!(f, "{}: it is {}, but by its facts ", self.resource, shown(&self.is))?;
        write!(f, "{}", shown(&self.should))
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    pub resources: u64,
    pub facts: u64,
    pub spans: u64,
    /// How many resources differ, and the first [`DIFFERENCES_MAX`] of them.
    pub differing: u64,
    pub differences: Vec<Difference>,
}

/// Makes the spans of all resources again. Facts may come meanwhile: each resource is looked at under
/// its lock.
pub async fn rebuild(db: &Db, now: Timestamp, mode: Mode) -> Result<Rebuilt> {
    let mut done = Rebuilt::default();
    let mut after = Resource { kind: String::new(), id: String::new() };
    loop {
        let mut tx = db.begin_write().await?;
        let page = page(&mut tx, &after).await?;
        let Some(last) = page.last() else { break };
        after = last.clone();
        if mode == Mode::Write {
            lock_accounts(&mut tx, &page).await?;
        }
        for resource in &page {
            one(&mut tx, now, mode, resource, &mut done).await?;
        }
        match mode {
            Mode::Check => tx.rollback().await?,
            Mode::Write => tx.commit().await?,
        }
    }
    Ok(done)
}

async fn page(conn: &mut Conn, after: &Resource) -> Result<Vec<Resource>> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT kind, resource_id FROM usage_heads \
         WHERE kind > $1 OR (kind = $1 AND resource_id > $2) \
         ORDER BY kind, resource_id LIMIT $3",
    )
    .bind(&after.kind)
    .bind(&after.id)
    .bind(RESOURCES_A_PAGE)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(kind, id)| Resource { kind, id }).collect())
}

/// Accounts come before heads, for all that take both.
async fn lock_accounts(conn: &mut Conn, resources: &[Resource]) -> Result<()> {
    let resources: Vec<&Resource> = resources.iter().collect();
    heads::lock_accounts(conn, &resources, BTreeSet::new()).await.map(|_| ())
}

async fn one(
    conn: &mut Conn,
    now: Timestamp,
    mode: Mode,
    resource: &Resource,
    done: &mut Rebuilt,
) -> Result<()> {
    heads::lock(&mut *conn, &[resource]).await?;
    let is = spans::of_resource(&mut *conn, resource).await?;
    let (_, projected) = sources::projected(&mut *conn, resource).await?;
    let should = &projected.spans;
    done.resources += 1;
    done.facts += projected.counted.len() as u64;
    done.spans += should.len() as u64;
    if is == *should {
        return Ok(());
    }
    done.differing += 1;
    if done.differences.len() < DIFFERENCES_MAX {
        let same = is.iter().zip(should).take_while(|(is, should)| is == should).count();
        done.differences.push(Difference {
            resource: resource.clone(),
            is: is.get(same).cloned(),
            should: should.get(same).cloned(),
        });
    }
    if mode == Mode::Write {
        settle::settle(conn, now, resource).await?;
    }
    Ok(())
}
