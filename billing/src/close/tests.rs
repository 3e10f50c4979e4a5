//! Months that close, and what is on their invoices.

use base::{
    ErrorKind,
    id::InvoiceId,
    money::{Micros, Nanos},
    reconcile::Reconciler,
    time::{Clock, Timestamp},
};

use super::{Closing, MonthReconciler, charges::PAGE_LINES, close, close_by, closings, progress};
use crate::{
    bill,
    calendar::Month,
    explain,
    invoice::{self, Content, documents},
    meter,
    prices::{
        self, Price,
        publish::{Terms, publish},
    },
    testing::{Guest, World, micros, nanos},
    usage::ResourceState::{Absent, Running},
};

fn shanghai(text: &str) -> Timestamp {
    format!("{text}:00+08:00").parse().unwrap()
}

fn month(text: &str) -> Month {
    text.parse().unwrap()
}

async fn closed(world: &World, now: Timestamp, of: &str) -> base::Result<Closing> {
    let settings = &world.settings;
    world.write(async |tx| close(tx, now, settings, world.tenant, month(of)).await).await
}

async fn content(world: &World, id: Option<InvoiceId>) -> Content {
    let id = id.unwrap();
    world.read(async |conn| documents::content(conn, id).await).await
}

async fn months(world: &World, now: Timestamp) -> Option<Timestamp> {
    world.clock.set(now);
    let (db, clock, bus) = (world.db.clone(), world.clock.shared(), world.bus.clone());
    let months = MonthReconciler::new(db, clock, bus, world.settings.clone());
    let outcome = months.run().await.unwrap();
    assert_eq!(outcome.status["failed"], serde_json::json!([]));
    outcome.wake_at
}

/// Scenario 13: 744 hours at 0.07.
#[tokio::test]
async fn scenario_13_the_invoice_is_the_sum_of_its_744_lines() {
    for world in World::each_from(shanghai("2026-10-01T00:00")).await {
        world.price_small("0.07").await;
        let guest = world.guest("web-1");
        world.seen(&guest, Running, shanghai("2026-10-01T00:00")).await;
        world.rate(shanghai("2026-11-01T00:01")).await;
        assert_eq!(world.lines().await.len(), 744);
        // Three days after the month's end, and not before.
        let due = shanghai("2026-11-04T00:00");
        assert_eq!(months(&world, due.saturating_add_ms(-1)).await, Some(due));
        assert!(world.read(async |c| closings(c, world.tenant).await).await.is_empty());
        assert_eq!(months(&world, due).await, Some(shanghai("2026-12-04T00:00")));
        let all = world.read(async |c| closings(c, world.tenant).await).await;
        assert_eq!((all.len(), all[0].month), (1, month("2026-10")));
        let content = content(&world, all[0].invoice_id).await;
        assert_eq!((content.number.as_str(), content.lines.len()), ("INV-000001", 1));
        assert_eq!(content.lines[0].net, micros("52.08"));
        assert_eq!((content.sums.total, content.sums.rounding), (micros("52.08"), Micros::ZERO));
        // November's first days are not on it.
        assert_eq!(content.lines[0].to, shanghai("2026-11-01T00:00"));
        world.assert_sound().await;
    }
}

