//! Whom a notice goes to.
//!
//! | Notice | Operators' mail and webhooks | The tenant's users, by mail |
//! | --- | --- | --- |
//! | of alerts, to operators | yes | |
//! | of alerts, to a tenant | | yes |
//! | any other, without a tenant | yes | |
//! | any other, of a tenant | yes | yes |

use std::collections::BTreeSet;

use base::{Result, db::Conn, id::TenantId};

use super::Channel;
use crate::{routing, settings::Settings};

/// Who an address stands for; a tenant is shown its own only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    Operators,
    Tenant,
}

impl Audience {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operators => "operators",
            Self::Tenant => "tenant",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    pub channel: Channel,
    pub address: String,
    pub audience: Audience,
}

/// Each address once.
pub async fn of(
    conn: &mut Conn,
    settings: &Settings,
    topic: &str,
    tenant: Option<TenantId>,
) -> Result<Vec<Recipient>> {
    let mut recipients = Vec::new();
    let mut seen = BTreeSet::new();
    let mut add = |channel, address: String, audience| {
        if seen.insert((channel, address.clone())) {
            recipients.push(Recipient { channel, address, audience });
        }
    };
    if let Some(tenant) = tenant {
        for address in identity::users::mail_addresses(conn, tenant).await? {
            add(Channel::Mail, address, Audience::Tenant);
        }
    }
    // Operators have their own notice of each alert.
    if tenant.is_none() || topic != routing::reconciler::TOPIC {
        for address in &settings.operator_mail {
            add(Channel::Mail, address.clone(), Audience::Operators);
        }
        for name in settings.webhooks()?.into_keys() {
            add(Channel::Webhook, name, Audience::Operators);
        }
    }
    Ok(recipients)
}
