//! What a file says of resources in parts, and of what fails on their host.

use super::{HEAD, Played, parse, played, played_from, shown};

/// Sizes that differ in price, and a disk at 0.01 a GiB and hour.
fn sized() -> String {
    HEAD.replace("price_books:", "flavors: {small: {vcpus: 1}, large: {vcpus: 2}}\nprice_books:")
        .replace(
            "tenants:",
            "      - {id: large, component: instance.compute, where: {flavor: large}, price: \"0.72\"}\n      \
             - {id: disk, component: instance.disk, price: \"0.01\"}\ntenants:",
        )
}

fn goes(all: Vec<Played>) {
    for played in all {
        assert_eq!(shown(&played.differences), [""; 0], "{:#}", played.report["lines"]);
    }
}

/// An hour small and one large, both with 10 GiB.
#[tokio::test]
async fn attributes_that_a_fact_does_not_give_stay_as_they_are() {
    let tail = r#"
steps:
- {at: "10:00", fact: {resource: web-1, state: running, attributes: {disk_gib: 10}}}
- {at: "11:00", fact: {resource: web-1, state: running, attributes: {flavor: large}}}
- {at: "12:00", fact: {resource: web-1, state: absent}}
expect: {sums: {acme/web-1/instance.compute: "1.08", acme/web-1/instance.disk: "0.2"}}
"#;
    goes(played_from(&sized(), tail).await);
    // Of other kinds as well: 1 h at 30 GiB, 1 h at 30 GiB in the north at twice the price.
    let head = HEAD
        .replace("{tenant: acme}}", "{tenant: acme, kind: volume, attributes: {gib: 20}}}")
        .replace(
            "tenants:",
            "      - {id: v, component: volume.capacity, price: \"0.01\"}\n      \
             - {id: n, component: volume.capacity, where: {region: north}, price: \"0.02\"}\ntenants:",
        );
    let tail = r#"
steps:
- {at: "10:00", fact: {resource: web-1, state: available, attributes: {gib: 30}}}
- {at: "11:00", fact: {resource: web-1, state: available, attributes: {region: north}}}
- {at: "12:00", fact: {resource: web-1, state: deleted}}
expect: {sums: {acme: "0.9"}}
"#;
    goes(played_from(&head, tail).await);
}

/// It was large before the gap and after it: four hours at 0.72, and no other price to choose.
#[tokio::test]
async fn what_is_seen_after_a_gap_has_the_attributes_of_before_it() {
    let tail = r#"
steps:
- {at: "10:00", fact: {resource: web-1, state: running, attributes: {flavor: large}}}
- {at: "13:00", lost: {resource: web-1, from: "11:00", to: "13:00", after: {state: running}}}
- {at: "14:00", fact: {resource: web-1, state: absent}}
expect: {sums: {acme: "2.88"}}
"#;
    goes(played_from(&sized(), tail).await);
}

/// Small until 11:30, as is confirmed; large from there on, with 5 GiB for the last hour.
#[tokio::test]
async fn what_was_seen_after_a_gap_goes_on() {
    let tail = r#"
steps:
- {at: "10:00", fact: {resource: web-1, state: running}}
- {at: "12:00", lost: {resource: web-1, from: "11:00", to: "12:00", after: {state: running, attributes: {flavor: large}}}}
- {at: "13:00", fact: {resource: web-1, state: running, attributes: {disk_gib: 5}}}
- {at: "14:00", fact: {resource: web-1, state: absent}}
- {at: "14:10", expect: {sums: {acme/web-1/instance.compute: "2.16", acme/web-1/instance.disk: "0.05"}}}
- {at: "14:30", confirm: {resource: web-1, state: running, changed: "11:30"}}
expect: {sums: {acme/web-1/instance.compute: "2.34"}}
"#;
    goes(played_from(&sized(), tail).await);
}

/// Its host sees it stopped at 12:00, so that it needs no stop at 12:10, and ten minutes to start.
#[tokio::test]
async fn a_host_knows_what_was_seen_after_a_gap() {
    let tail = r#"
host: {stop_after: 1h, start_after: 10m}
settings: {grace: 24h, warnings: []}
steps:
- {at: "10:00", fact: {resource: web-1, state: running}}
- {at: "12:00", lost: {resource: web-1, from: "11:00", to: "12:00", after: {state: stopped}}}
- {at: "12:10", want: {resource: web-1, power: stopped}}
- {at: "12:20", want: {resource: web-1, power: running}}
- {at: "13:30", fact: {resource: web-1, state: absent}}
expect:
  sums: {acme: "0.72"}
  lines_include: [{from: "12:30", net: "0.18"}]
"#;
    goes(played(tail).await);
}

