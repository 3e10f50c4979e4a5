//! All spans and heads made again from the facts, to compare them with those that are there, or to
//! write them.

use std::collections::BTreeSet;

use base::{
    Result,
    db::{Conn, Db},
    time::Timestamp,
};

use super::{
    Resource, Span,
    heads::{self, Head},
    project::FOREVER_MS,
    settle, sources, spans,
};

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

/// A resource whose spans are not those that follow from its facts, or which stands elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub resource: Resource,
    /// The first span that differs, or where all are right its head, in words: as it is and as it
    /// should be.
    pub is: String,
    pub should: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { resource, is, should } = self;
        write!(f, "{resource}: it is {is}, but by its facts {should}")
    }
}

fn span_shown(span: Option<&Span>) -> String {
    let Some(span) = span else { return "nothing".to_owned() };
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

fn head_shown(head: &Head) -> String {
    let instant = |ms: i64| match ms {
        i64::MIN | FOREVER_MS => "never".to_owned(),
        ms => Timestamp::from_ms(ms).to_string(),
    };
    let after = if head.plain { "put behind it" } else { "projected anew" };
    format!(
        "at fact {} (ordinal {}, tenant {}) since {}, parked {}, the next one is {after}",
        head.sequence,
        head.last_ordinal,
        head.tenant,
        instant(head.effective_ms),
        instant(head.parked_ms),
    )
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

/// Makes the spans of all resources again, and compares where their facts stand. Facts may come meanwhile: each resource is looked at under
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

/// Of each table the next ones, by its index: what a hand took out of one is found in the others.
async fn page(conn: &mut Conn, after: &Resource) -> Result<Vec<Resource>> {
    macro_rules! next_of {
        ($table:literal) => {
            concat!(
                "SELECT * FROM (SELECT DISTINCT kind, resource_id FROM ",
                $table,
                " WHERE (kind, resource_id) > ($1, $2) ORDER BY kind, resource_id LIMIT $3) ",
                $table
            )
        };
    }
    let rows: Vec<(String, String)> = sqlx::query_as(concat!(
        next_of!("usage_heads"),
        " UNION ",
        next_of!("usage_facts"),
        " UNION ",
        next_of!("usage_spans"),
        " ORDER BY kind, resource_id LIMIT $3"
    ))
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
    let head = heads::lock(&mut *conn, &[resource]).await?.remove(resource);
    let is = spans::of_resource(&mut *conn, resource).await?;
    let (sequence, projected) = sources::projected(&mut *conn, resource).await?;
    let (should, should_head) = (&projected.spans, Head::of(sequence, &projected));
    done.resources += 1;
    done.facts += projected.counted.len() as u64;
    done.spans += should.len() as u64;
    let (is, should) = if is != *should {
        let same = is.iter().zip(should).take_while(|(is, should)| is == should).count();
        (span_shown(is.get(same)), span_shown(should.get(same)))
    } else if let Some(head) = head.filter(|head| *head != should_head) {
        (head_shown(&head), head_shown(&should_head))
    } else {
        return Ok(());
    };
    done.differing += 1;
    if done.differences.len() < DIFFERENCES_MAX {
        done.differences.push(Difference { resource: resource.clone(), is, should });
    }
    if mode == Mode::Write {
        settle::settle(conn, now, resource).await?;
    }
    Ok(())
}
