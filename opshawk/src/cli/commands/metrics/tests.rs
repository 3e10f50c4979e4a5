//! History through the command line: into a server and out of it, into another engine, and into
//! Prometheus' own tool.

use std::process::Command;

use base::sample::{Labels, STALE_NAN_BITS, Sample, Series};
use clap::Parser;
use collector::exposition::write_open_metrics;
use http::Method;
use serde_json::Value;

use super::*;
use crate::{
    api::tests::world::{TestServer, each, each_with, eventually},
    cli::{self, args::Cli},
};

#[path = "../../../../../timeseries/tests/engines/process.rs"]
// Shared with other tests, which use the rest.
#[allow(dead_code)]
mod process;

const STEP_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 3_600_000;

async fn typed(test: &TestServer, words: &[&str]) -> Result<(), Failure> {
    let token = test.operator.token.clone().unwrap();
    let fixed = ["opshawk", "metrics"];
    let rest = ["--server", &*test.operator.base, "--token", &*token];
    let line = fixed.iter().chain(words).chain(&rest);
    cli::run(Cli::try_parse_from(line).unwrap()).await
}

/// Two days of three metrics, 32 days ago, with an end in the middle of one; by metric and series.
fn history(now_ms: i64) -> Vec<Series> {
    let begin = now_ms / DAY_MS * DAY_MS - 32 * DAY_MS;
    let mut all = Vec::new();
    for (name, job) in [("jobs_total", "a"), ("jobs_total", "b"), ("load", "a"), ("up", "a")] {
        let value = |i: i64| match name {
            "jobs_total" => (i * 3) as f64,
            "load" if i % 700 == 0 => f64::from_bits(STALE_NAN_BITS),
            "load" => (i % 37) as f64 / 8.0 - 1.0,
            _ => 1.0,
        };
        let sample = |i: i64| Sample { at_ms: begin + i * STEP_MS + 7, value: value(i) };
        let labels = Labels::metric(name, &[("job", job), ("path", "a \"b\"\\c\nd")]);
        all.push(Series { labels, samples: (0..2 * DAY_MS / STEP_MS).map(sample).collect() });
    }
    all
}

fn text(all: &[Series]) -> String {
    let mut text = String::new();
    all.iter().for_each(|one| write_open_metrics(&mut text, &one.labels, &one.samples));
    text.push_str("# EOF\n");
    text
}

/// Without those that `drop` names.
fn only(all: &[Series], keep: impl Fn(&Labels, &Sample) -> bool) -> String {
    let mut all = all.to_vec();
    all.iter_mut().for_each(|one| one.samples.retain(|sample| keep(&one.labels, sample)));
    text(&all)
}

async fn ask(test: &TestServer, path: &str, query: &[(&str, String)]) -> Value {
    let op = &test.operator;
    let answer = op.send(op.request(Method::GET, path).query(query)).await;
    answer.expect(200)["data"].take()
}

