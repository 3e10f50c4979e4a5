//! PDF, read back with pdftotext.

use std::{io::Write, process::Command};

use base::{
    id::{CreditNoteId, InvoiceId},
    secret,
};

use super::*;
use crate::{
    close,
    invoice::{
        Content, Document, Format, Language, Settings,
        documents::{document, note_document},
        notes,
        samples::{at, content, line},
        sheet,
    },
    testing::{World, micros},
    usage::ResourceState::{Absent, Running},
};

fn pdf(content: &Content, language: Language, font: &str) -> Result<Vec<u8>> {
    render(&sheet::sheet(content, language)?, content.issued_at, font)
}

/// What the file says, as it is laid out.
fn read(pdf: &[u8]) -> String {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(pdf).unwrap();
    let output = Command::new("pdftotext")
        .args(["-layout", "-enc", "UTF-8"])
        .arg(file.path())
        .arg("-")
        .output()
        .expect("pdftotext is there: scripts/require installs poppler-utils");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn chinese_text_renders_and_can_be_read_back() {
    let mut content = content("CNY", vec![line("网关-1", "0.07", "52.083333")]);
    content.party.name = "上海云海科技有限公司".to_owned();
    let pdf = pdf(&content, Language::Chinese, "").unwrap();
    assert!(pdf.starts_with(b"%PDF-"));
    let text = read(&pdf);
    for wanted in [
        "账单",
        "INV-000042",
        "上海云海科技有限公司",
        "云主机 网关-1",
        "52.083333",
        "52.08 CNY",
        "第 1 页，共 1 页",
    ] {
        assert!(text.contains(wanted), "{wanted} is not in:\n{text}");
    }
    if let Some(dir) = std::env::var_os("OPSHAWK_KEEP_PDF") {
        std::fs::write(std::path::Path::new(&dir).join("chinese.pdf"), &pdf).unwrap();
    }
}

#[test]
fn a_long_invoice_goes_over_pages_with_every_item_once() {
    let lines = (0..300)
        .map(|n| line(&format!("a-rather-long-name-of-an-instance-{n:03}"), "0.5", "372"))
        .collect();
    let content = content("CNY", lines);
    let made = pdf(&content, Language::English, "").unwrap();
    let text = read(&made);
    for n in 0..300 {
        let squeezed: String = text.split_whitespace().collect();
        let name = format!("instance-{n:03}");
        assert_eq!(squeezed.matches(&name).count(), 1, "{name}");
    }
    assert!(text.contains("111600.00 CNY") && text.contains("Page 2 of"), "{text}");
    // The same content is the same file.
    assert_eq!(pdf(&content, Language::English, "").unwrap(), made);
    if let Some(dir) = std::env::var_os("OPSHAWK_KEEP_PDF") {
        std::fs::write(std::path::Path::new(&dir).join("long.pdf"), &made).unwrap();
    }
}

#[test]
fn letters_that_the_font_lacks_are_refused_with_the_way_out() {
    let mut content = content("CNY", vec![line("web-1", "0.07", "1")]);
    content.party.name = "上海".to_owned();
    let font = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf";
    let error = pdf(&content, Language::English, font).unwrap_err();
    assert!(error.message.contains('上'), "{error}");
    assert!(error.remedy.unwrap().contains("fonts-wqy-microhei"));
    let error = pdf(&content, Language::English, "/nowhere.ttf").unwrap_err();
    assert!(error.message.contains("/nowhere.ttf"), "{error}");
}

/// Of a machine's ten hours of October, and a note over a part of it.
async fn issued(world: &World) -> (InvoiceId, CreditNoteId) {
    world.price_small("0.36").await;
    let guest = world.guest("web-1");
    world.seen(&guest, Running, at("2026-10-01T00:00")).await;
    world.seen(&guest, Absent, at("2026-10-01T10:00")).await;
    let now = at("2026-11-04T00:00");
    world.rate(now).await;
    world
        .write(async |tx| {
            let month = "2026-10".parse()?;
            let closing = close::close(tx, now, &world.settings, world.tenant, month).await?;
            let invoice = closing.invoice_id.unwrap();
            let (settings, amount) = (&world.settings.invoice, notes::Amount::Total(micros("1.6")));
            let note =
                notes::credit(tx, now, settings, invoice, amount, "an outage", "user:test").await?;
            Ok((invoice, note.id))
        })
        .await
        .unwrap()
}

/// What is asked for again is what was made first, even where it could not be made any more.
#[tokio::test]
async fn a_document_is_made_once_and_its_bytes_stay() {
    for world in World::each_from(at("2026-10-01T00:00")).await {
        let (invoice, note) = issued(&world).await;
        let (db, now) = (&world.db, at("2026-11-05T00:00"));
        let pdf = Format::Pdf;
        let good = &world.settings.invoice;
        let fontless = &Settings { pdf_font: "/nowhere.ttf".to_owned(), ..good.clone() };
        let is_made = |document: &Document, says: &[&str]| {
            let text = read(&document.bytes);
            assert!(says.iter().all(|said| text.contains(said)), "{text}");
            assert_eq!(document.sha256, secret::sha256_hex(&document.bytes));
            assert_eq!(document.format, pdf);
        };

        assert!(document(db, now, fontless, invoice, pdf, None).await.is_err());
        let first = document(db, now, good, invoice, pdf, None).await.unwrap();
        is_made(&first, &["INV-000001", "web-1", "3.60 CNY"]);
        assert_eq!(first.file_name, "INV-000001.pdf");
        let again = document(db, now, fontless, invoice, pdf, None).await.unwrap();
        assert_eq!(again, first);
        let chinese = Some(Language::Chinese);
        assert!(document(db, now, fontless, invoice, pdf, chinese).await.is_err());
        let other = document(db, now, good, invoice, pdf, chinese).await.unwrap();
        assert_ne!(other.sha256, first.sha256);
        is_made(&other, &["账单", "INV-000001"]);

        assert!(note_document(db, now, fontless, note, pdf, None).await.is_err());
        let first = note_document(db, now, good, note, pdf, None).await.unwrap();
        is_made(&first, &["CN-000001", "INV-000001", "an outage", "-1.60 CNY"]);
        assert_eq!(first.file_name, "CN-000001.pdf");
        let again = note_document(db, now, fontless, note, pdf, None).await.unwrap();
        assert_eq!(again, first);
        let kept = world.scalar("SELECT COUNT(*) FROM documents WHERE format = 'pdf'").await;
        assert_eq!(kept, 3);
    }
}
