//! Against a real SMTP server (Python's aiosmtpd) and real HTTP receivers.

use std::sync::Arc;

use base::{
    bus::Bus,
    db::{Db, testing},
    id::TenantId,
    outbox::{self, Notice},
    reconcile::Reconciler,
    time::ManualClock,
};

use super::{reconciler::NoticeDelivery, *};
use crate::{
    notices,
    settings::{Secret, Settings},
    testing::{at, eventually},
};

mod http;
mod smtp;

use http::{Answer, Receiver};
use smtp::MailServer;

const SECRET: &str = "hush";

fn settings(mail: Option<&MailServer>, receivers: &[&Receiver]) -> Settings {
    Settings {
        smtp: mail.map(MailServer::settings),
        webhook_urls: receivers.iter().map(|r| r.url()).collect(),
        webhook_secret: Some(Secret::new(SECRET)),
        ..Settings::default()
    }
}

fn start(db: &Db, clock: &ManualClock, settings: &Settings) -> NoticeDelivery {
    let transport = Transport::new(settings).unwrap();
    let settings = Arc::new(settings.clone());
    NoticeDelivery::new(db.clone(), clock.shared(), Bus::default(), settings, transport)
}

fn notice(key: &str, topic: &str, tenant_id: Option<TenantId>) -> Notice {
    Notice {
        key: key.to_owned(),
        topic: topic.to_owned(),
        tenant_id,
        subject: format!("subject {key}"),
        body: format!("body {key}\n"),
        data: serde_json::json!({"groupKey": "{}:{}", "key": key}),
    }
}

async fn enqueue(db: &Db, notice: &Notice) {
    let mut tx = db.begin_write().await.unwrap();
    assert!(outbox::enqueue(&mut tx, at(0), notice).await.unwrap());
    tx.commit().await.unwrap();
}

async fn tenant_with_user(db: &Db, login: &str) -> TenantId {
    let mut tx = db.begin_write().await.unwrap();
    let tenant = identity::tenants::create(&mut tx, at(0), "acme").await.unwrap().id;
    let user = identity::users::NewUser { login, tenant_id: Some(tenant), password_hash: None };
    identity::users::create(&mut tx, at(0), user).await.unwrap();
    tx.commit().await.unwrap();
    tenant
}

async fn deliveries(db: &Db, tenant: Option<TenantId>) -> Vec<notices::Delivery> {
    let mut conn = db.read().await.unwrap();
    let notices = notices::list(&mut conn, tenant, None, 100).await.unwrap();
    notices.into_iter().rev().flat_map(|n| n.deliveries).collect()
}

/// Waits until all deliveries stand in this state.
async fn all(db: &Db, state: &str) -> Vec<notices::Delivery> {
    eventually(state, async || {
        let all = deliveries(db, None).await;
        (!all.is_empty() && all.iter().all(|d| d.state == state)).then_some(all)
    })
    .await
}

