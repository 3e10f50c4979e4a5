//! `opshawk query …`

use serde_json::{Value, json};

use super::{Column, Context, Failure, col};
use crate::cli::{args::QueryArgs, output::Format};

const COLUMNS: &[Column] =
    &[col("SERIES", "/series"), col("TIME", "/time"), col("VALUE", "/value")];

pub async fn run(cx: &Context, args: QueryArgs) -> Result<(), Failure> {
    let mut query = vec![("query", args.expression)];
    let path = match (args.start, args.end, args.step) {
        (Some(start), Some(end), Some(step)) => {
            query.extend([("start", start), ("end", end), ("step", step)]);
            "/prometheus/api/v1/query_range"
        }
        _ => {
            query.extend(args.time.map(|time| ("time", time)));
            "/prometheus/api/v1/query"
        }
    };
    let answer = cx.client.get_with(path, &query).await?;
    let data = &answer["data"];
    // Beside the data, so that what reads a table or JSON stays as it is.
    for warning in warnings(&answer) {
        eprintln!("warning: {warning}");
    }
    if matches!(cx.connection.output, Format::Json | Format::Yaml) {
        return cx.one(COLUMNS, data);
    }
    cx.list(COLUMNS, &rows(data))
}

/// What the answer may lack.
fn warnings(answer: &Value) -> impl Iterator<Item = &str> {
    answer["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// One row a sample.
fn rows(data: &Value) -> Vec<Value> {
    let row = |series: &str, point: &Value| json!({ "series": series, "time": point[0], "value": point[1] });
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    match data["resultType"].as_str() {
        Some("scalar" | "string") => vec![row("", &data["result"])],
        Some("matrix") => list(&data["result"])
            .iter()
            .flat_map(|s| {
                let name = series_name(&s["metric"]);
                list(&s["values"]).iter().map(|p| row(&name, p)).collect::<Vec<_>>()
            })
            .collect(),
        _ => list(&data["result"])
            .iter()
            .map(|s| row(&series_name(&s["metric"]), &s["value"]))
            .collect(),
    }
}

/// As Prometheus writes it: `name{label="value"}`.
fn series_name(metric: &Value) -> String {
    let labels = metric.as_object();
    let rest: Vec<String> = labels
        .into_iter()
        .flatten()
        .filter(|(k, _)| *k != "__name__")
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    let name = metric["__name__"].as_str().unwrap_or_default();
    if rest.is_empty() && !name.is_empty() {
        return name.to_owned();
    }
    format!("{name}{{{}}}", rest.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_read_where_there_are_some() {
        let answer = json!({"status": "success", "data": {}, "warnings": ["a", "b"]});
        assert!(warnings(&answer).eq(["a", "b"]));
        assert_eq!(warnings(&json!({"status": "success", "data": {}})).count(), 0);
    }

    #[test]
    fn every_kind_of_answer_has_rows() {
        let vector = json!({"resultType": "vector", "result": [
            {"metric": {"__name__": "up", "job": "a"}, "value": [1.5, "1"]}]});
        assert_eq!(rows(&vector)[0]["series"], "up{job=\"a\"}");
        let matrix = json!({"resultType": "matrix", "result": [
            {"metric": {}, "values": [[1, "1"], [2, "3"]]}]});
        assert_eq!(rows(&matrix).len(), 2);
        let scalar = json!({"resultType": "scalar", "result": [1, "2"]});
        assert_eq!(rows(&scalar)[0]["value"], "2");
    }
}
