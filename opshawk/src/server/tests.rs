use std::net::TcpListener as StdListener;

use base::db::testing;

use super::*;
use crate::api::tests::world::config;

/// The start's error, as the one line on stderr.
async fn refused(config: Config) -> String {
    match Server::start(config, SystemClock::shared()).await {
        Ok(_) => panic!("it started"),
        Err(error) => Failure::from(error).message,
    }
}

#[tokio::test]
async fn a_start_that_can_t_be_says_what_and_what_to_do_and_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let taken = StdListener::bind("127.0.0.1:0").unwrap();
    let mut busy = config(dir.path());
    busy.listen = taken.local_addr().unwrap();
    let line = refused(busy).await;
    assert!(line.contains("can't listen on 127.0.0.1:") && line.contains("--listen"), "{line}");

    let mut away = config(dir.path());
    // Nobody listens there.
    let free = StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    away.database = Some(format!("postgres://user:secret@{free}/opshawk"));
    let line = refused(away).await;
    assert!(line.contains("can't be opened") && !line.contains("secret"), "{line}");
    assert!(!dir.path().join("data").exists(), "nothing half-made");

    let mut rules = config(dir.path());
    rules.alerting.rule_files = vec![dir.path().join("missing.yml")];
    let line = refused(rules).await;
    assert!(line.contains("missing.yml"), "{line}");
}

#[tokio::test]
async fn two_servers_never_share_a_data_directory() {
    let dir = tempfile::tempdir().unwrap();
    let first = Server::start(config(dir.path()), SystemClock::shared()).await.unwrap();
    let line = refused(config(dir.path())).await;
    assert!(line.contains("another opshawk"), "{line}");
    first.stop().await;
    Server::start(config(dir.path()), SystemClock::shared()).await.unwrap().stop().await;
}

#[tokio::test]
async fn a_libvirt_that_is_away_is_no_reason_to_end() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    for database in testing::each_empty().await {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(dir.path());
        config.database = Some(database.url.clone());
        config.agent.enabled = true;
        config.agent.name = Some("alpha".to_owned());
        config.agent.libvirt_uri = "qemu:///system?socket=/nonexistent/socket".to_owned();
        let server = Server::start(config.clone(), SystemClock::shared()).await.unwrap();
        let app = server.app.clone();
        let host = crate::api::tests::world::eventually("the agent reported", async || {
            let mut conn = app.db.read().await.unwrap();
            let host = inventory::hosts::by_name(&mut conn, "alpha").await.unwrap().unwrap();
            host.last_report_at.is_some().then_some(host)
        })
        .await;
        assert!(!host.hypervisor_ok);
        assert!(host.reason.is_some() && host.remedy.is_some());
        server.stop().await;

        // The same token serves the next start; it is readable for its owner only.
        let path = dir.path().join("data/agent.token");
        let token = std::fs::read_to_string(&path).unwrap();
        let server = Server::start(config, SystemClock::shared()).await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), token);
        server.stop().await;
    }
}
