//! Random scripts of everything that moves money, and a program that plays them: facts, payments,
//! gifts, holds, refunds, corrections, packages and corrected prices of two tenants, over the end of a
//! month, with rating, standing, closing and what ends by itself in between. Whoever asks keeps asking until it is
//! answered, as clients do, under a key that names the request.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    accounts,
    close::MonthReconciler,
    ledger::{
        self, Account, Bonus, Correction, Entry, LedgerReconciler, Recharge, Refund,
        holds::{self, End, NewHold},
        recharge::WithBonus,
        refunds,
        vouchers::{self, NewVoucher},
    },
    packages::{self, NewOrder, PackageReconciler},
    prices::{
        document::Document,
        publish::{Terms, publish},
    },
    rating::{self, RatingReconciler},
    standing::StandingReconciler,
    testing::{Guest, World},
    usage::{self, Fact, Resource, lost},
};
use base::{
    Error, ErrorKind, Result,
    db::Conn,
    id::{LedgerTransactionId, TenantId},
    money::{Micros, Nanos},
    reconcile::Reconciler,
    time::Timestamp,
};

mod acts;

pub use acts::{Act, Step, draw};

pub const START: &str = "2026-10-31T18:00:00+08:00";
const ACTOR: &str = "system:test";
const TENANTS: usize = 2;
const GUESTS: usize = 4;
const VOUCHERS: usize = 4;
/// Of a bonus or hold: it may end within the script.
const LASTS_MS: i64 = 6 * 3_600_000;
/// So often a request goes unanswered: its commit is died at before and after.
const UNANSWERED_MAX: usize = 2;
/// Of the deaths, after so many the books are looked at.
const LOOKS_EVERY: usize = 10;
/// Rounds of one instant; more would be a loop.
const ROUNDS_MAX: usize = 200;

/// Tiers over all of a tenant's instances with tax on top, then others after the month's end.
const PRICES: [(&str, &str); 2] = [
    (
        START,
        r#"{"tax":{"mode":"on_top","rate":"0.06"},"rates":[
            {"id":"c","component":"instance.compute","free":1,
             "graduated":[{"up_to":4,"price":"0.123456789"},{"price":"0.7"}]},
            {"id":"d","component":"instance.disk","price":"0.000777777"},
            {"id":"p","component":"package.package","price":"0.5"}]}"#,
    ),
    (
        "2026-11-01T02:30:00+08:00",
        r#"{"tax":{"mode":"included","rate":"0.19"},"rates":[
            {"id":"c","component":"instance.compute","price":"0.333333333"},
            {"id":"d","component":"instance.disk","package":{"size":5,"price":"0.3"}},
            {"id":"p","component":"package.package","price":"0.7"}]}"#,
    ),
];

/// The program's world, and what clients remember.
pub struct Player<'w> {
    pub w: &'w World,
    tenants: [TenantId; TENANTS],
    guests: Vec<Guest>,
    codes: Vec<String>,
    pub now: Timestamp,
    /// By step: recharges, holds.
    made: HashMap<usize, LedgerTransactionId>,
    /// How often the program died.
    pub deaths: usize,
    /// Nobody dies now: a client that was not answered twice is answered at last.
    pub spared: Arc<AtomicBool>,
}

impl<'w> Player<'w> {
    /// Two tenants with prices; the book is fresh.
    pub async fn new(w: &'w World) -> Self {
        let now: Timestamp = START.parse().unwrap();
        for (from, text) in PRICES {
            let document: Document = serde_json::from_str(text).unwrap();
            let effective_at = Some(from.parse().unwrap());
            let terms = Terms { effective_at, correction: None };
            w.write(async |tx| publish(tx, now, w.book, terms, &document).await).await.unwrap();
        }
        let other = w.write(async |tx| {
            let id = identity::tenants::create(tx, now, "beta").await?.id;
            accounts::open_account(tx, now, &w.settings, id, "CNY", Some(w.book)).await?;
            Ok(id)
        });
        let tenants = [w.tenant, other.await.unwrap()];
        let guest = |n: usize| Guest {
            id: format!("00000000-0000-7000-8000-{n:012}"),
            tenant: tenants[n % TENANTS],
            disk_gib: i64::try_from(n).unwrap(),
            ..w.guest(&format!("g{n}"))
        };
        let guests = (0..GUESTS).map(guest).collect();
        let mut codes = Vec::new();
        for n in 0..VOUCHERS {
            let voucher = NewVoucher {
                currency: "CNY",
                amount: Micros(400_000),
                tenant: (n == 0).then_some(tenants[1]),
                valid_from: now.saturating_add_ms(3_600_000),
                valid_to: None,
                bonus_expires: Some(now.saturating_add_ms(LASTS_MS)),
                memo: "",
                actor: ACTOR,
            };
            let made = w.write(async |tx| vouchers::create(tx, now, &voucher).await).await;
            codes.push(made.unwrap().1);
        }
        Self {
            w,
            tenants,
            guests,
            codes,
            now,
            made: HashMap::new(),
            deaths: 0,
            spared: Arc::default(),
        }
    }

