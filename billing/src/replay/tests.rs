//! The format's errors, and small files played on both databases.

use async_trait::async_trait;
use base::{
    ErrorKind, Result,
    db::{Db, testing::each_empty},
    id::NoticeId,
    time::Timestamp,
};

use super::{Deliveries, Difference, Played, open_empty, parse, play};

mod ends;
mod money;
mod told;
mod wrong;

struct Nobody;

#[async_trait]
impl Deliveries for Nobody {
    async fn route(&self, _: &Db, _: Timestamp) -> Result<Vec<(NoticeId, Vec<String>)>> {
        Ok(Vec::new())
    }
}

const HEAD: &str = r#"
opshawk_replay: 1
start: "2026-10-15T09:00:00+08:00"
price_books:
  standard:
    versions:
    - from: "00:00"
      rates:
      - {id: small, component: instance.compute, where: {flavor: small}, price: "0.36"}
tenants: {acme: {book: standard}}
resources: {web-1: {tenant: acme}}
"#;

async fn played(tail: &str) -> Vec<Played> {
    played_from(HEAD, tail).await
}

async fn played_from(head: &str, tail: &str) -> Vec<Played> {
    let text = format!("{head}{tail}");
    let file = parse(&text).unwrap_or_else(|e| panic!("{e}"));
    let mut all = Vec::new();
    for place in each_empty().await {
        let db = open_empty(&place.url).await.unwrap();
        all.push(play(&db, &file, &Nobody).await.unwrap());
        db.close().await;
    }
    all
}

fn shown(differences: &[Difference]) -> Vec<String> {
    differences.iter().map(ToString::to_string).collect()
}

#[test]
fn an_unreadable_file_names_the_key_the_line_and_the_way_out() {
    for (tail, path, line, words) in [
        ("steps: []\nextra: 1\n", "extra", 13, "unknown; here are: about, currency, end"),
        ("", "", 2, "'steps' is missing"),
        ("steps:\n- at: \"10:00\"\n", "steps[0]", 13, "one of fact, lost, confirm"),
        (
            "steps:\n- {at: \"10:00\", recharge: {tenant: acme, amount: 1.5}}\n",
            "steps[0].recharge.amount",
            13,
            "in quotes, such as \"12.50\"",
        ),
        (
            "steps:\n- {at: \"10:00\", recharge: {tenant: beta, amount: \"1\"}}\n",
            "steps[0].recharge.tenant",
            13,
            "'beta' does not stand in tenants (acme)",
        ),
        (
            "steps:\n- at: \"10:00\"\n  recharge:\n    tenant: acme\n    amount: \"0.1234567\"\n",
            "steps[0].recharge.amount",
            16,
            "at most 6 decimals",
        ),
        (
            "steps:\n- {at: \"10:00\", fact: {resource: web-1, state: on}}\n",
            "steps[0].fact.state",
            13,
            "'on' is not one of running, paused, stopped, absent",
        ),
        (
            "steps:\n- {at: \"10:00\", close: {tenant: acme, month: October}}\n",
            "steps[0].close.month",
            13,
            "not a month",
        ),
        (
            "steps:\n- {at: \"10:00\", rating: up}\n- {at: \"09:59\", rating: up}\n",
            "steps[1].at",
            14,
            "order of their instants",
        ),
        ("steps:\n- {at: \"10h\", rating: up}\n", "steps[0].at", 13, "an instant is RFC 3339"),
        (
            "steps: []\nsettings: {grace: 2h, warnings: [7d, 0s]}\n",
            "settings.warnings",
            13,
            "each of more than no time",
        ),
        ("steps: []\nsettings: {grace: 2}\n", "settings.grace", 13, "text was expected"),
        (
            "steps: []\nexpect: {lines: [{net: \"1\", measure: 1}]}\n",
            "expect.lines[0].measure",
            13,
            "not supported yet",
        ),
        (
            "steps: []\nexpect: {ledger: {acme: {sales: \"1\"}}}\n",
            "expect.ledger.acme.sales",
            13,
            "",
        ),
        ("steps: []\nend: \"08:00\"\n", "end", 13, "before the last step"),
    ] {
        let error = parse(&format!("{HEAD}{tail}")).unwrap_err();
        assert_eq!((error.path.as_str(), error.line), (path, Some(line)), "{tail}: {error}");
        assert!(error.message.contains(words), "{tail}: {error}");
    }
    let tax = HEAD.replace("from: \"00:00\"", "from: \"00:00\"\n      tax: {mode: above}");
    let error = parse(&tax).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 8: price_books.standard.versions[0].tax.mode: 'above' is not one of included, on_top"
    );
    let error = parse("a: [1,").unwrap_err();
    assert!(error.line.is_some() && error.message.contains("not YAML"), "{error}");
    assert!(parse("a: 1\na: 2\n").is_err());
    assert!(parse("opshawk_replay: 2\n").unwrap_err().message.contains("reads format 1"));
}

