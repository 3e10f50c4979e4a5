//! One request's write transaction, with the memory of its `Idempotency-Key`.

use axum::response::{IntoResponse, Response};
use base::{
    bus::{Bus, Changes, Topic},
    db::Tx,
    id::TenantId,
    time::Timestamp,
};
use http::{StatusCode, header};
use identity::{Actor, audit, idempotency};
use serde::Serialize;
use serde_json::Value;

use super::{auth::Caller, extract::Key, problem::Problem, state::App};

/// What a request writes, all of it or nothing.
pub struct Unit {
    pub tx: Tx,
    pub now: Timestamp,
    /// Published after the commit.
    pub changes: Changes,
    bus: Bus,
    actor: Actor,
    key: Option<String>,
}

/// What a handler answers instead of going on.
pub enum Instead {
    /// The answer that this key got before.
    Replay(Response),
    Problem(Problem),
}

impl From<Problem> for Instead {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<base::Error> for Instead {
    fn from(error: base::Error) -> Self {
        Self::Problem(error.into())
    }
}

impl IntoResponse for Instead {
    fn into_response(self) -> Response {
        match self {
            Self::Replay(response) => response,
            Self::Problem(problem) => problem.into_response(),
        }
    }
}

pub type Result<T, E = Instead> = std::result::Result<T, E>;

impl App {
    /// Begins to write for `caller`. A key that was answered before is answered again.
    pub async fn begin(&self, caller: &Caller, key: Option<Key>) -> Result<Unit> {
        let mut tx = self.db.begin_write().await?;
        let now = self.clock.now();
        if let Some(key) = &key {
            let begun = idempotency::begin(&mut tx, now, &caller.0, &key.key, &key.request).await;
            if let idempotency::Begun::Replay { status, body } = begun? {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
                let headers = [
                    (header::CONTENT_TYPE, "application/json"),
                    (header::HeaderName::from_static("idempotency-replayed"), "true"),
                ];
                return Err(Instead::Replay((status, headers, body).into_response()));
            }
        }
        Ok(Unit {
            tx,
            now,
            changes: Changes::default(),
            bus: self.bus.clone(),
            actor: caller.0.clone(),
            key: key.map(|key| key.key),
        })
    }
}

impl Unit {
    /// As the ledger keeps it: `user:<id>`.
    pub fn actor(&self) -> String {
        format!("{}:{}", self.actor.kind.as_str(), self.actor.id)
    }

    /// Writes what was done into the audit trail.
    pub async fn audit(
        &mut self,
        action: &str,
        (target_kind, target_id): (&str, impl ToString),
        tenant_id: Option<TenantId>,
        detail: Value,
    ) -> Result<()> {
        let target_id = target_id.to_string();
        let act = audit::Act { action, target_kind, target_id, tenant_id, detail };
        Ok(audit::record(&mut self.tx, self.now, &self.actor, act).await?)
    }

    /// Audits what was done to a tenant's money, announces it, commits and answers with `body`.
    pub async fn finish_money<T: Serialize>(
        mut self,
        (action, tenant): (&str, TenantId),
        detail: Value,
        status: StatusCode,
        body: &T,
    ) -> Result<Response> {
        self.audit(action, ("tenant", tenant), Some(tenant), detail).await?;
        self.changes.add(Topic::Money, tenant, Some(tenant));
        self.finish(status, body).await
    }

    /// Commits, and answers with `body`.
    pub async fn finish<T: Serialize>(self, status: StatusCode, body: &T) -> Result<Response> {
        self.finish_once(status, body, body).await
    }

    /// Commits, and answers with `body`; a repetition gets `again`, without what is shown once.
    pub async fn finish_once<T: Serialize, U: Serialize>(
        mut self,
        status: StatusCode,
        body: &T,
        again: &U,
    ) -> Result<Response> {
        let text = |e: serde_json::Error| base::Error::internal("no JSON").source(e);
        if let Some(key) = &self.key {
            let again = serde_json::to_string(again).map_err(text)?;
            idempotency::finish(&mut self.tx, &self.actor, key, status.as_u16(), &again).await?;
        }
        let body = serde_json::to_string(body).map_err(text)?;
        self.commit().await?;
        Ok((status, [(header::CONTENT_TYPE, "application/json")], body).into_response())
    }

    /// Commits what has no body to answer with.
    pub async fn commit(self) -> Result<()> {
        self.tx.commit().await.map_err(base::Error::from)?;
        self.bus.publish_all(self.changes);
        Ok(())
    }
}
