#![no_main]

#[path = "../../tests/corpus/remote_write.rs"]
mod remote_write;

libfuzzer_sys::fuzz_target!(|data: &[u8]| remote_write::run(data));
