//! Whether the books balance.

use base::{Result, db::Db};

use crate::ledger::verify;

/// What is wrong, by every invariant that `opshawk ledger verify` knows.
pub async fn faults(db: &Db) -> Result<Vec<String>> {
    let verified = verify::verify(db).await?;
    let fault = |f: &verify::Finding| format!("{} {}: {}", f.invariant, f.subject, f.detail);
    Ok(verified.findings.iter().map(fault).collect())
}
