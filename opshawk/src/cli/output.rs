//! What a command prints: a table for people, JSON and YAML for programs, CSV for sheets.
//!
//! The columns of a noun are data; JSON and YAML carry the whole answer whatever the columns are.

use std::io::Write;

use serde_json::Value;

use super::exit::Failure;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    #[default]
    Table,
    /// All columns.
    Wide,
    Json,
    Yaml,
    Csv,
}

/// A column: its heading, where its value stands, and whether it is for `wide` only.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub heading: &'static str,
    /// A JSON pointer.
    pub pointer: &'static str,
    pub wide: bool,
}

pub const fn col(heading: &'static str, pointer: &'static str) -> Column {
    Column { heading, pointer, wide: false }
}

pub const fn wide(heading: &'static str, pointer: &'static str) -> Column {
    Column { heading, pointer, wide: true }
}

/// Writes to stdout. A reader that went away (`| head`) is no failure.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("stdout can't be written: {e}")))
        }
        _ => Ok(()),
    }
}

pub fn show_list(format: Format, columns: &[Column], items: &[Value]) -> Result<(), Failure> {
    print(&render(format, columns, items, &Value::Array(items.to_vec())))
}

pub fn show_one(format: Format, columns: &[Column], item: &Value) -> Result<(), Failure> {
    print(&render_one(format, columns, item))
}

fn render_one(format: Format, columns: &[Column], item: &Value) -> String {
    if matches!(format, Format::Json | Format::Yaml | Format::Csv) {
        return render(format, columns, std::slice::from_ref(item), item);
    }
    // One thing reads better as lines of heading and value.
    let chosen = columns.iter().filter(|c| format == Format::Wide || !c.wide);
    let rows: Vec<_> = chosen.map(|c| (c.heading, cell(item, c.pointer))).collect();
    let width = rows.iter().map(|(heading, _)| heading.len()).max().unwrap_or(0);
    rows.iter().map(|(heading, text)| format!("{heading:<width$}  {text}\n")).collect()
}

fn render(format: Format, columns: &[Column], items: &[Value], whole: &Value) -> String {
    match format {
        Format::Json => format!("{whole:#}\n"),
        Format::Yaml => serde_yaml_ng::to_string(whole).expect("JSON is YAML"),
        Format::Csv => csv(columns, items),
        Format::Table => table(columns.iter().filter(|c| !c.wide), items),
        Format::Wide => table(columns.iter(), items),
    }
}

fn table<'a>(columns: impl Iterator<Item = &'a Column>, items: &[Value]) -> String {
    let columns: Vec<_> = columns.collect();
    let mut rows = vec![columns.iter().map(|c| c.heading.to_owned()).collect::<Vec<_>>()];
    rows.extend(items.iter().map(|i| columns.iter().map(|c| cell(i, c.pointer)).collect()));
    let widths: Vec<usize> = (0..columns.len())
        .map(|n| rows.iter().map(|row| row[n].chars().count()).max().unwrap_or(0))
        .collect();
    // Figures line up at their last digit.
    let figures: Vec<bool> = (0..columns.len())
        .map(|n| {
            let mut said =
                rows[1..].iter().map(|row| &row[n]).filter(|cell| *cell != "-").peekable();
            said.peek().is_some() && said.all(|cell| is_figure(cell))
        })
        .collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for ((cell, width), figures) in row.iter().zip(&widths).zip(&figures) {
            line.push_str(&match figures {
                true => format!("{cell:>width$}  "),
                false => format!("{cell:<width$}  "),
            });
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A decimal number, as amounts and counts are written.
fn is_figure(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let mut parts = digits.split('.');
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    parts.next().is_some_and(are_digits)
        && parts.next().is_none_or(are_digits)
        && parts.next().is_none()
}

fn csv(columns: &[Column], items: &[Value]) -> String {
    let line = |cells: Vec<String>| {
        let quoted: Vec<_> = cells.iter().map(|c| csv_cell(c)).collect();
        format!("{}\r\n", quoted.join(","))
    };
    let mut text = line(columns.iter().map(|c| c.heading.to_lowercase()).collect());
    for item in items {
        text.push_str(&line(columns.iter().map(|c| cell(item, c.pointer)).collect()));
    }
    text
}

/// RFC 4180. What a sheet would take for a formula begins with a quote instead, as in the server's
/// own exports; figures stay.
fn csv_cell(text: &str) -> String {
    let text = if is_figure(text) { text.to_owned() } else { billing::bill::text(text) };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// A value as a cell: control characters, which could drive a terminal, are left out.
fn cell(item: &Value, pointer: &str) -> String {
    let text = match item.pointer(pointer) {
        None | Some(Value::Null) => return "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(values)) => values
            .iter()
            .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join(" "),
        Some(Value::Object(fields)) => fields
            .iter()
            .map(|(k, v)| {
                format!("{k}={}", v.as_str().map_or_else(|| v.to_string(), str::to_owned))
            })
            .collect::<Vec<_>>()
            .join(","),
        Some(other) => other.to_string(),
    };
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COLUMNS: &[Column] =
        &[col("NAME", "/name"), col("STATE", "/state"), wide("LABELS", "/labels")];

    fn items() -> Vec<Value> {
        vec![
            json!({"name": "web-1", "state": null, "labels": {"a": "b"}}),
            json!({"name": "=cmd()\u{1b}[2J", "state": "a,b", "labels": ["x", "y"]}),
        ]
    }

    #[test]
    fn people_get_a_table() {
        let text = render(Format::Table, COLUMNS, &items(), &Value::Null);
        insta::assert_snapshot!(text, @r"
        NAME        STATE
        web-1       -
        =cmd() [2J  a,b
        ");
        let text = render(Format::Wide, COLUMNS, &items(), &Value::Null);
        insta::assert_snapshot!(text, @r"
        NAME        STATE  LABELS
        web-1       -      a=b
        =cmd() [2J  a,b    x y
        ");
        let text = render_one(Format::Table, COLUMNS, &items()[0]);
        insta::assert_snapshot!(text, @r"
        NAME   web-1
        STATE  -
        ");
    }

    #[test]
    fn figures_line_up_at_their_last_digit() {
        let columns = &[col("MONTH", "/month"), col("NET", "/net"), col("N", "/n")];
        let items = [
            json!({"month": "2026-10", "net": "-0.250000", "n": 12}),
            json!({"month": "2026-11", "net": "1280.000000", "n": null}),
        ];
        insta::assert_snapshot!(render(Format::Table, columns, &items, &Value::Null), @r"
        MONTH            NET   N
        2026-10    -0.250000  12
        2026-11  1280.000000   -
        ");
    }

    #[test]
    fn a_sheet_gets_no_formula() {
        let text = csv(COLUMNS, &items());
        assert_eq!(
            text,
            "name,state,labels\r\nweb-1,-,a=b\r\n'=cmd() [2J,\"a,b\",x y\r\n".replace("-,", "'-,")
        );
        assert_eq!(csv_cell("-1.5"), "-1.5");
        assert_eq!(csv_cell("-x"), "'-x");
        for formula in ["=1", " =1", "\n=1", "\t1", "＝1", "＋1", "－1", " ＠SUM(A1)", "+1", "-inf"]
        {
            let cell = csv_cell(formula);
            assert_eq!(cell.trim_matches('"'), format!("'{formula}"));
        }
        assert_eq!(csv_cell("\n=1"), "\"'\n=1\"");
    }
}
