//! What changed is written at once, all of it by period, and what is no more ends.

use base::{
    bus::Bus,
    db::testing,
    time::{Clock, ManualClock},
};
use billing::{Settings, accounts, ledger, standing::StandingReconciler};
use timeseries::{Embedded, Matcher, Options, Select};

use super::*;

struct World {
    db: Db,
    clock: ManualClock,
    store: Arc<Embedded>,
    samples: MoneySamples,
    standing: StandingReconciler,
}

impl World {
    fn new(db: Db, store: Arc<Embedded>, clock: ManualClock) -> Self {
        let driver = Arc::new(Driver::new(clock.shared()));
        let samples = MoneySamples::new(db.clone(), clock.shared(), store.clone(), &driver);
        let standing = StandingReconciler::new(
            db.clone(),
            clock.shared(),
            Bus::default(),
            Settings::default(),
        );
        Self { db, clock, store, samples, standing }
    }

    async fn tenant(&self, name: &str) -> TenantId {
        let now = self.clock.now();
        let mut tx = self.db.begin_write().await.unwrap();
        let id = identity::tenants::create(&mut tx, now, name).await.unwrap().id;
        accounts::open_account(&mut tx, now, &Settings::default(), id, "CNY", None).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    async fn topup(&self, tenant: TenantId, amount: &str) {
        let provider_id = format!("{tenant} {}", self.clock.now());
        let recharge = ledger::Recharge {
            tenant,
            amount: amount.parse().unwrap(),
            provider: "bank",
            provider_id: &provider_id,
            bonus: None,
            memo: "",
            actor: "system:test",
        };
        let mut tx = self.db.begin_write().await.unwrap();
        ledger::recharge(&mut tx, self.clock.now(), &recharge).await.unwrap();
        tx.commit().await.unwrap();
        self.standing.run().await.unwrap();
    }

    /// `ms` later it runs; when it wants to run again, in milliseconds.
    async fn runs_after(&self, ms: i64) -> i64 {
        self.clock.set(self.clock.now().saturating_add_ms(ms));
        let done = self.samples.run().await.unwrap();
        assert_eq!(done.status["rejected"], 0);
        done.wake_at.unwrap().since_ms(self.clock.now())
    }

    /// The samples of the tenant's series of that name: how old, in milliseconds, and the value.
    async fn written(&self, name: &str, tenant: TenantId) -> Vec<(i64, f64)> {
        let now = self.clock.now().ms();
        let found = self
            .store
            .select(Select {
                matchers: vec![
                    Matcher::equal("__name__", name),
                    Matcher::equal("tenant", tenant.to_string()),
                ],
                start_ms: 0,
                end_ms: now,
                max_samples: 1_000,
                max_bytes: 1 << 20,
                newest_only: false,
            })
            .await
            .unwrap();
        let samples = found.into_iter().flat_map(|series| series.samples);
        samples.map(|sample| (now - sample.at_ms, sample.value)).collect()
    }
}

#[tokio::test]
async fn who_was_looked_at_is_written_at_once_and_all_by_period() {
    for test in testing::each().await {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::at("2026-10-15T10:00:00Z".parse().unwrap());
        let store = Embedded::open(dir.path(), Options::default(), clock.shared()).await.unwrap();
        let w = World::new(test.db.clone(), Arc::new(store), clock);
        let (acme, other) = (w.tenant("acme").await, w.tenant("other").await);
        w.topup(acme, "5").await;
        w.topup(other, "7").await;
        let balances = async |tenant| w.written("opshawk_tenant_balance", tenant).await;
        assert_eq!(w.runs_after(5_000).await, 15_000);
        assert_eq!((balances(acme).await, balances(other).await), (vec![(0, 5.0)], vec![(0, 7.0)]));
        // Payments come each second: they are written, and nobody else is.
        w.clock.set(w.clock.now().saturating_add_ms(5_000));
        for second in 6..15 {
            w.clock.set(w.clock.now().saturating_add_ms(1_000));
            w.topup(acme, "1").await;
            assert!(w.runs_after(0).await <= 15_000 - second * 1_000);
        }
        assert_eq!(balances(acme).await.last(), Some(&(0, 14.0)));
        assert_eq!(balances(other).await, [(14_000, 7.0)]);
        assert_eq!(w.runs_after(1_000).await, 15_000);
        assert_eq!(balances(other).await, [(15_000, 7.0), (0, 7.0)]);
        w.store.close().await.unwrap();
    }
}

fn labels(standing: &str) -> Labels {
    Labels::metric("opshawk_tenant_standing", &[("standing", standing)])
}

#[test]
fn what_a_tenant_left_ends_when_it_is_written_and_who_is_gone_with_all() {
    let (acme, other) = (TenantId::new(), TenantId::new());
    let of = |owner, standing| (Some(owner), BTreeSet::from([labels(standing)]));
    let mut last = Last::default();
    assert!(matches!(last.which(1_000_000), Which::All));
    last.wrote(1_000_000, Which::All, BTreeMap::from([of(acme, "active"), of(other, "warned")]));
    let which = last.which(1_003_000);
    let Which::LookedSince(since) = which else { panic!("{which:?}") };
    assert_eq!(since.ms(), 1_000_000 - LOOK_MS);
    let now = BTreeMap::from([of(acme, "overdue")]);
    assert_eq!(last.ended(which, &now), [labels("active")]);
    last.wrote(1_003_000, which, now);
    assert_eq!((last.count(), last.next().ms()), (2, 1_004_000));
    // The period passed, or the clock was set back.
    assert!(matches!(last.which(1_015_000), Which::All));
    assert!(matches!(last.which(999_000), Which::All));
    let now = BTreeMap::from([of(acme, "overdue")]);
    assert_eq!(last.ended(Which::All, &now), [labels("warned")]);
    last.wrote(1_015_000, Which::All, now);
    assert_eq!(last.count(), 1);
}
