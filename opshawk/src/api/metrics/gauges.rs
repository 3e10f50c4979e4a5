//! What is, read when it is asked for.

use std::collections::HashMap;

use base::{
    Result,
    db::Conn,
    id::TenantId,
    money::{Micros, Nanos},
    time::Timestamp,
};
use billing::{
    agenda::{self, Kept},
    findings,
    ledger::LedgerReconciler,
    standing::guard,
};
use identity::tenants;
use inventory::{
    hosts,
    instances::{self, InstanceState},
    quotas::{self, Quota, drift::QuotaDrift, requests},
    servers::{self, ObservedPower},
};
use prometheus::{GaugeVec, IntCounterVec, Opts, Registry, proto::MetricFamily};
use timeseries::embedded::Stats;

use super::limits;
use crate::api::{page::MAX_ITEMS, state::App};

/// Gauges of one answer.
pub struct Gauges(Registry);

impl Gauges {
    pub fn vec(&self, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
        let gauge = GaugeVec::new(Opts::new(name, help), labels).expect("the names are valid");
        self.0.register(Box::new(gauge.clone())).expect("each name is registered once");
        gauge
    }
    pub fn counter(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        let counter = super::counter(name, help, labels);
        self.0.register(Box::new(counter.clone())).expect("each name is registered once");
        counter
    }
}

/// What tenants use, pay and may have.
struct TenantGauges {
    balance: GaugeVec,
    burn: GaugeVec,
    left: GaugeVec,
    rated: GaugeVec,
    standing: GaugeVec,
    limit: GaugeVec,
    used: GaugeVec,
    instances: GaugeVec,
    series: GaugeVec,
    series_limit: GaugeVec,
}

impl TenantGauges {
    fn new(gauges: &Gauges) -> Self {
        let money = ["tenant", "tenant_name", "currency"];
        let quota = ["tenant", "tenant_name", "resource"];
        let who = ["tenant", "tenant_name"];
        Self {
            balance: gauges.vec("opshawk_tenant_balance", "Posted minus accrued.", &money),
            burn: gauges.vec("opshawk_tenant_burn_per_hour", "What use costs now.", &money),
            left: gauges.vec(
                "opshawk_tenant_seconds_to_exhaustion",
                "Until nothing is left, if all goes on as it is; absent: never.",
                &who,
            ),
            rated: gauges.vec(
                "opshawk_tenant_rating_lag_seconds",
                "Since the last hour's end whose use is posted.",
                &who,
            ),
            standing: gauges.vec(
                "opshawk_tenant_standing",
                "1 for how the tenant stands.",
                &["tenant", "tenant_name", "standing"],
            ),
            limit: gauges.vec("opshawk_tenant_quota_limit", "What it may have.", &quota),
            used: gauges.vec("opshawk_tenant_quota_used", "What it has.", &quota),
            instances: gauges.vec(
                "opshawk_tenant_instances",
                "Instances by what was last seen of them.",
                &["tenant", "tenant_name", "state"],
            ),
            series: gauges.vec(
                "opshawk_tenant_active_series",
                "Its time series in memory.",
                &["tenant", "tenant_name"],
            ),
            series_limit: gauges.vec(
                "opshawk_tenant_active_series_limit",
                "How many of them it may have.",
                &["tenant", "tenant_name"],
            ),
        }
    }

    fn set_series(&self, app: &App, stats: Option<&Stats>, tenant: &tenants::Tenant) {
        // An engine elsewhere counts its own.
        let Some(stats) = stats else { return };
        let id = tenant.id.to_string();
        let labels = [id.as_str(), tenant.name.as_str()];
        let active = stats.tenant_series.get(&id).copied().unwrap_or(0);
        self.series.with_label_values(&labels).set(active as f64);
        let most = app.config.samples.max_series_of(tenant.id);
        self.series_limit.with_label_values(&labels).set(f64::from(most));
    }

    /// The tenant's money, from what is kept of it: nobody's usage is read for a scrape.
    fn set_money(&self, now: Timestamp, kept: &Kept) {
        let (id, name) = (kept.tenant_id.to_string(), kept.tenant.as_str());
        let labels = [id.as_str(), name, kept.currency.as_str()];
        self.balance.with_label_values(&labels).set(units(kept.balance_at(now)));
        self.burn.with_label_values(&labels).set(price(kept.burn_per_hour));
        let who = [id.as_str(), name];
        if let Some(at) = kept.runs_out_at {
            let left_ms = at.since_ms(now).max(0);
            self.left.with_label_values(&who).set(left_ms as f64 / 1e3);
        }
        let lag_ms = now.since_ms(kept.rated_to).max(0);
        self.rated.with_label_values(&who).set(lag_ms as f64 / 1e3);
        self.standing.with_label_values(&[id.as_str(), name, kept.standing.as_str()]).set(1.0);
    }

    fn set_quota(&self, id: &str, name: &str, quota: &Quota) {
        let labels = [id, name, quota.resource.as_str()];
        self.limit.with_label_values(&labels).set(quota.limit as f64);
        self.used.with_label_values(&labels).set(quota.used as f64);
    }

