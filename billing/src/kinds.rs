//! Kinds of resources as data: their states, their attributes, and what each is rated by.
//!
//! ```text
//! fact: kind, state, attributes --components--> (component, quantity) --price book--> money
//! ```
//!
//! A price names a component as `kind.component`, such as `instance.compute` or `volume.capacity`.
//! The product itself tells of instances only ([`Kind::product`]); the other kinds are rated where
//! facts of them come from elsewhere, as in a replay.
//!
//! Each kind has two ends: `absent` is nowhere for now (a domain may be made again), `deleted` is
//! gone for good, after which any fact contradicts.

mod attributes;
mod catalogue;

pub use attributes::{ATTRIBUTES_MAX_BYTES, Attributes, Value};
pub use catalogue::KINDS;

use crate::prices::components::Per;

/// Nowhere, perhaps for now.
pub const ABSENT: &str = "absent";
/// Gone for good.
pub const DELETED: &str = "deleted";

#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    pub name: &'static str,
    /// In which it exists.
    pub states: &'static [&'static str],
    pub attributes: &'static [Attribute],
    pub components: &'static [Component],
    /// Whether the product has such resources itself.
    pub product: bool,
}

/// What its facts must say of it. Others may be said besides, for prices to select by.
#[derive(Debug, PartialEq, Eq)]
pub struct Attribute {
    pub name: &'static str,
    pub holds: Holds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Not negative.
    Count,
    Text,
}

/// What is rated of a kind.
#[derive(Debug, PartialEq, Eq)]
pub struct Component {
    /// As prices name it: `instance.compute`.
    pub name: &'static str,
    /// In which it is used; all of them where none is named.
    pub states: &'static [&'static str],
    pub quantity: Quantity,
    /// What a price of it is per.
    pub per: Per,
    /// Whose price is taken where it has none.
    pub fallback: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    One,
    Attribute(&'static str),
    /// What a counter's readings say.
    Counter,
    /// What was ordered.
    Order,
}

/// The kind of that name.
pub fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

impl Kind {
    /// By its name without the kind: `compute`.
    pub fn component(&self, name: &str) -> Option<&'static Component> {
        let is = |component: &&Component| {
            component.name.split_once('.').is_some_and(|(_, own)| own == name)
        };
        self.components.iter().find(is)
    }

    /// Whether something of it is there in that state.
    pub fn exists_in(&self, state: &str) -> bool {
        self.states.contains(&state)
    }

    /// What a resource in this state uses by the time, and how much of it. Nothing of zero.
    pub fn components<'a>(
        &'static self,
        state: &'a str,
        attributes: &'a Attributes,
    ) -> impl Iterator<Item = (&'static Component, i64)> + 'a {
        self.components
            .iter()
            .filter(move |component| {
                self.exists_in(state)
                    && (component.states.is_empty() || component.states.contains(&state))
            })
            .filter_map(|component| {
                let quantity = match component.quantity {
                    Quantity::One => 1,
                    Quantity::Attribute(name) => attributes.count(name)?,
                    Quantity::Counter | Quantity::Order => return None,
                };
                (quantity > 0).then_some((component, quantity))
            })
    }

    /// Why a fact that says so can't be rated; none: it can.
    pub fn fault(&self, state: &str, attributes: &Attributes) -> Option<String> {
        if matches!(state, ABSENT | DELETED) {
            return None;
        }
        if !self.exists_in(state) {
            return Some(format!(
                "'{state}' is not a state of kind {}: {}, {ABSENT}, {DELETED}",
                self.name,
                self.states.join(", ")
            ));
        }
        self.attributes.iter().find_map(|attribute| {
            let name = attribute.name;
            match (attribute.holds, attributes.get(name)) {
                (_, None) => Some(format!("it says nothing of {name}")),
                (Holds::Count, Some(Value::Int(count))) if *count < 0 => {
                    Some(format!("its {name} of {count} is negative"))
                }
                (Holds::Count, Some(Value::Int(_))) | (Holds::Text, Some(Value::Text(_))) => None,
                (Holds::Count, Some(_)) => Some(format!("its {name} is not a whole number")),
                (Holds::Text, Some(_)) => Some(format!("its {name} is not a text")),
            }
        })
    }
}

#[cfg(test)]
mod tests;
