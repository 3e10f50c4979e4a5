//! `opshawk metrics delete …`: samples go, by selector.

use std::io::{self, BufRead, IsTerminal, Write};

use http::Method;
use serde_json::{Value, json};

use super::{Column, Context, Failure, col, wide};
use crate::cli::args::DeleteArgs;

const COLUMNS: &[Column] = &[
    col("SERIES", "/series"),
    col("START", "/start"),
    col("END", "/end"),
    wide("SELECTORS", "/selectors"),
];

/// The end of what is counted where none is given: a sample may be ahead of this machine's clock.
const FAR_AHEAD_S: &str = "253402300799";

pub async fn run(cx: &Context, args: DeleteArgs) -> Result<(), Failure> {
    let mut form: Vec<(&str, &str)> =
        args.selectors.iter().map(|selector| ("match[]", &**selector)).collect();
    form.extend(args.start.as_deref().map(|start| ("start", start)));
    form.extend(args.end.as_deref().map(|end| ("end", end)));
    let series = count(cx, &form, args.end.is_none()).await;
    let series = if args.yes {
        // Without a question the number only says what was done.
        series.ok()
    } else {
        let series = series?;
        if !io::stdin().is_terminal() {
            return Err(Failure::usage(
                "nothing was deleted: there is no terminal to confirm at (say --yes)",
            ));
        }
        let question = question(series, args.start.as_deref(), args.end.as_deref());
        if !is_confirmed(&question, io::stdin().lock(), io::stderr())? {
            return Err(Failure::failed("nothing was deleted"));
        }
        Some(series)
    };
    let request = cx.client.request(Method::POST, "/prometheus/api/v1/admin/tsdb/delete_series");
    cx.client.send(request.form(&form)).await?;
    let deleted = json!({
        "series": series, "start": args.start, "end": args.end, "selectors": args.selectors,
    });
    cx.one(COLUMNS, &deleted)
}

/// Series with samples in the range.
async fn count(cx: &Context, form: &[(&str, &str)], is_open: bool) -> Result<usize, Failure> {
    let mut form = form.to_vec();
    if is_open {
        form.push(("end", FAR_AHEAD_S));
    }
    let request = cx.client.request(Method::POST, "/prometheus/api/v1/series").form(&form);
    let answer = cx.client.send(request).await?;
    let answer: Value =
        answer.json().await.map_err(|e| Failure::failed(format!("the answer is no JSON: {e}")))?;
    Ok(answer["data"].as_array().map_or(0, Vec::len))
}

fn question(series: usize, start: Option<&str>, end: Option<&str>) -> String {
    let range = match (start, end) {
        (None, None) => "of all time".to_owned(),
        (Some(start), None) => format!("from {start}"),
        (None, Some(end)) => format!("to {end}"),
        (Some(start), Some(end)) => format!("from {start} to {end}"),
    };
    format!("The samples {range} of {series} series go for good. Delete them? [y/N] ")
}

/// Only a plain yes is one.
fn is_confirmed(
    question: &str,
    mut input: impl BufRead,
    mut out: impl Write,
) -> Result<bool, Failure> {
    let mut asked = || {
        write!(out, "{question}")?;
        out.flush()?;
        let mut line = String::new();
        input.read_line(&mut line)?;
        Ok(line)
    };
    let line = asked().map_err(|e: io::Error| {
        Failure::failed(format!("nothing was deleted: the terminal can't be read: {e}"))
    })?;
    Ok(["y", "yes"].contains(&line.trim().to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_yes_deletes() {
        for (line, wanted) in [
            ("y\n", true),
            (" Yes \n", true),
            ("yes", true),
            ("\n", false),
            ("", false),
            ("n\n", false),
            ("yess\n", false),
            ("no y\n", false),
        ] {
            let mut shown = Vec::new();
            let question = question(3, Some("5"), None);
            assert_eq!(is_confirmed(&question, line.as_bytes(), &mut shown).unwrap(), wanted);
            let shown = String::from_utf8(shown).unwrap();
            assert!(shown.starts_with("The samples from 5 of 3 series go for good."), "{shown}");
        }
        assert!(question(1, None, None).contains("of all time"));
        assert!(question(1, Some("1"), Some("2")).contains("from 1 to 2 of 1 series"));
        assert!(is_confirmed("?", &b"\xff\n"[..], io::sink()).is_err());
    }
}
