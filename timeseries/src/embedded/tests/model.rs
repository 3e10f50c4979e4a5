//! The store against a map: whatever happens between appends, each series holds by instant the
//! value that was acknowledged first.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<(u8, i64, i64)>),
    Flush,
    Maintain,
    Reopen,
    Delete(u8, i64, i64),
}

fn step() -> impl Strategy<Value = Step> {
    let sample = (0u8..3, -2 * DAY_MS / 1000..DAY_MS / 1000, 0i64..3);
    // Instants 1000 s apart hit several days; close ones hit duplicates.
    let near = (0u8..3, 0i64..30, 0i64..3);
    prop_oneof![
        4 => prop::collection::vec(near, 1..20).prop_map(Step::Append),
        2 => prop::collection::vec(sample, 1..20).prop_map(Step::Append),
        2 => Just(Step::Flush),
        1 => Just(Step::Maintain),
        1 => Just(Step::Reopen),
        1 => (0u8..3, -100i64..100, 0i64..100).prop_map(|(name, from, length)| Step::Delete(name, from, from + length)),
    ]
}

/// By series and instant (relative to now): the value that was acknowledged first.
pub type Model = BTreeMap<String, BTreeMap<i64, f64>>;

async fn play(steps: Vec<Step>) {
    let dir = tempfile::tempdir().unwrap();
    let options = || Options {
        merge_fan_in: 2,
        out_of_order_window: Duration::from_secs(100 * 24 * 3600),
        ..Options::default()
    };
    let mut store = open(dir.path(), options()).await;
    let mut model = Model::new();
    for step in steps {
        match step {
            Step::Append(samples) => {
                let mut expected = Appended::default();
                let mut batch = Vec::new();
                for (name, at, value) in samples {
                    // No further ahead than a clock may err.
                    let (name, at, value) = (format!("s{name}"), at.min(500) * 1000, value as f64);
                    let held = model.entry(name.clone()).or_default();
                    match held.get(&at) {
                        None => {
                            expected.written += 1;
                            held.insert(at, value);
                        }
                        Some(there) if *there == value => expected.duplicates += 1,
                        Some(_) => expected.conflicts += 1,
                    }
                    batch.push(series(&name, &[(at, value)]));
                }
                let appended = store.append(batch).await.unwrap();
                assert_eq!(Appended { first_error: None, ..appended }, expected);
            }
            Step::Flush => store.flush().await.unwrap(),
            Step::Maintain => store.maintain().await.unwrap(),
            Step::Reopen => {
                store.close().await.unwrap();
                store = open(dir.path(), options()).await;
            }
            Step::Delete(name, from, to) => {
                delete(&store, &mut model, &format!("s{name}"), from * 1000, to * 1000).await;
            }
        }
        check(&store, &model).await;
    }
}

/// Of store and model, both ends included.
pub async fn delete(store: &Embedded, model: &mut Model, name: &str, from: i64, to: i64) {
    let matchers = vec![Matcher::equal("__name__", name)];
    store.delete(matchers, NOW_MS + from, NOW_MS + to).await.unwrap();
    if let Some(held) = model.get_mut(name) {
        held.retain(|at, _| !(from..=to).contains(at));
    }
}

/// Both hold the same.
pub async fn check(store: &Embedded, model: &Model) {
    let expected: Vec<_> = model
        .iter()
        .filter(|(_, held)| !held.is_empty())
        .map(|(name, held)| (name.clone(), held.iter().map(|(a, v)| (*a, *v)).collect()))
        .collect();
    assert_eq!(content(store).await, expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_store_is_a_map_of_first_words(steps in prop::collection::vec(step(), 1..25)) {
        tokio::runtime::Runtime::new().unwrap().block_on(play(steps));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn appenders_of_one_series_agree_on_who_was_first_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(open(dir.path(), Options::default()).await);
    let appenders = (0..4).map(|who| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut written = 0;
            for at in 0..200 {
                let batch = vec![series("a", &[(at, f64::from(who))]), series("b", &[(at, 1.0)])];
                written += store.append(batch).await.unwrap().written;
            }
            written
        })
    });
    let mut written = 0;
    for appender in appenders.collect::<Vec<_>>() {
        written += appender.await.unwrap();
    }
    assert_eq!(written, 400);
    let before = content(&store).await;
    assert_eq!(before[0].1.len(), 200);
    store.close().await.unwrap();
    let store = open(dir.path(), Options::default()).await;
    assert_eq!(content(&store).await, before);
}
