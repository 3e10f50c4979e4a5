//! Regular expressions of Go (RE2's syntax with Perl's additions) in the syntax of the `regex`
//! crate. The two agree on most, and where they do not, the same text can mean something else: `\d`
//! is ASCII there and Unicode here, `\<` a character there and a word's beginning here, `a{,2}`
//! five characters there and a repetition here. So nothing is passed on unread; what Go refuses is
//! refused.

use std::fmt::Write as _;

mod class;

/// Of one repetition, and of nested ones multiplied.
const REPEAT_MAX: u32 = 1000;
/// Nested groups; the `regex` crate has a bound of its own.
const NESTING_MAX: usize = 100;

pub type Result<T, E = String> = std::result::Result<T, E>;

pub fn translate(pattern: &str) -> Result<String> {
    let mut reader = Reader { rest: pattern, out: String::with_capacity(pattern.len()) };
    reader.alternatives(0)?;
    match reader.rest {
        "" => Ok(reader.out),
        _ => Err("unexpected )".to_owned()),
    }
}

struct Reader<'a> {
    rest: &'a str,
    out: String,
}

/// `*`, `+`, `?` or `{…}`.
struct Repetition {
    least: u32,
    /// None: without end.
    most: Option<u32>,
    lazy: bool,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }
    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next()?;
        self.rest = chars.as_str();
        Some(c)
    }
    fn accept(&mut self, text: &str) -> bool {
        let after = self.rest.strip_prefix(text);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    /// Up to the group's end; returns the largest product of nested repetitions.
    fn alternatives(&mut self, nesting: usize) -> Result<u32> {
        if nesting > NESTING_MAX {
            return Err(format!("groups are nested deeper than {NESTING_MAX}"));
        }
        let mut heaviest = 1;
        // What a repetition would repeat: its weight, and where it ends. Flags can stand between.
        let mut atom: Option<(u32, usize)> = None;
        while let Some(c) = self.peek().filter(|c| *c != ')') {
            if let Some(repetition) = self.repetition()? {
                let Some((weight, end)) = atom.take() else {
                    return Err(format!("nothing to repeat before {c}"));
                };
                heaviest = heaviest.max(repetition.weight(weight)?);
                self.out.insert_str(end, &repetition.shown());
                continue;
            }
            self.next();
            let mut weight = 1;
            match c {
                '|' => {
                    self.out.push('|');
                    atom = None;
                    continue;
                }
                '(' => match self.group(nesting)? {
                    Some(inside) => weight = inside,
                    // Flags alone are nothing that can be repeated.
                    None => continue,
                },
                '[' => self.class()?,
                '\\' if !self.escape()? => continue,
                '\\' => {}
                '^' | '$' | '.' => self.out.push(c),
                _ => write_literal(&mut self.out, c),
            }
            heaviest = heaviest.max(weight);
            atom = Some((weight, self.out.len()));
        }
        Ok(heaviest)
    }

    /// None where a brace is a character like any other.
    fn repetition(&mut self) -> Result<Option<Repetition>> {
        let (least, most) = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => match counts(self.rest) {
                Some((least, most, after)) => {
                    let bounds = [Some(least), most];
                    let too_many = bounds.into_iter().flatten().any(|count| count > REPEAT_MAX);
                    if too_many || most.is_some_and(|most| most < least) {
                        return Err("a repetition has bad counts".to_owned());
                    }
                    // The last character is taken below.
                    self.rest = &self.rest[self.rest.len() - after.len() - 1..];
                    (least, most)
                }
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        self.next();
        Ok(Some(Repetition { least, most, lazy: self.accept("?") }))
    }

    /// A group and the weight of what is in it; None for flags alone.
    fn group(&mut self, nesting: usize) -> Result<Option<u32>> {
        if !self.accept("?") {
            self.out.push('(');
        } else if self.accept("P<") {
            let (name, after) = self.rest.split_once('>').ok_or("a group's name has no end")?;
            if name.is_empty() || !name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric()) {
                return Err(format!("bad name of a group: {name:?}"));
            }
            // A name may begin with a digit there, and must not here; nothing asks for one by it
            // but a replacement, which then finds none.
            let _ = write!(self.out, "(?P<{name}>");
            self.rest = after;
        } else if !self.flags()? {
            return Ok(None);
        }
        let weight = self.alternatives(nesting + 1)?;
        if !self.accept(")") {
            return Err("missing )".to_owned());
        }
        self.out.push(')');
        Ok(Some(weight))
    }

    /// `i`, `m`, `s` and `U`, after a minus those to unset; whether a group follows.
    fn flags(&mut self) -> Result<bool> {
        let bad = || "bad flags of a group".to_owned();
        let (mut flags, mut unset, mut any) = (String::from("(?"), false, false);
        loop {
            let c = self.next().ok_or_else(bad)?;
            match c {
                'i' | 'm' | 's' | 'U' => any = true,
                '-' if !unset => (unset, any) = (true, false),
                ':' | ')' if unset && !any => return Err(bad()),
                ':' | ')' => {
                    let nothing = c == ')' && flags == "(?";
                    if !nothing {
                        self.out.push_str(&flags);
                        self.out.push(c);
                    }
                    return Ok(c == ':');
                }
                _ => return Err(bad()),
            }
            // Twice the same flag is fine there, and refused here.
            if c == '-' || !flags.contains(c) {
                flags.push(c);
            }
        }
    }

    /// What follows a backslash outside of brackets; whether anything came of it.
    fn escape(&mut self) -> Result<bool> {
        let c = self.peek().ok_or("a backslash ends the expression")?;
        let assertion = match c {
            'A' => "\\A",
            'z' => "\\z",
            'b' => "(?-u:\\b)",
            'B' => "(?-u:\\B)",
            'Q' => return Ok(self.quoted()),
            _ => {
                if let Some(class) = self.class_escape()? {
                    let _ = write!(self.out, "[{class}]");
                } else {
                    let literal = self.escaped_char()?;
                    write_literal(&mut self.out, literal);
                }
                return Ok(true);
            }
        };
        self.next();
        self.out.push_str(assertion);
        Ok(true)
    }

    /// `\Q…\E`: all in between stands for itself.
    fn quoted(&mut self) -> bool {
        let text = &self.rest[1..];
        let (inside, after) = text.split_once("\\E").unwrap_or((text, ""));
        inside.chars().for_each(|c| write_literal(&mut self.out, c));
        self.rest = after;
        !inside.is_empty()
    }

    /// One character, of those that a backslash can write.
    fn escaped_char(&mut self) -> Result<char> {
        let c = self.next().ok_or("a backslash ends the expression")?;
        let code = match c {
            'a' => 0x07,
            'f' => 0x0c,
            'n' => 0x0a,
            'r' => 0x0d,
            't' => 0x09,
            'v' => 0x0b,
            '0' => self.octal(c),
            // Fewer digits would refer back to a group.
            '1'..='7' if self.peek().is_some_and(|c| c.is_digit(8)) => self.octal(c),
            'x' => self.hexadecimal()?,
            _ if c.is_ascii() && !c.is_ascii_alphanumeric() => u32::from(c),
            _ => return Err(format!("bad escape \\{c}")),
        };
        char::from_u32(code).ok_or_else(|| "an escape is no character".to_owned())
    }

    fn octal(&mut self, first: char) -> u32 {
        let mut code = first.to_digit(8).unwrap_or_default();
        for _ in 0..2 {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else { break };
            code = code * 8 + digit;
            self.next();
        }
        code
    }

    fn hexadecimal(&mut self) -> Result<u32> {
        let bad = || "bad escape \\x".to_owned();
        let digits = if self.accept("{") {
            let (digits, after) = self.rest.split_once('}').ok_or_else(bad)?;
            self.rest = after;
            digits
        } else {
            let digits = self.rest.get(..2).ok_or_else(bad)?;
            self.rest = &self.rest[2..];
            digits
        };
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(bad());
        }
        u32::from_str_radix(digits, 16).map_err(|_| bad())
    }
}

