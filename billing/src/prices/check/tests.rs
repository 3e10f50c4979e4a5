use super::*;

const SMALL: &str = "01900000-0000-7000-8000-000000000001";
const LARGE: &str = "01900000-0000-7000-8000-000000000002";

fn document(rates: &str) -> Document {
    serde_json::from_str(&format!("{{\"rates\":[{rates}]}}")).unwrap()
}

fn beside() -> Beside {
    let flavors = [(SMALL, "small"), (LARGE, "large")];
    Beside {
        currency: Currency::CNY,
        flavors: flavors.iter().map(|(id, name)| ((*id).into(), (*name).into())).collect(),
        before: None,
        partial: false,
    }
}

fn codes(document: &Document) -> Vec<(Severity, String)> {
    check(document, &beside()).into_iter().map(|c| (c.severity, c.code)).collect()
}

fn errors(rates: &str) -> Vec<String> {
    let checks = codes(&document(rates));
    checks.into_iter().filter(|(s, _)| *s == Severity::Error).map(|(_, code)| code).collect()
}

fn compute(id: &str, flavor: &str, price: &str) -> String {
    format!(
        r#"{{"id":"{id}","component":"instance.compute","where":{{"flavor":"{flavor}"}},"price":"{price}"}}"#
    )
}

#[test]
fn a_sound_document_has_nothing() {
    let rates = [
        compute("small", SMALL, "0.36"),
        compute("large", LARGE, "0.72"),
        r#"{"id":"disk","component":"instance.disk","price":"0.001"}"#.into(),
        r#"{"id":"out","component":"instance.net_tx","unit":1073741824,"free":10,
            "graduated":[{"up_to":90,"price":"0.8"},{"price":"0.5"}],
            "minimum":{"amount":"5","per":"tenant"}}"#
            .into(),
        r#"{"id":"vpn","component":"package.package","price":"30"}"#.into(),
        r#"{"id":"backup","component":"package.package","price":"12"}"#.into(),
    ];
    assert_eq!(codes(&document(&rates.join(","))), []);
}

