use serde_json::{json, to_value};

use super::*;

#[test]
fn values_print_as_prometheus_prints_them() {
    let cases = [
        (1.0, "1"),
        (0.1, "0.1"),
        (-0.0, "-0"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (2e14 + 0.125, "200000000000000.12"),
        (-1.25e14 + 0.375, "-124999999999999.62"),
        (2e14 + 0.375, "200000000000000.38"),
        (1e-6, "0.000001"),
        (1.5e-7, "1.5e-07"),
        (-2e300, "-2e+300"),
        (f64::INFINITY, "+Inf"),
        (f64::NEG_INFINITY, "-Inf"),
        (f64::NAN, "NaN"),
    ];
    for (value, text) in cases {
        assert_eq!(format_value(value), text);
        let back = parse_value(text).unwrap();
        assert!(back.to_bits() == value.to_bits() || (back.is_nan() && value.is_nan()));
    }
}

#[test]
fn the_shapes_are_prometheus() {
    let metric = Labels::metric("up", &[("job", "a")]);
    let point = Point { at_ms: 1_500, value: f64::NAN };
    let vector = Value::Vector(vec![InstantSeries { metric: metric.clone(), value: point }]);
    let json = to_value(Response::success(vector)).unwrap();
    let expected = json!({"status": "success", "data": {"resultType": "vector", "result": [
        {"metric": {"__name__": "up", "job": "a"}, "value": [1.5, "NaN"]}
    ]}});
    assert_eq!(json, expected);
    let matrix = Value::Matrix(vec![RangeSeries {
        metric,
        values: vec![Point { at_ms: 2000, value: 3.0 }],
    }]);
    let json = to_value(&matrix).unwrap();
    assert_eq!(json["result"][0]["values"], json!([[2, "3"]]));
    assert_eq!(serde_json::from_value::<Value>(json).unwrap(), matrix);
    let scalar = Value::Scalar(Point { at_ms: 1000, value: 2.0 });
    assert_eq!(to_value(scalar).unwrap(), json!({"resultType": "scalar", "result": [1, "2"]}));
    let text = Value::String(Text { at_ms: 1000, text: "x".to_owned() });
    assert_eq!(to_value(text).unwrap(), json!({"resultType": "string", "result": [1, "x"]}));
}

#[test]
fn a_failure_names_its_type_and_hides_paths() {
    let error = Error::corrupt(std::path::Path::new("/secret/place"), 7, "x");
    let json = to_value(Response::<()>::failure(&error)).unwrap();
    assert_eq!(
        json,
        json!({"status": "error", "errorType": "internal", "error": "the time-series store failed"})
    );
    let json = to_value(Response::<()>::failure(&Error::BadData("no".to_owned()))).unwrap();
    assert_eq!(json["errorType"], "bad_data");
}
