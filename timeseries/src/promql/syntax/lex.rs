//! Text to tokens. Braces and brackets have rules of their own: keywords are names inside braces,
//! and a bracket begins with a duration.

use super::{Error, Result, text};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    End,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Comma,
    Colon,
    At,
    /// `=`, inside braces only.
    Assign,
    EqualRegex,
    NotEqualRegex,
    Operator,
    Number,
    Duration,
    Text,
    /// A name that may be a function's, a metric's or a label's.
    Name,
    /// A name with a colon: a metric's.
    MetricName,
    /// A word of the language outside braces; case does not matter.
    Keyword,
}

#[derive(Debug, Clone, Copy)]
pub struct Token<'a> {
    pub kind: Kind,
    /// As it stands in the input, quotes included.
    pub text: &'a str,
    /// Bytes from the beginning.
    pub at: usize,
}

/// Words that are no plain names outside braces.
const KEYWORDS: &[&str] = &[
    "and",
    "or",
    "unless",
    "atan2",
    "offset",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "bool",
    "start",
    "end",
];

pub const AGGREGATIONS: &[&str] = &[
    "sum",
    "avg",
    "count",
    "min",
    "max",
    "group",
    "stddev",
    "stdvar",
    "topk",
    "bottomk",
    "count_values",
    "quantile",
];

pub fn tokens(input: &str) -> Result<Vec<Token<'_>>> {
    let mut lexer = Lexer { input, at: 0, parens: 0, in_braces: false, bracket: None };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next()?;
        tokens.push(token);
        if token.kind == Kind::End {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    input: &'a str,
    at: usize,
    parens: usize,
    in_braces: bool,
    /// In brackets: whether their colon is past.
    bracket: Option<bool>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.input[self.at..]
    }
    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }
    fn error<T>(&self, why: impl Into<String>) -> Result<T> {
        Err(Error { at: self.at, why: why.into(), unsupported: false })
    }
    fn token(&mut self, kind: Kind, bytes: usize) -> Token<'a> {
        let token = Token { kind, text: &self.rest()[..bytes], at: self.at };
        self.at += bytes;
        token
    }

    fn next(&mut self) -> Result<Token<'a>> {
        self.skip_blank();
        let Some(first) = self.peek() else { return self.end() };
        if first == '"' || first == '\'' || first == '`' {
            let bytes = text::quoted_len(self.rest()).or_else(|why| self.error(why))?;
            return Ok(self.token(Kind::Text, bytes));
        }
        if self.in_braces {
            return self.inside_braces(first);
        }
        if first.is_ascii_digit() || (first == '.' && second_is_digit(self.rest())) {
            return self.number_or_duration();
        }
        if is_alpha(first) || first == ':' {
            return self.word(first);
        }
        self.symbol(first)
    }

    fn skip_blank(&mut self) {
        loop {
            let blank = self.rest().trim_start_matches(is_space);
            self.at = self.input.len() - blank.len();
            if !blank.starts_with('#') {
                return;
            }
            self.at += blank.find(['\r', '\n']).unwrap_or(blank.len());
        }
    }

    fn end(&mut self) -> Result<Token<'a>> {
        if self.in_braces {
            return self.error("unexpected end of input inside braces");
        }
        if self.parens > 0 {
            return self.error("unclosed left parenthesis");
        }
        if self.bracket.is_some() {
            return self.error("unclosed left bracket");
        }
        Ok(self.token(Kind::End, 0))
    }

    fn inside_braces(&mut self, first: char) -> Result<Token<'a>> {
        let second = self.rest().chars().nth(1);
        Ok(match (first, second) {
            (',', _) => self.token(Kind::Comma, 1),
            ('=', Some('~')) => self.token(Kind::EqualRegex, 2),
            ('=', _) => self.token(Kind::Assign, 1),
            ('!', Some('~')) => self.token(Kind::NotEqualRegex, 2),
            ('!', Some('=')) => self.token(Kind::Operator, 2),
            ('}', _) => {
                self.in_braces = false;
                self.token(Kind::RightBrace, 1)
            }
            _ if is_alpha(first) => {
                let bytes = run(self.rest(), is_alphanumeric);
                self.token(Kind::Name, bytes)
            }
            _ => return self.error(format!("unexpected character inside braces: {first:?}")),
        })
    }

    fn word(&mut self, first: char) -> Result<Token<'a>> {
        if let Some(past_colon) = self.bracket {
            if first != ':' || past_colon {
                return self.error(format!("unexpected character inside brackets: {first:?}"));
            }
            self.bracket = Some(true);
            return Ok(self.token(Kind::Colon, 1));
        }
        let bytes = run(self.rest(), |c| is_alphanumeric(c) || c == ':');
        let word = &self.rest()[..bytes];
        let is = |known: &&str| word.eq_ignore_ascii_case(known);
        let kind = if ["inf", "nan"].iter().any(is) {
            Kind::Number
        } else if KEYWORDS.iter().chain(AGGREGATIONS).any(is) {
            Kind::Keyword
        } else if word.contains(':') {
            Kind::MetricName
        } else {
            Kind::Name
        };
        Ok(self.token(kind, bytes))
    }

    fn number_or_duration(&mut self) -> Result<Token<'a>> {
        let (bytes, whole) = number_len(self.rest());
        if whole {
            return Ok(self.token(Kind::Number, bytes));
        }
        match duration_rest_len(&self.rest()[bytes..]) {
            Some(unit_bytes) => Ok(self.token(Kind::Duration, bytes + unit_bytes)),
            None => self.error("bad number or duration"),
        }
    }

    fn symbol(&mut self, first: char) -> Result<Token<'a>> {
        let second = self.rest().chars().nth(1);
        Ok(match (first, second) {
            ('=', Some('=')) | ('!', Some('=')) | ('<', Some('=')) | ('>', Some('=')) => {
                self.token(Kind::Operator, 2)
            }
            ('<' | '>' | '+' | '-' | '*' | '/' | '%' | '^', _) => self.token(Kind::Operator, 1),
            ('=', Some('~')) => return self.error("=~ can stand inside braces only"),
            (',', _) => self.token(Kind::Comma, 1),
            ('@', _) => self.token(Kind::At, 1),
            ('(', _) => {
                self.parens += 1;
                self.token(Kind::LeftParen, 1)
            }
            (')', _) => {
                let Some(parens) = self.parens.checked_sub(1) else {
                    return self.error("unexpected right parenthesis");
                };
                self.parens = parens;
                self.token(Kind::RightParen, 1)
            }
            ('{', _) => {
                self.in_braces = true;
                self.token(Kind::LeftBrace, 1)
            }
            ('[', _) if self.bracket.is_none() => {
                self.bracket = Some(false);
                let token = self.token(Kind::LeftBracket, 1);
                self.bracket_begins_with_a_duration()?;
                token
            }
            (']', _) if self.bracket.is_some() => {
                self.bracket = None;
                self.token(Kind::RightBracket, 1)
            }
            _ => return self.error(format!("unexpected character: {first:?}")),
        })
    }

    fn bracket_begins_with_a_duration(&self) -> Result<()> {
        let inside = self.rest().trim_start_matches(is_space);
        let (bytes, whole) = number_len(inside);
        if whole {
            return self.error("a range in brackets is a duration with a unit, such as [5m]");
        }
        match duration_rest_len(&inside[bytes..]) {
            Some(_) if bytes > 0 => Ok(()),
            _ => self.error("bad duration in brackets"),
        }
    }
}

