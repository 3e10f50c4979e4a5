//! Engines that run elsewhere, as a [`Store`]: written by remote write, read by raw samples, so
//! that our own evaluator answers over them as it does over the embedded one.
//!
//! | Address | Engine | Raw samples by |
//! | --- | --- | --- |
//! | `prometheus+http://HOST:PORT` | Prometheus with `--web.enable-remote-write-receiver`, and what speaks as it does (Thanos, Mimir) | remote read 1.0 |
//! | `victoriametrics+http://HOST:PORT` | VictoriaMetrics | `/api/v1/export` |
//!
//! (`+https` likewise; a path after the port goes before the engine's own.) How durable an
//! acknowledged sample is, how late it is seen, and what becomes of samples out of order is the
//! engine's affair: Prometheus refuses what is an hour old and syncs its log by segments;
//! VictoriaMetrics shows and syncs a sample about a second later. A selection's bounds hold while its
//! answer comes.

use std::{
    collections::BTreeSet,
    fmt::{self, Write as _},
    path::Path,
    str::FromStr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use base::sample::{Labels, NAME, Series};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};

use self::left::Left;
use crate::{
    error::{Error, Result},
    matcher::Matcher,
    memory,
    store::{Appended, Backfilled, Select, Selected, Store},
    validate,
};

mod backfill;
mod export;
mod left;
mod read;
mod wire;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For one request, its answer included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Of one answer, or one line of an export.
const ANSWER_MAX_BYTES: usize = 256 << 20;
/// Of an error's text.
const REASON_MAX_BYTES: usize = 512;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Prometheus,
    VictoriaMetrics,
}

/// Where an engine is; the form is in the module's table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    kind: Kind,
    /// Without a slash at its end.
    url: String,
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::BadData(format!(
                "'{text}' is no metrics engine; write prometheus+http://HOST:PORT or \
                 victoriametrics+http://HOST:PORT"
            ))
        };
        let (kind, url) = text.split_once('+').ok_or_else(wrong)?;
        let kind = match kind {
            "prometheus" => Kind::Prometheus,
            "victoriametrics" => Kind::VictoriaMetrics,
            _ => return Err(wrong()),
        };
        let parsed = reqwest::Url::parse(url).map_err(|_| wrong())?;
        let plain = parsed.query().is_none() && parsed.fragment().is_none();
        if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() || !plain {
            return Err(wrong());
        }
        Ok(Self { kind, url: url.trim_end_matches('/').to_owned() })
    }
}

/// An engine that runs elsewhere.
pub struct Outside {
    address: Address,
    /// What errors call it: no user or password.
    shown: String,
    client: Client,
    /// The oldest history of late that it kept, and when that was last so.
    kept: Mutex<Option<(i64, Instant)>>,
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside").field("engine", &self.shown).finish_non_exhaustive()
    }
}