impl Repetition {
    fn weight(&self, inside: u32) -> Result<u32> {
        let most = self.most.unwrap_or(self.least);
        if self.least < 2 && most < 2 {
            return Ok(inside);
        }
        match inside.checked_mul(most) {
            Some(weight) if weight <= REPEAT_MAX => Ok(weight),
            _ => Err(format!("nested repetitions make more than {REPEAT_MAX}")),
        }
    }

    fn shown(&self) -> String {
        let lazy = if self.lazy { "?" } else { "" };
        match (self.least, self.most) {
            (0, None) => format!("*{lazy}"),
            (1, None) => format!("+{lazy}"),
            (0, Some(1)) => format!("?{lazy}"),
            (least, None) => format!("{{{least},}}{lazy}"),
            (least, Some(most)) => format!("{{{least},{most}}}{lazy}"),
        }
    }
}

/// `{2}`, `{2,}` or `{2,3}`, and what follows it.
fn counts(text: &str) -> Option<(u32, Option<u32>, &str)> {
    let (inside, after) = text.strip_prefix('{')?.split_once('}')?;
    // No leading zeros; what has too many digits is too large.
    let number = |digits: &str| -> Option<u32> {
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let zero = digits.len() > 1 && digits.starts_with('0');
        (is_number && !zero).then(|| digits.parse().unwrap_or(u32::MAX))
    };
    match inside.split_once(',') {
        None => number(inside).map(|count| (count, Some(count), after)),
        Some((least, "")) => number(least).map(|least| (least, None, after)),
        Some((least, most)) => Some((number(least)?, Some(number(most)?), after)),
    }
}

fn write_literal(out: &mut String, c: char) {
    if c.is_ascii_alphanumeric() || !c.is_ascii() {
        out.push(c);
    } else {
        let _ = write!(out, "\\x{{{:x}}}", u32::from(c));
    }
}
