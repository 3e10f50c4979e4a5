//! The HTTP interface: one file a resource, each handler thin over a domain function.
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`access`], [`auth`] | who may call what, as one table; who is calling |
//! | [`internal`] | what of an answer is the operators' alone |
//! | [`extract`] | bodies, paths and queries, with problem details where they are wrong |
//! | [`unit`] | one request's write transaction, with its `Idempotency-Key` |
//! | [`problem`] | RFC 9457, from the kinds of `base::Error` |
//! | [`page`] | lists by cursor |
//! | [`outer`] | what every request passes: id, span, count, time, headers |
//! | [`spec`] | the OpenAPI 3.1 description |
//! | [`streams`] | live consoles: who looks and the host's agent, paired and relayed |
//! | the others | one resource each |

use axum::{Router, middleware};
use base::{Error, id::TenantId};
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer};
use utoipa_axum::{router::OpenApiRouter, routes};

pub mod access;
pub mod agents;
pub mod alerts;
pub mod audit;
pub mod auth;
pub mod billing_settings;
pub mod console;
pub mod costs;
pub mod events;
pub mod extract;
pub mod findings;
pub mod flavors;
pub mod history;
pub mod holds;
pub mod hosts;
pub mod images;
pub mod instances;
pub mod internal;
pub mod invoices;
pub mod ledger;
pub mod lines;
pub mod metrics;
pub mod money;
pub mod operations;
pub mod outer;
pub mod packages;
pub mod page;
pub mod price_books;
pub mod price_drafts;
pub mod price_overrides;
pub mod problem;
pub mod prometheus;
pub mod quota_requests;
pub mod quotas;
pub mod servers;
pub mod session;
pub mod spec;
pub mod standing;
pub mod state;
pub mod streams;
pub mod system;
pub mod tenants;
pub mod tokens;
pub mod unit;
pub mod users;
pub mod vouchers;

pub use state::App;

