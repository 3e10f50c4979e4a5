//! The font that a PDF is drawn with: one that has the letters of all names.

use std::{path::Path, sync::Arc};

use base::{Error, Result};
use krilla::text::{Font, GlyphId, KrillaGlyph};
use skrifa::{
    FontRef, MetadataProvider,
    charmap::Charmap,
    instance::{LocationRef, Size},
    metrics::GlyphMetrics,
};

use crate::invoice::sheet::Sheet;

/// Where Debian's packages put fonts with Chinese letters, and one without.
const KNOWN: [&str; 6] = [
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    "/usr/share/fonts/truetype/arphic/uming.ttc",
    "/usr/share/fonts/truetype/arphic-gbsn00lp/gbsn00lp.ttf",
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf",
];
const REMEDY: &str = "install the package fonts-wqy-microhei, or name a font file with these \
                      letters in billing.invoice.pdf_font";

pub struct Face {
    pub font: Font,
    bytes: Arc<Vec<u8>>,
}

impl Face {
    /// The file that is named, or else the first known one that is there.
    pub fn load(named: &str) -> Result<Self> {
        let known = || KNOWN.into_iter().find(|path| Path::new(path).exists());
        let path = match named {
            "" => known().ok_or_else(|| {
                Error::invalid("format", "there is no font to draw a PDF with").remedy(REMEDY)
            })?,
            named => named,
        };
        let unfit = |why: String| {
            Error::invalid("format", format!("the font {path} can't be used: {why}")).remedy(REMEDY)
        };
        let bytes = Arc::new(std::fs::read(path).map_err(|e| unfit(e.to_string()))?);
        let font = Font::new(krilla::Data::from(bytes.as_ref().clone()), 0)
            .ok_or_else(|| unfit("it is no font".to_owned()))?;
        let face = Self { font, bytes };
        face.reference().ok_or_else(|| unfit("it is no font".to_owned()))?;
        Ok(face)
    }

    fn reference(&self) -> Option<FontRef<'_>> {
        FontRef::from_index(&self.bytes, 0).ok()
    }

    fn charmap(&self) -> Charmap<'_> {
        self.reference().map(|font| font.charmap()).unwrap_or_default()
    }

    fn metrics(&self, size: f32) -> Option<GlyphMetrics<'_>> {
        Some(self.reference()?.glyph_metrics(Size::new(size), LocationRef::default()))
    }

    /// Refuses letters that the font would draw as empty boxes. Of pictures and signs a box is
    /// borne.
    pub fn check(&self, sheet: &Sheet) -> Result<()> {
        let map = self.charmap();
        let missing: Vec<char> = sheet
            .texts()
            .flat_map(str::chars)
            .filter(|c| c.is_alphanumeric() && map.map(*c).is_none())
            .take(5)
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let letters: String = missing.into_iter().collect();
        Err(Error::invalid("format", format!("the font for PDF lacks letters such as {letters}"))
            .remedy(REMEDY))
    }

    /// The text's glyphs, letter by letter: none of what is written on an invoice joins or turns
    /// its letters.
    pub fn glyphs(&self, text: &str) -> Vec<KrillaGlyph> {
        let map = self.charmap();
        let glyph = |(at, c): (usize, char)| {
            let glyph = map.map(c).unwrap_or_default();
            KrillaGlyph::new(
                GlyphId::new(glyph.to_u32()),
                self.advance(c, 1.0),
                0.0,
                0.0,
                0.0,
                at..at + c.len_utf8(),
                None,
            )
        };
        text.char_indices().map(glyph).collect()
    }

    pub fn width(&self, text: &str, size: f32) -> f32 {
        text.chars().map(|c| self.advance(c, size)).sum()
    }

    pub fn advance(&self, c: char, size: f32) -> f32 {
        let glyph = self.charmap().map(c).unwrap_or_default();
        let width = self.metrics(size).and_then(|metrics| metrics.advance_width(glyph));
        width.unwrap_or(size)
    }
}
