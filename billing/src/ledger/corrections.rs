//! Corrections by hand: a transaction of its own, with a reason.

use base::{
    Error, Result,
    db::{Conn, found},
    id::{LedgerTransactionId, TenantId},
    money::Micros,
    time::Timestamp,
};

use super::{
    bonus::KEY_MAX_CHARS,
    chart::{Account, Entry, Kind, Wallet},
    recharge::MEMO_MAX_CHARS,
    store::{ENTRIES_MAX, Posting, Written, append},
};
use crate::{accounts, text};

#[derive(Debug, Clone)]
pub struct Correction<'a> {
    pub tenant: TenantId,
    /// Debits and credits of the same sum.
    pub entries: Vec<Entry>,
    pub reason: &'a str,
    pub memo: &'a str,
    /// The transaction that it puts right.
    pub corrects: Option<LedgerTransactionId>,
    /// Names it: the same one again changes nothing.
    pub key: &'a str,
    pub actor: &'a str,
}

/// Posts the entries. What they lead to must be as sound as what rating posts: nothing negative in a
/// pocket, no debt beside money. Holds and what providers know have their own ways.
pub async fn correct(conn: &mut Conn, now: Timestamp, new: &Correction<'_>) -> Result<Written> {
    let reason = text::reason(new.reason)?;
    text::bounded("memo", new.memo, 0, MEMO_MAX_CHARS)?;
    text::bounded("key", new.key, 1, KEY_MAX_CHARS)?;
    check_entries(&new.entries)?;
    let mut locked = accounts::lock(conn, new.tenant).await?;
    let entries: Vec<String> = new
        .entries
        .iter()
        .map(|e| format!("{} {} {}", e.direction.as_str(), e.account, e.amount))
        .collect();
    let request = format!("{}\n{}", new.tenant, entries.join("\n"));
    let key = format!("correction:{}:{}", new.tenant, new.key);
    if let Some(id) = super::store::known_request(conn, &key, request.as_bytes()).await? {
        return Ok(Written::Known(id));
    }
    check_wallet(&locked.wallet, &new.entries)?;
    if let Some(id) = new.corrects {
        let known: Option<i64> =
            sqlx::query_scalar("SELECT number FROM journal WHERE id = $1 AND tenant_id = $2")
                .bind(id.to_string())
                .bind(new.tenant.to_string())
                .fetch_optional(&mut *conn)
                .await?;
        found(known, format_args!("transaction {id} of the tenant"))
            .map_err(|e| e.in_field("corrects_id"))?;
    }
    let posting = Posting {
        key,
        request: request.as_bytes(),
        kind: Kind::Correction,
        at: now,
        entries: new.entries.clone(),
        memo: new.memo,
        reason,
        about: new.corrects,
        actor: new.actor,
    };
    append(conn, &mut locked, now, &posting).await
}

fn check_entries(entries: &[Entry]) -> Result<()> {
    if !(2..=ENTRIES_MAX).contains(&entries.len()) {
        return Err(Error::invalid("entries", format!("there are 2 to {ENTRIES_MAX} entries")));
    }
    if entries.iter().any(|entry| entry.amount <= Micros::ZERO) {
        return Err(Error::invalid("entries", "an entry's amount is above zero")
            .remedy("say by debit or credit which way it goes"));
    }
    // Two of one account could take it below zero and back, and what is left of each bonus follows
    // from its account's entries, one by one.
    let is_again = |(n, e): (usize, &Entry)| entries[..n].iter().any(|b| b.account == e.account);
    if let Some(n) = (0..entries.len()).find(|n| is_again((*n, &entries[*n]))) {
        let account = entries[n].account;
        return Err(Error::invalid("entries", format!("{account} is named twice"))
            .remedy("give each account one entry, of what it moves by"));
    }
    let sum: i128 = entries.iter().map(Entry::moves).sum();
    if sum != 0 {
        return Err(Error::invalid("entries", "the debits are not the credits"));
    }
    let forbidden = [Account::Holds, Account::Payments, Account::Refunds];
    match entries.iter().find(|entry| forbidden.contains(&entry.account)) {
        Some(entry) => Err(Error::invalid(
            "entries",
            format!("{} is moved by holds, recharges and refunds only", entry.account),
        )),
        None => Ok(()),
    }
}

fn check_wallet(wallet: &Wallet, entries: &[Entry]) -> Result<()> {
    let after = |account: Account, has: Micros| {
        let moved = entries.iter().filter(|e| e.account == account).map(Entry::moves);
        let balance = i64::try_from(i128::from(has.0) + moved.sum::<i128>());
        let balance = balance
            .map(Micros)
            .map_err(|_| Error::invalid("entries", format!("{account} can't hold as much")))?;
        match account.may_be(balance) {
            true => Ok(balance),
            false => Err(Error::invalid("entries", format!("{account} would be at {balance}"))),
        }
    };
    let cash = after(Account::Cash, wallet.cash)?;
    let bonus = after(Account::Bonus, wallet.bonus)?;
    let receivable = after(Account::Receivable, wallet.receivable)?;
    if receivable < Micros::ZERO && (cash > Micros::ZERO || bonus > Micros::ZERO) {
        return Err(Error::invalid("entries", "the tenant would owe and have money at once")
            .remedy("credit the receivable first, and debit it last"));
    }
    Ok(())
}
