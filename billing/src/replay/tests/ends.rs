//! What the end of a month makes due: volume prices and minimum charges, on both databases.

use super::{played_from, shown};

async fn goes(rate: &str, tail: &str) {
    let head = format!(
        r#"
opshawk_replay: 1
start: "2026-10-31T00:00:00+08:00"
price_books:
  standard:
    versions:
    - from: "00:00"
      {rate}
tenants: {{acme: {{book: standard, credit_limit: "1000"}}}}
resources: {{a: {{tenant: acme}}, b: {{tenant: acme}}}}
"#
    );
    for played in played_from(&head, tail).await {
        assert_eq!(shown(&played.differences), [""; 0], "{}", played.report["lines"]);
    }
}

/// To 10 hours at 1, above all of them at 0.6; 12 hours are 7.20. Until the close the balance knows
/// the tier of the moment.
#[tokio::test]
async fn a_volume_price_accrues_at_its_tier_and_is_posted_when_the_month_closes() {
    let rate = r#"rates: [{id: small, component: instance.compute,
        volume: [{up_to: 10, price: "1"}, {price: "0.6"}]}]"#;
    let tail = r#"
end: "2026-12-04T00:05:00+08:00"
steps:
- {at: "00:00", fact: {resource: a, state: running}}
- {at: "05:00", fact: {resource: b, state: running}}
- {at: "06:30", expect: {balance: {acme: {balance: "-8", posted: "0", accrued: "8"}}}}
- {at: "07:30", expect: {balance: {acme: {balance: "-10", accrued: "10"}}}}
- {at: "08:30", expect: {balance: {acme: {balance: "-7.2"}}, sums: {acme: "0"}}}
- {at: "08:30", fact: {resource: a, state: absent}}
- {at: "08:30", fact: {resource: b, state: absent}}
# The month is over, its grace is not.
- {at: "D+2 00:00", expect: {balance: {acme: {balance: "-7.2", posted: "0"}}, transactions: {acme: 10}}}
- at: "D+4 00:05"
  expect:
    balance: {acme: {balance: "-7.2", posted: "-7.2", accrued: "0"}}
    lines_include:
    - {from: "2026-10-01T00:00:00+08:00", to: "2026-11-01T00:00:00+08:00", quantity: 0, net: "7.2", kind: volume, month: 2026-10}
    invoices: [{month: 2026-10, total: "7.20"}]
expect:
  zero: true
"#;
    goes(rate, tail).await;
}

/// What is told after the close moves all of the month's volume, under its own month's name.
#[tokio::test]
async fn late_use_of_a_closed_month_moves_its_volume() {
    let rate = r#"tax: {mode: on_top, rate: "0.1"}
      rates: [{id: small, component: instance.compute,
        volume: [{up_to: 10, price: "1"}, {price: "0.6"}]}]"#;
    let tail = r#"
end: "2026-12-04T00:05:00+08:00"
steps:
- {at: "00:00", fact: {resource: a, state: running, ordinal: 1}}
- {at: "12:00", fact: {resource: a, state: absent, ordinal: 3}}
- at: "D+4 00:05"
  expect:
    invoices: [{month: 2026-10, net: "7.20", tax: "0.72", total: "7.92", unchanged: true}]
# It had stopped at 08:00, which is known too late: 8 hours are 8.00.
- {at: "D+5 10:00", fact: {resource: a, state: stopped, at: "08:00", ordinal: 2}}
- at: "D+5 10:01"
  expect:
    sums: {acme: "8.80"}
    transactions: {acme: 14}
    lines_include:
    - {from: "08:00", to: "12:00", quantity: -1, net: "0.80", tax: "0.08", kind: adjustment, month: 2026-10, posted_month: 2026-11}
- {at: "D+5 11:00", rerate: {from: "00:00"}}
- {at: "D+5 11:01", expect: {transactions: {acme: 14}}}
expect:
  ledger: {acme: {revenue: "8.00", tax: "0.80", receivable: "-8.80"}}
  invoices:
  - {month: 2026-10, net: "7.20", tax: "0.72", unchanged: true}
  - {month: 2026-11, net: "0.80", tax: "0.08", total: "0.88"}
"#;
    goes(rate, tail).await;
}

/// Two hours at 0.36 are 0.72, and 4.28 are missing to 5; twenty hours are above it. What was not
/// used has no minimum.
#[tokio::test]
async fn a_minimum_of_each_resource_is_made_up_for_when_the_month_closes() {
    let rate = r#"rates: [{id: small, component: instance.compute, price: "0.36",
        minimum: {amount: "5", per: resource}}]"#;
    let tail = r#"
end: "2026-12-04T00:05:00+08:00"
steps:
- {at: "00:00", fact: {resource: a, state: running}}
- {at: "00:00", fact: {resource: b, state: running}}
- {at: "02:00", fact: {resource: a, state: absent}}
- {at: "20:00", fact: {resource: b, state: absent}}
- {at: "20:30", expect: {balance: {acme: {balance: "-7.92"}}}}
# From the month's end on it is due, though not posted.
- {at: "D+1 00:00", expect: {balance: {acme: {balance: "-12.2", posted: "-7.92", accrued: "4.28"}}}}
- at: "D+4 00:05"
  expect:
    balance: {acme: {balance: "-12.2", accrued: "0"}}
    sums: {acme/a: "5", acme/b: "7.2"}
    lines_include:
    - {resource: a, quantity: 0, net: "4.28", kind: minimum, month: 2026-10}
    invoices: [{month: 2026-10, total: "12.20"}]
- {at: "D+5 10:00", rerate: {from: "00:00"}}
expect:
  sums: {acme/a: "5", acme/b: "7.2"}
  invoices: [{month: 2026-10, total: "12.20", unchanged: true}]
"#;
    goes(rate, tail).await;
}

/// Of all resources together, over a change of prices: 1 hour at 0.36 and 1 at 0.72 are 1.08, and
/// the later version's minimum of 3 is what counts.
#[tokio::test]
async fn a_minimum_of_a_tenant_is_that_of_the_months_last_version() {
    let rate = r#"rates: [{id: small, component: instance.compute, price: "0.36",
        minimum: {amount: "9", per: tenant}}]
    - from: "01:00"
      rates: [{id: small, component: instance.compute, price: "0.72",
        minimum: {amount: "3", per: tenant}}]"#;
    let tail = r#"
end: "2026-11-04T00:05:00+08:00"
steps:
- {at: "00:00", fact: {resource: a, state: running}}
- {at: "01:00", fact: {resource: a, state: absent}}
- {at: "01:00", fact: {resource: b, state: running}}
- {at: "02:00", fact: {resource: b, state: absent}}
expect:
  sums: {acme: "3", acme/a: "0.36", acme/b: "0.72"}
  lines_include:
  - {quantity: 0, net: "1.92", kind: minimum, version: standard@2}
  invoices: [{month: 2026-10, total: "3.00"}]
"#;
    goes(rate, tail).await;
}
