//! Random expressions that are well formed, from a seed.
//!
//! Left out is where 2.42 has faults that later versions mended, and that we do not share: `@` in
//! the range of a function with a scalar that changes from step to step (its window moves), or
//! beside `offset` inside of `timestamp` (the offset is lost), and a parameter of an aggregation
//! that changes while its operand stands still (the first step's is taken).

use super::{
    data::{MIDDLE_MS, Random},
    table::RANGE_FUNCTIONS,
};

const MAPS: &[&str] = &[
    "abs",
    "ceil",
    "floor",
    "round",
    "sqrt",
    "sgn",
    "rad",
    "deg",
    "absent",
    "sort",
    "sort_desc",
    "minute",
    "hour",
    "day_of_week",
    "day_of_month",
    "day_of_year",
    "days_in_month",
    "month",
    "year",
];
/// The last digit of these may differ, and operators can magnify it; so they are rounded.
const CURVES: &[&str] = &[
    "exp", "ln", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh",
    "tanh", "asinh", "acosh", "atanh",
];
const AGGREGATIONS: &[&str] = &["sum", "avg", "min", "max", "count", "stddev", "stdvar", "group"];
/// General powers and `atan2` are in the table: like curves, they may differ in the last digit.
const ARITHMETIC: &[&str] = &["+", "-", "*", "/", "%", "^ 2 *"];
const COMPARISONS: &[&str] = &["==", "!=", ">", "<", ">=", "<="];
const NUMBERS: &[&str] =
    &["0", "1", "2", "-1", "0.5", "1e3", "NaN", "Inf", "-Inf", "1e-5", "0x1F", "30", "-2.5"];
const RANGES: &[&str] = &["1m", "2m30s", "5m", "10m", "20m", "1h"];
const LABELS: &[&str] =
    &["job", "instance", "path", "kind", "zone", "team", "le", "side", "turn", "nothing"];
const SELECTORS: &[&str] = &[
    "requests_total",
    "requests_total{job=\"api\"}",
    "requests_total{path=~\"/a|/c\"}",
    "temperature",
    "temperature{instance!=\"1\"}",
    "temperature{job=\"api\",instance=\"2\"}",
    "load",
    "load{kind=\"web\"}",
    "limit",
    "job_info",
    "state",
    "odd",
    "wild",
    "wild{kind=\"finite\"}",
    "twin_a",
    "twin_b{side=\"left\"}",
    "{__name__=~\"twin_.\"}",
    "{__name__=~\"twin_a|limit\",job=\"api\"}",
    "passing",
    "passing{turn=~\"[0-5]\"}",
    "texts{number=~\"1.*\"}",
    "duration_seconds_bucket{instance=\"0\"}",
    "nothing",
];
const BUCKETS: &[&str] = &[
    "duration_seconds_bucket",
    "rate(duration_seconds_bucket[5m])",
    "sum by (le, job) (rate(duration_seconds_bucket[10m]))",
    "bad_bucket",
    "increase(bad_bucket[10m])",
    "temperature",
];

pub struct Generator<'a> {
    random: &'a mut Random,
    /// Whether `@` may stand in the expression.
    with_at: bool,
    subqueries_left: u32,
}

pub fn expression(random: &mut Random) -> String {
    let with_at = random.below(4) == 0;
    let depth = 1 + random.below(4) as u32;
    let mut generator = Generator { random, with_at, subqueries_left: 2 };
    match generator.below(12) {
        0 => generator.scalar(depth),
        _ => generator.vector(depth),
    }
}

