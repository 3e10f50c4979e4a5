use base::sample::Sample;
use proptest::prelude::*;

use super::*;

fn scratch() -> Scratch {
    Scratch::default()
}

fn packed_values(values: &[f64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    values::put(&mut bytes, values);
    bytes
}

fn check_values(values: &[f64]) -> Vec<u8> {
    let bytes = packed_values(values);
    let instants: Vec<i64> = (0..values.len() as i64).map(|at| at * 15_000 - 7).collect();
    let bits = |(at, value): (&i64, &f64)| (*at, value.to_bits());
    let expected: Vec<_> = instants.iter().zip(values).map(bits).collect();
    let mut buffers = values::Buffers::default();
    let count = values.len();
    // All of them, and parts, behind what is there already.
    for within in [0..count, count / 3..count, 1..count.saturating_sub(1), 3..3] {
        if values.is_empty() || within.start > within.end || within.end > count {
            continue;
        }
        let before = Sample { at_ms: i64::MIN, value: 0.5 };
        let mut back = vec![before];
        values::read(&bytes, &instants, within.clone(), &mut buffers, &mut back)
            .expect("own bytes");
        assert_eq!(back.remove(0), before);
        let back: Vec<_> = back.iter().map(|s| bits((&s.at_ms, &s.value))).collect();
        assert_eq!(back, expected[within]);
    }
    bytes
}

fn check_instants(instants: &[i64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    instants::put(&mut bytes, instants);
    assert_eq!(instants::read(&bytes, instants.len(), &mut scratch()).expect("own"), instants);
    bytes
}

/// What exporters give, and what nobody would.
fn value() -> impl Strategy<Value = f64> {
    let special = prop::sample::select(vec![
        base::sample::STALE_NAN_BITS,
        0x7ff8_0000_0000_0001,
        0xfff8_0000_0000_0000,
        (-0.0f64).to_bits(),
        0.0f64.to_bits(),
        f64::INFINITY.to_bits(),
        f64::NEG_INFINITY.to_bits(),
        f64::MAX.to_bits(),
        f64::MIN_POSITIVE.to_bits(),
        1,
    ]);
    prop_oneof![
        4 => (0i64..1_000_000_000).prop_map(|n| n as f64),
        4 => (-1_000_000i64..1_000_000, 0i32..7).prop_map(|(n, e)| n as f64 / 10f64.powi(e)),
        1 => any::<f64>(),
        1 => any::<u64>().prop_map(f64::from_bits),
        1 => special.prop_map(f64::from_bits),
    ]
}

/// One scale, with an unusual value here and there.
fn column() -> impl Strategy<Value = Vec<f64>> {
    (0i32..4, prop::collection::vec((-100_000i64..100_000, 0u8..60), 1..700)).prop_flat_map(
        |(scale, rows)| {
            let rows = rows.into_iter().map(move |(n, odd)| (n as f64 / 10f64.powi(scale), odd));
            let rows: Vec<_> = rows.collect();
            value().prop_map(move |odd_one| {
                rows.iter().map(|(v, odd)| if *odd == 0 { odd_one } else { *v }).collect()
            })
        },
    )
}

proptest! {
    #[test]
    fn varints_come_back_however_much_follows(
        numbers in prop::collection::vec((any::<u64>(), 0u32..64).prop_map(|(n, s)| n >> s), 0..40)
    ) {
        let mut bytes = Vec::new();
        numbers.iter().for_each(|number| put_varint(&mut bytes, *number));
        let mut reader = Reader::new(&bytes);
        for number in &numbers {
            prop_assert_eq!(reader.varint(), Some(*number));
        }
        prop_assert!(reader.is_empty());
    }

    #[test]
    fn all_bytes_of_a_varint_at_once_are_those_one_by_one(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0x80u8..], 0..24)
    ) {
        let (mut fast, mut plain) = (Reader::new(&bytes), Reader::new(&bytes));
        let (number, expected) = (fast.varint(), plain.any_varint());
        prop_assert_eq!(number, expected);
        prop_assert!(number.is_none() || fast.rest() == plain.rest());
    }

    #[test]
    fn any_values_come_back_bit_for_bit(values in prop::collection::vec(value(), 0..300)) {
        check_values(&values);
    }

    #[test]
    fn columns_come_back_bit_for_bit(values in column()) {
        check_values(&values);
    }

    #[test]
    fn any_rising_instants_come_back(mut instants in prop::collection::vec(any::<i64>(), 1..300)) {
        instants.sort_unstable();
        check_instants(&instants);
    }

    #[test]
    fn instants_with_jitter_come_back(first in any::<i32>(), steps in prop::collection::vec(0i64..30_000, 0..700)) {
        let mut at = i64::from(first);
        check_instants(&std::iter::once(0).chain(steps).map(|step| { at += step; at }).collect::<Vec<_>>());
    }

    #[test]
    fn garbage_is_refused_or_read_but_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), count in 0usize..500) {
        // Packed columns only ever come from under a sound checksum.
        let plain = |first: &u8| *first < 2;
        if bytes.first().is_some_and(plain) {
            let _ = instants::read(&bytes, count, &mut scratch());
            let instants = vec![0; count];
            let mut buffers = values::Buffers::default();
            let _ = values::read(&bytes, &instants, 0..count, &mut buffers, &mut Vec::new());
        }
    }
}

#[test]
fn a_stale_marker_does_not_spoil_its_column() {
    let mut column: Vec<f64> = (0..480).map(|i| f64::from(i * 7)).collect();
    let plain = check_values(&column).len();
    column[100] = f64::from_bits(base::sample::STALE_NAN_BITS);
    let marked = check_values(&column).len();
    assert!(marked < plain + 40, "{plain} and {marked} bytes");
}

#[test]
fn what_exporters_give_is_small() {
    let counter: Vec<f64> = (0..480u64).map(|i| (i * 1500 + i * i % 97) as f64).collect();
    let gauge: Vec<f64> = (0..480u64).map(|i| (5000 + i * i * 31 % 89) as f64 / 100.0).collect();
    let jitter: Vec<i64> = (0..480).map(|i| 1_700_000_000_000 + i * 15_000 + i * i % 9).collect();
    let regular: Vec<i64> = (0..480).map(|i| 1_700_000_000_000 + i * 15_000).collect();
    assert!(check_values(&counter).len() < 480 * 9 / 8);
    assert!(check_values(&gauge).len() < 480 * 9 / 8);
    assert!(check_values(&[5.5; 480]).len() == 9);
    assert!(check_instants(&jitter).len() < 480 * 5 / 8);
    assert!(check_instants(&regular).len() < 12);
}
