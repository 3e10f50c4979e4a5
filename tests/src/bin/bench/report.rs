//! The table: what was measured, of three, and how ours stands to the two others.

use std::fmt::Write as _;

use crate::{engine::Product, usage::machine};

pub struct Section {
    pub title: &'static str,
    pub text: String,
    pub rows: Vec<Row>,
}

/// By [`Product::ALL`]'s order.
pub struct Row {
    pub what: String,
    pub figures: [f64; 3],
    pub better: Better,
    pub goal: Option<Goal>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Better {
    More,
    Less,
}

/// Our figure, divided by a peer's, is to be on the better side of the ratio.
#[derive(Clone, Copy)]
pub struct Goal {
    pub against: Product,
    pub ratio: f64,
}

impl Row {
    pub fn new(what: impl Into<String>, better: Better, figures: [f64; 3]) -> Self {
        Self { what: what.into(), figures, better, goal: None }
    }
    pub fn goal(mut self, against: Product, ratio: f64) -> Self {
        self.goal = Some(Goal { against, ratio });
        self
    }
    fn of(&self, product: Product) -> f64 {
        let at = Product::ALL.iter().position(|its| *its == product).expect("it is one of all");
        self.figures[at]
    }
    /// Our figure as a share of a peer's.
    fn ratio(&self, against: Product) -> f64 {
        self.of(Product::Opshawk) / self.of(against)
    }
    fn verdict(&self) -> String {
        let Some(goal) = self.goal else { return String::new() };
        let ratio = self.ratio(goal.against);
        let (sign, met) = match self.better {
            Better::More => ('≥', ratio >= goal.ratio),
            Better::Less => ('≤', ratio <= goal.ratio),
        };
        let met = if met { "met" } else { "**missed**" };
        format!("{sign} {:.1} × {}: {met}", goal.ratio, goal.against.name())
    }
}

/// Three significant digits.
fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 1e6 => format!("{:.2} M", value / 1e6),
        v if v >= 1e4 => format!("{:.0} k", value / 1e3),
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

impl Section {
    pub fn markdown(&self) -> String {
        let mut text = format!("{HEADING}{}\n\n{}\n\n", self.title, self.text);
        text += "| | OpsHawk | Prometheus | VictoriaMetrics | ÷ Prometheus | ÷ VictoriaMetrics | goal |\n";
        text += "| --- | ---: | ---: | ---: | ---: | ---: | --- |\n";
        for row in &self.rows {
            let [ours, prometheus, victoria] = row.figures.map(number);
            writeln!(
                text,
                "| {} | {ours} | {prometheus} | {victoria} | {:.2} | {:.2} | {} |",
                row.what,
                row.ratio(Product::Prometheus),
                row.ratio(Product::Victoria),
                row.verdict()
            )
            .expect("a string takes everything");
        }
        text
    }
}

const HEADING: &str = "## ";

/// The whole file, of sections with their headings: of parts that were not measured this time what
/// `before`, the file as it was, says.
pub fn document(sections: &[(&str, Option<String>)], before: &str) -> String {
    let mut text = format!(
        "# Benchmarks\n\n\
         Written by `make bench`: a release build of OpsHawk (the whole server, with its database and its\n\
         loops), Debian's Prometheus and Debian's VictoriaMetrics, each as its package configures it, take\n\
         the same remote-write bodies and answer the same queries over HTTP, turn about; a section is one session.\n\
         OpsHawk syncs its log to the disk before it answers a write; the two others don't. Its answers are\n\
         compared with Prometheus' to 1e-9; VictoriaMetrics defines `rate` in its own way, so its answers are\n\
         only required to have as many series (of topk, any). VictoriaMetrics' cache of results is off (`nocache=1`).\n\n\
         {}. A ratio is our figure divided by theirs.\n",
        machine(),
    );
    for (title, section) in sections {
        let heading = format!("{HEADING}{title}\n");
        let kept = || {
            let (_, rest) = before.split_once(&heading)?;
            let its = rest.split(&format!("\n{HEADING}")).next()?;
            Some(format!("{heading}{}\n", its.trim_end()))
        };
        let its = section.clone().or_else(kept);
        if let Some(its) = its {
            text += "\n";
            text += &its;
        }
    }
    text
}
