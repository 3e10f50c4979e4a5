//! PromQL against the real Prometheus: the same seeded samples in both, and every expression of a
//! table, and random ones, answered by both, value for value.
//!
//! `OPSHAWK_PROMQL_QUERIES` sets how many random expressions are asked, `OPSHAWK_PROMQL_SEED` the
//! seed that they come from.

#[path = "reference/both.rs"]
mod both;
#[path = "reference/coverage.rs"]
mod coverage;
#[path = "reference/data.rs"]
mod data;
#[path = "reference/more.rs"]
mod more;
#[path = "reference/mutate.rs"]
mod mutate;
#[path = "reference/prometheus.rs"]
mod prometheus;
#[path = "reference/random.rs"]
mod random;
#[path = "reference/refused.rs"]
mod refused;
#[path = "reference/table.rs"]
mod table;

use both::{Both, Verdict, When};
use coverage::Coverage;
use data::Random;

const RANDOM_QUERIES: u64 = 300;
const SEED: u64 = 1;
/// Of random expressions, in percent, those that the reference itself answers now so, now so.
const UNDETERMINED_MAX_PERCENT: u64 = 3;

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")),
        Err(_) => default,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_expression_answers_as_prometheus_does() {
    let both = Both::start().await;
    let mut wrong = Vec::new();
    let mut expressions = table::expressions();
    expressions.extend(more::expressions());
    assert!(expressions.len() >= 500);
    let (mut coverage, mut answers) = (Coverage::new(), 0);
    for expr in expressions.iter().map(String::as_str).chain(table::INSTANT_ONLY.iter().copied()) {
        for when in table::INSTANTS_MS.map(When::Instant) {
            answers += 1;
            let verdict = both.ask(expr, when).await;
            coverage.add(expr, when, &verdict);
            judge(verdict, &mut wrong);
        }
    }
    for expr in &expressions {
        for (start, end, step) in table::RANGES_MS {
            answers += 1;
            let when = When::Range(start, end, step);
            let verdict = both.ask(expr, when).await;
            coverage.add(expr, when, &verdict);
            judge(verdict, &mut wrong);
        }
        wrong.extend(both.format(expr).err());
    }
    for expr in refused::EXPRESSIONS {
        match both.ask(expr, When::Instant(data::MIDDLE_MS)).await {
            Verdict::Refused => {}
            other => wrong.push(format!("{expr} should be refused: {other:?}")),
        }
        wrong.extend(both.format(expr).err());
    }
    coverage.print();
    let refused = refused::EXPRESSIONS.len();
    println!("{} expressions, {answers} answers; {refused} refused", expressions.len());
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    let missing = coverage.missing();
    assert!(missing.is_empty(), "without a comparison: {missing:?}");
    both.close().await;
}

fn judge(verdict: Verdict, wrong: &mut Vec<String>) {
    if let Verdict::Wrong(why) = verdict {
        wrong.push(why);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_expressions_answer_as_prometheus_does() {
    let both = Both::start().await;
    let queries = number("OPSHAWK_PROMQL_QUERIES", RANDOM_QUERIES);
    let seed = number("OPSHAWK_PROMQL_SEED", SEED);
    let mut random = Random(seed);
    let mut wrong = Vec::new();
    let (mut equal, mut full, mut refused, mut undetermined) = (0, 0, 0, 0);
    for _ in 0..queries {
        let expr = random::expression(&mut random);
        let at_ms = data::START_MS + random.below(7_300_000) as i64;
        let step_ms = [15_000, 47_000, 60_000, 300_000][random.below(4) as usize];
        for when in [When::Instant(at_ms), When::Range(at_ms - 1_500_000, at_ms, step_ms)] {
            match both.ask(&expr, when).await {
                Verdict::Equal(series) => {
                    equal += 1;
                    full += u64::from(series > 0);
                }
                Verdict::Refused => refused += 1,
                Verdict::Undetermined => undetermined += 1,
                Verdict::Wrong(why) => wrong.push(why),
            }
        }
        wrong.extend(both.format(&expr).err());
        let broken = mutate::broken(&mut random, &expr);
        judge(both.ask(&broken, When::Instant(at_ms)).await, &mut wrong);
        wrong.extend(both.format(&broken).err());
        let pattern = mutate::pattern(&mut random);
        judge(both.ask(&pattern, When::Instant(data::MIDDLE_MS)).await, &mut wrong);
    }
    println!(
        "seed {seed}: {queries} expressions, {equal} equal answers ({full} not empty), {refused} \
         refused by both, {undetermined} undetermined"
    );
    assert!(wrong.is_empty(), "seed {seed}: {} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(undetermined * 100 <= queries * 2 * UNDETERMINED_MAX_PERCENT, "{undetermined}");
    both.close().await;
}
