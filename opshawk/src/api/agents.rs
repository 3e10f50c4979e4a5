//! What agents ask and say (`agent::wire`).

use std::time::Duration;

use agent::wire::{Ack, Report};
use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use base::{Error, id::ImageId};
use http::{StatusCode, header};
use inventory::{images, instances};
use provisioner::desired;
use serde::Deserialize;
use tokio_util::io::ReaderStream;
use utoipa::IntoParams;

use super::{
    auth::CallingHost,
    extract::{self, Json, Path, Query},
    problem::Result,
    state::App,
};

/// A report of a thousand instances, each with its console's tail, fits.
const MAX_REPORT_BYTES: usize = 32 << 20;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DesiredQuery {
    /// The generation the agent has; 0 where it has none.
    #[serde(default)]
    pub after: i64,
    /// How long to wait for a newer one, at most 60 seconds.
    #[serde(default)]
    pub wait_s: u64,
}

/// All that the host is to run, or 304 where nothing newer came within the wait.
#[utoipa::path(get, path = "/v1/agent/desired", tag = "agent", params(DesiredQuery),
    responses((status = 200, body = Object), (status = 304)))]
pub async fn get_desired(
    State(app): State<App>,
    CallingHost(host): CallingHost,
    Query(query): Query<DesiredQuery>,
) -> Result<Response> {
    let wait = Duration::from_secs(query.wait_s);
    let grace_ms = i64::from(app.config.billing.stop_grace_ms);
    let newer = desired::wait(&app.db, &app.bus, host, query.after, wait, grace_ms);
    let found = tokio::select! {
        found = newer => found?,
        // The agent asks again, and finds the server that comes after this one.
        () = app.stopping.cancelled() => None,
    };
    Ok(match found {
        Some(desired) => Json(desired).into_response(),
        None => StatusCode::NOT_MODIFIED.into_response(),
    })
}

/// Takes a report; the answer comes after it is committed.
#[utoipa::path(post, path = "/v1/agent/reports", tag = "agent", request_body = Object,
    responses((status = 200, body = Object)))]
pub async fn post_report(
    State(app): State<App>,
    CallingHost(host): CallingHost,
    request: Request,
) -> Result<Json<Ack>> {
    let bytes = extract::read_body(request, MAX_REPORT_BYTES).await?;
    let report: Report = extract::parse_json(&bytes)?;
    Ok(Json(app.reports.take(host, &report).await?))
}

/// The bytes of a file of an image that an instance on the host was made of.
#[utoipa::path(get, path = "/v1/agent/images/{id}/{file}", tag = "agent",
    params(("id" = ImageId, Path), ("file" = images::Part, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream")))]
pub async fn download_image_file(
    State(app): State<App>,
    CallingHost(host): CallingHost,
    Path((id, part)): Path<(ImageId, images::Part)>,
) -> Result<Response> {
    let missing = || Error::not_found(format_args!("the {} of image {id}", part.as_str()));
    let file = {
        let mut conn = app.read().await?;
        let needed = instances::of_host(&mut conn, host).await?;
        if !needed.iter().any(|instance| instance.image_id == id) {
            return Err(missing().into());
        }
        let image = images::get_any(&mut conn, id).await?;
        image.file(part).cloned().ok_or_else(missing)?
    };
    let opened = app.files.open(&file.sha256).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, file.bytes.to_string()),
        (header::ETAG, format!("\"{}\"", file.sha256)),
    ];
    Ok((headers, Body::from_stream(ReaderStream::new(opened))).into_response())
}