#[tokio::test]
async fn what_is_as_expected_differs_nowhere_and_a_wrong_figure_does() {
    let steps = r#"
end: "11:30"
steps:
- {at: "10:00", recharge: {tenant: acme, amount: "10", provider: bank, id: r1}}
- {at: "10:00", fact: {resource: web-1, state: running}}
- {at: "10:25", fact: {resource: web-1, state: absent}}
expect:
  lines: [{from: "10:00", to: "10:25", net: "0.15", component: instance.compute}]
  ledger: {acme: {cash: "9.85", revenue: "0.15", payments: "-10", receivable: "0"}}
"#;
    for played in played(steps).await {
        assert_eq!(shown(&played.differences), [""; 0]);
        assert_eq!(played.report["zero"], true);
    }
    for played in played(&steps.replace("0.15\", component", "0.16\", component")).await {
        assert_eq!(
            shown(&played.differences),
            ["expect.lines[0].net: \"0.160000\" was expected, but it is \"0.150000\""]
        );
    }
}

#[tokio::test]
async fn a_refusal_must_be_told_and_only_where_it_is_one() {
    let steps = r#"
steps:
- {at: "10:00", recharge: {tenant: acme, amount: "10", id: r1}, repeat: 2}
- {at: "10:01", recharge: {tenant: acme, amount: "11", id: r1}}
- {at: "10:02", recharge: {tenant: acme, amount: "10", id: r1}, refused: conflict}
- {at: "10:03", fact: {resource: web-1, state: running, at: "10:09", quarantined: false}}
- {at: "10:04", lock: {resource: web-1, locked: true}}
expect: {transactions: {acme: 1}}
"#;
    for played in played(steps).await {
        let all = shown(&played.differences);
        assert_eq!(all.len(), 3, "{all:?}");
        assert!(all[0].starts_with("steps[1]: taken was expected"), "{all:?}");
        assert!(all[0].contains("refused as conflict: this top-up was posted already"), "{all:?}");
        assert_eq!(all[1], "steps[2]: refused: conflict was expected, but it is taken");
        assert!(all[2].starts_with("steps[3].fact.quarantined: false was"), "{all:?}");
    }
}

/// The server's clock goes back: nothing is posted twice, and the host's facts are right.
#[tokio::test]
async fn the_servers_clock_may_jump() {
    let steps = r#"
end: "13:05"
steps:
- {at: "10:00", fact: {resource: web-1, state: running}}
- {at: "11:30", clock: {by: "-1h"}}
- {at: "12:30", clock: {by: 1h}}
expect: {sums: {acme: "1.08"}, transactions: {acme: 3}}
"#;
    for played in played(steps).await {
        assert_eq!(shown(&played.differences), [""; 0]);
    }
}

/// Acme has nothing, so that its instance is to be stopped at once; before that is done it is
/// beta's, who has credit.
#[tokio::test]
async fn a_moved_instance_is_out_of_reach_of_the_first_tenants_cut_off() {
    let steps = r#"
end: "12:05"
settings: {grace: 0s, suspend_to_stop: 0s, warnings: []}
host: {stop_after: 1h}
steps:
- {at: "10:00", fact: {resource: web-1, state: running}}
- {at: "10:30", fact: {resource: web-1, state: running, tenant: beta}}
- {at: "10:40", want: {resource: web-1, power: stopped}, refused: conflict}
expect:
  actions: [{tenant: acme, resource: web-1, action: stop, state: dropped, at: "10:00"}]
  sums: {acme: "0.18", beta: "0.54", beta/web-1/instance.compute: "0.54"}
"#;
    let two = HEAD.replace(
        "{acme: {book: standard}}",
        "{acme: {book: standard}, beta: {book: standard, credit_limit: \"100\"}}",
    );
    for played in played_from(&two, steps).await {
        assert_eq!(shown(&played.differences), [""; 0]);
    }
}

