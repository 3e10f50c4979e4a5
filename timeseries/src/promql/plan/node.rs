//! The typed tree of a plan.

use crate::{
    error::{Error, Result},
    matcher::Matcher,
    promql::functions::Function,
};

#[derive(Debug)]
pub struct Plan {
    pub root: Node,
    /// What to read, by [`Selector::data`]: the scope's matcher is among them.
    pub selectors: Vec<Vec<Matcher>>,
}

#[derive(Debug)]
pub enum Node {
    Number(f64),
    Text(String),
    Selector(Selector),
    Range(Box<Range>),
    Negate(Box<Node>),
    /// Changes nothing, but that what it stands before is no selector any more.
    Plus(Box<Node>),
    Binary(Box<Binary>),
    Aggregate(Box<Aggregate>),
    Call(Box<Call>),
}

#[derive(Debug, Clone)]
pub struct Selector {
    /// Index into the plan's selectors and into what was read for them.
    pub data: usize,
    /// As the caller wrote them, for `absent`.
    pub shown: Vec<Matcher>,
    /// With `@`: looked at this instant, whatever the step.
    pub at_ms: Option<i64>,
    pub offset_ms: i64,
}

/// `selector[range]`, or `(expr)[range:step]`.
#[derive(Debug)]
pub struct Range {
    pub source: RangeSource,
    pub range_ms: i64,
    pub at_ms: Option<i64>,
    pub offset_ms: i64,
}

#[derive(Debug)]
pub enum RangeSource {
    Selector(Selector),
    Subquery { inner: Node, step_ms: i64 },
}

impl Range {
    /// The end of the window at a step.
    pub fn end_ms(&self, at_ms: i64) -> i64 {
        self.at_ms.unwrap_or(at_ms) - self.offset_ms
    }
}

#[derive(Debug)]
pub struct Binary {
    pub op: BinaryOp,
    pub lhs: Node,
    pub rhs: Node,
    /// `bool`: 0 or 1 in place of filtering.
    pub returns_bool: bool,
    pub matching: Matching,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Eq,
    Ne,
    Gt,
    Lt,
    Ge,
    Le,
    And,
    Or,
    Unless,
}

impl BinaryOp {
    pub const ALL: [Self; 16] = [
        Self::Add,
        Self::Sub,
        Self::Mul,
        Self::Div,
        Self::Mod,
        Self::Pow,
        Self::Atan2,
        Self::Eq,
        Self::Ne,
        Self::Gt,
        Self::Lt,
        Self::Ge,
        Self::Le,
        Self::And,
        Self::Or,
        Self::Unless,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
            Self::Atan2 => "atan2",
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Gt => ">",
            Self::Lt => "<",
            Self::Ge => ">=",
            Self::Le => "<=",
            Self::And => "and",
            Self::Or => "or",
            Self::Unless => "unless",
        }
    }
    pub fn is_comparison(self) -> bool {
        matches!(self, Self::Eq | Self::Ne | Self::Gt | Self::Lt | Self::Ge | Self::Le)
    }
    pub fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }
    /// As Prometheus has it: comparisons keep the metric's name, and so does atan2.
    pub fn drops_name(self) -> bool {
        !self.is_comparison() && !self.is_set() && self != Self::Atan2
    }
}

