use base::{id::PriceVersionId, money::Nanos};
use proptest::prelude::*;

use super::*;
use crate::{
    prices::{
        document::{Minimum, Rate, Scope},
        model::{Model, Tier},
        tax::Tax,
        timeline::Found,
    },
    rating::engine::{Group, Groups},
};

fn compiled(model: Model, free: Option<i64>, minimum: Option<&str>) -> Compiled {
    let mut rate = Rate::standard("r", "instance.net_tx", Nanos(0));
    rate.model = model;
    rate.free = free;
    rate.minimum =
        minimum.map(|amount| Minimum { amount: amount.parse().unwrap(), per: Scope::Tenant });
    let found = Found { version: PriceVersionId::new(), rate: &rate, tax: Tax::default() };
    Compiled::new(&found).unwrap()
}

/// Whole units: so much up to 10, then so much.
fn volume(first: i64, then: i64) -> Model {
    let price = |units: i64| Nanos(units * 1_000_000_000);
    let first = Tier { up_to: Some(10), price: price(first) };
    Model::Volume(vec![first, Tier { up_to: None, price: price(then) }])
}

/// Of the groups of one walk, in whole units.
fn costs(rates: &[Compiled], measures: &[i64], stage: Stage) -> Vec<i128> {
    let member = |(number, measure): (u32, &i64)| Member {
        rank: number.into(),
        number,
        rate: number,
        measure: *measure,
    };
    let walk: Vec<Member> = (0u32..).zip(measures).map(member).collect();
    let cost = |member: &Member| cost(&walk, rates, member.number, stage).unwrap();
    walk.iter().map(|member| cost(member) / 1_000_000_000).collect()
}

#[test]
fn a_volumes_versions_take_their_tiers_from_the_whole_walk() {
    let rates = [compiled(volume(5, 3), None, None), compiled(volume(7, 4), None, None)];
    assert_eq!(costs(&rates, &[6, 4], Stage::Volume), [30, 28]);
    assert_eq!(costs(&rates, &[6, 5], Stage::Volume), [18, 20]);
    // The allowance comes first, and once.
    let free = [compiled(volume(5, 3), Some(4), None), compiled(volume(7, 4), Some(4), None)];
    assert_eq!(costs(&free, &[6, 4], Stage::Volume), [10, 28]);
    assert_eq!(costs(&free, &[6, 9], Stage::Volume), [6, 36]);
}

#[test]
fn a_minimum_belongs_to_the_last_version_that_was_used() {
    let rate = |minimum| compiled(Model::Standard(Nanos(1_000_000_000)), None, minimum);
    let rates = [rate(Some("20")), rate(Some("15")), rate(None)];
    assert_eq!(costs(&rates, &[4, 5, 0], Stage::Volume), [4, 5, 0]);
    assert_eq!(costs(&rates, &[4, 5, 0], Stage::Closed), [4, 11, 0]);
    assert_eq!(costs(&rates, &[4, 0, 0], Stage::Closed), [20, 0, 0]);
    assert_eq!(costs(&rates, &[4, 5, 1], Stage::Closed), [4, 5, 1], "the last has none");
    assert_eq!(costs(&rates, &[0, 0, 0], Stage::Closed), [0, 0, 0], "nothing was used");
    assert_eq!(costs(&rates, &[14, 9, 0], Stage::Closed), [14, 9, 0], "it is above");
}

proptest! {
    /// Whatever is told before the close and after it, in whatever pieces: in the end the groups
    /// come to what they would have come to had it all been known.
    #[test]
    fn a_close_in_the_middle_changes_no_sum(
        pieces in prop::collection::vec((0u32..2, 0i64..9), 1..12),
        closes in 0usize..12,
        minimum in prop::option::of(1i64..60),
    ) {
        let minimum = minimum.map(|units| units.to_string());
        let rate = |first, then| compiled(volume(first, then), Some(2), minimum.as_deref());
        let rates = [rate(5, 3), rate(7, 4)];
        let mut groups = Groups::default();
        let walk = groups.walk();
        for rate in [0, 1] {
            let (rank, stage) = (i64::from(rate), Stage::Open);
            groups.add(Group { rate, walk, rank, measure: 0, net: 0, tax: 0, stage });
        }
        let slice = |group: u32, quantity| Slice {
            key: group, group, from: 0, to: 1, quantity, opened: 0,
            quality: Quality::Observed, coverage_ppm: 1_000_000, kind: LineKind::Usage,
        };
        let mut lines = Vec::new();
        for (at, (group, quantity)) in pieces.iter().enumerate() {
            if at == closes {
                for group in groups.numbers() {
                    groups.set_stage(group, Stage::Closed);
                }
            }
            crate::rating::engine::rate(&[slice(*group, *quantity)], &rates, &mut groups, &mut lines);
        }
        for group in groups.numbers() {
            groups.set_stage(group, Stage::Closed);
        }
        let settle: Vec<Slice> = groups.numbers().map(|group| slice(group, 0)).collect();
        crate::rating::engine::rate(&settle, &rates, &mut groups, &mut lines);
        let of = |wanted: u32| -> i64 {
            pieces.iter().filter(|(group, _)| *group == wanted).map(|(_, quantity)| quantity).sum()
        };
        let wanted = costs(&rates, &[of(0), of(1)], Stage::Closed);
        let posted = groups.numbers().map(|group| i128::from(groups.get(group).net));
        prop_assert_eq!(posted.sum::<i128>(), wanted.iter().sum::<i128>() * 1_000_000);
        for (group, wanted) in groups.numbers().zip(wanted) {
            prop_assert_eq!(i128::from(groups.get(group).net), wanted * 1_000_000);
        }
    }
}
