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
        assert_eq!(again, Taken { conflicts: 1, ..Taken::default() });
        w.read_counter(&guest, &[reading("10:40", "2", 600)]).await.unwrap();
        let kinds: Vec<String> = w.findings().await.into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, ["counter_conflict", "counter_drop"]);
        let unknown = w.read_counter(&w.guest("none"), &all[..1]).await.unwrap_err();
        assert_eq!(unknown.kind, base::ErrorKind::NotFound);
        assert_eq!(w.counted(w.tenant).await.iter().map(|c| c.2).sum::<i64>(), 1_200);
    }
}

#[tokio::test]
async fn one_that_can_not_be_right_is_refused_alone() {
    for w in World::each().await {
        let guest = w.guest("web-1");
        w.seen(&guest, ResourceState::Running, at("09:00")).await;
        let all = [
            reading("10:00", "1", 100),
            reading("10:10", "", 200),
            reading("10:20", "1", -1),
            Reading { at_ms: -1, ..reading("10:30", "1", 300) },
            reading("10:40", &"1".repeat(NAME_MAX_BYTES + 1), 400),
            reading("10:50", "1\0", 450),
            reading("11:00", "1", 500),
        ];
        let taken = w.read_counter(&guest, &all).await.unwrap();
        assert_eq!((taken.new, taken.conflicts, taken.refused.len()), (2, 0, 5));
        let counted = [(at("10:00").ms(), at("11:00").ms(), 400)];
        assert_eq!(w.counted(w.tenant).await, counted);
        let subject = format!("instance/{}/net_tx/p0", guest.id);
        assert_eq!(w.findings().await, [("counter_refused".to_owned(), subject)]);
        // Without epochs it can't be known whether one that is ahead was told before.
        let series = Series {
            resource: Resource { kind: "instance".to_owned(), id: guest.id.clone() },
            component: "net_rx".to_owned(),
            port: "p0".to_owned(),
            has_epochs: false,
        };
        let ahead = [reading("10:00", "", 1), reading("23:06", "", 2)];
        let taken = w.write(async |tx| read(tx, at("23:00"), &series, &ahead).await).await;
        assert_eq!(taken.unwrap().refused, ["a reading lies in the future"]);
    }
}

/// Its host's clock is an hour ahead while its first life begins, and is then set right.
#[tokio::test]
async fn what_is_dated_ahead_counts_as_of_when_it_came() {
    for w in World::each().await {
        let guest = w.guest("web-1");
        w.seen(&guest, ResourceState::Running, at("09:00")).await;
        let series = Series {
            resource: Resource { kind: "instance".to_owned(), id: guest.id.clone() },
            component: "net_tx".to_owned(),
            port: "p0".to_owned(),
            has_epochs: true,
        };
        let told = async |now: &str, readings: &[Reading]| {
            let taken = w.write(async |tx| read(tx, at(now), &series, readings).await).await;
            taken.unwrap().new
        };
        let first = [reading("11:00", "1", 0), reading("11:05", "1", 100)];
        assert_eq!(told("10:05", &first).await, 2);
        // The acknowledgement was lost.
        assert_eq!(told("10:06", &first).await, 1);
        assert_eq!(told("10:10", &[reading("11:10", "1", 150)]).await, 1);
        assert_eq!(told("10:20", &[reading("10:20", "1", 400)]).await, 1);
        let instant = |time: &str| at(time).ms();
        assert_eq!(
            w.counted(w.tenant).await,
            [
                (instant("10:05") - 1, instant("10:05"), 100),
                (instant("10:05"), instant("10:06"), 0),
                (instant("10:06"), instant("10:10"), 50),
                (instant("10:10"), instant("10:20"), 250),
            ]
        );
        let subject = format!("instance/{}/net_tx/p0", guest.id);
        assert_eq!(w.findings().await, [("counter_ahead".to_owned(), subject)]);
        w.assert_rebuilt().await;
        w.assert_sound().await;
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