/// Every endpoint, with its description.
pub fn endpoints() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(<spec::Base as utoipa::OpenApi>::openapi())
        .routes(routes!(session::login, session::logout))
        .routes(routes!(session::me))
        .routes(routes!(session::setup))
        .routes(routes!(tenants::list_tenants, tenants::create_tenant))
        .routes(routes!(tenants::get_tenant, tenants::patch_tenant))
        .routes(routes!(money::create_topup))
        .routes(routes!(money::get_balance))
        .routes(routes!(money::get_bill))
        .routes(routes!(money::get_bill_csv))
        .routes(routes!(standing::preview_cuts))
        .routes(routes!(standing::get_guard))
        .routes(routes!(standing::resume_guard))
        .routes(routes!(standing::list_exemptions, standing::create_exemption))
        .routes(routes!(standing::end_exemption))
        .routes(routes!(standing::list_steps))
        .routes(routes!(standing::approve_step))
        .routes(routes!(standing::get_standing_settings, standing::put_standing_settings))
        .routes(routes!(invoices::list_invoices))
        .routes(routes!(invoices::get_invoice))
        .routes(routes!(invoices::download_invoice))
        .routes(routes!(invoices::create_credit_note))
        .routes(routes!(invoices::list_months))
        .routes(routes!(invoices::close_month))
        .routes(routes!(lines::list_lines))
        .routes(routes!(lines::explain_line))
        .routes(routes!(findings::list_findings))
        .routes(routes!(findings::resolve_finding))
        .routes(routes!(findings::list_usage_gaps))
        .routes(routes!(findings::answer_usage_gap))
        .routes(routes!(findings::list_usage_rulings))
        .routes(routes!(findings::rule_on_fact))
        .routes(routes!(costs::get_costs))
        .routes(routes!(costs::get_costs_csv))
        .routes(routes!(costs::list_cost_labels))
        .routes(routes!(quotas::get_quota, quotas::set_quota))
        .routes(routes!(quotas::recount_quota))
        .routes(routes!(quota_requests::list_quota_requests, quota_requests::create_quota_request))
        .routes(routes!(quota_requests::get_quota_request))
        .routes(routes!(quota_requests::approve_quota_request))
        .routes(routes!(quota_requests::refuse_quota_request))
        .routes(routes!(quota_requests::withdraw_quota_request))
        .routes(routes!(users::list_users, users::create_user))
        .routes(routes!(tokens::list_tokens, tokens::create_token))
        .routes(routes!(tokens::revoke_token))
        .routes(routes!(flavors::list_flavors, flavors::create_flavor))
        .routes(routes!(flavors::get_flavor, flavors::delete_flavor))
        .routes(routes!(images::list_images, images::create_image))
        .routes(routes!(images::get_image, images::delete_image))
        .routes(routes!(images::upload_image_file))
        .routes(routes!(hosts::list_hosts, hosts::create_host))
        .routes(routes!(hosts::get_host, hosts::patch_host))
        .routes(routes!(servers::list_servers, servers::create_server))
        .routes(routes!(servers::get_server, servers::delete_server))
        .routes(routes!(servers::set_server_power))
        .routes(routes!(price_books::list_price_books, price_books::create_price_book))
        .routes(routes!(price_books::create_price_version))
        .routes(routes!(price_drafts::list_price_drafts, price_drafts::create_price_draft))
        .routes(routes!(
            price_drafts::get_price_draft,
            price_drafts::replace_price_draft,
            price_drafts::discard_price_draft
        ))
        .routes(routes!(price_drafts::check_price_draft))
        .routes(routes!(price_drafts::publish_price_draft))
        .routes(routes!(price_drafts::simulate_prices))
        .routes(routes!(
            price_overrides::list_price_overrides,
            price_overrides::create_price_override
        ))
        .routes(routes!(price_overrides::end_price_override))
        .routes(routes!(instances::list_instances, instances::create_instance))
        .routes(routes!(
            instances::get_instance,
            instances::delete_instance,
            instances::patch_instance
        ))
        .routes(routes!(instances::start_instance))
        .routes(routes!(instances::stop_instance))
        .routes(routes!(instances::resize_instance))
        .routes(routes!(instances::lock_instance))
        .routes(routes!(instances::unlock_instance))
        .routes(routes!(instances::get_console_log))
        .routes(routes!(streams::open_serial_console))
        .routes(routes!(streams::open_screen))
        .routes(routes!(operations::list_operations))
        .routes(routes!(operations::get_operation))
        .routes(routes!(alerts::list_alerts))
        .routes(routes!(alerts::list_rule_groups))
        .routes(routes!(alerts::put_rule_group, alerts::delete_rule_group))
        .routes(routes!(alerts::list_notices))
        .routes(routes!(audit::list_audit))
        .routes(routes!(system::list_reconcilers))
        .routes(routes!(system::get_system_info))
        .routes(routes!(system::create_backup))
        .routes(routes!(system::healthz))
        .routes(routes!(system::readyz))
        .routes(routes!(system::get_openapi))
        .routes(routes!(events::stream_events))
        .routes(routes!(agents::get_desired))
        .routes(routes!(agents::post_report))
        .routes(routes!(agents::download_image_file))
        .routes(routes!(streams::list_wanted_streams))
        .routes(routes!(streams::carry_stream))
        .merge(ledger_endpoints())
        .merge(prometheus_endpoints())
        .routes(routes!(history::export::export_metrics))
        .routes(routes!(history::import::import_metrics))
        .routes(routes!(metrics::get_metrics))
}

fn ledger_endpoints() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(ledger::create_recharge, ledger::list_recharges))
        .routes(routes!(ledger::create_bonus))
        .routes(routes!(ledger::create_refund))
        .routes(routes!(ledger::create_correction))
        .routes(routes!(ledger::list_ledger))
        .routes(routes!(ledger::verify_ledger))
        .routes(routes!(holds::create_hold, holds::list_holds))
        .routes(routes!(holds::post_hold))
        .routes(routes!(holds::void_hold))
        .routes(routes!(vouchers::create_voucher, vouchers::list_vouchers))
        .routes(routes!(vouchers::redeem_voucher))
        .routes(routes!(packages::list_packages, packages::order_package))
        .routes(routes!(packages::cancel_package))
        .routes(routes!(invoices::download_credit_note))
        .routes(routes!(
            billing_settings::get_billing_settings,
            billing_settings::set_billing_settings
        ))
}

