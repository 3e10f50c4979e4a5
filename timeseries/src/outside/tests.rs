use super::*;

#[test]
fn an_address_names_the_engine_and_where_it_is() {
    let address: Address = "victoriametrics+http://127.0.0.1:8428/vm/".parse().unwrap();
    assert_eq!(address.kind, Kind::VictoriaMetrics);
    assert_eq!(address.url, "http://127.0.0.1:8428/vm");
    for wrong in ["http://h:1", "influx+http://h:1", "prometheus+ftp://h:1", "prometheus+h:1", ""] {
        let error = wrong.parse::<Address>().unwrap_err().to_string();
        assert!(error.contains("prometheus+http://HOST:PORT"), "{error}");
    }
}

#[test]
fn a_selector_says_every_matcher_and_quotes_its_value() {
    let matchers =
        [Matcher::equal("a", "x\"\\\n"), Matcher::not_regex("b", "c|d").expect("a pattern")];
    assert_eq!(selector(&matchers), r#"{__name__!="",a="x\"\\\n",b!~"c|d"}"#);
}

#[tokio::test]
async fn an_engine_that_is_away_is_named_without_its_password() {
    let address = "prometheus+http://me:secret@127.0.0.1:1".parse().unwrap();
    let store = Outside::open(address).unwrap();
    let all =
        Select { matchers: vec![], start_ms: 0, end_ms: 1, max_samples: 1, max_bytes: usize::MAX };
    let error = store.select(all).await.unwrap_err();
    assert!(matches!(error, Error::EngineAway { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("http://127.0.0.1:1/") && !text.contains("secret"), "{text}");
}