    fn set_instances(&self, id: &str, name: &str, state: InstanceState, count: i64) {
        self.instances.with_label_values(&[id, name, state.as_str()]).set(count as f64);
    }
}

/// For a gauge, which is a double by nature; the ledger's amounts are read from the API.
fn units(amount: Micros) -> f64 {
    amount.0 as f64 / 1e6
}
fn price(amount: Nanos) -> f64 {
    amount.0 as f64 / 1e9
}

pub async fn of_tenant(app: &App, id: TenantId) -> Result<Vec<MetricFamily>> {
    let gauges = Gauges(Registry::new());
    let of_tenants = TenantGauges::new(&gauges);
    let mut conn = app.read().await?;
    let tenant = tenants::get(&mut conn, id).await?;
    let now = app.clock.now();
    for kept in agenda::kept(&mut conn, agenda::Which::One(id), 1).await? {
        of_tenants.set_money(now, &kept);
    }
    let (text, name) = (id.to_string(), tenant.name.as_str());
    for quota in quotas::list(&mut conn, id).await? {
        of_tenants.set_quota(&text, name, &quota);
    }
    for (state, count) in instances::count_by_state(&mut conn, Some(id)).await? {
        of_tenants.set_instances(&text, name, state, count);
    }
    of_tenants.set_series(app, app.store.stats().as_ref(), &tenant);
    Ok(gauges.0.gather())
}

pub async fn of_all(app: &App) -> Result<Vec<MetricFamily>> {
    let gauges = Gauges(Registry::new());
    of_program(app, &gauges);
    of_queries(app, &gauges);
    of_store(app, &gauges);
    limits::gather(app, &gauges);
    let mut conn = app.read().await?;
    of_machines(&mut conn, &gauges).await?;
    of_quotas(app, &mut conn, &gauges).await?;
    of_ledger(app, &gauges);
    of_findings(&mut conn, &gauges).await?;
    of_guard(&mut conn, &gauges).await?;
    of_all_tenants(app, &mut conn, &gauges).await?;
    Ok(gauges.0.gather())
}

/// In one scrape; each has about thirty series.
const TENANTS_MAX: i64 = 20_000;

/// A statement for each kind of figure, however many tenants there are.
async fn of_all_tenants(app: &App, conn: &mut Conn, gauges: &Gauges) -> Result<()> {
    let of_tenants = TenantGauges::new(gauges);
    let (now, stats) = (app.clock.now(), app.store.stats());
    let mut names = HashMap::new();
    for tenant in tenants::list(&mut *conn, None, TENANTS_MAX).await? {
        of_tenants.set_series(app, stats.as_ref(), &tenant);
        names.insert(tenant.id, tenant.name);
    }
    for kept in agenda::kept(&mut *conn, agenda::Which::All, TENANTS_MAX).await? {
        of_tenants.set_money(now, &kept);
    }
    for (id, quota) in quotas::all(&mut *conn).await? {
        if let Some(name) = names.get(&id) {
            of_tenants.set_quota(&id.to_string(), name, &quota);
        }
    }
    for (id, state, count) in instances::count_by_tenant(conn).await? {
        if let Some(name) = names.get(&id) {
            of_tenants.set_instances(&id.to_string(), name, state, count);
        }
    }
    Ok(())
}

async fn of_findings(conn: &mut Conn, gauges: &Gauges) -> Result<()> {
    let help = "Findings in metering and billing that somebody should look at, by kind.";
    let open = gauges.vec("opshawk_findings", help, &["kind"]);
    for (kind, count) in findings::count_open(conn).await? {
        open.with_label_values(&[kind.as_str()]).set(count as f64);
    }
    Ok(())
}

async fn of_guard(conn: &mut Conn, gauges: &Gauges) -> Result<()> {
    let help =
        "1: too many tenants would be stopped at once, and all of them wait for an operator.";
    let paused = gauges.vec("opshawk_standing_paused", help, &[]);
    let is_paused = guard::state(conn).await?.paused;
    paused.with_label_values::<&str>(&[]).set(f64::from(u8::from(is_paused)));
    Ok(())
}

/// The embedded store: how much it holds, and what it had to set aside.
fn of_store(app: &App, gauges: &Gauges) {
    let Some(stats) = app.store.stats() else { return };
    for (name, help, value) in [
        ("opshawk_store_active_series", "Series in memory.", stats.active_series as u64),
        (
            "opshawk_store_unflushed_samples",
            "Samples that the log and memory alone hold.",
            stats.unflushed_samples as u64,
        ),
        ("opshawk_store_log_bytes", "The log since the last flush.", stats.log_bytes),
        ("opshawk_store_blocks", "Blocks.", stats.blocks as u64),
        ("opshawk_store_block_bytes", "The blocks' files.", stats.block_bytes),
    ] {
        gauges.vec(name, help, &[]).with_label_values::<&str>(&[]).set(value as f64);
    }
    for (name, help, value) in [
        ("opshawk_store_log_fsyncs_total", "Syncs of the log.", stats.log_fsyncs),
        ("opshawk_store_flushes_total", "Flushes to blocks.", stats.flushes),
        ("opshawk_store_failed_flushes_total", "Flushes that failed.", stats.failed_flushes),
        ("opshawk_store_merges_total", "Merges of blocks.", stats.merges),
        ("opshawk_store_expired_blocks_total", "Blocks that retention took.", stats.expired_blocks),
        (
            "opshawk_store_damaged_blocks_total",
            "Blocks set aside because a checksum was wrong.",
            stats.damaged_blocks,
        ),
        (
            "opshawk_store_damaged_log_parts_total",
            "Parts of the log set aside because they could not be read.",
            stats.damaged_log_parts,
        ),
    ] {
        gauges.counter(name, help, &[]).with_label_values::<&str>(&[]).inc_by(value);
    }
}

