//! Whatever is asked for in whatever order: after each step all accounts sum to zero, `verify` finds
//! nothing, and what came in, went back and is put aside is what was asked for. What is charged is
//! what it would be without any of that.

use std::collections::BTreeMap;

use base::{id::TenantId, time::Timestamp};
use rand::{SeedableRng, rngs::StdRng};

use super::{
    random::seeds,
    script::{Act, Player, START, Step, draw},
};
use crate::{rating, testing::World};

const STEPS: usize = 45;

/// What the accounts must say, by the answers to what was asked for.
#[derive(Default)]
struct Asked {
    paid: i64,
    refunded: i64,
    /// By step: how much, until when.
    held: BTreeMap<usize, (i64, Timestamp)>,
}

impl Asked {
    fn note(&mut self, number: usize, now: Timestamp, act: &Act) {
        match *act {
            Act::Recharge { amount, .. } => self.paid += amount,
            Act::Refund { amount, .. } => self.refunded += amount.max(1),
            Act::Hold { amount, lasts_ms, .. } => {
                self.held.insert(number, (amount.max(1), now.saturating_add_ms(lasts_ms)));
            }
            Act::EndHold { hold, .. } => drop(self.held.remove(&hold)),
            _ => {}
        }
    }

    fn held(&self, now: Timestamp) -> i64 {
        self.held.values().filter(|(_, ends)| *ends > now).map(|(amount, _)| amount).sum()
    }
}

async fn check(player: &Player<'_>, asked: &Asked, what: &str) {
    player.w.assert_sound().await;
    let ledger = player.ledger().await;
    let of = |account: &str| ledger.get(account).copied().unwrap_or_default();
    assert_eq!(ledger.values().sum::<i64>(), 0, "{what}: {ledger:?}");
    assert_eq!(of("payments"), -asked.paid, "{what}");
    assert_eq!(of("refunds"), asked.refunded, "{what}");
    assert_eq!(of("holds"), asked.held(player.now), "{what}");
}

/// Net and tax of all that is charged for usage, by the tenant's name.
async fn charged(w: &World, now: Timestamp) -> Vec<(String, i64, i64)> {
    let tenants = w
        .read(async |conn| {
            let ids: Vec<String> =
                sqlx::query_scalar("SELECT tenant_id FROM accounts").fetch_all(conn).await?;
            Ok(ids)
        })
        .await;
    for tenant in tenants {
        let tenant: TenantId = tenant.parse().unwrap();
        w.write(async |tx| rating::catch_up(tx, now, tenant).await).await.unwrap();
    }
    w.read(async |conn| {
        Ok(sqlx::query_as(
            "SELECT t.name, CAST(SUM(c.net) AS BIGINT), CAST(SUM(c.tax) AS BIGINT) \
             FROM charges c JOIN tenants t ON t.id = c.tenant_id \
             JOIN rated_keys k ON k.tenant_id = c.tenant_id AND k.key_no = c.key_no \
             WHERE k.component <> 'package.package' GROUP BY t.name ORDER BY t.name",
        )
        .fetch_all(conn)
        .await?)
    })
    .await
}

async fn worlds() -> Vec<World> {
    let mut all = World::each_from(START.parse().unwrap()).await;
    for w in &mut all {
        w.settings.close_grace_ms = 3_600_000;
    }
    all
}

/// The same facts and prices at the same instants, and nothing else.
async fn usage_alone(w: &World, script: &[Step]) -> Vec<(String, i64, i64)> {
    let mut player = Player::new(w).await;
    for (number, step) in script.iter().enumerate() {
        player.wait(player.now.saturating_add_ms(step.after_ms)).await;
        if step.act.is_rated() {
            player.ask(number, &step.act).await;
        }
    }
    charged(w, player.now).await
}

#[tokio::test]
async fn scenario_16_whatever_is_asked_for_the_whole_ledger_is_sound() {
    for seed in 0..seeds() {
        let script = draw(&mut StdRng::seed_from_u64(seed), STEPS);
        for (w, plain) in worlds().await.iter().zip(&worlds().await) {
            let mut player = Player::new(w).await;
            let mut asked = Asked::default();
            for (number, step) in script.iter().enumerate() {
                player.wait(player.now.saturating_add_ms(step.after_ms)).await;
                if player.ask(number, &step.act).await.is_none() {
                    asked.note(number, player.now, &step.act);
                }
                check(&player, &asked, &format!("seed {seed}, step {number}: {:?}", step.act))
                    .await;
            }
            let all = charged(w, player.now).await;
            assert_eq!(all, usage_alone(plain, &script).await, "seed {seed}");
            check(&player, &asked, &format!("seed {seed}, at the end")).await;
        }
    }
}
