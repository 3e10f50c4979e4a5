//! An invoice or a credit note as one HTML page: it needs no other file, runs no script, and prints on A4.

use std::fmt::Write;

use base::Result;

use super::{
    Content, Language,
    sheet::{self, COLUMNS, Party, Section, Sheet},
};

const STYLE: &str = include_str!("invoice.css");

/// Columns of texts; the others are figures and stand right.
const TEXT_COLUMNS: usize = 2;

pub fn page(content: &Content, language: Language) -> Result<String> {
    Ok(render(&sheet::sheet(content, language)?))
}

pub fn render(sheet: &Sheet) -> String {
    let mut out = String::new();
    let (language, title) = (sheet.language.as_str(), escape(&sheet.title));
    let number = escape(&sheet.number);
    push(
        &mut out,
        format_args!(
            "<!doctype html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title} {number}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
             <header>\n<h1>{title}</h1>\n<p class=\"number\">{number}</p>\n</header>\n"
        ),
    );
    push(&mut out, format_args!("<div class=\"parties\">\n"));
    party(&mut out, &sheet.from);
    party(&mut out, &sheet.to);
    push(&mut out, format_args!("</div>\n<dl class=\"facts\">\n"));
    for (label, value) in &sheet.facts {
        let (label, value) = (escape(label), escape(value));
        push(&mut out, format_args!("<div><dt>{label}</dt><dd>{value}</dd></div>\n"));
    }
    push(&mut out, format_args!("</dl>\n"));
    for part in &sheet.sections {
        section(&mut out, &sheet.columns, part);
    }
    push(&mut out, format_args!("<table class=\"totals\">\n<tbody>\n"));
    for total in &sheet.totals {
        let class = if total.strong { " class=\"total\"" } else { "" };
        let (label, amount) = (escape(&total.label), escape(&total.amount));
        push(
            &mut out,
            format_args!("<tr{class}><th scope=\"row\">{label}</th><td>{amount}</td></tr>\n"),
        );
    }
    push(&mut out, format_args!("</tbody>\n</table>\n"));
    for remark in &sheet.remarks {
        push(&mut out, format_args!("<p class=\"remark\">{}</p>\n", escape(remark)));
    }
    push(&mut out, format_args!("</main>\n</body>\n</html>\n"));
    out
}

fn party(out: &mut String, party: &Party) {
    let (label, name) = (escape(&party.label), escape(&party.name));
    push(out, format_args!("<section>\n<h2>{label}</h2>\n<p class=\"name\">{name}</p>\n"));
    for line in &party.lines {
        push(out, format_args!("<p>{}</p>\n", escape(line)));
    }
    push(out, format_args!("</section>\n"));
}

fn section(out: &mut String, columns: &[String; COLUMNS], section: &Section) {
    let heading = escape(&section.heading);
    push(out, format_args!("<table class=\"items\">\n<caption>{heading}</caption>\n<thead>\n<tr>"));
    for (index, column) in columns.iter().enumerate() {
        let class = if index < TEXT_COLUMNS { "" } else { " class=\"figure\"" };
        push(out, format_args!("<th scope=\"col\"{class}>{}</th>", escape(column)));
    }
    push(out, format_args!("</tr>\n</thead>\n<tbody>\n"));
    for row in &section.rows {
        push(out, format_args!("<tr>"));
        for (index, (cell, column)) in row.iter().zip(columns).enumerate() {
            let class = if index < TEXT_COLUMNS { "" } else { " class=\"figure\"" };
            let (cell, column) = (escape(cell), escape(column));
            push(out, format_args!("<td{class} data-label=\"{column}\">{cell}</td>"));
        }
        push(out, format_args!("</tr>\n"));
    }
    let (label, sum) = (escape(&section.subtotal.0), escape(&section.subtotal.1));
    push(
        out,
        format_args!(
            "</tbody>\n<tfoot>\n<tr><th scope=\"row\" colspan=\"4\">{label}</th>\
             <td class=\"figure\">{sum}</td></tr>\n</tfoot>\n</table>\n"
        ),
    );
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a string takes what is written to it");
}

/// Text between tags and in quoted attributes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
