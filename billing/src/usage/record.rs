//! Taking facts, in the transaction that records the state they tell of.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use base::{
    Error, ErrorKind, Result,
    db::{
        Conn, pairs,
        rows::{Cell, insert_rows, lists},
    },
    id::{TenantId, UsageEventId},
    time::Timestamp,
};

use super::{
    FUTURE_MAX_MS, Fact, Quality, Recorded, Resource, Span,
    fact::payload_sha256,
    heads::{self, Head, Heads},
    marks::{self, Mark},
    project::{self, Kept},
    report, settle, spans,
};
use crate::{counters, kinds::DELETED};

/// Taken at once.
pub const FACTS_MAX: usize = 1_000;

/// Takes one fact; see [`record_all`].
pub async fn record(conn: &mut Conn, now: Timestamp, fact: &Fact) -> Result<Recorded> {
    let mut done = record_all(conn, now, std::slice::from_ref(fact)).await?;
    done.pop().ok_or_else(|| Error::internal("a fact was taken without an answer"))?
}

/// Takes facts in their order, at most [`FACTS_MAX`], in the caller's transaction, which first locks
/// the accounts that they may move. After the commit the caller publishes `Topic::Money` for the
/// tenants.
///
/// The outer error is the database's. An inner one refuses that one fact, which is told as a finding,
/// and leaves the others: a `Conflict` where a known id comes with another content, `NotFound` where
/// the tenant has no account, `Invalid` where no row could hold it.
pub async fn record_all(
    conn: &mut Conn,
    now: Timestamp,
    facts: &[Fact],
) -> Result<Vec<Result<Recorded>>> {
    if facts.len() > FACTS_MAX {
        let message = format!("there are {} facts, at most {FACTS_MAX} are taken", facts.len());
        return Err(Error::invalid("facts", message));
    }
    // What no row could hold, no query could ask for.
    let checked: Vec<Result<()>> = facts.iter().map(Fact::check).collect();
    let sound = facts.iter().zip(&checked).filter(|(_, checked)| checked.is_ok());
    let sound: Vec<&Fact> = sound.map(|(fact, _)| fact).collect();
    let resources: Vec<&Resource> = sound.iter().map(|fact| &fact.resource).collect();
    let unknown = lock_accounts(&mut *conn, &sound, &resources).await?;
    // One that is refused makes no resource known.
    let kept = sound.iter().filter(|fact| !unknown.contains(&fact.tenant_id));
    let resources: Vec<&Resource> = kept.map(|fact| &fact.resource).collect();
    let heads = heads::lock(&mut *conn, &resources).await?;
    let mut batch = Batch {
        now,
        known: known(&mut *conn, &sound).await?,
        open: open(&mut *conn, &resources).await?,
        heads,
        ..Batch::default()
    };
    batch.before = batch.open.clone();
    let mut taken = Vec::with_capacity(facts.len());
    for (fact, checked) in facts.iter().zip(checked) {
        taken.push(checked.and_then(|()| match unknown.contains(&fact.tenant_id) {
            true => Err(Error::new(
                ErrorKind::NotFound,
                format!("the account of tenant {} does not exist", fact.tenant_id),
            )),
            false => batch.take(fact),
        }));
    }
    write(conn, batch, facts, taken).await
}

/// In one order for all. Returns the tenants that have no account.
async fn lock_accounts(
    conn: &mut Conn,
    facts: &[&Fact],
    resources: &[&Resource],
) -> Result<BTreeSet<TenantId>> {
    let tenants: BTreeSet<TenantId> = facts.iter().map(|fact| fact.tenant_id).collect();
    let known = heads::lock_accounts(conn, resources, tenants.clone()).await?;
    Ok(tenants.difference(&known).copied().collect())
}

/// The payloads of facts that are there, by source and its id.
type Known = HashMap<(String, String), String>;

async fn known(conn: &mut Conn, facts: &[&Fact]) -> Result<Known> {
    type Row = (String, String, String, String, String, String, String, i64, i64);
    let mut by_source: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for fact in facts {
        by_source.entry(&fact.source).or_default().insert(&fact.source_id);
    }
    let mut known = Known::new();
    for (source, ids) in by_source {
        let ids: Vec<&str> = ids.into_iter().collect();
        for list in lists(&ids) {
            let sql = format!(
                "SELECT source_id, payload_sha256, tenant_id, kind, resource_id, state, \
                 attributes, at_ms, ordinal FROM usage_facts \
                 WHERE (source, source_id) IN (VALUES {})",
                pairs(1, 2, list.len())
            );
            let mut query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(source.to_owned());
            for id in list {
                query = query.bind(id.to_owned());
            }
            let rows: Vec<Row> = query.fetch_all(&mut *conn).await?;
            for (source_id, sha256, tenant, kind, id, state, attributes, at_ms, ordinal) in rows {
                let sha256 = if sha256.is_empty() {
                    let resource = Resource { kind, id };
                    payload_sha256(&tenant, &resource, &state, &attributes, at_ms, ordinal)
                } else {
                    sha256
                };
                known.insert((source.to_owned(), source_id), sha256);
            }
        }
    }
    Ok(known)
}

