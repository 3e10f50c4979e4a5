//! Steps about money besides recharges.

use super::{HEAD, played, played_from, shown};
use crate::replay::parse;

#[tokio::test]
async fn bonuses_and_holds_end_in_their_instants() {
    let tail = r#"
end: "13:00"
settings: {warnings: []}
steps:
- {at: "09:30", recharge: {tenant: acme, amount: "10", id: r1}}
- {at: "09:30", bonus: {tenant: acme, amount: "5", expires: "12:00", id: b1}, repeat: 2}
- {at: "09:40", hold: {tenant: acme, amount: "8", id: h1, expires: "11:00"}, repeat: 2}
- {at: "09:40", hold: {tenant: acme, amount: "7.000001", id: h2, expires: "11:00"}, refused: payment_required}
- {at: "09:40", expect: {ledger: {acme: {cash: "7", bonus: "0", holds: "8"}}}}
- {at: "09:50", end_hold: {id: h1, post: "1.5", tax: "0.5"}}
- {at: "09:50", end_hold: {id: h1, void: true}, refused: conflict}
- {at: "09:50", end_hold: {id: h9, void: true}, refused: not_found}
- {at: "10:00", hold: {tenant: acme, amount: "4", id: h3, expires: "11:00"}}
- {at: "10:30", expect: {ledger: {acme: {cash: "9", bonus: "0", holds: "4", revenue: "1.5", tax: "0.5"}}}}
- {at: "11:00", expect: {ledger: {acme: {cash: "10", bonus: "3", holds: "0"}}}}
- {at: "11:59:59.999", expect: {ledger: {acme: {bonus: "3"}}}}
- {at: "12:00", expect: {ledger: {acme: {cash: "10", bonus: "0", promotions: "-2"}}}}
"#;
    for played in played(tail).await {
        assert_eq!(shown(&played.differences), [""; 0]);
    }
}

/// What ran until its end is the bonus's, whether it was posted before or not.
#[tokio::test]
async fn what_is_used_before_a_bonus_ends_is_paid_by_it() {
    let tail = r#"
end: "13:00"
settings: {warnings: []}
steps:
- {at: "10:00", recharge: {tenant: acme, amount: "10", bonus: "1", bonus_expires: "11:30", id: r1}}
- {at: "10:00", fact: {resource: web-1, state: running}}
- {at: "11:30", expect: {ledger: {acme: {cash: "10", bonus: "0", promotions: "-0.54", revenue: "0.54"}}}}
- {at: "12:00", fact: {resource: web-1, state: absent}}
expect: {ledger: {acme: {cash: "9.82", promotions: "-0.54", revenue: "0.72"}}}
"#;
    for played in played(tail).await {
        assert_eq!(shown(&played.differences), [""; 0]);
    }
}

#[tokio::test]
async fn a_correction_has_sides_and_leaves_sound_books() {
    let tail = r#"
steps:
- {at: "10:00", recharge: {tenant: acme, amount: "10", id: r1}}
- at: "10:00"
  correct: {tenant: acme, reason: a fee, id: c1, entries: [{account: cash, debit: "3"}, {account: revenue, credit: "3"}]}
  repeat: 2
- at: "10:00"
  correct: {tenant: acme, reason: a fee, entries: [{account: cash, debit: "8"}, {account: revenue, credit: "8"}]}
  refused: invalid
- {at: "10:01", refund: {recharge: r9, amount: "1", reason: none}, refused: not_found}
expect: {ledger: {acme: {cash: "7", revenue: "3"}}, transactions: {acme: 2}}
"#;
    for played in played(tail).await {
        assert_eq!(shown(&played.differences), [""; 0]);
    }
}

#[tokio::test]
async fn what_is_asked_for_needs_money_for_the_runway() {
    let tail = r#"
settings: {min_runway: 2h, warnings: []}
flavors: {small: {vcpus: 1}, large: {vcpus: 2}}
steps:
- {at: "10:00", admit: {tenant: acme}, refused: payment_required}
- {at: "10:00", admit: {resource: web-1, attributes: {flavor: large}}, refused: not_found}
- {at: "10:00", recharge: {tenant: acme, amount: "1.44"}}
- {at: "10:00", admit: {tenant: acme, count: 2}}
- {at: "10:00", admit: {tenant: acme, count: 3}, refused: payment_required}
- {at: "10:00", fact: {resource: web-1, state: running}}
- {at: "10:00", admit: {tenant: acme}}
- {at: "10:00", admit: {tenant: acme, count: 2}, refused: payment_required}
- {at: "10:00", admit: {tenant: acme, attributes: {flavor: large}}, refused: payment_required}
- {at: "10:00", admit: {resource: web-1, attributes: {flavor: large}}}
- {at: "10:00:00.004", admit: {resource: web-1, attributes: {flavor: large}}}
- {at: "10:00:00.010", admit: {resource: web-1, attributes: {flavor: large}}, refused: payment_required}
expect: {transactions: {acme: 1}}
"#;
    let large = "      - {id: large, component: instance.compute, where: {flavor: large}, \
                 price: \"0.72\"}\ntenants:";
    for played in played_from(&HEAD.replace("tenants:", large), tail).await {
        assert_eq!(shown(&played.differences), [""; 0]);
    }
}

#[test]
fn what_is_half_said_is_refused() {
    for (step, path, words) in [
        ("redeem: {voucher: v, tenant: acme}", "redeem.voucher", "(none are there)"),
        ("end_hold: {id: h}", "end_hold", "by post: AMOUNT (and tax) or by void: true"),
        ("end_hold: {id: h, tax: \"1\"}", "end_hold", "or by void: true"),
        (
            "correct: {tenant: acme, reason: r, entries: [{account: cash}]}",
            "correct.entries[0]",
            "either a debit or a credit",
        ),
        (
            "recharge: {tenant: acme, amount: \"1\", bonus_expires: \"12:00\"}",
            "recharge.bonus_expires",
            "add bonus: AMOUNT",
        ),
        ("admit: {tenant: acme, count: 0}", "admit.count", "1 to 1000"),
        ("set: {spend_order: cash_first}", "set.spend_order", "add tenant: NAME"),
    ] {
        let text = format!("{HEAD}steps:\n- {{at: \"10:00\", {step}}}\n");
        let error = parse(&text).unwrap_err();
        assert_eq!(error.path, format!("steps[0].{path}"), "{error}");
        assert!(error.message.contains(words), "{error}");
    }
}
