use std::sync::Arc;

use base::{
    sample::{Sample, Series},
    time::{ManualClock, Timestamp},
};

use super::*;
use crate::{Embedded, Options};

const NOW_MS: i64 = 1_700_000_000_000;

/// Two metrics; labels that some series lack, with values that a pattern must escape.
fn wanted() -> Vec<Series> {
    let mut all = Vec::new();
    for number in 0..40i64 {
        let host = format!("h{}", number % 10);
        let mut labels = vec![("host", host.as_str())];
        let odd = ["a|b", ".*", "x\"\\\n", "("];
        let path = (number / 10 > 0).then(|| odd[number as usize / 10]);
        labels.extend(path.map(|path| ("path", path)));
        let name = if number < 30 { "m" } else { "n" };
        let samples = (0..=number * 5)
            .map(|i| Sample { at_ms: NOW_MS - i * 15_000 * 40, value: (number * i) as f64 });
        let mut samples: Vec<_> = samples.collect();
        samples.reverse();
        all.push(Series { labels: Labels::metric(name, &labels), samples });
    }
    all
}

async fn read(store: Arc<dyn Store>, selectors: &[&str], page_samples: usize) -> Vec<Series> {
    let selectors: Vec<_> = selectors.iter().map(|text| (*text).to_owned()).collect();
    let mut pages = Pages::new(store, &Scope::ALL, &selectors, 0, NOW_MS).unwrap();
    pages.page_samples = page_samples;
    let mut all: Vec<Series> = Vec::new();
    while let Some(page) = pages.next().await.unwrap() {
        let samples: usize = page.iter().map(|one| one.samples.len()).sum();
        assert!(samples <= page_samples && samples > 0, "{samples} samples");
        for one in page {
            match all.last_mut() {
                Some(last) if last.labels == *one.labels => last.samples.extend(one.samples),
                _ => all.push(Series { labels: (*one.labels).clone(), samples: one.samples }),
            }
        }
    }
    assert!(pages.next().await.unwrap().is_none());
    all
}

#[tokio::test]
async fn pages_of_any_size_hold_every_sample_once_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(Timestamp::from_ms(NOW_MS)).shared();
    let store = Embedded::open(dir.path(), Options::default(), clock).await.unwrap();
    let mut all = wanted();
    assert_eq!(store.append(all.clone()).await.unwrap().rejected(), 0);
    let store: Arc<dyn Store> = Arc::new(store);
    all.sort_by(|a, b| a.labels.cmp(&b.labels));
    for page_samples in [1, 7, 100, 1000, 1_000_000] {
        let mut found = read(store.clone(), &[], page_samples).await;
        // A metric's series stand together.
        let names: Vec<&str> = found.iter().map(|one| one.labels.name()).collect();
        assert!(names.is_sorted(), "{names:?}");
        found.sort_by(|a, b| a.labels.cmp(&b.labels));
        assert_eq!(found, all, "{page_samples}");
    }
    // What two selectors find comes once.
    let mut found = read(store.clone(), &["{host=\"h1\"}", "m", "{path=\".*\"}"], 50).await;
    found.sort_by(|a, b| a.labels.cmp(&b.labels));
    all.retain(|one| {
        one.labels.get("host") == Some("h1")
            || one.labels.name() == "m"
            || one.labels.get("path") == Some(".*")
    });
    assert_eq!(found, all);
    let nothing = read(store.clone(), &["nothing"], 50).await;
    assert_eq!(nothing, []);
    let wrong = Pages::new(store, &Scope::ALL, &["sum(m)".to_owned()], 0, 1);
    assert!(matches!(wrong, Err(Error::BadData(_))));
}
