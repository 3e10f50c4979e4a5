use super::*;

fn look(state: &str, disk_gib: i64) -> Look {
    let attributes = Attributes::new([("disk_gib", disk_gib)]).to_string();
    Look { state: state.to_owned(), attributes }
}

fn span(from_ms: i64, to_ms: i64, look: &Look) -> Span {
    Span {
        opened: 1,
        from_ms,
        to_ms,
        tenant: "t1".to_owned(),
        name: "web-1".to_owned(),
        state: look.state.clone(),
        attributes: look.attributes.clone(),
        alternative: String::new(),
        quality: Quality::Observed,
    }
}

fn gap(after: Look, policy: GapPolicy, answer: Option<(Look, i64)>) -> Gap {
    Gap { id: "g1".to_owned(), from_ms: 100, to_ms: 200, after, policy, answer }
}

type Told = (i64, i64, String, i64, Option<String>, Quality);

fn told(spans: &[Span]) -> Vec<Told> {
    let one = |span: &Span| {
        let disk = Attributes::parse(&span.attributes).unwrap().count("disk_gib").unwrap_or(-1);
        let other =
            span.other().unwrap().map(|(state, attributes)| format!("{state} {attributes}"));
        (span.from_ms, span.to_ms, span.state.clone(), disk, other, span.quality)
    };
    spans.iter().map(one).collect()
}

use Quality::{Corrected, Estimated, Observed};

#[test]
fn the_same_before_and_after_is_estimated_as_such() {
    let small = look("running", 1);
    let spans =
        overlay(vec![span(0, FOREVER_MS, &small)], &[gap(small.clone(), GapPolicy::Cheaper, None)]);
    let running = || "running".to_owned();
    assert_eq!(
        told(&spans),
        [
            (0, 100, running(), 1, None, Observed),
            (100, 200, running(), 1, None, Estimated),
            (200, FOREVER_MS, running(), 1, None, Observed),
        ]
    );
}

#[test]
fn what_was_seen_after_holds_from_the_end_on_and_the_policy_says_what_else_it_may_be() {
    let (small, large) = (look("running", 1), look("running", 2));
    let running = || "running".to_owned();
    for (policy, other) in [
        (GapPolicy::Cheaper, Some("running {\"disk_gib\":2}".to_owned())),
        (GapPolicy::AsBefore, None),
        (GapPolicy::Free, Some("absent {}".to_owned())),
    ] {
        let spans = overlay(vec![span(0, 300, &small)], &[gap(large.clone(), policy, None)]);
        assert_eq!(
            told(&spans),
            [
                (0, 100, running(), 1, None, Observed),
                (100, 200, running(), 1, other, Estimated),
                (200, 300, running(), 2, None, Observed),
            ]
        );
        assert_eq!(policy.as_str().parse::<GapPolicy>().unwrap(), policy);
    }
}

#[test]
fn an_answer_says_when_it_changed() {
    let (small, large) = (look("running", 1), look("running", 2));
    let answer = Some((large.clone(), 150));
    let spans = overlay(
        vec![span(0, FOREVER_MS, &small)],
        &[gap(large.clone(), GapPolicy::Cheaper, answer)],
    );
    let running = || "running".to_owned();
    assert_eq!(
        told(&spans),
        [
            (0, 100, running(), 1, None, Observed),
            (100, 150, running(), 1, None, Corrected),
            (150, 200, running(), 2, None, Corrected),
            (200, FOREVER_MS, running(), 2, None, Observed),
        ]
    );
    // It was gone for the second half.
    let answer = Some((look(ABSENT, 0), 150));
    let spans = overlay(
        vec![span(0, FOREVER_MS, &small)],
        &[gap(small.clone(), GapPolicy::Cheaper, answer)],
    );
    let edges: Vec<_> = spans.iter().map(|span| (span.from_ms, span.to_ms)).collect();
    assert_eq!(edges, [(0, 100), (100, 150), (200, FOREVER_MS)]);
}

#[test]
fn facts_within_and_behind_a_gap_keep_their_places() {
    let (small, large) = (look("running", 1), look("running", 2));
    let facts = vec![span(0, 130, &small), span(130, 250, &large), span(250, 400, &small)];
    let spans = overlay(facts, &[gap(small.clone(), GapPolicy::Cheaper, None)]);
    let edges: Vec<_> =
        spans.iter().map(|s| (s.from_ms, s.to_ms, s.quality, s.looks(&small))).collect();
    assert_eq!(
        edges,
        [
            (0, 100, Observed, true),
            (100, 130, Estimated, true),
            (130, 200, Estimated, false),
            (200, 250, Observed, true),
            (250, 400, Observed, true),
        ]
    );
    // Nothing was there before: nothing is guessed, but what was seen after counts.
    let spans = overlay(vec![span(0, 50, &small)], &[gap(large.clone(), GapPolicy::Cheaper, None)]);
    let edges: Vec<_> = spans.iter().map(|s| (s.from_ms, s.to_ms)).collect();
    assert_eq!(edges, [(0, 50), (200, FOREVER_MS)]);
    assert_eq!(overlay(vec![], &[gap(large, GapPolicy::Cheaper, None)]), []);
}
