//! Each invariant, broken by hand: what the triggers let pass, verify finds.

use base::{db::Backend, id::LedgerTransactionId};

use super::*;
use crate::{
    ledger::{self, Bonus, Refund},
    meter,
    testing::{Guest, World, at, micros},
    usage::ResourceState::*,
};

/// A tenant with a recharge, a bonus and a charge.
async fn used(w: &World) -> LedgerTransactionId {
    w.publish(at("00:00"), &[(meter::DISK_GIB.to_owned(), "0.5")]).await;
    let payment = w.payment("10", "p1");
    let id = w.write(async |tx| ledger::recharge(tx, at("09:00"), &payment).await).await.unwrap();
    let bonus = Bonus {
        tenant: w.tenant,
        amount: micros("0.3"),
        expires: None,
        key: "welcome",
        memo: "",
        actor: "system:test",
    };
    w.write(async |tx| ledger::bonus(tx, at("09:00"), &bonus).await).await.unwrap();
    let guest = Guest { disk_gib: 1, ..w.guest("web-1") };
    w.seen(&guest, Running, at("10:00")).await;
    w.post(at("12:00")).await;
    id.id()
}

async fn broken(w: &World, sql: &str) -> Vec<&'static str> {
    let mut tx = w.db.begin_write().await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut *tx).await.unwrap();
    // In the transaction, which is rolled back, so that each fault stands alone.
    let mut looked = of_tenant(&mut tx, w.tenant).await.unwrap();
    of_nobody(&mut tx, &mut looked).await.unwrap();
    let mut found: Vec<_> = looked.findings.iter().map(|f| f.invariant).collect();
    found.dedup();
    found
}

#[tokio::test]
async fn sound_books_have_no_finding() {
    for w in World::each().await {
        let empty = verify(&w.db).await.unwrap();
        assert_eq!((empty.tenants, empty.transactions, empty.found), (1, 0, 0));
        used(&w).await;
        let verified = verify(&w.db).await.unwrap();
        let counts = (verified.tenants, verified.transactions, verified.entries);
        // Payments and cash; promotions and bonus; bonus, cash and revenue.
        assert_eq!((counts, verified.found), ((1, 3, 7), 0), "{:?}", verified.findings);
    }
}

#[tokio::test]
async fn each_broken_invariant_is_found() {
    for w in World::each().await {
        let recharge = used(&w).await;
        let t = w.tenant;
        let entry = |id: &str, account: &str, direction: &str, sequence: i64, balance: i64| {
            format!(
                "('{id}', {sequence}, '{t}', '{account}', '{direction}', 5, {sequence}, {balance})"
            )
        };
        let entries =
            |rows: &[String]| format!("INSERT INTO journal_entries VALUES {}", rows.join(", "));
        let journal = |id: &str, number: i64, kind: &str| {
            format!(
                "INSERT INTO journal VALUES ('{id}', '{t}', {number}, '{id}', '', '{kind}', 'CNY', \
                 0, '', '', 'r', '', '', 0)"
            )
        };
        let cash = 10_000_000 - 700_000;
        for (sql, expected) in [
            (entries(&[entry("x", "cash", "credit", 3, cash + 5)]), vec!["known_transaction"]),
            (
                entries(&[entry("x", "cash", "credit", 4, cash + 5)]),
                vec!["sequence", "known_transaction"],
            ),
            (
                entries(&[entry("x", "cash", "credit", 3, cash + 6)]),
                vec!["running_balance", "known_transaction"],
            ),
            (
                entries(&[entry("x", "receivable", "debit", 1, -5)]),
                vec!["known_transaction", "no_debt_beside_money"],
            ),
            (
                entries(&[entry("x", "holds", "debit", 1, -5)]),
                vec!["pockets", "known_transaction", "holds"],
            ),
            (entries(&[entry("x", "bonus", "credit", 3, 5)]), vec!["known_transaction", "bonuses"]),
            (journal("x", 5, "correction"), vec!["number"]),
            (journal("x", 4, "recharge"), vec!["recharges"]),
            (journal("x", 4, "voucher"), vec!["vouchers"]),
            (
                "INSERT INTO charges SELECT tenant_id, charge_no, 99, key_no, at_ms, from_ms, \
                 to_ms, opened, kind, quality, coverage_ppm, quantity, measure_before, measure, \
                 net_before, net, tax_before, tax FROM charges"
                    .to_owned(),
                vec!["charge_is_lines", "totals_are_lines"],
            ),
            (
                "INSERT INTO charges SELECT tenant_id, 77, position, key_no, at_ms, from_ms, \
                 to_ms, opened, kind, quality, coverage_ppm, quantity, measure_before, measure, \
                 net_before, net, tax_before, tax FROM charges"
                    .to_owned(),
                vec!["charge_is_lines", "totals_are_lines"],
            ),
            ("UPDATE rated_sums SET net = net + 1".to_owned(), vec!["totals_are_lines"]),
            (
                "UPDATE rated_sums SET net = net - 1, tax = tax + 1".to_owned(),
                vec!["totals_are_lines"],
            ),
            (
                format!("INSERT INTO holds VALUES ('{recharge}', '{t}', 7, 0, 'p', 9, 9)"),
                vec!["holds"],
            ),
            (
                format!("INSERT INTO refunds VALUES ('{recharge}', '{t}', '{recharge}', 3)"),
                vec!["recharges"],
            ),
            (journal("x", 4, "credit_note"), vec!["invoices"]),
            (
                format!(
                    "INSERT INTO invoices VALUES ('i', 'I', 1, '{t}', '2026-10', 'CNY', 0, 0, 0, \
                     7, 0)"
                ),
                vec!["invoices"],
            ),
            (
                format!("INSERT INTO bonuses VALUES ('{recharge}', '{t}', '', 3, 0)"),
                vec!["bonuses"],
            ),
        ] {
            assert_eq!(broken(&w, &sql).await, expected, "{sql}");
        }
        assert_eq!(verify(&w.db).await.unwrap().found, 0);
    }
}

