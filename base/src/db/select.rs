//! All rows of a SELECT at once.
//!
//! With sqlx a connection to SQLite is a thread, which hands over row by row, and each may wake the one
//! who waits for it on another core, which costs more than the row. So there the rows come as one, in
//! JSON (<https://sqlite.org/json1.html#jgrouparray>): an hour's rating takes a tenth less. PostgreSQL
//! sends its rows together. All rows are in memory at once, as with any list; SQLite's text holds a
//! gigabyte of them.

use serde::de::DeserializeOwned;
use sqlx::{Any, AssertSqlSafe, FromRow, any::AnyRow};

use super::{
    Backend, Conn, Db,
    rows::{Cell, arguments},
};
use crate::error::{Error, Result};

/// `SELECT {columns} FROM {from} ORDER BY {order}`, of numbers and text alone.
#[derive(Debug, Clone, Copy)]
pub struct Select<'a> {
    /// Without names of their own.
    pub columns: &'a str,
    pub from: &'a str,
    /// What tells each row from all others: JSON keeps no other order.
    pub order: &'a str,
}

impl Select<'_> {
    /// A row is a tuple of the columns.
    pub async fn all<T>(&self, conn: &mut Conn, binds: &[Cell<'_>]) -> Result<Vec<T>>
    where
        T: DeserializeOwned + for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        let Self { columns, from, order } = self;
        let binds = arguments(binds)?;
        match Db::backend_of(conn) {
            Backend::Postgres => {
                let sql = format!("SELECT {columns} FROM {from} ORDER BY {order}");
                let query = sqlx::query_as_with::<Any, T, _>(AssertSqlSafe(sql), binds);
                Ok(query.fetch_all(conn).await?)
            }
            Backend::Sqlite => {
                let sql = format!(
                    "SELECT json_group_array(json_array({columns}) ORDER BY {order}) FROM {from}"
                );
                let query = sqlx::query_scalar_with::<Any, String, _>(AssertSqlSafe(sql), binds);
                let text = query.fetch_one(conn).await?;
                serde_json::from_str(&text)
                    .map_err(|e| Error::internal(format!("rows of {from} can't be read")).source(e))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{rows::insert_rows, testing::each};

    #[tokio::test]
    async fn rows_come_in_order_and_as_they_were_written() {
        type Row = (i64, String, Option<i64>);
        for test in each().await {
            let mut tx = test.db.begin_write().await.unwrap();
            sqlx::query("CREATE TABLE things (n BIGINT, name TEXT NOT NULL, other BIGINT)")
                .execute(&mut *tx)
                .await
                .unwrap();
            let select = Select {
                columns: "n, name, CASE WHEN other = 0 THEN NULL ELSE other END",
                from: "things WHERE n >= $1 AND name <> $2",
                order: "name, n DESC",
            };
            let all = async |tx: &mut Conn| -> Vec<Row> {
                select.all(tx, &[0.into(), "left out".into()]).await.unwrap()
            };
            assert_eq!(all(&mut tx).await, []);
            // What JSON and SQL treat otherwise than plain text, and what a double can't hold.
            let texts =
                ["", "[1]", "{\"a\": \"\\u0000\"}", "it's \"q\"\\", "\u{1}\n\t", "实例 \u{1F600}"];
            let numbers = [0, i64::MAX, (1 << 53) + 1];
            let mut wanted: Vec<Row> = Vec::new();
            for text in texts {
                for n in numbers {
                    wanted.push((n, text.to_owned(), (n > 0).then_some(n)));
                }
            }
            let mut cells: Vec<Cell<'_>> = Vec::new();
            for (n, name, other) in &wanted {
                cells.extend([Cell::Int(*n), name.into(), other.unwrap_or(0).into()]);
            }
            cells.extend([Cell::Int(-1), "of before".into(), 1.into()]);
            cells.extend([Cell::Int(1), "left out".into(), 1.into()]);
            insert_rows(&mut tx, "things (n, name, other)", "", 3, &cells).await.unwrap();
            let found = all(&mut tx).await;
            wanted.sort_by(|a, b| (&a.1, b.0).cmp(&(&b.1, a.0)));
            assert_eq!(found.len(), wanted.len());
            let mut sorted = found.clone();
            sorted.sort_by(|a, b| (&a.1, b.0).cmp(&(&b.1, a.0)));
            assert_eq!(sorted, wanted);
            // Each database sorts texts in its own way; of one text the larger number comes first.
            let runs: Vec<_> = found.chunk_by(|a, b| a.1 == b.1).collect();
            assert_eq!(runs.len(), texts.len(), "{found:?}");
            assert!(runs.iter().all(|run| run.is_sorted_by(|a, b| a.0 > b.0)), "{found:?}");
            tx.rollback().await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_statement_that_is_none_is_an_error() {
        for test in each().await {
            let select = Select { columns: "n", from: "nowhere", order: "n" };
            let mut conn = test.db.read().await.unwrap();
            assert!(select.all::<(i64,)>(&mut conn, &[]).await.is_err());
        }
    }
}