async fn open(conn: &mut Conn, resources: &[&Resource]) -> Result<BTreeMap<Resource, Span>> {
    let mut open = BTreeMap::new();
    for (kind, ids) in heads::by_kind(resources.iter().copied()) {
        open.extend(spans::open_of(&mut *conn, kind, &ids).await?);
    }
    Ok(open)
}

/// A fact that is to be kept.
struct New<'a> {
    id: String,
    fact: &'a Fact,
    attributes: String,
    sha256: String,
    sequence: i64,
    quarantined: bool,
}

/// What is known under the locks, and what is to be written.
#[derive(Default)]
struct Batch<'a> {
    now: Timestamp,
    known: Known,
    heads: Heads,
    /// The span of each resource that goes on: as it was, and as it is to be.
    before: BTreeMap<Resource, Span>,
    open: BTreeMap<Resource, Span>,
    /// Closed in this batch.
    closed: Vec<(Resource, Span)>,
    new: Vec<New<'a>>,
    changed: BTreeSet<Resource>,
    /// To be projected anew.
    anew: BTreeSet<Resource>,
}

impl<'a> Batch<'a> {
    /// What becomes of the fact; where its resource is projected anew, that is said later.
    fn take(&mut self, fact: &'a Fact) -> Result<Recorded> {
        let sha256 = fact.payload_sha256();
        let key = (fact.source.clone(), fact.source_id.clone());
        match self.known.get(&key) {
            Some(known) if *known == sha256 => return Ok(Recorded::Known),
            Some(_) => {
                return Err(Error::conflict(format!(
                    "usage fact {} of {} is known with another content",
                    fact.source_id, fact.source
                )));
            }
            None => self.known.insert(key, sha256.clone()),
        };
        let head = self
            .heads
            .get_mut(&fact.resource)
            .ok_or_else(|| Error::internal("a resource's head was not locked"))?;
        head.sequence += 1;
        let sequence = head.sequence;
        self.changed.insert(fact.resource.clone());
        let quarantined = fact.at.since_ms(self.now) > FUTURE_MAX_MS;
        let new = New {
            id: UsageEventId::new().to_string(),
            attributes: fact.attributes.to_string(),
            fact,
            sha256,
            sequence,
            quarantined,
        };
        let kept = kept(&new);
        self.new.push(new);
        if quarantined {
            return Ok(Recorded::Quarantined);
        }
        let plain = head.plain
            && !self.anew.contains(&fact.resource)
            && (fact.ordinal == 0 || fact.ordinal > head.last_ordinal)
            && fact.state != DELETED
            && project::fault(&fact.resource.kind, &kept.state, &kept.attributes).is_none();
        if !plain {
            self.anew.insert(fact.resource.clone());
            return Ok(Recorded::Counted { sequence, effective_at: fact.at });
        }
        let at = head.effective_ms.max(fact.at.ms());
        head.effective_ms = at;
        head.last_ordinal = head.last_ordinal.max(fact.ordinal);
        head.tenant = kept.tenant.clone();
        self.append(&fact.resource, &kept, at);
        Ok(Recorded::Counted { sequence, effective_at: Timestamp::from_ms(at) })
    }

    fn append(&mut self, resource: &Resource, kept: &Kept, at_ms: i64) {
        let open = self.open.remove(resource);
        let steps = project::append(open, kept, at_ms, Quality::Observed);
        for span in steps.before.into_iter().chain(steps.after) {
            if span.is_open() {
                self.open.insert(resource.clone(), span);
            } else {
                self.closed.push((resource.clone(), span));
            }
        }
    }
}

fn kept(new: &New<'_>) -> Kept {
    Kept {
        id: new.id.clone(),
        sequence: new.sequence,
        ordinal: new.fact.ordinal,
        tenant: new.fact.tenant_id.to_string(),
        name: new.fact.resource_name.clone(),
        state: new.fact.state.clone(),
        attributes: new.attributes.clone(),
        at_ms: new.fact.at.ms(),
        quarantined: new.quarantined,
    }
}

