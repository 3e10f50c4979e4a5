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
    let mut request = Vec::new();
    for row in rows {
        let mut series = Vec::new();
        for (name, value) in &row.labels {
            let mut label = Vec::new();
            bytes(&mut label, 1, name.as_bytes());
            bytes(&mut label, 2, value.as_bytes());
            bytes(&mut series, 1, &label);
        }
        let mut sample = vec![1 << 3 | 1];
        sample.extend(row.value.to_le_bytes());
        sample.push(2 << 3);
        varint(&mut sample, row.at_ms.cast_unsigned());
        bytes(&mut series, 2, &sample);
        bytes(&mut request, 1, &series);
    }
    snap::raw::Encoder::new().compress_vec(&request).expect("far below snappy's 4 GiB")
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
