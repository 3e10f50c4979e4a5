//! The fuzz targets' corpora, and random texts, through what the fuzz targets run.

#[path = "corpus/block.rs"]
mod block;
#[path = "corpus/promql.rs"]
mod promql;
#[path = "corpus/remote_write.rs"]
mod remote_write;
#[path = "corpus/wal.rs"]
mod wal;

use std::path::{Path, PathBuf};

use proptest::prelude::*;

fn path(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

/// Runs all of a target's corpus, and says how much that was.
fn replay(target: &str, run: fn(&[u8])) -> usize {
    let files = std::fs::read_dir(path("fuzz/corpus").join(target)).expect("the corpus");
    let mut inputs = 0;
    for file in files {
        let path = file.expect("a file").path();
        println!("{}", path.display());
        run(&std::fs::read(&path).expect("its bytes"));
        inputs += 1;
    }
    inputs
}

/// What a target begins with, under `OPSHAWK_WRITE_SEEDS=1` as files of its corpus.
fn begin(target: &str, run: fn(&[u8]), seeds: Vec<Vec<u8>>) {
    let write = std::env::var_os("OPSHAWK_WRITE_SEEDS").is_some();
    for (number, seed) in seeds.iter().enumerate() {
        if write {
            let dir = path("fuzz/corpus").join(target);
            std::fs::create_dir_all(&dir).expect("a directory");
            std::fs::write(dir.join(format!("seed-{number:03}")), seed).expect("a file");
        }
        run(seed);
    }
}

#[test]
fn promql_corpus() {
    let inputs = replay("promql", promql::run);
    assert!(inputs >= 50, "{inputs} inputs");
}

#[test]
fn remote_write_corpus() {
    begin("remote_write", remote_write::run, remote_write::seeds());
    let inputs = replay("remote_write", remote_write::run);
    assert!(inputs >= 50, "{inputs} inputs");
}

#[test]
fn block_corpus() {
    begin("block", block::run, block::seeds(&path("tests/golden/blocks/00000001.blk")));
    let inputs = replay("block", block::run);
    assert!(inputs >= 50, "{inputs} inputs");
}

#[test]
fn wal_corpus() {
    begin("wal", wal::run, wal::seeds(&path("tests/golden/wal/00000002.wal")));
    let inputs = replay("wal", wal::run);
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
