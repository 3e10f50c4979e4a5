//! Which price version is in force for a tenant, and when: books' versions and the tenant's
//! assignments to books, flattened into one line of spans.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use base::{
    Result,
    db::Conn,
    id::{PriceVersionId, TenantId},
    money::Nanos,
    time::Timestamp,
};

use super::PriceVersion;
use crate::meter;

/// From `from` to the next span's.
#[derive(Debug, Clone)]
struct Span {
    from: Timestamp,
    version: Option<Arc<Version>>,
}

#[derive(Debug)]
struct Version {
    id: PriceVersionId,
    prices: HashMap<String, Nanos>,
}

/// Before its first span nothing is priced.
#[derive(Debug, Clone, Default)]
pub struct Timeline(Vec<Span>);

/// The book that prices from `from` on.
#[derive(Debug, Clone)]
pub struct Assignment {
    pub from: Timestamp,
    pub book: String,
}

impl Timeline {
    /// `assignments` in the order they were made; `books` by id, versions in order of number. Of
    /// what begins at one instant, the later made wins.
    pub fn new(assignments: &[Assignment], books: &HashMap<String, Vec<PriceVersion>>) -> Self {
        let versions: BTreeMap<PriceVersionId, Arc<Version>> =
            books.values().flatten().map(|v| (v.id, Arc::new(compiled(v)))).collect();
        let starts: BTreeSet<Timestamp> = assignments
            .iter()
            .map(|a| a.from)
            .chain(books.values().flatten().map(|v| v.effective_at))
            .collect();
        let in_force = |at: Timestamp| {
            let assignment = assignments.iter().filter(|a| a.from <= at).max_by_key(|a| a.from)?;
            let version = books
                .get(&assignment.book)?
                .iter()
                .filter(|v| v.effective_at <= at)
                .max_by_key(|v| v.effective_at)?;
            versions.get(&version.id).cloned()
        };
        let mut spans: Vec<Span> = Vec::new();
        for from in starts {
            let version = in_force(from);
            let same = spans.last().map(|s| s.version.as_ref().map(|v| v.id))
                == Some(version.as_ref().map(|v| v.id));
            if !same {
                spans.push(Span { from, version });
            }
        }
        Self(spans)
    }

    /// The version in force, and the meter's price in it; none where it is free.
    pub fn price(&self, meter: &str, at: Timestamp) -> Option<(PriceVersionId, Nanos)> {
        let after = self.0.partition_point(|span| span.from <= at);
        let version = self.0[..after].last()?.version.as_ref()?;
        let price = version.prices.get(meter).copied().or_else(|| {
            meter::fallback(meter).and_then(|other| version.prices.get(&other).copied())
        })?;
        Some((version.id, price))
    }

    /// The next change of prices after `at`.
    pub fn next_change(&self, at: Timestamp) -> Option<Timestamp> {
        self.0.get(self.0.partition_point(|span| span.from <= at)).map(|span| span.from)
    }
}

fn compiled(version: &PriceVersion) -> Version {
    let prices = version.prices.iter().map(|p| (p.meter.clone(), p.unit_price)).collect();
    Version { id: version.id, prices }
}

/// The tenant's timeline, as SQL has it now.
pub(crate) async fn load(conn: &mut Conn, tenant: TenantId) -> Result<Timeline> {
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "SELECT effective_ms, book_id FROM price_assignments WHERE tenant_id = $1 ORDER BY number",
    )
    .bind(tenant.to_string())
    .fetch_all(&mut *conn)
    .await?;
    let mut books = HashMap::new();
    let mut assignments = Vec::with_capacity(rows.len());
    for (from, book) in rows {
        if !books.contains_key(&book) {
            books.insert(book.clone(), super::versions(conn, &book).await?);
        }
        assignments.push(Assignment { from: Timestamp::from_ms(from), book });
    }
    Ok(Timeline::new(&assignments, &books))
}
