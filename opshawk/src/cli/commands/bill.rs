//! `opshawk bill …`

use base::time::Timestamp;
use http::Method;

use super::{Column, Context, Failure, col, tenant, wide};
use crate::cli::{
    args::{BillCommand, CostGroup},
    output::{self, Format},
};

const LINE: &[Column] = &[
    col("WHAT", "/what"),
    col("FROM", "/from"),
    col("TO", "/to"),
    col("UNIT PRICE", "/unit_price"),
    col("MODEL", "/model"),
    col("PER", "/per"),
    col("UNIT", "/unit"),
    col("QUANTITY", "/quantity"),
    col("AMOUNT", "/amount"),
    wide("FIRST LINE", "/first_line"),
    wide("METER", "/meter"),
    wide("RESOURCE", "/resource_id"),
];

const COST: &[Column] = &[
    col("NAME", "/name"),
    col("NET", "/net"),
    col("TAX", "/tax"),
    col("CURRENCY", "/currency"),
    wide("USAGE", "/usage"),
    wide("KEY", "/key"),
];

pub async fn run(cx: &Context, command: BillCommand) -> Result<(), Failure> {
    match command {
        BillCommand::Show { tenant, from, to } => {
            show(cx, tenant.as_deref(), period(from, to)).await
        }
        BillCommand::Cost { tenant, by, label, from, to } => {
            let mut query = period(from, to);
            let by = if label.is_some() { CostGroup::Label } else { by };
            query.extend(label.map(|name| ("label", name)));
            cost(cx, tenant.as_deref(), by, query).await
        }
    }
}

type Query = Vec<(&'static str, String)>;

fn period(from: Option<Timestamp>, to: Option<Timestamp>) -> Query {
    let from = from.map(|at| ("from", at.to_string()));
    from.into_iter().chain(to.map(|at| ("to", at.to_string()))).collect()
}

async fn cost(
    cx: &Context,
    tenant: Option<&str>,
    by: CostGroup,
    mut query: Query,
) -> Result<(), Failure> {
    if by != CostGroup::Tenant || tenant.is_some() {
        query.push(("tenant_id", cx.client.tenant(tenant).await?));
    }
    query.push(("group", by.as_str().to_owned()));
    if cx.connection.output == Format::Csv {
        return csv(cx, "/v1/costs.csv", &query).await;
    }
    let report = cx.client.get_with("/v1/costs", &query).await?;
    cx.list(COST, report["rows"].as_array().map_or(&[], Vec::as_slice))
}

async fn csv(cx: &Context, path: &str, query: &Query) -> Result<(), Failure> {
    let request = cx.client.request(Method::GET, path).query(query);
    let answer = cx.client.send(request).await?;
    let text = answer.text().await.map_err(|e| Failure::failed(e.to_string()))?;
    output::print(&text)
}

async fn show(cx: &Context, tenant: Option<&str>, query: Query) -> Result<(), Failure> {
    let id = cx.client.tenant(tenant).await?;
    let path = format!("{}/{id}/bill", tenant::PATH);
    match cx.connection.output {
        Format::Csv => csv(cx, &format!("{path}.csv"), &query).await,
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
