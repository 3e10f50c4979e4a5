//! The program itself: its loops, its health, its description, its backup.

use axum::{
    Json,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use base::{db::Backend, reconcile::ReconcilerStatus, time::Timestamp};
use http::header;
use serde::Serialize;
use utoipa::ToSchema;

use super::{auth::Caller, problem::Result, state::App, unit};

#[derive(Debug, Serialize, ToSchema)]
pub struct Reconcilers {
    pub items: Vec<ReconcilerStatus>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SystemInfo {
    pub version: String,
    pub started_at: Timestamp,
    pub now: Timestamp,
    /// `sqlite` or `postgres`.
    pub database: String,
    pub data_dir: String,
    pub listen: String,
    pub public_url: String,
    /// Whether the web console is in this build.
    pub console: bool,
}

/// The loops that make it so, with their last runs.
#[utoipa::path(get, path = "/v1/system/reconcilers", tag = "system",
    responses((status = 200, body = Reconcilers)))]
pub async fn list_reconcilers(State(app): State<App>) -> Json<Reconcilers> {
    Json(Reconcilers { items: app.driver.statuses() })
}

#[utoipa::path(get, path = "/v1/system/info", tag = "system",
    responses((status = 200, body = SystemInfo)))]
pub async fn get_system_info(State(app): State<App>) -> Json<SystemInfo> {
    let database = match app.db.backend() {
        Backend::Sqlite => "sqlite",
        Backend::Postgres => "postgres",
    };
    Json(SystemInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: app.started_at,
        now: app.clock.now(),
        database: database.to_owned(),
        data_dir: app.config.data_dir.display().to_string(),
        listen: app.config.listen.to_string(),
        public_url: app.config.public_url(),
        console: dashboards::is_built(),
    })
}

/// A backup of everything, consistent while the server runs: SQL, samples, keys, images' files.
/// It holds the key file and must be kept as such.
#[utoipa::path(post, path = "/v1/system/backup", tag = "system",
    responses((status = 200, body = Vec<u8>, content_type = "application/x-tar")))]
pub async fn create_backup(State(app): State<App>, caller: Caller) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, None).await?;
    unit.audit("system.backup", ("system", "backup"), None, serde_json::json!({})).await?;
    unit.commit().await?;
    let source = crate::backup::Source {
        data_dir: app.config.data_dir.clone(),
        db: app.db.clone(),
        store: app.store.clone(),
    };
    let headers = [(header::CONTENT_TYPE, "application/x-tar")];
    Ok((headers, Body::from_stream(crate::backup::stream(source))).into_response())
}

/// The process runs.
#[utoipa::path(get, path = "/healthz", tag = "system",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// It can serve: the database answers.
#[utoipa::path(get, path = "/readyz", tag = "system",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn readyz(State(app): State<App>) -> Result<&'static str> {
    if app.stopping.is_cancelled() {
        return Err(base::Error::unavailable("the server is stopping").into());
    }
    identity::tenants::list(&mut *app.read().await?, None, 1).await?;
    Ok("ok\n")
}

/// This description.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "system",
    responses((status = 200, body = Object, content_type = "application/json")))]
pub async fn get_openapi() -> Response {
    static TEXT: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| super::spec::to_text(&super::openapi()));
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}