#[test]
fn each_fault_is_an_error_that_names_it() {
    let disk = |rest: &str| format!(r#"{{"id":"d","component":"instance.disk",{rest}}}"#);
    assert_eq!(errors(""), ["count"]);
    assert_eq!(errors(r#"{"id":"a b","component":"instance.disk","price":"1"}"#), ["id"]);
    assert_eq!(errors(r#"{"id":"a","component":"disk","price":"1"}"#), ["unknown_component"]);
    assert_eq!(errors(&disk(r#""price":"-1""#)), ["negative"]);
    assert_eq!(errors(&disk(r#""price":"1","unit":0"#)), ["unit"]);
    assert_eq!(errors(&disk(r#""price":"1","unit":9223372036854775807"#)), ["unit"]);
    assert_eq!(errors(&disk(r#""graduated":[]"#)), ["tiers"]);
    assert_eq!(errors(&disk(r#""graduated":[{"up_to":5,"price":"1"}]"#)), ["tiers"]);
    let falling = r#""volume":[{"up_to":5,"price":"1"},{"up_to":5,"price":"1"},{"price":"1"}]"#;
    assert_eq!(errors(&disk(falling)), ["tiers"]);
    assert_eq!(errors(&disk(r#""volume":[{"price":"1"},{"price":"1"}]"#)), ["tiers"]);
    assert_eq!(errors(&disk(r#""package":{"size":0,"price":"1"}"#)), ["package"]);
    assert_eq!(errors(&disk(r#""price":"1","free":-1"#)), ["free"]);
    assert_eq!(errors(&disk(r#""price":"1","free":9223372036854775"#)), ["free"]);
    let minimum = r#""price":"1","minimum":{"amount":"0","per":"tenant"}"#;
    assert_eq!(errors(&disk(minimum)), ["minimum"]);
    let other = r#""graduated":[{"price":"1"}],"minimum":{"amount":"1","per":"resource"}"#;
    assert_eq!(errors(&disk(other)), ["minimum"]);
    assert_eq!(errors(&compute("a", "small", "1")), ["flavor"]);
    assert_eq!(errors(&disk(r#""price":"1","where":{"region":""}"#)), ["selector"]);
    let volume = r#"{"id":"v","component":"volume.capacity","where":{"flavor":"x"},"price":"1"}"#;
    assert_eq!(errors(volume), ["selector"]);
    let month = r#"{"id":"m","component":"package.package","price":"1","free":1}"#;
    assert_eq!(errors(month), ["month"]);
    let mut taxed = document(&disk(r#""price":"1""#));
    taxed.tax.rate = "1.5".parse().unwrap();
    assert_eq!(codes(&taxed), [(Severity::Error, "tax".to_owned())]);
}

#[test]
fn two_rates_for_the_same_are_an_error() {
    let any = r#"{"id":"any","component":"instance.compute","price":"1"}"#;
    let small = compute("small", SMALL, "1");
    assert_eq!(errors(&[any, &small].join(",")), [""; 0], "more conditions go first");
    let twice = [small.clone(), compute("again", SMALL, "2")].join(",");
    assert_eq!(errors(&twice), ["overlap"]);
    let north = r#"{"id":"n","component":"instance.compute","where":{"region":"n"},"price":"1"}"#;
    assert_eq!(errors(&[north, &small].join(",")), ["overlap"], "a small one in n matches both");
    assert_eq!(errors(&[small.clone(), compute("large", LARGE, "1")].join(",")), [""; 0]);
    assert_eq!(errors(&[small.clone(), compute("small", LARGE, "1")].join(",")), ["id_twice"]);
}

#[test]
fn what_is_free_unsaid_and_what_leaps_are_warnings() {
    let small = document(&compute("small", SMALL, "0.36"));
    let checks = check(&small, &beside());
    assert_eq!(checks.len(), 1);
    assert_eq!(checks[0].message, "instances of flavor large have no price: they are free");
    assert!(check(&small, &Beside { partial: true, ..beside() }).is_empty());
    assert!(refusal(&checks).is_none());

    let unknown = compute("x", "01900000-0000-7000-8000-00000000000f", "0");
    let warnings = |text: &str, before: &Document| {
        let beside = Beside { before: Some(before.clone()), ..beside() };
        let checks = check(&document(text), &beside);
        assert!(checks.iter().all(|c| c.severity == Severity::Warning), "{checks:?}");
        checks.into_iter().map(|c| c.code).collect::<Vec<_>>()
    };
    let all = format!("{},{}", compute("large", LARGE, "0.4"), unknown);
    assert_eq!(warnings(&all, &small), ["flavor", "free_of_charge", "no_price", "gone"]);
    let any = r#"{"id":"any","component":"instance.compute","price":"1"}"#;
    assert_eq!(warnings(any, &small), [""; 0], "it covers what is gone");
    let leaps = format!("{},{}", compute("small", SMALL, "3.6"), compute("large", LARGE, "1"));
    assert_eq!(warnings(&leaps, &small), ["leap"]);
}

/// Only what is in a region, or has a label, has a price.
#[test]
fn a_rate_with_conditions_prices_no_flavor_whole() {
    let compute = |id: &str, conditions: &str| {
        let component = r#""component":"instance.compute""#;
        format!(r#"{{"id":"{id}",{component},"where":{{{conditions}}},"price":"1"}}"#)
    };
    let warned = |rates: &[String]| -> Vec<String> {
        let checks = check(&document(&rates.join(",")), &beside());
        assert!(checks.iter().all(|c| c.code == "no_price"), "{checks:?}");
        checks.into_iter().map(|c| c.message).collect()
    };
    let rest = |flavor: &str| {
        format!(
            "instances of flavor {flavor} whose region or labels no rate names have no price: \
             they are free"
        )
    };
    let gold = compute("gold", r#""labels":{"tier":"gold"}"#);
    let both = [rest("small"), rest("large")];
    assert_eq!(warned(&[gold]), both);
    assert_eq!(warned(&[compute("north", r#""region":"north""#)]), both);
    let small = compute("small", &format!(r#""flavor":"{SMALL}","region":"north""#));
    let none = "instances of flavor large have no price: they are free".to_owned();
    assert_eq!(warned(std::slice::from_ref(&small)), [rest("small"), none.clone()]);
    let whole = compute("whole", &format!(r#""flavor":"{SMALL}""#));
    assert_eq!(warned(&[small, whole]), [none]);
}

#[test]
fn a_refusal_names_the_first_errors_and_counts_the_rest() {
    let rates: Vec<String> = (0..8)
        .map(|n| format!(r#"{{"id":"r{n}","component":"instance.disk","price":"-1"}}"#))
        .collect();
    let checks = check(&document(&rates.join(",")), &beside());
    let text = refusal(&checks).unwrap().message;
    assert!(text.starts_with("the price of r0 is negative; the price of r1 is negative"), "{text}");
    assert!(text.ends_with("; and 10 more"), "{text}");
}
