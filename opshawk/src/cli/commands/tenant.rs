//! `opshawk tenant …`

use serde_json::json;

use super::{Column, Context, Failure, col, wide};
use crate::cli::args::TenantCommand;

pub const PATH: &str = "/v1/tenants";

const COLUMNS: &[Column] = &[
    col("NAME", "/name"),
    col("STANDING", "/standing"),
    col("BALANCE", "/balance"),
    col("CURRENCY", "/currency"),
    wide("PRICE BOOK", "/price_book_id"),
    wide("CREATED", "/created_at"),
    wide("ID", "/id"),
];

const BALANCE: &[Column] = &[
    col("BALANCE", "/balance_display"),
    col("CURRENCY", "/currency"),
    col("BURN PER HOUR", "/burn_per_hour"),
    col("RUNS OUT", "/runs_out_at"),
    col("STANDING", "/standing"),
    col("MESSAGE", "/message"),
    wide("EXACT", "/balance"),
    wide("POSTED", "/posted"),
    wide("ACCRUED", "/accrued"),
    wide("AT", "/at"),
];

const TOPUP: &[Column] = &[
    col("TRANSACTION", "/ledger_transaction_id"),
    col("BALANCE", "/balance/balance_display"),
    col("CURRENCY", "/balance/currency"),
    col("STANDING", "/balance/standing"),
    col("RUNS OUT", "/balance/runs_out_at"),
];

pub async fn run(cx: &Context, command: TenantCommand) -> Result<(), Failure> {
    let client = &cx.client;
    match command {
        TenantCommand::List => cx.list(COLUMNS, &client.list(PATH, &[], None).await?),
        TenantCommand::Show { tenant } => {
            cx.one(COLUMNS, &client.find("tenant", PATH, &tenant).await?)
        }
        TenantCommand::Create { name, currency, price_book, timezone } => {
            let book = match price_book {
                Some(book) => Some(client.id("price-book", super::price_book::PATH, &book).await?),
                None => None,
            };
            let mut body = json!({ "name": name, "currency": currency, "price_book_id": book });
            if let Some(timezone) = timezone {
                body["timezone"] = timezone.into();
            }
            cx.one(COLUMNS, &client.post(PATH, &body).await?)
        }
        TenantCommand::Rename { tenant, name } => {
            let id = client.id("tenant", PATH, &tenant).await?;
            let body = json!({ "name": name });
            cx.one(COLUMNS, &client.patch(&format!("{PATH}/{id}"), &body).await?)
        }
        TenantCommand::SetPriceBook { tenant, price_book, effective_at } => {
            let id = client.id("tenant", PATH, &tenant).await?;
            let book = client.id("price-book", super::price_book::PATH, &price_book).await?;
            let body = json!({ "price_book_id": book, "effective_at": effective_at });
            cx.one(COLUMNS, &client.patch(&format!("{PATH}/{id}"), &body).await?)
        }
        TenantCommand::Topup { tenant, amount, memo } => {
            let id = client.id("tenant", PATH, &tenant).await?;
            let body = json!({ "amount": amount, "memo": memo });
            cx.one(TOPUP, &client.post(&format!("{PATH}/{id}/topups"), &body).await?)
        }
        TenantCommand::Balance { tenant } => {
            let id = client.tenant(tenant.as_deref()).await?;
            cx.one(BALANCE, &client.get(&format!("{PATH}/{id}/balance")).await?)
        }
    }
}
