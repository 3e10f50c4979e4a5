//! History as text: OpenMetrics in which every sample has its timestamp, and most lines are of the
//! series of the line before.

use base::sample::{Labels, Sample};

use super::{
    Exemplar, Format, Line, Result, parse_exemplar, parse_line, parse_point, parse_series,
};

/// What a line says.
#[derive(Debug, PartialEq)]
pub enum Said<'a> {
    /// An empty line or a comment.
    Nothing,
    /// What a family is: a line of its help, type or unit.
    Family(Line<'a>),
    Sample {
        sample: Sample,
        exemplar: Option<Exemplar>,
        /// [`Reader::labels`] are others than those of the sample before.
        new_series: bool,
    },
    /// The end of the text.
    End,
}

/// Reads line by line; it holds one line's series.
#[derive(Debug, Default)]
pub struct Reader {
    /// As it stood before the value.
    text: String,
    labels: Labels,
    ended: bool,
}

impl Reader {
    /// Of the last sample.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }
    /// Whether `# EOF` came; without it the text was cut short.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// One line, without its end.
    pub fn read<'a>(&mut self, line: &'a str) -> Result<Said<'a>> {
        if self.ended && !line.trim().is_empty() {
            return Err("something follows # EOF");
        }
        if let Some(rest) = self.same_series(line) {
            let (sample, exemplar) = point(rest)?;
            return Ok(Said::Sample { sample, exemplar, new_series: false });
        }
        let blank = |c: char| matches!(c, ' ' | '\t' | '\r');
        let line = line.trim_matches(blank);
        if line.is_empty() || line.starts_with('#') {
            return Ok(match parse_line(line, Format::History)? {
                Line::End => {
                    self.ended = true;
                    Said::End
                }
                Line::Nothing | Line::Sample { .. } => Said::Nothing,
                family => Said::Family(family),
            });
        }
        if line.len() > Format::History.line_max_bytes() {
            return Err("it is too long");
        }
        let (pairs, rest) = parse_series(line)?;
        let (sample, exemplar) = point(rest)?;
        let labels = Labels::new(pairs);
        let new_series = labels != self.labels;
        self.text = line[..line.len() - rest.len()].trim_end_matches(blank).to_owned();
        self.labels = labels;
        Ok(Said::Sample { sample, exemplar, new_series })
    }

    /// What follows the series of the line before, where this line is of the same.
    fn same_series<'a>(&self, line: &'a str) -> Option<&'a str> {
        if self.text.is_empty() {
            return None;
        }
        let rest = line.strip_prefix(&self.text)?;
        let point = rest.trim_start_matches([' ', '\t']);
        // Blanks may stand between a name and its labels.
        let ends = point.len() < rest.len() && !point.starts_with('{');
        ends.then(|| point.trim_end_matches([' ', '\t', '\r']))
    }
}

fn point(text: &str) -> Result<(Sample, Option<Exemplar>)> {
    match parse_point(text, Format::History)? {
        (value, Some(at_ms), exemplar) => {
            let exemplar = exemplar.map(|text| parse_exemplar(text, at_ms)).transpose()?;
            Ok((Sample { at_ms, value }, exemplar))
        }
        (_, None, _) => Err("it has no timestamp, which history needs"),
    }
}

#[cfg(test)]
mod tests;
