//! The client against a whole server: what its exit codes say.

use base::time::{Clock, SystemClock};
use billing::{
    kinds::Attributes,
    usage::{self, Fact, Resource},
};
use clap::Parser;
use serde_json::json;

use super::{args::Cli, exit::Code, run};
use crate::api::tests::world::{TestServer, each};

async fn typed(test: &TestServer, token: &str, line: &str) -> Result<(), Code> {
    let url = &test.operator.base;
    let whole = format!("opshawk --url {url} --token {token} {line}");
    let cli = Cli::try_parse_from(whole.split_whitespace()).unwrap();
    run(cli).await.map_err(|failure| failure.code)
}

#[tokio::test]
async fn exit_codes_say_what_went_wrong() {
    let test = each().await.remove(0);
    let operator = test.operator.token.clone().unwrap();
    let go = async |line: &str| typed(&test, &operator, line).await;
    assert_eq!(go("tenant create acme").await, Ok(()));
    assert_eq!(go("tenant topup acme 0.60 --memo first").await, Ok(()));
    for format in ["table", "wide", "json", "yaml", "csv"] {
        assert_eq!(go(&format!("tenant list -o {format}")).await, Ok(()));
    }
    assert_eq!(go("bill show --tenant acme -o csv").await, Ok(()));
    assert_eq!(go("query up").await, Ok(()));
    // Names may repeat: what is ambiguous is refused, an id never is.
    let flavor = json!({ "name": "small", "vcpus": 1, "memory_mib": 64, "disk_gib": 1 });
    let first = test.operator.post("/v1/flavors", &flavor).await.expect(201);
    test.operator.post("/v1/flavors", &flavor).await.expect(201);
    assert_eq!(go("flavor show small").await, Err(Code::Usage));
    assert_eq!(go(&format!("flavor delete {}", first["id"].as_str().unwrap())).await, Ok(()));
    assert_eq!(go("flavor show small").await, Ok(()));

    assert_eq!(go("tenant show nobody").await, Err(Code::NotFound));
    assert_eq!(go("tenant create acme").await, Err(Code::Conflict));
    assert_eq!(go("tenant topup acme -- -1").await, Err(Code::Usage));
    assert_eq!(go("query sum(").await, Err(Code::Usage));
    // What has no name is asked for by its id, and nothing else becomes a path.
    for line in [
        "standing end-exemption ../../tenants",
        "operation show ../tenants",
        "operation wait ../tenants",
        "package cancel ../../users --tenant acme",
        "quota withdraw ../tokens",
        "ledger void-hold ../../ledger/verify",
        "invoice note ../../invoices",
        "price draft show ../price-books",
    ] {
        assert_eq!(go(line).await, Err(Code::Usage), "{line}");
    }
    assert_eq!(typed(&test, "ohk_unknown", "host list").await, Err(Code::Auth));
    let (_, member) = test.tenant("other").await;
    assert_eq!(typed(&test, &member.token.unwrap(), "host list").await, Err(Code::Auth));
    // Nobody answers there.
    let away = Cli::try_parse_from([
        "opshawk",
        "--url",
        "http://127.0.0.1:1",
        "--token",
        "x",
        "host",
        "list",
    ]);
    assert_eq!(run(away.unwrap()).await.unwrap_err().code, Code::Failed);
    test.server.stop().await;
}

/// Beside the server that it belongs to.
#[tokio::test]
async fn a_span_that_was_tampered_with_fails_the_check_until_it_is_written_anew() {
    for test in each().await {
        let (tenant, _) = test.tenant("acme").await;
        let now = SystemClock.now();
        let fact = Fact {
            source: "test".to_owned(),
            source_id: "first".to_owned(),
            tenant_id: tenant.parse().unwrap(),
            resource: Resource { kind: "router".to_owned(), id: "r1".to_owned() },
            resource_name: "gate".to_owned(),
            state: "up".to_owned(),
            attributes: Attributes::default(),
            at: now.saturating_add_ms(-3_600_000),
            ordinal: 0,
        };
        let mut tx = test.server.app.db.begin_write().await.unwrap();
        usage::record(&mut tx, now, &fact).await.unwrap();
        tx.commit().await.unwrap();
        let config = test.dir.path().join("machine.toml");
        let url = &test._database.url;
        std::fs::write(&config, format!("database = {url:?}\n")).unwrap();
        let rebuild = async |mode: &str| {
            let line = format!("opshawk billing rebuild {mode} --config {}", config.display());
            run(Cli::try_parse_from(line.split_whitespace()).unwrap()).await
        };
        assert_eq!(rebuild("--check").await.map_err(|failure| failure.code), Ok(()));
        test._database.execute("UPDATE usage_spans SET from_ms = from_ms - 60000").await;
        let failure = rebuild("--check").await.unwrap_err();
        assert_eq!(failure.code as u8, 1, "{failure}");
        assert!(failure.message.contains("1 resources and 0 counters differ"), "{failure}");
        assert_eq!(rebuild("--write").await.map_err(|failure| failure.code), Ok(()));
        assert_eq!(rebuild("--check").await.map_err(|failure| failure.code), Ok(()));
        test.server.stop().await;
    }
}

#[tokio::test]
async fn a_token_made_on_the_machine_is_an_operators() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dir = tempfile::tempdir().unwrap();
    let line = format!("opshawk token create --data-dir {}", dir.path().display());
    let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
    let failure = run(cli).await.unwrap_err();
    assert!(failure.message.contains("no database"), "{failure}");
    assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none(), "nothing is made");
}
