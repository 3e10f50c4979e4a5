//! The way in: the whole text is read first, so that one with a bad line changes nothing; then it is
//! written day by day, whether its sender still waits or not.

use std::{
    io::{self, BufRead, BufReader, Read},
    path::PathBuf,
};

use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use base::{Error, ErrorKind, sample::Labels, time::Timestamp};
use bytes::{Buf, Bytes};
use collector::exposition::{
    HISTORY_LINE_MAX_BYTES,
    history::{Reader, Said},
};
use flate2::read::MultiGzDecoder;
use futures::StreamExt;
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use serde_json::json;
use timeseries::{
    Appended, TENANT,
    embedded::{BACKFILL_MAX_SAMPLES, options::FUTURE_MAX_MS},
    validate,
};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use utoipa::ToSchema;

use super::{
    IMPORTS_MAX,
    notes::Notes,
    place,
    spool::{Batch, Batches, Full, Spool},
};
use crate::{
    api::{auth::Caller, problem::Problem, state::App, unit},
    samples::INSTANCE_ID,
};

/// Of the text, unpacked.
pub const TEXT_MAX_BYTES: u64 = 1 << 40;
/// Of the body: what the reader of lines has not taken yet.
const CHUNKS_AHEAD: usize = 8;
const READ_BYTES: usize = 256 << 10;
/// Of a body with a bad line: what is taken behind it.
const UNREAD_MAX_BYTES: u64 = 16 << 30;

/// What became of a text.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Imported {
    /// In the text.
    pub samples: u64,
    pub written: u64,
    /// There already, with the same value.
    pub duplicates: u64,
    /// Not taken; the next five say why.
    pub rejected: u64,
    /// There already, with another value, which stays.
    pub conflicts: u64,
    /// Beyond the retention.
    pub too_old: u64,
    /// In the future.
    pub too_new: u64,
    /// Of series with bad labels, or with another's `tenant`.
    pub invalid: u64,
    /// Of series beyond a limit.
    pub over_limit: u64,
    /// Of which nothing was known, and now is what the text says.
    pub families: u64,
    /// That were not there.
    pub exemplars: u64,
    /// Why the first of the rejected ones was.
    pub first_error: Option<String>,
    /// Its line, from 1, where the engine tells which it was.
    pub first_error_line: Option<u64>,
}

impl Imported {
    /// The one of the lowest line stays the first.
    fn fail(&mut self, line: Option<u64>, why: impl FnOnce() -> String) {
        let earlier = match (line, self.first_error_line) {
            (Some(line), Some(known)) => line < known,
            (Some(_), None) => true,
            (None, _) => self.first_error.is_none(),
        };
        if earlier {
            (self.first_error, self.first_error_line) = (Some(why()), line);
        }
    }

    fn count(&mut self, its: &Appended) {
        self.written += its.written as u64;
        self.duplicates += its.duplicates as u64;
        self.rejected += its.rejected() as u64;
        self.conflicts += its.conflicts as u64;
        self.too_old += its.too_old as u64;
        self.too_new += its.too_new as u64;
        self.invalid += its.invalid as u64;
        self.over_limit += (its.over_limit + its.over_tenant_limit) as u64;
    }

    fn refuse(&mut self, samples: usize, line: Option<u64>, why: impl FnOnce() -> String) {
        self.rejected += samples as u64;
        self.invalid += samples as u64;
        self.fail(line, why);
    }
}

/// Takes history: OpenMetrics text (gzip with `Content-Encoding: gzip`) in which every sample has
/// its timestamp, of any age within the retention, up to its `# EOF`. A text that can't be read to
/// its end changes nothing; what the store rejects is counted, the rest is durable. `tenant` stays
/// as it is in the text. What it says of families is taken where nothing is known of them, its newest
/// exemplars where there is room. The same text may be sent again.
#[utoipa::path(post, path = "/v1/metrics/import", tag = "metrics",
    request_body(content = String, content_type = "application/openmetrics-text"),
    responses((status = 200, body = Imported)))]
pub async fn import_metrics(
    State(app): State<App>,
    caller: Caller,
    request: Request,
) -> unit::Result<Response> {
    let packed = is_packed(request.headers())?;
    let permit = place(&app.moves.imports, "imports", IMPORTS_MAX)?;
    let newest_ms = app.clock.now().ms().saturating_add(FUTURE_MAX_MS);
    let aside = Aside { data_dir: app.config.data_dir.clone(), newest_ms };
    let (spool, imported, notes) = receive(request.into_body(), packed, aside).await?;
    // Before the first sample is written, whatever becomes of the rest.
    let mut unit = app.begin(&caller, None).await?;
    let mut detail = json!({ "samples": imported.samples });
    if spool.samples > 0 {
        let at = Timestamp::from_ms;
        (detail["first"], detail["last"]) = (json!(at(spool.first_ms)), json!(at(spool.last_ms)));
    }
    unit.audit("samples.import", ("samples", "series"), None, detail).await?;
    unit.commit().await?;
    // A sender that goes away now doesn't leave half of it.
    let work = tokio::spawn(write(app.clone(), spool, imported, notes, permit));
    let imported = work.await.map_err(|e| Error::internal("the import failed").source(e))??;
    Ok((StatusCode::OK, axum::Json(imported)).into_response())
}

