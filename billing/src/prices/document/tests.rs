use super::*;

const TEXT: &str = r#"{"tax":{"mode":"on_top","rate":"0.060000"},"rates":[
{"id":"small","component":"instance.compute","where":{"flavor":"f1"},"price":"0.360000000"},
{"id":"out","component":"instance.net_tx","where":{"region":"north","labels":{"tier":"gold"}},
"unit":1073741824,"graduated":[{"up_to":10,"price":"0.000000000"},{"price":"0.500000000"}],"free":5,
"minimum":{"amount":"3.000000","per":"tenant"},"scope":"resource"},
{"id":"blocks","component":"bucket.object_bytes","package":{"size":100,"price":"1.000000000"}},
{"id":"v","component":"volume.capacity","volume":[{"price":"0.100000000"}]}]}"#;

#[test]
fn a_document_is_written_as_it_was_read() {
    let text = TEXT.replace('\n', "");
    let document: Document = serde_json::from_str(&text).unwrap();
    assert_eq!(document.to_json(), text);
    assert_eq!(document.tax.ppm(), 60_000);
    let rates = &document.rates;
    assert_eq!(rates[0].scope, Scope::Resource);
    assert_eq!((rates[1].scope, rates[2].scope), (Scope::Resource, Scope::Tenant));
    assert_eq!(rates[1].scale(), Some(1 << 30));
    assert_eq!(rates[0].scale(), Some(3_600_000));
    let other = Document { rates: rates[..3].to_vec(), ..document.clone() };
    assert_ne!(document.sha256(), other.sha256());
}

#[test]
fn a_rate_has_one_model() {
    let parse = |text: &str| serde_json::from_str::<Rate>(text).unwrap_err().to_string();
    let none = parse(r#"{"id":"a","component":"instance.disk"}"#);
    assert!(none.contains("'a' must have one of price, graduated, volume and package"), "{none}");
    let two = parse(r#"{"id":"a","component":"instance.disk","price":"1","volume":[]}"#);
    assert!(two.contains("must have one of"), "{two}");
    let unknown = parse(r#"{"id":"a","component":"instance.disk","prize":"1"}"#);
    assert!(unknown.contains("unknown field `prize`"), "{unknown}");
    let number = parse(r#"{"id":"a","component":"instance.disk","price":0.36}"#);
    assert!(number.contains("expected a string"), "{number}");
}

/// An allowance is a tier of price 0 in front of what the model has.
#[test]
fn what_is_free_comes_first() {
    let mut rate = Rate::standard("out", "instance.net_tx", "2".parse().unwrap());
    rate.free = Some(10);
    let nano = 1_000_000_000;
    assert_eq!(rate.total(10, 1), Ok(0));
    assert_eq!(rate.total(13, 1), Ok(6 * nano));
    assert_eq!(rate.cost(8, 11, 1), Ok(2 * nano));
    assert_eq!(rate.slope(4, 1), Some((Nanos(0), Some(10))));
    assert_eq!(rate.slope(10, 1), Some(("2".parse().unwrap(), None)));
    let tier = |up_to, price: &str| Tier { up_to, price: price.parse().unwrap() };
    rate.model = Model::Graduated(vec![tier(Some(5), "1"), tier(None, "3")]);
    assert_eq!(rate.total(15, 1), Ok(5 * nano));
    assert_eq!(rate.total(16, 1), Ok(8 * nano));
    assert_eq!(rate.slope(12, 1), Some(("1".parse().unwrap(), Some(15))));
}