/// A book of its own from 11:00, an override from 12:00 to 13:00, and a price of the past corrected.
#[tokio::test]
async fn a_tenant_has_prices_of_its_own() {
    let steps = r#"
end: "14:05"
steps:
- {at: "10:00", fact: {resource: web-1, state: running}}
- {at: "10:30", assign: {tenant: acme, book: own, from: "11:00"}}
- at: "11:30"
  override:
    tenant: acme
    from: "12:00"
    to: "13:00"
    reason: a pilot
    rates: [{id: pilot, component: instance.compute, where: {flavor: small}, price: "0.06"}]
- at: "13:30"
  publish:
    book: standard
    from: "10:30"
    rates: [{id: small, component: instance.compute, price: "0.72"}]
  refused: invalid
- at: "13:30"
  publish:
    book: standard
    from: "10:30"
    correction: a typing error
    rates: [{id: small, component: instance.compute, price: "0.72"}]
- at: "13:40"
  override:
    tenant: acme
    from: "11:30"
    reason: too late
    rates: [{id: pilot, component: instance.compute, price: "0.06"}]
  refused: invalid
expect:
  # 0.18 + 0.36, 0.12, 0.06, 0.12.
  sums: {acme: "0.84"}
  lines_include:
  - {from: "10:30", to: "11:00", net: "0.36", kind: adjustment, version: standard@2}
  - {from: "11:00", to: "12:00", net: "0.12", version: own@1}
  - {from: "12:00", to: "13:00", net: "0.06", version: overrides@1}
"#;
    let own = "price_books:\n  own:\n    tenant: acme\n    versions:\n    - from: \"00:00\"\n      \
               rates: [{id: small, component: instance.compute, price: \"0.12\"}]\n";
    for played in played_from(&HEAD.replace("price_books:\n", own), steps).await {
        assert_eq!(shown(&played.differences), [""; 0]);
    }
}

#[tokio::test]
async fn a_database_with_something_in_it_is_left_as_it_is() {
    for place in each_empty().await {
        let db = open_empty(&place.url).await.unwrap();
        db.close().await;
        let error = open_empty(&place.url).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict);
        assert!(error.to_string().contains("name an empty one"), "{error}");
    }
}

/// Two lost hours of an instance that was running before and stopped after them, at 0.36.
#[tokio::test]
async fn a_gap_is_charged_as_is_set_for_all_and_for_one() {
    for (all, one, charged) in [
        ("", "", "0.36"),
        ("gap_policy: as_before", "", "1.08"),
        ("gap_policy: free", "", "0.36"),
        ("gap_policy: free", "gap_policy: as_before", "1.08"),
        ("gap_policy: as_before", "gap_policy: free", "0.36"),
    ] {
        let own = match one {
            "" => String::new(),
            one => format!("- {{at: \"09:30\", set: {{tenant: acme, {one}}}}}\n"),
        };
        let tail = format!(
            "settings: {{{all}}}\nend: \"15:00\"\nsteps:\n{own}\
             - {{at: \"10:00\", fact: {{resource: web-1, state: running}}}}\n\
             - {{at: \"13:00\", lost: {{resource: web-1, from: \"11:00\", to: \"13:00\", \
             after: {{state: stopped}}}}}}\n\
             expect: {{sums: {{acme: \"{charged}\"}}}}\n"
        );
        for played in played(&tail).await {
            assert_eq!(shown(&played.differences), [""; 0], "{all}, {one}");
        }
    }
}

#[tokio::test]
async fn facts_find_their_places_and_rulings_release_what_waits() {
    let tail = r#"
end: "14:00"
steps:
- {at: "10:00", fact: {resource: web-1, state: running, ordinal: 1}}
- {at: "11:00", fact: {resource: web-1, state: running, ordinal: 3, at: "10:45"}}
- {at: "11:01", fact: {resource: web-1, state: stopped, ordinal: 2, at: "10:15", parked: false}}
- {at: "11:30", fact: {resource: web-1, state: stopped, ordinal: 3, id: odd, parked: true}}
- {at: "11:31", rule: {fact: none, ruling: drop}, refused: not_found}
- {at: "11:31", rule: {fact: odd, ruling: drop}}
- {at: "11:31", rule: {fact: odd, ruling: take}, refused: conflict}
- {at: "12:00", fact: {resource: web-1, state: stopped, ordinal: 4, at: "12:30", id: ahead, quarantined: true}}
- {at: "12:40", rule: {fact: ahead, ruling: take, at: "12:30"}}
- {at: "12:50", confirm: {resource: web-1, state: running, changed: "10:00"}, refused: not_found}
expect:
  sums: {acme/web-1: "0.72"}      # 15 + 105 minutes
  findings:
  - {kind: usage_parked, resource: web-1, at: "11:30", open: false}
  - {kind: usage_quarantined, resource: web-1, at: "12:00", open: false}
"#;
    for played in played(tail).await {
        assert_eq!(shown(&played.differences), Vec::<String>::new(), "{:#}", played.report);
    }
}

