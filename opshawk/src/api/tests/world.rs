//! A whole server in this process, and callers of it.

use std::time::Duration;

use base::{
    db::testing::{self, EmptyDb},
    time::{SharedClock, SystemClock},
};
use http::{Method, StatusCode};
use identity::{Access, tokens};
use serde_json::{Value, json};

use crate::{config::Config, server::Server};

pub struct TestServer {
    pub server: Server,
    pub operator: Caller,
    pub dir: tempfile::TempDir,
    pub _database: EmptyDb,
}

/// Who calls: a token, a cookie, or nobody.
#[derive(Clone)]
pub struct Caller {
    pub http: reqwest::Client,
    pub base: String,
    pub token: Option<String>,
    pub cookie: Option<String>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub text: String,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }
    /// The value, where the status is `status`.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }
    /// A problem of the kind, with its field.
    #[track_caller]
    pub fn problem(self, status: u16, kind: &str, field: Option<&str>) -> Value {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.text);
        let problem = self.expect(status);
        assert_eq!(problem["type"], format!("urn:opshawk:problem:{kind}"), "{problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["field"].as_str(), field, "{problem}");
        problem
    }
}

/// One on each database.
pub async fn each() -> Vec<TestServer> {
    each_with(|_| {}).await
}

/// The same with other settings.
pub async fn each_with(change: impl Fn(&mut Config)) -> Vec<TestServer> {
    each_by(&SystemClock::shared(), change).await
}

/// The same by another clock.
pub async fn each_by(clock: &SharedClock, change: impl Fn(&mut Config)) -> Vec<TestServer> {
    let mut all = Vec::new();
    for database in testing::each_empty().await {
        all.push(TestServer::start_with(database, clock.clone(), &change).await);
    }
    all
}

pub fn config(dir: &std::path::Path) -> Config {
    let mut config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        data_dir: dir.join("data"),
        ..Config::default()
    };
    config.agent.enabled = false;
    // Tests say which series there are; whoever is about these turns them on.
    config.billing.samples = false;
    config
}

impl TestServer {
    async fn start_with(
        database: EmptyDb,
        clock: SharedClock,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(dir.path());
        config.database = Some(database.url.clone());
        change(&mut config);
        let now = clock.now();
        let server = Server::start(config, clock).await.unwrap();
        let mut tx = server.app.db.begin_write().await.unwrap();
        let (_, token) = tokens::create(&mut tx, now, "test", Access::Operator).await.unwrap();
        tx.commit().await.unwrap();
        let operator = Caller::new(&server, Some(token));
        Self { server, operator, dir, _database: database }
    }

    /// Stops, and starts again over the same data, with other settings.
    pub async fn again(self, change: impl FnOnce(&mut Config)) -> Self {
        let Self { server, operator, dir, _database } = self;
        server.stop().await;
        let mut config = config(dir.path());
        config.database = Some(_database.url.clone());
        change(&mut config);
        let server = Server::start(config, SystemClock::shared()).await.unwrap();
        let operator = Caller::new(&server, operator.token);
        Self { server, operator, dir, _database }
    }

    pub fn nobody(&self) -> Caller {
        Caller { token: None, ..self.operator.clone() }
    }

    /// A tenant with a member's token.
    pub async fn tenant(&self, name: &str) -> (String, Caller) {
        let made = self.operator.post("/v1/tenants", &json!({ "name": name })).await.expect(201);
        let id = made["id"].as_str().unwrap().to_owned();
        let body = json!({ "name": "program", "role": "member", "tenant_id": id });
        let token = self.operator.post("/v1/tokens", &body).await.expect(201);
        (id, self.operator.with_token(token["token"].as_str().unwrap()))
    }

    /// A host with its agent's token.
    pub async fn host(&self, name: &str) -> (String, Caller) {
        let made = self.operator.post("/v1/hosts", &json!({ "name": name })).await.expect(201);
        let agent = self.operator.with_token(made["token"].as_str().unwrap());
        (made["id"].as_str().unwrap().to_owned(), agent)
    }
}

impl Caller {
    pub fn new(server: &Server, token: Option<String>) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60));
        let http = http.build().unwrap();
        Self { http, base: format!("http://{}", server.address), token, cookie: None }
    }
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), cookie: None, ..self.clone() }
    }
    pub fn with_cookie(&self, cookie: &str) -> Self {
        Self { token: None, cookie: Some(cookie.to_owned()), ..self.clone() }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        request
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = String::from_utf8_lossy(&response.bytes().await.unwrap()).into_owned();
        Answer { status, headers, text }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PUT, path).json(body)).await
    }
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PATCH, path).json(body)).await
    }
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }
    pub async fn keyed(&self, path: &str, key: &str, body: &Value) -> Answer {
        let request = self.request(Method::POST, path).header("Idempotency-Key", key);
        self.send(request.json(body)).await
    }
}

/// Waits for a condition, never for a time.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let limit = Duration::from_secs(30);
    let found = tokio::time::timeout(limit, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("not within {limit:?}: {what}"))
}
