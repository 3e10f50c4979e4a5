//! Acts 2 and 3: a tenant, and its first instance.

use anyhow::{Context, Result, ensure};
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
        let memory = guest::MEMORY_MIB.to_string();
        let flavor = ["flavor", "create", "small", "--vcpus", "1", "--memory-mib", &memory];
        let flavor = [flavor.as_slice(), &["--disk-gib", "1"]].concat();
        let flavor = self.json(&self.operator, &flavor).await?;
        self.flavor = text(&flavor, "id")?.to_owned();
        self.upload().await?;

        let (instance, disk) =
            (format!("instance:small={INSTANCE_PRICE}"), format!("disk_gib={DISK_PRICE}"));
        let book = ["price-book", "create", "list prices", "--price", &instance, "--price", &disk];
        self.json(&self.operator, &book).await?;
        let tenant = ["tenant", "create", "acme", "--price-book", "list prices"];
        let tenant = self.json(&self.operator, &tenant).await?;
        self.tenant = text(&tenant, "id")?.to_owned();
        self.quota(1).await?;

        let user = ["user", "create", MEMBER, "--tenant", "acme", "--password-stdin"];
        self.json_with(&self.operator, &user, MEMBER_PASSWORD).await?;
        let token = ["token", "create", "--name", "scripts", "--tenant", "acme"];
        let token = self.types(&self.operator, &token).await?;
        self.member = self.operator.with_token(token.trim());

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
        let image = &self.world.image;
        let paths = [image.disk(), image.kernel(), image.ramdisk()];
        let bytes =
            paths.iter().map(|path| Ok(std::fs::metadata(path)?.len())).sum::<Result<u64>>()?;
        let paths = paths.map(|path| path.display().to_string());
        let cmdline = image.cmdline()?;
        let create = ["image", "create", "lab guest", "--disk", &paths[0], "--kernel", &paths[1]];
        let more = ["--ramdisk", &paths[2], "--cmdline", &cmdline];
        let image = self.json(&self.operator, &[create.as_slice(), &more].concat()).await?;
        self.image = text(&image, "id")?.to_owned();
        ensure!(image["state"] == "active", "the image is not usable: {image}");
        self.say(format!(
            "image {}: disk, kernel and ramdisk, {bytes} bytes",
            text(&image, "name")?
        ));
        Ok(())
    }

    pub(super) async fn first_instance(&mut self) -> Result<()> {
        let file = self.world.server.dir().join("busy.sh");
        std::fs::write(&file, BUSY)?;
        let file = file.display().to_string();
        let create = ["instance", "create", "web-1", "--flavor", "small", "--image", "lab guest"];
        let create = [create.as_slice(), &["--user-data-file", &file]].concat();
        // Ends well only when the operation has.
        let done = self.json(&self.member, &create).await?;
        ensure!(done["state"] == "succeeded", "{done}");
        self.instance = text(&done, "target_id")?.to_owned();
        let steps: Vec<&str> = done["steps"]
            .as_array()
            .map(|steps| steps.iter().filter_map(|step| step["name"].as_str()).collect())
            .unwrap_or_default();
        self.say(format!("web-1 runs after {} ms: {}", done["duration_ms"], steps.join(", ")));
        self.console_shows(&self.instance, guest::READY).await?;
        let log = self.types(&self.member, &["instance", "console-log", "web-1"]).await?;
        let line = log.lines().find(|line| line.contains(guest::READY));
        self.say(format!("its console: {}", line.context("not ready, says the log")?.trim()));
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