/// Every kind, by hand: an hour of each at its price, and a byte at the bucket's.
#[tokio::test]
async fn every_kind_is_rated_by_what_selects_its_price() {
    let head = r#"
opshawk_replay: 1
start: "2026-10-15T09:00:00+08:00"
price_books:
  standard:
    versions:
    - from: "00:00"
      rates:
      - {id: v, component: volume.capacity, where: {labels: {tier: gold}}, price: "0.02"}
      - {id: v0, component: volume.capacity, price: "0.01"}
      - {id: s, component: snapshot.capacity, price: "0.001"}
      - {id: i, component: image.capacity, where: {region: north}, price: "0.003"}
      - {id: a, component: address.address, price: "0.05"}
      - {id: r, component: router.router, price: "0.07"}
      - {id: m, component: server.server, price: "12"}
      - {id: b, component: bandwidth.mbps, price: "0.1"}
      - {id: c, component: bucket.capacity, price: "0.0001"}
      - {id: o, component: bucket.object_bytes, unit: 1000, price: "0.2"}
tenants: {acme: {book: standard}}
resources:
  gold: {tenant: acme, kind: volume, attributes: {gib: 100}, labels: {tier: gold}}
  iron: {tenant: acme, kind: volume, attributes: {gib: 100}, labels: {tier: iron}}
  snap: {tenant: acme, kind: snapshot, attributes: {gib: 50}}
  north: {tenant: acme, kind: image, attributes: {gib: 10, region: north}}
  south: {tenant: acme, kind: image, attributes: {gib: 10, region: south}}
  ip: {tenant: acme, kind: address}
  gate: {tenant: acme, kind: router}
  metal: {tenant: acme, kind: server}
  line: {tenant: acme, kind: bandwidth, attributes: {mbps: 20}}
  store: {tenant: acme, kind: bucket, attributes: {gib: 200}}
steps:
"#;
    let states = [
        ("gold", "available"),
        ("iron", "available"),
        ("snap", "available"),
        ("north", "available"),
        ("south", "available"),
        ("ip", "up"),
        ("gate", "up"),
        ("metal", "off"),
        ("line", "up"),
        ("store", "active"),
    ];
    let fact = |at: &str, name: &str, state: &str| {
        format!("- {{at: \"{at}\", fact: {{resource: {name}, state: {state}}}}}\n")
    };
    let read = |at: &str, value: i64| {
        let what = "resource: store, component: object_bytes";
        format!("- {{at: \"{at}\", counter: {{{what}, value: {value}}}}}\n")
    };
    let mut tail: String = states.iter().map(|(name, state)| fact("10:00", name, state)).collect();
    tail += &(read("10:00", 7) + &read("10:59", 2_507));
    // A counter without epochs that reads less began anew: what it reads was counted since.
    tail += &read("10:59:30", 500);
    tail += &states.iter().map(|(name, _)| fact("11:00", name, "deleted")).collect::<String>();
    tail += &fact("11:05", "ip", "up").replace("state: up", "state: up, parked: true");
    let played = played_from(
        head,
        &format!(
            r#"{tail}
expect:
  sums:
    acme: "17.82"
    acme/gold/volume.capacity: "2"
    acme/iron/volume.capacity: "1"
    acme/snap: "0.05"
    acme/north: "0.03"
    acme/south: "0"
    acme/ip: "0.05"
    acme/gate: "0.07"
    acme/metal/server.server_off: "12"
    acme/line: "2"
    acme/store/bucket.capacity: "0.02"
    acme/store/bucket.object_bytes: "0.6"
  lines_include:
  - {{resource: store, component: bucket.object_bytes, quantity: 500, quality: estimated}}
  findings: [{{kind: usage_parked, resource: ip, at: "11:05", open: true}}]
"#
        ),
    )
    .await;
    for played in played {
        assert_eq!(shown(&played.differences), [""; 0], "{:#}", played.report["sums"]);
    }
}

#[test]
fn what_a_kind_does_not_have_is_refused() {
    let error = |resource: &str, step: &str| {
        let head = HEAD.replace("{tenant: acme}}", resource);
        assert_ne!(head, HEAD);
        parse(&format!("{head}steps: [{step}]\n")).unwrap_err().to_string()
    };
    let volume = "{tenant: acme, kind: volume, attributes: {gib: 1}}}";
    for (resource, step, words) in [
        ("{tenant: acme, kind: boat}}", "", "'boat' is not one of instance, volume"),
        ("{tenant: acme, kind: volume}}", "", "a volume needs attributes: {gib: …}"),
        ("{tenant: acme, kind: volume, attributes: {gib: -1}}}", "", "not negative"),
        ("{tenant: acme, kind: volume, attributes: {mbps: 1}}}", "", "unknown"),
        (
            volume,
            "{at: \"10:00\", fact: {resource: web-1, state: running}}",
            "'running' is not one of available, absent, deleted",
        ),
        (
            volume,
            "{at: \"10:00\", want: {resource: web-1, power: running}}",
            "'web-1' is a volume: only instances are acted upon",
        ),
    ] {
        let error = error(resource, step);
        assert!(error.contains(words), "{error}");
    }
}