/// PromQL: what came of the queries, rules' among them.
fn of_queries(app: &App, gauges: &Gauges) {
    let stats = app.engine.stats();
    let help = "Queries that ended, by how: answered, or stopped by which limit.";
    let ended = gauges.counter("opshawk_queries_total", help, &["outcome"]);
    for (outcome, count) in [
        ("answered", stats.answered),
        ("too_long", stats.too_long),
        ("too_many_samples", stats.too_many_samples),
        ("too_many_series", stats.too_many_series),
        ("too_many_points", stats.too_many_points),
        ("too_much_memory", stats.too_much_memory),
        ("canceled", stats.canceled),
        ("failed", stats.failed),
    ] {
        ended.with_label_values(&[outcome]).inc_by(count);
    }
    let running = gauges.vec("opshawk_queries_running", "Queries that run or wait.", &[]);
    running.with_label_values::<&str>(&[]).set(stats.running as f64);
}

fn of_program(app: &App, gauges: &Gauges) {
    let build = gauges.vec("opshawk_build_info", "1; which build this is.", &["version"]);
    build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1.0);
    let started = gauges.vec("opshawk_start_time_seconds", "When the server started.", &[]);
    started.with_label_values::<&str>(&[]).set(app.started_at.ms() as f64 / 1e3);

    let label = ["reconciler"];
    let runs = gauges.vec("opshawk_reconciler_runs_total", "Runs that ended.", &label);
    let failures = gauges.vec("opshawk_reconciler_failures_total", "Runs that failed.", &label);
    let took = gauges.vec(
        "opshawk_reconciler_last_duration_seconds",
        "How long the last run took.",
        &label,
    );
    for status in app.driver.statuses() {
        let label = [status.name.as_str()];
        runs.with_label_values(&label).set(status.runs as f64);
        failures.with_label_values(&label).set(status.failures as f64);
        let last_ms = status.last_duration_ms.unwrap_or(0);
        took.with_label_values(&label).set(last_ms as f64 / 1e3);
    }
}

async fn of_quotas(app: &App, conn: &mut Conn, gauges: &Gauges) -> Result<()> {
    let help = "Requests for more quota that wait for an answer.";
    let pending = gauges.vec("opshawk_quota_requests_pending", help, &[]);
    let waiting = requests::count_pending(conn).await?;
    pending.with_label_values::<&str>(&[]).set(waiting as f64);
    // Absent until the first check has ended.
    let checks = app.driver.statuses().into_iter().find(|s| s.name == QuotaDrift::NAME);
    let differ = checks.and_then(|s| s.last_status[QuotaDrift::DIFFER].as_f64());
    if let Some(differ) = differ {
        let help = "Quotas that the last daily check found to differ from what there is.";
        gauges.vec("opshawk_quota_drift", help, &[]).with_label_values::<&str>(&[]).set(differ);
    }
    Ok(())
}

/// Absent until the first verification has ended.
fn of_ledger(app: &App, gauges: &Gauges) {
    let ledger = app.driver.statuses().into_iter().find(|s| s.name == LedgerReconciler::NAME);
    let found = ledger.and_then(|s| s.last_status[LedgerReconciler::FINDINGS].as_f64());
    if let Some(found) = found {
        let help = "Broken invariants that the last hourly verification of the ledger found.";
        gauges.vec("opshawk_ledger_findings", help, &[]).with_label_values::<&str>(&[]).set(found);
    }
}

async fn of_machines(conn: &mut Conn, gauges: &Gauges) -> Result<()> {
    let by_status = gauges.vec("opshawk_hosts", "Hosts by whether they answer.", &["status"]);
    for host in hosts::list(&mut *conn, None, MAX_ITEMS).await? {
        let status = if host.hypervisor_ok { "ok" } else { "unknown" };
        by_status.with_label_values(&[status]).inc();
    }
    let by_power = gauges.vec("opshawk_servers", "Servers by power.", &["power"]);
    for server in servers::list(&mut *conn, None, MAX_ITEMS).await? {
        let power: ObservedPower = server.observed_power;
        by_power.with_label_values(&[power.as_str()]).inc();
    }
    let by_state =
        gauges.vec("opshawk_instances", "Instances by what was last seen of them.", &["state"]);
    for (state, count) in instances::count_by_state(conn, None).await? {
        by_state.with_label_values(&[state.as_str()]).set(count as f64);
    }
    Ok(())
}
