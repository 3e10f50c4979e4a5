//! Months as they were bought, for whoever prices the past again.

use base::{
    Result,
    db::Conn,
    id::{PackageOrderId, TenantId},
    time::Timestamp,
};
use chrono_tz::Tz;

use super::{
    COMPONENT, NEVER_MS,
    months::{self, MONTHS_MAX},
    orders::ORDERS_MAX,
};
use crate::{
    prices::timeline::{Found, Timeline},
    sql::parse,
};

/// An order, with the months that it is renewed for.
#[derive(Debug, Clone)]
pub(crate) struct Bought {
    pub order: PackageOrderId,
    rate: String,
    starts: Timestamp,
    /// No month begins then or later.
    ends: Timestamp,
}

impl Bought {
    /// Its months' first instants before `until`, and what prices them. With the first that nothing
    /// prices it ends.
    pub fn months<'a>(
        &'a self,
        prices: &'a Timeline,
        until: Timestamp,
        zone: Tz,
    ) -> impl Iterator<Item = (Timestamp, Found<'a>)> {
        let all = (0..MONTHS_MAX).map(move |number| months::month(self.starts, number, zone).from);
        let begun = all.take_while(move |at| *at < until && *at < self.ends);
        begun.map_while(|at| Some((at, prices.named(COMPONENT, &self.rate, at)?)))
    }
}

/// The tenant's orders of before `until` that had not ended at `from`.
pub(crate) async fn between(
    conn: &mut Conn,
    tenant: TenantId,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<Bought>> {
    let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(
        "SELECT o.id, o.rate, o.starts_ms, COALESCE(e.ends_ms, $2) FROM package_orders o \
         LEFT JOIN package_ends e ON e.order_id = o.id \
         WHERE o.tenant_id = $1 AND o.starts_ms < $3 AND COALESCE(e.ends_ms, $2) > $4 \
         ORDER BY o.starts_ms, o.id LIMIT $5",
    )
    .bind(tenant.to_string())
    .bind(NEVER_MS)
    .bind(until.ms())
    .bind(from.ms())
    .bind(ORDERS_MAX)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(id, rate, starts, ends)| {
            let (starts, ends) = (Timestamp::from_ms(starts), Timestamp::from_ms(ends));
            Ok(Bought { order: parse(&id)?, rate, starts, ends })
        })
        .collect()
}
