//! `opshawk metrics …`: history leaves as text, comes in, and is deleted.

use std::{
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::{Method, header};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::io::ReaderStream;

use super::{Column, Context, Failure, col, wide};
use crate::{
    api::history::{OPEN_METRICS, WARNING},
    cli::{
        args::{ExportArgs, ImportArgs, MetricsCommand},
        exit::Code,
    },
};

mod delete;

/// The last line of a complete text.
const END: &[u8] = b"# EOF\n";
/// How gzip begins (RFC 1952).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

const COLUMNS: &[Column] = &[
    col("SAMPLES", "/samples"),
    col("WRITTEN", "/written"),
    col("DUPLICATES", "/duplicates"),
    col("REJECTED", "/rejected"),
    wide("CONFLICTS", "/conflicts"),
    wide("TOO OLD", "/too_old"),
    wide("TOO NEW", "/too_new"),
    wide("INVALID", "/invalid"),
    wide("OVER LIMIT", "/over_limit"),
    wide("FAMILIES", "/families"),
    wide("EXEMPLARS", "/exemplars"),
];

pub async fn run(cx: &Context, command: MetricsCommand) -> Result<(), Failure> {
    let work = async {
        match command {
            MetricsCommand::Export(args) => export(cx, args).await,
            MetricsCommand::Import(args) => import(cx, args).await,
            MetricsCommand::Delete(args) => delete::run(cx, args).await,
        }
    };
    tokio::select! {
        done = work => done,
        // So that a file that is not complete goes.
        _ = tokio::signal::ctrl_c() => Err(Failure::failed("interrupted")),
    }
}

async fn export(cx: &Context, args: ExportArgs) -> Result<(), Failure> {
    let mut query: Vec<(&str, String)> =
        args.matches.into_iter().map(|selector| ("match[]", selector)).collect();
    query.extend(args.start.map(|start| ("start", start)));
    query.extend(args.end.map(|end| ("end", end)));
    if args.no_stale {
        query.push(("stale", "omit".to_owned()));
    }
    let mut out = Out::create(&args.file)?;
    let request = cx.client.request(Method::GET, "/v1/metrics/export").query(&query);
    let mut answer = cx.client.send(request).await?;
    for warning in answer.headers().get_all(WARNING) {
        eprintln!("warning: {}", String::from_utf8_lossy(warning.as_bytes()));
    }
    let mut progress = Progress::new("lines exported");
    let mut tail: Vec<u8> = Vec::new();
    loop {
        let cut = |e| {
            Failure::failed(format!("the export was cut short: {e} (the server's log says why)"))
        };
        let Some(chunk) = answer.chunk().await.map_err(cut)? else { break };
        if !out.write(&chunk)? {
            // Whoever read from the pipe has enough.
            return Ok(());
        }
        progress.add(&chunk);
        tail.extend_from_slice(&chunk[chunk.len().saturating_sub(END.len())..]);
        tail.drain(..tail.len().saturating_sub(END.len()));
    }
    progress.end();
    if tail != END {
        return Err(Failure::failed(
            "the export was cut short: it has no # EOF (the server's log says why)",
        ));
    }
    out.finish()
}

async fn import(cx: &Context, args: ImportArgs) -> Result<(), Failure> {
    let mut text: Pin<Box<dyn AsyncRead + Send + Sync>> = if is_dash(&args.file) {
        Box::pin(tokio::io::stdin())
    } else {
        let opened = tokio::fs::File::open(&args.file).await;
        Box::pin(opened.map_err(|e| unreadable(&args.file, &e))?)
    };
    let mut begin = Vec::new();
    let magic = (&mut text).take(GZIP_MAGIC.len() as u64).read_to_end(&mut begin).await;
    magic.map_err(|e| unreadable(&args.file, &e))?;
    let packed = begin == GZIP_MAGIC;
    let progress = Arc::new(Mutex::new(Progress::new("lines sent")));
    let body = body(begin, text, progress.clone());
    let request = cx
        .client
        .request(Method::POST, "/v1/metrics/import")
        .header(header::CONTENT_TYPE, OPEN_METRICS)
        .header(header::CONTENT_ENCODING, if packed { "gzip" } else { "identity" })
        .body(reqwest::Body::wrap_stream(body));
    let answer = cx.client.send(request).await;
    progress.lock().expect("no panic while held").end();
    let imported: Value =
        answer?.json().await.map_err(|e| Failure::failed(format!("the answer is no JSON: {e}")))?;
    cx.one(COLUMNS, &imported)?;
    match imported["rejected"].as_u64() {
        Some(0) => Ok(()),
        _ => Err(Failure::failed(rejection(&imported))),
    }
}

/// What begins the text, and the rest of it as it is read.
fn body(
    begin: Vec<u8>,
    rest: Pin<Box<dyn AsyncRead + Send + Sync>>,
    progress: Arc<Mutex<Progress>>,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let begin = futures::stream::once(async { Ok(Bytes::from(begin)) });
    begin.chain(ReaderStream::new(rest)).inspect(move |chunk| {
        if let Ok(chunk) = chunk {
            progress.lock().expect("no panic while held").add(chunk);
        }
    })
}

fn rejection(imported: &Value) -> String {
    let rejected = &imported["rejected"];
    let why = imported["first_error"].as_str().unwrap_or("the server does not say why");
    match imported["first_error_line"].as_u64() {
        Some(line) => format!("{rejected} samples were rejected; the first, line {line}: {why}"),
        None => format!("{rejected} samples were rejected; the first: {why}"),
    }
}

fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("{} can't be read: {error}", path.display()))
}

