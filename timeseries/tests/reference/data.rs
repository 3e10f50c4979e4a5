//! Seeded samples: counters that reset, gauges, gaps, stale markers, histograms good and bad, odd
//! values, series that begin and end in between, twins under two names, texts of all scripts.

use base::sample::{Labels, STALE_NAN_BITS, Sample, Series};

pub const START_MS: i64 = 1_700_000_000_000;
pub const END_MS: i64 = START_MS + 2 * 3_600_000;
pub const MIDDLE_MS: i64 = START_MS + 3_600_000;
const STEP_MS: i64 = 15_000;

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

pub fn series() -> Vec<Series> {
    let mut random = Random(42);
    let mut all = Vec::new();
    for job in ["api", "web"] {
        for instance in ["0", "1", "2"] {
            let labels = [("job", job), ("instance", instance)];
            for path in ["/a", "/b"] {
                let labels = [labels[0], labels[1], ("path", path)];
                all.push(counter(&mut random, Labels::metric("requests_total", &labels)));
            }
            all.push(gauge(&mut random, Labels::metric("temperature", &labels)));
            all.push(gauge(&mut random, Labels::metric("load", &[labels[1], ("kind", job)])));
            all.push(constant(Labels::metric("limit", &labels), 7.5));
            all.extend(histogram(&mut random, &labels));
        }
        all.push(constant(
            Labels::metric("job_info", &[("job", job), ("team", &format!("t-{job}"))]),
            1.0,
        ));
    }
    let zones = ["1", "2", "3", "10"];
    all.extend(zones.map(|zone| whole(&mut random, Labels::metric("state", &[("zone", zone)]))));
    all.extend(odd());
    all
}

/// More than that, for the evaluator: what other engines may round or refuse.
pub fn all() -> Vec<Series> {
    let mut random = Random(43);
    let mut all = series();
    all.extend(twins(&mut random));
    all.extend(passing(&mut random));
    all.extend(texts(&mut random));
    all.extend(wild(&mut random));
    all.extend(bad_histograms(&mut random));
    let odder = [("minus zero", -0.0), ("past", -6.2e10)];
    all.extend(
        odder.map(|(kind, value)| constant(Labels::metric("odd", &[("kind", kind)]), value)),
    );
    all
}

/// The usual instants, a little late each, with gaps.
fn instants(random: &mut Random) -> Vec<i64> {
    let gap = START_MS + random.below(5_000_000) as i64;
    let mut instants = Vec::new();
    let mut at_ms = START_MS + random.below(15_000) as i64;
    while at_ms < END_MS {
        let in_gap = (gap..gap + 700_000).contains(&at_ms);
        if !in_gap && random.below(40) != 0 {
            instants.push(at_ms + random.below(8) as i64);
        }
        at_ms += STEP_MS;
    }
    instants
}

fn counter(random: &mut Random, labels: Labels) -> Series {
    let mut value = (random.below(1000) as f64) / 10.0;
    let instants = instants(random);
    let samples = instants.into_iter().map(|at_ms| {
        value = if random.below(60) == 0 { random.unit() } else { value + random.unit() * 50.0 };
        Sample { at_ms, value }
    });
    Series { labels, samples: samples.collect() }
}

fn gauge(random: &mut Random, labels: Labels) -> Series {
    let instants = instants(random);
    let stale_at = random.below(instants.len() as u64) as usize;
    let samples = instants.into_iter().enumerate().map(|(i, at_ms)| {
        let value = (random.unit() - 0.3) * 100.0;
        let stale = i == stale_at || i == stale_at + 30;
        Sample { at_ms, value: if stale { f64::from_bits(STALE_NAN_BITS) } else { value } }
    });
    Series { labels, samples: samples.collect() }
}

fn whole(random: &mut Random, labels: Labels) -> Series {
    let instants = instants(random);
    let samples = instants.into_iter().map(|at_ms| Sample { at_ms, value: random.below(4) as f64 });
    Series { labels, samples: samples.collect() }
}

fn constant(labels: Labels, value: f64) -> Series {
    let instants = (START_MS..END_MS).step_by(STEP_MS as usize);
    Series { labels, samples: instants.map(|at_ms| Sample { at_ms, value }).collect() }
}

