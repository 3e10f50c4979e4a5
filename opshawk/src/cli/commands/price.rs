//! `opshawk price …`

use std::{collections::BTreeMap, path::Path};

use base::{
    id::PriceDraftId,
    time::{Clock, SystemClock, Timestamp},
};
use serde_json::{Value, json};

use super::{Column, Context, Failure, col, flavor, id_of, price_book, tenant, wide};
use crate::cli::{
    args::{DraftCommand, OverrideCommand, PriceCommand},
    output::{self, Format},
};

const DRAFTS: &str = "/v1/price-drafts";

const BOOK: &[Column] = &[
    col("NAME", "/name"),
    col("CURRENCY", "/currency"),
    col("VERSION", "/in_force/number"),
    col("SINCE", "/in_force/effective_at"),
    wide("TENANT", "/tenant_id"),
    wide("CREATED", "/created_at"),
    col("ID", "/id"),
];

const RATE: &[Column] = &[
    col("VERSION", "/number"),
    col("EFFECTIVE", "/effective_at"),
    col("RATE", "/rate"),
    col("COMPONENT", "/component"),
    col("WHERE", "/where"),
    col("PRICE", "/price"),
    wide("KIND", "/kind"),
    wide("REASON", "/reason"),
    wide("TAX", "/tax"),
];

const DRAFT: &[Column] = &[
    col("ID", "/id"),
    col("REVISION", "/revision"),
    col("CHECKED", "/is_checked"),
    col("BY", "/actor"),
    col("UPDATED", "/updated_at"),
    wide("BOOK", "/price_book_id"),
];

const CHECK: &[Column] = &[
    col("SEVERITY", "/severity"),
    col("RATE", "/rate"),
    col("MESSAGE", "/message"),
    wide("CODE", "/code"),
];

const VERSION: &[Column] = &[
    col("VERSION", "/number"),
    col("EFFECTIVE", "/effective_at"),
    col("KIND", "/kind"),
    wide("REASON", "/reason"),
    col("ID", "/id"),
];

const SIMULATED: &[Column] = &[
    col("TENANT", "/tenant"),
    col("CHARGED", "/charged"),
    col("SIMULATED", "/simulated"),
    col("DIFFERENCE", "/difference"),
    wide("TENANT ID", "/tenant_id"),
];

const OVERRIDE: &[Column] = &[
    col("NUMBER", "/number"),
    col("FROM", "/from"),
    col("TO", "/to"),
    col("RATES", "/shown"),
    col("REASON", "/reason"),
    wide("BY", "/actor"),
    wide("CREATED", "/created_at"),
    wide("VERSION", "/price_version_id"),
];

pub async fn run(cx: &Context, command: PriceCommand) -> Result<(), Failure> {
    let client = &cx.client;
    match command {
        PriceCommand::List => {
            let books = client.list(price_book::PATH, &[], None).await?;
            let books: Vec<Value> = books.into_iter().map(with_in_force).collect();
            cx.list(BOOK, &books)
        }
        PriceCommand::Show { price_book } => {
            let book = client.find("price-book", price_book::PATH, &price_book).await?;
            if !is_text(cx) {
                return cx.one(BOOK, &book);
            }
            let flavors = flavors(cx).await?;
            cx.list(RATE, &rates_of(&book, &flavors))
        }
        PriceCommand::Draft { command } => draft(cx, command).await,
        PriceCommand::Check { draft } => check(cx, &draft).await,
        PriceCommand::Publish { draft, effective_at, correction } => {
            let body = json!({ "effective_at": effective_at, "correction": correction });
            let path = format!("{}/publish", draft_path(&draft)?);
            cx.one(VERSION, &client.post(&path, &body).await?)
        }
        PriceCommand::Simulate { draft, from, until, effective_at, tenants } => {
            let period = (from, until.unwrap_or_else(now), effective_at);
            simulate(cx, &draft, period, &tenants).await
        }
        PriceCommand::Override { command } => overrides(cx, command).await,
    }
}

/// Whether people are to read it.
fn is_text(cx: &Context) -> bool {
    !matches!(cx.connection.output, Format::Json | Format::Yaml)
}

fn with_in_force(mut book: Value) -> Value {
    let now = now();
    let began = |version: &&Value| {
        let at = version["effective_at"].as_str().and_then(|at| at.parse().ok());
        at.is_some_and(|at: Timestamp| at <= now)
    };
    let versions = book["versions"].as_array().map_or(&[][..], Vec::as_slice);
    // Of equal instants the last: it was published later.
    let in_force =
        versions.iter().filter(began).max_by_key(|v| v["effective_at"].as_str().map(str::to_owned));
    book["in_force"] = in_force.cloned().unwrap_or(Value::Null);
    book
}