/// Stdout, or a file that has its name when it is complete.
enum Out {
    Stdout,
    File { path: PathBuf, aside: PathBuf, file: std::fs::File, done: bool },
}

impl Out {
    fn create(path: &Path) -> Result<Self, Failure> {
        if is_dash(path) {
            return Ok(Self::Stdout);
        }
        if path.exists() {
            return Err(Failure::new(
                Code::Conflict,
                format!("{} exists (name a file that does not)", path.display()),
            ));
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let aside = path.with_file_name(name);
        let file = std::fs::File::create(&aside).map_err(|e| unwritable(&aside, &e))?;
        Ok(Self::File { path: path.to_owned(), aside, file, done: false })
    }

    /// False where nobody reads any more.
    fn write(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        match self {
            Self::Stdout => match io::stdout().lock().write_all(bytes) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
                other => other.map(|()| true).map_err(|e| unwritable(Path::new("stdout"), &e)),
            },
            Self::File { aside, file, .. } => {
                file.write_all(bytes).map(|()| true).map_err(|e| unwritable(aside, &e))
            }
        }
    }

    fn finish(mut self) -> Result<(), Failure> {
        match &mut self {
            Self::Stdout => {
                io::stdout().lock().flush().map_err(|e| unwritable(Path::new("stdout"), &e))
            }
            Self::File { path, aside, file, done } => {
                let named = file.sync_all().and_then(|()| std::fs::rename(&*aside, &*path));
                named.map_err(|e| unwritable(path, &e))?;
                *done = true;
                Ok(())
            }
        }
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        if let Self::File { aside, done: false, .. } = self {
            let _ = std::fs::remove_file(aside);
        }
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("{} can't be written: {error}", path.display()))
}

/// One line on stderr, where that is a terminal.
struct Progress {
    what: &'static str,
    shown: bool,
    bytes: u64,
    lines: u64,
    last: Instant,
}

impl Progress {
    fn new(what: &'static str) -> Self {
        let shown = io::stderr().is_terminal();
        Self { what, shown, bytes: 0, lines: 0, last: Instant::now() }
    }

    fn add(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        if !self.shown {
            return;
        }
        self.lines += chunk.iter().filter(|byte| **byte == b'\n').count() as u64;
        if self.last.elapsed() >= PROGRESS_EVERY {
            self.last = Instant::now();
            self.show("");
        }
    }

    fn end(&mut self) {
        if self.shown {
            self.show("\n");
        }
    }

    fn show(&self, end: &str) {
        let mib = self.bytes as f64 / f64::from(1 << 20);
        let Self { what, lines, .. } = self;
        let _ = write!(io::stderr(), "\r{mib:.1} MiB, {lines} {what}{end}");
    }
}

#[cfg(test)]
mod tests;
