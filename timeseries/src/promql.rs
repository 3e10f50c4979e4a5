//! PromQL over any store: parse, plan, read, evaluate.
//!
//! ```text
//! text ── syntax ── plan (types, scope, time spans) ──> selectors ── Store::find ──> Selection
//!                      └──────────────── tree ─────────────────> eval ──> Value
//! ```
//!
//! | Module | Holds |
//! | --- | --- |
//! | `syntax` | text to a tree and back: tokens, grammar, Prometheus' layout |
//! | `functions` | the functions by name, with their types |
//! | `plan` | the typed tree; which series and spans of time it needs; the scope |
//! | `eval` | values at every step: selectors, windows, functions, operators, aggregations |
//! | `lost` | warnings of an answer: what is damaged in the time that it read |
//! | `guard`, `stats` | when a query has to end, and how much it may hold; how queries ended |
//!
//! The reference is Prometheus 2.42; a test compares the two value for value. What the evaluator
//! does not know is refused by name while planning, never answered wrongly. docs/promql.md lists
//! what is supported, what is refused, and what is different on purpose.

use std::{sync::Arc, time::Duration};

use base::sample::Labels;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::{
    eval::{Evaluator, Grid, Held, Metric, Out, Points},
    guard::{Guard, Memory},
    plan::{Kind, Node, Plan},
    stats::{Counters, Running},
};
use crate::{
    error::{Error, Result},
    matcher::Matcher,
    memory,
    scope::Scope,
    selection::{Loaded, Selection},
    store::{Select, Store},
    validate,
    value::{InstantSeries, Point, RangeSeries, Text, Value},
};

mod browse;
mod eval;
mod functions;
mod guard;
mod lost;
mod plan;
mod stats;
mod syntax;

#[cfg(test)]
mod tests;

pub use browse::Cardinality;
pub(crate) use browse::has_series;
pub use functions::{LATER as LATER_FUNCTIONS, NAMES as FUNCTIONS};
pub use plan::{DEPTH_MAX, EXPR_MAX_BYTES, format};
pub use stats::QueryStats;

/// Points of one series in a range query, as Prometheus has it.
pub const RANGE_POINTS_MAX: i64 = 11_000;
/// `match[]` parameters of one request.
pub const SELECTORS_MAX: usize = 64;

/// An instant query that reads no more than this, all of it in memory, and makes no steps of its own
/// is evaluated where it came in.
const SMALL_MAX_VALUES: usize = 500;
/// The same where some of it is on the disk, most likely in the kernel's cache: its thread's other
/// work goes to another thread, but it does not wait for one.
const SMALL_MAX_READ_VALUES: usize = 4_000;

#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// How far back an instant looks for a series' newest sample.
    pub lookback: Duration,
    /// One query, its wait for a place included.
    pub timeout: Duration,
    /// Samples that a query may read; 16 bytes each.
    pub max_samples: usize,
    /// Series that its selectors may find, all of them together; label sets that a series or label
    /// request may look at.
    pub max_series: usize,
    /// Values that it may hold at once while it evaluates; 16 bytes each.
    pub max_points: usize,
    /// Bytes that it may take: what it read, with labels; what it holds while it evaluates; its
    /// answer, with the text that becomes of it.
    pub max_memory: usize,
    /// Queries that run at once; others wait.
    pub concurrency: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            lookback: Duration::from_secs(5 * 60),
            timeout: Duration::from_secs(120),
            max_samples: 20_000_000,
            max_series: 1_000_000,
            max_points: 20_000_000,
            max_memory: 1 << 30,
            concurrency: 20,
        }
    }
}

/// What a plan reads, and what is left of its bounds.
struct Fetched {
    /// By selector.
    data: Vec<Arc<dyn Selection>>,
    memory: Memory,
    samples_left: usize,
}

impl Fetched {
    /// Where what takes about the time that another thread needs to wake up is not worth one.
    fn thread(&self, root: &Node, grid: Grid) -> Thread {
        let values = |one: &Arc<dyn Selection>| one.samples_about() + one.labels().len();
        let values: usize = self.data.iter().map(values).sum();
        let in_memory = self.data.iter().all(|one| one.is_in_memory());
        let is_plain = grid.count == 1 && !root.has_subquery();
        match in_memory {
            true if is_plain && values <= SMALL_MAX_VALUES => Thread::This,
            false if is_plain && values <= SMALL_MAX_READ_VALUES && may_block() => {
                Thread::ThisAlone
            }
            _ => Thread::Other,
        }
    }
}

