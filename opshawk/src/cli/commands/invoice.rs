//! `opshawk invoice …` and `opshawk billing close`

use std::{io::Write, path::Path};

use base::id::{CreditNoteId, InvoiceId};
use http::Method;
use serde_json::json;

use super::{Column, Context, Failure, col, id_of, tenant, wide};
use crate::cli::{
    args::{CloseArgs, InvoiceCommand, InvoiceFormat},
    exit::Code,
    output::{self, Format},
};

const PATH: &str = "/v1/invoices";

const INVOICE: &[Column] = &[
    col("NUMBER", "/number"),
    col("MONTH", "/month"),
    col("TOTAL", "/total"),
    col("CURRENCY", "/currency"),
    col("CREDITED", "/credited"),
    col("ISSUED", "/issued_at"),
    wide("NET", "/net"),
    wide("TAX", "/tax"),
    wide("ROUNDING", "/rounding"),
    wide("TENANT", "/tenant_id"),
    wide("ID", "/id"),
];

const LINE: &[Column] = &[
    col("WHAT", "/what"),
    col("MONTH", "/month"),
    col("FROM", "/from"),
    col("TO", "/to"),
    // What multiplies to the net amount; of tiers and blocks the effective price.
    col("QUANTITY", "/priced/quantity"),
    col("UNIT", "/priced/unit"),
    col("PRICE", "/priced/price"),
    col("NET", "/net"),
    wide("TAX", "/tax"),
    wide("MODEL", "/model"),
    wide("UNIT PRICE", "/unit_price"),
    wide("COMPONENT", "/component"),
    wide("RESOURCE", "/resource_id"),
    wide("FIRST LINE", "/first_line"),
];

const NOTE: &[Column] = &[
    col("NUMBER", "/number"),
    col("NET", "/net"),
    col("TAX", "/tax"),
    col("TOTAL", "/total"),
    col("REASON", "/reason"),
    col("ID", "/id"),
    wide("TRANSACTION", "/ledger_transaction_id"),
];

const MONTH: &[Column] = &[
    col("MONTH", "/month"),
    col("ENDED", "/ended_at"),
    col("CLOSED", "/closed_at"),
    col("INVOICE", "/invoice_id"),
];

pub async fn run(cx: &Context, command: InvoiceCommand) -> Result<(), Failure> {
    match command {
        InvoiceCommand::List { tenant, limit } => {
            let mut query = Vec::new();
            if let Some(tenant) = tenant {
                let id = cx.client.id("tenant", tenant::PATH, &tenant).await?;
                query.push(("tenant_id", id));
            }
            cx.list(INVOICE, &cx.client.list(PATH, &query, Some(limit)).await?)
        }
        InvoiceCommand::Show { invoice } => show(cx, &invoice).await,
        InvoiceCommand::Download { invoice, format, language, file } => {
            download(cx, &invoice, format, language.as_deref(), file.as_deref()).await
        }
        InvoiceCommand::Note { note, format, language, file } => {
            let id: CreditNoteId = id_of("credit note", &note, "opshawk invoice show lists them")?;
            let path = format!("/v1/credit-notes/{id}/files/{}", format.as_str());
            let bytes = bytes(cx, &path, language.as_deref()).await?;
            let name = format!("{id}.{}", format.as_str());
            write(&bytes, file.as_deref(), &name)
        }
        InvoiceCommand::Credit { invoice, total, reason } => {
            let id = id(cx, &invoice).await?;
            let body = json!({ "total": total, "reason": reason });
            cx.one(NOTE, &cx.client.post(&format!("{PATH}/{id}/credit-notes"), &body).await?)
        }
    }
}