/// What triggers refuse is found where they were not there.
#[tokio::test]
async fn what_was_changed_behind_the_triggers_is_found() {
    for w in World::each().await {
        let recharge = used(&w).await;
        for amount in ["1", "2"] {
            let (key, actor, amount) = (amount, "system:test", micros(amount));
            let refund = Refund { recharge, amount, reason: "asked for", key, actor };
            w.write(async |tx| ledger::refund(tx, at("13:00"), &refund).await).await.unwrap();
        }
        for (trigger, table, sql, expected) in [
            (
                "refunds",
                "refunds",
                "UPDATE refunds SET amount_micros = 3000000 - amount_micros",
                vec!["recharges"],
            ),
            (
                "journal_entries",
                "journal_entries",
                "UPDATE journal_entries SET amount_micros = amount_micros + 1 \
                 WHERE account = 'revenue'",
                vec!["running_balance", "balanced", "charge_is_lines"],
            ),
            (
                "recharges",
                "recharges",
                "UPDATE recharges SET amount_micros = amount_micros + 1",
                vec!["recharges"],
            ),
        ] {
            let mut tx = w.db.begin_write().await.unwrap();
            let drop = match w.db.backend() {
                Backend::Sqlite => format!("DROP TRIGGER {trigger}_no_update"),
                Backend::Postgres => format!("DROP TRIGGER {trigger}_append_only ON {table}"),
            };
            sqlx::query(sqlx::AssertSqlSafe(drop)).execute(&mut *tx).await.unwrap();
            sqlx::query(sql).execute(&mut *tx).await.unwrap();
            let looked = of_tenant(&mut tx, w.tenant).await.unwrap();
            let mut found: Vec<_> = looked.findings.iter().map(|f| f.invariant).collect();
            found.dedup();
            assert_eq!(found, expected);
        }
    }
}

/// Balanced, numbered and of no charge.
#[tokio::test]
async fn what_is_earned_by_none_that_may_and_entries_of_nobody_are_found() {
    for w in World::each().await {
        used(&w).await;
        let t = w.tenant;
        let mut tx = w.db.begin_write().await.unwrap();
        for sql in [
            format!(
                "INSERT INTO journal_entries VALUES ('x', 1, '{t}', 'revenue', 'credit', 5, 2, \
                 1000005), ('x', 2, '{t}', 'rounding', 'debit', 5, 1, -5)"
            ),
            format!(
                "INSERT INTO journal VALUES ('x', '{t}', 4, 'x', '', 'rounding', 'CNY', 0, '', \
                 '', 'r', '', '', 0)"
            ),
            "INSERT INTO journal_entries VALUES ('y', 1, 'nobody', 'cash', 'credit', 5, 1, 5)"
                .to_owned(),
        ] {
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *tx).await.unwrap();
        }
        let mut looked = of_tenant(&mut tx, t).await.unwrap();
        of_nobody(&mut tx, &mut looked).await.unwrap();
        let found = looked.findings.iter().map(|f| (f.invariant, f.tenant_id.clone()));
        let nobodys = ("known_transaction", "nobody".to_owned());
        let expected = [("earned", t.to_string()), ("invoices", t.to_string()), nobodys];
        assert_eq!(found.collect::<Vec<_>>(), expected, "{:?}", looked.findings);
        assert_eq!(looked.findings[0].detail, "a rounding earned 5 and taxed 0 micro-units");
    }
}
