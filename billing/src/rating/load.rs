//! Reading what rating and forecasting work on: a tenant's resources with their intervals, prices,
//! and what is posted.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use base::{Result, db::Conn, id::TenantId, money::Micros, money::Nanos, time::Timestamp};

use super::plan::{Interval, Key, Piece};
use crate::{
    accounts::Account,
    calendar::Month,
    kinds::Attributes,
    meter,
    prices::{self, timeline::Timeline},
    sql::parse,
    usage::{Span, spans},
};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId {
    pub kind: String,
    pub id: String,
}

/// One resource that is in use, or was changed since it was rated.
#[derive(Debug)]
pub struct Resource {
    pub id: ResourceId,
    /// Where the last rating ended.
    pub rated: Timestamp,
    pub dirty: Option<Timestamp>,
    pub sequence: i64,
    /// When the last event counted.
    pub changed: Timestamp,
    /// Those that reach into the months that are looked at.
    pub intervals: Vec<Interval>,
    /// What is posted of these months.
    pub totals: BTreeMap<Key, Micros>,
    pub parked: BTreeSet<Key>,
}

impl Resource {
    /// The first instant that has to be looked at: the beginning of a month, since that is where
    /// rounding begins.
    pub fn first(&self, account: &Account) -> Timestamp {
        let from = self.dirty.map_or(self.rated, |dirty| dirty.min(self.rated));
        Month::of(from, account.timezone).start(account.timezone)
    }

    /// Its pieces up to `until`, without those of parked keys.
    pub fn pieces(&self, usage: &Usage, account: &Account, until: Timestamp) -> Vec<Piece> {
        let from = self.first(account);
        let mut pieces =
            super::plan::pieces(&self.intervals, &usage.prices, account.timezone, from, until);
        pieces.retain(|piece| !self.parked.contains(&piece.key));
        pieces
    }
}

#[derive(Debug)]
pub struct Usage {
    pub resources: Vec<Resource>,
    pub prices: Timeline,
}

/// The rows of `rating_resources` are read before the intervals: an event in between is seen by
/// the next reading, which its mark survives.
pub(crate) async fn load(conn: &mut Conn, account: &Account) -> Result<Usage> {
    let tenant = account.tenant_id;
    let mut resources = resources(conn, tenant).await?;
    let prices = prices::load::timeline(conn, tenant).await?;
    let Some(first) = resources.iter().map(|r| r.first(account)).min() else {
        return Ok(Usage { resources, prices });
    };
    let mut intervals = intervals(conn, tenant, first, &prices).await?;
    let month = Month::of(first, account.timezone).to_string();
    let mut totals = totals(conn, tenant, &month).await?;
    let mut parked = parked(conn, tenant).await?;
    for resource in &mut resources {
        resource.intervals = intervals.remove(&resource.id).unwrap_or_default();
        resource.totals = totals.remove(&resource.id).unwrap_or_default();
        resource.parked = parked.remove(&resource.id).unwrap_or_default();
    }
    Ok(Usage { resources, prices })
}

async fn resources(conn: &mut Conn, tenant: TenantId) -> Result<Vec<Resource>> {
    type Row = (String, String, i64, Option<i64>, i64, i64);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT resource_kind, resource_id, rated_ms, dirty_ms, sequence, changed_ms \
         FROM rating_resources \
         WHERE tenant_id = $1 AND (dirty_ms IS NOT NULL OR ends_ms IS NULL OR ends_ms > rated_ms) \
         ORDER BY resource_kind, resource_id",
    )
    .bind(tenant.to_string())
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(kind, id, rated, dirty, sequence, changed)| Resource {
            id: ResourceId { kind, id },
            rated: Timestamp::from_ms(rated),
            dirty: dirty.map(Timestamp::from_ms),
            sequence,
            changed: Timestamp::from_ms(changed),
            intervals: Vec::new(),
            totals: BTreeMap::new(),
            parked: BTreeSet::new(),
        })
        .collect())
}

/// What the tenant's resources used from then on, by what rating reads of usage: its spans.
async fn intervals(
    conn: &mut Conn,
    tenant: TenantId,
    from: Timestamp,
    prices: &Timeline,
) -> Result<HashMap<ResourceId, Vec<Interval>>> {
    let mut all: HashMap<ResourceId, Vec<Interval>> = HashMap::new();
    for (resource, span) in spans::of_tenant(conn, tenant, from).await? {
        let id = ResourceId { kind: resource.kind, id: resource.id };
        for (from, to, meters) in uses(&id.kind, &span, prices)? {
            let intervals = all.entry(id.clone()).or_default();
            for (meter, quantity) in meters {
                // A meter runs on through changes that don't concern it.
                let same = |i: &&mut Interval| {
                    (&i.meter, i.quantity, i.to) == (&meter, quantity, Some(from))
                };
                match intervals.iter_mut().find(same) {
                    Some(interval) => interval.to = to,
                    None => {
                        let name = span.name.clone();
                        intervals.push(Interval { meter, name, quantity, from, to });
                    }
                }
            }
        }
    }
    for intervals in all.values_mut() {
        intervals.sort_by(|a, b| (a.from, &a.meter).cmp(&(b.from, &b.meter)));
    }
    Ok(all)
}

