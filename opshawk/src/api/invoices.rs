//! Invoices: what closed months came to, in each form; and closing a month by hand.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use base::{
    bus::Topic,
    id::{CreditNoteId, InvoiceId, TenantId},
    money::Micros,
    time::Timestamp,
};
use billing::{
    calendar::Month,
    close::{self, Closing},
    invoice::{
        self, Content, Document, Format, Invoice, Language, documents,
        notes::{self, Amount, CreditNote},
    },
};
use http::{StatusCode, header};
use identity::tenants;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{
    auth::Caller,
    extract::{Json, Keyed, Path, Query},
    page::{self, Page},
    problem::{Problem, Result},
    state::App,
    unit,
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct InvoiceQuery {
    /// For operators: one tenant's only.
    #[param(value_type = Option<TenantId>)]
    pub tenant_id: Option<TenantId>,
    /// At most so many items (1 to 1000, 100 where not given).
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct InvoiceDetail {
    #[serde(flatten)]
    pub invoice: Invoice,
    /// What it says, as it was frozen.
    pub content: Content,
    pub credit_notes: Vec<CreditNote>,
}

/// Either `total`, of which tax is its share, or `net` and `tax`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateCreditNote {
    /// With tax, in the invoice's currency.
    pub total: Option<Micros>,
    pub net: Option<Micros>,
    pub tax: Option<Micros>,
    /// Why; the tenant reads it.
    pub reason: String,
}

impl CreateCreditNote {
    fn amount(&self) -> Result<Amount> {
        match (self.total, self.net, self.tax) {
            (Some(total), None, None) => Ok(Amount::Total(total)),
            (None, Some(net), Some(tax)) => Ok(Amount::Parts { net, tax }),
            _ => Err(Problem::invalid("total", "give either total, or net and tax")),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct FileQuery {
    /// Of HTML and PDF; the invoice's own where not given.
    #[param(value_type = Option<Language>)]
    pub language: Option<Language>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ClosedMonth {
    /// `YYYY-MM` in the tenant's billing zone.
    pub month: String,
    pub ended_at: Timestamp,
    pub closed_at: Timestamp,
    /// None: there was nothing to invoice.
    pub invoice_id: Option<InvoiceId>,
}

impl From<Closing> for ClosedMonth {
    fn from(closing: Closing) -> Self {
        Self {
            month: closing.month.to_string(),
            ended_at: closing.ends,
            closed_at: closing.closed,
            invoice_id: closing.invoice_id,
        }
    }
}

/// Newest first; a member sees its own tenant's.
#[utoipa::path(get, path = "/v1/invoices", tag = "money", params(InvoiceQuery),
    responses((status = 200, body = Page<Invoice>)))]
pub async fn list_invoices(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<InvoiceQuery>,
) -> Result<Json<Page<Invoice>>> {
    let span = page::span::<InvoiceId>(query.limit, query.cursor.as_deref())?;
    let tenant = super::tenant_filter(&caller, query.tenant_id)?;
    let mut conn = app.read().await?;
    let rows = invoice::list(&mut conn, tenant, span.cursor, span.fetch()).await?;
    Ok(Json(span.page(rows, |i| i.id.to_string(), |i| i)))
}

/// The invoice with its lines.
#[utoipa::path(get, path = "/v1/invoices/{id}", tag = "money",
    params(("id" = InvoiceId, Path)), responses((status = 200, body = InvoiceDetail)))]
pub async fn get_invoice(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<InvoiceId>,
) -> Result<Json<InvoiceDetail>> {
    let mut conn = app.read().await?;
    let invoice = seen(&mut conn, &caller, id).await?;
    let content = documents::content(&mut conn, id).await?;
    let credit_notes = notes::list(&mut conn, id).await?;
    Ok(Json(InvoiceDetail { invoice, content, credit_notes }))
}

/// Takes back a part of the invoice, never more than is left of it, and gives it to the tenant's
/// account.
#[utoipa::path(post, path = "/v1/invoices/{id}/credit-notes", tag = "money",
    params(("id" = InvoiceId, Path)), request_body = CreateCreditNote,
    responses((status = 201, body = CreditNote)))]
pub async fn create_credit_note(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<InvoiceId>,
    Keyed { body, key }: Keyed<CreateCreditNote>,
) -> unit::Result<Response> {
    let amount = body.amount()?;
    let mut unit = app.begin(&caller, key).await?;
    let (now, settings) = (unit.now, &app.billing.invoice);
    let tenant = invoice::get(&mut unit.tx, id).await?.tenant_id;
    let actor = unit.actor();
    let note = notes::credit(&mut unit.tx, now, settings, id, amount, &body.reason, &actor).await?;
    let detail = json!({ "number": note.number, "total": note.total, "reason": note.reason });
    unit.audit("invoice.credit", ("invoice", id), Some(tenant), detail).await?;
    unit.changes.add(Topic::Money, tenant, Some(tenant));
    unit.finish(StatusCode::CREATED, &note).await
}

