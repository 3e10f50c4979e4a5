//! The printed form of an invoice or a credit note as texts, in the order in which they are read: HTML and PDF draw
//! the same sheet.

use std::collections::BTreeMap;

use base::{
    Error, Result,
    money::{Currency, MS_PER_HOUR, Micros, Nanos, div_half_even},
    time::Timestamp,
};
use chrono_tz::Tz;

use super::{
    Language,
    content::{Content, Line},
    measure,
    notes::CreditNote,
    words::{self, Words},
};
use crate::prices::components::{self, Per};

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
/// Digits of an effective price, as published ones have them.
const PRICE_DIGITS: u32 = 9;

pub fn sheet(content: &Content, language: Language) -> Result<Sheet> {
    let w = words::words(language);
    let zone = zone(content)?;
    Ok(Sheet {
        facts: facts(content, w, zone),
        sections: sections(content, language, zone)?,
        totals: totals(content, w),
        ..frame(content, language)
    })
}

/// A credit note, which says whose it is and in what words by its invoice.
pub fn note(content: &Content, note: &CreditNote, language: Language) -> Result<Sheet> {
    let w = words::words(language);
    let currency = content.currency;
    let facts = [
        (w.number, note.number.clone()),
        (w.issued, instant(note.issued_at, zone(content)?)),
        (w.invoice_of, content.number.clone()),
        (w.month, content.month.clone()),
        (w.currency, currency.code().to_owned()),
        (w.reason, note.reason.clone()),
    ];
    let total =
        |label: &str, amount: String, strong| Total { label: label.to_owned(), amount, strong };
    let all = format!("-{} {}", currency.show(note.total), currency.code());
    Ok(Sheet {
        title: w.credit_note.to_owned(),
        number: note.number.clone(),
        facts: facts.map(|(label, value)| (label.to_owned(), value)).into(),
        sections: Vec::new(),
        totals: vec![
            total(w.net, format!("-{}", currency.show(note.net)), false),
            total(w.tax, format!("-{}", currency.show(note.tax)), false),
            total(w.total, all, true),
        ],
        remarks: Vec::new(),
        ..frame(content, language)
    })
}

/// What an invoice and its notes have in common; the rest is the caller's.
fn frame(content: &Content, language: Language) -> Sheet {
    let w = words::words(language);
    Sheet {
        language,
        title: w.invoice.to_owned(),
        number: content.number.clone(),
        from: issuer(content, w),
        to: Party {
            label: w.to.to_owned(),
            name: content.party.name.clone(),
            lines: customer(content, w),
        },
        facts: Vec::new(),
        columns: [w.item, w.time, w.quantity, w.price, w.amount].map(str::to_owned),
        sections: Vec::new(),
        totals: Vec::new(),
        remarks: vec![w.exact.to_owned()],
    }
}

fn customer(content: &Content, w: &Words) -> Vec<String> {
    let party = &content.party;
    let mut lines = addressed(&party.address, &party.tax_id, w);
    lines.push(format!("{}: {}", w.customer, party.tenant_id));
    lines
}

/// Address and tax id, where they are known.
fn addressed(address: &str, tax_id: &str, w: &Words) -> Vec<String> {
    let address = (!address.is_empty()).then(|| address.to_owned());
    let tax_id = (!tax_id.is_empty()).then(|| format!("{}: {tax_id}", w.tax_id));
    address.into_iter().chain(tax_id).collect()
}

fn zone(content: &Content) -> Result<Tz> {
    content
        .timezone
        .parse()
        .map_err(|_| Error::internal(format!("'{}' is not a time zone", content.timezone)))
}

fn issuer(content: &Content, w: &Words) -> Party {
    let issuer = &content.issuer;
    let lines = addressed(&issuer.address, &issuer.tax_id, w);
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
    Ok([
        words::item(language, line),
        format!("{} – {}", instant(line.from, zone), instant(line.to, zone)),
        quantity(line, language),
        price_of(line, currency, language),
        currency.show_exact(line.net),
    ])
}

/// `744 h`, `20 GiB × 744 h`, `1.5 GiB`, `1 month`; of a volume all of the month's use, and nothing
/// of what is of no quantity.
fn quantity(line: &Line, language: Language) -> String {
    let w = words::words(language);
    let n = line.quantity;
    let component = components::component(&line.component);
    match component.map_or(Per::Hour, |component| component.per) {
        _ if n == 0 => match &line.priced {
            Some(priced) => format!("{} {}", rounded(&priced.quantity, HOUR_DIGITS), priced.unit),
            None => String::new(),
        },
        Per::Hour => {
            let hours = format!("{} {}", hours(line.to.since_ms(line.from)), w.hours);
            match (measure::size(&line.component), n) {
                (Some(size), n) => format!("{n} {size} × {hours}"),
                (None, 1) => hours,
                (None, n) => format!("{n} × {hours}"),
            }
        }
        Per::Unit => {
            let used = measure::of(line, HOUR_DIGITS);
            format!("{} {}", decimal(used.scaled), used.unit)
        }
        Per::Month => format!("{n} {}", w.month_of_use),
    }
}

