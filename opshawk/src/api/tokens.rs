//! API tokens: for programs.

use axum::{extract::State, response::Response};
use base::{
    id::{HostId, TenantId, TokenId},
    time::Timestamp,
};
use http::StatusCode;
use identity::{Access, tokens, users::Role};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    auth::Caller,
    extract::{Json, Keyed, Path, Query},
    page::{Page, PageQuery},
    problem::{Problem, Result},
    session::RoleName,
    state::App,
    unit,
};

#[derive(Debug, Serialize, ToSchema)]
pub struct Token {
    pub id: TokenId,
    pub name: String,
    pub role: RoleName,
    pub tenant_id: Option<TenantId>,
    /// An agent's host.
    pub host_id: Option<HostId>,
    pub created_at: Timestamp,
}

impl From<tokens::Token> for Token {
    fn from(token: tokens::Token) -> Self {
        let (role, tenant_id, host_id) = match token.access {
            Access::Operator => (RoleName::Operator, None, None),
            Access::Member(tenant) => (RoleName::Member, Some(tenant), None),
            Access::Agent(host) => (RoleName::Agent, None, Some(host)),
        };
        let tokens::Token { id, name, created_at, .. } = token;
        Self { id, name, role, tenant_id, host_id, created_at }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    pub name: String,
    /// A member can make members' only.
    pub role: Role,
    /// A member token's tenant; where a member asks, its own.
    pub tenant_id: Option<TenantId>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedToken {
    pub id: TokenId,
    pub name: String,
    /// Shown once; null where the answer is repeated for the same `Idempotency-Key`.
    pub token: Option<String>,
}

#[utoipa::path(get, path = "/v1/tokens", tag = "tokens", params(PageQuery),
    responses((status = 200, body = Page<Token>)))]
pub async fn list_tokens(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Token>>> {
    let span = query.span::<TokenId>()?;
    let mut conn = app.read().await?;
    let rows = tokens::list(&mut conn, caller.tenant(), span.cursor, span.fetch()).await?;
    Ok(Json(span.page(rows, |t| t.id.to_string(), Token::from)))
}

#[utoipa::path(post, path = "/v1/tokens", tag = "tokens", request_body = CreateToken,
    responses((status = 201, body = CreatedToken)))]
pub async fn create_token(
    State(app): State<App>,
    caller: Caller,
    Keyed { body, key }: Keyed<CreateToken>,
) -> unit::Result<Response> {
    let access = access(&caller, &body)?;
    let mut unit = app.begin(&caller, key).await?;
    let now = unit.now;
    let (token, plain) = tokens::create(&mut unit.tx, now, &body.name, access).await?;
    let tenant = match access {
        Access::Member(tenant) => Some(tenant),
        _ => None,
    };
    let detail = json!({ "name": token.name, "role": body.role });
    unit.audit("token.create", ("token", token.id), tenant, detail).await?;
    let again = CreatedToken { id: token.id, name: token.name.clone(), token: None };
    let created = CreatedToken { id: token.id, name: token.name, token: Some(plain) };
    unit.finish_once(StatusCode::CREATED, &created, &again).await
}

fn access(caller: &Caller, body: &CreateToken) -> Result<Access> {
    match (caller.access, body.role, body.tenant_id) {
        (Access::Operator, Role::Operator, None) => Ok(Access::Operator),
        (Access::Operator, Role::Operator, Some(_)) => {
            Err(Problem::invalid("tenant_id", "an operator's token has no tenant"))
        }
        (Access::Operator, Role::Member, Some(tenant)) => Ok(Access::Member(tenant)),
        (Access::Operator, Role::Member, None) => {
            Err(Problem::invalid("tenant_id", "a member's token needs a tenant"))
        }
        (Access::Member(own), Role::Member, tenant) if tenant.is_none_or(|t| t == own) => {
            Ok(Access::Member(own))
        }
        (Access::Member(_), Role::Member, Some(other)) => {
            let message = format!("tenant {other} does not exist");
            Err(Problem::invalid("tenant_id", message))
        }
        _ => Err(base::Error::forbidden("only an operator may make this token").into()),
    }
}

/// Revokes it, at once.
#[utoipa::path(delete, path = "/v1/tokens/{id}", tag = "tokens",
    params(("id" = TokenId, Path)), responses((status = 204)))]
pub async fn revoke_token(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TokenId>,
) -> unit::Result<StatusCode> {
    let mut unit = app.begin(&caller, None).await?;
    app.identity.revoke_token(&mut unit.tx, &caller, id).await?;
    unit.audit("token.revoke", ("token", id), caller.tenant(), json!({})).await?;
    unit.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
