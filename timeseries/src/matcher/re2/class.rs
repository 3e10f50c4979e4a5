//! Classes of characters: brackets, Perl's letters, POSIX' and Unicode's names.

use std::fmt::Write as _;

use super::{Reader, Result, write_literal};

const CATEGORIES: &str = " C Cc Cf Co Cs L Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi \
                          Po Ps S Sc Sk Sm So Z Zl Zp Zs ";
const POSIX: &[&str] = &[
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

impl Reader<'_> {
    /// What follows an opening bracket, up to the closing one. A bracket that closes at once
    /// stands for itself.
    pub(super) fn class(&mut self) -> Result<()> {
        self.out.push('[');
        if self.accept("^") {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            if self.rest.is_empty() {
                return Err("missing ]".to_owned());
            }
            if !first && self.accept("]") {
                self.out.push(']');
                return Ok(());
            }
            first = false;
            if self.posix()? {
                continue;
            }
            if let Some(escaped) = self.rest.strip_prefix('\\') {
                let before = std::mem::replace(&mut self.rest, escaped);
                if let Some(class) = self.class_escape()? {
                    let _ = write!(self.out, "[{class}]");
                    continue;
                }
                self.rest = before;
            }
            self.range()?;
        }
    }

    fn range(&mut self) -> Result<()> {
        let from = self.class_char()?;
        let is_range = self.rest.starts_with('-') && !self.rest.starts_with("-]");
        let to = if is_range && self.rest.len() > 1 {
            self.next();
            self.class_char()?
        } else {
            from
        };
        if to < from {
            return Err("a range of characters ends before it begins".to_owned());
        }
        write_literal(&mut self.out, from);
        if to != from {
            self.out.push('-');
            write_literal(&mut self.out, to);
        }
        Ok(())
    }

    fn class_char(&mut self) -> Result<char> {
        match self.next().ok_or("missing ]")? {
            '\\' => self.escaped_char(),
            c => Ok(c),
        }
    }

    /// `[:alpha:]`, `[:^alpha:]`; without `:]` a bracket like any other.
    fn posix(&mut self) -> Result<bool> {
        let Some((name, after)) =
            self.rest.strip_prefix("[:").and_then(|inside| inside.split_once(":]"))
        else {
            return Ok(false);
        };
        if !POSIX.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return Err(format!("unknown class [:{name}:]"));
        }
        let _ = write!(self.out, "[:{name}:]");
        self.rest = after;
        Ok(true)
    }

    /// A class that a backslash names, in the words for inside of brackets.
    pub(super) fn class_escape(&mut self) -> Result<Option<String>> {
        let class = match self.peek() {
            Some('d') => "0-9",
            Some('D') => "^0-9",
            Some('s') => "\\t\\n\\f\\r\\x20",
            Some('S') => "^\\t\\n\\f\\r\\x20",
            Some('w') => "0-9A-Za-z_",
            Some('W') => "^0-9A-Za-z_",
            Some('p' | 'P') => return self.unicode().map(Some),
            _ => return Ok(None),
        };
        self.next();
        Ok(Some(class.to_owned()))
    }

    /// `\pN`, `\p{Greek}`, `\P{…}`, `\p{^…}`: categories and scripts as Unicode spells them.
    fn unicode(&mut self) -> Result<String> {
        let mut negated = self.next() == Some('P');
        let name = if self.accept("{") {
            let (name, after) = self.rest.split_once('}').ok_or("a class has no end")?;
            self.rest = after;
            let positive = name.strip_prefix('^');
            negated ^= positive.is_some();
            positive.unwrap_or(name).to_owned()
        } else {
            self.next().map(String::from).unwrap_or_default()
        };
        let is_category = CATEGORIES.contains(&format!(" {name} "));
        let is_script = name.len() > 2
            && name.split('_').all(|word| {
                word.starts_with(|c: char| c.is_ascii_uppercase())
                    && word.bytes().skip(1).all(|b| b.is_ascii_lowercase())
            });
        let property = match name.as_str() {
            "Any" => "Any".to_owned(),
            // Halves of surrogate pairs, which no text has.
            "Cs" => return Ok(if negated { "\\p{Any}" } else { "^\\p{Any}" }.to_owned()),
            _ if is_category => format!("gc={name}"),
            _ if is_script => format!("sc={name}"),
            _ => return Err(format!("unknown class \\p{{{name}}}")),
        };
        Ok(format!("\\{}{{{property}}}", if negated { 'P' } else { 'p' }))
    }
}
