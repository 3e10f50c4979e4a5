//! What a tenant has: posted minus accrued at the asked instant. Reading changes nothing.

use base::{
    Error, Result,
    db::Conn,
    id::TenantId,
    money::{Micros, Nanos},
    time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    accounts::{self, Account, Locked},
    calendar::Month,
    forecast::{Position, exact},
    packages::renew,
    rating::{
        self, close, load,
        plan::{self, Usage},
    },
    standing::Standing,
    usage::FUTURE_MAX_MS,
};

/// Readings that may find the account changed under them, before giving up. One takes about as long as
/// a posting: where somebody posts without a pause, more of them are disturbed than not.
const READS_MAX: usize = 64;

/// A tenant's money at an instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Balance {
    pub currency: String,
    /// `posted` minus `accrued`.
    pub balance: Micros,
    /// With four decimals, as people read it.
    pub balance_display: String,
    /// The ledger's sum.
    pub posted: Micros,
    /// Used, but not posted yet; below zero where a late fact makes a correction due.
    pub accrued: Micros,
    /// Of what is posted: paid and not used.
    pub cash: Micros,
    /// Given and not used.
    pub bonus: Micros,
    /// Put aside: neither posted nor to be spent.
    pub held: Micros,
    /// How far below zero the balance may go.
    pub credit_limit: Micros,
    pub burn_per_hour: Nanos,
    /// When nothing will be left, if all goes on as it is; none: never.
    pub runs_out_at: Option<Timestamp>,
    pub standing: Standing,
    pub standing_since: Timestamp,
    /// What the standing means for the tenant, where it means something.
    pub message: Option<String>,
    pub at: Timestamp,
}

/// An account, what it uses, and where that leaves it.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub account: Account,
    pub usage: Usage,
    pub accrued: Micros,
    pub position: Position,
}

impl Snapshot {
    /// Posted minus accrued.
    pub fn balance(&self) -> Result<Micros> {
        self.account.posted.checked_sub(self.accrued)
    }
}

/// The balance at `at`, which is not before the last posting (an earlier instant is answered as of
/// that posting).
pub async fn balance(conn: &mut Conn, at: Timestamp, tenant: TenantId) -> Result<Balance> {
    let Snapshot { account, accrued, position, .. } = snapshot(conn, at, tenant).await?;
    let balance = account.posted.checked_sub(accrued)?;
    let runs_out_at = position.runs_out_at();
    Ok(Balance {
        balance,
        balance_display: balance.to_four_decimals(),
        posted: account.posted,
        accrued,
        cash: account.wallet.cash,
        bonus: account.wallet.bonus,
        held: account.wallet.holds,
        credit_limit: account.credit_limit,
        burn_per_hour: position.burn_per_hour(),
        runs_out_at,
        standing: account.standing,
        standing_since: account.standing_since,
        message: account.standing.message().map(str::to_owned),
        currency: account.currency,
        at,
    })
}

/// Posts all that is accrued at `now`: what was used, and the packages' months that have begun. In a
/// write transaction, before whatever must not give away or end what is used already. After the
/// commit the caller publishes `Topic::Money`.
pub async fn post_accrued(conn: &mut Conn, now: Timestamp, tenant: TenantId) -> Result<()> {
    rating::catch_up(conn, now, tenant).await?;
    renew::renew(conn, now, tenant).await.map(|_| ())
}

/// Of an account that is locked: nobody posts meanwhile.
pub(crate) async fn snapshot_locked(
    conn: &mut Conn,
    at: Timestamp,
    locked: &Locked,
) -> Result<Snapshot> {
    Read::of(conn, Account::clone(locked), at).await?.assess(at)
}

/// Reads until nobody posted meanwhile: outside of the account's lock the statements see different
/// moments.
pub(crate) async fn snapshot(conn: &mut Conn, at: Timestamp, tenant: TenantId) -> Result<Snapshot> {
    let mut account = accounts::get(conn, tenant).await?;
    for _ in 0..READS_MAX {
        let read = Read::of(conn, account, at).await?;
        account = accounts::get(conn, tenant).await?;
        if account.version == read.account.version {
            return read.assess(at);
        }
    }
    Err(Error::unavailable("the account is changing too fast to be read").remedy("try again"))
}

/// All that a balance is made of.
struct Read {
    account: Account,
    usage: Usage,
    packages: renew::Ahead,
}

impl Read {
    async fn of(conn: &mut Conn, account: Account, at: Timestamp) -> Result<Self> {
        let mut usage = load::load(conn, &account).await?;
        let packages = renew::ahead(conn, &account, &mut usage, at).await?;
        Ok(Self { account, usage, packages })
    }

    fn assess(mut self, at: Timestamp) -> Result<Snapshot> {
        let (used, mut position) = assess(&self.account, &mut self.usage, at)?;
        // Packages are charged whole when their months begin.
        let accrued = used.checked_add(self.packages.accrued)?;
        position.charge(self.packages.accrued);
        position.renew(self.packages.renewals);
        Ok(Snapshot { account: self.account, usage: self.usage, accrued, position })
    }
}

/// What is accrued, and the account's position: what a posting now would post, and what goes on.
/// The usage is rated by it. Pure.
pub(crate) fn assess(
    account: &Account,
    usage: &mut Usage,
    at: Timestamp,
) -> Result<(Micros, Position)> {
    // What was read by a clock that is ahead counts at once.
    let read = at.saturating_add_ms(FUTURE_MAX_MS);
    let mut plan = plan::plan(usage, |resource| at.max(resource.rated), read);
    rating::park_what_the_account_cannot_hold(account, usage, &mut plan);
    let lines = plan.lines.iter().map(|line| i128::from(line.net) + i128::from(line.tax));
    let month = Month::of(at, account.timezone);
    let at_close = close::accrued(&mut usage.book, |of| of < month);
    let accrued = i64::try_from(lines.sum::<i128>().saturating_add(at_close))
        .map(Micros)
        .map_err(|_| Error::internal("more is accrued than the account holds"))?;
    // What no longer fits will be parked when it is posted, and counts no further.
    usage.book.parked.extend(plan.parked.iter().map(|parked| parked.group));
    let left = exact(account.posted) + exact(account.credit_limit) - exact(accrued);
    Ok((accrued, going_on(account, usage, at, left)))
}

/// What goes on from `at`, and what the month has come to so far.
fn going_on(account: &Account, usage: &Usage, at: Timestamp, left: i128) -> Position {
    let spans = usage.resources.iter().flat_map(|resource| &resource.spans);
    let ahead = spans.filter(|span| span.to > at.ms()).cloned().collect();
    let book = usage.book.of_month(Month::of(at, account.timezone));
    Position::new(at, left, ahead, book, usage.prices.clone(), account.timezone)
}
