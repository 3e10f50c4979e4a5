//! `opshawk bill …`

use http::Method;

use super::{Column, Context, Failure, col, tenant, wide};
use crate::cli::{
    args::BillCommand,
    output::{self, Format},
};

const LINE: &[Column] = &[
    col("WHAT", "/what"),
    col("FROM", "/from"),
    col("TO", "/to"),
    col("UNIT PRICE", "/unit_price"),
    col("QUANTITY", "/quantity"),
    col("AMOUNT", "/amount"),
    wide("METER", "/meter"),
    wide("RESOURCE", "/resource_id"),
];

pub async fn run(
    cx: &Context,
    BillCommand::Show { tenant, from, to }: BillCommand,
) -> Result<(), Failure> {
    let id = cx.client.tenant(tenant.as_deref()).await?;
    let mut query = Vec::new();
    query.extend(from.map(|at| ("from", at.to_string())));
    query.extend(to.map(|at| ("to", at.to_string())));
    let path = format!("{}/{id}/bill", tenant::PATH);
    match cx.connection.output {
        Format::Csv => {
            let request = cx.client.request(Method::GET, &format!("{path}.csv")).query(&query);
            let answer = cx.client.send(request).await?;
            let text = answer.text().await.map_err(|e| Failure::failed(e.to_string()))?;
            output::print(&text)
        }
        Format::Json | Format::Yaml => cx.one(LINE, &cx.client.get_with(&path, &query).await?),
        Format::Table | Format::Wide => {
            let bill = cx.client.get_with(&path, &query).await?;
            let text = |field: &str| bill[field].as_str().unwrap_or_default().to_owned();
            output::print(&format!(
                "{}: {} to {}\n",
                text("tenant_name"),
                text("from"),
                text("to")
            ))?;
            cx.list(LINE, bill["lines"].as_array().map_or(&[], Vec::as_slice))?;
            output::print(&format!("subtotal {} {}\n", text("subtotal"), text("currency")))
        }
    }
}
