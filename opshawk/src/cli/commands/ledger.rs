//! `opshawk ledger …` and `opshawk voucher …`

use base::id::LedgerTransactionId;
use serde_json::{Value, json};

use super::{Column, Context, Failure, col, id_of, tenant::PATH, wide};
use crate::cli::{
    args::{LedgerCommand, VoucherCommand},
    exit::Code,
    output::{self, Format},
};

const TRANSACTIONS: &[Column] = &[
    col("NUMBER", "/number"),
    col("AT", "/at"),
    col("KIND", "/kind"),
    col("ENTRIES", "/entries"),
    col("REASON", "/reason"),
    wide("MEMO", "/memo"),
    wide("ABOUT", "/about"),
    wide("BY", "/actor"),
    wide("ID", "/id"),
];

const POSTING: &[Column] = &[
    col("TRANSACTION", "/ledger_transaction_id"),
    col("BALANCE", "/balance/balance_display"),
    col("CASH", "/balance/cash"),
    col("BONUS", "/balance/bonus"),
    col("HELD", "/balance/held"),
    col("CURRENCY", "/balance/currency"),
];

const RECHARGES: &[Column] = &[
    col("AT", "/at"),
    col("PROVIDER", "/provider"),
    col("PAYMENT", "/provider_id"),
    col("AMOUNT", "/amount"),
    col("REFUNDED", "/refunded"),
    col("REFUNDABLE", "/refundable"),
    col("BONUS", "/bonus"),
    col("ID", "/id"),
];

const HOLDS: &[Column] = &[
    col("CREATED", "/created_at"),
    col("AMOUNT", "/amount"),
    col("PURPOSE", "/purpose"),
    col("EXPIRES", "/expires_at"),
    col("OUTCOME", "/outcome"),
    col("POSTED", "/posted"),
    col("ID", "/id"),
    wide("OF BONUS", "/bonus"),
    wide("ENDED", "/ended_at"),
];

const FINDINGS: &[Column] = &[
    col("INVARIANT", "/invariant"),
    col("TENANT", "/tenant_id"),
    col("SUBJECT", "/subject"),
    col("DETAIL", "/detail"),
];

const SETTINGS: &[Column] = &[
    col("CREDIT LIMIT", "/settings/credit_limit"),
    col("SET AT", "/history/0/at"),
    col("REASON", "/history/0/reason"),
];

const VOUCHERS: &[Column] = &[
    col("ID", "/id"),
    col("AMOUNT", "/amount"),
    col("CURRENCY", "/currency"),
    col("VALID FROM", "/valid_from"),
    col("VALID TO", "/valid_to"),
    col("REDEEMED BY", "/redeemed_by"),
    col("REDEEMED", "/redeemed_at"),
    wide("FOR", "/tenant_id"),
    wide("MEMO", "/memo"),
];

const VOUCHER: &[Column] = &[col("ID", "/id"), col("CODE", "/code")];

pub async fn run(cx: &Context, command: LedgerCommand) -> Result<(), Failure> {
    let client = &cx.client;
    match command {
        LedgerCommand::Show { tenant, limit } => {
            let id = client.tenant(tenant.as_deref()).await?;
            let all = client.list(&format!("{PATH}/{id}/ledger"), &[], Some(limit)).await?;
            let all: Vec<Value> = all.into_iter().map(|item| readable(cx, item)).collect();
            cx.list(TRANSACTIONS, &all)
        }
        LedgerCommand::Verify => verify(cx).await,
        LedgerCommand::Recharges { tenant } => {
            let id = client.tenant(tenant.as_deref()).await?;
            cx.list(RECHARGES, &client.list(&format!("{PATH}/{id}/recharges"), &[], None).await?)
        }
        LedgerCommand::Holds { tenant } => {
            let id = client.tenant(tenant.as_deref()).await?;
            cx.list(HOLDS, &client.list(&format!("{PATH}/{id}/holds"), &[], None).await?)
        }
        LedgerCommand::PostHold { hold, net, tax } => {
            let body = json!({ "net": net, "tax": tax.unwrap_or_default() });
            let path = format!("/v1/holds/{}/post", transaction(&hold)?);
            cx.one(POSTING, &client.post(&path, &body).await?)
        }
        LedgerCommand::VoidHold { hold } => {
            let path = format!("/v1/holds/{}/void", transaction(&hold)?);
            cx.one(POSTING, &client.post(&path, &json!({})).await?)
        }
        LedgerCommand::CreditLimit { tenant, limit, reason } => {
            let id = client.id("tenant", PATH, &tenant).await?;
            let path = format!("{PATH}/{id}/billing-settings");
            let mut settings = client.get(&path).await?["settings"].take();
            settings["credit_limit"] = json!(limit);
            let body = json!({ "settings": settings, "reason": reason });
            cx.one(SETTINGS, &client.put(&path, &body).await?)
        }
        other => {
            let (tenant, what, body) = posting(other)?;
            let id = client.id("tenant", PATH, &tenant).await?;
            cx.one(POSTING, &client.post(&format!("{PATH}/{id}/{what}"), &body).await?)
        }
    }
}

