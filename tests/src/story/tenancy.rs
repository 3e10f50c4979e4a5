//! Acts 2 and 3: a tenant, and its first instance.

use anyhow::{Result, ensure};
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{MEMBER, MEMBER_PASSWORD, Story, text};
use crate::guest;

/// Per hour: a hundredth a second.
pub const INSTANCE_PRICE: &str = "36";
/// Per GiB and hour: a tenth of a thousandth a second.
pub const DISK_PRICE: &str = "0.36";
/// A minute and a half of one instance.
pub const FIRST_TOPUP: &str = "0.90";

/// What the tenant gives its instance to do: it is busy from its boot on, until told otherwise.
pub const BUSY: &str = "#!/bin/sh\nbusy on\n";

impl Story {
    pub(super) async fn tenancy(&mut self) -> Result<()> {
        let flavor = json!({
            "name": "small", "vcpus": 1, "memory_mib": guest::MEMORY_MIB, "disk_gib": 1,
        });
        self.flavor = text(&self.operator.post("/v1/flavors", &flavor).await?, "id")?.to_owned();
        self.upload().await?;

        let prices = json!([
            {"meter": format!("instance:{}", self.flavor), "unit_price": INSTANCE_PRICE},
            {"meter": "disk_gib", "unit_price": DISK_PRICE},
        ]);
        let book = json!({"name": "list prices", "currency": "CNY", "prices": prices});
        let book = self.operator.post("/v1/price-books", &book).await?;
        let tenant = json!({"name": "acme", "currency": "CNY", "price_book_id": book["id"]});
        self.tenant = text(&self.operator.post("/v1/tenants", &tenant).await?, "id")?.to_owned();
        self.quota(1).await?;

        let user = json!({
            "login": MEMBER, "role": "member", "tenant_id": self.tenant,
            "password": MEMBER_PASSWORD,
        });
        self.operator.post("/v1/users", &user).await?;
        let token = json!({"name": "acme's scripts", "role": "member", "tenant_id": self.tenant});
        let token = self.operator.post("/v1/tokens", &token).await?;
        self.member = self.operator.with_token(text(&token, "token")?);

        let balance = self.pay(self.first_topup).await?;
        self.say(format!(
            "tenant acme, quota 1 instance, balance {} {}; flavor small at {INSTANCE_PRICE} an hour",
            text(&balance, "balance_display")?,
            text(&balance, "currency")?,
        ));
        ensure!(super::micros(&balance["balance"])? == self.paid_micros(), "{balance}");
        Ok(())
    }

    async fn upload(&mut self) -> Result<()> {
        let image = json!({
            "name": "lab guest", "disk_format": "qcow2", "wants_kernel": true,
            "kernel_cmdline": self.world.image.cmdline()?,
        });
        let image = self.operator.post("/v1/images", &image).await?;
        self.image = text(&image, "id")?.to_owned();
        let files = [
            ("disk", self.world.image.disk()),
            ("kernel", self.world.image.kernel()),
            ("ramdisk", self.world.image.ramdisk()),
        ];
        let mut bytes = 0;
        for (file, path) in files {
            let body = std::fs::read(path)?;
            bytes += body.len();
            let path = format!("/v1/images/{}/files/{file}", self.image);
            self.operator.put_bytes(&path, "application/octet-stream", body).await?;
        }
        let image = self.operator.get(&format!("/v1/images/{}", self.image)).await?;
        ensure!(image["state"] == "active", "the image is not usable: {image}");
        self.say(format!(
            "image {}: disk, kernel and ramdisk, {bytes} bytes",
            text(&image, "name")?
        ));
        Ok(())
    }

    pub(super) async fn first_instance(&mut self) -> Result<()> {
        let operation = self.create("web-1", Some(BUSY)).await?;
        self.instance = text(&operation, "target_id")?.to_owned();
        let done = self.operation(&self.member, &operation).await?;
        let steps: Vec<&str> = done["steps"]
            .as_array()
            .map(|steps| steps.iter().filter_map(|step| step["name"].as_str()).collect())
            .unwrap_or_default();
        self.say(format!("web-1 runs after {} ms: {}", done["duration_ms"], steps.join(", ")));
        let line = self.console_shows(&self.instance, guest::READY).await?;
        self.say(format!("its console: {line}"));
        ensure!(self.world.host.qemu_processes()? == 1, "not one QEMU on the host");
        self.over_quota().await
    }

    /// One more is refused, and nothing is left of it.
    async fn over_quota(&self) -> Result<()> {
        let quota = format!("/v1/tenants/{}/quota", self.tenant);
        let operations = "/v1/operations?limit=1000";
        let used = self.operator.get(&quota).await?;
        let opened = self.operator.get(operations).await?["items"].as_array().map(Vec::len);
        let domains = self.world.host.domains()?;

        let body = json!({"name": "web-2", "flavor_id": self.flavor, "image_id": self.image});
        let answer = self.member.ask(Method::POST, "/v1/instances", Some(&body)).await?;
        ensure!(answer.status == StatusCode::CONFLICT, "{answer:?}");
        let problem = answer.json();
        ensure!(problem["type"] == "urn:opshawk:problem:quota-exceeded", "{problem}");
        self.say(format!("web-2 is refused: {}", text(&problem, "detail")?));

        ensure!(self.operator.get(&quota).await? == used, "the refused one took quota");
        let instances = self.operator.list("/v1/instances").await?;
        ensure!(instances.len() == 1, "the refused one is listed: {instances:?}");
        let after = self.operator.get(operations).await?["items"].as_array().map(Vec::len);
        ensure!(after == opened, "the refused one left an operation");
        ensure!(self.world.host.domains()? == domains, "the refused one left a domain");
        self.say("nothing is left of it: quota, instances, operations and domains are as before");
        Ok(())
    }
}
