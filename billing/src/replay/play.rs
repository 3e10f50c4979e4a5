//! The loop: from instant to instant, what the file says and what follows from it.

use std::collections::BTreeMap;

use base::{
    Error, ErrorKind, Result,
    db::Db,
    id::NoticeId,
    reconcile::{Outcome, Reconciler},
    time::Timestamp,
};
use serde_json::Value;

use super::{
    Deliveries, Difference,
    compare::compare,
    file::{Action, Crash, Expect, Fact, File, KINDS_OF_ERROR, Recharge, Step},
    months, packages, report, sound,
    world::{ACTOR, World},
};
use crate::{
    accounts, agenda,
    ledger::{self, LedgerReconciler},
    prices::assign,
    rating::{self, RatingReconciler},
    standing::StandingReconciler,
    usage::Recorded,
};

/// Rounds of one instant; more would be a loop.
pub const ROUNDS_MAX: usize = 1_000;
/// Instants of one replay: a century of hours has fewer.
pub const INSTANTS_MAX: usize = 1_000_000;

/// What a replay came to.
#[derive(Debug)]
pub struct Played {
    pub report: Value,
    /// In the order in which they were met; none where all is as the file says.
    pub differences: Vec<Difference>,
}

/// Plays the file in a database that [`super::open_empty`] made.
pub async fn play(db: &Db, file: &File, deliveries: &dyn Deliveries) -> Result<Played> {
    let at = |instant, mut error: Error| {
        error.message = format!("at {}: {}", file.times.show(instant), error.message);
        error
    };
    let world = World::build(db.clone(), file).await;
    let mut player = Player {
        world: world.map_err(|error| at(file.start, error))?,
        deliveries,
        channels: BTreeMap::new(),
        rating_at: None,
        standing_at: None,
        over_at: None,
        months_at: None,
        packages_at: None,
        crash: None,
        differences: Vec::new(),
    };
    match player.run().await {
        Ok(report) => Ok(Played { report, differences: player.differences }),
        Err(error) => Err(at(player.world.now, error)),
    }
}

struct Player<'f> {
    world: World<'f>,
    deliveries: &'f dyn Deliveries,
    channels: BTreeMap<NoticeId, Vec<String>>,
    /// When the reconcilers want to run again, by the server's clock.
    rating_at: Option<Timestamp>,
    standing_at: Option<Timestamp>,
    over_at: Option<Timestamp>,
    months_at: Option<Timestamp>,
    packages_at: Option<Timestamp>,
    crash: Option<Crash>,
    differences: Vec<Difference>,
}

