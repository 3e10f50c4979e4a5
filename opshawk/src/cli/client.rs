//! Speaking to the server's API.

use std::time::Duration;

use agent::websocket::{self, Refused, WebSocket};
use http::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    args::Connection,
    exit::{Code, Failure},
};
use crate::api::{page, problem::Problem};

/// The most pages that a list reads: a million things.
const MAX_PAGES: usize = 1000;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

/// From the file where one is named, else from the argument or the environment.
pub fn token(connection: &Connection) -> Result<String, Failure> {
    let token = match (&connection.token_file, &connection.token) {
        (Some(path), _) => std::fs::read_to_string(path).map_err(|e| {
            Failure::usage(format!("the token file {} can't be read: {e}", path.display()))
        })?,
        (None, Some(token)) => token.clone(),
        (None, None) => {
            return Err(Failure::new(
                Code::Auth,
                "no API token: set OPSHAWK_TOKEN, or give --token-file (an operator's comes \
                 from `opshawk token create --data-dir DIR` on the server)",
            ));
        }
    };
    Ok(token.trim().to_owned())
}

impl Client {
    pub fn new(connection: &Connection) -> Result<Self, Failure> {
        let token = token(connection)?;
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .map_err(|e| Failure::failed(format!("no HTTP client: {e}")))?;
        let url = connection.url.trim_end_matches('/').to_owned();
        Ok(Self { http, url, token })
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    /// Sends it, and takes a problem for a failure.
    pub async fn send(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<reqwest::Response, Failure> {
        let response = request.send().await.map_err(|e| self.unreachable(&e))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refusal(response).await)
    }

    /// A WebSocket to this path.
    pub async fn websocket(&self, path: &str) -> Result<WebSocket, Failure> {
        let connecting = websocket::connect(self.request(Method::GET, path));
        match tokio::time::timeout(REQUEST_TIMEOUT, connecting).await {
            Ok(Ok(socket)) => Ok(socket),
            Ok(Err(Refused::Answered(response))) => Err(refusal(response).await),
            Ok(Err(Refused::Unreachable(error))) => Err(self.unreachable(&error)),
            Ok(Err(Refused::Garbled)) => Err(Failure::failed(format!(
                "{} answered no WebSocket (does a proxy stand in between?)",
                self.url
            ))),
            Err(_) => Err(Failure::new(Code::Timeout, format!("{} does not answer", self.url))),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let code = if error.is_timeout() { Code::Timeout } else { Code::Failed };
        let chain = base::reconcile::error_chain(error);
        Failure::new(code, format!("{} does not answer: {chain} (is the server up?)", self.url))
    }

    async fn json<T: DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<T, Failure> {
        let response = self.send(request.timeout(REQUEST_TIMEOUT)).await?;
        response.json().await.map_err(|e| Failure::failed(format!("the answer is no JSON: {e}")))
    }

    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.json(self.request(Method::GET, path)).await
    }

    pub async fn get_with(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Failure> {
        self.json(self.request(Method::GET, path).query(query)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        // A key of our own, so that a proxy that repeats the request does no harm.
        let key = base::id::OperationId::new().to_string();
        let request = self.request(Method::POST, path).header("Idempotency-Key", key);
        self.json(request.json(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.json(self.request(Method::PUT, path).json(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.json(self.request(Method::PATCH, path).json(body)).await
    }

    /// The answer, where there is one.
    pub async fn delete(&self, path: &str) -> Result<Option<Value>, Failure> {
        let request = self.request(Method::DELETE, path).timeout(REQUEST_TIMEOUT);
        let response = self.send(request).await?;
        if response.status() == http::StatusCode::NO_CONTENT {
            return Ok(None);
        }
        response.json().await.map(Some).map_err(|e| Failure::failed(format!("no JSON: {e}")))
    }

    /// All of a list, page by page.
    pub async fn list(
        &self,
        path: &str,
        query: &[(&str, String)],
        limit: Option<usize>,
    ) -> Result<Vec<Value>, Failure> {
        let mut all = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut query = query.to_vec();
            let left = limit.map(|limit| limit.saturating_sub(all.len()));
            let page_items = usize::try_from(page::MAX_ITEMS).unwrap_or(1000);
            query.push(("limit", left.unwrap_or(page_items).min(page_items).to_string()));
            query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let mut page = self.get_with(path, &query).await?;
            if let Value::Array(items) = page["items"].take() {
                all.extend(items);
            }
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() || limit.is_some_and(|limit| all.len() >= limit) {
                return Ok(all);
            }
        }
        Err(Failure::failed(format!("{path} has more than {MAX_PAGES} pages")))
    }

    /// The one thing of `path` that is called `name_or_id`. What is ambiguous is refused.
    pub async fn find(&self, noun: &str, path: &str, name_or_id: &str) -> Result<Value, Failure> {
        let name_field = if noun == "user" { "login" } else { "name" };
        let mut found: Vec<Value> = self
            .list(path, &[], None)
            .await?
            .into_iter()
            .filter(|item| item["id"] == name_or_id || item[name_field] == name_or_id)
            .collect();
        // An id is unique, whatever something else is called.
        if let Some(by_id) = found.iter().position(|item| item["id"] == name_or_id) {
            return Ok(found.swap_remove(by_id));
        }
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => Err(Failure::new(
                Code::NotFound,
                format!("no {noun} is called '{name_or_id}' (list them with opshawk {noun} list)"),
            )),
            n => Err(Failure::usage(format!(
                "{n} {noun}s are called '{name_or_id}': give the id of one of {}",
                found.iter().filter_map(|i| i["id"].as_str()).collect::<Vec<_>>().join(", ")
            ))),
        }
    }

    /// The id of [`Client::find`].
    pub async fn id(&self, noun: &str, path: &str, name_or_id: &str) -> Result<String, Failure> {
        let found = self.find(noun, path, name_or_id).await?;
        Ok(found["id"].as_str().unwrap_or_default().to_owned())
    }

    /// The tenant that was named, or the caller's own.
    pub async fn tenant(&self, name_or_id: Option<&str>) -> Result<String, Failure> {
        if let Some(tenant) = name_or_id {
            return self.id("tenant", "/v1/tenants", tenant).await;
        }
        let me = self.get("/v1/me").await?;
        me["tenant_id"].as_str().map(str::to_owned).ok_or_else(|| {
            Failure::usage("which tenant? an operator must name one (--tenant NAME)")
        })
    }
}

/// What an answer that is no success says.
async fn refusal(response: reqwest::Response) -> Failure {
    let status = response.status();
    let text = response.text().await.unwrap_or_default();
    if let Ok(problem) = serde_json::from_str::<Problem>(&text) {
        return Failure::from_answer(&problem);
    }
    // The Prometheus API has its own form of error.
    let prometheus: Option<Value> = serde_json::from_str(&text).ok();
    let message = prometheus.as_ref().and_then(|v| v["error"].as_str());
    let message = message.map_or_else(|| format!("the server answered {status}"), str::to_owned);
    let code = if status.is_client_error() { Code::Usage } else { Code::Failed };
    Failure::new(code, message)
}
