//! `opshawk billing lines`, `explain`, `findings`, `resolve`, `rulings`, `rule`, `gaps`, `answer`

use serde_json::{Value, json};

use super::{Column, Context, Failure, col, wide};
use crate::cli::{
    args::{AnswerArgs, BillingCommand, ExplainArgs, LinesArgs, RuleArgs},
    output::{self, Format},
};

const LINE: &[Column] = &[
    col("ID", "/id"),
    col("WHAT", "/what"),
    col("FROM", "/from"),
    col("TO", "/to"),
    col("QUANTITY", "/quantity"),
    col("NET", "/net"),
    col("KIND", "/kind"),
    wide("TAX", "/tax"),
    wide("UNIT PRICE", "/unit_price"),
    wide("RATE", "/rate"),
    wide("MONTH", "/month"),
    wide("QUALITY", "/quality"),
    wide("COMPONENT", "/component"),
    wide("RESOURCE", "/resource_id"),
];
const STEP: &[Column] = &[
    col("STEP", "/step"),
    col("EQUAL", "/equal"),
    col("POSTED", "/posted"),
    col("COMPUTED AGAIN", "/recomputed"),
    wide("WHAT", "/says"),
];
const FACT: &[Column] = &[
    col("FACT", "/id"),
    col("STATE", "/state"),
    col("AT", "/at"),
    col("COUNTS FROM", "/counted_from"),
    col("RULING", "/ruling"),
    wide("SOURCE", "/source"),
    wide("SOURCE ID", "/source_id"),
    wide("RECORDED", "/recorded_at"),
    wide("ATTRIBUTES", "/attributes"),
];
const READING: &[Column] = &[
    col("PORT", "/port"),
    col("READ AT", "/at"),
    col("VALUE", "/value"),
    wide("EPOCH", "/epoch"),
    wide("RECORDED", "/recorded_at"),
];
const COUNTED: &[Column] = &[
    col("PORT", "/port"),
    col("FROM", "/from"),
    col("TO", "/to"),
    col("COUNTED", "/quantity"),
    wide("QUALITY", "/quality"),
    wide("COVERAGE PPM", "/coverage_ppm"),
];
const FINDING: &[Column] = &[
    col("ID", "/id"),
    col("KIND", "/kind"),
    col("SUBJECT", "/subject"),
    col("SEVERITY", "/severity"),
    col("FIRST SEEN", "/first_seen_at"),
    col("SEEN", "/seen"),
    col("DETAIL", "/detail"),
    wide("LAST SEEN", "/last_seen_at"),
    wide("RESOLVED", "/resolved_at"),
    wide("TENANT", "/tenant_id"),
];
const RULING: &[Column] = &[
    col("FACT", "/fact_id"),
    col("RESOURCE", "/resource_id"),
    col("STATE", "/state"),
    col("RULING", "/ruling"),
    col("COUNTS AT", "/counts_at"),
    col("BY", "/actor"),
    col("REASON", "/reason"),
    wide("RULED", "/ruled_at"),
    wide("TOLD", "/told_at"),
    wide("SOURCE", "/source"),
    wide("SOURCE ID", "/source_id"),
];
const GAP: &[Column] = &[
    col("ID", "/id"),
    col("KIND", "/kind"),
    col("RESOURCE", "/resource_id"),
    col("FROM", "/from"),
    col("TO", "/to"),
    col("STATE AFTER", "/state"),
    col("ANSWERED", "/answered"),
    wide("POLICY", "/policy"),
    wide("ATTRIBUTES", "/attributes"),
];

pub async fn run(cx: &Context, command: BillingCommand) -> Result<(), Failure> {
    let client = &cx.client;
    let all = |all: bool| vec![("all", all.to_string())];
    match command {
        BillingCommand::Lines(args) => lines(cx, args).await,
        BillingCommand::Explain(args) => explain(cx, args).await,
        BillingCommand::Findings(args) => {
            cx.list(FINDING, &items(client.get_with("/v1/findings", &all(args.all)).await?))
        }
        BillingCommand::Resolve(args) => {
            let path = format!("/v1/findings/{}/resolve", args.finding);
            cx.one(FINDING, &client.post(&path, &json!({ "reason": args.reason })).await?)
        }
        BillingCommand::Rulings => cx.list(RULING, &items(client.get("/v1/usage-rulings").await?)),
        BillingCommand::Rule(args) => rule(cx, args).await,
        BillingCommand::Gaps(args) => {
            cx.list(GAP, &items(client.get_with("/v1/usage-gaps", &all(args.all)).await?))
        }
        BillingCommand::Answer(args) => answer(cx, args).await,
        // `cli::billing` and `commands::run` took these.
        BillingCommand::Replay(_) | BillingCommand::Rebuild(_) | BillingCommand::Close(_) => {
            unreachable!("handled elsewhere")
        }
    }
}