#[tokio::test]
async fn a_month_old_history_comes_in_is_queried_and_goes_out_as_it_was() {
    let test = each().await.remove(0);
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let all = history(test.server.app.clock.now().ms());
    let (first_ms, last_ms) = (all[0].samples[0].at_ms, all[0].samples.last().unwrap().at_ms);
    std::fs::write(path("in"), text(&all)).unwrap();
    typed(&test, &["import", &path("in")]).await.unwrap();

    let seconds = |ms: i64| format!("{}.{:03}", ms / 1000, ms % 1000);
    let at = |expr: &str, ms: i64| vec![("query", expr.to_owned()), ("time", seconds(ms))];
    let value = async |expr: &str, ms: i64| {
        let data = ask(&test, "/prometheus/api/v1/query", &at(expr, ms)).await;
        data["result"][0]["value"][1].as_str().map(str::to_owned)
    };
    let samples = all[0].samples.len();
    let sum = value("sum(count_over_time(jobs_total[3d]))", last_ms).await;
    assert_eq!(sum, Some((2 * samples).to_string()));
    let rate = value("sum(rate(jobs_total[1h]))", first_ms + DAY_MS).await;
    assert_eq!(rate.unwrap().parse::<f64>().unwrap(), 0.1);
    // A stale marker ends its series at once.
    assert_eq!(value("load", first_ms + 700 * STEP_MS).await, None);
    assert_eq!(value("load", first_ms + 699 * STEP_MS).await, Some("3.125".to_owned()));

    typed(&test, &["export", &path("out"), "--match", "{path!=\"\"}"]).await.unwrap();
    assert_eq!(std::fs::read_to_string(path("out")).unwrap(), text(&all));
    // Again: nothing new. Packed, too.
    typed(&test, &["import", &path("out")]).await.unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text(&all).as_bytes()).unwrap();
    std::fs::write(path("in.gz"), packed.finish().unwrap()).unwrap();
    typed(&test, &["import", &path("in.gz")]).await.unwrap();

    let (start, end) = (seconds(first_ms + 60_000), seconds(first_ms + 3_600_000));
    let part = [
        "export",
        &path("part"),
        "--match",
        "up",
        "--match",
        "load{job=\"a\"}",
        "--start",
        &*start,
        "--end",
        &*end,
        "--no-stale",
    ];
    typed(&test, &part).await.unwrap();
    let wanted = only(&all, |labels, sample| {
        ["up", "load"].contains(&labels.name())
            && (first_ms + 60_000..=first_ms + 3_600_000).contains(&sample.at_ms)
    });
    assert_eq!(std::fs::read_to_string(path("part")).unwrap(), wanted);
    test.server.stop().await;
}

#[tokio::test]
async fn a_deletion_takes_what_was_named_and_asks_before_it_does() {
    let test = each().await.remove(0);
    let dir = tempfile::tempdir().unwrap();
    let all = history(test.server.app.clock.now().ms());
    let input = dir.path().join("in").display().to_string();
    std::fs::write(&input, text(&all)).unwrap();
    typed(&test, &["import", &input]).await.unwrap();
    let left = async || {
        let out = dir.path().join("left").display().to_string();
        typed(&test, &["export", &out, "--match", "{path!=\"\"}"]).await.unwrap();
        let text = std::fs::read_to_string(&out).unwrap();
        std::fs::remove_file(out).unwrap();
        text
    };
    // Nobody is there to be asked.
    let refused = typed(&test, &["delete", "up"]).await.unwrap_err();
    assert_eq!((refused.code, refused.message.contains("--yes")), (Code::Usage, true), "{refused}");
    let wrong = typed(&test, &["delete", "sum(up)", "--yes"]).await.unwrap_err();
    assert_eq!(wrong.code, Code::Usage, "{wrong}");
    assert_eq!(left().await, text(&all));

    let middle_ms = all[0].samples[0].at_ms + DAY_MS;
    let middle = format!("{}.{:03}", middle_ms / 1000, middle_ms % 1000);
    let words = ["delete", "jobs_total{job=\"a\"}", "load", "--start", &middle, "--yes"];
    typed(&test, &[&words[..], &["--output", "json"]].concat()).await.unwrap();
    let wanted = only(&all, |labels, sample| {
        let named = labels.name() == "load"
            || (labels.name(), labels.get("job")) == ("jobs_total", Some("a"));
        !named || sample.at_ms < middle_ms
    });
    assert_eq!(left().await, wanted);
    typed(&test, &["delete", "{path!=\"\"}", "-y"]).await.unwrap();
    assert_eq!(left().await, "# EOF\n");
    test.server.stop().await;
}

