//! Who may call what, as one table.
//!
//! The router's middleware refuses by it, the OpenAPI description carries it as `x-opshawk-roles`,
//! and a test walks both: an endpoint that is not listed here does not start.

use http::Method;

/// Who may call an endpoint at all; whose things they may touch is the handler's to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Without saying who one is.
    Nobody,
    /// Whoever is known: operators, members and agents.
    Known,
    /// Operators and members; a member gets 404 for what is not its own.
    Users,
    Operators,
    Agents,
    OperatorsAndAgents,
}

impl Who {
    /// The roles by name, as the OpenAPI description has them.
    pub fn roles(self) -> &'static [&'static str] {
        match self {
            Self::Nobody => &[],
            Self::Known => &["operator", "member", "agent"],
            Self::Users => &["operator", "member"],
            Self::Operators => &["operator"],
            Self::Agents => &["agent"],
            Self::OperatorsAndAgents => &["operator", "agent"],
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Rule {
    pub method: &'static Method,
    pub path: &'static str,
    pub who: Who,
    /// Creates or pays, so that it takes an `Idempotency-Key`.
    pub keyed: bool,
}

const fn rule(method: &'static Method, path: &'static str, who: Who) -> Rule {
    Rule { method, path, who, keyed: false }
}

const fn keyed(path: &'static str, who: Who) -> Rule {
    Rule { method: POST, path, who, keyed: true }
}

const GET: &Method = &Method::GET;
const POST: &Method = &Method::POST;
const PUT: &Method = &Method::PUT;
const PATCH: &Method = &Method::PATCH;
const DELETE: &Method = &Method::DELETE;

use Who::{Agents, Known, Nobody, Operators, OperatorsAndAgents, Users};

pub const RULES: &[Rule] = &[
    rule(POST, "/v1/session", Nobody),
    rule(DELETE, "/v1/session", Users),
    rule(POST, "/v1/setup", Nobody),
    rule(GET, "/v1/me", Known),
    rule(GET, "/v1/tenants", Users),
    keyed("/v1/tenants", Operators),
    rule(GET, "/v1/tenants/{id}", Users),
    rule(PATCH, "/v1/tenants/{id}", Operators),
    keyed("/v1/tenants/{id}/topups", Operators),
    keyed("/v1/tenants/{id}/recharges", Operators),
    rule(GET, "/v1/tenants/{id}/recharges", Users),
    keyed("/v1/tenants/{id}/bonuses", Operators),
    keyed("/v1/tenants/{id}/refunds", Operators),
    keyed("/v1/tenants/{id}/corrections", Operators),
    rule(GET, "/v1/tenants/{id}/ledger", Users),
    rule(POST, "/v1/ledger/verify", Operators),
    keyed("/v1/tenants/{id}/holds", Operators),
    rule(GET, "/v1/tenants/{id}/holds", Users),
    rule(POST, "/v1/holds/{id}/post", Operators),
    rule(POST, "/v1/holds/{id}/void", Operators),
    rule(GET, "/v1/vouchers", Operators),
    keyed("/v1/vouchers", Operators),
    keyed("/v1/tenants/{id}/vouchers/redeem", Users),
    rule(GET, "/v1/tenants/{id}/packages", Users),
    keyed("/v1/tenants/{id}/packages", Users),
    rule(POST, "/v1/tenants/{id}/packages/{package}/cancel", Users),
    rule(GET, "/v1/tenants/{id}/billing-settings", Users),
    rule(PUT, "/v1/tenants/{id}/billing-settings", Operators),
    rule(GET, "/v1/tenants/{id}/balance", Users),
    rule(GET, "/v1/tenants/{id}/bill", Users),
    rule(GET, "/v1/tenants/{id}/bill.csv", Users),
    rule(GET, "/v1/tenants/{id}/months", Users),
    rule(POST, "/v1/tenants/{id}/months/{month}/close", Operators),
    rule(GET, "/v1/invoices", Users),
    rule(GET, "/v1/invoices/{id}", Users),
    rule(GET, "/v1/invoices/{id}/files/{format}", Users),
    keyed("/v1/invoices/{id}/credit-notes", Operators),
    rule(GET, "/v1/credit-notes/{id}/files/{format}", Users),
    rule(GET, "/v1/lines", Users),
    rule(GET, "/v1/lines/{line}", Users),
    rule(GET, "/v1/findings", Operators),
    rule(POST, "/v1/findings/{id}/resolve", Operators),
    rule(GET, "/v1/usage-gaps", Operators),
    rule(POST, "/v1/usage-gaps/{id}/answer", Operators),
    rule(GET, "/v1/usage-rulings", Operators),
    rule(POST, "/v1/usage-facts/{id}/rule", Operators),
    rule(GET, "/v1/costs", Users),
    rule(GET, "/v1/costs.csv", Users),
    rule(GET, "/v1/costs/labels", Users),
    rule(GET, "/v1/tenants/{id}/quota", Users),
    rule(PUT, "/v1/tenants/{id}/quota", Operators),
    rule(POST, "/v1/tenants/{id}/quota/recount", Operators),
    rule(POST, "/v1/tenants/{id}/standing/approve", Operators),
    rule(GET, "/v1/tenants/{id}/standing/settings", Users),
    rule(PUT, "/v1/tenants/{id}/standing/settings", Operators),
    rule(GET, "/v1/standing/preview", Users),
    rule(GET, "/v1/standing/guard", Operators),
    rule(POST, "/v1/standing/guard/resume", Operators),
    rule(GET, "/v1/standing/exemptions", Operators),
    keyed("/v1/standing/exemptions", Operators),
    rule(DELETE, "/v1/standing/exemptions/{id}", Operators),
    rule(GET, "/v1/standing/steps", Operators),
    rule(GET, "/v1/quota-requests", Users),
    keyed("/v1/quota-requests", Users),
    rule(GET, "/v1/quota-requests/{id}", Users),
    rule(POST, "/v1/quota-requests/{id}/approve", Operators),
    rule(POST, "/v1/quota-requests/{id}/refuse", Operators),
    rule(POST, "/v1/quota-requests/{id}/withdraw", Users),
    rule(GET, "/v1/users", Operators),
    keyed("/v1/users", Operators),
    rule(GET, "/v1/tokens", Users),
    keyed("/v1/tokens", Users),
    rule(DELETE, "/v1/tokens/{id}", Users),
    rule(GET, "/v1/flavors", Users),
    keyed("/v1/flavors", Operators),
    rule(GET, "/v1/flavors/{id}", Users),
    rule(DELETE, "/v1/flavors/{id}", Operators),
    rule(GET, "/v1/images", Users),
    keyed("/v1/images", Operators),
    rule(GET, "/v1/images/{id}", Users),
    rule(DELETE, "/v1/images/{id}", Operators),
    rule(PUT, "/v1/images/{id}/files/{file}", Operators),
    rule(GET, "/v1/hosts", Operators),
    keyed("/v1/hosts", Operators),
    rule(GET, "/v1/hosts/{id}", Operators),
    rule(PATCH, "/v1/hosts/{id}", Operators),
    rule(GET, "/v1/servers", Operators),
    keyed("/v1/servers", Operators),
    rule(GET, "/v1/servers/{id}", Operators),
    rule(DELETE, "/v1/servers/{id}", Operators),
    rule(POST, "/v1/servers/{id}/power", Operators),
    rule(GET, "/v1/price-books", Users),
    keyed("/v1/price-books", Operators),
    keyed("/v1/price-books/{id}/versions", Operators),
    rule(GET, "/v1/price-books/{id}/drafts", Operators),
    keyed("/v1/price-books/{id}/drafts", Operators),
    rule(GET, "/v1/price-drafts/{id}", Operators),
    rule(PUT, "/v1/price-drafts/{id}", Operators),
    rule(DELETE, "/v1/price-drafts/{id}", Operators),
    rule(POST, "/v1/price-drafts/{id}/check", Operators),
    keyed("/v1/price-drafts/{id}/publish", Operators),
    rule(POST, "/v1/prices/simulate", Operators),
    rule(GET, "/v1/tenants/{id}/price-overrides", Users),
    keyed("/v1/tenants/{id}/price-overrides", Operators),
    rule(POST, "/v1/tenants/{id}/price-overrides/{number}/end", Operators),
    rule(GET, "/v1/instances", Users),
    keyed("/v1/instances", Users),
    rule(GET, "/v1/instances/{id}", Users),
    rule(PATCH, "/v1/instances/{id}", Users),
    rule(DELETE, "/v1/instances/{id}", Users),
    rule(POST, "/v1/instances/{id}/start", Users),
    rule(POST, "/v1/instances/{id}/stop", Users),
    rule(POST, "/v1/instances/{id}/resize", Users),
    rule(POST, "/v1/instances/{id}/lock", Operators),
    rule(POST, "/v1/instances/{id}/unlock", Operators),
    rule(GET, "/v1/instances/{id}/console-log", Users),
    rule(GET, "/v1/instances/{id}/console/serial", Users),
    rule(GET, "/v1/instances/{id}/console/screen", Users),
    rule(GET, "/v1/operations", Users),
    rule(GET, "/v1/operations/{id}", Users),
    rule(GET, "/v1/alerts", Users),
    rule(GET, "/v1/rule-groups", Operators),
    rule(PUT, "/v1/rule-groups/{name}", Operators),
    rule(DELETE, "/v1/rule-groups/{name}", Operators),
    rule(GET, "/v1/notices", Users),
    rule(GET, "/v1/audit", Operators),
    rule(GET, "/v1/system/reconcilers", Operators),
    rule(GET, "/v1/system/info", Operators),
    rule(POST, "/v1/system/backup", Operators),
    rule(GET, "/v1/events", Users),
    rule(GET, "/v1/openapi.json", Nobody),
    rule(GET, "/v1/metrics/export", Users),
    rule(POST, "/v1/metrics/import", Operators),
    rule(GET, "/v1/agent/desired", Agents),
    rule(POST, "/v1/agent/reports", Agents),
    rule(GET, "/v1/agent/images/{id}/{file}", Agents),
    rule(GET, "/v1/agent/streams", Agents),
    rule(GET, "/v1/agent/streams/{id}", Agents),
    rule(GET, "/prometheus/api/v1/query", Users),
    rule(POST, "/prometheus/api/v1/query", Users),
    rule(GET, "/prometheus/api/v1/query_range", Users),
    rule(POST, "/prometheus/api/v1/query_range", Users),
    rule(GET, "/prometheus/api/v1/series", Users),
    rule(POST, "/prometheus/api/v1/series", Users),
    rule(GET, "/prometheus/api/v1/labels", Users),
    rule(POST, "/prometheus/api/v1/labels", Users),
    rule(GET, "/prometheus/api/v1/label/{name}/values", Users),
    rule(GET, "/prometheus/api/v1/rules", Users),
    rule(GET, "/prometheus/api/v1/alerts", Users),
    rule(GET, "/prometheus/api/v1/targets", Operators),
    rule(GET, "/prometheus/api/v1/status/buildinfo", Users),
    rule(GET, "/prometheus/api/v1/metadata", Users),
    rule(GET, "/prometheus/api/v1/query_exemplars", Users),
    rule(POST, "/prometheus/api/v1/query_exemplars", Users),
    rule(GET, "/prometheus/api/v1/format_query", Users),
    rule(POST, "/prometheus/api/v1/format_query", Users),
    rule(GET, "/prometheus/api/v1/status/tsdb", Users),
    rule(POST, "/prometheus/api/v1/write", OperatorsAndAgents),
    rule(POST, "/prometheus/api/v1/admin/tsdb/delete_series", Operators),
    rule(GET, "/metrics", Users),
    rule(GET, "/healthz", Nobody),
    rule(GET, "/readyz", Nobody),
];

pub fn find(method: &Method, path: &str) -> Option<&'static Rule> {
    // A HEAD is answered by the GET.
    let method = if method == Method::HEAD { GET } else { method };
    RULES.iter().find(|r| r.method == method && r.path == path)
}