/// Waits until the first delivery has had so many attempts.
async fn attempts(db: &Db, count: i64) {
    eventually("attempts", async || {
        (deliveries(db, None).await[0].attempts == count).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_webhook_that_fails_twice_gets_exactly_the_payload() {
    for test in testing::each().await {
        let receiver = Receiver::start(&[Answer::Status(500), Answer::Status(503)]).await;
        let clock = ManualClock::at(at(0));
        let delivery = start(&test.db, &clock, &settings(None, &[&receiver]));
        let notice = notice("k", "alert", None);
        enqueue(&test.db, &notice).await;
        delivery.run().await.unwrap();
        attempts(&test.db, 1).await;
        // Not before its time.
        clock.set(Timestamp::from_ms(999));
        delivery.run().await.unwrap();
        clock.set(at(1));
        attempts(&test.db, 2).await;
        clock.set(at(3));
        let done = all(&test.db, "delivered").await.remove(0);
        assert_eq!((done.attempts, done.delivered_at), (3, Some(at(3))));
        assert_eq!(done.last_error, None);

        let requests = receiver.requests();
        assert_eq!(requests.len(), 3);
        for request in &requests {
            assert_eq!(request.body, notice.data.to_string().into_bytes());
            assert_eq!(request.header("idempotency-key"), done.id.to_string());
            assert_eq!(request.header("content-type"), "application/json");
            let signature = webhook::signature(SECRET, &request.body);
            assert_eq!(request.header("x-opshawk-signature"), signature);
        }
    }
}

#[test]
fn the_signature_is_an_hmac() {
    // RFC 4231, test case 2.
    assert_eq!(
        webhook::signature("Jefe", b"what do ya want for nothing?"),
        "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
}

#[tokio::test]
async fn a_notice_has_its_own_payload() {
    for test in testing::each().await {
        let receiver = Receiver::start(&[]).await;
        let clock = ManualClock::at(at(0));
        let delivery = start(&test.db, &clock, &settings(None, &[&receiver]));
        enqueue(&test.db, &notice("k", "balance", None)).await;
        delivery.run().await.unwrap();
        all(&test.db, "delivered").await;
        let body = receiver.requests().remove(0).body;
        let payload: webhook::NoticePayload = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            (payload.version.as_str(), payload.topic.as_str()),
            ("opshawk.notice/1", "balance")
        );
        assert_eq!((payload.subject.as_str(), &payload.data["key"]), ("subject k", &"k".into()));
    }
}

#[tokio::test]
async fn a_receiver_that_hangs_holds_up_no_other() {
    for test in testing::each().await {
        let hanging = Receiver::start(&[Answer::Hang]).await;
        let quick = Receiver::start(&[]).await;
        let clock = ManualClock::at(at(0));
        let delivery = start(&test.db, &clock, &settings(None, &[&hanging, &quick]));
        enqueue(&test.db, &notice("one", "balance", None)).await;
        delivery.run().await.unwrap();
        eventually("the hanging one was asked", async || {
            (!hanging.requests().is_empty()).then_some(())
        })
        .await;
        enqueue(&test.db, &notice("two", "balance", None)).await;
        delivery.run().await.unwrap();
        eventually("two deliveries", async || {
            let all = deliveries(&test.db, None).await;
            (all.iter().filter(|d| d.state == "delivered").count() == 2).then_some(())
        })
        .await;
        assert_eq!((hanging.requests().len(), quick.requests().len()), (1, 2));
    }
}

#[tokio::test]
async fn what_belongs_together_arrives_in_order() {
    for test in testing::each().await {
        let receiver = Receiver::start(&[Answer::Status(500)]).await;
        let clock = ManualClock::at(at(0));
        let delivery = start(&test.db, &clock, &settings(None, &[&receiver]));
        for (key, topic) in [("fires", "alert"), ("is over", "alert"), ("other", "balance")] {
            enqueue(&test.db, &notice(key, topic, None)).await;
        }
        delivery.run().await.unwrap();
        // The second of the group waits for the first, what is not of the group does not.
        eventually("the other one", async || (receiver.requests().len() == 2).then_some(())).await;
        attempts(&test.db, 1).await;
        clock.set(at(1));
        all(&test.db, "delivered").await;
        let bodies: Vec<String> =
            receiver.requests().iter().map(|r| String::from_utf8_lossy(&r.body).into()).collect();
        let positions: Vec<_> = ["\"other\"", "\"is over\""]
            .iter()
            .map(|key| bodies.iter().position(|b| b.contains(key)).unwrap())
            .collect();
        assert_eq!((positions, bodies.len()), (vec![1, 3], 4));
    }
}

#[tokio::test]
async fn what_calls_an_operator_goes_before_all_that_waits() {
    for test in testing::each().await {
        let receiver = Receiver::start(&[]).await;
        let clock = ManualClock::at(at(0));
        let delivery = start(&test.db, &clock, &settings(None, &[&receiver]));
        for topic in ["balance", "quota", outbox::PAGE] {
            enqueue(&test.db, &notice(topic, topic, None)).await;
        }
        delivery.run().await.unwrap();
        all(&test.db, "delivered").await;
        let first = String::from_utf8_lossy(&receiver.requests()[0].body).into_owned();
        assert!(first.contains("subject page"), "{first}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    for test in testing::each().await {
        let elsewhere = Receiver::start(&[]).await;
        let receiver = Receiver::start(&[Answer::Redirect(elsewhere.url())]).await;
        let clock = ManualClock::at(at(0));
        let delivery = start(&test.db, &clock, &settings(None, &[&receiver]));
        enqueue(&test.db, &notice("k", "alert", None)).await;
        delivery.run().await.unwrap();
        attempts(&test.db, 1).await;
        let error = deliveries(&test.db, None).await.remove(0).last_error.unwrap();
        assert!(error.contains("302") && error.contains("not followed"), "{error}");
        assert_eq!(elsewhere.requests().len(), 0);
    }
}

#[tokio::test]
async fn after_so_many_attempts_it_has_failed_and_says_so() {
    for test in testing::each().await {
        let clock = ManualClock::at(at(0));
        // Nobody listens there, and the path is a secret.
        let port = http::free_port().await;
        let mut settings = settings(None, &[]);
        settings.webhook_urls = vec![format!("http://127.0.0.1:{port}/hooks/TOKEN")];
        let delivery = start(&test.db, &clock, &settings);
        let tenant = tenant_with_user(&test.db, "plain-name").await;
        enqueue(&test.db, &notice("k", "balance", Some(tenant))).await;
        delivery.run().await.unwrap();
        let mut now_s = 0;
        for attempt in 1..=MAX_ATTEMPTS {
            attempts(&test.db, attempt).await;
            now_s += backoff_ms(attempt) / 1_000;
            clock.set(at(now_s));
        }
        let failed = all(&test.db, "failed").await.remove(0);
        assert_eq!((failed.attempts, failed.delivered_at), (MAX_ATTEMPTS, None));
        let shown = format!("{failed:?}");
        assert!(shown.contains("127.0.0.1") && !shown.contains("TOKEN"), "{shown}");
        assert_eq!(delivery.run().await.unwrap().status["failed"], 1);
        // The tenant sees that there is one, not where it went.
        let own = deliveries(&test.db, Some(tenant)).await.remove(0);
        assert_eq!((own.target, own.last_error), (None, None));
    }
}

#[test]
fn the_waits_grow_and_are_bounded() {
    let waits: Vec<i64> = (1..=MAX_ATTEMPTS).map(|n| backoff_ms(n) / 1_000).collect();
    assert_eq!(waits[..4], [1, 2, 4, 8]);
    assert_eq!(waits[9..12], [512, 600, 600]);
}

#[tokio::test]
async fn a_crash_between_sending_and_marking_sends_again_under_the_same_key() {
    for test in testing::each().await {
        let receiver = Receiver::start(&[Answer::Hang]).await;
        let clock = ManualClock::at(at(0));
        let settings = settings(None, &[&receiver]);
        enqueue(&test.db, &notice("k", "alert", None)).await;
        let crashed = start(&test.db, &clock, &settings);
        crashed.run().await.unwrap();
        eventually("the first sending", async || (receiver.requests().len() == 1).then_some(()))
            .await;
        drop(crashed);
        start_and_deliver(&test.db, &clock, &settings).await;
        let requests = receiver.requests();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0].header("idempotency-key"), requests[1].header("idempotency-key"));
        assert_eq!(requests[0].body, requests[1].body);
    }
}

async fn start_and_deliver(db: &Db, clock: &ManualClock, settings: &Settings) {
    let delivery = start(db, clock, settings);
    delivery.run().await.unwrap();
    all(db, "delivered").await;
}

#[tokio::test]
async fn a_mail_that_was_sent_but_not_marked_comes_again_with_its_message_id() {
    for test in testing::each().await {
        let server = MailServer::start().await;
        let clock = ManualClock::at(at(0));
        let settings = settings(Some(&server), &[]);
        let tenant = tenant_with_user(&test.db, "ann@acme.example").await;
        let warning = Notice {
            subject: "余额不足: runs out within 24 h\r\nBcc: eve@evil.example".to_owned(),
            body: "Dear 张,\n.\r\nMAIL FROM:<eve@evil.example>\rbare\n\n余额 ¥0.60\n".to_owned(),
            ..notice("k", "balance", Some(tenant))
        };
        enqueue(&test.db, &warning).await;
        // Routed, sent, and killed before the mark.
        let mut tx = test.db.begin_write().await.unwrap();
        let row = store::unrouted(&mut tx, 1).await.unwrap().remove(0);
        let to = recipients::of(&mut tx, &settings, &row.topic, row.tenant_id).await.unwrap();
        store::route(&mut tx, at(0), &row, &to).await.unwrap();
        tx.commit().await.unwrap();
        let lane = lanes::Lane::of(Channel::Mail, "ann@acme.example".to_owned());
        let mut pending =
            store::pending(&mut test.db.read().await.unwrap(), at(0), &lane, 9).await.unwrap();
        let (_, sent) = pending.remove(0);
        Transport::new(&settings).unwrap().send(&sent).await.unwrap();

        start_and_deliver(&test.db, &clock, &settings).await;
        let mails = server.mails(2).await;
        assert_eq!(mails.len(), 2);
        for mail in &mails {
            assert_eq!(mail["message-id"], format!("<{}@opshawk.example>", sent.id));
            assert_eq!(mail["subject"], "余额不足: runs out within 24 h  Bcc: eve@evil.example");
            assert_eq!(mail["to"], "ann@acme.example");
            assert_eq!(mail["x-rcptto"], "ann@acme.example");
            assert_eq!(mail["from"], "OpsHawk <noreply@opshawk.example>");
            assert_eq!(mail["bcc"], serde_json::Value::Null);
            assert_eq!(mail["auto-submitted"], "auto-generated");
            assert_eq!(
                mail["body"],
                "Dear 张,\n.\nMAIL FROM:<eve@evil.example>\nbare\n\n余额 ¥0.60\n"
            );
        }
    }
}

#[tokio::test]
async fn mail_waits_for_a_server_that_is_away() {
    for test in testing::each().await {
        let port = http::free_port().await;
        let clock = ManualClock::at(at(0));
        let mut settings = settings(None, &[]);
        settings.smtp = Some(smtp::settings(port));
        settings.operator_mail = vec!["ops@opshawk.example".to_owned()];
        let delivery = start(&test.db, &clock, &settings);
        enqueue(&test.db, &notice("k", "host", None)).await;
        delivery.run().await.unwrap();
        attempts(&test.db, 1).await;
        let server = MailServer::start_on(port).await;
        clock.set(at(1));
        all(&test.db, "delivered").await;
        assert_eq!(server.mails(1).await[0]["body"], "body k\n");
    }
}

#[tokio::test]
async fn what_can_never_be_sent_fails_at_once() {
    for test in testing::each().await {
        let server = MailServer::start().await;
        let clock = ManualClock::at(at(0));
        let tenant = tenant_with_user(&test.db, "ann>@rcpt@x").await;
        enqueue(&test.db, &notice("k", "balance", Some(tenant))).await;
        let delivery = start(&test.db, &clock, &settings(Some(&server), &[]));
        delivery.run().await.unwrap();
        let failed = all(&test.db, "failed").await.remove(0);
        assert!(failed.last_error.unwrap().contains("is no address"));
        // Without a mail server at all, too, and the remedy is named.
        enqueue(&test.db, &notice("l", "balance", Some(tenant))).await;
        let without = start(&test.db, &clock, &settings(None, &[]));
        without.run().await.unwrap();
        let failed = all(&test.db, "failed").await.remove(1);
        assert!(failed.last_error.unwrap().contains("set host in [smtp]"));
    }
}
