#![no_main]

#[path = "../../tests/corpus/wal.rs"]
mod wal;

libfuzzer_sys::fuzz_target!(|data: &[u8]| wal::run(data));
