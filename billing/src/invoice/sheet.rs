//! The printed form of an invoice as texts, in the order in which they are read: HTML and PDF draw
//! the same sheet.

use base::{
    Error, Result,
    money::{Currency, MS_PER_HOUR, Micros, Nanos, div_half_even},
    time::Timestamp,
};
use chrono_tz::Tz;

use super::{
    Language,
    content::{Content, Line},
    words::{self, Words},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    pub language: Language,
    pub title: String,
    pub number: String,
    pub from: Party,
    pub to: Party,
    /// Label and value.
    pub facts: Vec<(String, String)>,
    /// Item, time, quantity, price, amount.
    pub columns: [String; COLUMNS],
    pub sections: Vec<Section>,
    pub totals: Vec<Total>,
    pub remarks: Vec<String>,
}

pub const COLUMNS: usize = 5;

impl Sheet {
    /// Every text on it, in no order.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let parties = [&self.from, &self.to]
            .into_iter()
            .flat_map(|party| [&party.label, &party.name].into_iter().chain(&party.lines));
        let facts = self.facts.iter().flat_map(|(label, value)| [label, value]);
        let sections = self.sections.iter().flat_map(|section| {
            let (label, sum) = &section.subtotal;
            [&section.heading, label, sum].into_iter().chain(section.rows.iter().flatten())
        });
        let totals = self.totals.iter().flat_map(|total| [&total.label, &total.amount]);
        let all = parties.chain(facts).chain(&self.columns).chain(sections).chain(totals);
        all.chain(&self.remarks).chain([&self.title, &self.number]).map(String::as_str)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    pub label: String,
    pub name: String,
    pub lines: Vec<String>,
}

/// The items of one month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    pub heading: String,
    pub rows: Vec<[String; COLUMNS]>,
    pub subtotal: (String, String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    pub label: String,
    pub amount: String,
    /// What is to be paid.
    pub strong: bool,
}

/// Digits of hours; a millisecond is 0.000000278 h.
const HOUR_DIGITS: u32 = 6;

pub fn sheet(content: &Content, language: Language) -> Result<Sheet> {
    let w = words::words(language);
    let zone = zone(content)?;
    Ok(Sheet {
        language,
        title: w.invoice.to_owned(),
        number: content.number.clone(),
        from: issuer(content, w),
        to: Party {
            label: w.to.to_owned(),
            name: content.party.name.clone(),
            lines: vec![format!("{}: {}", w.customer, content.party.tenant_id)],
        },
        facts: facts(content, w, zone),
        columns: [w.item, w.time, w.quantity, w.price, w.amount].map(str::to_owned),
        sections: sections(content, language, zone)?,
        totals: totals(content, w),
        remarks: vec![w.exact.to_owned()],
    })
}

fn zone(content: &Content) -> Result<Tz> {
    content
        .timezone
        .parse()
        .map_err(|_| Error::internal(format!("'{}' is not a time zone", content.timezone)))
}

fn issuer(content: &Content, w: &Words) -> Party {
    let issuer = &content.issuer;
    let mut lines = Vec::new();
    if !issuer.address.is_empty() {
        lines.push(issuer.address.clone());
    }
    if !issuer.tax_id.is_empty() {
        lines.push(format!("{}: {}", w.tax_id, issuer.tax_id));
    }
    Party { label: w.from.to_owned(), name: issuer.name.clone(), lines }
}

fn facts(content: &Content, w: &Words, zone: Tz) -> Vec<(String, String)> {
    let period =
        format!("{} – {}", instant(content.period_from, zone), instant(content.period_to, zone));
    [
        (w.number, content.number.clone()),
        (w.issued, instant(content.issued_at, zone)),
        (w.month, content.month.clone()),
        (w.period, period),
        (w.zone, content.timezone.clone()),
        (w.currency, content.currency.code().to_owned()),
    ]
    .map(|(label, value)| (label.to_owned(), value))
    .into()
}

