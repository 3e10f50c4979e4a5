//! Notices on their way: from the outbox to mail and webhooks.
//!
//! ```text
//!   notice --route--> one delivery an address: pending --taken--> delivered
//!                                               |  ^ |
//!                                     not taken +--+ +--refused for good, or too often--> failed
//! ```
//!
//! At least once: a delivery is marked when the receiver took it, so that a crash in between sends
//! it again, with the same `Message-ID` or `Idempotency-Key` (both the delivery's id). Each
//! receiver has a worker of its own ([`lanes`]), so that one that is slow or dead holds up no other.
//! What belongs together (a group of alerts, a tenant's balance) arrives at an address in order.

use base::{
    Result,
    id::{DeliveryId, NoticeId, TenantId},
    time::Timestamp,
};

pub mod lanes;
pub mod mail;
pub mod recipients;
pub mod reconciler;
pub mod store;
pub mod webhook;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    Mail,
    Webhook,
}

impl Channel {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Webhook => "webhook",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Mail, Self::Webhook].into_iter().find(|c| c.as_str() == text)
    }
}

/// One delivery with what it carries.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub id: DeliveryId,
    pub channel: Channel,
    pub address: String,
    pub attempts: i64,
    pub notice: NoticeRow,
}

#[derive(Debug, Clone)]
pub struct NoticeRow {
    pub id: NoticeId,
    pub topic: String,
    pub tenant_id: Option<TenantId>,
    pub subject: String,
    pub body: String,
    /// JSON.
    pub data: String,
    pub created_at: Timestamp,
}

/// Why a receiver did not take it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub reason: String,
    /// Whether another attempt may succeed.
    pub retry: bool,
}

impl Refusal {
    pub fn retry(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), retry: true }
    }
    pub fn for_good(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), retry: false }
    }
}

/// An error's whole chain on one line, without what a receiver might have put there to break it.
fn one_line(error: &dyn std::error::Error) -> String {
    base::reconcile::error_chain(error)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_REASON_CHARS)
        .collect()
}
const MAX_REASON_CHARS: usize = 500;

/// What speaks to receivers.
pub struct Transport {
    pub(crate) mail: Option<mail::Mailer>,
    pub(crate) webhooks: webhook::Webhooks,
}

impl Transport {
    pub fn new(settings: &crate::settings::Settings) -> Result<Self> {
        Ok(Self {
            mail: settings.smtp.as_ref().map(mail::Mailer::new).transpose()?,
            webhooks: webhook::Webhooks::new(settings)?,
        })
    }

    /// Returns when the receiver took it or did not.
    pub async fn send(&self, delivery: &Delivery) -> Result<(), Refusal> {
        match (delivery.channel, &self.mail) {
            (Channel::Mail, Some(mailer)) => mailer.send(delivery).await,
            (Channel::Mail, None) => {
                Err(Refusal::for_good("no mail server is configured: set host in [smtp]"))
            }
            (Channel::Webhook, _) => self.webhooks.send(delivery).await,
        }
    }
}

pub const MAX_ATTEMPTS: i64 = 16;
const FIRST_RETRY_MS: i64 = 1_000;
const MAX_RETRY_MS: i64 = 600_000;

/// How long after the failed attempt (1 is the first) the next one comes: 1 s, doubled each time, at
/// most 10 min; 16 attempts take a little more than an hour.
pub fn backoff_ms(attempt: i64) -> i64 {
    let doublings = u32::try_from(attempt.clamp(1, 20) - 1).unwrap_or(0);
    (FIRST_RETRY_MS << doublings).min(MAX_RETRY_MS)
}

#[cfg(test)]
mod tests;