#[tokio::test]
async fn promtool_makes_blocks_of_every_exported_sample() {
    let test = each().await.remove(0);
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let mut all = history(test.server.app.clock.now().ms());
    // Numbers in every spelling.
    let odd = [
        0.0,
        -0.0,
        1e300,
        -5e-324,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        0.1,
        1e-9,
        123456789.125,
    ];
    for (sample, value) in all[2].samples.iter_mut().zip(odd) {
        sample.value = value;
    }
    // What stands beside samples, in the order in which an export has it.
    let families = "# HELP jobs_total Of \\\"all\\\" \\\\ \\njobs\n# TYPE jobs_total counter\n\
                    # HELP load x\n# TYPE load gauge\n# TYPE up info\n# UNIT up s\n";
    let mut said = format!("{families}{}", text(&all));
    let families = families.replace("# UNIT up s\n", "");
    let line = said.find("jobs_total{").unwrap();
    let end = line + said[line..].find('\n').unwrap();
    said.insert_str(end, " # {trace_id=\"a \\\"b\\\"\"} 0.25 1.500");
    std::fs::write(path("in"), &said).unwrap();
    typed(&test, &["import", &path("in")]).await.unwrap();
    let narrowed = ["--match", "{path!=\"\"}", "--start", "1"];
    typed(&test, &[&["export", &path("out")][..], &narrowed].concat()).await.unwrap();
    let exported = std::fs::read_to_string(path("out")).unwrap();
    assert!(exported.starts_with(&families), "{}", &exported[..400]);
    assert_eq!(exported.matches(" # {trace_id=\"a \\\"b\\\"\"} 0.25 1.500\n").count(), 1);
    let run = |words: &[&str]| {
        let done = Command::new("promtool").arg("tsdb").args(words).output();
        let done = done.expect("Debian's package prometheus; `make test` installs it");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    run(&["create-blocks-from", "openmetrics", "--quiet", &path("out"), &path("blocks")]);
    // It reads a whole database's directory only.
    std::fs::create_dir(dir.path().join("blocks/wal")).unwrap();
    let dumped = run(&["dump", &path("blocks")]);
    let wanted: usize = all.iter().map(|one| one.samples.len()).sum();
    assert_eq!(dumped.lines().count(), wanted);
    // What it read of the odd ones: a line is labels, value, milliseconds.
    let load: Vec<_> = dumped.lines().filter(|line| line.contains("__name__=\"load\"")).collect();
    for (line, (sample, value)) in load.iter().zip(all[2].samples.iter().zip(odd)) {
        let mut words = line.rsplit(' ');
        assert_eq!(words.next(), Some(&*sample.at_ms.to_string()));
        let read: f64 = words.next().unwrap().parse().unwrap();
        let same = read.to_bits() == value.to_bits() || (read.is_nan() && value.is_nan());
        assert!(same, "{line}: {value}");
    }
    test.server.stop().await;
}

#[tokio::test]
async fn victoria_metrics_answers_as_the_embedded_engine_did() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let engine = process::Process::start(process::Product::VictoriaMetrics, dir.path());
    let from = each().await.remove(0);
    let to = each_with(|config| config.metrics = Some(engine.address())).await.remove(0);
    let all = history(from.server.app.clock.now().ms());
    std::fs::write(path("in"), text(&all)).unwrap();
    typed(&from, &["import", &path("in")]).await.unwrap();
    typed(&from, &["export", &path("out"), "--match", "{path!=\"\"}"]).await.unwrap();
    typed(&to, &["import", &path("out")]).await.unwrap();
    engine.flush();

    let last_s = all[0].samples.last().unwrap().at_ms / 1000;
    let mut compared = 0;
    for expr in [
        "jobs_total",
        "load",
        "up offset 5m",
        "sum by (job) (rate(jobs_total[5m]))",
        "avg_over_time(load[30m])",
        "count_over_time(up{path!=\"\"}[1h])",
        "topk(1, jobs_total)",
        "absent(load)",
        "max_over_time(load[10m:1m])",
        "quantile_over_time(0.9, load[2h]) > 1",
    ] {
        let range = [
            ("query", expr.to_owned()),
            ("start", (last_s - 2 * 86_400).to_string()),
            ("end", last_s.to_string()),
            ("step", "300".to_owned()),
        ];
        let path = "/prometheus/api/v1/query_range";
        // VictoriaMetrics shows what it took a moment later.
        let ours = ask(&from, path, &range).await;
        eventually(expr, async || (ask(&to, path, &range).await == ours).then_some(())).await;
        let series = ours["result"].as_array().unwrap();
        compared += series.iter().map(|one| one["values"].as_array().unwrap().len()).sum::<usize>();
    }
    assert!(compared > 5000, "{compared} values were compared");
    typed(&to, &["export", &path("back"), "--match", "{path!=\"\"}"]).await.unwrap();
    assert_eq!(std::fs::read_to_string(path("back")).unwrap(), text(&all));

    // What is beyond its retention (of a hundred years) it drops in silence; the import doesn't.
    std::fs::write(path("old"), "m 1 -2208988800\nm 1 1\n# EOF\n").unwrap();
    let failure = typed(&to, &["import", &path("old")]).await.unwrap_err();
    assert!(failure.message.starts_with("1 samples were rejected"), "{failure}");
    assert!(failure.message.contains("-retentionPeriod"), "{failure}");
    from.server.stop().await;
    to.server.stop().await;
}

