//! What operators are told of facts that can't count.

use base::{
    Error, ErrorKind, Result,
    db::Conn,
    id::FindingId,
    outbox::{self, Notice},
    time::Timestamp,
};

use super::{Fact, Resource, gaps::GapPolicy, lost::Lost, project::Parked};
use crate::findings::{self, Seen, Severity};

pub const QUARANTINED: &str = "usage_quarantined";
pub const PARKED: &str = "usage_parked";
pub const CONFLICT: &str = "usage_conflict";
pub const REFUSED: &str = "usage_refused";
pub const GAP: &str = "usage_gap";

/// As a finding calls a fact that was put aside.
pub fn fact_subject(id: &str) -> String {
    format!("fact/{id}")
}

pub async fn quarantined(conn: &mut Conn, now: Timestamp, id: &str, fact: &Fact) -> Result<()> {
    let (resource, name) = (&fact.resource, &fact.resource_name);
    let body = format!(
        "{} {name} is reported {} since {}, but it is {now} here. The fact is not counted: {name} is \
         billed as it was before. Check the clock of its host, then take or drop the fact.",
        resource.kind, fact.state, fact.at,
    );
    let seen = Seen {
        kind: QUARANTINED,
        subject: &fact_subject(id),
        tenant: Some(fact.tenant_id),
        severity: Severity::Error,
        detail: &format!("{resource}: {body}"),
    };
    findings::see(&mut *conn, now, seen).await?;
    let notice = Notice {
        key: format!("usage:quarantined:{}:{}", fact.source, fact.source_id),
        topic: "usage".to_owned(),
        tenant_id: None,
        subject: format!("usage of {name} is dated in the future"),
        body,
        data: serde_json::json!({
            "source": fact.source,
            "source_id": fact.source_id,
            "resource_kind": resource.kind,
            "resource_id": resource.id,
            "at": fact.at,
        }),
    };
    outbox::enqueue(conn, now, &notice).await.map(|_| ())
}

/// Told once for a fact, however often the resource is looked at.
pub async fn parked(
    conn: &mut Conn,
    now: Timestamp,
    resource: &Resource,
    parked: &Parked,
) -> Result<FindingId> {
    let from = Timestamp::from_ms(parked.from_ms);
    let body = format!(
        "Fact {} of {resource} contradicts: {}. It is rated up to {from} and no further until the \
         fact is taken or dropped.",
        parked.fact, parked.reason,
    );
    let subject = resource.to_string();
    let seen = Seen {
        kind: PARKED,
        subject: &subject,
        tenant: None,
        severity: Severity::Error,
        detail: &body,
    };
    let finding = findings::see(&mut *conn, now, seen).await?;
    let notice = Notice {
        key: format!("usage:parked:{}", parked.fact),
        topic: "usage".to_owned(),
        tenant_id: None,
        subject: format!("usage of {resource} contradicts itself"),
        body,
        data: serde_json::json!({
            "fact_id": parked.fact,
            "resource_kind": resource.kind,
            "resource_id": resource.id,
            "from": from,
            "reason": parked.reason,
        }),
    };
    outbox::enqueue(conn, now, &notice).await?;
    Ok(finding)
}

/// It is rated again.
pub async fn released(conn: &mut Conn, now: Timestamp, resource: &Resource) -> Result<()> {
    findings::resolve(conn, now, PARKED, &resource.to_string()).await.map(|_| ())
}

/// A fact that is not kept. Its source tells it no more, so that nothing else shows that what it told
/// of is not billed.
pub async fn refused(conn: &mut Conn, now: Timestamp, fact: &Fact, error: &Error) -> Result<()> {
    let field = error.field.as_ref().map_or(String::new(), |field| format!("{field}: "));
    let (resource, message) = (&fact.resource, &error.message);
    let (kind, detail) = match error.kind {
        ErrorKind::Conflict => (CONFLICT, format!("{message}; the first content stands")),
        _ => (
            REFUSED,
            format!(
                "{field}{message}; that it is {} since {} is not counted, and it is billed as it \
                 was before, or not at all",
                fact.state, fact.at,
            ),
        ),
    };
    // What came from outside may hold what text in SQL can't.
    let clean = |text: String| text.replace('\0', "\u{fffd}");
    let seen = Seen {
        kind,
        subject: &clean(format!("{}/{}", fact.source, fact.source_id)),
        tenant: Some(fact.tenant_id),
        severity: Severity::Error,
        detail: &clean(format!("{resource}: {detail}")),
    };
    findings::see(conn, now, seen).await.map(|_| ())
}

/// A fact that was put aside is decided about.
pub async fn ruled(conn: &mut Conn, now: Timestamp, fact: &str) -> Result<()> {
    findings::resolve(conn, now, QUARANTINED, &fact_subject(fact)).await.map(|_| ())
}

fn gap_subject(id: &str) -> String {
    format!("gap/{id}")
}

pub async fn gap(conn: &mut Conn, now: Timestamp, id: &str, lost: &Lost) -> Result<()> {
    let charged = match lost.policy {
        GapPolicy::Cheaper => "as before it or as after it, whichever costs less",
        GapPolicy::AsBefore => "as before it",
        GapPolicy::Free => "as nothing",
    };
    let detail = format!(
        "{}: no facts are left from {} to {}; it was seen {} then. It is billed {charged}, and as \
         estimated, until somebody says what was.",
        lost.resource, lost.from, lost.to, lost.state,
    );
    let seen = Seen {
        kind: GAP,
        subject: &gap_subject(id),
        tenant: None,
        severity: Severity::Warning,
        detail: &detail,
    };
    findings::see(conn, now, seen).await.map(|_| ())
}

pub async fn answered(conn: &mut Conn, now: Timestamp, id: &str) -> Result<()> {
    findings::resolve(conn, now, GAP, &gap_subject(id)).await.map(|_| ())
}
