use std::io::Write;

use super::*;

fn aside(dir: &tempfile::TempDir) -> Aside {
    Aside { data_dir: dir.path().to_owned(), newest_ms: 10_000 }
}

fn read(text: &[u8]) -> (tempfile::TempDir, base::Result<(Spool, Imported, Notes)>) {
    let dir = tempfile::tempdir().unwrap();
    let read = aside(&dir).spool(text);
    (dir, read)
}

#[test]
fn a_text_is_read_to_its_end() {
    let long = "x".repeat(validate::LABEL_VALUE_MAX_BYTES + 1);
    let text = format!(
        "# HELP a text\n# TYPE a gauge\na 1 1\na{{b=\"{long}\"}} 1 1\na{{b=\"{long}\"}} 1 2\na 2 2.5\n# EOF\n"
    );
    let (dir, result) = read(text.as_bytes());
    let (spool, imported, _) = result.unwrap();
    assert_eq!((imported.samples, imported.rejected, imported.invalid), (4, 2, 2));
    assert_eq!(imported.first_error_line, Some(4));
    assert!(imported.first_error.unwrap().contains("longer than"));
    let mut batches = spool.read().unwrap();
    let batch = batches.next(100).unwrap().unwrap();
    let at: Vec<_> = batch.series.iter().flat_map(|one| &one.samples).map(|s| s.at_ms).collect();
    assert_eq!(at, [1000, 2500]);
    assert_eq!((batch.line(0, 0), batch.line(1, 0)), (Some(3), Some(6)));
    assert!(batches.next(100).unwrap().is_none());
    drop(batches);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    let (_dir, result) = read(b"a 1 10.000\na 1 10.001\n# EOF\n");
    let (_, imported, _) = result.unwrap();
    assert_eq!((imported.samples, imported.too_new, imported.first_error_line), (2, 1, Some(2)));
    // A last line may go without its end.
    assert!(read(b"a 1 1\n# EOF").1.is_ok());
}

#[test]
fn a_text_that_is_wrong_leaves_nothing_and_names_the_line() {
    let long = vec![b'a'; HISTORY_LINE_MAX_BYTES + 2];
    for (text, why) in [
        (&b"a 1 1\nb one 1\n# EOF\n"[..], "line 2: its value is no number"),
        (b"a 1 1\na 1\n# EOF\n", "line 2: it has no timestamp"),
        (b"a 1 1\n\xff\n# EOF\n", "line 2: it is no UTF-8"),
        (b"a 1 1\n# EOF\nb 1 1\n", "line 3: something follows # EOF"),
        (b"a 1 1\n", "line 2: the text ends without # EOF"),
        (b"", "line 1: the text ends without # EOF"),
        (&long, "line 1: it is too long"),
    ] {
        let (dir, result) = read(text);
        let error = result.map(drop).unwrap_err();
        assert!(error.message.starts_with(why), "{}", error.message);
        assert_eq!(error.field.as_deref(), Some("body"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

#[test]
fn what_gzip_packed_and_cut_is_refused() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"a 1 1\n# EOF\n").unwrap();
    let packed = packed.finish().unwrap();
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(aside(&dir).spool(MultiGzDecoder::new(&packed[..])).unwrap().1.samples, 1);
    for cut in [packed.len() - 1, 12, 1] {
        let error = aside(&dir).spool(MultiGzDecoder::new(&packed[..cut])).map(drop).unwrap_err();
        assert!(error.message.contains("it can't be read"), "{cut}: {}", error.message);
    }
}

#[test]
fn the_first_error_is_that_of_the_lowest_line() {
    let mut imported = Imported::default();
    let first =
        |imported: &Imported| (imported.first_error.clone().unwrap(), imported.first_error_line);
    imported.fail(None, || "unknown".to_owned());
    assert_eq!(first(&imported), ("unknown".to_owned(), None));
    for (line, known) in [(7, 7), (9, 7), (3, 3)] {
        imported.fail(Some(line), || format!("of {line}"));
        assert_eq!(first(&imported), (format!("of {known}"), Some(known)));
    }
    imported.fail(None, || "unknown".to_owned());
    assert_eq!(imported.first_error_line, Some(3));
}
