//! Webhooks: a POST of JSON.
//!
//! An alert's body is Alertmanager's payload, version 4 ([`crate::routing::message::Payload`]).
//! Any other notice's is a [`NoticePayload`]. Headers:
//!
//! | Header | Value |
//! | --- | --- |
//! | `Content-Type` | `application/json` |
//! | `Idempotency-Key` | the delivery's id, the same at each attempt |
//! | `X-OpsHawk-Signature` | `sha256=` and the HMAC-SHA256 of the body in hex, where a secret is set |
//!
//! Taken means a 2xx within [`TIMEOUT`]. Redirects are not followed: a signed body goes to the
//! address that the operator named, and nowhere else.

use std::{collections::BTreeMap, time::Duration};

use base::{
    Error, Result,
    id::{NoticeId, TenantId},
    time::Timestamp,
};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::{Delivery, NoticeRow, Refusal, one_line};
use crate::{
    routing,
    settings::{Secret, Settings},
};

pub const TIMEOUT: Duration = Duration::from_secs(10);
pub const SIGNATURE: &str = "X-OpsHawk-Signature";
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// What a receiver gets of a notice that is no alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoticePayload {
    /// `opshawk.notice/1`
    pub version: String,
    pub id: NoticeId,
    /// `balance`, `host`.
    pub topic: String,
    pub tenant_id: Option<TenantId>,
    pub subject: String,
    /// Plain text.
    pub body: String,
    pub created_at: Timestamp,
    /// The facts, by topic.
    pub data: serde_json::Value,
}

pub struct Webhooks {
    client: reqwest::Client,
    urls: BTreeMap<String, reqwest::Url>,
    secret: Option<Secret>,
}

impl Webhooks {
    pub fn new(settings: &Settings) -> Result<Self> {
        // Somebody may have chosen a provider already; then that one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent("OpsHawk")
            .build()
            .map_err(|e| Error::internal("the client for webhooks can't be made").source(e))?;
        let urls = settings.webhooks()?;
        Ok(Self { client, urls, secret: settings.webhook_secret.clone() })
    }

    pub async fn send(&self, delivery: &Delivery) -> Result<(), Refusal> {
        let url = self
            .urls
            .get(&delivery.address)
            .ok_or_else(|| Refusal::for_good("the webhook is not in the configuration any more"))?;
        let body = body(&delivery.notice)?;
        let mut request = self
            .client
            .post(url.clone())
            .header("Content-Type", "application/json")
            .header(IDEMPOTENCY_KEY, delivery.id.to_string());
        if let Some(secret) = &self.secret {
            request = request.header(SIGNATURE, signature(secret.reveal(), body.as_bytes()));
        }
        // The URL may hold a secret, so that it stays out of the error.
        let answer = request
            .body(body)
            .send()
            .await
            .map_err(|e| Refusal::retry(one_line(&e.without_url())))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status if status.is_redirection() => {
                Err(Refusal::retry(format!("it answered {status}; redirects are not followed")))
            }
            status => Err(Refusal::retry(format!("it answered {status}"))),
        }
    }
}

/// The same bytes at each attempt.
fn body(notice: &NoticeRow) -> Result<String, Refusal> {
    if notice.topic == routing::reconciler::TOPIC {
        return Ok(notice.data.clone());
    }
    let payload = NoticePayload {
        version: "opshawk.notice/1".to_owned(),
        id: notice.id,
        topic: notice.topic.clone(),
        tenant_id: notice.tenant_id,
        subject: notice.subject.clone(),
        body: notice.body.clone(),
        created_at: notice.created_at,
        data: serde_json::from_str(&notice.data).unwrap_or_default(),
    };
    serde_json::to_string(&payload).map_err(|e| Refusal::for_good(one_line(&e)))
}

/// `sha256=` and the HMAC of the body.
pub fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}
