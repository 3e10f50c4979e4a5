//! An invoice as PDF: the sheet drawn on A4 pages with one font, which is embedded as far as it is
//! used.
//!
//! The same content gives the same bytes: dates and ids in the file are the invoice's own, and
//! nothing of the machine but its font is in it.

use base::{Error, Result, time::Timestamp};
use chrono::{Datelike, Timelike};
use krilla::{
    Document,
    color::rgb,
    geom::{PathBuilder, Point},
    metadata::{DateTime, Metadata},
    page::PageSettings,
    paint::{Fill, Stroke},
    surface::Surface,
};

use super::{
    sheet::{COLUMNS, Party, Section, Sheet},
    words,
};

mod font;

use font::Face;

/// A4 in points.
const PAGE: (f32, f32) = (595.28, 841.89);
const MARGIN: f32 = 42.0;
const WIDTH: f32 = PAGE.0 - 2.0 * MARGIN;
/// Where items end, above the page's foot.
const BOTTOM: f32 = PAGE.1 - 56.0;
/// The parts of [`WIDTH`] that the columns take.
const SHARES: [f32; COLUMNS] = [0.28, 0.30, 0.17, 0.13, 0.12];
const GAP: f32 = 8.0;
/// Of an invoice; 200,000 items at 20 a page have fewer.
const PAGES_MAX: usize = 20_000;

const INK: u8 = 28;
const GREY: u8 = 92;
const RULE: u8 = 205;

/// How a text is drawn.
#[derive(Debug, Clone, Copy)]
struct Style {
    size: f32,
    grey: u8,
    /// Drawn with an outline: the font has one weight.
    bold: bool,
}

const TITLE: Style = Style { size: 22.0, grey: INK, bold: true };
const LARGE: Style = Style { size: 14.0, grey: INK, bold: false };
const TOTAL: Style = Style { size: 12.0, grey: INK, bold: true };
const STRONG: Style = Style { size: 9.5, grey: INK, bold: true };
const BODY: Style = Style { size: 8.5, grey: INK, bold: false };
const SMALL: Style = Style { size: 7.5, grey: GREY, bold: false };

impl Style {
    fn line(self) -> f32 {
        self.size * 1.45
    }
}

/// What stands on a page.
enum Mark {
    Text { x: f32, y: f32, style: Style, text: String },
    Rule { x: f32, y: f32, width: f32, grey: u8, thick: f32 },
}

/// A sheet that was issued then.
pub fn render(sheet: &Sheet, issued: Timestamp, font: &str) -> Result<Vec<u8>> {
    let face = Face::load(font)?;
    face.check(sheet)?;
    let mut layout = Layout { face: &face, pages: vec![Vec::new()], y: MARGIN };
    layout.sheet(sheet)?;
    draw(&face, sheet, issued, layout.pages)
}

/// Places texts from the top, and goes on to the next page where one is full.
struct Layout<'a> {
    face: &'a Face,
    pages: Vec<Vec<Mark>>,
    /// The top of what comes next.
    y: f32,
}

