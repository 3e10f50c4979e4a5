#![no_main]

#[path = "../../tests/corpus/block.rs"]
mod block;

libfuzzer_sys::fuzz_target!(|data: &[u8]| block::run(data));