async fn draft(cx: &Context, command: DraftCommand) -> Result<(), Failure> {
    let client = &cx.client;
    match command {
        DraftCommand::List { price_book } => {
            let id = client.id("price-book", price_book::PATH, &price_book).await?;
            let drafts = client.get(&format!("{}/{id}/drafts", price_book::PATH)).await?;
            cx.list(DRAFT, items(&drafts, "items"))
        }
        DraftCommand::Show { draft } => {
            let draft = client.get(&draft_path(&draft)?).await?;
            if !is_text(cx) {
                return cx.one(DRAFT, &draft);
            }
            let mut document = draft["document"].clone();
            let flavors = flavors(cx).await?;
            name_by_names(&mut document, &flavors);
            let text = serde_yaml_ng::to_string(&document)
                .map_err(|e| Failure::failed(format!("the draft can't be shown: {e}")))?;
            output::print(&text)
        }
        DraftCommand::Create { price_book, file } => {
            let id = client.id("price-book", price_book::PATH, &price_book).await?;
            let document = match file {
                Some(file) => read_document(cx, &file).await?,
                None => Value::Null,
            };
            let path = format!("{}/{id}/drafts", price_book::PATH);
            cx.one(DRAFT, &client.post(&path, &json!({ "document": document })).await?)
        }
        DraftCommand::Edit { draft, file, revision } => {
            let path = draft_path(&draft)?;
            let document = read_document(cx, &file).await?;
            let revision = match revision {
                Some(revision) => json!(revision),
                None => client.get(&path).await?["revision"].clone(),
            };
            let body = json!({ "document": document, "revision": revision });
            cx.one(DRAFT, &client.put(&path, &body).await?)
        }
        DraftCommand::Discard { draft } => {
            client.delete(&draft_path(&draft)?).await?;
            Ok(())
        }
    }
}

/// Prints what was found; errors are a failure.
async fn check(cx: &Context, draft: &str) -> Result<(), Failure> {
    let path = format!("{}/check", draft_path(draft)?);
    let checked = cx.client.post(&path, &json!({})).await?;
    let checks = items(&checked, "checks");
    cx.list(CHECK, checks)?;
    let errors = checks.iter().filter(|check| check["severity"] == "error").count();
    match errors {
        0 => Ok(()),
        _ => Err(Failure::failed(format!("the draft has {errors} errors: it can't be published"))),
    }
}

async fn overrides(cx: &Context, command: OverrideCommand) -> Result<(), Failure> {
    let client = &cx.client;
    match command {
        OverrideCommand::List { tenant } => {
            let id = client.tenant(tenant.as_deref()).await?;
            let all = client.get(&format!("{}/{id}/price-overrides", tenant::PATH)).await?;
            let flavors = flavors(cx).await?;
            let all: Vec<Value> =
                items(&all, "items").iter().map(|o| shown(o.clone(), &flavors)).collect();
            cx.list(OVERRIDE, &all)
        }
        OverrideCommand::Create { tenant, file, reason, from, to, correction } => {
            let id = client.id("tenant", tenant::PATH, &tenant).await?;
            let document = read_document(cx, &file).await?;
            let body = json!({
                "rates": document["rates"], "tax": document["tax"], "reason": reason,
                "from": from, "to": to, "correction": correction,
            });
            let path = format!("{}/{id}/price-overrides", tenant::PATH);
            let made = client.post(&path, &body).await?;
            cx.one(OVERRIDE, &shown(made, &flavors(cx).await?))
        }
        OverrideCommand::End { tenant, number, reason, at } => {
            let id = client.id("tenant", tenant::PATH, &tenant).await?;
            let path = format!("{}/{id}/price-overrides/{number}/end", tenant::PATH);
            let ended = client.post(&path, &json!({ "reason": reason, "at": at })).await?;
            cx.one(OVERRIDE, &shown(ended, &flavors(cx).await?))
        }
    }
}

