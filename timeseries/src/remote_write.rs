//! Remote write 1.0: a snappy block of a protobuf `WriteRequest`, read by walking its bytes.
//!
//! ```text
//! WriteRequest  1 repeated TimeSeries, 3 repeated MetricMetadata
//! TimeSeries    1 repeated Label, 2 repeated Sample, 3 repeated Exemplar
//!               (4 native histograms, counted as not supported)
//! Label         1 name, 2 value
//! Sample        1 value (double), 2 instant (ms, int64)
//! Exemplar      1 repeated Label, 2 value (double), 3 instant (ms, int64)
//! Metadata      1 type (enum), 2 metric family's name, 4 help, 5 unit
//! ```
//!
//! (prometheus.io/docs/specs/prw/remote_write_spec, prompb/remote.proto.) Labels stay where they
//! are in the body: a [`Body`] holds their places, and a store that knows a series by its bytes
//! makes no text of them. Label names and bounds are the store's to judge; here only what can't be
//! a label set at all is refused.

use std::fmt;

use base::sample::{Labels, Sample, Series};

use self::wire::{Field, Fields};
use crate::{
    error::{Error, Result},
    store::{Exemplar, Metadata},
};

pub(crate) mod wire;

/// The body as it came.
pub const COMPRESSED_MAX_BYTES: usize = 16 << 20;
/// After decompression, told by the body's first bytes before anything is allocated. Both are
/// defaults: [`Body::read_within`] takes others.
pub const DECODED_MAX_BYTES: usize = 64 << 20;
pub const SERIES_MAX: usize = 200_000;
pub const SAMPLES_MAX: usize = 1_000_000;
/// More than any store takes; keeps one series from holding millions.
const LABELS_MAX: usize = 256;
/// Of one body.
const EXEMPLARS_MAX: usize = 10_000;
const METADATA_MAX: usize = 10_000;

/// A label's name and value, as they came: UTF-8.
pub type Label<'a> = (&'a [u8], &'a [u8]);

/// What a server says about each series, whatever its sender says.
pub trait Relabel: Send + Sync + fmt::Debug {
    /// Labels come by rising name. They may leave in any order; the last of two values for one
    /// name wins, an empty value is an absent label.
    fn relabel<'a>(&'a self, labels: &mut Vec<Label<'a>>);
}

/// Leaves labels as they are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unchanged;

impl Relabel for Unchanged {
    fn relabel<'a>(&'a self, _: &mut Vec<Label<'a>>) {}
}

/// Where something is in the body.
#[derive(Debug, Clone, Copy)]
struct Span {
    begin: u32,
    end: u32,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    labels: Span,
    samples: Span,
}

/// A body whose every byte was walked: nothing of a malformed one is used.
#[derive(Clone, Default)]
pub struct Body {
    bytes: Vec<u8>,
    /// Name and value, of all series one after another.
    labels: Vec<(Span, Span)>,
    samples: Vec<Sample>,
    rows: Vec<Row>,
    /// With the row of their series.
    exemplars: Vec<(usize, Exemplar)>,
    metadata: Vec<Metadata>,
    histograms: usize,
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (series, samples) = (self.rows.len(), self.samples.len());
        f.debug_struct("Body").field("series", &series).field("samples", &samples).finish()
    }
}

/// One series of a body.
#[derive(Debug, Clone, Copy)]
pub struct Borrowed<'a> {
    body: &'a Body,
    row: Row,
}

impl<'a> Borrowed<'a> {
    /// By rising name.
    pub fn labels(&self) -> impl ExactSizeIterator<Item = Label<'a>> + use<'a> {
        let body = self.body;
        let (begin, end) = (self.row.labels.begin as usize, self.row.labels.end as usize);
        body.labels[begin..end].iter().map(|(name, value)| (body.slice(*name), body.slice(*value)))
    }
    pub fn get(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.labels().find(|(its, _)| *its == name.as_bytes())?;
        std::str::from_utf8(value).ok()
    }
    pub fn samples(&self) -> &'a [Sample] {
        &self.body.samples[self.row.samples.begin as usize..self.row.samples.end as usize]
    }
}

impl Body {
    /// Decompresses and walks a whole body.
    pub fn read(compressed: &[u8]) -> Result<Self> {
        Self::read_within(compressed, COMPRESSED_MAX_BYTES, DECODED_MAX_BYTES)
    }

    /// The same with other bounds, below 4 GiB.
    pub fn read_within(
        compressed: &[u8],
        compressed_max: usize,
        decoded_max: usize,
    ) -> Result<Self> {
        if compressed.len() > compressed_max {
            return Err(Error::TooLarge { what: "the body", limit: compressed_max });
        }
        let length =
            snap::raw::decompress_len(compressed).map_err(|_| bad("it is no snappy block"))?;
        if length > decoded_max {
            return Err(Error::TooLarge { what: "the decompressed body", limit: decoded_max });
        }
        let bytes = snap::raw::Decoder::new()
            .decompress_vec(compressed)
            .map_err(|_| bad("it is no snappy block"))?;
        let mut body = Self::default();
        let mut walk = Walk { bytes: &bytes, body: &mut body };
        walk.request()?;
        body.bytes = bytes;
        Ok(body)
    }

