//! A client of the program's HTTP API: JSON in, JSON out, and what was refused as a value.

use std::sync::Once;

use anyhow::{Context, Result, bail};
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// Plain HTTP needs no TLS provider, but the client wants one to be there.
pub fn http_client() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Somebody else's is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder()
        .no_proxy()
        .timeout(std::time::Duration::from_secs(60))
        .build()
        .expect("a client without special needs")
}

/// One caller: a base URL and a token.
#[derive(Clone)]
pub struct Api {
    client: reqwest::Client,
    base: String,
    token: Option<String>,
}

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub content_type: String,
    pub text: String,
}

impl Answer {
    /// Null if it isn't JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

impl Api {
    pub fn new(base: &str, token: Option<&str>) -> Self {
        Self { client: http_client(), base: base.into(), token: token.map(str::to_owned) }
    }

    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    pub fn base(&self) -> &str {
        &self.base
    }
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn send(request: reqwest::RequestBuilder) -> Result<Answer> {
        let answer = request.send().await?;
        let status = answer.status();
        let content_type = answer.headers().get("content-type").and_then(|v| v.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_owned();
        Ok(Answer { status, content_type, text: answer.text().await? })
    }

    /// The answer, whatever its status.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        let mut request = self.request(method.clone(), path);
        if let Some(body) = body {
            request = request.json(body);
        }
        Self::send(request).await.with_context(|| format!("{method} {path}"))
    }

    async fn ok(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let answer = self.ask(method.clone(), path, body).await?;
        if !answer.status.is_success() {
            bail!("{method} {path} answered {}: {}", answer.status, answer.text);
        }
        Ok(answer.json())
    }

    pub async fn get(&self, path: &str) -> Result<Value> {
        self.ok(Method::GET, path, None).await
    }
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.ok(Method::POST, path, Some(body)).await
    }
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value> {
        self.ok(Method::PUT, path, Some(body)).await
    }
    pub async fn delete(&self, path: &str) -> Result<Value> {
        self.ok(Method::DELETE, path, None).await
    }

    /// A body that isn't JSON.
    pub async fn put_bytes(&self, path: &str, content_type: &str, body: Vec<u8>) -> Result<Value> {
        let request = self.request(Method::PUT, path).header("content-type", content_type);
        let answer = Self::send(request.body(body)).await?;
        if !answer.status.is_success() {
            bail!("PUT {path} answered {}: {}", answer.status, answer.text);
        }
        Ok(answer.json())
    }

    /// All items of a list, page by page.
    pub async fn list(&self, path: &str) -> Result<Vec<Value>> {
        /// More pages than any test makes.
        const PAGES_MAX: usize = 100;
        let mut items = Vec::new();
        let mut cursor = String::new();
        let joint = if path.contains('?') { '&' } else { '?' };
        for _ in 0..PAGES_MAX {
            let page = self.get(&format!("{path}{joint}limit=100{cursor}")).await?;
            items.extend(page["items"].as_array().cloned().unwrap_or_default());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(items),
            }
        }
        bail!("{path} has more than {PAGES_MAX} pages");
    }

    /// A PromQL instant query's result vector.
    pub async fn query(&self, expression: &str) -> Result<Vec<Value>> {
        let request = self.request(Method::GET, "/prometheus/api/v1/query");
        let answer = Self::send(request.query(&[("query", expression)])).await?;
        if !answer.status.is_success() {
            bail!("the query {expression} answered {}: {}", answer.status, answer.text);
        }
        Ok(answer.json()["data"]["result"].as_array().cloned().unwrap_or_default())
    }
}
