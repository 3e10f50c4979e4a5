use super::*;

fn labels(all: &[(&str, &str)]) -> Labels {
    all.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn what_no_fact_could_carry_is_named_with_the_way_out() {
    let long = "x".repeat(63);
    for sound in [
        &[][..],
        &[("team", "web")],
        &[("example.com/cost-centre_2", "研发 = \"a\", b")],
        &[("7", "-")],
        &[(long.as_str(), long.as_str())],
    ] {
        check_labels(&labels(sound)).unwrap();
    }
    let longer = "x".repeat(64);
    for key in ["", "Team", "team ", "-team", "team-", "te=am", "te,am", "团队", "a\nb", &longer]
    {
        let error = check_labels(&labels(&[("tier", "gold"), (key, "web")])).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("labels"), "{key:?}");
        assert!(error.message.contains(&format!("'{key}'")), "{error}");
        assert!(error.remedy.unwrap().contains("such as team"));
    }
    // Of three bytes each.
    for value in ["", "a\nb", "\0", &longer, &"研".repeat(22)] {
        let error = check_labels(&labels(&[("tier", "gold"), ("team", value)])).unwrap_err();
        assert!(error.message.contains("'team'") && error.remedy.is_some(), "{value:?}: {error}");
    }
    let many: Labels = (0..17).map(|n| (format!("k{n}"), "v".to_owned())).collect();
    let error = check_labels(&many).unwrap_err();
    assert!(error.message.contains("17") && error.message.contains("16"), "{error}");
}

#[test]
fn a_change_sets_and_takes_out_and_leaves_the_others() {
    let before = labels(&[("team", "blue"), ("tier", "gold"), ("env", "test")]);
    let change: LabelChange = [("team", Some("red")), ("tier", None), ("none", None)]
        .map(|(key, value)| (key.to_owned(), value.map(str::to_owned)))
        .into();
    let after = changed_labels(&before, &change).unwrap();
    assert_eq!(after, labels(&[("team", "red"), ("env", "test")]));
    let wrong: LabelChange = [("Team".to_owned(), Some("x".to_owned()))].into();
    assert!(changed_labels(&before, &wrong).is_err());
}