impl Layout<'_> {
    fn sheet(&mut self, sheet: &Sheet) -> Result<()> {
        self.text(MARGIN, 0.0, TITLE, &sheet.title);
        self.right(MARGIN + WIDTH, 6.0, LARGE, &sheet.number);
        self.y += TITLE.line() + 4.0;
        self.rule(MARGIN, WIDTH, INK, 1.5);
        self.y += 14.0;
        self.parties(&sheet.from, &sheet.to);
        self.facts(&sheet.facts);
        for section in &sheet.sections {
            self.section(&sheet.columns, section)?;
        }
        self.totals(sheet)?;
        for remark in &sheet.remarks {
            self.paragraph(MARGIN, WIDTH, SMALL, remark);
        }
        Ok(())
    }

    fn parties(&mut self, from: &Party, to: &Party) {
        let (top, half) = (self.y, (WIDTH - 20.0) / 2.0);
        let mut bottom = top;
        for (party, x) in [(from, MARGIN), (to, MARGIN + half + 20.0)] {
            self.y = top;
            self.paragraph(x, half, SMALL, &party.label);
            self.paragraph(x, half, STRONG, &party.name);
            for line in &party.lines {
                self.paragraph(x, half, BODY, line);
            }
            bottom = bottom.max(self.y);
        }
        self.y = bottom + 12.0;
    }

    /// Three a row.
    fn facts(&mut self, facts: &[(String, String)]) {
        let third = WIDTH / 3.0;
        for row in facts.chunks(3) {
            let top = self.y;
            let mut bottom = top;
            for ((label, value), x) in row.iter().zip([0.0, third, 2.0 * third]) {
                self.y = top;
                self.paragraph(MARGIN + x, third - GAP, SMALL, label);
                self.paragraph(MARGIN + x, third - GAP, BODY, value);
                bottom = bottom.max(self.y);
            }
            self.y = bottom + 6.0;
        }
        self.y += 8.0;
    }

    fn section(&mut self, columns: &[String; COLUMNS], section: &Section) -> Result<()> {
        // The heading stands with at least one item.
        self.room(STRONG.line() + 4.0 * BODY.line())?;
        self.paragraph(MARGIN, WIDTH, STRONG, &section.heading);
        self.y += 3.0;
        self.head(columns);
        for row in &section.rows {
            self.row(columns, row)?;
        }
        self.room(BODY.line() + 8.0)?;
        self.pair(&section.subtotal.0, &section.subtotal.1, BODY);
        self.y += 14.0;
        Ok(())
    }

    fn head(&mut self, columns: &[String; COLUMNS]) {
        self.cells(SMALL, columns);
        self.y += 1.0;
        self.rule(MARGIN, WIDTH, GREY, 0.6);
        self.y += 3.0;
    }

    /// An item; on a new page under the columns' names again.
    fn row(&mut self, columns: &[String; COLUMNS], row: &[String; COLUMNS]) -> Result<()> {
        let lines =
            row.iter().enumerate().map(|(i, cell)| self.wrap(cell, BODY, column(i).1).len());
        let height = lines.max().unwrap_or(1) as f32 * BODY.line() + 5.0;
        if self.room(height)? {
            self.head(columns);
        }
        self.cells(BODY, row);
        self.y += 2.0;
        self.rule(MARGIN, WIDTH, RULE, 0.5);
        self.y += 3.0;
        Ok(())
    }

    fn cells(&mut self, style: Style, cells: &[String; COLUMNS]) {
        let (top, mut bottom) = (self.y, self.y);
        for (index, cell) in cells.iter().enumerate() {
            let (x, width) = column(index);
            self.y = top;
            for line in self.wrap(cell, style, width) {
                match index {
                    0 | 1 => self.text(x, 0.0, style, &line),
                    _ => self.right(x + width, 0.0, style, &line),
                }
                self.y += style.line();
            }
            bottom = bottom.max(self.y);
        }
        self.y = bottom;
    }

    fn totals(&mut self, sheet: &Sheet) -> Result<()> {
        self.room(sheet.totals.len() as f32 * (TOTAL.line() + 6.0))?;
        for total in &sheet.totals {
            match total.strong {
                true => {
                    self.rule(MARGIN + WIDTH / 2.0, WIDTH / 2.0, INK, 1.2);
                    self.y += 4.0;
                    self.pair(&total.label, &total.amount, TOTAL);
                    self.rule(MARGIN + WIDTH / 2.0, WIDTH / 2.0, RULE, 0.5);
                    self.y += 4.0;
                }
                false => self.pair(&total.label, &total.amount, BODY),
            }
        }
        self.y += 14.0;
        Ok(())
    }

    /// A label left of its figure, at the right margin.
    fn pair(&mut self, label: &str, amount: &str, style: Style) {
        let width = self.face.width(amount, style.size).max(WIDTH * SHARES[COLUMNS - 1]);
        self.right(MARGIN + WIDTH - width - 2.0 * GAP, 0.0, style, label);
        self.right(MARGIN + WIDTH, 0.0, style, amount);
        self.y += style.line();
    }

    fn paragraph(&mut self, x: f32, width: f32, style: Style, text: &str) {
        for line in self.wrap(text, style, width) {
            self.text(x, 0.0, style, &line);
            self.y += style.line();
        }
    }

    /// Goes on to a new page where `height` does not fit; whether it did.
    fn room(&mut self, height: f32) -> Result<bool> {
        if self.y + height <= BOTTOM {
            return Ok(false);
        }
        if self.pages.len() == PAGES_MAX {
            return Err(Error::invalid("format", "the invoice is too long for a PDF")
                .remedy("take its CSV"));
        }
        self.pages.push(Vec::new());
        self.y = MARGIN;
        Ok(true)
    }

    fn text(&mut self, x: f32, down: f32, style: Style, text: &str) {
        // Texts hang from the top of their line.
        let y = self.y + down + style.size;
        self.mark(Mark::Text { x, y, style, text: text.to_owned() });
    }

    fn right(&mut self, x: f32, down: f32, style: Style, text: &str) {
        let width = self.face.width(text, style.size);
        self.text(x - width, down, style, text);
    }

    fn rule(&mut self, x: f32, width: f32, grey: u8, thick: f32) {
        self.mark(Mark::Rule { x, y: self.y, width, grey, thick });
    }

    fn mark(&mut self, mark: Mark) {
        if let Some(page) = self.pages.last_mut() {
            page.push(mark);
        }
    }

    /// Breaks after blanks where there are any, otherwise wherever the width ends: Chinese has none,
    /// and names can be long.
    fn wrap(&self, text: &str, style: Style, width: f32) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = String::new();
        let mut used = 0.0;
        for c in text.chars() {
            let advance = self.face.advance(c, style.size);
            if used + advance > width && !line.is_empty() {
                let rest = match line.rfind(' ').filter(|_| !wide(c)) {
                    Some(at) => line.split_off(at + 1),
                    None => String::new(),
                };
                lines.push(line.trim_end().to_owned());
                used = self.face.width(&rest, style.size);
                line = rest;
            }
            line.push(c);
            used += advance;
        }
        lines.push(line);
        lines
    }
}

