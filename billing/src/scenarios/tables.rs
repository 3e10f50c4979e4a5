//! All tables of billing with rows: what is append-only refuses every change, what has a ceiling
//! refuses more, and a backup of the one database comes back into the other.

use std::collections::BTreeSet;

use async_trait::async_trait;
use base::{
    Result,
    db::{
        Backend, Db, dump,
        testing::{EmptyDb, each_empty},
    },
    id::NoticeId,
    time::Timestamp,
};

use crate::{
    ledger::verify,
    replay::{Deliveries, open_empty, parse, play},
};

/// Of other parts of the product, which have tests of their own.
const OTHERS: [&str; 13] = [
    "alert_groups",
    "alerts",
    "api_tokens",
    "audit",
    "deliveries",
    "idempotency_keys",
    "instance_consoles",
    "operation_steps",
    "rule_groups",
    "rule_states",
    "servers",
    "sessions",
    "setup_links",
];
/// What no file of a replay makes.
const BY_HAND: [&str; 3] = [
    "INSERT INTO host_journals (host_id, since_ms, lost_from_ms) SELECT id, 2, 1 FROM hosts",
    "INSERT INTO price_drafts (id, book_id, document, checked_sha256, checks, revision, actor, \
     updated_ms) SELECT 'd', id, '{}', '', '[]', 1, 'op', 1 FROM price_books WHERE name = 'standard'",
    "INSERT INTO quota_requests (id, tenant_id, items, reason, state, asked_kind, asked_id, \
     asked_name, created_ms) SELECT 'q', id, '[]', 'more', 'pending', 'user', 'u', 'u', 1 \
     FROM tenants WHERE name = 'acme'",
];
/// What was written in these never changes.
const APPEND_ONLY: [&str; 33] = [
    "account_settings",
    "bonus_ends",
    "bonuses",
    "charges",
    "counter_readings",
    "credit_notes",
    "documents",
    "hold_ends",
    "holds",
    "invoices",
    "journal",
    "journal_entries",
    "month_closings",
    "package_ends",
    "package_orders",
    "price_assignments",
    "price_documents",
    "price_overrides",
    "price_rates",
    "price_versions",
    "rated_keys",
    "recharges",
    "reclaims",
    "refunds",
    "standing_guard",
    "standing_log",
    "standing_warnings",
    "usage_facts",
    "usage_gap_answers",
    "usage_gaps",
    "usage_rulings",
    "voucher_redemptions",
    "vouchers",
];

struct Nobody;

#[async_trait]
impl Deliveries for Nobody {
    async fn route(&self, _: &Db, _: Timestamp) -> Result<Vec<(NoticeId, Vec<String>)>> {
        Ok(Vec::new())
    }
}

