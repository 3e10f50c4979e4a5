//! What there is, beside values: exemplars, what families are, how many series there are of what.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use base::sample::{Labels, NAME};
use serde::Serialize;

use super::{Engine, plan};
use crate::{
    error::Result,
    scope::Scope,
    store::{Exemplars, Metadata},
};

/// What a family's series may end with, beside its own name.
const SUFFIXES: &[&str] = &["", "_total", "_bucket", "_count", "_sum", "_info", "_created"];

/// A name and a count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counted {
    pub name: String,
    pub value: u64,
}

/// How many series there are of what: Prometheus' answer to `status/tsdb`, the largest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cardinality {
    pub head_stats: HeadStats,
    pub series_count_by_metric_name: Vec<Counted>,
    pub label_value_count_by_label_name: Vec<Counted>,
    /// The bytes of all values of a label, each once.
    pub memory_in_bytes_by_label_name: Vec<Counted>,
    pub series_count_by_label_value_pair: Vec<Counted>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeadStats {
    pub num_series: usize,
    pub num_label_pairs: usize,
    pub min_time: i64,
    pub max_time: i64,
}

impl Engine {
    /// Exemplars of all series that the expression reads; both ends belong to the range.
    pub async fn exemplars(
        &self,
        scope: &Scope,
        expr: &str,
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<Exemplars>> {
        let plan = plan::compile(expr, scope, start_ms, end_ms)?;
        let mut all: BTreeMap<Arc<Labels>, Exemplars> = BTreeMap::new();
        for matchers in plan.selectors {
            let found = self.store().exemplars(self.over(matchers, start_ms, end_ms)).await?;
            all.extend(found.into_iter().map(|one| (one.labels.clone(), one)));
        }
        Ok(all.into_values().collect())
    }

    /// What senders said of the families that the scope sees series of in the range.
    pub async fn metadata(
        &self,
        scope: &Scope,
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<Metadata>> {
        let mut all = self.store().metadata().await?;
        if *scope != Scope::ALL {
            let names = self.label_values(scope, NAME, &[], start_ms, end_ms).await?;
            let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
            all.retain(|family| has_series(family, &names));
        }
        Ok(all)
    }

    /// Of the series that have samples in the range; the `limit` largest of each kind.
    pub async fn cardinality(
        &self,
        scope: &Scope,
        start_ms: i64,
        end_ms: i64,
        limit: usize,
    ) -> Result<Cardinality> {
        let mut matchers = Vec::new();
        scope.enforce(&mut matchers);
        let request = self.over(matchers, start_ms, end_ms);
        let series = self.listed(self.store().series(request)).await?;
        Ok(count(&series, start_ms, end_ms, limit))
    }
}

/// Whether one of these metrics is the family's.
pub(crate) fn has_series(family: &Metadata, names: &BTreeSet<&str>) -> bool {
    let series = |suffix: &&str| format!("{}{suffix}", family.metric);
    SUFFIXES.iter().map(series).any(|name| names.contains(name.as_str()))
}

fn count(series: &[Arc<Labels>], min_time: i64, max_time: i64, limit: usize) -> Cardinality {
    let mut pairs: HashMap<(&str, &str), u64> = HashMap::new();
    for pair in series.iter().flat_map(|labels| labels.iter()) {
        *pairs.entry(pair).or_default() += 1;
    }
    let (mut metrics, mut values, mut bytes) = (HashMap::new(), HashMap::new(), HashMap::new());
    for ((name, value), count) in &pairs {
        if *name == NAME {
            metrics.insert((*value).to_owned(), *count);
        }
        *values.entry((*name).to_owned()).or_insert(0) += 1;
        *bytes.entry((*name).to_owned()).or_insert(0) += value.len() as u64;
    }
    Cardinality {
        head_stats: HeadStats {
            num_series: series.len(),
            num_label_pairs: pairs.len(),
            min_time,
            max_time,
        },
        series_count_by_metric_name: largest(metrics, limit),
        label_value_count_by_label_name: largest(values, limit),
        memory_in_bytes_by_label_name: largest(bytes, limit),
        series_count_by_label_value_pair: largest(
            pairs.into_iter().map(|((name, value), count)| (format!("{name}={value}"), count)),
            limit,
        ),
    }
}

fn largest(counts: impl IntoIterator<Item = (String, u64)>, limit: usize) -> Vec<Counted> {
    let mut all: Vec<_> = counts.into_iter().map(|(name, value)| Counted { name, value }).collect();
    all.sort_by(|a, b| b.value.cmp(&a.value).then_with(|| a.name.cmp(&b.name)));
    all.truncate(limit);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_counted_by_name_label_and_pair() {
        let series: Vec<Arc<Labels>> = [("up", "a"), ("up", "bb"), ("load", "a")]
            .map(|(name, host)| Arc::new(Labels::metric(name, &[("host", host)])))
            .to_vec();
        let all = count(&series, 1, 2, 10);
        let counted = |name: &str, value| Counted { name: name.to_owned(), value };
        assert_eq!((all.head_stats.num_series, all.head_stats.num_label_pairs), (3, 4));
        assert_eq!(all.series_count_by_metric_name, [counted("up", 2), counted("load", 1)]);
        assert_eq!(
            all.label_value_count_by_label_name,
            [counted("__name__", 2), counted("host", 2)]
        );
        assert_eq!(all.memory_in_bytes_by_label_name, [counted("__name__", 6), counted("host", 3)]);
        assert_eq!(
            all.series_count_by_label_value_pair[..2],
            [counted("__name__=up", 2), counted("host=a", 2)]
        );
        assert_eq!(count(&series, 1, 2, 1).series_count_by_label_value_pair.len(), 1);
    }
}
