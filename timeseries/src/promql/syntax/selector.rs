//! What stands in braces and brackets, and the modifiers of time.

use super::{
    Result,
    ast::{At, Expr, LabelMatch, MatchOp, Selector, Shift, Subquery},
    lex::Kind,
    parse::{Parser, Tree},
    text,
};

const NAME: &str = base::sample::NAME;

impl Parser<'_> {
    pub(super) fn braces(&mut self, name: Option<String>) -> Result<Selector> {
        self.expect(Kind::LeftBrace, "\"{\"")?;
        let mut matchers = Vec::new();
        while !self.accept(Kind::RightBrace) {
            matchers.push(self.matcher()?);
            if self.peek().kind == Kind::Name && self.peek().text.eq_ignore_ascii_case("or") {
                return self.unsupported("'or' between label matchers");
            }
            if self.peek().kind != Kind::RightBrace {
                self.expect(Kind::Comma, "\",\" or \"}\"")?;
            }
        }
        Ok(Selector { name, matchers, shift: Shift::default() })
    }

    fn matcher(&mut self) -> Result<LabelMatch> {
        let label = self.peek();
        let name = match label.kind {
            Kind::Name => label.text.to_owned(),
            Kind::Text => self.unquoted(label)?,
            _ => return self.unexpected("a label or \"}\""),
        };
        self.take();
        let sign = self.peek();
        let op = match (sign.kind, sign.text) {
            (Kind::Assign, _) => MatchOp::Equal,
            (Kind::Operator, "!=") => MatchOp::NotEqual,
            (Kind::EqualRegex, _) => MatchOp::Regex,
            (Kind::NotEqualRegex, _) => MatchOp::NotRegex,
            // A quoted text alone is the metric's name.
            _ if label.kind == Kind::Text => {
                return Ok(LabelMatch { name: NAME.to_owned(), op: MatchOp::Equal, value: name });
            }
            _ => return self.unexpected("one of =, !=, =~, !~"),
        };
        self.take();
        let value = self.expect(Kind::Text, "a quoted text")?;
        Ok(LabelMatch { name, op, value: self.unquoted(value)? })
    }

    /// A range, or with a colon a subquery.
    pub(super) fn bracketed(&mut self, tree: Tree) -> Result<Tree> {
        let range_ms = self.duration()?;
        if self.accept(Kind::Colon) {
            let step_ms =
                if self.peek().kind == Kind::Duration { Some(self.duration()?) } else { None };
            self.expect(Kind::RightBracket, "\"]\"")?;
            let subquery =
                Subquery { inner: tree.expr, range_ms, step_ms, shift: Shift::default() };
            return self.tree(Expr::Subquery(Box::new(subquery)), tree.height);
        }
        self.expect(Kind::RightBracket, "\":\" or \"]\"")?;
        match tree.expr {
            Expr::Selector(selector) if selector.shift.offset_ms != 0 => {
                self.error("no offset modifiers allowed before range")
            }
            Expr::Selector(Selector { shift: Shift { at: Some(At::Time(_)), .. }, .. }) => {
                self.error("no @ modifiers allowed before range")
            }
            Expr::Selector(selector) => {
                Ok(Tree { expr: Expr::Matrix { selector, range_ms }, height: tree.height })
            }
            _ => self.error("ranges only allowed for vector selectors"),
        }
    }

    fn duration(&mut self) -> Result<i64> {
        let token = self.expect(Kind::Duration, "a duration")?;
        text::duration_ms(token.text).or_else(|why| self.error(why))
    }

    pub(super) fn offset(&mut self, expr: &mut Expr) -> Result<()> {
        let negative = match self.peek().text {
            "-" => self.sign().unwrap_or_default(),
            _ => false,
        };
        let offset_ms = self.duration()?;
        let Some(shift) = shift_of(expr) else {
            return self.error("offset must follow a selector, a range or a subquery");
        };
        if shift.offset_ms != 0 {
            return self.error("offset may not be set multiple times");
        }
        shift.offset_ms = if negative { -offset_ms } else { offset_ms };
        Ok(())
    }

    pub(super) fn at(&mut self, expr: &mut Expr) -> Result<()> {
        let at = if self.accept_word("start") {
            self.no_args()?;
            At::Start
        } else if self.accept_word("end") {
            self.no_args()?;
            At::End
        } else {
            At::Time(self.instant_ms()?)
        };
        let Some(shift) = shift_of(expr) else {
            return self.error("@ must follow a selector, a range or a subquery");
        };
        if shift.at.is_some() {
            return self.error("@ may not be set multiple times");
        }
        shift.at = Some(at);
        Ok(())
    }

    fn no_args(&mut self) -> Result<()> {
        self.expect(Kind::LeftParen, "\"()\"")?;
        self.expect(Kind::RightParen, "\")\"").map(|_| ())
    }

    /// Seconds after `@`, rounded to milliseconds.
    fn instant_ms(&mut self) -> Result<i64> {
        let negative = self.sign().unwrap_or_default();
        let token = self.expect(Kind::Number, "a timestamp, start() or end()")?;
        let Some(seconds) = text::number(token.text) else {
            return self.error(format!("bad number {:?}", token.text));
        };
        let ms = (if negative { -seconds } else { seconds } * 1000.0).round();
        if ms.is_nan() || ms.abs() > text::TIME_MAX_MS as f64 {
            return self.error("the timestamp after @ is out of range");
        }
        Ok(ms as i64)
    }
}

fn shift_of(expr: &mut Expr) -> Option<&mut Shift> {
    match expr {
        Expr::Selector(selector) | Expr::Matrix { selector, .. } => Some(&mut selector.shift),
        Expr::Subquery(subquery) => Some(&mut subquery.shift),
        _ => None,
    }
}
