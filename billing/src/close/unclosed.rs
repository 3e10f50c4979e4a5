//! Months that should be closed and can't be: what operators are told of them.

use base::{
    Error, Result,
    db::Conn,
    id::TenantId,
    outbox::{self, Notice},
    reconcile::error_chain,
    time::Timestamp,
};
use serde_json::json;

use crate::{
    calendar::Month,
    findings::{self, Seen, Severity},
};

/// The kind of the finding.
pub const UNCLOSED: &str = "month_unclosed";

fn subject(tenant: TenantId, month: Month) -> String {
    format!("tenant/{tenant}/{month}")
}

/// Keeps that the month could not be closed. What failed once may have passed a minute later: the
/// operators are told when it fails again. Returns whether they are told now.
pub(super) async fn failed(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
    month: Month,
    error: &Error,
) -> Result<bool> {
    let subject = subject(tenant, month);
    let detail = error_chain(error);
    let known = findings::open(&mut *conn, UNCLOSED, &subject).await?.is_some();
    let seen = Seen {
        kind: UNCLOSED,
        subject: &subject,
        tenant: Some(tenant),
        severity: Severity::Error,
        detail: &detail,
    };
    let id = findings::see(&mut *conn, now, seen).await?;
    if !known {
        return Ok(false);
    }
    let notice = Notice {
        key: format!("finding:{id}"),
        topic: "balance".to_owned(),
        tenant_id: None,
        subject: format!("a month that can't be closed: {subject}"),
        body: format!(
            "{month} of tenant {tenant} can't be closed: {detail}. Until it is, neither it nor any \
             later month of the tenant is invoiced. The server goes on trying; `opshawk billing \
             close {tenant} {month}` tries at once, and `opshawk billing findings` lists it for as \
             long as it is so.\n"
        ),
        data: json!({
            "kind": UNCLOSED, "subject": subject, "tenant_id": tenant,
            "month": month.to_string(), "detail": detail,
        }),
    };
    outbox::enqueue(conn, now, &notice).await
}

/// It is closed, by itself or by hand.
pub(super) async fn closed(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
    month: Month,
) -> Result<()> {
    findings::resolve(conn, now, UNCLOSED, &subject(tenant, month)).await.map(|_| ())
}
