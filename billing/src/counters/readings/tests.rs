use super::*;
use crate::testing::{Guest, World, at};
use crate::{accounts, usage::ResourceState};

impl World {
    async fn read_counter(&self, guest: &Guest, readings: &[Reading]) -> Result<Taken> {
        let series = Series {
            resource: Resource { kind: "instance".to_owned(), id: guest.id.clone() },
            component: "net_tx".to_owned(),
            port: "p0".to_owned(),
            has_epochs: true,
        };
        let now = at("23:00");
        self.write(async |tx| read(tx, now, &series, readings).await).await
    }

    async fn counted(&self, tenant: TenantId) -> Vec<(i64, i64, i64)> {
        let from = Timestamp::from_ms(0);
        let all = self.read(async |conn| of_tenant(conn, tenant, from).await).await;
        all.into_iter().map(|c| (c.from_ms, c.to_ms, c.quantity)).collect()
    }
}

fn reading(time: &str, epoch: &str, value: i64) -> Reading {
    Reading { at_ms: at(time).ms(), epoch: epoch.to_owned(), value }
}

#[tokio::test]
async fn readings_in_any_order_and_twice_count_the_same() {
    for w in World::each().await {
        let guest = w.guest("web-1");
        w.seen(&guest, ResourceState::Running, at("09:00")).await;
        let all = [
            reading("10:00", "1", 1_000),
            reading("10:10", "1", 1_500),
            reading("10:20", "2", 200),
            reading("10:30", "2", 700),
        ];
        for part in [&all[2..3], &all[3..], &all[..1], &all[..]] {
            w.read_counter(&guest, part).await.unwrap();
        }
        let span = |from: &str, to: &str, quantity| (at(from).ms(), at(to).ms(), quantity);
        assert_eq!(
            w.counted(w.tenant).await,
            [span("10:00", "10:10", 500), span("10:10", "10:20", 200), span("10:20", "10:30", 500)]
        );
        let again = w.read_counter(&guest, &[reading("10:10", "1", 1_501)]).await.unwrap();
        assert_eq!(again, Taken { new: 0, conflicts: 1 });
        w.read_counter(&guest, &[reading("10:40", "2", 600)]).await.unwrap();
        let kinds: Vec<String> = w.findings().await.into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, ["counter_conflict", "counter_drop"]);
        for wrong in [
            reading("10:50", "", 1),
            reading("10:50", "2", -1),
            Reading { at_ms: at("23:06").ms(), ..reading("10:50", "2", 900) },
        ] {
            let error = w.read_counter(&guest, &[wrong]).await.unwrap_err();
            assert_eq!(error.kind, base::ErrorKind::Invalid);
        }
        let unknown = w.read_counter(&w.guest("none"), &all[..1]).await.unwrap_err();
        assert_eq!(unknown.kind, base::ErrorKind::NotFound);
        assert_eq!(w.counted(w.tenant).await.iter().map(|c| c.2).sum::<i64>(), 1_200);
    }
}

#[tokio::test]
async fn what_is_counted_over_a_months_end_or_a_move_is_each_ones_share() {
    let start = at("00:00").saturating_add_ms(-40 * 86_400_000);
    for w in World::each_from(start).await {
        let other = w
            .write(async |tx| {
                let other = identity::tenants::create(tx, start, "beta").await?.id;
                let settings = crate::Settings { timezone: "UTC".to_owned(), ..w.settings.clone() };
                accounts::open_account(tx, start, &settings, other, "CNY", Some(w.book)).await?;
                Ok(other)
            })
            .await
            .unwrap();
        let guest = w.guest("web-1");
        let instant = |text: &str| text.parse::<Timestamp>().unwrap();
        let first = instant("2026-09-30T22:00:00+08:00");
        w.seen(&guest, ResourceState::Running, first).await;
        let one =
            |at: &str, value| Reading { at_ms: instant(at).ms(), epoch: "1".to_owned(), value };
        // Three hours over the month's end in Shanghai, at a third of them.
        let over = [one("2026-09-30T22:00:00+08:00", 0), one("2026-10-01T01:00:00+08:00", 10)];
        w.read_counter(&guest, &over).await.unwrap();
        let ends = instant("2026-10-01T00:00:00+08:00").ms();
        let counted = w.counted(w.tenant).await;
        assert_eq!(
            counted.iter().map(|c| (c.1, c.2)).collect::<Vec<_>>(),
            [(ends, 6), (over[1].at_ms, 4)]
        );
        // Moved at half of the next hours; its new owner's month ends later, at eight.
        let moved = Guest { tenant: other, ..guest.clone() };
        w.seen(&moved, ResourceState::Running, instant("2026-10-01T02:00:00+08:00")).await;
        w.read_counter(&guest, &[one("2026-10-01T03:00:00+08:00", 21)]).await.unwrap();
        assert_eq!(w.counted(w.tenant).await.iter().map(|c| c.2).collect::<Vec<_>>(), [6, 4, 5]);
        assert_eq!(w.counted(other).await.iter().map(|c| c.2).collect::<Vec<_>>(), [6]);
    }
}