/// The invoice's own month first, then earlier ones whose lines came late.
fn sections(content: &Content, language: Language, zone: Tz) -> Result<Vec<Section>> {
    let w = words::words(language);
    let mut sections: Vec<(String, Section, Micros)> = Vec::new();
    for line in &content.lines {
        if sections.last().is_none_or(|(month, ..)| *month != line.month) {
            let heading = words::heading(language, &line.month, line.month != content.month);
            let subtotal = (w.subtotal.to_owned(), String::new());
            let section = Section { heading, rows: Vec::new(), subtotal };
            sections.push((line.month.clone(), section, Micros::ZERO));
        }
        if let Some((_, section, sum)) = sections.last_mut() {
            section.rows.push(row(line, content.currency, language, zone)?);
            *sum = sum.checked_add(line.net)?;
        }
    }
    for (_, section, sum) in &mut sections {
        section.subtotal.1 = content.currency.show_exact(*sum);
    }
    // Lines come in order of their months, and the invoice's own is the last.
    sections.reverse();
    Ok(sections.into_iter().map(|(_, section, _)| section).collect())
}

fn row(line: &Line, currency: Currency, language: Language, zone: Tz) -> Result<[String; COLUMNS]> {
    let w = words::words(language);
    let ms = line.to.since_ms(line.from);
    let hours = format!("{} {}", hours(ms), w.hours);
    let quantity = match (line.component.as_str(), line.quantity) {
        ("instance.disk", n) => format!("{n} GiB × {hours}"),
        (_, 1) => hours,
        (_, n) => format!("{n} × {hours}"),
    };
    Ok([
        words::item(language, line),
        format!("{} – {}", instant(line.from, zone), instant(line.to, zone)),
        quantity,
        format!("{} {}", price(line.unit_price, currency), w.per_hour),
        currency.show_exact(line.net),
    ])
}

fn totals(content: &Content, w: &Words) -> Vec<Total> {
    let (sums, currency) = (&content.sums, content.currency);
    let total =
        |label: &str, amount: String, strong| Total { label: label.to_owned(), amount, strong };
    let mut totals = vec![total(w.subtotal, currency.show_exact(sums.lines_net), false)];
    if sums.lines_tax != Micros::ZERO {
        totals.push(total(w.tax, currency.show_exact(sums.lines_tax), false));
    }
    if sums.rounding != Micros::ZERO {
        totals.push(total(w.rounding, currency.show_exact(sums.rounding), false));
    }
    let all = format!("{} {}", currency.show(sums.total), currency.code());
    totals.push(total(w.total, all, true));
    if sums.tax != Micros::ZERO {
        totals.push(total(w.net, currency.show(sums.net), false));
        totals.push(total(w.tax, currency.show(sums.tax), false));
    }
    totals
}

/// `2026-10-01 00:00`, with seconds where they aren't zero.
pub fn instant(at: Timestamp, zone: Tz) -> String {
    let local = at.to_chrono().with_timezone(&zone);
    let format = match at.ms().rem_euclid(60_000) {
        0 => "%Y-%m-%d %H:%M",
        ms if ms % 1_000 == 0 => "%Y-%m-%d %H:%M:%S",
        _ => "%Y-%m-%d %H:%M:%S%.3f",
    };
    local.format(format).to_string()
}

/// To [`HOUR_DIGITS`], without zeros at the end.
pub fn hours(ms: i64) -> String {
    let unit = 10i128.pow(HOUR_DIGITS);
    let scaled = div_half_even(i128::from(ms) * unit, i128::from(MS_PER_HOUR));
    // What micro-units are to an amount.
    trimmed(&i64::try_from(scaled).map_or_else(|_| ms.to_string(), |n| Micros(n).to_string()))
}

pub(super) fn trimmed(decimal: &str) -> String {
    match decimal.contains('.') {
        true => decimal.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => decimal.to_owned(),
    }
}

/// With at least the currency's digits.
fn price(price: Nanos, currency: Currency) -> String {
    let text = trimmed(&price.to_string());
    let digits = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let wanted = usize::try_from(currency.digits()).unwrap_or_default();
    match wanted.saturating_sub(digits) {
        0 => text,
        missing if digits == 0 => format!("{text}.{}", "0".repeat(missing)),
        missing => format!("{text}{}", "0".repeat(missing)),
    }
}