#[tokio::test]
async fn prometheus_refuses_what_is_old_and_the_way_out_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let engine = process::Process::start(process::Product::Prometheus, dir.path());
    let test = each_with(|config| config.metrics = Some(engine.address())).await.remove(0);
    let now = test.server.app.clock.now().ms();
    let file = dir.path().join("in");
    let one = |at_ms| {
        text(&[Series {
            labels: Labels::metric("m", &[]),
            samples: vec![Sample { at_ms, value: 1.0 }],
        }])
    };
    std::fs::write(&file, one(now)).unwrap();
    typed(&test, &["import", &file.display().to_string()]).await.unwrap();
    std::fs::write(&file, one(now - 30 * DAY_MS)).unwrap();
    let failure = typed(&test, &["import", &file.display().to_string()]).await.unwrap_err();
    assert!(failure.message.contains("promtool tsdb create-blocks-from"), "{failure}");
    test.server.stop().await;
}

#[tokio::test]
async fn failures_say_where_and_leave_nothing_half_written() {
    let test = each().await.remove(0);
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let now_s = test.server.app.clock.now().ms() / 1000;
    let go = async |words: &[&str]| {
        let failure = typed(&test, words).await.unwrap_err();
        (failure.code, failure.message)
    };
    std::fs::write(path("bad"), format!("m 1 {now_s}\nm x 1\n# EOF\n")).unwrap();
    let (code, message) = go(&["import", &path("bad")]).await;
    assert_eq!(code, Code::Usage);
    assert!(message.contains("line 2: its value is no number"), "{message}");
    std::fs::write(path("old"), format!("m 1 {now_s}\nm 1 1\n# EOF\n")).unwrap();
    let (code, message) = go(&["import", &path("old")]).await;
    assert_eq!(code, Code::Failed);
    assert!(
        message.starts_with("1 samples were rejected; the first, line 2: m at 1970"),
        "{message}"
    );
    assert_eq!(go(&["import", &path("nothing")]).await.0, Code::Usage);
    assert_eq!(go(&["export", &path("out"), "--match", "sum(m)"]).await.0, Code::Usage);
    assert_eq!(go(&["export", &path("none/out")]).await.0, Code::Failed);

    std::fs::write(path("there"), "mine").unwrap();
    assert_eq!(go(&["export", &path("there")]).await.0, Code::Conflict);
    assert_eq!(std::fs::read_to_string(path("there")).unwrap(), "mine");
    let away = [
        "opshawk",
        "metrics",
        "export",
        &path("out"),
        "--server",
        "http://127.0.0.1:1",
        "--token",
        "x",
    ];
    let failure = cli::run(Cli::try_parse_from(away).unwrap()).await.unwrap_err();
    assert_eq!(failure.code, Code::Failed);
    // A server that ends in the middle.
    let cut = cut_short().await;
    let half = ["opshawk", "metrics", "export", &path("out"), "--server", &cut, "--token", "x"];
    let failure = cli::run(Cli::try_parse_from(half).unwrap()).await.unwrap_err();
    assert!(failure.message.contains("cut short"), "{failure}");
    let mut left: Vec<_> =
        std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["bad", "old", "there"]);
    test.server.stop().await;
}

/// Answers an export without its end.
async fn cut_short() -> String {
    let router = axum::Router::new().fallback(async || "m 1 1\n");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, router).await });
    url
}
