use super::*;
use crate::db::testing::{self, TestDb};

async fn fill(db: &Db) {
    let mut tx = db.begin_write().await.unwrap();
    for statement in [
        "INSERT INTO tenants (id, name, created_ms) VALUES ('t1', 'acme \"quoted\" 租户', 9007199254740993)",
        "INSERT INTO users (id, login, role, tenant_id, created_ms) VALUES ('u1', 'a@b', 'member', 't1', 1)",
        "INSERT INTO price_books (id, name, currency, last_version, created_ms) VALUES ('b1', 'list', 'CNY', 1, 1)",
        "INSERT INTO price_versions (id, book_id, number, effective_ms, published_ms) VALUES ('v1', 'b1', 1, 1, 1)",
        "INSERT INTO price_rates (version_id, position, rate, document) VALUES ('v1', 1, 'disk', '{}')",
        "INSERT INTO price_documents (version_id, kind, reason, tax_mode, tax_ppm, sha256) VALUES ('v1', 'regular', '', 'on_top', 60000, '')",
        "INSERT INTO price_drafts (id, book_id, document, checked_sha256, checks, revision, actor, updated_ms) VALUES ('d1', 'b1', '{}', '', '[]', 1, 'op', 1)",
        "INSERT INTO audit VALUES ('1', 0, 'user', '1', 'op', NULL, 'x', 'y', 'z', '{}')",
    ] {
        sqlx::query(statement).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn dumped(db: &Db) -> Vec<u8> {
    let mut bytes = vec![];
    dump(db, &mut bytes).await.unwrap();
    bytes
}

#[tokio::test]
async fn every_row_comes_back_on_either_database() {
    let from = testing::each().await;
    for source in &from {
        fill(&source.db).await;
        let bytes = dumped(&source.db).await;
        for target in targets().await {
            assert_eq!(restore(&target.url, &mut bytes.as_slice()).await.unwrap(), 8);
            let db = Db::open(&target.url).await.unwrap();
            assert_eq!(rows(&dumped(&db).await), rows(&bytes));
            let again = restore(&target.url, &mut bytes.as_slice()).await.unwrap_err();
            assert!(again.message.contains("not empty"), "{again}");
        }
    }
}

#[tokio::test]
async fn a_damaged_dump_restores_nothing() {
    let source = TestDb::sqlite().await;
    fill(&source.db).await;
    let bytes = dumped(&source.db).await;
    let lines = String::from_utf8(bytes).unwrap();
    let without_last = lines.trim_end().rsplit_once('\n').unwrap().0.to_owned();
    let without_a_row = lines.replacen(lines.lines().nth(2).unwrap(), "", 1).replace("\n\n", "\n");
    for damaged in [String::new(), "{}".into(), without_last, without_a_row] {
        let target = targets().await.remove(0);
        let error = restore(&target.url, &mut damaged.as_bytes()).await.unwrap_err();
        assert!(error.message.contains("damaged"), "{error}");
        let db = Db::open(&target.url).await.unwrap();
        let mut conn = db.read().await.unwrap();
        let left = sqlx::query("SELECT id FROM tenants").fetch_all(&mut *conn).await.unwrap();
        assert!(left.is_empty());
    }
}

/// The rows as a set: each database keeps its own order within a table.
fn rows(dump: &[u8]) -> std::collections::BTreeSet<String> {
    let text = String::from_utf8(dump.to_vec()).unwrap();
    text.lines().skip(1).map(str::to_owned).collect()
}

async fn targets() -> Vec<testing::EmptyDb> {
    testing::each_empty().await
}
