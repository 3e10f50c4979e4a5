//! The expressions, and when they are asked.

use super::data::{END_MS, START_MS};

pub const INSTANTS_MS: [i64; 3] = [START_MS + 3_000_123, START_MS + 5_400_000, END_MS + 60_000];
/// Start, end, step.
pub const RANGES_MS: [(i64, i64, i64); 2] = [
    (START_MS - 60_000, END_MS + 400_000, 60_000),
    (START_MS + 1_000_000, START_MS + 1_900_000, 7_000),
];

pub fn expressions() -> Vec<String> {
    let lists = [SELECTORS, RANGES, VECTORS, AGGREGATIONS, OPERATORS, TIMES, SUBQUERIES, LABELS];
    let mut all: Vec<String> = lists.concat().into_iter().map(str::to_owned).collect();
    for function in RANGE_FUNCTIONS {
        for range in ["requests_total[5m]", "temperature[2m]", "odd[1m]", "state[20m]"] {
            all.push(format!("{function}({range})"));
        }
    }
    for function in MAPS {
        all.push(format!("{function}(temperature)"));
        all.push(format!("{function}(odd)"));
    }
    for aggregation in ["sum", "avg", "min", "max", "count", "stddev", "stdvar", "group"] {
        all.push(format!("{aggregation}(temperature)"));
        all.push(format!("{aggregation} by (job) (requests_total)"));
        all.push(format!("{aggregation} without (instance, path) (requests_total)"));
        all.push(format!("{aggregation}(odd)"));
    }
    for op in ["+", "-", "*", "/", "%", "^", "atan2", "== bool", "!= bool", "> bool", "<= bool"] {
        all.push(format!("temperature {op} limit"));
        all.push(format!("odd {op} 3"));
        all.push(format!("3 {op} odd"));
        all.push(format!("5 {op} 3"));
    }
    for op in ["==", "!=", ">", "<", ">=", "<="] {
        all.push(format!("temperature {op} limit"));
        all.push(format!("state {op} 2"));
        all.push(format!("2 {op} state"));
        all.push(format!("odd {op} odd"));
    }
    all
}

/// Prometheus 2.42 moves the window of `predict_linear(x[r] @ t, s)` with the steps of a range
/// query, against what `@` says; later versions hold it still, and so do we.
pub const INSTANT_ONLY: &[&str] = &["predict_linear(temperature[10m] @ 1700003000, 600)"];

/// Those of a range vector alone.
pub const RANGE_FUNCTIONS: &[&str] = &[
    "rate",
    "increase",
    "delta",
    "irate",
    "idelta",
    "deriv",
    "resets",
    "changes",
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "sum_over_time",
    "count_over_time",
    "last_over_time",
    "present_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "absent_over_time",
];

const MAPS: &[&str] = &[
    "abs", "ceil", "floor", "round", "sqrt", "exp", "ln", "log2", "log10", "sgn", "sin", "cos",
    "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "rad", "deg",
];

const SELECTORS: &[&str] = &[
    "temperature",
    "requests_total{job=\"api\"}",
    "requests_total{job!=\"api\", path=~\"/a|/c\"}",
    "requests_total{instance!~\"[01]\"}",
    "{__name__=~\"temp.*|load\", instance=\"1\"}",
    "{job=\"web\", instance=\"0\"}",
    "requests_total{nothing=\"\"}",
    "requests_total{nothing=~\".+\"}",
    "nothing_at_all",
    "temperature offset 10m",
    "temperature offset -3m",
    "temperature @ 1700003000",
    "temperature @ 1700003000 offset 4m",
    "temperature @ start()",
    "temperature @ end() offset 1h",
    "load{kind=~\"\\\\w+\"}",
    "-temperature",
    "-(3)",
    "+temperature",
    "1",
    "1e3 + 0x1F",
    "-2 ^ 2",
    "\"a text\"",
    "NaN",
    "Inf",
    "(((temperature)))",
];

const RANGES: &[&str] = &[
    "temperature[3m]",
    "requests_total{job=\"api\"}[1m] offset 5m",
    "temperature[90s] @ 1700003000",
    "rate(requests_total[1m])",
    "rate(requests_total[30m] offset 10m)",
    "rate(requests_total[5m] @ 1700004000)",
    "rate(requests_total[5m] @ end() offset 3m)",
    "increase(requests_total{job=\"web\"}[1h])",
    "rate(duration_seconds_bucket[10m])",
    "quantile_over_time(0.3, temperature[10m])",
    "quantile_over_time(0, temperature[10m])",
    "quantile_over_time(1.5, temperature[10m])",
    "quantile_over_time(scalar(limit{job=\"api\",instance=\"0\"}) / 10, state[10m])",
    "quantile_over_time(0.5, odd[1m])",
    "predict_linear(temperature[10m], 3600)",
    "absent_over_time(nothing{a=\"1\",b=~\"2\"}[5m])",
    "absent_over_time({__name__=\"temperature\",job=\"none\"}[5m])",
    "rate({__name__=~\"requests_total|temperature\", job=\"api\", instance=\"1\"}[5m])",
];

