use proptest::prelude::*;

use base::{id::PriceVersionId, money::Nanos};

use super::*;
use crate::prices::{
    components::COMPUTE,
    document::Rate,
    model::{Model, Tier},
    tax::{Tax, TaxMode},
    timeline::Found,
};

fn compiled(component: &str, model: Model, tax: Tax) -> Compiled {
    let mut rate = Rate::standard("r", component, Nanos(0));
    rate.model = model;
    Compiled::new(&Found { version: PriceVersionId::new(), rate: &rate, tax }).unwrap()
}

fn hourly(nanos: i64) -> Compiled {
    let tax = Tax { mode: TaxMode::Included, rate: Micros(60_000) };
    compiled(COMPUTE, Model::Standard(Nanos(nanos)), tax)
}

/// By the unit: so much up to 10, then so much.
fn tiers(first: i64, then: i64) -> Vec<Tier> {
    vec![Tier { up_to: Some(10), price: Nanos(first) }, Tier { up_to: None, price: Nanos(then) }]
}

fn counted(model: Model) -> Compiled {
    compiled("instance.net_tx", model, Tax::default())
}

fn group(rate: u32, walk: u32, rank: i64) -> Group {
    Group { rate, walk, rank, measure: 0, net: 0, tax: 0, stage: Stage::Open }
}

fn split(net: i64) -> Split {
    Split { net: Micros(net), tax: Micros::ZERO }
}

fn slice(group: u32, from: i64, to: i64, quantity: i64) -> Slice {
    Slice {
        key: group,
        group,
        from,
        to,
        quantity,
        opened: 1,
        quality: Quality::Observed,
        coverage_ppm: WHOLE_PPM,
        kind: LineKind::Usage,
    }
}

/// The sums of net and tax.
fn sums(lines: &[Priced]) -> (i64, i64) {
    lines.iter().fold((0, 0), |(net, tax), line| (net + line.net, tax + line.tax))
}

proptest! {
    #[test]
    fn any_splitting_and_order_gives_the_same_sums(
        nanos in 0i64..5_000_000_000,
        pieces in prop::collection::vec((0i64..90_000_000, 1i64..50), 1..12),
        cuts in prop::collection::vec(0.0f64..1.0, 12),
        shuffle in any::<prop::sample::Index>(),
    ) {
        let rates = [hourly(nanos)];
        let mut whole = Vec::new();
        let mut split = Vec::new();
        let mut at = 0;
        for ((length, quantity), cut) in pieces.iter().zip(&cuts) {
            let to = at + length;
            whole.push(slice(0, at, to, *quantity));
            #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
            let middle = at + (*length as f64 * cut) as i64;
            split.push(slice(0, at, middle, *quantity));
            split.push(slice(0, middle, to, *quantity));
            at = to;
        }
        let turn = shuffle.index(split.len());
        split.rotate_left(turn);
        let run = |slices: &[Slice]| {
            let mut groups = Groups::default();
            let walk = groups.walk();
            groups.add(group(0, walk, 0));
            let mut out = Vec::new();
            assert!(rate(slices, &rates, &mut groups, &mut out).is_empty());
            assert_eq!(out.len(), slices.len());
            (sums(&out), *groups.get(0))
        };
        let (sum, end) = run(&whole);
        prop_assert_eq!(run(&split), (sum, end));
        prop_assert_eq!((end.net, end.tax), sum);
    }
}

#[test]
fn a_walk_goes_on_over_versions_and_gives_its_allowance_once() {
    let mut groups = Groups::default();
    let walk = groups.walk();
    let rates = [tiers(0, 1_000), tiers(0, 2_000)].map(|t| counted(Model::Graduated(t)));
    let (first, second) = (groups.add(group(0, walk, 0)), groups.add(group(1, walk, 1)));
    let mut out = Vec::new();
    rate(&[slice(first, 0, 1, 8), slice(second, 1, 2, 5)], &rates, &mut groups, &mut out);
    assert_eq!(sums(&out), (6, 0));
    // Three more of the first version, told late: the second's no longer has two of its units free.
    let late = Slice { kind: LineKind::Adjustment, ..slice(first, 0, 1, 3) };
    rate(&[late], &rates, &mut groups, &mut out);
    assert_eq!(sums(&out), (7, 0));
    assert_eq!(groups.residue(&rates, second), Ok(split(4)));
    assert_eq!(groups.residue(&rates, first), Ok(split(0)));
}

#[test]
fn what_overflows_is_put_back_and_the_others_stand() {
    let mut groups = Groups::default();
    for rate in [0, 1] {
        let walk = groups.walk();
        groups.add(group(rate, walk, 0));
    }
    let rates = [hourly(i64::MAX), hourly(360_000_000)];
    let hour = 3_600_000;
    let slices = [
        slice(0, 0, 1, 1),
        slice(1, 0, hour, 1),
        slice(0, 1, hour, 1_000_000),
        slice(0, hour, 2 * hour, 1),
    ];
    let mut out = Vec::new();
    let parked = rate(&slices, &rates, &mut groups, &mut out);
    assert_eq!(parked, [Parked { group: 0, why: Overflow }]);
    assert_eq!(out.len(), 1);
    assert_eq!(sums(&out).0 + sums(&out).1, 360_000);
    assert_eq!(*groups.get(0), group(0, 0, 0));
}

#[test]
fn a_volume_price_is_told_at_the_end_and_what_comes_later_moves_all_of_it() {
    let rates = [counted(Model::Volume(tiers(2_000, 1_000)))];
    let mut groups = Groups::default();
    let walk = groups.walk();
    groups.add(group(0, walk, 0));
    let mut out = Vec::new();
    rate(&[slice(0, 0, 1, 8)], &rates, &mut groups, &mut out);
    assert_eq!((sums(&out), groups.residue(&rates, 0)), ((0, 0), Ok(split(0))));
    groups.set_stage(0, Stage::Closed);
    assert_eq!(groups.residue(&rates, 0), Ok(split(16)));
    rate(&[slice(0, 1, 1, 0)], &rates, &mut groups, &mut out);
    assert_eq!(sums(&out), (16, 0));
    // Four more are in the second tier, and so are the eight.
    rate(&[slice(0, 1, 2, 4)], &rates, &mut groups, &mut out);
    assert_eq!(sums(&out), (12, 0));
}
