#![no_main]

#[path = "../../tests/corpus/exposition.rs"]
mod exposition;

libfuzzer_sys::fuzz_target!(|data: &[u8]| exposition::run(data));
