//! The database refuses what the journal must not take, on either of both.

use base::{Error, ErrorKind, Result, id::LedgerTransactionId};

use super::*;
use crate::{
    accounts,
    testing::{World, at, micros, uuid_like},
};

async fn post(w: &World, key: &str, request: &str, entries: Vec<Entry>) -> Result<Written> {
    w.write(async |tx| {
        let mut locked = accounts::lock(tx, w.tenant).await?;
        let posting = Posting {
            key: key.to_owned(),
            request: request.as_bytes(),
            kind: Kind::Recharge,
            at: at("10:00"),
            entries,
            memo: "",
            reason: "",
            about: None,
            actor: "system:test",
        };
        append(tx, &mut locked, at("10:00"), &posting).await
    })
    .await
}

fn paid(amount: &str) -> Vec<Entry> {
    let amount = micros(amount);
    vec![Entry::debit(Account::Payments, amount), Entry::credit(Account::Cash, amount)]
}

#[tokio::test]
async fn a_key_is_posted_once_and_answered_as_the_first_time() {
    for w in World::each().await {
        let first = post(&w, "k", "10", paid("10")).await.unwrap();
        assert!(first.is_new());
        let again = post(&w, "k", "10", paid("10")).await.unwrap();
        assert_eq!(again, Written::Known(first.id()));
        let other = post(&w, "k", "11", paid("11")).await.unwrap_err();
        assert_eq!(other.kind, ErrorKind::Conflict);
        assert_eq!(w.balance(at("10:00")).await.posted, micros("10"));
        assert_eq!(w.scalar("SELECT COUNT(*) FROM journal").await, 1);
    }
}

#[tokio::test]
async fn what_does_not_balance_or_empties_a_pocket_too_far_is_not_written() {
    for w in World::each().await {
        let one = micros("1");
        for entries in [
            vec![Entry::credit(Account::Cash, one)],
            vec![
                Entry::debit(Account::Cash, micros("0")),
                Entry::credit(Account::Tax, micros("0")),
            ],
            vec![Entry::debit(Account::Cash, one), Entry::credit(Account::Revenue, one)],
            vec![Entry::credit(Account::Receivable, one), Entry::debit(Account::Revenue, one)],
        ] {
            let error = post(&w, &uuid_like(), "", entries).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Internal, "{error}");
        }
        let most = Micros(i64::MAX);
        let all = vec![Entry::debit(Account::Payments, most), Entry::credit(Account::Cash, most)];
        post(&w, "most", "", all).await.unwrap();
        let error = post(&w, "more", "", paid("1")).await.unwrap_err();
        assert_eq!((error.kind, error.field.as_deref()), (ErrorKind::Invalid, Some("amount")));
        assert_eq!(w.scalar("SELECT COUNT(*) FROM journal").await, 1);
        assert_eq!(w.scalar("SELECT COUNT(*) FROM journal_entries").await, 2);
    }
}

#[tokio::test]
async fn balances_run_by_account_and_transactions_are_numbered() {
    for w in World::each().await {
        for amount in ["1", "2", "3"] {
            post(&w, amount, amount, paid(amount)).await.unwrap();
        }
        let mut conn = w.db.read().await.unwrap();
        let rows: Vec<(i64, String, i64, i64, String)> = sqlx::query_as(
            "SELECT j.number, e.account, e.account_sequence, e.balance_micros, j.month \
             FROM journal j JOIN journal_entries e ON e.transaction_id = j.id \
             ORDER BY j.number, e.position",
        )
        .fetch_all(&mut *conn)
        .await
        .unwrap();
        let row = |n, account: &str, balance: &str| {
            (n, account.to_owned(), n, micros(balance).0, "2026-10".to_owned())
        };
        let expected = [
            row(1, "payments", "-1"),
            row(1, "cash", "1"),
            row(2, "payments", "-3"),
            row(2, "cash", "3"),
            row(3, "payments", "-6"),
            row(3, "cash", "6"),
        ];
        assert_eq!(rows, expected);
    }
}

/// What the statement is refused with.
async fn refused(w: &World, sql: &str) -> String {
    let mut tx = w.db.begin_write().await.unwrap();
    let done = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut *tx).await;
    done.expect_err(sql).to_string()
}

#[tokio::test]
async fn the_database_refuses_what_is_unbalanced_sealed_foreign_or_double() {
    for w in World::each().await {
        let id = post(&w, "k", "10", paid("10")).await.unwrap().id();
        let tenant = w.tenant;
        let entry = |of: &str, tenant: &str, direction: &str, sequence: i64| {
            format!(
                "INSERT INTO journal_entries VALUES ('{of}', {sequence}, '{tenant}', 'cash', \
                 '{direction}', 5, {sequence}, 5)"
            )
        };
        let row = |of: &str, key: &str, number: i64, kind: &str| {
            format!(
                "INSERT INTO journal VALUES ('{of}', '{tenant}', {number}, '{key}', '', '{kind}', \
                 'CNY', 0, '', '', '', '', '', 0)"
            )
        };
        let sealed = refused(&w, &entry(&id.to_string(), &tenant.to_string(), "debit", 9)).await;
        assert!(sealed.contains("sealed"), "{sealed}");
        // Two posters of one account: the second finds its place taken.
        let taken = refused(&w, &entry("new", &tenant.to_string(), "debit", 1)).await;
        assert!(taken.to_lowercase().contains("unique"), "{taken}");
        for (number, key) in [(1, "other"), (2, "k")] {
            let double = refused(&w, &row("new", key, number, "charge")).await;
            assert!(double.to_lowercase().contains("unique"), "{double}");
        }
        let without_reason = refused(&w, &row("new", "c", 2, "correction")).await;
        assert!(without_reason.to_lowercase().contains("check"), "{without_reason}");
        for (entries, why) in [
            (vec![entry("x", &tenant.to_string(), "debit", 7)], "does not balance"),
            (
                vec![entry("x", "somebody", "debit", 7), entry("x", "somebody", "credit", 8)],
                "another tenant",
            ),
        ] {
            let mut tx = w.db.begin_write().await.unwrap();
            for entry in entries {
                sqlx::query(sqlx::AssertSqlSafe(entry)).execute(&mut *tx).await.unwrap();
            }
            let journal = sqlx::AssertSqlSafe(row("x", "x", 2, "charge"));
            let error = sqlx::query(journal).execute(&mut *tx).await.unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        assert_eq!(w.balance(at("10:00")).await.posted, micros("10"));
    }
}

#[tokio::test]
async fn what_fails_later_leaves_nothing() {
    for w in World::each().await {
        let died: Result<LedgerTransactionId> = w
            .write(async |tx| {
                let payment = w.payment("5", "p");
                crate::ledger::recharge(tx, at("10:00"), &payment).await?;
                Err(Error::internal("killed"))
            })
            .await;
        assert!(died.is_err());
        for table in ["journal", "journal_entries", "recharges"] {
            let count = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
            let mut conn = w.db.read().await.unwrap();
            let count: i64 = sqlx::query_scalar(count).fetch_one(&mut *conn).await.unwrap();
            assert_eq!(count, 0, "{table}");
        }
    }
}
