//! The way out: pages of the store as a stream of text, of which a reader who lags holds up the rest.

use std::io;

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use base::{Error, ErrorKind, sample::is_stale, time::Timestamp};
use bytes::Bytes;
use collector::exposition::{write_family, write_with_exemplars};
use http::{HeaderMap, HeaderValue, header};
use timeseries::{
    Engine, Metadata, Scope, Selected, embedded::options::FUTURE_MAX_MS, history::Pages,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use utoipa::IntoParams;

use super::{EXPORTS_MAX, OPEN_METRICS, WARNING, notes::Beside, place};
use crate::api::{auth::Caller, problem::Result, prometheus::Params, state::App};

/// Of the stream: what the reader has not taken yet.
const CHUNKS_AHEAD: usize = 8;
const CHUNK_BYTES: usize = 256 << 10;
/// Written before the size of the text is looked at.
const STEP_SAMPLES: usize = 512;
const END: &str = "# EOF\n";

type Sender = mpsc::Sender<io::Result<Bytes>>;

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // Describes what [`Params`] reads.
pub struct ExportParams {
    /// Series selectors; may be repeated. All series where none is given.
    #[param(rename = "match[]")]
    pub matches: Option<Vec<String>>,
    /// Unix seconds or RFC 3339; from the oldest sample where not given. Both ends belong to it.
    pub start: Option<String>,
    /// To the newest sample where not given.
    pub end: Option<String>,
    /// `keep` (as `nAn`, which an import knows) or `omit`: stale markers.
    pub stale: Option<String>,
}

/// Samples as OpenMetrics text, series by series, each in order of time; before them what their
/// families are, behind them recent exemplars. Complete with its `# EOF` alone; what it lacks, because
/// a block is damaged, headers say (`opshawk-warning`). A member's are those of its tenant.
#[utoipa::path(get, path = "/v1/metrics/export", tag = "metrics", params(ExportParams),
    responses((status = 200, body = String, content_type = "application/openmetrics-text")))]
pub async fn export_metrics(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Response> {
    let permit = place(&app.moves.exports, "exports", EXPORTS_MAX)?;
    let start = instant(&params, "start")?.map_or(0, Timestamp::ms);
    // A sample may be a little ahead of the clock.
    let newest = app.clock.now().ms().saturating_add(FUTURE_MAX_MS);
    let end = instant(&params, "end")?.map_or(newest, Timestamp::ms);
    let with_stale = match params.get("stale") {
        None | Some("keep") => true,
        Some("omit") => false,
        Some(_) => return Err(Error::invalid("stale", "it is keep or omit").into()),
    };
    let scope = Scope { tenant: caller.tenant() };
    let matches = params.all("match[]");
    let mut pages = Pages::new(app.store.clone(), &scope, &matches, start, end).map_err(
        |error| match error {
            timeseries::Error::BadData(why) => Error::invalid("match[]", why),
            other => other.into(),
        },
    )?;
    // What fails before the first sample has an answer of its own.
    let families = pages.families().await.map_err(refused)?;
    let first = pages.next().await.map_err(refused)?;
    let exemplars = pages.exemplars().await.map_err(refused)?;
    let mut export = Export { with_stale, beside: exemplars.into() };
    let damage = Damage { engine: app.engine.clone(), range_ms: (start, end) };
    let told = damage.warnings();
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(OPEN_METRICS));
    for warning in told.iter().filter_map(|text| HeaderValue::from_str(text).ok()) {
        headers.append(WARNING, warning);
    }
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    tokio::spawn(async move {
        let families = first.as_ref().map(|_| families).unwrap_or_default();
        let _ = sender.send(Ok(families_text(&families).into())).await;
        let written = async {
            write(pages, first, &mut export, &sender).await?;
            damage.is_as_told(&told)
        };
        let written = written.await;
        drop(permit);
        if let Err(error) = written {
            let chain = base::reconcile::error_chain(&error);
            tracing::error!(error = chain, "an export failed");
            // The reader sees its stream break off, without the end.
            let _ = sender.send(Err(io::Error::other("the export failed"))).await;
            return;
        }
        // A reader that went away is no failure.
        let _ = sender.send(Ok(Bytes::from_static(END.as_bytes()))).await;
    });
    let body = Body::from_stream(ReceiverStream::new(receiver));
    Ok((headers, body).into_response())
}