fn items(mut answer: Value) -> Vec<Value> {
    answer["items"].as_array_mut().map(std::mem::take).unwrap_or_default()
}

async fn lines(cx: &Context, args: LinesArgs) -> Result<(), Failure> {
    let mut query = vec![("tenant_id", cx.client.tenant(args.tenant.as_deref()).await?)];
    query.extend(args.resource.map(|id| ("resource_id", id)));
    query.extend(args.component.map(|name| ("component", name)));
    query.extend(args.from.map(|at| ("from", at.to_string())));
    query.extend(args.to.map(|at| ("to", at.to_string())));
    query.extend(args.after.map(|line| ("after", line.to_string())));
    let answer = cx.client.get_with("/v1/lines", &query).await?;
    let more = answer["more"] == true;
    let lines = items(answer);
    cx.list(LINE, &lines)?;
    if let Some(last) = lines.last().and_then(|line| line["id"].as_str()).filter(|_| more) {
        eprintln!("opshawk: there are more lines: give --after {last}");
    }
    Ok(())
}

async fn explain(cx: &Context, args: ExplainArgs) -> Result<(), Failure> {
    let query = [("facts_after", args.facts_after.to_string())];
    let explained = cx.client.get_with(&format!("/v1/lines/{}", args.line), &query).await?;
    match cx.connection.output {
        Format::Table | Format::Wide => {
            let text = |pointer: &str| {
                explained.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
            };
            output::print(&format!(
                "{}, {} to {}, {}\nprice: {} of {} version {}: {}\n\n",
                text("/line/what"),
                text("/line/from"),
                text("/line/to"),
                text("/line/kind"),
                text("/line/rate"),
                text("/price/book"),
                explained["price"]["number"],
                text("/price/formula"),
            ))?;
            for (columns, pointer) in [
                (STEP, "/steps"),
                (FACT, "/usage/facts"),
                (READING, "/readings"),
                (COUNTED, "/counted"),
            ] {
                let rows = explained.pointer(pointer).and_then(Value::as_array);
                if let Some(rows) = rows.filter(|rows| !rows.is_empty()) {
                    cx.list(columns, rows)?;
                    output::print("\n")?;
                }
            }
        }
        _ => cx.one(STEP, &explained)?,
    }
    if explained["more"] == true {
        eprintln!("opshawk: there are more readings or lines of its time than are shown");
    }
    if let Some(after) = explained["usage"]["next_facts"].as_i64() {
        eprintln!("opshawk: there are more facts: give --facts-after {after}");
    }
    if explained["pending"] == true {
        eprintln!("opshawk: facts or prices changed since; the next posting adjusts what differs");
    }
    match explained["equal"].as_bool() {
        Some(true) => Ok(()),
        _ => Err(Failure::failed(format!("line {} does not come to what was posted", args.line))),
    }
}

async fn rule(cx: &Context, args: RuleArgs) -> Result<(), Failure> {
    let body = json!({ "ruling": args.ruling.as_str(), "at": args.at, "reason": args.reason });
    let path = format!("/v1/usage-facts/{}/rule", args.fact);
    cx.one(RULING, &cx.client.post(&path, &body).await?)
}

async fn answer(cx: &Context, args: AnswerArgs) -> Result<(), Failure> {
    let attributes: Option<Value> = match &args.attributes {
        Some(text) => Some(
            serde_json::from_str(text)
                .map_err(|e| Failure::usage(format!("--attributes is no JSON: {e}")))?,
        ),
        None => None,
    };
    let body = json!({
        "changed_at": args.changed, "state": args.state, "attributes": attributes,
        "reason": args.reason,
    });
    let path = format!("/v1/usage-gaps/{}/answer", args.gap);
    cx.one(GAP, &cx.client.post(&path, &body).await?)
}