/// What was charged for October is taken back and given at the right price day by day, beside its
/// hours: each of the three is one charge, which opens down to the first line of its own.
#[tokio::test]
async fn a_corrected_month_of_one_machine_is_three_charges() {
    let (start, end) = (shanghai("2026-10-01T00:00"), shanghai("2026-11-01T00:00"));
    for world in World::each_from(start).await {
        world.price_small("0.07").await;
        let guest = world.guest("web-1");
        world.seen(&guest, Running, start).await;
        world.rate(end.saturating_add_ms(60_000)).await;
        let terms = Terms { effective_at: Some(start), correction: Some("too dear") };
        let price = Price { meter: meter::instance(world.small), unit_price: nanos("0.05") };
        let (now, document) = (world.clock.now(), prices::meters::document(&[price]));
        world.write(async |tx| publish(tx, now, world.book, terms, &document).await).await.unwrap();
        let until = shanghai("2026-11-02T00:00");
        world.rate(until.saturating_add_ms(60_000)).await;
        let adjusted = world.scalar("SELECT COUNT(*) FROM charges WHERE kind = 'adjustment'").await;
        assert_eq!(adjusted, 2 * 31, "two of each day");
        let october = closed(&world, shanghai("2026-11-04T00:00"), "2026-10").await.unwrap();
        let content = content(&world, october.invoice_id).await;
        let expected =
            [("usage", 1, "52.08"), ("adjustment", -1, "-52.08"), ("adjustment", 1, "37.2")];
        let found: Vec<_> = content
            .lines
            .iter()
            .map(|line| (line.kind.as_str(), line.quantity, line.net))
            .collect();
        assert_eq!(found, expected.map(|(kind, quantity, net)| (kind, quantity, micros(net))));
        assert_eq!(content.sums.total, micros("37.2"));
        for line in &content.lines {
            assert_eq!((line.from, line.to), (start, end));
            assert!(!line.priced.as_ref().unwrap().effective, "{line:?}");
            let id = line.first_line.unwrap();
            let opened = world.read(async |conn| explain::explain(conn, id, 0).await).await.line;
            assert_eq!(
                (opened.kind, opened.rate, opened.price_version.to_string()),
                (line.kind.clone(), line.rate.clone(), line.price_version_id.clone())
            );
            assert_eq!((opened.from, opened.quantity), (line.from, line.quantity));
        }
        let bill =
            world.read(async |conn| bill::bill(conn, world.tenant, start, until, now).await).await;
        let found: Vec<_> = bill
            .lines
            .iter()
            .map(|line| (line.adjustment, line.from, line.to, line.amount))
            .collect();
        assert_eq!(
            found,
            [
                (false, start, end, micros("52.08")),
                (true, start, end, micros("-52.08")),
                (true, start, end, micros("37.2")),
                (false, end, until, micros("1.2")),
            ]
        );
        world.assert_sound().await;
    }
}

#[tokio::test]
async fn what_comes_in_the_grace_is_the_months_own_and_later_it_is_the_next_ones_adjustment() {
    for world in World::each_from(shanghai("2026-10-31T00:00")).await {
        world.price_small("1").await;
        let (late, later) = (world.guest("late"), world.guest("later"));
        for guest in [&late, &later] {
            world.seen(guest, Running, shanghai("2026-10-31T20:00")).await;
        }
        world.rate(shanghai("2026-11-01T12:00")).await;
        // It had been gone since 22:00; that is known before the month closes.
        let gone = world.event(&late, Absent, shanghai("2026-10-31T22:00"));
        world.record(shanghai("2026-11-02T10:00"), &gone).await.unwrap();
        world.rate(shanghai("2026-11-02T10:00")).await;
        world.rate(shanghai("2026-11-04T00:00")).await;
        months(&world, shanghai("2026-11-04T00:00")).await;
        let october = world.read(async |c| progress(c, world.tenant).await).await.last.unwrap();
        let invoice = content(&world, october.invoice_id).await;
        assert_eq!(invoice.sums.total, micros("6"), "{:?}", invoice.lines);
        assert!(invoice.lines.iter().all(|line| line.month == "2026-10"));
        // The other had gone at 23:00, which is known after.
        let gone = world.event(&later, Absent, shanghai("2026-10-31T23:00"));
        world.record(shanghai("2026-11-05T10:00"), &gone).await.unwrap();
        world.rate(shanghai("2026-11-05T10:00")).await;
        let november = closed(&world, shanghai("2026-12-01T00:05"), "2026-11").await.unwrap();
        let second = content(&world, november.invoice_id).await;
        let of = |month: &str| -> Micros {
            let lines = second.lines.iter().filter(|line| line.month == month);
            Micros(lines.map(|line| line.net.0).sum())
        };
        // An hour of October is taken back under October's name, and November's are all taken back.
        assert_eq!((of("2026-10"), of("2026-11")), (micros("-1"), Micros::ZERO));
        assert!(second.lines.iter().all(|line| line.month == "2026-11" || line.adjustment));
        assert_eq!((second.sums.total, second.number.as_str()), (micros("-1"), "INV-000002"));
        // Every line is on one invoice.
        let lines: i64 = world.lines().await.iter().map(|line| line.3.0).sum();
        assert_eq!(lines, invoice.sums.lines_net.0 + second.sums.lines_net.0);
        assert_eq!(content(&world, october.invoice_id).await, invoice);
        world.assert_sound().await;
    }
}

