//! All rows of a database as JSON lines, the same for SQLite and PostgreSQL, so that a backup of
//! the one can be restored into the other.
//!
//! ```text
//! {"format":"opshawk-rows","version":1,"migrations":[1,2,…]}      first line
//! {"table":"tenants","row":{"id":"0193…","name":"acme",…}}        then every row
//! {"end":true,"rows":1234}                                        last line
//! ```
//!
//! Tables come in the order of their creation, so that a row never comes before one that it refers
//! to. A dump without its last line is incomplete, and refused.

use std::io::{BufRead, Write};

use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::{Column, Row, ValueRef, any::AnyRow, any::AnyTypeInfoKind};

use super::{Backend, Conn, Db, migrate, placeholders};
use crate::error::{Error, Result};

const FORMAT: &str = "opshawk-rows";
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format: String,
    version: u32,
    migrations: Vec<i64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Row { table: String, row: Map<String, Value> },
    End { end: bool, rows: u64 },
}

/// Writes every row, as of one instant, while others go on writing. Returns how many.
pub async fn dump(db: &Db, out: &mut (dyn Write + Send)) -> Result<u64> {
    let mut tx = db.begin_snapshot().await?;
    let migrations = applied(&mut tx).await?;
    let header = Header { format: FORMAT.to_owned(), version: VERSION, migrations };
    write_line(out, &header)?;
    let mut rows = 0;
    for table in tables(&mut tx, db.backend).await? {
        let select = sqlx::AssertSqlSafe(format!("SELECT * FROM {table}"));
        let mut found = sqlx::query(select).fetch(&mut *tx);
        while let Some(row) = found.try_next().await? {
            write_line(out, &Line::Row { table: table.clone(), row: to_json(&row)? })?;
            rows += 1;
        }
    }
    write_line(out, &Line::End { end: true, rows })?;
    tx.rollback().await?;
    Ok(rows)
}

/// Fills the empty database at `url` and brings it up to this program's schema. All rows, or an
/// error and none.
pub async fn restore(url: &str, input: &mut (dyn BufRead + Send)) -> Result<u64> {
    let mut lines = input.lines();
    let mut next = move || {
        let line = lines.next().ok_or_else(|| broken("it ends before its last line"))?;
        line.map_err(|e| broken("it can't be read").source(e))
    };
    let header: Header = parse(&next()?)?;
    if header.format != FORMAT || header.version != VERSION {
        return Err(broken("it is in a format that this program does not know"));
    }
    let db = Db::connect(url).await?;
    migrate::run_only(&db, &header.migrations).await?;
    let mut tx = db.begin_write().await?;
    for table in tables(&mut tx, db.backend).await? {
        let any = sqlx::AssertSqlSafe(format!("SELECT 1 FROM {table} LIMIT 1"));
        if sqlx::query(any).fetch_optional(&mut *tx).await?.is_some() {
            return Err(Error::conflict("the database to restore into is not empty")
                .remedy("name a new data directory or an empty database"));
        }
    }
    let mut rows = 0;
    loop {
        match parse(&next()?)? {
            Line::Row { table, row } => {
                insert(&mut tx, &table, &row).await?;
                rows += 1;
            }
            Line::End { rows: said, .. } if said == rows => break,
            Line::End { .. } => return Err(broken("rows are missing")),
        }
    }
    tx.commit().await?;
    migrate::run(&db).await?;
    db.close().await;
    Ok(rows)
}

fn broken(why: &str) -> Error {
    Error::invalid("backup", format!("the backup is damaged: {why}")).remedy("use another backup")
}

fn parse<T: serde::de::DeserializeOwned>(line: &str) -> Result<T> {
    serde_json::from_str(line).map_err(|e| broken("a line can't be understood").source(e))
}

fn write_line(out: &mut (dyn Write + Send), line: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec(line).map_err(|e| Error::internal("no JSON").source(e))?;
    text.push(b'\n');
    out.write_all(&text).map_err(|e| {
        Error::unavailable("the backup can't be written").remedy("look for free space").source(e)
    })
}

async fn applied(conn: &mut Conn) -> Result<Vec<i64>> {
    let rows = sqlx::query("SELECT version FROM _sqlx_migrations ORDER BY version")
        .fetch_all(conn)
        .await?;
    rows.iter().map(|row| Ok(row.try_get("version")?)).collect()
}

/// Ours, in the order of their creation.
async fn tables(conn: &mut Conn, backend: Backend) -> Result<Vec<String>> {
    let list = match backend {
        Backend::Sqlite => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
             AND name <> '_sqlx_migrations' ORDER BY rowid"
        }
        Backend::Postgres => {
            "SELECT CAST(c.relname AS TEXT) AS name FROM pg_class c \
             JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind = 'r' AND n.nspname = current_schema() \
             AND c.relname <> '_sqlx_migrations' ORDER BY c.oid"
        }
    };
    let rows = sqlx::query(list).fetch_all(conn).await?;
    rows.iter().map(|row| Ok(row.try_get("name")?)).collect()
}

fn to_json(row: &AnyRow) -> Result<Map<String, Value>> {
    let mut map = Map::new();
    for column in row.columns() {
        let at = column.ordinal();
        let raw = row.try_get_raw(at)?;
        let kind = raw.type_info().kind();
        let value = match kind {
            _ if raw.is_null() => Value::Null,
            AnyTypeInfoKind::Text => Value::String(row.try_get(at)?),
            AnyTypeInfoKind::BigInt | AnyTypeInfoKind::Integer => {
                Value::from(row.try_get::<i64, _>(at)?)
            }
            other => {
                let message = format!("column {} holds {other:?}, not text or i64", column.name());
                return Err(Error::internal(message));
            }
        };
        map.insert(column.name().to_owned(), value);
    }
    Ok(map)
}

async fn insert(conn: &mut Conn, table: &str, row: &Map<String, Value>) -> Result<()> {
    let plain = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !plain(table) || !row.keys().all(|column| plain(column)) {
        return Err(broken("a name in it is no table or column"));
    }
    // A NULL is left out: the same statement text must bind the same types each time.
    let set: Vec<(&String, &Value)> = row.iter().filter(|(_, value)| !value.is_null()).collect();
    let columns: Vec<&str> = set.iter().map(|(name, _)| name.as_str()).collect();
    let statement = format!(
        "INSERT INTO {table} ({}) VALUES ({})",
        columns.join(", "),
        placeholders(1, columns.len())
    );
    let mut query = sqlx::query(sqlx::AssertSqlSafe(statement));
    for (_, value) in set {
        query = match value {
            Value::String(text) => query.bind(text.clone()),
            Value::Number(n) => query.bind(n.as_i64().ok_or_else(|| broken("a number is no i64"))?),
            _ => return Err(broken("a value is neither text nor a number")),
        };
    }
    query.execute(conn).await.map_err(|e| broken("a row does not fit its table").source(e))?;
    Ok(())
}

#[cfg(test)]
mod old_ledger;
#[cfg(test)]
mod tests;