fn prometheus_endpoints() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(prometheus::query, prometheus::query_form))
        .routes(routes!(prometheus::query_range, prometheus::query_range_form))
        .routes(routes!(prometheus::series, prometheus::series_form))
        .routes(routes!(prometheus::labels, prometheus::labels_form))
        .routes(routes!(prometheus::label_values))
        .routes(routes!(prometheus::rules))
        .routes(routes!(prometheus::alerts))
        .routes(routes!(prometheus::targets))
        .routes(routes!(prometheus::buildinfo))
        .routes(routes!(prometheus::browse::metadata))
        .routes(routes!(
            prometheus::browse::query_exemplars,
            prometheus::browse::query_exemplars_form
        ))
        .routes(routes!(prometheus::browse::format_query, prometheus::browse::format_query_form))
        .routes(routes!(prometheus::browse::tsdb))
        .routes(routes!(prometheus::write::remote_write))
        .routes(routes!(prometheus::admin::delete_series))
}

/// The description that is checked in as `openapi.json` and served at `/v1/openapi.json`.
pub fn openapi() -> utoipa::openapi::OpenApi {
    spec::describe(endpoints().split_for_parts().1)
}

/// The whole interface, ready to be served.
pub fn router(app: App) -> Router {
    let (routes, mut description) = endpoints().split_for_parts();
    for (path, item) in &mut description.paths.paths {
        for (method, _) in spec::operations(item) {
            // Without a rule it would be open to all.
            assert!(access::find(&method, path).is_some(), "{method} {path} has no access rule");
        }
    }
    routes
        .route_layer(middleware::from_fn_with_state(app.clone(), auth::authorise))
        .fallback(console::serve)
        .method_not_allowed_fallback(console::wrong_method)
        .layer(CatchPanicLayer::custom(outer::panicked))
        .layer(middleware::from_fn_with_state(app.clone(), outer::observe))
        .layer(CompressionLayer::new())
        .with_state(app)
}

/// Whose things to list: a member's own, an operator's choice.
fn tenant_filter(
    caller: &auth::Caller,
    asked: Option<TenantId>,
) -> problem::Result<Option<TenantId>> {
    match (caller.tenant(), asked) {
        (Some(own), None) => Ok(Some(own)),
        (Some(_), Some(asked)) => {
            caller.require_sees(asked, format_args!("tenant {asked}"))?;
            Ok(Some(asked))
        }
        (None, asked) => Ok(asked),
    }
}

/// For whom something is asked: a member's own tenant, or whom an operator names.
fn for_whom(caller: &auth::Caller, asked: Option<TenantId>) -> Result<TenantId, problem::Problem> {
    let refused = |message: &str| Err(problem::Problem::invalid("tenant_id", message));
    match (caller.tenant(), asked) {
        (Some(own), None) => Ok(own),
        (_, Some(tenant)) if caller.sees(tenant) => Ok(tenant),
        (_, Some(tenant)) => refused(&format!("tenant {tenant} does not exist")),
        (None, None) => refused("an operator must say for whom"),
    }
}

/// A connection for reading of a tenant, which must be there and the caller's to see.
async fn reading(
    app: &App,
    caller: &auth::Caller,
    id: TenantId,
) -> problem::Result<impl std::ops::DerefMut<Target = base::db::Conn> + use<>> {
    caller.require_sees(id, format_args!("tenant {id}"))?;
    let mut conn = app.read().await?;
    identity::tenants::get(&mut conn, id).await?;
    Ok(conn)
}

/// What has no owner is the operators'.
fn require_own(
    caller: &auth::Caller,
    owner: Option<TenantId>,
    what: impl std::fmt::Display,
) -> problem::Result<()> {
    match owner {
        Some(owner) => Ok(caller.require_sees(owner, what)?),
        None if caller.is_operator() => Ok(()),
        None => Err(Error::not_found(what).into()),
    }
}

#[cfg(test)]
pub(crate) mod tests;
