use base::{ErrorKind, time::Timestamp};
use identity::Actor;

use super::*;

const GROUP: &str = r#"
groups:
- name: guests        # kept as it was written
  interval: 30s
  limit: 10
  rules:
  - record: instance:cpu:rate1m
    expr: rate(libvirt_domain_info_cpu_time_seconds_total[1m])
    labels: { from: rule }
  - alert: GuestCpuHigh
    expr: instance:cpu:rate1m > 0.8
    for: 1m30s
    keep_firing_for: 2m
    labels: { severity: warning, value: "{{ $value }}" }
    annotations:
      summary: "{{ $labels.domain }} uses {{ humanizePercentage $value }}"
"#;

#[test]
fn a_group_is_read() {
    let parsed = parse::one("guests", GROUP).unwrap();
    assert_eq!(parsed.yaml, GROUP);
    let group = parsed.group;
    assert_eq!((group.interval_ms, group.limit()), (Some(30_000), 10));
    assert_eq!(group.rules[0].key, r#"record:instance:cpu:rate1m{"from":"rule"}#0"#);
    let Kind::Alert(alert) = &group.rules[1].kind else { panic!("an alert") };
    assert_eq!((alert.timing.for_ms, alert.timing.keep_firing_for_ms), (90_000, 120_000));
    assert!(group.rules[1].labels["value"].source.contains("$value"));
}

#[test]
fn equal_rules_have_keys_of_their_own() {
    let yaml = "groups: [{name: g, rules: [{alert: A, expr: x}, {alert: A, expr: y}]}]";
    let group = parse::one("g", yaml).unwrap().group;
    assert_eq!([&group.rules[0].key, &group.rules[1].key], ["alert:A{}#0", "alert:A{}#1"]);
}

/// What is wrong is named: group, rule, field.
#[test]
fn an_error_names_its_place() {
    let rule = |text: &str| format!("groups: [{{name: g, rules: [{{{text}}}]}}]");
    for (yaml, field, message) in [
        ("- x".to_owned(), "groups", "rules: groups: must be a map of fields"),
        ("groups: 1".to_owned(), "groups", "rules: groups: a rules file has a list of groups"),
        ("groups: [".to_owned(), "yaml", "rules: yaml: this is not YAML"),
        ("groups: [{rules: []}]".to_owned(), "name", "group 1: name: must be there, as text"),
        (
            "groups: [{name: g}, {name: g}]".to_owned(),
            "name",
            "group 'g': name: is there twice in the same file",
        ),
        (
            "groups: [{name: g, query_offset: 1m}]".to_owned(),
            "query_offset",
            "group 'g': query_offset: is not a field here; there are name, interval, limit, rules",
        ),
        (
            "groups: [{name: g, interval: soon}]".to_owned(),
            "interval",
            "group 'g': interval: 'soon' is no duration; write 30s, 5m or 1h30m",
        ),
        (rule("expr: x"), "alert", "group 'g', rule 1: alert: is missing, and 'record' too"),
        (rule("alert: A, record: a, expr: x"), "alert", "group 'g', rule 1: alert: stands beside"),
        (rule("alert: A"), "expr", "group 'g', rule 1 'A': expr: must be there, as text"),
        (
            rule("alert: A, expr: bad("),
            "expr",
            "group 'g', rule 1 'A': expr: the expression can't be parsed: unclosed",
        ),
        (rule("alert: A, expr: x, for: 5 minutes"), "for", "group 'g', rule 1 'A': for: '5 min"),
        (rule("record: a, expr: x, for: 5m"), "for", "group 'g', rule 1 'a': for: is not a field"),
        (rule("record: a-b, expr: x"), "record", "group 'g', rule 1 'a-b': record: is no metric"),
        (
            rule("alert: A, expr: x, labels: {a-b: c}"),
            "labels.a-b",
            "group 'g', rule 1 'A': labels.a-b: is no label name",
        ),
        (
            rule("alert: A, expr: x, labels: {a: [b]}"),
            "labels.a",
            "group 'g', rule 1 'A': labels.a: must be text",
        ),
        (
            rule("alert: A, expr: x, annotations: {s: '{{ query }}'}"),
            "annotations.s",
            "group 'g', rule 1 'A': annotations.s: '{{ query }}' is not understood",
        ),
    ] {
        let error = parse::file(&yaml).unwrap_err();
        assert_eq!(
            (error.kind, error.field.as_deref()),
            (ErrorKind::Invalid, Some(field)),
            "{yaml}"
        );
        assert!(error.message.starts_with(message), "{}", error.message);
    }
    let error = parse::one("other", GROUP).unwrap_err();
    assert!(error.message.contains("called 'guests', not 'other'"), "{error}");
}

#[test]
fn durations_are_prometheus_durations() {
    for (text, ms) in [
        ("0", Some(0)),
        ("5m", Some(300_000)),
        ("1h30m", Some(5_400_000)),
        ("1d12h", Some(129_600_000)),
        ("1m500ms", Some(60_500)),
        ("", None),
        ("5", None),
        ("m", None),
        ("1m1h", None),
        ("1m1m", None),
        ("5 m", None),
        ("99999999999y", None),
    ] {
        assert_eq!(parse_duration_ms(text), ms, "{text}");
        if let Some(ms) = ms.filter(|ms| *ms > 0) {
            assert_eq!(parse_duration_ms(&format_duration(ms)), Some(ms));
        }
    }
}

#[tokio::test]
async fn groups_are_put_replaced_and_deleted() {
    let actor = Actor::system("test");
    let now = Timestamp::from_ms(1_000);
    for test in base::db::testing::each().await {
        let mut tx = test.db.begin_write().await.unwrap();
        let conn = &mut *tx;
        let put = async |conn: &mut base::db::Conn, yaml: &str| {
            store::put(conn, now, &actor, "guests", yaml).await
        };
        assert_eq!(put(conn, GROUP).await.unwrap(), store::Put::Created);
        assert_eq!(put(conn, GROUP).await.unwrap(), store::Put::Unchanged);
        let first = store::get(conn, "guests").await.unwrap();
        let other = GROUP.replace("0.8", "0.9");
        assert_eq!(put(conn, &other).await.unwrap(), store::Put::Changed);
        let second = store::get(conn, "guests").await.unwrap();
        assert!(second.version > first.version && second.yaml == other);
        assert_eq!(put(conn, "groups: []").await.unwrap_err().field.as_deref(), Some("groups"));
        store::delete(conn, now, &actor, "guests").await.unwrap();
        let error = store::delete(conn, now, &actor, "guests").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
        let trail = identity::audit::list(conn, None, 10).await.unwrap();
        let actions: Vec<&str> = trail.iter().map(|e| e.action.as_str()).collect();
        assert_eq!(actions, ["rule_group.delete", "rule_group.put", "rule_group.put"]);
    }
}

#[tokio::test]
async fn files_bring_groups_that_the_api_leaves_alone() {
    let actor = Actor::system("test");
    let now = Timestamp::from_ms(1_000);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("rules.yml");
    let two = "groups:\n- name: a\n  rules: []\n- name: b\n  rules: [{alert: B, expr: b}]\n";
    for test in base::db::testing::each().await {
        let mut tx = test.db.begin_write().await.unwrap();
        let conn = &mut *tx;
        store::put(conn, now, &actor, "guests", GROUP).await.unwrap();
        std::fs::write(&file, two).unwrap();
        store::load_files(conn, now, &[&file]).await.unwrap();
        let names = async |conn: &mut base::db::Conn| -> Vec<String> {
            store::list(conn, "", 10).await.unwrap().into_iter().map(|s| s.name).collect()
        };
        assert_eq!(names(conn).await, ["a", "b", "guests"]);
        let b = store::get(conn, "b").await.unwrap();
        assert_eq!(parse::one("b", &b.yaml).unwrap().group.rules[0].name(), "B");
        let error = store::delete(conn, now, &actor, "b").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict);
        assert!(error.message.contains("rules.yml"), "{error}");

        // What the files say no more goes, what the API put stays.
        std::fs::write(&file, "groups:\n- name: a\n  rules: []\n").unwrap();
        store::load_files(conn, now, &[&file]).await.unwrap();
        assert_eq!(names(conn).await, ["a", "guests"]);

        std::fs::write(&file, "groups: [{name: guests}]").unwrap();
        let error = store::load_files(conn, now, &[&file]).await.unwrap_err();
        assert!(error.message.contains("rules.yml: group 'guests' was put through"), "{error}");
        std::fs::write(&file, "groups: [{name: a, x: 1}]").unwrap();
        let error = store::load_files(conn, now, &[&file]).await.unwrap_err();
        assert!(error.message.contains("rules.yml: group 'a': x:"), "{error}");
    }
}