/// A letter that may begin a line: Chinese, Japanese, Korean and their punctuation.
fn wide(c: char) -> bool {
    ('\u{2e80}'..='\u{9fff}').contains(&c) || ('\u{ac00}'..='\u{ffef}').contains(&c)
}

/// Where a column begins, and how wide its texts are.
fn column(index: usize) -> (f32, f32) {
    let before: f32 = SHARES.iter().take(index).sum();
    let share = SHARES.get(index).copied().unwrap_or_default();
    (MARGIN + before * WIDTH, share * WIDTH - if index + 1 == COLUMNS { 0.0 } else { GAP })
}

fn draw(face: &Face, sheet: &Sheet, issued: Timestamp, pages: Vec<Vec<Mark>>) -> Result<Vec<u8>> {
    let broken = || Error::internal("the PDF can't be drawn");
    let mut document = Document::new();
    let count = pages.len();
    for (index, marks) in pages.into_iter().enumerate() {
        let settings = PageSettings::from_wh(PAGE.0, PAGE.1).ok_or_else(broken)?;
        let mut page = document.start_page_with(settings);
        let mut surface = page.surface();
        for mark in marks {
            match mark {
                Mark::Text { x, y, style, text } => write(&mut surface, face, x, y, style, &text),
                Mark::Rule { x, y, width, grey, thick } => {
                    line(&mut surface, x, y, width, grey, thick);
                }
            }
        }
        let foot = words::page_of(sheet.language, index + 1, count);
        let x = MARGIN + WIDTH - face.width(&foot, SMALL.size);
        write(&mut surface, face, MARGIN, PAGE.1 - 30.0, SMALL, &sheet.number);
        write(&mut surface, face, x, PAGE.1 - 30.0, SMALL, &foot);
        surface.finish();
        page.finish();
    }
    document.set_metadata(metadata(sheet, issued));
    document.finish().map_err(|e| Error::internal(format!("the PDF can't be written: {e:?}")))
}

fn write(surface: &mut Surface<'_>, face: &Face, x: f32, y: f32, style: Style, text: &str) {
    let color = rgb::Color::new(style.grey, style.grey, style.grey);
    surface.set_fill(Some(Fill { paint: color.into(), ..Fill::default() }));
    surface.set_stroke(style.bold.then(|| Stroke {
        paint: color.into(),
        width: style.size / 40.0,
        ..Stroke::default()
    }));
    let (at, font) = (Point::from_xy(x, y), face.font.clone());
    surface.draw_glyphs(at, &face.glyphs(text), font, text, style.size, false);
}

fn line(surface: &mut Surface<'_>, x: f32, y: f32, width: f32, grey: u8, thick: f32) {
    let mut path = PathBuilder::new();
    path.move_to(x, y);
    path.line_to(x + width, y);
    let Some(path) = path.finish() else { return };
    surface.set_fill(None);
    surface.set_stroke(Some(Stroke {
        paint: rgb::Color::new(grey, grey, grey).into(),
        width: thick,
        ..Stroke::default()
    }));
    surface.draw_path(&path);
}

fn metadata(sheet: &Sheet, issued: Timestamp) -> Metadata {
    let at = issued.to_chrono();
    let small = |n: u32| u8::try_from(n).unwrap_or_default();
    let date = DateTime::new(u16::try_from(at.year()).unwrap_or_default())
        .month(small(at.month()))
        .day(small(at.day()))
        .hour(small(at.hour()))
        .minute(small(at.minute()))
        .second(small(at.second()))
        .utc_offset_hour(0);
    Metadata::new()
        .title(format!("{} {}", sheet.title, sheet.number))
        .authors(vec![sheet.from.name.clone()])
        .language(sheet.language.as_str().to_owned())
        .creator("OpsHawk".to_owned())
        .document_id(sheet.number.clone())
        .creation_date(date)
}

#[cfg(test)]
mod tests;
