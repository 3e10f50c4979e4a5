use base::sample::{STALE_NAN_BITS, Series, is_stale};
use proptest::prelude::*;

use super::{
    super::{write_family, write_open_metrics, write_with_exemplars},
    *,
};

/// The series of a text, neighbours of one series together.
fn read(text: &str) -> Result<Vec<Series>> {
    let mut reader = Reader::default();
    let mut all: Vec<Series> = Vec::new();
    for line in text.lines() {
        if let Said::Sample { sample, new_series, .. } = reader.read(line)? {
            if new_series {
                all.push(Series { labels: reader.labels().clone(), samples: Vec::new() });
            }
            all.last_mut().ok_or("no series")?.samples.push(sample);
        }
    }
    if reader.has_ended() { Ok(all) } else { Err("no end") }
}

#[test]
fn lines_of_one_series_in_other_words_are_of_one_series() {
    let text = "a 1 1\na  2\t2 \na{b=\"c\"} 3 3\na {b=\"c\"} 4 4.5\na{ b = \"c\", } 5 5\r\n\n# HELP a x\n\
                ab 6 6 # {t=\"u\"} 1\nab nAn 7\nab NaN 8\n# EOF\n\n";
    let all = read(text).unwrap();
    let counts: Vec<_> =
        all.iter().map(|one| (one.labels.iter().len(), one.samples.len())).collect();
    assert_eq!(counts, [(1, 2), (2, 3), (1, 3)]);
    assert_eq!(all[1].samples[1], Sample { at_ms: 4500, value: 4.0 });
    assert!(is_stale(all[2].samples[1].value) && !is_stale(all[2].samples[2].value));
}

#[test]
fn what_is_no_history_is_refused() {
    for (text, why) in [
        ("a 1\n# EOF\n", "no timestamp"),
        ("a 1 1\na 2\n# EOF\n", "no timestamp"),
        ("a 1 1\na 2 x\n# EOF\n", "timestamp is no number"),
        ("a 1 1\na{ 2 2\n# EOF\n", "no name"),
        ("a 1 1\n", "no end"),
        ("# EOF\na 1 1\n", "follows # EOF"),
        ("1 1 1\n# EOF\n", "no metric name"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    }
    let long = format!("a{{b=\"{}\"}} 1 1", "x".repeat(Format::History.line_max_bytes()));
    assert_eq!(read(&long), Err("it is too long"));
}

#[test]
fn families_and_exemplars_read_back_as_they_were() {
    let exemplar = |labels: &[(&str, &str)], at_ms, value| {
        let pairs = labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        Exemplar { labels: Labels::new(pairs), sample: Sample { at_ms, value } }
    };
    let exemplars = [
        None,
        Some(exemplar(&[("trace_id", "a\"}\\\n#"), ("a b", "c")], 1234, 0.1)),
        Some(exemplar(&[], -1, f64::NEG_INFINITY)),
    ];
    let samples = [1000, 2000, 3000].map(|at_ms| Sample { at_ms, value: 7.0 });
    let labels = Labels::metric("a_bucket", &[("le", "+Inf")]);
    let mut text = String::new();
    write_with_exemplars(&mut text, &labels, &samples, |at| exemplars[at].as_ref());
    let mut reader = Reader::default();
    let said: Vec<_> = text.lines().map(|line| reader.read(line).unwrap()).collect();
    for ((said, sample), wanted) in said.into_iter().zip(samples).zip(exemplars) {
        let new_series = sample.at_ms == 1000;
        assert_eq!(said, Said::Sample { sample, exemplar: wanted, new_series });
    }
    assert_eq!(*reader.labels(), labels);
    // Where it names no instant, its sample's is its own.
    let Said::Sample { exemplar: its, .. } = reader.read("a 1 5 # {b=\"c\"} 2").unwrap() else {
        panic!("no sample");
    };
    assert_eq!(its, Some(exemplar(&[("b", "c")], 5000, 2.0)));
    for (line, why) in [
        ("a 1 5 # {b=\"c\"}", "exemplar's value"),
        ("a 1 5 # {b=\"c} 1", "does not end"),
        ("a 1 5 # {} 1 2 3", "follows the exemplar"),
        ("a 1 5 # x", "follows the timestamp"),
    ] {
        assert!(reader.read(line).unwrap_err().contains(why), "{line}");
    }

    let mut text = String::new();
    write_family(&mut text, "a_seconds", "histogram", "It's \"b\\c\"\nd", "seconds");
    write_family(&mut text, "a b", "nonsense", "", "seconds");
    let said: Vec<_> = text.lines().map(|line| reader.read(line).unwrap()).collect();
    let help = Line::Help { metric: "a_seconds".into(), text: "It's \"b\\c\"\nd".into() };
    let kind = |metric: &'static str, kind| Line::Type { metric: metric.into(), kind };
    let unit = Line::Unit { metric: "a_seconds".into(), unit: "seconds" };
    let wanted = [help, kind("a_seconds", "histogram"), unit, kind("a b", "unknown")];
    assert_eq!(said, wanted.map(Said::Family));
}

#[test]
fn instants_are_exact_however_far_away() {
    let far = [i64::MIN, -1, 0, 999, 1_700_000_000_123, 9_007_199_254_740_993, i64::MAX];
    let samples: Vec<_> = far.iter().map(|at_ms| Sample { at_ms: *at_ms, value: 1.0 }).collect();
    let mut text = String::new();
    write_open_metrics(&mut text, &Labels::metric("a", &[]), &samples);
    assert_eq!(read(&format!("{text}# EOF\n")).unwrap()[0].samples, samples);
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => any::<u64>().prop_map(f64::from_bits),
        4 => any::<f64>(),
        2 => (-1_000_000i64..1_000_000, 0i32..9).prop_map(|(n, scale)| n as f64 / 10f64.powi(scale)),
        1 => Just(f64::from_bits(STALE_NAN_BITS)),
        1 => prop::sample::select(vec![
            0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, f64::MIN_POSITIVE, 5e-324,
            f64::MAX, f64::MIN, f64::EPSILON, 1e17, 1e-7,
        ]),
    ]
}