type Uses = Vec<(Timestamp, Option<Timestamp>, Vec<(String, i64)>)>;

/// The meters of a span and their time; in a gap of one of two shapes, of the cheaper one, which may
/// be another after a change of price.
fn uses(kind: &str, span: &Span, prices: &Timeline) -> Result<Uses> {
    let ms = Timestamp::from_ms;
    let to = (!span.is_open()).then(|| ms(span.to_ms));
    let meters = meter::of_span(kind, &span.state, &Attributes::parse(&span.attributes)?);
    let Some((state, attributes)) = span.other()? else {
        return Ok(vec![(ms(span.from_ms), to, meters)]);
    };
    let other = meter::of_span(kind, &state, &attributes);
    let burn = |meters: &[(String, i64)], at| {
        let price = |(meter, quantity): &(String, i64)| {
            prices.price(meter, at).map_or(0, |(_, nanos)| i128::from(nanos.0))
                * i128::from(*quantity)
        };
        meters.iter().map(price).sum::<i128>()
    };
    let (mut uses, mut from) = (Uses::new(), ms(span.from_ms));
    while from < ms(span.to_ms) {
        let stop = prices.next_change(from).map_or(ms(span.to_ms), |at| at.min(ms(span.to_ms)));
        let cheaper = if burn(&other, from) < burn(&meters, from) { &other } else { &meters };
        uses.push((from, (stop != ms(i64::MAX)).then_some(stop), cheaper.clone()));
        from = stop;
    }
    Ok(uses)
}

async fn totals(
    conn: &mut Conn,
    tenant: TenantId,
    month: &str,
) -> Result<HashMap<ResourceId, BTreeMap<Key, Micros>>> {
    type Row = (String, String, String, String, String, i64);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT resource_kind, resource_id, meter, price_version_id, month, amount_micros \
         FROM rated_totals WHERE tenant_id = $1 AND month >= $2",
    )
    .bind(tenant.to_string())
    .bind(month)
    .fetch_all(conn)
    .await?;
    let mut all: HashMap<ResourceId, BTreeMap<Key, Micros>> = HashMap::new();
    for (kind, id, meter, version, month, amount) in rows {
        let key = Key { meter, version: parse(&version)?, month };
        all.entry(ResourceId { kind, id }).or_default().insert(key, Micros(amount));
    }
    Ok(all)
}

async fn parked(conn: &mut Conn, tenant: TenantId) -> Result<HashMap<ResourceId, BTreeSet<Key>>> {
    let rows: Vec<(String, String, String, String, String)> = sqlx::query_as(
        "SELECT resource_kind, resource_id, meter, price_version_id, month FROM parked_lines \
         WHERE tenant_id = $1",
    )
    .bind(tenant.to_string())
    .fetch_all(conn)
    .await?;
    let mut all: HashMap<ResourceId, BTreeSet<Key>> = HashMap::new();
    for (kind, id, meter, version, month) in rows {
        let key = Key { meter, version: parse(&version)?, month };
        all.entry(ResourceId { kind, id }).or_default().insert(key);
    }
    Ok(all)
}

/// The lines that were posted for a resource from `month` on, as pieces.
pub(crate) async fn posted_lines(
    conn: &mut Conn,
    tenant: TenantId,
    resource: &ResourceId,
    month: &str,
) -> Result<Vec<Piece>> {
    type Row = (String, String, String, String, i64, i64, i64, i64);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT meter, price_version_id, month, resource_name, unit_price_nanos, quantity, \
         from_ms, to_ms FROM rated_lines \
         WHERE tenant_id = $1 AND resource_kind = $2 AND resource_id = $3 AND month >= $4 \
         ORDER BY from_ms, meter",
    )
    .bind(tenant.to_string())
    .bind(&resource.kind)
    .bind(&resource.id)
    .bind(month)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(meter, version, month, name, nanos, quantity, from, to)| {
            Ok(Piece {
                key: Key { meter, version: parse(&version)?, month },
                name,
                unit_price: Nanos(nanos),
                quantity,
                from: Timestamp::from_ms(from),
                to: Timestamp::from_ms(to),
            })
        })
        .collect()
}
