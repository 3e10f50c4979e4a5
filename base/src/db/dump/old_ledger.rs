//! A backup of before the journal: what it holds comes back as the journal.

use super::*;
use crate::db::testing;

/// Schema of the last release without the journal.
const BEFORE: [i64; 9] = [1, 2, 3, 4, 5, 6, 1001, 1002, 2007];

/// Alternating payments and charges, ending at -3; a credit limit; one line.
fn dump_of_before() -> Vec<u8> {
    let header = serde_json::json!({
        "format": FORMAT, "version": VERSION, "migrations": BEFORE,
    });
    let mut lines = vec![header.to_string()];
    let mut row = |table: &str, row: serde_json::Value| {
        lines.push(serde_json::json!({"table": table, "row": row}).to_string());
    };
    row("tenants", serde_json::json!({"id": "t", "name": "acme", "created_ms": 1}));
    row(
        "accounts",
        serde_json::json!({
            "tenant_id": "t", "currency": "CNY", "timezone": "Asia/Shanghai", "version": 7,
            "posted_micros": -3_000_000, "credit_limit_micros": 12_000_050, "last_charge": 3,
            "ticked_ms": 5, "standing": "active", "standing_since_ms": 1, "episode": 0,
            "created_ms": 1,
        }),
    );
    let moves = [
        (10, "topup"),
        (-4, "charge"),
        (-9, "charge"),
        (1, "topup"),
        (2, "charge"),
        (-3, "charge"),
    ];
    for (n, (amount, kind)) in (1i64..).zip(moves) {
        row(
            "ledger_transactions",
            serde_json::json!({
                "id": format!("x{n}"), "dedup_key": match kind {
                    "topup" => format!("key{n}"),
                    _ => format!("charge:t:{n}"),
                }, "tenant_id": "t",
                "kind": kind, "currency": "CNY", "at_ms": n, "memo": "m", "created_ms": n,
            }),
        );
        let other = if kind == "topup" { "payments:CNY" } else { "revenue:CNY" };
        let sides = if amount > 0 { [other, "tenant:t"] } else { ["tenant:t", other] };
        for ((position, account), direction) in (0i64..).zip(sides).zip(["debit", "credit"]) {
            row(
                "ledger_entries",
                serde_json::json!({
                    "transaction_id": format!("x{n}"), "position": position, "account": account,
                    "direction": direction, "amount_micros": i64::abs(amount) * 1_000_000,
                }),
            );
        }
    }
    row(
        "rated_lines",
        serde_json::json!({
            "transaction_id": "x2", "position": 0, "tenant_id": "t", "resource_kind": "instance",
            "resource_id": "r", "resource_name": "web", "what": "w", "meter": "disk_gib",
            "price_version_id": "v", "month": "2026-10", "from_ms": 0, "to_ms": 1,
            "unit_price_nanos": 1, "quantity": 1, "amount_micros": 4_000_000, "kind": "usage",
        }),
    );
    let rows = lines.len() - 1;
    lines.push(serde_json::json!({"end": true, "rows": rows}).to_string());
    lines.join("\n").into_bytes()
}

#[tokio::test]
async fn the_ledger_of_before_becomes_the_journal() {
    for target in testing::each_empty().await {
        restore(&target.url, &mut dump_of_before().as_slice()).await.unwrap();
        let db = Db::open(&target.url).await.unwrap();
        let mut conn = db.read().await.unwrap();
        let entries: Vec<(i64, String, String, i64, i64, i64)> = sqlx::query_as(
            "SELECT j.number, e.account, e.direction, e.amount_micros / 1000000, \
             e.account_sequence, e.balance_micros / 1000000 \
             FROM journal_entries e JOIN journal j ON j.id = e.transaction_id \
             ORDER BY j.number, e.position",
        )
        .fetch_all(&mut *conn)
        .await
        .unwrap();
        let entry = |number, account: &str, direction: &str, amount, sequence, balance| {
            (number, account.to_owned(), direction.to_owned(), amount, sequence, balance)
        };
        assert_eq!(
            entries,
            [
                entry(1, "cash", "credit", 10, 1, 10),
                entry(1, "payments", "debit", 10, 1, -10),
                entry(2, "cash", "debit", 4, 2, 6),
                entry(2, "revenue", "credit", 4, 1, 4),
                // Six were left of ten: the other three are owed.
                entry(3, "cash", "debit", 6, 3, 0),
                entry(3, "receivable", "debit", 3, 1, -3),
                entry(3, "revenue", "credit", 9, 2, 13),
                entry(4, "receivable", "credit", 1, 2, -2),
                entry(4, "payments", "debit", 1, 2, -11),
                entry(5, "receivable", "credit", 2, 3, 0),
                entry(5, "revenue", "debit", 2, 3, 11),
                entry(6, "receivable", "debit", 3, 4, -3),
                entry(6, "revenue", "credit", 3, 4, 14),
            ]
        );
        let recharges: Vec<(String, String, String, i64)> = sqlx::query_as(
            "SELECT transaction_id, provider, provider_id, amount_micros FROM recharges \
             ORDER BY transaction_id",
        )
        .fetch_all(&mut *conn)
        .await
        .unwrap();
        let recharge = |id: &str, key: &str, amount| {
            (id.to_owned(), "opshawk".to_owned(), key.to_owned(), amount)
        };
        assert_eq!(
            recharges,
            [recharge("x1", "key1", 10_000_000), recharge("x4", "key4", 1_000_000)]
        );
        let document: String = sqlx::query_scalar("SELECT document FROM account_settings")
            .fetch_one(&mut *conn)
            .await
            .unwrap();
        assert_eq!(document, r#"{"credit_limit":"12.000050"}"#);
        for change in ["UPDATE journal SET memo = 'x'", "DELETE FROM journal_entries"] {
            let error = sqlx::query(change).execute(&mut *conn).await.unwrap_err();
            assert!(error.to_string().contains("append-only"), "{error}");
        }
        let line: (i64, String, String, i64, i64, i64) = sqlx::query_as(
            "SELECT c.charge_no, k.component, k.rate, c.measure, c.net, s.net + s.measure \
             FROM charges c \
             JOIN rated_keys k ON k.tenant_id = c.tenant_id AND k.key_no = c.key_no \
             JOIN rated_sums s ON s.tenant_id = k.tenant_id AND s.key_no = k.group_no \
             JOIN journal j ON j.dedup_key = 'charge:' || c.tenant_id || ':' || c.charge_no",
        )
        .fetch_one(&mut *conn)
        .await
        .unwrap();
        let (component, rate) = ("instance.disk".to_owned(), "disk_gib".to_owned());
        assert_eq!(line, (2, component, rate, 1, 4_000_000, 4_000_001));
        // And it comes back once more, by its new tables.
        let mut bytes = vec![];
        dump(&db, &mut bytes).await.unwrap();
        for again in testing::each_empty().await {
            restore(&again.url, &mut bytes.as_slice()).await.unwrap();
        }
    }
}
