//! A tenant's timeline, as SQL has it now.

use std::{collections::HashSet, sync::Arc};

use base::{Result, db::Conn, id::TenantId, time::Timestamp};

use super::{
    meters,
    timeline::{Assignment, Published, Sources, Timeline, Version},
};
use crate::sql::parse;

pub(crate) async fn timeline(conn: &mut Conn, tenant: TenantId) -> Result<Timeline> {
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "SELECT effective_ms, book_id FROM price_assignments WHERE tenant_id = $1 ORDER BY number",
    )
    .bind(tenant.to_string())
    .fetch_all(&mut *conn)
    .await?;
    let mut sources = Sources::default();
    let mut books = HashSet::new();
    for (from, book) in rows {
        let id = parse(&book)?;
        sources.assignments.push(Assignment { from: Timestamp::from_ms(from), book: id });
        if books.insert(book.clone()) {
            let versions = super::versions(conn, &book).await?;
            sources.versions.extend(versions.into_iter().map(|v| Published {
                book: id,
                effective_at: v.effective_at,
                version: Arc::new(Version::new(v.id, meters::document(&v.prices))),
            }));
        }
    }
    Ok(Timeline::new(&sources))
}
