use super::*;

#[test]
fn a_regex_matches_the_whole_value_and_a_missing_label_is_empty() {
    let labels = Labels::metric("up", &[("job", "node")]);
    let regex = |p: &str| Matcher::regex("job", p).unwrap();
    assert!(regex("no.e").matches_labels(&labels));
    assert!(!regex("nod").matches_labels(&labels));
    assert!(regex("a|node").matches_labels(&labels));
    assert!(!Matcher::not_regex("job", "n.*").unwrap().matches_labels(&labels));
    assert!(Matcher::equal("gone", "").matches_labels(&labels));
    assert!(Matcher::regex("gone", ".*").unwrap().matches_labels(&labels));
    assert!(!Matcher::regex("gone", ".+").unwrap().matches_labels(&labels));
    assert!(Matcher::not_equal("job", "x").matches_labels(&labels));
}

#[test]
fn classes_are_ascii_as_in_re2() {
    assert!(Matcher::regex("a", r"\d+[\w-]\d").unwrap().matches("12-3"));
    assert!(!Matcher::regex("a", r"\d").unwrap().matches("٣"));
    assert!(!Matcher::regex("a", r"\w").unwrap().matches("é"));
    assert!(Matcher::regex("a", "[[:alpha:][&]+").unwrap().matches("x[&"));
    assert!(!Matcher::regex("a", "[a&&b]").unwrap().matches("&&"));
    assert!(Matcher::regex("a", "[a&&b]").unwrap().matches("&"));
}

#[test]
fn a_bad_or_huge_pattern_is_named() {
    let error = Matcher::regex("a", "(").unwrap_err().to_string();
    assert!(error.contains("\"(\""), "{error}");
    assert!(Matcher::regex("a", "((a{100}){100}){100}").is_err());
}

#[test]
fn patterns_mean_what_they_mean_in_go() {
    let matching = [
        (r"a{,2}", "a{,2}"),
        (r"x\<y\>", "x<y>"),
        (r"\Qa.*\E+", "a.**"),
        (r"a(?i){2}", "aa"),
        (r"[]a]+", "]a"),
        (r"[a-c-]+", "b-"),
        (r"[[:^alpha:]\d]+", "1-"),
        (r"\x{1F985}\101", "\u{1f985}A"),
        (r"\p{Greek}\pL\p{^Lu}", "αaa"),
        (r"(?i:AB)c", "abc"),
        (r"(?s).", "\n"),
        (r"{a}", "{a}"),
        (r"a|", ""),
        (r"\bab\B.*", "abc"),
    ];
    for (pattern, value) in matching {
        let matcher = Matcher::regex("a", pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"));
        assert!(matcher.matches(value), "{pattern} {value:?}");
    }
    for (pattern, value) in [(r"\<a", "a"), (r".", "\n"), (r"[\W]", "a"), (r"\d", "٣")] {
        assert!(!Matcher::regex("a", pattern).unwrap().matches(value), "{pattern} {value:?}");
    }
}

#[test]
fn what_go_refuses_is_refused() {
    for pattern in [
        r"a**",
        r"+",
        r"a{2}{3}",
        r"a{1001}",
        r"(a{50}){50}",
        r"a{3,2}",
        r"(?<n>a)",
        r"(?P<>a)",
        r"(?x)a",
        r"(?i-)a",
        r"[b-a]",
        r"[a-\d]",
        r"[[:word",
        r"[[:nope:]]",
        r"\Z",
        r"\C",
        r"\8",
        r"\1",
        r"\h",
        r"\u0041",
        r"\x{110000}",
        r"\x4",
        r"\p{greek}",
        r"\pX",
        r"a)(b",
        r"(",
        "a\\",
        r"\é",
        r"(?P<n>a)(?P<n>b)",
    ] {
        assert!(Matcher::regex("a", pattern).is_err(), "{pattern}");
    }
}

proptest::proptest! {
    #[test]
    fn no_pattern_panics(pattern in ".{0,40}", pieces in "[a()\\[\\]{}^$|?*+.\\\\dpQEx:,1-9-]{0,40}") {
        let _ = Matcher::regex("a", pattern);
        let _ = anchored(&pieces);
    }
}

#[test]
fn a_prefix_is_of_every_value_that_matches() {
    let cases = [
        ("guest-77.*", "guest-77"),
        ("guest-7?", "guest-"),
        ("é*", ""),
        ("ab{0}c", "a"),
        ("ab+", "a"),
        ("a|b", ""),
        ("ab(c|d)", ""),
        ("(?i)ab", ""),
        ("a.b", "a"),
        ("a\\.b", "a"),
        ("[ab]c", ""),
        ("^ab", ""),
        ("ab$", "ab"),
        ("ab(?i)?", "a"),
        ("ab\\Q\\E*", "a"),
        ("ab(?)*", "a"),
        ("ab", "ab"),
        ("", ""),
    ];
    let values = ["", "a", "ab", "ac", "b", "c", "é", "abb", "guest-", "guest-7", "guest-77", "AB"];
    for (pattern, prefix) in cases {
        let matcher = Matcher::regex("l", pattern).unwrap();
        assert_eq!(matcher.prefix(), prefix, "{pattern}");
        for value in values.iter().filter(|value| matcher.matches(value)) {
            assert!(value.starts_with(prefix), "{pattern} matches {value}");
        }
        assert_eq!(Matcher::not_regex("l", pattern).unwrap().prefix(), "");
    }
}
