use super::*;

fn refused(expr: &str) -> String {
    compile(expr, &Scope::ALL, 0, 0).map(|_| ()).expect_err(expr).to_string()
}

#[test]
fn what_is_not_known_is_refused_by_name() {
    let unsupported = [
        (r#"{a="b" or c="d"}"#, "'or' between label matchers"),
        ("limitk(2, x)", "the aggregation limitk"),
        ("limit_ratio(0.5, x)", "the aggregation limit_ratio"),
        ("histogram_count(x)", "the function histogram_count"),
        ("histogram_fraction(0, 1, x)", "the function histogram_fraction"),
        ("info(x)", "the function info"),
        ("rate(x[5m] smoothed)", "the modifier smoothed"),
        ("step()", "the function step"),
        ("a + fill(0) b", "the modifier fill"),
    ];
    for (expr, name) in unsupported {
        let error = compile(expr, &Scope::ALL, 0, 0).map(|_| ()).expect_err(expr);
        assert!(matches!(error, Error::Unsupported(_)), "{expr}: {error}");
        assert!(error.to_string().contains(name), "{expr}: {error}");
    }
}

#[test]
fn types_are_checked() {
    let wrong = [
        "rate(x)",
        "abs(x[5m])",
        "sum(x[5m])",
        "x[5m] + 1",
        "-x[5m]",
        "\"a\" + 1",
        "vector(x)",
        "topk(x, y)",
        "count_values(1, x)",
        "quantile(\"a\", x)",
        "1 and 2",
        "x and 1",
        "1 > 2",
        "ln(0)",
        "ln(2)",
        "(1)[5m:]",
        "\"a\"[5m:]",
        "round(x, y)",
        "label_replace(x, y, z, a, b)",
        "x[5m:0s]",
        "{}",
        "{a=~\".*\"}",
        "x{a=~\"(\"}",
        "x @ NaN",
        "sum by (a) x",
        "x +",
        "",
        "rate(x[5m])[3m]",
    ];
    for expr in wrong {
        refused(expr);
    }
}

#[test]
fn length_depth_and_time_are_bounded() {
    assert!(refused(&"x".repeat(EXPR_MAX_BYTES + 1)).contains("larger"));
    let deep = format!("{}1{}", "abs(".repeat(DEPTH_MAX + 5), ")".repeat(DEPTH_MAX + 5));
    refused(&deep);
    refused(&"-".repeat(EXPR_MAX_BYTES - 1));
    let minuses = format!("{}x", "-".repeat(EXPR_MAX_BYTES - 1));
    assert!(refused(&minuses).contains("nested"));
    let parens = format!("{}x{}", "(".repeat(8000), ")".repeat(8000));
    assert!(refused(&parens).contains("nested"));
    let sums = format!("1{}", "+1".repeat(8000));
    assert!(refused(&sums).contains("nested"));
    refused("x offset 9999999999y");
    refused("x offset 293y");
    assert!(compile("x offset 292y", &Scope::ALL, 0, 0).is_ok());
    refused("x @ 1e300");
    assert!(compile("x", &Scope::ALL, i64::MAX, i64::MAX).is_err());
}

#[test]
fn a_selector_needs_just_its_span() {
    let spans = |expr: &str| {
        let plan = compile(expr, &Scope::ALL, 1_000_000, 2_000_000).expect(expr);
        let spans = plan.spans(1_000_000, 2_000_000, 300_000);
        spans.into_iter().map(|span| (span.start_ms, span.end_ms)).collect::<Vec<_>>()
    };
    assert_eq!(spans("x"), [(700_000, 2_000_000)]);
    assert_eq!(spans("x offset 1m"), [(640_000, 1_940_000)]);
    assert_eq!(spans("rate(x[10m] offset -1m)"), [(460_000, 2_060_000)]);
    assert_eq!(spans("x @ 5"), [(-295_000, 5_000)]);
    assert_eq!(spans("sum_over_time(x[10m:1m] @ start())"), [(100_000, 1_000_000)]);
    assert_eq!(
        spans("max_over_time(rate(x[1m])[10m:1m]) + y"),
        [(340_000, 2_000_000), (700_000, 2_000_000)]
    );
}

#[test]
fn equal_selectors_are_read_once_where_their_spans_meet() {
    let reads = |expr: &str| {
        let plan = compile(expr, &Scope::ALL, 1_000_000, 2_000_000).expect(expr);
        let spans = plan.spans(1_000_000, 2_000_000, 300_000);
        let reads = plan.reads(&spans).into_iter();
        reads.map(|r| (r.span.start_ms, r.span.end_ms, r.selectors)).collect::<Vec<_>>()
    };
    assert_eq!(reads("x / x"), [(700_000, 2_000_000, vec![0, 1])]);
    assert_eq!(reads("rate(x[10m]) / x"), [(400_000, 2_000_000, vec![0, 1])]);
    assert_eq!(
        reads("x - x offset 1d"),
        [(-85_700_000, -84_400_000, vec![1]), (700_000, 2_000_000, vec![0])]
    );
    assert_eq!(reads("x{a=\"1\"} / x{a=~\"1\"}").len(), 2);
    assert_eq!(reads("x{a=\"1\"} / x{a=\"1\\\",b=\\\"2\"}").len(), 2);
}

#[test]
fn a_scope_stands_in_every_selector() {
    let id = base::id::TenantId::new();
    let expr = "a + on () b{tenant=\"x\"} or sum_over_time(c[5m:1m]) unless absent(d @ 3) \
                or quantile_over_time(scalar(e), f[5m])";
    let plan = compile(expr, &Scope::tenant(id), 0, 0).expect(expr);
    assert_eq!(plan.selectors.len(), 6);
    for matchers in &plan.selectors {
        let last = matchers.last().expect("the scope's");
        assert!(last.is_equal() && last.name() == "tenant" && last.value() == id.to_string());
    }
}