/// 10 GiB to 10:30, 20 to 11:00, then a large one with 10 as it was told first.
#[tokio::test]
async fn what_is_told_late_or_again_changes_nothing_that_was_told() {
    let tail = r#"
settings: {grace: 24h, warnings: []}
steps:
- {at: "10:00", fact: {resource: web-1, state: running, ordinal: 1, id: boot, attributes: {disk_gib: 10}}}
- {at: "11:00", fact: {resource: web-1, state: running, ordinal: 3, attributes: {flavor: large}}}
- {at: "11:30", fact: {resource: web-1, state: running, ordinal: 2, at: "10:30", attributes: {disk_gib: 20}}}
- {at: "12:00", fact: {resource: web-1, state: running, ordinal: 4}}
- {at: "12:30", fact: {resource: web-1, state: running, ordinal: 1, id: boot, at: "10:00", attributes: {disk_gib: 10}}}
- {at: "12:30", fact: {resource: web-1, state: running, ordinal: 1, id: boot, at: "10:00", attributes: {disk_gib: 11}}, refused: conflict}
- {at: "13:00", fact: {resource: web-1, state: absent, ordinal: 5}}
expect: {sums: {acme/web-1/instance.compute: "1.8", acme/web-1/instance.disk: "0.35"}}
"#;
    goes(played_from(&sized(), tail).await);
}

#[tokio::test]
async fn what_is_put_aside_or_waits_stands_when_it_counts() {
    // Half an hour small, 90 minutes large, an hour with 10 GiB.
    let aside = r#"
steps:
- {at: "10:00", fact: {resource: web-1, state: running}}
- {at: "10:00", fact: {resource: web-1, state: running, at: "10:30", id: ahead, quarantined: true, attributes: {flavor: large}}}
- {at: "10:40", rule: {fact: ahead, ruling: take, at: "10:30"}}
- {at: "11:00", fact: {resource: web-1, state: running, attributes: {disk_gib: 10}}}
- {at: "12:00", fact: {resource: web-1, state: absent}}
expect: {sums: {acme/web-1/instance.compute: "1.26", acme/web-1/instance.disk: "0.1"}}
"#;
    goes(played_from(&sized(), aside).await);
    // 70 minutes small, two hours large, an hour with 10 GiB.
    let waits = r#"
settings: {grace: 24h, warnings: []}
steps:
- {at: "10:00", fact: {resource: web-1, state: running, ordinal: 1}}
- {at: "11:00", fact: {resource: web-1, state: stopped, at: "10:20", ordinal: 1, id: odd, parked: true, attributes: {disk_gib: 99}}}
- {at: "11:10", fact: {resource: web-1, state: running, ordinal: 2, parked: true, attributes: {flavor: large}}}
- {at: "11:20", rule: {fact: odd, ruling: drop}}
- {at: "12:10", fact: {resource: web-1, state: running, ordinal: 3, attributes: {disk_gib: 10}}}
- {at: "13:10", fact: {resource: web-1, state: absent, ordinal: 4}}
expect: {sums: {acme/web-1/instance.compute: "1.86", acme/web-1/instance.disk: "0.1"}}
"#;
    goes(played_from(&sized(), waits).await);
}

/// A large one burns 0.72; with a GiB more it is 0.73.
#[tokio::test]
async fn a_resize_is_asked_for_from_what_it_is_now() {
    let tail = r#"
settings: {min_runway: 1h, warnings: []}
steps:
- {at: "10:00", recharge: {tenant: acme, amount: "0.72"}}
- {at: "10:00", fact: {resource: web-1, state: running, attributes: {flavor: large}}}
- {at: "10:00", admit: {resource: web-1, attributes: {disk_gib: 1}}, refused: payment_required}
- {at: "10:00", recharge: {tenant: acme, amount: "0.01"}}
- {at: "10:00", admit: {resource: web-1, attributes: {disk_gib: 1}}}
"#;
    goes(played_from(&sized(), tail).await);
}

/// Of 10 s each two stops fail: 10:30:10, after a second 10:30:21, after two more 10:30:33. The start
/// is tried for the last time at 11:30. The next stop fails no more.
#[tokio::test]
async fn what_fails_is_tried_again_as_an_agent_does() {
    let tail = r#"
end: "11:50"
host:
  stop_after: 10s
  fail: [{resource: web-1, action: stop, times: 2}, {resource: web-1, action: start, until: "11:30"}]
settings: {grace: 24h, warnings: []}
steps:
- {at: "10:00", fact: {resource: web-1, state: running}}
- {at: "10:30", want: {resource: web-1, power: stopped}}
- {at: "11:00", want: {resource: web-1, power: running}}
- {at: "11:40", want: {resource: web-1, power: stopped}}
expect:
  # 1,833 s and 610 s at 0.0001.
  sums: {acme: "0.2443"}
  lines_include:
  - {from: "10:00", to: "10:30:33", net: "0.1833"}
  - {from: "11:30", to: "11:40:10"}
"#;
    goes(played(tail).await);
}

#[test]
fn a_failure_says_how_often_or_until_when() {
    for (what, path, words) in [
        ("", "", "either the instant until which it fails, or how many times"),
        (", until: \"10:00\", times: 1", "", "either the instant"),
        (", times: 0", ".times", "1 to 1000 times"),
        (", times: 1001", ".times", "1 to 1000 times"),
    ] {
        let host = format!("host: {{fail: [{{resource: web-1, action: stop{what}}}]}}\n");
        let error = parse(&format!("{HEAD}{host}steps: []\n")).unwrap_err();
        assert_eq!(error.path, format!("host.fail[0]{path}"), "{error}");
        assert!(error.message.contains(words), "{error}");
    }
}
