//! The fuzz targets' corpora, and random texts, through what the fuzz targets run.

#[path = "corpus/promql.rs"]
mod promql;

use std::path::Path;

use proptest::prelude::*;

#[test]
fn promql_corpus() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/promql");
    let mut inputs = 0;
    for file in std::fs::read_dir(&dir).expect("the corpus") {
        let path = file.expect("a file").path();
        promql::run(&std::fs::read(&path).expect("its text"));
        inputs += 1;
    }
    assert!(inputs >= 50, "{inputs} inputs");
}

const WORDS: &[&str] = &[
    "a",
    "b",
    "a",
    "b",
    "(",
    ")",
    "(",
    ")",
    "[5m]",
    "[2m:30s]",
    "[1m:]",
    ",",
    "+",
    "-",
    "*",
    "/",
    "^",
    "%",
    "==",
    ">",
    "bool",
    "on",
    "(a)",
    "ignoring",
    "(le)",
    "group_left",
    "()",
    "offset",
    "1m",
    "-1m",
    "@",
    "start()",
    "end()",
    "1",
    "0.5",
    "NaN",
    "{a=\"b\"}",
    "{le=~\".+\"}",
    "rate",
    "sum",
    "by",
    "without",
    "topk",
    "quantile",
    "count_values",
    "\"v\"",
    "and",
    "or",
    "unless",
    "histogram_quantile",
    "max_over_time",
    "label_replace",
    "time()",
    "vector",
    "scalar",
    "abs",
    "sort_desc",
    "holt_winters",
    "absent",
    "timestamp",
    "round",
    "{__name__=~\"a|b\"}",
    "#",
    "\n",
];

proptest! {
    #[test]
    fn promql_words(words in prop::collection::vec(prop::sample::select(WORDS), 1..12)) {
        promql::run(words.join(" ").as_bytes());
    }

    #[test]
    fn promql_calls(
        names in prop::collection::vec(prop::sample::select(timeseries::FUNCTIONS), 1..4),
        inner in prop::sample::select(WORDS),
        range in prop::sample::select(vec!["", "[5m]", "[2m:30s]"]),
    ) {
        let open: String = names.iter().map(|name| format!("{name}(")).collect();
        let expr = format!("{open}{inner}{range}{}", ")".repeat(names.len()));
        promql::run(expr.as_bytes());
    }
}