/// `0.36 / h`, `0.001 / GiB·h`, `0.8 / GiB`. What is not the same for each unit is called by its
/// model, and what it came to is about so much: `graduated, ≈ 0.683333333 / GiB`.
fn price_of(line: &Line, currency: Currency, language: Language) -> String {
    let w = words::words(language);
    let unit = match components::component(&line.component).map(|component| component.per) {
        Some(Per::Month) => w.per_month.to_owned(),
        Some(Per::Unit) => format!("/ {}", measure::bytes(line.unit)),
        _ => {
            let size = measure::size(&line.component);
            let size = size.map_or_else(String::new, |size| format!("{size}·"));
            match line.unit {
                1 => format!("/ {size}{}", w.hours),
                n => format!("/ {n} {size}{}", w.hours),
            }
        }
    };
    let model = match (line.kind.as_str(), line.model.as_str()) {
        ("minimum", _) => return w.minimum.to_owned(),
        (_, "graduated") => w.graduated,
        (_, "volume") => w.volume,
        (_, "package") => w.blocks,
        _ => "",
    };
    let said = match line.priced.clone().or_else(|| measure::priced(line, 0)) {
        // Of a volume the month's end says what it came to.
        Some(_) if line.model == "volume" && line.net == Micros::ZERO => String::new(),
        Some(priced) if priced.effective => {
            format!("≈ {} {unit}", with_digits(rounded(&priced.price, PRICE_DIGITS), currency))
        }
        _ if model.is_empty() => format!("{} {unit}", price(line.unit_price, currency)),
        _ => String::new(),
    };
    match (model.is_empty(), said.is_empty()) {
        (true, _) => said,
        (false, true) => model.to_owned(),
        (false, false) => format!("{model}, {said}"),
    }
}

/// A decimal that we wrote, half-even to so many digits.
fn rounded(decimal: &str, digits: u32) -> String {
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    let missing = usize::try_from(measure::DIGITS).unwrap_or_default() - fraction.len();
    let scaled = format!("{whole}{fraction}{}", "0".repeat(missing)).parse().unwrap_or_default();
    let step = 10i128.pow(measure::DIGITS - digits);
    measure::decimal(div_half_even(scaled, step), digits)
}

fn totals(content: &Content, w: &Words) -> Vec<Total> {
    let (sums, currency) = (&content.sums, content.currency);
    let total =
        |label: &str, amount: String, strong| Total { label: label.to_owned(), amount, strong };
    let mut totals = vec![total(w.subtotal, currency.show_exact(sums.lines_net), false)];
    for (rate, tax) in taxes(content) {
        let label = match rate {
            Micros::ZERO => w.tax.to_owned(),
            rate => format!("{} {}", w.tax, percent(rate)),
        };
        totals.push(total(&label, currency.show_exact(tax), false));
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

/// The lines' tax by its rate.
pub(super) fn taxes(content: &Content) -> BTreeMap<Micros, Micros> {
    let mut taxes: BTreeMap<Micros, Micros> = BTreeMap::new();
    for line in content.lines.iter().filter(|line| line.tax != Micros::ZERO) {
        let sum = taxes.entry(line.tax_rate).or_default();
        // The invoice's sum fits, and so do its parts.
        sum.0 = sum.0.saturating_add(line.tax.0);
    }
    taxes
}

/// `6 %`, `8.25 %`.
pub(super) fn percent(rate: Micros) -> String {
    format!("{} %", trimmed(&Micros(rate.0.saturating_mul(100)).to_string()))
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
    decimal(div_half_even(i128::from(ms) * unit, i128::from(MS_PER_HOUR)))
}

/// Of a number that was scaled by [`HOUR_DIGITS`], as micro-units are.
fn decimal(scaled: i128) -> String {
    let show = |scaled: i64| trimmed(&Micros(scaled).to_string());
    i64::try_from(scaled).map_or_else(|_| (scaled / 10i128.pow(HOUR_DIGITS)).to_string(), show)
}

pub(super) fn trimmed(decimal: &str) -> String {
    match decimal.contains('.') {
        true => decimal.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => decimal.to_owned(),
    }
}

/// With at least the currency's digits.
fn price(price: Nanos, currency: Currency) -> String {
    with_digits(trimmed(&price.to_string()), currency)
}

fn with_digits(text: String, currency: Currency) -> String {
    let digits = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let wanted = usize::try_from(currency.digits()).unwrap_or_default();
    match wanted.saturating_sub(digits) {
        0 => text,
        missing if digits == 0 => format!("{text}.{}", "0".repeat(missing)),
        missing => format!("{text}{}", "0".repeat(missing)),
    }
}
