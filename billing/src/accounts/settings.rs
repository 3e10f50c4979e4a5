//! What is set for one account. Each change is a row: the newest rules, the others are the history.

use base::{Error, Result, db::Conn, id::TenantId, money::Micros, time::Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::lock;
use crate::{
    agenda::{self, Due},
    invoice::PartySettings,
    ledger::SpendOrder,
    standing::OwnRules,
    text::{self, REASON_MAX_CHARS},
    usage::gaps::GapPolicy,
};

/// Changes in one listing.
pub const CHANGES_MAX: i64 = 1_000;

/// One account's own; what is not set is as the product has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AccountSettings {
    /// How far below zero the balance may go before the tenant is overdue; zero where not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit_limit: Option<Micros>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spend_order: Option<SpendOrder>,
    /// What it is charged where facts are lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap_policy: Option<GapPolicy>,
    /// Who its invoices are for.
    #[serde(skip_serializing_if = "PartySettings::is_default")]
    pub invoice: PartySettings,
    /// What rules its standing.
    #[serde(skip_serializing_if = "OwnRules::is_default")]
    pub standing: OwnRules,
}

impl AccountSettings {
    fn check(&self) -> Result<()> {
        if self.credit_limit.is_some_and(|limit| limit < Micros::ZERO) {
            return Err(Error::invalid("credit_limit", "a credit limit is not negative"));
        }
        self.invoice.check()?;
        self.standing.check()
    }
}

/// A row of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SettingsChange {
    pub number: i64,
    pub at: Timestamp,
    pub settings: AccountSettings,
    pub actor: String,
    pub reason: String,
}

pub(super) fn read(document: Option<&str>) -> Result<AccountSettings> {
    let Some(document) = document else { return Ok(AccountSettings::default()) };
    serde_json::from_str(document)
        .map_err(|e| Error::internal("an account's settings can't be read").source(e))
}

/// Changes what is set, under the account's lock. What stays the same is no change, and no row.
pub async fn change(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
    actor: &str,
    reason: &str,
    change: impl FnOnce(&mut AccountSettings),
) -> Result<AccountSettings> {
    text::bounded("reason", reason, 0, REASON_MAX_CHARS)?;
    let locked = lock(conn, tenant).await?;
    let mut settings = locked.settings.clone();
    change(&mut settings);
    settings.check()?;
    if settings == locked.settings {
        return Ok(settings);
    }
    let document = serde_json::to_string(&settings)
        .map_err(|e| Error::internal("settings are no JSON").source(e))?;
    sqlx::query(
        "INSERT INTO account_settings (tenant_id, number, effective_ms, document, actor, reason) \
         SELECT $1, COALESCE(MAX(number), 0) + 1, $2, $3, $4, $5 FROM account_settings \
         WHERE tenant_id = $1",
    )
    .bind(tenant.to_string())
    .bind(now.ms())
    .bind(document)
    .bind(actor)
    .bind(reason)
    .execute(&mut *conn)
    .await?;
    agenda::touch(conn, tenant, Due::Stand).await?;
    Ok(settings)
}

/// How far below zero the balance may go before the tenant is overdue.
pub async fn set_credit_limit(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
    limit: Micros,
    actor: &str,
    reason: &str,
) -> Result<()> {
    change(conn, now, tenant, actor, reason, |settings| settings.credit_limit = Some(limit))
        .await
        .map(|_| ())
}

/// Newest first, at most [`CHANGES_MAX`].
pub async fn history(conn: &mut Conn, tenant: TenantId) -> Result<Vec<SettingsChange>> {
    let rows: Vec<(i64, i64, String, String, String)> = sqlx::query_as(
        "SELECT number, effective_ms, document, actor, reason FROM account_settings \
         WHERE tenant_id = $1 ORDER BY number DESC LIMIT $2",
    )
    .bind(tenant.to_string())
    .bind(CHANGES_MAX)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(number, at, document, actor, reason)| {
            let settings = read(Some(&document))?;
            Ok(SettingsChange { number, at: Timestamp::from_ms(at), settings, actor, reason })
        })
        .collect()
}
