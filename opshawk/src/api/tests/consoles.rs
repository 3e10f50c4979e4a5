//! Live consoles as callers and agents see them; a test plays the agent, and what it brings.

use std::time::Duration;

use agent::{
    websocket::{self, Refused, WebSocket},
    wire::{MAX_MESSAGE_BYTES, StreamKind, StreamsWanted, close},
};
use futures::{SinkExt, StreamExt};
use http::Method;
use serde_json::json;
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::{
    sessions::set_up,
    story::{Played, image},
    world::{Caller, TestServer, each, eventually},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// A tenant's instance on a host with an agent, and who may do what with it.
struct Scene {
    test: TestServer,
    member: Caller,
    agent: Played,
    instance: String,
}

impl Scene {
    /// Its instance does not run yet.
    async fn new(test: TestServer) -> Self {
        let op = test.operator.clone();
        let (acme, member) = test.tenant("acme").await;
        let (_, agent) = test.host("alpha").await;
        let mut agent = Played::new(agent);
        agent.report(test.server.app.clock.now(), vec![], vec![]).await;
        let image = image(&test, "a bootable disk").await;
        let flavor = json!({ "name": "small", "vcpus": 1, "memory_mib": 256, "disk_gib": 1 });
        let flavor = op.post("/v1/flavors", &flavor).await.expect(201);
        let meter = format!("instance:{}", flavor["id"].as_str().unwrap());
        let prices = json!([{ "meter": meter, "unit_price": "1" }]);
        let book = json!({ "name": "standard", "currency": "CNY", "prices": prices });
        let book = op.post("/v1/price-books", &book).await.expect(201);
        let own = json!({ "price_book_id": book["id"] });
        op.patch(&format!("/v1/tenants/{acme}"), &own).await.expect(200);
        op.post(&format!("/v1/tenants/{acme}/topups"), &json!({ "amount": "200" }))
            .await
            .expect(201);
        let limits = ["instances", "vcpus", "memory_mib", "disk_gib"];
        let items: Vec<_> =
            limits.iter().map(|name| json!({ "resource": name, "limit": 10_000 })).collect();
        let quota = json!({ "items": items });
        op.put(&format!("/v1/tenants/{acme}/quota"), &quota).await.expect(200);
        let create = json!({ "name": "web", "flavor_id": flavor["id"], "image_id": image });
        let operation = member.post("/v1/instances", &create).await.expect(202);
        let instance = operation["target_id"].as_str().unwrap().to_owned();
        Self { test, member, agent, instance }
    }

    async fn running(test: TestServer) -> Self {
        let mut scene = Self::new(test).await;
        scene.agent.converge(scene.test.server.app.clock.now()).await;
        scene
    }

    fn path(&self, kind: &str) -> String {
        format!("/v1/instances/{}/console/{kind}", self.instance)
    }

    /// What waits for the agent, as soon as something does.
    async fn wanted(&self) -> StreamsWanted {
        let answer = self.agent.caller.get("/v1/agent/streams?wait_s=30").await.expect(200);
        serde_json::from_value(answer).unwrap()
    }

    /// A console of the member's, joined with the agent's end of it.
    async fn joined(&self, kind: &str) -> (WebSocket, WebSocket) {
        let user = open(&self.member, &self.path(kind)).await;
        let wanted = self.wanted().await;
        assert_eq!(wanted.items.len(), 1, "{wanted:?}");
        let path = format!("/v1/agent/streams/{}", wanted.items[0].id);
        (user, open(&self.agent.caller, &path).await)
    }
}

async fn open(caller: &Caller, path: &str) -> WebSocket {
    let opened = websocket::connect(caller.request(Method::GET, path)).await;
    opened.unwrap_or_else(|refused| panic!("{path}: {refused:?}"))
}

/// The status that a handshake was refused with.
async fn refused(request: reqwest::RequestBuilder) -> u16 {
    match websocket::connect(request).await {
        Ok(_) => 101,
        Err(Refused::Answered(response)) => response.status().as_u16(),
        Err(other) => panic!("{other:?}"),
    }
}

async fn next(socket: &mut WebSocket) -> Message {
    // Pings come for ever, and are nothing.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let message =
            tokio::time::timeout_at(deadline, socket.next()).await.expect("nothing comes");
        match message.expect("it ended").expect("it broke") {
            Message::Ping(_) | Message::Pong(_) => {}
            other => return other,
        }
    }
}