/// A name of any text; of letters and underscores more often.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z_][a-z0-9_]{0,5}".boxed(),
        1 => "\\PC{1,9}|[\\\\\"\n =,{}#]{1,5}".boxed(),
    ]
}

proptest! {
    /// Whatever came before, a line says what it says alone.
    #[test]
    fn a_line_means_the_same_behind_any_other(
        lines in prop::collection::vec(
            prop::collection::vec(
                prop::sample::select(vec![
                    "a", "ab", "a{", "}", "{", "b=\"c\"", "b=\"\"", ",", " ", "\t", "1", "2.5", "nAn",
                    "\"a\"", "=", "#", "# {", "\\", "\"", "a{b=\"c\"} 1 1", "a 1 1", "\r",
                ]),
                0..9,
            )
            .prop_map(|parts| parts.concat()),
            1..12,
        ),
    ) {
        let mut reader = Reader::default();
        for line in &lines {
            let mut alone = Reader::default();
            let (said, wanted) = (reader.read(line), alone.read(line));
            let sample = |said: &Result<Said>| match said {
                Ok(Said::Sample { sample, .. }) => Some((sample.at_ms, sample.value.to_bits())),
                _ => None,
            };
            prop_assert_eq!(sample(&said), sample(&wanted), "{:?}", lines);
            prop_assert_eq!(said.is_err(), wanted.is_err(), "{:?}", lines);
            if sample(&wanted).is_some() {
                prop_assert_eq!(reader.labels(), alone.labels(), "{:?}", lines);
            }
        }
    }

    /// Every value bit for bit, stale markers as such; of other NaNs, that they are one.
    #[test]
    fn what_is_exported_comes_back(
        all in prop::collection::vec(
            (
                name(),
                prop::collection::btree_map(name(), "\\PC{1,9}|[\\\\\"\n \t\r{}#]{1,5}", 0..4),
                prop::collection::vec((any::<i64>(), value()), 1..9),
            ),
            1..5,
        ),
    ) {
        let mut text = String::new();
        let mut wanted: Vec<Series> = Vec::new();
        for (name, labels, samples) in all {
            let labels: Vec<_> = labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            let labels = Labels::metric(&name, &labels);
            let samples: Vec<_> =
                samples.into_iter().map(|(at_ms, value)| Sample { at_ms, value }).collect();
            write_open_metrics(&mut text, &labels, &samples);
            match wanted.last_mut().filter(|last| last.labels == labels) {
                Some(last) => last.samples.extend(samples),
                None => wanted.push(Series { labels, samples }),
            }
        }
        text.push_str("# EOF\n");
        let back = read(&text).unwrap();
        let bits = |all: &[Series]| -> Vec<_> {
            let plain = |v: f64| if v.is_nan() && !is_stale(v) { f64::NAN } else { v };
            let samples = |one: &Series| -> Vec<_> {
                one.samples.iter().map(|its| (its.at_ms, plain(its.value).to_bits())).collect()
            };
            all.iter().map(|one| (one.labels.clone(), samples(one))).collect()
        };
        prop_assert_eq!(bits(&back), bits(&wanted));
    }
}
