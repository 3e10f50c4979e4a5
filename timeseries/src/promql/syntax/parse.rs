//! Tokens to a tree: operators by precedence, calls and aggregations.

use super::{
    DEPTH_MAX, Error, Result,
    ast::{Aggregate, Binary, Call, Expr, Modifiers, Selector, Shift},
    lex::{AGGREGATIONS, Kind, Token},
    text,
};
use crate::promql::plan::{AggregateOp, BinaryOp, Many};

pub fn expression(tokens: &[Token<'_>]) -> Result<Expr> {
    let mut parser = Parser { tokens, next: 0, depth: 0 };
    if parser.peek().kind == Kind::End {
        return parser.error("no expression found in input");
    }
    let tree = parser.expr(0)?;
    if parser.peek().kind != Kind::End {
        return parser.unexpected("the end or an operator");
    }
    Ok(tree.expr)
}

/// A tree and how deep it is: trees are walked by recursion.
pub(super) struct Tree {
    pub expr: Expr,
    pub height: usize,
}

pub(super) struct Parser<'a> {
    tokens: &'a [Token<'a>],
    next: usize,
    /// Of the recursion.
    depth: usize,
}

impl<'a> Parser<'a> {
    pub fn peek(&self) -> Token<'a> {
        self.tokens[self.next]
    }
    pub fn take(&mut self) -> Token<'a> {
        let token = self.peek();
        // The end stays.
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        token
    }
    pub fn accept(&mut self, kind: Kind) -> bool {
        let there = self.peek().kind == kind;
        if there {
            self.take();
        }
        there
    }
    pub fn accept_word(&mut self, word: &str) -> bool {
        let there = self.is_word(word);
        if there {
            self.take();
        }
        there
    }
    pub fn is_word(&self, word: &str) -> bool {
        let token = self.peek();
        token.kind == Kind::Keyword && token.text.eq_ignore_ascii_case(word)
    }
    fn accept_sign(&mut self) -> Option<bool> {
        let token = self.peek();
        let negative = match (token.kind, token.text) {
            (Kind::Operator, "-") => true,
            (Kind::Operator, "+") => false,
            _ => return None,
        };
        self.take();
        Some(negative)
    }
    pub fn expect(&mut self, kind: Kind, wanted: &str) -> Result<Token<'a>> {
        if self.peek().kind == kind { Ok(self.take()) } else { self.unexpected(wanted) }
    }
    pub fn error<T>(&self, why: impl Into<String>) -> Result<T> {
        Err(Error { at: self.peek().at, why: why.into(), unsupported: false })
    }
    pub fn unsupported<T>(&self, what: impl Into<String>) -> Result<T> {
        Err(Error { at: self.peek().at, why: what.into(), unsupported: true })
    }
    pub fn unexpected<T>(&self, wanted: &str) -> Result<T> {
        let token = self.peek();
        if matches!(token.text, "smoothed" | "anchored") {
            return self.unsupported(format!("the modifier {}", token.text));
        }
        let found = match token.kind {
            Kind::End => "end of input".to_owned(),
            _ => format!("{:?}", token.text),
        };
        self.error(format!("unexpected {found}, expected {wanted}"))
    }
    pub fn tree(&self, expr: Expr, below: usize) -> Result<Tree> {
        if below >= DEPTH_MAX {
            return self.error(format!("the expression is nested deeper than {DEPTH_MAX}"));
        }
        Ok(Tree { expr, height: below + 1 })
    }

    /// An expression whose operators bind at least as tightly as `least`.
    fn expr(&mut self, least: u8) -> Result<Tree> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return self.error(format!("the expression is nested deeper than {DEPTH_MAX}"));
        }
        let mut lhs = match self.accept_sign() {
            Some(negative) => self.signed(negative)?,
            None => self.postfixed()?,
        };
        while let Some(op) = operator(self.peek()) {
            let precedence = precedence(op);
            if precedence < least {
                break;
            }
            self.take();
            let modifiers = self.modifiers()?;
            // Only ^ groups to the right.
            let rhs = self.expr(precedence + u8::from(op != BinaryOp::Pow))?;
            let height = lhs.height.max(rhs.height);
            let binary = Binary { op, lhs: lhs.expr, rhs: rhs.expr, modifiers };
            lhs = self.tree(Expr::Binary(Box::new(binary)), height)?;
        }
        self.depth -= 1;
        Ok(lhs)
    }

    /// A sign binds like a product, so that only ^ goes before it; a number takes it in.
    fn signed(&mut self, negative: bool) -> Result<Tree> {
        let inner = self.expr(precedence(BinaryOp::Pow))?;
        match inner.expr {
            Expr::Number(number) => {
                let number = if negative { -number } else { number };
                Ok(Tree { expr: Expr::Number(number), height: inner.height })
            }
            expr => self.tree(Expr::Unary { negative, inner: Box::new(expr) }, inner.height),
        }
    }

    fn postfixed(&mut self) -> Result<Tree> {
        let mut tree = self.primary()?;
        loop {
            if self.accept(Kind::LeftBracket) {
                tree = self.bracketed(tree)?;
            } else if self.accept_word("offset") {
                self.offset(&mut tree.expr)?;
            } else if self.accept(Kind::At) {
                self.at(&mut tree.expr)?;
            } else {
                return Ok(tree);
            }
        }
    }

    fn primary(&mut self) -> Result<Tree> {
        let token = self.peek();
        let expr = match token.kind {
            Kind::Number => {
                self.take();
                match text::number(token.text) {
                    Some(number) => Expr::Number(number),
                    None => return self.error(format!("bad number {:?}", token.text)),
                }
            }
            Kind::Text => {
                self.take();
                Expr::Text(self.unquoted(token)?)
            }
            Kind::LeftParen => {
                self.take();
                let inner = self.expr(0)?;
                self.expect(Kind::RightParen, "\")\"")?;
                return self.tree(Expr::Paren(Box::new(inner.expr)), inner.height);
            }
            Kind::LeftBrace => Expr::Selector(self.braces(None)?),
            Kind::Keyword if self.begins_aggregation(token) => return self.aggregation(),
            Kind::Name if self.tokens[self.next + 1].kind == Kind::LeftParen => return self.call(),
            Kind::Keyword if !is_metric_keyword(token.text) => {
                return self.unexpected("an expression");
            }
            Kind::Name | Kind::MetricName | Kind::Keyword => {
                self.take();
                let name = Some(token.text.to_owned());
                if self.peek().kind == Kind::LeftBrace {
                    Expr::Selector(self.braces(name)?)
                } else {
                    let shift = Shift::default();
                    Expr::Selector(Selector { name, matchers: Vec::new(), shift })
                }
            }
            _ => return self.unexpected("an expression"),
        };
        self.tree(expr, 0)
    }

    /// The names of aggregations are names of metrics as well.
    fn begins_aggregation(&self, token: Token<'_>) -> bool {
        let after = self.tokens[self.next + 1];
        let is = |word: &str| after.text.eq_ignore_ascii_case(word);
        AGGREGATIONS.iter().any(|name| token.text.eq_ignore_ascii_case(name))
            && (after.kind == Kind::LeftParen
                || (after.kind == Kind::Keyword && (is("by") || is("without"))))
    }

    fn aggregation(&mut self) -> Result<Tree> {
        let name = self.take().text.to_ascii_lowercase();
        let op = AggregateOp::named(&name).expect("the lexer's list is the evaluator's");
        let mut grouping = self.grouping()?;
        let (mut args, height) = self.args()?;
        if grouping.is_none() {
            grouping = self.grouping()?;
        }
        let (without, labels) = grouping.unwrap_or_default();
        let wanted = if op.param().is_some() { 2 } else { 1 };
        if args.len() != wanted {
            let found = args.len();
            return self.error(format!("{name} takes {wanted} argument(s), found {found}"));
        }
        let expr = args.pop().expect("just counted");
        let aggregate = Aggregate { op, without, labels, param: args.pop(), expr };
        self.tree(Expr::Aggregate(Box::new(aggregate)), height)
    }

    /// `by (…)` or `without (…)`.
    fn grouping(&mut self) -> Result<Option<(bool, Vec<String>)>> {
        let without = if self.accept_word("by") {
            false
        } else if self.accept_word("without") {
            true
        } else {
            return Ok(None);
        };
        Ok(Some((without, self.labels()?)))
    }

    fn call(&mut self) -> Result<Tree> {
        let name = self.take().text.to_owned();
        match name.as_str() {
            "limitk" | "limit_ratio" => return self.unsupported(format!("the aggregation {name}")),
            "fill" | "fill_left" | "fill_right" => {
                return self.unsupported(format!("the modifier {name}"));
            }
            _ => {}
        }
        let (args, height) = self.args()?;
        self.tree(Expr::Call(Box::new(Call { name, args })), height)
    }

    fn args(&mut self) -> Result<(Vec<Expr>, usize)> {
        self.expect(Kind::LeftParen, "\"(\"")?;
        let (mut args, mut height) = (Vec::new(), 0);
        if self.accept(Kind::RightParen) {
            return Ok((args, height));
        }
        loop {
            let arg = self.expr(0)?;
            height = height.max(arg.height);
            args.push(arg.expr);
            if self.accept(Kind::RightParen) {
                return Ok((args, height));
            }
            self.expect(Kind::Comma, "\",\" or \")\"")?;
        }
    }

    fn modifiers(&mut self) -> Result<Modifiers> {
        let returns_bool = self.accept_word("bool");
        let mut modifiers = Modifiers {
            returns_bool,
            on: false,
            labels: Vec::new(),
            many: Many::Neither,
            include: Vec::new(),
        };
        if self.accept_word("on") {
            modifiers.on = true;
        } else if !self.accept_word("ignoring") {
            return Ok(modifiers);
        }
        modifiers.labels = self.labels()?;
        modifiers.many = if self.accept_word("group_left") {
            Many::Left
        } else if self.accept_word("group_right") {
            Many::Right
        } else {
            return Ok(modifiers);
        };
        if self.peek().kind == Kind::LeftParen {
            modifiers.include = self.labels()?;
        }
        Ok(modifiers)
    }

    /// Labels in parentheses; a comma may follow the last one. Most keywords are labels too.
    fn labels(&mut self) -> Result<Vec<String>> {
        self.expect(Kind::LeftParen, "\"(\"")?;
        let mut labels = Vec::new();
        while !self.accept(Kind::RightParen) {
            let token = self.peek();
            labels.push(match token.kind {
                Kind::Name => token.text.to_owned(),
                Kind::Keyword if !token.text.eq_ignore_ascii_case("without") => {
                    token.text.to_owned()
                }
                Kind::Text => self.unquoted(token)?,
                _ => return self.unexpected("a label"),
            });
            self.take();
            if self.peek().kind != Kind::RightParen {
                self.expect(Kind::Comma, "\",\" or \")\"")?;
            }
        }
        Ok(labels)
    }

    pub fn unquoted(&self, token: Token<'_>) -> Result<String> {
        text::unquote(token.text).map_err(|why| Error { at: token.at, why, unsupported: false })
    }

    pub fn sign(&mut self) -> Option<bool> {
        self.accept_sign()
    }
}

fn is_metric_keyword(word: &str) -> bool {
    const NEVER: [&str; 6] = ["on", "ignoring", "group_left", "group_right", "bool", "atan2"];
    !NEVER.iter().any(|never| word.eq_ignore_ascii_case(never))
}

fn operator(token: Token<'_>) -> Option<BinaryOp> {
    match token.kind {
        Kind::Operator => BinaryOp::ALL.into_iter().find(|op| op.name() == token.text),
        Kind::Keyword => {
            BinaryOp::ALL.into_iter().find(|op| token.text.eq_ignore_ascii_case(op.name()))
        }
        _ => None,
    }
}

fn precedence(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Or => 1,
        BinaryOp::And | BinaryOp::Unless => 2,
        BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Gt | BinaryOp::Lt | BinaryOp::Ge | BinaryOp::Le => {
            3
        }
        BinaryOp::Add | BinaryOp::Sub => 4,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod | BinaryOp::Atan2 => 5,
        BinaryOp::Pow => 6,
    }
}
