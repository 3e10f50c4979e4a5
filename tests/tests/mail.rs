//! Mail to a server that wants TLS and a login: it arrives; and where TLS or the login fails, nothing
//! is sent, and the operator sees why.

use std::{process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use base::time::{Clock, SystemClock};
use lab::{
    api::Api,
    mail::{MailServer, PASSWORD, Tls},
    opshawk::{OPERATOR_MAIL, Opshawk, Settings, Smtp, client},
    process::run,
    remote_write::{Row, encode},
    wait::{self, Seen},
};
use reqwest::Method;
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(60);
const ALERT: &str = "Pressure";

/// A server that has something to tell by mail, and trusts `trusted` for TLS.
async fn telling(smtp: Smtp, trusted: &MailServer) -> Result<(Opshawk, Api)> {
    let certificate = trusted.certificate().display().to_string();
    let environment =
        vec![("SSL_CERT_FILE".to_owned(), certificate), ("SSL_CERT_DIR".to_owned(), String::new())];
    let settings = Settings { smtp: Some(smtp), environment, ..Settings::default() };
    let server = Opshawk::start(&settings).await?;
    let operator = server.operator()?;
    let row = Row {
        labels: vec![("__name__".to_owned(), "lab_pressure".to_owned())],
        at_ms: SystemClock.now().ms(),
        value: 1.0,
    };
    let write = operator
        .request(Method::POST, "/prometheus/api/v1/write")
        .header("content-type", "application/x-protobuf")
        .header("content-encoding", "snappy")
        .header("x-prometheus-remote-write-version", "0.1.0")
        .body(encode(&[row]));
    let answer = Api::send(write).await?;
    ensure!(answer.status.is_success(), "{answer:?}");
    let rules =
        format!("groups:\n- name: lab\n  rules:\n  - alert: {ALERT}\n    expr: lab_pressure > 0\n");
    let file = server.dir().join("rules.yaml");
    std::fs::write(&file, rules)?;
    run(client(&operator)?.args(["rule", "apply"]).arg(file))?;
    Ok((server, operator))
}

/// Once the only delivery has been tried: its state, and what went wrong.
async fn tried(operator: &Api) -> Result<(String, String)> {
    wait::eventually("an attempt to deliver", LIMIT, || async {
        let notices = operator.list("/v1/notices").await?;
        let deliveries: Vec<&Value> =
            notices.iter().filter_map(|n| n["deliveries"].as_array()).flatten().collect();
        Ok(match deliveries[..] {
            [one] if one["attempts"].as_i64() > Some(0) => {
                let text = |field: &str| one[field].as_str().unwrap_or_default().to_owned();
                Seen::Yes((text("state"), text("last_error")))
            }
            _ => Seen::NotYet(format!("{notices:?}")),
        })
    })
    .await
}

#[tokio::test]
async fn mail_goes_by_tls_with_a_login() -> Result<()> {
    for tls in [Tls::Starttls, Tls::Always] {
        let mail = MailServer::start_secured(tls).await?;
        let (server, operator) = telling(mail.smtp(), &mail).await?;
        let (state, error) = tried(&operator).await?;
        ensure!(state == "delivered", "{tls:?}: {state}: {error}\n{}", server.log_tail());
        let got = mail.mail("of the alert", LIMIT, |mail| mail.subject.contains(ALERT)).await?;
        ensure!(got.to == OPERATOR_MAIL, "{got:?}");
        ensure!(!server.log().contains(PASSWORD), "the password is in the log");
    }
    Ok(())
}

/// Without which the test above would prove less: that server takes nothing else.
#[test]
fn the_secured_server_takes_nothing_in_plain_text() -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let mail = runtime.block_on(MailServer::start_secured(Tls::Starttls))?;
    let send = "import smtplib, sys\n\
                with smtplib.SMTP('127.0.0.1', int(sys.argv[1])) as s:\n\
                \x20   s.sendmail('a@example.com', ['b@example.com'], b'hello')\n";
    let port = mail.port().to_string();
    let refused = run(Command::new("/usr/bin/python3").args(["-c", send, &port])).err();
    let refused = refused.context("it took a mail in plain text")?.to_string();
    ensure!(refused.contains("530"), "{refused}");
    ensure!(mail.mails()?.is_empty());
    Ok(())
}

#[tokio::test]
async fn nothing_is_sent_where_tls_or_the_login_fails() -> Result<()> {
    let (mail, other, plain) = (
        MailServer::start_secured(Tls::Starttls).await?,
        MailServer::start_secured(Tls::Always).await?,
        MailServer::start().await?,
    );
    let wrong = Some(("opshawk".to_owned(), "not-the-secret-word".to_owned()));
    let cases = [
        ("a wrong password", Smtp { login: wrong, ..mail.smtp() }, &mail, "535"),
        ("STARTTLS with a certificate of nobody's", mail.smtp(), &other, "UnknownIssuer"),
        ("TLS with a certificate of nobody's", other.smtp(), &mail, "UnknownIssuer"),
        ("no STARTTLS", Smtp { port: plain.port(), ..mail.smtp() }, &mail, "STARTTLS"),
    ];
    for (what, smtp, trusted, reason) in cases {
        let (server, operator) = telling(smtp, trusted).await?;
        let (state, error) = tried(&operator).await?;
        println!("{what}: {state}: {error}");
        ensure!(state == "pending", "{what}: {state}: {error}");
        ensure!(error.contains(reason), "{what}: '{reason}' is not in: {error}");
        for word in [PASSWORD, "not-the-secret-word"] {
            ensure!(!error.contains(word) && !server.log().contains(word), "{what}: {error}");
        }
    }
    for server in [&mail, &other, &plain] {
        ensure!(server.mails()?.is_empty(), "{:?}", server.mails()?);
    }
    Ok(())
}
