use base::time::Clock;

use super::*;
use crate::{
    counters::{self, Reading},
    testing::{Guest, World, at},
    usage::ResourceState::Running,
};

fn series(guest: &Guest, component: &str) -> Series {
    Series {
        resource: Resource { kind: "instance".to_owned(), id: guest.id.clone() },
        component: component.to_owned(),
        port: "p0".to_owned(),
        has_epochs: true,
    }
}

fn reading(time: &str, epoch: &str, value: i64) -> Reading {
    Reading { at_ms: at(time).ms(), epoch: epoch.to_owned(), value }
}

impl World {
    /// A guest that was read over two lives; of one instant there are readings of both.
    async fn with_counters(&self) -> Guest {
        let guest = self.guest("web-1");
        self.seen(&guest, Running, at("09:00")).await;
        let all = [
            reading("10:00", "1", 100),
            reading("10:10", "1", 400),
            reading("10:20", "1", 450),
            reading("10:20", "2", 20),
            reading("10:30", "2", 10),
            reading("16:00", "2", 90),
        ];
        for component in ["net_rx", "net_tx"] {
            let series = series(&guest, component);
            self.write(async |tx| counters::read(tx, at("23:00"), &series, &all).await)
                .await
                .unwrap();
        }
        guest
    }

    async fn proved(&self, mode: Mode) -> Rebuilt {
        rebuild(&self.db, self.clock.now(), mode).await.unwrap()
    }

    async fn break_by(&self, sql: &'static str) {
        self.write(async |tx| Ok(sqlx::query(sql).execute(tx).await?)).await.unwrap();
    }
}

#[tokio::test]
async fn deltas_are_proved_page_by_page() {
    for w in World::each().await {
        w.with_counters().await;
        for readings in [1, 2, 3, 5, 6, 100] {
            let done = by_pages(&w.db, w.clock.now(), Mode::Check, readings).await.unwrap();
            assert_eq!(done.differences, [], "{readings} a page");
            assert_eq!((done.series, done.readings, done.deltas), (2, 12, 8));
        }
    }
}

#[tokio::test]
async fn a_delta_that_was_broken_by_hand_is_found_and_mended() {
    let broken = [
        "UPDATE usage_deltas SET quantity = quantity + 1 WHERE quantity = 300",
        "UPDATE usage_deltas SET quality = 'observed' WHERE quality = 'estimated'",
        "UPDATE usage_deltas SET tenant_id = (SELECT id FROM tenants WHERE name = 'beta') WHERE quantity = 300",
        "DELETE FROM usage_deltas WHERE quantity = 300",
        "INSERT INTO usage_deltas SELECT id, 1, 2, (SELECT id FROM tenants WHERE name = 'acme'), \
         5, 'observed', 1000000 FROM counter_series",
        "DELETE FROM usage_deltas",
    ];
    for w in World::each().await {
        let now = w.clock.now();
        // Whom nothing was counted for.
        w.write(async |tx| {
            let other = identity::tenants::create(tx, now, "beta").await?.id;
            crate::accounts::open_account(tx, now, &w.settings, other, "CNY", None).await
        })
        .await
        .unwrap();
        let guest = w.with_counters().await;
        for sql in broken {
            w.break_by(sql).await;
            let found = w.proved(Mode::Check).await;
            assert_eq!(found.differing, 2, "{sql}");
            assert_eq!(w.proved(Mode::Check).await, found, "a check changes nothing: {sql}");
            assert_eq!(w.proved(Mode::Write).await.differences, found.differences, "{sql}");
            let after = w.proved(Mode::Check).await;
            assert_eq!((after.differing, after.deltas), (0, 8), "{sql}");
        }
        w.break_by("UPDATE usage_deltas SET quantity = 301 WHERE quantity = 300").await;
        let found = w.proved(Mode::Check).await;
        let (is, should) = (
            format!("301 of tenant {} from {} to {}", w.tenant, at("10:00"), at("10:10")),
            format!("300 of tenant {} from {} to {}", w.tenant, at("10:00"), at("10:10")),
        );
        let said = found.differences.iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut wanted: Vec<String> = ["net_rx", "net_tx"]
            .iter()
            .map(|component| {
                format!(
                    "instance/{}/{component}/p0: it is {is} (observed, 1000000 ppm), but by its \
                     readings {should} (observed, 1000000 ppm)",
                    guest.id
                )
            })
            .collect();
        if said.first().is_some_and(|said| said.contains("net_tx")) {
            wanted.reverse();
        }
        assert_eq!(said, wanted);
    }
}