impl Generator<'_> {
    fn below(&mut self, limit: u64) -> u64 {
        self.random.below(limit)
    }
    fn of<'t>(&mut self, list: &[&'t str]) -> &'t str {
        list[self.random.below(list.len() as u64) as usize]
    }

    fn vector(&mut self, depth: u32) -> String {
        let Some(depth) = depth.checked_sub(1) else { return self.selector() };
        match self.below(20) {
            0 => self.selector(),
            1..=3 => format!("{}({})", self.of(RANGE_FUNCTIONS), self.range(depth)),
            4 => self.range_with_scalars(depth),
            5..=6 => format!("{}({})", self.of(MAPS), self.vector(depth)),
            7 => {
                format!("round(clamp({}({}), -1e6, 1e6), 0.001)", self.of(CURVES), self.selector())
            }
            8..=9 => self.aggregation(depth),
            10..=11 => self.with_scalar(depth),
            12..=14 => self.between_vectors(depth),
            15 => self.labels(depth),
            16 => format!("histogram_quantile({}, {})", self.quantile(), self.of(BUCKETS)),
            17 => self.bounded(depth),
            18 => self.odd_one(depth),
            _ => match self.below(3) {
                0 => format!("-{}", self.vector(depth)),
                1 => format!("+{}", self.vector(depth)),
                _ => format!("({})", self.vector(depth)),
            },
        }
    }

    fn selector(&mut self) -> String {
        format!("{}{}", self.of(SELECTORS), self.shift())
    }

    fn shift(&mut self) -> String {
        let offset = match self.below(6) {
            0 => " offset 3m",
            1 => " offset -2m",
            _ => "",
        };
        if !self.with_at {
            return offset.to_owned();
        }
        let at = match self.below(5) {
            0 => " @ start()".to_owned(),
            1 => " @ end()".to_owned(),
            2 => format!(" @ {}.5", MIDDLE_MS / 1000),
            _ => String::new(),
        };
        if self.below(2) == 0 { format!("{at}{offset}") } else { format!("{offset}{at}") }
    }

    fn range(&mut self, depth: u32) -> String {
        if depth == 0 || self.subqueries_left == 0 || self.below(3) != 0 {
            return format!("{}[{}]{}", self.of(SELECTORS), self.of(RANGES), self.shift());
        }
        self.subqueries_left -= 1;
        let step = self.of(&["", "15s", "37s", "1m", "3m"]);
        let inner = self.vector(depth - 1);
        let range = self.of(&["1m", "5m", "10m", "25m"]);
        format!("({inner})[{range}:{step}]{}", self.shift())
    }

    fn range_with_scalars(&mut self, depth: u32) -> String {
        let range = self.range(depth);
        match self.below(3) {
            0 if !self.with_at => {
                format!("predict_linear({range}, {})", self.scalar(depth))
            }
            1 => {
                let factors = ["0.1", "0.5", "0.9", "0.3", "1"];
                format!("holt_winters({range}, {}, {})", self.of(&factors), self.of(&factors))
            }
            _ if self.with_at => format!("quantile_over_time({}, {range})", self.of(NUMBERS)),
            _ => format!("quantile_over_time({}, {range})", self.quantile()),
        }
    }

    fn quantile(&mut self) -> String {
        match self.below(4) {
            0 if !self.with_at => self.scalar(1),
            _ => self.of(&["0.5", "0", "1", "0.99", "0.25", "-1", "2", "NaN"]).to_owned(),
        }
    }

    fn aggregation(&mut self, depth: u32) -> String {
        let inner = self.vector(depth);
        let kind = self.below(8);
        let labels = match self.some_labels() {
            // 2.42 confuses the labels of count_values from the third on.
            labels if kind == 2 && labels.contains(',') => String::new(),
            labels => labels,
        };
        let grouping = match self.below(4) {
            0 => String::new(),
            1 => format!(" without ({labels})"),
            _ => format!(" by ({labels})"),
        };
        let body = match kind {
            0 => {
                let k = self.of(&["1", "2", "3", "5", "0", "-1", "2.7"]);
                (self.of(&["topk", "bottomk"]), format!("({k}, {inner})"))
            }
            // Over what never changes, 2.42 takes the first step's parameter for all.
            1 if !SELECTORS.iter().any(|selector| inner.contains(selector)) => {
                ("quantile", format!("(0.5, {inner})"))
            }
            1 => ("quantile", format!("({}, {inner})", self.quantile())),
            // Rounded, because the last digit of a sine would name another series.
            2 => {
                let label = self.of(&["v", "job", "le"]);
                ("count_values", format!("(\"{label}\", round({inner}, 0.125))"))
            }
            _ => (self.of(AGGREGATIONS), format!("({inner})")),
        };
        match self.below(2) {
            0 => format!("{}{grouping} {}", body.0, body.1),
            _ => format!("{}{}{grouping}", body.0, body.1),
        }
    }

    fn some_labels(&mut self) -> String {
        let labels = (0..self.below(4)).map(|_| self.of(LABELS)).collect::<Vec<_>>();
        labels.join(", ")
    }

    fn with_scalar(&mut self, depth: u32) -> String {
        let (vector, scalar) = (self.vector(depth), self.scalar(depth));
        let op = match self.below(4) {
            0 => format!("{} bool", self.of(COMPARISONS)),
            1 => self.of(COMPARISONS).to_owned(),
            _ => self.of(ARITHMETIC).to_owned(),
        };
        match self.below(2) {
            0 => format!("{vector} {op} {scalar}"),
            _ => format!("{scalar} {op} {vector}"),
        }
    }

    fn between_vectors(&mut self, depth: u32) -> String {
        let (lhs, rhs) = (self.vector(depth), self.vector(depth));
        let matching = match self.below(4) {
            0 => String::new(),
            1 => format!(" ignoring ({})", self.some_labels()),
            _ => format!(" on ({})", self.some_labels()),
        };
        if self.below(3) == 0 {
            return format!("{lhs} {}{matching} {rhs}", self.of(&["and", "or", "unless"]));
        }
        let grouped = match self.below(3) {
            _ if matching.is_empty() => String::new(),
            0 => format!(" group_left ({})", self.of(&["", "team", "kind", "nothing"])),
            1 => format!(" group_right ({})", self.of(&["", "team", "side"])),
            _ => String::new(),
        };
        let op = match self.below(4) {
            0 => format!("{} bool", self.of(COMPARISONS)),
            1 => self.of(COMPARISONS).to_owned(),
            _ => self.of(ARITHMETIC).to_owned(),
        };
        format!("{lhs} {op}{matching}{grouped} {rhs}")
    }

    fn labels(&mut self, depth: u32) -> String {
        let (inner, to, from) = (self.vector(depth), self.of(LABELS), self.of(LABELS));
        match self.below(3) {
            0 => format!("label_join({inner}, \"{to}\", \"-\", \"{from}\", \"job\")"),
            _ => {
                let with = self.of(&["$1", "x-$1-${1}y", "", "$$", "same", "$1y", "${a b}$"]);
                let regex = self.of(&["(.*)", "(.)(.*)", "a.*", ".+", "", "(?i:(A)).*"]);
                format!("label_replace({inner}, \"{to}\", \"{with}\", \"{from}\", \"{regex}\")")
            }
        }
    }

    fn bounded(&mut self, depth: u32) -> String {
        let vector = self.vector(depth);
        let scalar = self.scalar(depth);
        match self.below(5) {
            0 => format!("clamp({vector}, {scalar}, {})", self.scalar(depth)),
            1 => format!("clamp_min({vector}, {scalar})"),
            2 => format!("clamp_max({vector}, {scalar})"),
            3 => format!("round({vector}, {scalar})"),
            _ => format!("round({vector})"),
        }
    }

    fn odd_one(&mut self, depth: u32) -> String {
        match self.below(4) {
            0 => format!("vector({})", self.scalar(depth)),
            1 if self.with_at => format!("timestamp({})", self.of(SELECTORS)),
            1 => format!("timestamp({})", self.selector()),
            2 => format!("timestamp({} * 1)", self.selector()),
            _ => format!("{}()", self.of(&["minute", "hour", "day_of_week", "year", "month"])),
        }
    }

    /// A constant where a scalar that moves would meet a fault of the reference.
    fn scalar(&mut self, depth: u32) -> String {
        if depth == 0 || self.with_at {
            return self.of(NUMBERS).to_owned();
        }
        match self.below(7) {
            0 => format!("scalar({})", self.vector(depth - 1)),
            1 => "time()".to_owned(),
            2 => "pi()".to_owned(),
            3 => {
                let op = self.of(&["+", "-", "*", "/", "%", "> bool", "== bool"]);
                format!("({} {op} {})", self.scalar(depth - 1), self.scalar(depth - 1))
            }
            4 => format!("-{}", self.scalar(depth - 1)),
            _ => self.of(NUMBERS).to_owned(),
        }
    }
}
