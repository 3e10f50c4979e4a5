//! What is asked for in a script, drawn at random.

use rand::{Rng, rngs::StdRng};

use super::{GUESTS, LASTS_MS, TENANTS, VOUCHERS};
use crate::{ledger::Account, usage::ResourceState};

/// What somebody asks for. Amounts are micro-units; tenants and guests are numbers, and what came
/// before is named by its step.
#[derive(Debug, Clone)]
pub enum Act {
    Fact {
        guest: usize,
        tenant: usize,
        state: ResourceState,
        back_ms: i64,
    },
    Lost {
        guest: usize,
        ms: i64,
        state: ResourceState,
    },
    Recharge {
        tenant: usize,
        amount: i64,
        bonus: Option<i64>,
        lasts_ms: i64,
    },
    Bonus {
        tenant: usize,
        amount: i64,
        lasts_ms: i64,
    },
    Redeem {
        tenant: usize,
        voucher: usize,
    },
    Hold {
        tenant: usize,
        amount: i64,
        lasts_ms: i64,
    },
    EndHold {
        hold: usize,
        post: Option<i64>,
    },
    Refund {
        recharge: usize,
        amount: i64,
    },
    Correct {
        tenant: usize,
        account: Account,
        amount: i64,
    },
    Limit {
        tenant: usize,
        limit: i64,
    },
    Order {
        tenant: usize,
    },
    /// What that step ordered.
    Cancel {
        tenant: usize,
        order: usize,
    },
    /// Of the past, for all tenants.
    Reprice {
        back_ms: i64,
        nanos: i64,
    },
}

impl Act {
    /// Whether what usage costs depends on it.
    pub fn is_rated(&self) -> bool {
        matches!(self, Self::Fact { .. } | Self::Lost { .. } | Self::Reprice { .. })
    }
}

/// After so long something is asked for.
#[derive(Debug, Clone)]
pub struct Step {
    pub after_ms: i64,
    pub act: Act,
}

pub fn draw(rng: &mut StdRng, steps: usize) -> Vec<Step> {
    let mut all = Vec::new();
    for _ in 0..steps {
        let after_ms = rng.random_range(0..1_500_000);
        let act = act(rng, &all);
        all.push(Step { after_ms, act });
    }
    all
}

fn act(rng: &mut StdRng, steps: &[Step]) -> Act {
    let before = steps.len();
    let tenant = rng.random_range(0..TENANTS);
    let amount = rng.random_range(1..3_000_000);
    let lasts_ms = rng.random_range(1..LASTS_MS);
    let states = [ResourceState::Running, ResourceState::Stopped, ResourceState::Paused];
    let state = states[rng.random_range(0..states.len())];
    match rng.random_range(0..30) {
        0..7 => {
            let guest = rng.random_range(0..GUESTS);
            // Told at once, late, or by a clock that is ahead; a few of them of another tenant.
            let back_ms = rng.random_range(-200_000..7_200_000i64).max(-60_000);
            let moved = rng.random_bool(0.15);
            Act::Fact { guest, tenant: (guest + usize::from(moved)) % TENANTS, state, back_ms }
        }
        7 => Act::Lost { guest: rng.random_range(0..GUESTS), ms: amount, state },
        8..11 => {
            let bonus = rng.random_bool(0.5).then(|| rng.random_range(1..1_000_000));
            Act::Recharge { tenant, amount, bonus, lasts_ms }
        }
        11..13 => Act::Bonus { tenant, amount, lasts_ms },
        13 => Act::Redeem { tenant, voucher: rng.random_range(0..VOUCHERS) },
        14..17 => Act::Hold { tenant, amount: amount / 3, lasts_ms },
        17..20 => {
            let post = rng.random_bool(0.6).then(|| rng.random_range(0..500_000));
            Act::EndHold { hold: rng.random_range(0..=before), post }
        }
        20..22 => Act::Refund { recharge: rng.random_range(0..=before), amount: amount / 2 },
        22 => {
            let accounts =
                [Account::Cash, Account::Bonus, Account::Receivable, Account::Promotions];
            let account = accounts[rng.random_range(0..accounts.len())];
            let sign = if rng.random_bool(0.5) { 1 } else { -1 };
            Act::Correct { tenant, account, amount: sign * amount / 4 }
        }
        23 => Act::Limit { tenant, limit: amount },
        24..28 => packages(rng, steps, tenant),
        _ => {
            let (back_ms, nanos) = (rng.random_range(1..LASTS_MS), amount * 300);
            Act::Reprice { back_ms, nanos }
        }
    }
}

/// Half of the time one of those that were ordered is cancelled.
fn packages(rng: &mut StdRng, steps: &[Step], tenant: usize) -> Act {
    let order = |(number, step): (usize, &Step)| match step.act {
        Act::Order { tenant } => Some(Act::Cancel { tenant, order: number }),
        _ => None,
    };
    let mut ordered: Vec<Act> = steps.iter().enumerate().filter_map(order).collect();
    match ordered.is_empty() || rng.random_bool(0.5) {
        true => Act::Order { tenant },
        false => ordered.swap_remove(rng.random_range(0..ordered.len())),
    }
}
