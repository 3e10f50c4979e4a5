//! The leak finder: once a day it holds what there is beside what is metered, and what is metered
//! beside what is billed, and tells where they differ.
//!
//! ```text
//! inventory <--[`machines`]--> spans of use <--[`rated`]--> rated lines of the last posted hour
//!                                        ^--[`unread`]--> readings of ports
//! ```
//!
//! | Finding | Means | Subject |
//! | --- | --- | --- |
//! | `leak_unbilled` | a resource without a bill: it is there and not metered, or metered and not charged; its traffic has a price and is not read | `instance/ID`, `instance/ID/compute` |
//! | `leak_unused` | a bill without a resource: it is metered or charged, and not there | the same |
//! | `leak_state` | inventory and meter disagree about its state, flavor or disk | `instance/ID` |
//! | `leak_price` | it is charged at another price than the one in force | `instance/ID/compute` |
//!
//! What is on its way looks like a leak for a moment. So each is reported (listed, counted, told to
//! the operators) only when it was seen twice, [`APART_MS`] apart or more, and closes when it is not
//! seen any more. An instance whose hypervisor does not answer is no evidence, and neither is what
//! the next posting corrects. Each tenant is looked at in a snapshot of its own.

use base::{
    Result,
    db::{Conn, Db},
    id::TenantId,
    outbox::{self, Notice},
    time::Timestamp,
};
use serde_json::json;

use crate::{
    accounts,
    findings::{self, Seen, Severity},
};

mod machines;
mod rated;
mod reconciler;
mod unread;

pub use reconciler::LeakReconciler;

pub const UNBILLED: &str = "leak_unbilled";
pub const UNUSED: &str = "leak_unused";
pub const STATE: &str = "leak_state";
pub const PRICE: &str = "leak_price";
/// All that this finds.
pub const KINDS: [&str; 4] = [UNBILLED, UNUSED, STATE, PRICE];

/// Two looks that see the same are at least this far apart, or they count as one.
pub const APART_MS: i64 = 3_600_000;
/// What was seen so often is reported.
pub const REPORTED_AFTER: i64 = 2;
/// Leaks of one tenant in one look; a wrong price makes one of each of its resources.
pub const LEAKS_MAX: usize = 1_000;

/// Something that leaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Leak {
    kind: &'static str,
    subject: String,
    detail: String,
}

/// What a look at one tenant did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looked {
    pub seen: usize,
    /// Reported now for the first time.
    pub reported: usize,
    pub resolved: usize,
    /// Seen, and not often enough to be reported.
    pub waiting: usize,
}

/// Looks at one tenant, and keeps what it saw.
pub async fn look(db: &Db, now: Timestamp, tenant: TenantId) -> Result<Looked> {
    let leaks = {
        let mut snapshot = db.begin_snapshot().await?;
        let account = accounts::get(&mut snapshot, tenant).await?;
        let mut leaks = machines::leaks(&mut snapshot, tenant).await?;
        leaks.extend(rated::leaks(&mut snapshot, &account).await?);
        leaks.extend(unread::leaks(&mut snapshot, &account).await?);
        snapshot.rollback().await?;
        leaks
    };
    let mut leaks = leaks;
    leaks.sort();
    leaks.dedup_by(|a, b| (a.kind, &a.subject) == (b.kind, &b.subject));
    let more = leaks.len() > LEAKS_MAX;
    leaks.truncate(LEAKS_MAX);
    let known = open(&mut *db.read().await?, tenant).await?;
    if leaks.is_empty() && known.is_empty() {
        return Ok(Looked::default());
    }
    let mut tx = db.begin_write().await?;
    let mut looked = Looked { seen: leaks.len(), ..Looked::default() };
    for leak in &leaks {
        match keep(&mut tx, now, tenant, leak).await? {
            Kept::Reported => looked.reported += 1,
            Kept::Waiting => looked.waiting += 1,
            Kept::Known => {}
        }
    }
    for (kind, subject) in known {
        let seen = leaks.iter().any(|leak| leak.kind == kind && leak.subject == subject);
        // What a full look did not reach may leak still.
        let is_over = !seen && !more;
        if is_over && findings::resolve(&mut tx, now, kind, &subject).await? {
            looked.resolved += 1;
        }
    }
    tx.commit().await?;
    Ok(looked)
}

/// The tenant's open leaks, reported or not.
async fn open(conn: &mut Conn, tenant: TenantId) -> Result<Vec<(&'static str, String)>> {
    let mut all = Vec::new();
    for kind in KINDS {
        let subjects: Vec<String> = sqlx::query_scalar(
            "SELECT subject FROM findings WHERE kind = $1 AND tenant_id = $2 AND resolved_ms = 0 \
             ORDER BY subject",
        )
        .bind(kind)
        .bind(tenant.to_string())
        .fetch_all(&mut *conn)
        .await?;
        all.extend(subjects.into_iter().map(|subject| (kind, subject)));
    }
    Ok(all)
}

enum Kept {
    Waiting,
    Reported,
    Known,
}

async fn keep(conn: &mut Conn, now: Timestamp, tenant: TenantId, leak: &Leak) -> Result<Kept> {
    let Leak { kind, subject, detail } = leak;
    let before: Option<(i64, i64)> = sqlx::query_as(
        "SELECT last_seen_ms, reported_ms FROM findings \
         WHERE kind = $1 AND subject = $2 AND resolved_ms = 0",
    )
    .bind(*kind)
    .bind(subject)
    .fetch_optional(&mut *conn)
    .await?;
    if let Some((last, reported)) = before
        && now.ms() - last < APART_MS
    {
        return Ok(if reported == 0 { Kept::Waiting } else { Kept::Known });
    }
    let seen = Seen { kind, subject, tenant: Some(tenant), severity: Severity::Error, detail };
    let id = findings::see(&mut *conn, now, seen).await?;
    match before {
        None => return Ok(Kept::Waiting),
        Some((_, reported)) if reported != 0 => return Ok(Kept::Known),
        Some(_) => {}
    }
    findings::reported(&mut *conn, now, id).await?;
    let notice = Notice {
        key: format!("finding:{id}"),
        topic: "balance".to_owned(),
        tenant_id: None,
        subject: format!("{}: {subject}", title(kind)),
        body: format!(
            "{subject} of tenant {tenant}: {detail}. Seen twice. `opshawk billing findings` lists it \
             for as long as it is so.\n"
        ),
        data: json!({ "kind": kind, "subject": subject, "tenant_id": tenant, "detail": detail }),
    };
    outbox::enqueue(conn, now, &notice).await?;
    Ok(Kept::Reported)
}

fn title(kind: &str) -> &'static str {
    match kind {
        UNBILLED => "a resource without a bill",
        UNUSED => "a bill without a resource",
        STATE => "a meter that disagrees with its resource",
        _ => "a price that disagrees",
    }
}

#[cfg(test)]
mod tests;