/// A database with rows in all tables of billing.
async fn everything(place: &EmptyDb) -> Db {
    let file = parse(include_str!("everything.yaml")).unwrap_or_else(|e| panic!("{e}"));
    let db = open_empty(&place.url).await.unwrap();
    let played = play(&db, &file, &Nobody).await.unwrap();
    assert!(played.differences.is_empty(), "{:?}", played.differences);
    let mut tx = db.begin_write().await.unwrap();
    for insert in BY_HAND {
        sqlx::query(insert).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
    db
}

async fn texts(db: &Db, sqlite: &'static str, postgres: &'static str) -> Vec<String> {
    let sql = match db.backend() {
        Backend::Sqlite => sqlite,
        Backend::Postgres => postgres,
    };
    sqlx::query_scalar(sql).fetch_all(&mut *db.read().await.unwrap()).await.unwrap()
}

/// What the database says to it; nothing of it stays.
async fn refused(db: &Db, sql: String) -> String {
    let mut tx = db.begin_write().await.unwrap();
    match sqlx::query(sqlx::AssertSqlSafe(sql.clone())).execute(&mut *tx).await {
        Ok(done) => panic!("{} rows were changed by {sql}", done.rows_affected()),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn every_table_of_money_is_kept_as_it_was_written() {
    for place in each_empty().await {
        let db = everything(&place).await;
        let tables = texts(
            &db,
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
             AND name <> '_sqlx_migrations' ORDER BY name",
            "SELECT CAST(table_name AS TEXT) FROM information_schema.tables \
             WHERE table_schema = current_schema() AND table_name <> '_sqlx_migrations' \
             ORDER BY table_name",
        );
        for table in tables.await.iter().filter(|table| !OTHERS.contains(&table.as_str())) {
            let sql = format!("SELECT 1 FROM {table} LIMIT 1");
            let mut conn = db.read().await.unwrap();
            let any = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_optional(&mut *conn).await;
            assert!(any.unwrap().is_some(), "no row in {table}: let everything.yaml make one");
        }
        let guarded = texts(
            &db,
            "SELECT tbl_name FROM sqlite_master WHERE type = 'trigger' AND name LIKE '%no_update' \
             AND tbl_name <> 'audit' ORDER BY tbl_name",
            "SELECT CAST(tgrelid::regclass AS TEXT) FROM pg_trigger \
             WHERE tgname LIKE '%append_only' AND tgrelid::regclass::text <> 'audit' ORDER BY 1",
        )
        .await;
        let lacking: Vec<_> =
            APPEND_ONLY.iter().filter(|table| !guarded.iter().any(|t| t == *table)).collect();
        assert!(lacking.is_empty(), "{lacking:?} can be changed");
        for table in guarded {
            let column = texts_of_columns(&db, &table).await;
            let update = format!("UPDATE {table} SET {column} = {column}");
            let wholly = match db.backend() {
                Backend::Sqlite => format!("REPLACE INTO {table} SELECT * FROM {table}"),
                Backend::Postgres => format!("TRUNCATE {table} CASCADE"),
            };
            for change in [update, format!("DELETE FROM {table}"), wholly] {
                let error = refused(&db, change.clone()).await;
                // What is sealed or at its ceiling says so before anything is replaced.
                let mut words = CEILINGS.iter().map(|(_, words)| *words).chain(["append-only"]);
                assert!(words.any(|words| error.contains(words)), "{change}: {error}");
            }
        }
        db.close().await;
    }
}

/// The first one's name.
async fn texts_of_columns(db: &Db, table: &str) -> String {
    let sql = match db.backend() {
        Backend::Sqlite => "SELECT name FROM pragma_table_info($1) WHERE cid = 0",
        Backend::Postgres => {
            "SELECT CAST(column_name AS TEXT) FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name = $1 AND ordinal_position = 1"
        }
    };
    let mut conn = db.read().await.unwrap();
    sqlx::query_scalar(sql).bind(table.to_owned()).fetch_one(&mut *conn).await.unwrap()
}

/// What no row may be added above, and no number passed over; of what was played.
const CEILINGS: [(&str, &str); 7] = [
    (
        "INSERT INTO hold_ends SELECT h.id, 'posted', h.amount_micros + 1, h.id, 0 FROM holds h \
         WHERE NOT EXISTS (SELECT 1 FROM hold_ends e WHERE e.hold_id = h.id)",
        "more is posted than was held",
    ),
    (
        "INSERT INTO refunds SELECT j.id, j.tenant_id, r.transaction_id, r.amount_micros \
         FROM recharges r JOIN refunds f ON f.recharge_id = r.transaction_id \
         JOIN journal j ON j.kind = 'correction'",
        "more is refunded than was paid",
    ),
    (
        "INSERT INTO credit_notes SELECT 'x', series, number + 1, invoice_id, \
         net_micros + 1000000000, tax_micros, total_micros + 1000000000, reason, transaction_id, \
         issued_ms FROM credit_notes",
        "above what is left of the invoice",
    ),
    ("UPDATE invoice_series SET last_number = last_number + 2", "a series counts by one"),
    ("DELETE FROM invoice_series", "invoice_series"),
    (
        "INSERT INTO price_rates SELECT id, 99, 'late', '{}' FROM price_versions",
        "the price version is published",
    ),
    (
        "INSERT INTO journal_entries SELECT id, 99, tenant_id, 'cash', 'debit', 1, 99999, 0 \
         FROM journal WHERE kind = 'correction'",
        "the transaction is sealed",
    ),
];

async fn keeps_its_ceilings(db: &Db) {
    for (sql, words) in CEILINGS {
        let error = refused(db, sql.to_owned()).await;
        assert!(error.contains(words), "{sql}: {error}");
    }
}

/// What stands beside the journal, changed behind the triggers, and the invariant that it breaks.
const CHANGED: [(&str, &str, &str); 5] = [
    ("bonuses", "amount_micros = amount_micros + 1", "bonuses"),
    ("hold_ends", "posted_micros = posted_micros - 1 WHERE posted_micros > 0", "holds"),
    ("vouchers", "amount_micros = amount_micros + 1", "vouchers"),
    ("invoices", "rounding_micros = rounding_micros + 1", "invoices"),
    ("credit_notes", "net_micros = net_micros - 1, tax_micros = tax_micros + 1", "invoices"),
];

#[tokio::test]
async fn what_says_something_else_than_its_transaction_is_found() {
    for place in each_empty().await {
        let db = everything(&place).await;
        for (table, set, invariant) in CHANGED {
            let mut tx = db.begin_write().await.unwrap();
            let open = match db.backend() {
                Backend::Sqlite => format!("DROP TRIGGER {table}_no_update"),
                Backend::Postgres => format!("DROP TRIGGER {table}_append_only ON {table}"),
            };
            for sql in [open, format!("UPDATE {table} SET {set}")] {
                sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *tx).await.unwrap();
            }
            let ids: Vec<String> = sqlx::query_scalar("SELECT tenant_id FROM accounts")
                .fetch_all(&mut *tx)
                .await
                .unwrap();
            let mut found = BTreeSet::new();
            for id in ids {
                let looked = verify::of_tenant(&mut tx, id.parse().unwrap()).await.unwrap();
                found.extend(looked.findings.iter().map(|finding| finding.invariant));
            }
            assert_eq!(found, BTreeSet::from([invariant]), "{table}");
        }
        db.close().await;
    }
}

#[tokio::test]
async fn a_backup_of_either_database_comes_back_into_either() {
    for place in each_empty().await {
        let db = everything(&place).await;
        keeps_its_ceilings(&db).await;
        let found = verify::verify(&db).await.unwrap();
        assert_eq!((found.tenants, found.found), (5, 0), "{:?}", found.findings);
        let bytes = dumped(&db).await;
        for target in each_empty().await {
            let rows = dump::restore(&target.url, &mut bytes.as_slice()).await.unwrap();
            assert!(rows > 300, "{rows} rows");
            let restored = Db::open(&target.url).await.unwrap();
            assert_eq!(lines(&dumped(&restored).await), lines(&bytes));
            let again = verify::verify(&restored).await.unwrap();
            assert_eq!(
                (again.transactions, again.entries, again.found),
                (found.transactions, found.entries, 0)
            );
            keeps_its_ceilings(&restored).await;
            restored.close().await;
        }
        db.close().await;
    }
}

async fn dumped(db: &Db) -> Vec<u8> {
    let mut bytes = Vec::new();
    dump::dump(db, &mut bytes).await.unwrap();
    bytes
}

/// The rows, whatever order each database has them in.
fn lines(dump: &[u8]) -> Vec<String> {
    let text = String::from_utf8(dump.to_vec()).unwrap();
    let mut lines: Vec<String> = text.lines().skip(1).map(str::to_owned).collect();
    lines.sort();
    lines
}
