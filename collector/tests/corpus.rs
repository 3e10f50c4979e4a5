//! The fuzz target's corpus, through what the fuzz target runs.

#[path = "corpus/exposition.rs"]
mod exposition;

use std::path::Path;

#[test]
fn exposition_corpus() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/exposition");
    let mut inputs = 0;
    for file in std::fs::read_dir(&dir).expect("the corpus") {
        let path = file.expect("a file").path();
        println!("{}", path.display());
        exposition::run(&std::fs::read(&path).expect("its text"));
        inputs += 1;
    }
    assert!(inputs >= 50, "{inputs} inputs");
}
