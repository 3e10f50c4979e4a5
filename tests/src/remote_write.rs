//! Remote write 1.0 bodies, written by hand: what measures the program must not lean on its code.
//! (prometheus.io/docs/specs/prw/remote_write_spec, prompb/remote.proto.)

/// One sample of one series.
pub struct Row {
    /// Sorted by name, `__name__` among them.
    pub labels: Vec<(String, String)>,
    pub at_ms: i64,
    pub value: f64,
}

/// A snappy block of a protobuf `WriteRequest`.
pub fn encode(rows: &[Row]) -> Vec<u8> {
    let mut body = Body::default();
    let mut labels = Vec::new();
    for row in rows {
        labels.clear();
        put_labels(&mut labels, row.labels.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        body.push(&labels, row.at_ms, row.value);
    }
    body.compress()
}

/// A series' labels as they are in its `TimeSeries`; sorted by name.
pub fn put_labels<'a>(out: &mut Vec<u8>, labels: impl Iterator<Item = (&'a str, &'a str)>) {
    let mut label = Vec::new();
    for (name, value) in labels {
        label.clear();
        bytes(&mut label, 1, name.as_bytes());
        bytes(&mut label, 2, value.as_bytes());
        bytes(out, 1, &label);
    }
}

/// A `WriteRequest` in the making; one serves for many.
#[derive(Default)]
pub struct Body {
    request: Vec<u8>,
    sample: Vec<u8>,
}

impl Body {
    /// A sample of the series with these labels, see [`put_labels`].
    pub fn push(&mut self, labels: &[u8], at_ms: i64, value: f64) {
        self.sample.clear();
        self.sample.push(1 << 3 | 1);
        self.sample.extend(value.to_le_bytes());
        self.sample.push(2 << 3);
        varint(&mut self.sample, at_ms.cast_unsigned());
        // Its own length takes one byte, as it is below 128.
        self.request.push(1 << 3 | 2);
        varint(&mut self.request, (labels.len() + 2 + self.sample.len()) as u64);
        self.request.extend_from_slice(labels);
        bytes(&mut self.request, 2, &self.sample);
    }

    /// The whole as a snappy block; the next one begins.
    pub fn compress(&mut self) -> Vec<u8> {
        let block = snap::raw::Encoder::new().compress_vec(&self.request);
        self.request.clear();
        block.expect("far below snappy's 4 GiB")
    }
}

/// A length-delimited field.
fn bytes(out: &mut Vec<u8>, number: u8, value: &[u8]) {
    out.push(number << 3 | 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
