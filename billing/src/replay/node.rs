//! Reading a YAML file key by key, so that an error names the key, its line and what was expected.

use std::collections::BTreeSet;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_yaml_ng::{Mapping, Value};

/// A file that can't be played: where it is wrong, and what was expected there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// `steps[3].recharge.amount`; empty for the file as a whole.
    pub path: String,
    /// From 1; none where the text isn't YAML at all and its reader doesn't know.
    pub line: Option<usize>,
    pub message: String,
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Unreadable {}

/// A step from a value to one inside of it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Key(String),
    Index(usize),
}

/// Where something is wrong, before its line is looked up.
#[derive(Debug)]
pub struct Wrong {
    path: Vec<Segment>,
    message: String,
}

impl Wrong {
    /// With a further remark.
    pub fn and(mut self, remark: &str) -> Self {
        self.message.push_str("; ");
        self.message.push_str(remark);
        self
    }
}

pub type Parsed<T> = Result<T, Wrong>;

/// Reads `text` with `read`; an error gets its line.
pub fn parse<T>(text: &str, read: impl FnOnce(Node<'_>) -> Parsed<T>) -> Result<T, Unreadable> {
    let root: Value = serde_yaml_ng::from_str(text).map_err(|e| Unreadable {
        path: String::new(),
        line: e.location().map(|l| l.line()),
        message: format!("this is not YAML: {e}"),
    })?;
    read(Node { value: &root, path: Vec::new() }).map_err(|wrong| Unreadable {
        line: line_of(text, &wrong.path),
        path: shown(&wrong.path),
        message: wrong.message,
    })
}

fn shown(path: &[Segment]) -> String {
    let mut text = String::new();
    for segment in path {
        match segment {
            Segment::Key(key) if text.is_empty() => text.push_str(key),
            Segment::Key(key) => text.push_str(&format!(".{key}")),
            Segment::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

/// A value with its place.
#[derive(Debug, Clone)]
pub struct Node<'a> {
    value: &'a Value,
    path: Vec<Segment>,
}

impl<'a> Node<'a> {
    pub fn wrong(&self, message: impl Into<String>) -> Wrong {
        Wrong { path: self.path.clone(), message: message.into() }
    }

    /// The key that it stands under; empty for the file as a whole, and in a list.
    pub fn key(&self) -> &str {
        match self.path.last() {
            Some(Segment::Key(key)) => key,
            _ => "",
        }
    }

    /// The value of its key; itself where it has none such.
    pub fn inside(&self, key: &str) -> Node<'a> {
        match self.value.get(key) {
            Some(value) => self.child(Segment::Key(key.to_owned()), value),
            None => self.clone(),
        }
    }

    /// As errors and differences name it.
    pub fn path(&self) -> String {
        shown(&self.path)
    }

    fn child(&self, segment: Segment, value: &'a Value) -> Node<'a> {
        let mut path = self.path.clone();
        path.push(segment);
        Node { value, path }
    }

    fn expected(&self, what: &str) -> Wrong {
        let found = match self.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(flag) => format!("{flag}"),
            Value::Number(number) => format!("the number {number}"),
            Value::String(text) => format!("the text '{text}'"),
            Value::Sequence(_) => "a list".to_owned(),
            Value::Mapping(_) => "a map".to_owned(),
            Value::Tagged(_) => "a YAML tag".to_owned(),
        };
        self.wrong(format!("{what} was expected, not {found}"))
    }

    pub fn map(&self) -> Parsed<Map<'a>> {
        match self.value {
            Value::Mapping(entries) => {
                if let Some(key) = entries.keys().find(|key| !key.is_string()) {
                    let shown = serde_yaml_ng::to_string(key).unwrap_or_default();
                    let shown = shown.trim();
                    return Err(self.wrong(format!("the key {shown} must be text, in quotes")));
                }
                Ok(Map { node: self.clone(), entries, taken: BTreeSet::new() })
            }
            _ => Err(self.expected("a map")),
        }
    }

    pub fn list(&self) -> Parsed<Vec<Node<'a>>> {
        let Value::Sequence(items) = self.value else { return Err(self.expected("a list")) };
        let child = |(index, value)| self.child(Segment::Index(index), value);
        Ok(items.iter().enumerate().map(child).collect())
    }

    pub fn text(&self) -> Parsed<&'a str> {
        self.value.as_str().ok_or_else(|| self.expected("text"))
    }

    /// Text that is not empty.
    pub fn name(&self) -> Parsed<String> {
        match self.text()? {
            "" => Err(self.wrong("a name must not be empty")),
            name => Ok(name.to_owned()),
        }
    }

    /// Text that says `what` it is, where a number without quotes would be another thing.
    pub fn quoted(&self, what: &str, example: &str) -> Parsed<&'a str> {
        match self.value {
            Value::Number(number) => Err(self.wrong(format!(
                "{what} stands in quotes, such as \"{example}\": without them YAML makes a float \
                 of {number}"
            ))),
            Value::String(text) => Ok(text),
            _ => Err(self.expected(&format!("{what} in quotes, such as \"{example}\","))),
        }
    }

    pub fn count(&self) -> Parsed<i64> {
        self.value.as_i64().ok_or_else(|| self.expected("a whole number"))
    }

    pub fn flag(&self) -> Parsed<bool> {
        self.value.as_bool().ok_or_else(|| self.expected("true or false"))
    }

    pub fn is_null(&self) -> bool {
        self.value.is_null()
    }

    /// One of these words.
    pub fn one_of<T: Copy>(&self, words: &[(&str, T)]) -> Parsed<T> {
        let text = self.text()?;
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.wrong(format!("'{text}' is not one of {}", all.join(", ")))
        })
    }
}

