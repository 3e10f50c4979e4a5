use super::*;

#[test]
fn a_reason_says_something_and_not_too_much() {
    assert_eq!(reason(" a contract\n").unwrap(), "a contract");
    assert_eq!(reason(&"价".repeat(REASON_MAX_CHARS)).unwrap().chars().count(), REASON_MAX_CHARS);
    for bad in ["", " \t\n", "a\0b", &"x".repeat(REASON_MAX_CHARS + 1)] {
        let error = reason(bad).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("reason"), "{bad:?}");
        assert_eq!(error.message, "reason has 1 to 200 characters");
    }
    bounded("memo", "", 0, 1).unwrap();
    assert_eq!(bounded("memo", "ab", 0, 1).unwrap_err().message, "memo has at most 1 characters");
}
