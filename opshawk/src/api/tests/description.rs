//! The checked-in description is the one that is served.

use crate::api;

#[test]
fn the_checked_in_description_is_what_the_server_serves() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let served = api::spec::to_text(&api::openapi());
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == served,
        "opshawk/openapi.json is out of date: run `cargo run -p opshawk -- openapi > \
         opshawk/openapi.json`, then the console's `npm run generate`"
    );
}

#[test]
fn every_reference_leads_somewhere() {
    let text = api::spec::to_text(&api::openapi());
    let whole: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(whole["openapi"], "3.1.0");
    for reference in text.split("\"$ref\": \"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(whole.pointer(pointer).is_some(), "{pointer} is missing");
    }
}

#[test]
fn every_rule_has_an_endpoint_and_every_endpoint_a_rule() {
    let mut description = api::openapi();
    let mut described = Vec::new();
    for (path, item) in &mut description.paths.paths {
        for (method, operation) in api::spec::operations(item) {
            assert!(api::access::find(&method, path).is_some(), "{method} {path} has no rule");
            assert!(operation.operation_id.is_some());
            described.push((method, path.clone()));
        }
    }
    for rule in api::access::RULES {
        let wanted = (rule.method.clone(), rule.path.to_owned());
        assert!(described.contains(&wanted), "no endpoint for {} {}", rule.method, rule.path);
    }
}
