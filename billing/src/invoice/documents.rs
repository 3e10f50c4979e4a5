//! Documents: an invoice's JSON as it was issued, and the forms made from it. Each form is made
//! once, when the month is closed or when it is first asked for, and its bytes stay.

use base::{
    Error, ErrorKind, Result,
    db::{Conn, Db},
    id::{CreditNoteId, InvoiceId},
    secret,
    time::Timestamp,
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Content, Language, Settings, focus, html, notes,
    sheet::{self, Sheet},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Json,
    Html,
    Csv,
    Pdf,
}

impl Format {
    pub const ALL: [Self; 4] = [Self::Json, Self::Html, Self::Csv, Self::Pdf];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Html => "html",
            Self::Csv => "csv",
            Self::Pdf => "pdf",
        }
    }

    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Html => "text/html; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Pdf => "application/pdf",
        }
    }

    /// Whether it is for people, in a language.
    fn is_worded(self) -> bool {
        matches!(self, Self::Html | Self::Pdf)
    }
}

impl std::str::FromStr for Format {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|f| f.as_str() == text).ok_or_else(|| {
            Error::invalid("format", format!("invoices can't be had as '{text}'"))
                .remedy("use json, html, csv or pdf")
        })
    }
}

/// An invoice in one form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    pub format: Format,
    pub bytes: Vec<u8>,
    /// Of the bytes, in hexadecimal.
    pub sha256: String,
    /// `INV-000042.pdf`.
    pub file_name: String,
}

pub(crate) fn no_json(error: serde_json::Error) -> Error {
    Error::internal("the invoice can't be written as JSON").source(error)
}

/// The frozen content.
pub async fn content(conn: &mut Conn, id: InvoiceId) -> Result<Content> {
    let json = read(conn, &id.to_string(), Format::Json, "").await?;
    let json = json.ok_or_else(|| Error::not_found(format_args!("invoice {id}")))?;
    serde_json::from_slice(&json)
        .map_err(|e| Error::internal(format!("the content of invoice {id} is broken")).source(e))
}

/// The invoice in that form; `language` counts in printed forms, the invoice's own where none is
/// given.
pub async fn document(
    db: &Db,
    now: Timestamp,
    settings: &Settings,
    id: InvoiceId,
    format: Format,
    language: Option<Language>,
) -> Result<Document> {
    let content = content(&mut *db.read().await?, id).await?;
    let language = format.is_worded().then(|| language.unwrap_or(content.language));
    let key = language.map_or("", Language::as_str);
    let file_name = format!("{}.{}", content.number, format.as_str());
    let done =
        |bytes: Vec<u8>| Document { sha256: secret::sha256_hex(&bytes), format, bytes, file_name };
    if let Some(bytes) = read(&mut *db.read().await?, &id.to_string(), format, key).await? {
        return Ok(done(bytes));
    }
    let body = render(settings, content, format, language.unwrap_or_default()).await?;
    kept(db, now, &id.to_string(), format, language, &body).await.map(done)
}

/// A credit note in that form, HTML or PDF; in its invoice's language where none is given. Like an
/// invoice's, its bytes stay: all that it says is frozen.
pub async fn note_document(
    db: &Db,
    now: Timestamp,
    settings: &Settings,
    id: CreditNoteId,
    format: Format,
    language: Option<Language>,
) -> Result<Document> {
    if !format.is_worded() {
        return Err(Error::invalid("format", "a credit note can be had as html or pdf"));
    }
    let (note, content) = {
        let mut conn = db.read().await?;
        let note = notes::get(&mut conn, id).await?;
        let content = content(&mut conn, note.invoice_id).await?;
        (note, content)
    };
    let language = language.unwrap_or(content.language);
    let file_name = format!("{}.{}", note.number, format.as_str());
    let done =
        |bytes: Vec<u8>| Document { sha256: secret::sha256_hex(&bytes), format, bytes, file_name };
    let id = id.to_string();
    if let Some(bytes) = read(&mut *db.read().await?, &id, format, language.as_str()).await? {
        return Ok(done(bytes));
    }
    let sheet = sheet::note(&content, &note, language)?;
    let body = match format {
        Format::Pdf => {
            let (font, issued) = (settings.pdf_font.clone(), note.issued_at);
            let made = tokio::task::spawn_blocking(move || drawn(&sheet, issued, &font)).await;
            BASE64.encode(made.map_err(|e| Error::internal("the PDF was not made").source(e))??)
        }
        _ => html::render(&sheet),
    };
    kept(db, now, &id, format, Some(language), &body).await.map(done)
}

