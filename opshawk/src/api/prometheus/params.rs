//! Parameters as Prometheus takes them: in the query, or in the form of a POST.

use std::time::Duration;

use alerting::rules::parse_duration_ms;
use axum::{
    extract::{FromRequest, Request},
    response::{IntoResponse, Response},
};
use base::time::Timestamp;
use http::{Method, header};
use timeseries::Error;
use utoipa::IntoParams;

use super::Failed;
use crate::api::extract;

/// A form may have so many bytes.
const MAX_FORM_BYTES: usize = 1 << 20;

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // Describes what [`Params`] reads.
pub struct InstantParams {
    pub query: String,
    /// Unix seconds or RFC 3339; now where not given.
    pub time: Option<String>,
    /// Seconds or a duration such as `30s`.
    pub timeout: Option<String>,
}

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // Describes what [`Params`] reads.
pub struct RangeParams {
    pub query: String,
    /// Unix seconds or RFC 3339.
    pub start: String,
    pub end: String,
    /// Seconds or a duration such as `30s`.
    pub step: String,
    pub timeout: Option<String>,
}

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // Describes what [`Params`] reads.
pub struct MatchParams {
    /// Series selectors; may be repeated.
    #[param(rename = "match[]")]
    pub matches: Option<Vec<String>>,
    pub start: Option<String>,
    pub end: Option<String>,
}

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // Describes what [`Params`] reads.
pub struct MetadataParams {
    /// One family alone.
    pub metric: Option<String>,
    /// How many families at most.
    pub limit: Option<u32>,
}

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // Describes what [`Params`] reads.
pub struct LimitParams {
    /// How many of each kind; 10 where not given.
    pub limit: Option<u32>,
}

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // Describes what [`Params`] reads.
pub struct FormatParams {
    pub query: String,
}

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // Describes what [`Params`] reads.
pub struct ExemplarParams {
    pub query: String,
    /// Unix seconds or RFC 3339; everything where not given.
    pub start: Option<String>,
    pub end: Option<String>,
}

#[derive(Debug, Default)]
pub struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Params {
    type Rejection = Response;

    async fn from_request(request: Request, _: &S) -> Result<Self, Response> {
        let mut pairs = parse(request.uri().query().unwrap_or_default().as_bytes());
        let form = request.headers().get(header::CONTENT_TYPE).is_some_and(|v| {
            v.to_str().is_ok_and(|v| v.starts_with("application/x-www-form-urlencoded"))
        });
        if *request.method() == Method::POST && form {
            let body = extract::read_body(request, MAX_FORM_BYTES).await;
            let body = body.map_err(IntoResponse::into_response)?;
            pairs.splice(0..0, parse(&body));
        }
        Ok(Self(pairs))
    }
}

fn parse(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

fn bad(name: &str, what: impl std::fmt::Display) -> Failed {
    Failed(Error::BadData(format!("invalid parameter \"{name}\": {what}")))
}

impl Params {
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    pub fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
    }

    pub fn required(&self, name: &str) -> Result<&str, Failed> {
        self.get(name).ok_or_else(|| bad(name, "it is missing"))
    }

    /// A whole number, zero or more.
    pub fn count(&self, name: &str) -> Result<Option<usize>, Failed> {
        let parsed = |text: &str| text.parse().map_err(|_| bad(name, no_time(text)));
        self.get(name).map(parsed).transpose()
    }

    /// Unix seconds or RFC 3339.
    pub fn instant(&self, name: &str) -> Result<Option<Timestamp>, Failed> {
        self.get(name).map(|text| instant(text).ok_or_else(|| bad(name, no_time(text)))).transpose()
    }

    pub fn required_instant(&self, name: &str) -> Result<Timestamp, Failed> {
        self.required(name)?;
        Ok(self.instant(name)?.expect("it is there"))
    }

    /// Seconds or a duration.
    pub fn duration_ms(&self, name: &str) -> Result<Option<i64>, Failed> {
        self.get(name)
            .map(|text| duration_ms(text).ok_or_else(|| bad(name, no_time(text))))
            .transpose()
    }

    pub fn required_duration_ms(&self, name: &str) -> Result<i64, Failed> {
        self.required(name)?;
        Ok(self.duration_ms(name)?.expect("it is there"))
    }

    /// The query within the caller's `timeout`, where it is shorter than the engine's own.
    pub async fn within_timeout<T>(
        &self,
        query: impl Future<Output = timeseries::Result<T>>,
    ) -> Result<T, Failed> {
        let Some(limit_ms) = self.duration_ms("timeout")? else { return Ok(query.await?) };
        let limit_ms = u64::try_from(limit_ms).map_err(|_| bad("timeout", "it is negative"))?;
        match tokio::time::timeout(Duration::from_millis(limit_ms), query).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Failed(Error::Timeout { limit_ms })),
        }
    }
}

fn no_time(text: &str) -> String {
    format!("cannot parse {text:?}")
}

/// Seconds with a fraction, to the millisecond; none where they don't fit.
fn seconds(text: &str) -> Option<i64> {
    let ms = (text.parse::<f64>().ok()? * 1000.0).round();
    // Beyond this a double no longer holds every millisecond.
    const LIMIT_MS: f64 = 9_007_199_254_740_992.0;
    (ms.abs() <= LIMIT_MS).then_some(ms as i64)
}

fn instant(text: &str) -> Option<Timestamp> {
    seconds(text).map(Timestamp::from_ms).or_else(|| text.parse().ok())
}

fn duration_ms(text: &str) -> Option<i64> {
    seconds(text).or_else(|| parse_duration_ms(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_text() {
        assert_eq!(instant("1.5").unwrap().ms(), 1500);
        assert_eq!(instant("1970-01-01T00:00:02Z").unwrap().ms(), 2000);
        for text in ["", "NaN", "inf", "1e300", "yesterday"] {
            assert!(instant(text).is_none(), "{text}");
        }
        assert_eq!(duration_ms("15"), Some(15_000));
        assert_eq!(duration_ms("1m30s"), Some(90_000));
        assert_eq!(duration_ms("soon"), None);
    }

    #[tokio::test]
    async fn a_form_comes_before_the_query() {
        let request = Request::post("/x?query=b&match%5B%5D=c")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .body("query=a%2B1&match[]=d".into())
            .unwrap();
        let params = Params::from_request(request, &()).await.unwrap();
        assert_eq!(params.required("query").unwrap(), "a+1");
        assert_eq!(params.all("match[]"), ["d", "c"]);
        assert!(params.required("start").is_err());
    }
}
