//! Gaps: times of which no facts are left, laid over the spans that the other facts make. Pure.
//!
//! ```text
//! facts      |---- running, small ---------------------------------- ...
//! gap                    [ from ................ to ) seen after it: running, large
//! spans      |-- small --[ small, estimated; or    )-- large ------- ...
//!                        [ large, whichever costs  )
//! answered   |-- small --[ small | large, corrected)-- large ------- ...
//! ```

use base::{Error, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Quality, Span,
    project::{FOREVER_MS, is_gone},
};
use crate::kinds::{ABSENT, Attributes};

/// What is charged in a gap until somebody says what was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GapPolicy {
    /// As before the gap or as after it, whichever costs less.
    #[default]
    Cheaper,
    AsBefore,
    Free,
}

impl GapPolicy {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cheaper => "cheaper",
            Self::AsBefore => "as_before",
            Self::Free => "free",
        }
    }
}

impl std::str::FromStr for GapPolicy {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "cheaper" => Ok(Self::Cheaper),
            "as_before" => Ok(Self::AsBefore),
            "free" => Ok(Self::Free),
            other => Err(Error::invalid("gap_policy", format!("'{other}' is not a policy"))
                .remedy("use cheaper, as_before or free")),
        }
    }
}

/// What a resource is, as a fact would say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    pub state: String,
    /// As written.
    pub attributes: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    pub id: String,
    pub from_ms: i64,
    pub to_ms: i64,
    /// Seen at its end.
    pub after: Look,
    /// When it was found.
    pub policy: GapPolicy,
    /// What it became within the gap, and when; before that it was as before.
    pub answer: Option<(Look, i64)>,
}

/// A span's other possibility in a gap, in its written form.
#[derive(Serialize, Deserialize)]
struct Alternative {
    attributes: Attributes,
    state: String,
}

impl Span {
    /// In a gap: the state and attributes that are taken where they cost less; none: it is as it
    /// stands.
    pub fn other(&self) -> Result<Option<(String, Attributes)>> {
        if self.alternative.is_empty() {
            return Ok(None);
        }
        let found: Alternative = serde_json::from_str(&self.alternative)
            .map_err(|e| Error::internal("a span's alternative can't be read").source(e))?;
        Ok(Some((found.state, found.attributes)))
    }

    fn clipped(&self, from_ms: i64, to_ms: i64) -> Option<Self> {
        let (from_ms, to_ms) = (self.from_ms.max(from_ms), self.to_ms.min(to_ms));
        (from_ms < to_ms).then(|| Self { from_ms, to_ms, ..self.clone() })
    }

    fn looks(&self, look: &Look) -> bool {
        self.state == look.state && self.attributes == look.attributes
    }

    fn turned(&self, look: &Look, from_ms: i64, to_ms: i64, quality: Quality) -> Option<Self> {
        let alternative = String::new();
        let (state, attributes) = (look.state.clone(), look.attributes.clone());
        let turned =
            Self { from_ms, to_ms, state, attributes, alternative, quality, ..self.clone() };
        (from_ms < to_ms && !is_gone(&look.state)).then_some(turned)
    }
}

/// The spans with all gaps, in order of their beginning.
pub fn overlay(spans: Vec<Span>, gaps: &[Gap]) -> Vec<Span> {
    let mut ordered: Vec<&Gap> = gaps.iter().collect();
    ordered.sort_by_key(|gap| (gap.from_ms, gap.to_ms, &gap.id));
    ordered.into_iter().fold(spans, lay)
}

fn lay(spans: Vec<Span>, gap: &Gap) -> Vec<Span> {
    // Whose it is, and what it is called; before the first fact it is nobody's.
    let Some(owner) = spans.iter().rev().find(|span| span.from_ms < gap.to_ms) else {
        return spans;
    };
    let mut laid: Vec<Span> =
        spans.iter().filter_map(|span| span.clipped(i64::MIN, gap.from_ms)).collect();
    match &gap.answer {
        None => laid.extend(spans.iter().filter_map(|span| {
            let alternative = alternative(span, gap);
            let span = span.clipped(gap.from_ms, gap.to_ms)?;
            Some(Span { alternative, quality: Quality::Estimated, ..span })
        })),
        Some((look, changed_ms)) => {
            laid.extend(spans.iter().filter_map(|span| {
                let span = span.clipped(gap.from_ms, *changed_ms)?;
                Some(Span { alternative: String::new(), quality: Quality::Corrected, ..span })
            }));
            laid.extend(owner.turned(look, *changed_ms, gap.to_ms, Quality::Corrected));
        }
    }
    // At its end it was seen, and so it is until the next fact.
    let covers = |span: &&Span| span.from_ms < gap.to_ms && gap.to_ms < span.to_ms;
    match spans.iter().find(covers) {
        Some(span) if span.looks(&gap.after) => laid.extend(span.clipped(gap.to_ms, FOREVER_MS)),
        Some(span) => {
            laid.extend(span.turned(&gap.after, gap.to_ms, span.to_ms, Quality::Observed));
        }
        None => {
            let next = spans.iter().map(|span| span.from_ms).find(|from| *from >= gap.to_ms);
            let to = next.unwrap_or(FOREVER_MS);
            laid.extend(owner.turned(&gap.after, gap.to_ms, to, Quality::Observed));
        }
    }
    laid.extend(spans.into_iter().filter(|span| span.from_ms >= gap.to_ms));
    laid
}

fn alternative(span: &Span, gap: &Gap) -> String {
    let written = |state: &str, attributes: &str| {
        format!(r#"{{"attributes":{attributes},"state":{}}}"#, serde_json::json!(state))
    };
    match gap.policy {
        GapPolicy::AsBefore => String::new(),
        GapPolicy::Free => written(ABSENT, "{}"),
        GapPolicy::Cheaper if span.looks(&gap.after) => String::new(),
        GapPolicy::Cheaper => written(&gap.after.state, &gap.after.attributes),
    }
}

#[cfg(test)]
mod tests;
