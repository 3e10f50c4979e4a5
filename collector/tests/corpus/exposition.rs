//! What any text may be put through as an exposition: it is refused with its line, or it is series,
//! and those are the same when they are written as OpenMetrics and read again.

use base::sample::{Labels, Sample, Series, is_stale};
use collector::exposition::{
    Exemplar, Format, HISTORY_LINE_MAX_BYTES, LINE_MAX_BYTES,
    history::{Reader, Said},
    parse, parse_line, write_open_metrics, write_with_exemplars,
};

const NOW_MS: i64 = 1_700_000_000_000;

type Bits = (Labels, Vec<(i64, u64)>);

/// Prometheus' two texts know no stale marker.
fn bits(series: &[Series], format: Format) -> Vec<Bits> {
    let value = |value: f64| match format {
        Format::History if is_stale(value) => value,
        // A NaN's payload has no text.
        _ if value.is_nan() => f64::NAN,
        _ => value,
    };
    let of = |one: &Series| {
        let samples = one.samples.iter().map(|s| (s.at_ms, value(s.value).to_bits()));
        (one.labels.clone(), samples.collect())
    };
    series.iter().map(of).collect()
}

/// Panics where something is wrong.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for format in [Format::Prometheus, Format::OpenMetrics, Format::History] {
        let parsed = parse(text, format, NOW_MS);
        match &parsed {
            Ok(series) => written(series, format),
            Err(error) => refused(text, format, error),
        }
        if format == Format::History {
            by_line(text, &parsed);
        }
    }
}

/// The error is that of the line it names, or the text went on behind its end.
fn refused(text: &str, format: Format, error: &str) {
    let named = error.strip_prefix("line ").and_then(|rest| rest.split_once(": "));
    let (number, why) = named.unwrap_or_else(|| panic!("{error:?} names no line"));
    let number: usize = number.parse().expect("a line's number");
    let line = text.lines().nth(number - 1).expect("a line of the text");
    if why != "something follows # EOF" {
        assert_eq!(parse_line(line, format).expect_err("the line is wrong"), why);
    }
}

fn written(series: &[Series], format: Format) {
    let mut text = String::new();
    for one in series {
        write_open_metrics(&mut text, &one.labels, &one.samples);
    }
    text.push_str("# EOF\n");
    // Escapes and digits may make a line longer than one may be.
    if text.lines().all(|line| line.len() <= LINE_MAX_BYTES) {
        let format = if format == Format::History { format } else { Format::OpenMetrics };
        let again = parse(&text, format, 0).unwrap_or_else(|e| panic!("{e}: {text}"));
        assert_eq!(bits(&again, format), bits(series, format), "{text}");
    }
}

/// An exemplar is the same when it is written and read again.
fn beside(labels: &Labels, sample: Sample, exemplar: &Exemplar) {
    let mut text = String::new();
    write_with_exemplars(&mut text, labels, &[sample], |_| Some(exemplar));
    match Reader::default().read(text.trim_end_matches('\n')) {
        Ok(Said::Sample { exemplar: Some(again), .. }) => {
            let same_value = again.sample.value == exemplar.sample.value
                || (again.sample.value.is_nan() && exemplar.sample.value.is_nan());
            assert!(same_value && again.sample.at_ms == exemplar.sample.at_ms, "{text}");
            assert_eq!(again.labels, exemplar.labels, "{text}");
        }
        other => assert!(text.len() > HISTORY_LINE_MAX_BYTES, "{text}: {other:?}"),
    }
}

/// The reader that remembers the last line's series reads what the one without a memory does, and
/// refuses what has no timestamp.
fn by_line(text: &str, parsed: &Result<Vec<Series>, String>) {
    let mut reader = Reader::default();
    let mut read: Vec<Series> = Vec::new();
    for line in text.lines() {
        match reader.read(line) {
            Ok(Said::Sample { sample, exemplar, .. }) => {
                let labels = reader.labels();
                exemplar.iter().for_each(|one| beside(labels, sample, one));
                match read.iter_mut().find(|one| one.labels == *labels) {
                    Some(one) => one.samples.push(sample),
                    None => read.push(Series { labels: labels.clone(), samples: vec![sample] }),
                }
            }
            Ok(_) => {}
            Err(why) if why.contains("timestamp") && parsed.is_ok() => return,
            Err(why) => return assert!(parsed.is_err(), "{why}: {line}"),
        }
    }
    let parsed = parsed.as_ref().unwrap_or_else(|why| panic!("{why}, but not line by line"));
    assert_eq!(bits(&read, Format::History), bits(parsed, Format::History));
}