fn histogram(random: &mut Random, labels: &[(&str, &str)]) -> Vec<Series> {
    let bounds = ["0.1", "0.5", "1", "2.5", "+Inf"];
    let mut series: Vec<Series> = bounds
        .iter()
        .map(|le| {
            let labels: Vec<_> = labels.iter().copied().chain([("le", *le)]).collect();
            Series { labels: Labels::metric("duration_seconds_bucket", &labels), samples: vec![] }
        })
        .collect();
    let mut counts = [0u64; 5];
    for at_ms in (START_MS..END_MS).step_by(STEP_MS as usize) {
        for _ in 0..random.below(6) {
            let bucket = random.below(5) as usize;
            counts[bucket..].iter_mut().for_each(|count| *count += 1);
        }
        for (one, count) in series.iter_mut().zip(counts) {
            one.samples.push(Sample { at_ms, value: count as f64 });
        }
    }
    series
}

/// The same label sets under two names.
fn twins(random: &mut Random) -> Vec<Series> {
    let mut all = Vec::new();
    for name in ["twin_a", "twin_b"] {
        for side in ["left", "right"] {
            all.push(gauge(random, Labels::metric(name, &[("side", side), ("job", "api")])));
        }
    }
    all
}

/// Series that begin and end inside of what is asked for, with a stale marker or without, and some
/// of one or two samples.
fn passing(random: &mut Random) -> Vec<Series> {
    let mut all = Vec::new();
    for turn in 0..8 {
        let labels = Labels::metric("passing", &[("turn", &turn.to_string()), ("job", "web")]);
        let mut series = counter(random, labels);
        let from = START_MS + turn * 700_000;
        let to = from + 400_000 + random.below(900_000) as i64;
        series.samples.retain(|sample| (from..to).contains(&sample.at_ms));
        match turn {
            6 => series.samples.truncate(1),
            7 => series.samples.truncate(2),
            _ => {}
        }
        if let (true, Some(last)) = (turn % 2 == 0, series.samples.last()) {
            let at_ms = last.at_ms + 15_000;
            series.samples.push(Sample { at_ms, value: f64::from_bits(STALE_NAN_BITS) });
        }
        all.push(series);
    }
    all
}

pub const TEXTS: [&str; 14] = [
    "größe",
    "日本語",
    "a \"quoted\" \\ one",
    "line\nbreak",
    "🦅",
    "a.b-c/d",
    "ABC",
    "abc",
    "x1y22",
    "e\u{301}",
    "[a-z]{2}",
    "tab\there",
    "٣",
    "ab&&c<d>",
];

fn texts(random: &mut Random) -> Vec<Series> {
    let mut series = Vec::new();
    for (i, text) in TEXTS.into_iter().enumerate() {
        let labels = [("text", text), ("number", &i.to_string())];
        series.push(whole(random, Labels::metric("texts", &labels)));
    }
    series
}

/// Every sample may be any odd value.
fn wild(random: &mut Random) -> Vec<Series> {
    const VALUES: [f64; 14] = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        -2.5,
        1e15,
        1e-300,
        1.5,
        3.0,
        1e-9,
    ];
    let mut one = |kind: &str, values: &[f64]| {
        let labels = Labels::metric("wild", &[("kind", kind)]);
        let samples = instants(random).into_iter().map(|at_ms| {
            let value = values[random.below(values.len() as u64) as usize];
            Sample { at_ms, value }
        });
        Series { labels, samples: samples.collect() }
    };
    vec![one("any", &VALUES), one("finite", &VALUES[3..]), one("infinite", &VALUES[1..5])]
}

/// Not cumulative, without `+Inf`, of one bucket, with bounds twice or that are no numbers.
fn bad_histograms(random: &mut Random) -> Vec<Series> {
    let kinds: [(&str, &[&str]); 6] = [
        ("falling", &["1", "2", "3", "+Inf"]),
        ("open", &["1", "2"]),
        ("single", &["+Inf"]),
        ("twice", &["1", "1.0", "1e0", "Inf"]),
        ("words", &["one", "2", "", "+Inf", "1e400", "0x10"]),
        ("negative", &["-5", "-1", "0", "+Inf"]),
    ];
    let mut all = Vec::new();
    for (kind, bounds) in kinds {
        for le in bounds {
            let labels = Labels::metric("bad_bucket", &[("kind", kind), ("le", le)]);
            all.push(whole(random, labels));
        }
    }
    all
}

/// Values that arithmetic stumbles over. Not among them: numbers below 2.3e-308, whose logarithm
/// the reference gets wrong by up to 36.
fn odd() -> Vec<Series> {
    let values = [
        ("nan", f64::NAN),
        ("inf", f64::INFINITY),
        ("minus", f64::NEG_INFINITY),
        ("zero", 0.0),
        ("tiny", 1e-300),
        ("huge", 1e300),
        ("half", -2.5),
    ];
    values.map(|(kind, value)| constant(Labels::metric("odd", &[("kind", kind)]), value)).to_vec()
}
