use proptest::{collection::vec, prelude::*};

use super::*;
use crate::value::{InstantSeries, RangeSeries, Response, Text};

fn point() -> impl Strategy<Value = Point> {
    let at_ms = prop_oneof![any::<i64>(), 0..4_000_000_000_000i64, -2000..2000i64];
    let value =
        prop_oneof![any::<u64>().prop_map(f64::from_bits), (-999..999i64).prop_map(|v| v as f64)];
    (at_ms, value).prop_map(|(at_ms, value)| Point { at_ms, value })
}

fn labels() -> impl Strategy<Value = Labels> {
    let pair = ("[a-z_]{1,8}", any::<String>());
    vec(pair, 0..5).prop_map(Labels::new)
}

fn value() -> impl Strategy<Value = Value> {
    let instant = (labels(), point()).prop_map(|(metric, value)| InstantSeries { metric, value });
    let range =
        (labels(), vec(point(), 0..5)).prop_map(|(metric, values)| RangeSeries { metric, values });
    prop_oneof![
        vec(instant, 0..4).prop_map(Value::Vector),
        vec(range, 0..4).prop_map(Value::Matrix),
        point().prop_map(Value::Scalar),
        (any::<i64>(), any::<String>())
            .prop_map(|(at_ms, text)| Value::String(Text { at_ms, text })),
    ]
}

proptest! {
    #[test]
    fn an_answer_is_what_serde_writes(value in value(), warnings in vec(any::<String>(), 0..3)) {
        let written = String::from_utf8(value.to_answer(&warnings)).unwrap();
        let answer = Response { warnings, ..Response::success(value) };
        prop_assert_eq!(written, serde_json::to_string(&answer).unwrap());
    }
}

#[test]
fn an_answer_s_buffer_is_no_larger_than_needed_by_much() {
    let point = |at_ms| Point { at_ms, value: 1_884_133.0 };
    let values = (0..1441).map(|n| point(1_795_246_515_000 + n * 60_000)).collect();
    let metric = Labels::metric("requests_total", &[("instance", "guest-7"), ("job", "tenant-7")]);
    let written = Value::Matrix(vec![RangeSeries { metric, values }]).to_answer(&[]);
    assert!(written.capacity() < 2 * written.len(), "{}", written.capacity());
}
