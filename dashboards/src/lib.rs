//! The web console, built from `console/` by Vite and embedded in the binary, and the Grafana
//! dashboards that come with it.
//!
//! It knows bytes and file names. It never speaks HTTP (the edge turns an [`Asset`] into an answer),
//! never reads a file while the program runs, and never asks the network for anything: the pages
//! load all that they need from here.
//!
//! | Where | What |
//! | --- | --- |
//! | `console/` | the single-page application: React, TypeScript, its tests |
//! | `console/dist/` | what Vite made of it; empty or absent is no error, see [`is_built`] |
//! | `grafana/` | dashboards for an existing Grafana, over the ecosystem's metric names |
//! | `src/not_built.html` | the page at `/` of a binary that was built without npm |

use std::borrow::Cow;

/// Only our own files, and no inline script. Mantine writes its colours and breakpoints as inline
/// `style` elements, as CodeMirror, xterm and noVNC do theirs, which is what `'unsafe-inline'` is
/// for. Live consoles are WebSockets to our own origin, which `connect-src 'self'` covers.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
    object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The dashboard of hosts and guests, as Grafana imports it.
pub const GRAFANA_HOSTS_AND_GUESTS: &str = include_str!("../grafana/hosts-and-guests.json");

const NOT_BUILT: &str = include_str!("not_built.html");
const INDEX: &str = "index.html";
/// Vite puts the content's hash into the names below this folder.
const HASHED: &str = "assets/";

#[derive(rust_embed::Embed)]
#[folder = "console/dist"]
#[allow_missing = true]
struct Dist;

/// A file of the console, ready to be sent.
#[derive(Debug, Clone)]
pub struct Asset {
    pub bytes: Cow<'static, [u8]>,
    pub content_type: String,
    pub cache_control: &'static str,
    /// Quoted, as it stands in the header.
    pub etag: String,
}

/// Whether the console was there when this crate was compiled.
pub fn is_built() -> bool {
    Dist::get(INDEX).is_some()
}

/// The file at `path` (with or without its leading slash, without query).
///
/// A path that names no file is a page of the application, which its own router draws: it gets
/// `index.html`. None is for a path that names a file which is not there.
pub fn asset(path: &str) -> Option<Asset> {
    asset_in(is_built(), path)
}

fn asset_in(is_built: bool, path: &str) -> Option<Asset> {
    let path = path.trim_start_matches('/');
    let is_page = path.is_empty() || is_page(path);
    if is_page && !is_built {
        return Some(not_built());
    }
    let name = if is_page { INDEX } else { path };
    let file = Dist::get(name)?;
    let hashed = name.starts_with(HASHED);
    Some(Asset {
        content_type: content_type(file.metadata.mimetype()),
        // An index page that outlives its scripts would ask for files that are gone.
        cache_control: if hashed { "public, max-age=31536000, immutable" } else { "no-cache" },
        etag: etag(&file.metadata.sha256_hash()),
        bytes: file.data,
    })
}

/// A page's path ends in no file name: the application's routes have no dot in their last segment.
fn is_page(path: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    !path.starts_with(HASHED) && !last.contains('.')
}

fn not_built() -> Asset {
    Asset {
        bytes: Cow::Borrowed(NOT_BUILT.as_bytes()),
        content_type: content_type("text/html"),
        cache_control: "no-store",
        etag: "\"not-built\"".to_owned(),
    }
}

fn content_type(mime: &str) -> String {
    let text = mime.starts_with("text/") || mime.ends_with("javascript") || mime.ends_with("json");
    if text { format!("{mime}; charset=utf-8") } else { mime.to_owned() }
}

/// Half of the hash is more than enough to tell two versions of a file apart.
fn etag(sha256: &[u8; 32]) -> String {
    let hex: String = sha256[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

#[cfg(test)]
mod tests;
