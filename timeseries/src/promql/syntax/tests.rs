use proptest::prelude::*;

use super::*;

fn shown(input: &str) -> String {
    pretty(&parse(input).unwrap_or_else(|error| panic!("{input}: {error}")))
}

fn refused(input: &str) -> String {
    parse(input).map(|_| ()).expect_err(input).to_string()
}

#[test]
fn precedence_and_grouping_are_prometheus_ones() {
    for (input, grouped) in [
        ("1 + 2 * 3", "1 + (2 * 3)"),
        ("a or b and c", "a or (b and c)"),
        ("a unless b and c", "(a unless b) and c"),
        ("a > b + c", "a > (b + c)"),
        ("a ^ b ^ c", "a ^ (b ^ c)"),
        ("a - b - c", "(a - b) - c"),
        ("a atan2 b * c", "(a atan2 b) * c"),
        ("-a ^ b", "-(a ^ b)"),
        ("-a * b", "(-a) * b"),
        ("a ^ -b ^ c", "a ^ (-(b ^ c))"),
        ("a ^ -b * c", "(a ^ (-b)) * c"),
        ("-a offset 1m", "-(a offset 1m)"),
    ] {
        let [flat, grouped] = [input, grouped].map(|text| parse(text).unwrap());
        assert_eq!(flat, without_parens(grouped), "{input}");
    }
}

fn without_parens(expr: ast::Expr) -> ast::Expr {
    match expr {
        ast::Expr::Paren(inner) => without_parens(*inner),
        ast::Expr::Unary { negative, inner } => {
            ast::Expr::Unary { negative, inner: Box::new(without_parens(*inner)) }
        }
        ast::Expr::Binary(mut binary) => {
            binary.lhs = without_parens(binary.lhs);
            binary.rhs = without_parens(binary.rhs);
            ast::Expr::Binary(binary)
        }
        other => other,
    }
}

#[test]
fn errors_have_a_place_and_name_what_is_there() {
    assert_eq!(
        refused("sum(a,\n  b c)"),
        "the expression can't be parsed: unexpected \"c\", expected \",\" or \")\" (line 2, column 5)"
    );
    assert!(refused("x{é=\"1\"}").ends_with("inside braces: 'é' (line 1, column 3)"));
    assert!(refused("größe").ends_with("(line 1, column 3)"), "{}", refused("größe"));
    assert!(refused("x[5]").contains("such as [5m]"));
    let or = refused("{a=\"b\" or c=\"d\"}");
    assert_eq!(or, "'or' between label matchers is not supported");
}

#[test]
fn what_only_prometheus_3_knows_is_read_or_named() {
    assert_eq!(shown("{\"up\"}"), "{__name__=\"up\"}");
    assert_eq!(shown("{\"up\", \"a.b\"=\"c\"}"), "{\"a.b\"=\"c\",__name__=\"up\"}");
    assert_eq!(shown("sum by (\"a.b\", c) (x)"), "sum by (\"a.b\", c) (x)");
    for (input, named) in [
        ("limitk(1, x)", "the aggregation limitk"),
        ("x + fill(0) y", "the modifier fill"),
        ("x[5m] anchored", "the modifier anchored"),
    ] {
        assert_eq!(refused(input), format!("{named} is not supported"));
    }
}

#[test]
fn texts_numbers_and_durations_are_printed_as_go_prints_them() {
    for (input, printed) in [
        (r#""\a\b\f\n\r\t\v\\\"\x00\x7f""#, r#""\a\b\f\n\r\t\v\\\"\x00\x7f""#),
        ("'é \u{a0}\u{200b}🦅'", "\"é \\u00a0\\u200b🦅\""),
        ("\"e\u{301}\"", "\"e\u{301}\""),
        ("1e6", "1e+06"),
        ("123456", "123456"),
        ("0.0001", "0.0001"),
        ("0.00001", "1e-05"),
        ("-0", "-0"),
        ("Inf", "+Inf"),
        ("-inf", "-Inf"),
        ("x[90d]", "x[90d]"),
        ("x[14d]", "x[2w]"),
        ("x[365d]", "x[1y]"),
        ("x[3661001ms]", "x[1h1m1s1ms]"),
        ("x @ 1.0005", "x @ 1.001"),
    ] {
        assert_eq!(shown(input), printed, "{input}");
    }
}

#[test]
fn what_changes_the_sense_stays() {
    let text = "a * ignoring () group_left (b) c";
    assert_eq!(shown(text), text);
    assert_eq!(shown("a * on () c"), "a * on () c");
    assert_eq!(shown("a * ignoring () c"), "a * c");
    assert_eq!(shown("sum without () (c)"), "sum without () (c)");
    assert_eq!(shown("sum by () (c)"), "sum(c)");
}

const WORDS: &[&str] = &[
    "a",
    "sum",
    "by",
    "(",
    ")",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    "[5m]",
    "[5m:]",
    ",",
    "+",
    "-",
    "*",
    "^",
    "==",
    "bool",
    "on",
    "group_left",
    "offset",
    "1m",
    "@",
    "start()",
    "1",
    "0x",
    "1e",
    "'t'",
    "\"\\xff\"",
    "`",
    "\"",
    "\\",
    "#",
    "\n",
    "=",
    "=~",
    "!~",
    "é",
    "🦅",
    ":",
    "rate",
    "atan2",
    "NaN",
    "or",
    "\u{0}",
    "99999999999999999999",
    "y",
    "ms",
    "..",
    "\u{fffd}",
];

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}") {
        let _ = parse(&text);
    }

    /// What is printed is read as what was printed.
    #[test]
    fn no_sequence_of_words_panics(
        words in prop::collection::vec(prop::sample::select(WORDS), 0..60),
        gap in prop::sample::select(vec!["", " "]),
    ) {
        let text = words.join(gap);
        if let Ok(tree) = parse(&text) {
            let printed = pretty(&tree);
            prop_assert_eq!(&shown(&printed), &printed, "{}", text);
        }
    }
}