/// Whether the body is packed by gzip; refuses what is no text.
fn is_packed(headers: &HeaderMap) -> Result<bool, Problem> {
    let says = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let refuse = |what: &str| {
        Err(Problem::http(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "Another media type is wanted",
            format!("{what}; send application/openmetrics-text, plain or packed by gzip"),
        ))
    };
    let media = says(header::CONTENT_TYPE).map(str::to_ascii_lowercase);
    let text = |media: &String| {
        ["application/openmetrics-text", "text/plain", "application/octet-stream"]
            .iter()
            .any(|known| media.starts_with(known))
    };
    if !media.as_ref().is_none_or(text) {
        return refuse("the body is no OpenMetrics text by its Content-Type");
    }
    match says(header::CONTENT_ENCODING).map(str::to_ascii_lowercase).as_deref() {
        None | Some("identity") => Ok(false),
        Some("gzip") => Ok(true),
        Some(_) => refuse("the body's Content-Encoding is not known"),
    }
}

/// Reads the text to its end, or to what is wrong in it.
async fn receive(body: Body, packed: bool, aside: Aside) -> base::Result<(Spool, Imported, Notes)> {
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(CHUNKS_AHEAD);
    let lines = tokio::task::spawn_blocking(move || {
        let chunks = Chunks { receiver, chunk: Bytes::new() };
        if packed { aside.spool(MultiGzDecoder::new(chunks)) } else { aside.spool(chunks) }
    });
    let mut chunks = body.into_data_stream();
    let mut unread_bytes = 0;
    while let Some(chunk) = chunks.next().await {
        let ended = chunk.is_err();
        let bytes = chunk.as_ref().map_or(0, Bytes::len);
        // After a bad line the rest is taken and dropped: a sender reads its answer when it is
        // through, and sees a broken connection before.
        if sender.send(chunk.map_err(io::Error::other)).await.is_err() {
            unread_bytes += bytes as u64;
        }
        if ended || unread_bytes > UNREAD_MAX_BYTES {
            break;
        }
    }
    drop(sender);
    lines.await.map_err(|e| Error::internal("the text could not be read").source(e))?
}

/// The body as it comes.
struct Chunks {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    chunk: Bytes,
}

impl Read for Chunks {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while !self.chunk.has_remaining() {
            match self.receiver.blocking_recv() {
                Some(chunk) => self.chunk = chunk?,
                None => return Ok(0),
            }
        }
        let count = out.len().min(self.chunk.remaining());
        self.chunk.copy_to_slice(&mut out[..count]);
        Ok(count)
    }
}

/// Where a text is kept, and the newest instant that is taken.
struct Aside {
    data_dir: PathBuf,
    newest_ms: i64,
}

impl Aside {
    fn spool(&self, text: impl Read) -> base::Result<(Spool, Imported, Notes)> {
        let mut text = BufReader::with_capacity(READ_BYTES, text.take(TEXT_MAX_BYTES));
        let mut spool = Spool::create(&self.data_dir).map_err(|e| not_kept(Full::Io(e)))?;
        let mut imported = Imported::default();
        let mut notes = Notes::default();
        let mut reader = Reader::default();
        let mut bad: Option<String> = None;
        let mut line = Vec::new();
        let mut number = 0;
        loop {
            number += 1;
            line.clear();
            // One more than the longest, so that a longer one is seen as such.
            let most = HISTORY_LINE_MAX_BYTES as u64 + 2;
            let read = text.by_ref().take(most).read_until(b'\n', &mut line);
            if read.map_err(|e| wrong(number, "it can't be read").source(e))? == 0 {
                break;
            }
            let ended = line.pop_if(|last| *last == b'\n').is_some();
            if !ended && line.len() as u64 == most {
                return Err(wrong(number, "it is too long"));
            }
            let utf8 = std::str::from_utf8(&line).map_err(|_| wrong(number, "it is no UTF-8"))?;
            let said = reader.read(utf8).map_err(|why| wrong(number, why))?;
            let (sample, exemplar, new_series) = match said {
                Said::Sample { sample, exemplar, new_series } => (sample, exemplar, new_series),
                Said::Family(line) => {
                    notes.family(line);
                    continue;
                }
                Said::Nothing | Said::End => continue,
            };
            imported.samples += 1;
            if new_series {
                bad = validate::check_labels(reader.labels()).err();
                spool.begin_series(reader.labels());
            }
            if let Some(why) = &bad {
                imported.refuse(1, Some(number), || why.clone());
            } else if sample.at_ms > self.newest_ms {
                // Said here for all engines: some would drop it in silence.
                let at = Timestamp::from_ms(sample.at_ms);
                let why = || format!("{} at {at} is in the future", reader.labels().name());
                imported.rejected += 1;
                imported.too_new += 1;
                imported.fail(Some(number), why);
            } else {
                spool.put(sample, number).map_err(not_kept)?;
                let exemplar = exemplar.filter(|one| one.sample.at_ms <= self.newest_ms);
                exemplar.into_iter().for_each(|one| notes.exemplar(reader.labels(), one));
            }
        }
        if reader.has_ended() {
            return Ok((spool, imported, notes));
        }
        if text.into_inner().limit() == 0 {
            let message = format!("a text of history may have at most {TEXT_MAX_BYTES} bytes");
            return Err(Error::new(ErrorKind::TooLarge, message).remedy("import it in parts"));
        }
        Err(wrong(number, "the text ends without # EOF, as if it were cut short"))
    }
}

