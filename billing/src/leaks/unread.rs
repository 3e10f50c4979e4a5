//! Traffic that has a price, of guests whose ports nobody reads: an agent that is too old, say.

use base::{ErrorKind, Result, db::Conn, id::InstanceId, time::Timestamp};
use inventory::instances::{self, InstanceState};

use super::{Leak, UNBILLED};
use crate::{
    accounts::Account,
    prices::{self, model::Model},
    rating::{
        book::{Book, ResourceId},
        load::cut_span,
    },
    sql::parse,
    usage::spans,
};

const INSTANCE: &str = "instance";
const COUNTED: [&str; 2] = ["net_rx", "net_tx"];

/// A guest that runs is read more often, whatever its agent's interval.
pub const UNREAD_MAX_MS: i64 = 24 * 3_600_000;

pub(super) async fn leaks(conn: &mut Conn, account: &Account) -> Result<Vec<Leak>> {
    let at = account.ticked.saturating_add_ms(-1);
    let since = account.ticked.saturating_add_ms(-UNREAD_MAX_MS);
    let prices = prices::load::timeline(&mut *conn, account.tenant_id).await?;
    if !prices.prices_anything(at) {
        return Ok(Vec::new());
    }
    let mut book = Book::default();
    let mut found = Vec::new();
    for (resource, span) in spans::of_tenant(&mut *conn, account.tenant_id, at).await? {
        let runs = span.state == "running" && span.from_ms <= since.ms() && span.to_ms > at.ms();
        if resource.kind != INSTANCE || !runs {
            continue;
        }
        let id = ResourceId { kind: resource.kind, id: resource.id };
        let used = cut_span(book.resource(&id), &id.kind, &span)?.at(&prices, at).clone();
        for component in COUNTED {
            let name = format!("{INSTANCE}.{component}");
            let priced = prices.find(&name, used.shape.as_ref(), at).is_some_and(
                |found| !matches!(&found.rate.model, Model::Standard(price) if price.0 == 0),
            );
            if priced
                && !is_read(&mut *conn, &id.id, component, since).await?
                && is_running(&mut *conn, parse(&id.id)?).await?
            {
                found.push(Leak {
                    kind: UNBILLED,
                    subject: format!("{INSTANCE}/{}/{component}", id.id),
                    detail: "its traffic has a price, and nobody has read its ports for a day (is \
                             its host's agent of this version?)"
                        .to_owned(),
                });
            }
        }
    }
    Ok(found)
}

async fn is_read(conn: &mut Conn, id: &str, component: &str, since: Timestamp) -> Result<bool> {
    let count: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM counter_series s WHERE s.kind = $1 AND s.resource_id = $2 \
         AND s.component = $3 AND EXISTS (SELECT 1 FROM counter_readings r \
           WHERE r.series_id = s.id AND r.at_ms > $4)",
    )
    .bind(INSTANCE)
    .bind(id)
    .bind(component)
    .bind(since.ms())
    .fetch_one(conn)
    .await?;
    Ok(count > 0)
}

/// One whose hypervisor does not answer is no evidence.
async fn is_running(conn: &mut Conn, id: InstanceId) -> Result<bool> {
    match instances::get(conn, id).await {
        Ok(instance) => Ok(instance.state == InstanceState::Running),
        // Metered and not there: another leak.
        Err(error) if error.kind == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
