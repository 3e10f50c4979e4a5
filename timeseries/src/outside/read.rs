//! Prometheus: raw samples by remote read. (A range selector asked as a query would leave out the
//! stale markers.)

use std::sync::Arc;

use base::sample::NAME;
use prost::Message;

use super::{ANSWER_MAX_BYTES, Outside, wire};
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
        let body = self.body(answer).await?;
        let length = snap::raw::decompress_len(&body).map_err(|e| self.garbled(e))?;
        if length > ANSWER_MAX_BYTES {
            let what = "the metrics engine's answer";
            return Err(Error::TooLarge { what, limit: ANSWER_MAX_BYTES });
        }
        let plain = snap::raw::Decoder::new().decompress_vec(&body).map_err(|e| self.garbled(e))?;
        let answer = wire::ReadResponse::decode(&*plain).map_err(|e| self.garbled(e))?;
        let mut left = select.max_samples;
        let mut all = Vec::new();
        for series in answer.results.into_iter().flat_map(|result| result.timeseries) {
            left = left
                .checked_sub(series.samples.len())
                .ok_or(Error::TooManySamples { limit: select.max_samples })?;
            all.push(Selected {
                labels: Arc::new(series.labels()),
                samples: series.samples().collect(),
            });
        }
        Ok(all)
    }
}
