//! Which rate prices something: by flavor, region and labels.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Of one selector.
pub const LABELS_MAX: usize = 10;

/// What a selector looks at: the attributes of what is used, `label.x` for the label x.
pub trait Shape {
    fn text(&self, attribute: &str) -> Option<&str>;
}

impl Shape for BTreeMap<String, String> {
    fn text(&self, attribute: &str) -> Option<&str> {
        self.get(attribute).map(String::as_str)
    }
}

/// All of it must match; the empty one matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PriceSelector)]
pub struct Selector {
    /// A flavor's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flavor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl Selector {
    pub fn is_empty(&self) -> bool {
        self.conditions() == 0
    }

    pub fn matches(&self, shape: &(impl Shape + ?Sized)) -> bool {
        let holds = |name: &str, wanted: &Option<String>| {
            wanted.as_deref().is_none_or(|wanted| shape.text(name) == Some(wanted))
        };
        holds("flavor", &self.flavor)
            && holds("region", &self.region)
            && self
                .labels
                .iter()
                .all(|(name, value)| shape.text(&format!("label.{name}")) == Some(value))
    }

    /// Of the rates that match, the one with the most conditions prices.
    pub fn conditions(&self) -> usize {
        usize::from(self.flavor.is_some()) + usize::from(self.region.is_some()) + self.labels.len()
    }

    /// Whether something could match both.
    pub fn meets(&self, other: &Self) -> bool {
        let agree = |a: &Option<String>, b: &Option<String>| match (a, b) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        };
        agree(&self.flavor, &other.flavor)
            && agree(&self.region, &other.region)
            && self.labels.iter().all(|(k, v)| other.labels.get(k).is_none_or(|other| other == v))
    }

    /// Whether this matches whatever the other one matches.
    pub fn covers(&self, other: &Self) -> bool {
        let covers = |a: &Option<String>, b: &Option<String>| a.is_none() || a == b;
        covers(&self.flavor, &other.flavor)
            && covers(&self.region, &other.region)
            && self.labels.iter().all(|(k, v)| other.labels.get(k) == Some(v))
    }
}

#[cfg(test)]
mod tests;
