//! Logging in, and what a browser may do.

use http::Method;
use serde_json::json;

use super::world::{Answer, TestServer, each};

const PASSWORD: &str = "correct horse battery staple";

fn cookie(answer: &Answer) -> String {
    let text = answer.headers["set-cookie"].to_str().unwrap();
    assert!(text.contains("HttpOnly") && text.contains("SameSite=Strict"), "{text}");
    text.split(';').next().unwrap().to_owned()
}

pub async fn set_up(test: &TestServer) -> String {
    let link = test.server.app.identity.first_start().await.unwrap().unwrap();
    let body = json!({ "token": link, "password": PASSWORD });
    let answer = test.nobody().post("/v1/setup", &body).await;
    let cookie = cookie(&answer);
    assert_eq!(answer.expect(200)["role"], "operator");
    // Once only.
    test.nobody().post("/v1/setup", &body).await.problem(401, "unauthenticated", None);
    cookie
}

#[tokio::test]
async fn the_first_operator_sets_a_password_and_logs_in_and_out() {
    for test in each().await {
        set_up(&test).await;
        let nobody = test.nobody();
        let wrong = json!({ "login": "admin", "password": "wrong" });
        nobody.post("/v1/session", &wrong).await.problem(401, "unauthenticated", None);
        let right = json!({ "login": "admin", "password": PASSWORD });
        let answer = nobody.post("/v1/session", &right).await;
        let browser = nobody.with_cookie(&cookie(&answer));
        assert_eq!(answer.expect(200)["name"], "admin");
        let me = browser.get("/v1/me").await.expect(200);
        assert_eq!((me["kind"].as_str(), me["tenant_id"].as_str()), (Some("user"), None));

        let logout = browser.request(Method::DELETE, "/v1/session").header("origin", &browser.base);
        assert_eq!(browser.send(logout).await.status, 204);
        browser.get("/v1/me").await.problem(401, "unauthenticated", None);
        test.server.stop().await;
    }
}

#[tokio::test]
async fn a_change_by_cookie_must_come_from_our_own_pages() {
    for test in each().await {
        let cookie = set_up(&test).await;
        let browser = test.nobody().with_cookie(&cookie);
        let make = |origin: Option<&str>| {
            let request =
                browser.request(Method::POST, "/v1/tenants").json(&json!({ "name": "acme" }));
            match origin {
                Some(origin) => request.header("origin", origin),
                None => request,
            }
        };
        for foreign in [None, Some("http://evil.example"), Some("null")] {
            browser.send(make(foreign)).await.problem(403, "forbidden", None);
        }
        browser.send(make(Some(&browser.base))).await.expect(201);
        // Reading needs none; a login from another site's page is refused.
        browser.get("/v1/tenants").await.expect(200);
        let login = test.nobody().request(Method::POST, "/v1/session");
        let login = login.json(&json!({ "login": "admin", "password": PASSWORD }));
        let answer = test.nobody().send(login.header("origin", "http://evil.example")).await;
        answer.problem(403, "forbidden", None);
    }
}

#[tokio::test]
async fn a_user_without_a_password_gets_a_link_to_set_one() {
    for test in each().await {
        let (tenant, _) = test.tenant("acme").await;
        let body = json!({ "login": "Ann@Acme.example", "role": "member", "tenant_id": tenant });
        let made = test.operator.post("/v1/users", &body).await.expect(201);
        let link = made["setup_url"].as_str().unwrap().split("token=").nth(1).unwrap().to_owned();
        let body = json!({ "token": link, "password": PASSWORD });
        let me = test.nobody().post("/v1/setup", &body).await.expect(200);
        assert_eq!((&me["tenant_id"], &me["tenant_name"]), (&json!(tenant), &json!("acme")));
        let login = json!({ "login": "ann@acme.example", "password": PASSWORD });
        test.nobody().post("/v1/session", &login).await.expect(200);
    }
}