/// Where a query is evaluated: on the thread that took it, there without what else the thread does,
/// or on one that is made for what takes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thread {
    This,
    ThisAlone,
    Other,
}

/// This thread's runtime has others that can take over.
fn may_block() -> bool {
    let flavor = tokio::runtime::Handle::try_current().map(|handle| handle.runtime_flavor());
    matches!(flavor, Ok(tokio::runtime::RuntimeFlavor::MultiThread))
}

/// Answers queries over a store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine {
    store: Arc<dyn Store>,
    options: Arc<EngineOptions>,
    places: Arc<Semaphore>,
    counters: Arc<Counters>,
}

impl Engine {
    pub fn new(store: Arc<dyn Store>, options: EngineOptions) -> Self {
        let places = Arc::new(Semaphore::new(options.concurrency.max(1)));
        Self { store, options: Arc::new(options), places, counters: Arc::default() }
    }

    /// How queries ended.
    pub fn stats(&self) -> QueryStats {
        self.counters.stats()
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Whether an expression is well formed and known, for rules.
    pub fn check(expr: &str) -> Result<()> {
        plan::compile(expr, &Scope::ALL, 0, 0).map(|_| ())
    }

    /// Evaluates at one instant.
    pub async fn query(&self, scope: &Scope, expr: &str, at_ms: i64) -> Result<Value> {
        let plan = plan::compile(expr, scope, at_ms, at_ms)?;
        if let Node::Text(text) = plan.root {
            return Ok(Value::String(Text { at_ms, text }));
        }
        self.run(plan, Grid::instant(at_ms), move |evaluator, root, grid| {
            if let Node::Range(range) = root {
                return raw(evaluator, range, grid);
            }
            Ok(match evaluator.eval(root, grid)? {
                Out::Scalar(values) => Value::Scalar(Point { at_ms, value: values[0] }),
                Out::Vector(series) => {
                    evaluator.held.check_answer(&series)?;
                    let series = series.into_iter().filter_map(|points| {
                        let value = Point { at_ms, value: points.values[0]? };
                        Some(InstantSeries { metric: points.labels.to_labels(), value })
                    });
                    Value::Vector(series.collect())
                }
            })
        })
        .await
    }

    /// Evaluates at `start_ms`, and every `step_ms` from there to `end_ms`. Sorted by labels.
    pub async fn query_range(
        &self,
        scope: &Scope,
        expr: &str,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
    ) -> Result<Value> {
        let grid = range_grid(start_ms, end_ms, step_ms)?;
        let plan = plan::compile(expr, scope, start_ms, end_ms)?;
        if !matches!(plan.root.kind(), Kind::Scalar | Kind::Vector) {
            return Err(Error::BadData(format!(
                "invalid expression type \"{}\" for range query, must be Scalar or instant Vector",
                plan.root.kind().name()
            )));
        }
        self.run(plan, grid, |evaluator, root, grid| {
            let mut series = match evaluator.eval(root, grid)? {
                Out::Vector(series) => series,
                Out::Scalar(values) => {
                    let values = values.into_iter().map(Some).collect();
                    vec![Points { labels: Metric::default(), values }]
                }
            };
            series.sort_by(|a, b| a.labels.cmp(&b.labels));
            evaluator.held.check_answer(&series)?;
            let series = series.into_iter().map(|points| to_range_series(&points, grid));
            Ok(Value::Matrix(series.filter(|series| !series.values.is_empty()).collect()))
        })
        .await
    }

    async fn run(
        &self,
        plan: Plan,
        grid: Grid,
        finish: impl FnOnce(&Evaluator<'_>, &Node, Grid) -> Result<Value> + Send + 'static,
    ) -> Result<Value> {
        let running = Running::begin(&self.counters);
        running.end(self.read_and_evaluate(plan, grid, finish).await)
    }

    /// Reads what the plan needs, then evaluates; off the runtime's threads, but for what is small.
    async fn read_and_evaluate(
        &self,
        plan: Plan,
        grid: Grid,
        finish: impl FnOnce(&Evaluator<'_>, &Node, Grid) -> Result<Value> + Send + 'static,
    ) -> Result<Value> {
        let guard = Guard::new(self.options.timeout);
        let _cancel = guard.cancel_on_drop();
        let deadline = tokio::time::Instant::from_std(guard.deadline());
        let prepared = tokio::time::timeout_at(deadline, async {
            let place = self.place().await?;
            Ok((place, self.fetch(&plan, grid).await?))
        });
        let (place, fetched) = prepared.await.map_err(|_| guard.timeout())??;
        let (lookback_ms, max_points) = (self.lookback_ms(), self.options.max_points);
        let max_samples = self.options.max_samples;
        let thread = fetched.thread(&plan.root, grid);
        let its_guard = guard.clone();
        let work = move || {
            let _place = place;
            let Fetched { data, memory, samples_left } = fetched;
            let reading = memory.reading(samples_left, max_samples);
            let held = Held::at_most(max_points, memory);
            let guard = &its_guard;
            let evaluator = Evaluator { data: &data, lookback_ms, reading, held, guard };
            finish(&evaluator, &plan.root, grid)
        };
        match thread {
            Thread::This => return work(),
            Thread::ThisAlone => return tokio::task::block_in_place(work),
            Thread::Other => {}
        }
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(Error::Closed),
        }
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit> {
        self.places.clone().acquire_owned().await.map_err(|_| Error::Closed)
    }

    /// Finds what the plan's selectors need.
    async fn fetch(&self, plan: &Plan, grid: Grid) -> Result<Fetched> {
        let spans = plan.spans(grid.start_ms, grid.end_ms(), self.lookback_ms());
        let mut left = self.options.max_samples;
        let mut series = 0;
        let mut memory = Memory::at_most(self.options.max_memory);
        let nothing: Arc<dyn Selection> = Arc::new(Loaded::default());
        let mut data = vec![nothing; spans.len()];
        for read in plan.reads(&spans) {
            let select = Select {
                matchers: plan.selectors[read.selectors[0]].clone(),
                start_ms: read.span.start_ms,
                end_ms: read.span.end_ms,
                max_samples: left,
                max_bytes: memory.left(),
                newest_only: grid.count == 1 && plan.reads_newest_only(&read),
            };
            // What several selectors share is read once, and kept for them.
            let found = match read.selectors.len() {
                1 => self.store.find(select).await,
                _ => self.store.select(select).await.map(|all| Arc::new(Loaded::from(all)) as _),
            };
            let found: Arc<dyn Selection> = found.map_err(|error| match error {
                // The rest of the budget is no limit that anybody set.
                Error::TooManySamples { .. } => {
                    Error::TooManySamples { limit: self.options.max_samples }
                }
                Error::TooMuchMemory { .. } => memory.exceeded(),
                other => other,
            })?;
            let labels = found.labels().iter().map(|labels| memory::of_labels(labels.iter()));
            memory.take(labels.sum())?;
            if found.is_loaded() {
                memory.take(memory::of_samples(found.samples_about()))?;
                left -= found.samples_about().min(left);
            }
            series += found.labels().len();
            if series > self.options.max_series {
                return Err(Error::TooManySeries { limit: self.options.max_series });
            }
            read.selectors.into_iter().for_each(|index| data[index] = found.clone());
        }
        Ok(Fetched { data, memory, samples_left: left })
    }

    /// What a call that lists series or labels looks at.
    fn over(&self, matchers: Vec<Matcher>, start_ms: i64, end_ms: i64) -> Select {
        let (max_samples, max_bytes) = (self.options.max_series, self.options.max_memory);
        Select { matchers, start_ms, end_ms, max_samples, max_bytes, newest_only: false }
    }

    /// Such a call waits for its turn, ends with its time and is counted as a query is.
    async fn listed<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let running = Running::begin(&self.counters);
        let guard = Guard::new(self.options.timeout);
        let deadline = tokio::time::Instant::from_std(guard.deadline());
        let call = tokio::time::timeout_at(deadline, async {
            let _place = self.place().await?;
            call.await
        });
        let result = call.await.unwrap_or_else(|_| Err(guard.timeout()));
        running.end(result.map_err(|error| match error {
            // It reads none.
            Error::TooManySamples { limit } => Error::TooManySeries { limit },
            other => other,
        }))
    }

    fn lookback_ms(&self) -> i64 {
        i64::try_from(self.options.lookback.as_millis()).unwrap_or(i64::MAX)
    }

    /// Label sets of the series that any of the selectors (`match[]`) finds.
    pub async fn series(
        &self,
        scope: &Scope,
        selectors: &[String],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<Labels>> {
        if selectors.is_empty() {
            return Err(Error::BadData("no match[] parameter provided".to_owned()));
        }
        let mut all = std::collections::BTreeSet::new();
        for matchers in match_sets(scope, selectors)? {
            let request = self.over(matchers, start_ms, end_ms);
            all.extend(self.listed(self.store.series(request)).await?);
        }
        Ok(all.into_iter().map(|labels| Labels::clone(&labels)).collect())
    }

    /// Deletes what any of the selectors finds in the range, both ends included. All of them are
    /// read before anything is deleted.
    pub async fn delete(&self, selectors: &[String], start_ms: i64, end_ms: i64) -> Result<()> {
        if selectors.is_empty() {
            return Err(Error::BadData("no match[] parameter provided".to_owned()));
        }
        if end_ms < start_ms {
            return Err(Error::BadData("end timestamp must not be before start time".to_owned()));
        }
        for matchers in match_sets(&Scope::ALL, selectors)? {
            self.store.delete(matchers, start_ms, end_ms).await?;
        }
        Ok(())
    }

    /// Without selectors, of all that the scope sees.
    pub async fn label_names(
        &self,
        scope: &Scope,
        selectors: &[String],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<String>> {
        let mut all = std::collections::BTreeSet::new();
        for matchers in match_sets(scope, selectors)? {
            let request = self.over(matchers, start_ms, end_ms);
            all.extend(self.listed(self.store.label_names(request)).await?);
        }
        Ok(all.into_iter().collect())
    }

    pub async fn label_values(
        &self,
        scope: &Scope,
        name: &str,
        selectors: &[String],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<String>> {
        if name.is_empty() || name.len() > validate::LABEL_NAME_MAX_BYTES {
            return Err(Error::BadData(format!("invalid label name: {name:?}")));
        }
        let mut all = std::collections::BTreeSet::new();
        for matchers in match_sets(scope, selectors)? {
            let request = self.over(matchers, start_ms, end_ms);
            all.extend(self.listed(self.store.label_values(name, request)).await?);
        }
        Ok(all.into_iter().collect())
    }
}

pub(crate) fn match_sets(scope: &Scope, selectors: &[String]) -> Result<Vec<Vec<Matcher>>> {
    if selectors.len() > SELECTORS_MAX {
        return Err(Error::BadData(format!("more than {SELECTORS_MAX} match[] parameters")));
    }
    if selectors.is_empty() {
        let mut matchers = Vec::new();
        scope.enforce(&mut matchers);
        return Ok(vec![matchers]);
    }
    selectors.iter().map(|selector| plan::matchers(selector, scope)).collect()
}

fn range_grid(start_ms: i64, end_ms: i64, step_ms: i64) -> Result<Grid> {
    if end_ms < start_ms {
        return Err(Error::BadData("end timestamp must not be before start time".to_owned()));
    }
    if step_ms <= 0 {
        return Err(Error::BadData(
            "zero or negative query resolution step widths are not accepted. Try a positive \
             integer"
                .to_owned(),
        ));
    }
    let steps = end_ms.saturating_sub(start_ms) / step_ms;
    if steps > RANGE_POINTS_MAX {
        return Err(Error::BadData(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query \
             resolution (?step=XX)"
                .to_owned(),
        ));
    }
    Ok(Grid { start_ms, step_ms, count: steps as usize + 1 })
}

/// The samples themselves, for a range vector at the top of an instant query.
fn raw(evaluator: &Evaluator<'_>, range: &plan::Range, grid: Grid) -> Result<Value> {
    let end_ms = range.end_ms(grid.start_ms);
    let start_ms = end_ms - range.range_ms;
    let mut series = Vec::new();
    let mut bytes = 0;
    for stretch in evaluator.stretches(range, grid)? {
        let inside = stretch.samples.iter().filter(|s| (start_ms..=end_ms).contains(&s.at_ms));
        let values: Vec<Point> = inside.map(|s| Point { at_ms: s.at_ms, value: s.value }).collect();
        bytes += memory::of_labels(stretch.labels.iter()) + values.len() * memory::ANSWERED_VALUE;
        evaluator.held.check_bytes(bytes)?;
        if !values.is_empty() {
            series.push(RangeSeries { metric: stretch.labels.to_labels(), values });
        }
    }
    Ok(Value::Matrix(series))
}

fn to_range_series(points: &Points, grid: Grid) -> RangeSeries {
    let values = points.values.iter().enumerate();
    let values = values.filter_map(|(i, v)| Some(Point { at_ms: grid.at(i), value: (*v)? }));
    RangeSeries { metric: points.labels.to_labels(), values: values.collect() }
}
