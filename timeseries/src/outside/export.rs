//! VictoriaMetrics: raw samples by `/api/v1/export`, a line of JSON a series (or a part of one).

use std::{collections::BTreeMap, sync::Arc};

use super::{ANSWER_MAX_BYTES, Outside, left::Left, seconds, selector};
use crate::{
    error::{Error, Result},
    store::{Select, Selected},
};
use base::sample::{Labels, STALE_NAN_BITS, Sample};

/// Samples of one line; a longer series takes several.
const LINE_SAMPLES_MAX: &str = "100000";

/// The labels, and what stands between the brackets of values and timestamps.
///
/// Cut by hand, because releases differ in how they write what JSON has no number for
/// (`"Infinity"`, `+Inf`). No label's value holds the two marks: its quotes are escaped.
fn parts(line: &str) -> Option<(BTreeMap<String, String>, &str, &str)> {
    let (metric, rest) = line.split_once(",\"values\":[")?;
    let (values, rest) = rest.split_once("],\"timestamps\":[")?;
    let timestamps = rest.strip_suffix("]}")?;
    let metric = metric.strip_prefix("{\"metric\":")?;
    Some((serde_json::from_str(metric).ok()?, values, timestamps))
}

/// No number is a stale marker: VictoriaMetrics stores no other NaN.
fn value(text: &str) -> Option<f64> {
    match text.trim_matches('"') {
        "null" | "NaN" => Some(f64::from_bits(STALE_NAN_BITS)),
        // Rust reads "Infinity" and "+Inf", too.
        number => number.parse().ok(),
    }
}

fn samples(values: &str, timestamps: &str) -> Option<Vec<Sample>> {
    let (mut values, mut instants) = (values.split(','), timestamps.split(','));
    let mut all = Vec::new();
    loop {
        match (values.next(), instants.next()) {
            (Some(one), Some(at)) => {
                all.push(Sample { at_ms: at.parse().ok()?, value: value(one)? });
            }
            (None, None) => return Some(all),
            _ => return None,
        }
    }
}

impl Outside {
    pub(super) async fn export(&self, select: &Select) -> Result<Vec<Selected>> {
        let form = [
            ("match[]", selector(&select.matchers)),
            ("start", seconds(select.start_ms)),
            ("end", seconds(select.end_ms)),
            ("max_rows_per_line", LINE_SAMPLES_MAX.to_owned()),
        ];
        let request = self.client.post(self.url("/api/v1/export")).form(&form);
        let mut answer = self.send(request).await?;
        let mut left = Left::of(select);
        let mut all = Vec::new();
        let mut rest: Vec<u8> = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| self.away(&e))? {
            rest.extend_from_slice(&chunk);
            left.check(rest.len())?;
            let Some(end) = rest.iter().rposition(|byte| *byte == b'\n') else {
                if rest.len() > ANSWER_MAX_BYTES {
                    let what = "a line of the metrics engine's answer";
                    return Err(Error::TooLarge { what, limit: ANSWER_MAX_BYTES });
                }
                continue;
            };
            for line in rest[..end].split(|byte| *byte == b'\n') {
                all.extend(self.line(line, select, &mut left)?);
            }
            rest.drain(..=end);
        }
        all.extend(self.line(&rest, select, &mut left)?);
        Ok(all)
    }

    fn line(&self, line: &[u8], select: &Select, left: &mut Left<'_>) -> Result<Option<Selected>> {
        if line.trim_ascii().is_empty() {
            return Ok(None);
        }
        let parsed = std::str::from_utf8(line).ok().and_then(parts);
        let parsed = parsed.and_then(|(labels, values, at)| Some((labels, samples(values, at)?)));
        let (labels, mut samples) = parsed.ok_or_else(|| self.garbled("a line of the export"))?;
        samples.retain(|one| (select.start_ms..=select.end_ms).contains(&one.at_ms));
        let found = Selected { labels: Arc::new(Labels::new(labels)), samples };
        left.take(&found)?;
        Ok(Some(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_in_the_spellings_of_all_releases() {
        let line = r#"{"metric":{"__name__":"m","a":",\"values\":[x"},"values":[1.5,null,"Infinity",-Inf,+Inf,"-Infinity"],"timestamps":[1,2,3,4,5,6]}"#;
        let (labels, values, at) = parts(line).unwrap();
        assert_eq!(labels["a"], ",\"values\":[x");
        let samples = samples(values, at).unwrap();
        let bits: Vec<_> = samples.iter().map(|one| one.value.to_bits()).collect();
        let (plus, minus) = (f64::INFINITY.to_bits(), f64::NEG_INFINITY.to_bits());
        assert_eq!(bits, [1.5f64.to_bits(), STALE_NAN_BITS, plus, minus, plus, minus]);
        assert_eq!(samples[5].at_ms, 6);
        for wrong in ["", "{}", r#"{"metric":{},"values":[1],"timestamps":[]}"#] {
            let read = parts(wrong).and_then(|(_, values, at)| super::samples(values, at));
            assert!(read.is_none(), "{wrong}");
        }
    }
}