/// Keeps the document, unless another one was first: what is kept is what counts.
async fn kept(
    db: &Db,
    now: Timestamp,
    id: &str,
    format: Format,
    language: Option<Language>,
    body: &str,
) -> Result<Vec<u8>> {
    let mut tx = db.begin_write().await?;
    store(&mut tx, now, id, format, language, body).await?;
    let bytes = read(&mut tx, id, format, language.map_or("", Language::as_str)).await?;
    tx.commit().await?;
    bytes.ok_or_else(|| Error::internal("a document was not kept"))
}

/// Makes and keeps the forms of an invoice that was issued. A PDF that can't be made here is made
/// when somebody asks for it, who is told why it can't.
pub(crate) async fn keep(
    db: &Db,
    now: Timestamp,
    settings: &Settings,
    id: InvoiceId,
) -> Result<()> {
    for format in [Format::Html, Format::Csv] {
        document(db, now, settings, id, format, None).await?;
    }
    if cfg!(feature = "pdf")
        && let Err(error) = document(db, now, settings, id, Format::Pdf, None).await
    {
        tracing::warn!(invoice = %id, error = %error, "no PDF of the invoice was made");
    }
    Ok(())
}

/// As it is kept: text, and PDF in base64.
pub(crate) async fn render(
    settings: &Settings,
    content: Content,
    format: Format,
    language: Language,
) -> Result<String> {
    match format {
        Format::Json => serde_json::to_string(&content).map_err(no_json),
        Format::Html => Ok(html::page(&content, language)?),
        Format::Csv => focus::csv(&content),
        Format::Pdf => {
            let font = settings.pdf_font.clone();
            let made = tokio::task::spawn_blocking(move || pdf(&content, language, &font)).await;
            let bytes = made.map_err(|e| Error::internal("the PDF was not made").source(e))??;
            Ok(BASE64.encode(bytes))
        }
    }
}

fn pdf(content: &Content, language: Language, font: &str) -> Result<Vec<u8>> {
    drawn(&sheet::sheet(content, language)?, content.issued_at, font)
}

#[cfg(feature = "pdf")]
fn drawn(sheet: &Sheet, issued: Timestamp, font: &str) -> Result<Vec<u8>> {
    super::pdf::render(sheet, issued, font)
}

#[cfg(not(feature = "pdf"))]
fn drawn(_: &Sheet, _: Timestamp, _: &str) -> Result<Vec<u8>> {
    Err(Error::invalid("format", "this program was built without PDF")
        .remedy("use html and print it, or a release build (cargo feature pdf)"))
}

async fn read(
    conn: &mut Conn,
    id: &str,
    format: Format,
    language: &str,
) -> Result<Option<Vec<u8>>> {
    let row: Option<(String, String)> = sqlx::query_as(
        "SELECT body, sha256 FROM documents WHERE id = $1 AND format = $2 AND language = $3",
    )
    .bind(id)
    .bind(format.as_str())
    .bind(language)
    .fetch_optional(conn)
    .await?;
    let Some((body, sha256)) = row else { return Ok(None) };
    let broken =
        || Error::new(ErrorKind::Internal, format!("the {} of {id} is broken", format.as_str()));
    let bytes = match format {
        Format::Pdf => BASE64.decode(body).map_err(|e| broken().source(e))?,
        _ => body.into_bytes(),
    };
    if secret::sha256_hex(&bytes) != sha256 {
        return Err(broken());
    }
    Ok(Some(bytes))
}

/// Keeps a document, unless there is one of the kind already.
pub(crate) async fn store(
    conn: &mut Conn,
    now: Timestamp,
    id: &str,
    format: Format,
    language: Option<Language>,
    body: &str,
) -> Result<()> {
    let sha256 = match format {
        Format::Pdf => {
            let bytes = BASE64.decode(body);
            secret::sha256_hex(bytes.map_err(|e| Error::internal("no base64").source(e))?)
        }
        _ => secret::sha256_hex(body),
    };
    sqlx::query(
        "INSERT INTO documents (id, format, language, sha256, body, created_ms) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(id)
    .bind(format.as_str())
    .bind(language.map_or("", Language::as_str))
    .bind(sha256)
    .bind(body)
    .bind(now.ms())
    .execute(conn)
    .await?;
    Ok(())
}