async fn seen(conn: &mut base::db::Conn, caller: &Caller, id: InvoiceId) -> Result<Invoice> {
    let invoice = invoice::get(conn, id).await?;
    caller.require_sees(invoice.tenant_id, format_args!("invoice {id}"))?;
    Ok(invoice)
}

/// The invoice as a file: `json` as it was issued, `html` fit for print, `csv` in the columns of
/// FOCUS 1.2, `pdf` where this program was built with it. Its bytes never change.
#[utoipa::path(get, path = "/v1/invoices/{id}/files/{format}", tag = "money",
    params(("id" = InvoiceId, Path), ("format" = String, Path), FileQuery),
    responses((status = 200, body = String, content_type = "application/octet-stream")))]
pub async fn download_invoice(
    State(app): State<App>,
    caller: Caller,
    Path((id, format)): Path<(InvoiceId, String)>,
    Query(query): Query<FileQuery>,
) -> Result<Response> {
    seen(&mut *app.read().await?, &caller, id).await?;
    let format: Format = format.parse()?;
    let (now, settings) = (app.clock.now(), &app.billing.invoice);
    let file = documents::document(&app.db, now, settings, id, format, query.language).await?;
    Ok(sent(file))
}

/// A credit note as a file: `html` fit for print, `pdf` where this program was built with it. Its
/// bytes never change.
#[utoipa::path(get, path = "/v1/credit-notes/{id}/files/{format}", tag = "money",
    params(("id" = CreditNoteId, Path), ("format" = String, Path), FileQuery),
    responses((status = 200, body = String, content_type = "application/octet-stream")))]
pub async fn download_credit_note(
    State(app): State<App>,
    caller: Caller,
    Path((id, format)): Path<(CreditNoteId, String)>,
    Query(query): Query<FileQuery>,
) -> Result<Response> {
    let tenant = {
        let mut conn = app.read().await?;
        let note = notes::get(&mut conn, id).await?;
        invoice::get(&mut conn, note.invoice_id).await?.tenant_id
    };
    caller.require_sees(tenant, format_args!("credit note {id}"))?;
    let format: Format = format.parse()?;
    let (now, settings) = (app.clock.now(), &app.billing.invoice);
    let file = documents::note_document(&app.db, now, settings, id, format, query.language).await?;
    Ok(sent(file))
}

fn sent(file: Document) -> Response {
    let headers = [
        (header::CONTENT_TYPE, file.format.media_type().to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", file.file_name)),
        (header::ETAG, format!("\"{}\"", file.sha256)),
        // A page of ours that is opened by itself runs nothing and loads nothing.
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; sandbox".to_owned(),
        ),
    ];
    (headers, file.bytes).into_response()
}

/// The tenant's closed months, newest first.
#[utoipa::path(get, path = "/v1/tenants/{id}/months", tag = "money",
    params(("id" = TenantId, Path)), responses((status = 200, body = Page<ClosedMonth>)))]
pub async fn list_months(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
) -> Result<Json<Page<ClosedMonth>>> {
    let mut conn = super::reading(&app, &caller, id).await?;
    let all = close::closings(&mut conn, id).await?;
    Ok(Json(Page::whole(all.into_iter().map(ClosedMonth::from).collect())))
}

/// Closes a month that has ended without waiting for its grace, and issues its invoice. Facts of the
/// month that come later are on the next invoice. A month that is closed already stays as it is.
#[utoipa::path(post, path = "/v1/tenants/{id}/months/{month}/close", tag = "money",
    params(("id" = TenantId, Path), ("month" = String, Path)),
    responses((status = 200, body = ClosedMonth)))]
pub async fn close_month(
    State(app): State<App>,
    caller: Caller,
    Path((id, month)): Path<(TenantId, String)>,
) -> unit::Result<Response> {
    let month: Month = month.parse()?;
    let mut unit = app.begin(&caller, None).await?;
    let now = unit.now;
    tenants::get(&mut unit.tx, id).await?;
    let closing = close::close(&mut unit.tx, now, &app.billing, id, month).await?;
    let detail = json!({ "month": closing.month.to_string(), "invoice_id": closing.invoice_id });
    unit.finish_money(("month.close", id), detail, StatusCode::OK, &ClosedMonth::from(closing))
        .await
}
