//! Expressions a little broken, and regular expressions of all kinds: most are refused, and both
//! have to refuse the same ones.

use super::data::{Random, TEXTS};

const WORDS: &[&str] = &[
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ",",
    "+",
    "-",
    "^",
    "==",
    "!=",
    "=~",
    "!~",
    "=",
    "and",
    "or",
    "unless",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "bool",
    "offset",
    "@",
    "start()",
    "end()",
    "5m",
    "[5m]",
    "[5m:1m]",
    "[10m:]",
    "1",
    "0x1F",
    "1e3",
    ".5",
    "1.",
    "08",
    "017",
    "1e",
    "5y1s",
    "1s5m",
    "0s",
    "\"text\"",
    "'text'",
    "`raw`",
    "\"\\x41\"",
    "rate",
    "sum",
    "topk",
    "atan2",
    "temperature",
    "time()",
    "job",
    "NaN",
    "inf",
    "%",
    "*",
    "/",
    "<",
    ">=",
    "__name__=\"up\"",
    "# all\n",
    "SUM",
    "Offset",
    "a:b",
    ":",
    ";",
    "$",
    "é",
    "offset -1m",
    "count_values",
    "{job=\"api\"}",
    "(1)",
    "()",
    "1h30m",
    "1m1m",
    "300y",
    "\"\\",
    "label_join",
];

/// One to three changes to the words of an expression.
pub fn broken(random: &mut Random, expr: &str) -> String {
    let mut words = words(expr);
    for _ in 0..=random.below(3) {
        let at = random.below(words.len() as u64 + 1) as usize;
        let word = WORDS[random.below(WORDS.len() as u64) as usize].to_owned();
        match random.below(5) {
            0 if at < words.len() => {
                words.remove(at);
            }
            1 if at < words.len() => words[at] = word,
            2 if at < words.len() => words.insert(at, words[at].clone()),
            3 if at + 1 < words.len() => words.swap(at, at + 1),
            _ => words.insert(at, word),
        }
    }
    let gap = if random.below(2) == 0 { " " } else { "" };
    words.join(gap)
}

/// Runs of letters and digits, quoted texts, and everything else one by one.
fn words(expr: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut chars = expr.chars().peekable();
    while let Some(c) = chars.next() {
        let mut word = String::from(c);
        if c == '"' {
            for c in chars.by_ref() {
                word.push(c);
                if c == '"' {
                    break;
                }
            }
        } else if c.is_alphanumeric() || c == '_' {
            while let Some(c) = chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
                word.push(c);
            }
        }
        if !word.trim().is_empty() {
            words.push(word);
        }
    }
    words
}

const PIECES: &[&str] = &[
    "a",
    "b",
    "abc",
    "x",
    ".",
    ".*",
    ".+",
    "^",
    "$",
    "|",
    "(",
    ")",
    "(?:",
    "(?i:",
    "(?P<n>",
    "(?P<>",
    "(?<n>",
    "(?i-s:",
    "(?x)",
    "(?",
    "[",
    "]",
    "[a-z]",
    "[^a-z]",
    "[[:alpha:]]",
    "[[:^digit:]]",
    "[[:nope:]]",
    "[a-",
    "[z-a]",
    "[]a]",
    "[^]a]",
    "[\\d-z]",
    "[\\w.]",
    "[\\D]",
    "[a&&b]",
    "[a~~b]",
    "*",
    "+",
    "?",
    "??",
    "*?",
    "{2}",
    "{2,}",
    "{,2}",
    "{1,3}",
    "{3,1}",
    "{1001}",
    "{a}",
    "{",
    "}",
    "\\d",
    "\\D",
    "\\w",
    "\\W",
    "\\s",
    "\\S",
    "\\b",
    "\\B",
    "\\A",
    "\\z",
    "\\Z",
    "\\C",
    "\\Q.*\\E",
    "\\Q",
    "\\E",
    "\\pL",
    "\\p{Greek}",
    "\\p{Lu}",
    "\\P{Lu}",
    "\\p{^Lu}",
    "\\p{greek}",
    "\\p{Letter}",
    "\\pX",
    "\\x41",
    "\\x{62}",
    "\\x{110000}",
    "\\x4",
    "\\101",
    "\\1",
    "\\08",
    "\\n",
    "\\t",
    "\\v",
    "\\_",
    "\\.",
    "\\<",
    "\\>",
    "\\-",
    "\\&",
    "\\é",
    "é",
    "日",
    "🦅",
    "\"",
    "\\\\",
    "-",
    "&&",
    "<",
    "#",
    " ",
    "/",
    "1",
    "22",
    "\\u0041",
    "\\h",
    "\\R",
    "\\k",
    "\\0",
];

/// A selector with a random pattern; some are made of a text that is there.
pub fn pattern(random: &mut Random) -> String {
    let mut pattern = String::new();
    if random.below(3) == 0 {
        let text = TEXTS[random.below(TEXTS.len() as u64) as usize];
        let keep = random.below(text.chars().count() as u64 + 1) as usize;
        pattern.extend(text.chars().take(keep).filter(|c| c.is_alphanumeric()));
    }
    if random.below(5) == 0 {
        // In front only: Go lets flags stand between a repetition and what it repeats again.
        pattern.insert_str(0, ["(?i)", "(?s)", "(?i-s)", "(?-i)"][random.below(4) as usize]);
    }
    for _ in 0..=random.below(4) {
        pattern.push_str(PIECES[random.below(PIECES.len() as u64) as usize]);
    }
    if random.below(3) == 0 {
        pattern.push_str(".*");
    }
    let sign = if random.below(4) == 0 { "!~" } else { "=~" };
    let quoted = pattern.replace('\\', "\\\\").replace('"', "\\\"");
    format!("texts{{text{sign}\"{quoted}\"}}")
}