impl Player<'_> {
    /// To the file's end; the report.
    async fn run(&mut self) -> Result<Value> {
        let file = self.world.file;
        let mut steps = file.steps.iter().peekable();
        for _ in 0..INSTANTS_MAX {
            while let Some(step) = steps.next_if(|step| step.at <= self.world.now) {
                self.step(step).await?;
            }
            self.settle().await?;
            if self.world.now >= file.end {
                return self.end().await;
            }
            let next = self.next(steps.peek().map(|step| step.at));
            self.world.now = next.min(file.end);
        }
        Err(Error::invalid("end", format!("a replay has at most {INSTANTS_MAX} instants")))
    }

    async fn step(&mut self, step: &Step) -> Result<()> {
        for _ in 0..step.repeat {
            let done = match &step.action {
                Action::Expect(expect) => {
                    self.settle().await?;
                    self.check(expect).await?;
                    Ok(())
                }
                action => self.act(&step.path, action).await,
            };
            match done {
                // What no request can be refused as is a fault of ours, or of the machine's.
                Err(error) if word(error.kind).is_none() => return Err(error),
                done => self.note_refusal(step, done),
            }
            self.check_books(&step.path).await?;
        }
        Ok(())
    }

    /// Notes where a step was refused and should not have been, or the other way round.
    fn note_refusal(&mut self, step: &Step, done: Result<()>) {
        let found = done.as_ref().err().map(|error| error.kind);
        if found == step.refused {
            return;
        }
        let shown = match &done {
            Ok(()) => "taken".to_owned(),
            Err(error) => format!("refused as {}: {error}", word(error.kind).unwrap_or_default()),
        };
        let expected = step.refused.and_then(word);
        let expected = expected.map_or("taken".to_owned(), |word| format!("refused: {word}"));
        self.differ(step.path.clone(), expected, shown);
    }

    fn differ(&mut self, path: String, expected: String, found: String) {
        self.differences.push(Difference { path, expected, found });
    }

    async fn act(&mut self, path: &str, action: &Action) -> Result<()> {
        match action {
            Action::Fact(fact) => self.fact(path, fact).await,
            Action::Lost(lost) => self.world.lost(path, lost).await,
            Action::Confirm(confirm) => self.world.confirm_gap(confirm).await,
            Action::Rule(rule) => self.world.rule(rule).await,
            Action::Counter(counter) => self.world.counter(counter).await,
            Action::Recharge(recharge) => self.recharge(recharge).await,
            Action::Money(money) => self.world.money(money).await,
            Action::Publish(publish) => self.world.publish(publish).await,
            Action::Override(given) => self.world.give(given).await,
            Action::Assign { tenant, book, from } => {
                let (tenant, book) = (self.world.tenants[tenant], self.world.books[book]);
                let mut tx = self.world.db.begin_write().await?;
                assign::assign(&mut tx, self.world.server_now(), tenant, book, *from).await?;
                Ok(tx.commit().await?)
            }
            Action::Set { settings, tenant: None, .. } => {
                settings.apply(&mut self.world.settings);
                // The grace may be another one.
                self.months_at = None;
                let mut tx = self.world.db.begin_write().await?;
                // As after a restart with another configuration.
                agenda::make_stale(&mut tx).await?;
                Ok(tx.commit().await?)
            }
            Action::Set { settings, tenant: Some(tenant), credit_limit, spend_order } => {
                let (now, tenant) = (self.world.server_now(), self.world.tenants[tenant]);
                let mut tx = self.world.db.begin_write().await?;
                let set = |own: &mut accounts::AccountSettings| {
                    own.credit_limit = credit_limit.or(own.credit_limit);
                    own.spend_order = spend_order.or(own.spend_order);
                    own.gap_policy = settings.gap_policy.or(own.gap_policy);
                    own.standing.take(settings.rules.clone());
                };
                accounts::change(&mut tx, now, tenant, ACTOR, "", set).await?;
                Ok(tx.commit().await?)
            }
            Action::Steer(steer) => self.world.steer(steer).await,
            Action::Want { resource, power } => self.world.want(resource, *power).await,
            Action::Lock { resource, locked } => self.world.lock(resource, *locked).await,
            Action::Close { tenant, month } => months::close(&mut self.world, tenant, *month).await,
            Action::CreditNote { tenant, month, amount, reason } => {
                months::credit(&self.world, tenant, *month, *amount, reason).await
            }
            Action::Rename { tenant, to } => months::rename(&self.world, tenant, to).await,
            Action::Rerate { tenant, from } => {
                months::rerate(&self.world, tenant.as_ref(), *from).await
            }
            Action::Order { package } => packages::order(&mut self.world, package).await,
            Action::Cancel { package } => packages::cancel(&self.world, package).await,
            Action::Rating { up } => {
                self.world.rating = *up;
                Ok(())
            }
            Action::Clock { by_ms } => {
                self.world.ahead_ms = self.world.ahead_ms.saturating_add(*by_ms);
                Ok(())
            }
            Action::Crash(crash) => {
                self.crash = Some(*crash);
                Ok(())
            }
            Action::Expect(_) => Ok(()),
        }
    }

    async fn fact(&mut self, path: &str, fact: &Fact) -> Result<()> {
        let recorded = self.world.fact(fact).await?;
        for (key, wanted, found) in [
            ("quarantined", fact.quarantined, recorded == Recorded::Quarantined),
            ("parked", fact.parked, matches!(recorded, Recorded::Parked { .. })),
        ] {
            if wanted.is_some_and(|wanted| wanted != found) {
                let (path, expected) = (format!("{path}.fact.{key}"), !found);
                self.differ(path, expected.to_string(), found.to_string());
            }
        }
        Ok(())
    }

    /// One that comes again with another amount is told to the operators, as it must be: in a
    /// transaction of its own.
    async fn recharge(&mut self, recharge: &Recharge) -> Result<()> {
        let now = self.world.server_now();
        let tenant = self.world.tenants[&recharge.tenant];
        let id = recharge.id.clone();
        let id = id.unwrap_or_else(|| base::id::OperationId::new().to_string());
        let payment = ledger::Recharge {
            tenant,
            amount: recharge.amount,
            provider: &recharge.provider,
            provider_id: &id,
            bonus: recharge.bonus,
            memo: "",
            actor: ACTOR,
        };
        let mut tx = self.world.db.begin_write().await?;
        match ledger::recharge(&mut tx, now, &payment).await {
            Ok(written) => {
                tx.commit().await?;
                let key = (recharge.provider.clone(), id);
                self.world.money.recharges.insert(key, written.id());
                Ok(())
            }
            Err(error) if error.kind == ErrorKind::Conflict => {
                tx.rollback().await?;
                let mut tx = self.world.db.begin_write().await?;
                ledger::recharge::report(&mut tx, now, &payment).await?;
                tx.commit().await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Runs the host, rating, the ledger, standing and routing until none of them has anything to do now.
    async fn settle(&mut self) -> Result<()> {
        for _ in 0..ROUNDS_MAX {
            let now = self.world.server_now();
            if self.world.rating {
                self.rating_at = self.rate().await?;
            }
            // After what was used until now is posted.
            if self.world.rating {
                self.over_at = self.end_what_is_over().await?;
                self.packages_at = packages::run(&self.world).await?;
            }
            // A closing rounds, which moves the balance: standing looks after it.
            if self.world.rating && self.months_at.is_none_or(|at| at <= now) {
                self.months_at = months::run(&mut self.world).await?;
            }
            self.standing_at = self.stand().await?;
            self.world.look().await?;
            let confirmed = self.world.confirm().await?;
            let due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
            let posting = [self.rating_at, self.over_at, self.packages_at];
            let posting_due = self.world.rating && posting.into_iter().any(due);
            if !(confirmed || posting_due || due(self.standing_at)) {
                let routed = self.deliveries.route(&self.world.db, now).await?;
                self.channels.extend(routed);
                return Ok(());
            }
        }
        let now = self.world.now;
        Err(Error::internal(format!("at {now} there is always something more to do")))
    }

    /// When rating wants to run again. A poster that was to die does so.
    async fn rate(&mut self) -> Result<Option<Timestamp>> {
        if self.crash == Some(Crash::BeforeCommit) && self.dies_before_commit().await? {
            self.crash = None;
        }
        let first = self.run_rating().await?;
        if self.crash == Some(Crash::AfterCommit) && first.status["lines"] != 0 {
            // Nobody heard that it was committed: another one takes its place, and looks again.
            self.crash = None;
            return Ok(self.run_rating().await?.wake_at);
        }
        Ok(first.wake_at)
    }

    async fn run_rating(&self) -> Result<Outcome> {
        let (world, clock) = (&self.world, self.world.clock());
        let rating = RatingReconciler::new(world.db.clone(), clock, world.bus.clone());
        sound_outcome(rating.run().await?)
    }

    /// Of bonuses and holds; when the next is over.
    async fn end_what_is_over(&self) -> Result<Option<Timestamp>> {
        let (world, clock) = (&self.world, self.world.clock());
        let ledger = LedgerReconciler::new(world.db.clone(), clock, world.bus.clone());
        let (_, failed) = ledger.end_what_is_over(world.server_now()).await?;
        match failed.first() {
            Some(first) => Err(Error::internal(format!("what is over can't be ended: {first}"))),
            None => ledger.next_over().await,
        }
    }

    async fn stand(&self) -> Result<Option<Timestamp>> {
        let (world, clock) = (&self.world, self.world.clock());
        let (bus, settings) = (world.bus.clone(), world.settings.clone());
        let standing = StandingReconciler::new(world.db.clone(), clock, bus, settings);
        Ok(sound_outcome(standing.run().await?)?.wake_at)
    }

    /// Posts all that is accrued, and is gone before the commit. False where nothing was.
    async fn dies_before_commit(&self) -> Result<bool> {
        let mut lines = 0;
        for tenant in self.world.tenants.values() {
            let mut tx = self.world.db.begin_write().await?;
            lines += rating::post(&mut tx, self.world.server_now(), *tenant).await?.lines;
            tx.rollback().await?;
        }
        Ok(lines > 0)
    }

    /// The next instant at which something happens.
    fn next(&self, step: Option<Timestamp>) -> Timestamp {
        let world = &self.world;
        let rating = self.rating_at.filter(|_| world.rating).map(|at| world.right(at));
        let standing = self.standing_at.map(|at| world.right(at));
        let months = self.months_at.filter(|_| world.rating).map(|at| world.right(at));
        let over = self.over_at.filter(|_| world.rating).map(|at| world.right(at));
        let packages = self.packages_at.filter(|_| world.rating).map(|at| world.right(at));
        let hosts = world.next_confirmation();
        let all = [step, rating, standing, over, months, packages, hosts, Some(world.file.end)];
        let next = all.into_iter().flatten().min().unwrap_or(world.file.end);
        // What is due now was done.
        next.max(world.now.saturating_add_ms(1))
    }

    async fn report(&self) -> Result<Value> {
        report::report(&self.world, &self.channels).await
    }

    async fn check(&mut self, expect: &Expect) -> Result<()> {
        self.differences.extend(compare(expect, &self.report().await?));
        Ok(())
    }

    async fn check_books(&mut self, path: &str) -> Result<()> {
        let faults = sound::faults(&self.world.db).await?;
        for fault in faults {
            self.differ(format!("{path}: the books"), "balanced".to_owned(), fault);
        }
        Ok(())
    }

    async fn end(&mut self) -> Result<Value> {
        self.check_books("end").await?;
        let report = self.report().await?;
        if let Some(expect) = &self.world.file.expect {
            self.differences.extend(compare(expect, &report));
        }
        Ok(report)
    }
}

/// As a file calls it.
fn word(kind: ErrorKind) -> Option<&'static str> {
    KINDS_OF_ERROR.iter().find(|(_, known)| *known == kind).map(|(word, _)| *word)
}

/// A reconciler goes on past what failed for one tenant; a replay doesn't.
pub(super) fn sound_outcome(outcome: Outcome) -> Result<Outcome> {
    match outcome.status["failed"].as_array() {
        Some(failed) if !failed.is_empty() => {
            Err(Error::internal(format!("a tenant can't be worked on: {}", failed[0])))
        }
        _ => Ok(outcome),
    }
}
