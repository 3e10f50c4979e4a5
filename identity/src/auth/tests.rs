use base::{
    db::testing,
    id::{AuditId, HostId},
    time::{Clock, ManualClock, Timestamp},
};

use super::*;
use crate::{Access, audit, idempotency, tenants};

const PASSWORD: &str = "correct horse battery";

fn clock() -> ManualClock {
    ManualClock::at(Timestamp::from_ms(1_800_000_000_000))
}

#[tokio::test]
async fn the_first_operator_sets_a_password_by_a_link_that_works_once() {
    for test in testing::each().await {
        let clock = clock();
        let identity = Identity::new(test.db.clone(), clock.shared());
        let first = identity.first_start().await.unwrap().unwrap();
        let link = identity.first_start().await.unwrap().expect("still no password: a new link");
        assert!(
            identity.redeem_setup_link(&first, PASSWORD).await.is_err(),
            "the older link ended"
        );
        assert_eq!(
            identity.redeem_setup_link(&link, "short").await.unwrap_err().field.as_deref(),
            Some("password")
        );
        let (session, actor) = identity.redeem_setup_link(&link, PASSWORD).await.unwrap();
        assert!(actor.is_operator());
        assert_eq!(identity.authenticate_session(&session).await.unwrap(), actor);
        assert!(identity.redeem_setup_link(&link, PASSWORD).await.is_err());
        assert_eq!(identity.first_start().await.unwrap(), None);

        identity.login("ADMIN", PASSWORD).await.expect("logins don't mind case");
        for (login, password) in [("admin", "wrong"), ("nobody", PASSWORD), ("admin", "")] {
            let error = identity.login(login, password).await.unwrap_err();
            assert_eq!(error.to_string(), "login or password is wrong");
        }
        identity.logout(&session).await.unwrap();
        assert!(identity.authenticate_session(&session).await.is_err());
    }
}

#[tokio::test]
async fn links_and_sessions_end_by_the_clock() {
    for test in testing::each().await {
        let clock = clock();
        let identity = Identity::new(test.db.clone(), clock.shared());
        let link = identity.first_start().await.unwrap().unwrap();
        clock.advance(SETUP_LINK_LIFETIME);
        assert!(identity.redeem_setup_link(&link, PASSWORD).await.is_err());
        let link = identity.first_start().await.unwrap().unwrap();
        let (session, _) = identity.redeem_setup_link(&link, PASSWORD).await.unwrap();
        clock.advance(SESSION_LIFETIME);
        assert!(identity.authenticate_session(&session).await.is_err());
    }
}

#[tokio::test]
async fn tokens_carry_their_access_and_can_be_revoked() {
    for test in testing::each().await {
        let clock = clock();
        let identity = Identity::new(test.db.clone(), clock.shared());
        let mut tx = test.db.begin_write().await.unwrap();
        let tenant = tenants::create(&mut tx, clock.now(), "acme").await.unwrap();
        let other = tenants::create(&mut tx, clock.now(), "other").await.unwrap();
        let host = HostId::new();
        let mut made = vec![];
        for access in [Access::Operator, Access::Member(tenant.id), Access::Agent(host)] {
            let (token, plain) = tokens::create(&mut tx, clock.now(), "t", access).await.unwrap();
            made.push((token, plain, access));
        }
        tx.commit().await.unwrap();
        for (_, plain, access) in &made {
            assert_eq!(identity.authenticate_token(plain).await.unwrap().access, *access);
        }
        let stranger = Actor { access: Access::Member(other.id), ..Actor::system("x") };
        let mut tx = test.db.begin_write().await.unwrap();
        let refused = identity.revoke_token(&mut tx, &stranger, made[1].0.id).await;
        assert_eq!(refused.unwrap_err().kind, ErrorKind::NotFound);
        let owner = Actor { access: Access::Member(tenant.id), ..Actor::system("x") };
        identity.revoke_token(&mut tx, &owner, made[1].0.id).await.unwrap();
        identity.revoke_tokens_of_host(&mut tx, host).await.unwrap();
        tx.commit().await.unwrap();
        // At once, though the clock stands still and all three were known a moment ago.
        assert!(identity.authenticate_token(&made[1].1).await.is_err());
        assert!(identity.authenticate_token(&made[2].1).await.is_err());
        identity.authenticate_token(&made[0].1).await.expect("it was not revoked");
        assert!(identity.authenticate_token("ohk_nonsense").await.is_err());
    }
}

