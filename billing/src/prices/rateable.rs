//! What today's rater can't rate yet: anything but standard prices of instances and their disks,
//! by flavor, without tax.

use super::{
    check::{Check, error},
    components::{COMPUTE, COMPUTE_SUSPENDED, DISK},
    document::{Document, Rate},
    model::Model,
};

/// An error for each rate that could be published but not be charged.
pub fn refusals(document: &Document) -> Vec<Check> {
    let refuse = |rate: Option<&Rate>, what: &str| {
        let of = rate.map(|rate| format!(" ({})", rate.id)).unwrap_or_default();
        error("not_rated_yet", rate, format!("{what} can't be charged yet{of}"))
    };
    let tax = (document.tax.rate.0 != 0).then(|| refuse(None, "tax"));
    let rates = document.rates.iter().filter_map(|rate| Some(refuse(Some(rate), beyond(rate)?)));
    tax.into_iter().chain(rates).collect()
}

fn beyond(rate: &Rate) -> Option<&'static str> {
    let selector = &rate.r#where;
    match (&rate.model, rate.component.as_str()) {
        (Model::Graduated(_), _) => Some("graduated prices"),
        (Model::Volume(_), _) => Some("volume prices"),
        (Model::Package { .. }, _) => Some("prices of blocks"),
        (Model::Standard(_), COMPUTE | COMPUTE_SUSPENDED | DISK) => {
            if rate.free.is_some() {
                Some("free allowances")
            } else if rate.minimum.is_some() {
                Some("minimum charges")
            } else if rate.unit != 1 {
                Some("prices of more than one unit")
            } else if selector.region.is_some() || !selector.labels.is_empty() {
                Some("prices by region or label")
            } else if rate.component == DISK && selector.flavor.is_some() {
                Some("disks by flavor")
            } else {
                None
            }
        }
        _ => Some("this component"),
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
            {"id":"a","component":"instance.compute","price":"1"},
            {"id":"b","component":"instance.disk","price":"1"},
            {"id":"c","component":"instance.disk","where":{"flavor":"f"},"price":"1"},
            {"id":"d","component":"instance.compute","where":{"region":"n"},"price":"1"},
            {"id":"e","component":"instance.compute","price":"1","free":1},
            {"id":"f","component":"instance.compute","graduated":[{"price":"1"}]},
            {"id":"g","component":"volume.capacity","price":"1"}]}"#;
        assert_eq!(
            rates(text),
            [
                "tax can't be charged yet",
                "disks by flavor can't be charged yet (c)",
                "prices by region or label can't be charged yet (d)",
                "free allowances can't be charged yet (e)",
                "graduated prices can't be charged yet (f)",
                "this component can't be charged yet (g)",
            ]
        );
    }
}