fn refused(error: timeseries::Error) -> Error {
    match error {
        timeseries::Error::TooManySeries { limit } => {
            Error::new(ErrorKind::Invalid, format!("the export finds more than {limit} series"))
                .remedy("narrow it by match[], start or end")
        }
        other => other.into(),
    }
}

/// Unix seconds or RFC 3339.
fn instant(params: &Params, name: &str) -> base::Result<Option<Timestamp>> {
    let Some(text) = params.get(name) else { return Ok(None) };
    /// Beyond this a double no longer holds every millisecond.
    const LIMIT_MS: f64 = 9_007_199_254_740_992.0;
    let seconds = text.parse::<f64>().map(|seconds| (seconds * 1000.0).round());
    let seconds = seconds.ok().filter(|ms| ms.abs() <= LIMIT_MS);
    let at = seconds.map(|ms| Timestamp::from_ms(ms as i64)).or_else(|| text.parse().ok());
    at.map(Some).ok_or_else(|| Error::invalid(name, "it is neither Unix seconds nor RFC 3339"))
}

fn families_text(all: &[Metadata]) -> String {
    let mut text = String::new();
    for one in all {
        write_family(&mut text, &one.metric, &one.kind, &one.help, &one.unit);
    }
    text
}

/// What each page goes through.
struct Export {
    with_stale: bool,
    beside: Beside,
}

async fn write(
    mut pages: Pages,
    first: Option<Vec<Selected>>,
    export: &mut Export,
    sender: &Sender,
) -> timeseries::Result<()> {
    let mut page = first;
    while let Some(series) = page {
        let sender = sender.clone();
        let mut its = Export { beside: std::mem::take(&mut export.beside), ..*export };
        let written = move || write_page(series, &mut its, &sender).map(|()| its.beside);
        match tokio::task::spawn_blocking(written).await {
            Ok(Ok(rest)) => export.beside = rest,
            // The reader went away, or the runtime ends.
            _ => return Ok(()),
        }
        page = pages.next().await?;
    }
    Ok(())
}

/// What the store lost of the range.
struct Damage {
    engine: Engine,
    range_ms: (i64, i64),
}

impl Damage {
    fn warnings(&self) -> Vec<String> {
        self.engine.warnings([self.range_ms])
    }

    /// An error where the export met damage that its reader wasn't told of: the next one says it.
    fn is_as_told(&self, told: &[String]) -> timeseries::Result<()> {
        if self.warnings() == told {
            return Ok(());
        }
        let why = "a block was found damaged while it was exported; export again";
        Err(timeseries::Error::Execution(why.to_owned()))
    }
}

/// An error where nobody reads any more.
fn write_page(page: Vec<Selected>, export: &mut Export, sender: &Sender) -> Result<(), Gone> {
    let mut text = String::with_capacity(CHUNK_BYTES);
    let send = |text: String| sender.blocking_send(Ok(text.into())).map_err(|_| Gone);
    for mut series in page {
        if !export.with_stale {
            series.samples.retain(|sample| !is_stale(sample.value));
        }
        let placed = export.beside.place(&series.labels, &series.samples);
        for (step, samples) in series.samples.chunks(STEP_SAMPLES).enumerate() {
            let exemplar = |at| placed.get(&(step * STEP_SAMPLES + at));
            write_with_exemplars(&mut text, &series.labels, samples, exemplar);
            if text.len() >= CHUNK_BYTES {
                send(std::mem::replace(&mut text, String::with_capacity(CHUNK_BYTES)))?;
            }
        }
    }
    if text.is_empty() { Ok(()) } else { send(text) }
}

struct Gone;