async fn show(cx: &Context, invoice: &str) -> Result<(), Failure> {
    let id = id(cx, invoice).await?;
    let all = cx.client.get(&format!("{PATH}/{id}")).await?;
    if !matches!(cx.connection.output, Format::Table | Format::Wide) {
        return cx.one(INVOICE, &all);
    }
    let content = &all["content"];
    let text =
        |pointer: &str| content.pointer(pointer).and_then(|v| v.as_str()).unwrap_or_default();
    let (number, party, month) = (text("/number"), text("/party/name"), text("/month"));
    output::print(&format!("{number}: {party}, {month}\n"))?;
    cx.list(LINE, content["lines"].as_array().map_or(&[], Vec::as_slice))?;
    let (total, tax) = (text("/sums/total"), text("/sums/tax"));
    let (rounding, currency) = (text("/sums/rounding"), text("/currency"));
    output::print(&format!("total {total} {currency} (tax {tax}, rounding {rounding})\n"))?;
    match all["credit_notes"].as_array().filter(|notes| !notes.is_empty()) {
        Some(notes) => {
            output::print("\n")?;
            cx.list(NOTE, notes)
        }
        None => Ok(()),
    }
}

async fn download(
    cx: &Context,
    invoice: &str,
    format: InvoiceFormat,
    language: Option<&str>,
    file: Option<&Path>,
) -> Result<(), Failure> {
    let id = id(cx, invoice).await?;
    let path = format!("{PATH}/{id}/files/{}", format.as_str());
    let bytes = bytes(cx, &path, language).await?;
    if file.is_some() {
        return write(&bytes, file, "");
    }
    let invoice = cx.client.get(&format!("{PATH}/{id}")).await?;
    let number = invoice["number"].as_str().unwrap_or("invoice");
    write(&bytes, None, &format!("{number}.{}", format.as_str()))
}

async fn bytes(cx: &Context, path: &str, language: Option<&str>) -> Result<Vec<u8>, Failure> {
    let query: Vec<(&str, &str)> =
        language.map(|language| ("language", language)).into_iter().collect();
    let request = cx.client.request(Method::GET, path).query(&query);
    let answer = cx.client.send(request).await?;
    let bytes = answer.bytes().await.map_err(|e| Failure::failed(e.to_string()))?;
    Ok(bytes.to_vec())
}

/// Where it is said, or under the name here, which is told then.
fn write(bytes: &[u8], file: Option<&Path>, name: &str) -> Result<(), Failure> {
    match file {
        Some(file) if file == Path::new("-") => std::io::stdout()
            .write_all(bytes)
            .map_err(|e| Failure::failed(format!("stdout can't be written: {e}"))),
        Some(file) => create(file, bytes),
        None => {
            create(Path::new(name), bytes)?;
            output::print(&format!("{name}\n"))
        }
    }
}

fn create(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).open(file);
    opened.and_then(|mut opened| opened.write_all(bytes)).map_err(|e| {
        let name = file.display();
        match e.kind() {
            std::io::ErrorKind::AlreadyExists => Failure::failed(format!(
                "{name} exists, and is not replaced (give another name with --file, or - for stdout)"
            )),
            _ => Failure::failed(format!("{name} can't be written: {e}")),
        }
    })
}

/// An id as it is, and a number looked up.
async fn id(cx: &Context, invoice: &str) -> Result<String, Failure> {
    if let Ok(id) = invoice.parse::<InvoiceId>() {
        return Ok(id.to_string());
    }
    let all = cx.client.list(PATH, &[], None).await?;
    let found = all.iter().find(|item| item["number"] == invoice);
    found.and_then(|item| item["id"].as_str()).map(str::to_owned).ok_or_else(|| {
        let message =
            format!("there is no invoice {invoice} (list them with opshawk invoice list)");
        Failure::new(Code::NotFound, message)
    })
}

pub async fn close(cx: &Context, args: CloseArgs) -> Result<(), Failure> {
    let id = cx.client.id("tenant", tenant::PATH, &args.tenant).await?;
    let month: billing::calendar::Month =
        args.month.parse().map_err(|e: base::Error| Failure::usage(e.to_string()))?;
    let path = format!("{}/{id}/months/{month}/close", tenant::PATH);
    cx.one(MONTH, &cx.client.post(&path, &json!({})).await?)
}
