use super::*;

#[test]
fn units_are_short_where_metrics_know_them() {
    assert_eq!(unit([0x80, 1, 0]), "C");
    assert_eq!(unit([0, 18, 0]), "RPM");
    assert_eq!(unit([1, 18, 0]), "%");
    assert_eq!(unit([0, 92, 0]), "grams");
    assert_eq!(unit([0, 200, 0]), "unknown unit");
    assert_eq!(unit([3 << 3, 70, 0]), "bytes per second");
    assert_eq!(unit([1 << 1, 3, 22]), "K/seconds");
}

#[test]
fn kinds_and_makers_have_names() {
    assert_eq!(sensor_kind(1), "Temperature");
    assert_eq!(sensor_kind(0x2c), "FRU State");
    assert_eq!(sensor_kind(0xc0), "OEM Reserved");
    assert_eq!(manufacturer(674), Some("Dell"));
    assert_eq!(manufacturer(1), None);
}

#[test]
fn bad_states_weigh() {
    assert_eq!(severity(0x29, 0x6f, 0b100), SensorState::Nominal, "battery present");
    assert_eq!(severity(0x29, 0x6f, 0b101), SensorState::Warning, "battery low");
    assert_eq!(severity(0x29, 0x6f, 0b011), SensorState::Critical, "battery failed");
    assert_eq!(severity(0x0d, 0x6f, 1 << 7), SensorState::Warning, "rebuild in progress");
    assert_eq!(severity(0x01, 0x0b, 1 << 1), SensorState::Critical, "redundancy lost");
    assert_eq!(severity(0x01, 0x55, 1), SensorState::Unknown);
}