async fn simulate(
    cx: &Context,
    draft: &str,
    (from, until, effective_at): (Timestamp, Timestamp, Option<Timestamp>),
    tenants: &[String],
) -> Result<(), Failure> {
    let known = cx.client.list(tenant::PATH, &[], None).await?;
    let mut ids = Vec::new();
    for name in tenants {
        ids.push(cx.client.id("tenant", tenant::PATH, name).await?);
    }
    let body = json!({
        "draft_id": draft_id(draft)?, "from": from, "until": until, "effective_at": effective_at,
        "tenant_ids": (!ids.is_empty()).then_some(ids),
    });
    let mut found = cx.client.post("/v1/prices/simulate", &body).await?;
    if let Some(all) = found["tenants"].as_array_mut() {
        for one in all {
            let name = known.iter().find(|tenant| tenant["id"] == one["tenant_id"]);
            one["tenant"] = name.map_or(Value::Null, |tenant| tenant["name"].clone());
        }
    }
    if !is_text(cx) {
        return cx.one(SIMULATED, &found);
    }
    cx.list(SIMULATED, items(&found, "tenants"))?;
    let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    output::print(&format!("all together: {} {}\n", text("difference"), text("currency")))
}

fn draft_id(draft: &str) -> Result<PriceDraftId, Failure> {
    id_of("draft", draft, "list them with opshawk price draft list BOOK")
}

fn draft_path(draft: &str) -> Result<String, Failure> {
    Ok(format!("{DRAFTS}/{}", draft_id(draft)?))
}

fn now() -> Timestamp {
    SystemClock.now()
}

fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// Names of flavors by their ids.
async fn flavors(cx: &Context) -> Result<BTreeMap<String, String>, Failure> {
    let all = cx.client.list(flavor::PATH, &[], None).await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(all.iter().map(|f| (text(&f["id"]), text(&f["name"]))).collect())
}

/// A document, with flavors by id.
async fn read_document(cx: &Context, file: &Path) -> Result<Value, Failure> {
    let text = super::read_text(file)?;
    let mut document: Value = serde_yaml_ng::from_str(&text)
        .map_err(|e| Failure::usage(format!("{} is neither YAML nor JSON: {e}", file.display())))?;
    let flavors = flavors(cx).await?;
    name_by_ids(&mut document, &flavors);
    Ok(document)
}

fn name_by_ids(document: &mut Value, flavors: &BTreeMap<String, String>) {
    rename_flavors(document, |name| {
        let (id, _) = flavors.iter().find(|(_, known)| *known == name)?;
        is_one(name, flavors).then(|| id.clone())
    });
}

fn name_by_names(document: &mut Value, flavors: &BTreeMap<String, String>) {
    rename_flavors(document, |id| flavors.get(id).filter(|name| is_one(name, flavors)).cloned());
}

/// Where two flavors share a name, only their ids tell whose price it is.
fn is_one(name: &str, flavors: &BTreeMap<String, String>) -> bool {
    flavors.values().filter(|known| *known == name).count() == 1
}

/// What is not known stays, for the check to name it.
fn rename_flavors(document: &mut Value, rename: impl Fn(&str) -> Option<String>) {
    let Some(rates) = document.get_mut("rates").and_then(Value::as_array_mut) else { return };
    for rate in rates {
        let Some(Value::String(flavor)) = rate.pointer_mut("/where/flavor") else { continue };
        if let Some(other) = rename(flavor) {
            *flavor = other;
        }
    }
}

/// One row a rate of each version.
fn rates_of(book: &Value, flavors: &BTreeMap<String, String>) -> Vec<Value> {
    let mut rows = Vec::new();
    for version in items(book, "versions") {
        for rate in items(version, "rates") {
            rows.push(json!({
                "number": version["number"], "effective_at": version["effective_at"],
                "kind": version["kind"], "reason": version["reason"],
                "tax": tax(&version["tax"]), "rate": rate["id"],
                "component": rate["component"], "where": selector(rate, flavors),
                "price": price(rate),
            }));
        }
    }
    rows
}

fn shown(mut given: Value, flavors: &BTreeMap<String, String>) -> Value {
    let rates: Vec<String> = items(&given, "rates")
        .iter()
        .map(|rate| {
            let component = rate["component"].as_str().unwrap_or_default();
            format!("{component} {} {}", selector(rate, flavors), price(rate))
        })
        .collect();
    given["shown"] = json!(rates.join("; "));
    given
}

fn tax(tax: &Value) -> String {
    let text = |key: &str| tax[key].as_str().unwrap_or_default();
    format!("{} {}", text("rate"), text("mode"))
}

