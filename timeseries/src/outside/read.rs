//! Prometheus: raw samples by remote read. (A range selector asked as a query would leave out the
//! stale markers.)

use std::sync::Arc;

use base::sample::NAME;

use super::{ANSWER_MAX_BYTES, Outside, left::Left, wire};
use crate::{
    error::{Error, Result},
    matcher::Matcher,
    store::{Select, Selected},
};

impl Outside {
    pub(super) async fn remote_read(&self, select: &Select) -> Result<Vec<Selected>> {
        // No matcher at all would select nothing.
        let named = Matcher::not_equal(NAME, "");
        let matchers = std::iter::once(&named)
            .chain(&select.matchers)
            .map(|matcher| wire::LabelMatcher {
                kind: match matcher.operator() {
                    "=" => 0,
                    "!=" => 1,
                    "=~" => 2,
                    _ => 3,
                },
                name: matcher.name().to_owned(),
                value: matcher.value().to_owned(),
            })
            .collect();
        let query = wire::Query {
            start_timestamp_ms: select.start_ms,
            end_timestamp_ms: select.end_ms,
            matchers,
        };
        let request = self
            .client
            .post(self.url("/api/v1/read"))
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", "snappy")
            .header("x-prometheus-remote-read-version", "0.1.0")
            .body(wire::packed(&wire::ReadRequest { queries: vec![query] })?);
        let answer = self.send(request).await?;
        let mut left = Left::of(select);
        let body = self.body(answer, Some(&left)).await?;
        let length = snap::raw::decompress_len(&body).map_err(|e| self.garbled(e))?;
        if length > ANSWER_MAX_BYTES {
            let what = "the metrics engine's answer";
            return Err(Error::TooLarge { what, limit: ANSWER_MAX_BYTES });
        }
        // All of it is there while its series are read one after another.
        left.take_bytes(length)?;
        let plain = snap::raw::Decoder::new().decompress_vec(&body).map_err(|e| self.garbled(e))?;
        drop(body);
        let mut series = wire::SeriesIn::of(&plain);
        let mut all = Vec::new();
        while let Some(one) = series.next().map_err(|e| self.garbled(e))? {
            let found =
                Selected { labels: Arc::new(one.labels()), samples: one.samples().collect() };
            left.take(&found)?;
            all.push(found);
        }
        Ok(all)
    }
}
