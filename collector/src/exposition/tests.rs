use proptest::prelude::*;

use super::*;

fn sample(line: &str, format: Format) -> (Labels, f64, Option<i64>) {
    match parse_line(line, format) {
        Ok(Line::Sample { labels, value, at_ms }) => (labels, value, at_ms),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn lines_that_exporters_print() {
    use Format::{OpenMetrics as O, Prometheus as P};
    let (labels, value, at) = sample("up 1", P);
    assert_eq!((labels, value, at), (Labels::metric("up", &[]), 1.0, None));
    let line = r#"a:b_total {x="1\\2\"3\n4\d", y = "宿主机" , } 1.5e3 1700000000123"#;
    let (labels, value, at) = sample(line, P);
    assert_eq!(labels, Labels::metric("a:b_total", &[("x", "1\\2\"3\n4\\d"), ("y", "宿主机")]));
    assert_eq!((value, at), (1500.0, Some(1_700_000_000_123)));
    let line = r##"a_bucket{le="0.1"} 3 1700000000.123 # {trace="7"} 0.05 1700000000"##;
    let (_, value, at) = sample(line, O);
    assert_eq!((value, at), (3.0, Some(1_700_000_000_123)));
    assert_eq!(sample(r##"a{b="#"} +Inf # {t="1"} 1"##, O).1, f64::INFINITY);
    assert!(sample("a NaN", P).1.is_nan());
    // A stale marker only where history is read.
    assert!(!base::sample::is_stale(sample("a nAn 1", O).1));
    let (labels, ..) = sample(r#"{ "a.b" , "c d"="e",f="g"} 1"#, P);
    assert_eq!(labels, Labels::metric("a.b", &[("c d", "e"), ("f", "g")]));
    assert_eq!(series_text(&labels), r#"{"a.b","c d"="e",f="g"}"#);

    assert_eq!(parse_line("# just so", P), Ok(Line::Nothing));
    assert_eq!(parse_line("# EOF", P), Ok(Line::Nothing));
    assert_eq!(parse_line("# EOF", O), Ok(Line::End));
    assert_eq!(
        parse_line("# TYPE a counter", P),
        Ok(Line::Type { metric: "a".into(), kind: "counter" })
    );
    let help = Line::Help { metric: "a".into(), text: "b \\ c\nd".into() };
    assert_eq!(parse_line("#  HELP  a b \\\\ c\\nd", P), Ok(help));
    assert_eq!(
        parse_line("# UNIT a seconds", O),
        Ok(Line::Unit { metric: "a".into(), unit: "seconds" })
    );
    let quoted = Line::Type { metric: "a \"b\"".into(), kind: "gauge" };
    assert_eq!(parse_line(r#"# TYPE "a \"b\"" gauge"#, O), Ok(quoted));
    for line in ["# HELP 1a x", "# TYPE \"a gauge", "# UNIT \"\" s"] {
        assert_eq!(parse_line(line, O), Err("it describes what is no metric name"), "{line}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    for (line, why) in [
        ("1a 1", "no metric name"),
        ("{a=\"b\"} 1", "no metric name"),
        ("a", "no number"),
        ("a one", "no number"),
        ("a{b=\"c\"", "comma or }"),
        ("a{b=\"c} 1", "does not end"),
        ("a{b=c} 1", "no quotes"),
        ("a{b} 1", "no ="),
        ("a{=\"c\"} 1", "no name"),
        ("a{b=\"c\"d=\"e\"} 1", "comma or }"),
        ("a{b=\"c\",b=\"e\"} 1", "twice"),
        ("{a=\"b\",\"c\",\"d\"} 1", "twice"),
        ("a{\"b\"} 1", "twice"),
        ("a{\"b} 1", "in quotes does not end"),
        ("{\"\"} 1", "no name"),
        ("a 1 2 3", "follows"),
        ("a 1 soon", "timestamp"),
        ("a 1 1.5", "timestamp"),
        ("a 1 # {x=\"y\"} 1", "follows"),
    ] {
        let error = parse_line(line, Format::Prometheus).unwrap_err();
        assert!(error.contains(why), "{line}: {error}");
    }
    let error = parse("a 1\n\nb x\n", Format::Prometheus, 0).unwrap_err();
    assert_eq!(error, "line 3: its value is no number");
    let error = parse("a 1\n# EOF\nb 1\n", Format::OpenMetrics, 0).unwrap_err();
    assert_eq!(error, "line 3: something follows # EOF");
    assert!(parse_line(&"a".repeat(LINE_MAX_BYTES + 1), Format::Prometheus).is_err());
}

proptest! {
    #[test]
    fn what_is_written_reads_back_bit_for_bit(
        name in "[a-zA-Z_:][a-zA-Z0-9_:]{0,9}",
        labels in proptest::collection::btree_map("[a-z_][a-z0-9_]{0,5}", "\\PC{1,9}|[\\\\\"\n]{1,5}", 0..4),
        samples in proptest::collection::vec(
            ((-9_000_000_000_000i64..9_000_000_000_000), any::<f64>()), 1..9),
    ) {
        let labels: Vec<_> = labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let labels = Labels::metric(&name, &labels);
        let samples: Vec<_> =
            samples.into_iter().map(|(at_ms, value)| Sample { at_ms, value }).collect();
        let mut text = String::new();
        write_open_metrics(&mut text, &labels, &samples);
        let back = parse(&text, Format::OpenMetrics, 0).unwrap();
        prop_assert_eq!(back.len(), 1);
        prop_assert_eq!(&back[0].labels, &labels);
        let bits = |all: &[Sample]| -> Vec<_> {
            // A NaN's payload has no text.
            let value = |v: f64| if v.is_nan() { f64::NAN } else { v };
            all.iter().map(|one| (one.at_ms, value(one.value).to_bits())).collect()
        };
        prop_assert_eq!(bits(&back[0].samples), bits(&samples));
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,80}|[a{}=\",\\\\# 1\n]{0,60}") {
        let _ = parse(&text, Format::Prometheus, 0);
        let _ = parse(&text, Format::OpenMetrics, 0);
    }
}