/// Whose, which list it adds to, and what.
fn posting(command: LedgerCommand) -> Result<(String, &'static str, Value), Failure> {
    Ok(match command {
        LedgerCommand::Recharge { tenant, amount, provider, id, bonus, bonus_expires_at, memo } => {
            let body = json!({
                "amount": amount, "provider": provider, "provider_id": id, "bonus": bonus,
                "bonus_expires_at": bonus_expires_at, "memo": memo,
            });
            (tenant, "recharges", body)
        }
        LedgerCommand::Bonus { tenant, amount, expires_at, memo } => {
            let body = json!({ "amount": amount, "expires_at": expires_at, "memo": memo });
            (tenant, "bonuses", body)
        }
        LedgerCommand::Refund { tenant, recharge, amount, reason } => {
            let recharge = transaction(&recharge)?;
            let body = json!({ "recharge_id": recharge, "amount": amount, "reason": reason });
            (tenant, "refunds", body)
        }
        LedgerCommand::Hold { tenant, amount, purpose, expires_at } => {
            let body = json!({ "amount": amount, "purpose": purpose, "expires_at": expires_at });
            (tenant, "holds", body)
        }
        LedgerCommand::Correct { tenant, entries, reason } => {
            let entries = entries.iter().map(|e| entry(e)).collect::<Result<Vec<_>, _>>()?;
            (tenant, "corrections", json!({ "entries": entries, "reason": reason }))
        }
        _ => unreachable!("`run` took the others"),
    })
}

/// `debit:revenue:2.50`
fn entry(text: &str) -> Result<Value, Failure> {
    let parts: Vec<&str> = text.split(':').collect();
    let [direction, account, amount] = parts[..] else {
        return Err(Failure::usage(format!(
            "'{text}' is no entry: write it as debit:revenue:2.50 or credit:cash:2.50"
        )));
    };
    Ok(json!({ "direction": direction, "account": account, "amount": amount }))
}

fn transaction(text: &str) -> Result<LedgerTransactionId, Failure> {
    id_of("transaction", text, "opshawk ledger show, holds and recharges list them")
}

/// For people, an entry is `debit cash 2.500000`; programs get them as they are.
fn readable(cx: &Context, mut transaction: Value) -> Value {
    if !matches!(cx.connection.output, Format::Json | Format::Yaml)
        && let Value::Array(entries) = &mut transaction["entries"]
    {
        for entry in entries {
            let text = |key: &str| entry[key].as_str().unwrap_or_default();
            let words = [text("direction"), text("account"), text("amount")].join(" ");
            *entry = Value::String(words);
        }
    }
    transaction
}

async fn verify(cx: &Context) -> Result<(), Failure> {
    let verified = cx.client.post("/v1/ledger/verify", &json!({})).await?;
    if matches!(cx.connection.output, Format::Json | Format::Yaml) {
        cx.one(FINDINGS, &verified)?;
    } else if verified["found"] == 0 {
        output::print(&format!(
            "the ledger is sound: {} transactions with {} entries of {} tenants\n",
            verified["transactions"], verified["entries"], verified["tenants"]
        ))?;
    } else {
        cx.list(FINDINGS, verified["findings"].as_array().map_or(&[], Vec::as_slice))?;
    }
    match verified["found"].as_u64() {
        Some(0) => Ok(()),
        found => Err(Failure::new(
            Code::Failed,
            format!("the ledger has {} findings", found.unwrap_or_default()),
        )),
    }
}

pub async fn voucher(cx: &Context, command: VoucherCommand) -> Result<(), Failure> {
    let client = &cx.client;
    match command {
        VoucherCommand::List => cx.list(VOUCHERS, &client.list("/v1/vouchers", &[], None).await?),
        VoucherCommand::Create {
            amount,
            currency,
            tenant,
            valid_from,
            valid_to,
            bonus_expires_at,
            memo,
        } => {
            let tenant = match tenant {
                Some(tenant) => Some(client.id("tenant", PATH, &tenant).await?),
                None => None,
            };
            let body = json!({
                "amount": amount, "currency": currency, "tenant_id": tenant,
                "valid_from": valid_from, "valid_to": valid_to,
                "bonus_expires_at": bonus_expires_at, "memo": memo,
            });
            cx.one(VOUCHER, &client.post("/v1/vouchers", &body).await?)
        }
        VoucherCommand::Redeem { code, tenant } => {
            let id = client.tenant(tenant.as_deref()).await?;
            let path = format!("{PATH}/{id}/vouchers/redeem");
            cx.one(POSTING, &client.post(&path, &json!({ "code": code })).await?)
        }
    }
}
