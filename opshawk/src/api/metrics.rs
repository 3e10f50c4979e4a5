//! `/metrics`: OpsHawk's own metrics, for any Prometheus.
//!
//! What happens is counted as it happens; what is, is read when it is asked for. A member's token
//! sees its tenant's usage, cost, quota and balance, and nothing of the program.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{Method, StatusCode, header};
use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder, proto::MetricFamily,
};
use timeseries::Appended;

use super::{auth::Caller, problem::Result, state::App};

mod gauges;
mod limits;

/// What is counted as it happens.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    samples: IntCounterVec,
    consoles: IntCounterVec,
    pub refusals: Arc<limits::Refusals>,
}

fn counter(name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    IntCounterVec::new(Opts::new(name, help), labels).expect("the name and labels are valid")
}

impl Default for Metrics {
    fn default() -> Self {
        let registry = Registry::new();
        let requests = counter(
            "opshawk_http_requests_total",
            "HTTP requests answered.",
            &["method", "route", "status"],
        );
        let durations = HistogramVec::new(
            HistogramOpts::new(
                "opshawk_http_request_duration_seconds",
                "Time until a request's answer begins.",
            ),
            &["method", "route"],
        )
        .expect("the name and labels are valid");
        let samples = counter(
            "opshawk_samples_received_total",
            "Samples received by remote write, by what became of them.",
            &["outcome"],
        );
        let consoles = counter(
            "opshawk_consoles_opened_total",
            "Live consoles of instances that were opened.",
            &["kind"],
        );
        let own = "each name is registered once";
        registry.register(Box::new(requests.clone())).expect(own);
        registry.register(Box::new(durations.clone())).expect(own);
        registry.register(Box::new(samples.clone())).expect(own);
        registry.register(Box::new(consoles.clone())).expect(own);
        Self { registry, requests, durations, samples, consoles, refusals: Arc::default() }
    }
}

impl Metrics {
    /// `route` is the pattern, never the path, so that the series stay few.
    pub fn count_request(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        // An extension method is the client's invention.
        let known = [
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::OPTIONS,
        ];
        let method = if known.contains(method) { method.as_str() } else { "other" };
        self.requests.with_label_values(&[method, route, status.as_str()]).inc();
        self.durations.with_label_values(&[method, route]).observe(took.as_secs_f64());
    }

    pub fn count_samples(&self, appended: &Appended) {
        for (outcome, count) in [
            ("written", appended.written),
            ("duplicate", appended.duplicates),
            ("conflict", appended.conflicts),
            ("too_old", appended.too_old),
            ("too_new", appended.too_new),
            ("invalid", appended.invalid),
            ("over_limit", appended.over_limit),
            ("over_tenant_limit", appended.over_tenant_limit),
        ] {
            self.samples.with_label_values(&[outcome]).inc_by(count as u64);
        }
    }

    /// `kind` is `serial` or `screen`.
    pub fn count_console(&self, kind: &str) {
        self.consoles.with_label_values(&[kind]).inc();
    }

    fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }
}

/// All of it for an operator; for a member its own usage, cost, quota and balance.
#[utoipa::path(get, path = "/metrics", tag = "system",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn get_metrics(State(app): State<App>, caller: Caller) -> Result<Response> {
    let mut families = match caller.tenant() {
        Some(tenant) => gauges::of_tenant(&app, tenant).await?,
        None => {
            let mut all = app.metrics.gather();
            all.extend(gauges::of_all(&app).await?);
            all
        }
    };
    families.sort_by(|a, b| a.name().cmp(b.name()));
    let text = TextEncoder::new()
        .encode_to_string(&families)
        .map_err(|e| base::Error::internal("the metrics can't be written").source(e))?;
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, content_type)], text).into_response())
}