const VECTORS: &[&str] = &[
    "absent(nothing)",
    "absent(nothing{a=\"1\", b!=\"2\", c=\"3\", c=\"4\"})",
    "absent(temperature)",
    "absent(sum(nothing))",
    "clamp(temperature, -10, 20)",
    "clamp(temperature, 20, -10)",
    "clamp(odd, -1, 1)",
    "clamp_min(odd, 2)",
    "clamp_max(odd, 2)",
    "clamp_max(temperature, scalar(limit{job=\"api\", instance=\"1\"}))",
    "round(temperature, 0.25)",
    "round(temperature, 10)",
    "scalar(temperature)",
    "scalar(temperature{job=\"api\", instance=\"2\"})",
    "vector(1)",
    "vector(time())",
    "timestamp(temperature)",
    "timestamp(temperature offset 1m)",
    "timestamp((temperature))",
    "timestamp(temperature @ 1700003000)",
    "timestamp(temperature * 1)",
    "sort(temperature)",
    "sort_desc(temperature)",
    "sort_desc(sum by (path) (requests_total))",
    "histogram_quantile(0.9, duration_seconds_bucket)",
    "histogram_quantile(0.5, rate(duration_seconds_bucket[10m]))",
    "histogram_quantile(0.99, sum by (le, job) (rate(duration_seconds_bucket[5m])))",
    "histogram_quantile(0, duration_seconds_bucket)",
    "histogram_quantile(1, duration_seconds_bucket)",
    "histogram_quantile(-1, duration_seconds_bucket)",
    "histogram_quantile(0.5, temperature)",
    "histogram_quantile(0.5, duration_seconds_bucket{le!=\"+Inf\"})",
    "histogram_quantile(0.5, duration_seconds_bucket{le!=\"1\"} > 3)",
    "histogram_quantile(scalar(limit{job=\"api\",instance=\"0\"}) / 10, duration_seconds_bucket)",
    "abs({__name__=~\"temperature|limit\"})",
];

const AGGREGATIONS: &[&str] = &[
    "topk(3, temperature)",
    "topk(1, requests_total)",
    "topk by (job) (2, requests_total)",
    "topk(2, odd)",
    "bottomk(2, temperature)",
    "bottomk by (path) (1, requests_total)",
    "bottomk(3, odd)",
    "topk(0, temperature)",
    "topk(scalar(state{zone=\"1\"}), temperature)",
    "topk(NaN, temperature)",
    "quantile(0.25, temperature)",
    "quantile by (job) (0.9, requests_total)",
    "quantile(0.5, odd)",
    "quantile(-1, temperature)",
    "count_values(\"v\", state)",
    "count_values by (zone) (\"v\", state)",
    "count_values without (zone) (\"v\", state)",
    "count_values(\"v\", odd)",
    "count_values(\"not a label\", state)",
    "sum by (job, nothing) (temperature)",
    "sum by () (temperature)",
    "sum without () (temperature)",
    "sum by (__name__) ({instance=\"1\"})",
    "sum(rate(requests_total[5m])) by (job)",
    "avg by (path) (rate(requests_total[5m]))",
    "max(sum by (job) (rate(requests_total[10m])))",
    "count(temperature > 0) by (job)",
    "sum(nothing)",
    "topk(1, sum by (job) (temperature)) > 0",
];

