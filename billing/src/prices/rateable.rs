//! What can't be rated yet: what is bought whole, and what is charged when a month closes.

use super::{
    check::{Check, error},
    components::Per,
    document::{Document, Rate},
    model::Model,
};

/// An error for each rate that could be published but not be charged.
pub fn refusals(document: &Document) -> Vec<Check> {
    let refuse = |rate: &Rate, what: &str| {
        error("not_rated_yet", Some(rate), format!("{what} can't be charged yet ({})", rate.id))
    };
    document.rates.iter().filter_map(|rate| Some(refuse(rate, beyond(rate)?))).collect()
}

fn beyond(rate: &Rate) -> Option<&'static str> {
    if rate.minimum.is_some() {
        return Some("minimum charges");
    }
    match (&rate.model, rate.component()?.per) {
        (Model::Volume(_), _) => Some("volume prices"),
        (_, Per::Hour | Per::Unit) => None,
        (_, Per::Month) => Some("this component"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_charged_may_be_published() {
        let rates = |text: &str| -> Vec<String> {
            let document: Document = serde_json::from_str(text).unwrap();
            refusals(&document).into_iter().map(|check| check.message).collect()
        };
        let text = r#"{"tax":{"mode":"on_top","rate":"0.06"},"rates":[
            {"id":"a","component":"instance.compute","price":"1","free":1},
            {"id":"b","component":"instance.disk","where":{"region":"n"},"graduated":[{"price":"1"}]},
            {"id":"c","component":"volume.capacity","price":"1","unit":7},
            {"id":"n","component":"instance.net_tx","price":"1","unit":1073741824},
            {"id":"d","component":"package.package","price":"1"},
            {"id":"e","component":"instance.disk","volume":[{"price":"1"}]},
            {"id":"f","component":"instance.disk","price":"1",
             "minimum":{"amount":"1","per":"tenant"}}]}"#;
        assert_eq!(
            rates(text),
            [
                "this component can't be charged yet (d)",
                "volume prices can't be charged yet (e)",
                "minimum charges can't be charged yet (f)",
            ]
        );
    }
}
