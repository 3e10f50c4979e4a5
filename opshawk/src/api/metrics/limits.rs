//! What is bounded: each bound as a gauge, and what it refused, by the same names.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::gauges::Gauges;
use crate::api::state::App;

/// Bodies of remote write that were refused.
#[derive(Debug, Default)]
pub struct Refusals {
    bodies: AtomicU64,
    decoded_bodies: AtomicU64,
}

impl Refusals {
    pub fn count_body(&self) {
        self.bodies.fetch_add(1, Relaxed);
    }
    pub fn count_decoded_body(&self) {
        self.decoded_bodies.fetch_add(1, Relaxed);
    }
}

/// The unit is a name's end. Queries and bodies are refused as a whole, series by their samples.
pub fn gather(app: &App, gauges: &Gauges) {
    let help = "Bounds of what queries, bodies of remote write and series may take.";
    let limit = gauges.vec("opshawk_limit", help, &["limit"]);
    let help = "What a bound refused: queries, bodies, or samples of new series.";
    let refused = gauges.counter("opshawk_limit_refusals_total", help, &["limit"]);
    let tell = |name: &str, bound: usize, refusals: u64| {
        limit.with_label_values(&[name]).set(bound as f64);
        refused.with_label_values(&[name]).inc_by(refusals);
    };
    let (bounds, queries) = (app.config.query.options(), app.engine.stats());
    let seconds = usize::try_from(bounds.timeout.as_secs()).unwrap_or(usize::MAX);
    tell("query_seconds", seconds, queries.too_long);
    tell("query_samples", bounds.max_samples, queries.too_many_samples);
    tell("query_series", bounds.max_series, queries.too_many_series);
    tell("query_points", bounds.max_points, queries.too_many_points);
    tell("query_memory_bytes", bounds.max_memory, queries.too_much_memory);
    let (samples, refusals) = (&app.config.samples, &app.metrics.refusals);
    tell("body_bytes", samples.max_body_bytes(), refusals.bodies.load(Relaxed));
    let decoded = refusals.decoded_bodies.load(Relaxed);
    tell("decoded_body_bytes", samples.max_decoded_body_bytes(), decoded);
    // An engine elsewhere has series of its own.
    let Some(stats) = app.store.stats() else { return };
    tell("active_series", samples.max_active_series as usize, stats.over_limit_samples);
    let of_tenants = stats.over_tenant_limit_samples;
    tell("tenant_active_series", samples.max_tenant_series as usize, of_tenants);
}
