//! Who is told of a request, and what.

use base::{
    Result,
    db::Conn,
    outbox::{self, Notice},
    time::Timestamp,
};
use serde_json::json;

use super::{Limit, Quota, QuotaRequestState, Request, limit_of};

/// The topic of the notices about quotas.
pub const TOPIC: &str = "quota";

/// To operators.
pub async fn asked(
    conn: &mut Conn,
    now: Timestamp,
    tenant: &str,
    request: &Request,
    quotas: &[Quota],
) -> Result<()> {
    let subject = format!("tenant {tenant} asks for a higher quota");
    let lines = request.items.iter().map(|Limit { resource, limit }| {
        let before = limit_of(quotas, *resource);
        format!("- {}: {limit} in place of {before}", resource.as_str())
    });
    let body = format!(
        "Tenant {tenant} asks for a higher quota.\n\n{}\n\nAsked by {}:\n{}\n\n\
         To answer: opshawk quota approve {id}, or opshawk quota refuse {id}; or the page of the \
         tenant in the console.\n",
        lines.collect::<Vec<_>>().join("\n"),
        request.asked_by,
        request.reason,
        id = request.id,
    );
    let notice = Notice {
        key: format!("quota-request:{}:asked", request.id),
        topic: TOPIC.to_owned(),
        tenant_id: None,
        subject,
        body,
        data: json!({
            "request_id": request.id,
            "tenant_id": request.tenant_id,
            "tenant": tenant,
            "state": request.state,
            "items": request.items,
            "reason": request.reason,
        }),
    };
    outbox::enqueue(conn, now, &notice).await.map(|_| ())
}

/// To the tenant.
pub async fn decided(conn: &mut Conn, now: Timestamp, request: &Request) -> Result<()> {
    let state = request.state;
    let subject = match state {
        QuotaRequestState::Approved => "the request for a higher quota is approved",
        _ => "the request for a higher quota is refused",
    };
    let mut body = format!("What was asked for:\n{}\n", listed(&request.items));
    if let Some(granted) = &request.granted {
        body += &format!("\nThe limits are now:\n{}\n", listed(granted));
    }
    if let Some(answer) = &request.answer {
        body += &format!("\nThe operator's answer:\n{answer}\n");
    }
    let notice = Notice {
        key: format!("quota-request:{}:{}", request.id, state.as_str()),
        topic: TOPIC.to_owned(),
        tenant_id: Some(request.tenant_id),
        subject: subject.to_owned(),
        body,
        data: json!({
            "request_id": request.id,
            "tenant_id": request.tenant_id,
            "state": state,
            "items": request.items,
            "granted": request.granted,
            "answer": request.answer,
        }),
    };
    outbox::enqueue(conn, now, &notice).await.map(|_| ())
}

fn listed(limits: &[Limit]) -> String {
    let lines = limits.iter().map(|l| format!("- {}: {}", l.resource.as_str(), l.limit));
    lines.collect::<Vec<_>>().join("\n")
}