async fn write(
    conn: &mut Conn,
    mut batch: Batch<'_>,
    facts: &[Fact],
    mut taken: Vec<Result<Recorded>>,
) -> Result<Vec<Result<Recorded>>> {
    insert_facts(&mut *conn, batch.now, &batch.new).await?;
    let anew = std::mem::take(&mut batch.anew);
    batch.changed.retain(|resource| !anew.contains(resource));
    write_spans(&mut *conn, &batch).await?;
    let heads: Vec<(&Resource, &Head)> =
        batch.changed.iter().filter_map(|r| batch.heads.get_key_value(r)).collect();
    heads::save(&mut *conn, &heads).await?;
    let mut settled = BTreeMap::new();
    for resource in &anew {
        let done = settle::settle(&mut *conn, batch.now, resource).await?;
        settled.insert(resource, done);
    }
    let sequences: HashMap<(&str, &str), i64> = batch
        .new
        .iter()
        .map(|new| ((new.fact.source.as_str(), new.fact.source_id.as_str()), new.sequence))
        .collect();
    for (fact, taken) in facts.iter().zip(&mut taken) {
        match taken {
            Ok(Recorded::Counted { .. }) => {
                let Some(settled) = settled.get(&fact.resource) else { continue };
                let key = (fact.source.as_str(), fact.source_id.as_str());
                let sequence = sequences.get(&key).copied().unwrap_or_default();
                *taken = Ok(settled.became(sequence));
            }
            Ok(Recorded::Quarantined) => {
                let id = batch.new.iter().find(|new| {
                    (&new.fact.source, &new.fact.source_id) == (&fact.source, &fact.source_id)
                });
                let id = id.map(|new| new.id.as_str()).unwrap_or_default();
                report::quarantined(&mut *conn, batch.now, id, fact).await?;
            }
            Ok(Recorded::Known | Recorded::Parked { .. }) => {}
            Err(error) => report::refused(&mut *conn, batch.now, fact, error).await?,
        }
    }
    Ok(taken)
}

async fn insert_facts(conn: &mut Conn, now: Timestamp, new: &[New<'_>]) -> Result<()> {
    const INTO: &str = "usage_facts (id, source, source_id, payload_sha256, tenant_id, kind, \
        resource_id, resource_name, state, attributes, at_ms, recorded_ms, ordinal, sequence, \
        quarantined)";
    let tenants: Vec<String> = new.iter().map(|new| new.fact.tenant_id.to_string()).collect();
    let cells: Vec<Cell<'_>> = new
        .iter()
        .zip(&tenants)
        .flat_map(|(new, tenant)| -> [Cell<'_>; 15] {
            [
                (&new.id).into(),
                (&new.fact.source).into(),
                (&new.fact.source_id).into(),
                (&new.sha256).into(),
                tenant.into(),
                (&new.fact.resource.kind).into(),
                (&new.fact.resource.id).into(),
                (&new.fact.resource_name).into(),
                (&new.fact.state).into(),
                (&new.attributes).into(),
                new.fact.at.ms().into(),
                now.ms().into(),
                new.fact.ordinal.into(),
                new.sequence.into(),
                i64::from(new.quarantined).into(),
            ]
        })
        .collect();
    insert_rows(conn, INTO, "", 15, &cells).await?;
    Ok(())
}

/// The spans of resources whose facts came in order, and what rating is to look at.
async fn write_spans(conn: &mut Conn, batch: &Batch<'_>) -> Result<()> {
    let (mut rows, mut gone, mut marks): (Vec<(&Resource, &Span)>, Vec<&Resource>, Vec<Mark>) =
        Default::default();
    let new: BTreeSet<&Resource> =
        batch.new.iter().filter(|new| new.sequence == 1).map(|new| &new.fact.resource).collect();
    let mut moved: Vec<(&Resource, i64)> = Vec::new();
    let mut closed: BTreeMap<&Resource, Vec<&Span>> = BTreeMap::new();
    for (resource, span) in &batch.closed {
        closed.entry(resource).or_default().push(span);
    }
    for resource in &batch.changed {
        let before = batch.before.get(resource);
        let after: Vec<&Span> = closed
            .get(resource)
            .into_iter()
            .flatten()
            .copied()
            .chain(batch.open.get(resource))
            .collect();
        if before.is_some() && before == after.first().copied() && after.len() == 1 {
            continue;
        }
        gone.extend(before.map(|_| resource));
        rows.extend(after.iter().map(|span| (resource, *span)));
        // One that was away may be somebody else's now.
        if !new.contains(resource) {
            let others = after.iter().filter(|span| before.is_none_or(|b| b.tenant != span.tenant));
            moved.extend(others.map(|span| (resource, span.from_ms)).min());
        }
        let sequence = batch.heads.get(resource).map_or(0, |head| head.sequence);
        let before: Vec<Span> = before.into_iter().cloned().collect();
        let after: Vec<Span> = after.into_iter().cloned().collect();
        marks.extend(marks::of(resource, sequence, &before, &after));
    }
    for (kind, ids) in heads::by_kind(gone) {
        spans::delete_open(&mut *conn, kind, &ids).await?;
    }
    spans::insert(&mut *conn, &rows).await?;
    marks::write(&mut *conn, &marks).await?;
    for (resource, from) in moved {
        counters::moved(&mut *conn, batch.now, resource, from).await?;
    }
    Ok(())
}
