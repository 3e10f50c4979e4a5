//! The projection alone.

use std::collections::HashMap;

use proptest::prelude::*;

use crate::usage::{
    Span,
    project::{FOREVER_MS, Kept, Projected, project},
};

const STATES: [&str; 4] = ["running", "paused", "stopped", "absent"];

/// What a source tells of one resource: instants that go back and forth, two tenants, two sizes.
fn told() -> impl Strategy<Value = Vec<(usize, i64, bool, bool)>> {
    prop::collection::vec((0..STATES.len(), 0..50i64, any::<bool>(), any::<bool>()), 0..20)
}

fn kept(told: &[(usize, i64, bool, bool)]) -> Vec<Kept> {
    (1..)
        .zip(told)
        .map(|(n, (state, at, tenant, size))| Kept {
            id: n.to_string(),
            sequence: n,
            ordinal: n,
            tenant: if *tenant { "a" } else { "b" }.to_owned(),
            name: "web-1".to_owned(),
            state: STATES[*state].to_owned(),
            attributes: format!(r#"{{"disk_gib":{},"flavor":"f"}}"#, i64::from(*size)),
            at_ms: at * 1_000,
            quarantined: false,
        })
        .collect()
}

fn projected(facts: &[Kept]) -> Projected {
    project("instance", facts, &HashMap::new(), &[])
}

/// But for the sequences, which say how they came.
fn said(spans: &[Span]) -> Vec<Span> {
    spans.iter().map(|span| Span { opened: 0, ..span.clone() }).collect()
}

proptest! {
    #[test]
    fn any_order_and_repetition_make_the_same_spans(
        told in told(),
        order in prop::collection::vec(any::<u32>(), 40),
    ) {
        let facts = kept(&told);
        let expected = projected(&facts);
        prop_assert!(expected.parked.is_none() && expected.plain);
        // All of them twice, the second under other ids, in an order that is drawn.
        let mut drawn: Vec<(u32, Kept)> = Vec::new();
        for (n, fact) in facts.iter().chain(&facts).enumerate() {
            drawn.push((order[n], fact.clone()));
        }
        drawn.sort_by_key(|(place, _)| *place);
        let shuffled: Vec<Kept> = (1..)
            .zip(drawn)
            .map(|(sequence, (_, fact))| Kept { id: format!("x{sequence}"), sequence, ..fact })
            .collect();
        let found = projected(&shuffled);
        prop_assert_eq!(said(&found.spans), said(&expected.spans));
        prop_assert_eq!(found.effective_ms, expected.effective_ms);
    }

    #[test]
    fn spans_are_half_open_in_order_and_each_instant_is_the_last_facts_before_it(told in told()) {
        let facts = kept(&told);
        let spans = projected(&facts).spans;
        prop_assert!(spans.iter().all(|span| span.from_ms < span.to_ms));
        prop_assert!(spans.windows(2).all(|pair| pair[0].to_ms <= pair[1].from_ms));
        // The plainest reading: the last fact whose clamped instant is not after it.
        let mut clamped = i64::MIN;
        let turns: Vec<(i64, &Kept)> = facts
            .iter()
            .map(|fact| {
                clamped = clamped.max(fact.at_ms);
                (clamped, fact)
            })
            .collect();
        for second in -1..51 {
            let at = second * 1_000;
            let fact = turns.iter().rev().find(|(from, _)| *from <= at).map(|(_, fact)| *fact);
            let fact = fact.filter(|fact| fact.state != "absent");
            let span = spans.iter().find(|span| span.from_ms <= at && at < span.to_ms);
            prop_assert_eq!(
                span.map(|s| (&s.tenant, &s.state, &s.attributes)),
                fact.map(|f| (&f.tenant, &f.state, &f.attributes))
            );
        }
        if let Some(open) = spans.iter().find(|span| span.to_ms == FOREVER_MS) {
            prop_assert_eq!(Some(open), spans.last());
        }
    }
}