    /// All of it, then some hours more; how each request was answered.
    pub async fn play(&mut self, script: &[Step]) -> Vec<Option<ErrorKind>> {
        let mut answers = Vec::new();
        for (number, step) in script.iter().enumerate() {
            self.wait(self.now.saturating_add_ms(step.after_ms)).await;
            answers.push(self.ask(number, &step.act).await);
        }
        let end: Timestamp = "2026-11-01T08:00:00+08:00".parse().unwrap();
        self.wait(end.max(self.now).saturating_add_ms(7_200_000)).await;
        answers
    }

    /// Until it is answered; the kind of error where it was refused.
    pub async fn ask(&mut self, number: usize, act: &Act) -> Option<ErrorKind> {
        let mut unanswered = 0;
        loop {
            self.spared.store(unanswered >= UNANSWERED_MAX, Ordering::Relaxed);
            let done = self.once(number, act).await;
            self.spared.store(false, Ordering::Relaxed);
            if self.died().await {
                unanswered += 1;
                continue;
            }
            match done {
                Ok(made) => {
                    self.made.extend(made.map(|id| (number, id)));
                    return None;
                }
                // It was redeemed, and we did not hear of it: a client sees that by its bonus.
                Err(error) if unanswered > 0 && matches!(act, Act::Redeem { .. }) => {
                    assert_eq!(error.kind, ErrorKind::Conflict, "{act:?}: {error:?}");
                    return None;
                }
                Err(error) => {
                    let refusals = [
                        ErrorKind::Conflict,
                        ErrorKind::Invalid,
                        ErrorKind::NotFound,
                        ErrorKind::PaymentRequired,
                    ];
                    assert!(refusals.contains(&error.kind), "{act:?}: {error:?}");
                    return Some(error.kind);
                }
            }
        }
    }

    /// Whether the program died; then another one is there, which finds the books sound.
    async fn died(&mut self) -> bool {
        if !self.w.db.has_died() {
            return false;
        }
        self.w.db.revive();
        self.deaths += 1;
        // Looking at all of it takes as long as the rest together.
        if self.deaths % LOOKS_EVERY == 1 {
            self.w.assert_sound().await;
        }
        true
    }

    async fn once(&self, number: usize, act: &Act) -> Result<Option<LedgerTransactionId>> {
        let key = format!("step-{number}");
        self.w
            .write(async |tx| match act {
                Act::Fact { .. } | Act::Lost { .. } => {
                    self.tell(tx, &key, act).await.map(|()| None)
                }
                Act::Order { .. } | Act::Cancel { .. } | Act::Reprice { .. } => {
                    self.sell(tx, &key, act).await.map(|()| None)
                }
                _ => self.move_money(tx, &key, act).await,
            })
            .await
    }

    /// As a host's report does: the fact and what it changes are one transaction.
    async fn tell(&self, conn: &mut Conn, key: &str, act: &Act) -> Result<()> {
        match act {
            Act::Fact { guest, tenant, state, back_ms } => {
                let guest = Guest { tenant: self.tenants[*tenant], ..self.guests[*guest].clone() };
                let at = self.now.saturating_add_ms(-back_ms);
                let fact = Fact { source_id: key.to_owned(), ..self.w.event(&guest, *state, at) };
                usage::record(conn, self.now, &fact).await?;
                rating::post_changed(conn, self.now, guest.tenant).await.map(|_| ())
            }
            Act::Lost { guest, ms, state } => {
                let guest = &self.guests[*guest];
                let fact = self.w.event(guest, *state, self.now);
                let lost = lost::Lost {
                    source: fact.source,
                    source_id: key.to_owned(),
                    resource: Resource { kind: "instance".to_owned(), id: guest.id.clone() },
                    from: self.now.saturating_add_ms(-*ms),
                    to: self.now,
                    state: fact.state,
                    attributes: fact.attributes,
                    policy: usage::gaps::GapPolicy::Cheaper,
                };
                lost::lost(conn, self.now, &lost).await.map(|_| ())
            }
            _ => Ok(()),
        }
    }

