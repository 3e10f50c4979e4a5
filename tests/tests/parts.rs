//! Each part of the lab by itself: it starts, does its one real thing, and leaves nothing.

use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{
    bmc::{self, BmcSimulator},
    dir::LabDir,
    guest::{self, GuestImage},
    host::LibvirtHost,
    mail::MailServer,
    postgres::Postgres,
    process::run,
    prometheus::Prometheus,
    wait,
    webhook::WebhookReceiver,
};
use std::process::Command;

const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_host_boots_a_guest_that_outlives_its_libvirtd() -> Result<()> {
    let image = GuestImage::build()?;
    let dir = LabDir::new("guest")?;
    let disk = dir.join("disk.qcow2");
    std::fs::copy(image.disk(), &disk)?;
    let console = dir.join("console.log");
    let domain = dir.write(
        "domain.xml",
        &format!(
            "<domain type='qemu'><name>one</name><memory unit='MiB'>{}</memory><vcpu>1</vcpu>\
             <os><type arch='x86_64' machine='q35'>hvm</type><kernel>{}</kernel>\
             <initrd>{}</initrd><cmdline>{}</cmdline></os><features><acpi/></features><devices>\
             <disk type='file'><driver name='qemu' type='qcow2'/><source file='{}'/>\
             <target dev='vda' bus='virtio'/></disk>\
             <serial type='file'><source path='{}'/></serial></devices></domain>",
            guest::MEMORY_MIB,
            image.kernel().display(),
            image.ramdisk().display(),
            image.cmdline()?,
            disk.display(),
            console.display()
        ),
    )?;
    let host = LibvirtHost::start("host-a").await?;
    host.virsh(&["create", &domain.display().to_string()])?;
    let printed = || std::fs::read_to_string(&console).unwrap_or_default();
    wait::until("the guest", LIMIT, || async {
        Ok(printed().contains(&format!("{} boot=1", guest::READY)))
    })
    .await?;

    host.kill9_libvirtd().await?;
    ensure!(host.domains().is_err(), "a killed libvirtd answers");
    ensure!(host.qemu_processes()? == 1, "the guest went with libvirtd");
    host.start_libvirtd().await?;
    ensure!(host.running()? == ["one"], "libvirtd lost its guest");

    host.virsh(&["shutdown", "one"])?;
    wait::until("the guest's end", LIMIT, || async { Ok(host.qemu_processes()? == 0) }).await?;
    ensure!(printed().contains("OPSHAWK GUEST OFF"), "not a clean end: {}", printed());
    Ok(())
}

#[tokio::test]
async fn a_dropped_host_leaves_no_process() -> Result<()> {
    let host = LibvirtHost::start("host-b").await?;
    let dir = host.dir().to_owned();
    // What libvirtd has open names the host's directory, whatever namespace it is in.
    drop(host);
    ensure!(!dir.exists(), "{} is still there", dir.display());
    let left = run(Command::new("sh")
        .args(["-c", "ps -eo args | grep -- \"$0\" | grep -v grep || true"])
        .arg(&dir))?;
    ensure!(left.is_empty(), "left: {left}");
    Ok(())
}

#[tokio::test]
async fn a_bmc_powers_on_and_reads_its_sensors() -> Result<()> {
    let bmc = BmcSimulator::start().await?;
    let (host, port) =
        bmc.address().split_once(':').map(|(h, p)| (h.to_owned(), p.to_owned())).unwrap();
    let ipmitool = |args: &[&str]| {
        run(Command::new("ipmitool")
            .args(["-I", "lanplus", "-C", "3", "-H", &host, "-p", &port])
            .args(["-U", bmc::USER, "-P", bmc::PASSWORD])
            .args(args))
    };
    ensure!(ipmitool(&["chassis", "power", "status"])?.contains("off"));
    ipmitool(&["chassis", "power", "on"])?;
    ensure!(ipmitool(&["chassis", "power", "status"])?.contains("on"));
    ensure!(bmc.power()?);
    let sensors = ipmitool(&["sensor"])?;
    for name in BmcSimulator::sensor_names() {
        ensure!(sensors.contains(name), "{name} is not in:\n{sensors}");
    }
    ensure!(sensors.contains("47.000") && sensors.contains("4800.000"), "{sensors}");
    bmc.set_reading("CPU Temp", 91)?;
    wait::until("a warm CPU", LIMIT, || async { Ok(ipmitool(&["sensor"])?.contains("91.000")) })
        .await
}

#[tokio::test]
async fn a_mail_server_keeps_what_it_takes() -> Result<()> {
    let mail = MailServer::start().await?;
    let send = format!(
        "import smtplib\n\
         with smtplib.SMTP('127.0.0.1', {}) as s:\n\
         \x20   s.sendmail('a@example.com', ['b@example.com'], b'From: a@example.com\\r\\nTo: b@example.com\\r\\nSubject: =?utf-8?b?5L2g5aW9?=\\r\\n\\r\\nhello\\r\\n')\n",
        mail.port()
    );
    run(Command::new("/usr/bin/python3").args(["-c", &send]))?;
    let got = mail.mail("the one sent", LIMIT, |mail| mail.subject == "你好").await?;
    ensure!(got.to == "b@example.com" && got.text.trim() == "hello", "{got:?}");
    Ok(())
}

#[tokio::test]
async fn a_webhook_receiver_keeps_what_it_is_sent() -> Result<()> {
    let hook = WebhookReceiver::start().await?;
    let client = lab::api::http_client();
    hook.answer(503);
    let refused = client.post(hook.url()).json(&serde_json::json!({"n": 1})).send().await?;
    ensure!(refused.status() == 503);
    hook.answer(0);
    client.post(hook.url()).json(&serde_json::json!({"n": 2})).send().await?;
    let got = hook.request("the one sent", LIMIT, |body| body["n"] == 2).await?;
    ensure!(got.path == "/hook" && hook.received().len() == 1, "{:?}", hook.received());
    Ok(())
}

#[tokio::test]
async fn a_postgres_has_collation_c() -> Result<()> {
    let postgres = Postgres::start().await?;
    let url = postgres.database("one")?;
    let sorted = run(Command::new("psql").args([
        &url,
        "-qXAtc",
        "SELECT string_agg(c, '' ORDER BY c) FROM (VALUES ('b'), ('B'), ('a'), ('A')) v (c)",
    ]))?;
    ensure!(sorted.trim() == "ABab", "{sorted}");
    Ok(())
}

#[tokio::test]
async fn a_prometheus_scrapes_with_a_token() -> Result<()> {
    // Its own metrics would do, but not show that the token is sent: the receiver records it.
    let hook = WebhookReceiver::start().await?;
    let target = hook.url().replace("http://", "").replace("/hook", "");
    let mut prometheus = Prometheus::start(&target, "secret-token").await?;
    let scraped = prometheus.target_up(LIMIT).await?;
    ensure!(scraped == format!("http://{target}/metrics"), "{scraped}");
    let received = hook.received();
    ensure!(received[0].headers["authorization"] == "Bearer secret-token", "{received:?}");
    wait::until("up = 1", LIMIT, || async { Ok(prometheus.value("up").await? == Some(1.0)) }).await
}
