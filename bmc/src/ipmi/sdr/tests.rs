use proptest::prelude::*;

use super::*;
use crate::ipmi::testing::hex;

/// Temperature, two's complement, upper thresholds 80, 90, 95, hysteresis 2.
const INLET: &str = "0100 51 01 36  20 00 01 07 01 7f 68 01 01 800a 807a 3838 80 01 00 00 \
     01 00 00 00 00 00 07 40 7f 80 7f 80 5f 5a 50 00 00 00 02 02 0000 00 \
     cb 496e6c65742054656d7031";
/// Power supply states, shared by three sensors named from 1 on.
const SUPPLIES: &str = "0700 51 02 20  20 00 40 0a 01 67 40 08 6f 0f00 0f00 0f00 c0 00 00 \
     03 01 00 00 000000 00 c5 50535520 23";

fn inlet() -> Sensor {
    decode(&hex(INLET)).unwrap().remove(0)
}

#[test]
fn a_full_record_is_one_sensor() {
    let sensor = inlet();
    assert_eq!(sensor.name, "Inlet Temp1");
    assert_eq!((sensor.record_id, sensor.number, sensor.owner, sensor.kind), (1, 1, 0x20, 1));
    assert_eq!(sensor.unit, "C");
    assert!(sensor.has_thresholds() && sensor.thresholds_readable);
    assert_eq!(sensor.thresholds, RawThresholds { mask: 0x38, raw: [0, 0, 0, 0x50, 0x5a, 0x5f] });
    let factors = sensor.factors;
    assert_eq!(sensor.value(0x40, &factors), Some(64.0));
    assert_eq!(sensor.value(0xf6, &factors), Some(-10.0));
}

#[test]
fn a_shared_compact_record_is_several_sensors() {
    let sensors = decode(&hex(SUPPLIES)).unwrap();
    let names: Vec<_> = sensors.iter().map(|s| (s.number, s.name.as_str())).collect();
    assert_eq!(names, [(0x40, "PSU #1"), (0x41, "PSU #2"), (0x42, "PSU #3")]);
    assert_eq!(sensors[0].value(1, &Factors::default()), None);
}

#[test]
fn other_records_are_no_sensors_and_short_ones_are_malformed() {
    assert_eq!(decode(&hex("0200 51 12 02 20 00")), Some(vec![]));
    let record = hex(INLET);
    for length in 3..record.len() {
        assert_eq!(decode(&record[..length]), None, "{length} bytes");
    }
    assert_eq!(decode(&[]), None);
}

#[test]
fn factors_are_signed() {
    // M = -2, B = 511, exponents -3 and 2.
    let factors = Factors::decode(&[0xfe, 0xc0, 0xff, 0x40, 0x00, 0xd2]);
    assert_eq!(factors, Factors { m: -2, b: 511, r_exponent: -3, b_exponent: 2 });
    // (-2 * 10 + 511 * 10^2) * 10^-3
    assert_eq!(inlet().value(10, &factors), Some(51.08));
}

#[test]
fn every_linearization_of_the_standard() {
    let mut sensor = inlet();
    let factors = Factors { m: 1, ..Factors::default() };
    let wanted = [
        (0x00, 4.0),
        (0x01, 1.386_294_361),
        (0x02, 0.602_059_991_3),
        (0x03, 2.0),
        (0x04, 54.598_150_03),
        (0x05, 10_000.0),
        (0x06, 16.0),
        (0x07, 0.25),
        (0x08, 16.0),
        (0x09, 64.0),
        (0x0a, 2.0),
        (0x0b, 1.587_401_052),
        (0x70, 4.0),
    ];
    for (linearization, value) in wanted {
        sensor.linearization = linearization;
        assert_eq!(sensor.value(4, &factors), Some(value), "{linearization:#x}");
    }
    sensor.linearization = 0x07;
    assert_eq!(sensor.value(0, &factors), None, "1/0 is no reading");
}

#[test]
fn raw_bytes_by_format() {
    let read = |format: Format, raw| format.number(raw);
    assert_eq!(read(Format::Unsigned, 0xff), Some(255.0));
    assert_eq!(read(Format::TwosComplement, 0xff), Some(-1.0));
    assert_eq!(read(Format::OnesComplement, 0xfe), Some(-1.0));
    assert_eq!(read(Format::OnesComplement, 0x05), Some(5.0));
    assert_eq!(read(Format::NotAnalog, 0x05), None);
}

#[test]
fn names_in_every_coding() {
    assert_eq!(text(0xc3, b"CPU"), Some("CPU".into()));
    assert_eq!(text(0xc5, b"P1\0\0\0"), Some("P1".into()));
    assert_eq!(text(0x83, &hex("29dcA6")), Some("IPMI".into()), "the standard's own example");
    assert_eq!(text(0x42, &hex("12a3")), Some("12 3".into()));
    assert_eq!(text(0x04, &hex("2d4e3a67")), Some("\u{4e2d}\u{673a}".into()));
    assert_eq!(text(0xc4, b"abc"), None);
}

proptest! {
    #[test]
    fn random_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = decode(&bytes);
        for kind in [1, 2] {
            if let Some(byte) = bytes.get_mut(3) {
                *byte = kind;
            }
            for sensor in decode(&bytes).unwrap_or_default() {
                for raw in 0..=255 {
                    let value = sensor.value(raw, &sensor.factors);
                    prop_assert!(value.is_none_or(f64::is_finite));
                }
            }
        }
    }
}