#[tokio::test]
async fn a_token_ends_by_its_clock_and_soon_where_another_process_revoked_it() {
    for test in testing::each().await {
        let clock = clock();
        let (here, elsewhere) = (
            Identity::new(test.db.clone(), clock.shared()),
            Identity::new(test.db.clone(), clock.shared()),
        );
        let mut tx = test.db.begin_write().await.unwrap();
        let made = tokens::create(&mut tx, clock.now(), "t", Access::Operator).await.unwrap();
        let (ending, plain) =
            tokens::create(&mut tx, clock.now(), "e", Access::Operator).await.unwrap();
        let soon = clock.now() + tokens::memory::HOLDS / 2;
        sqlx::query("UPDATE api_tokens SET expires_ms = $1 WHERE id = $2")
            .bind(soon.ms())
            .bind(ending.id.to_string())
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        here.authenticate_token(&made.1).await.unwrap();
        here.authenticate_token(&plain).await.unwrap();
        let mut tx = test.db.begin_write().await.unwrap();
        elsewhere.revoke_token(&mut tx, &Actor::system("x"), made.0.id).await.unwrap();
        tx.commit().await.unwrap();
        clock.advance(tokens::memory::HOLDS / 2);
        assert!(here.authenticate_token(&plain).await.is_err(), "it has ended");
        here.authenticate_token(&made.1).await.expect("nothing is asked yet");
        clock.advance(tokens::memory::HOLDS / 2);
        assert!(here.authenticate_token(&made.1).await.is_err());
        assert!(elsewhere.authenticate_token(&made.1).await.is_err());
    }
}

#[tokio::test]
async fn a_repeated_key_replays_its_answer_and_another_request_is_a_conflict() {
    for test in testing::each().await {
        let actor = Actor::system("test");
        let now = clock().now();
        let mut tx = test.db.begin_write().await.unwrap();
        let begun = idempotency::begin(&mut tx, now, &actor, "k", b"POST /x {}").await.unwrap();
        assert_eq!(begun, idempotency::Begun::Fresh);
        idempotency::finish(&mut tx, &actor, "k", 201, "{\"id\":1}").await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = test.db.begin_write().await.unwrap();
        let again = idempotency::begin(&mut tx, now, &actor, "k", b"POST /x {}").await.unwrap();
        assert_eq!(again, idempotency::Begun::Replay { status: 201, body: "{\"id\":1}".into() });
        let other = idempotency::begin(&mut tx, now, &actor, "k", b"POST /x {1}").await;
        assert_eq!(other.unwrap_err().kind, ErrorKind::Conflict);
        let someone = Actor::system("someone else");
        let fresh = idempotency::begin(&mut tx, now, &someone, "k", b"POST /y").await.unwrap();
        assert_eq!(fresh, idempotency::Begun::Fresh);
        tx.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn names_are_checked_and_the_audit_trail_is_read_newest_first() {
    for test in testing::each().await {
        let now = clock().now();
        let mut tx = test.db.begin_write().await.unwrap();
        tenants::create(&mut tx, now, " acme ").await.unwrap();
        assert_eq!(
            tenants::create(&mut tx, now, "acme").await.unwrap_err().kind,
            ErrorKind::Conflict
        );
        for bad in ["", "  ", "a\nb", &"x".repeat(65)] {
            let error = tenants::create(&mut tx, now, bad).await.unwrap_err();
            assert_eq!(error.field.as_deref(), Some("name"), "{bad:?}");
        }
        for n in 0..3 {
            let act = audit::Act {
                action: "test",
                target_kind: "thing",
                target_id: n.to_string(),
                tenant_id: None,
                detail: serde_json::json!({"n": n}),
            };
            audit::record(&mut tx, now, &Actor::system("test"), act).await.unwrap();
        }
        let page = audit::list(&mut tx, None, 2).await.unwrap();
        let ids: Vec<_> = page.iter().map(|e| e.target_id.as_str()).collect();
        assert_eq!(ids, ["2", "1"]);
        let rest = audit::list(&mut tx, Some(page[1].id), 2).await.unwrap();
        assert_eq!(rest.len(), 1);
        assert!(audit::list(&mut tx, Some(AuditId::new()), 10).await.unwrap().len() == 3);
        tx.commit().await.unwrap();
    }
}