fn selector(rate: &Value, flavors: &BTreeMap<String, String>) -> String {
    let mut parts = Vec::new();
    let selector = &rate["where"];
    if let Some(flavor) = selector["flavor"].as_str() {
        let name = flavors.get(flavor).map_or(flavor, String::as_str);
        parts.push(format!("flavor={name}"));
    }
    parts.extend(selector["region"].as_str().map(|region| format!("region={region}")));
    for (name, value) in selector["labels"].as_object().into_iter().flatten() {
        parts.push(format!("{name}={}", value.as_str().unwrap_or_default()));
    }
    if parts.is_empty() { "any".to_owned() } else { parts.join(" ") }
}

/// As people read it: `graduated 0 to 10, 0.8 to 100, 0.5, per 1073741824`.
fn price(rate: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let tiers = |name: &str| {
        let tiers: Vec<String> = items(rate, name)
            .iter()
            .map(|tier| match tier["up_to"].as_i64() {
                Some(up_to) => format!("{} to {up_to}", text(&tier["price"])),
                None => text(&tier["price"]),
            })
            .collect();
        format!("{name} {}", tiers.join(", "))
    };
    let mut shown = if rate["price"].is_string() {
        text(&rate["price"])
    } else if rate["graduated"].is_array() {
        tiers("graduated")
    } else if rate["volume"].is_array() {
        tiers("volume")
    } else {
        format!("{} a block of {}", text(&rate["package"]["price"]), rate["package"]["size"])
    };
    for (key, words) in [("unit", "per"), ("free", "free")] {
        if let Some(count) = rate[key].as_i64() {
            shown.push_str(&format!(", {words} {count}"));
        }
    }
    if let Some(minimum) = rate["minimum"]["amount"].as_str() {
        shown.push_str(&format!(", at least {minimum} a {}", text(&rate["minimum"]["per"])));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_reads_as_one_line() {
        let flavors = BTreeMap::from([("f1".to_owned(), "small".to_owned())]);
        let rate = json!({ "id": "a", "component": "instance.compute", "price": "0.36",
            "where": { "flavor": "f1", "labels": { "tier": "gold" } } });
        assert_eq!(
            (selector(&rate, &flavors).as_str(), price(&rate).as_str()),
            ("flavor=small tier=gold", "0.36")
        );
        let rate = json!({ "graduated": [{ "up_to": 10, "price": "0" }, { "price": "0.5" }],
            "unit": 1024, "free": 5, "minimum": { "amount": "3", "per": "tenant" } });
        assert_eq!(selector(&rate, &flavors), "any");
        assert_eq!(price(&rate), "graduated 0 to 10, 0.5, per 1024, free 5, at least 3 a tenant");
        assert_eq!(price(&json!({ "package": { "size": 100, "price": "2" } })), "2 a block of 100");
    }

    #[test]
    fn flavors_are_renamed_where_they_are_known() {
        let mut document = json!({ "rates": [
            { "where": { "flavor": "small" } }, { "where": { "flavor": "huge" } }, {},
        ] });
        let flavors = BTreeMap::from([("f1".to_owned(), "small".to_owned())]);
        name_by_ids(&mut document, &flavors);
        assert_eq!(document["rates"][0]["where"]["flavor"], "f1");
        assert_eq!(document["rates"][1]["where"]["flavor"], "huge");
        name_by_names(&mut document, &flavors);
        assert_eq!(document["rates"][0]["where"]["flavor"], "small");
    }

    #[test]
    fn two_flavors_of_one_name_keep_their_ids() {
        let twins = ["f1", "f2"].map(|id| (id.to_owned(), "small".to_owned()));
        let flavors = BTreeMap::from(twins);
        let rates = json!({ "rates": [{ "where": { "flavor": "f2" } }] });
        let mut document = rates.clone();
        name_by_names(&mut document, &flavors);
        name_by_ids(&mut document, &flavors);
        assert_eq!(document, rates);
        // Nor is one of them taken for the other: the check names what is unknown.
        document["rates"][0]["where"]["flavor"] = json!("small");
        name_by_ids(&mut document, &flavors);
        assert_eq!(document["rates"][0]["where"]["flavor"], "small");
    }

    #[test]
    fn the_version_in_force_is_the_last_of_the_latest_begun() {
        let version = |number: i64, at: &str| json!({ "number": number, "effective_at": at });
        let book = json!({ "versions": [
            version(1, "2020-01-01T00:00:00Z"), version(2, "2021-01-01T00:00:00Z"),
            version(3, "2020-06-01T00:00:00Z"), version(4, "2021-01-01T00:00:00Z"),
            version(5, "2999-01-01T00:00:00Z"),
        ] });
        assert_eq!(with_in_force(book)["in_force"]["number"], 4);
    }
}
