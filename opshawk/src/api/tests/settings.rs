//! What `[samples]` in the file says is what the store of a server does.

use base::{
    sample::{Labels, Sample, Series},
    time::{Clock, ManualClock, SystemClock},
};
use serde_json::json;

use super::{
    owned::Body,
    world::{TestServer, each_by, each_with, eventually},
};
use crate::config::{Flags, Samples, load};

const DAY_MS: i64 = 24 * 3_600_000;
const MIB: u64 = 1 << 20;
const WRITES: u64 = 5;

/// The section as a server reads it from a file.
fn section(text: &str) -> Samples {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("opshawk.toml");
    std::fs::write(&path, text).unwrap();
    load(&Flags { config: Some(path), ..Flags::default() }, []).unwrap().samples
}

async fn figure(test: &TestServer, name: &str) -> u64 {
    let text = test.operator.get("/metrics").await.text;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("{name} is not there")).parse().unwrap()
}

/// A day's samples that no packing makes smaller than about 400 KB.
fn noise(day: i64, begin_ms: i64) -> Vec<Series> {
    let mut state = day as u64 + 1;
    let mut next = || {
        // Splitmix64: 52 bits of a number from 1 to 2.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from_bits(0x3ff << 52 | (mixed ^ (mixed >> 31)) >> 12)
    };
    let labels = |n: i64| Labels::metric("noise", &[("n", &n.to_string())]);
    let series = (0..12).map(|n| Series {
        labels: labels(n),
        samples: (0..5000)
            .map(|i| Sample { at_ms: begin_ms + day * DAY_MS + i * 15_000, value: next() })
            .collect(),
    });
    series.collect()
}

#[tokio::test]
async fn the_oldest_blocks_go_beyond_the_size_that_the_settings_name() {
    let read = section("[samples]\nretention_mib = 64\n");
    assert_eq!(read.options().retention_bytes, Some(64 * MIB));
    // A file may not say less; a test needn't write as much.
    let small = Samples { retention_mib: Some(1), ..read };
    let clock = ManualClock::at(SystemClock.now());
    for test in each_by(&clock.shared(), |config| config.samples = small.clone()).await {
        let begin_ms = (clock.now().ms() / DAY_MS - 9) * DAY_MS;
        for day in 0..4 {
            let done = test.server.app.store.backfill(noise(day, begin_ms)).await.unwrap();
            assert_eq!(done.appended.written, 60_000);
        }
        let day_is_there = async |day: i64| {
            let at_s = (begin_ms + (day + 1) * DAY_MS) / 1000 - 1;
            let path = format!("query?query=count_over_time(noise[1d])&time={at_s}");
            let answer = test.operator.get(&format!("/prometheus/api/v1/{path}")).await;
            match answer.expect(200)["data"]["result"].as_array().unwrap().len() {
                0 => false,
                12 => true,
                some => panic!("{some} of a day's 12 series"),
            }
        };
        assert!(day_is_there(0).await);
        assert_eq!(figure(&test, "opshawk_store_expired_blocks_total").await, 0);
        let before = figure(&test, "opshawk_store_block_bytes").await;
        assert!(before > MIB + MIB / 4, "{before}");

        clock.advance(timeseries::embedded::options::MAINTENANCE_PERIOD);
        let gone = eventually("blocks went", async || {
            let gone = figure(&test, "opshawk_store_expired_blocks_total").await;
            (gone > 0).then_some(gone)
        });
        assert_eq!(gone.await, 2);
        let after = figure(&test, "opshawk_store_block_bytes").await;
        assert!(after <= MIB && after > MIB / 2, "{after} of {before}");
        for day in 0..4 {
            assert_eq!(day_is_there(day).await, day >= 2, "day {day}");
        }
        test.server.stop().await;
    }
}

/// Of `WRITES` that were acknowledged one after another, how many syncs were made for them.
async fn syncs(text: &str) -> u64 {
    let samples = section(text);
    let test = each_with(|config| config.samples = samples.clone()).await.remove(0);
    let name = "opshawk_store_log_fsyncs_total";
    let before = figure(&test, name).await;
    let now_ms = test.server.app.clock.now().ms();
    for n in 0..WRITES as i64 {
        let body =
            Body::default().series(&Labels::metric("m", &[]), &[(now_ms + n, n as f64)], &[]);
        assert_eq!(body.send(&test.operator).await.status, 204);
    }
    let made = figure(&test, name).await - before;
    // What is closed with care keeps all of it either way.
    let test = test.again(|config| config.samples = samples).await;
    let at_s = now_ms / 1000 + 2;
    let path = format!("/prometheus/api/v1/query?query=count_over_time(m[1h])&time={at_s}");
    let answer = test.operator.get(&path).await.expect(200);
    assert_eq!(answer["data"]["result"][0]["value"][1], json!(WRITES.to_string()));
    test.server.stop().await;
    made
}

#[tokio::test]
async fn a_write_is_acknowledged_before_its_sync_only_where_the_settings_say_so() {
    // The server writes of itself as well.
    for group in ["", "[samples]\nlog_sync = 'group'\n"] {
        let made = syncs(group).await;
        assert!(made >= WRITES, "{made}");
    }
    assert_eq!(syncs("[samples]\nlog_sync = '60000ms'\n").await, 0);
}
