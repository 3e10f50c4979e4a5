//! What a file may not say, and what it may expect.

use super::{HEAD, parse, played_from, shown};

const RATE: &str = "price_books.standard.versions[0].rates[0]";

/// What publishing would refuse is refused with its key and line, before anything is played.
#[test]
fn prices_that_nobody_could_publish_are_errors_of_the_file() {
    let tiers = "[{up_to: 10, price: \"1\"}, {up_to: 5, price: \"2\"}, {price: \"3\"}]";
    for (rate, path, words) in [
        (format!("graduated: {tiers}"), ".graduated", "up_to 5 must be above 10"),
        (format!("volume: {tiers}"), ".volume", "up_to 5 must be above 10"),
        ("graduated: [{up_to: 5, price: \"1\"}]".to_owned(), ".graduated", "the last has no up_to"),
        ("package: {size: 0, price: \"1\"}".to_owned(), ".package.size", "at least one unit"),
        ("unit: 0, price: \"1\"".to_owned(), ".unit", "0 is no unit of a price"),
        ("free: -1, price: \"1\"".to_owned(), ".free", "out of range"),
        (
            "minimum: {amount: \"1\", per: tenant}, scope: resource, price: \"1\"".to_owned(),
            ".minimum",
            "make them the same",
        ),
    ] {
        let head = HEAD.replace("price: \"0.36\"", &rate);
        let error = parse(&format!("{head}steps: []\n")).unwrap_err();
        assert_eq!((error.path, error.line), (format!("{RATE}{path}"), Some(9)), "{rate}");
        assert!(error.message.contains(words), "{rate}: {}", error.message);
    }
    let twice = "- {id: b, component: instance.compute, where: {flavor: small}, price: \"1\"}";
    for (from, to, path, line, words) in [
        ("id: small,", "id: a b,", format!("{RATE}.id"), 9, "'a b' is not 1 to 100 letters"),
        ("instance.compute", "volume.capacity", format!("{RATE}.where"), 9, "has no flavor"),
        (
            "tenants:",
            &format!("      {twice}\ntenants:"),
            RATE.replace("rates[0]", "rates[1]"),
            10,
            "small and b price the same",
        ),
        (
            "from: \"00:00\"",
            "from: \"00:00\"\n      tax: {mode: on_top, rate: \"2\"}",
            RATE.replace("rates[0]", "tax.rate"),
            8,
            "from 0 to 1: 0.06 is 6 %",
        ),
    ] {
        let head = HEAD.replacen(from, to, 1);
        let error = parse(&format!("{head}steps: []\n")).unwrap_err();
        assert_eq!((&error.path, error.line), (&path, Some(line)), "{error}");
        assert!(error.message.contains(words), "{error}");
    }
}

#[test]
fn what_the_product_would_not_make_is_an_error_of_the_file() {
    let long = "x".repeat(65);
    let named = format!("tenants.{long}");
    for (tail, path, words) in [
        ("vouchers: {v: {amount: \"0\"}}", "vouchers.v.amount", "above zero"),
        (
            "vouchers: {v: {amount: \"1\", valid_from: \"12:00\", valid_to: \"12:00\"}}",
            "vouchers.v.valid_to",
            "would never be valid",
        ),
        (
            "vouchers: {v: {amount: \"1\", bonus_expires: \"08:00\"}}",
            "vouchers.v.bonus_expires",
            "would end before it begins",
        ),
        ("flavors: {small: {vcpus: 257}}", "flavors.small.vcpus", "from 1 to 256"),
    ] {
        let error = parse(&format!("{HEAD}{tail}\nsteps: []\n")).unwrap_err();
        assert_eq!((error.path.as_str(), error.line), (path, Some(12)), "{error}");
        assert!(error.message.contains(words), "{error}");
    }
    let beta = "{acme: {book: standard}, beta: {book: standard}}";
    for (from, to, path, words) in [
        ("{acme: {book: standard}}", format!("{{{long}: {{}}}}"), named.as_str(), "at most 64"),
        ("    versions:", "    tenant: x\n    versions:".to_owned(), OWN, "'x' does not stand in"),
        (
            "{acme: {book: standard}}",
            beta.to_owned(),
            "tenants.beta.book",
            "that book is acme's own",
        ),
    ] {
        let mut head = HEAD.replacen(from, &to, 1);
        if path == "tenants.beta.book" {
            head = head.replacen("    versions:", "    tenant: acme\n    versions:", 1);
        }
        let error = parse(&format!("{head}steps: []\n")).unwrap_err();
        assert_eq!(error.path, path, "{error}");
        assert!(error.line.is_some() && error.message.contains(words), "{error}");
    }
}

const OWN: &str = "price_books.standard.tenant";

#[tokio::test]
async fn a_refund_says_whose_recharge_where_two_have_the_id() {
    let steps = r#"
settings: {warnings: []}
steps:
- {at: "10:00", recharge: {tenant: acme, amount: "10", provider: bank, id: p-7}}
- {at: "10:00", refund: {recharge: p-7, amount: "1", reason: moving}}
- {at: "10:01", recharge: {tenant: acme, amount: "20", provider: card, id: p-7}}
- {at: "10:02", refund: {recharge: p-7, provider: bank, amount: "9", reason: moving}}
- {at: "10:02", refund: {recharge: p-7, provider: bank, amount: "1", reason: moving}, refused: conflict}
- {at: "10:02", refund: {recharge: p-7, provider: wire, amount: "1", reason: moving}, refused: not_found}
- {at: "10:03", expect: {ledger: {acme: {cash: "20"}}}}
- {at: "10:03", refund: {recharge: p-7, provider: card, amount: "20", reason: moving}}
expect: {ledger: {acme: {cash: "0"}}}
"#;
    for played in played_from(HEAD, steps).await {
        assert_eq!(shown(&played.differences), [""; 0]);
    }
    let unclear = steps.replace("provider: wire, ", "");
    let error = parse(&format!("{HEAD}{unclear}")).unwrap_err();
    assert_eq!(error.path, "steps[5].refund.recharge");
    let words = "recharges of bank, card have the id 'p-7': add provider: NAME";
    assert!(error.message.contains(words), "{error}");
}

/// Whatever a report prints can be expected, word by word: with charges of no one resource, too.
#[tokio::test]
async fn a_report_is_what_its_file_may_expect() {
    let rate = "where: {flavor: small}, price: \"1\"";
    let file = include_str!("../../scenarios/everything.yaml");
    let file = file.replace(rate, &format!("{rate}, minimum: {{amount: \"900\", per: tenant}}"));
    let mut report = played_from(&file, "").await.remove(0).report;
    let parts = report.as_object_mut().unwrap();
    let of_all = parts["lines"].as_array().unwrap().iter().filter(|line| line["resource"] == "");
    assert!(of_all.count() > 0, "{parts:#?}");
    for key in ["opshawk_replay", "title", "database", "at"] {
        assert!(parts.remove(key).is_some(), "{key}");
    }
    for (key, part) in &*parts {
        assert!(!matches!(part.as_array(), Some(all) if all.is_empty()), "nothing of {key}");
    }
    for played in played_from(&file, &format!("expect: {report}\n")).await {
        assert_eq!(shown(&played.differences), [""; 0]);
    }
    // What is found need not be of a resource.
    let none = "expect: {findings: [{resource: null}], packages: [{price: null}]}\n";
    parse(&format!("{HEAD}steps: []\n{none}")).unwrap();
}
