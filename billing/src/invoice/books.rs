//! What invoices and credit notes move in the ledger.

use base::{Result, db::Conn, id::LedgerTransactionId, money::Micros, time::Timestamp};

use crate::{
    accounts::Locked,
    ledger::{self, Account, Entry, Kind, Posting, spend},
};

/// Brings what the tenant pays to the invoice's total: `rounding` is what that is above its lines.
pub(super) async fn round(
    conn: &mut Conn,
    locked: &mut Locked,
    now: Timestamp,
    month: &str,
    rounding: Micros,
) -> Result<()> {
    if rounding == Micros::ZERO {
        return Ok(());
    }
    let tenant = locked.tenant_id;
    let order = locked.settings.spend_order.unwrap_or_default();
    let entries = match rounding.0 {
        0.. => {
            let mut entries = spend::take(&locked.wallet, rounding, order);
            entries.push(Entry::credit(Account::Rounding, rounding));
            entries
        }
        _ => {
            let back = rounding.checked_neg()?;
            let mut entries = spend::put(&locked.wallet, back, Account::Cash);
            entries.push(Entry::debit(Account::Rounding, back));
            entries
        }
    };
    let posting = Posting {
        key: format!("rounding:{tenant}:{month}"),
        request: month.as_bytes(),
        kind: Kind::Rounding,
        at: now,
        entries,
        memo: "",
        reason: "",
        about: None,
        actor: "system:months",
    };
    ledger::append(conn, locked, now, &posting).await.map(|_| ())
}

/// Gives back what a credit note takes off an invoice: of a debt first, the rest as cash.
pub(super) async fn credit(
    conn: &mut Conn,
    locked: &mut Locked,
    now: Timestamp,
    note: &super::notes::CreditNote,
    actor: &str,
) -> Result<LedgerTransactionId> {
    let back = |amount: Micros| amount.checked_neg();
    let order = locked.settings.spend_order.unwrap_or_default();
    let entries = spend::spend(&locked.wallet, back(note.net)?, back(note.tax)?, order);
    let posting = Posting {
        key: format!("credit_note:{}", note.id),
        request: note.invoice_id.0.as_bytes(),
        kind: Kind::CreditNote,
        at: now,
        entries,
        memo: "",
        reason: &note.reason,
        about: None,
        actor,
    };
    Ok(ledger::append(conn, locked, now, &posting).await?.id())
}
