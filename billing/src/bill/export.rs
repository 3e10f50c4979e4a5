//! A bill as CSV (RFC 4180: comma, CRLF, doubled quotes; UTF-8), safe to open in a spreadsheet.

use base::{Error, Result};

use super::{Bill, BillLine};

/// What makes a spreadsheet take a cell for a formula, also in full width.
const FORMULA_STARTS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// What is new stands at the end: those who read by place read on.
const COLUMNS: [&str; 17] = [
    "what",
    "resource",
    "resource_kind",
    "resource_id",
    "meter",
    "from",
    "to",
    "unit_price",
    "quantity",
    "amount",
    "currency",
    "kind",
    "component",
    "unit",
    "per",
    "model",
    "first_line",
];

/// One row a line, then the subtotal.
pub fn csv(bill: &Bill) -> Result<String> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(vec![]);
    let failed = |e: csv::Error| Error::internal("the CSV can't be written").source(e);
    writer.write_record(COLUMNS).map_err(failed)?;
    for line in &bill.lines {
        writer.write_record(row(bill, line)).map_err(failed)?;
    }
    writer.write_record(subtotal(bill)).map_err(failed)?;
    let bytes = writer
        .into_inner()
        .map_err(|e| Error::internal("the CSV can't be written").source(e.into_error()))?;
    String::from_utf8(bytes).map_err(|e| Error::internal("the CSV is not UTF-8").source(e))
}

fn row(bill: &Bill, line: &BillLine) -> [String; COLUMNS.len()] {
    [
        text(&line.what),
        text(&line.resource_name),
        text(&line.resource_kind),
        text(&line.resource_id),
        text(&line.meter),
        line.from.to_string(),
        line.to.to_string(),
        line.unit_price.to_string(),
        line.quantity.to_string(),
        line.amount.to_string(),
        text(&bill.currency),
        if line.adjustment { "adjustment" } else { "usage" }.to_owned(),
        text(&line.component),
        line.unit.to_string(),
        line.per.as_str().to_owned(),
        text(&line.model),
        line.first_line.to_string(),
    ]
}

fn subtotal(bill: &Bill) -> [String; COLUMNS.len()] {
    COLUMNS.map(|column| match column {
        "what" => "subtotal".to_owned(),
        "from" => bill.from.to_string(),
        "to" => bill.to.to_string(),
        "amount" => bill.subtotal.to_string(),
        "currency" => text(&bill.currency),
        _ => String::new(),
    })
}

/// Text that would be taken for a formula gets an apostrophe in front, which spreadsheets do not
/// show. Numbers that we wrote ourselves are left, so that they can be summed.
pub fn text(text: &str) -> String {
    let start = text.trim_start().chars().next();
    let control = text.starts_with(['\t', '\r', '\n']);
    if control || start.is_some_and(|c| FORMULA_STARTS.contains(&c)) {
        return format!("'{text}");
    }
    text.to_owned()
}