const OPERATORS: &[&str] = &[
    "requests_total / on (job, instance) group_left limit",
    "requests_total * on (job) group_left (team) job_info",
    "job_info * on (job) group_right (team) requests_total",
    "requests_total + ignoring (path) group_left temperature",
    "limit - ignoring (path) group_right requests_total",
    "temperature + on (instance) load",
    "temperature{job=\"api\"} + on (instance) load{kind=\"web\"}",
    "temperature{job=\"api\"} > on (instance) load{kind=\"web\"}",
    "temperature{job=\"api\"} > bool on (instance) load{kind=\"web\"}",
    "temperature{job=\"api\"} - ignoring (job, kind) load{kind=\"web\"}",
    "requests_total > on (job, instance) group_left () temperature",
    "requests_total == on (job, instance) group_left () requests_total",
    "requests_total + requests_total",
    "temperature and limit",
    "temperature and on (job) requests_total{instance=\"0\"}",
    "temperature and (temperature > 10)",
    "temperature or limit",
    "temperature{job=\"api\"} or temperature",
    "temperature or on (job) requests_total",
    "temperature or ignoring (path) requests_total",
    "temperature unless (temperature > 0)",
    "temperature unless on (instance) load{kind=\"api\"} > 0",
    "temperature unless nothing",
    "nothing or vector(0)",
    "nothing and temperature",
    "1 == bool 1",
    "1 > bool NaN",
    "5 % -3",
    "-5 % 3",
    "2 ^ 3 ^ 2",
    "1 + 2 * 3 - 4 / 5",
    "1 / 0",
    "0 / 0",
    "temperature + 1 > 2 and limit",
    "sum(temperature) / count(temperature) - avg(temperature) < bool 0.0001",
    "1 - sum by (job) (rate(requests_total{path=\"/a\"}[5m])) / sum by (job) (rate(requests_total[5m]))",
    "temperature * -1 + 3",
    "1 > 2",
    "temperature and 1",
    "temperature > bool on (job) group_left job_info",
    "{__name__=~\"temperature|limit\"} * 2",
    "-{__name__=~\"temperature|limit\"}",
    "temperature == temperature",
    "temperature != limit",
];

const TIMES: &[&str] = &[
    "time()",
    "time() - timestamp(temperature)",
    "minute()",
    "hour()",
    "day_of_week()",
    "day_of_month()",
    "day_of_year()",
    "days_in_month()",
    "month()",
    "year()",
    "hour(vector(1700000000))",
    "year(vector(0) - 86400 * 366)",
    "days_in_month(vector(1709164800))",
    "day_of_week(temperature * 1e7)",
    "day_of_year(vector(1735603200))",
    "pi()",
    "vector(1) @ 5",
];

const SUBQUERIES: &[&str] = &[
    "max_over_time(rate(requests_total[1m])[10m:1m])",
    "avg_over_time(sum(temperature)[20m:37s])",
    "rate(sum by (job) (requests_total)[10m:15s])",
    "deriv(rate(requests_total[2m])[10m:])",
    "temperature[5m:1m]",
    "sum(temperature)[10m:3m] offset 2m",
    "min_over_time((temperature > 0)[10m:20s] offset 3m)",
    "max_over_time(temperature[10m:1m] @ 1700004000)",
    "max_over_time(temperature[10m:1m] @ end() offset 5m)",
    "avg_over_time((temperature @ 1700004000)[5m:1m])",
    "count_over_time(vector(1)[1h:7m])",
    "absent_over_time(nothing{a=\"1\"}[10m:1m])",
    "absent_over_time(temperature[10m:1m])",
    "sum_over_time(max_over_time(temperature[2m:30s])[10m:1m])",
    "last_over_time(temperature[5m:1m])",
    "quantile_over_time(0.9, rate(requests_total[2m])[15m:1m])",
    "predict_linear(temperature[10m:30s], 60)",
    "sum_over_time(time()[5m:1m])",
    "sum_over_time(vector(time())[5m:1m])",
    "timestamp(last_over_time(temperature[5m:1m]))",
    "sum(max_over_time(timestamp(temperature)[5m:1m]) - 1700000000)",
];

const LABELS: &[&str] = &[
    "label_replace(temperature, \"x\", \"$1-y\", \"job\", \"(.*)\")",
    "label_replace(temperature, \"job\", \"\", \"job\", \"a.*\")",
    "label_replace(temperature, \"x\", \"v\", \"job\", \"ap\")",
    "label_replace(temperature, \"x\", \"${n}$$\", \"instance\", \"(?P<n>\\\\d)\")",
    "label_replace(temperature, \"__name__\", \"renamed\", \"\", \"\")",
    "label_replace(temperature, \"instance\", \"same\", \"\", \".*\")",
    "label_replace(temperature, \"a b\", \"v\", \"job\", \".*\")",
    "label_replace(temperature, \"x\", \"v\", \"job\", \"(\")",
    "label_join(temperature, \"x\", \"-\", \"job\", \"instance\", \"none\")",
    "label_join(temperature, \"job\", \"\", \"none\")",
    "label_join(temperature, \"x\", \",\")",
    "label_join(temperature, \"x y\", \",\", \"job\")",
    "sum by (x) (label_replace(rate(requests_total[5m]), \"x\", \"$1\", \"path\", \"/(.*)\"))",
];