    /// What has no key of its own is looked for first, as whoever asks again would.
    async fn sell(&self, conn: &mut Conn, key: &str, act: &Act) -> Result<()> {
        let now = self.now;
        let named = async |conn: &mut Conn, tenant: usize, name: &str| -> Result<_> {
            let all = packages::list(conn, now, self.tenants[tenant]).await?;
            Ok(all.into_iter().find(|package| package.name == name))
        };
        match *act {
            Act::Order { tenant } if named(conn, tenant, key).await?.is_none() => {
                let tenant = self.tenants[tenant];
                let new = NewOrder { tenant, name: key, rate: "p", actor: ACTOR };
                packages::order(conn, now, &new).await.map(|_| ())
            }
            Act::Cancel { tenant, order } => {
                let ordered = named(conn, tenant, &format!("step-{order}")).await?;
                let ordered = ordered.ok_or_else(|| Error::not_found("what was not ordered"))?;
                packages::cancel(conn, now, self.tenants[tenant], ordered.id, ACTOR)
                    .await
                    .map(|_| ())
            }
            Act::Reprice { back_ms, nanos } if !is_published(conn, key).await? => {
                let price = Nanos(nanos);
                let document = format!(
                    r#"{{"tax":{{"mode":"on_top","rate":"0.06"}},"rates":[
                        {{"id":"c","component":"instance.compute","price":"{price}"}},
                        {{"id":"d","component":"instance.disk","price":"0.000777777"}},
                        {{"id":"p","component":"package.package","price":"{price}"}}]}}"#
                );
                let document: Document = serde_json::from_str(&document).unwrap();
                let start: Timestamp = START.parse().unwrap();
                let effective_at = Some(now.saturating_add_ms(-back_ms).max(start));
                let terms = Terms { effective_at, correction: Some(key) };
                publish(conn, now, self.w.book, terms, &document).await.map(|_| ())
            }
            _ => Ok(()),
        }
    }

    async fn move_money(
        &self,
        conn: &mut Conn,
        key: &str,
        act: &Act,
    ) -> Result<Option<LedgerTransactionId>> {
        let now = self.now;
        let lasts = |ms: i64| now.saturating_add_ms(ms);
        Ok(Some(match *act {
            Act::Recharge { tenant, amount, bonus, lasts_ms } => {
                let expires = Some(lasts(lasts_ms));
                let recharge = Recharge {
                    tenant: self.tenants[tenant],
                    bonus: bonus.map(|amount| WithBonus { amount: Micros(amount), expires }),
                    amount: Micros(amount),
                    ..self.w.payment("1", key)
                };
                ledger::recharge(conn, now, &recharge).await?.id()
            }
            Act::Bonus { tenant, amount, lasts_ms } => {
                let bonus = Bonus {
                    tenant: self.tenants[tenant],
                    amount: Micros(amount),
                    expires: Some(lasts(lasts_ms)),
                    key,
                    memo: "",
                    actor: ACTOR,
                };
                ledger::bonus(conn, now, &bonus).await?.id()
            }
            Act::Redeem { tenant, voucher } => {
                let code = &self.codes[voucher];
                vouchers::redeem(conn, now, self.tenants[tenant], code, ACTOR).await?.id()
            }
            Act::Hold { tenant, amount, lasts_ms } => {
                let tenant = self.tenants[tenant];
                rating::catch_up(conn, now, tenant).await?;
                let (amount, expires) = (Micros(amount.max(1)), lasts(lasts_ms));
                let new = NewHold { tenant, amount, purpose: "it", expires, key, actor: ACTOR };
                holds::hold(conn, now, &new).await?.id()
            }
            Act::EndHold { hold, post } => {
                let tax = Micros::ZERO;
                let how = post.map_or(End::Void, |net| End::Post { net: Micros(net), tax });
                holds::end(conn, now, self.before(hold)?, how, ACTOR).await?.id()
            }
            Act::Refund { recharge, amount } => {
                let recharge = self.before(recharge)?;
                let tenant = refunds::tenant_of(conn, recharge).await?;
                rating::catch_up(conn, now, tenant).await?;
                let amount = Micros(amount.max(1));
                let refund = Refund { recharge, amount, reason: "moving", key, actor: ACTOR };
                ledger::refund(conn, now, &refund).await?.id()
            }
            Act::Correct { tenant, account, amount } => {
                let size = Micros(amount.abs().max(1));
                let entries = match amount > 0 {
                    true => {
                        vec![Entry::debit(Account::Revenue, size), Entry::credit(account, size)]
                    }
                    false => {
                        vec![Entry::debit(account, size), Entry::credit(Account::Revenue, size)]
                    }
                };
                let correction = Correction {
                    tenant: self.tenants[tenant],
                    entries,
                    reason: "a wrong price",
                    memo: "",
                    corrects: None,
                    key,
                    actor: ACTOR,
                };
                ledger::correct(conn, now, &correction).await?.id()
            }
            Act::Limit { tenant, limit } => {
                let (tenant, limit) = (self.tenants[tenant], Micros(limit));
                accounts::set_credit_limit(conn, now, tenant, limit, ACTOR, "").await?;
                return Ok(None);
            }
            _ => return Ok(None),
        }))
    }

    /// What an earlier step made.
    fn before(&self, step: usize) -> Result<LedgerTransactionId> {
        self.made.get(&step).copied().ok_or_else(|| Error::not_found("what was not made"))
    }

    /// Time goes on to `to`, from instant to instant at which a loop wants to run.
    pub async fn wait(&mut self, to: Timestamp) {
        loop {
            let next = self.settle().await;
            if self.now >= to {
                return;
            }
            let soonest = self.now.saturating_add_ms(1);
            self.now = next.map_or(to, |next| next.max(soonest).min(to));
        }
    }

    /// Until nothing is due now; when the next thing is.
    async fn settle(&mut self) -> Option<Timestamp> {
        self.w.clock.set(self.now);
        for _ in 0..ROUNDS_MAX {
            let next = self.run_loops().await;
            if self.died().await {
                continue;
            }
            let next = next.unwrap();
            if next.is_none_or(|at| at > self.now) {
                return next;
            }
        }
        panic!("at {} there is always something more to do", self.now);
    }

    async fn run_loops(&self) -> Result<Option<Timestamp>> {
        let w = self.w;
        let (db, clock, bus) = (|| w.db.clone(), || w.clock.shared(), || w.bus.clone());
        let settings = || w.settings.clone();
        let ledger = LedgerReconciler::new(db(), clock(), bus());
        let mut next = Vec::new();
        for reconciler in [
            &RatingReconciler::new(db(), clock(), bus()) as &dyn Reconciler,
            &PackageReconciler::new(db(), clock(), bus()),
            &MonthReconciler::new(db(), clock(), bus(), settings()),
            &StandingReconciler::new(db(), clock(), bus(), settings()),
        ] {
            let outcome = reconciler.run().await?;
            let failed = &outcome.status["failed"];
            if failed.as_array().is_some_and(|failed| !failed.is_empty()) {
                return Err(Error::internal(format!("{}: {failed}", reconciler.name())));
            }
            next.extend(outcome.wake_at);
        }
        let (ended, failed) = ledger.end_what_is_over(self.now).await?;
        if !failed.is_empty() {
            return Err(Error::internal(format!("ledger: {failed:?}")));
        }
        // Money that ends wakes the others, over the bus.
        next.extend((ended > 0).then_some(self.now));
        next.extend(ledger.next_over().await?);
        Ok(next.into_iter().min())
    }

    /// Credits minus debits of all tenants, by account.
    pub async fn ledger(&self) -> BTreeMap<String, i64> {
        let rows: Vec<(String, i64)> = self
            .w
            .read(async |conn| {
                Ok(sqlx::query_as(
                    "SELECT account, CAST(SUM(CASE direction WHEN 'credit' THEN amount_micros \
                     ELSE -amount_micros END) AS BIGINT) FROM journal_entries GROUP BY account",
                )
                .fetch_all(conn)
                .await?)
            })
            .await;
        rows.into_iter().collect()
    }
}

/// Whether prices were corrected for that reason.
async fn is_published(conn: &mut Conn, reason: &str) -> Result<bool> {
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM price_documents WHERE reason = $1")
        .bind(reason)
        .fetch_one(conn)
        .await?;
    Ok(count > 0)
}
