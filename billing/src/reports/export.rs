//! A report as CSV: one row a group and component, the cost in the first of each group.

use base::{Error, Result};

use super::CostReport;
use crate::bill::text;

pub fn csv(report: &CostReport) -> Result<String> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(vec![]);
    let failed = |e: csv::Error| Error::internal("the CSV can't be written").source(e);
    let head = ["key", "name", "currency", "net", "tax", "component", "unit_hours", "units"];
    writer.write_record(head).map_err(failed)?;
    for row in &report.rows {
        for (index, usage) in row.usage.iter().enumerate() {
            // Once, so that a column's sum is right.
            let once = |text: String| if index == 0 { text } else { String::new() };
            writer
                .write_record([
                    text(&row.key),
                    text(&row.name),
                    row.currency.clone(),
                    once(row.net.to_string()),
                    once(row.tax.to_string()),
                    text(&usage.component),
                    usage.unit_hours.to_string(),
                    usage.units.map(|units| units.to_string()).unwrap_or_default(),
                ])
                .map_err(failed)?;
        }
    }
    let bytes = writer
        .into_inner()
        .map_err(|e| Error::internal("the CSV can't be written").source(e.into_error()))?;
    String::from_utf8(bytes).map_err(|e| Error::internal("the CSV is not UTF-8").source(e))
}
