//! Pictures of every page of the console, as each person sees it.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{
    MEMBER, MEMBER_PASSWORD, OPERATOR, OPERATOR_PASSWORD, Story,
    console::{OPERATOR_SEAT, TENANT},
    text,
};
use crate::browser::{Browser, Page};

mod invoice;

/// Those of things that pages show by their own address.
#[derive(Debug, Default)]
struct Shown {
    instance: String,
    /// The same as the API would answer if it were stopped, and could be resized.
    stopped: Value,
    host: String,
    server: String,
    tenant: String,
    book: String,
    draft: String,
    /// As the API would answer.
    invoice: Value,
}

impl Story {
    /// Kept out of the acts: they take a while.
    pub async fn pictures(&self) -> Result<()> {
        let shown = self.dressed().await?;
        let mut browser = Browser::start(&self.world.server.url()).await?;
        for (seat, login, password) in
            [(TENANT, MEMBER, MEMBER_PASSWORD), (OPERATOR_SEAT, OPERATOR, OPERATOR_PASSWORD)]
        {
            let who = json!({"as": seat, "login": login, "password": password});
            browser.step("login", who).await?;
        }
        browser.pictures(Some(TENANT), &tenants(&shown)).await?;
        browser.pictures(Some(OPERATOR_SEAT), &operators(&shown)).await?;
        browser.pictures(None, &strangers()).await?;
        browser.step("faultless", json!({})).await?;
        Ok(())
    }

    /// What the acts leave out: a package that is ordered, tiers for what is sent, and a draft.
    async fn dressed(&self) -> Result<Shown> {
        let books = self.operator.list("/v1/price-books").await?;
        let book = text(books.first().context("no price book")?, "id")?;
        let published = self.drafted(book, &[vpn("30"), traffic()]).await?;
        let publish = format!("/v1/price-drafts/{}/publish", text(&published, "id")?);
        self.operator.post(&publish, &json!({})).await?;
        let packages = format!("/v1/tenants/{}/packages", self.tenant);
        self.member.post(&packages, &json!({"rate": "vpn", "name": "vpn of the shop"})).await?;
        let draft = self.drafted(book, &[vpn("36"), traffic()]).await?;
        let large = json!({"name": "large", "vcpus": 2, "memory_mib": 4096, "disk_gib": 40});
        self.operator.post("/v1/flavors", &large).await?;
        let mut stopped = self.member.get(&format!("/v1/instances/{}", self.instance)).await?;
        for field in ["wanted", "power", "state"] {
            stopped[field] = json!("stopped");
        }
        let hosts = self.operator.list("/v1/hosts").await?;
        Ok(Shown {
            instance: self.instance.clone(),
            stopped,
            host: text(hosts.first().context("no host")?, "id")?.to_owned(),
            server: self.server.clone(),
            tenant: self.tenant.clone(),
            book: book.to_owned(),
            draft: text(&draft, "id")?.to_owned(),
            invoice: self.invoice().await?,
        })
    }

    /// A copy of what is in force, with these rates in place of those of their names, and checked.
    async fn drafted(&self, book: &str, rates: &[Value]) -> Result<Value> {
        let draft =
            self.operator.post(&format!("/v1/price-books/{book}/drafts"), &json!({})).await?;
        let path = format!("/v1/price-drafts/{}", text(&draft, "id")?);
        let mut document = draft["document"].clone();
        let all = document["rates"].as_array_mut().context("a draft has rates")?;
        all.retain(|rate| rates.iter().all(|own| own["id"] != rate["id"]));
        all.extend(rates.iter().cloned());
        let saved = json!({"document": document, "revision": draft["revision"]});
        self.operator.put(&path, &saved).await?;
        self.operator.post(&format!("{path}/check"), &Value::Null).await
    }
}

fn vpn(price: &str) -> Value {
    json!({"id": "vpn", "component": "package.package", "price": price})
}

fn traffic() -> Value {
    json!({
        "id": "out", "component": "instance.net_tx", "unit": 1_073_741_824_i64,
        "free": 1, "graduated": [{"up_to": 100, "price": "0.8"}, {"price": "0.5"}],
        "minimum": {"amount": "5", "per": "tenant"},
    })
}

fn pages(of: &[(&'static str, String, usize)]) -> Vec<Page> {
    let page = |(name, path, tab): &(&'static str, String, usize)| Page {
        name,
        path: path.clone(),
        tab: *tab,
        answer: None,
    };
    of.iter().map(page).collect()
}

fn everybodys(shown: &Shown) -> Vec<Page> {
    let id = shown.invoice["id"].as_str().unwrap_or_default();
    let invoice = Page {
        name: "invoice",
        path: format!("/invoices/{id}"),
        tab: 0,
        answer: Some((format!("/v1/invoices/{id}"), shown.invoice.clone())),
    };
    let instance = format!("/instances/{}", shown.instance);
    let stopped = Page {
        name: "instance-stopped",
        path: instance.clone(),
        tab: 0,
        answer: Some((format!("/v1{instance}"), shown.stopped.clone())),
    };
    let mut all = pages(&[
        ("overview", "/".into(), 0),
        ("instances", "/instances".into(), 0),
        ("instance", instance, 0),
        ("alerts", "/alerts".into(), 0),
        ("alerts-resolved", "/alerts".into(), 2),
        ("notices", "/alerts".into(), 3),
        ("query", "/query?expr=libvirt_domain_info_memory_usage_bytes".into(), 0),
        ("query-table", "/query?expr=libvirt_domain_info_state&view=table".into(), 0),
        ("operations", "/operations".into(), 0),
    ]);
    all.extend([invoice, stopped]);
    all
}

fn tenants(shown: &Shown) -> Vec<Page> {
    let own = pages(&[
        ("bill", "/billing".into(), 0),
        ("costs", "/billing".into(), 1),
        ("invoices", "/billing".into(), 2),
        ("packages", "/packages".into(), 0),
    ]);
    [everybodys(shown), own].concat()
}

fn operators(shown: &Shown) -> Vec<Page> {
    let Shown { host, server, tenant, book, draft, .. } = shown;
    let bill = format!("/tenants/{tenant}/bill");
    let own = pages(&[
        ("rules", "/alerts".into(), 4),
        ("hosts", "/hosts".into(), 0),
        ("host", format!("/hosts/{host}"), 0),
        ("servers", "/servers".into(), 0),
        ("server", format!("/servers/{server}"), 0),
        ("topology", "/topology".into(), 0),
        ("tenants", "/tenants".into(), 0),
        ("tenant", format!("/tenants/{tenant}"), 0),
        ("costs-by-tenant", "/costs".into(), 0),
        ("bill", bill.clone(), 0),
        ("costs", bill.clone(), 1),
        ("invoices", bill, 2),
        ("packages", format!("/tenants/{tenant}/packages"), 0),
        ("prices", "/prices".into(), 0),
        ("price-book", format!("/prices/{book}"), 0),
        ("price-draft", format!("/prices/drafts/{draft}"), 0),
        ("findings", "/findings".into(), 0),
        ("audit", "/audit".into(), 0),
        ("system", "/system".into(), 0),
    ]);
    [everybodys(shown), own].concat()
}

fn strangers() -> Vec<Page> {
    pages(&[("login", "/login".into(), 0), ("setup", "/setup?token=none".into(), 0)])
}

#[cfg(test)]
mod tests;
