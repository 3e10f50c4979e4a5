//! Many rows in few statements.

use std::fmt::Write as _;

use sqlx::{Arguments, AssertSqlSafe, any::AnyArguments};

use super::{Backend, Conn, Db};
use crate::error::Result;

/// What is bound: numbers and text alone, so that a statement's types stay the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    Int(i64),
    Text(&'a str),
}

impl From<i64> for Cell<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a String> for Cell<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(value)
    }
}

/// Rows of one statement, largest first: few texts, so that the databases keep them prepared, and not
/// too few, since each statement is a way to the database and back.
const BLOCKS: [usize; 11] = [64, 32, 28, 24, 20, 16, 12, 8, 4, 2, 1];
/// With as many rows as the largest block has, far below the parameters that SQLite takes.
const COLUMNS_MAX: usize = 30;
/// Lengths of lists in `IN`, each padded to the next one.
const LISTS: [usize; 5] = [1, 4, 16, 64, 256];

/// `INSERT INTO {into} VALUES … {tail}` of `cells`, `columns` a row. Returns how many rows changed.
/// Where `tail` updates what is there, no two rows may meet the same one.
pub async fn insert_rows(
    conn: &mut Conn,
    into: &'static str,
    tail: &'static str,
    columns: usize,
    cells: &[Cell<'_>],
) -> Result<u64> {
    assert!(
        (1..=COLUMNS_MAX).contains(&columns) && cells.len().is_multiple_of(columns),
        "whole rows of at most {COLUMNS_MAX} columns"
    );
    let mut changed = 0;
    let mut rest = cells;
    for block in BLOCKS {
        while rest.len() >= block * columns {
            let (now, later) = rest.split_at(block * columns);
            changed += insert_block(&mut *conn, into, tail, columns, now).await?;
            rest = later;
        }
    }
    Ok(changed)
}

async fn insert_block(
    conn: &mut Conn,
    into: &str,
    tail: &str,
    columns: usize,
    cells: &[Cell<'_>],
) -> Result<u64> {
    let rows = cells.len() / columns;
    let mut sql = format!("INSERT INTO {into} VALUES ");
    values(&mut sql, Db::backend_of(conn), rows, columns);
    sql.push(' ');
    sql.push_str(tail);
    let query = sqlx::query_with(AssertSqlSafe(sql), arguments(cells)?);
    Ok(query.execute(conn).await?.rows_affected())
}

/// The cells as a statement takes them.
pub(super) fn arguments(cells: &[Cell<'_>]) -> Result<AnyArguments> {
    let mut all = AnyArguments::default();
    all.reserve(cells.len(), 0);
    for cell in cells {
        let added = match cell {
            Cell::Int(value) => all.add(*value),
            Cell::Text(value) => all.add((*value).to_owned()),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok(all)
}

/// Appends `($1, $2), ($3, $4), …`. SQLite looks a numbered parameter up among all others before it, for
/// each one that is bound: there they are told by their place alone.
fn values(sql: &mut String, backend: Backend, rows: usize, columns: usize) {
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            let number = row * columns + column + 1;
            let comma = if column == 0 { "" } else { ", " };
            match backend {
                Backend::Sqlite => write!(sql, "{comma}?"),
                Backend::Postgres => write!(sql, "{comma}${number}"),
            }
            .expect("a string takes everything");
        }
        sql.push(')');
    }
}

/// Cuts what is looked for into lists of few lengths: the last of a list stands again until it has
/// one of them. For `IN`, which doesn't mind.
pub fn lists<T: Clone>(all: &[T]) -> Vec<Vec<T>> {
    let longest = LISTS[LISTS.len() - 1];
    all.chunks(longest)
        .map(|chunk| {
            let mut list = chunk.to_vec();
            let length = LISTS.iter().find(|l| **l >= chunk.len()).copied().unwrap_or(longest);
            if let Some(last) = chunk.last() {
                list.resize(length, last.clone());
            }
            list
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::each;

    #[tokio::test]
    async fn rows_come_in_blocks_and_all_of_them() {
        for test in each().await {
            let mut tx = test.db.begin_write().await.unwrap();
            sqlx::query("CREATE TABLE numbers (n BIGINT PRIMARY KEY, name TEXT NOT NULL)")
                .execute(&mut *tx)
                .await
                .unwrap();
            let names: Vec<String> = (0..150).map(|n| format!("n{n}")).collect();
            let cells: Vec<Cell<'_>> =
                (0..).zip(&names).flat_map(|(n, name)| [Cell::Int(n), name.into()]).collect();
            let into = "numbers (n, name)";
            assert_eq!(insert_rows(&mut tx, into, "", 2, &cells).await.unwrap(), 150);
            let again = "ON CONFLICT (n) DO NOTHING";
            assert_eq!(insert_rows(&mut tx, into, again, 2, &cells).await.unwrap(), 0);
            assert_eq!(insert_rows(&mut tx, into, "", 2, &[]).await.unwrap(), 0);
            let sum: i64 = sqlx::query_scalar("SELECT CAST(SUM(n) AS BIGINT) FROM numbers")
                .fetch_one(&mut *tx)
                .await
                .unwrap();
            assert_eq!(sum, 149 * 150 / 2);
            tx.rollback().await.unwrap();
        }
    }

    #[test]
    fn lists_have_few_lengths_and_name_all() {
        for count in [0usize, 1, 2, 4, 5, 64, 65, 256, 257, 1_000] {
            let all: Vec<usize> = (0..count).collect();
            let mut named: Vec<usize> = Vec::new();
            for list in lists(&all) {
                assert!(LISTS.contains(&list.len()));
                named.extend(list);
            }
            named.dedup();
            assert_eq!(named, all);
        }
    }
}
