//! Rounding, overflow, the bill.

use base::{ErrorKind, time::Timestamp};

use crate::{
    bill, meter, rating,
    testing::{Guest, World, at, micros},
    usage::ResourceState::*,
};

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[tokio::test]
async fn scenario_13_a_month_of_744_hours_at_0_07_is_52_08() {
    let start = instant("2026-09-30T16:00:00Z");
    let end = instant("2026-10-31T16:00:00Z");
    for w in World::each_from(start).await {
        w.price_small("0.07").await;
        let guest = w.guest("web-1");
        w.seen(&guest, Running, start).await;
        let now = end.saturating_add_ms(rating::SETTLE_MS);
        w.rate(now).await;
        let lines = w.lines().await;
        assert_eq!(lines.len(), 744);
        assert_eq!(lines.iter().map(|line| line.3.0).sum::<i64>(), micros("52.080000").0);
        let bill = w
            .write(async |tx| bill::post_and_bill(tx, w.tenant, start, end, now).await)
            .await
            .unwrap();
        assert_eq!(bill.subtotal, micros("52.080000"));
        assert_eq!(bill.lines.len(), 1, "{:?}", bill.lines);
        let line = &bill.lines[0];
        assert_eq!((line.from, line.to, line.amount), (start, end, micros("52.08")));
        assert_eq!(line.what, "instance web-1, flavor small");
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn scenario_15_what_does_not_fit_is_parked_and_the_rest_is_posted() {
    let start = instant("2023-12-31T16:00:00Z");
    let hours = 8_784;
    for w in World::each_from(start).await {
        w.publish(
            start,
            &[(meter::DISK_GIB.to_owned(), "9999.999999"), (meter::instance(w.small), "0.36")],
        )
        .await;
        let guest = Guest { disk_gib: 1_000_000, ..w.guest("huge") };
        w.seen(&guest, Running, start).await;
        let end = start.saturating_add_ms(hours * 3_600_000);
        w.post(end).await;
        let parked = w.read(async |conn| rating::parked(conn, w.tenant).await).await;
        assert!(!parked.is_empty());
        assert!(parked.iter().all(|p| p.component == "instance.disk"), "{parked:?}");
        assert!(parked[0].reason.contains("beyond what the ledger can hold"), "{parked:?}");
        // The flavor's lines, twelve months of them, are all there.
        let flavor: i64 = w
            .scalar(
                "SELECT CAST(SUM(c.net) AS BIGINT) FROM charges c JOIN rated_keys k \
                 ON k.tenant_id = c.tenant_id AND k.key_no = c.key_no \
                 WHERE k.component <> 'instance.disk'",
            )
            .await;
        assert_eq!(flavor, micros("3162.24").0);
        assert!(w.scalar("SELECT MIN(net) FROM charges").await >= 0);
        w.assert_sound().await;
        // A second look posts nothing, parks nothing.
        let again = w.post(end).await;
        assert_eq!((again.lines, again.parked), (0, 0));
    }
}

/// Two charges that each fit, and together don't: one of them is to be parked by the next posting.
/// Until then the balance answers as it will be after it.
#[tokio::test]
async fn a_balance_that_overflows_is_answered_before_its_line_is_parked() {
    let start = instant("2023-12-31T16:00:00Z");
    for w in World::each_from(start).await {
        w.publish(start, &[(meter::DISK_GIB.to_owned(), "9999.999999")]).await;
        for name in ["a", "b"] {
            let guest = Guest { disk_gib: 1_000_000, ..w.guest(name) };
            w.seen(&guest, Running, start).await;
        }
        // 500 hours at 9,999,999,999.
        let now = start.saturating_add_ms(500 * 3_600_000);
        let before = w.balance(now).await;
        assert_eq!(before.balance, micros("-4999999999500"));
        let posted = w.post(now).await;
        assert_eq!((posted.amount, posted.parked), (micros("4999999999500"), 1));
        let after = w.balance(now).await;
        assert_eq!((after.balance, after.accrued), (before.balance, micros("0")));
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn the_bill_is_the_ledger_to_the_last_micro_unit() {
    for w in World::each().await {
        w.publish(
            at("00:00"),
            &[(meter::instance(w.small), "0.333333333"), (meter::DISK_GIB.to_owned(), "0.0000077")],
        )
        .await;
        let guest = Guest { disk_gib: 3, ..w.guest("web-1") };
        w.seen(&guest, Running, at("10:00:00.123")).await;
        w.rate(at("10:10")).await;
        w.seen(&guest, Stopped, at("10:20:00.456")).await;
        w.rate(at("12:34")).await;
        let now = at("12:34:56.789");
        let bill = w
            .write(async |tx| bill::post_and_bill(tx, w.tenant, at("00:00"), now, now).await)
            .await
            .unwrap();
        let ledger = w.read(async |c| bill::charged(c, w.tenant, at("00:00"), now).await).await;
        assert_eq!(bill.subtotal, ledger);
        assert_eq!(bill.subtotal.0, bill.lines.iter().map(|line| line.amount.0).sum::<i64>());
        assert_eq!(bill.accrued, micros("0"));
        assert_eq!(bill.subtotal.0, -w.balance(now).await.balance.0);
        let whats: Vec<_> = bill.lines.iter().map(|line| line.what.as_str()).collect();
        assert_eq!(whats, ["disk of web-1, 3 GiB", "instance web-1, flavor small"]);
        assert_eq!((bill.lines[0].from, bill.lines[0].to), (at("10:00:00.123"), now));
        assert_eq!(bill.lines[1].to, at("10:20:00.456"));
        let empty = w.read(async |c| bill::charged(c, w.tenant, now, at("23:00")).await).await;
        assert_eq!(empty, micros("0"));
        let backwards = w
            .write(async |tx| bill::bill(tx, w.tenant, now, at("00:00"), now).await)
            .await
            .unwrap_err();
        assert_eq!(backwards.kind, ErrorKind::Invalid);
    }
}

#[tokio::test]
async fn scenario_30_a_formula_for_a_name_stays_text_in_the_csv() {
    for w in World::each().await {
        w.price_small("0.36").await;
        for name in ["=HYPERLINK(\"x\")", "a,b\"c\r\nd"] {
            let guest = w.guest(name);
            w.seen(&guest, Running, at("10:00")).await;
            w.seen(&guest, Absent, at("10:25")).await;
        }
        let bill = w
            .write(async |tx| {
                bill::post_and_bill(tx, w.tenant, at("00:00"), at("12:00"), at("12:00")).await
            })
            .await
            .unwrap();
        let text = bill::csv(&bill).unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
        assert_eq!(rows.len(), 3);
        for row in &rows {
            for cell in row {
                assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
            }
        }
        assert!(rows.iter().any(|row| &row[1] == "'=HYPERLINK(\"x\")"));
        assert!(rows.iter().any(|row| &row[1] == "a,b\"c\r\nd"));
        let sum: i64 = rows[..2].iter().map(|row| micros(&row[9]).0).sum();
        assert_eq!((sum, micros(&rows[2][9]).0), (bill.subtotal.0, bill.subtotal.0));
        assert!(text.contains("\r\n"));
    }
}

#[tokio::test]
async fn what_is_posted_published_or_recorded_can_not_be_changed() {
    for mut w in World::each().await {
        w.price_small("0.36").await;
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("10:00")).await;
        w.topup(at("10:00"), "10").await;
        w.rate(at("11:05")).await;
        // Nine left at 0.36 an hour last 25 hours; a warning a week ahead is due.
        w.settings.warnings_ms = vec![7 * 86_400_000];
        w.stand(at("11:05")).await;
        assert_eq!(w.scalar("SELECT COUNT(*) FROM standing_log").await, 1);
        let mut conn = w.db.read().await.unwrap();
        for change in [
            "UPDATE journal SET memo = 'x'",
            "DELETE FROM journal",
            "UPDATE journal_entries SET amount_micros = 1",
            "DELETE FROM journal_entries",
            "UPDATE recharges SET amount_micros = 1",
            "DELETE FROM recharges",
            "UPDATE charges SET net = 1",
            "DELETE FROM charges",
            "UPDATE rated_keys SET rate = ''",
            "DELETE FROM rated_keys",
            "UPDATE usage_facts SET at_ms = 1",
            "DELETE FROM usage_facts",
            "UPDATE price_rates SET document = '{}'",
            "DELETE FROM price_rates",
            "UPDATE price_documents SET tax_ppm = 1",
            "DELETE FROM price_documents",
            "UPDATE price_versions SET effective_ms = 1",
            "DELETE FROM price_versions",
            "UPDATE price_assignments SET effective_ms = 1",
            "DELETE FROM price_assignments",
            "UPDATE standing_log SET at_ms = 1",
            "DELETE FROM standing_log",
            "INSERT INTO price_rates SELECT id, 99, 'late', '{}' FROM price_versions",
        ] {
            let error = sqlx::query(change).execute(&mut *conn).await.unwrap_err().to_string();
            assert!(error.contains("append-only") || error.contains("published"), "{error}");
        }
    }
}
