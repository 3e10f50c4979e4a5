//! PDF, read back with pdftotext.

use std::{io::Write, process::Command};

use super::*;
use crate::invoice::{
    Content, Language,
    samples::{content, line},
    sheet,
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