fn wrong(line: u64, why: &str) -> Error {
    Error::invalid("body", format!("line {line}: {why}"))
        .remedy("nothing was written; mend the text and import it again")
}

fn not_kept(full: Full) -> Error {
    match full {
        Full::Days => Error::invalid("body", "the text is about more days than an import takes")
            .remedy("nothing was written; import it in parts"),
        Full::Disk => Error::unavailable("the data directory's disk has no room for the text")
            .remedy("nothing was written; free space, or import it in parts"),
        Full::Io(error) => Error::unavailable("the text can't be kept in the data directory")
            .remedy("nothing was written; free space, or repair its disk")
            .source(error),
    }
}

async fn write(
    app: App,
    spool: Spool,
    mut imported: Imported,
    notes: Notes,
    _permit: OwnedSemaphorePermit,
) -> base::Result<Imported> {
    let read = |batches: Batches| {
        let next = move || {
            let mut batches = batches;
            batches.next(BACKFILL_MAX_SAMPLES).map(|batch| (batches, batch))
        };
        async move {
            let next = tokio::task::spawn_blocking(next).await;
            next.map_err(io::Error::other)
                .and_then(|result| result)
                .map_err(|e| Error::internal("what was imported can't be read back").source(e))
        }
    };
    let mut batches = spool.read().map_err(not_kept)?;
    loop {
        let (rest, batch) = read(batches).await?;
        batches = rest;
        let Some(mut batch) = batch else {
            note(&app, notes, &mut imported).await.map_err(|e| stopped(e, &imported))?;
            return Ok(imported);
        };
        drop_others(&app, &mut batch, &mut imported).await.map_err(|e| stopped(e, &imported))?;
        let series = std::mem::take(&mut batch.series);
        let done = app.store.backfill(series).await.map_err(|e| stopped(e, &imported))?;
        app.metrics.count_samples(&done.appended);
        imported.count(&done.appended);
        if let Some(why) = done.appended.first_error {
            let line = done.first_rejected.and_then(|(series, at)| batch.line(series, at));
            imported.fail(line, || why);
        }
    }
}

/// Behind the samples, so that nothing is known of what is not there.
async fn note(app: &App, notes: Notes, imported: &mut Imported) -> timeseries::Result<()> {
    let (families, mut exemplars) = notes.into_parts();
    let mut taken = Vec::with_capacity(exemplars.len());
    for one in &exemplars {
        taken.push(is_its_owners(app, &one.labels).await?);
    }
    let mut at = taken.into_iter();
    exemplars.retain(|_| at.next().unwrap_or(true));
    let noted = app.store.note(families, exemplars).await?;
    (imported.families, imported.exemplars) = (noted.families as u64, noted.exemplars as u64);
    Ok(())
}

/// A series of an instance that is known here is its owner's and nobody else's.
async fn is_its_owners(app: &App, labels: &Labels) -> timeseries::Result<bool> {
    let owner = match labels.get(INSTANCE_ID) {
        Some(id) => app.ingest.owner_of_instance(id).await?,
        None => None,
    };
    let is_of = |owner: base::id::TenantId| labels.get(TENANT) == Some(&*owner.to_string());
    Ok(owner.is_none_or(is_of))
}

async fn drop_others(
    app: &App,
    batch: &mut Batch,
    imported: &mut Imported,
) -> timeseries::Result<()> {
    let mut taken = Vec::with_capacity(batch.series.len());
    for (number, series) in batch.series.iter().enumerate() {
        let is_its = is_its_owners(app, &series.labels).await?;
        taken.push(is_its);
        if !is_its {
            imported.refuse(series.samples.len(), batch.first_line(number), || {
                let name = series.labels.name();
                format!("{name} is of an instance whose tenant is another than its label says")
            });
        }
    }
    batch.retain(&taken);
    Ok(())
}

fn stopped(error: timeseries::Error, so_far: &Imported) -> Error {
    let error = match error {
        timeseries::Error::BadData(why) => Error::new(ErrorKind::Invalid, why),
        other => Error::from(other),
    };
    let written = so_far.written;
    error.remedy(format!("{written} samples were written and stay; import the same text again"))
}

#[cfg(test)]
mod tests;