#[tokio::test]
async fn months_close_in_order_once_and_not_before_they_end() {
    for world in World::each_from(shanghai("2026-10-15T00:00")).await {
        let refused =
            async |now: &str, of: &str| closed(&world, shanghai(now), of).await.unwrap_err().kind;
        assert_eq!(refused("2026-10-31T23:59", "2026-10").await, ErrorKind::Conflict);
        assert_eq!(refused("2026-12-02T00:00", "2026-11").await, ErrorKind::Conflict);
        assert_eq!(refused("2026-12-02T00:00", "2026-09").await, ErrorKind::Conflict);
        let first = closed(&world, shanghai("2026-12-02T00:00"), "2026-10").await.unwrap();
        assert_eq!(first.invoice_id, None, "nothing was used");
        let again = closed(&world, shanghai("2026-12-03T00:00"), "2026-10").await.unwrap();
        assert_eq!(again, first);
        closed(&world, shanghai("2026-12-03T00:00"), "2026-11").await.unwrap();
        let all = world.read(async |c| closings(c, world.tenant).await).await;
        assert_eq!(
            all.iter().map(|c| c.month).collect::<Vec<_>>(),
            [month("2026-11"), month("2026-10")]
        );
    }
}

#[tokio::test]
async fn numbers_have_no_gaps_whoever_fails() {
    for world in World::each_from(shanghai("2026-10-01T00:00")).await {
        world.price_small("0.36").await;
        let guest = world.guest("web-1");
        world.seen(&guest, Running, shanghai("2026-10-01T00:00")).await;
        world.seen(&guest, Absent, shanghai("2026-10-01T01:00")).await;
        // One that is rolled back takes its number with it.
        let now = shanghai("2026-11-01T00:00");
        let failed = world
            .write(async |tx| {
                let closing =
                    close(tx, now, &world.settings, world.tenant, month("2026-10")).await?;
                assert!(closing.invoice_id.is_some());
                Err::<(), _>(base::Error::internal("the disk is full"))
            })
            .await;
        assert!(failed.is_err());
        let closing = closed(&world, now, "2026-10").await.unwrap();
        let invoice =
            world.read(async |c| invoice::get(c, closing.invoice_id.unwrap()).await).await;
        assert_eq!((invoice.number.as_str(), invoice.total), ("INV-000001", micros("0.36")));
        // Nor can the database be made to.
        for statement in [
            "UPDATE invoice_series SET last_number = last_number + 2",
            "DELETE FROM invoice_series",
            "UPDATE invoices SET total_micros = 0, net_micros = 0",
            "DELETE FROM invoices",
            "UPDATE documents SET body = ''",
            "DELETE FROM documents",
            "UPDATE month_closings SET closed_ms = 0",
            "DELETE FROM month_closings",
        ] {
            let done = world
                .write(async |tx| Ok(sqlx::query(statement).execute(tx).await?.rows_affected()))
                .await;
            assert!(done.is_err(), "{statement}: {done:?}");
        }
    }
}

