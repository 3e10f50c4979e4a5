//! The samples: what agents on hosts would send of their guests, made by a rule, so that every run
//! and every engine has the same.
//!
//! A host reports 20 guests of five series each in one scrape, with one instant. Of the series 60 %
//! are counters (a fifth of all in histogram buckets), 30 % gauges that wander by hundredths or
//! thousandths, 10 % constants.

use lab::remote_write::{Body, put_labels};

/// Scrapes are late or early by up to so much.
const JITTER_MS: i64 = 4;
/// Guests of one host, which share their instants.
const GUESTS_A_HOST: u64 = 20;
const SERIES_A_GUEST: u64 = 5;
/// Histogram buckets are series of one guest in ten each.
const BOUNDS: [&str; 10] =
    ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf"];

#[derive(Debug, Clone, Copy)]
enum Shape {
    Counter { step_max: u64 },
    Gauge { unit: f64 },
    Constant,
}

pub struct Series {
    /// As in a body.
    labels: Vec<u8>,
    host: u64,
    shape: Shape,
    state: u64,
    /// The counter's or gauge's present value in its unit.
    value: i64,
}

/// Series 0 to `count` of all that the rule makes.
pub fn series(count: u64) -> impl Iterator<Item = Series> {
    (0..count).map(one)
}

/// Series of one number; the same number is the same series.
pub fn one(number: u64) -> Series {
    let (guest, place) = (number / SERIES_A_GUEST, number % SERIES_A_GUEST);
    let host = guest / GUESTS_A_HOST;
    let decade = guest % 10;
    // Two counters, the place of the buckets, and then gauges on all and constants on a half.
    let (name, shape) = match place {
        0 => ("requests_total", Shape::Counter { step_max: 400 }),
        1 => ("cpu_milliseconds_total", Shape::Counter { step_max: 15_000 }),
        2 => ("latency_seconds_bucket", Shape::Counter { step_max: 20 * (decade + 1) }),
        3 => ("temperature_celsius", Shape::Gauge { unit: 100.0 }),
        _ if guest % 2 == 0 => ("load_ratio", Shape::Gauge { unit: 1000.0 }),
        _ => ("memory_limit_bytes", Shape::Constant),
    };
    let mut pairs = vec![
        ("__name__", name.to_owned()),
        ("host", format!("host-{host}.dc1.example.com")),
        ("instance", format!("guest-{guest}")),
        ("guest_id", format!("01990000-0000-7000-8000-{:012x}", guest * 0x9e37)),
        ("job", format!("tenant-{}", guest % 10)),
        ("zone", format!("zone-{}", host % 4)),
    ];
    if place == 2 {
        // Ten neighbours make one histogram.
        pairs[2].1 = format!("guest-{}", guest - decade);
        pairs[3].1 = format!("01990000-0000-7000-8000-{:012x}", (guest - decade) * 0x9e37);
        pairs[4].1 = format!("tenant-{}", guest / 10 % 10);
        pairs.push(("le", BOUNDS[decade as usize].to_owned()));
        pairs.sort();
    }
    let mut labels = Vec::new();
    put_labels(&mut labels, pairs.iter().map(|(name, value)| (*name, value.as_str())));
    let state = mix(number + 1);
    let value = match shape {
        Shape::Counter { .. } => (state % 1_000_000).cast_signed(),
        Shape::Gauge { unit } => (unit * 40.0) as i64 + (state % 1000).cast_signed(),
        Shape::Constant => (state % 64 + 1).cast_signed() << 30,
    };
    Series { labels, host, shape, state, value }
}

impl Series {
    /// The next value.
    fn step(&mut self) -> f64 {
        self.state = mix(self.state);
        let random = self.state >> 16;
        match self.shape {
            Shape::Counter { step_max } => {
                self.value += (random % step_max).cast_signed();
                self.value as f64
            }
            Shape::Gauge { unit } => {
                self.value += (random % 101).cast_signed() - 50;
                self.value as f64 / unit
            }
            Shape::Constant => self.value as f64,
        }
    }

    /// Puts its sample of the scrape that is due at this instant into a body.
    pub fn scrape(&mut self, due_ms: i64, body: &mut Body) {
        let jitter = (mix(due_ms.cast_unsigned() ^ mix(self.host)) >> 16).cast_signed();
        let at_ms = due_ms + jitter.rem_euclid(2 * JITTER_MS + 1) - JITTER_MS;
        let value = self.step();
        body.push(&self.labels, at_ms, value);
    }
}

/// Splitmix64's finaliser (Steele, Lea, Flood 2014): neighbours come out unlike.
fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
