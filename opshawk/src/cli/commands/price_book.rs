//! `opshawk price-book …`

use base::money::Nanos;
use serde_json::{Value, json};

use super::{Column, Context, Failure, col, flavor, tenant, wide};
use crate::cli::args::PriceBookCommand;

pub const PATH: &str = "/v1/price-books";

const COLUMNS: &[Column] = &[
    col("NAME", "/name"),
    col("CURRENCY", "/currency"),
    col("EFFECTIVE", "/versions/0/effective_at"),
    wide("CREATED", "/created_at"),
    col("ID", "/id"),
];

const PRICE: &[Column] =
    &[col("EFFECTIVE", "/effective_at"), col("METER", "/meter"), col("PER HOUR", "/unit_price")];

pub async fn run(cx: &Context, command: PriceBookCommand) -> Result<(), Failure> {
    let client = &cx.client;
    match command {
        PriceBookCommand::List => cx.list(COLUMNS, &client.list(PATH, &[], None).await?),
        PriceBookCommand::Show { price_book } => {
            let book = client.find("price-book", PATH, &price_book).await?;
            cx.list(PRICE, &flatten(&book))
        }
        PriceBookCommand::Create { name, currency, tenant, prices } => {
            let owner = match &tenant {
                Some(tenant) => Some(client.id("tenant", tenant::PATH, tenant).await?),
                None => None,
            };
            let body = json!({
                "name": name, "currency": currency, "tenant_id": owner,
                "prices": resolve(cx, &prices.prices).await?,
                "effective_at": prices.effective_at,
            });
            cx.one(COLUMNS, &client.post(PATH, &body).await?)
        }
        PriceBookCommand::Publish { price_book, prices } => {
            let id = client.id("price-book", PATH, &price_book).await?;
            let body = json!({
                "prices": resolve(cx, &prices.prices).await?, "effective_at": prices.effective_at,
            });
            let book = client.post(&format!("{PATH}/{id}/versions"), &body).await?;
            cx.list(PRICE, &flatten(&book))
        }
    }
}

fn flatten(book: &Value) -> Vec<Value> {
    let versions = book["versions"].as_array().map_or(&[][..], Vec::as_slice);
    let prices = |version: &Value| {
        let at = version["effective_at"].clone();
        let prices = version["prices"].as_array().cloned().unwrap_or_default();
        prices.into_iter().map(move |mut price| {
            price["effective_at"] = at.clone();
            price
        })
    };
    versions.iter().flat_map(prices).collect()
}

/// Meters with flavors by name become meters with flavors by id.
async fn resolve(cx: &Context, prices: &[(String, Nanos)]) -> Result<Vec<Value>, Failure> {
    let mut resolved = Vec::new();
    for (meter, price) in prices {
        let meter = match meter.split_once(':') {
            Some((kind, flavor)) => {
                let id = cx.client.id("flavor", flavor::PATH, flavor).await?;
                format!("{kind}:{id}")
            }
            None => meter.clone(),
        };
        resolved.push(json!({ "meter": meter, "unit_price": price }));
    }
    Ok(resolved)
}
