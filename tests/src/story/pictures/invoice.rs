//! An invoice to be seen: no month of the story ends, so that it is made of the bill. Its lines are
//! those that the server rated, and each can be opened.

use anyhow::{Context, Result};
use base::money::{Currency, Micros};
use serde_json::{Value, json};

use crate::story::{Story, instant_ms, micros, text};

const ID: &str = "0193a000-0000-7000-8000-0000000000a1";
const MONTH: &str = "2026-10";
const MS_PER_HOUR: f64 = 3_600_000.0;

impl Story {
    /// As `GET /v1/invoices/{id}` answers.
    pub(super) async fn invoice(&self) -> Result<Value> {
        let bill = self.member.get(&format!("/v1/tenants/{}/bill", self.tenant)).await?;
        let rated = self.member.get("/v1/lines").await?;
        let rated = rated["items"].as_array().context("no rated lines")?;
        let lines = bill["lines"].as_array().context("a bill has lines")?;
        let lines = lines.iter().map(|line| invoiced(line, rated)).collect::<Result<Vec<_>>>()?;
        let exact = Micros(micros(&bill["subtotal"])?);
        let currency: Currency = text(&bill, "currency")?.parse()?;
        let total = currency.round(exact)?;
        let sums = json!({
            "lines_net": exact, "lines_tax": "0.000000", "net": total, "tax": "0.000000",
            "total": total, "rounding": total.checked_sub(exact)?,
        });
        let invoice = json!({
            "id": ID, "number": "INV-000042", "tenant_id": self.tenant, "month": MONTH,
            "currency": currency, "digits": currency.digits(), "issued_at": bill["to"],
        });
        let mut content = invoice.clone();
        content["version"] = json!(1);
        content["issuer"] = json!({
            "name": "Example Cloud Ltd.", "address": "1 Example Road, Shanghai",
            "tax_id": "91310000EXAMPLE",
        });
        content["party"] = json!({"tenant_id": self.tenant, "name": bill["tenant_name"]});
        content["period_from"] = bill["from"].clone();
        content["period_to"] = bill["to"].clone();
        content["timezone"] = json!("Asia/Shanghai");
        content["language"] = json!("en");
        content["lines"] = json!(lines);
        content["sums"] = sums.clone();
        let mut detail = invoice;
        for name in ["net", "tax", "total", "rounding"] {
            detail[name] = sums[name].clone();
        }
        detail["credited"] = json!("1.500000");
        detail["credit_notes"] = json!([{
            "id": ID, "number": "CN-000007", "invoice_id": ID, "net": "1.500000",
            "tax": "0.000000", "total": "1.500000", "reason": "outage of 3 November",
            "ledger_transaction_id": ID, "issued_at": bill["to"],
        }]);
        detail["content"] = content;
        Ok(detail)
    }
}

/// A line of the bill as an invoice has it, with the price of the first rated line that it joins.
fn invoiced(line: &Value, rated: &[Value]) -> Result<Value> {
    let first = rated.iter().find(|one| one["id"] == line["first_line"]);
    let first = first.with_context(|| format!("no rated line begins {line}"))?;
    let mut invoiced = line.clone();
    invoiced["rate"] = first["rate"].clone();
    invoiced["price_version_id"] = first["price_version"].clone();
    invoiced["kind"] = first["kind"].clone();
    invoiced["month"] = json!(MONTH);
    invoiced["flavor"] = json!("");
    invoiced["net"] = line["amount"].clone();
    invoiced["tax"] = json!("0.000000");
    if line["per"] == "hour" && line["model"] == "standard" {
        let hours = (instant_ms(&line["to"])? - instant_ms(&line["from"])?) as f64 / MS_PER_HOUR;
        let quantity = line["quantity"].as_f64().context("a line has a quantity")?;
        invoiced["priced"] = json!({
            "quantity": format!("{:.6}", hours * quantity), "unit": "Hours",
            "price": line["unit_price"], "cost": line["amount"], "effective": false,
        });
    }
    Ok(invoiced)
}
