//! Recharges, stops, resizes, starts and reclaims at the same moment, drawn by seed: whoever comes
//! first, nothing is deleted that is paid for, and what runs in the end is what the money says.

use std::collections::BTreeSet;

use base::{
    ErrorKind, Result,
    db::Conn,
    id::{ImageId, InstanceId},
    time::Timestamp,
};
use identity::Actor;
use inventory::{
    hosts,
    instances::{self, Change, Hold, NewInstance, Power, Wanted},
    quotas::{self, Amounts, Resource},
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::standing::standing;
use crate::{
    accounts,
    admission::{self, Ask},
    ledger::{self, Recharge},
    meter,
    standing::{
        Standing,
        reclaim::{self, Claim},
    },
    testing::{Guest, World, at, micros, uuid_like},
    usage::ResourceState,
};

/// Drawn in every run; `make soak` draws more by `OPSHAWK_SOAK_SEEDS`.
const SEEDS: u64 = 12;
const ROUNDS: usize = 8;
/// At once, in one round.
const AT_ONCE: usize = 5;
const INSTANCES: usize = 3;
const PLENTY: i64 = 1_000_000;

fn seeds() -> u64 {
    std::env::var("OPSHAWK_SOAK_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(SEEDS)
}

#[tokio::test]
async fn recharge_stop_resize_and_reclaim_race_and_the_money_decides() {
    for mut w in World::each().await {
        (w.settings.grace_ms, w.settings.suspend_to_stop_ms) = (0, 0);
        (w.settings.stop_to_notice_ms, w.settings.notice_to_reclaim_ms) = (0, 1_000);
        w.settings.furthest = Standing::Reclaimed;
        w.settings.warnings_ms = vec![2_000, 500];
        w.settings.min_runway_ms = 1_000;
        w.settings.guard.tenants = i64::MAX;
        let image = w.with_host().await;
        make_room(&w).await;
        let prices = [(meter::instance(w.small), "3.6"), (meter::instance(w.large), "7.2")];
        w.publish(at("00:00"), &prices).await;
        for seed in 0..seeds() {
            let mut rng = StdRng::seed_from_u64(seed);
            fresh_tenant(&mut w, seed).await;
            Race { w: &w, image, guests: Vec::new() }.run(&mut rng, seed).await;
        }
        w.assert_sound().await;
    }
}

/// For the instances of thousands of seeds: a host takes so many, whatever its size.
async fn make_room(w: &World) {
    let facts = hosts::HostFacts {
        cpus: PLENTY,
        memory_mib: PLENTY * 1_024,
        disk_gib: PLENTY,
        ..Default::default()
    };
    let seen = hosts::Observation {
        generation: 0,
        hypervisor_ok: true,
        reason: None,
        remedy: None,
        facts,
    };
    w.write(async |tx| {
        for host in hosts::list(tx, None, 10).await? {
            hosts::observe(tx, at("00:00"), host.id, &seen).await?;
        }
        for n in 0..seeds() * INSTANCES as u64 / 2_000 {
            let host = hosts::create(tx, at("00:00"), &format!("more-{n}")).await?.id;
            hosts::observe(tx, at("00:00"), host, &seen).await?;
        }
        Ok(())
    })
    .await
    .unwrap();
}

/// A tenant of its own, so that one database serves many seeds.
async fn fresh_tenant(w: &mut World, seed: u64) {
    let (now, book, settings) = (at("09:00"), w.book, w.settings.clone());
    let tenant = w
        .write(async |tx| {
            let id = identity::tenants::create(tx, now, &format!("race-{seed}")).await?.id;
            quotas::create_defaults(tx, id).await?;
            for resource in Resource::ALL {
                quotas::set_limit(tx, id, resource, PLENTY).await?;
            }
            accounts::open_account(tx, now, &settings, id, "CNY", Some(book)).await?;
            Ok(id)
        })
        .await
        .unwrap();
    w.tenant = tenant;
}

struct Race<'w> {
    w: &'w World,
    image: ImageId,
    guests: Vec<Guest>,
}

/// What somebody does in a round.
#[derive(Debug, Clone, Copy)]
enum Move {
    Stand,
    Recharge,
    Post,
    /// Each by an instance's number.
    Claim(usize),
    Resize(usize),
    Ask(usize, Wanted),
}

impl Move {
    fn draw(rng: &mut StdRng) -> Self {
        let guest = rng.random_range(0..INSTANCES);
        match rng.random_range(0..9) {
            0..=2 => Self::Stand,
            3 => Self::Recharge,
            4 => Self::Post,
            5 => Self::Claim(guest),
            6 => Self::Resize(guest),
            7 => Self::Ask(guest, Wanted::Running),
            _ => Self::Ask(guest, Wanted::Stopped),
        }
    }
}

impl Race<'_> {
    async fn run(&mut self, rng: &mut StdRng, seed: u64) {
        let mut now = at("10:00");
        // A millionth lasts a millisecond while one small instance runs.
        self.pay(now, rng.random_range(1_000..6_000)).await.unwrap();
        for n in 0..INSTANCES {
            let id = self.w.create(self.image, &format!("i{n}")).await;
            let guest = Guest { id: id.to_string(), ..self.w.guest(&format!("i{n}")) };
            self.w.seen(&guest, ResourceState::Running, now).await;
            self.guests.push(guest);
        }
        for round in 0..ROUNDS {
            now = now.saturating_add_ms(rng.random_range(1..1_500));
            self.w.clock.set(now);
            let moves: [(Move, usize, i64); AT_ONCE] = std::array::from_fn(|_| {
                (Move::draw(rng), rng.random_range(0..20), rng.random_range(1..4_000))
            });
            let one = async |(what, yields, micros): (Move, usize, i64)| {
                for _ in 0..yields {
                    tokio::task::yield_now().await;
                }
                self.act(now, what, micros).await;
            };
            let [a, b, c, d, e] = moves;
            tokio::join!(one(a), one(b), one(c), one(d), one(e));
            self.converge(now).await;
            self.check(now, &format!("seed {seed}, round {round}, {moves:?}")).await;
        }
    }

    async fn pay(&self, now: Timestamp, amount: i64) -> Result<()> {
        let id = uuid_like();
        let payment = Recharge {
            tenant: self.w.tenant,
            amount: base::money::Micros(amount),
            provider: "bank",
            provider_id: &id,
            bonus: None,
            memo: "",
            actor: "system:test",
        };
        self.w.write(async |tx| ledger::recharge(tx, now, &payment).await).await.map(|_| ())
    }

    async fn act(&self, now: Timestamp, what: Move, amount: i64) {
        let w = self.w;
        match what {
            Move::Stand => {
                w.stand(now).await;
            }
            Move::Recharge => self.pay(now, amount).await.unwrap(),
            Move::Post => {
                w.post(now).await;
            }
            Move::Claim(n) => {
                let claim = w.write(async |tx| {
                    let done = reclaim::claim(tx, now, w.tenant, self.id(n)).await?;
                    // What the money is in the same transaction, by another way.
                    let left = accounts::balance(tx, now, w.tenant).await?.balance;
                    Ok((done, left))
                });
                match claim.await {
                    Ok((Claim::Taken, left)) => assert!(left <= micros("0"), "taken with {left}"),
                    Ok(_) => {}
                    // Deleted meanwhile, or changed at the same moment.
                    Err(e) => assert!(matches!(e.kind, ErrorKind::NotFound | ErrorKind::Conflict)),
                }
            }
            Move::Resize(n) => {
                let guest = &self.guests[n];
                let bigger = Guest { flavor: w.large, ..guest.clone() };
                let done = w.write(async |tx| {
                    let of = |flavor| meter::components(ResourceState::Running, flavor, 0);
                    let (old, new) = (of(guest.flavor), of(w.large));
                    let instance = Some(self.id(n));
                    let ask = Ask { instance, old: &old, new: &new, selected_by: None };
                    admission::admit_change(tx, now, &w.settings, w.tenant, ask).await?;
                    let instance = instances::get(tx, self.id(n)).await?;
                    if instance.effective() != Power::Running {
                        return Ok(());
                    }
                    let fact = w.event(&bigger, ResourceState::Running, now);
                    crate::usage::record(tx, now, &fact).await.map(|_| ())
                });
                allowed(done.await);
            }
            Move::Ask(n, wanted) => {
                let done = w.write(async |tx| self.ask(tx, now, n, wanted).await);
                allowed(done.await);
            }
        }
    }

    fn id(&self, n: usize) -> InstanceId {
        self.guests[n].id.parse().unwrap()
    }

    async fn ask(&self, conn: &mut Conn, now: Timestamp, n: usize, wanted: Wanted) -> Result<()> {
        let w = self.w;
        if wanted == Wanted::Running {
            let new = meter::components(ResourceState::Running, w.small, 0);
            admission::admit(conn, now, &w.settings, w.tenant, &new).await?;
        }
        let instance = instances::get(conn, self.id(n)).await?;
        let actor = Actor::system("test");
        let change = Change::Want(wanted);
        instances::change(conn, now, &actor, &instance, "instance.start", change).await?;
        Ok(())
    }

    /// The host does what is wanted, and tells of it; then standing looks again.
    async fn converge(&self, now: Timestamp) {
        let w = self.w;
        w.stand(now).await;
        for (n, guest) in self.guests.iter().enumerate() {
            let row = w.write(async |tx| instances::get(tx, self.id(n)).await).await;
            let Ok(instance) = row else { continue };
            let state = match instance.effective() {
                Power::Running => ResourceState::Running,
                Power::Paused => ResourceState::Paused,
                Power::Stopped => ResourceState::Stopped,
                Power::Absent => ResourceState::Absent,
            };
            w.seen(guest, state, now).await;
        }
        w.stand(now).await;
    }

    async fn check(&self, now: Timestamp, what: &str) {
        let w = self.w;
        let standing = standing(w).await;
        let balance = w.balance(now).await;
        let has_money = balance.balance > micros("0");
        if has_money {
            assert!(standing <= Standing::Warned, "{what}: {standing} with {balance:?}");
        }
        let reclaimed: BTreeSet<String> = {
            let mut conn = w.db.read().await.unwrap();
            let rows: Vec<(String, i64)> = sqlx::query_as(
                "SELECT resource_id, balance_micros FROM reclaims WHERE tenant_id = $1",
            )
            .bind(w.tenant.to_string())
            .fetch_all(&mut *conn)
            .await
            .unwrap();
            assert!(rows.iter().all(|(_, left)| *left <= 0), "{what}: {rows:?}");
            rows.into_iter().map(|(id, _)| id).collect()
        };
        for (n, guest) in self.guests.iter().enumerate() {
            let mut conn = w.db.read().await.unwrap();
            let Ok(instance) = instances::get(&mut conn, self.id(n)).await else {
                panic!("{what}: {} is gone", guest.name)
            };
            let deleted = instance.wanted == Wanted::Absent;
            assert_eq!(deleted, reclaimed.contains(&guest.id), "{what}: {}", guest.name);
            if !deleted {
                assert_eq!(instance.hold, standing.hold(), "{what}: {} at {standing}", guest.name);
            }
            if has_money && !deleted {
                assert_eq!(instance.hold, Hold::None, "{what}: {}", guest.name);
            }
        }
    }
}

