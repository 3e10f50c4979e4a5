//! What a label said of resources, and when, by the facts that are known now.

use std::collections::{BTreeSet, HashMap};

use base::{Result, db::Conn, id::TenantId, time::Timestamp};

use crate::{
    kinds::{Attributes, Value},
    usage::spans,
};

/// Of the attributes that are labels.
const PREFIX: &str = "label.";
/// Of a label's name, without its prefix.
const NAME_MAX_BYTES: usize = 100;
/// Names in one answer.
pub const NAMES_MAX: usize = 1_000;

/// One label of a tenant's resources.
#[derive(Debug, Default)]
pub(super) struct Labels(HashMap<String, Vec<Stretch>>);

/// In order of time; where it has none of it, there is no value.
#[derive(Debug)]
struct Stretch {
    from: i64,
    to: i64,
    value: Option<String>,
}

pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_MAX_BYTES
}

/// Those that a tenant's resources had between two instants, in their order; at most [`NAMES_MAX`].
pub(super) async fn names(
    conn: &mut Conn,
    tenant: TenantId,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<String>> {
    let mut all = BTreeSet::new();
    for (_, span) in spans::of_tenant(conn, tenant, from).await? {
        if span.from_ms < to.ms() {
            let attributes = Attributes::parse(&span.attributes)?;
            let labels = attributes.iter().filter_map(|(name, _)| name.strip_prefix(PREFIX));
            all.extend(labels.map(str::to_owned));
        }
    }
    Ok(all.into_iter().take(NAMES_MAX).collect())
}

impl Labels {
    pub(super) async fn load(
        conn: &mut Conn,
        tenant: TenantId,
        from: Timestamp,
        name: &str,
    ) -> Result<Self> {
        let attribute = format!("{PREFIX}{name}");
        let mut all: HashMap<String, Vec<Stretch>> = HashMap::new();
        for (resource, span) in spans::of_tenant(conn, tenant, from).await? {
            let value = match Attributes::parse(&span.attributes)?.get(&attribute) {
                Some(Value::Text(text)) => Some(text.clone()),
                Some(Value::Int(number)) => Some(number.to_string()),
                None => None,
            };
            let stretch = Stretch { from: span.from_ms, to: span.to_ms, value };
            all.entry(resource.id).or_default().push(stretch);
        }
        Ok(Self(all))
    }

    /// What it says at `at`, and the instant at which it may say something else.
    pub(super) fn at(&self, resource: &str, at: Timestamp) -> (&str, Timestamp) {
        let stretches = self.0.get(resource).map_or(&[][..], Vec::as_slice);
        let next = stretches.partition_point(|stretch| stretch.to <= at.ms());
        match stretches.get(next) {
            Some(stretch) if stretch.from <= at.ms() => {
                let value = stretch.value.as_deref().unwrap_or_default();
                (value, Timestamp::from_ms(stretch.to))
            }
            Some(stretch) => ("", Timestamp::from_ms(stretch.from)),
            None => ("", Timestamp::from_ms(i64::MAX)),
        }
    }
}
