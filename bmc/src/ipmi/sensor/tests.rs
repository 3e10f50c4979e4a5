use proptest::prelude::*;

use super::*;
use crate::ipmi::sdr::Format;

fn sensor() -> Sensor {
    Sensor {
        record_id: 7,
        owner: BMC_ADDRESS,
        lun: 0,
        number: 3,
        name: "FAN1".into(),
        kind: 4,
        reading_type: 1,
        unit: "RPM".into(),
        format: Format::Unsigned,
        linearization: sdr::LINEAR,
        factors: Factors { m: 60, ..Factors::default() },
        thresholds: RawThresholds { mask: 0b01_1011, raw: [20, 10, 0, 200, 250, 0] },
        thresholds_readable: true,
    }
}

fn reading(sensor: &Sensor, data: &[u8]) -> SensorReading {
    interpret(sensor, &sensor.thresholds, RawReading::decode(data), Some(sensor.factors))
}

#[test]
fn a_reading_has_value_state_and_thresholds() {
    let got = reading(&sensor(), &[50, 0xc0, 0xc0]);
    assert_eq!((got.value, got.state), (Some(3000.0), SensorState::Nominal));
    assert_eq!(
        got.thresholds,
        Thresholds {
            lower_non_critical: Some(1200.0),
            lower_critical: Some(600.0),
            upper_non_critical: Some(12_000.0),
            upper_critical: Some(15_000.0),
            ..Thresholds::default()
        }
    );
    assert_eq!((got.record_id, got.kind.as_str(), got.unit.as_str()), (7, "Fan", "RPM"));
}

#[test]
fn the_worst_passed_threshold_is_the_state() {
    let state = |bits| reading(&sensor(), &[50, 0xc0, bits]).state;
    assert_eq!(state(0b00_0001), SensorState::Warning);
    assert_eq!(state(0b00_1000), SensorState::Warning);
    assert_eq!(state(0b00_0011), SensorState::Critical);
    assert_eq!(state(0b01_1000), SensorState::Critical);
    assert_eq!(state(0b11_1000), SensorState::NonRecoverable);
}

#[test]
fn without_threshold_bits_the_value_decides() {
    let state = |raw| reading(&sensor(), &[raw, 0xc0]).state;
    assert_eq!(state(50), SensorState::Nominal);
    assert_eq!(state(20), SensorState::Warning);
    assert_eq!(state(5), SensorState::Critical);
    assert_eq!(state(255), SensorState::Critical);
}

#[test]
fn no_reading_is_unknown_and_keeps_the_thresholds() {
    for data in [&[50, 0xe0, 0xc0][..], &[50, 0x80, 0xc0], &[50]] {
        let got = reading(&sensor(), data);
        assert_eq!((got.value, got.state), (None, SensorState::Unknown));
        assert_eq!(got.thresholds.upper_critical, Some(15_000.0));
    }
}

#[test]
fn states_of_a_power_supply() {
    let supply = Sensor {
        kind: 8,
        reading_type: 0x6f,
        format: Format::NotAnalog,
        thresholds: RawThresholds::default(),
        ..sensor()
    };
    let present = reading(&supply, &[0, 0xc0, 0b1, 0x80]);
    assert_eq!((present.value, present.state), (None, SensorState::Nominal));
    assert_eq!(present.asserted, [0]);
    let failed = reading(&supply, &[0, 0xc0, 0b11, 0x80]);
    assert_eq!((failed.state, failed.asserted.as_slice()), (SensorState::Critical, &[0, 1][..]));
    let foreign = Sensor { kind: 0xc1, ..supply };
    assert_eq!(reading(&foreign, &[0, 0xc0, 1, 0x80]).state, SensorState::Unknown);
}

proptest! {
    #[test]
    fn random_answers_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..8)) {
        let _ = reading(&sensor(), &bytes);
    }
}