/// Refused for want of money, or because another one came first.
fn allowed(done: Result<()>) {
    if let Err(e) = done {
        let fine = [ErrorKind::PaymentRequired, ErrorKind::Conflict, ErrorKind::NotFound];
        assert!(fine.contains(&e.kind), "{e:?}");
    }
}

#[tokio::test]
async fn five_creates_on_money_for_one_make_one() {
    for mut w in World::each().await {
        w.settings.min_runway_ms = 3_600_000;
        let image = w.with_host().await;
        w.price_small("0.36").await;
        w.topup(at("10:00"), "0.50").await;
        let create = |n: usize| {
            let (w, image) = (&w, image);
            async move {
                let new = NewInstance {
                    tenant_id: w.tenant,
                    name: format!("i{n}"),
                    flavor_id: w.small,
                    amounts: Amounts { vcpus: 1, memory_mib: 512, disk_gib: 1 },
                    image_id: image,
                    ssh_key: None,
                    user_data: None,
                    labels: Default::default(),
                };
                w.write(async |tx| {
                    let needs = meter::components(ResourceState::Running, w.small, 0);
                    let now = at("10:00");
                    admission::admit(tx, now, &w.settings, w.tenant, &needs).await?;
                    instances::create(tx, now, &Actor::system("test"), new).await.map(|_| ())
                })
                .await
            }
        };
        let done: [Result<()>; 5] =
            tokio::join!(create(0), create(1), create(2), create(3), create(4)).into();
        assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1);
        for error in done.into_iter().filter_map(Result::err) {
            assert_eq!(error.kind, ErrorKind::PaymentRequired);
        }
    }
}
