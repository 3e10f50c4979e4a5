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
