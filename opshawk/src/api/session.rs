//! Logging in and out, and who one is.

use axum::extract::State;
use axum_extra::extract::{
    CookieJar,
    cookie::{Cookie, SameSite},
};
use base::id::TenantId;
use http::StatusCode;
use identity::{Access, Actor, tenants};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{auth::Caller, extract::Json, problem::Result, state::App};

/// The cookie that carries a session.
pub const COOKIE: &str = "opshawk_session";

/// A person's login.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    pub login: String,
    #[schema(format = Password)]
    pub password: String,
}

/// The one-time link's token, and the password to set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    pub token: String,
    #[schema(format = Password)]
    pub password: String,
}

/// Who the caller is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    /// `user`, `token`, `agent` or `system`.
    pub kind: &'static str,
    pub id: String,
    pub name: String,
    pub role: RoleName,
    /// A member's tenant.
    pub tenant_id: Option<TenantId>,
    pub tenant_name: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoleName {
    Operator,
    Member,
    Agent,
}

/// Logs in; the answer sets the session cookie.
#[utoipa::path(post, path = "/v1/session", tag = "session", request_body = Login,
    responses((status = 200, body = Me)))]
pub async fn login(
    State(app): State<App>,
    jar: CookieJar,
    Json(body): Json<Login>,
) -> Result<(CookieJar, Json<Me>)> {
    let (session, actor) = app.identity.login(&body.login, &body.password).await?;
    Ok((jar.add(cookie(&app, session)), Json(describe(&app, &actor).await?)))
}

/// Ends the session.
#[utoipa::path(delete, path = "/v1/session", tag = "session", responses((status = 204)))]
pub async fn logout(State(app): State<App>, jar: CookieJar) -> Result<(CookieJar, StatusCode)> {
    if let Some(session) = jar.get(COOKIE) {
        app.identity.logout(session.value()).await?;
    }
    let mut gone = cookie(&app, String::new());
    gone.make_removal();
    Ok((jar.add(gone), StatusCode::NO_CONTENT))
}

/// Who the caller is.
#[utoipa::path(get, path = "/v1/me", tag = "session", responses((status = 200, body = Me)))]
pub async fn me(State(app): State<App>, caller: Caller) -> Result<Json<Me>> {
    Ok(Json(describe(&app, &caller).await?))
}

/// Sets the password that the one-time link is for, and logs in.
#[utoipa::path(post, path = "/v1/setup", tag = "session", request_body = Setup,
    responses((status = 200, body = Me)))]
pub async fn setup(
    State(app): State<App>,
    jar: CookieJar,
    Json(body): Json<Setup>,
) -> Result<(CookieJar, Json<Me>)> {
    let (session, actor) = app.identity.redeem_setup_link(&body.token, &body.password).await?;
    Ok((jar.add(cookie(&app, session)), Json(describe(&app, &actor).await?)))
}

/// Gone with the browser; the session itself ends after [`identity::auth::SESSION_LIFETIME`].
fn cookie(app: &App, session: String) -> Cookie<'static> {
    Cookie::build((COOKIE, session))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(app.config.is_https())
        .build()
}

async fn describe(app: &App, actor: &Actor) -> Result<Me> {
    let (role, tenant_id) = match actor.access {
        Access::Operator => (RoleName::Operator, None),
        Access::Member(tenant) => (RoleName::Member, Some(tenant)),
        Access::Agent(_) => (RoleName::Agent, None),
    };
    let tenant_name = match tenant_id {
        Some(id) => Some(tenants::get(&mut *app.read().await?, id).await?.name),
        None => None,
    };
    let kind = actor.kind.as_str();
    Ok(Me { kind, id: actor.id.clone(), name: actor.name.clone(), role, tenant_id, tenant_name })
}