/// A map whose keys are taken one by one; what is left at its end is unknown.
#[derive(Debug)]
pub struct Map<'a> {
    pub node: Node<'a>,
    entries: &'a Mapping,
    taken: BTreeSet<&'static str>,
}

impl<'a> Map<'a> {
    /// The key's value, if it is there.
    pub fn take(&mut self, key: &'static str) -> Option<Node<'a>> {
        self.taken.insert(key);
        let value = self.entries.get(key)?;
        Some(self.node.child(Segment::Key(key.to_owned()), value))
    }

    pub fn require(&mut self, key: &'static str) -> Parsed<Node<'a>> {
        let missing = self.node.wrong(format!("the key '{key}' is missing"));
        self.take(key).ok_or(missing)
    }

    /// Refuses keys of the format that today's product can't follow, by name and reason.
    pub fn unsupported(&mut self, keys: &[(&'static str, &str)]) -> Parsed<()> {
        for (key, why) in keys {
            if let Some(node) = self.take(key) {
                return Err(node.wrong(format!("'{key}' is not supported yet: {why}")));
            }
        }
        Ok(())
    }

    /// Every key that was not taken is unknown.
    pub fn finish(self) -> Parsed<()> {
        for (key, value) in self.entries {
            let key = key.as_str().unwrap_or_default();
            if !self.taken.contains(key) {
                let known: Vec<&str> = self.taken.iter().copied().collect();
                let node = self.node.child(Segment::Key(key.to_owned()), value);
                let known = known.join(", ");
                return Err(node.wrong(format!("the key '{key}' is unknown; here are: {known}")));
            }
        }
        Ok(())
    }

    /// All entries, of a map whose keys are names.
    pub fn named(&self) -> impl Iterator<Item = (String, Node<'a>)> + '_ {
        self.entries.iter().map(|(key, value)| {
            let key = key.as_str().unwrap_or_default().to_owned();
            let node = self.node.child(Segment::Key(key.clone()), value);
            (key, node)
        })
    }
}

/// The line of the value at `path`, from 1: the file is read again up to there.
fn line_of(text: &str, path: &[Segment]) -> Option<usize> {
    let error = Seek(path).deserialize(serde_yaml_ng::Deserializer::from_str(text)).err()?;
    error.location().map(|location| location.line())
}

/// Follows a path, and fails where it ends: the reader's error then knows the line.
struct Seek<'p>(&'p [Segment]);

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

macro_rules! stops_at {
    ($($visit:ident($type:ty)),* $(,)?) => {
        $(fn $visit<E: serde::de::Error>(self, _: $type) -> Result<(), E> {
            Err(E::custom("here"))
        })*
    };
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    stops_at!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        Err(E::custom("here"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((Segment::Key(wanted), rest)) = self.0.split_first() else {
            return Err(A::Error::custom("here"));
        };
        while let Some(key) = map.next_key::<Value>()? {
            if key.as_str() == Some(wanted) {
                return map.next_value_seed(Seek(rest));
            }
            map.next_value::<IgnoredAny>()?;
        }
        Err(A::Error::custom("here"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Some((Segment::Index(wanted), rest)) = self.0.split_first() else {
            return Err(A::Error::custom("here"));
        };
        for _ in 0..*wanted {
            list.next_element::<IgnoredAny>()?;
        }
        list.next_element_seed(Seek(rest)).map(|_| ())
    }
}
