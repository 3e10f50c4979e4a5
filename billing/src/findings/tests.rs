use super::*;
use crate::testing::{World, at};

#[tokio::test]
async fn one_of_a_kind_and_subject_is_open_until_it_is_resolved() {
    for w in World::each().await {
        let seen = |detail| Seen {
            kind: "usage_parked",
            subject: "instance/i1",
            tenant: Some(w.tenant),
            severity: Severity::Error,
            detail,
        };
        w.write(async |tx| {
            let first = see(tx, at("10:00"), seen("once")).await?;
            assert_eq!(see(tx, at("11:00"), seen("twice")).await?, first);
            assert_eq!(open(tx, "usage_parked", "instance/i1").await?, Some(first));
            let [found] = list(tx, false).await?.try_into().unwrap();
            assert_eq!(
                found,
                Finding {
                    id: first,
                    kind: "usage_parked".to_owned(),
                    subject: "instance/i1".to_owned(),
                    tenant_id: Some(w.tenant),
                    severity: Severity::Error,
                    detail: "twice".to_owned(),
                    first_seen_at: at("10:00"),
                    last_seen_at: at("11:00"),
                    seen: 2,
                    resolved_at: None,
                }
            );
            assert!(resolve(tx, at("12:00"), "usage_parked", "instance/i1").await?);
            assert!(!resolve(tx, at("12:00"), "usage_parked", "instance/i1").await?);
            assert_eq!(list(tx, false).await?, []);
            let other = see(tx, at("13:00"), seen("again")).await?;
            assert_ne!(other, first);
            let all = list(tx, true).await?;
            assert_eq!((all.len(), all[0].resolved_at), (2, Some(at("12:00"))));
            Ok(())
        })
        .await
        .unwrap();
    }
}
