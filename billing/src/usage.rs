//! Usage: facts about the state of resources, and the stretches of time that follow from them.
//!
//! ```text
//! source --record--> usage_facts (as told, append-only) --project--> usage_spans --> rating
//!                        gaps, answers, rulings -----------^   ^-- rebuild proves it
//! ```
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`fact`] | what is told, and what becomes of it |
//! | [`project`] | facts to spans, pure; the short way for a fact that comes last |
//! | [`record`] | taking facts, in the caller's transaction |
//! | [`spans`] | the spans as rows; what rating reads |
//! | [`gaps`] | times of which facts were lost, laid over the spans, pure |
//! | [`lost`] | telling of gaps, and answering them |
//! | [`rulings`] | deciding about facts that were put aside or contradict |
//! | [`evidence`] | what a resource's facts say of a stretch of time, to be shown |
//! | [`rebuild`] | all spans made again, to compare or to write |
//! | `heads` | where a resource's facts stand, and its lock |
//! | `sources` | a resource's facts with what was decided about them |
//! | `settle` | one resource projected anew, where a fact does not come last |
//! | `marks` | telling rating what to look at again |
//! | `report` | what operators are told of facts that can't count |
//!
//! A fact says "this resource is in that state since then". It is kept as it was told, once: its
//! source and the source's id of it are unique. The server allots the resource's next sequence.
//! Facts count in the order of the source's ordinals where it has them, else as they came, never by
//! time alone; each counts from its instant or its predecessor's, whichever is later, so that a
//! host's clock that jumps back counts no minute twice.
//!
//! What is more than [`FUTURE_MAX_MS`] ahead is put aside. What contradicts parks its resource, and
//! that one alone: it is rated up to there, and a finding asks for a ruling.

pub mod evidence;
pub mod fact;
pub mod gaps;
mod heads;
pub mod lost;
mod marks;
pub mod project;
pub mod rebuild;
pub mod record;
mod report;
pub mod rulings;
mod settle;
mod sources;
pub mod spans;

pub use crate::meter::ResourceState;
pub use fact::{Fact, Recorded};
pub(crate) use marks::{counted, owners};
pub use record::{FACTS_MAX, record, record_all};
pub use sources::{attributes_told, last_state};
pub use spans::{Quality, Span, WHOLE_PPM};

/// A fact further in the future than this is kept, but not counted.
pub const FUTURE_MAX_MS: i64 = 5 * 60 * 1_000;

/// A resource of a kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource {
    pub kind: String,
    pub id: String,
}

/// `instance/0193…`, as findings name it.
impl std::fmt::Display for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

#[cfg(test)]
mod tests;
