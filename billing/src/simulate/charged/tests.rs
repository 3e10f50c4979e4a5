use std::sync::Arc;

use base::id::PriceBookId;

use super::*;
use crate::{
    prices::{
        document::Document,
        timeline::{Assignment, Published, Sources, Version},
    },
    testing::at,
};

fn timeline(versions: &[(&str, &str)]) -> Timeline {
    let book = PriceBookId::new();
    let published = |(from, document): &(&str, &str)| {
        let document: Document = serde_json::from_str(document).unwrap();
        let version = Arc::new(Version::new(PriceVersionId::new(), document));
        Published { book, effective_at: at(from), version }
    };
    Timeline::new(&Sources {
        assignments: vec![Assignment { from: at("00:00"), book }],
        versions: versions.iter().map(published).collect(),
        ..Sources::default()
    })
}

fn volumes(all: &[(i64, &str, &str)], from: &str) -> Used {
    let stretch = |(index, (gib, from, to)): (usize, &(i64, &str, &str))| Stretch {
        resource: u32::try_from(index).unwrap(),
        is: used("volume", "available", &Attributes::new([("gib", *gib)])),
        other: None,
        from: at(from),
        to: at(to),
    };
    Used {
        stretches: all.iter().enumerate().map(stretch).collect(),
        counted: Vec::new(),
        bought: Vec::new(),
        zone: chrono_tz::Asia::Shanghai,
        from: at(from),
        until: at("23:00"),
    }
}

fn total(used: &Used, prices: &Timeline) -> String {
    used.total(prices).unwrap().to_string()
}

/// 70 and 50 GiB-hours: 10 free, 90 at 0.8, 20 at 0.5; by volume all at 0.5.
#[test]
fn scenario_14_over_all_of_a_tenants() {
    let tiers = r#"[{"up_to":10,"price":"0"},{"up_to":100,"price":"0.8"},{"price":"0.5"}]"#;
    let by = |model: &str| {
        let rate = format!(r#"{{"id":"v","component":"volume.capacity","{model}":{tiers}}}"#);
        timeline(&[("00:00", &format!(r#"{{"rates":[{rate}]}}"#))])
    };
    let used = volumes(&[(70, "02:00", "03:00"), (50, "02:30", "03:30")], "00:00");
    assert_eq!(total(&used, &by("graduated")), "82.000000");
    assert_eq!(total(&used, &by("volume")), "60.000000");
    // Of the second half alone: what the month costs more by it.
    let later = volumes(&[(70, "02:00", "03:00"), (50, "02:30", "03:30")], "03:00");
    assert_eq!(total(&later, &by("graduated")), "14.000000", "5 at 0.8 and 20 at 0.5");
}

/// The same by the GiB that two counters say: a part of the period has its share.
#[test]
fn scenario_14_by_what_was_counted() {
    const GIB: i64 = 1 << 30;
    let tiers = r#"[{"up_to":10,"price":"0"},{"up_to":100,"price":"0.8"},{"price":"0.5"}]"#;
    let prices = timeline(&[(
        "00:00",
        &format!(
            r#"{{"rates":[{{"id":"out","component":"instance.net_tx","unit":{GIB},"graduated":{tiers}}}]}}"#
        ),
    )]);
    let counted = |resource: u32, gib: i64, from: &str, to: &str| Counted {
        resource,
        looks: vec![Look { from: 0, name: "a".into(), shape: Arc::default() }],
        deltas: vec![Delta {
            component: "instance.net_tx",
            from: at(from).ms(),
            to: at(to).ms(),
            quantity: gib * GIB,
            quality: crate::rating::engine::Quality::Observed,
            coverage_ppm: 1_000_000,
        }],
    };
    let all = |from: &str, until: &str| Used {
        stretches: Vec::new(),
        counted: vec![counted(0, 70, "01:00", "03:00"), counted(1, 50, "02:00", "04:00")],
        bought: Vec::new(),
        zone: chrono_tz::Asia::Shanghai,
        from: at(from),
        until: at(until),
    };
    assert_eq!(total(&all("00:00", "23:00"), &prices), "82.000000");
    // 35 before it; then 35 and 25 of 95, which end within the second tier.
    assert_eq!(total(&all("02:00", "03:00"), &prices), "48.000000");
    assert_eq!(total(&all("03:00", "04:00"), &prices), "14.000000");
}

/// A new version goes on where the walk stands; the allowance is given once.
#[test]
fn a_walk_goes_on_over_versions() {
    let rate = |price: &str| {
        format!(
            r#"{{"rates":[{{"id":"v","component":"volume.capacity","free":10,"price":"{price}"}}]}}"#
        )
    };
    let prices = timeline(&[("00:00", &rate("1")), ("02:00", &rate("2"))]);
    // 8 hours' worth by 02:00, all free; 2 free and 6 at 2 after it.
    let used = volumes(&[(8, "01:00", "03:00")], "00:00");
    assert_eq!(total(&used, &prices), "12.000000");
}

#[test]
fn tax_on_top_is_paid_besides() {
    let of = |mode: &str| {
        timeline(&[(
            "00:00",
            &format!(
                r#"{{"tax":{{"mode":"{mode}","rate":"0.25"}},"rates":[{{"id":"v","component":"volume.capacity","price":"1"}}]}}"#
            ),
        )])
    };
    let used = volumes(&[(8, "01:00", "02:00")], "00:00");
    assert_eq!(total(&used, &of("on_top")), "10.000000");
    assert_eq!(total(&used, &of("included")), "8.000000");
}
