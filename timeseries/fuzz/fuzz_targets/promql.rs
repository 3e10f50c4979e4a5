#![no_main]

#[path = "../../tests/corpus/promql.rs"]
mod promql;

libfuzzer_sys::fuzz_target!(|data: &[u8]| promql::run(data));