/// However few lines are read at a time, the invoice has the same bytes: a resource of several
/// flavors and disks, tiers, corrections of its own month and of an earlier one.
#[tokio::test]
async fn pages_of_any_size_make_the_same_invoice() {
    for world in World::each_from(shanghai("2026-09-29T00:00")).await {
        let start = shanghai("2026-09-29T00:00");
        let graduated = r#"{"rates":[
            {"id":"c","component":"instance.compute","price":"0.123456789"},
            {"id":"d","component":"instance.disk","graduated":[{"up_to":50,"price":"0.01"},
                {"price":"0.007"}]}]}"#;
        for (from, more) in [(start, "c"), (shanghai("2026-10-20T07:30"), "e")] {
            let text = graduated.replace("\"c\"", &format!("\"{more}\""));
            let document = serde_json::from_str(&text).unwrap();
            let terms = Terms { effective_at: Some(from), correction: None };
            world
                .write(async |tx| publish(tx, start, world.book, terms, &document).await)
                .await
                .unwrap();
        }
        let guests = ["a", "b", "c"].map(|name| world.guest(name));
        for (guest, disk_gib) in guests.iter().zip([0, 3, 7]) {
            let guest = Guest { disk_gib, ..guest.clone() };
            world.seen(&guest, Running, shanghai("2026-09-30T10:10")).await;
        }
        world.rate(shanghai("2026-10-03T00:00")).await;
        closed(&world, shanghai("2026-10-03T00:00"), "2026-09").await.unwrap();
        // One was of another flavor since September, and one was gone for a while.
        let large = Guest { flavor: world.large, disk_gib: 3, ..guests[1].clone() };
        let late = world.event(&large, Running, shanghai("2026-09-30T22:22"));
        world.record(shanghai("2026-10-04T00:00"), &late).await.unwrap();
        world.rate(shanghai("2026-10-10T00:00")).await;
        for (state, time) in [(Absent, "2026-10-09T01:00"), (Running, "2026-10-09T05:30")] {
            let event = world.event(&guests[0], state, shanghai(time));
            world.record(shanghai("2026-10-10T00:00"), &event).await.unwrap();
        }
        let now = shanghai("2026-11-04T00:00");
        world.rate(now).await;
        let lines = world.lines().await.len();
        assert!(lines > 3_000, "{lines}");
        let mut all = Vec::new();
        for page in [1, 2, 743, lines, PAGE_LINES] {
            let mut made = Vec::new();
            let undone = world
                .write(async |tx| {
                    let (settings, month) = (&world.settings, month("2026-10"));
                    let done = close_by(tx, now, settings, world.tenant, month, page).await?;
                    let id = done.invoice_id.unwrap();
                    let content = documents::content(tx, id).await?;
                    for line in &content.lines {
                        let priced = line.priced.as_ref();
                        // Of an effective price the cost has twelve digits.
                        let cost: Nanos = priced
                            .map_or(line.net.to_string(), |p| {
                                p.cost.chars().take(p.cost.find('.').unwrap_or(20) + 10).collect()
                            })
                            .parse()
                            .unwrap();
                        let off = (cost.0 - line.net.0 * 1_000).abs();
                        assert!(off <= 1_000, "{line:?}");
                        assert_eq!(
                            priced.map(|p| p.effective),
                            priced.map(|_| line.model != "standard")
                        );
                    }
                    let json = serde_json::to_string(&content).unwrap();
                    made.push(json.replace(&id.to_string(), "ID"));
                    made.push(content.sums.lines_net.to_string());
                    Err::<(), _>(base::Error::internal("only to see"))
                })
                .await;
            assert!(undone.is_err());
            all.push((page, made));
        }
        for (page, made) in &all[1..] {
            assert_eq!(made, &all[0].1, "{page}");
        }
        // And every line that no invoice had is on it.
        let september = world.read(async |c| closings(c, world.tenant).await).await;
        let first = content(&world, september[0].invoice_id).await.sums.lines_net;
        let until = "SELECT CAST(SUM(c.net) AS BIGINT) FROM charges c JOIN rated_keys k \
            ON k.tenant_id = c.tenant_id AND k.key_no = c.key_no WHERE k.month < '2026-11'";
        let rest = Micros(world.scalar(until).await - first.0);
        assert_eq!(all[0].1[1], rest.to_string());
    }
}
