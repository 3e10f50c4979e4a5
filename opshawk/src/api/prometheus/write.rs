//! Remote write: samples come in.

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header::RETRY_AFTER};
use timeseries::{Appended, Error, remote_write as wire};

use super::Failed;
use crate::api::{auth::Caller, extract, problem, state::App};

/// Series make room when they have ended, which takes its time.
const ROOM_RETRY_AFTER_S: &str = "60";
/// How much of a body was taken, named as in remote write 2.0.
const WRITTEN: HeaderName = HeaderName::from_static("x-prometheus-remote-write-samples-written");

/// Takes samples: remote write 1.0 (snappy-compressed protobuf). 204: all are durable; 400: some
/// can never be taken, the others are durable; 413: send fewer at once; 429: new series are beyond
/// a limit, the others' samples are durable; 503: send it again.
#[utoipa::path(post, path = "/prometheus/api/v1/write", tag = "prometheus",
    request_body(content = Vec<u8>, content_type = "application/x-protobuf"),
    responses((status = 204)))]
pub async fn remote_write(
    State(app): State<App>,
    caller: Caller,
    request: Request,
) -> problem::Result<Response> {
    check_media(request.headers())?;
    let sender = app.ingest.sender(caller.access).await?;
    let body = match read(&app, request).await? {
        Ok(body) => body,
        Err(refusal) => return Ok(refusal),
    };
    let histograms_dropped = body.histograms_dropped();
    let appended = match app.ingest.take_body(&sender, body).await {
        Ok(appended) => appended,
        Err(error) => return Ok(Failed(error).into_response()),
    };
    app.metrics.count_samples(&appended);
    Ok(written(&appended, histograms_dropped))
}

/// What is no snappy-compressed remote write 1.0, where its headers say so.
fn check_media(headers: &http::HeaderMap) -> problem::Result<()> {
    let says = |name, wanted: &dyn Fn(&str) -> bool| {
        headers.get(name).is_none_or(|value| value.to_str().is_ok_and(wanted))
    };
    let protobuf = |media: &str| {
        let media = media.to_ascii_lowercase();
        media.starts_with("application/x-protobuf") && !media.contains("write.v2")
    };
    let snappy = |coding: &str| coding.eq_ignore_ascii_case("snappy");
    if says(http::header::CONTENT_TYPE, &protobuf) && says(http::header::CONTENT_ENCODING, &snappy)
    {
        return Ok(());
    }
    Err(problem::Problem::http(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        "Another media type is wanted",
        "only remote write 1.0 is spoken here: application/x-protobuf, compressed by snappy",
    ))
}

/// The body within its bounds, or what its sender is answered.
async fn read(app: &App, request: Request) -> problem::Result<Result<wire::Body, Response>> {
    let (limits, refusals) = (&app.config.samples, &app.metrics.refusals);
    let (most, decoded_most) = (limits.max_body_bytes(), limits.max_decoded_body_bytes());
    let bytes = match extract::read_body(request, most).await {
        Ok(bytes) => bytes,
        Err(problem) if problem.status == StatusCode::PAYLOAD_TOO_LARGE => {
            refusals.count_body();
            let error = Error::TooLarge { what: "the body", limit: most };
            return Ok(Err(too_large(&error, "max_body_mib")));
        }
        Err(problem) => return Err(problem),
    };
    Ok(match wire::Body::read_within(&bytes, most, decoded_most) {
        Ok(body) => Ok(body),
        Err(error @ Error::TooLarge { .. }) => {
            refusals.count_decoded_body();
            Err(too_large(&error, "max_decoded_body_mib"))
        }
        Err(error) => Err(Failed(error).into_response()),
    })
}

fn too_large(error: &Error, setting: &str) -> Response {
    let message = format!("{error} (samples.{setting}); send fewer samples at once");
    let mut answer = Failed(Error::BadData(message)).into_response();
    *answer.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    answer
}

fn written(appended: &Appended, histograms_dropped: usize) -> Response {
    let taken = appended.written + appended.duplicates;
    let headers = [(WRITTEN, HeaderValue::from(taken))];
    let rejected = appended.rejected();
    if rejected == 0 && histograms_dropped == 0 {
        return (StatusCode::NO_CONTENT, headers).into_response();
    }
    let mut message = format!("{taken} of {} samples were written", taken + rejected);
    if histograms_dropped > 0 {
        message.push_str("; native histograms are not supported");
    }
    if let Some(error) = &appended.first_error {
        message.push_str("; the first that was not: ");
        message.push_str(error);
    }
    // Nothing else is wrong: there may be room when other series have ended.
    if appended.over_limits() == rejected && histograms_dropped == 0 {
        let mut answer = Failed(Error::Execution(message)).into_response();
        *answer.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(ROOM_RETRY_AFTER_S));
        return (headers, answer).into_response();
    }
    (headers, Failed(Error::BadData(message))).into_response()
}
