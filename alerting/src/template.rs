//! Templates of labels and annotations: the part of Prometheus's that rules really use.
//!
//! ```text
//! {{ $labels.instance }}   {{ .Labels.instance }}     a label of the sample, or nothing
//! {{ $value }}             {{ .Value }}               its value
//! {{ humanize $value }}    {{ $value | humanize }}    also humanize1024, humanizeDuration,
//!                                                     humanizePercentage
//! ```
//!
//! Anything else is refused when the rule is written, not when it should alert.

use base::sample::Labels;

mod number;

pub(crate) use number::exponent;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Print(Operand),
    Apply(Function, Operand),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Operand {
    Value,
    Label(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Humanize,
    Humanize1024,
    HumanizeDuration,
    HumanizePercentage,
}

impl Template {
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("{{") {
            if start > 0 {
                parts.push(Part::Text(rest[..start].to_owned()));
            }
            let inside = &rest[start + 2..];
            let end = inside.find("}}").ok_or("a '{{' is not closed by '}}'")?;
            parts.push(action(inside[..end].trim())?);
            rest = &inside[end + 2..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// Text that is no template.
    pub fn literal(text: &str) -> Self {
        Self(vec![Part::Text(text.to_owned())])
    }

    /// A label that is no number where one is needed leaves Prometheus's error text in its place.
    pub fn expand(&self, labels: &Labels, value: f64) -> String {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Print(Operand::Value) => out.push_str(&number::plain(value)),
                Part::Print(Operand::Label(name)) => {
                    out.push_str(labels.get(name).unwrap_or_default());
                }
                Part::Apply(function, operand) => match number_of(operand, labels, value) {
                    Ok(number) => out.push_str(&function.apply(number)),
                    Err(error) => return format!("<error expanding template: {error}>"),
                },
            }
        }
        out
    }
}

fn number_of(operand: &Operand, labels: &Labels, value: f64) -> Result<f64, String> {
    match operand {
        Operand::Value => Ok(value),
        Operand::Label(name) => {
            let text = labels.get(name).unwrap_or_default();
            text.parse().map_err(|_| format!("label {name} is '{text}', which is no number"))
        }
    }
}

/// What stands between the braces.
fn action(text: &str) -> Result<Part, String> {
    let unknown = || {
        format!(
            "'{{{{ {text} }}}}' is not understood; templates know $labels.NAME, $value, and \
             humanize, humanize1024, humanizeDuration, humanizePercentage of one of them"
        )
    };
    let (first, second) = match text.split_once('|') {
        // `$value | humanize` is `humanize $value`.
        Some((operand, function)) => (function.trim(), Some(operand.trim())),
        None => match text.split_once(char::is_whitespace) {
            Some((function, operand)) => (function, Some(operand.trim())),
            None => (text, None),
        },
    };
    match second {
        None => operand(first).map(Part::Print),
        Some(second) => Function::named(first).zip(operand(second)).map(|(f, o)| Part::Apply(f, o)),
    }
    .ok_or_else(unknown)
}

fn operand(text: &str) -> Option<Operand> {
    if matches!(text, "$value" | ".Value") {
        return Some(Operand::Value);
    }
    let name = text.strip_prefix("$labels.").or_else(|| text.strip_prefix(".Labels."))?;
    crate::rules::is_label_name(name).then(|| Operand::Label(name.to_owned()))
}

impl Function {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "humanize" => Self::Humanize,
            "humanize1024" => Self::Humanize1024,
            "humanizeDuration" => Self::HumanizeDuration,
            "humanizePercentage" => Self::HumanizePercentage,
            _ => return None,
        })
    }
    fn apply(self, v: f64) -> String {
        match self {
            Self::Humanize => number::humanize(v),
            Self::Humanize1024 => number::humanize_1024(v),
            Self::HumanizeDuration => number::humanize_duration(v),
            Self::HumanizePercentage => format!("{}%", number::four_digits(v * 100.0)),
        }
    }
}

#[cfg(test)]
mod tests;
