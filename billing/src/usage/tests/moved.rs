//! A database from before facts, filled as the old program filled it: what it counted is counted
//! still, and follows from the facts.

use base::{
    db::{Db, dump, testing::each_empty},
    time::Timestamp,
};
use serde_json::{Value, json};

use crate::usage::{
    Resource,
    rebuild::{Mode, rebuild},
    spans,
};

/// The migrations of the last program that wrote events.
const MIGRATIONS: [i64; 9] = [1, 2, 3, 4, 5, 6, 1001, 1002, 2007];

/// As told, as counted, as recorded; None: put aside.
type Event = (&'static str, i64, Option<(i64, i64)>, i64, i64);

const EVENTS: [Event; 9] = [
    ("stopped", 1_000, Some((1, 1_000)), 1_000, 5),
    ("running", 1_000, Some((2, 1_000)), 1_100, 5),
    ("running", 900_000, None, 1_200, 5),
    ("paused", 3_000, Some((3, 3_000)), 3_000, 5),
    // The host's clock went back: it counts from its predecessor's instant.
    ("running", 2_500, Some((4, 3_000)), 3_100, 5),
    ("running", 4_000, Some((5, 4_000)), 4_000, 5),
    ("running", 5_000, Some((6, 5_000)), 5_000, 7),
    ("absent", 6_000, Some((7, 6_000)), 6_000, 7),
    ("running", 7_000, Some((8, 7_000)), 7_000, 7),
];

fn dumped() -> String {
    let header = json!({"format": "opshawk-rows", "version": 1, "migrations": MIGRATIONS});
    let mut lines: Vec<Value> = vec![header];
    for (n, (state, at, counted, recorded, disk_gib)) in EVENTS.iter().enumerate() {
        let mut row = json!({
            "id": format!("e{n}"), "source_id": format!("s{n}"), "tenant_id": "t1",
            "resource_kind": "instance", "resource_id": "i1", "resource_name": "web-1",
            "state": state, "flavor_id": "f1", "disk_gib": disk_gib, "at_ms": at,
            "effective_ms": counted.map_or(*at, |(_, effective)| effective),
            "recorded_ms": recorded,
        });
        if let Some((sequence, _)) = counted {
            row["sequence"] = json!(sequence);
        }
        lines.push(json!({"table": "usage_events", "row": row}));
    }
    let stream = json!({
        "resource_kind": "instance", "resource_id": "i1", "sequence": 8, "effective_ms": 7_000,
        "tenant_id": "t1",
    });
    lines.push(json!({"table": "usage_streams", "row": stream}));
    lines.push(json!({"end": true, "rows": lines.len() - 1}));
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[tokio::test]
async fn what_was_recorded_before_is_projected_alike() {
    for place in each_empty().await {
        dump::restore(&place.url, &mut dumped().as_bytes()).await.unwrap();
        let db = Db::open(&place.url).await.unwrap();
        let rebuilt = rebuild(&db, Timestamp::from_ms(8_000), Mode::Check).await.unwrap();
        assert_eq!((rebuilt.resources, rebuilt.facts, rebuilt.spans), (1, 8, 4));
        assert_eq!(rebuilt.differences, []);
        let mut conn = db.read().await.unwrap();
        let resource = Resource { kind: "instance".to_owned(), id: "i1".to_owned() };
        let spans = spans::of_resource(&mut conn, &resource).await.unwrap();
        let spans: Vec<_> = spans
            .iter()
            .map(|s| (s.from_ms, s.to_ms, s.state.as_str(), s.attributes.as_str()))
            .collect();
        let (small, large) = (r#"{"disk_gib":5,"flavor":"f1"}"#, r#"{"disk_gib":7,"flavor":"f1"}"#);
        assert_eq!(
            spans,
            [
                (1_000, 3_000, "running", small),
                (3_000, 5_000, "running", small),
                (5_000, 6_000, "running", large),
                (7_000, i64::MAX, "running", large),
            ]
        );
        let aside: i64 =
            sqlx::query_scalar("SELECT sequence FROM usage_facts WHERE quarantined = 1")
                .fetch_one(&mut *conn)
                .await
                .unwrap();
        assert_eq!(aside, 3);
        drop(conn);
        db.close().await;
    }
}
