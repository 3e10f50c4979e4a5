//! Users: people with a password.

use axum::{extract::State, response::Response};
use base::{
    id::{TenantId, UserId},
    time::Timestamp,
};
use http::StatusCode;
use identity::{
    auth::setup_link,
    users::{self, NewUser, Role},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    auth::Caller,
    extract::{Json, Keyed, Query},
    page::{Page, PageQuery},
    problem::{Problem, Result},
    state::App,
    unit,
};

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct User {
    pub id: UserId,
    pub login: String,
    pub role: Role,
    pub tenant_id: Option<TenantId>,
    pub has_password: bool,
    pub created_at: Timestamp,
}

impl From<users::User> for User {
    fn from(user: users::User) -> Self {
        let users::User { id, login, role, tenant_id, has_password, created_at } = user;
        Self { id, login, role, tenant_id, has_password, created_at }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    /// An e-mail address, where the user is to get mail.
    pub login: String,
    pub role: Role,
    /// A member's tenant.
    pub tenant_id: Option<TenantId>,
    /// Without one, the answer has a one-time link to set it.
    #[schema(format = Password)]
    pub password: Option<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CreatedUser {
    #[serde(flatten)]
    pub user: User,
    /// Shown once: where the user sets a password.
    pub setup_url: Option<String>,
}

#[utoipa::path(get, path = "/v1/users", tag = "users", params(PageQuery),
    responses((status = 200, body = Page<User>)))]
pub async fn list_users(
    State(app): State<App>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<User>>> {
    let span = query.span::<UserId>()?;
    let rows = users::list(&mut *app.read().await?, None, span.cursor, span.fetch()).await?;
    Ok(Json(span.page(rows, |u| u.id.to_string(), User::from)))
}

#[utoipa::path(post, path = "/v1/users", tag = "users", request_body = CreateUser,
    responses((status = 201, body = CreatedUser)))]
pub async fn create_user(
    State(app): State<App>,
    caller: Caller,
    Keyed { body, key }: Keyed<CreateUser>,
) -> unit::Result<Response> {
    match (body.role, body.tenant_id) {
        (Role::Member, None) => {
            return Err(Problem::invalid("tenant_id", "a member needs a tenant").into());
        }
        (Role::Operator, Some(_)) => {
            return Err(Problem::invalid("tenant_id", "an operator has no tenant").into());
        }
        _ => {}
    }
    // Before the transaction: hashing takes its time.
    let password_hash = match &body.password {
        Some(password) => Some(identity::password::hash(password).await?),
        None => None,
    };
    let mut unit = app.begin(&caller, key).await?;
    let new = NewUser { login: &body.login, tenant_id: body.tenant_id, password_hash };
    let now = unit.now;
    let user = User::from(users::create(&mut unit.tx, now, new).await?);
    let detail = json!({ "login": user.login, "role": user.role });
    unit.audit("user.create", ("user", user.id), user.tenant_id, detail).await?;
    let setup_url = match user.has_password {
        true => None,
        false => {
            let link = setup_link(&mut unit.tx, now, user.id).await?;
            Some(format!("{}/setup?token={link}", app.config.public_url()))
        }
    };
    let again = CreatedUser { user: user.clone(), setup_url: None };
    unit.finish_once(StatusCode::CREATED, &CreatedUser { user, setup_url }, &again).await
}