async fn closed(socket: &mut WebSocket) -> (u16, String) {
    match next(socket).await {
        Message::Close(Some(frame)) => (frame.code.into(), frame.reason.to_string()),
        other => panic!("not closed, but {other:?}"),
    }
}

fn bytes(text: &'static str) -> Message {
    Message::Binary(text.as_bytes().into())
}

async fn close_with(socket: &mut WebSocket, code: u16, reason: &str) {
    let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
    socket.send(Message::Close(Some(frame))).await.unwrap();
}

#[tokio::test]
async fn a_console_is_its_own_tenants_and_a_running_guests() {
    for test in each().await {
        let mut scene = Scene::new(test).await;
        let path = scene.path("serial");
        let ask = |caller: &Caller| caller.request(Method::GET, &path);
        // Told alike with and without an upgrade.
        assert_eq!(refused(ask(&scene.member)).await, 409, "it does not run yet");
        scene.member.get(&path).await.problem(409, "conflict", None);
        scene.agent.converge(scene.test.server.app.clock.now()).await;
        let answer = scene.member.get(&path).await;
        assert_eq!(answer.headers["upgrade"], "websocket");
        answer.problem(426, "upgrade-required", None);

        let (_, other) = scene.test.tenant("other").await;
        assert_eq!(refused(ask(&other)).await, 404);
        assert_eq!(refused(ask(&scene.test.nobody())).await, 401);
        assert_eq!(refused(ask(&scene.agent.caller)).await, 403);
        let cookie = set_up(&scene.test).await;
        let browser = scene.test.nobody().with_cookie(&cookie);
        assert_eq!(refused(ask(&browser)).await, 403, "a cookie alone may be anybody's page");
        for origin in ["http://evil.example", "null"] {
            assert_eq!(refused(ask(&browser).header("origin", origin)).await, 403, "{origin}");
        }
        assert_eq!(refused(ask(&browser).header("origin", &browser.base)).await, 101);
        for protocol in ["binary", "base64, binary"] {
            let offered = ask(&scene.member).header("sec-websocket-protocol", protocol);
            let offered = offered.header("connection", "upgrade").header("upgrade", "websocket");
            let offered = offered.header("sec-websocket-version", "13");
            let answer =
                offered.header("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA==").send().await;
            let answer = answer.unwrap();
            assert_eq!(answer.status(), 101);
            assert_eq!(answer.headers()["sec-websocket-protocol"], "binary");
        }

        // What was opened is in the audit trail, and nothing else.
        let audit = scene.test.operator.get("/v1/audit").await.expect(200);
        let opened: Vec<_> = audit["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["action"] == "instance.console")
            .collect();
        assert_eq!(opened.len(), 3, "{audit}");
        assert!(opened.iter().all(|entry| entry["target_id"] == scene.instance.as_str()));
        assert_eq!(opened[0]["detail"], json!({ "name": "web", "kind": "serial" }));
        scene.test.server.stop().await;
    }
}

#[tokio::test]
async fn who_looks_and_the_hosts_agent_are_joined() {
    for test in each().await {
        let scene = Scene::running(test).await;
        let none = scene.agent.caller.get("/v1/agent/streams").await.expect(200);
        assert_eq!(none, json!({ "items": [] }));
        let mut user = open(&scene.member, &scene.path("screen")).await;
        let wanted = scene.wanted().await.items.remove(0);
        assert_eq!(wanted.instance_id.to_string(), scene.instance);
        assert_eq!(wanted.kind, StreamKind::Screen);

        // The host's agent only, as a WebSocket, and once.
        let path = format!("/v1/agent/streams/{}", wanted.id);
        let (_, stranger) = scene.test.host("beta").await;
        let none = stranger.get("/v1/agent/streams").await.expect(200);
        assert_eq!(none, json!({ "items": [] }));
        assert_eq!(refused(stranger.request(Method::GET, &path)).await, 404);
        assert_eq!(refused(scene.member.request(Method::GET, &path)).await, 403);
        scene.agent.caller.get(&path).await.problem(426, "upgrade-required", None);
        let mut host = open(&scene.agent.caller, &path).await;
        assert_eq!(refused(scene.agent.caller.request(Method::GET, &path)).await, 404);

        host.send(bytes("RFB 003.008\n")).await.unwrap();
        assert_eq!(next(&mut user).await, bytes("RFB 003.008\n"));
        user.send(bytes("RFB 003.008\n")).await.unwrap();
        assert_eq!(next(&mut host).await, bytes("RFB 003.008\n"));
        // Much, both ways at once.
        let large = Message::Binary(vec![7; MAX_MESSAGE_BYTES].into());
        for _ in 0..4 {
            let (up, down) = tokio::join!(user.send(large.clone()), host.send(large.clone()));
            up.and(down).unwrap();
            let got = tokio::join!(next(&mut user), next(&mut host));
            assert!(got.0 == large && got.1 == large);
        }
        // Who looked leaves.
        user.close(None).await.unwrap();
        assert_eq!(closed(&mut host).await.0, close::NORMAL);
        scene.test.server.stop().await;
    }
}

#[tokio::test]
async fn an_end_says_why() {
    for test in each().await {
        let scene = Scene::running(test).await;
        // What the agent says is passed on, as far as it may say it.
        for (code, passed) in [
            (close::NORMAL, close::NORMAL),
            (close::TAKEN_OVER, close::TAKEN_OVER),
            (close::FAILED, close::FAILED),
            (close::POLICY, close::FAILED),
        ] {
            let (mut user, mut host) = scene.joined("serial").await;
            // Its last words come before the end.
            host.send(bytes("last words")).await.unwrap();
            close_with(&mut host, code, "so it is").await;
            assert_eq!(next(&mut user).await, bytes("last words"));
            assert_eq!(closed(&mut user).await, (passed, "so it is".to_owned()));
        }
        // An agent that is killed says nothing.
        let (mut user, host) = scene.joined("serial").await;
        drop(host);
        assert_eq!(closed(&mut user).await.0, close::TRY_AGAIN);
        // Not what the protocol is.
        let (mut user, mut host) = scene.joined("serial").await;
        user.send(Message::Text("ls".into())).await.unwrap();
        assert_eq!(closed(&mut user).await.0, close::UNSUPPORTED);
        assert_eq!(closed(&mut host).await.0, close::UNSUPPORTED);
        let (mut user, _host) = scene.joined("serial").await;
        user.send(Message::Binary(vec![0; MAX_MESSAGE_BYTES + 1].into())).await.unwrap();
        assert_eq!(closed(&mut user).await.0, close::TOO_LARGE);

        // A server that stops says so to both.
        let (mut user, mut host) = scene.joined("serial").await;
        scene.test.server.stop().await;
        assert_eq!(closed(&mut user).await.0, close::RESTART);
        assert_eq!(closed(&mut host).await.0, close::RESTART);
    }
}

#[tokio::test]
async fn where_no_agent_comes_nobody_waits_for_long() {
    for test in each().await {
        let scene = Scene::running(test).await;
        let mut user = open(&scene.member, &scene.path("serial")).await;
        let (code, reason) = closed(&mut user).await;
        assert_eq!(code, close::TRY_AGAIN);
        assert!(reason.contains("did not come within 10 s"), "{reason}");
        assert_eq!(scene.test.server.app.streams.count(), 0);
        scene.test.server.stop().await;
    }
}

#[tokio::test]
async fn a_token_that_is_revoked_looks_no_longer() {
    for test in each().await {
        let scene = Scene::running(test).await;
        let (mut user, mut host) = scene.joined("serial").await;
        let tokens = scene.test.operator.get("/v1/tokens").await.expect(200);
        let all = tokens["items"].as_array().unwrap();
        let program = all.iter().find(|token| token["name"] == "program").unwrap();
        let path = format!("/v1/tokens/{}", program["id"].as_str().unwrap());
        assert_eq!(scene.test.operator.delete(&path).await.status, 204);
        assert_eq!(closed(&mut user).await.0, close::POLICY);
        assert_eq!(closed(&mut host).await.0, close::POLICY);
        scene.test.server.stop().await;
    }
}

#[tokio::test]
async fn an_instance_has_so_many_consoles_and_no_more() {
    for test in each().await {
        let scene = Scene::running(test).await;
        let path = scene.path("screen");
        let mut all = Vec::new();
        for _ in 0..8 {
            all.push(open(&scene.member, &path).await);
        }
        assert_eq!(refused(scene.member.request(Method::GET, &path)).await, 409);
        // One that ends makes room.
        let wanted = scene.wanted().await;
        let carried = format!("/v1/agent/streams/{}", wanted.items[0].id);
        let mut host = open(&scene.agent.caller, &carried).await;
        close_with(&mut host, close::NORMAL, "the guest has stopped").await;
        eventually("room for one", async || {
            (scene.test.server.app.streams.count() < 8).then_some(())
        })
        .await;
        all.push(open(&scene.member, &path).await);
        scene.test.server.stop().await;
    }
}