impl Outside {
    /// Asks nothing of it yet: an engine that is away is no reason not to start.
    pub fn open(address: Address) -> Result<Self> {
        // Another part of the process may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|e| Error::Execution(format!("no HTTP client: {e}")))?;
        let shown = reqwest::Url::parse(&address.url).map_or_else(
            |_| String::new(),
            |mut url| {
                // It has a host, so both can be set.
                let _ = url.set_username("").and_then(|()| url.set_password(None));
                url.to_string()
            },
        );
        Ok(Self { address, shown, client, kept: Mutex::default() })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address.url)
    }

    /// A bad answer as an error: what it refused (4xx), or that it can't answer now.
    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let mut answer = request.send().await.map_err(|e| self.away(&e))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let mut reason = Vec::new();
        while reason.len() < REASON_MAX_BYTES
            && let Ok(Some(chunk)) = answer.chunk().await
        {
            reason.extend_from_slice(&chunk[..chunk.len().min(REASON_MAX_BYTES - reason.len())]);
        }
        let reason = format!("{status}: {}", String::from_utf8_lossy(&reason).trim());
        let later = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
        Err(match status.is_client_error() && !later {
            true => Error::EngineRefused { engine: self.shown.clone(), reason },
            false => Error::EngineAway { engine: self.shown.clone(), reason },
        })
    }

    fn away(&self, error: &reqwest::Error) -> Error {
        let reason = base::reconcile::error_chain(error);
        Error::EngineAway { engine: self.shown.clone(), reason }
    }

    fn garbled(&self, what: impl fmt::Display) -> Error {
        Error::EngineAway {
            engine: self.shown.clone(),
            reason: format!("its answer can't be read: {what}"),
        }
    }

    /// The whole body, as far as the selection's bounds go where it is one's answer.
    async fn body(&self, mut answer: Response, left: Option<&Left<'_>>) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| self.away(&e))? {
            left.map_or(Ok(()), |left| left.check(body.len() + chunk.len()))?;
            if body.len() + chunk.len() > ANSWER_MAX_BYTES {
                let what = "the metrics engine's answer";
                return Err(Error::TooLarge { what, limit: ANSWER_MAX_BYTES });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// One of the label endpoints, which are the same in both.
    async fn ask<T: DeserializeOwned>(&self, path: &str, select: &Select) -> Result<T> {
        let mut form = vec![
            ("start", seconds(select.start_ms)),
            ("end", seconds(select.end_ms)),
            ("match[]", selector(&select.matchers)),
        ];
        form.retain(|(_, value)| !value.is_empty());
        let answer = self.send(self.client.get(self.url(path)).query(&form)).await?;
        let body = self.body(answer, Some(&Left::of(select))).await?;
        let answer: Data<T> = serde_json::from_slice(&body).map_err(|e| self.garbled(e))?;
        Ok(answer.data)
    }
}

#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

/// Prometheus takes no selector that an empty series would match.
fn selector(matchers: &[Matcher]) -> String {
    let mut text = format!("{{{NAME}!=\"\"");
    for matcher in matchers {
        let value = matcher.value().replace('\\', "\\\\").replace('"', "\\\"");
        let value = value.replace('\n', "\\n");
        let _ = write!(text, ",{}{}\"{value}\"", matcher.name(), matcher.operator());
    }
    text.push('}');
    text
}

fn seconds(ms: i64) -> String {
    let (sign, ms) = (if ms < 0 { "-" } else { "" }, ms.unsigned_abs());
    format!("{sign}{}.{:03}", ms / 1000, ms % 1000)
}

/// Sorted; samples in order, one an instant; series without samples gone.
fn ordered(mut all: Vec<Selected>) -> Vec<Selected> {
    all.sort_by(|a, b| a.labels.cmp(&b.labels));
    all.dedup_by(|later, first| {
        let same = later.labels == first.labels;
        if same {
            first.samples.append(&mut later.samples);
        }
        same
    });
    for one in &mut all {
        one.samples.sort_by_key(|sample| sample.at_ms);
        one.samples.dedup_by_key(|sample| sample.at_ms);
    }
    all.retain(|one| !one.samples.is_empty());
    all
}

#[async_trait]
impl Store for Outside {
    /// The engine says yes or no to a batch as a whole: what it took counts as written.
    async fn append(&self, mut batch: Vec<Series>) -> Result<Appended> {
        let mut appended = Appended::default();
        batch.retain(|series| match validate::check_classic_labels(&series.labels) {
            Ok(()) => true,
            Err(reason) => {
                appended.invalid += series.samples.len();
                appended.first_error.get_or_insert(reason);
                false
            }
        });
        if batch.is_empty() {
            return Ok(appended);
        }
        let request = self
            .client
            .post(self.url("/api/v1/write"))
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", "snappy")
            .header("x-prometheus-remote-write-version", "0.1.0")
            .body(wire::write_request(&batch)?);
        self.send(request).await?;
        appended.written = batch.iter().map(|series| series.samples.len()).sum();
        Ok(appended)
    }

    async fn backfill(&self, batch: Vec<Series>) -> Result<Backfilled> {
        self.write_history(batch).await
    }

    async fn select(&self, request: Select) -> Result<Vec<Selected>> {
        let all = match self.address.kind {
            Kind::Prometheus => self.remote_read(&request).await?,
            Kind::VictoriaMetrics => self.export(&request).await?,
        };
        Ok(ordered(all))
    }

    async fn series(&self, request: Select) -> Result<Vec<Arc<Labels>>> {
        let found: Vec<std::collections::BTreeMap<String, String>> =
            self.ask("/api/v1/series", &request).await?;
        if found.len() > request.max_samples {
            return Err(Error::TooManySamples { limit: request.max_samples });
        }
        let found: BTreeSet<Labels> = found.into_iter().map(Labels::new).collect();
        let bytes = found.iter().map(|labels| memory::of_labels(labels.iter())).sum();
        Left::of(&request).check(bytes)?;
        Ok(found.into_iter().map(Arc::new).collect())
    }

    async fn label_names(&self, request: Select) -> Result<Vec<String>> {
        // VictoriaMetrics names `__name__` even where nothing matches.
        if self.address.kind == Kind::VictoriaMetrics && !request.matchers.is_empty() {
            let series = self.series(request).await?;
            let names: BTreeSet<&str> =
                series.iter().flat_map(|labels| labels.iter().map(|(name, _)| name)).collect();
            return Ok(names.into_iter().map(str::to_owned).collect());
        }
        let mut names: Vec<String> = self.ask("/api/v1/labels", &request).await?;
        names.sort();
        Ok(names)
    }

    async fn label_values(&self, name: &str, request: Select) -> Result<Vec<String>> {
        if name != NAME && !validate::is_label_name(name) {
            return Ok(vec![]);
        }
        let mut values: Vec<String> =
            self.ask(&format!("/api/v1/label/{name}/values"), &request).await?;
        values.sort();
        Ok(values)
    }

    async fn snapshot(&self, _dir: &Path) -> Result<()> {
        Err(Error::Unsupported(format!(
            "a copy of the samples in {}, which has tools of its own for that,",
            self.shown
        )))
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
