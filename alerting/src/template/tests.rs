use super::*;

fn expand(text: &str, value: f64) -> String {
    let labels = Labels::metric("m", &[("instance", "db-1"), ("used", "0.25")]);
    Template::parse(text).unwrap().expand(&labels, value)
}

/// The expectations are what Prometheus's template package prints (template_test.go).
#[test]
fn it_prints_what_prometheus_prints() {
    for (text, value, expected) in [
        ("plain", 0.0, "plain"),
        ("{{ $labels.instance }} at {{$value}}", 0.5, "db-1 at 0.5"),
        ("{{ .Labels.instance }}{{ .Value }}", 1.0, "db-11"),
        ("[{{ $labels.none }}]", 1.0, "[]"),
        ("{{ $value }}", 1e21, "1e+21"),
        ("{{ $value }}", 0.00001, "1e-05"),
        ("{{ $value }}", f64::INFINITY, "+Inf"),
        ("{{ $value }}", f64::NAN, "NaN"),
        ("{{ humanize $value }}", 0.0, "0"),
        ("{{ humanize $value }}", 1_234_567.0, "1.235M"),
        ("{{ $value | humanize }}", 0.00012, "120u"),
        ("{{ humanize $value }}", -1e30, "-1e+06Y"),
        ("{{ humanize1024 $value }}", 1_048_576.0, "1Mi"),
        ("{{ humanize1024 $value }}", 0.5, "0.5"),
        ("{{ humanizeDuration $value }}", 0.0, "0s"),
        ("{{ humanizeDuration $value }}", 1.0, "1s"),
        ("{{ humanizeDuration $value }}", 12_345.0, "3h 25m 45s"),
        ("{{ humanizeDuration $value }}", 12_345_678.0, "142d 21h 21m 18s"),
        ("{{ humanizeDuration $value }}", -90.0, "-1m 30s"),
        ("{{ humanizeDuration $value }}", 0.001, "1ms"),
        ("{{ $value | humanizePercentage }}", 0.1234567, "12.35%"),
        ("{{ humanizePercentage $value }}", -0.22222, "-22.22%"),
        ("{{ humanizePercentage $value }}", 123.456, "1.235e+04%"),
        ("{{ $labels.used | humanizePercentage }}", 0.0, "25%"),
        (
            "{{ humanize $labels.instance }}",
            0.0,
            "<error expanding template: label instance is 'db-1', which is no number>",
        ),
    ] {
        assert_eq!(expand(text, value), expected, "{text} of {value}");
    }
}

#[test]
fn anything_else_is_refused_by_name() {
    for text in
        ["{{ query \"up\" }}", "{{ if $value }}", "{{ $value | printf }}", "{{ }}", "{{ $x }}"]
    {
        let error = Template::parse(text).unwrap_err();
        assert!(error.contains("is not understood"), "{text}: {error}");
    }
    assert!(Template::parse("{{ $value").unwrap_err().contains("not closed"));
}

#[test]
fn the_api_prints_values_with_exponents() {
    assert_eq!(number::exponent(1.0), "1e+00");
    assert_eq!(number::exponent(0.125), "1.25e-01");
}