/// How the elements of two vectors find each other.
#[derive(Debug)]
pub struct Matching {
    /// By these labels only, or else by all but these and the name.
    pub on: bool,
    pub labels: Vec<String>,
    pub many: Many,
    /// Taken over from the "one" side.
    pub include: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Many {
    Neither,
    /// `group_left`
    Left,
    /// `group_right`
    Right,
}

#[derive(Debug)]
pub struct Aggregate {
    pub op: AggregateOp,
    /// All labels but these and the name, or else these only.
    pub without: bool,
    pub labels: Vec<String>,
    pub param: Param,
    pub expr: Node,
}

#[derive(Debug)]
pub enum Param {
    None,
    Scalar(Node),
    Label(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregateOp {
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Stddev,
    Stdvar,
    Group,
    Topk,
    Bottomk,
    Quantile,
    CountValues,
}

impl AggregateOp {
    pub const ALL: [Self; 12] = [
        Self::Sum,
        Self::Avg,
        Self::Min,
        Self::Max,
        Self::Count,
        Self::Stddev,
        Self::Stdvar,
        Self::Group,
        Self::Topk,
        Self::Bottomk,
        Self::Quantile,
        Self::CountValues,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Count => "count",
            Self::Stddev => "stddev",
            Self::Stdvar => "stdvar",
            Self::Group => "group",
            Self::Topk => "topk",
            Self::Bottomk => "bottomk",
            Self::Quantile => "quantile",
            Self::CountValues => "count_values",
        }
    }
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.name() == name)
    }
    pub fn param(self) -> Option<Kind> {
        match self {
            Self::Topk | Self::Bottomk | Self::Quantile => Some(Kind::Scalar),
            Self::CountValues => Some(Kind::Text),
            _ => None,
        }
    }
}

#[derive(Debug)]
pub struct Call {
    pub function: Function,
    pub args: Vec<Node>,
}

/// What a node evaluates to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Scalar,
    Vector,
    Matrix,
    Text,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
            Self::Text => "string",
        }
    }
}

impl Node {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Number(_) => Kind::Scalar,
            Self::Text(_) => Kind::Text,
            Self::Selector(_) | Self::Aggregate(_) => Kind::Vector,
            Self::Range(_) => Kind::Matrix,
            Self::Negate(inner) | Self::Plus(inner) => inner.kind(),
            Self::Binary(binary) => match (binary.lhs.kind(), binary.rhs.kind()) {
                (Kind::Scalar, Kind::Scalar) => Kind::Scalar,
                _ => Kind::Vector,
            },
            Self::Call(call) if call.function.returns_scalar() => Kind::Scalar,
            Self::Call(_) => Kind::Vector,
        }
    }

    pub fn expect(&self, wanted: &[Kind], what: &str) -> Result<()> {
        if wanted.contains(&self.kind()) {
            return Ok(());
        }
        let wanted: Vec<_> = wanted.iter().map(|kind| kind.name()).collect();
        let message = format!("{what} must be {}, not {}", wanted.join(" or "), self.kind().name());
        Err(Error::BadData(message))
    }

    /// However little it reads, a subquery may have millions of steps.
    pub fn has_subquery(&self) -> bool {
        match self {
            Self::Number(_) | Self::Text(_) | Self::Selector(_) => false,
            Self::Range(range) => matches!(range.source, RangeSource::Subquery { .. }),
            Self::Negate(inner) | Self::Plus(inner) => inner.has_subquery(),
            Self::Binary(binary) => binary.lhs.has_subquery() || binary.rhs.has_subquery(),
            Self::Aggregate(aggregate) => {
                matches!(&aggregate.param, Param::Scalar(param) if param.has_subquery())
                    || aggregate.expr.has_subquery()
            }
            Self::Call(call) => call.args.iter().any(Self::has_subquery),
        }
    }

    /// The same at every step, so that one evaluation serves all of them.
    pub fn is_step_invariant(&self) -> bool {
        match self {
            Self::Number(_) | Self::Text(_) => true,
            Self::Selector(selector) => selector.at_ms.is_some(),
            Self::Range(range) => range.at_ms.is_some(),
            Self::Negate(inner) | Self::Plus(inner) => inner.is_step_invariant(),
            Self::Binary(binary) => {
                binary.lhs.is_step_invariant() && binary.rhs.is_step_invariant()
            }
            Self::Aggregate(aggregate) => {
                let param = match &aggregate.param {
                    Param::Scalar(param) => param.is_step_invariant(),
                    Param::None | Param::Label(_) => true,
                };
                param && aggregate.expr.is_step_invariant()
            }
            Self::Call(call) => {
                !call.function.knows_the_step() && call.args.iter().all(Self::is_step_invariant)
            }
        }
    }
}