fn second_is_digit(text: &str) -> bool {
    text.as_bytes().get(1).is_some_and(u8::is_ascii_digit)
}

/// The bytes that look like a number, and whether no letter follows them.
fn number_len(text: &str) -> (usize, bool) {
    let hexadecimal = text.starts_with("0x") || text.starts_with("0X");
    let is_digit = |c: char| if hexadecimal { c.is_ascii_hexdigit() } else { c.is_ascii_digit() };
    let mut len = if hexadecimal { 2 } else { 0 };
    len += run(&text[len..], is_digit);
    if text[len..].starts_with('.') {
        len += 1;
        len += run(&text[len..], is_digit);
    }
    if text[len..].starts_with(['e', 'E']) {
        len += 1;
        if text[len..].starts_with(['+', '-']) {
            len += 1;
        }
        len += run(&text[len..], |c| c.is_ascii_digit());
    }
    (len, !text[len..].starts_with(is_alphanumeric))
}

/// The bytes of a duration after its first number: units with numbers between them. Whether the
/// units are known and in order is seen when it is read.
fn duration_rest_len(text: &str) -> Option<usize> {
    let unit = |at: usize, units: &[char]| -> Option<usize> {
        let rest = &text[at..];
        let after = rest.strip_prefix(units)?;
        Some(at + 1 + usize::from(after.starts_with('s')))
    };
    let mut len = unit(0, &['s', 'm', 'h', 'd', 'w', 'y'])?;
    loop {
        let digits = run(&text[len..], |c| c.is_ascii_digit());
        if digits == 0 {
            break;
        }
        len = unit(len + digits, &['s', 'm', 'h', 'd', 'w'])?;
    }
    (!text[len..].starts_with(is_alphanumeric)).then_some(len)
}

fn run(text: &str, takes: impl Fn(char) -> bool) -> usize {
    text.find(|c: char| !takes(c)).unwrap_or(text.len())
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}
fn is_alpha(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic()
}
fn is_alphanumeric(c: char) -> bool {
    is_alpha(c) || c.is_ascii_digit()
}
