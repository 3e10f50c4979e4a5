//! Playing a file of prices, resources, facts and payments over a simulated clock, through the
//! modules that bill in earnest, so that an auditor can hold the product to figures of their own.
//!
//! ```text
//! text --file--> File --world--> database, clock
//!                  |                 |  steps: facts, money, prices, wishes
//!                  |                 |  host: what is wanted is done, and confirmed
//!                  |                 |  rating, standing, routing until nothing is due
//!                  |                 v
//!                expect <--compare-- report
//! ```
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`node`] | YAML with places: an error names the key, its line and what was expected |
//! | [`types`] | instants, durations, amounts, prices |
//! | [`file`] | the sections and keys; what a replay can't play is refused by name |
//! | `world` | a database with what the file names, and its clocks |
//! | `money` | bonuses, vouchers, holds, refunds, corrections; whether there is enough |
//! | `pricing` | books, versions and overrides |
//! | `months` | closing months, credit notes, names; the invoices |
//! | `packages` | ordering, cancelling, renewing packages |
//! | `shapes` | what resources were told to be, for facts that say a part of it |
//! | `machines` | instances: their facts, what is wanted of them |
//! | `host` | a simulated host, which does what is wanted and confirms it |
//! | `usage` | gaps, rulings, readings |
//! | `steer` | exemptions, approvals, the guard |
//! | `play` | the loop over instants |
//! | `sound` | whether the books balance, after every step |
//! | `report` | what came out, by names |
//! | [`compare`] | what was expected against it |
//!
//! docs/billing-replay.md describes the format. What it has and a replay can't play is an error here,
//! never a figure.

use async_trait::async_trait;
use base::{
    Error, Result,
    db::{Backend, Db},
    id::NoticeId,
    time::Timestamp,
};

pub mod compare;
pub mod file;
mod host;
mod machines;
mod money;
mod months;
pub mod node;
mod packages;
mod play;
mod pricing;
mod report;
mod shapes;
pub(crate) mod sound;
mod steer;
pub mod types;
mod usage;
mod world;

pub use compare::Difference;
pub use file::{File, parse};
pub use node::Unreadable;
pub use play::{Played, play};

/// Decides whom notices go to: alerting's part, which billing doesn't know.
#[async_trait]
pub trait Deliveries: Send + Sync {
    /// Routes the notices that are new; each with the channels it goes by.
    async fn route(&self, db: &Db, now: Timestamp) -> Result<Vec<(NoticeId, Vec<String>)>>;
}

/// Opens a database that has nothing in it, and makes its schema. Another one is left as it is.
pub async fn open_empty(url: &str) -> Result<Db> {
    let db = Db::connect(url).await?;
    let tables = match db.backend() {
        Backend::Sqlite => "SELECT COUNT(*) FROM sqlite_master",
        Backend::Postgres => {
            "SELECT COUNT(*) FROM information_schema.tables \
             WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
        }
    };
    let tables: i64 = sqlx::query_scalar(tables).fetch_one(&mut *db.read().await?).await?;
    db.close().await;
    if tables > 0 {
        return Err(Error::conflict("the database to replay in is not empty")
            .remedy("name an empty one, or none for a temporary one"));
    }
    Db::open(url).await
}

#[cfg(test)]
mod tests;
