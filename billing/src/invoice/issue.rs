//! Issuing: everything is made first, then the series' next number is taken, and what is issued is
//! written, in the transaction that closes the month.

use base::{Result, db::Conn, id::InvoiceId, money::Currency, time::Timestamp};

use super::{
    Format, Settings, books,
    content::{Content, Issuer, Line, Party, Sums, VERSION},
    documents, measure, printed,
};
use crate::{
    accounts::{Account, Locked},
    calendar::Month,
    close::charges::Charge,
};

/// Posts the rounding, numbers and writes the invoice.
pub(crate) async fn issue(
    conn: &mut Conn,
    now: Timestamp,
    settings: &crate::Settings,
    locked: &mut Locked,
    id: InvoiceId,
    month: Month,
    charges: Vec<Charge>,
) -> Result<Content> {
    let mut content = content(conn, now, &settings.invoice, locked, id, month, charges).await?;
    books::round(conn, locked, now, &content.month, content.sums.rounding).await?;
    // The row that everybody waits for comes last.
    let number = next_number(conn, &settings.invoice.series).await?;
    content.number = printed(&settings.invoice.series, number);
    insert(conn, &settings.invoice.series, number, &content).await?;
    let json = serde_json::to_string(&content).map_err(documents::no_json)?;
    documents::store(conn, now, &id.to_string(), Format::Json, None, &json).await?;
    Ok(content)
}

async fn content(
    conn: &mut Conn,
    now: Timestamp,
    settings: &Settings,
    account: &Account,
    id: InvoiceId,
    month: Month,
    charges: Vec<Charge>,
) -> Result<Content> {
    let currency: Currency = account.currency.parse()?;
    let lines: Vec<Line> = charges.into_iter().map(line).collect();
    let sums = Sums::of(currency, &lines)?;
    let zone = account.timezone;
    Ok(Content {
        version: VERSION,
        id,
        number: String::new(),
        issuer: Issuer {
            name: settings.issuer.clone(),
            address: settings.issuer_address.clone(),
            tax_id: settings.issuer_tax_id.clone(),
        },
        party: party(conn, account).await?,
        month: month.to_string(),
        period_from: month.start(zone),
        period_to: month.end(zone),
        timezone: zone.name().to_owned(),
        issued_at: now,
        currency,
        digits: currency.digits(),
        language: account.settings.invoice.language.unwrap_or(settings.language),
        lines,
        sums,
    })
}

async fn party(conn: &mut Conn, account: &Account) -> Result<Party> {
    let own = &account.settings.invoice;
    let name: String = sqlx::query_scalar("SELECT name FROM tenants WHERE id = $1")
        .bind(account.tenant_id.to_string())
        .fetch_one(conn)
        .await?;
    Ok(Party {
        tenant_id: account.tenant_id,
        name: if own.name.is_empty() { name } else { own.name.clone() },
        address: own.address.clone(),
        tax_id: own.tax_id.clone(),
    })
}

fn line(charge: Charge) -> Line {
    let month = charge.measure;
    let line = unpriced(charge);
    Line { priced: measure::priced(&line, month), ..line }
}

fn unpriced(charge: Charge) -> Line {
    Line {
        priced: None,
        first_line: Some(charge.first_line),
        component: charge.component,
        flavor: charge.flavor,
        resource_kind: charge.resource_kind,
        resource_id: charge.resource_id,
        resource_name: charge.resource_name,
        what: charge.what,
        rate: charge.rate,
        price_version_id: charge.price_version,
        price_book_id: charge.price_book,
        month: charge.month,
        from: charge.from,
        to: charge.to,
        unit_price: charge.unit_price,
        quantity: charge.quantity,
        net: charge.net,
        tax: charge.tax,
        tax_rate: charge.terms.tax_rate,
        kind: charge.kind,
        model: charge.terms.model.to_owned(),
        unit: charge.terms.unit,
        adjustment: charge.adjustment,
    }
}

/// Takes the series' lock until the transaction ends; what is rolled back leaves no gap.
pub(crate) async fn next_number(conn: &mut Conn, series: &str) -> Result<i64> {
    sqlx::query(
        "INSERT INTO invoice_series (name, last_number) VALUES ($1, 0) ON CONFLICT DO NOTHING",
    )
    .bind(series)
    .execute(&mut *conn)
    .await?;
    let number = sqlx::query_scalar(
        "UPDATE invoice_series SET last_number = last_number + 1 WHERE name = $1 \
         RETURNING last_number",
    )
    .bind(series)
    .fetch_one(conn)
    .await?;
    Ok(number)
}

async fn insert(conn: &mut Conn, series: &str, number: i64, content: &Content) -> Result<()> {
    let sums = &content.sums;
    sqlx::query(
        "INSERT INTO invoices (id, series, number, tenant_id, month, currency, net_micros, \
         tax_micros, total_micros, rounding_micros, issued_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(content.id.to_string())
    .bind(series)
    .bind(number)
    .bind(content.party.tenant_id.to_string())
    .bind(&content.month)
    .bind(content.currency.code())
    .bind(sums.net.0)
    .bind(sums.tax.0)
    .bind(sums.total.0)
    .bind(sums.rounding.0)
    .bind(content.issued_at.ms())
    .execute(conn)
    .await?;
    Ok(())
}
