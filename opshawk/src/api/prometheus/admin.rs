//! What an operator may do to the samples themselves.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use base::time::Timestamp;
use http::StatusCode;
use serde_json::json;

use super::{
    Failed,
    params::{MatchParams, Params},
};
use crate::api::{auth::Caller, state::App, unit};

/// Deletes the samples that any of the selectors (`match[]`) finds from `start` to `end`; without
/// them, of all time. At once from every answer, from the disk when their blocks are rewritten.
#[utoipa::path(post, path = "/prometheus/api/v1/admin/tsdb/delete_series", tag = "prometheus",
    params(MatchParams), responses((status = 204)))]
pub async fn delete_series(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> unit::Result<Response> {
    let (start, end) = match span(&params) {
        Ok(span) => span,
        Err(failed) => return Ok(failed.into_response()),
    };
    let matches = params.all("match[]");
    let detail = json!({ "match": matches, "start": start, "end": end });
    let mut unit = app.begin(&caller, None).await?;
    unit.audit("samples.delete", ("samples", "series"), None, detail).await?;
    let ms = |at: Option<Timestamp>, open: i64| at.map_or(open, Timestamp::ms);
    let deleted = app.engine.delete(&matches, ms(start, i64::MIN), ms(end, i64::MAX)).await;
    // What was not done leaves no trace in the trail.
    if let Err(error) = deleted {
        return Ok(Failed(error).into_response());
    }
    unit.commit().await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn span(params: &Params) -> super::Result<(Option<Timestamp>, Option<Timestamp>)> {
    Ok((params.instant("start")?, params.instant("end")?))
}
