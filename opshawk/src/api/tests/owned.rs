//! Tenants with an instance each, and bodies of remote write about them.

use base::sample::Labels;
use http::Method;
use serde_json::json;

use super::{
    story::{Played, image},
    world::{Answer, Caller, TestServer},
};

/// A tenant, its member, and the instance whose series are its own.
pub struct Owned {
    pub tenant: String,
    pub member: Caller,
    pub instance: String,
}

/// One of each name, all on the host "alpha".
pub async fn owners(test: &TestServer, names: &[&str]) -> Vec<Owned> {
    owners_and_agent(test, names).await.0
}

/// And the host's agent, which has not done anything yet.
pub async fn owners_and_agent(test: &TestServer, names: &[&str]) -> (Vec<Owned>, Played) {
    let op = &test.operator;
    let (_, agent) = test.host("alpha").await;
    let mut agent = Played::new(agent);
    agent.report(test.server.app.clock.now(), vec![], vec![]).await;
    let image = image(test, "a bootable disk").await;
    let flavor = json!({ "name": "small", "vcpus": 1, "memory_mib": 256, "disk_gib": 1 });
    let flavor = op.post("/v1/flavors", &flavor).await.expect(201);
    let meter = format!("instance:{}", flavor["id"].as_str().unwrap());
    let prices = json!([{ "meter": meter, "unit_price": "1" }]);
    let book = json!({ "name": "standard", "currency": "CNY", "prices": prices });
    let book = op.post("/v1/price-books", &book).await.expect(201);
    let mut all = Vec::new();
    for name in names {
        let (tenant, member) = test.tenant(name).await;
        let path = format!("/v1/tenants/{tenant}");
        op.patch(&path, &json!({ "price_book_id": book["id"] })).await.expect(200);
        op.post(&format!("{path}/topups"), &json!({ "amount": "200" })).await.expect(201);
        let limits = ["instances", "vcpus", "memory_mib", "disk_gib"];
        let items = limits.map(|name| json!({ "resource": name, "limit": 10_000 }));
        op.put(&format!("{path}/quota"), &json!({ "items": items })).await.expect(200);
        let create = json!({ "name": "web", "flavor_id": flavor["id"], "image_id": image });
        let operation = member.post("/v1/instances", &create).await.expect(202);
        let instance = operation["target_id"].as_str().unwrap().to_owned();
        all.push(Owned { tenant, member, instance });
    }
    (all, agent)
}

impl Owned {
    /// The same tenant, as a server that was started again sees it.
    pub fn at(self, test: &TestServer) -> Self {
        let member = Caller { base: test.operator.base.clone(), ..self.member };
        Self { member, ..self }
    }

    /// A series of its instance.
    pub fn labels(&self, name: &str, more: &[(&str, &str)]) -> Labels {
        Labels::metric(name, more).with("instance_id", &self.instance)
    }
}

/// A body of remote write.
#[derive(Default)]
pub struct Body(Vec<u8>);

impl Body {
    /// A series; its exemplars have a trace, a value, and the instant of its last sample.
    #[must_use]
    pub fn series(
        mut self,
        labels: &Labels,
        samples: &[(i64, f64)],
        exemplars: &[(&str, f64)],
    ) -> Self {
        let mut series = Vec::new();
        for (name, value) in labels.iter() {
            put(&mut series, 1, &label(name, value));
        }
        for (at_ms, value) in samples {
            put(&mut series, 2, &[double(1, *value), instant(2, *at_ms)].concat());
        }
        for (trace, value) in exemplars {
            let mut exemplar = Vec::new();
            put(&mut exemplar, 1, &label("trace_id", trace));
            let at_ms = samples.last().map_or(0, |(at_ms, _)| *at_ms);
            exemplar.extend([double(2, *value), instant(3, at_ms)].concat());
            put(&mut series, 3, &exemplar);
        }
        put(&mut self.0, 1, &series);
        self
    }

    /// What a family is: a counter, with a help text.
    #[must_use]
    pub fn metadata(mut self, metric: &str, help: &str) -> Self {
        let mut metadata = vec![1 << 3, 1];
        put(&mut metadata, 2, metric.as_bytes());
        put(&mut metadata, 4, help.as_bytes());
        put(&mut self.0, 3, &metadata);
        self
    }

    pub fn compressed(&self) -> Vec<u8> {
        snap::raw::Encoder::new().compress_vec(&self.0).unwrap()
    }

    pub async fn send(&self, caller: &Caller) -> Answer {
        let request = caller.request(Method::POST, "/prometheus/api/v1/write");
        caller.send(request.body(self.compressed())).await
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn label(name: &str, value: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, 1, name.as_bytes());
    put(&mut out, 2, value.as_bytes());
    out
}

fn double(number: u8, value: f64) -> Vec<u8> {
    [&[number << 3 | 1], &value.to_le_bytes()[..]].concat()
}

fn instant(number: u8, at_ms: i64) -> Vec<u8> {
    let mut out = vec![number << 3];
    varint(&mut out, at_ms as u64);
    out
}