    pub fn series(&self) -> impl ExactSizeIterator<Item = Borrowed<'_>> {
        self.rows.iter().map(|row| Borrowed { body: self, row: *row })
    }
    pub fn sample_count(&self) -> usize {
        self.samples.len()
    }
    /// Native histograms are not supported: they were left out, and their sender should know.
    pub fn histograms_dropped(&self) -> usize {
        self.histograms
    }
    pub fn metadata(&self) -> &[Metadata] {
        &self.metadata
    }
    /// With the labels of their series.
    pub fn exemplars(&self) -> impl Iterator<Item = (Borrowed<'_>, &Exemplar)> {
        self.exemplars
            .iter()
            .map(|(row, exemplar)| (Borrowed { body: self, row: self.rows[*row] }, exemplar))
    }

    /// For stores that take series: each with labels of its own.
    pub fn to_series(&self, relabel: &dyn Relabel) -> Vec<Series> {
        let series = self.series().map(|one| {
            let mut labels: Vec<Label<'_>> = one.labels().collect();
            relabel.relabel(&mut labels);
            Series { labels: owned(&labels), samples: one.samples().to_vec() }
        });
        series.collect()
    }

    fn slice(&self, span: Span) -> &[u8] {
        &self.bytes[span.begin as usize..span.end as usize]
    }
}

/// Labels of their own from borrowed ones, in any order.
pub fn owned(labels: &[Label<'_>]) -> Labels {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Labels::new(labels.iter().map(|(name, value)| (text(name), text(value))))
}

fn bad(why: &str) -> Error {
    Error::BadData(format!("the remote write body can't be read: {why}"))
}

struct Walk<'a, 'b> {
    bytes: &'a [u8],
    body: &'b mut Body,
}

impl<'a> Walk<'a, '_> {
    fn request(&mut self) -> Result<()> {
        let mut fields = Fields(self.bytes);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Field::Bytes(series)) => {
                    if self.body.rows.len() == SERIES_MAX {
                        return Err(bad(&format!("it holds more than {SERIES_MAX} series")));
                    }
                    self.series(series)?;
                }
                (3, Field::Bytes(metadata)) if self.body.metadata.len() < METADATA_MAX => {
                    self.body.metadata.extend(wire::metadata(metadata)?);
                }
                (1, _) | (3, Field::Varint(_) | Field::Fixed64(_) | Field::Fixed32) => {
                    return Err(bad("a field of the request has a wrong type"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn series(&mut self, bytes: &'a [u8]) -> Result<()> {
        let (first_label, first_sample) = (self.body.labels.len(), self.body.samples.len());
        let mut last: &[u8] = b"";
        let mut rising = true;
        let mut fields = Fields(bytes);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Field::Bytes(label)) => {
                    if self.body.labels.len() - first_label == LABELS_MAX {
                        return Err(bad(&format!("a series has more than {LABELS_MAX} labels")));
                    }
                    let (name, value) = wire::label(label)?;
                    rising &= name > last;
                    last = name;
                    let spans = (self.span(name), self.span(value));
                    self.body.labels.push(spans);
                }
                (2, Field::Bytes(sample)) => {
                    if self.body.samples.len() == SAMPLES_MAX {
                        return Err(bad(&format!("it holds more than {SAMPLES_MAX} samples")));
                    }
                    self.body.samples.push(wire::sample(sample)?);
                }
                (3, Field::Bytes(exemplar)) if self.body.exemplars.len() < EXEMPLARS_MAX => {
                    let row = self.body.rows.len();
                    self.body.exemplars.push((row, wire::exemplar(exemplar)?));
                }
                (4, Field::Bytes(_)) => self.body.histograms += 1,
                (1 | 2 | 4, _) | (3, Field::Varint(_) | Field::Fixed64(_) | Field::Fixed32) => {
                    return Err(bad("a field of a series has a wrong type"));
                }
                _ => {}
            }
        }
        if !rising {
            self.sort(first_label)?;
        }
        let span = |begin: usize, end: usize| Span { begin: begin as u32, end: end as u32 };
        self.body.rows.push(Row {
            labels: span(first_label, self.body.labels.len()),
            samples: span(first_sample, self.body.samples.len()),
        });
        Ok(())
    }

    /// The specification wants labels sorted; not everybody does it.
    fn sort(&mut self, first: usize) -> Result<()> {
        let of = |span: Span| &self.bytes[span.begin as usize..span.end as usize];
        let labels = &mut self.body.labels[first..];
        labels.sort_unstable_by_key(|(name, _)| of(*name));
        match labels.windows(2).find(|pair| of(pair[0].0) == of(pair[1].0)) {
            Some(pair) => {
                let name = String::from_utf8_lossy(of(pair[0].0)).into_owned();
                Err(bad(&format!("a series has the label {name:?} twice")))
            }
            None => Ok(()),
        }
    }

    /// Where in the body a part of it is.
    fn span(&self, part: &[u8]) -> Span {
        // The body is below 4 GiB, and `part` lies in it.
        let begin = (part.as_ptr() as usize).wrapping_sub(self.bytes.as_ptr() as usize);
        if part.is_empty() {
            return Span { begin: 0, end: 0 };
        }
        Span { begin: begin as u32, end: (begin + part.len()) as u32 }
    }
}

#[cfg(test)]
pub(crate) mod tests;
