//! What counters say of a tenant's resources, and what is posted of it.

use base::{Error, Result, db::Conn, id::TenantId, time::Timestamp};

use super::{PostedRow, name_of, posted_slice, used};
use crate::{
    counters::readings,
    kinds::Attributes,
    rating::{
        book::{Book, ResourceId},
        counted::{Delta, Look},
        plan::Resource,
    },
    usage::{self, spans},
};

/// The deltas that end after `dirty`, to their resources. When the first of them begins.
pub async fn deltas(
    conn: &mut Conn,
    tenant: TenantId,
    dirty: Timestamp,
    resources: &mut [Resource],
    book: &Book,
) -> Result<Option<Timestamp>> {
    let mut first = None;
    for counted in readings::of_tenant(conn, tenant, dirty).await? {
        let usage::Resource { kind, id } = counted.resource;
        let component = name_of(&format!("{kind}.{}", counted.component))?;
        // They were numbered first, so that their numbers are their places.
        let place = book.find_resource(&ResourceId { kind, id });
        let Some(resource) = place.and_then(|n| resources.get_mut(n as usize)) else { continue };
        if resource.counted.dirty.is_none_or(|dirty| counted.to_ms <= dirty) {
            continue;
        }
        first = first.into_iter().chain([counted.from_ms]).min();
        resource.counted.deltas.push(Delta {
            component,
            from: counted.from_ms,
            to: counted.to_ms,
            quantity: counted.quantity,
            quality: counted.quality,
            coverage_ppm: counted.coverage_ppm,
        });
    }
    Ok(first.map(Timestamp::from_ms))
}

/// How it looked when its first delta began, where its spans don't say.
pub async fn earlier(
    conn: &mut Conn,
    tenant: TenantId,
    resource: &mut Resource,
    book: &Book,
) -> Result<()> {
    let Some(from) = resource.counted.deltas.iter().map(|delta| delta.from).min() else {
        return Ok(());
    };
    if resource.spans.first().is_some_and(|span| span.from <= from) {
        return Ok(());
    }
    let id = &book.resources[resource.number as usize];
    let of = usage::Resource { kind: id.kind.clone(), id: id.id.clone() };
    let span = spans::last_of(conn, tenant, &of, Timestamp::from_ms(from)).await?;
    resource.counted.earlier = span
        .map(|span| {
            let attributes = Attributes::parse(&span.attributes)?;
            let shape = used(&of.kind, &span.state, &attributes).shape;
            Ok::<_, Error>(Look { from: span.from_ms, name: span.name.into(), shape })
        })
        .transpose()?;
    Ok(())
}

/// What is posted of readings after `dirty`, to their resources. The keys are in the book.
pub async fn posted(
    conn: &mut Conn,
    tenant: TenantId,
    dirty: Timestamp,
    resources: &mut [Resource],
    book: &Book,
) -> Result<()> {
    // A charge is not older than the readings that it is of; a fact's sequence is no instant.
    let rows: Vec<PostedRow> = sqlx::query_as(
        "SELECT c.key_no, c.from_ms, c.to_ms, c.quantity, c.opened, c.quality, c.coverage_ppm \
         FROM charges c \
         WHERE c.tenant_id = $1 AND c.at_ms > $2 AND c.opened > $2 AND c.quantity <> 0 \
         ORDER BY c.charge_no, c.position",
    )
    .bind(tenant.to_string())
    .bind(dirty.ms())
    .fetch_all(conn)
    .await?;
    for row in &rows {
        let Some(key) = book.by_number(row.0) else { continue };
        let slice = posted_slice(book, key, row)?;
        let id = book.keys[key as usize].id;
        if book.is_hourly(slice.group) {
            continue;
        }
        let Some(resource) = resources.get_mut(id.resource as usize) else { continue };
        resource.counted.posted.push(slice);
    }
    Ok(())
}
